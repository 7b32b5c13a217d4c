"""A test client that can keep its context, and a builder of environs."""

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

from . import json
from .globals import _request_ctx_stack

# Tests find it here, beside the client.
from .leaks import no_context_left as no_context_left

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed.wsgi import WSGIEnvironment

    from .app import Flask
    from .sessions import SessionMixin


class EnvironBuilder(werkzeug.test.EnvironBuilder):
    """Describes a request to an application, by its configuration where nothing else is said.

    :param app: the application.
    :param path: the path, with a query string perhaps; or a whole URL.
    :param base_url: scheme, host and root path; default: ``PREFERRED_URL_SCHEME``, ``SERVER_NAME``,
        ``APPLICATION_ROOT``.
    :param subdomain: put in front of ``SERVER_NAME``.
    :param url_scheme: instead of ``PREFERRED_URL_SCHEME``.
    :param args: with ``kwargs``, as for :class:`werkzeug.test.EnvironBuilder`.
    :raises AssertionError: ``base_url`` is given, and ``subdomain`` or ``url_scheme`` too.

    As in Flask 1.1.
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
                f"base_url={base_url!r} says it all: neither subdomain={subdomain!r} nor url_scheme={url_scheme!r} can "
                "change it."
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
        """Return ``obj`` as JSON, as the application writes it.

        :param kwargs: for :func:`schlenk.json.dumps`, which raises the same errors.
        """
        text: str = json.dumps(obj, app=self.app, **kwargs)
        return text


class FlaskClient(Client):
    """A client for tests, made by :meth:`schlenk.Flask.test_client`.

    :param args: with ``kwargs``, as for :class:`werkzeug.test.Client`: the application, the class of answers, and
        ``use_cookies``.

    In a ``with`` block the context of the last request stays until the next request, or the end of the block, so that
    ``request``, ``session`` and ``g`` can be looked at. ``environ_base`` goes into the environ of every request.

    >>> from schlenk import Flask, request
    >>> app = Flask(__name__)
    >>> @app.route("/")
    ... def index():
    ...     return "hello"
    >>> with app.test_client() as client:
    ...     client.get("/?name=ada").status, request.args["name"]
    ('200 OK', 'ada')

    As in Flask 1.1, on Werkzeug 3.
    """

    application: Flask
    preserve_context = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.environ_base = {"REMOTE_ADDR": "127.0.0.1", "HTTP_USER_AGENT": f"werkzeug/{_version()}"}

    @contextmanager
    def session_transaction(self, *args: Any, **kwargs: Any) -> Iterator[SessionMixin]:
        """Open the session that the next request will see, to look at it and change it; it is saved at the end.

        :param args: with ``kwargs``, as for :meth:`~schlenk.Flask.test_request_context`: the request it belongs to.
        :raises RuntimeError: the client keeps no cookies, or the application gives no session.

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
            raise RuntimeError("The client keeps no cookies, and so no session: make it with use_cookies=True.")
        app = self.application
        outer = _request_ctx_stack.top
        context = app.test_request_context(*args, **kwargs)
        self._add_cookies_to_wsgi(context.request.environ)
        with context:
            session = app.session_interface.open_session(app, context.request)
            if session is None:
                raise RuntimeError("The application gives no session: has it a secret key, or another store?")
            # The block sees the contexts of whoever wrote it, not the one that is only here to hold the session.
            _request_ctx_stack.push(outer)  # type: ignore[arg-type]
            try:
                yield session
            finally:
                _request_ctx_stack.pop()
            response = app.response_class()
            if not app.session_interface.is_null_session(session):
                app.session_interface.save_session(app, session, response)
            self._update_cookies_from_response(
                urlsplit(get_current_url(context.request.environ)).hostname or "localhost",
                context.request.path,
                response.headers.getlist("Set-Cookie"),
            )

    def open(self, *args: Any, buffered: bool = False, follow_redirects: bool = False, **kwargs: Any) -> TestResponse:
        """Make a request and return the answer.

        :param args: with ``kwargs``, as for :class:`EnvironBuilder`; or one builder, request or environ instead.
        :param buffered: take the whole answer in at once, and close it.
        :param follow_redirects: make the requests that redirects lead to, too, and return the last answer.
        :raises Exception: what nobody handled, where the application is under test or in debug mode.
        """
        (described,) = args if len(args) == 1 and not kwargs else (None,)
        builder: werkzeug.test.EnvironBuilder
        if isinstance(described, (dict, werkzeug.test.EnvironBuilder, Request)):
            if isinstance(described, werkzeug.test.EnvironBuilder):
                described = described.get_environ()
            elif isinstance(described, Request):
                described = described.environ
            environ = {**self.environ_base, **described}
            # A builder made of an environ keeps only what it knows of; what is put over it keeps the rest.
            # It relies on two that a server may leave out; what is put over it leaves the query out again.
            host = get_host(environ["wsgi.url_scheme"], environ.get("HTTP_HOST"), _server(environ))
            told = {"QUERY_STRING": "", "HTTP_HOST": host, **environ}
            builder = werkzeug.test.EnvironBuilder.from_environ(told, environ_overrides=environ)
        else:
            kwargs.setdefault("environ_base", self.environ_base)
            builder = EnvironBuilder(self.application, *args, **kwargs)
        return super().open(builder, buffered=buffered, follow_redirects=follow_redirects)

    def run_wsgi_app(self, environ: WSGIEnvironment, buffered: bool = False) -> Any:
        """Hand the request that ``environ`` describes to the application, telling it whether to keep the context.

        :param buffered: take the whole answer in at once, and close it.
        """
        return super().run_wsgi_app({**environ, "flask._preserve_context": self.preserve_context}, buffered)

    def __enter__(self) -> FlaskClient:
        """Keep contexts from now on.

        :raises RuntimeError: this client does already.
        """
        if self.preserve_context:
            raise RuntimeError("This client is in a with block already: use another client for one inside it.")
        self.preserve_context = True
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.preserve_context = False
        # A context that was kept may have been pushed by hand again: then it takes more than one pop.
        while True:
            top = _request_ctx_stack.top
            if top is None or not top.preserved:
                break
            top.pop()


def _server(environ: WSGIEnvironment) -> tuple[str, int | None]:
    port = environ.get("SERVER_PORT")
    return environ["SERVER_NAME"], int(port) if port else None


def _version() -> str:
    from importlib.metadata import version

    return version("werkzeug")
