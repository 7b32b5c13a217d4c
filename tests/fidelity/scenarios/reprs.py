"""The reprs of objects, and the messages of errors."""

from __future__ import annotations

from tests.fidelity.side import Side
from tests.fidelity.trace import Trace, scenario


@scenario
def reprs_of_contexts(side: Side, trace: Trace) -> None:
    """The repr of a request context shows its URL, method and application."""
    app = trace.bare()
    context = app.test_request_context("/path?a=1", method="POST")
    trace("request context", repr(context), str(context))

    class Own(side.ctx.RequestContext):
        pass

    trace("subclass", repr(Own(app, trace.environ("/"))))


@scenario
def reprs_of_applications(side: Side, trace: Trace) -> None:
    """The repr of an application shows its class and name."""

    class Own(side.flask.Flask):
        pass

    trace("app", repr(trace.bare()), str(trace.bare()), repr(trace.bare("other", base=Own)))


@scenario
def reprs_of_globals(side: Side, trace: Trace) -> None:
    """The repr of a bound proxy is that of its object. The repr of an unbound proxy says that it is unbound."""
    app = trace.bare()
    app.secret_key = "key"
    for name in ("request", "session", "current_app", "g"):
        trace(name, repr(getattr(side.flask, name)))
    with app.test_request_context("/path"):
        side.flask.session["a"] = 1
        for name in ("request", "session", "current_app", "g"):
            proxy = getattr(side.flask, name)
            trace(name, repr(proxy), f"{proxy}" == repr(proxy), str(proxy) == repr(proxy))


@scenario
def repr_of_g_follows_the_top_context(side: Side, trace: Trace) -> None:
    """The repr of any g shows the name of the application on top."""
    first, second = trace.bare("first"), trace.bare("second")
    with first.app_context() as context:
        g = context.g
        trace("first", repr(g))
        with second.app_context():
            trace("second", repr(g), repr(side.flask.g))
    trace("outside", repr(g).startswith("<"), "_AppCtxGlobals object at" in repr(g))


@scenario
def reprs_of_requests_and_responses(side: Side, trace: Trace) -> None:
    """The repr of a request shows its URL and method, that of a response its size and status."""
    app = trace.bare()
    with app.test_request_context("/path", method="PUT", base_url="https://example.com/root"):
        trace("request", repr(side.flask.request))
        trace("response", repr(side.flask.make_response("text", 201)))


@scenario
def repr_of_a_configuration(side: Side, trace: Trace) -> None:
    """The repr of a Config is that of a dict."""
    trace("config", repr(side.config.Config("/", {"A": 1})))


@scenario
def reprs_of_stack_proxies(side: Side, trace: Trace) -> None:
    """Calling a stack returns a proxy to its top, which is unbound while the stack is empty."""
    stack = side.local.LocalStack()
    proxy = stack()
    trace("unbound", repr(proxy), bool(proxy))
    trace.attempt("object", proxy._get_current_object, words=("object unbound",))
    stack.push([1])
    trace("bound", repr(proxy), proxy == [1])
    stack.pop()


@scenario
def messages_outside_of_contexts(side: Side, trace: Trace) -> None:
    """The error outside of a context says so, and which context to push."""
    request_words = ("outside of request context", "active HTTP request", "test")
    app_words = ("outside of application context", "app.app_context()")
    trace.attempt("request", lambda: side.flask.request.path, words=request_words[:1])
    trace.attempt("session", lambda: side.flask.session["a"], words=request_words[:1])
    trace.attempt("current_app", lambda: side.flask.current_app.name, words=app_words)
    trace.attempt("g", lambda: side.flask.g.mark, words=app_words)


@scenario
def helpers_outside_of_contexts(side: Side, trace: Trace) -> None:
    """The exception that each helper raises without its context."""
    flask = side.flask
    calls = {
        "after_this_request": lambda: flask.after_this_request(print),
        "copy_current_request_context": lambda: flask.copy_current_request_context(print),
        "stream_with_context": lambda: flask.stream_with_context(iter(())),
        "url_for": lambda: flask.url_for("index"),
        "flash": lambda: flask.flash("message"),
        "get_flashed_messages": lambda: flask.get_flashed_messages(),
        "jsonify": lambda: flask.jsonify(a=1),
        "make_response": lambda: flask.make_response("text"),
    }
    for name, call in calls.items():
        trace.attempt(name, call)
    with trace.bare().app_context():
        for name in ("after_this_request", "flash", "get_flashed_messages"):
            trace.attempt(name, calls[name])
        trace("jsonify", flask.jsonify(a=1).get_data(as_text=True))
        trace("make_response", flask.make_response("text").get_data(as_text=True))
    trace("redirect", flask.redirect("/there").status)
    trace.attempt("abort", lambda: flask.abort(404))


@scenario
def contexts_popped_more_often_than_pushed(side: Side, trace: Trace) -> None:
    """Popping a request context that is not pushed raises an IndexError and changes nothing."""
    app = trace.app()
    context = app.test_request_context("/")
    trace.attempt("never pushed", context.pop)
    with context:
        pass
    trace.attempt("popped before", context.pop)
    with app.test_request_context("/"):
        trace.attempt("under another", context.pop)
        trace("still there", side.flask.request.path)


@scenario
def g_of_a_request_context_without_application_context(side: Side, trace: Trace) -> None:
    """``ctx.g`` of a context that is not pushed raises an AttributeError."""
    context = trace.bare().test_request_context("/")
    trace.attempt("g", lambda: context.g)
