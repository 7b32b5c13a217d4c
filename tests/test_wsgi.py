"""The WSGI interface: servers, middleware, and applications that call others."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from http.client import HTTPResponse
from io import BytesIO, StringIO
from typing import Any, Callable
from wsgiref.handlers import SimpleHandler
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from schlenk import (
    Flask,
    Request,
    Response,
    _app_ctx_stack,
    _request_ctx_stack,
    current_app,
    g,
    redirect,
    request,
    session,
    stream_with_context,
    url_for,
)

PATIENCE = 30
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Served:
    """Serve one request with Python's own WSGI handler, from bytes to bytes."""

    def __init__(self, app: WSGI, path: str = "/", method: str = "GET", body: bytes = b"", **environ: Any) -> None:
        path, _, query = path.partition("?")
        environ.update(REQUEST_METHOD=method, SCRIPT_NAME="", PATH_INFO=path, QUERY_STRING=query)
        environ["CONTENT_LENGTH"] = str(len(body))
        setup_testing_defaults(environ)
        sent, self.errors = BytesIO(), StringIO()
        SimpleHandler(BytesIO(body), sent, self.errors, environ, multithread=False).run(app)
        response = HTTPResponse(Sent(sent.getvalue()), method=method)
        response.begin()
        self.status, self.headers, self.body = response.status, response.headers, response.read()


class Sent(BytesIO):
    def makefile(self, mode: str) -> Sent:
        return self


@pytest.fixture
def app(app: Flask) -> Flask:

    @app.route("/")
    def index() -> str:
        return f"hello from {current_app.name}"

    @app.route("/echo", methods=["POST"])
    def echo() -> bytes:
        return request.get_data()

    @app.route("/stream")
    def stream() -> Response:
        return Response(stream_with_context(f"{request.path}{number}\n" for number in range(3)))

    @app.route("/visits")
    def visits() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    @app.route("/fails")
    def fails() -> str:
        raise ZeroDivisionError

    app.add_url_rule("/leave", "leave", lambda: redirect("/"))
    app.add_url_rule("/folder/", "folder", lambda: "folder")
    return app


# Servers


@pytest.mark.parametrize(
    ("path", "method", "body", "status", "answer"),
    [
        ("/", "GET", b"", 200, b"hello from shop"),
        ("/", "HEAD", b"", 200, b""),
        ("/", "OPTIONS", b"", 200, b""),
        ("/echo", "POST", b"body", 200, b"body"),
        ("/echo", "POST", b"", 200, b""),
        ("/stream", "GET", b"", 200, b"/stream0\n/stream1\n/stream2\n"),
        ("/visits", "GET", b"", 200, b"1"),
        ("/leave", "GET", b"", 302, None),
        ("/folder", "GET", b"", 308, None),
        ("/nowhere", "GET", b"", 404, None),
        ("/nowhere", "POST", b"body", 404, None),
        ("/", "DELETE", b"", 405, None),
        ("/fails", "GET", b"", 500, None),
    ],
)
def test_responses_are_valid(
    app: Flask, path: str, method: str, body: bytes, status: int, answer: bytes | None
) -> None:
    served = Served(validator(app), path, method, body)
    assert served.status == status
    if answer is not None:
        assert served.body == answer


def test_violations_are_detected() -> None:
    app = Flask("wrong")
    app.wsgi_app = lambda environ, start_response: ["text"]
    assert "AssertionError" in Served(validator(app)).errors.getvalue()


def test_environ_is_not_copied(app: Flask) -> None:
    seen: list[dict[str, Any]] = []
    app.before_request(lambda: seen.append(request.environ))
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    list(app(environ, lambda *args: None))
    assert seen[0] is environ


def test_contexts_end_before_body_is_sent(app: Flask) -> None:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    body = app(environ, lambda *args: None)
    assert _request_ctx_stack.top is None
    assert _app_ctx_stack.top is None
    assert b"".join(body) == b"hello from shop"


def test_stream_keeps_contexts_until_close(app: Flask) -> None:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = "/stream"
    body = app(environ, lambda *args: None)
    assert next(iter(body)) == b"/stream0\n"
    assert request.path == "/stream"
    body.close()
    assert _request_ctx_stack.top is None
    assert _app_ctx_stack.top is None


def test_call_on_close_runs(app: Flask) -> None:
    closed: list[str] = []
    app.after_request(lambda response: response.call_on_close(lambda: closed.append("closed")) and response)
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    body = app(environ, lambda *args: None)
    assert closed == []
    body.close()
    assert closed == ["closed"]


