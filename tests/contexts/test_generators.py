"""Streams and other generators that hold contexts, in every order: none affects a request that is not its own."""

from __future__ import annotations

import gc
import types
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import create_environ

from schlenk import (
    Flask,
    _app_ctx_stack,
    _request_ctx_stack,
    appcontext_pushed,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
    stream_with_context,
)
from schlenk.ctx import AppContext, RequestContext
from schlenk.sessions import SessionInterface
from tests.support.contexts import NOTHING, RecordingApp, leave, tops
from tests.support.execution import ELSEWHERE, in_greenlet, in_thread
from tests.support.requirements import needs_blinker


def ignore(*arguments: Any) -> Any:
    """Serve as `start_response`."""


def get(app: Flask, path: str) -> Any:
    """Return the open body of a response."""
    return app(create_environ(path), ignore)


class Equal:
    """Contexts that all compare equal."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return True


class EqualAppContext(Equal, AppContext):
    pass


class EqualRequestContext(Equal, RequestContext):
    pass


class EqualContextsApp(RecordingApp):
    def app_context(self) -> AppContext:
        return EqualAppContext(self)

    def request_context(self, environ: Any) -> RequestContext:
        return EqualRequestContext(self, environ)


@pytest.fixture(params=[RecordingApp, EqualContextsApp])
def new_app(request: pytest.FixtureRequest) -> RecordingApp:
    app: RecordingApp = request.param("streaming")
    return app


@pytest.fixture
def app(new_app: RecordingApp) -> RecordingApp:
    app = new_app

    @app.route("/stream/<user>")
    def stream(user: str) -> Any:
        g.user = user

        def parts() -> Iterator[str]:
            for _ in range(3):
                yield f"{g.user} {request.path}"

        return app.response_class(stream_with_context(parts()))

    app.add_url_rule("/user", "user", lambda: g.get("user", "nobody"))
    return app


def test_request_has_own_g_beside_stream(app: RecordingApp) -> None:
    stream = get(app, "/stream/ada")
    assert b"".join(get(app, "/user")) == b"nobody"
    stream.close()


def test_request_is_torn_down_beside_stream(app: RecordingApp) -> None:
    stream = get(app, "/stream/ada")
    get(app, "/user").close()
    assert app.torn == [("request", None), ("app", None)]
    stream.close()
    assert [what for what, _ in app.torn] == ["request", "app", "request", "app"]
    assert tops() == NOTHING


def test_generator_shares_g_after_outer_block(app: RecordingApp) -> None:
    def work() -> Iterator[str]:
        with app.test_request_context():
            g.user = "ada"
            yield "begun"
            yield app.test_client().get("/user").text

    working = work()
    with RecordingApp("other").test_request_context():
        next(working)
    assert next(working) == "ada"
    working.close()
    assert tops() == NOTHING


def test_running_stream_shares_g(app: RecordingApp) -> None:
    @app.route("/nested")
    def nested() -> Any:
        g.user = "ada"
        return app.response_class(stream_with_context(app.test_client().get("/user").text for _ in range(1)))

    assert app.test_client().get("/nested").text == "ada"


def test_closed_stream_shares_g(app: RecordingApp) -> None:
    users = []

    @app.route("/closed")
    def closed() -> Any:
        g.user = "ada"

        def parts() -> Iterator[str]:
            try:
                yield "first"
            finally:
                users.append(app.test_client().get("/user").text)

        return app.response_class(stream_with_context(parts()))

    body = get(app, "/closed")
    next(iter(body))
    body.close()
    assert users == ["ada"]
    assert tops() == NOTHING


def test_stream_that_goes_on_shares_g(app: RecordingApp) -> None:
    @app.route("/late")
    def late() -> Any:
        g.user = "ada"

        def parts() -> Iterator[str]:
            yield "first"
            yield app.test_client().get("/user").text

        return app.response_class(stream_with_context(parts()))

    parts = iter(get(app, "/late"))
    assert [next(parts), next(parts)] == [b"first", b"ada"]
    parts.close()
    assert tops() == NOTHING


def test_second_stream_has_own_g(app: RecordingApp) -> None:
    streams = []

    @app.route("/two")
    def two() -> str:
        g.user = "ada"
        streams.extend(stream_with_context(g.user for _ in range(2)) for _ in range(2))
        return "two"

    assert app.test_client().get("/two").text == "two"
    streams[0].close()
    assert b"".join(get(app, "/user")) == b"nobody"
    assert next(streams[1]) == "ada"
    streams[1].close()
    assert tops() == NOTHING


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_request_outlives_stream(app: RecordingApp, elsewhere: Any) -> None:
    with app.test_request_context():
        elsewhere(stream_with_context(iter([])).close)
        assert current_app.name == app.name
    assert tops() == NOTHING


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_second_stream_keeps_its_g_elsewhere(app: RecordingApp, elsewhere: Any) -> None:
    streams: list[Any] = []

    @app.route("/two")
    def two() -> str:
        g.user = "ada"
        streams.extend(stream_with_context(g.user for _ in range(2)) for _ in range(2))
        return "two"

    def close_and_request() -> Any:
        streams[0].close()
        return has_app_context(), b"".join(get(app, "/user"))

    assert app.test_client().get("/two").text == "two"
    assert elsewhere(close_and_request) == (False, b"nobody")
    assert list(streams[1]) == ["ada", "ada"]
    assert tops() == NOTHING


def test_stream_puts_back(app: RecordingApp) -> None:
    with app.app_context() as around:
        stream = get(app, "/stream/ada")
        with Flask("above").test_request_context() as above:
            requests, apps = [*_request_ctx_stack.entries()], [*_app_ctx_stack.entries()]
            assert next(iter(stream)) == b"ada /stream/ada"
            assert _request_ctx_stack.entries() == requests
            assert _app_ctx_stack.entries() == apps
            assert _request_ctx_stack.top is above
        stream.close()
        assert _app_ctx_stack.entries() == [around]


def test_outer_context_is_shared(app: RecordingApp) -> None:
    with app.app_context():
        stream = get(app, "/stream/ada")
        assert b"".join(get(app, "/user")) == b"ada"
        stream.close()


def test_stream_outlives_app(app: RecordingApp) -> None:
    def parts() -> Iterator[bool]:
        for _ in range(2):
            yield has_app_context()

    with app.test_request_context() as context:
        with context.copy():
            stream = stream_with_context(parts())
        assert next(stream)
    assert not next(stream)
    stream.close()


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_stream_goes_on_elsewhere(app: RecordingApp, elsewhere: Any) -> None:
    stream = get(app, "/stream/ada")
    parts = iter(stream)
    assert [elsewhere(lambda: next(parts)), next(parts)] == [b"ada /stream/ada"] * 2
    stream.close()
    assert tops() == NOTHING


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_stream_ends_elsewhere(app: RecordingApp, elsewhere: Any) -> None:
    stream = get(app, "/stream/ada")
    elsewhere(stream.close)
    assert [what for what, _ in app.torn] == ["request", "app"]
    assert tops() == NOTHING


def test_stream_outlives_thread(app: RecordingApp) -> None:
    stream = in_thread(lambda: get(app, "/stream/ada"))
    assert list(stream) == [b"ada /stream/ada"] * 3
    stream.close()
    assert _request_ctx_stack.snapshot() == {}


def test_collected_stream_keeps_request(app: RecordingApp) -> None:
    forgotten = [get(app, "/stream/ada")]

    @app.route("/collect")
    def collect() -> str:
        forgotten.clear()
        gc.collect()
        return request.path

    assert app.test_client().get("/collect").text == "/collect"
    assert tops() == NOTHING


def test_stream_keeps_contexts_it_pushed(app: RecordingApp) -> None:
    other = Flask("other")

    @app.route("/holding")
    def holding() -> Any:
        def parts() -> Iterator[str]:
            with other.test_request_context("/inner"):
                yield request.path
                yield request.path
            yield request.path

        return app.response_class(stream_with_context(parts()))

    first = get(app, "/holding")
    parts = iter(first)
    assert next(parts) == b"/inner"
    second = get(app, "/stream/ada")
    assert next(parts) == b"/inner"
    assert next(iter(second)) == b"ada /stream/ada"
    assert next(parts) == b"/holding"
    second.close()
    first.close()
    assert tops() == NOTHING


def test_waiting_stream_is_below_outer(app: RecordingApp) -> None:
    with app.test_request_context("/outer"):
        stream = get(app, "/stream/ada")
        assert request.path == "/outer"
        stream.close()
        assert request.path == "/outer"


def held(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def test_late_block_leaves_request_alone(app: RecordingApp) -> None:
    block = held(app)

    @app.route("/late")
    def late() -> str:
        block.close()  # type: ignore[attr-defined]
        return f"{request.path} {g.get('user', 'nobody')}"

    next(block)
    with Flask("between").app_context():
        assert app.test_client().get("/late").text == "/late nobody"
    assert tops() == NOTHING


def held_by_stack(app: Flask) -> Iterator[None]:
    with ExitStack() as blocks:
        blocks.enter_context(app.app_context())
        yield


@types.coroutine
def wait() -> Iterator[None]:
    yield


async def held_by_coroutine(app: Flask) -> None:
    with app.app_context():
        await wait()


async def held_by_async_generator(app: Flask) -> None:
    async def items() -> AsyncIterator[None]:
        with app.app_context():
            yield

    async for _ in items():
        await wait()


@pytest.mark.parametrize("hold", [held, held_by_stack, held_by_coroutine, held_by_async_generator])
def test_block_is_closed_in_another_thread(app: RecordingApp, hold: Any) -> None:
    block = hold(app)
    block.send(None)
    in_thread(lambda: (block.close(), gc.collect()))
    assert [what for what, _ in app.torn] == ["app"]
    assert tops() == NOTHING


@pytest.mark.parametrize("hook", ["teardown_request", "teardown_appcontext"])
def test_late_block_leaves_teardown(app: RecordingApp, hook: str) -> None:
    block: Any = held(Flask("other"))
    next(block)
    names: list[str] = []
    # The functions run in reverse order.
    getattr(app, hook)(lambda error: names.append(current_app.name))
    getattr(app, hook)(lambda error: block.close())
    assert app.test_client().get("/user").text == "nobody"
    assert names == [app.name]
    assert tops() == NOTHING


def test_late_block_leaves_push(app: RecordingApp) -> None:
    block: Any = held(app)
    next(block)
    with Flask("other").app_context():
        bare = Flask("bare").app_context()
        bare.push()
        block.close()
        assert _app_ctx_stack.top is bare
        bare.pop()
    assert tops() == NOTHING


def held_request(app: Flask) -> Iterator[None]:
    with app.test_request_context("/held"):
        yield


@pytest.fixture(params=[held, held_request])
def late(request: Any) -> Any:
    """Return a generator that holds the contexts at the bottom, and has begun."""
    block = request.param(Flask("other"))
    next(block)
    return block


# In these tests no `with` block holds the context: it stays only because a running function pushes or pops it.


@needs_blinker
def test_late_block_leaves_app_push(app: RecordingApp, late: Any) -> None:
    def close(sender: Any) -> None:
        late.close()

    context = app.app_context()
    with appcontext_pushed.connected_to(close, app):
        context.push()
    assert _app_ctx_stack.top is context
    context.pop()
    assert tops() == NOTHING


def test_late_block_leaves_app_pop(app: RecordingApp, late: Any) -> None:
    names: list[str] = []
    # The functions run in reverse order.
    app.teardown_appcontext(lambda error: names.append(current_app.name))
    app.teardown_appcontext(lambda error: late.close())
    context = app.app_context()
    context.push()
    context.pop()
    assert names == [app.name]
    assert tops() == NOTHING


def test_late_block_leaves_request_push(app: RecordingApp, late: Any) -> None:
    class Interface(SessionInterface):
        def open_session(self, app: Flask, request: Any) -> Any:
            late.close()

    app.session_interface = Interface()
    context = app.test_request_context("/new")
    context.push()
    assert (_request_ctx_stack.top, current_app.name) == (context, app.name)
    context.pop()
    assert tops() == NOTHING


def test_late_block_leaves_overridden_push(app: RecordingApp, late: Any) -> None:
    class Closing(AppContext):
        def push(self) -> None:
            super().push()
            late.close()

    app.app_context = lambda: Closing(app)  # type: ignore[method-assign]
    context = app.test_request_context("/new")
    context.push()
    assert (_request_ctx_stack.top, current_app.name) == (context, app.name)
    context.pop()
    assert tops() == NOTHING


def test_late_block_leaves_request_pop(app: RecordingApp, late: Any) -> None:
    seen: list[tuple[str, str]] = []
    app.teardown_request(lambda error: seen.append((request.path, current_app.name)))
    app.teardown_request(lambda error: late.close())
    context = app.test_request_context("/new")
    context.push()
    context.pop()
    assert seen == [("/new", app.name)]
    assert tops() == NOTHING


def test_late_block_leaves_end_of_request(app: RecordingApp, late: Any) -> None:
    seen: list[tuple[str, str]] = []

    class Closing(RequestContext):
        def auto_pop(self, exc: BaseException | None) -> None:
            late.close()
            seen.append((request.path, current_app.name))
            super().auto_pop(exc)

    app.request_context = lambda environ: Closing(app, environ)  # type: ignore[method-assign]
    assert app.test_client().get("/user").text == "nobody"
    assert seen == [("/user", app.name)]
    assert tops() == NOTHING


def test_block_above_leaked_stays(app: RecordingApp) -> None:
    outer = Flask("outer").app_context()
    outer.__enter__()
    leave(Flask.app_context)()
    block: Any = held(app)
    next(block)
    with pytest.raises(AssertionError, match="not popped"):
        outer.__exit__(None, None, None)
    assert current_app.name == app.name
    block.close()
    assert tops() == NOTHING


def test_held_request_above_block_stays(app: RecordingApp) -> None:
    def held_request() -> Iterator[None]:
        with app.test_request_context("/held"):
            yield

    block: Any = held_request()
    with Flask("below").app_context():
        next(block)
    assert request.path == "/held"
    assert current_app.name == app.name
    block.close()
    assert tops() == NOTHING


def test_ended_greenlet_leaves_no_entry(app: RecordingApp) -> None:
    parts = iter(in_greenlet(lambda: get(app, "/stream/ada")))
    assert next(parts) == b"ada /stream/ada"
    assert not _request_ctx_stack._local.__storage__
    parts.close()
    assert tops() == NOTHING


def test_outliving_block_is_not_shared(app: RecordingApp) -> None:
    blocks: list[Any] = []

    @app.route("/hold")
    def hold() -> str:
        blocks.append(held(app))
        next(blocks[0])
        g.user = "ada"
        return "held"

    client = app.test_client()
    assert client.get("/hold").text == "held"
    assert client.get("/user").text == "nobody"
    blocks[0].close()
    assert tops() == NOTHING


def test_close_of_popped_stream_raises(app: RecordingApp) -> None:
    stream = get(app, "/stream/ada")
    while _request_ctx_stack.top is not None:
        _request_ctx_stack.top.pop()
    with pytest.raises(IndexError, match="not pushed"):
        stream.close()
    assert tops() == NOTHING


def test_failing_teardown_keeps_stream(app: RecordingApp) -> None:
    other = Flask("failing")

    @other.teardown_request
    def fail(error: Any) -> None:
        raise ZeroDivisionError

    outer = other.test_request_context("/outer")
    outer.push()
    stream = get(app, "/stream/ada")
    _request_ctx_stack.entries().reverse()
    with pytest.raises(ZeroDivisionError):
        outer.auto_pop(None)
    assert list(stream) == [b"ada /stream/ada"] * 3
    assert tops() == NOTHING


STEPS = st.lists(st.tuples(st.sampled_from(["begin", "go on", "close", "ask"]), st.integers(0, 3), st.booleans()))


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_any_order_keeps_requests_apart(steps: list[tuple[str, int, bool]]) -> None:
    app: Any = RecordingApp("any")
    begun = ended = 0

    @app.route("/stream/<user>")
    def stream(user: str) -> Any:
        g.user = user

        def parts() -> Iterator[str]:
            while True:
                yield f"{g.user} {request.path}"

        return app.response_class(stream_with_context(parts()))

    app.add_url_rule("/user", "user", lambda: g.get("user", "nobody"))
    streams: list[Any] = []

    def take(action: str, number: int) -> None:
        nonlocal begun, ended
        if action == "begin":
            streams.append((f"user{begun}", get(app, f"/stream/user{begun}")))
            begun += 1
        elif action == "ask":
            assert b"".join(get(app, "/user")) == b"nobody"
            begun += 1
            ended += 1
        elif streams:
            user, body = streams[number % len(streams)]
            if action == "close":
                streams.remove((user, body))
                body.close()
                ended += 1
            else:
                assert next(iter(body)) == f"{user} /stream/{user}".encode()

    for action, number, elsewhere in steps:
        if elsewhere:
            in_thread(lambda action=action, number=number: take(action, number))
        else:
            take(action, number)
        assert len(app.torn) == 2 * ended
    for _, body in streams:
        body.close()
    assert len(app.torn) == 2 * begun
    assert not has_request_context()
    assert not any(_request_ctx_stack.snapshot().values())
    assert not any(_app_ctx_stack.snapshot().values())
