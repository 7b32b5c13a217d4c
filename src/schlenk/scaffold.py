"""What an application is told before its first request: routes, hooks, error handlers, processors.

Each is kept in a container under the name it has in Flask 1.1, where those of the application itself are under the key
``None``. What is done with them is in :mod:`schlenk.app`.
"""

from __future__ import annotations

import os
from functools import wraps
from typing import TYPE_CHECKING, Any, Callable, TypeVar, Union

from werkzeug import routing
from werkzeug.exceptions import HTTPException, default_exceptions
from werkzeug.routing import BuildError, Rule

from .globals import _lookup_req_object
from .helpers import get_root_path
from .routing import Map

View = Callable[..., Any]
ErrorHandler = Callable[[Any], Any]
F = TypeVar("F", bound=Callable[..., Any])
Functions = dict[Union[str, None], list[Callable[..., Any]]]


def setupmethod(f: F) -> F:
    """Refuse, in debug mode, a call that would come too late: after the first request.

    :param f: the method that registers something; what is returned does the same, and raises ``AssertionError`` then.

    As in Flask 1.1.
    """

    @wraps(f)
    def before_first_request_only(self: Scaffold, *args: Any, **kwargs: Any) -> Any:
        if self.debug and self._got_first_request:
            raise AssertionError(
                f"{f.__name__}() came too late: the first request was answered without what it sets up. Import the "
                "module that calls it, and all others that register something, before serving."
            )
        return f(self, *args, **kwargs)

    return before_first_request_only  # type: ignore[return-value]


