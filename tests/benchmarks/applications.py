"""The same web applications on each framework, and the requests that are sent to them."""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Callable, Iterator
from io import BytesIO, StringIO
from types import SimpleNamespace
from typing import Any, NamedTuple

SECRET = "not much of a secret, but long enough to sign with"
DOCUMENT = {"items": [{"number": number, "name": f"item {number}", "tags": ["a", "b"]} for number in range(190)]}
CHUNKS = 10
ROUTES = 200


class Call(NamedTuple):
    """A request to an application, and the expected response."""

    application: Callable[..., Any]
    environ: dict[str, Any]
    status: int
    body: bytes | None = None
    """``None`` if the pages of the frameworks differ."""
    sent: bytes = b""
    paths: Iterator[str] | None = None
    """Paths to request in turn, instead of the path in the environ."""


def environ(path: str = "/", method: str = "GET", **more: Any) -> dict[str, Any]:
    """Return the environ of a browser's request. It is the same for every framework."""
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_USER_AGENT": "Mozilla/5.0",
        "HTTP_ACCEPT": "text/html,*/*;q=0.8",
        "HTTP_ACCEPT_LANGUAGE": "en",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate",
        "HTTP_CONNECTION": "keep-alive",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **more,
    }


def place_calls(application: Callable[..., Any]) -> dict[str, Call]:
    """Return requests to one of many routes with a variable: always to the same URL, and to a new URL each time."""
    place = f"/place{ROUTES * 3 // 4}/"
    often = Call(application, environ(f"{place}7"), 200, b"number 7")
    return {
        f"one of {ROUTES} routes": often,
        f"one of {ROUTES}, no URL twice": often._replace(paths=(f"{place}{number}" for number in itertools.count())),
    }


def posted() -> dict[str, Any]:
    sent = json.dumps(DOCUMENT).encode()
    about = environ("/", "POST", CONTENT_TYPE="application/json", CONTENT_LENGTH=str(len(sent)))
    return {"environ": about, "sent": sent, "status": 200, "body": str(len(DOCUMENT["items"])).encode()}


def ask(call: Call) -> tuple[int, dict[str, str], bytes]:
    """Serve one request."""
    answer: list[Any] = []
    about = {**call.environ, "wsgi.input": BytesIO(call.sent)}
    body = call.application(about, lambda status, headers, error=None: answer.extend((status, headers)))
    try:
        content = b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
    status, headers = answer
    return int(status[:3]), dict(headers), content


def flask_calls(name: str) -> dict[str, Call]:
    """Return the requests for a module ``name`` with the interface of Flask."""
    flask: Any = importlib.import_module(name)

    def application() -> Any:
        app = flask.Flask("benchmark", static_folder=None)
        app.secret_key = SECRET
        return app

    def ok(app: Any, body: bytes, **about: Any) -> Call:
        return Call(app, environ(**about), 200, body)

    calls = {}

    app = application()
    app.add_url_rule("/", "hello", lambda: "Hello, World!")
    calls["hello"] = ok(app, b"Hello, World!")
    calls["404"] = Call(app, environ("/nothing"), 404)

    app = application()
    for place in range(ROUTES):
        app.add_url_rule(f"/place{place}/<int:number>", f"place{place}", lambda number: f"number {number}")
    calls.update(place_calls(app))

    app = application()
    app.add_url_rule("/", "hello", lambda: "Hello, World!")
    app.before_request(lambda: None)
    app.after_request(lambda response: response)
    app.teardown_request(lambda error: None)
    app.teardown_appcontext(lambda error: None)
    calls["hooks"] = ok(app, b"Hello, World!")

    app = application()
    request, g, current_app, session = flask.request, flask.g, flask.current_app, flask.session

    @app.route("/")
    def reads() -> str:
        g.user = "ada"
        for _ in range(10):
            request.method, request.path, g.user, current_app.name  # noqa: B018
        return "read"

    calls["40 proxy reads"] = ok(app, b"read")

    app = application()

    @app.route("/")
    def count() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    _, headers, _ = ask(ok(app, b"1"))
    cookie = headers["Set-Cookie"].partition(";")[0]
    calls["session read and write"] = ok(app, b"2", HTTP_COOKIE=cookie)

    app = application()

    @app.route("/")
    def fail() -> str:
        raise ValueError

    app.register_error_handler(ValueError, lambda error: ("no such value", 400))
    calls["error handler"] = Call(app, environ(), 400, b"no such value")

    app = application()
    app.add_url_rule("/", "leave", lambda: flask.redirect("/elsewhere"))
    calls["redirect"] = Call(app, environ(), 302)

    app = application()
    app.add_url_rule("/", "document", lambda: str(len(request.get_json()["items"])), methods=["POST"])
    calls["10 kB of JSON posted"] = Call(app, **posted())

    app = application()

    @app.route("/")
    def stream() -> Any:
        @flask.stream_with_context
        def parts() -> Any:
            for _ in range(CHUNKS):
                yield request.path

        return app.response_class(parts())

    calls["streamed with context"] = ok(app, b"/" * CHUNKS)
    return calls


