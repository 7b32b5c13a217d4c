"""Pushing request contexts, and the functions that say whether a context is pushed."""

from __future__ import annotations

from typing import Any

import pytest

from schlenk import (
    Flask,
    Request,
    _app_ctx_stack,
    _request_ctx_stack,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
    signals,
    stream_with_context,
)
from schlenk.ctx import AppContext
from schlenk.sessions import SessionInterface
from tests.support.contexts import NOTHING, RecordingApp, fail, tops
from tests.support.requirements import needs_blinker

# --- Whether there is a context


def test_no_context_outside() -> None:
    assert has_request_context() is False
    assert has_app_context() is False


def test_app_context_alone(app: RecordingApp) -> None:
    with app.app_context():
        assert has_request_context() is False
        assert has_app_context() is True


def test_both_contexts_in_request(app: RecordingApp) -> None:
    with app.test_request_context():
        assert has_request_context() is True
        assert has_app_context() is True


# --- Pushing


def test_request_context_pushes_app_context(app: RecordingApp) -> None:
    context = app.test_request_context()
    context.push()
    assert _request_ctx_stack.top is context
    assert type(_app_ctx_stack.top) is AppContext
    assert current_app == app
    context.pop()
    assert tops() == NOTHING


def test_existing_app_context_is_reused(app: RecordingApp) -> None:
    with app.app_context() as below:
        with app.test_request_context():
            assert _app_ctx_stack.top is below
        assert tops() == (None, below)
        assert app.torn == [("request", None)]


def test_other_apps_context_is_not_reused(app: RecordingApp) -> None:
    with RecordingApp("other").app_context() as below:
        with app.test_request_context():
            assert current_app == app
        assert tops() == (None, below)


def test_equal_apps_are_apart() -> None:
    class Equal(RecordingApp):
        def __eq__(self, other: object) -> bool:
            return True

    first, second = Equal(), Equal()
    with first.app_context(), second.test_request_context():
        assert current_app._get_current_object() is second


def test_only_top_app_context_is_reused(app: RecordingApp) -> None:
    with app.app_context() as lowest, RecordingApp("other").app_context(), app.test_request_context():
        assert current_app == app
        assert _app_ctx_stack.top is not lowest


def test_nested_requests_share_g(app: RecordingApp) -> None:
    with app.test_request_context("/outer"):
        with app.test_request_context("/inner"):
            g.user = "ada"
            assert request.path == "/inner"
        assert request.path == "/outer"
        assert g.user == "ada"


def test_last_pop_tears_down(app: RecordingApp) -> None:
    context = app.test_request_context()
    with context:
        with context:
            pass
        assert _request_ctx_stack.top is context
        assert app.torn == []
    assert app.torn == [("request", None), ("app", None)]


def test_with_returns_the_context(app: RecordingApp) -> None:
    context = app.test_request_context()
    with context as entered:
        assert entered is context


class Broken(SessionInterface):
    def open_session(self, app: Flask, request: Request) -> Any:
        raise ZeroDivisionError("the store is broken")


def test_failed_enter_leaves_no_context(app: RecordingApp) -> None:
    app.session_interface = Broken()
    with pytest.raises(ZeroDivisionError), app.test_request_context():
        pass
    assert tops() == NOTHING
    assert [(kind, type(error)) for kind, error in app.torn] == [
        ("request", ZeroDivisionError),
        ("app", ZeroDivisionError),
    ]


def test_failed_push_leaves_context_to_pop(app: RecordingApp) -> None:
    app.session_interface = Broken()
    context = app.test_request_context()
    with pytest.raises(ZeroDivisionError):
        context.push()
    assert _request_ctx_stack.top is context
    context.pop(None)
    assert tops() == NOTHING


@needs_blinker
def test_failed_enter_pops_no_other_context(app: RecordingApp) -> None:
    with RecordingApp("other").test_request_context() as other:
        with signals.appcontext_pushed.connected_to(fail), pytest.raises(ZeroDivisionError), app.test_request_context():
            pass
        assert _request_ctx_stack.top is other


def test_failed_second_enter_keeps_first(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.test_request_context() as context, Flask("other").app_context() as other:
        monkeypatch.setattr(app, "app_ctx_globals_class", fail)
        with pytest.raises(ZeroDivisionError), context:
            pytest.fail("it was not pushed")
        assert tops() == (context, other)
    assert app.torn == [("request", None), ("app", None)]


def test_failed_enter_of_app_context_pops_it(app: RecordingApp) -> None:
    class Failing(AppContext):
        def push(self) -> None:
            super().push()
            fail()

    with pytest.raises(ZeroDivisionError) as caught, Failing(app):
        pytest.fail("it was not pushed")
    assert tops() == NOTHING
    assert app.torn == [("app", caught.value)]


@needs_blinker
def test_failed_second_enter_of_app_context(app: RecordingApp) -> None:
    with app.app_context() as context:
        with signals.appcontext_pushed.connected_to(fail), pytest.raises(ZeroDivisionError), context:
            pytest.fail("it was not pushed")
        assert tops() == (None, context)
    assert app.torn == [("app", None)]


def test_failed_stream_keeps_contexts(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.test_request_context() as context, Flask("other").app_context() as other:
        monkeypatch.setattr(app, "app_ctx_globals_class", fail)
        with pytest.raises(ZeroDivisionError):
            stream_with_context(iter(["part"]))
        assert tops() == (context, other)
        assert context.streams == []
    assert app.torn == [("request", None), ("app", None)]


@needs_blinker
def test_failed_app_context_push_is_undone(app: RecordingApp) -> None:
    with signals.appcontext_pushed.connected_to(fail), pytest.raises(ZeroDivisionError), app.app_context():
        pytest.fail("it was not pushed")
    assert tops() == NOTHING
    assert app.torn == []
