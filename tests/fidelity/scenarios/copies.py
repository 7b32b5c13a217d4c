"""Contexts that run elsewhere: copies in threads and greenlets, and streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Trace, scenario


@scenario
def copied_context_in_a_thread(side: Side, trace: Trace) -> None:
    """A copied function runs elsewhere with the request and session, has its own g, and is torn down."""
    app = trace.app()
    app.secret_key = "key"

    @app.route("/start")
    def start() -> str:
        side.flask.g.mark = 1
        side.flask.session["mark"] = 1

        @side.flask.copy_current_request_context
        def work(number: int, *, text: str) -> str:
            trace("work", side.flask.request.args["a"], dict(side.flask.session), sorted(side.flask.g), number, text)
            trace("app", side.flask.current_app.name)
            return "worked"

        trace.in_thread(lambda: work(3, text="three"))
        return "started"

    trace.serve(app, "/start?a=1")


@scenario
def copied_context_after_the_request_ended(side: Side, trace: Trace) -> None:
    """The copy can be used after the request was torn down."""
    app = trace.app()
    kept: list[Any] = []

    @app.route("/start")
    def start() -> str:
        kept.append(side.flask.copy_current_request_context(lambda: trace("later", side.flask.request.args["a"])))
        return "started"

    trace.serve(app, "/start?a=1")
    kept[0]()
    trace.in_thread(kept[0])


@scenario
def copied_context_shares_the_session(side: Side, trace: Trace) -> None:
    """Values that the copy writes to the session during the request are saved in the cookie."""
    app = trace.app()
    app.secret_key = "key"

    @app.route("/start")
    def start() -> str:
        @side.flask.copy_current_request_context
        def work() -> None:
            side.flask.session["from thread"] = True

        trace.in_thread(work)
        return str(side.flask.session["from thread"])

    trace.serve(app, "/start")


@scenario
def copied_context_in_the_same_thread(side: Side, trace: Trace) -> None:
    """Called in the same thread, the copy is pushed above the original and shares its application context and g."""
    app = trace.app()

    @app.route("/start")
    def start() -> str:
        side.flask.g.mark = 1
        work = side.flask.copy_current_request_context(lambda: trace("work", sorted(side.flask.g)))
        work()
        return "started"

    trace.serve(app, "/start")


@scenario
def copied_context_called_twice(side: Side, trace: Trace) -> None:
    """A copied function can be called again. Each call is torn down."""
    app = trace.app()
    with app.test_request_context("/?a=1"):
        work = side.flask.copy_current_request_context(
            lambda: trace("work", side.flask.request.args["a"], side.globals._request_ctx_stack.top.preserved)
        )
    work()
    work()


@scenario
def copied_context_in_many_threads_at_once(side: Side, trace: Trace) -> None:
    """Several copies of a request run at the same time in threads, each with its own g."""
    app = trace.bare()
    seen: list[Any] = []
    barrier = threading.Barrier(4)
    with app.test_request_context("/?a=1"):
        threads = []
        for number in range(4):

            @side.flask.copy_current_request_context
            def work(number: int = number) -> None:
                side.flask.g.number = number
                barrier.wait(10)
                seen.append([side.flask.g.number, side.flask.request.args["a"], trace.depths()])

            threads.append(threading.Thread(target=work))
    with trace.mute():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    trace("seen", sorted(seen))


@scenario
def failing_function_in_a_copied_context(side: Side, trace: Trace) -> None:
    """An error of the copied function is passed to teardown and raised."""
    app = trace.app()
    with app.test_request_context("/"):

        @side.flask.copy_current_request_context
        def work() -> None:
            raise Boom("work")

        trace.in_thread(work)
        trace("original", side.flask.request.path)


@scenario
def failing_function_in_a_preserved_copy(side: Side, trace: Trace) -> None:
    """With PRESERVE_CONTEXT_ON_EXCEPTION, a failed copy stays on the stack of its thread."""
    app = trace.app()
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True

    def fail() -> None:
        raise Boom("work")

    with app.test_request_context("/"):
        work = side.flask.copy_current_request_context(fail)

    def in_thread() -> None:
        trace.attempt("work", work)
        top = side.globals._request_ctx_stack.top
        trace("kept", top, top.preserved, top._preserved_exc)
        top.pop()

    trace.in_thread(in_thread)


@scenario
def copied_function_keeps_its_name(side: Side, trace: Trace) -> None:
    """The copied function has the name and docstring of the original."""
    app = trace.bare()

    def work() -> None:
        """Works."""

    with app.test_request_context("/"):
        copied = side.flask.copy_current_request_context(work)
    trace("copied", copied.__name__, copied.__doc__, copied is work)


@scenario
def copying_outside_a_request(side: Side, trace: Trace) -> None:
    """A function can only be copied in a request. An application context is not enough."""
    app = trace.bare()
    words = ("request context",)
    trace.attempt("none", lambda: side.flask.copy_current_request_context(print), words=words)
    with app.app_context():
        trace.attempt("application", lambda: side.flask.copy_current_request_context(print), words=words)


@scenario
def copy_takes_flashes_along_in_the_session(side: Side, trace: Trace) -> None:
    """Messages flashed before the copy are unread in the session that the copy shares."""
    app = trace.app()
    app.secret_key = "key"
    with app.test_request_context("/"):
        side.flask.flash("before")
        work = side.flask.copy_current_request_context(lambda: trace("copy", side.flask.get_flashed_messages()))
        trace.in_thread(work)
        trace("original", side.flask.get_flashed_messages())


@scenario
def copy_does_not_take_deferred_functions_along(side: Side, trace: Trace) -> None:
    """after_this_request in a copy registers for the copy, which never has a response."""
    app = trace.app()

    @app.route("/start")
    def start() -> str:
        work = side.flask.copy_current_request_context(
            lambda: side.flask.after_this_request(lambda response: trace("never") or response) and None
        )
        trace.in_thread(work)
        return "started"

    trace.serve(app, "/start")


@scenario(needs="greenlet")
def copied_context_in_a_greenlet(side: Side, trace: Trace) -> None:
    """A copied function runs in a greenlet that is switched to while the request runs and after it ended."""
    import greenlet

    app = trace.app()
    app.secret_key = "key"
    workers: list[Any] = []

    @app.route("/start")
    def start() -> str:
        side.flask.session["mark"] = 1

        @side.flask.copy_current_request_context
        def work() -> str:
            side.flask.g.mark = "greenlet"
            trace("work", side.flask.request.args["a"], dict(side.flask.session))
            greenlet.getcurrent().parent.switch()
            trace("work again", side.flask.request.args["a"], side.flask.g.mark)
            return "worked"

        workers.append(greenlet.greenlet(work))
        workers[0].switch()
        trace("view", sorted(side.flask.g))
        return "started"

    trace.serve(app, "/start?a=1")
    trace("resumed", workers[0].switch(), workers[0].dead)


@scenario(needs="greenlet")
def requests_served_in_turns_by_greenlets(side: Side, trace: Trace) -> None:
    """Requests that switch to each other in their views end in their own contexts."""
    import greenlet

    app = trace.app()
    hub = greenlet.getcurrent()

    @app.route("/wait/<name>")
    def wait(name: str) -> str:
        side.flask.g.name = name
        hub.switch()
        trace("resumed", name, side.flask.g.name, side.flask.request.path)
        if name == "b":
            raise Boom(name)
        return name

    workers = {name: greenlet.greenlet(lambda name=name: trace.serve(app, f"/wait/{name}")) for name in "abc"}
    for worker in workers.values():
        worker.switch()
    for name in "bca":
        workers[name].switch()


@scenario(needs="greenlet")
def greenlet_killed_in_its_request(side: Side, trace: Trace) -> None:
    """A greenlet that is killed during a request passes GreenletExit to teardown and leaves no context."""
    import greenlet

    app = trace.app()
    hub = greenlet.getcurrent()
    app.add_url_rule("/wait", "wait", lambda: hub.switch() or "never")
    worker = greenlet.greenlet(lambda: trace.serve(app, "/wait"))
    worker.switch()
    worker.throw()
    trace("dead", worker.dead, worker in side.globals._request_ctx_stack._local.__storage__)


def streaming_app(side: Side, trace: Trace, stream: Any) -> Any:
    app = trace.app()
    app.secret_key = "key"

    @app.route("/stream")
    def view() -> Any:
        trace("view")
        response = side.flask.Response(side.flask.stream_with_context(stream()))
        trace("view ends")
        return response

    return app


@scenario
def stream_finished(side: Side, trace: Trace) -> None:
    """A stream with context has the request and g until its end, when the request is torn down."""

    def stream() -> Iterator[str]:
        trace("stream begins", side.flask.request.args["a"], side.flask.current_app.name)
        yield "one "
        yield side.flask.request.args["a"]
        trace("stream ends", side.flask.g.get("mark"))

    app = streaming_app(side, trace, stream)
    app.before_request(lambda: setattr(side.flask.g, "mark", 1))
    trace.serve(app, "/stream?a=1")


@scenario
def stream_abandoned(side: Side, trace: Trace) -> None:
    """If the server closes a stream early, the stream and teardown receive GeneratorExit."""

    def stream() -> Iterator[str]:
        try:
            yield "one"
            yield "two"
        finally:
            trace("stream closed", side.flask.request.path)

    trace.serve(streaming_app(side, trace, stream), "/stream", stop_after=1)


@scenario
def stream_never_begun(side: Side, trace: Trace) -> None:
    """A stream that is closed before its first chunk is torn down without running."""

    def stream() -> Iterator[str]:
        trace("never")
        yield "one"

    app = streaming_app(side, trace, stream)
    body = app(trace.environ("/stream"), lambda *arguments: None)
    trace("before")
    body.close()
    trace("after")


@scenario
def stream_of_a_head_request(side: Side, trace: Trace) -> None:
    """HEAD sends nothing of a stream. Closing the response ends its context."""

    def stream() -> Iterator[str]:
        trace("never")
        yield "one"

    trace.serve(streaming_app(side, trace, stream), "/stream", "HEAD")


@scenario
def stream_that_fails(side: Side, trace: Trace) -> None:
    """An error in a stream reaches the server and teardown, but no error handler."""

    def stream() -> Iterator[str]:
        yield "one"
        raise Boom("stream")

    app = streaming_app(side, trace, stream)
    app.register_error_handler(Boom, lambda error: "handled")
    trace.serve(app, "/stream")


@scenario
def stream_that_fails_is_preserved(side: Side, trace: Trace) -> None:
    """With PRESERVE_CONTEXT_ON_EXCEPTION, the context of a failed stream stays until the next push."""

    def stream() -> Iterator[str]:
        yield "one"
        raise Boom("stream")

    app = streaming_app(side, trace, stream)
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    trace.serve(app, "/stream")
    top = side.globals._request_ctx_stack.top
    trace("kept", top, top.preserved, top._preserved_exc)
    trace.serve(app, "/")


@scenario
def stream_in_a_failing_view(side: Side, trace: Trace) -> None:
    """If a view creates a stream and fails, the stream's context ends when the generator is closed."""
    app = trace.app()
    kept: list[Any] = []

    @app.route("/stream")
    def view() -> Any:
        def stream() -> Iterator[str]:
            yield "never"

        kept.append(side.flask.stream_with_context(stream()))
        raise Boom("view")

    trace.serve(app, "/stream")
    trace("still open")
    kept[0].close()


