"""The attributes of a request context."""

from __future__ import annotations

from schlenk import Request, current_app, g, request, session
from schlenk.ctx import RequestContext
from schlenk.sessions import NullSession, SecureCookieSession
from tests.support.contexts import RecordingApp


def test_holds_app_and_request(app: RecordingApp) -> None:
    context = app.test_request_context("/page")
    assert context.app is app
    assert type(context.request) is Request
    assert context.request.path == "/page"
    assert context.flashes is None
    assert context.preserved is False


def test_holds_what_globals_read(app: RecordingApp) -> None:
    app.add_url_rule("/page", "page")
    with app.test_request_context() as context:
        assert current_app._get_current_object() is context.app
        assert g._get_current_object() is context.g
        assert request._get_current_object() is context.request
        assert session._get_current_object() is context.session
        assert context.url_adapter.build("page") == "/page"  # type: ignore[union-attr]


def test_request_class_can_be_replaced(app: RecordingApp) -> None:
    class Mine(Request):
        pass

    app.request_class = Mine
    assert type(app.test_request_context().request) is Mine


def test_request_and_session_may_be_given(app: RecordingApp) -> None:
    given_request, given_session = app.test_request_context("/given").request, SecureCookieSession()
    context = RequestContext(app, app.test_request_context().request.environ, given_request, given_session)
    assert context.request is given_request
    assert context.session is given_session


def test_given_session_is_not_reopened(app: RecordingApp) -> None:
    given = SecureCookieSession()
    environ = app.test_request_context().request.environ
    with RequestContext(app, environ, session=given):
        assert session._get_current_object() is given


def test_push_opens_session(app: RecordingApp) -> None:
    context = app.test_request_context()
    assert context.session is None
    with context:
        assert type(context.session) is SecureCookieSession


def test_session_is_opened_once(app: RecordingApp) -> None:
    with app.test_request_context() as context:
        session["user"] = "ada"
        with context:
            assert session["user"] == "ada"


def test_keyless_session_is_null(app: RecordingApp) -> None:
    app.secret_key = None
    with app.test_request_context() as context:
        assert type(context.session) is NullSession


def test_repr_shows_url_method_and_app(app: RecordingApp) -> None:
    context = app.test_request_context("/page?n=1", method="POST")
    assert repr(context) == "<RequestContext 'http://localhost/page?n=1' [POST] of contexts>"
