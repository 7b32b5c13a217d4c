"""The request and the response: what they know beyond Werkzeug's."""

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
    """The context of a POST to ``app``."""
    app = Flask("wrapping") if app is None else app
    with app.test_request_context(method="POST", **arguments):
        yield app


def test_they_are_werkzeugs() -> None:
    assert issubclass(Request, WerkzeugRequest)
    assert issubclass(Response, WerkzeugResponse)


# Routing


def test_before_it_was_matched_a_request_knows_no_rule() -> None:
    new = Request(create_environ())
    assert (new.url_rule, new.view_args, new.routing_exception, new.endpoint, new.blueprint) == (None,) * 5


@pytest.mark.parametrize(
    ("endpoint", "blueprint"),
    [("index", None), ("shop.index", "shop"), ("shop.cart.index", "shop.cart"), (".index", "")],
)
def test_the_blueprint_is_what_comes_before_the_last_dot(endpoint: str, blueprint: str | None) -> None:
    new = Request(create_environ())
    new.url_rule = Rule("/", endpoint=endpoint)
    assert (new.endpoint, new.blueprint) == (endpoint, blueprint)


# Who asks


@pytest.mark.parametrize(("sent", "name"), [("Basic YWRhOng=", "ada"), ("Basic \x80", None), ("Basic a", None)])
def test_credentials_that_cannot_be_read_are_none(sent: str, name: str | None) -> None:
    authorization = Request(create_environ(environ_base={"HTTP_AUTHORIZATION": sent})).authorization
    assert (authorization and authorization.username) == name


class Mutable(Request):
    dict_storage_class = MultiDict  # type: ignore[assignment]


@pytest.mark.parametrize("headers", [{}, {"Cookie": "a=b"}])
def test_cookies_are_of_the_class_that_a_request_class_chose(headers: dict[str, str]) -> None:
    assert type(Mutable(create_environ(headers=headers)).cookies) is MultiDict


def test_requests_without_cookies_have_nothing_in_common() -> None:
    assert Request(create_environ()).cookies is not Request(create_environ()).cookies


# The length of a body


@pytest.mark.parametrize("limit", [None, 7])
def test_the_longest_body_is_that_of_the_configuration(limit: int | None) -> None:
    app = Flask("wrapping")
    app.config["MAX_CONTENT_LENGTH"] = limit
    with asked(app):
        assert request.max_content_length == limit


def test_without_an_application_a_body_may_be_of_any_length() -> None:
    assert Request(create_environ()).max_content_length is None


@pytest.mark.parametrize(("body", "status"), [("n=1234567", 200), ("n=12345678", 413)])
def test_a_longer_form_is_answered_with_413(body: str, status: int) -> None:
    app = Flask("wrapping")
    app.config["MAX_CONTENT_LENGTH"] = 9
    app.add_url_rule("/", "index", lambda: request.form["n"], methods=["POST"])
    response = app.test_client().post("/", data=body, content_type="application/x-www-form-urlencoded")
    assert response.status_code == status


def test_a_longer_body_of_any_kind_is_answered_with_413() -> None:
    app = Flask("wrapping")
    app.config["MAX_CONTENT_LENGTH"] = 9
    with asked(app, data="0123456789"), pytest.raises(RequestEntityTooLarge):
        request.get_data()


# JSON


def test_the_body_is_read_as_the_application_reads_json() -> None:
    class Numbers(JSONDecoder):
        def __init__(self, **keywords: Any) -> None:
            super().__init__(parse_int=str, **keywords)

    app = Flask("wrapping")
    app.json_decoder = Numbers
    with asked(app, data='{"n": 1}', content_type="application/json"):
        assert request.get_json() == {"n": "1"}


@pytest.mark.parametrize(
    ("debug", "testing", "told"), [(False, False, False), (True, False, True), (True, True, True), (False, True, False)]
)
def test_a_body_that_is_no_json_is_answered_with_400_and_the_reason_in_debug_mode(
    debug: bool, testing: bool, told: bool
) -> None:
    app = Flask("wrapping")
    app.config.update(DEBUG=debug, TESTING=testing)
    app.add_url_rule("/", "index", lambda: str(request.get_json()), methods=["POST"])
    response = app.test_client().post("/", data="{no", content_type="application/json")
    assert (response.status_code, b"line 1 column 2" in response.data) == (400, told)


def test_a_body_that_is_no_json_is_a_bad_request_without_an_application_too() -> None:
    environ = create_environ(method="POST", data="{no", content_type="application/json")
    with pytest.raises(BadRequest) as raised:
        Request(environ).get_json()
    assert "line 1" not in str(raised.value.description)


