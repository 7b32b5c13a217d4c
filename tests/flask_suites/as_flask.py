"""A pytest plugin that puts schlenk in the place of Flask before a conftest imports it: ``pytest -p as_flask``.

Suites import names that schlenk does not have. With these stand-ins, only the tests that use such a name fail.
"""

import sys
from types import ModuleType
from typing import Any

import schlenk

schlenk.install_as_flask()


class Missing:
    """A class that has nothing."""


flask: Any = sys.modules["flask"]
flask.Blueprint = Missing
views: Any = ModuleType("flask.views")
views.MethodView = Missing
sys.modules["flask.views"] = views
