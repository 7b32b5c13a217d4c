"""Contexts that are pushed and popped without a server."""

from __future__ import annotations

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Trace, scenario


@scenario
def request_context_brings_its_application_context(side: Side, trace: Trace) -> None:
    """A request context pushes an application context before itself and pops it after itself."""
    app = trace.app()
    context = app.test_request_context("/")
    trace("made", context.preserved, context in [side.globals._request_ctx_stack.top])
    context.push()
    trace("pushed", side.globals._request_ctx_stack.top, side.globals._app_ctx_stack.top)
    trace("same", side.globals._request_ctx_stack.top is context)
    context.pop()
    trace("popped", side.globals._request_ctx_stack.top, side.globals._app_ctx_stack.top)


@scenario
def application_context_alone(side: Side, trace: Trace) -> None:
    """An application context is pushed and popped without a request, with its signals and teardown."""
    app = trace.app()
    with app.app_context() as context:
        trace("inside", context, context is side.globals._app_ctx_stack.top)
        trace("has", side.flask.has_app_context(), side.flask.has_request_context())
    trace("outside", side.flask.has_app_context(), side.flask.has_request_context())


@scenario
def push_and_pop_return_nothing(side: Side, trace: Trace) -> None:
    """push and pop of contexts return None. Those of stacks return the list and the item."""
    app = trace.app()
    for context in (app.app_context(), app.test_request_context("/")):
        trace("push", context.push())
        trace("pop", context.pop())
    stack = side.local.LocalStack()
    trace("stack push", stack.push("a"), stack.push("b"))
    trace("stack pop", stack.pop(), stack.top, stack.pop(), stack.pop(), stack.top)


@scenario
def enter_returns_the_context(side: Side, trace: Trace) -> None:
    """``with ... as`` returns the context itself."""
    app = trace.app()
    request_context, app_context = app.test_request_context("/"), app.app_context()
    with app_context as entered:
        trace("application", entered is app_context)
    with request_context as entered:
        trace("request", entered is request_context)


@scenario
def application_context_of_same_app_is_used(side: Side, trace: Trace) -> None:
    """A request above an application context of its application, pushed by hand, uses it and does not pop it."""
    app = trace.app()
    with app.app_context() as outer:
        side.flask.g.mark = "outer"
        with app.test_request_context("/"):
            trace("inside", side.globals._app_ctx_stack.top is outer, side.flask.g.mark)
            side.flask.g.late = "inner"
        trace("between", sorted(side.flask.g))
    trace("outside")


@scenario
def served_request_under_own_application_context_keeps_it(side: Side, trace: Trace) -> None:
    """A request above an application context that was pushed by hand tears down only the request."""
    app = trace.app()
    with app.app_context():
        trace.serve(app, "/")
        trace.serve(app, "/boom")
        trace("between")


@scenario
def application_context_of_other_app_is_not_used(side: Side, trace: Trace) -> None:
    """A request above the context of another application pushes its own, which changes current_app."""
    first, second = trace.app("first"), trace.app("second")
    with first.app_context():
        side.flask.g.mark = "first"
        with second.test_request_context("/"):
            trace("inside", side.flask.current_app.name, "mark" in side.flask.g)
        trace("back", side.flask.current_app.name, side.flask.g.mark)


@scenario
def nested_requests_of_one_app_share_the_application_context(side: Side, trace: Trace) -> None:
    """A request context above another one of the same application shares its application context and g."""
    app = trace.app()
    with app.test_request_context("/?n=1"):
        side.flask.g.mark = 1
        outer = side.globals._app_ctx_stack.top
        with app.test_request_context("/?n=2"):
            trace("inner", side.flask.request.args["n"], side.globals._app_ctx_stack.top is outer, side.flask.g.mark)
        trace("outer", side.flask.request.args["n"])


@scenario
def application_context_pushed_inside_a_request(side: Side, trace: Trace) -> None:
    """An application context pushed in a request has its own g, and does not change request."""
    app = trace.app()
    with app.test_request_context("/?n=1") as context:
        side.flask.g.mark = "request"
        with app.app_context() as inner:
            trace("inner", "mark" in side.flask.g, side.flask.request.args["n"], context.g is inner.g)
        trace("outer", side.flask.g.mark)