class Scaffold:
    """The registering half of :class:`~schlenk.Flask`.

    :param import_name: the name of the module the application is made in.
    :param root_path: the folder it lies in; default: found out.

    In debug mode its methods raise ``AssertionError`` after the first request. As in Flask 1.1, where they are
    ``Flask``'s own.
    """

    url_rule_class: type[Rule] = Rule
    """What :meth:`add_url_rule` makes."""

    url_map_class: type[routing.Map] = routing.Map
    """What ``url_map`` is made of."""

    if TYPE_CHECKING:

        @property
        def debug(self) -> bool: ...

    _got_first_request = False

    def __init__(self, import_name: str, root_path: str | os.PathLike[str] | None = None) -> None:
        self.import_name = import_name
        self.root_path: str | os.PathLike[str] = get_root_path(import_name) if root_path is None else root_path
        # Werkzeug's own is had with a memory.
        self.url_map = (Map if self.url_map_class is routing.Map else self.url_map_class)()
        self.view_functions: dict[str, View] = {}
        self.error_handler_spec: dict[str | None, dict[int | None, dict[type[Exception], ErrorHandler]]] = {}
        self.url_build_error_handlers: list[Callable[[BuildError, str, dict[str, Any]], str | None]] = []
        self.before_first_request_funcs: list[Callable[[], Any]] = []
        self.before_request_funcs: Functions = {}
        self.after_request_funcs: Functions = {}
        self.teardown_request_funcs: Functions = {}
        self.teardown_appcontext_funcs: list[Callable[[BaseException | None], Any]] = []
        self.url_value_preprocessors: Functions = {}
        self.url_default_functions: Functions = {}

    def route(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Have the decorated function answer requests for ``rule``.

        :param rule: the path, with variables such as ``<int:number>``.
        :param options: ``endpoint``, ``methods`` and the others of :meth:`add_url_rule`, which may raise an error.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> @app.route("/user/<int:number>")
        ... def user(number):
        ...     return f"user {number}"
        >>> app.test_client().get("/user/7").get_data(as_text=True)
        'user 7'

        As in Flask 1.1.
        """

        def register(f: F) -> F:
            self.add_url_rule(rule, options.pop("endpoint", None), f, **options)
            return f

        return register

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: View | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Add a rule to ``url_map``, and the function that answers for it to ``view_functions``.

        :param rule: the path, with variables such as ``<int:number>``.
        :param endpoint: the name of what it leads to; default: the name of ``view_func``.
        :param view_func: the function that answers; may be given later, with :meth:`endpoint`. Its attributes
            ``methods``, ``required_methods`` and ``provide_automatic_options`` are defaults for what isn't given here.
        :param provide_automatic_options: answer OPTIONS without calling ``view_func``; default: where ``methods``
            doesn't name it.
        :param options: ``methods`` (an iterable of HTTP methods; default: GET, and with it HEAD), and all that
            :class:`werkzeug.routing.Rule` takes: ``defaults``, ``strict_slashes``, ``subdomain``, ``host``, …
        :raises TypeError: ``methods`` is a string.
        :raises AssertionError: neither ``endpoint`` nor ``view_func`` is given; or another function answers for the
            endpoint already, and goes on to, now also for ``rule``.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> app.add_url_rule("/user/<int:number>", "user", lambda number: f"user {number}", methods=["GET", "DELETE"])
        >>> app.test_client().delete("/user/7").get_data(as_text=True)
        'user 7'

        As in Flask 1.1.
        """
        if endpoint is None:
            endpoint = _endpoint_of(view_func)
        given = options.pop("methods", None)
        if isinstance(given, str):
            raise TypeError(f"methods={given!r} would be taken letter by letter: give a list, such as [{given!r}].")
        allowed = {method.upper() for method in (_methods_of(view_func) if given is None else given)}
        required: set[str] = set(getattr(view_func, "required_methods", ()))
        automatic = provide_automatic_options
        if automatic is None:
            automatic = getattr(view_func, "provide_automatic_options", None)
        if automatic is None and "OPTIONS" not in allowed:
            required.add("OPTIONS")
            automatic = True
        added = self.url_rule_class(rule, methods=allowed | required, endpoint=endpoint, **options)
        added.provide_automatic_options = bool(automatic)  # type: ignore[attr-defined]
        self.url_map.add(added)
        if view_func is None:
            return
        known = self.view_functions.setdefault(endpoint, view_func)
        if known != view_func:
            raise AssertionError(
                f"{view_func!r} can't answer for the endpoint {endpoint!r}, because {known!r} does: give one of the "
                "two another name, or another endpoint."
            )

    @setupmethod
    def endpoint(self, endpoint: str) -> Callable[[F], F]:
        """Have the decorated function answer for ``endpoint``, whose rules are in ``url_map`` or will be.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> app.add_url_rule("/", endpoint="index")
        >>> @app.endpoint("index")
        ... def view():
        ...     return "hello"
        >>> app.test_client().get("/").get_data(as_text=True)
        'hello'

        As in Flask 1.1.
        """

        def register(f: F) -> F:
            self.view_functions[endpoint] = f
            return f

        return register

    @setupmethod
    def before_first_request(self, f: F) -> F:
        """Have ``f`` called before the first request, without arguments. As in Flask 1.1.

        In the context of that request; once, however many requests come at the same time: those wait. If ``f``
        fails, that request fails, and the next one is the first.
        """
        self.before_first_request_funcs.append(f)
        return f

    @setupmethod
    def before_request(self, f: F) -> F:
        """Have ``f`` called before each request, without arguments.

        If it returns anything but ``None``, that is the answer, as if a view had returned it; no view is called, and
        no further function of this kind.

        >>> from schlenk import Flask, request
        >>> app = Flask(__name__)
        >>> @app.before_request
        ... def members_only():
        ...     if "user" not in request.args:
        ...         return "who is there?", 401
        >>> app.test_client().get("/").status, app.test_client().get("/?user=ada").status
        ('401 UNAUTHORIZED', '404 NOT FOUND')

        As in Flask 1.1.
        """
        self.before_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def after_request(self, f: F) -> F:
        """Have ``f`` called with the response to each request; it returns the response to send, most often the same.

        The last registered runs first. Not run where an error was neither handled nor became a 500.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> @app.after_request
        ... def not_in_frames(response):
        ...     response.headers["X-Frame-Options"] = "DENY"
        ...     return response
        >>> app.test_client().get("/").headers["X-Frame-Options"]
        'DENY'

        As in Flask 1.1.
        """
        self.after_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def teardown_request(self, f: F) -> F:
        """Have ``f`` called when the request context goes, with the error that nobody handled, or ``None``.

        The last registered runs first. Should ``f`` fail, the error is raised, and those after it don't run; the
        contexts go all the same.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> @app.teardown_request
        ... def close(error):
        ...     print("closed after", error)
        >>> with app.test_request_context():
        ...     pass
        closed after None

        As in Flask 1.1.
        """
        self.teardown_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def teardown_appcontext(self, f: F) -> F:
        """Have ``f`` called when an application context goes; otherwise as :meth:`teardown_request`.

        As in Flask 1.1.
        """
        self.teardown_appcontext_funcs.append(f)
        return f

    @setupmethod
    def url_value_preprocessor(self, f: F) -> F:
        """Have ``f`` called with the endpoint and the values in the URL, before :meth:`before_request` is seen to.

        It may change the values; both are ``None`` where no rule matched.

        >>> from schlenk import Flask, g
        >>> app = Flask(__name__)
        >>> @app.url_value_preprocessor
        ... def take_language(endpoint, values):
        ...     g.language = values.pop("language")
        >>> @app.route("/<language>/")
        ... def index():
        ...     return g.language
        >>> app.test_client().get("/en/").get_data(as_text=True)
        'en'

        As in Flask 1.1.
        """
        self.url_value_preprocessors.setdefault(None, []).append(f)
        return f

    @setupmethod
    def url_defaults(self, f: F) -> F:
        """Have ``f`` called with the endpoint and the values whenever a URL is built; it may add values.

        >>> from schlenk import Flask, url_for
        >>> app = Flask(__name__)
        >>> app.add_url_rule("/<language>/", "index")
        >>> @app.url_defaults
        ... def add_language(endpoint, values):
        ...     values.setdefault("language", "en")
        >>> with app.test_request_context():
        ...     url_for("index")
        '/en/'

        As in Flask 1.1.
        """
        self.url_default_functions.setdefault(None, []).append(f)
        return f

    @setupmethod
    def errorhandler(self, code_or_exception: type[Exception] | int) -> Callable[[F], F]:
        """Have the decorated function answer where an error was raised.

        :param code_or_exception: as for :meth:`register_error_handler`, which raises the same errors.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> @app.errorhandler(404)
        ... def nothing_here(error):
        ...     return "nothing here", 404
        >>> app.test_client().get("/").get_data(as_text=True)
        'nothing here'

        As in Flask 1.1.
        """

        def register(f: F) -> F:
            self._register_error_handler(None, code_or_exception, f)
            return f

        return register

    def register_error_handler(self, code_or_exception: type[Exception] | int, f: ErrorHandler) -> None:
        """Have ``f`` called with an error; what it returns is the answer, as if a view had returned it.

        :param code_or_exception: an HTTP status, for the errors that stand for it; or a class, for its instances.
            Handlers by status come before handlers by class, the nearest class in the method resolution order first.
        :raises KeyError: no error of Werkzeug's stands for that status.
        :raises ValueError: an error is given instead of its class.
        :raises TypeError: what is given is neither.
        :raises AssertionError: a class is given that isn't one of errors.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> app.register_error_handler(ZeroDivisionError, lambda error: ("nothing to share", 400))
        >>> app.add_url_rule("/", "index", lambda: str(1 / 0))
        >>> app.test_client().get("/").status
        '400 BAD REQUEST'

        As in Flask 1.1.
        """
        self._register_error_handler(None, code_or_exception, f)

    @setupmethod
    def _register_error_handler(
        self, key: str | None, code_or_exception: type[Exception] | int, f: ErrorHandler
    ) -> None:
        if isinstance(code_or_exception, HTTPException):
            raise ValueError(
                f"{f!r} can't handle {code_or_exception!r}: handlers are for classes of errors, or for status codes."
            )
        try:
            exception, code = self._get_exc_class_and_code(code_or_exception)
        except KeyError:
            raise KeyError(
                f"{f!r} can't handle {code_or_exception!r}: that is not an HTTP status Werkzeug has an error for. "
                "Give a subclass of HTTPException that has it as its code."
            ) from None
        self.error_handler_spec.setdefault(key, {}).setdefault(code, {})[exception] = f

    @staticmethod
    def _get_exc_class_and_code(exc_class_or_code: Any) -> tuple[type[Exception], int | None]:
        """Return the class of errors meant, and the HTTP status it stands for, if any."""
        exception = default_exceptions[exc_class_or_code] if isinstance(exc_class_or_code, int) else exc_class_or_code
        if not isinstance(exception, type):
            raise TypeError(f"{exception!r} can't be handled: give a class of errors, or an HTTP status code.")
        if not issubclass(exception, Exception):
            raise AssertionError(f"{exception!r} can't be handled: it is not a class of errors.")
        return exception, exception.code if issubclass(exception, HTTPException) else None

    def _find_error_handler(self, e: Exception) -> ErrorHandler | None:
        """Return the handler for ``e``: by its status if there is one, else by its class; nearest class first."""
        # Handlers answer a request: without one there is nothing to be handled, and this says so.
        _lookup_req_object("request")
        by_code = self.error_handler_spec.get(None)
        if not by_code:
            return None
        classes, code = self._get_exc_class_and_code(type(e))
        for kind in (None,) if code is None else (code, None):
            handlers = by_code.get(kind, {})
            for exception in classes.__mro__:
                if exception in handlers:
                    return handlers[exception]
        return None


def _methods_of(view_func: View | None) -> Any:
    return getattr(view_func, "methods", None) or ("GET",)


def _endpoint_of(view_func: View | None) -> str:
    if view_func is None:
        raise AssertionError("A rule leads to an endpoint, or to the function it is named for: give one of the two.")
    return view_func.__name__
