"""Contexts that stay on the stack after their request, because of a client in a block or of an error."""

from __future__ import annotations

from typing import Any

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Crash, Trace, scenario


def look(side: Side, trace: Trace, event: str) -> None:
    """Trace the context on top of the request stack and its state."""
    top = side.globals._request_ctx_stack.top
    if top is None:
        trace(event, None)
    else:
        trace(event, top, top.preserved, top._preserved_exc, top.request.path)


@scenario
def client_in_a_block_keeps_the_context(side: Side, trace: Trace) -> None:
    """In ``with client``, the context of the last request stays. The end of the block tears it down."""
    app = trace.app()
    with app.test_client() as client:
        trace.answer("answer", client.get("/?a=1"))
        look(side, trace, "kept")
        trace("proxies", side.flask.request.args["a"], side.flask.current_app.name)
    look(side, trace, "gone")


@scenario
def client_without_a_block_keeps_nothing(side: Side, trace: Trace) -> None:
    """Outside ``with client``, the context ends with the request."""
    app = trace.app()
    client = app.test_client()
    trace.answer("answer", client.get("/"))
    look(side, trace, "gone")


@scenario
def next_request_of_the_client_pops_the_kept_context(side: Side, trace: Trace) -> None:
    """The next push tears down the preserved context, before it pushes an application context."""
    app = trace.app()
    with app.test_client() as client:
        for number in (1, 2, 3):
            trace.answer("answer", client.get(f"/?n={number}"))
            look(side, trace, "kept")
            trace("n", side.flask.request.args["n"])


@scenario
def kept_context_shows_what_the_view_left(side: Side, trace: Trace) -> None:
    """g and session have the values of the view, and can be changed."""
    app = trace.app()
    app.secret_key = "key"

    @app.route("/leave")
    def leave() -> str:
        side.flask.g.mark = 1
        side.flask.session["mark"] = 1
        side.flask.flash("hello")
        return "left"

    with app.test_client() as client:
        client.get("/leave")
        trace("left", side.flask.g.mark, side.flask.session["mark"], side.flask.get_flashed_messages())
        side.flask.session["late"] = 1
        client.get("/")
        trace("next", sorted(side.flask.g), sorted(side.flask.session))


@scenario
def error_leaving_the_client_block_reaches_teardown(side: Side, trace: Trace) -> None:
    """A preserved context is torn down with the error that leaves the block."""
    app = trace.app()
    with trace.catching("block"):
        with app.test_client() as client:
            client.get("/")
            raise Boom("block")


@scenario
def error_after_the_block_is_none_of_its_business(side: Side, trace: Trace) -> None:
    """A client block in an except block is torn down with the error that is being handled."""
    app = trace.app()
    try:
        raise Boom("being handled")
    except Boom:
        with app.test_client() as client:
            client.get("/")


@scenario
def unhandled_error_in_a_client_block(side: Side, trace: Trace) -> None:
    """The client returns the 500 and the context stores the error, but the end of the block tears down without it."""
    app = trace.app()
    with app.test_client() as client:
        trace.answer("answer", client.get("/boom"))
        look(side, trace, "kept")


@scenario
def unhandled_error_then_a_next_request(side: Side, trace: Trace) -> None:
    """The next request tears down the preserved context with the stored error."""
    app = trace.app()
    with app.test_client() as client:
        client.get("/boom")
        look(side, trace, "kept")
        client.get("/")
        look(side, trace, "kept next")


@scenario
def propagated_error_in_a_client_block(side: Side, trace: Trace) -> None:
    """With TESTING, the client raises the error, and the context of the failed request can be inspected."""
    app = trace.app()
    app.testing = True
    with app.test_client() as client:
        trace.attempt("get", client.get, "/boom")
        look(side, trace, "kept")
        trace("proxies", side.flask.request.path)


