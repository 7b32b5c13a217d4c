"""A pytest plugin that installs schlenk as Flask before a conftest imports Flask: ``pytest -p as_flask``.

Suites import names that schlenk does not have. With these replacements, only the tests that use such a name fail.
"""

import sys
from types import ModuleType
from typing import Any

import schlenk

schlenk.install_as_flask()


class Missing:
    """Replaces a class that schlenk does not have."""


flask: Any = sys.modules["flask"]
flask.Blueprint = Missing
views: Any = ModuleType("flask.views")
views.MethodView = Missing
sys.modules["flask.views"] = views
