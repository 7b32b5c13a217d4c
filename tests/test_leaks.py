"""The check for contexts that were pushed and not popped. `test_pytest_plugin` tests the plugin."""

from __future__ import annotations

import re
import sys
import threading
import unittest
from contextlib import ExitStack
from types import FrameType
from typing import Any, Callable

import pytest

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack, leaks, stream_with_context
from schlenk.leaks import contexts_allowed, no_context_left
from schlenk.local import LocalStack
from tests.support.contexts import tops
from tests.support.execution import in_greenlet, in_thread


@pytest.fixture
def app(app: Flask) -> Flask:
    app.add_url_rule("/", "index", lambda: "hello")
    return app


def line(mark: str) -> int:
    """Return the number of the line of this file that says ``# mark``."""
    with open(__file__) as file:
        (number,) = [number for number, text in enumerate(file, 1) if text.rstrip().endswith(f"# {mark}")]
    return number


def complaint(block: Callable[[], object]) -> str:
    """Return the message about the contexts that ``block`` leaks."""
    with pytest.raises(AssertionError) as raised, no_context_left():
        block()
    return str(raised.value)


def test_popped_is_no_leak(app: Flask) -> None:
    with no_context_left():
        with app.app_context(), app.test_request_context(), app.test_request_context():
            pass
        app.test_client().get("/")


def test_app_context_is_named(app: Flask) -> None:
    assert "\n  application context of shop, pushed in" in complaint(app.app_context().push)


def test_leaked_request_is_named(app: Flask) -> None:
    left = app.test_request_context("/cart?card=1234", method="POST")
    assert "\n  POST /cart of shop, pushed in" in complaint(left.push)


def test_age_of_leak_is_given(app: Flask) -> None:
    assert re.search(r"pushed in .* \(\d+\.\d{3} s ago\)\n", complaint(app.app_context().push))


def test_leak_may_have_no_age(app: Flask) -> None:
    told = complaint(lambda: _app_ctx_stack.push(app.app_context()))
    assert "application context of shop, pushed in" in told
    assert " s ago)" not in told


def test_leaked_object_is_named() -> None:
    assert "\n  'something', pushed in" in complaint(lambda: _request_ctx_stack.push("something"))  # type: ignore[arg-type]


def test_push_location_is_named(app: Flask) -> None:
    def leave() -> None:
        app.app_context().push()  # this is the place

    assert f"in {__file__}:{line('this is the place')}, leave: app.app_context().push()" in complaint(leave)


def test_leaking_request_is_the_location(app: Flask) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    app.add_url_rule("/fail", "fail", lambda: 1 / 0)

    def leave() -> None:
        app.test_client().get("/fail")  # the request

    assert complaint(leave).count(f"in {__file__}:{line('the request')}, leave: ") == 2


def test_each_context_has_its_location(app: Flask) -> None:
    first, second = app.app_context(), app.app_context()

    def leave() -> None:
        first.push()  # the first place
        with app.app_context():
            pass
        second.push()  # the second place
        with app.app_context():
            pass

    told = [text for text in complaint(leave).splitlines() if "pushed in" in text]
    assert [text.partition("pushed ")[2].split(", ")[0] for text in told] == [
        f"in {__file__}:{line('the first place')}",
        f"in {__file__}:{line('the second place')}",
    ]


def test_context_pushed_by_hand_is_found(app: Flask) -> None:
    def leave() -> None:
        _app_ctx_stack.push(app.app_context())  # by hand

    assert f":{line('by hand')}, " in complaint(leave)


def test_leaks_are_removed(app: Flask) -> None:
    def leave() -> None:
        app.test_request_context().push()
        app.app_context().push()

    assert complaint(leave).count("pushed in") == 3
    assert tops() == (None, None)


def test_earlier_contexts_stay(app: Flask) -> None:
    with app.test_request_context() as context:
        with no_context_left():
            pass
        assert _request_ctx_stack.top is context


def test_leak_above_earlier_context_is_found(app: Flask) -> None:
    left = app.test_request_context("/left")
    with app.app_context() as before:
        told = complaint(left.push)
        assert "GET /left of shop, pushed in" in told
        assert told.count("pushed in") == 1
        assert tops() == (None, before)