def test_a_body_that_is_no_json_may_be_passed_over_in_silence() -> None:
    with asked(data="{no", content_type="application/json"):
        assert request.get_json(silent=True) is None


def test_a_body_that_is_not_said_to_be_json_gives_none() -> None:
    with asked(data="{}", content_type="text/plain"):
        assert (request.get_json(), request.json) == (None, None)


def test_a_body_that_is_not_said_to_be_json_may_be_read_all_the_same() -> None:
    with asked(data="[1]", content_type="text/plain"):
        assert request.get_json(force=True) == [1]


def test_what_becomes_of_a_bad_body_is_up_to_a_subclass() -> None:
    class Forgiving(Request):
        def on_json_loading_failed(self, e: ValueError | None) -> str:
            return type(e).__name__

    app = Flask("wrapping")
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


def test_in_debug_mode_a_file_that_the_form_sent_only_the_name_of_is_an_error(debugged: Flask) -> None:
    with asked(debugged, **form(photo="me.png")):
        with pytest.raises(KeyError) as raised:
            request.files["photo"]
        assert (isinstance(raised.value, AssertionError), isinstance(raised.value, BadRequest)) == (True, False)
        assert raised.value.args == ("photo",)
        assert [
            word for word in ("'photo'", "x-www-form-urlencoded", "multipart") if word not in str(raised.value)
        ] == []


def test_such_an_error_is_not_for_the_client(debugged: Flask) -> None:
    debugged.config["PROPAGATE_EXCEPTIONS"] = False
    debugged.add_url_rule("/", "index", lambda: str(request.files["photo"]), methods=["POST"])
    response = debugged.test_client().post("/", **form(photo="me.png"))
    assert (response.status_code, b"multipart" in response.data) == (500, False)


def test_in_debug_mode_a_file_that_no_field_is_named_for_is_a_missing_key(debugged: Flask) -> None:
    with asked(debugged, **form(photo="me.png")), pytest.raises(BadRequestKeyError):
        request.files["other"]


def test_out_of_debug_mode_a_file_that_was_not_sent_is_a_missing_key() -> None:
    with asked(**form(photo="me.png")), pytest.raises(BadRequestKeyError):
        request.files["photo"]


def test_without_an_application_a_file_that_was_not_sent_is_a_missing_key() -> None:
    with pytest.raises(BadRequestKeyError):
        Request(create_environ(method="POST", **form(photo="me.png"))).files["photo"]


def test_in_debug_mode_there_are_no_files_to_be_seen_all_the_same(debugged: Flask) -> None:
    with asked(debugged, **form(photo="me.png")):
        assert (len(request.files), "photo" in request.files, request.files.get("photo")) == (0, False, None)


@pytest.mark.parametrize("debug", [False, True])
def test_a_file_that_was_sent_is_found(debug: bool) -> None:
    app = Flask("wrapping")
    app.debug = debug
    with asked(app, data={"photo": (io.BytesIO(b"picture"), "me.png"), "name": "ada"}):
        assert (request.files["photo"].read(), request.form["name"]) == (b"picture", "ada")


def test_in_debug_mode_a_multipart_form_without_files_has_a_missing_key(debugged: Flask) -> None:
    with (
        asked(debugged, data={"photo": "me.png"}, content_type="multipart/form-data"),
        pytest.raises(BadRequestKeyError),
    ):
        request.files["photo"]


# Responses


def test_a_response_is_html_unless_it_says_otherwise() -> None:
    assert (Response("").mimetype, Response("", mimetype="text/plain").mimetype) == ("text/html", "text/plain")


def test_a_response_is_read_as_the_application_reads_json() -> None:
    class Numbers(json.JSONDecoder):
        def __init__(self, **keywords: Any) -> None:
            super().__init__(parse_int=str, **keywords)

    app = Flask("wrapping")
    app.json_decoder = Numbers
    with app.app_context():
        assert Response('{"n": 1}', mimetype="application/json").get_json() == {"n": "1"}


def test_the_largest_cookie_is_that_of_the_configuration() -> None:
    app = Flask("wrapping")
    app.config["MAX_COOKIE_SIZE"] = 7
    with app.app_context():
        assert Response().max_cookie_size == 7


def test_without_an_application_the_largest_cookie_is_what_browsers_take() -> None:
    assert Response().max_cookie_size == 4093


@pytest.mark.parametrize(("limit", "warned"), [(100, True), (1000, False), (0, False)])
def test_a_larger_cookie_is_warned_of(recwarn: pytest.WarningsRecorder, limit: int, warned: bool) -> None:
    app = Flask("wrapping")
    app.config["MAX_COOKIE_SIZE"] = limit
    with app.app_context():
        Response().set_cookie("user", "a" * 100)
    assert ["user" in str(warning.message) for warning in recwarn] == [True] * warned
