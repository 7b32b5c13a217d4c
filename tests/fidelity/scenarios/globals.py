"""``request``, ``session``, ``g`` and ``current_app``, with and without a context."""

from __future__ import annotations

import copy
from typing import Any

from tests.fidelity.side import Side
from tests.fidelity.trace import Trace, scenario

NAMES = ("request", "session", "current_app", "g")


@scenario
def what_the_globals_stand_for(side: Side, trace: Trace) -> None:
    """Each global is a proxy to a part of the context on top of its stack."""
    app = trace.bare()
    with app.test_request_context("/") as context:
        top = side.globals._app_ctx_stack.top
        for name, value in (
            ("request", context.request),
            ("session", context.session),
            ("current_app", app),
            ("g", top.g),
        ):
            proxy = getattr(side.flask, name)
            trace(name, type(proxy), proxy._get_current_object() is value, proxy == value)
            trace("same", proxy is getattr(side.globals, name))
    trace("types", isinstance(side.globals._request_ctx_stack, side.local.LocalStack))


@scenario
def globals_outside_of_everything(side: Side, trace: Trace) -> None:
    """Without a context, every global is false. Any other use raises a RuntimeError with an explanation."""
    for name in NAMES:
        proxy = getattr(side.flask, name)
        kind = "request context" if name in ("request", "session") else "application context"
        trace(name, bool(proxy), repr(proxy), dir(proxy))
        words = ("outside", kind)
        trace.attempt("get", lambda proxy=proxy: proxy.anything, words=words)
        trace.attempt("set", lambda proxy=proxy: setattr(proxy, "anything", 1), words=words)
        trace.attempt("delete", lambda proxy=proxy: delattr(proxy, "anything"), words=words)
        trace.attempt("object", proxy._get_current_object, words=words)
        trace.attempt("item", lambda proxy=proxy: proxy["a"], words=words)
        trace.attempt("in", lambda proxy=proxy: "a" in proxy, words=words)
        trace.attempt("iter", lambda proxy=proxy: list(proxy), words=words)
        trace.attempt("len", lambda proxy=proxy: len(proxy), words=words)
        trace.attempt("equal", lambda proxy=proxy: proxy == 1, words=words)
        trace.attempt("str", lambda proxy=proxy: str(proxy), words=words)
        trace.attempt("hash", lambda proxy=proxy: hash(proxy), words=words)
        trace.attempt("call", lambda proxy=proxy: proxy(), words=words)
        trace.attempt("hasattr", lambda proxy=proxy: hasattr(proxy, "anything"), words=words)


@scenario
def globals_in_an_application_context(side: Side, trace: Trace) -> None:
    """In an application context alone, current_app and g are bound, but request and session are not."""
    with trace.bare().app_context():
        trace("true", [bool(getattr(side.flask, name)) for name in NAMES])
        trace.attempt("request", lambda: side.flask.request.path, words=("request context",))
        trace.attempt("session", lambda: side.flask.session["a"], words=("request context",))


@scenario
def lookups_behind_the_globals(side: Side, trace: Trace) -> None:
    """_lookup_req_object, _lookup_app_object and _find_app return the objects themselves or raise a RuntimeError."""
    app = trace.bare()
    calls: dict[str, Any] = {
        "request": lambda: side.globals._lookup_req_object("request"),
        "session": lambda: side.globals._lookup_req_object("session"),
        "flashes": lambda: side.globals._lookup_req_object("flashes"),
        "g": lambda: side.globals._lookup_app_object("g"),
        "app": lambda: side.globals._lookup_app_object("app"),
        "find": lambda: side.globals._find_app(),
        "unknown in request": lambda: side.globals._lookup_req_object("unknown"),
        "unknown in app": lambda: side.globals._lookup_app_object("unknown"),
    }
    for name, call in calls.items():
        trace.attempt(name, lambda call=call: type(call()))
    with app.test_request_context("/"):
        for name, call in calls.items():
            trace.attempt(name, lambda call=call: type(call()))
        trace("same", side.globals._find_app() is app)


@scenario
def names_in_both_modules(side: Side, trace: Trace) -> None:
    """The stacks and globals are the same objects in all modules."""
    for name in ("_request_ctx_stack", "_app_ctx_stack", *NAMES):
        trace(name, getattr(side.flask, name) is getattr(side.globals, name))


@scenario
def methods_of_g(side: Side, trace: Trace) -> None:
    """get, pop, setdefault, in, iteration and attributes of g."""
    with trace.bare().app_context():
        g = side.flask.g
        trace("empty", list(g), "a" in g, g.get("a"), g.get("a", "default"))
        g.a = 1
        trace("set", g.a, "a" in g, g.get("a"), g.get("a", 2), list(g))
        trace("setdefault", g.setdefault("a", 2), g.setdefault("b", 3), g.setdefault("c"), sorted(g))
        trace("pop", g.pop("a"), g.pop("a", "default"), g.pop("a", None))
        trace.attempt("pop missing", lambda: g.pop("a"))
        del g.b
        trace("deleted", list(g))
        trace.attempt("read missing", lambda: g.missing, words=("missing",))
        trace.attempt("delete missing", lambda: delattr(g, "missing"))
        g._private = 1
        trace("private", list(g), vars(g._get_current_object()))
        trace.attempt("item", lambda: g["a"])
        trace.attempt("len", lambda: len(g))