@scenario
def other_apps_application_context_inside_a_request(side: Side, trace: Trace) -> None:
    """current_app and g depend on the application stack, request and session on the request stack."""
    first, second = trace.app("first"), trace.app("second")
    first.secret_key = "key"
    with first.test_request_context("/one"):
        side.flask.session["mark"] = 1
        with second.app_context():
            trace("inner", side.flask.current_app.name, side.flask.request.path, dict(side.flask.session))
            with first.test_request_context("/two"):
                trace("innermost", side.flask.current_app.name, side.flask.request.path, dict(side.flask.session))
            trace("inner again", side.flask.current_app.name, side.flask.request.path)
        trace("outer", side.flask.current_app.name, side.flask.request.path)


@scenario
def interleaved_contexts_of_two_apps(side: Side, trace: Trace) -> None:
    """Request contexts of two applications in turn each push an application context. They are popped in reverse."""
    first, second = trace.app("first"), trace.app("second")
    contexts = [app.test_request_context(f"/?n={n}") for n, app in enumerate((first, second, first, second))]
    for context in contexts:
        context.push()
        trace("pushed", side.flask.current_app.name, side.flask.request.args["n"])
    for context in reversed(contexts):
        trace("pops", side.flask.current_app.name, side.flask.request.args["n"])
        context.pop()


@scenario
def interleaved_kinds_of_context(side: Side, trace: Trace) -> None:
    """Application and request contexts of two applications, nested in every order."""
    first, second = trace.app("first"), trace.app("second")
    with first.app_context():
        with first.app_context():
            with second.test_request_context("/a"):
                with second.app_context():
                    with second.test_request_context("/b"):
                        with first.test_request_context("/c"):
                            trace("deep", side.flask.current_app.name, side.flask.request.path)
                        trace("after c", side.flask.current_app.name, side.flask.request.path)
                    trace("after b", side.flask.current_app.name, side.flask.request.path)
                trace("after app", side.flask.current_app.name, side.flask.request.path)
            trace("after a", side.flask.current_app.name, bool(side.flask.request))
        trace("after inner", side.flask.current_app.name)


@scenario
def request_context_entered_twice(side: Side, trace: Trace) -> None:
    """A request context entered twice is on its stack twice. The last exit tears it down."""
    app = trace.app()
    app.secret_key = "key"
    context = app.test_request_context("/")
    with context:
        side.flask.g.mark = 1
        side.flask.session["mark"] = 1
        with context:
            trace("inner", side.flask.g.mark, dict(side.flask.session))
        trace("outer", side.flask.g.mark, dict(side.flask.session))
    trace("outside")


@scenario
def request_context_entered_thrice_with_other_app_between(side: Side, trace: Trace) -> None:
    """Entering a context again above another application's context pushes a new application context."""
    first, second = trace.app("first"), trace.app("second")
    context = first.test_request_context("/")
    with context:
        side.flask.g.mark = 1
        with second.app_context():
            with context:
                trace("over other", side.flask.current_app.name, "mark" in side.flask.g)
                with context:
                    trace("third", side.flask.current_app.name)
                trace("second again")
            trace("other again", side.flask.current_app.name)
        trace("first again", side.flask.g.mark)


@scenario
def request_context_used_again_after_its_end(side: Side, trace: Trace) -> None:
    """A popped request context can be entered again, with the same session and a new g, and is torn down again."""
    app = trace.app()
    app.secret_key = "key"
    context = app.test_request_context("/")
    for turn in (1, 2):
        with context:
            trace("inside", turn, sorted(side.flask.g), dict(side.flask.session), side.flask.session.new)
            side.flask.g.mark = turn
            side.flask.session["mark"] = turn


@scenario
def application_context_entered_twice(side: Side, trace: Trace) -> None:
    """An application context counts its pushes and sends signals for each. Only the last pop tears it down."""
    app = trace.app()
    context = app.app_context()
    with context:
        side.flask.g.mark = 1
        with context:
            trace("inner", side.flask.g.mark)
        trace("outer", side.flask.g.mark)
    trace("outside")


@scenario
def application_context_used_again_after_its_end(side: Side, trace: Trace) -> None:
    """An application context entered again after its end has the same g, and is torn down again."""
    app = trace.app()
    context = app.app_context()
    for turn in (1, 2):
        with context:
            trace("inside", sorted(side.flask.g))
            setattr(side.flask.g, f"turn_{turn}", 1)


