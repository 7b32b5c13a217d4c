"""Copies of a request context, and functions that run in one."""

from __future__ import annotations

import itertools
import sys
import threading
from types import FrameType
from typing import Any

import pytest
from werkzeug.test import create_environ

from schlenk import _request_ctx_stack, after_this_request, copy_current_request_context, g, request, session
from schlenk.ctx import RequestContext, _Copies
from tests.support.contexts import NOTHING, RecordingApp, fail, tops
from tests.support.execution import ELSEWHERE, in_thread

# --- Copies


def test_copy_shares_request_and_session(app: RecordingApp) -> None:
    with app.test_request_context() as context:
        copied = context.copy()
    assert copied is not context
    assert copied.app is app
    assert copied.request is context.request
    assert copied.session is context.session


def test_copy_keeps_the_class(app: RecordingApp) -> None:
    class Mine(RequestContext):
        pass

    assert type(Mine(app, app.test_request_context().request.environ).copy()) is Mine


def test_copy_passes_environ_by_name(app: RecordingApp) -> None:
    class Mine(RequestContext):
        def __init__(self, app: Any, *, environ: Any, **given: Any) -> None:
            super().__init__(app, environ, **given)

    assert Mine(app, environ=create_environ("/page")).copy().request.path == "/page"


def test_copy_has_own_flashes_and_functions(app: RecordingApp) -> None:
    with app.test_request_context() as context:
        context.flashes = [("message", "hello")]
        after_this_request(lambda response: response)
        copied = context.copy()
    assert copied.flashes is None
    assert copied._after_request_functions == []


# --- copy_current_request_context


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_copy_works_elsewhere(app: RecordingApp, elsewhere: Any) -> None:
    with app.test_request_context("/page") as context:
        session["user"] = "ada"
        work = copy_current_request_context(lambda: (request.path, session["user"], _request_ctx_stack.top))
        path, user, inside = elsewhere(work)
    assert path == "/page"
    assert user == "ada"
    assert inside is not context


def test_copy_shares_session(app: RecordingApp) -> None:
    with app.test_request_context():
        in_thread(copy_current_request_context(lambda: session.update(user="ada")))
        assert session["user"] == "ada"


def test_copy_elsewhere_has_new_g(app: RecordingApp) -> None:
    with app.test_request_context():
        g.user = "ada"
        assert in_thread(copy_current_request_context(lambda: "user" in g)) is False


def test_copy_may_share_g(app: RecordingApp) -> None:
    with app.test_request_context():
        g.user = "ada"
        assert copy_current_request_context(lambda: g.user)() == "ada"


def test_arguments_are_passed(app: RecordingApp) -> None:
    with app.test_request_context():
        assert copy_current_request_context(lambda *args, **kwargs: (args, kwargs))(1, b=2) == ((1,), {"b": 2})


def test_function_keeps_its_name(app: RecordingApp) -> None:
    with app.test_request_context():

        @copy_current_request_context
        def work() -> None:
            """Work hard."""

    assert work.__name__ == "work"
    assert work.__doc__ == "Work hard."


def test_decorating_copies(app: RecordingApp) -> None:
    with app.test_request_context("/then"):
        work = copy_current_request_context(lambda: request.path)
    with app.test_request_context("/now"):
        assert work() == "/then"
        assert request.path == "/now"


def test_copy_outlives_request(app: RecordingApp) -> None:
    with app.test_request_context("/gone"):
        work = copy_current_request_context(lambda: request.path)
    assert in_thread(work) == "/gone"


def test_each_call_is_torn_down(app: RecordingApp) -> None:
    with app.test_request_context():
        work = copy_current_request_context(lambda: None)
        for _ in range(2):
            in_thread(work)
        assert app.torn == [("request", None), ("app", None)] * 2


def test_error_reaches_teardown_and_caller(app: RecordingApp) -> None:
    with app.test_request_context():
        with pytest.raises(ZeroDivisionError) as caught:
            in_thread(copy_current_request_context(fail))
        assert app.torn == [("request", caught.value), ("app", caught.value)]


