"""Departures from Flask 1.1.4. Each docstring says what Flask 1.1.4 or Werkzeug 3 did.

A scenario traces only its result, in one or two lines, which the test states for both libraries.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Callable

from werkzeug.exceptions import BadRequestKeyError, NotFound

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Trace, scenario


def error_of(function: Callable[[], Any]) -> BaseException | None:
    """Return the error that ``function`` raises."""
    try:
        function()
    except BaseException as error:
        return error
    return None


def telling(trace: Trace, name: str = "scenario") -> tuple[Any, list[str]]:
    """Return an application, and the list of its teardown functions that have run."""
    app, ran = trace.bare(name), []
    app.teardown_request(lambda error: ran.append("teardown_request"))
    app.teardown_appcontext(lambda error: ran.append("teardown_appcontext"))
    app.add_url_rule("/", "index", lambda: "index")
    return app, ran


def served(trace: Trace, app: Any, path: str = "/", **environ: Any) -> Any:
    """Return the result of a request for a server: its error or its status."""
    seen: list[Any] = []
    with trace.mute():
        error = error_of(lambda: app(trace.environ(path, **environ), lambda *arguments: seen.extend(arguments)))
    return error or seen[0]


def vary(trace: Trace, app: Any, action: Callable[[], Any], cookie: str = "") -> tuple[bool, list[Any]]:
    """Return whether the response after ``action`` has ``Vary: Cookie``, and the content of the session's cookies."""
    app.view_functions["index"] = lambda: str(action())
    with trace.mute():
        headers = trace.headers(trace.serve(app, "/", HTTP_COOKIE=cookie).headers)
    return headers.get("Vary") == ["Cookie"], [cookie["holds"] for cookie in headers.get("Set-Cookie", ())]


def with_session(side: Side, trace: Trace, **values: Any) -> tuple[Any, str]:
    """Return an application, and a cookie of its session with ``values``."""
    app, _ = telling(trace)
    app.secret_key = "key"
    app.view_functions["index"] = lambda: side.flask.session.update(values) or "index"
    with trace.mute():
        return app, trace.serve(app, "/").cookie


@scenario
def refreshed_cookie_without_vary(side: Side, trace: Trace) -> None:
    """1.1.4 refreshed the cookie of a permanent session without ``Vary: Cookie`` if the session was not read."""
    app, cookie = with_session(side, trace, a=1, _permanent=True)
    trace("refreshed", *vary(trace, app, lambda: None, cookie))


@scenario
def emptied_session_without_vary(side: Side, trace: Trace) -> None:
    """1.1.4 deleted the cookie of an emptied session without ``Vary: Cookie``."""
    app, cookie = with_session(side, trace, a=1)
    trace("cleared", *vary(trace, app, lambda: side.flask.session.clear(), cookie))
    trace("popped", *vary(trace, app, lambda: side.flask.session.pop("a"), cookie))


@scenario
def emptied_session_without_attributes(side: Side, trace: Trace) -> None:
    """1.1.4 deleted a cookie without the attributes ``Secure`` and ``SameSite``, which browsers may require."""
    app, cookie = with_session(side, trace, a=1)
    app.config.update(SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="None")
    app.view_functions["index"] = lambda: side.flask.session.clear() or "index"
    with trace.mute():
        sent = trace.serve(app, "/", HTTP_COOKIE=cookie).headers
    (header,) = (value for name, value in sent if name == "Set-Cookie")
    trace("taken away", "; Secure" in header, "; SameSite=None" in header, "Max-Age=0" in header)


@scenario
def empty_session_read_without_vary(side: Side, trace: Trace) -> None:
    """1.1.4 sent no ``Vary: Cookie`` for a response that depended on an empty session."""
    app, _ = with_session(side, trace, a=1)
    trace("read", *vary(trace, app, lambda: side.flask.session.get("a")))
    trace("flashes", *vary(trace, app, lambda: side.flask.get_flashed_messages()))


@scenario
def several_vary_headers(side: Side, trace: Trace) -> None:
    """1.1.4 kept only the first of several ``Vary`` headers when it added its own value."""
    app, cookie = with_session(side, trace, a=1)

    def varying() -> Any:
        response = side.flask.make_response(str(side.flask.session["a"]))
        response.headers.add("Vary", "Accept")
        response.headers.add("Vary", "Origin")
        return response

    app.view_functions["index"] = varying
    with trace.mute():
        sent = trace.serve(app, "/", HTTP_COOKIE=cookie).headers
    trace("sent", [value for name, value in sent if name == "Vary"])


