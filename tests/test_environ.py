"""Invalid WSGI environs: they get a 400 response, never a 500."""

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
    """Return the status and body of a request for / with these environ values; ``None`` removes a key."""
    given = {**EnvironBuilder(app, "/").get_environ(), **environ}
    statuses: list[str] = []
    body = app(
        {key: value for key, value in given.items() if value is not None}, lambda status, *rest: statuses.append(status)
    )
    return statuses[0], b"".join(body).decode()


def test_missing_key_is_named(app: Flask) -> None:
    status, body = ask(app, REQUEST_METHOD=None)
    assert status == "400 BAD REQUEST"
    assert "REQUEST_METHOD" in body


@pytest.mark.parametrize(("key", "value"), [("PATH_INFO", "/\u1234"), ("QUERY_STRING", "\ud800"), ("SCRIPT_NAME", 1)])
def test_forbidden_wsgi_value_is_named(app: Flask, key: str, value: Any) -> None:
    status, body = ask(app, **{key: value})
    assert status == "400 BAD REQUEST"
    assert f"malformed {key}" in body


@pytest.mark.parametrize("name", ["root", ".other.example"])
def test_bad_script_name_is_named(app: Flask, name: str) -> None:
    app.add_url_rule("/url", "url", lambda: request.url)
    status, body = ask(app, PATH_INFO="/url", HTTP_HOST="plain.example:8080", SCRIPT_NAME=name)
    assert status == "400 BAD REQUEST"
    assert "SCRIPT_NAME is malformed" in body


def test_bad_input_is_named(app: Flask) -> None:
    app.add_url_rule("/data", "data", lambda: request.get_data())
    status, body = ask(app, PATH_INFO="/data", CONTENT_LENGTH="1", **{"wsgi.input": {}})
    assert status == "400 BAD REQUEST"
    assert "malformed wsgi.input" in body


def test_header_that_parser_rejects_is_named(app: Flask) -> None:
    app.logger.disabled = True
    app.add_url_rule("/date", "date", lambda: str(request.if_modified_since))
    status, body = ask(app, PATH_INFO="/date", HTTP_IF_MODIFIED_SINCE=1)
    assert status == "400 BAD REQUEST"
    assert "malformed HTTP_IF_MODIFIED_SINCE" in body


@pytest.mark.parametrize("environ", [{}, {"HTTP_X_USER": 1}], ids=["valid", "odd header"])
def test_own_error_is_not_blamed_on_client(app: Flask, environ: dict[str, Any]) -> None:
    class Failing(app.request_class):  # type: ignore[name-defined, misc]
        def __init__(self, environ: dict[str, Any]) -> None:
            raise LookupError("no such request")

    app.request_class = Failing
    with pytest.raises(LookupError, match="no such request"):
        ask(app, **environ)


@pytest.mark.parametrize("value", [None, "\u0141ukasz", 1])
def test_bug_beside_odd_header_gets_500(app: Flask, value: Any) -> None:
    app.logger.disabled = True
    app.add_url_rule("/fail", "fail", lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    app.register_error_handler(500, lambda error: ("own page", 500))
    environ = {**create_environ("/fail"), "HTTP_X_USER": value}
    statuses: list[str] = []
    body = app(environ, lambda status, headers: statuses.append(status))  # type: ignore[arg-type, return-value]
    assert (statuses, b"".join(body)) == (["500 INTERNAL SERVER ERROR"], b"own page")


def test_undecodable_query_byte_stays_quoted(app: Flask) -> None:
    assert ask(app, QUERY_STRING="a=\xff") == ("200 OK", "'%FF' /?a=%FF {}")


def test_undecodable_cookie_is_ignored(app: Flask) -> None:
    assert ask(app, HTTP_COOKIE="session=\ud800") == ("200 OK", "None /? {}")


def test_missing_headers_name_endpoint(app: Flask) -> None:
    app.testing = True
    app.add_url_rule("/headers", "headers", lambda: ({}, [1]))
    with pytest.raises(TypeError, match=r"'headers' returned the headers \[1\]"):
        app.test_client().get("/headers")


@pytest.mark.parametrize("also", [{"SCRIPT_NAME": "root"}, {"HTTP_HOST": "no host"}])
def test_missing_method_still_gets_400(also: dict[str, str]) -> None:
    app = Flask("wrong")
    environ = {**create_environ("/"), **also}
    del environ["REQUEST_METHOD"]
    answers: list[str] = []
    body = app(environ, lambda status, headers: answers.append(status))  # type: ignore[arg-type, return-value]
    body.close()  # type: ignore[attr-defined]
    assert answers == ["400 BAD REQUEST"]
