"""What can be written against an application with every hook and view typed. Never run: mypy and pyright read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typing_extensions import assert_type
from werkzeug.exceptions import NotFound

from schlenk import Flask, Response, after_this_request, copy_current_request_context, stream_with_context

app = Flask(__name__)


@app.before_request
def before() -> None: ...


@app.after_request
def after(response: Response) -> Response:
    return response


@app.teardown_request
def teardown(error: BaseException | None) -> None: ...


@app.errorhandler(404)
def by_code(error: NotFound) -> tuple[str, int]:
    return "not here", 404


@app.errorhandler(ValueError)
def by_class(error: ValueError) -> str:
    return str(error)


@app.route("/<int:number>", methods=["GET", "POST"])
def view(number: int) -> dict[str, Any]:
    @after_this_request
    def mark(response: Response) -> Response:
        return response

    return {"number": number}


@app.route("/stream")
def stream() -> Response:
    def numbers() -> Iterator[str]:
        yield "1"

    return app.response_class(stream_with_context(numbers()))


def decorators_give_back_what_they_decorate() -> None:
    assert_type(view(1), "dict[str, Any]")
    assert_type(by_class(ValueError()), str)

    @copy_current_request_context
    def work(number: int) -> str:
        return str(number)

    assert_type(work(1), str)


def contexts_are_entered_as_themselves() -> None:
    with app.app_context() as context:
        assert_type(context.app, Flask)
    with app.test_request_context("/") as request_context:
        assert_type(request_context.app, Flask)
