"""Matching the URL of a request context."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.exceptions import BadRequest, MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, Map, RequestRedirect, Rule, ValidationError

from schlenk import Request, request, session
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


def test_match_finds_endpoint(app: RecordingApp) -> None:
    app.add_url_rule("/page", "page")
    context = app.test_request_context("/page")
    assert context.request.url_rule is None
    context.match_request()
    assert context.request.endpoint == "page"


def test_missing_adapter_raises_attribute_error(app: RecordingApp) -> None:
    context = app.test_request_context()
    context.url_adapter = None
    with pytest.raises(AttributeError, match="match"):
        context.match_request()


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


# Converters that reject a value


class Known(BaseConverter):
    def to_python(self, value: str) -> str:
        if value != "known":
            raise ValidationError
        return value


def found(app: RecordingApp, path: str, method: str = "GET") -> Any:
    """Return the endpoint and the values for a URL, or the type of the error."""
    with app.test_request_context(path, method=method):
        return (request.endpoint, request.view_args) if request.url_rule else type(request.routing_exception)


@pytest.fixture
def choosy(app: RecordingApp) -> RecordingApp:
    app.url_map.converters["known"] = Known
    app.add_url_rule("/<int(max=5):number>", "small")
    app.add_url_rule("/<int(max=50):number>", "large")
    app.add_url_rule("/<known:name>", "known")
    app.add_url_rule("/<name>", "name", methods=["POST"])
    app.add_url_rule("/sub/<known:name>", "sub")
    return app


@pytest.mark.parametrize(
    ("path", "method", "answer"),
    [
        ("/3", "GET", ("small", {"number": 3})),
        ("/30", "GET", ("large", {"number": 30})),
        ("/known", "GET", ("known", {"name": "known"})),
        ("/300", "POST", ("name", {"name": "300"})),
        ("/300", "GET", MethodNotAllowed),
        ("/sub/unknown", "GET", NotFound),
    ],
)
def test_rejected_value_tries_next_rule(choosy: RecordingApp, path: str, method: str, answer: Any) -> None:
    # The second answer may be from a cache.
    assert [found(choosy, path, method) for _ in range(2)] == [answer, answer]


def test_rule_stays_in_map(choosy: RecordingApp) -> None:
    assert found(choosy, "/30")[0] == "large"
    assert found(choosy, "/4")[0] == "small"
    choosy.add_url_rule("/<float(min=50):number>", "float")
    assert found(choosy, "/60.5")[0] == "float"


def test_adapter_of_another_class_decides(choosy: RecordingApp) -> None:
    class Wrapper:
        def __init__(self, adapter: Any) -> None:
            self.match = adapter.match

    context = choosy.test_request_context("/30")
    context.url_adapter = Wrapper(context.url_adapter)  # type: ignore[assignment]
    context.match_request()
    assert type(context.request.routing_exception) is NotFound


@pytest.mark.parametrize("same_map", [False, True])
def test_converter_may_match_in_vain(app: RecordingApp, same_map: bool) -> None:
    """The rule that rejects belongs to the URL that the converter matches, not to the request's."""
    other = app.url_map if same_map else Map([Rule("/sub/<int(max=5):number>", endpoint="small")])

    class Matching(BaseConverter):
        def to_python(self, value: str) -> Any:
            return other.bind("localhost", path_info=f"/sub/{value}").match()

    app.url_map.converters["matching"] = Matching
    app.add_url_rule("/<matching:found>", "page")
    app.add_url_rule("/sub/<int(max=5):number>", "sub")
    assert found(app, "/10") is NotFound
    assert found(app, "/5")[0] == "page"


def test_unknown_matcher_has_the_last_word(choosy: RecordingApp) -> None:
    """If Werkzeug's matcher is built differently, its answer stands.

    `test_rejected_value_tries_next_rule` fails then.
    """

    class Matcher:
        def __init__(self, matcher: Any) -> None:
            self.match, self.update = matcher.match, matcher.update

    choosy.url_map._matcher = Matcher(choosy.url_map._matcher)  # type: ignore[assignment]
    assert found(choosy, "/3") == ("small", {"number": 3})
    assert found(choosy, "/30") is NotFound