@scenario
def handled_error_in_a_client_block(side: Side, trace: Trace) -> None:
    """A handled error is not stored."""
    app = trace.app()
    app.register_error_handler(Boom, lambda error: "handled")
    with app.test_client() as client:
        trace.answer("answer", client.get("/boom"))
        look(side, trace, "kept")


@scenario
def unknown_url_in_a_client_block(side: Side, trace: Trace) -> None:
    """The context of a 404 is preserved as well, with its routing exception."""
    app = trace.app()
    with app.test_client() as client:
        client.get("/nowhere")
        look(side, trace, "kept")
        trace("request", side.flask.request.routing_exception, side.flask.request.url_rule)


@scenario
def client_entered_inside_itself(side: Side, trace: Trace) -> None:
    """A client cannot be entered twice at once, but again after its block."""
    app = trace.app()
    client = app.test_client()
    with client:
        client.get("/")
        with trace.catching("nested", ("client",)):
            with client:
                trace("entered")
        look(side, trace, "still kept")
    with client:
        client.get("/")


@scenario
def two_clients_nested(side: Side, trace: Trace) -> None:
    """A request of an inner client pops the preserved context of the outer one. After its block, none is left."""
    app = trace.app()
    with app.test_client() as outer:
        outer.get("/?c=outer")
        with app.test_client() as inner:
            look(side, trace, "outer kept")
            inner.get("/?c=inner")
            look(side, trace, "inner kept")
        look(side, trace, "inner closed")
        outer.get("/?c=outer")
        look(side, trace, "outer again")
    look(side, trace, "closed")


@scenario
def inner_client_without_request_pops_the_outers_context(side: Side, trace: Trace) -> None:
    """The end of a client block without requests pops a preserved context as well."""
    app = trace.app()
    with app.test_client() as outer:
        outer.get("/")
        with app.test_client():
            look(side, trace, "inside")
        look(side, trace, "after inner")


@scenario
def clients_of_two_apps_nested(side: Side, trace: Trace) -> None:
    """A request to another application pops the preserved context and calls its own teardown functions."""
    first, second = trace.app("first"), trace.app("second")
    with first.test_client() as one, second.test_client() as two:
        one.get("/")
        look(side, trace, "first kept")
        two.get("/")
        look(side, trace, "second kept")
        trace("app", side.flask.current_app.name)


@scenario
def kept_context_and_an_application_context(side: Side, trace: Trace) -> None:
    """An application context pushed above a preserved context does not pop it."""
    app = trace.app()
    with app.test_client() as client:
        client.get("/")
        side.flask.g.mark = 1
        with app.app_context():
            look(side, trace, "inside")
            trace("g", "mark" in side.flask.g)
        look(side, trace, "after")


@scenario
def kept_context_and_a_test_request_context(side: Side, trace: Trace) -> None:
    """A request context pushed by hand pops the preserved one."""
    app = trace.app()
    with app.test_client() as client:
        client.get("/?n=kept")
        with app.test_request_context("/?n=pushed"):
            look(side, trace, "pushed")
        look(side, trace, "after")


@scenario
def kept_context_seen_from_another_thread(side: Side, trace: Trace) -> None:
    """Another thread does not see a preserved context, and its requests do not pop it."""
    app = trace.app()

    def other() -> None:
        look(side, trace, "thread")
        trace.serve(app, "/?n=thread")

    with app.test_client() as client:
        client.get("/?n=kept")
        trace.in_thread(other)
        look(side, trace, "still kept")


@scenario
def kept_context_and_a_server_call(side: Side, trace: Trace) -> None:
    """A request without the client pops the preserved context and preserves none."""
    app = trace.app()
    with app.test_client() as client:
        client.get("/?n=kept")
        trace.serve(app, "/?n=served")
        look(side, trace, "after")


@scenario
def client_used_inside_a_view(side: Side, trace: Trace) -> None:
    """If a view calls its application with a client, the inner request has ended when the view continues."""
    app = trace.app()

    @app.route("/outer")
    def outer() -> str:
        trace.answer("inner", app.test_client().get("/"))
        look(side, trace, "outer again")
        return "outer"

    trace.serve(app, "/outer")