def test_replacement_is_found(app: Flask) -> None:
    def leave() -> None:
        _app_ctx_stack.pop()
        app.app_context().push()

    app.app_context().push()
    assert complaint(leave).count("pushed in") == 1
    assert tops() == (None, None)


def test_repeated_push_is_found(app: Flask) -> None:
    with app.app_context() as context:
        assert complaint(context.push).count("pushed in") == 1
        assert _app_ctx_stack._local.stack == [context]


def test_greenlets_leak_is_found(app: Flask) -> None:
    greenlet = pytest.importorskip("greenlet")

    def leave() -> None:
        with app.app_context():  # in a greenlet
            greenlet.getcurrent().parent.switch()

    waiting = greenlet.greenlet(leave)
    assert f":{line('in a greenlet')}, leave" in complaint(waiting.switch)
    waiting.switch()


def test_leak_of_dead_greenlet_is_removed(app: Flask) -> None:
    assert "pushed in" in complaint(lambda: in_greenlet(app.app_context().push))
    assert _app_ctx_stack._local.__storage__ == {}


def test_leak_in_living_thread_is_found(app: Flask) -> None:
    left, may_end = threading.Event(), threading.Event()

    def leave() -> None:
        with app.app_context():  # in a thread
            left.set()
            may_end.wait(30)

    thread = threading.Thread(target=leave)
    assert f":{line('in a thread')}, leave" in complaint(lambda: (thread.start(), left.wait(30)))
    may_end.set()
    thread.join()


def test_thread_may_pop(app: Flask) -> None:
    with no_context_left():
        in_thread(lambda: app.test_client().get("/"))


def test_open_stream_is_a_leak(app: Flask) -> None:
    kept: list[Any] = []
    app.add_url_rule("/stream", "stream", lambda: app.response_class(stream_with_context(iter("abc"))))
    assert "/stream" in complaint(lambda: kept.append(app.test_client().get("/stream").response))
    kept[0].close()
    assert tops() == (None, None)


def test_error_in_block_wins_over_leak(app: Flask) -> None:
    def leave() -> None:
        app.app_context().push()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), no_context_left():
        leave()
    assert tops() == (None, None)


def test_nested_check_finds_its_own_leak(app: Flask) -> None:
    with no_context_left():
        assert "pushed in" in complaint(app.app_context().push)
        with app.app_context():
            pass


def test_outer_check_continues_after_inner(app: Flask) -> None:
    def leave() -> None:
        with no_context_left():
            pass
        app.app_context().push()  # after the inner

    assert f":{line('after the inner')}, " in complaint(leave)


def test_overlapping_checks_both_find_leak(app: Flask) -> None:
    first, second = no_context_left(), no_context_left()
    first.__enter__()
    second.__enter__()
    thread_left, may_end = threading.Event(), threading.Event()

    def leave() -> None:
        with app.app_context():  # while both run
            thread_left.set()
            may_end.wait(30)

    thread = threading.Thread(target=leave)
    thread.start()
    assert thread_left.wait(30)
    location = f":{line('while both run')}, leave"
    with pytest.raises(AssertionError, match=location):
        first.__exit__(None, None, None)
    with pytest.raises(AssertionError, match=location):
        second.__exit__(None, None, None)
    may_end.set()
    thread.join()


@pytest.mark.schlenk_leaks(False)
def test_overlapping_checks_restore_push() -> None:
    first, second = no_context_left(), no_context_left()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert "push" not in vars(_app_ctx_stack)
    assert "push" not in vars(_request_ctx_stack)


@pytest.mark.schlenk_leaks(False)
def test_earlier_push_method_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: list[Any] = []
    monkeypatch.setattr(_app_ctx_stack, "push", pushed.append)
    replaced = vars(_app_ctx_stack)["push"]
    with no_context_left():
        pass
    assert vars(_app_ctx_stack)["push"] is replaced


