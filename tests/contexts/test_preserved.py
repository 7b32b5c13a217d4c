"""Contexts preserved for the test client or the debugger."""

from __future__ import annotations

from typing import Any

import pytest

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack, current_app, recovery, request
from schlenk.ctx import RequestContext
from tests.support.contexts import NOTHING, Interrupting, RecordingApp, leave, tops
from tests.support.execution import in_thread


def test_preserved_for_client_in_block(app: RecordingApp, preserving: RequestContext) -> None:
    with preserving:
        pass
    assert preserving.preserved is True
    assert request.path == "/kept"
    assert app.torn == []
    preserving.pop()
    assert preserving.preserved is False
    assert app.torn == [("request", None), ("app", None)]


def test_leaked_above_is_removed(preserving: RequestContext) -> None:
    preserving.push()
    leave(Flask.test_request_context)()
    with pytest.raises(AssertionError, match="not popped"):
        preserving.auto_pop(None)
    assert _request_ctx_stack.top is preserving
    assert current_app.name == "contexts"
    assert preserving.preserved is True
    preserving.pop()


def test_app_context_above_is_preserved_too(preserving: RequestContext) -> None:
    preserving.push()
    leave(Flask.app_context)()
    preserving.auto_pop(None)
    assert _request_ctx_stack.top is preserving
    assert preserving.preserved is True
    assert current_app.name == "left"
    _app_ctx_stack.pop()
    preserving.pop()


def test_app_context_above_preserved_is_kept(app: RecordingApp, preserving: RequestContext) -> None:
    preserving.push()
    leave(Flask.app_context)()
    preserving.auto_pop(None)
    left = _app_ctx_stack.top
    assert app.test_client().get("/").status_code == 404
    assert tops() == (None, left)
    assert app.torn[:2] == [("request", None), ("app", None)]
    _app_ctx_stack.pop()


def test_app_context_in_use_stays(app: RecordingApp, preserving: RequestContext) -> None:
    with preserving:
        pass
    with app.app_context() as in_use:
        with app.test_request_context():
            assert _app_ctx_stack.top is in_use
        assert _app_ctx_stack.top is in_use
    assert tops() == NOTHING


def test_app_context_in_use_survives_failure(app: RecordingApp, preserving: RequestContext, error: Exception) -> None:
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


def test_preserved_from_other_thread_stays(app: RecordingApp, preserving: RequestContext) -> None:
    preserving.push()
    in_thread(lambda: preserving.auto_pop(None))
    assert _request_ctx_stack.top is preserving
    assert preserving.preserved is True
    assert app.torn == []
    preserving.pop()


def test_preserved_after_error_if_configured(app: RecordingApp, error: Exception) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    context = app.test_request_context()
    with pytest.raises(ValueError, match="an error"), context:
        raise error
    assert _request_ctx_stack.top is context
    assert context.preserved is True
    assert app.torn == []
    context.pop(None)


@pytest.mark.parametrize(("setting", "failing"), [(True, False), (False, True), (None, True)])
def test_not_preserved_otherwise(app: RecordingApp, setting: bool | None, failing: bool, error: Exception) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = setting
    context = app.test_request_context()
    context.push()
    context.auto_pop(error if failing else None)
    assert tops() == NOTHING
    assert context.preserved is False


def test_next_push_pops_preserved(app: RecordingApp, preserving: RequestContext) -> None:
    with preserving:
        pass
    with app.test_request_context() as following:
        assert app.torn == [("request", None), ("app", None)]
        assert preserving.preserved is False
        assert _request_ctx_stack.top is following
    assert tops() == NOTHING


def test_own_pop_finds_its_app_context(app: RecordingApp) -> None:
    class Context(RequestContext):
        def push(self) -> None:
            super().push()
            self.extra = self.app.app_context()
            self.extra.push()

        def pop(self, *exc: Any) -> None:
            self.extra.pop(*exc)
            super().pop(*exc)

    app.request_context = lambda environ: Context(app, environ)  # type: ignore[method-assign]
    with app.test_client() as client:
        assert [client.get("/").status_code for _ in range(2)] == [404, 404]
    assert tops() == NOTHING
    assert [what for what, _ in app.torn] == ["app", "request", "app"] * 2


def test_own_error_of_preserved_is_raised(app: RecordingApp, preserving: RequestContext) -> None:
    with preserving:
        pass

    @app.teardown_request
    def refuse(error: BaseException | None) -> None:
        app.teardown_request_funcs[None].remove(refuse)
        raise AssertionError("from the hook")

    with pytest.raises(AssertionError, match="from the hook"):
        app.test_request_context().push()
    assert tops() == NOTHING


def test_teardown_receives_stored_error(app: RecordingApp, preserving: RequestContext, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), preserving:
        raise error
    with app.test_request_context():
        assert app.torn == [("request", error), ("app", error)]