def werkzeug_calls() -> dict[str, Call]:
    """Return the requests for a bare Werkzeug application, which passes the request to its views."""
    from werkzeug.exceptions import HTTPException
    from werkzeug.routing import Map, Rule
    from werkzeug.utils import redirect
    from werkzeug.wrappers import Request, Response

    class Application:
        name = "benchmark"

        def __init__(self, views: dict[str, Callable[..., Response]], methods: list[str] | None = None) -> None:
            self.views = views
            self.url_map = Map([Rule(rule, endpoint=rule, methods=methods) for rule in views])

        def dispatch(self, request: Request) -> Any:
            adapter = self.url_map.bind_to_environ(request.environ)
            try:
                endpoint, values = adapter.match()
                return self.views[endpoint](request, **values)
            except HTTPException as error:
                return error

        def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            response = self.dispatch(Request(environ))
            return response(environ, start_response)

    def html(body: Any, status: int = 200) -> Response:
        return Response(body, status, mimetype="text/html")

    def reads(request: Request) -> Response:
        g = SimpleNamespace(user="ada")
        for _ in range(10):
            request.method, request.path, g.user, reading.name  # noqa: B018
        return html("read")

    reading = Application({"/": reads})

    def fail(request: Request) -> Response:
        raise ValueError

    class Catching(Application):
        def dispatch(self, request: Request) -> Any:
            try:
                return super().dispatch(request)
            except ValueError:
                return html("no such value", 400)

    def stream(request: Request) -> Response:
        return html(request.path for _ in range(CHUNKS))

    hello = Application({"/": lambda request: html("Hello, World!")})
    places = Application(
        {f"/place{place}/<int:number>": lambda request, number: html(f"number {number}") for place in range(ROUTES)}
    )
    document = Application({"/": lambda request: html(str(len(request.get_json()["items"])))}, ["POST"])
    return {
        "hello": Call(hello, environ(), 200, b"Hello, World!"),
        **place_calls(places),
        "40 proxy reads": Call(reading, environ(), 200, b"read"),
        "error handler": Call(Catching({"/": fail}), environ(), 400, b"no such value"),
        "404": Call(hello, environ("/nothing"), 404),
        "redirect": Call(Application({"/": lambda request: redirect("/elsewhere")}), environ(), 302),
        "10 kB of JSON posted": Call(document, **posted()),
        "streamed with context": Call(Application({"/": stream}), environ(), 200, b"/" * CHUNKS),
    }


def bottle_calls() -> dict[str, Call]:
    """Return the requests for Bottle, without those for features that it does not have."""
    import bottle

    def application(view: Callable[..., Any], rule: str = "/", method: str = "GET") -> Any:
        app = bottle.Bottle()
        app.route(rule, method, view)
        return app

    request = bottle.request

    def reads() -> str:
        request.user = "ada"
        for _ in range(10):
            request.method, request.path, request.user, request.app  # noqa: B018
        return "read"

    def stream() -> Any:
        for _ in range(CHUNKS):
            yield request.path

    hello = application(lambda: "Hello, World!")
    places = bottle.Bottle()
    for place in range(ROUTES):
        places.route(f"/place{place}/<number:int>", "GET", lambda number: f"number {number}")
    document = application(lambda: str(len(request.json["items"])), method="POST")
    return {
        "hello": Call(hello, environ(), 200, b"Hello, World!"),
        **place_calls(places),
        "40 proxy reads": Call(application(reads), environ(), 200, b"read"),
        "404": Call(hello, environ("/nothing"), 404),
        "redirect": Call(application(lambda: bottle.redirect("/elsewhere", 302)), environ(), 302),
        "10 kB of JSON posted": Call(document, **posted()),
        "streamed with context": Call(application(stream), environ(), 200, b"/" * CHUNKS),
    }
