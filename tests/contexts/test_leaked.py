"""Contexts that were pushed above another context and not popped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schlenk import Flask, _request_ctx_stack, current_app, request
from schlenk.ctx import RequestContext
from tests.support.contexts import NOTHING, RecordingApp, fail, leave, tops


@pytest.mark.parametrize("what", [Flask.app_context, Flask.test_request_context])
def test_leaked_by_teardown_is_removed(app: RecordingApp, what: Any) -> None:
    app.teardown_request(leave(what))
    with pytest.raises(AssertionError, match="not popped"), app.test_request_context():
        pass
    assert tops() == NOTHING
    assert app.torn == [("request", None), ("app", None)]


@pytest.mark.parametrize("what", [Flask.app_context, Flask.test_request_context])
def test_leaked_is_removed(app: RecordingApp, what: Any) -> None:
    with pytest.raises(AssertionError, match="not popped"), app.test_request_context():
        leave(what)()
    assert tops() == NOTHING
    assert app.torn == [("request", None), ("app", None)]


def test_removed_above_second_push_only(app: RecordingApp) -> None:
    with app.test_request_context() as context, RecordingApp("between").app_context():
        context.push()
        leave(Flask.app_context)()
        with pytest.raises(AssertionError, match="not popped"):
            context.auto_pop(None)
        assert current_app.name == "between"
    assert tops() == NOTHING


def test_foreign_object_is_removed(app: RecordingApp) -> None:
    with pytest.raises(AssertionError, match=r"above it and not popped: \[None\]"), app.test_request_context():
        _request_ctx_stack.push(None)  # type: ignore[arg-type]
    assert _request_ctx_stack._local.__storage__ == {}


def test_error_hides_leak(app: RecordingApp, error: Exception) -> None:
    context = app.test_request_context()
    context.push()
    leave(Flask.test_request_context)()
    context.auto_pop(error)
    assert tops() == NOTHING
    assert app.torn == [("request", error), ("app", error)]


def test_contexts_below_leaked_one_stay(app: RecordingApp) -> None:
    with RecordingApp("below").test_request_context() as below:
        with pytest.raises(AssertionError, match="not popped"), app.test_request_context():
            leave(Flask.test_request_context)()
        assert _request_ctx_stack.top is below
        assert current_app.name == "below"


def test_leak_in_inner_block_keeps_outer(app: RecordingApp) -> None:
    with app.test_request_context() as context, RecordingApp("between").app_context():
        app.teardown_appcontext_funcs.append(leave(Flask.app_context))
        with pytest.raises(AssertionError, match="not popped"), context:
            pass
        app.teardown_appcontext_funcs.pop()
        assert _request_ctx_stack.top is context


def serve(app: Flask) -> RequestContext:
    """Return the context of a request that was served."""
    contexts: list[Any] = []
    app.add_url_rule("/", "index", lambda: str(contexts.append(_request_ctx_stack.top)))
    app.test_client().get("/")
    return contexts.pop()  # type: ignore[no-any-return]


@pytest.mark.parametrize("make", [Flask.app_context, Flask.test_request_context, serve])
def test_ended_block_holds_no_context(app: RecordingApp, make: Any) -> None:
    context = make(app)
    with context:
        pass
    with pytest.raises(AssertionError, match="not popped"), app.test_request_context():
        context.push()
    assert tops() == NOTHING


@pytest.mark.parametrize("make", [Flask.app_context, Flask.test_request_context, serve])
def test_second_block_holds_context(app: RecordingApp, make: Any) -> None:
    context = make(app)

    def generate() -> Iterator[None]:
        with context:
            yield

    with context:
        pass
    generator = generate()
    with app.test_request_context():
        next(generator)
    assert context in tops()
    generator.close()
    assert tops() == NOTHING


def test_failed_request_keeps_held_context(app: RecordingApp) -> None:
    def generate() -> Iterator[None]:
        with _request_ctx_stack.top:  # type: ignore[union-attr]
            yield

    generator = generate()
    app.testing = True
    app.add_url_rule("/", "index", lambda: fail(next(generator)))
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/")
    assert request.path == "/"
    generator.close()
    assert tops() == NOTHING
