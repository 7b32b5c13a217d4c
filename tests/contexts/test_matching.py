"""Matching the URL of a request context."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.exceptions import BadRequest, MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, RequestRedirect

from schlenk import (
    Request,
    request,
    session,
)
from schlenk.ctx import RequestContext
from schlenk.sessions import SecureCookieSession
from tests.support.contexts import RecordingApp


def test_finds_rule_and_values(app: RecordingApp) -> None:
    app.add_url_rule("/user/<int:number>", "user")
    with app.test_request_context("/user/7"):
        assert request.endpoint == "user"
        assert request.view_args == {"number": 7}
        assert request.routing_exception is None


@pytest.mark.parametrize(
    ("path", "method", "error"),
    [("/absent", "GET", NotFound), ("/page/", "POST", MethodNotAllowed), ("/page", "GET", RequestRedirect)],
)
def test_routing_error_is_stored(app: RecordingApp, path: str, method: str, error: Any) -> None:
    app.add_url_rule("/page/", "page", methods=["GET"])
    with app.test_request_context(path, method=method):
        assert type(request.routing_exception) is error
        assert request.url_rule is None
        assert request.view_args is None


def test_request_is_matched_on_push(app: RecordingApp) -> None:
    app.add_url_rule("/page", "page")
    context = app.test_request_context("/page")
    assert context.request.url_rule is None
    context.match_request()
    assert context.request.endpoint == "page"


def test_converter_can_use_session(app: RecordingApp) -> None:
    class Visited(BaseConverter):
        def to_python(self, value: str) -> bool:
            return value in session

    app.url_map.converters["visited"] = Visited
    app.add_url_rule("/<visited:seen>", "page")
    environ = app.test_request_context("/home").request.environ
    with RequestContext(app, environ, session=SecureCookieSession({"home": 1})):
        assert request.view_args == {"seen": True}


def test_bad_host_error_is_stored() -> None:
    class Strict(RecordingApp):
        def create_url_adapter(self, request: Request | None) -> Any:
            if request is not None:
                raise BadRequest("no such host")

    with Strict().test_request_context() as context:
        assert type(request.routing_exception) is BadRequest
        assert context.url_adapter is None
