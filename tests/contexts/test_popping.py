"""Popping request contexts, and tearing them down."""

from __future__ import annotations

import asyncio
import io
from typing import Any, Callable

import pytest
from werkzeug.test import create_environ

import schlenk.local
from schlenk import (
    Flask,
    Request,
    _app_ctx_stack,
    _request_ctx_stack,
    has_app_context,
    has_request_context,
    request,
    signals,
)
from schlenk.ctx import AppContext, RequestContext
from tests.support.contexts import NOTHING, RecordingApp, fail, tops
from tests.support.execution import in_thread


def test_request_is_torn_down_before_app(app: RecordingApp) -> None:
    seen = []
    app.teardown_request(lambda error: seen.append((has_request_context(), has_app_context())))
    app.teardown_appcontext(lambda error: seen.append((has_request_context(), has_app_context())))
    with app.test_request_context():
        pass
    assert seen == [(True, True), (False, True)]
    assert app.torn == [("request", None), ("app", None)]


def test_exit_passes_error(app: RecordingApp, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), app.test_request_context():
        raise error
    assert app.torn == [("request", error), ("app", error)]


def test_pop_passes_handled_error(app: RecordingApp, error: Exception) -> None:
    context = app.test_request_context()
    context.push()
    try:
        raise error
    except ValueError:
        context.pop()
    assert app.torn == [("request", error), ("app", error)]


def test_refusal_tells_equal_contexts_apart(app: RecordingApp) -> None:
    first, second = app.test_request_context(), app.test_request_context()
    with first, second:
        with pytest.raises(AssertionError, match="on top is another context with the same repr"):
            first.pop()


async def cross(make: Callable[[], Any]) -> None:
    """Let two asyncio tasks push a context each, and the first one pop before the second."""
    pushed, popped = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        context = make()
        context.push()
        await pushed.wait()
        try:
            context.pop()
        finally:
            popped.set()

    async def second() -> None:
        context = make()
        context.push()
        pushed.set()
        await popped.wait()
        context.pop()

    await asyncio.gather(first(), second())


@pytest.mark.parametrize("make", [Flask.app_context, Flask.test_request_context])
def test_refusal_names_tasks(app: RecordingApp, make: Any) -> None:
    with pytest.raises(AssertionError, match=r"asyncio tasks .* `_request_ctx_stack.__ident_func__ = .*context_ident`"):
        asyncio.run(cross(lambda: make(app)))
    _request_ctx_stack.__release_local__()
    _app_ctx_stack.__release_local__()


@pytest.mark.parametrize("make", [Flask.app_context, Flask.test_request_context])
def test_advice_for_asyncio_tasks_helps(app: RecordingApp, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError) as refused:
        asyncio.run(cross(lambda: make(app)))
    _request_ctx_stack.__release_local__()
    _app_ctx_stack.__release_local__()
    for stack in (_request_ctx_stack, _app_ctx_stack):
        monkeypatch.setattr(stack, "__ident_func__", stack.__ident_func__)
    exec(str(refused.value).split("`")[1], {**globals(), "schlenk": schlenk})
    asyncio.run(cross(lambda: make(app)))


@pytest.mark.parametrize(
    ("make", "torn"),
    [(Flask.app_context, ["app", "app"]), (Flask.test_request_context, ["request", "app", "request"])],
)
def test_overlapping_blocks_of_tasks_end(app: RecordingApp, make: Any, torn: list[str]) -> None:
    """Each block pops its own context, although that of the other task is above it."""

    async def overlap() -> None:
        entered, left = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            with make(app):
                await entered.wait()
            left.set()

        async def second() -> None:
            with make(app) as context:
                entered.set()
                await left.wait()
                assert context in (_app_ctx_stack.top, _request_ctx_stack.top)

        await asyncio.gather(first(), second())

    asyncio.run(overlap())
    assert [name for name, error in app.torn] == torn
    assert tops() == NOTHING


async def leak_above(context: Any) -> None:
    with context:
        await asyncio.create_task(_push(context.app))


async def _push(app: Flask) -> None:
    app.test_request_context().push()


def test_leak_of_asyncio_task_names_ident(app: RecordingApp) -> None:
    with pytest.raises(AssertionError, match=r"pushed above it .*asyncio tasks .*context_ident"):
        asyncio.run(leak_above(app.test_request_context()))


def test_refusal_leaves_out_absent_tasks(app: RecordingApp) -> None:
    with app.app_context(), pytest.raises(AssertionError) as refused:
        app.app_context().pop()
    assert "asyncio" not in str(refused.value)


def test_pop_passes_given_error(app: RecordingApp, error: Exception) -> None:
    context = app.test_request_context()
    context.push()
    context.pop(error)
    assert app.torn == [("request", error), ("app", error)]


@pytest.mark.parametrize("make", [Flask.app_context, Flask.test_request_context])
def test_error_equal_to_anything_is_passed(app: RecordingApp, make: Any) -> None:
    class Equal(Exception):
        def __eq__(self, other: object) -> bool:
            return True

    context, error = make(app), Equal()
    context.push()
    context.pop(error)
    assert {id(torn) for _, torn in app.torn} == {id(error)}


def test_pop_none_ignores_handled_error(app: RecordingApp, error: Exception) -> None:
    context = app.test_request_context()
    context.push()
    try:
        raise error
    except ValueError:
        context.pop(None)
    assert app.torn == [("request", None), ("app", None)]