def test_unread_response_leaves_no_context(app: Flask) -> None:
    ended: list[Any] = []
    app.teardown_request(ended.append)
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)

    def start_response(*args: Any) -> Any:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        app(environ, start_response)
    assert _request_ctx_stack.top is None
    assert ended == [None]


def test_threads_are_served_separately(app: Flask) -> None:
    together, answers = threading.Barrier(8, timeout=PATIENCE), []

    @app.route("/user/<name>")
    def user(name: str) -> str:
        g.name = session["name"] = name
        together.wait()
        return f"{request.path} {g.name} {session['name']}"

    threads = [
        threading.Thread(target=lambda name=name: answers.append((name, Served(app, f"/user/{name}").body.decode())))
        for name in "abcdefgh"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(answers) == [(name, f"/user/{name} {name} {name}") for name in "abcdefgh"]


# Middleware


class Prefixed:
    """Middleware that mounts an application below a path."""

    def __init__(self, application: WSGI, prefix: str) -> None:
        self.application = application
        self.prefix = prefix

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(self.prefix):
            start_response("404 NOT FOUND", [("Content-Type", "text/plain")])
            return [b"nothing here"]
        environ["SCRIPT_NAME"] = self.prefix
        environ["PATH_INFO"] = environ["PATH_INFO"][len(self.prefix) :]
        return self.application(environ, start_response)


class RateLimit:
    """Middleware that limits the number of requests from each address."""

    def __init__(self, application: WSGI, limit: int) -> None:
        self.application = application
        self.limit = limit
        self.seen: Counter[str] = Counter()
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self.lock:
            self.seen[environ["REMOTE_ADDR"]] += 1
            too_many = self.seen[environ["REMOTE_ADDR"]] > self.limit
        if too_many:
            start_response("429 TOO MANY REQUESTS", [("Content-Type", "text/plain"), ("Retry-After", "60")])
            return [b"later"]
        return self.application(environ, start_response)


class Authenticated:
    """Middleware that requires a password and sets ``REMOTE_USER``."""

    def __init__(self, application: WSGI, passwords: dict[str, str]) -> None:
        self.application = application
        self.expected = {
            "Basic " + b64encode(f"{user}:{password}".encode()).decode(): user for user, password in passwords.items()
        }

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        user = self.expected.get(environ.get("HTTP_AUTHORIZATION", ""))
        if user is None:
            headers = [("Content-Type", "text/plain"), ("WWW-Authenticate", 'Basic realm="shop"')]
            start_response("401 UNAUTHORIZED", headers)
            return [b"who are you?"]
        environ["REMOTE_USER"] = user
        return self.application(environ, start_response)


def test_middleware_wraps_app(app: Flask) -> None:
    app.wsgi_app = Prefixed(app.wsgi_app, "/shop")
    assert isinstance(app, Flask)
    assert [Served(validator(app), path).status for path in ("/shop/", "/")] == [200, 404]


def test_client_uses_middleware(app: Flask) -> None:
    app.wsgi_app = Prefixed(app.wsgi_app, "/shop")
    assert [app.test_client().get(path).status_code for path in ("/shop/", "/")] == [200, 404]


def test_prefix_is_in_urls(app: Flask) -> None:
    app.add_url_rule("/url", "url", lambda: url_for("index"))
    app.wsgi_app = Prefixed(app.wsgi_app, "/shop")
    assert Served(app, "/shop/url").body == b"/shop/"


def test_middleware_has_no_context(app: Flask) -> None:
    seen: list[Any] = []
    inner = app.wsgi_app

    def looking(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        seen.append(_request_ctx_stack.top)
        yield from inner(environ, start_response)
        seen.append(_request_ctx_stack.top)

    app.wsgi_app = looking
    Served(app)
    assert seen == [None, None]


def test_middleware_catches_propagated_error(app: Flask) -> None:
    app.testing = True
    inner = app.wsgi_app

    def catching(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            return inner(environ, start_response)
        except ZeroDivisionError:
            start_response("503 SERVICE UNAVAILABLE", [("Content-Type", "text/plain")])
            return [b"caught"]

    app.wsgi_app = catching
    served = Served(validator(app), "/fails")
    assert served.status == 503
    assert served.body == b"caught"


def test_rate_can_be_limited(app: Flask) -> None:
    app.wsgi_app = RateLimit(app.wsgi_app, 2)
    addresses = ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"]
    answers = [Served(validator(app), REMOTE_ADDR=address) for address in addresses]
    assert [answer.status for answer in answers] == [200, 200, 429, 200]
    assert answers[2].headers["Retry-After"] == "60"


def test_limited_request_never_reaches_app(app: Flask) -> None:
    reached: list[str] = []
    app.before_request(lambda: reached.append(request.path))
    app.wsgi_app = RateLimit(app.wsgi_app, 1)
    for _ in range(3):
        Served(app, REMOTE_ADDR="10.0.0.1")
    assert reached == ["/"]


def test_rate_limit_holds_under_concurrency(app: Flask) -> None:
    app.wsgi_app = RateLimit(app.wsgi_app, 3)
    together, statuses = threading.Barrier(8, timeout=PATIENCE), []

    def ask() -> None:
        together.wait()
        statuses.append(Served(app, REMOTE_ADDR="10.0.0.1").status)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert Counter(statuses) == {200: 3, 429: 5}


def test_middleware_authenticates(app: Flask) -> None:
    app.add_url_rule("/who", "who", lambda: str(request.remote_user))
    app.wsgi_app = Authenticated(app.wsgi_app, {"ada": "lovelace"})
    authorization = "Basic " + b64encode(b"ada:lovelace").decode()
    stranger, ada = Served(validator(app), "/who"), Served(validator(app), "/who", HTTP_AUTHORIZATION=authorization)
    assert stranger.status == 401
    assert stranger.headers["WWW-Authenticate"] == 'Basic realm="shop"'
    assert ada.status == 200
    assert ada.body == b"ada"


def test_middleware_stacks(app: Flask) -> None:
    app.wsgi_app = RateLimit(Authenticated(app.wsgi_app, {"ada": "lovelace"}), 1)
    assert [Served(validator(app), REMOTE_ADDR="10.0.0.1").status for _ in range(2)] == [401, 429]


# Nested applications


@pytest.fixture
def inner() -> Flask:
    inner = Flask("inner", static_folder=None)
    inner.add_url_rule("/page", "page", lambda: f"{current_app.name} {request.script_root}{request.path}")
    inner.add_url_rule("/url", "url", lambda: url_for("page"))
    return inner


def test_apps_can_be_mounted_side_by_side(app: Flask, inner: Flask) -> None:
    mounted = validator(DispatcherMiddleware(app, {"/inner": inner}))
    answers = [Served(mounted, path).body for path in ("/", "/inner/page", "/inner/url")]
    assert answers == [b"hello from shop", b"inner /inner/page", b"/inner/page"]


def test_app_can_be_mounted_in_another(app: Flask, inner: Flask) -> None:
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/inner": inner})
    assert [Served(validator(app), path).body for path in ("/", "/inner/page")] == [
        b"hello from shop",
        b"inner /inner/page",
    ]


def test_view_may_return_app(app: Flask, inner: Flask) -> None:
    app.add_url_rule("/page", "page", lambda: inner)
    assert Served(validator(app), "/page").body == b"inner /page"


def test_view_may_call_app(app: Flask, inner: Flask) -> None:
    inner.before_request(lambda: setattr(g, "name", "inner"))

    @app.route("/outer")
    def outer() -> str:
        g.name = "outer"
        answer = Served(inner, "/page").body.decode()
        return f"{answer}, {current_app.name} {request.path} {g.name}"

    assert Served(validator(app), "/outer").body == b"inner /page, shop /outer outer"


def test_failing_inner_app_keeps_outer(app: Flask, inner: Flask) -> None:
    inner.add_url_rule("/fails", "fails", lambda: 1 / 0)

    @app.route("/outer")
    def outer() -> str:
        before = list(_request_ctx_stack._local.stack), list(_app_ctx_stack._local.stack)
        status = Served(inner, "/fails").status
        after = list(_request_ctx_stack._local.stack), list(_app_ctx_stack._local.stack)
        return f"{status} {before == after} {current_app.name}"

    assert Served(app, "/outer").body == b"500 True shop"


def test_recursion_shares_context(app: Flask) -> None:
    app.add_url_rule(
        "/depth", "depth", lambda: f"{len(_request_ctx_stack._local.stack)} {len(_app_ctx_stack._local.stack)}"
    )
    app.add_url_rule("/twice", "twice", lambda: Served(app, "/depth").body)
    assert Served(app, "/twice").body == b"2 1"


# Bare WSGI applications


def test_bare_app_uses_request_and_response() -> None:
    @Request.application
    def bare(request: Request) -> Response:
        return Response(f"hello {request.args['name']}")

    served = Served(validator(bare), "/?name=ada")
    assert served.status == 200
    assert served.body == b"hello ada"
    assert served.headers["Content-Type"] == "text/html; charset=utf-8"
