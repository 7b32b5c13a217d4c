"""The application context: pushing, popping, and tearing down."""

from __future__ import annotations

from typing import Any

import pytest

from schlenk import _app_ctx_stack, current_app, g, url_for
from tests.support.contexts import NOTHING, RecordingApp, fail, fail_after, tops
from tests.support.execution import in_thread


def test_holds_its_app(app: RecordingApp) -> None:
    assert app.app_context().app is app


def test_each_has_its_own_g(app: RecordingApp) -> None:
    with app.app_context():
        g.user = "ada"
        with app.app_context():
            assert "user" not in g
        assert g.user == "ada"


def test_builds_urls(app: RecordingApp) -> None:
    app.config["SERVER_NAME"] = "localhost:8000"
    app.add_url_rule("/page", "page")
    with app.app_context():
        assert url_for("page") == "http://localhost:8000/page"


def test_no_url_adapter_without_server_name(app: RecordingApp) -> None:
    assert app.app_context().url_adapter is None


def test_is_on_top_until_popped(app: RecordingApp) -> None:
    context = app.app_context()
    context.push()
    assert tops() == (None, context)
    context.pop()
    assert tops() == NOTHING


def test_with_returns_the_context(app: RecordingApp) -> None:
    context = app.app_context()
    with context as entered:
        assert entered is context


def test_unpushed_context_has_no_thread(app: RecordingApp) -> None:
    context = app.app_context()
    assert (context.pushed_at, context.pushed_by) == (None, 0)


def test_teardown_runs_on_exit(app: RecordingApp) -> None:
    with app.app_context():
        assert app.torn == []
    assert app.torn == [("app", None)]


def test_teardown_has_context(app: RecordingApp) -> None:
    seen = []
    app.teardown_appcontext(lambda error: seen.append(current_app._get_current_object()))
    with app.app_context():
        pass
    assert seen == [app]


def test_last_pop_tears_down(app: RecordingApp) -> None:
    context = app.app_context()
    with context:
        with context:
            g.user = "ada"
        assert app.torn == []
        assert g.user == "ada"
    assert app.torn == [("app", None)]


def test_teardown_runs_if_pushed_by_hand(app: RecordingApp) -> None:
    context = app.app_context()
    _app_ctx_stack.push(context)
    context.pop()
    assert app.torn == [("app", None)]


def test_can_be_pushed_again(app: RecordingApp) -> None:
    context = app.app_context()
    for _ in range(2):
        with context:
            pass
    assert app.torn == [("app", None)] * 2


def test_exit_passes_error(app: RecordingApp, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), app.app_context():
        raise error
    assert app.torn == [("app", error)]


def test_pop_passes_handled_error(app: RecordingApp, error: Exception) -> None:
    context = app.app_context()
    context.push()
    try:
        raise error
    except ValueError:
        context.pop()
    assert app.torn == [("app", error)]


def test_exit_ignores_handled(app: RecordingApp, error: Exception) -> None:
    try:
        raise error
    except ValueError:
        with app.app_context():
            pass
    assert app.torn == [("app", None)]


def test_pop_passes_given_error(app: RecordingApp, error: Exception) -> None:
    context = app.app_context()
    context.push()
    context.pop(error)
    assert app.torn == [("app", error)]


def test_failed_teardown_pops(app: RecordingApp) -> None:
    app.teardown_appcontext(fail)
    with pytest.raises(ZeroDivisionError), app.app_context():
        pass
    assert tops() == NOTHING


def test_pop_below_top_changes_nothing(app: RecordingApp) -> None:
    below, above = app.app_context(), app.app_context()
    with below, above:
        with pytest.raises(AssertionError, match="wrong context"):
            below.pop()
        assert tops() == (None, above)
        assert app.torn == []
    assert app.torn == [("app", None)] * 2


def test_pop_unpushed_raises(app: RecordingApp) -> None:
    with pytest.raises(AssertionError, match="empty"):
        app.app_context().pop()
    assert app.torn == []


def test_pop_elsewhere_raises(app: RecordingApp) -> None:
    with app.app_context() as context:
        with pytest.raises(AssertionError, match="empty"):
            in_thread(context.pop)
        assert tops() == (None, context)
        assert app.torn == []


def test_teardown_leak_is_removed(app: RecordingApp) -> None:
    app.teardown_appcontext(lambda error: RecordingApp("left").app_context().push())
    with pytest.raises(AssertionError, match="not popped"), app.app_context():
        pass
    assert tops() == NOTHING


def test_context_popped_by_teardown_is_fine(app: RecordingApp) -> None:
    app.teardown_appcontext(lambda error: _app_ctx_stack.pop())
    with RecordingApp("below").app_context() as below:
        with app.app_context():
            pass
        assert tops() == (None, below)


def test_leaked_context_is_removed_on_exit(app: RecordingApp) -> None:
    with RecordingApp("below").app_context() as below:
        with pytest.raises(AssertionError, match="not popped"), app.app_context():
            RecordingApp("left").app_context().push()
        assert tops() == (None, below)
        assert app.torn == [("app", None)]


def test_exit_tears_down_missing_context(app: RecordingApp) -> None:
    with RecordingApp("below").app_context() as below:
        with pytest.raises(AssertionError, match="removed from"), app.app_context():
            _app_ctx_stack.pop()
        assert tops() == (None, below)
        assert app.torn == [("app", None)]


def test_error_hides_leak(app: RecordingApp, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), app.app_context():
        fail_after(RecordingApp("left").app_context().push, error)
    assert tops() == NOTHING
    assert app.torn == [("app", error)]


def test_error_is_cause_of_missing_context(app: RecordingApp, error: Exception) -> None:
    with pytest.raises(AssertionError, match="removed from") as told, app.app_context():
        fail_after(_app_ctx_stack.pop, error)
    assert told.value.__cause__ is error
    assert tops() == NOTHING
    assert app.torn == [("app", error)]


def test_exit_in_other_thread_takes_nothing(app: RecordingApp) -> None:
    with app.app_context() as context:
        with pytest.raises(AssertionError, match="wrong context"):
            in_thread(lambda: context.__exit__(None, None, None))
        assert tops() == (None, context)
        assert app.torn == []


def test_popped_context_is_torn_down_once(app: RecordingApp) -> None:
    with pytest.raises(AssertionError, match="wrong context"), app.app_context() as context:
        context.pop()
    assert tops() == NOTHING
    assert app.torn == [("app", None)]


def test_teardown_assertion_error_propagates(app: RecordingApp) -> None:
    failed: list[Any] = []

    @app.teardown_appcontext
    def fail(error: Any) -> None:
        failed.append(error)
        raise AssertionError("not as it should be")

    with RecordingApp("below").app_context() as below:
        with pytest.raises(AssertionError, match="not as it should be"), app.app_context():
            pass
        assert tops() == (None, below)
        assert failed == [None]