@scenario
def client_block_inside_a_view(side: Side, trace: Trace) -> None:
    """A client block in a view preserves its context above that of the view until the block ends."""
    app = trace.app()

    @app.route("/outer")
    def outer() -> str:
        side.flask.g.mark = 1
        with app.test_client() as client:
            client.get("/")
            look(side, trace, "kept")
            trace("g", "mark" in side.flask.g)
        look(side, trace, "outer again")
        return "outer"

    trace.serve(app, "/outer")


@scenario
def client_block_around_pushed_context(side: Side, trace: Trace) -> None:
    """The end of a client block pops only preserved contexts, not those pushed by hand."""
    app = trace.app()
    context = app.test_request_context("/?n=pushed")
    with app.test_client() as client:
        client.get("/?n=kept")
        context.push()
    look(side, trace, "pushed stays")
    context.pop()


@scenario
def client_in_a_context_pushed_by_hand(side: Side, trace: Trace) -> None:
    """A client block inside a context pushed by hand pops its preserved context and leaves the other one."""
    app = trace.app()
    with app.test_request_context("/?n=pushed"):
        with app.test_client() as client:
            client.get("/?n=kept")
            look(side, trace, "kept")
            client.get("/boom")
            look(side, trace, "kept after boom")
        look(side, trace, "pushed")


@scenario
def kept_context_popped_by_hand(side: Side, trace: Trace) -> None:
    """If a preserved context is popped by hand, the end of the block does not pop it again."""
    app = trace.app()
    with app.test_client() as client:
        client.get("/")
        context = side.globals._request_ctx_stack.top
        context.pop()
        trace("popped", context.preserved, context._preserved_exc)
    trace("end")


@scenario
def kept_context_entered_again(side: Side, trace: Trace) -> None:
    """Entering a preserved context pops it first, so it is torn down and pushed again."""
    app = trace.app()
    with app.test_client() as client:
        client.get("/")
        context = side.globals._request_ctx_stack.top
        with context:
            look(side, trace, "entered")
        look(side, trace, "left")


def fail_with(trace: Trace, **config: Any) -> Any:
    app = trace.app()
    app.config.update(config)
    return app


@scenario
def debug_keeps_a_failed_request(side: Side, trace: Trace) -> None:
    """With DEBUG, the context of a failed request stays after the server's call. The next push tears it down."""
    app = fail_with(trace, DEBUG=True)
    trace.serve(app, "/boom")
    look(side, trace, "kept")
    trace.serve(app, "/")
    look(side, trace, "gone")


@scenario
def debug_does_not_keep_a_good_request(side: Side, trace: Trace) -> None:
    """With DEBUG, the context of a request without an error is popped."""
    app = fail_with(trace, DEBUG=True)
    trace.serve(app, "/")
    look(side, trace, "gone")


@scenario
def testing_does_not_keep_a_failed_request(side: Side, trace: Trace) -> None:
    """TESTING propagates the error and does not preserve the context."""
    app = fail_with(trace, TESTING=True)
    trace.serve(app, "/boom")
    look(side, trace, "gone")


@scenario
def preserve_setting_without_debug(side: Side, trace: Trace) -> None:
    """PRESERVE_CONTEXT_ON_EXCEPTION preserves the context of a failed request that is answered with a 500."""
    app = fail_with(trace, PRESERVE_CONTEXT_ON_EXCEPTION=True)
    trace("setting", app.preserve_context_on_exception)
    trace.serve(app, "/boom")
    look(side, trace, "kept")
    trace.serve(app, "/")
    look(side, trace, "gone")


@scenario
def preserve_setting_off_in_debug(side: Side, trace: Trace) -> None:
    """PRESERVE_CONTEXT_ON_EXCEPTION set to False overrides DEBUG."""
    app = fail_with(trace, DEBUG=True, PRESERVE_CONTEXT_ON_EXCEPTION=False)
    trace("setting", app.preserve_context_on_exception)
    trace.serve(app, "/boom")
    look(side, trace, "gone")


