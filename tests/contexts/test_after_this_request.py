"""Functions registered with `after_this_request`."""

from __future__ import annotations

from typing import Any

import pytest

from schlenk import (
    Response,
    after_this_request,
)
from tests.support.contexts import RecordingApp, fail


def header(name: str) -> Any:
    """A function for after_this_request that adds its name to a header."""

    def add(response: Response) -> Response:
        response.headers["X-Seen"] = f"{response.headers.get('X-Seen', '')}{name}"
        return response

    return add


def test_after_this_request_sees_the_response_and_returns_the_one_to_send(app: RecordingApp) -> None:
    @app.route("/")
    def view() -> str:
        after_this_request(lambda response: Response(response.get_data() + b" and more"))
        return "some"

    assert app.test_client().get("/").data == b"some and more"


def test_after_this_request_returns_the_function(app: RecordingApp) -> None:
    with app.test_request_context():
        assert after_this_request(fail) is fail


def test_functions_after_this_request_run_in_order_and_before_those_after_every_request(app: RecordingApp) -> None:
    @app.route("/")
    def view() -> str:
        after_this_request(header("a"))
        after_this_request(header("b"))
        return ""

    app.after_request(header("c"))
    assert app.test_client().get("/").headers["X-Seen"] == "abc"


def test_function_after_this_request_runs_for_no_other(app: RecordingApp) -> None:
    @app.route("/<word>")
    def view(word: str) -> str:
        if word == "first":
            after_this_request(header("a"))
        return ""

    client = app.test_client()
    assert client.get("/first").headers["X-Seen"] == "a"
    assert "X-Seen" not in client.get("/second").headers


def test_function_after_this_request_belongs_to_the_context_on_top(app: RecordingApp) -> None:
    with app.test_request_context() as outer, app.test_request_context() as inner:
        after_this_request(fail)
    assert (outer._after_request_functions, inner._after_request_functions) == ([], [fail])


def test_after_this_request_without_one_is_an_attribute_error_that_says_so(app: RecordingApp) -> None:
    with app.app_context(), pytest.raises(AttributeError, match="outside of request context"):
        after_this_request(fail)
