"""Contexts that were removed from the stack while they were in use."""

from __future__ import annotations

from typing import Any

import pytest

from schlenk import Response, _app_ctx_stack, _request_ctx_stack, current_app, g
from schlenk.ctx import RequestContext
from schlenk.local import release_local
from tests.support.contexts import NOTHING, RecordingApp, fail_after, tops


class Plain:
    """An application context that does not inherit from `AppContext`."""

    def __init__(self, app: RecordingApp) -> None:
        self.app = app
        self.g = app.app_ctx_globals_class()
        self.url_adapter = None

    def push(self) -> None:
        _app_ctx_stack.push(self)  # type: ignore[arg-type]

    def pop(self, exc: BaseException | None = None) -> None:
        self.app.do_teardown_appcontext(exc)
        assert _app_ctx_stack.pop() is self


class PlainApp(RecordingApp):
    def app_context(self) -> Any:
        return Plain(self)


TAKING = {
    "request context popped": _request_ctx_stack.pop,
    "application context popped": _app_ctx_stack.pop,
    "both popped": lambda: (_request_ctx_stack.pop(), _app_ctx_stack.pop()),
    "request context released": lambda: release_local(_request_ctx_stack),
    "application context released": lambda: release_local(_app_ctx_stack),
    "application context popped too early": lambda: _app_ctx_stack.top.pop(),  # type: ignore[union-attr]
}


@pytest.mark.parametrize("take", TAKING.values(), ids=TAKING)
def test_missing_in_request_is_reported(app: RecordingApp, take: Any) -> None:
    @app.after_request
    def misuse(response: Response) -> Response:
        g.user = "ada"
        take()
        return response

    with pytest.raises(AssertionError, match="while they were in use"):
        app.test_client().get("/")
    assert tops() == NOTHING
    assert sorted(name for name, _ in app.torn) == ["app", "request"]


def test_own_idents_need_no_advice(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    for stack in (_request_ctx_stack, _app_ctx_stack):
        monkeypatch.setattr(stack, "__ident_func__", lambda: "all")
    with pytest.raises(AssertionError, match="removed from the stack") as caught, app.test_request_context():
        _request_ctx_stack.pop()
    assert "contextvars" not in str(caught.value)


def test_foreign_app_context_is_accepted() -> None:
    app = PlainApp()
    with app.test_request_context("/"):
        assert type(_app_ctx_stack.top) is Plain
        assert current_app._get_current_object() is app
    assert app.torn == [("request", None), ("app", None)]


def test_foreign_app_context_gone_in_block() -> None:
    app = PlainApp()
    with pytest.raises(AssertionError, match="removed from"), app.test_request_context("/"):
        _app_ctx_stack.pop()
    assert app.torn == [("request", None), ("app", None)]


def test_foreign_context_gone_in_teardown() -> None:
    app = PlainApp()
    app.teardown_request(lambda error: _app_ctx_stack.pop())
    with pytest.raises(AssertionError, match="removed from"), app.test_request_context("/"):
        pass
    assert app.torn == [("request", None), ("app", None)]


@pytest.mark.parametrize("take", TAKING.values(), ids=TAKING)
def test_missing_is_reported(app: RecordingApp, take: Any) -> None:
    with pytest.raises(AssertionError, match="while they were in use"), app.test_request_context():
        take()
    assert tops() == NOTHING
    assert sorted(app.torn) == [("app", None), ("request", None)]


@pytest.mark.parametrize("take", TAKING.values(), ids=TAKING)
def test_error_is_cause_of_missing_context(app: RecordingApp, take: Any, error: Exception) -> None:
    with pytest.raises(AssertionError, match="removed from") as told, app.test_request_context():
        fail_after(take, error)
    assert told.value.__cause__ is error
    assert tops() == NOTHING


@pytest.mark.parametrize("take", [_app_ctx_stack.pop, lambda: _app_ctx_stack.top.pop()])  # type: ignore[union-attr]
def test_missing_is_of_last_push(app: RecordingApp, take: Any) -> None:
    with app.app_context(), app.test_request_context() as context, RecordingApp("between").app_context():
        context.push()
        take()
        with pytest.raises(AssertionError, match="removed from"):
            context.auto_pop(None)
        assert current_app.name == "between"
        assert _request_ctx_stack.top is context
    assert tops() == NOTHING


def test_removed_in_teardown_is_reported(app: RecordingApp) -> None:
    app.teardown_request(lambda error: _app_ctx_stack.pop())
    with pytest.raises(AssertionError, match="removed from"), app.test_request_context():
        pass
    assert tops() == NOTHING
    assert app.torn == [("request", None), ("app", None)]


def test_popped_in_teardown_is_reported(app: RecordingApp) -> None:
    app.teardown_request(lambda error: _app_ctx_stack.top.pop())  # type: ignore[union-attr]
    with pytest.raises(AssertionError, match="wrong context"), app.test_request_context():
        pass
    assert tops() == NOTHING
    assert app.torn == [("app", None), ("request", None)]


@pytest.mark.parametrize("take", [_app_ctx_stack.pop, lambda: _app_ctx_stack.top.pop()])  # type: ignore[union-attr]
def test_preserved_without_app_context_ends(app: RecordingApp, preserving: RequestContext, take: Any) -> None:
    with preserving:
        pass
    take()
    assert app.test_client().get("/").status_code == 404
    assert tops() == NOTHING
    assert [name for name, _ in app.torn].count("app") == 2
