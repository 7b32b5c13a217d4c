"""The error for a name of Flask that this package does not have."""

from __future__ import annotations

import dis
import importlib.util
import sys
from typing import TYPE_CHECKING, Any, Callable

ADVICE = (
    "schlenk has Flask's contexts and a minimal application, without templates, blueprints, static files and the"
    " command line. Call schlenk.install_under_flask() to use the installed Flask with these contexts."
)


def missing_from(module: str) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module. Its errors name the alternative to a name that schlenk lacks."""

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if module == __package__ and importlib.util.find_spec(f"{module}.{name}"):
            # A module that most programs do not need, such as schlenk.flight.
            return importlib.import_module(f"{module}.{name}")
        # For an AttributeError, `from module import name` would raise an ImportError with another message.
        caller = sys._getframe(1)
        if dis.opname[caller.f_code.co_code[caller.f_lasti]] == "IMPORT_FROM":
            raise ImportError(f"cannot import name {name!r} from {module!r}: {ADVICE}", name=module)
        raise AttributeError(f"module {module!r} has no attribute {name!r}: {ADVICE}")

    return __getattr__


class MissingAttribute:
    """An attribute that an application has in Flask 1.1 but not here: reading it raises ``AttributeError``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        raise AttributeError(f"{owner.__name__!r} object has no attribute {self.name!r}: {ADVICE}")


_attributes = (
    "add_template_filter add_template_global add_template_test auto_find_instance_path cli"
    " create_global_jinja_loader create_jinja_environment get_send_file_max_age instance_path iter_blueprints jinja_env"
    " jinja_environment jinja_options make_shell_context open_instance_resource open_resource register_blueprint"
    " select_jinja_autoescape send_file_max_age_default send_static_file shell_context_processor"
    " shell_context_processors template_filter template_folder template_global"
    " template_test templates_auto_reload test_cli_runner test_cli_runner_class update_template_context"
    " use_x_sendfile".split()
)

if TYPE_CHECKING:

    class MissingAttributes:
        """The attributes that an application has in Flask 1.1 but not here."""

else:
    # A __getattr__ would be simpler, but up to Python 3.11 it slows down every read of an attribute that exists.
    MissingAttributes = type("MissingAttributes", (), {name: MissingAttribute(name) for name in _attributes})