@scenario
def readings_that_did_not_count(side: Side, trace: Trace) -> None:
    """1.1.4 did not count ``in``, ``len``, iteration, views, comparison and copies of a session as access."""
    app, cookie = with_session(side, trace, a=1)
    readings: dict[str, Callable[[Any], Any]] = {
        "in": lambda session: "a" in session,
        "len": lambda session: len(session),
        "bool": lambda session: bool(session),
        "iter": lambda session: list(session),
        "keys": lambda session: session.keys(),
        "values": lambda session: session.values(),
        "items": lambda session: session.items(),
        "==": lambda session: session == {"a": 1},
        "!=": lambda session: session != {"a": 1},
        "copy": lambda session: session.copy(),
        "repr": lambda session: repr(session),
        "dict": lambda session: dict(session),
        "pop": lambda session: session.pop("none", "default"),
    }
    counted = []
    for name, read in readings.items():
        if vary(trace, app, lambda read=read: read(side.flask.session._get_current_object()), cookie)[0]:
            counted.append(name)
    trace("counted", counted)


@scenario
def request_context_popped_under_another(side: Side, trace: Trace) -> None:
    """1.1.4 tore down one context and popped the other before it raised the error."""
    app, ran = telling(trace)
    lower, upper = app.test_request_context("/?n=lower"), app.test_request_context("/?n=upper")
    with trace.mute():
        lower.push()
        upper.push()
        error = error_of(lower.pop)
    trace("popped", error, ran, side.flask.request.args["n"])
    trace.clear_stacks()


@scenario
def application_context_popped_under_another(side: Side, trace: Trace) -> None:
    """1.1.4 tore down one context and popped the other before it raised the error."""
    app, ran = telling(trace)
    lower, upper = app.app_context(), app.app_context()
    with trace.mute():
        lower.push()
        upper.push()
        error = error_of(lower.pop)
    trace("popped", error, ran, side.globals._app_ctx_stack.top is upper)
    trace.clear_stacks()


@scenario
def application_context_popped_that_was_never_pushed(side: Side, trace: Trace) -> None:
    """1.1.4 ran teardown functions and popped the context on top before it raised the error."""
    app, ran = telling(trace)
    with trace.mute():
        error = error_of(app.app_context().pop)
    trace("on an empty stack", error, ran)
    with trace.mute():
        app.app_context().push()
        error = error_of(app.app_context().pop)
    trace("over another", error, ran)
    trace.clear_stacks()


@scenario
def request_context_popped_in_another_thread(side: Side, trace: Trace) -> None:
    """1.1.4 ran teardown functions in a thread without a context before it raised the error."""
    app, ran = telling(trace)
    context = app.test_request_context("/")
    errors: list[Any] = []
    with trace.mute():
        context.push()
        trace.in_thread(lambda: errors.append(error_of(context.pop)))
    trace("popped", errors, ran, side.globals._request_ctx_stack.top is context)
    trace.clear_stacks()


@scenario
def application_context_forgotten_in_a_view(side: Side, trace: Trace) -> None:
    """1.1.4 left the request's application context on the stack if a view had pushed one and not popped it."""
    app, ran = telling(trace)
    other, _ = telling(trace, "other")
    app.add_url_rule("/forget", "forget", lambda: other.app_context().push() or "forgotten")
    trace("forgotten", served(trace, app, "/forget"), ran)
    trace.clear_stacks()


@scenario
def request_context_forgotten_in_a_view(side: Side, trace: Trace) -> None:
    """1.1.4 left the request's context on the stack for the next request if a view had pushed one."""
    app, ran = telling(trace)
    app.add_url_rule("/forget", "forget", lambda: app.test_request_context("/").push() or "forgotten")
    trace("forgotten", served(trace, app, "/forget"), ran)
    trace.clear_stacks()


@scenario
def application_context_forgotten_in_a_block(side: Side, trace: Trace) -> None:
    """1.1.4 popped the leaked context and left that of the block on the stack."""
    app, ran = telling(trace)
    other, _ = telling(trace, "other")

    def block() -> None:
        with app.app_context():
            other.app_context().push()

    with trace.mute():
        error = error_of(block)
    trace("left", error, ran)
    trace.clear_stacks()