@scenario
def two_failures_in_a_row_keep_one_context(side: Side, trace: Trace) -> None:
    """A failed request pops the preserved context of the previous one, so at most one stays."""
    app = fail_with(trace, PRESERVE_CONTEXT_ON_EXCEPTION=True)
    for number in (1, 2, 3):
        trace.serve(app, f"/boom?n={number}")
        look(side, trace, "kept")
    side.globals._request_ctx_stack.top.pop()


@scenario
def preserved_error_is_the_one_teardown_sees(side: Side, trace: Trace) -> None:
    """The next push tears down a failed context with its own error. A plain pop passes none."""
    app = fail_with(trace, PRESERVE_CONTEXT_ON_EXCEPTION=True)
    trace.serve(app, "/boom")
    with app.test_request_context("/"):
        trace("next")
    trace.serve(app, "/boom")
    side.globals._request_ctx_stack.top.pop()
    trace.serve(app, "/boom")
    side.globals._request_ctx_stack.top.pop(Boom("given"))


@scenario
def failing_block_is_kept_too(side: Side, trace: Trace) -> None:
    """An error that leaves ``with test_request_context`` preserves the context as well."""
    app = fail_with(trace, PRESERVE_CONTEXT_ON_EXCEPTION=True)
    with trace.catching("block"):
        with app.test_request_context("/?n=1"):
            raise Boom("block")
    look(side, trace, "kept")
    with app.test_request_context("/?n=2"):
        look(side, trace, "second")
    look(side, trace, "gone")


@scenario
def preserved_when_a_base_exception_escapes(side: Side, trace: Trace) -> None:
    """An error that is not an Exception is not handled. Its context is preserved if it is configured."""
    app = fail_with(trace, PRESERVE_CONTEXT_ON_EXCEPTION=True)

    @app.route("/crash")
    def crash() -> None:
        raise Crash("view")

    trace.serve(app, "/crash")
    look(side, trace, "kept")
    trace.serve(app, "/")


@scenario
def ignored_error_is_not_kept(side: Side, trace: Trace) -> None:
    """An error ignored by should_ignore_error neither preserves the context nor reaches teardown."""

    class Ignoring(side.flask.Flask):
        def should_ignore_error(self, error):
            trace("should_ignore_error", error)
            return error is not None

    app = trace.app(base=Ignoring)
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    trace.serve(app, "/boom")
    look(side, trace, "gone")
    trace.serve(app, "/")


@scenario
def preserved_request_under_a_hand_pushed_application_context(side: Side, trace: Trace) -> None:
    """If a preserved request used an outer application context, popping it leaves that one."""
    app = fail_with(trace, PRESERVE_CONTEXT_ON_EXCEPTION=True)
    with app.app_context():
        trace.serve(app, "/boom")
        look(side, trace, "kept")
        trace.serve(app, "/")
        trace("between")


@scenario
def preserved_request_of_another_app(side: Side, trace: Trace) -> None:
    """A request to another application tears down the failed context of the first."""
    first, second = fail_with(trace, PRESERVE_CONTEXT_ON_EXCEPTION=True), trace.app("second")
    trace.serve(first, "/boom")
    trace.serve(second, "/")
    look(side, trace, "gone")


@scenario
def nested_failure_keeps_the_inner_context_over_the_outer(side: Side, trace: Trace) -> None:
    """A failed context inside one pushed by hand stays on top of it until the next push."""
    app = fail_with(trace, PRESERVE_CONTEXT_ON_EXCEPTION=True)
    outer = app.test_request_context("/?n=outer")
    outer.push()
    trace.serve(app, "/boom")
    look(side, trace, "inner kept")
    trace.serve(app, "/")
    look(side, trace, "outer")
    outer.pop()