def test_pop_forgets_error(preserving: RequestContext, error: Exception) -> None:
    with pytest.raises(ValueError, match="an error"), preserving:
        raise error
    preserving.pop(None)
    assert preserving._preserved_exc is None


def test_pushed_again_is_torn_down_first(app: RecordingApp, preserving: RequestContext) -> None:
    with preserving:
        pass
    preserving.push()
    assert app.torn == [("request", None), ("app", None)]
    assert preserving.preserved is False
    preserving.pop()


def test_unpreserved_context_stays_below(app: RecordingApp) -> None:
    with app.test_request_context() as below, app.test_request_context():
        assert app.torn == []
        assert _request_ctx_stack.top is not below


def test_other_thread_leaves_preserved_alone(app: RecordingApp, preserving: RequestContext) -> None:
    def work() -> None:
        with RecordingApp("other").test_request_context():
            pass

    with preserving:
        pass
    in_thread(work)
    assert preserving.preserved is True
    assert app.torn == []
    preserving.pop()


def test_preserved_in_block_ends_with_block(app: RecordingApp, preserving: RequestContext, error: Exception) -> None:
    with app.test_request_context():
        with pytest.raises(ValueError, match="an error"), preserving:
            raise error
        assert app.torn == []
    assert tops() == NOTHING
    assert app.torn == [("request", error), ("request", None), ("app", None)]


def test_nested_preserved_pop_one_by_one(app: RecordingApp, preserving: RequestContext, error: Exception) -> None:
    outer = app.test_request_context("/outer", environ_base={"flask._preserve_context": True})
    outer.push()
    with preserving:
        pass
    outer.auto_pop(error)
    assert _request_ctx_stack.top is preserving
    assert outer.preserved is True
    assert preserving.preserved is True
    assert app.torn == []
    with app.test_request_context():
        assert app.torn == [("request", None)]
    with app.test_request_context():
        assert app.torn[2:] == [("request", error), ("app", error)]


def test_unpushed_context_can_be_preserved(app: RecordingApp) -> None:
    context = app.test_request_context(environ_overrides={"flask._preserve_context": True})
    context.auto_pop(None)
    assert context.preserved
    assert tops() == NOTHING


def test_failed_pop_in_teardown_keeps_context(app: RecordingApp, preserving: RequestContext) -> None:
    seen = []

    @app.teardown_request
    def enter_again(error: BaseException | None) -> None:
        seen.append(_request_ctx_stack.entries().count(preserving))
        if len(seen) > 1:
            raise ZeroDivisionError
        with preserving:
            pass
        with pytest.raises(ZeroDivisionError):
            app.test_client().get("/")
        seen.append(_request_ctx_stack.entries().count(preserving))

    with preserving:
        pass
    preserving.pop()
    assert seen == [1, 2, 1]
    assert tops() == NOTHING


def test_interrupted_pop_for_next_request(app: RecordingApp, preserving: RequestContext) -> None:
    with preserving:
        pass
    preserving._implicit_app_ctx_stack = Interrupting(preserving._implicit_app_ctx_stack)
    with pytest.raises(KeyboardInterrupt):
        app.test_client().get("/")
    assert tops() == NOTHING
    assert app.test_client().get("/").status_code == 404


@pytest.mark.parametrize("pushes", [2, 3])
def test_interrupted_end_keeps_other_pushes(app: RecordingApp, pushes: int) -> None:
    context = app.test_request_context()
    for _ in range(pushes):
        context.push()
    context._implicit_app_ctx_stack = Interrupting(context._implicit_app_ctx_stack)
    with pytest.raises(KeyboardInterrupt):
        recovery.end_preserved(context)
    assert _request_ctx_stack.entries() == [context] * (pushes - 1)
    recovery.abandon(context, 0, 0)
    assert tops() == NOTHING


def test_interrupted_pop_at_end_of_client(app: RecordingApp) -> None:
    client = app.test_client()
    client.__enter__()
    client.get("/")
    kept = _request_ctx_stack.top
    assert kept is not None
    kept._implicit_app_ctx_stack = Interrupting(kept._implicit_app_ctx_stack)
    with pytest.raises(KeyboardInterrupt):
        client.__exit__(None, None, None)
    assert tops() == NOTHING


def test_refused_at_end_of_client(app: RecordingApp) -> None:
    client = app.test_client()
    client.__enter__()
    client.get("/")
    kept = _request_ctx_stack.top
    with app.app_context():
        with RecordingApp("above").app_context() as above:
            with pytest.raises(AssertionError, match="not on top"):
                client.__exit__(None, None, None)
            assert tops() == (kept, above)
    client.__exit__(None, None, None)
    assert tops() == NOTHING
