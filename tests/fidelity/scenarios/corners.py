"""Unusual situations: failing methods, contexts popped by hand, hooks that register hooks, nested requests."""

from __future__ import annotations

import threading
from typing import Any

from werkzeug.exceptions import Gone

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Trace, scenario


def failing_in(trace: Trace, side: Side, name: str) -> Any:
    """Return an application in which the method of that name fails."""

    def fail(self: Any, *arguments: Any, **keywords: Any) -> Any:
        trace(f"in {name}")
        raise Boom(name)

    return trace.app(base=type("Failing", (side.flask.Flask,), {name: fail}))


@scenario
def methods_that_fail_in_a_good_request(side: Side, trace: Trace) -> None:
    """An error in each method that a successful request calls: the handling, and the functions that still run."""
    for name in (
        "request_context",
        "create_url_adapter",
        "full_dispatch_request",
        "try_trigger_before_first_request_functions",
        "preprocess_request",
        "dispatch_request",
        "finalize_request",
        "make_response",
        "process_response",
        "do_teardown_request",
        "do_teardown_appcontext",
    ):
        trace("failing", name)
        trace.serve(failing_in(trace, side, name), "/")


@scenario
def methods_that_fail_in_a_failed_request(side: Side, trace: Trace) -> None:
    """An error in each method that a failed request calls."""
    for name in (
        "handle_user_exception",
        "handle_exception",
        "log_exception",
        "finalize_request",
        "make_response",
        "process_response",
        "do_teardown_request",
    ):
        trace("failing", name)
        trace.serve(failing_in(trace, side, name), "/boom")


@scenario
def methods_that_fail_in_a_request_for_nothing(side: Side, trace: Trace) -> None:
    """An error in each method that a request without a matching rule calls."""
    for name in ("raise_routing_exception", "trap_http_exception", "handle_http_exception"):
        trace("failing", name)
        trace.serve(failing_in(trace, side, name), "/nowhere")


@scenario
def session_methods_that_fail(side: Side, trace: Trace) -> None:
    """An error in each method of the session interface."""
    for name in ("open_session", "make_null_session", "is_null_session", "save_session"):

        def fail(self: Any, *arguments: Any, name: str = name) -> Any:
            raise Boom(name)

        app = trace.app()
        app.session_interface = type("Failing", (side.sessions.SecureCookieSessionInterface,), {name: fail})()
        app.secret_key = None if name == "make_null_session" else "key"
        trace("failing", name)
        trace.serve(app, "/")


@scenario
def context_methods_a_subclass_overrides(side: Side, trace: Trace) -> None:
    """The methods of both contexts that a request, a client and a block call, with the number of arguments."""

    def watched(base: type, names: tuple[str, ...]) -> Any:
        def method(name: str) -> Any:
            def call(self: Any, *arguments: Any) -> Any:
                trace(f"{base.__name__}.{name}", len(arguments))
                return getattr(super(Watched, self), name)(*arguments)

            return call

        Watched = type("Watched", (base,), {name: method(name) for name in names})
        return Watched

    request_context = watched(
        side.ctx.RequestContext, ("push", "pop", "auto_pop", "match_request", "copy", "__enter__", "__exit__")
    )
    app_context = watched(side.ctx.AppContext, ("push", "pop", "__enter__", "__exit__"))
    app = trace.bare()
    app.request_context = lambda environ: request_context(app, environ)
    app.app_context = lambda: app_context(app)
    app.add_url_rule("/", "index", lambda: side.flask.stream_with_context(iter("ab")) and "index")
    app.add_url_rule("/boom", "boom", lambda: 1 / 0)
    trace.serve(app, "/boom")
    trace("block")
    with app.app_context():
        with app.request_context(trace.environ("/")):
            trace("inside")
            side.flask.copy_current_request_context(lambda: trace("copied"))()
    trace("client")
    with app.test_client() as client:
        client.get("/boom")
        client.get("/boom")
        trace("requested")


@scenario
def request_made_in_teardown_appcontext(side: Side, trace: Trace) -> None:
    """A request made while an application context is torn down uses that context."""
    app = trace.app()
    calls = [1]

    @app.teardown_appcontext
    def teardown(error: BaseException | None) -> None:
        if calls:
            calls.pop()
            side.flask.g.mark = "ending"
            trace.serve(app, "/mark")

    app.add_url_rule("/mark", "mark", lambda: side.flask.g.get("mark", "none"))
    trace.serve(app, "/")


@scenario
def hooks_registered_while_they_run(side: Side, trace: Trace) -> None:
    """Hooks that register hooks of the same kind: which of them run in the same request."""
    app = trace.bare()
    app.add_url_rule("/", "index", lambda: "index")

    def registering(name: str, result: bool) -> Any:
        def function(*arguments: Any) -> Any:
            trace(name)
            if not side.flask.g.get(name):
                setattr(side.flask.g, name, True)
                getattr(app, name)(lambda *late: trace(f"late {name}") or (late[0] if result else None))
            return arguments[0] if result else None

        return function

    for name in ("before_first_request", "before_request", "after_request", "teardown_request"):
        getattr(app, name)(registering(name, name == "after_request"))
    app.url_value_preprocessor(registering("url_value_preprocessor", False))
    trace.serve(app, "/")