@scenario
def request_context_taken_off_in_a_view(side: Side, trace: Trace) -> None:
    """1.1.4 ran no teardown functions of a request if a view had popped its context."""
    app, ran = telling(trace)
    app.add_url_rule("/take", "take", lambda: side.globals._request_ctx_stack.pop() and "taken")
    trace("taken", served(trace, app, "/take"), ran)
    trace.clear_stacks()


@scenario
def context_kept_by_a_client_in_a_view(side: Side, trace: Trace) -> None:
    """1.1.4 left the request's context on the stack if a client block in the view preserved one."""
    app, ran = telling(trace)
    app.add_url_rule("/keep", "keep", lambda: app.test_client().__enter__().get("/").data)
    trace("kept", served(trace, app, "/keep"), ran)
    trace.clear_stacks()


@scenario
def block_whose_push_failed(side: Side, trace: Trace) -> None:
    """1.1.4 left both contexts on the stacks if entering ``with test_request_context`` failed."""

    class Failing(side.sessions.SessionInterface):
        def open_session(self, app, request):
            raise Boom("open_session")

    app, ran = telling(trace)
    app.session_interface = Failing()

    def block() -> None:
        with app.test_request_context("/"):
            ran.append("block")

    with trace.mute():
        error = error_of(block)
    trace("block", error, ran)
    trace.clear_stacks()


@scenario(needs="blinker")
def failing_receiver_of_appcontext_pushed(side: Side, trace: Trace) -> None:
    """1.1.4 left the application context on the stack if a receiver failed. In a request, the error was lost."""
    app, ran = telling(trace)

    def receive(sender: Any) -> None:
        raise Boom("appcontext_pushed")

    with side.signals.appcontext_pushed.connected_to(receive, app):
        with trace.mute():
            error = error_of(app.app_context().push)
        trace("pushed", error)
        trace.clear_stacks()
        trace("served", served(trace, app), ran)
        trace.clear_stacks()


@scenario
def application_context_that_cannot_be_made(side: Side, trace: Trace) -> None:
    """1.1.4 replaced the error of an app_context method by an IndexError from popping an unpushed context."""
    app, ran = telling(trace)

    def fail() -> None:
        raise Boom("app_context")

    app.app_context = fail
    trace("served", served(trace, app), ran)


@scenario
def streams_closed_first_one_first(side: Side, trace: Trace) -> None:
    """1.1.4 popped the context of the other stream, and left its own for the next request of the thread."""
    app, ran = telling(trace)
    app.add_url_rule("/stream", "stream", lambda: side.flask.Response(side.flask.stream_with_context(iter("ab"))))
    with trace.mute():
        lower = app(trace.environ("/stream?n=lower"), lambda *arguments: None)
        upper = app(trace.environ("/stream?n=upper"), lambda *arguments: None)
        errors = [error_of(lower.close)]
        between = [
            context.request.args["n"] for context in getattr(side.globals._request_ctx_stack._local, "stack", ())
        ]
        errors.append(error_of(upper.close))
    trace("closed", errors, between, ran)
    trace.clear_stacks()


@scenario
def streams_read_in_turns(side: Side, trace: Trace) -> None:
    """In 1.1.4, two streams that are open in one thread both have the request of the one that began last."""
    app, ran = telling(trace)

    @app.route("/stream/<name>")
    def view(name: str) -> Any:
        def stream() -> Iterator[str]:
            for number in range(3):
                yield f"{name}{number} {side.flask.request.path}"

        return side.flask.Response(side.flask.stream_with_context(stream()))

    with trace.mute():
        lower = app(trace.environ("/stream/lower"), lambda *arguments: None)
        upper = app(trace.environ("/stream/upper"), lambda *arguments: None)
        lower_parts, upper_parts = iter(lower), iter(upper)
        parts = [next(part).decode() for part in (lower_parts, upper_parts, lower_parts)]
        upper.close()
        parts.append(next(lower_parts).decode())
        lower.close()
    trace("read", parts, ran)


@scenario
def request_beside_a_waiting_stream(side: Side, trace: Trace) -> None:
    """In 1.1.4, a request that begins while a stream waits reads its ``g``, and is only partly torn down."""
    app, ran = telling(trace)

    @app.route("/stream")
    def stream() -> Any:
        side.flask.g.user = "ada"
        return side.flask.Response(side.flask.stream_with_context(iter("ab")))

    app.add_url_rule("/user", "user", lambda: side.flask.g.get("user", "nobody"))
    with trace.mute():
        waiting = app(trace.environ("/stream"), lambda *arguments: None)
        body = app(trace.environ("/user"), lambda *arguments: None)
        seen = b"".join(body).decode()
        ended = list(ran)
        waiting.close()
    trace("seen", seen, ended)
    trace.clear_stacks()


