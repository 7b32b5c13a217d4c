"""Functions registered with `after_this_request`."""

from __future__ import annotations

from typing import Any

import pytest

from schlenk import Response, after_this_request
from tests.support.contexts import RecordingApp, fail


def header(name: str) -> Any:
    """A function for after_this_request that adds its name to a header."""

    def add(response: Response) -> Response:
        response.headers["X-Seen"] = f"{response.headers.get('X-Seen', '')}{name}"
        return response

    return add


def test_function_may_replace_response(app: RecordingApp) -> None:
    @app.route("/")
    def view() -> str:
        after_this_request(lambda response: Response(response.get_data() + b" and more"))
        return "some"

    assert app.test_client().get("/").data == b"some and more"


def test_function_is_returned(app: RecordingApp) -> None:
    with app.test_request_context():
        assert after_this_request(fail) is fail


def test_functions_run_before_after_request(app: RecordingApp) -> None:
    @app.route("/")
    def view() -> str:
        after_this_request(header("a"))
        after_this_request(header("b"))
        return ""

    app.after_request(header("c"))
    assert app.test_client().get("/").headers["X-Seen"] == "abc"


def test_function_runs_for_one_request(app: RecordingApp) -> None:
    @app.route("/<word>")
    def view(word: str) -> str:
        if word == "first":
            after_this_request(header("a"))
        return ""

    client = app.test_client()
    assert client.get("/first").headers["X-Seen"] == "a"
    assert "X-Seen" not in client.get("/second").headers


def test_function_belongs_to_top_context(app: RecordingApp) -> None:
    with app.test_request_context() as outer, app.test_request_context() as inner:
        after_this_request(fail)
    assert outer._after_request_functions == []
    assert inner._after_request_functions == [fail]


def test_outside_request_raises(app: RecordingApp) -> None:
    with app.app_context(), pytest.raises(AttributeError, match="outside of request context"):
        after_this_request(fail)