@scenario
def stream_through_a_client(side: Side, trace: Trace) -> None:
    """Outside a block, a client reads a stream with its context on the stack. The end of the stream pops it."""

    def stream() -> Iterator[str]:
        yield "one "
        yield side.flask.request.args["a"]

    app = streaming_app(side, trace, stream)
    response = app.test_client().get("/stream?a=1")
    trace("got", response.status)
    trace("read", response.get_data())


@scenario
def stream_through_a_buffering_client(side: Side, trace: Trace) -> None:
    """A buffering client reads the whole stream before it returns."""

    def stream() -> Iterator[str]:
        yield "one "
        yield side.flask.request.args["a"]

    app = streaming_app(side, trace, stream)
    response = app.test_client().get("/stream?a=1", buffered=True)
    trace("got", response.status, response.get_data())


@scenario
def stream_in_a_client_block(side: Side, trace: Trace) -> None:
    """In a block, the context of a stream is preserved after the stream was read."""

    def stream() -> Iterator[str]:
        yield side.flask.request.args["a"]

    app = streaming_app(side, trace, stream)
    with app.test_client() as client:
        response = client.get("/stream?a=1")
        trace("got", response.status)
        trace("read", response.get_data())
        top = side.globals._request_ctx_stack.top
        trace("top", top, top and top.preserved)


