"""``url_for`` in requests and in application contexts, and its errors."""

from __future__ import annotations

from functools import partial
from typing import Any

from werkzeug.routing import BuildError

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Trace, scenario


def app_with_urls(trace: Trace, **config: Any) -> Any:
    app = trace.bare()
    app.config.update(config)
    app.add_url_rule("/", "index", lambda: "index")
    app.add_url_rule("/user/<name>", "user", lambda name: name)
    app.add_url_rule("/item/<int:number>", "item", lambda number: str(number))
    app.add_url_rule("/thing", "thing.read", lambda: "read", methods=["GET"])
    app.add_url_rule("/thing/write", "thing.write", lambda: "write", methods=["POST"])
    app.add_url_rule("/by/get", "by_method", lambda: "get", methods=["GET"])
    app.add_url_rule("/by/post", "by_method", app.view_functions["by_method"], methods=["POST"])
    app.add_url_rule("/dir/", "dir", lambda: "dir")
    return app


def attempts(side: Side, trace: Trace, *calls: tuple[str, dict[str, Any]]) -> None:
    for endpoint, values in calls:
        trace.attempt(f"{endpoint} {sorted(values)}", partial(side.flask.url_for, endpoint, **values))


@scenario
def in_a_request(side: Side, trace: Trace) -> None:
    """In a request, URLs are relative to the host. Values that are not in the rule are added to the query."""
    app = app_with_urls(trace)
    with app.test_request_context("/"):
        attempts(
            side,
            trace,
            ("index", {}),
            ("user", {"name": "ann"}),
            ("user", {"name": "a b/ü"}),
            ("item", {"number": 3}),
            ("index", {"q": "a b&c", "n": 1}),
            ("index", {"q": [1, 2]}),
            ("index", {"q": None}),
            ("user", {"name": "ann", "q": "ü"}),
            ("dir", {}),
        )


@scenario
def external(side: Side, trace: Trace) -> None:
    """_external builds a complete URL with the scheme and host of the request."""
    app = app_with_urls(trace)
    for base in ("http://localhost", "https://example.com:8443", "http://example.com:80"):
        with app.test_request_context("/", base_url=base):
            attempts(side, trace, ("user", {"name": "ann", "_external": True}), ("index", {"_external": False}))


@scenario
def anchors(side: Side, trace: Trace) -> None:
    """_anchor is quoted and added to the end."""
    app = app_with_urls(trace)
    with app.test_request_context("/"):
        attempts(
            side,
            trace,
            ("index", {"_anchor": "top"}),
            ("index", {"_anchor": "a b"}),
            ("index", {"_anchor": "ü"}),
            ("index", {"_anchor": ""}),
            ("index", {"_anchor": None}),
            ("index", {"q": 1, "_anchor": "x&y=z"}),
            ("index", {"_anchor": "a/b?c:d@e!f$g'h(i)j*k+l,m;n-o.p_q~r"}),
            ("index", {"_anchor": 'a"b<c>d#e%f[g]h{i}j|k\\l^m`n'}),
            ("index", {"_anchor": 5}),
        )


@scenario
def schemes(side: Side, trace: Trace) -> None:
    """_scheme without _external raises a ValueError. It applies only to one call, even if that fails."""
    app = app_with_urls(trace)
    with app.test_request_context("/"):
        attempts(
            side,
            trace,
            ("index", {"_scheme": "https", "_external": True}),
            ("index", {"_external": True}),
            ("index", {"_scheme": "https"}),
            ("index", {"_scheme": "https", "_external": False}),
            ("nowhere", {"_scheme": "https", "_external": True}),
            ("index", {"_external": True}),
            ("index", {"_scheme": "", "_external": True}),
            ("index", {"_scheme": None, "_external": True}),
        )