@scenario
def stream_closed_during_another_request(side: Side, trace: Trace) -> None:
    """In 1.1.4, a stream that is closed late pops the context of a running request."""
    app, ran = telling(trace)
    open_streams: list[Any] = []
    errors: list[Any] = []

    @app.route("/stream")
    def stream() -> Any:
        return side.flask.Response(side.flask.stream_with_context(iter("ab")))

    @app.route("/close")
    def close() -> str:
        errors.append(error_of(open_streams.pop().close))
        return side.flask.request.path

    with trace.mute():
        open_streams.append(app(trace.environ("/stream"), lambda *arguments: None))
    trace("answered", served(trace, app, "/close"), errors, side.flask.has_request_context(), ran)
    trace.clear_stacks()


@scenario
def failed_block_kept_inside_another(side: Side, trace: Trace) -> None:
    """1.1.4 popped the inner context, which its failure had preserved, and left the outer one on the stack."""
    app, ran = telling(trace)
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True

    def blocks() -> None:
        with app.test_request_context("/?n=outer"):
            with contextlib.suppress(Boom):
                with app.test_request_context("/?n=inner"):
                    raise Boom("inner")

    with trace.mute():
        error = error_of(blocks)
    trace("ended", error, ran)
    trace.clear_stacks()


@scenario
def failing_teardown_of_a_kept_context(side: Side, trace: Trace) -> None:
    """1.1.4 replaced the error of teardown by a RuntimeError, as it read the request for the log without a context."""
    app = trace.bare()
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    app.add_url_rule("/boom", "boom", lambda: 1 / 0)

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        raise Boom("teardown")

    trace("kept", served(trace, app, "/boom"))
    trace("next", served(trace, app, "/boom"))