@scenario
def stream_as_decorator(side: Side, trace: Trace) -> None:
    """stream_with_context decorates a generator function and passes arguments to it."""
    app = trace.app()

    @app.route("/stream")
    def view() -> Any:
        @side.flask.stream_with_context
        def stream(greeting: str) -> Iterator[str]:
            """Streams."""
            yield greeting
            yield side.flask.request.args["a"]

        trace("function", stream.__name__, stream.__doc__)
        return side.flask.Response(stream("hello "))

    trace.serve(app, "/stream?a=1")


@scenario
def stream_of_a_plain_iterable(side: Side, trace: Trace) -> None:
    """Any iterator can be streamed with context. Its close method is called, also at its end."""
    app = trace.app()

    class Chunks:
        def __init__(self) -> None:
            self.left = ["one ", "two"]

        def __iter__(self) -> Chunks:
            return self

        def __next__(self) -> str:
            trace("next", side.flask.request.path)
            if not self.left:
                raise StopIteration
            return self.left.pop(0)

        def close(self) -> None:
            trace("close", bool(side.flask.request))

    @app.route("/stream")
    def view() -> Any:
        return side.flask.Response(side.flask.stream_with_context(Chunks()))

    trace.serve(app, "/stream")
    trace.serve(app, "/stream", stop_after=1)