@scenario
def before_first_request_failing_under_concurrency(side: Side, trace: Trace) -> None:
    """If the functions failed in the first request, the request that waited runs them again."""
    app = trace.bare()
    started, go_on = threading.Event(), threading.Event()
    calls: list[int] = []

    @app.before_first_request
    def failing_once() -> None:
        calls.append(1)
        if len(calls) == 1:
            started.set()
            go_on.wait(10)
            raise Boom("first")

    app.add_url_rule("/", "index", lambda: "index")
    statuses: list[str] = []

    def request() -> None:
        app(trace.environ("/"), lambda status, headers, exc_info=None: statuses.append(status))

    with trace.mute():
        first, second = threading.Thread(target=request), threading.Thread(target=request)
        first.start()
        started.wait(10)
        second.start()
        go_on.set()
        first.join()
        second.join()
    trace("done", len(calls), sorted(statuses), app.got_first_request)


@scenario
def view_pops_its_own_context(side: Side, trace: Trace) -> None:
    """If a view pops the context of the request, it is torn down, and the rest of the request has none."""
    app = trace.app()

    @app.route("/pop")
    def pop() -> str:
        side.globals._request_ctx_stack.top.pop()
        trace("popped", bool(side.flask.request))
        return "popped"

    trace.serve(app, "/pop")
    trace.clear_stacks()


@scenario
def view_pushes_its_own_context_again(side: Side, trace: Trace) -> None:
    """A view may push its own context again if it pops it."""
    app = trace.app()

    @app.route("/push")
    def push() -> str:
        with side.globals._request_ctx_stack.top:
            trace("inside", side.flask.request.path)
        trace("after", side.flask.request.path)
        return "pushed"

    trace.serve(app, "/push")


@scenario
def hand_pushed_context_saves_nothing(side: Side, trace: Trace) -> None:
    """In a context pushed by hand, the session is not saved and after_this_request functions do not run."""
    app = trace.app()
    app.secret_key = "key"
    with app.test_request_context("/"):
        side.flask.session["a"] = 1
        side.flask.after_this_request(lambda response: trace("never") or response)


@scenario
def session_given_to_a_context(side: Side, trace: Trace) -> None:
    """A session set before the push of its context is kept, and none is opened."""
    app = trace.app()
    app.secret_key = "key"
    context = app.test_request_context("/")
    context.session = {"given": 1}
    with context:
        trace("inside", dict(side.flask.session))


@scenario
def error_with_setting_in_an_inner_entry(side: Side, trace: Trace) -> None:
    """PRESERVE_CONTEXT_ON_EXCEPTION, and an error that leaves the inner of two blocks of one context."""
    app = trace.app()
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    context = app.test_request_context("/")
    with context:
        with trace.catching("inner"):
            with context:
                raise Boom("inner")
        trace("kept", context.preserved, context._preserved_exc)
    trace("outside", context.preserved, context._preserved_exc)
    trace.clear_stacks()


@scenario
def closing_functions_and_a_stream(side: Side, trace: Trace) -> None:
    """The context of a stream ends before functions that are called on close, which have none."""
    app = trace.app()

    @app.route("/stream")
    def view() -> Any:
        response = side.flask.Response(side.flask.stream_with_context(iter(["a", "b"])))
        response.call_on_close(lambda: trace("call_on_close", bool(side.flask.request)))
        return response

    trace.serve(app, "/stream")
    trace.serve(app, "/stream", stop_after=1)


@scenario
def url_for_where_the_adapter_failed(side: Side, trace: Trace) -> None:
    """Without a URL adapter, a request cannot build URLs."""
    app = trace.bare()

    def create_url_adapter(request: Any) -> None:
        if request is not None:
            raise Gone()

    app.create_url_adapter = create_url_adapter
    with app.test_request_context("/") as context:
        trace("adapter", context.url_adapter, side.flask.request.routing_exception)
        trace.attempt("url_for", lambda: side.flask.url_for("index"))


@scenario
def finalize_by_hand(side: Side, trace: Trace) -> None:
    """finalize_request makes and processes a response and sends the signal. For an error response, it logs failures."""
    app = trace.app()
    with app.test_request_context("/"):
        trace("finished", app.finalize_request(("made", 201)))

        @app.after_request
        def fail(response: Any) -> Any:
            raise Boom("after_request")

        trace.attempt("failing", lambda: app.finalize_request("made"))
        trace.attempt("failing for an error", lambda: app.finalize_request("made", from_error_handler=True))
        trace.attempt("nothing to finish", lambda: app.finalize_request(None, from_error_handler=True))


