"""Contexts preserved for the test client or the debugger."""

from __future__ import annotations

import pytest

from schlenk import (
    Flask,
    _app_ctx_stack,
    _request_ctx_stack,
    current_app,
    request,
)
from schlenk.ctx import RequestContext
from tests.support.contexts import NOTHING, RecordingApp, leave, tops
from tests.support.execution import in_thread


def test_context_is_preserved_for_a_client_in_a_block(app: RecordingApp, preserving: RequestContext) -> None:
    with preserving:
        pass
    assert (preserving.preserved, request.path, app.torn) == (True, "/kept", [])
    preserving.pop()
    assert (preserving.preserved, app.torn) == (False, [("request", None), ("app", None)])


def test_context_left_above_one_to_preserve_is_told_and_goes(app: RecordingApp, preserving: RequestContext) -> None:
    preserving.push()
    leave(Flask.test_request_context)()
    with pytest.raises(AssertionError, match="was not popped"):
        preserving.auto_pop(None)
    assert (_request_ctx_stack.top, current_app.name, preserving.preserved) == (preserving, "contexts", True)
    preserving.pop()


def test_application_context_left_above_one_to_preserve_is_preserved_with_it(
    app: RecordingApp, preserving: RequestContext
) -> None:
    preserving.push()
    leave(Flask.app_context)()
    preserving.auto_pop(None)
    assert (_request_ctx_stack.top, preserving.preserved, current_app.name) == (preserving, True, "left")
    _app_ctx_stack.pop()
    preserving.pop()


def test_application_context_left_above_a_preserved_context_does_not_stop_what_comes_next(
    app: RecordingApp, preserving: RequestContext
) -> None:
    preserving.push()
    leave(Flask.app_context)()
    preserving.auto_pop(None)
    left = _app_ctx_stack.top
    assert app.test_client().get("/").status_code == 404
    assert (tops(), app.torn[:2]) == ((None, left), [("request", None), ("app", None)])
    _app_ctx_stack.pop()


def test_application_context_in_use_stays_when_a_preserved_context_below_goes(
    app: RecordingApp, preserving: RequestContext
) -> None:
    with preserving:
        pass
    with app.app_context() as in_use:
        with app.test_request_context():
            assert _app_ctx_stack.top is in_use
        assert _app_ctx_stack.top is in_use
    assert tops() == NOTHING


def test_application_context_in_use_stays_though_a_preserved_context_below_fails_to_go(
    app: RecordingApp, preserving: RequestContext, error: Exception
) -> None:
    with preserving:
        pass

    @app.teardown_request
    def fail(given: BaseException | None) -> None:
        app.teardown_request_funcs[None].remove(fail)
        raise error

    with app.app_context() as in_use:
        with pytest.raises(ValueError, match="an error"):
            app.test_request_context().push()
        assert tops() == (None, in_use)
    assert tops() == NOTHING


def test_context_to_preserve_stays_where_it_is_whoever_says_so(app: RecordingApp, preserving: RequestContext) -> None:
    preserving.push()
    in_thread(lambda: preserving.auto_pop(None))
    assert (_request_ctx_stack.top, preserving.preserved, app.torn) == (preserving, True, [])
    preserving.pop()


def test_context_is_preserved_after_an_error_if_configured(app: RecordingApp, error: Exception) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    context = app.test_request_context()
    with pytest.raises(ValueError, match="an error"), context:
        raise error
    assert (_request_ctx_stack.top, context.preserved, app.torn) == (context, True, [])
    context.pop(None)


@pytest.mark.parametrize(("setting", "failing"), [(True, False), (False, True), (None, True)])
def test_context_is_not_preserved_otherwise(
    app: RecordingApp, setting: bool | None, failing: bool, error: Exception
) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = setting
    context = app.test_request_context()
    context.push()
    context.auto_pop(error if failing else None)
    assert (tops(), context.preserved) == (NOTHING, False)


def test_preserved_context_goes_when_the_next_is_pushed(app: RecordingApp, preserving: RequestContext) -> None:
    with preserving:
        pass
    with app.test_request_context() as following:
        assert app.torn == [("request", None), ("app", None)]
        assert (preserving.preserved, _request_ctx_stack.top) == (False, following)
    assert tops() == NOTHING


def test_preserved_context_is_torn_down_with_the_error_it_remembers(
    app: RecordingApp, preserving: RequestContext, error: Exception
) -> None:
    with pytest.raises(ValueError, match="an error"), preserving:
        raise error
    with app.test_request_context():
        assert app.torn == [("request", error), ("app", error)]


def test_context_that_went_remembers_no_error(app: RecordingApp, preserving: RequestContext, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), preserving:
        raise error
    preserving.pop(None)
    assert preserving._preserved_exc is None


def test_preserved_context_pushed_again_goes_first(app: RecordingApp, preserving: RequestContext) -> None:
    with preserving:
        pass
    preserving.push()
    assert (app.torn, preserving.preserved) == ([("request", None), ("app", None)], False)
    preserving.pop()


def test_context_that_is_not_preserved_stays_below_the_next(app: RecordingApp) -> None:
    with app.test_request_context() as below, app.test_request_context():
        assert app.torn == []
        assert _request_ctx_stack.top is not below


def test_preserved_context_stays_when_another_thread_pushes_one(app: RecordingApp, preserving: RequestContext) -> None:
    def work() -> None:
        with RecordingApp("other").test_request_context():
            pass

    with preserving:
        pass
    in_thread(work)
    assert (preserving.preserved, app.torn) == (True, [])
    preserving.pop()


def test_preserved_context_inside_a_block_goes_with_the_block(
    app: RecordingApp, preserving: RequestContext, error: Exception
) -> None:
    with app.test_request_context():
        with pytest.raises(ValueError, match="an error"), preserving:
            raise error
        assert app.torn == []
    assert tops() == NOTHING
    assert app.torn == [("request", error), ("request", None), ("app", None)]


def test_two_contexts_preserved_one_above_the_other_stay_and_go_one_by_one(
    app: RecordingApp, preserving: RequestContext, error: Exception
) -> None:
    outer = app.test_request_context("/outer", environ_base={"flask._preserve_context": True})
    outer.push()
    with preserving:
        pass
    outer.auto_pop(error)
    assert (_request_ctx_stack.top, outer.preserved, preserving.preserved, app.torn) == (preserving, True, True, [])
    with app.test_request_context():
        assert app.torn == [("request", None)]
    with app.test_request_context():
        assert app.torn[2:] == [("request", error), ("app", error)]