@scenario
def methods(side: Side, trace: Trace) -> None:
    """_method selects one of the rules of an endpoint."""
    app = app_with_urls(trace)
    with app.test_request_context("/", method="POST"):
        attempts(
            side,
            trace,
            ("by_method", {}),
            ("by_method", {"_method": "GET"}),
            ("by_method", {"_method": "POST"}),
            ("thing.write", {"_method": "GET"}),
        )


@scenario
def endpoints_that_begin_with_a_dot(side: Side, trace: Trace) -> None:
    """Without a blueprint, an endpoint that begins with a dot is the endpoint without the dot."""
    app = app_with_urls(trace)
    with app.test_request_context("/"):
        attempts(side, trace, (".index", {}), (".nowhere", {}))
    with app.test_request_context("/thing"):
        trace("request", side.flask.request.endpoint, side.flask.request.blueprint)
        attempts(side, trace, (".write", {}), (".index", {}))


@scenario
def blueprint_name_comes_from_the_endpoint(side: Side, trace: Trace) -> None:
    """The blueprint of a request is the part of its endpoint before the last dot."""
    app = trace.bare()
    app.add_url_rule("/a", "a.b.c", lambda: "a")
    with app.test_request_context("/a"):
        trace("blueprint", side.flask.request.blueprint)


@scenario
def build_errors(side: Side, trace: Trace) -> None:
    """Unknown endpoints and missing or wrong values raise a BuildError with the arguments."""
    app = app_with_urls(trace)
    with app.test_request_context("/"):
        attempts(side, trace, ("nowhere", {}), ("user", {}), ("user", {"nam": "ann"}), ("item", {"number": "x"}))
        try:
            side.flask.url_for("nowhere", q=1, _method="POST", _anchor="a", _external=True)
        except BuildError as error:
            trace("error", error.endpoint, error.values, error.method, isinstance(error, LookupError))


@scenario
def build_error_handlers(side: Side, trace: Trace) -> None:
    """Handlers are called in order with the error, endpoint and values, until one returns a value."""
    app = app_with_urls(trace)

    def first(error: BuildError, endpoint: str, values: dict[str, Any]) -> str | None:
        trace("first", error, endpoint, dict(values))
        return None

    def second(error: BuildError, endpoint: str, values: dict[str, Any]) -> str | None:
        trace("second", error, endpoint, dict(values))
        if endpoint == "raising":
            raise error
        if endpoint == "other":
            raise Boom("handler")
        return None if endpoint == "nothing" else f"/handled/{endpoint}"

    def third(error: BuildError, endpoint: str, values: dict[str, Any]) -> str:
        trace("third", error, endpoint, dict(values))
        return "/third"

    app.url_build_error_handlers += [first, second, third]
    with app.test_request_context("/"):
        attempts(
            side,
            trace,
            ("unknown", {"a": 1, "_external": True, "_anchor": "x", "_method": "GET", "_scheme": "https"}),
            ("nothing", {}),
            ("raising", {}),
            ("other", {}),
            ("user", {}),
        )


@scenario
def build_error_handlers_that_know_nothing(side: Side, trace: Trace) -> None:
    """If all handlers return None, the original BuildError is raised."""
    app = app_with_urls(trace)
    seen: list[BuildError] = []

    def handler(error: BuildError, endpoint: str, values: dict[str, Any]) -> None:
        seen.append(error)

    app.url_build_error_handlers.append(handler)
    with app.test_request_context("/"):
        try:
            side.flask.url_for("nowhere")
        except BuildError as error:
            trace("raised", error is seen[0])


@scenario
def build_error_handler_that_raises_a_new_error(side: Side, trace: Trace) -> None:
    """A BuildError raised by a handler is passed to the next handler, and raised if none returns a value."""
    app = app_with_urls(trace)
    new = BuildError("new", {}, None)

    def raising(error: BuildError, endpoint: str, values: dict[str, Any]) -> None:
        raise new

    app.url_build_error_handlers += [
        raising,
        lambda error, endpoint, values: trace("next", error is new, error.endpoint),
    ]
    with app.test_request_context("/"):
        try:
            side.flask.url_for("nowhere")
        except BuildError as error:
            trace("raised", error is new, error.endpoint)