@scenario
def one_application_context_under_two_requests(side: Side, trace: Trace) -> None:
    """Two requests above one application context share its g. Neither tears it down."""
    app = trace.app()
    with app.app_context():
        for turn in (1, 2):
            with app.test_request_context("/"):
                side.flask.g.setdefault("turns", []).append(turn)
        trace("turns", side.flask.g.turns)


@scenario
def block_that_raises_tears_down_with_its_error(side: Side, trace: Trace) -> None:
    """An error that leaves the block is passed to both teardowns and raised."""
    app = trace.app()
    with trace.catching("request block"):
        with app.test_request_context("/"):
            raise Boom("in request")
    with trace.catching("application block"):
        with app.app_context():
            raise Boom("in application")
    with trace.catching("both"):
        with app.app_context(), app.test_request_context("/"):
            raise Boom("in both")


@scenario
def error_in_inner_entry_is_not_seen_by_teardown(side: Side, trace: Trace) -> None:
    """An error handled between two blocks of one context is not passed to teardown."""
    app = trace.app()
    context = app.test_request_context("/")
    with context:
        with trace.catching("inner"):
            with context:
                raise Boom("inner")
        trace("still there", side.flask.request.path)


@scenario
def pop_given_an_error(side: Side, trace: Trace) -> None:
    """Teardown functions receive the error that is passed to pop, for both kinds of contexts."""
    app = trace.app()
    for make in (app.app_context, lambda: app.test_request_context("/")):
        for error in (Boom("given"), None):
            context = make()
            context.push()
            context.pop(error)


@scenario
def pop_while_an_error_is_handled(side: Side, trace: Trace) -> None:
    """pop without an argument in an except block passes the error of the block to teardown. None passes none."""
    app = trace.app()
    for make in (app.app_context, lambda: app.test_request_context("/")):
        for arguments in ((), (None,)):
            context = make()
            context.push()
            try:
                raise Boom("being handled")
            except Boom:
                context.pop(*arguments)


@scenario
def block_without_error_inside_an_except_block(side: Side, trace: Trace) -> None:
    """A with block in an except block passes no error to teardown if it succeeds."""
    app = trace.app()
    try:
        raise Boom("being handled")
    except Boom:
        with app.app_context():
            trace("application")
        with app.test_request_context("/"):
            trace("request")


@scenario
def teardown_sees_both_contexts(side: Side, trace: Trace) -> None:
    """Both contexts are on the stacks during teardown_request, only the application context in teardown_appcontext."""
    app = trace.app()

    def look(event: str) -> None:
        has = side.flask.has_app_context(), side.flask.has_request_context()
        trace(event, has, side.flask.g.get("mark"), side.flask.current_app.name)

    app.teardown_request(lambda error: look("in teardown_request"))
    app.teardown_appcontext(lambda error: look("in teardown_appcontext"))
    with app.test_request_context("/"):
        side.flask.g.mark = 1


@scenario
def contexts_know_their_parts(side: Side, trace: Trace) -> None:
    """The attributes of a request context and of an application context."""
    app = trace.app()
    context = app.test_request_context("/?a=1")
    trace("before", context.app is app, context.session, context.flashes, context.preserved, context.request.path)
    trace("matched", context.request.url_rule, context.url_adapter is not None)
    with context:
        app_context = side.globals._app_ctx_stack.top
        trace("rule", context.request.url_rule.endpoint, context.request.view_args)
        trace("request", context.request is side.flask.request._get_current_object())
        trace("session", type(context.session), context.session is side.flask.session._get_current_object())
        trace("app", app_context.app is app, app_context.url_adapter)
        trace("g", app_context.g is side.flask.g._get_current_object(), type(app_context.g))
    trace("after", context.session is not None, context.flashes, context.preserved)


@scenario
def url_is_matched_at_push(side: Side, trace: Trace) -> None:
    """The push of a context matches the URL, with the session and the current rules."""
    app = trace.app()
    app.secret_key = "key"

    class Watched(side.ctx.RequestContext):
        def match_request(self):
            trace("match_request", self.session is not None, side.flask.current_app.name)
            super().match_request()
            trace("matched", self.request.endpoint, self.request.routing_exception)

    context = Watched(app, trace.environ("/late"))
    trace("made", context.request.url_rule)
    app.add_url_rule("/late", "late", lambda: "late")
    with context:
        with context:
            trace("again")