def test_failed_call_may_repeat(app: RecordingApp) -> None:
    with app.test_request_context():
        work = copy_current_request_context(lambda number: 1 // number)
        with pytest.raises(ZeroDivisionError):
            in_thread(lambda: work(0))
        assert in_thread(lambda: work(1)) == 1
        assert len(app.torn) == 4


def test_concurrent_calls_have_own_contexts(app: RecordingApp) -> None:
    together = threading.Barrier(4, timeout=30)
    contexts, paths = [], []

    def work() -> None:
        contexts.append(_request_ctx_stack.top)
        together.wait()
        paths.append(request.path)
        together.wait()

    with app.test_request_context("/page"):
        copied = copy_current_request_context(work)
        threads = [threading.Thread(target=copied) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(map(id, contexts))) == 4
    assert paths == ["/page"] * 4
    assert sorted(app.torn) == [("app", None)] * 5 + [("request", None)] * 5


def test_calls_may_begin_at_any_moment(app: RecordingApp) -> None:
    with app.test_request_context():
        work = copy_current_request_context(lambda inside: inside())
    began_in_time = True
    moment = 0
    while began_in_time:
        began_in_time = begin_during_call(work, moment)
        moment += 1
    assert moment > 40


def begin_during_call(work: Any, moment: int) -> bool:
    """Call ``work``, and begin a call in another thread before instruction ``moment`` of it, if it has so many."""
    running, done = threading.Event(), threading.Event()
    instructions = itertools.count()
    codes = {f.__code__ for f in (work, _Copies.of_outer_call, _Copies.take, _Copies.give_back)}
    tracing = sys.gettrace()

    def inside() -> None:
        running.set()
        done.wait(10)

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code not in codes:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and next(instructions) == moment:
            other.start()
            assert running.wait(10)
        return trace

    other = threading.Thread(target=work, args=(inside,))
    # Python 3.12 reports instructions only if a frame wants them when tracing starts.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        work(lambda: None)
    finally:
        sys.settrace(tracing)
        done.set()
        if other.ident is not None:
            other.join()
    return other.ident is not None


def test_function_can_call_itself(app: RecordingApp) -> None:
    with app.test_request_context():

        @copy_current_request_context
        def work(depth: int) -> int:
            return work(depth - 1) + 1 if depth else 0

        assert in_thread(lambda: work(3)) == 3
    assert tops() == NOTHING


def test_inner_call_shares_context(app: RecordingApp) -> None:
    with app.test_request_context():

        @copy_current_request_context
        def work(depth: int) -> list[Any]:
            return [_request_ctx_stack.top, *(work(depth - 1) if depth else [])]

        outer, inner = in_thread(lambda: work(1))
    assert outer is inner


def test_sequential_calls_share_context(app: RecordingApp) -> None:
    with app.test_request_context():
        work = copy_current_request_context(lambda: _request_ctx_stack.top)
        assert in_thread(work) is in_thread(work)


def test_call_reuses_context_preserved_here(app: RecordingApp) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    with app.test_request_context():
        work = copy_current_request_context(lambda number: 1 // number and _request_ctx_stack.top)
    with pytest.raises(ZeroDivisionError) as caught:
        work(0)
    preserved = _request_ctx_stack.top
    assert work(1) is preserved
    assert tops() == NOTHING
    assert app.torn[2:] == [("request", caught.value), ("app", caught.value), ("request", None), ("app", None)]


def test_call_skips_others_preserved_context(app: RecordingApp) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True

    def preserve() -> None:
        with pytest.raises(ZeroDivisionError):
            work(0)
        preserved = _request_ctx_stack.top
        assert preserved is not None
        assert in_thread(lambda: work(1)) is not preserved
        assert preserved.preserved is True
        assert app.torn == [("request", None), ("app", None)]
        preserved.pop(None)
        assert in_thread(lambda: work(1)) is preserved

    with app.test_request_context():
        work = copy_current_request_context(lambda number: 1 // number and _request_ctx_stack.top)
        in_thread(preserve)


def test_copy_outside_raises() -> None:
    with pytest.raises(RuntimeError, match="outside of request context"):
        copy_current_request_context(lambda: None)


def test_copies_are_not_compared(app: RecordingApp) -> None:
    class Incomparable(RequestContext):
        __hash__ = object.__hash__
        __eq__ = fail

    with Incomparable(app, create_environ("/page")):
        work = copy_current_request_context(lambda inner: in_thread(lambda: inner(None)) if inner else request.path)
        assert work(work) == "/page"