@scenario
def environ_key_asks_to_keep_the_context(side: Side, trace: Trace) -> None:
    """The client sets a key of the environ, which a server's call can set as well."""
    app = trace.app()
    trace.serve(app, "/", **{"flask._preserve_context": True})
    look(side, trace, "kept")
    trace.serve(app, "/", **{"flask._preserve_context": False})
    look(side, trace, "gone")


@scenario
def auto_pop_by_hand(side: Side, trace: Trace) -> None:
    """auto_pop preserves a context for an error only if it is configured. Otherwise, it pops with that error."""
    app = trace.app()
    for setting in (False, True):
        app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = setting
        for error in (None, Boom("given")):
            context = app.test_request_context("/")
            context.push()
            trace("auto_pop", setting, error)
            context.auto_pop(error)
            look(side, trace, "after")
    side.globals._request_ctx_stack.top.pop()


@scenario
def session_transaction_in_a_client_block(side: Side, trace: Trace) -> None:
    """A session transaction pushes a request context of its own, which pops the preserved one."""
    app = trace.app()
    app.secret_key = "key"
    with app.test_client() as client:
        client.get("/?n=kept")
        with client.session_transaction() as session:
            session["mark"] = 1
            trace("inside", side.flask.request.args.get("n"))
        client.get("/?n=after")
        trace("kept", dict(side.flask.session))


@scenario
def session_transaction_outside_a_block(side: Side, trace: Trace) -> None:
    """Without a preserved context, the request proxy is unbound in a session transaction."""
    app = trace.app()
    app.secret_key = "key"
    client = app.test_client()
    with client.session_transaction() as session:
        session["mark"] = 1
        trace("inside", bool(side.flask.request))
    with client.session_transaction() as session:
        trace("again", dict(session))
    with client:
        client.get("/")
        trace("request", dict(side.flask.session))


@scenario
def session_transaction_that_fails(side: Side, trace: Trace) -> None:
    """After an error in a session transaction, no context is left and no session is saved."""
    app = trace.app()
    app.secret_key = "key"
    client = app.test_client()
    with trace.catching("transaction"):
        with client.session_transaction() as session:
            session["mark"] = 1
            raise Boom("transaction")
    with client.session_transaction() as session:
        trace("again", dict(session))


@scenario
def session_transaction_without_a_key_or_cookies(side: Side, trace: Trace) -> None:
    """A session transaction requires a client with cookies and a session that can be opened."""
    app = trace.app()
    with trace.catching("no key", ("session",)):
        with app.test_client().session_transaction():
            trace("entered")
    app.secret_key = "key"
    with trace.catching("no cookies", ("cookies",)):
        with app.test_client(use_cookies=False).session_transaction():
            trace("entered")


@scenario
def redirects_followed_in_a_client_block(side: Side, trace: Trace) -> None:
    """Each request of a followed redirect pops the previous context. The last one is preserved."""
    app = trace.app()
    app.add_url_rule("/go", "go", lambda: side.flask.redirect("/?n=there"))
    with app.test_client() as client:
        trace.answer("answer", client.get("/go", follow_redirects=True))
        look(side, trace, "kept")


@scenario
def debug_failure_through_a_client_without_block(side: Side, trace: Trace) -> None:
    """With DEBUG, a failed request of a client without a block raises and is preserved until the next one."""
    app = fail_with(trace, DEBUG=True)
    client = app.test_client()
    trace.attempt("get", client.get, "/boom")
    look(side, trace, "kept")
    trace.answer("next", client.get("/"))
    look(side, trace, "gone")


@scenario
def client_block_pops_every_kept_context(side: Side, trace: Trace) -> None:
    """The end of a client block pops all preserved contexts on top, the last one first."""
    app = fail_with(trace, PRESERVE_CONTEXT_ON_EXCEPTION=True)
    with app.test_client():
        contexts = [app.test_request_context(f"/?n={number}") for number in (1, 2, 3)]
        for context in contexts:
            context.push()
        for context in contexts:
            context.preserved = True
        look(side, trace, "kept")
    look(side, trace, "gone")
