"""The signals an application context sends."""

from __future__ import annotations

from typing import Any

import pytest

from schlenk import Flask, _app_ctx_stack, current_app, signals
from tests.support.contexts import NOTHING, RecordingApp, fail, tops
from tests.support.requirements import needs_blinker


def test_pushed_is_sent_last(app: RecordingApp, record: Any) -> None:
    sent = record(signals.appcontext_pushed)
    with app.app_context() as context:
        assert sent == [(None, context, {})]


def test_popped_is_sent_after_pop(app: RecordingApp, record: Any) -> None:
    sent = record(signals.appcontext_popped)
    with app.app_context():
        assert sent == []
    assert sent == [(None, None, {})]


def test_signal_carries_error(app: RecordingApp, record: Any, error: Exception) -> None:
    sent = record(signals.appcontext_tearing_down)
    with pytest.raises(ValueError, match="an error"), app.app_context() as context:
        raise error
    assert sent == [(None, context, {"exc": error})]


def test_each_push_and_pop_sends_signal(app: RecordingApp, record: Any) -> None:
    pushed, popped = record(signals.appcontext_pushed), record(signals.appcontext_popped)
    with app.app_context() as context, context:
        pass
    assert len(pushed) == 2
    assert len(popped) == 2
    assert app.torn == [("app", None)]


@needs_blinker
@pytest.mark.parametrize("push", [lambda app: app.app_context().push(), lambda app: app.test_request_context().push()])
def test_failing_pushed_receiver_undoes_push(app: RecordingApp, push: Any) -> None:
    with signals.appcontext_pushed.connected_to(fail), pytest.raises(ZeroDivisionError):
        push(app)
    assert tops() == NOTHING


@needs_blinker
def test_failing_receiver_leaks_nothing(app: RecordingApp) -> None:

    def push_another(sender: Flask) -> None:
        if sender is app:
            Flask("other").app_context().push()
            fail(sender)

    with signals.appcontext_pushed.connected_to(push_another), pytest.raises(ZeroDivisionError):
        app.app_context().push()
    assert tops() == NOTHING


@needs_blinker
def test_failed_push_may_repeat(app: RecordingApp) -> None:
    context = app.app_context()
    with signals.appcontext_pushed.connected_to(fail), pytest.raises(ZeroDivisionError):
        context.push()
    with context, context:
        pass
    assert app.torn == [("app", None)]


def test_interrupted_push_keeps_earlier_one(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    with app.app_context() as context:
        with RecordingApp("other").app_context():
            with monkeypatch.context() as patch:
                patch.setattr(_app_ctx_stack, "push", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    context.push()
            assert current_app.name == "other"
        assert current_app.name == app.name


@needs_blinker
@pytest.mark.parametrize("context", [Flask.app_context, Flask.test_request_context])
def test_failing_popped_receiver_still_pops(app: RecordingApp, context: Any) -> None:
    with signals.appcontext_popped.connected_to(fail), pytest.raises(ZeroDivisionError), context(app):
        pass
    assert tops() == NOTHING
