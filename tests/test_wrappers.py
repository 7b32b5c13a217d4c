"""The attributes and methods that Request and Response add to Werkzeug's classes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, BadRequestKeyError, RequestEntityTooLarge
from werkzeug.routing import Rule
from werkzeug.test import create_environ
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse

from schlenk import Flask, Request, Response, request
from schlenk.json import JSONDecoder


@contextmanager
def asked(app: Flask | None = None, **arguments: Any) -> Iterator[Flask]:
    """Push the context of a POST request to ``app``."""
    app = Flask("wrapping") if app is None else app
    with app.test_request_context(method="POST", **arguments):
        yield app


def test_classes_extend_werkzeugs() -> None:
    assert issubclass(Request, WerkzeugRequest)
    assert issubclass(Response, WerkzeugResponse)


# Routing


def test_unmatched_request_has_no_rule() -> None:
    new = Request(create_environ())
    for name in ("url_rule", "view_args", "routing_exception", "endpoint", "blueprint"):
        assert getattr(new, name) is None, name


@pytest.mark.parametrize(
    ("endpoint", "blueprint"),
    [("index", None), ("shop.index", "shop"), ("shop.cart.index", "shop.cart"), (".index", "")],
)
def test_blueprint_is_prefix(endpoint: str, blueprint: str | None) -> None:
    new = Request(create_environ())
    new.url_rule = Rule("/", endpoint=endpoint)
    assert new.endpoint == endpoint
    assert new.blueprint == blueprint


# Credentials and cookies


@pytest.mark.parametrize(("sent", "name"), [("Basic YWRhOng=", "ada"), ("Basic \x80", None), ("Basic a", None)])
def test_bad_credentials_are_none(sent: str, name: str | None) -> None:
    authorization = Request(create_environ(environ_base={"HTTP_AUTHORIZATION": sent})).authorization
    assert (authorization and authorization.username) == name


class Mutable(Request):
    dict_storage_class = MultiDict  # type: ignore[assignment]


@pytest.mark.parametrize("headers", [{}, {"Cookie": "a=b"}])
def test_cookie_class_is_used(headers: dict[str, str]) -> None:
    assert type(Mutable(create_environ(headers=headers)).cookies) is MultiDict


def test_cookies_are_not_shared() -> None:
    assert Request(create_environ()).cookies is not Request(create_environ()).cookies


# Body size


@pytest.mark.parametrize("limit", [None, 7])
def test_limit_is_from_config(app: Flask, limit: int | None) -> None:
    app.config["MAX_CONTENT_LENGTH"] = limit
    with asked(app):
        assert request.max_content_length == limit


def test_body_is_unlimited_without_app() -> None:
    assert Request(create_environ()).max_content_length is None


@pytest.mark.parametrize(("body", "status"), [("n=1234567", 200), ("n=12345678", 413)])
def test_long_form_gets_413(app: Flask, body: str, status: int) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 9
    app.add_url_rule("/", "index", lambda: request.form["n"], methods=["POST"])
    response = app.test_client().post("/", data=body, content_type="application/x-www-form-urlencoded")
    assert response.status_code == status


def test_long_body_gets_413(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 9
    with asked(app, data="0123456789"), pytest.raises(RequestEntityTooLarge):
        request.get_data()


# JSON


def test_json_uses_app_decoder(app: Flask) -> None:
    class Numbers(JSONDecoder):
        def __init__(self, **keywords: Any) -> None:
            super().__init__(parse_int=str, **keywords)

    app.json_decoder = Numbers
    with asked(app, data='{"n": 1}', content_type="application/json"):
        assert request.get_json() == {"n": "1"}


@pytest.mark.parametrize(
    ("debug", "testing", "told"), [(False, False, False), (True, False, True), (True, True, True), (False, True, False)]
)
def test_invalid_json_gets_400(app: Flask, debug: bool, testing: bool, told: bool) -> None:
    app.config.update(DEBUG=debug, TESTING=testing)
    app.add_url_rule("/", "index", lambda: str(request.get_json()), methods=["POST"])
    response = app.test_client().post("/", data="{no", content_type="application/json")
    assert response.status_code == 400
    assert (b"line 1 column 2" in response.data) == told


def test_invalid_json_without_app_raises() -> None:
    environ = create_environ(method="POST", data="{no", content_type="application/json")
    with pytest.raises(BadRequest) as raised:
        Request(environ).get_json()
    assert "line 1" not in str(raised.value.description)


def test_silent_json_is_none() -> None:
    with asked(data="{no", content_type="application/json"):
        assert request.get_json(silent=True) is None


def test_other_mimetype_is_none() -> None:
    with asked(data="{}", content_type="text/plain"):
        assert request.get_json() is None
        assert request.json is None


def test_json_can_be_forced() -> None:
    with asked(data="[1]", content_type="text/plain"):
        assert request.get_json(force=True) == [1]


def test_on_json_loading_failure_is_called(app: Flask) -> None:
    class Forgiving(Request):
        def on_json_loading_failed(self, e: ValueError | None) -> str:
            return type(e).__name__

    app.request_class = Forgiving
    with asked(app, data="{no", content_type="application/json"):
        assert request.get_json() == "JSONDecodeError"


# Files


def form(**fields: Any) -> dict[str, Any]:
    return {"data": fields, "content_type": "application/x-www-form-urlencoded"}


@pytest.fixture
def debugged() -> Flask:
    app = Flask("wrapping")
    app.debug = True
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = False
    return app


def test_unsent_file_error_explains_in_debug(debugged: Flask) -> None:
    with asked(debugged, **form(photo="me.png")):
        with pytest.raises(KeyError) as raised:
            request.files["photo"]
        assert isinstance(raised.value, AssertionError)
        assert not isinstance(raised.value, BadRequest)
        assert raised.value.args == ("photo",)
        assert [
            word for word in ("'photo'", "x-www-form-urlencoded", "multipart") if word not in str(raised.value)
        ] == []


def test_unsent_file_error_hides_from_client(debugged: Flask) -> None:
    debugged.config["PROPAGATE_EXCEPTIONS"] = False
    debugged.add_url_rule("/", "index", lambda: str(request.files["photo"]), methods=["POST"])
    response = debugged.test_client().post("/", **form(photo="me.png"))
    assert response.status_code == 500
    assert b"multipart" not in response.data


def test_unknown_file_raises(debugged: Flask) -> None:
    with asked(debugged, **form(photo="me.png")), pytest.raises(BadRequestKeyError):
        request.files["other"]


def test_unsent_file_raises() -> None:
    with asked(**form(photo="me.png")), pytest.raises(BadRequestKeyError):
        request.files["photo"]


def test_unsent_file_raises_without_app() -> None:
    with pytest.raises(BadRequestKeyError):
        Request(create_environ(method="POST", **form(photo="me.png"))).files["photo"]


def test_files_are_empty_in_debug(debugged: Flask) -> None:
    with asked(debugged, **form(photo="me.png")):
        assert len(request.files) == 0
        assert "photo" not in request.files
        assert request.files.get("photo") is None


@pytest.mark.parametrize("debug", [False, True])
def test_sent_file_is_found(app: Flask, debug: bool) -> None:
    app.debug = debug
    with asked(app, data={"photo": (io.BytesIO(b"picture"), "me.png"), "name": "ada"}):
        assert request.files["photo"].read() == b"picture"
        assert request.form["name"] == "ada"


def test_multipart_without_file_raises(debugged: Flask) -> None:
    with (
        asked(debugged, data={"photo": "me.png"}, content_type="multipart/form-data"),
        pytest.raises(BadRequestKeyError),
    ):
        request.files["photo"]


# Responses


def test_response_is_html() -> None:
    assert Response("").mimetype == "text/html"
    assert Response("", mimetype="text/plain").mimetype == "text/plain"


def test_response_json_uses_app_decoder(app: Flask) -> None:
    class Numbers(json.JSONDecoder):
        def __init__(self, **keywords: Any) -> None:
            super().__init__(parse_int=str, **keywords)

    app.json_decoder = Numbers
    with app.app_context():
        assert Response('{"n": 1}', mimetype="application/json").get_json() == {"n": "1"}


def test_max_cookie_size_comes_from_config(app: Flask) -> None:
    app.config["MAX_COOKIE_SIZE"] = 7
    with app.app_context():
        assert Response().max_cookie_size == 7


def test_max_cookie_size_default_without_app() -> None:
    assert Response().max_cookie_size == 4093


@pytest.mark.parametrize("value", ["1.é", "1.é".encode()])
def test_cookie_is_set_from_bytes(value: str | bytes) -> None:
    response = Response()
    response.set_cookie("signed", value, httponly=True)
    assert response.headers["Set-Cookie"] == r'signed="1.\303\251"; HttpOnly; Path=/'


@pytest.mark.parametrize(("limit", "warned"), [(100, True), (1000, False), (0, False)])
def test_large_cookie_warns(app: Flask, recwarn: pytest.WarningsRecorder, limit: int, warned: bool) -> None:
    app.config["MAX_COOKIE_SIZE"] = limit
    with app.app_context():
        Response().set_cookie("user", "a" * 100)
    assert ["user" in str(warning.message) for warning in recwarn] == [True] * warned
