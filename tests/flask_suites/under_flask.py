"""A pytest plugin that installs schlenk under Flask before a conftest imports Flask: ``pytest -p under_flask``."""

import schlenk

schlenk.install_under_flask()