@scenario
def first_request_by_hand(side: Side, trace: Trace) -> None:
    """try_trigger_before_first_request_functions runs them once, with or without a request."""
    app = trace.app()
    app.try_trigger_before_first_request_functions()
    trace("once", app.got_first_request)
    app.try_trigger_before_first_request_functions()
    trace.serve(app, "/")


@scenario
def application_contexts_between_two_requests(side: Side, trace: Trace) -> None:
    """A request above an application context of its application, above another request of that application."""
    app = trace.app()
    with app.test_request_context("/?n=outer"):
        side.flask.g.mark = "outer"
        with app.app_context():
            side.flask.g.mark = "between"
            trace.serve(app, "/")
            with app.test_request_context("/?n=inner"):
                trace("inner", side.flask.g.mark, side.flask.request.args["n"])
        trace("outer", side.flask.g.mark, side.flask.request.args["n"])


@scenario
def error_and_teardown_in_nested_apps(side: Side, trace: Trace) -> None:
    """A propagated error of an inner application passes through the outer view. Both teardowns receive it."""
    outer, inner = trace.app("outer"), trace.app("inner")
    inner.config["PROPAGATE_EXCEPTIONS"] = True

    @outer.route("/through")
    def through() -> Any:
        return b"".join(inner(trace.environ("/boom"), lambda *arguments: None))

    trace.serve(outer, "/through")


@scenario
def inner_apps_error_answered_by_the_outer(side: Side, trace: Trace) -> None:
    """If the outer view catches an error of an inner application, only the inner teardown receives it."""
    outer, inner = trace.app("outer"), trace.app("inner")
    inner.testing = True

    @outer.route("/through")
    def through() -> str:
        try:
            inner(trace.environ("/boom"), lambda *arguments: None)
        except Boom as error:
            return f"caught {error}"
        return "nothing"

    trace.serve(outer, "/through")


@scenario
def requests_of_one_app_inside_each_other(side: Side, trace: Trace) -> None:
    """Three nested requests of an application share g, but not their sessions or the error of the innermost."""
    app = trace.app()
    app.secret_key = "key"

    @app.route("/deep/<int:number>")
    def deep(number: int) -> str:
        side.flask.g.setdefault("visited", []).append(number)
        side.flask.session["number"] = number
        if number == 0:
            raise Boom("deepest")
        trace.serve(app, f"/deep/{number - 1}")
        return f"{side.flask.g.visited} {dict(side.flask.session)}"

    trace.serve(app, "/deep/2")


@scenario
def teardown_that_looks_at_what_is_being_handled(side: Side, trace: Trace) -> None:
    """sys.exc_info in teardown: none after a handled error, and the error while it propagates."""
    import sys

    app = trace.app()
    app.teardown_request(lambda error: trace("request", error, sys.exc_info()[1]))
    app.teardown_appcontext(lambda error: trace("application", error, sys.exc_info()[1]))
    trace.serve(app, "/")
    trace.serve(app, "/boom")
    app.testing = True
    trace.serve(app, "/boom")


@scenario
def served_while_an_error_is_handled(side: Side, trace: Trace) -> None:
    """A request in an except block is torn down without the error of the block."""
    app = trace.app()
    try:
        raise Boom("being handled")
    except Boom:
        trace.serve(app, "/")


@scenario
def context_popped_inside_an_except_block_of_a_view(side: Side, trace: Trace) -> None:
    """A context popped in a view's except block receives the error of that block. The request's own does not."""
    app = trace.app()

    @app.route("/nested")
    def nested() -> str:
        context = app.app_context()
        context.push()
        try:
            raise Boom("in view")
        except Boom:
            context.pop()
        return "nested"

    trace.serve(app, "/nested")


@scenario
def preprocessor_that_leaves_no_context(side: Side, trace: Trace) -> None:
    """The second URL value preprocessor runs after the first one has popped the request context."""
    app = trace.app()
    app.url_value_preprocessor(lambda endpoint, values: side.globals._request_ctx_stack.pop())
    app.url_value_preprocessor(lambda endpoint, values: trace("second", endpoint))
    context = app.test_request_context("/")
    context.push()
    try:
        app.preprocess_request()
    except Exception as error:
        trace("ends with", type(error).__name__)
    side.globals._request_ctx_stack.push(context)
    context.pop()


@scenario
def after_request_registered_by_after_this_request(side: Side, trace: Trace) -> None:
    """An after_request function that is registered while those of a request run is called from the next one on."""
    app = trace.bare()

    @app.route("/")
    def index() -> str:
        @side.flask.after_this_request
        def register(response: Any) -> Any:
            app.after_request(lambda response: trace("after_request") or response)
            return response

        return "index"

    trace.serve(app, "/")
    app.view_functions["index"] = lambda: "index"
    trace.serve(app, "/")