@scenario
def g_is_an_objects_dictionary(side: Side, trace: Trace) -> None:
    """g compares by identity and is always true, and the names of its methods can be overwritten."""
    with trace.bare().app_context():
        g = side.flask.g
        trace("true", bool(g), g == side.flask.g._get_current_object(), g != object())
        g.get = "overwritten"
        trace("overwritten", g.get, "get" in g)


@scenario
def g_of_a_class_of_the_applications_own(side: Side, trace: Trace) -> None:
    """app_ctx_globals_class is called once for each application context, to create g."""
    made: list[Any] = []

    class Own:
        def __init__(self):
            made.append(self)

    app = trace.bare()
    app.app_ctx_globals_class = Own
    with app.app_context(), app.app_context(), app.test_request_context("/"):
        trace("made", len(made), side.flask.g == made[1])


@scenario
def g_set_before_a_request_is_seen_in_it(side: Side, trace: Trace) -> None:
    """If a test pushes an application context, its requests share the g of that context."""
    app = trace.app()
    app.add_url_rule("/mark", "mark", lambda: str(side.flask.g.get("mark")))
    with app.app_context():
        side.flask.g.mark = "outer"
        trace.serve(app, "/mark")
        trace.answer("client", app.test_client().get("/mark"))
    trace.serve(app, "/mark")


@scenario
def globals_assigned_through(side: Side, trace: Trace) -> None:
    """Attributes and items set on a global are set on its object."""
    app = trace.bare()
    app.secret_key = "key"
    with app.test_request_context("/") as context:
        side.flask.request.mark = 1
        side.flask.session["mark"] = 2
        side.flask.current_app.mark = 3
        trace("marks", context.request.mark, context.session["mark"], app.mark)
        del side.flask.request.mark
        trace("deleted", hasattr(context.request, "mark"))


@scenario
def globals_copied(side: Side, trace: Trace) -> None:
    """copy.copy of a global copies its object."""
    app = trace.bare()
    app.secret_key = "key"
    with app.test_request_context("/"):
        side.flask.session["a"] = [1]
        shallow, deep = copy.copy(side.flask.session), copy.deepcopy(side.flask.session)
        trace("copies", type(shallow), type(deep), shallow["a"] is side.flask.session["a"], deep["a"], deep is shallow)


@scenario
def globals_called_and_compared(side: Side, trace: Trace) -> None:
    """current_app can be called as the application. Proxies compare as their objects do."""
    app = trace.bare()
    app.add_url_rule("/", "index", lambda: "index")
    with app.app_context():
        body = side.flask.current_app(trace.environ("/"), lambda *arguments: None)
        trace("called", b"".join(body).decode())
        trace("compared", side.flask.current_app == app, app == side.flask.current_app, side.flask.current_app != app)
        trace("hash", hash(side.flask.current_app) == hash(app), side.flask.current_app in {app})


@scenario
def has_functions_in_every_situation(side: Side, trace: Trace) -> None:
    """has_request_context and has_app_context return whether a stack has a context, in any way it was pushed."""
    app = trace.bare()

    def both() -> list[bool]:
        return [side.flask.has_request_context(), side.flask.has_app_context()]

    trace("nothing", both())
    with app.app_context():
        trace("application", both())
        with app.test_request_context("/"):
            trace("request", both())
        trace("application", both())
    with app.test_request_context("/"):
        trace("request", both())
        trace.in_thread(both)
    trace("nothing", both())


@scenario
def request_attributes(side: Side, trace: Trace) -> None:
    """The attributes that programs read from the request proxy."""
    app = trace.bare()

    @app.route("/path/<name>", methods=["POST"])
    def view(name: str) -> str:
        request = side.flask.request
        trace("url", request.url, request.base_url, request.url_root, request.host_url, request.host, request.path)
        trace("more", request.full_path, request.script_root, request.method, request.scheme, request.is_secure)
        trace("args", request.args.to_dict(flat=False), request.form.to_dict(), request.values.to_dict())
        trace("data", request.get_data(), request.get_json(), request.is_json, request.mimetype)
        trace("headers", request.headers["X-A"], request.headers.get("X-B"), request.cookies.to_dict())
        trace("remote", request.remote_addr, request.user_agent.string, request.referrer, request.content_length)
        return "view"

    more = {"CONTENT_TYPE": "application/json", "HTTP_X_A": "1", "HTTP_COOKIE": "a=b; c=d", "HTTP_USER_AGENT": "test"}
    trace.serve(app, "/path/n?a=1&a=2&b=3", "POST", body=b'{"j": [1]}', **more)
