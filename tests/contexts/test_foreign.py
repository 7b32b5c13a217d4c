"""Mocks in place of contexts, which have every attribute, and requests that have only a few attributes."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock, Mock, NonCallableMock

import pytest
from werkzeug.test import create_environ

from schlenk import _app_ctx_stack, _request_ctx_stack, ctx, current_app, g, stream_with_context
from schlenk.flight import in_flight, report
from schlenk.leaks import no_context_left
from tests.support.contexts import NOTHING, RecordingApp, fail, tops

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
    with pytest.raises(AssertionError, match="not popped"):
        app.test_client().get("/")
    assert tops() == NOTHING
    assert app.torn == [("request", None), ("app", None)]


def test_mock_left_in_block_is_removed(app: RecordingApp, stack: Any, mock: Any) -> None:
    with pytest.raises(AssertionError, match="not popped"), app.test_request_context():
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


def test_app_may_be_a_proxy(app: RecordingApp) -> None:
    """A context whose `app` is a proxy is one of the same application."""
    with app.app_context() as outer:
        with ctx.RequestContext(current_app, create_environ("/")):  # type: ignore[arg-type]
            assert _app_ctx_stack.entries() == [outer]


class FewAttributes:
    """A request with only the attributes that Flask 1.1.4 reads."""

    __slots__ = ("environ", "method", "path", "routing_exception", "url_rule", "view_args")
    cookies: dict[str, str] = {}
    blueprint = None

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.method, self.path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.routing_exception = self.url_rule = self.view_args = None

    @property
    def endpoint(self) -> Any:
        return self.url_rule and self.url_rule.endpoint


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [("/", 200, "ab"), ("/absent", 404, "Not Found"), ("/fails", 500, "Server Error"), ("/none", 500, "Server Error")],
)
def test_request_class_needs_few_attributes(app: RecordingApp, path: str, status: int, text: str) -> None:
    app.request_class = FewAttributes  # type: ignore[assignment]
    app.logger.disabled = True
    app.add_url_rule("/", "index", lambda: app.response_class(stream_with_context(iter("ab"))))
    app.add_url_rule("/fails", "fails", fail)
    app.add_url_rule("/none", "none", lambda: None)
    response = app.test_client().get(path)
    assert response.status_code == status
    assert text in response.text
    assert tops() == NOTHING
    assert [who for who, _ in app.torn] == ["request", "app"]