@scenario
def copied_function_called_at_the_same_time(side: Side, trace: Trace) -> None:
    """1.1.4 used one context for simultaneous calls of a copied function, so only the last one was torn down."""
    app, ran = telling(trace)
    barrier = threading.Barrier(3)
    with trace.mute(), app.test_request_context("/"):
        work = side.flask.copy_current_request_context(lambda: barrier.wait(10))

        def call() -> None:
            with contextlib.suppress(AssertionError):
                work()

        threads = [threading.Thread(target=call) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        torn_down = ran.count("teardown_request")
    trace("torn down", torn_down)


@scenario
def request_inside_before_first_request(side: Side, trace: Trace) -> None:
    """In 1.1.4, a before_first_request function that made a request to its own application caused a deadlock."""
    app, _ = telling(trace)
    app.before_first_request(lambda: app(trace.environ("/"), lambda *arguments: None))
    ended = threading.Event()

    def request() -> None:
        app(trace.environ("/"), lambda *arguments: None)
        ended.set()

    with trace.mute():
        threading.Thread(target=request, daemon=True).start()
        ended.wait(10)
    trace("ended", ended.is_set())


@scenario
def values_of_threads_that_ended(side: Side, trace: Trace) -> None:
    """1.1.4 kept the values that threads left in a Local or on a stack for ever."""
    local, stack = side.local.Local(), side.local.LocalStack()

    def leave() -> None:
        local.value = 1
        stack.push(1)

    with trace.mute():
        for _ in range(200):
            trace.in_thread(leave)
    trace("most are kept", len(local.__storage__) > 100, len(stack._local.__storage__) > 100)


@scenario
def values_of_a_thread_with_the_same_ident(side: Side, trace: Trace) -> None:
    """With threads as idents, a new thread in 1.1.4 read the values of an ended one with the same ident."""
    stack = side.local.LocalStack()
    stack.__ident_func__ = threading.get_ident
    idents: list[int] = []
    seen: list[Any] = []

    def leave() -> None:
        idents.append(threading.get_ident())
        seen.append(stack.top)
        stack.push("left behind")

    with trace.mute():
        for _ in range(5):
            trace.in_thread(leave)
    # Threads that run one after the other have the same ident.
    trace("seen", "left behind" in seen, len(set(idents)) < len(idents))


@scenario
def abort_given_an_error(side: Side, trace: Trace) -> None:
    """1.1.4 accepted an HTTP error or a WSGI application. Werkzeug 3's abort takes a status or a response."""
    app = trace.bare()
    app.register_error_handler(404, lambda error: "404")

    def plain(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("203 OTHER", [("Content-Type", "text/plain")])
        return [b"plain"]

    app.add_url_rule("/error", "error", lambda: side.flask.abort(NotFound()))
    app.add_url_rule("/callable", "callable", lambda: side.flask.abort(plain))
    with trace.mute():
        answers = [served(trace, app, "/error"), served(trace, app, "/callable")]
    trace("answered", answers)


@scenario
def trapped_key_error_without_a_key(side: Side, trace: Trace) -> None:
    """1.1.4 read the key of a ``BadRequestKeyError`` without a key, so that the error was lost."""
    app, _ = telling(trace)
    app.config.update(TRAP_BAD_REQUEST_ERRORS=True, PROPAGATE_EXCEPTIONS=True)

    def fail() -> None:
        raise BadRequestKeyError()

    app.view_functions["index"] = fail
    trace("surfaced", served(trace, app))


@scenario
def signed_cookie_that_holds_no_session(side: Side, trace: Trace) -> None:
    """1.1.4 failed if a signed cookie contained neither a dictionary nor pairs."""
    app, _ = telling(trace)
    app.secret_key = "key"
    app.testing = True
    app.view_functions["index"] = lambda: repr(dict(side.flask.session))
    sign = side.sessions.SecureCookieSessionInterface().get_signing_serializer(app).dumps
    for value in ([["a", 1]], 7, "text"):
        seen: list[Any] = []
        with trace.mute():
            cookie = f"session={sign(value)}"
            environ = trace.environ("/", HTTP_COOKIE=cookie)
            error = error_of(lambda: seen.extend(app(environ, lambda *arguments: None)))  # noqa: B023
        trace("seen", type(error).__name__ if error else b"".join(seen).decode())


@scenario
def application_context_in_use_above_a_kept_context(side: Side, trace: Trace) -> None:
    """1.1.4 popped an application context in use to end a preserved request context below it."""
    app, ran = telling(trace)
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    app.view_functions["index"] = lambda: 1 / 0
    served(trace, app)
    in_use = app.app_context()
    with trace.mute():
        in_use.push()
        error = error_of(lambda: app.test_request_context().__enter__().pop())
    trace("in use", type(error).__name__, side.globals._app_ctx_stack.top is in_use, ran)
    with trace.mute():
        while side.globals._app_ctx_stack.pop():
            pass


def answer(trace: Trace, app: Any, path: str, method: str = "GET") -> tuple[str, str | None, str]:
    """Return the status, the location, and the body of a response that is not an error page."""
    with trace.mute():
        seen = trace.serve(app, path, method)
    location = trace.headers(seen.headers).get("Location", [None])[0]
    return seen.status, location, seen.body.decode("latin1") if seen.status.startswith("2") else ""


@scenario
def converter_not_asked(side: Side, trace: Trace) -> None:
    """Werkzeug 3 calls a rule's converter after it has checked the method and slashes, Werkzeug 1 before."""
    app = trace.bare()
    app.add_url_rule("/post/<int(max=5):number>", "post", lambda number: "post", methods=["POST"])
    app.add_url_rule("/slash/<int(max=5):number>/", "slash", lambda number: "slash")
    app.add_url_rule("/slash/<name>", "name", lambda name: "name")
    app.add_url_rule("/twice/<int(max=5):number>", "twice", lambda number: "twice")
    app.add_url_rule("/socket/<int(max=5):number>", "socket", lambda number: "socket", websocket=True)
    app.add_url_rule("/allow/<int(max=5):number>", "number", lambda number: "number", methods=["PUT"])
    app.add_url_rule("/allow/<name>", "allow", lambda name: "allow")
    trace("method", *answer(trace, app, "/post/10"))
    trace("slash", *answer(trace, app, "/slash/10"))
    trace("repeated slash", *answer(trace, app, "/twice//10"))
    trace("websocket", *answer(trace, app, "/socket/10"))
    with trace.mute():
        headers = trace.headers(trace.serve(app, "/allow/10", "OPTIONS").headers)
    trace("allowed", headers["Allow"])


@scenario
def rules_that_differ_by_a_slash(side: Side, trace: Trace) -> None:
    """Werkzeug 3 prefers a rule that ends as the URL does, Werkzeug 1 the rule that was added first."""
    app = trace.bare()
    app.add_url_rule("/page/", "folder", lambda: "folder")
    app.add_url_rule("/page", "page", lambda: "page")
    trace("served", *answer(trace, app, "/page"))


@scenario
def path_converter_and_a_slash_too_many(side: Side, trace: Trace) -> None:
    """Werkzeug 3 passes a final slash that ``strict_slashes=False`` allows to the converter."""
    app = trace.bare()
    app.add_url_rule("/<path:rest>", "rest", lambda rest: rest, strict_slashes=False)
    app.add_url_rule("/page/<path:rest>/<name>", "page", lambda rest, name: f"{rest} {name}", strict_slashes=False)
    trace("last", *answer(trace, app, "/a/"))
    trace("earlier", *answer(trace, app, "/page/a/b/"))


@scenario
def rules_beside_a_path_converter(side: Side, trace: Trace) -> None:
    """Of two matching rules, Werkzeug 3 may choose the one that begins with a ``path`` converter."""
    app = trace.bare()
    app.add_url_rule("/<name>/<page>", "names", lambda name, page: "names")
    app.add_url_rule("/<path:rest>/<page>", "path", lambda rest, page: "path")
    trace("chosen", *answer(trace, app, "/a/b"))


@scenario
def equal_rules_with_defaults(side: Side, trace: Trace) -> None:
    """Of two equal rules, Werkzeug 3 chooses the one that was added first, Werkzeug 1 the one without defaults."""
    app = trace.bare()
    app.add_url_rule("/", "defaults", lambda number: f"number {number}", defaults={"number": 1})
    app.add_url_rule("/", "plain", lambda: "plain")
    trace("chosen", *answer(trace, app, "/"))


@scenario
def websocket_upgrade(side: Side, trace: Trace) -> None:
    """Werkzeug 3 recognizes a WebSocket request by its headers, Werkzeug 1 only by the scheme."""
    app = trace.bare()
    app.add_url_rule("/socket", "socket", lambda: "socket", websocket=True)
    app.add_url_rule("/page", "page", lambda: "page")
    for path in ("/socket", "/page"):
        trace(path, str(served(trace, app, path, HTTP_CONNECTION="upgrade", HTTP_UPGRADE="websocket")))


@scenario
def slashes_beside_a_path_converter(side: Side, trace: Trace) -> None:
    """Werkzeug 3 merges slashes if nothing matches without that, Werkzeug 1 for each rule in turn."""
    app = trace.bare()
    app.add_url_rule("/a/b", "page", lambda: "page")
    app.add_url_rule("/<path:rest>", "rest", lambda rest: rest)
    trace("merged", *answer(trace, app, "/a//b"))


@scenario
def slashes_and_methods(side: Side, trace: Trace) -> None:
    """Werkzeug 3 checks the method before the slashes of a URL, Werkzeug 1 after them."""
    app = trace.bare()
    app.add_url_rule("/merged/a", "merged", lambda: "merged")
    app.add_url_rule("/exact/a", "exact", lambda: "exact", merge_slashes=False)
    trace("merged", *answer(trace, app, "/merged//a", "DELETE"))
    trace("exact", *answer(trace, app, "/exact//a", "DELETE"))


@scenario
def charset_of_a_response_class(side: Side, trace: Trace) -> None:
    """Werkzeug 3 encodes every response as UTF-8."""

    class Latin(side.flask.Response):  # type: ignore[name-defined, misc]
        charset = "latin1"

    app, _ = telling(trace)
    app.response_class = Latin
    app.view_functions["index"] = lambda: "\xe9"
    seen: list[Any] = []
    with trace.mute():
        body = b"".join(app(trace.environ("/"), lambda *arguments: seen.extend(arguments)))
    trace("sent", dict(seen[1])["Content-Type"], len(body))


@scenario
def stream_closed_before_its_first_part(side: Side, trace: Trace) -> None:
    """1.1.4 did not close the iterator of a stream that was closed before anything was read."""
    app, ran = telling(trace)
    closed: list[str] = []

    class Parts:
        def __iter__(self) -> Parts:
            return self

        def __next__(self) -> str:
            return "part"

        def close(self) -> None:
            closed.append("closed")

    with trace.mute():
        with app.test_request_context("/"):
            stream = side.flask.stream_with_context(Parts())
        stream.close()
    trace("closed", closed, ran)


@scenario
def stack_whose_list_was_emptied(side: Side, trace: Trace) -> None:
    """1.1.4 raised an error if the list of a stack was emptied by hand and popped."""
    stack = side.local.LocalStack()
    stack.push("entry")
    stack._local.stack.clear()
    trace("emptied", stack.top, type(error_of(stack.pop)).__name__)
    stack._local.__release_local__()


@scenario
def applications_that_are_equal(side: Side, trace: Trace) -> None:
    """1.1.4 compared applications by ``==``, so that one ran with the application context of another."""

    class Equal(side.flask.Flask):  # type: ignore[name-defined, misc]
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        def __hash__(self) -> int:
            return 0

    outer, inner = trace.bare("outer", Equal), trace.bare("inner", Equal)
    with trace.mute(), outer.app_context():
        side.flask.g.user = "ada"
        with inner.test_request_context("/"):
            seen = side.flask.current_app.name, "user" in side.flask.g
    trace("seen", *seen)


@scenario
def rules_changed_after_they_were_added(side: Side, trace: Trace) -> None:
    """1.1.4 applied a change of a rule's ``build_only``, but not one of the map's ``merge_slashes``."""
    app, _ = telling(trace)
    app.add_url_rule("/a/b", "nested", lambda: "nested")
    app.url_map.merge_slashes = False
    for rule in app.url_map.iter_rules():
        rule.build_only = rule.endpoint == "index"
    trace("changed", served(trace, app, "/"), served(trace, app, "/a//b"))


@scenario
def contexts_taken_off_in_teardown_functions(side: Side, trace: Trace) -> None:
    """1.1.4 raised an error if a teardown function popped the context that was ending, and left the other one."""
    for kind, stack in (("request", side.globals._request_ctx_stack), ("appcontext", side.globals._app_ctx_stack)):
        app, ran = telling(trace, kind)
        getattr(app, f"teardown_{kind}")(lambda error, stack=stack: stack.pop() and None)
        trace(kind, type(served(trace, app)).__name__, ran)
        trace.clear_stacks()


@scenario
def request_context_taken_off_in_a_stream(side: Side, trace: Trace) -> None:
    """1.1.4 raised an error at the end of a stream that had popped its context, and ran no teardown functions."""
    app, ran = telling(trace)

    def parts() -> Iterator[str]:
        yield "first"
        side.globals._request_ctx_stack.pop()
        yield "last"

    app.view_functions["index"] = lambda: app.response_class(side.flask.stream_with_context(parts()))
    with trace.mute():
        body = app(trace.environ("/"), lambda *arguments: None)
        error = error_of(lambda: b"".join(body))
    trace("read", type(error).__name__, ran)


@scenario
def environ_changed_after_the_request_was_made(side: Side, trace: Trace) -> None:
    """The request of 1.1.4 read its method and its path from the environ each time."""
    app, _ = telling(trace)
    with trace.mute(), app.test_request_context("/"):
        environ = side.flask.request.environ
        environ.update(REQUEST_METHOD="PUT", REMOTE_ADDR="10.0.0.1")
        seen = side.flask.request.method, side.flask.request.remote_addr
    trace("changed", *seen)


@scenario
def bytes_as_the_value_of_a_header(side: Side, trace: Trace) -> None:
    """1.1.4 decoded bytes that were given as the value of a header."""
    response = side.flask.Response("text", headers={"X-Bytes": b"value"})
    trace("sent", response.headers["X-Bytes"])


@scenario
def url_with_capital_letters_and_a_semicolon(side: Side, trace: Trace) -> None:
    """1.1.4 left the host of a URL as it was, and quoted a ``;`` in the query."""
    app, _ = telling(trace)
    with trace.mute(), app.request_context(trace.environ("/?a=1;b=%3B", HTTP_HOST="Example.COM")):
        url = side.flask.request.url
    trace("url", url)


@scenario
def environ_that_overrides_reading(side: Side, trace: Trace) -> None:
    """1.1.4 read the method by ``environ[...]``, and so from the override of a subclass."""

    class Posting(dict):  # type: ignore[type-arg]
        def __getitem__(self, name: str) -> object:
            return "POST" if name == "REQUEST_METHOD" else dict.__getitem__(self, name)

    app, _ = telling(trace)
    with trace.mute(), app.request_context(Posting(trace.environ("/"))):
        method = side.flask.request.method
    trace("read", method)