@pytest.mark.schlenk_leaks(False)
def test_later_replacement_of_push_stays(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with no_context_left():
        recording = _app_ctx_stack.push
        monkeypatch.setattr(_app_ctx_stack, "push", lambda obj: recording(obj))
        replaced = vars(_app_ctx_stack)["push"]
    assert vars(_app_ctx_stack)["push"] is replaced
    # It still calls the method that recorded, which is harmless.
    with app.app_context():
        pass
    monkeypatch.undo()
    del vars(_app_ctx_stack)["push"]


def test_allowed_is_no_leak(app: Flask) -> None:
    context = app.app_context()
    with no_context_left(), contexts_allowed():
        context.push()
    assert _app_ctx_stack.top is context
    context.pop()


def test_leak_below_allowed_is_removed(app: Flask) -> None:
    left, allowed = app.app_context(), app.app_context()

    def leave() -> None:
        left.push()  # below
        with contexts_allowed():
            allowed.push()

    told = complaint(leave)
    assert told.count("pushed in") == 1
    assert f":{line('below')}, leave" in told
    assert _app_ctx_stack._local.stack == [allowed]
    allowed.pop()


def test_earlier_context_above_leak_stays(app: Flask) -> None:
    earlier, left = app.app_context(), app.app_context()

    def put_below() -> None:
        _app_ctx_stack._local.stack.insert(0, left)

    with earlier:
        assert complaint(put_below).count("application context") == 1
        assert _app_ctx_stack._local.stack == [earlier]


def test_unrecorded_is_found(app: Flask) -> None:
    with app.app_context():
        told = complaint(lambda: _app_ctx_stack._local.stack.append(app.app_context()))
    assert "application context of shop, pushed at an unknown line\n" in told


def test_allowed_context_between_leaks_stays(app: Flask) -> None:
    allowed = app.app_context()

    def leave() -> None:
        app.app_context().push()
        with contexts_allowed():
            allowed.push()
        app.app_context().push()

    assert complaint(leave).count("pushed in") == 2
    assert _app_ctx_stack._local.stack == [allowed]
    allowed.pop()


def test_moved_context_keeps_its_location(app: Flask) -> None:
    left, allowed = app.app_context(), app.app_context()

    def leave() -> None:
        left.push()
        with contexts_allowed():
            allowed.push()  # later moved

    def leave_both() -> None:
        outer = leaks._push_log.checks[-1]
        complaint(leave)
        outer.clear()

    told = complaint(leave_both)
    assert f":{line('later moved')}, leave" in told


@pytest.mark.schlenk_leaks(False)
def test_nothing_is_recorded_without_check() -> None:
    with no_context_left():
        assert "push" in vars(_app_ctx_stack)
    assert [vars(stack).get("push") for stack in (_app_ctx_stack, _request_ctx_stack)] == [None, None]
    assert _app_ctx_stack.push.__func__ is LocalStack.push  # type: ignore[attr-defined]


def test_leak_fails_unittest_case(app: Flask) -> None:
    class Case(unittest.TestCase):
        def setUp(self) -> None:
            check = ExitStack()
            check.enter_context(no_context_left())
            self.addCleanup(check.close)

        def test_leaving(self) -> None:
            app.app_context().push()

        def test_tidy(self) -> None:
            with app.app_context():
                pass

    result = unittest.TestResult()
    Case("test_leaving").run(result)
    Case("test_tidy").run(result)
    assert [case._testMethodName for case, _ in result.failures] == ["test_leaving"]  # type: ignore[attr-defined]
    assert result.testsRun == 2
    assert result.errors == []


def test_interrupted_check_leaves_no_trace(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception from a signal handler may arrive at any line of a check. The next check then ends as usual.

    Nothing can protect the line that ends a check, nor the first two lines of the method that it calls.
    """
    stacks = (_request_ctx_stack, _app_ctx_stack)
    pushes = [vars(stack).get("push") for stack in stacks]
    lines: set[int] = set()
    raising: list[int] = []

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != leaks.__file__:
            return None
        if event == "line":
            lines.add(frame.f_lineno)
            if raising and frame.f_lineno == raising[0]:
                raising.clear()
                raise KeyboardInterrupt
        return trace

    def check() -> None:
        with no_context_left(), app.test_request_context():
            pass

    def traced() -> None:
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            check()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)

    traced()
    assert len(lines) > 20
    leaving = []
    for line in sorted(lines):
        # Another check, of the test suite itself, may be running.
        monkeypatch.setattr(leaks, "_push_log", leaks._PushLog())
        raising.append(line)
        traced()
        check()
        if [vars(stack).get("push") for stack in stacks] != pushes:
            leaving.append(line)
            for stack, push in zip(stacks, pushes):
                vars(stack).pop("push", None)
                if push is not None:
                    vars(stack)["push"] = push
    assert len(leaving) <= 3, leaving
