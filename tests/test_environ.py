"""Environs that no WSGI server should hand over: answered with 400 where they fail, never with a server's error."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import create_environ

from schlenk import Flask, request, session
from schlenk.testing import EnvironBuilder


@pytest.fixture
def app(app: Flask) -> Flask:
    app.add_url_rule("/", "index", lambda: f"{request.args.get('a')!r} {request.full_path} {dict(session)}")
    return app


def ask(app: Flask, **environ: Any) -> tuple[str, str]:
    """Status and body of the answer to a request for / with these in its environ; ``None`` takes a key out."""
    given = {**EnvironBuilder(app, "/").get_environ(), **environ}
    statuses: list[str] = []
    body = app(
        {key: value for key, value in given.items() if value is not None}, lambda status, *rest: statuses.append(status)
    )
    return statuses[0], b"".join(body).decode()


def test_what_wsgi_demands_is_missed_by_name(app: Flask) -> None:
    status, body = ask(app, REQUEST_METHOD=None)
    assert (status, "REQUEST_METHOD" in body) == ("400 BAD REQUEST", True)


@pytest.mark.parametrize(("key", "value"), [("PATH_INFO", "/\u1234"), ("QUERY_STRING", "\ud800"), ("SCRIPT_NAME", 1)])
def test_what_wsgi_forbids_is_named(app: Flask, key: str, value: Any) -> None:
    status, body = ask(app, **{key: value})
    assert (status, f"malformed {key}" in body) == ("400 BAD REQUEST", True)


def test_a_script_name_that_is_no_path_is_named(app: Flask) -> None:
    app.add_url_rule("/url", "url", lambda: request.url)
    status, body = ask(app, PATH_INFO="/url", HTTP_HOST="plain.example:8080", SCRIPT_NAME="root")
    assert (status, "malformed SCRIPT_NAME" in body) == ("400 BAD REQUEST", True)


def test_an_input_that_cannot_be_read_is_named(app: Flask) -> None:
    app.add_url_rule("/data", "data", lambda: request.get_data())
    status, body = ask(app, PATH_INFO="/data", CONTENT_LENGTH="1", **{"wsgi.input": {}})
    assert (status, "malformed wsgi.input" in body) == ("400 BAD REQUEST", True)


def test_an_error_of_the_application_s_own_is_not_taken_for_the_client_s(app: Flask) -> None:
    class Failing(app.request_class):  # type: ignore[name-defined, misc]
        def __init__(self, environ: dict[str, Any]) -> None:
            raise LookupError("no such request")

    app.request_class = Failing
    with pytest.raises(LookupError, match="no such request"):
        ask(app)


def test_a_byte_in_the_query_that_is_not_utf8_stays_quoted(app: Flask) -> None:
    assert ask(app, QUERY_STRING="a=\xff") == ("200 OK", "'%FF' /?a=%FF {}")


def test_cookies_that_are_not_text_leave_the_session_empty(app: Flask) -> None:
    assert ask(app, HTTP_COOKIE="session=\ud800") == ("200 OK", "None /? {}")


def test_headers_that_are_none_are_shown_with_the_endpoint(app: Flask) -> None:
    app.testing = True
    app.add_url_rule("/headers", "headers", lambda: ({}, [1]))
    with pytest.raises(TypeError, match=r"'headers' returned has the headers \[1\]"):
        app.test_client().get("/headers")


@pytest.mark.parametrize("also", [{"SCRIPT_NAME": "root"}, {"HTTP_HOST": "no host"}])
def test_a_request_without_a_method_that_is_wrong_otherwise_too_is_answered_400(also: dict[str, str]) -> None:
    app = Flask("wrong")
    environ = {**create_environ("/"), **also}
    del environ["REQUEST_METHOD"]
    answers: list[str] = []
    body = app(environ, lambda status, headers: answers.append(status))  # type: ignore[arg-type, return-value]
    body.close()  # type: ignore[attr-defined]
    assert answers == ["400 BAD REQUEST"]
