"""Finding contexts that were pushed and not popped: ``no_context_left``, and the pytest plugin around it."""

from __future__ import annotations

import threading
import unittest
from contextlib import ExitStack
from typing import Any, Callable

import pytest

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack, stream_with_context
from schlenk.local import LocalStack
from schlenk.testing import no_context_left
from tests.support.contexts import tops
from tests.support.execution import in_greenlet, in_thread

pytest_plugins = ["pytester"]


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
    """Return what is said of the contexts that ``block`` leaves."""
    with pytest.raises(AssertionError) as raised, no_context_left():
        block()
    return str(raised.value)


# --- no_context_left


def test_popped_contexts_are_no_leak(app: Flask) -> None:
    with no_context_left():
        with app.app_context(), app.test_request_context(), app.test_request_context():
            pass
        app.test_client().get("/")


@pytest.mark.parametrize("context", [Flask.app_context, Flask.test_request_context])
def test_leaked_context_is_named(app: Flask, context: Any) -> None:
    left = context(app)
    assert repr(left) in complaint(left.push)


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


def test_leaked_contexts_are_removed(app: Flask) -> None:
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
        assert repr(left) in told
        assert told.count("pushed in") == 1
        assert tops() == (None, before)


def test_replaced_context_is_found(app: Flask) -> None:
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


def test_leak_in_greenlet_is_found(app: Flask) -> None:
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


def test_popped_in_thread_is_no_leak(app: Flask) -> None:
    with no_context_left():
        in_thread(lambda: app.test_client().get("/"))


def test_unclosed_stream_is_a_leak(app: Flask) -> None:
    kept: list[Any] = []
    app.add_url_rule("/stream", "stream", lambda: app.response_class(stream_with_context(iter("abc"))))
    assert "/stream" in complaint(lambda: kept.append(app.test_client().get("/stream").response))
    with pytest.raises(AssertionError, match="taken off"):
        kept[0].close()


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


# --- The plugin

LEAVING = """
    import pytest
    from schlenk import Flask

    app = Flask("leaking")

    @pytest.fixture
    def pushed():
        with app.app_context():
            yield

    @pytest.fixture
    def popping():
        yield
        from schlenk import _app_ctx_stack
        _app_ctx_stack.top.pop()

    def test_leaving():
        app.app_context().push()

    @pytest.mark.schlenk_leaks(on=False)
    def test_excepted():
        app.app_context().push()
        app.app_context().push()

    @pytest.mark.schlenk_leaks
    def test_tidy(pushed):
        pass

    @pytest.mark.schlenk_leaks
    def test_popped_by_its_fixture(popping):
        app.app_context().push()

    @pytest.mark.schlenk_leaks
    def test_marked():
        app.test_request_context("/page").push()
    """


def outcomes(pytester: pytest.Pytester, *arguments: str) -> tuple[dict[str, int], str]:
    pytester.makepyfile(LEAVING)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)
    for stack in (_app_ctx_stack, _request_ctx_stack):
        stack._local.__release_local__()
    return result.parseoutcomes(), result.stdout.str()


def test_plugin_is_off_by_default(pytester: pytest.Pytester) -> None:
    assert outcomes(pytester, "-k", "leaving or excepted")[0] == {"passed": 2, "deselected": 3}


def test_marker_enables_one_test(pytester: pytest.Pytester) -> None:
    found, told = outcomes(pytester)
    assert found == {"passed": 5, "errors": 1}
    assert "ERROR at teardown of test_marked" in told
    assert "During handling" not in told
    assert "RequestContext 'http://localhost/page' [GET] of leaking>, pushed in " in told


def test_setting_enables_all_but_excluded(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nschlenk_leaks = true")
    found, told = outcomes(pytester)
    assert found == {"passed": 5, "errors": 2}
    assert [name for name in ("leaving", "excepted", "tidy", "marked") if f"teardown of test_{name}" in told] == [
        "leaving",
        "marked",
    ]


def test_marker_is_registered(pytester: pytest.Pytester) -> None:
    assert outcomes(pytester, "--strict-markers")[0] == {"passed": 5, "errors": 1}