@scenario
def stream_outside_a_request(side: Side, trace: Trace) -> None:
    """Streaming with context requires a request at once, not only when the first chunk is read."""
    words = ("stream", "context")
    trace.attempt("iterator", lambda: side.flask.stream_with_context(iter("ab")), words=words)

    @side.flask.stream_with_context
    def stream() -> Iterator[str]:
        yield "never"

    trace.attempt("function", stream, words=words)


@scenario
def stream_without_context(side: Side, trace: Trace) -> None:
    """A generator streamed without context runs after the request."""
    app = trace.app()

    @app.route("/stream")
    def view() -> Any:
        def stream() -> Iterator[str]:
            trace("begins", bool(side.flask.request))
            yield "one"

        return side.flask.Response(stream())

    trace.serve(app, "/stream")


@scenario
def stream_and_the_session(side: Side, trace: Trace) -> None:
    """Values that a stream writes to the session are not saved, but the stream can read them."""

    def stream() -> Iterator[str]:
        side.flask.session["late"] = True
        yield str(dict(side.flask.session))

    app = streaming_app(side, trace, stream)
    app.before_request(lambda: side.flask.session.update(early=True))
    trace.serve(app, "/stream")


@scenario
def stream_in_a_thread(side: Side, trace: Trace) -> None:
    """A stream created and read in one thread does not affect the stacks of others."""

    def stream() -> Iterator[str]:
        yield side.flask.request.args["a"]

    app = streaming_app(side, trace, stream)
    trace.in_thread(lambda: trace.serve(app, "/stream?a=1") and None)


@scenario
def stream_under_a_hand_pushed_application_context(side: Side, trace: Trace) -> None:
    """The end of a stream does not pop an outer application context of its application."""

    def stream() -> Iterator[str]:
        yield side.flask.request.args["a"]

    app = streaming_app(side, trace, stream)
    with app.app_context():
        trace.serve(app, "/stream?a=1")
        trace("between")


@scenario
def generator_stream_that_raises_at_once(side: Side, trace: Trace) -> None:
    """If the first step of a stream fails, the error is raised when the server reads the first chunk."""

    def stream() -> Iterator[str]:
        raise Boom("stream")
        yield "never"

    trace.serve(streaming_app(side, trace, stream), "/stream")