@scenario
def unknown_url_is_no_error_at_push(side: Side, trace: Trace) -> None:
    """The error of an unknown URL is stored in the request and raised during dispatch."""
    app = trace.app()
    with app.test_request_context("/nowhere"):
        trace("kept", side.flask.request.routing_exception, side.flask.request.endpoint, side.flask.request.view_args)
        trace.attempt("dispatch", app.dispatch_request)


@scenario
def g_of_a_request_context_is_the_top_application_contexts(side: Side, trace: Trace) -> None:
    """``ctx.g`` reads, replaces and deletes the g of the application context on top."""
    app = trace.app()
    with app.test_request_context("/") as context:
        side.flask.g.mark = 1
        trace("read", context.g.mark)
        with app.app_context() as inner:
            context.g = app.app_ctx_globals_class()
            context.g.mark = 2
            trace("replaced", side.flask.g.mark, inner.g.mark)
        trace("outer", context.g.mark)


@scenario
def request_context_copied_by_hand(side: Side, trace: Trace) -> None:
    """A copy shares the request and session, but is another context with its own application context."""
    app = trace.app()
    app.secret_key = "key"
    with app.test_request_context("/?a=1") as context:
        side.flask.session["mark"] = 1
        copied = context.copy()
        trace("copy", copied is context, copied.request is context.request, copied.session is context.session)
        trace("flashes", copied.flashes, copied.preserved)
    with copied:
        trace("inside", side.flask.request.args["a"], dict(side.flask.session), sorted(side.flask.g))


@scenario
def copy_pushed_over_its_original(side: Side, trace: Trace) -> None:
    """A copy entered above its original uses its application context. The copy's request is torn down."""
    app = trace.app()
    with app.test_request_context("/") as context:
        side.flask.g.mark = 1
        with context.copy() as copied:
            trace("copy", side.globals._request_ctx_stack.top is copied, side.flask.g.mark)
        trace("original", side.globals._request_ctx_stack.top is context)


@scenario
def request_context_made_from_an_environ(side: Side, trace: Trace) -> None:
    """``request_context(environ)`` returns a context that is not pushed, with a request for that environ."""
    app = trace.app()
    environ = trace.environ("/?a=1")
    context = app.request_context(environ)
    trace("made", type(context), context.request.environ is environ)
    with context:
        trace("inside", side.flask.request.args["a"])


@scenario
def request_context_given_a_request(side: Side, trace: Trace) -> None:
    """A RequestContext accepts an existing request and session, and opens none."""
    app = trace.app()
    app.secret_key = "key"
    request = app.request_class(trace.environ("/?a=1"))
    with side.ctx.RequestContext(app, request.environ, request=request, session={"given": 1}) as context:
        trace("inside", context.request is request, dict(side.flask.session))


@scenario
def environ_forgets_the_request_at_the_end(side: Side, trace: Trace) -> None:
    """The last pop of a context removes the request from its environ."""
    app = trace.app()
    environ = trace.environ("/")
    context = app.request_context(environ)
    trace("before", environ.get("werkzeug.request") is context.request)
    with context:
        trace("inside", environ.get("werkzeug.request") is context.request)
    trace("after", environ.get("werkzeug.request"))


@scenario
def storage_is_as_drawn_and_empty_afterwards(side: Side, trace: Trace) -> None:
    """The storage of a stack is ``{ident: {"stack": [contexts]}}``, and is empty after the last pop."""
    app = trace.app()
    stacks = side.globals._request_ctx_stack, side.globals._app_ctx_stack
    ident = side.local.get_ident()
    trace("idle", [ident in stack._local.__storage__ for stack in stacks])
    with app.test_request_context("/") as context:
        trace("pushed", [stack._local.__storage__[ident] for stack in stacks])
        with app.test_request_context("/"), context:
            trace("more", [stack._local.__storage__[ident] for stack in stacks])
    trace("idle again", [ident in stack._local.__storage__ for stack in stacks])


@scenario
def stack_pushed_by_hand(side: Side, trace: Trace) -> None:
    """Extensions push any objects with the right attributes, and the proxies read them."""
    app = trace.app()

    class Look:
        def __init__(self, **attributes):
            self.__dict__.update(attributes)

    requests, apps = side.globals._request_ctx_stack, side.globals._app_ctx_stack
    requests.push(Look(request="a request", session={"a": 1}))
    apps.push(Look(app=app, g=Look(mark=1)))
    trace("seen", str(side.flask.request), side.flask.session["a"], side.flask.current_app.name, side.flask.g.mark)
    trace("has", side.flask.has_request_context(), side.flask.has_app_context())
    requests.pop()
    apps.pop()


