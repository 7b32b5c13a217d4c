"""The setup of an application: configuration, and registration of views, hooks and error handlers.

Registered functions are stored in dictionaries with the names and the layout of Flask 1.1, which extensions read. Flask
keys them by blueprint; schlenk has no blueprints and uses the key ``None``, which stands for the application.
:mod:`schlenk.app` calls the functions.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from datetime import timedelta
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Callable, TypeVar, Union, cast, overload

from werkzeug import routing
from werkzeug.exceptions import HTTPException, default_exceptions
from werkzeug.routing import BuildError

from .config import DEFAULTS, Config, ConfigAttribute
from .ctx import _AppCtxGlobals, store_responder
from .globals import _lookup_req_object, _request_ctx_stack
from .helpers import describe_function, get_debug_flag, get_env, get_root_path
from .json import JSONDecoder, JSONEncoder
from .logging import create_logger
from .routing import Rule
from .sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin
from .shortcuts import MapBase
from .typing import (
    AfterRequest,
    BeforeFirstRequest,
    BeforeRequest,
    ClassErrorHandlerDecorator,
    Error,
    HTTPError,
    ResponseReturnValue,
    StatusErrorHandlerDecorator,
    Teardown,
    URLDefaults,
    URLValuePreprocessor,
    View,
    ViewFunction,
)
from .wrappers import Request, Response

if TYPE_CHECKING:
    import logging

    from .app import Flask
    from .testing import FlaskClient

ErrorHandler = Callable[[Any], Any]
F = TypeVar("F", bound=Callable[..., Any])
Functions = dict[Union[str, None], list[Callable[..., Any]]]


def setupmethod(f: F) -> F:
    """Make a registration method raise ``AssertionError`` after the first request, if the application is in debug mode.

    :param f: the method.
    """

    @wraps(f)
    def before_first_request_only(self: Scaffold, *args: Any, **kwargs: Any) -> Any:
        if self.debug and self._got_first_request:
            raise AssertionError(
                f"{f.__name__}() was called after the first request, which was handled without this setup. Import all "
                "modules that register views, hooks or error handlers before the application handles requests."
            )
        return f(self, *args, **kwargs)

    return before_first_request_only  # type: ignore[return-value]


class Scaffold:
    """The base class of :class:`~schlenk.Flask`: its constructor, its settings, and its registration methods.

    In debug mode, the registration methods raise ``AssertionError`` after the first request. In Flask 1.1, all of this
    is in ``Flask``.
    """

    request_class: type[Request] = Request
    """The class used for ``request``."""

    response_class: type[Response] = Response
    """The class used for responses."""

    app_ctx_globals_class: type[Any] = _AppCtxGlobals
    """The class used for ``g``."""

    config_class: type[Config] = Config
    """The class used for ``config``."""

    json_encoder: type[Any] = JSONEncoder
    """The encoder that :func:`schlenk.json.dumps` uses."""

    json_decoder: type[Any] = JSONDecoder
    """The decoder that :func:`schlenk.json.loads` uses."""

    session_interface: SessionInterface = SecureCookieSessionInterface()
    """Opens and saves sessions."""

    test_client_class: type[FlaskClient] | None = None
    """The class that :meth:`test_client` uses; ``None`` for :class:`schlenk.testing.FlaskClient`."""

    # The values in Flask 1 for an application without static files and templates, which extensions read.
    static_folder: None = None
    static_url_path: None = None
    jinja_loader: None = None
    has_static_folder = False

    url_rule_class: type[routing.Rule] = routing.Rule
    """The class used for the rules that :meth:`add_url_rule` adds."""

    url_map_class: type[routing.Map] = routing.Map
    """The class used for ``url_map``."""

    default_config = DEFAULTS
    """The initial ``config``."""

    env = ConfigAttribute("ENV")
    """The name of the environment, from ``FLASK_ENV``; ``"production"`` by default."""

    testing = ConfigAttribute("TESTING")
    """Whether the application is being tested: unhandled errors are raised, and do not become a 500 response."""

    secret_key = ConfigAttribute("SECRET_KEY")
    """The key that session cookies are signed with: long, random and secret."""

    session_cookie_name = ConfigAttribute("SESSION_COOKIE_NAME")
    """The name of the session cookie."""

    permanent_session_lifetime = ConfigAttribute(
        "PERMANENT_SESSION_LIFETIME",
        lambda value: value if isinstance(value, timedelta) else timedelta(seconds=value),
    )
    """The lifetime of a permanent session: a :class:`~datetime.timedelta`, or a number of seconds."""

    _got_first_request = False

    def __init__(
        self,
        import_name: str,
        static_url_path: str | None = None,
        static_folder: str | None = None,
        static_host: str | None = None,
        host_matching: bool = False,
        subdomain_matching: bool = False,
        template_folder: str | None = None,
        instance_path: str | None = None,
        instance_relative_config: bool = False,
        root_path: str | os.PathLike[str] | None = None,
    ) -> None:
        _refuse("static files", static_url_path=static_url_path, static_folder=static_folder, static_host=static_host)
        _refuse("templates", template_folder=template_folder)
        _refuse(
            "instance folders",
            instance_path=instance_path,
            instance_relative_config=instance_relative_config or None,
        )
        self.import_name = import_name
        self.root_path: str | os.PathLike[str] = get_root_path(import_name) if root_path is None else root_path
        # The caching Map in place of Werkzeug's.
        self.url_map = (MapBase if self.url_map_class is routing.Map else self.url_map_class)()
        self.url_map.host_matching = host_matching
        self.subdomain_matching = subdomain_matching
        self.view_functions: dict[str, ViewFunction] = {}
        self.error_handler_spec: dict[str | None, dict[int | None, dict[type[Exception], ErrorHandler]]] = {}
        self.url_build_error_handlers: list[Callable[[BuildError, str, dict[str, Any]], str | None]] = []
        self.before_first_request_funcs: list[Callable[[], Any]] = []
        self.before_request_funcs: Functions = {}
        self.after_request_funcs: Functions = {}
        self.teardown_request_funcs: Functions = {}
        self.template_context_processors: Functions = {None: []}
        self.teardown_appcontext_funcs: list[Callable[[BaseException | None], Any]] = []
        self.url_value_preprocessors: Functions = {}
        self.url_default_functions: Functions = {}
        self.blueprints: dict[str, Any] = {}
        self.config = self.make_config(False)
        self.extensions: dict[str, Any] = {}
        """The state of extensions, by their names."""
        self._before_request_lock = threading.Lock()
        self._first_request_ident: Any = None

    @cached_property
    def name(self) -> str:
        """The name of the application: ``import_name``, or the file name if that is ``"__main__"``."""
        if self.import_name != "__main__":
            return self.import_name
        file = getattr(sys.modules["__main__"], "__file__", None)
        return "__main__" if file is None else os.path.splitext(os.path.basename(file))[0]

    @cached_property
    def logger(self) -> logging.Logger:
        """The logger called :attr:`name`. During a request it writes to ``wsgi.errors``."""
        return create_logger(self)

    @property
    def debug(self) -> bool:
        """Whether debug mode is on: the setting ``DEBUG``. Do not enable it in production."""
        debug: bool = self.config["DEBUG"]
        return debug

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value

    @property
    def propagate_exceptions(self) -> bool:
        """Whether unhandled errors are raised to the server: ``PROPAGATE_EXCEPTIONS``, else testing or debug mode."""
        setting = self.config["PROPAGATE_EXCEPTIONS"]
        return cast(bool, self.testing or self.debug) if setting is None else setting

    @property
    def preserve_context_on_exception(self) -> bool:
        """Whether contexts are preserved after an error: ``PRESERVE_CONTEXT_ON_EXCEPTION``, or else debug mode."""
        setting = self.config["PRESERVE_CONTEXT_ON_EXCEPTION"]
        return self.debug if setting is None else setting

    @property
    def got_first_request(self) -> bool:
        """Whether the functions of :meth:`before_first_request` have run."""
        return self._got_first_request

    def make_config(self, instance_relative: bool = False) -> Config:
        """Return the initial configuration.

        :param instance_relative: accepted for compatibility with Flask 1.1; there are no instance folders.
        """
        return self.config_class(self.root_path, {**self.default_config, "ENV": get_env(), "DEBUG": get_debug_flag()})

    # Deprecated in Flask 1.0: requests call the methods of the session interface, so overriding these changes nothing.

    def open_session(self, request: Request) -> SessionMixin | None:
        """Call ``session_interface.open_session()``, and warn that this method is deprecated."""
        _warn_of_session_method("open_session")
        return self.session_interface.open_session(cast("Flask", self), request)

    def save_session(self, session: SessionMixin, response: Response) -> None:
        """Call ``session_interface.save_session()``, and warn that this method is deprecated."""
        _warn_of_session_method("save_session")
        return self.session_interface.save_session(cast("Flask", self), session, response)

    def make_null_session(self) -> SessionMixin:
        """Call ``session_interface.make_null_session()``, and warn that this method is deprecated."""
        _warn_of_session_method("make_null_session")
        return self.session_interface.make_null_session(cast("Flask", self))

    # Registration.

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Register the decorated function as the view for a URL rule.

        :param rule: the path, which may contain variables such as ``<int:number>``.
        :param options: ``endpoint``, ``methods`` and the other parameters of :meth:`add_url_rule`, which this method
            calls.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> @app.route("/user/<int:number>")
        ... def user(number):
        ...     return f"user {number}"
        >>> app.test_client().get("/user/7").get_data(as_text=True)
        'user 7'
        """

        def register(f: View) -> View:
            self.add_url_rule(rule, options.pop("endpoint", None), f, **options)
            return f

        return register

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: ViewFunction | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Add a URL rule and register the view for it.

        :param rule: the path, which may contain variables such as ``<int:number>``.
        :param endpoint: the name of the endpoint; the name of ``view_func`` by default.
        :param view_func: the view, which can also be registered later with :meth:`endpoint`. If it has the attributes
            ``methods``, ``required_methods`` or ``provide_automatic_options``, they provide defaults.
        :param provide_automatic_options: whether ``OPTIONS`` requests are answered without calling the view. By
            default they are, unless ``methods`` contains ``OPTIONS``.
        :param options: ``methods``, an iterable of HTTP methods (``GET``, and so ``HEAD``, by default), and the
            parameters of :class:`werkzeug.routing.Rule`: ``defaults``, ``strict_slashes``, ``subdomain``, ``host``, …
        :raises TypeError: ``methods`` is a string.
        :raises AssertionError: neither ``endpoint`` nor ``view_func`` is given, or the endpoint already has another
            view. In the second case, the rule has been added, for that other view.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> app.add_url_rule("/user/<int:number>", "user", lambda number: f"user {number}", methods=["GET", "DELETE"])
        >>> app.test_client().delete("/user/7").get_data(as_text=True)
        'user 7'
        """
        if endpoint is None:
            endpoint = _default_endpoint(view_func)
        methods = options.pop("methods", None)
        if methods is None:
            methods = getattr(view_func, "methods", None) or ("GET",)
        if isinstance(methods, str):
            raise TypeError(f"methods={methods!r} must be a list of methods: methods=[{methods!r}].")
        allowed = {method.upper() for method in methods}
        required: set[str] = set(getattr(view_func, "required_methods", ()))
        if provide_automatic_options is None:
            provide_automatic_options = getattr(view_func, "provide_automatic_options", None)
        if provide_automatic_options is None and "OPTIONS" not in allowed:
            required.add("OPTIONS")
            provide_automatic_options = True
        # The rule whose converters match slashes in place of Werkzeug's.
        rule_class = Rule if self.url_rule_class is routing.Rule else self.url_rule_class
        added = rule_class(rule, methods=allowed | required, endpoint=endpoint, **options)
        added.provide_automatic_options = bool(provide_automatic_options)  # type: ignore[attr-defined]
        self.url_map.add(added)
        if view_func is None:
            return
        registered = self.view_functions.get(endpoint)
        if registered is not None and registered != view_func:
            raise AssertionError(
                f"{describe_function(view_func)} cannot be the view function for {endpoint!r}, because "
                f"{describe_function(registered)} already is. Rename one of them, or pass another endpoint. If a "
                "decorator has replaced both functions, use functools.wraps() in it, which keeps their names."
            )
        self.view_functions[endpoint] = view_func

    @setupmethod
    def endpoint(self, endpoint: str) -> Callable[[View], View]:
        """Register the decorated function as the view for an endpoint.

        :param endpoint: the endpoint of rules that were, or will be, added without a view.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> app.add_url_rule("/", endpoint="index")
        >>> @app.endpoint("index")
        ... def view():
        ...     return "hello"
        >>> app.test_client().get("/").get_data(as_text=True)
        'hello'
        """

        def register(f: View) -> View:
            self.view_functions[endpoint] = f
            return f

        return register

    @setupmethod
    def before_first_request(self, f: BeforeFirstRequest) -> BeforeFirstRequest:
        """Register a function to run before the first request.

        It runs once, in the context of the first request; other requests wait until it has returned. If it raises an
        error, that request fails, and the function runs again before the next request.

        :param f: called without arguments.
        """
        self.before_first_request_funcs.append(f)
        return f

    @setupmethod
    def before_request(self, f: BeforeRequest) -> BeforeRequest:
        """Register a function to run before each request.

        The first return value other than ``None`` becomes the response, as if a view had returned it. Then neither the
        view nor the remaining functions run.

        :param f: called without arguments.

        >>> from schlenk import Flask, request
        >>> app = Flask(__name__)
        >>> @app.before_request
        ... def members_only():
        ...     if "user" not in request.args:
        ...         return "who is there?", 401
        >>> app.test_client().get("/").status, app.test_client().get("/?user=ada").status
        ('401 UNAUTHORIZED', '404 NOT FOUND')
        """
        self.before_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def after_request(self, f: AfterRequest) -> AfterRequest:
        """Register a function to run after each request.

        The functions run in reverse order of registration. They do not run if an unhandled error is raised to the
        server, as in debug mode and in tests.

        :param f: called with the response. It must return a response, usually the same one.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> @app.after_request
        ... def not_in_frames(response):
        ...     response.headers["X-Frame-Options"] = "DENY"
        ...     return response
        >>> app.test_client().get("/").headers["X-Frame-Options"]
        'DENY'
        """
        self.after_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def teardown_request(self, f: Teardown) -> Teardown:
        """Register a function to run when a request context is popped.

        The functions run in reverse order of registration. If one raises an error, the remaining functions do not run,
        but the contexts are popped.

        With :func:`~schlenk.stream_with_context`, the function runs when the stream ends. If the server closes the
        stream early, the error is ``GeneratorExit``. That happens when the client disconnects, and when the body is not
        sent, as for a ``HEAD`` request or a 304 response. A function that rolls back on every error does so then, too.

        :param f: called with the unhandled error, or with ``None``.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> @app.teardown_request
        ... def close(error):
        ...     print("closed after", error)
        >>> with app.test_request_context():
        ...     pass
        closed after None
        """
        self.teardown_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def teardown_appcontext(self, f: Teardown) -> Teardown:
        """Register a function to run when an application context is popped.

        The order of the functions, and the errors they are called with, are those of :meth:`teardown_request`.

        :param f: called with the unhandled error, or with ``None``.
        """
        self.teardown_appcontext_funcs.append(f)
        return f

    @setupmethod
    def context_processor(self, f: F) -> F:
        """Register a function that returns variables for templates. There are no templates, so it is never called.

        Extensions register one even if the application has no templates.

        :param f: the function, which is added to ``template_context_processors``.
        """
        self.template_context_processors[None].append(f)
        return f

    @setupmethod
    def url_value_preprocessor(self, f: URLValuePreprocessor) -> URLValuePreprocessor:
        """Register a function to process the values in the URL, before the :meth:`before_request` functions run.

        :param f: called with the endpoint and the dictionary of values, which it may change. Both are ``None`` if no
            rule matched the URL.

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
        """
        self.url_value_preprocessors.setdefault(None, []).append(f)
        return f

    @setupmethod
    def url_defaults(self, f: URLDefaults) -> URLDefaults:
        """Register a function to add values to each URL that :func:`~schlenk.url_for` builds.

        :param f: called with the endpoint and the dictionary of values, which it may change.

        >>> from schlenk import Flask, url_for
        >>> app = Flask(__name__)
        >>> app.add_url_rule("/<language>/", "index")
        >>> @app.url_defaults
        ... def add_language(endpoint, values):
        ...     values.setdefault("language", "en")
        >>> with app.test_request_context():
        ...     url_for("index")
        '/en/'
        """
        self.url_default_functions.setdefault(None, []).append(f)
        return f

    @overload
    def errorhandler(self, code_or_exception: int) -> StatusErrorHandlerDecorator: ...
    @overload
    def errorhandler(self, code_or_exception: type[Error]) -> ClassErrorHandlerDecorator[Error]: ...
    @setupmethod
    def errorhandler(self, code_or_exception: type[Exception] | int) -> Any:
        """Register the decorated function as an error handler.

        :param code_or_exception: an HTTP status code or an exception class. It is passed to
            :meth:`register_error_handler`, which describes it and the errors raised.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> @app.errorhandler(404)
        ... def nothing_here(error):
        ...     return "nothing here", 404
        >>> app.test_client().get("/").get_data(as_text=True)
        'nothing here'
        """

        def register(f: F) -> F:
            self._register_error_handler(None, code_or_exception, f)
            return f

        return register

    @overload
    def register_error_handler(
        self,
        code_or_exception: int,
        f: Callable[[HTTPException], ResponseReturnValue] | Callable[[HTTPError], ResponseReturnValue],
    ) -> None: ...
    @overload
    def register_error_handler(
        self, code_or_exception: type[Error], f: Callable[[Error], ResponseReturnValue]
    ) -> None: ...
    @setupmethod
    def register_error_handler(self, code_or_exception: type[Exception] | int, f: ErrorHandler) -> None:
        """Register a function to handle errors.

        A handler for the status code of an error is preferred to a handler for its class. Among the latter, the handler
        for the closest base class is preferred.

        :param code_or_exception: an HTTP status code, or an exception class, which includes its subclasses.
        :param f: called with the error. Its return value becomes the response, as if a view had returned it.
        :raises KeyError: Werkzeug has no exception for the status code.
        :raises ValueError: ``code_or_exception`` is an instance of an exception instead of its class.
        :raises TypeError: ``code_or_exception`` is neither a status code nor a class.
        :raises AssertionError: the class is not an exception class.

        >>> from schlenk import Flask
        >>> app = Flask(__name__)
        >>> app.register_error_handler(ZeroDivisionError, lambda error: ("nothing to share", 400))
        >>> app.add_url_rule("/", "index", lambda: str(1 / 0))
        >>> app.test_client().get("/").status
        '400 BAD REQUEST'
        """
        self._register_error_handler(None, code_or_exception, f)

    @setupmethod
    def _register_error_handler(
        self, key: str | None, code_or_exception: type[Exception] | int, f: ErrorHandler
    ) -> None:
        if isinstance(code_or_exception, HTTPException):
            raise ValueError(
                f"{describe_function(f)} cannot be registered for {code_or_exception!r}, which is an instance. Pass "
                f"the exception class {type(code_or_exception).__name__} or a status code."
            )
        try:
            exception, code = self._get_exc_class_and_code(code_or_exception)
        except KeyError:
            raise KeyError(
                f"{describe_function(f)} cannot be registered for {code_or_exception!r}, because Werkzeug has no "
                "exception for this status code. Pass a subclass of HTTPException that has it as its `code`."
            ) from None
        self.error_handler_spec.setdefault(key, {}).setdefault(code, {})[exception] = f

    @staticmethod
    def _get_exc_class_and_code(exc_class_or_code: Any) -> tuple[type[Exception], int | None]:
        """Return the exception class for a class or status code, and the status code of that class, if any."""
        exception = default_exceptions[exc_class_or_code] if isinstance(exc_class_or_code, int) else exc_class_or_code
        if not isinstance(exception, type):
            raise TypeError(f"{exception!r} cannot have an error handler. Pass an exception class or a status code.")
        if not issubclass(exception, Exception):
            raise AssertionError(f"{exception!r} cannot have an error handler: it is not a subclass of Exception.")
        return exception, exception.code if issubclass(exception, HTTPException) else None

    def _find_error_handler(self, e: Exception) -> ErrorHandler | None:
        """Return the handler for an error, or ``None``."""
        # Raises RuntimeError outside a request, where handlers must not run.
        _lookup_req_object("request")
        by_code = self.error_handler_spec.get(None)
        if not by_code:
            return None
        error_class, code = self._get_exc_class_and_code(type(e))
        for key in (None,) if code is None else (code, None):
            handlers = by_code.get(key, {})
            for base in error_class.__mro__:
                handler = handlers.get(base)
                if handler is not None:
                    store_responder(_request_ctx_stack.top, "error handler", handler)
                    return handler
        return None


def _refuse(feature: str, **parameters: Any) -> None:
    """Raise ``TypeError`` if a parameter of a feature that schlenk lacks is not ``None``."""
    for parameter, value in parameters.items():
        if value is not None:
            raise TypeError(f"schlenk does not support {feature}: omit {parameter}={value!r}, or pass None.")


def _warn_of_session_method(name: str) -> None:
    warnings.warn(
        f"app.{name}() is deprecated, and requests do not call it. Call app.session_interface.{name}(app, ...), and to "
        "change what it does, set app.session_interface to an instance of a subclass.",
        DeprecationWarning,
        stacklevel=3,
    )


def _default_endpoint(view_func: ViewFunction | None) -> str:
    if view_func is None:
        raise AssertionError("add_url_rule() needs an endpoint or a view_func, but neither was given.")
    return view_func.__name__
