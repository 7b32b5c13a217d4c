"""The application: what it does with a request, from the server's call to the last teardown function.

Read from top to bottom, the first half of :class:`Flask` is its construction and configuration, the second the life
of a request in the order in which it happens.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, cast

from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest, BadRequestKeyError, HTTPException, InternalServerError, SecurityError
from werkzeug.routing import BuildError, MapAdapter, RequestRedirect, RoutingException
from werkzeug.wrappers import Response as BaseResponse

from .config import DEFAULTS, Config, ConfigAttribute
from .ctx import AppContext, RequestContext, _AppCtxGlobals, _sentinel
from .globals import _lookup_req_object, _request_ctx_stack, current_app, g, request, session
from .helpers import get_debug_flag, get_env, get_load_dotenv
from .json import JSONDecoder, JSONEncoder, jsonify
from .local import get_ident
from .logging import create_logger
from .missing import ADVICE, ATTRIBUTES_OF_FLASK
from .routing import BAD_HOST, Map
from .scaffold import Scaffold
from .sessions import SecureCookieSessionInterface, SessionInterface
from .signals import (
    appcontext_tearing_down,
    got_request_exception,
    request_finished,
    request_started,
    request_tearing_down,
)
from .wrappers import Request, Response, environ_error

if TYPE_CHECKING:
    import logging
    from types import TracebackType

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .testing import FlaskClient

__all__ = ["Flask", "current_app", "g", "request", "session"]


class FormDataRoutingRedirect(AssertionError):
    """In debug mode: a form was sent to a URL that only leads on to another, and not all browsers send it on.

    :param request: the request, with its ``routing_exception``.

    As in Flask 1.1.
    """

    def __init__(self, request: Request) -> None:
        error = cast(RequestRedirect, request.routing_exception)
        super().__init__(
            f"A {request.method} was sent to {request.url!r}, which redirects to {error.new_url!r}: some clients would "
            "drop the body on the way. Send it to that URL at once. (Only debug mode makes an error of this.)"
        )


class Flask(Scaffold):
    """An application: a WSGI callable that keeps what belongs to one request apart from every other.

    :param import_name: the name of the module it is made in: ``__name__``.
    :param static_url_path: as the other parameters for static files, templates and the instance folder
        (``static_folder``, ``static_host``, ``template_folder``, ``instance_path``, ``instance_relative_config``):
        taken where it asks for nothing, as there are none of these here.
    :param host_matching: have each rule tell its ``host``.
    :param subdomain_matching: have rules tell their ``subdomain`` of ``SERVER_NAME``.
    :param root_path: the folder that files are found in; default: the module's.
    :raises TypeError: something is asked for that is not here.

    >>> app = Flask("greeter")
    >>> @app.route("/")
    ... def index():
    ...     return f"hello, {request.args.get('name', 'you')}"
    >>> app.test_client().get("/?name=ada").get_data(as_text=True)
    'hello, ada'

    As in Flask 1.1, on Werkzeug 3.
    """

    request_class: type[Request] = Request
    """What ``request`` is made of."""

    response_class: type[Response] = Response
    """What answers are made of."""

    app_ctx_globals_class: type[Any] = _AppCtxGlobals
    """What ``g`` is made of."""

    config_class: type[Config] = Config
    """What ``config`` is made of."""

    json_encoder: type[Any] = JSONEncoder
    """What :func:`schlenk.json.dumps` writes with."""

    json_decoder: type[Any] = JSONDecoder
    """What :func:`schlenk.json.loads` reads with."""

    session_interface: SessionInterface = SecureCookieSessionInterface()
    """Where sessions come from and go to."""

    test_client_class: type[FlaskClient] | None = None
    """What :meth:`test_client` makes; ``None`` for :class:`schlenk.testing.FlaskClient`."""

    # What Flask 1 has for an application without static files and templates; extensions look for it.
    static_folder: None = None
    static_url_path: None = None
    jinja_loader: None = None
    has_static_folder = False

    default_config = DEFAULTS
    """What ``config`` holds at first."""

    env = ConfigAttribute("ENV")
    """``"production"``, ``"development"``, or what else ``FLASK_ENV`` in the environment says."""

    testing = ConfigAttribute("TESTING")
    """Whether the application is under test: errors nobody handles are raised, not answered with 500."""

    secret_key = ConfigAttribute("SECRET_KEY")
    """What session cookies are signed with: long, random and secret."""

    session_cookie_name = ConfigAttribute("SESSION_COOKIE_NAME")
    """What the session cookie is called."""

    permanent_session_lifetime = ConfigAttribute(
        "PERMANENT_SESSION_LIFETIME",
        lambda value: value if isinstance(value, timedelta) else timedelta(seconds=value),
    )
    """How long a permanent session lasts: a :class:`~datetime.timedelta`, or a number of seconds when it is set."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in ATTRIBUTES_OF_FLASK:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}: {ADVICE}")
            # Looked up again, for the error that a property may have raised.
            return super().__getattribute__(name)

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
        absences: dict[str, dict[str, Any]] = {
            "static files": {
                "static_url_path": static_url_path, "static_folder": static_folder, "static_host": static_host
            },
            "templates": {"template_folder": template_folder},
            "an instance folder": {
                "instance_path": instance_path, "instance_relative_config": instance_relative_config or None
            },
        }  # fmt: skip
        for kind, keywords in absences.items():
            for keyword, value in keywords.items():
                if value is not None:
                    raise TypeError(f"schlenk does not have {kind}: leave out {keyword}={value!r}, or make it None.")
        super().__init__(import_name, root_path)
        self.blueprints: dict[str, Any] = {}
        self.url_map.host_matching = host_matching
        self.subdomain_matching = subdomain_matching
        self.config = self.make_config()
        self.extensions: dict[str, Any] = {}
        """What extensions keep here, by their names."""
        self._before_request_lock = threading.Lock()
        self._first_request_ident: Any = None

    @cached_property
    def name(self) -> str:
        """The application's name: ``import_name``, or the file's where that is ``"__main__"``."""
        if self.import_name != "__main__":
            return self.import_name
        file = getattr(sys.modules["__main__"], "__file__", None)
        return "__main__" if file is None else os.path.splitext(os.path.basename(file))[0]

    @cached_property
    def logger(self) -> logging.Logger:
        """The logger called :attr:`name`; during a request what it says goes to ``wsgi.errors``."""
        return create_logger(self)

    @property
    def debug(self) -> bool:
        """Whether the application is being developed: the setting ``DEBUG``. Never on where others reach it."""
        debug: bool = self.config["DEBUG"]
        return debug

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value

    @property
    def propagate_exceptions(self) -> bool:
        """Whether errors nobody handles are raised to the server: ``PROPAGATE_EXCEPTIONS``, or testing or debug."""
        setting = self.config["PROPAGATE_EXCEPTIONS"]
        return cast(bool, self.testing or self.debug) if setting is None else setting

    @property
    def preserve_context_on_exception(self) -> bool:
        """Whether a request context stays after an error: ``PRESERVE_CONTEXT_ON_EXCEPTION``, or debug mode."""
        setting = self.config["PRESERVE_CONTEXT_ON_EXCEPTION"]
        return self.debug if setting is None else setting

    @property
    def got_first_request(self) -> bool:
        """Whether the functions of :meth:`before_first_request` have run."""
        return self._got_first_request

    def make_config(self, instance_relative: bool = False) -> Config:
        """Return the configuration the application begins with.

        :param instance_relative: for callers from Flask 1.1: there is no instance folder here.
        """
        return self.config_class(self.root_path, {**self.default_config, "ENV": get_env(), "DEBUG": get_debug_flag()})

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        debug: bool | None = None,
        load_dotenv: bool = True,
        **options: Any,
    ) -> None:
        """Serve the application with :func:`werkzeug.serving.run_simple`, to develop it with: not for production.

        :param host: the address to listen on; default: the host in ``SERVER_NAME``, or else ``"127.0.0.1"``.
        :param port: the port, 0 for any that is free; default: the one in ``SERVER_NAME``, or else 5000.
        :param debug: set :attr:`debug`; default: as ``FLASK_ENV`` and ``FLASK_DEBUG`` in the environment say, where
            they are set.
        :param load_dotenv: whether to go by these; ``.env`` files, which could set them, are not read here.
        :param options: for ``run_simple``. ``use_reloader`` and ``use_debugger`` are on in debug mode, ``threaded`` is
            on, unless given.

        As in Flask 1.1.
        """
        from werkzeug.serving import run_simple

        if get_load_dotenv(load_dotenv):
            if "FLASK_ENV" in os.environ:
                self.env = get_env()
            if "FLASK_ENV" in os.environ or "FLASK_DEBUG" in os.environ:
                self.debug = get_debug_flag()
        if debug is not None:
            self.debug = bool(debug)
        server_host, _, server_port = (self.config["SERVER_NAME"] or "").partition(":")
        if port is None:
            port = int(server_port or 5000)
        defaults = {"use_reloader": self.debug, "use_debugger": self.debug, "threaded": True}
        try:
            run_simple(host or server_host or "127.0.0.1", int(port), self, **{**defaults, **options})
        finally:
            # Served again, in the same process, it is for the first time.
            self._got_first_request = False

    def test_client(self, use_cookies: bool = True, **kwargs: Any) -> FlaskClient:
        """Return a client that asks the application without a server; see :class:`schlenk.testing.FlaskClient`.

        :param use_cookies: keep the cookies of answers for the requests that follow.
        :param kwargs: for the client's class.

        As in Flask 1.1.
        """
        from .testing import FlaskClient

        return (self.test_client_class or FlaskClient)(self, self.response_class, use_cookies=use_cookies, **kwargs)

    def app_context(self) -> AppContext:
        """Return a new application context, to be used in a ``with`` statement. As in Flask 1.1."""
        return AppContext(self)

    def test_request_context(self, *args: Any, **kwargs: Any) -> RequestContext:
        """Return a request context for a request that nobody made.

        :param args: with ``kwargs``, as for :class:`schlenk.testing.EnvironBuilder`, which is given the application.

        >>> with Flask(__name__).test_request_context("/page?n=1", method="POST"):
        ...     request.method, request.args["n"]
        ('POST', '1')

        As in Flask 1.1.
        """
        from .testing import EnvironBuilder

        builder = EnvironBuilder(self, *args, **kwargs)
        try:
            return self.request_context(builder.get_environ())
        finally:
            builder.close()

    # From here on: the life of a request.

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the server. Middleware goes around :attr:`wsgi_app`, so that the application stays what is called."""
        return self.wsgi_app(environ, start_response)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, in a context of its own.

        :param environ: what the server says of the request.
        :param start_response: what to call with status and headers before the body is returned.
        :returns: the parts of the body.

        >>> app = Flask(__name__)
        >>> def shout(application):
        ...     def middleware(environ, start_response):
        ...         return [part.upper() for part in application(environ, start_response)]
        ...     return middleware
        >>> app.wsgi_app = shout(app.wsgi_app)
        >>> @app.route("/")
        ... def index():
        ...     return "hello"
        >>> app.test_client().get("/").get_data()
        b'HELLO'

        As in Flask 1.1.
        """
        try:
            context = self.request_context(environ)
        except Exception:
            wrong = environ_error(environ)
            if wrong is None:
                raise
            return BadRequest(wrong)({"REQUEST_METHOD": environ.get("REQUEST_METHOD")}, start_response)
        error: BaseException | None = None
        try:
            try:
                context.push()
                response = self.full_dispatch_request()
            except Exception as unhandled:
                error = unhandled
                if not context._pushed:
                    # Without a context there is nothing to answer with, and nothing to pop.
                    got_request_exception.send(self, exception=unhandled)
                    raise
                response = self.handle_exception(unhandled)
            except BaseException as leaving:
                error = leaving
                raise
            return response(environ, start_response)
        finally:
            try:
                if context._pushed:
                    context.auto_pop(None if self.should_ignore_error(error) else error)
            finally:
                # Errors refer to the frames they were raised in, and these to the request and to this frame: they would
                # keep each other alive, until garbage is collected.
                error = None
                request = context.request
                if getattr(request, "routing_exception", None) is not None and not context._implicit_app_ctx_stack:
                    request.routing_exception = None

    def request_context(self, environ: WSGIEnvironment) -> RequestContext:
        """Return the context for the request that ``environ`` describes. As in Flask 1.1."""
        return RequestContext(self, environ)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what matches and builds URLs for ``request``; for no request, what builds them for ``SERVER_NAME``.

        ``None`` where that isn't set. As in Flask 1.1.

        :raises SecurityError: the request's host isn't one of ``TRUSTED_HOSTS``.
        :raises BadRequest: it is no host.
        """
        server_name = self.config["SERVER_NAME"]
        if request is None:
            if server_name is None:
                return None
            return self.url_map.bind(
                server_name,
                script_name=self.config["APPLICATION_ROOT"],
                url_scheme=self.config["PREFERRED_URL_SCHEME"],
            )
        trusted_hosts = self.config.get("TRUSTED_HOSTS")
        if trusted_hosts is not None:
            request.trusted_hosts = trusted_hosts
        if request.trusted_hosts and not _is_trusted(request):
            raise SecurityError("The Host header names a host that is not trusted.")
        environ = request.environ
        host = environ.get("HTTP_HOST")
        if (
            host
            and not request.trusted_hosts
            and server_name is None
            and type(self.url_map) is Map
            and not self.url_map.host_matching
            and not self.subdomain_matching
            and not environ.get("SCRIPT_NAME")
            and environ.get("PATH_INFO") == request.path
            and "REQUEST_METHOD" in environ
            and "wsgi.url_scheme" in environ
            and "HTTP_UPGRADE" not in environ
        ):
            return self.url_map.bind_request(environ, host)
        if host and not request.host:
            raise BadRequest(BAD_HOST)
        if (environ.get("SCRIPT_NAME") or "/")[0] != "/":
            # It would become a part of the host in every URL.
            raise BadRequest("The request came with a malformed SCRIPT_NAME.")
        subdomain = None if self.subdomain_matching else self.url_map.default_subdomain or None
        try:
            return self.url_map.bind_to_environ(environ, server_name=server_name, subdomain=subdomain)
        finally:
            # Werkzeug warns of each host that isn't SERVER_NAME, and Python remembers each warning given here.
            given = globals().get("__warningregistry__", {})
            if len(given) > 100:
                given.clear()

    def full_dispatch_request(self) -> Response:
        """Return the response to the current request: hooks, view, and whatever handles their errors."""
        self.try_trigger_before_first_request_functions()
        try:
            if request_started.receivers:
                request_started.send(self)
            value = self.preprocess_request()
            if value is None:
                value = self.dispatch_request()
        except Exception as error:
            value = self.handle_user_exception(error)
        try:
            return self.finalize_request(value)
        finally:
            # It may be the error, which refers to this frame: they would keep each other alive.
            del value

    def try_trigger_before_first_request_functions(self) -> None:
        """Run the functions of :meth:`before_first_request`, if nobody has yet; wait for whoever is doing it."""
        if self._got_first_request:
            return
        ident = get_ident()
        if self._first_request_ident == ident:
            # One of them makes a request to this application: waiting for itself would be for ever.
            return
        with self._before_request_lock:
            if self._got_first_request:
                return
            self._first_request_ident = ident
            try:
                for function in self.before_first_request_funcs:
                    function()
                self._got_first_request = True
            finally:
                self._first_request_ident = None

    def preprocess_request(self) -> Any:
        """Run the functions of :meth:`url_value_preprocessor` and :meth:`before_request`.

        :returns: what one of the latter answered; ``None`` if none did.
        """
        assert _request_ctx_stack.top.request is not None  # type: ignore[union-attr]
        for preprocess in self.url_value_preprocessors.get(None, ()):
            # Asked anew each time: the one before may have left another context on top, or none.
            request = _current_request()
            preprocess(request.endpoint, request.view_args)
        for function in self.before_request_funcs.get(None, ()):
            value = function()
            if value is not None:
                return value
        return None

    def dispatch_request(self) -> Any:
        """Return what the view for the current request returns, whatever that is.

        :raises HTTPException: no view is for it; see :meth:`raise_routing_exception`.
        """
        request = _request_ctx_stack.top.request  # type: ignore[union-attr]
        if request.routing_exception is not None:
            self.raise_routing_exception(request)
        rule = request.url_rule
        if rule is None:
            raise AttributeError(f"{request!r} has no rule and no routing exception: its URL was not matched.")
        if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return self.make_default_options_response()
        return self.view_functions[rule.endpoint](**request.view_args)  # type: ignore[arg-type]

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Raise what came of matching the URL: not found, method not allowed, a redirect.

        :param request: the request whose ``routing_exception`` it is.
        :raises HTTPException: always, unless it is the following.
        :raises FormDataRoutingRedirect: in debug mode, for a redirect that a body could get lost on.
        """
        error = request.routing_exception
        assert error is not None
        if self.debug and isinstance(error, RequestRedirect) and request.method not in {"GET", "HEAD", "OPTIONS"}:
            raise FormDataRoutingRedirect(request)
        try:
            raise error
        finally:
            # Its traceback refers to this frame.
            del error

    def make_default_options_response(self) -> Response:
        """Return the answer to OPTIONS: no body, and ``Allow``."""
        adapter = _request_ctx_stack.top.url_adapter  # type: ignore[union-attr]
        response = self.response_class()
        response.allow.update(adapter.allowed_methods())  # type: ignore[union-attr]
        return response

    def handle_user_exception(self, e: Exception) -> Any:
        """Return what the handler of an error from a hook or a view answers; raise it again where there is none.

        Errors that stand for an HTTP status go to :meth:`handle_http_exception`, unless :meth:`trap_http_exception`.

        :param e: the error, which has to be the one that is being handled.
        """
        assert sys.exc_info()[1] is e, "the error to handle is the one that is being handled"
        if isinstance(e, HTTPException):
            if isinstance(e, BadRequestKeyError):
                e.show_exception = e.show_exception or bool(self.debug or self.config["TRAP_BAD_REQUEST_ERRORS"])
            if not self.trap_http_exception(e):
                return self.handle_http_exception(e)
        handler = self._find_error_handler(e)
        if handler is not None:
            return handler(e)
        try:
            raise e
        finally:
            # Its traceback refers to this frame.
            del e

    def trap_http_exception(self, e: Exception) -> bool:
        """Return whether ``e``, which stands for an HTTP status, is to be taken for an error all the same.

        All are with ``TRAP_HTTP_EXCEPTIONS``, bad requests with ``TRAP_BAD_REQUEST_ERRORS``; where that isn't set, a
        key missing from a form is in debug mode.
        """
        bad_requests = self.config["TRAP_BAD_REQUEST_ERRORS"]
        kind = BadRequestKeyError if bad_requests is None else BadRequest
        trapped = self.debug if bad_requests is None else bad_requests
        return bool(self.config["TRAP_HTTP_EXCEPTIONS"] or (trapped and isinstance(e, kind)))

    def handle_http_exception(self, e: HTTPException) -> Any:
        """Return what the handler for ``e`` answers, or ``e`` itself, which is a response.

        Redirects that routing asks for, and errors without a status, are not for handlers.
        """
        if e.code is None or isinstance(e, RoutingException):
            return e
        handler = self._find_error_handler(e)
        return e if handler is None else handler(e)

    def handle_exception(self, e: Exception) -> Response:
        """Return the response to an error nobody handled: 500, or what the handler for that answers.

        That handler is given an :class:`~werkzeug.exceptions.InternalServerError`, whose ``original_exception`` is
        ``e``. Where :attr:`propagate_exceptions`, the error is raised instead; else it is logged. A request that no
        WSGI server may make is answered with 400 instead of 500.

        :param e: the error, which has to be the one that is being handled.
        """
        got_request_exception.send(self, exception=e)
        if self.propagate_exceptions:
            try:
                raise e
            finally:
                # Its traceback refers to this frame.
                del e
        self.log_exception(sys.exc_info())
        wrong = environ_error(_current_request().environ)
        answer = InternalServerError(original_exception=e) if wrong is None else BadRequest(wrong)
        handler = self._find_error_handler(answer)
        value = answer if handler is None else handler(answer)
        return self.finalize_request(value, from_error_handler=True)

    def log_exception(
        self, exc_info: tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
    ) -> None:
        """Log an error nobody handled, with its traceback.

        :param exc_info: what :func:`sys.exc_info` returned.
        """
        request = _current_request()
        # Programs that read logs look for this line.
        self.logger.error(f"Exception on {request.path} [{request.method}]", exc_info=exc_info)

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Response:
        """Return the response for what a view or a handler returned, when all that comes after it has run.

        :param rv: as for :meth:`make_response`, which raises the same errors.
        :param from_error_handler: log errors of what comes after, instead of raising them: it is a 500 already.
        """
        response = self.make_response(rv)
        try:
            response = self.process_response(response)
            if request_finished.receivers:
                request_finished.send(self, response=response)
        except Exception:
            if from_error_handler:
                self.logger.exception("The answer to an error could not be finished, and is sent as it is")
            else:
                raise
        return response

    def make_response(self, rv: Any) -> Response:
        """Return a response made of what a view returned.

        :param rv: ``str`` or ``bytes`` (the body), ``dict`` (made JSON), a response of any class, a WSGI callable, or
            a tuple ``(body, status)``, ``(body, headers)`` or ``(body, status, headers)`` with one of these in front.
        :raises TypeError: it is none of these; the message says what it is, and of which endpoint.

        >>> app = Flask(__name__)
        >>> with app.test_request_context():
        ...     app.make_response(({"left": 0}, 410)), app.make_response(("", {"X-Left": "0"})).headers["X-Left"]
        (<Response 11 bytes [410 GONE]>, '0')

        As in Flask 1.1.
        """
        status = headers = None
        if isinstance(rv, tuple):
            if len(rv) == 3:
                rv, status, headers = rv
            elif len(rv) == 2 and isinstance(rv[1], (Headers, dict, tuple, list)):
                rv, headers = rv
            elif len(rv) == 2:
                rv, status = rv
            else:
                raise TypeError(
                    f"{_answer()} is a tuple of {len(rv)}, which is none of (body, status, headers), (body, status) "
                    "and (body, headers)."
                )
            if isinstance(status, (bytes, bytearray)):
                status = status.decode("latin1")
            if not isinstance(status, (int, str, type(None))):
                raise TypeError(f"{_answer()} has the status {status!r}: a status is a number, or a str like '200 OK'.")
        if rv is None:
            raise TypeError(f"{_answer()} is None: there is nothing to send. Does it end without a return statement?")
        if isinstance(rv, self.response_class):
            response = rv
        elif isinstance(rv, (str, bytes, bytearray)):
            try:
                response = self.response_class(rv, status=status, headers=headers)  # type: ignore[arg-type]
            except (TypeError, ValueError) as error:
                if not headers:
                    raise
                raise _wrong_headers(headers, error) from error
            status = headers = None
        elif isinstance(rv, dict):
            response = jsonify(rv)
        elif isinstance(rv, BaseResponse) or callable(rv):
            environ = _current_request().environ
            simply = type(rv).__call__ is HTTPException.__call__ and environ.get("REQUEST_METHOD") != "HEAD"
            if isinstance(rv, HTTPException) and rv.response is None and simply:
                # The response it would make and call: it needn't be run and put together again (30 µs).
                plain = self.response_class is Response and type(rv).get_response is HTTPException.get_response
                if plain and rv.get_headers(environ) == _PAGE:
                    rv = Response(rv.get_body(environ), rv.code, mimetype="text/html")
                else:
                    rv = rv.get_response(environ)
            try:
                response = cast(Response, self.response_class.force_type(cast(Any, rv), environ))
            except TypeError as error:
                raise TypeError(f"{_answer()} is {rv!r}, which fails as a WSGI application: {error}") from error
        else:
            raise TypeError(
                f"{_answer()} is of type {type(rv).__name__!r}, of which no response can be made. Return a str, bytes, "
                "a dict, a response, a WSGI callable, or a tuple that begins with one of these."
            )
        if isinstance(status, str):
            response.status = status
        elif status is not None:
            response.status_code = status
        if headers:
            try:
                response.headers.extend(headers)
            except (TypeError, ValueError) as error:
                raise _wrong_headers(headers, error) from error
        return response

    def process_response(self, response: Response) -> Response:
        """Run the functions of :func:`~schlenk.after_this_request` and :meth:`after_request`, and save the session.

        :param response: what the first of them is called with.
        :returns: what the last of them returned.
        """
        context = _request_ctx_stack.top
        # Asked for before the others run: one that is registered by them comes too late.
        afterwards = reversed(self.after_request_funcs.get(None, ()))
        for function in context._after_request_functions:  # type: ignore[union-attr]
            response = function(response)
        for function in afterwards:
            response = function(response)
        interface, session = self.session_interface, context.session  # type: ignore[union-attr]
        if not interface.is_null_session(session):
            interface.save_session(self, session, response)
        return response

    def should_ignore_error(self, error: BaseException | None) -> bool:
        """Return whether teardown functions should hear nothing of ``error``. Never, unless a subclass knows more."""
        return False

    def do_teardown_request(self, exc: BaseException | None = _sentinel) -> None:
        """Run the functions of :meth:`teardown_request`; called before a request context goes.

        :param exc: the error that nobody handled; default: the one being handled now, if any.
        :raises AttributeError: there is no request context.
        """
        if _request_ctx_stack.top is None:
            raise AttributeError("There is no request to tear down: working outside of request context.")
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        for function in reversed(self.teardown_request_funcs.get(None, ())):
            function(exc)
        if request_tearing_down.receivers:
            request_tearing_down.send(self, exc=exc)

    def do_teardown_appcontext(self, exc: BaseException | None = _sentinel) -> None:
        """Run the functions of :meth:`teardown_appcontext`; called before an application context goes.

        :param exc: as for :meth:`do_teardown_request`.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        # Asked first, as to turn round an empty list costs 160 ns of the 2,400 of an application context.
        if self.teardown_appcontext_funcs:
            for function in reversed(self.teardown_appcontext_funcs):
                function(exc)
        if appcontext_tearing_down.receivers:
            appcontext_tearing_down.send(self, exc=exc)

    # Beside it: what building a URL asks of the application.

    def inject_url_defaults(self, endpoint: str, values: dict[str, Any]) -> None:
        """Let the functions of :meth:`url_defaults` add to ``values`` for a URL of ``endpoint`` that is being built."""
        for function in self.url_default_functions.get(None, ()):
            function(endpoint, values)

    def handle_url_build_error(self, error: Exception, endpoint: str, values: dict[str, Any]) -> str:
        """Return the URL that a function in ``url_build_error_handlers`` knows; raise the error where none does.

        Each is called with the error, the endpoint and the values, until one returns something else than ``None``.

        :param error: why the URL of ``endpoint`` with these ``values`` could not be built.
        :raises BuildError: the error, or what the last of the functions raised instead.
        """
        for handler in self.url_build_error_handlers:
            try:
                url = handler(cast(BuildError, error), endpoint, values)
            except BuildError as raised:
                error = raised
            else:
                if url is not None:
                    return url
        raise error

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


# The headers of an error's page, unless there are more.
_PAGE = [("Content-Type", "text/html; charset=utf-8")]


def _is_trusted(request: Request) -> bool:
    try:
        return bool(request.host)
    except SecurityError:
        # So that a hook, which runs before the answer is 400, doesn't take it for the application's own.
        vars(request)["host"] = ""
        return False


def _current_request() -> Request:
    """Return the request itself, where the proxy would be asked for it several times over."""
    request: Request = _lookup_req_object("request")
    return request


def _wrong_headers(headers: Any, error: Exception) -> Exception:
    return type(error)(f"{_answer()} has the headers {headers!r}, which are none: {error}")


def _answer() -> str:
    context = _request_ctx_stack.top
    endpoint = None if context is None else context.request.endpoint
    return f"What the view function for {endpoint!r} returned" if endpoint else "What is to be the answer"