@scenario
def extension_state_on_the_top_context(side: Side, trace: Trace) -> None:
    """Attributes that an extension sets on the top of a stack exist as long as that context."""
    app = trace.app()
    app.teardown_appcontext(
        lambda error: trace("closing", getattr(side.globals._app_ctx_stack.top, "connection", "none"))
    )
    with app.app_context():
        side.globals._app_ctx_stack.top.connection = "first"
        with app.app_context():
            trace("inner", hasattr(side.globals._app_ctx_stack.top, "connection"))
        trace("outer", side.globals._app_ctx_stack.top.connection)


@scenario
def session_that_fails_to_open_leaves_the_context_pushed(side: Side, trace: Trace) -> None:
    """If opening the session fails, push raises the error and leaves the context on the stack."""

    class Failing(side.sessions.SessionInterface):
        def open_session(self, app, request):
            trace("open_session")
            raise Boom("open_session")

    app = trace.app()
    app.session_interface = Failing()
    context = app.test_request_context("/")
    trace.attempt("push", context.push)
    trace("still there", side.globals._request_ctx_stack.top is context)
    context.pop()


@scenario
def session_that_fails_to_open_in_a_served_request(side: Side, trace: Trace) -> None:
    """An error of opening the session is handled like an error of the view. Both stacks are empty afterwards."""

    class Failing(side.sessions.SessionInterface):
        def open_session(self, app, request):
            raise Boom("open_session")

        def save_session(self, app, session, response):
            trace("save_session", session)

    app = trace.app()
    app.session_interface = Failing()
    trace.serve(app, "/")


@scenario
def request_class_that_fails_is_the_servers_affair(side: Side, trace: Trace) -> None:
    """An error while the request is created is not handled, because there is no context yet."""

    class Failing(side.flask.Request):
        def __init__(self, *arguments, **keywords):
            raise Boom("request")

    app = trace.app()
    app.request_class = Failing
    trace.serve(app, "/")


@scenario
def adapter_that_fails(side: Side, trace: Trace) -> None:
    """An HTTP error of create_url_adapter becomes the routing exception. Any other error is raised."""
    from werkzeug.exceptions import Gone

    app = trace.app()
    for error in (Gone(), Boom("adapter")):

        def create_url_adapter(request, error=error):
            trace("create_url_adapter", request is not None)
            if request is not None:
                raise error

        app.create_url_adapter = create_url_adapter
        trace.serve(app, "/")


@scenario
def threads_do_not_see_each_others_contexts(side: Side, trace: Trace) -> None:
    """A thread does not see the contexts of another one, and can push its own."""
    app = trace.app()

    def other() -> None:
        trace("thread", bool(side.flask.request), bool(side.flask.g), side.flask.has_app_context())
        with app.test_request_context("/?n=2"):
            trace("thread inside", side.flask.request.args["n"])

    with app.test_request_context("/?n=1"):
        trace.in_thread(other)
        trace("main", side.flask.request.args["n"])


@scenario(needs="greenlet")
def greenlets_do_not_see_each_others_contexts(side: Side, trace: Trace) -> None:
    """Two greenlets of a thread that switch during their requests do not affect each other."""
    import greenlet

    app = trace.app()
    main = greenlet.getcurrent()

    def request(number: int) -> None:
        with app.test_request_context(f"/?n={number}"):
            side.flask.g.number = number
            main.switch()
            trace("resumed", side.flask.request.args["n"], side.flask.g.number)

    workers = [greenlet.greenlet(request) for _ in range(3)]
    for number, worker in enumerate(workers):
        worker.switch(number)
        trace("main", bool(side.flask.request))
    for worker in reversed(workers):
        worker.switch()
    trace("dead", [worker.dead for worker in workers])


@scenario(needs="greenlet")
def greenlet_starts_without_its_parents_contexts(side: Side, trace: Trace) -> None:
    """A greenlet started in a request has none of its contexts. Its parent keeps them."""
    import greenlet

    app = trace.app()
    with app.test_request_context("/"):
        greenlet.greenlet(lambda: trace("child", bool(side.flask.request), bool(side.flask.current_app))).switch()
        trace("parent", side.flask.request.path)
