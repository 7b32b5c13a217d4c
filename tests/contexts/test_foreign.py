"""Mocks on the stacks in the place of contexts. They have every attribute that they are asked for."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock, Mock, NonCallableMock

import pytest
from werkzeug.test import create_environ

from schlenk import _app_ctx_stack, _request_ctx_stack, ctx, current_app, g, stream_with_context
from schlenk.flight import in_flight, report
from schlenk.leaks import no_context_left
from tests.support.contexts import NOTHING, RecordingApp, tops

STACKS = {"request": _request_ctx_stack, "app": _app_ctx_stack}


@pytest.fixture(params=[Mock, MagicMock, NonCallableMock])
def mock(request: pytest.FixtureRequest, app: RecordingApp) -> Any:
    return request.param(app=app, preserved=False)


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> Any:
    yield STACKS[request.param]
    STACKS[request.param]._local.__release_local__()


def test_request_runs_above_mock(app: RecordingApp, stack: Any, mock: Any) -> None:
    app.add_url_rule("/", "index", lambda: "index")
    stack.push(mock)
    assert app.test_client().get("/").text == "index"
    assert stack.entries() == [mock]


def test_stream_runs_above_mock(app: RecordingApp, stack: Any, mock: Any) -> None:
    app.add_url_rule("/", "index", lambda: app.response_class(stream_with_context(iter("abc"))))
    stack.push(mock)
    assert app.test_client().get("/").text == "abc"
    assert stack.entries() == [mock]


def test_request_uses_mocked_app_context(app: RecordingApp, mock: Any) -> None:
    _app_ctx_stack.push(mock)
    with app.test_request_context():
        assert g._get_current_object() is mock.g
    assert _app_ctx_stack.pop() is mock


def test_mock_left_by_request_is_removed(app: RecordingApp, stack: Any, mock: Any) -> None:
    app.add_url_rule("/", "index", lambda: "index")
    app.teardown_request(lambda error: stack.push(mock))
    with pytest.raises(AssertionError, match="was not popped"):
        app.test_client().get("/")
    assert tops() == NOTHING
    assert app.torn == [("request", None), ("app", None)]


def test_mock_left_in_block_is_removed(app: RecordingApp, stack: Any, mock: Any) -> None:
    with pytest.raises(AssertionError, match="was not popped"), app.test_request_context():
        stack.push(mock)
    assert tops() == NOTHING
    assert [who for who, _ in app.torn] == ["request", "app"]


def test_mock_is_in_flight(stack: Any, mock: Any) -> None:
    stack.push(mock)
    (flight,) = in_flight()
    assert [pushed.context for pushed in flight.applications + flight.requests] == [mock]
    assert mock.app.name in report()


def test_leaked_mock_is_named(stack: Any, mock: Any) -> None:
    with pytest.raises(AssertionError, match="contexts"), no_context_left():
        stack.push(mock)
    assert stack.top is None


def test_app_may_be_named_by_proxy(app: RecordingApp) -> None:
    """A context whose `app` is a proxy is one of the same application."""
    with app.app_context() as outer:
        with ctx.RequestContext(current_app, create_environ("/")):  # type: ignore[arg-type]
            assert _app_ctx_stack.entries() == [outer]
