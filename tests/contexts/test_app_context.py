"""The application context: pushing, popping, and tearing down."""

from __future__ import annotations

from typing import Any

import pytest

from schlenk import (
    _app_ctx_stack,
    current_app,
    g,
    url_for,
)
from tests.support.contexts import NOTHING, RecordingApp, fail, fail_after, tops
from tests.support.execution import in_thread


def test_application_context_holds_its_application(app: RecordingApp) -> None:
    assert app.app_context().app is app


def test_each_application_context_has_a_g_of_its_own(app: RecordingApp) -> None:
    with app.app_context():
        g.user = "ada"
        with app.app_context():
            assert "user" not in g
        assert g.user == "ada"


def test_application_context_builds_urls_for_the_server_name(app: RecordingApp) -> None:
    app.config["SERVER_NAME"] = "localhost:8000"
    app.add_url_rule("/page", "page")
    with app.app_context():
        assert url_for("page") == "http://localhost:8000/page"


def test_application_context_without_server_name_has_no_url_adapter(app: RecordingApp) -> None:
    assert app.app_context().url_adapter is None


def test_application_context_is_on_top_from_push_to_pop(app: RecordingApp) -> None:
    context = app.app_context()
    context.push()
    assert tops() == (None, context)
    context.pop()
    assert tops() == NOTHING


def test_with_gives_the_application_context_itself(app: RecordingApp) -> None:
    context = app.app_context()
    with context as entered:
        assert entered is context


def test_teardown_runs_when_the_application_context_goes(app: RecordingApp) -> None:
    with app.app_context():
        assert app.torn == []
    assert app.torn == [("app", None)]


def test_application_context_is_there_while_it_is_torn_down(app: RecordingApp) -> None:
    seen = []
    app.teardown_appcontext(lambda error: seen.append(current_app._get_current_object()))
    with app.app_context():
        pass
    assert seen == [app]


def test_application_context_pushed_twice_is_torn_down_when_it_goes_for_good(app: RecordingApp) -> None:
    context = app.app_context()
    with context:
        with context:
            g.user = "ada"
        assert (app.torn, g.user) == ([], "ada")
    assert app.torn == [("app", None)]


def test_application_context_that_was_not_pushed_by_itself_is_torn_down_too(app: RecordingApp) -> None:
    context = app.app_context()
    _app_ctx_stack.push(context)
    context.pop()
    assert app.torn == [("app", None)]


def test_application_context_can_be_used_again(app: RecordingApp) -> None:
    context = app.app_context()
    for _ in range(2):
        with context:
            pass
    assert app.torn == [("app", None)] * 2


def test_error_that_leaves_the_block_reaches_teardown_and_goes_on(app: RecordingApp, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), app.app_context():
        raise error
    assert app.torn == [("app", error)]


def test_error_being_handled_reaches_the_teardown_of_an_application_context(
    app: RecordingApp, error: Exception
) -> None:
    context = app.app_context()
    context.push()
    try:
        raise error
    except ValueError:
        context.pop()
    assert app.torn == [("app", error)]


def test_error_being_handled_is_none_of_a_blocks_business(app: RecordingApp, error: Exception) -> None:
    try:
        raise error
    except ValueError:
        with app.app_context():
            pass
    assert app.torn == [("app", None)]


def test_error_given_to_pop_reaches_the_teardown_of_an_application_context(app: RecordingApp, error: Exception) -> None:
    context = app.app_context()
    context.push()
    context.pop(error)
    assert app.torn == [("app", error)]


def test_failing_teardown_function_does_not_keep_the_application_context(app: RecordingApp) -> None:
    app.teardown_appcontext(fail)
    with pytest.raises(ZeroDivisionError), app.app_context():
        pass
    assert tops() == NOTHING


def test_application_context_below_another_is_not_popped_and_nothing_changes(app: RecordingApp) -> None:
    below, above = app.app_context(), app.app_context()
    with below, above:
        with pytest.raises(AssertionError, match="wrong context"):
            below.pop()
        assert (tops(), app.torn) == ((None, above), [])
    assert app.torn == [("app", None)] * 2


def test_application_context_that_was_not_pushed_is_not_popped(app: RecordingApp) -> None:
    with pytest.raises(AssertionError, match="empty"):
        app.app_context().pop()
    assert app.torn == []


def test_application_context_is_popped_where_it_was_pushed(app: RecordingApp) -> None:
    with app.app_context() as context:
        with pytest.raises(AssertionError, match="empty"):
            in_thread(context.pop)
        assert (tops(), app.torn) == ((None, context), [])


def test_application_context_left_by_a_teardown_function_is_told_and_goes_too(app: RecordingApp) -> None:
    app.teardown_appcontext(lambda error: RecordingApp("left").app_context().push())
    with pytest.raises(AssertionError, match="was not popped"), app.app_context():
        pass
    assert tops() == NOTHING


def test_application_context_that_a_teardown_function_took_off_is_not_looked_for(app: RecordingApp) -> None:
    app.teardown_appcontext(lambda error: _app_ctx_stack.pop())
    with RecordingApp("below").app_context() as below:
        with app.app_context():
            pass
        assert tops() == (None, below)


def test_application_context_left_in_a_block_is_told_and_goes_with_the_one_of_the_block(app: RecordingApp) -> None:
    with RecordingApp("below").app_context() as below:
        with pytest.raises(AssertionError, match="was not popped"), app.app_context():
            RecordingApp("left").app_context().push()
        assert (tops(), app.torn) == ((None, below), [("app", None)])


def test_application_context_taken_off_in_its_block_is_told_and_torn_down(app: RecordingApp) -> None:
    with RecordingApp("below").app_context() as below:
        with pytest.raises(AssertionError, match="taken off"), app.app_context():
            _app_ctx_stack.pop()
        assert (tops(), app.torn) == ((None, below), [("app", None)])


def test_error_on_its_way_out_of_a_block_is_told_and_not_what_was_left(app: RecordingApp, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), app.app_context():
        fail_after(RecordingApp("left").app_context().push, error)
    assert (tops(), app.torn) == (NOTHING, [("app", error)])


def test_error_on_its_way_out_of_a_block_is_the_cause_where_something_was_taken_off(
    app: RecordingApp, error: Exception
) -> None:
    with pytest.raises(AssertionError, match="taken off") as told, app.app_context():
        fail_after(_app_ctx_stack.pop, error)
    assert (told.value.__cause__, tops(), app.torn) == (error, NOTHING, [("app", error)])


def test_block_around_another_greenlets_application_context_takes_nothing(app: RecordingApp) -> None:
    with app.app_context() as context:
        with pytest.raises(AssertionError, match="wrong context"):
            in_thread(lambda: context.__exit__(None, None, None))
        assert (tops(), app.torn) == ((None, context), [])


def test_block_around_an_application_context_popped_in_it_ends_nothing_twice(app: RecordingApp) -> None:
    with pytest.raises(AssertionError, match="wrong context"), app.app_context() as context:
        context.pop()
    assert (tops(), app.torn) == (NOTHING, [("app", None)])


def test_failed_assertion_of_a_teardown_function_is_told_as_it_is(app: RecordingApp) -> None:
    failed: list[Any] = []

    @app.teardown_appcontext
    def fail(error: Any) -> None:
        failed.append(error)
        raise AssertionError("not as it should be")

    with RecordingApp("below").app_context() as below:
        with pytest.raises(AssertionError, match="not as it should be"), app.app_context():
            pass
        assert (tops(), failed) == ((None, below), [None])