@scenario
def handle_url_build_error_by_hand(side: Side, trace: Trace) -> None:
    """handle_url_build_error returns the value of a handler, or raises the error being handled or the given one."""
    app = app_with_urls(trace)
    error = BuildError("nowhere", {}, None)
    with app.test_request_context("/"):
        trace.attempt("given", app.handle_url_build_error, error, "nowhere", {})
        app.url_build_error_handlers.append(lambda error, endpoint, values: f"/{endpoint}")
        trace.attempt("handled", app.handle_url_build_error, error, "nowhere", {})


@scenario
def url_defaults(side: Side, trace: Trace) -> None:
    """url_defaults functions run in order for each call. They can add values, but given values are kept."""
    app = app_with_urls(trace)

    @app.url_defaults
    def name(endpoint: str, values: dict[str, Any]) -> None:
        trace("first", endpoint, dict(values))
        if app.url_map.is_endpoint_expecting(endpoint, "name"):
            values.setdefault("name", "default")

    app.url_defaults(lambda endpoint, values: trace("second", endpoint, dict(values)))
    with app.test_request_context("/"):
        attempts(side, trace, ("user", {}), ("user", {"name": "ann", "_external": True}), ("nowhere", {}))


@scenario
def inject_url_defaults_by_hand(side: Side, trace: Trace) -> None:
    """inject_url_defaults changes the given values, also for an endpoint with a dot."""
    app = app_with_urls(trace)
    app.url_defaults(lambda endpoint, values: values.setdefault("endpoint", endpoint))
    for endpoint in ("index", "thing.read", "unknown"):
        values: dict[str, Any] = {}
        app.inject_url_defaults(endpoint, values)
        trace("values", values)


@scenario
def outside_of_requests(side: Side, trace: Trace) -> None:
    """In an application context, URLs are external by default, with SERVER_NAME and the related settings."""
    for config in (
        {"SERVER_NAME": "example.com"},
        {"SERVER_NAME": "example.com:8080", "PREFERRED_URL_SCHEME": "https"},
        {"SERVER_NAME": "example.com", "APPLICATION_ROOT": "/root"},
        {"SERVER_NAME": "example.com", "APPLICATION_ROOT": "/root/"},
    ):
        app = app_with_urls(trace, **config)
        with app.app_context():
            trace("config", config)
            attempts(
                side,
                trace,
                ("user", {"name": "ann"}),
                ("user", {"name": "ann", "_external": False}),
                ("index", {"_scheme": "ftp"}),
                ("index", {"_anchor": "x", "q": 1}),
                ("by_method", {"_method": "POST"}),
                (".index", {}),
                ("nowhere", {}),
            )


@scenario
def outside_of_requests_without_server_name(side: Side, trace: Trace) -> None:
    """In an application context without SERVER_NAME, url_for raises a RuntimeError that names the setting."""
    app = app_with_urls(trace)
    with app.app_context():
        trace.attempt("url_for", lambda: side.flask.url_for("index"), words=("SERVER_NAME", "request"))


@scenario
def outside_of_everything(side: Side, trace: Trace) -> None:
    """Without a context, url_for raises a RuntimeError that names the application context."""
    trace.attempt("url_for", lambda: side.flask.url_for("index"), words=("application context", "URL"))


@scenario
def build_error_handlers_outside_of_requests(side: Side, trace: Trace) -> None:
    """Handlers of build errors are called in an application context as well, with the complete values."""
    app = app_with_urls(trace, SERVER_NAME="example.com")
    app.url_build_error_handlers.append(lambda error, endpoint, values: trace("handler", endpoint, values) or "/x")
    with app.app_context():
        attempts(side, trace, ("nowhere", {"a": 1}))