def test_overridden_teardowns_receive_error(error: Exception) -> None:
    class Own(Flask):
        torn: list[Any] = []

        def do_teardown_request(self, exc: Any = None) -> None:
            self.torn.append(exc)

        do_teardown_appcontext = do_teardown_request

    context, app_context = Own("own").test_request_context(), Own("own").app_context()
    app_context.push()
    context.push()
    try:
        raise error
    except ValueError:
        context.pop()
        app_context.pop()
    assert Own.torn == [error] * 3


def test_tearing_down_signal_carries_error(app: RecordingApp, record: Any, error: Exception) -> None:
    sent = record(signals.request_tearing_down)
    context = app.test_request_context()
    context.push()
    app_context = _app_ctx_stack.top
    context.pop(error)
    assert sent == [(context, app_context, {"exc": error})]


def test_request_is_closed_on_last_pop(app: RecordingApp) -> None:
    class Closing(Request):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    app.request_class = Closing
    with app.test_request_context() as context:
        with context:
            pass
        assert context.request.closed == 0
    assert context.request.closed == 1


def test_uploaded_file_is_closed(app: RecordingApp) -> None:
    with app.test_request_context(method="POST", data={"file": (io.BytesIO(b"content"), "name")}):
        stream = request.files["file"].stream
        assert not stream.closed
    assert stream.closed


def test_request_without_close_is_accepted(app: RecordingApp) -> None:
    class Bare(Request):
        close = None

    app.request_class = Bare
    with app.test_request_context():
        pass
    assert tops() == NOTHING


def test_environ_releases_request(app: RecordingApp) -> None:
    with app.test_request_context() as context:
        context.request.environ["werkzeug.request"] = context.request
        with context:
            pass
        assert context.request.environ["werkzeug.request"] is context.request
    assert context.request.environ["werkzeug.request"] is None


def test_failed_teardown_pops(app: RecordingApp) -> None:
    app.teardown_request(fail)
    with pytest.raises(ZeroDivisionError), app.test_request_context():
        pass
    assert tops() == NOTHING
    assert app.torn == [("app", None)]


def test_failing_close_still_pops(app: RecordingApp) -> None:
    class Failing(Request):
        close = fail

    app.request_class = Failing
    with pytest.raises(ZeroDivisionError), app.test_request_context():
        pass
    assert tops() == NOTHING


def test_pop_unpushed_raises(app: RecordingApp) -> None:
    with pytest.raises(IndexError, match="not pushed"):
        app.test_request_context().pop()
    assert app.torn == []


def test_extra_pop_raises(app: RecordingApp) -> None:
    with app.test_request_context() as outer:
        context = app.test_request_context()
        with context:
            pass
        with pytest.raises(IndexError, match="not pushed"):
            context.pop()
        assert _request_ctx_stack.top is outer


def test_pop_below_request_context_raises(app: RecordingApp) -> None:
    below, above = app.test_request_context("/below"), app.test_request_context("/above")
    with below, above:
        with pytest.raises(AssertionError, match=r"wrong context: .*/below.*on top is .*/above"):
            below.pop()
        assert _request_ctx_stack.top is above
        assert app.torn == []
    assert app.torn == [("request", None), ("request", None), ("app", None)]


def test_refusal_names_the_top(app: RecordingApp) -> None:
    with app.test_request_context("/a") as below, app.test_request_context("/b"):
        with pytest.raises(AssertionError, match=r"on top is <RequestContext .*/b"):
            below.pop()


def test_pop_below_app_raises(app: RecordingApp) -> None:
    with app.test_request_context() as below, RecordingApp("other").app_context() as above:
        with pytest.raises(AssertionError, match="wrong context"):
            below.pop()
        assert tops() == (below, above)
        assert app.torn == []


def test_pop_elsewhere_raises(app: RecordingApp) -> None:
    with app.test_request_context() as context:
        with pytest.raises(AssertionError, match="empty"):
            in_thread(context.pop)
        assert _request_ctx_stack.top is context
        assert app.torn == []


def test_auto_pop_keeps_other_threads_stack(app: RecordingApp) -> None:
    def work() -> None:
        with RecordingApp("other").test_request_context() as other:
            with pytest.raises(AssertionError, match="wrong context"):
                context.auto_pop(None)
            assert _request_ctx_stack.top is other

    with app.test_request_context() as context:
        in_thread(work)
        assert _request_ctx_stack.top is context
        assert app.torn == []


def test_auto_pop_in_other_thread_raises(app: RecordingApp) -> None:
    with app.test_request_context() as context:
        with pytest.raises(AssertionError, match="empty"):
            in_thread(lambda: context.auto_pop(None))
        assert _request_ctx_stack.top is context
        assert app.torn == []


def test_auto_pop_unpushed_raises(app: RecordingApp) -> None:
    with pytest.raises(IndexError, match="not pushed"):
        app.test_request_context().auto_pop(None)
    assert app.torn == []


@pytest.mark.parametrize("kind", [RequestContext, AppContext])
def test_own_assertion_error_is_no_refusal(app: RecordingApp, kind: Any) -> None:
    class Failing(kind):  # type: ignore[misc]
        def pop(self, exc: Any = None) -> None:
            seen.append(tops())
            raise AssertionError("of the subclass")

    seen: list[Any] = []
    context = Failing(app, create_environ()) if kind is RequestContext else Failing(app)
    with pytest.raises(AssertionError, match="of the subclass"), context:
        entered = tops()
    assert seen == [entered]
    kind.pop(context)
    assert tops() == NOTHING
