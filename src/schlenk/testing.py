"""The test client and the builder for WSGI environments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import werkzeug.test
from werkzeug.sansio.utils import get_host
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request
from werkzeug.wsgi import get_current_url

from . import json, recovery
from .globals import _request_ctx_stack

# Re-exported, so that tests can import it together with the client.
from .leaks import no_context_left as no_context_left
from .missing import missing_from

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed.wsgi import WSGIEnvironment

    from .app import Flask
    from .ctx import RequestContext
    from .sessions import SessionMixin


class EnvironBuilder(werkzeug.test.EnvironBuilder):
    """Werkzeug's ``EnvironBuilder``, with defaults from the configuration of an application.

    :param app: the application.
    :param path: the path and the query string of the request, or an absolute URL.
    :param base_url: the scheme, host and root path. By default, it is built from ``PREFERRED_URL_SCHEME``,
        ``SERVER_NAME`` and ``APPLICATION_ROOT``.
    :param subdomain: the subdomain of ``SERVER_NAME``.
    :param url_scheme: the scheme, in place of ``PREFERRED_URL_SCHEME``.
    :param args: passed, like ``kwargs``, to :class:`werkzeug.test.EnvironBuilder`.
    :raises AssertionError: ``base_url`` is given together with ``subdomain`` or ``url_scheme``.

    >>> from schlenk import Flask
    >>> EnvironBuilder(Flask(__name__), "/user?name=ada", subdomain="shop").get_request().url
    'http://shop.localhost/user?name=ada'
    """

    def __init__(
        self,
        app: Flask,
        path: str = "/",
        base_url: str | None = None,
        subdomain: str | None = None,
        url_scheme: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if base_url is not None and (subdomain or url_scheme):
            raise AssertionError(
                f"base_url={base_url!r} cannot be combined with subdomain={subdomain!r} or url_scheme={url_scheme!r}. "
                "Include them in base_url."
            )
        if base_url is None:
            url = urlsplit(path)
            host = app.config["SERVER_NAME"] or "localhost"
            if subdomain:
                host = f"{subdomain}.{host}"
            root = app.config["APPLICATION_ROOT"].lstrip("/")
            scheme = url.scheme or url_scheme or app.config["PREFERRED_URL_SCHEME"]
            base_url = f"{scheme}://{url.netloc or host}/{root}"
            path = url.path + (f"?{url.query}" if url.query else "")
        self.app = app
        super().__init__(path, base_url, *args, **kwargs)

    def json_dumps(self, obj: Any, **kwargs: Any) -> str:
        """Serialize an object to JSON with the encoder and settings of the application.

        :param obj: the object.
        :param kwargs: passed to :func:`schlenk.json.dumps`, which describes the errors.
        """
        text: str = json.dumps(obj, app=self.app, **kwargs)
        return text


class FlaskClient(Client):
    """A test client, which calls the application without a server. :meth:`schlenk.Flask.test_client` creates one.

    In a ``with`` block, the context of each request stays pushed until the next request or the end of the block, so
    that ``request``, ``session`` and ``g`` can be inspected. The dictionary ``environ_base`` contains defaults for the
    environment of every request.

    Cookies are read and changed with :meth:`~werkzeug.test.Client.get_cookie`,
    :meth:`~werkzeug.test.Client.set_cookie` and :meth:`~werkzeug.test.Client.delete_cookie`. Clients of Werkzeug 3 have
    no ``cookie_jar``.

    :param args: passed, like ``kwargs``, to :class:`werkzeug.test.Client`: the application, the response class, and
        ``use_cookies``.

    >>> from schlenk import Flask, request
    >>> app = Flask(__name__)
    >>> @app.route("/")
    ... def index():
    ...     return "hello"
    >>> with app.test_client() as client:
    ...     client.get("/?name=ada").status, request.args["name"]
    ('200 OK', 'ada')
    """

    application: Flask
    preserve_context = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.environ_base = {"REMOTE_ADDR": "127.0.0.1", "HTTP_USER_AGENT": f"werkzeug/{_version()}"}

    @contextmanager
    def session_transaction(self, *args: Any, **kwargs: Any) -> Iterator[SessionMixin]:
        """Open the session that the next request will use, so that a test can read and change it.

        The session is saved when the ``with`` block ends. Make requests after the block, not in it.

        :param args: passed, like ``kwargs``, to :meth:`schlenk.Flask.test_request_context`. They describe the request
            that the session is opened for.
        :raises RuntimeError: the client was created with ``use_cookies=False``, or no session is available.
        :raises AssertionError: a request was made in the block and its context was preserved, or a context was pushed
            and not popped.

        >>> from schlenk import Flask, session
        >>> app = Flask(__name__)
        >>> app.secret_key = "for this example only"
        >>> @app.route("/")
        ... def index():
        ...     return session["user"]
        >>> client = app.test_client()
        >>> with client.session_transaction() as kept:
        ...     kept["user"] = "ada"
        >>> client.get("/").get_data(as_text=True)
        'ada'
        """
        if self._cookies is None:
            raise RuntimeError("This client does not store cookies, so it has no session. Use use_cookies=True.")
        app = self.application
        outer = _request_ctx_stack.top
        # Built twice, because the cookies depend on the URL, and a request class may read them when it is created. The
        # first time without the data, because reading a file empties it.
        environ = EnvironBuilder(app, *args, **{**kwargs, "data": None}).get_environ()
        self._add_cookies_to_wsgi(environ)
        if "HTTP_COOKIE" in environ:
            overrides = kwargs.get("environ_overrides") or {}
            kwargs["environ_overrides"] = {**overrides, "HTTP_COOKIE": environ["HTTP_COOKIE"]}
        with app.test_request_context(*args, **kwargs) as context:
            session = app.session_interface.open_session(app, context.request)
            if session is None:
                raise RuntimeError("No session is available. Set the secret key (SECRET_KEY or app.secret_key).")
            # The new context only opens the session, so the block runs in the previous one.
            with _current_again(outer) as preserved:
                yield session
            if preserved:
                raise AssertionError(
                    f"The client cannot preserve {preserved[-1]!r}, because the request was made in a "
                    "session_transaction() block. The context has been popped and the session has not been saved. Make "
                    "the request after the block."
                )
            response = app.response_class()
            if not app.session_interface.is_null_session(session):
                app.session_interface.save_session(app, session, response)
            self._update_cookies_from_response(
                urlsplit(get_current_url(context.request.environ)).hostname or "localhost",
                context.request.path,
                response.headers.getlist("Set-Cookie"),
            )

    def open(self, *args: Any, buffered: bool = False, follow_redirects: bool = False, **kwargs: Any) -> TestResponse:
        """Make a request and return the response.

        :param args: passed, like ``kwargs``, to :class:`EnvironBuilder`. Alternatively, a single environment builder,
            request or WSGI environment.
        :param buffered: read the whole response body and close the response.
        :param follow_redirects: follow redirects and return the last response.
        :raises Exception: an error that the application does not handle, if it is in testing or debug mode.
        """
        (described,) = args if len(args) == 1 and not kwargs else (None,)
        builder: werkzeug.test.EnvironBuilder
        if isinstance(described, (dict, werkzeug.test.EnvironBuilder, Request)):
            if isinstance(described, werkzeug.test.EnvironBuilder):
                described = described.get_environ()
            elif isinstance(described, Request):
                described = described.environ
            environ = {**self.environ_base, **described}
            # from_environ() requires QUERY_STRING and HTTP_HOST, which servers may omit, and drops keys that it does
            # not know. The overrides restore the environment as it was given.
            host = get_host(environ["wsgi.url_scheme"], environ.get("HTTP_HOST"), _server_address(environ))
            complete = {"QUERY_STRING": "", "HTTP_HOST": host, **environ}
            builder = werkzeug.test.EnvironBuilder.from_environ(complete, environ_overrides=environ)
        else:
            kwargs.setdefault("environ_base", self.environ_base)
            builder = EnvironBuilder(self.application, *args, **kwargs)
        return super().open(builder, buffered=buffered, follow_redirects=follow_redirects)

    def run_wsgi_app(self, environ: WSGIEnvironment, buffered: bool = False) -> Any:
        """Call the application, and make it preserve the context if the client is used in a ``with`` block.

        :param environ: the WSGI environment of the request.
        :param buffered: read the whole response body and close the response.
        """
        return super().run_wsgi_app({**environ, "flask._preserve_context": self.preserve_context}, buffered)

    def __enter__(self) -> FlaskClient:
        """Preserve the context of each request from now on.

        :raises RuntimeError: the client is already used in a ``with`` block.
        """
        if self.preserve_context:
            raise RuntimeError("This client is already used in a `with` block. Use another client for a nested block.")
        self.preserve_context = True
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.preserve_context = False
        # A test may have pushed the preserved context once more, so one pop may not be enough.
        while (top := _request_ctx_stack.top) is not None and top.preserved:
            recovery.end_preserved(top)


@contextmanager
def _current_again(context: RequestContext | None) -> Iterator[list[RequestContext]]:
    """Make the previous context of the stack, or none, current again during the block.

    :param context: the context, or ``None``. It is put on top once more.
    :returns: a list. When the block has ended, it has the preserved contexts of the requests that the block made; they
        have been popped.
    """
    preserved: list[RequestContext] = []
    entries = _request_ctx_stack.push(context)  # type: ignore[arg-type]
    position = len(entries) - 1
    try:
        yield preserved
    finally:
        entries = _request_ctx_stack.current(entries)
        preserved += [entry for entry in entries[position:] if entry is not context and entry.preserved]
        while preserved and (top := _request_ctx_stack.top) in preserved:
            top.pop()
        # Not pop(), because a context that the block pushed and did not pop may be on top.
        _request_ctx_stack.own_entries()
        del _request_ctx_stack.current(entries)[position : position + 1]


def _server_address(environ: WSGIEnvironment) -> tuple[str, int | None]:
    port = environ.get("SERVER_PORT")
    return environ["SERVER_NAME"], int(port) if port else None


def _version() -> str:
    from importlib.metadata import version

    return version("werkzeug")


if not TYPE_CHECKING:
    # To a type checker, a module with a __getattr__ has every name.
    __getattr__ = missing_from(__name__)