@scenario
def other_apps_context_over_a_request(side: Side, trace: Trace) -> None:
    """In a request, under another application's context, url_for uses the request's rules and that one's defaults."""
    first, second = app_with_urls(trace), trace.bare("second")
    second.config["SERVER_NAME"] = "second.example"
    second.add_url_rule("/second", "second", lambda: "second")
    second.url_defaults(lambda endpoint, values: values.setdefault("q", "from second"))
    with first.test_request_context("/"):
        with second.app_context():
            trace("app", side.flask.current_app.name)
            attempts(side, trace, ("index", {}), ("second", {}))


@scenario
def server_name_in_a_request(side: Side, trace: Trace) -> None:
    """In a request, external URLs have the host of SERVER_NAME."""
    app = app_with_urls(trace, SERVER_NAME="example.com")
    for host in ("example.com", "other.org", "www.example.com"):
        with trace.warnings(), app.request_context(trace.environ("/", HTTP_HOST=host)):
            trace("request", host, side.flask.request.host)
            attempts(side, trace, ("index", {}), ("index", {"_external": True}))


@scenario
def subdomains(side: Side, trace: Trace) -> None:
    """A rule of another subdomain is built with its host, and one of the same subdomain without it."""
    app = trace.bare(subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    app.add_url_rule("/", "plain", lambda: "plain")
    app.add_url_rule("/", "www", lambda: "www", subdomain="www")
    app.add_url_rule("/", "user", lambda user: user, subdomain="<user>")
    for host in ("example.com", "www.example.com"):
        with app.request_context(trace.environ("/", HTTP_HOST=host)):
            attempts(side, trace, ("plain", {}), ("www", {}), ("user", {"user": "ann"}))
    with app.app_context():
        attempts(side, trace, ("www", {}), ("plain", {}), ("www", {"_external": False}))


@scenario
def hosts(side: Side, trace: Trace) -> None:
    """With host matching, a rule of another host is built with that host."""
    app = trace.bare(host_matching=True)
    app.add_url_rule("/", "one", lambda: "one", host="one.example")
    app.add_url_rule("/", "any", lambda name: name, host="<name>.example.org")
    with app.request_context(trace.environ("/", HTTP_HOST="one.example")):
        attempts(side, trace, ("one", {}), ("any", {"name": "ann"}))


@scenario
def rule_defaults_are_used_for_building(side: Side, trace: Trace) -> None:
    """Of two rules of an endpoint, the one with matching defaults is built."""
    app = trace.bare()

    def page(number: int) -> str:
        return str(number)

    app.add_url_rule("/page/", "page", page, defaults={"number": 1})
    app.add_url_rule("/page/<int:number>", "page", page)
    with app.test_request_context("/"):
        attempts(side, trace, ("page", {"number": 1}), ("page", {"number": 2}), ("page", {}))


@scenario
def url_for_in_hooks_and_teardown(side: Side, trace: Trace) -> None:
    """url_for works in every hook of a request, but in teardown_appcontext only with SERVER_NAME."""
    for config in ({}, {"SERVER_NAME": "localhost"}):
        app = app_with_urls(trace, **config)

        def build(where: str) -> None:
            trace.attempt(where, lambda: side.flask.url_for("user", name=where))

        app.before_request(lambda: build("before"))
        app.after_request(lambda response: build("after") or response)
        app.teardown_request(lambda error: build("teardown"))
        app.teardown_appcontext(lambda error: build("application teardown"))
        trace.serve(app, "/")


@scenario
def url_adapter_replaced(side: Side, trace: Trace) -> None:
    """create_url_adapter of a subclass is called for requests and for application contexts."""

    class Bound(side.flask.Flask):
        def create_url_adapter(self, request):
            trace("create_url_adapter", request is not None)
            return self.url_map.bind("bound.example", url_scheme="https")

    app = trace.bare(base=Bound)
    app.add_url_rule("/", "index", lambda: "index")
    with app.app_context():
        attempts(side, trace, ("index", {}))
        with app.test_request_context("/"):
            attempts(side, trace, ("index", {}), ("index", {"_external": True}))
