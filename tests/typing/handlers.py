"""The functions that an application accepts as views, hooks and error handlers, and those it does not.

Never run: mypy and pyright read it. A comment that ignores an error is itself reported if there is no error.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

from markupsafe import Markup
from typing_extensions import assert_type
from werkzeug.datastructures import Headers
from werkzeug.exceptions import Forbidden, Gone, HTTPException, InternalServerError, NotFound
from werkzeug.wrappers import Response as WerkzeugResponse

from schlenk import Flask, Response
from schlenk.typing import ResponseReturnValue

app = Flask(__name__)


class User(TypedDict):
    name: str


class LoudResponse(Response):
    """A response class of an application."""


# --- Views


@app.route("/text")
def text() -> str:
    return ""


@app.route("/bytes")
def body() -> bytes:
    return b""


@app.route("/markup")
def markup() -> Markup:
    return Markup("")


@app.route("/dict")
def dictionary() -> dict[str, int]:
    return {}


@app.route("/typed-dict")
def typed_dictionary() -> User:
    return {"name": "ada"}


@app.route("/response")
def response() -> Response:
    return Response()


@app.route("/werkzeug-response")
def werkzeug_response() -> WerkzeugResponse:
    return WerkzeugResponse()


@app.route("/error")
def error() -> HTTPException:
    return NotFound()


@app.route("/wsgi")
def wsgi() -> Flask:
    return app


@app.route("/status")
def status() -> tuple[str, int]:
    return "", 201


@app.route("/status-line")
def status_line() -> tuple[dict[str, str], str]:
    return {}, "201 Created"


@app.route("/headers")
def headers() -> tuple[str, dict[str, str]]:
    return "", {}


@app.route("/header-pairs")
def header_pairs() -> tuple[bytes, list[tuple[str, str]]]:
    return b"", []


@app.route("/status-and-headers")
def status_and_headers() -> tuple[Response, int, Headers]:
    return Response(), 201, Headers()


@app.route("/several", methods=["GET", "POST"])
def several(number: int = 0) -> ResponseReturnValue:
    return "" if number else ({"number": number}, 404)


@app.route("/anything")
def anything() -> Any: ...


app.add_url_rule("/lambda", "lambda", lambda number: f"number {number}")


def number_view() -> int:
    raise NotImplementedError


def nothing_view() -> None: ...
def list_view() -> list[str]:
    raise NotImplementedError


def generator_view() -> Iterator[str]:
    raise NotImplementedError


def one_tuple_view() -> tuple[str]:
    raise NotImplementedError


def float_status_view() -> tuple[str, float]:
    raise NotImplementedError


async def async_view() -> str:
    raise NotImplementedError


app.route("/")(number_view)  # type: ignore[type-var]
app.route("/")(nothing_view)  # type: ignore[type-var]
app.route("/")(list_view)  # type: ignore[type-var]
app.route("/")(generator_view)  # type: ignore[type-var]
app.route("/")(one_tuple_view)  # type: ignore[type-var]
app.route("/")(float_status_view)  # type: ignore[type-var]
app.route("/")(async_view)  # type: ignore[type-var]
app.endpoint("index")(number_view)  # type: ignore[type-var]
app.add_url_rule("/", view_func=number_view)  # type: ignore[arg-type]


# --- Hooks


@app.before_first_request
def set_up() -> None: ...


@app.before_request
def require_nothing() -> None: ...


@app.before_request
def require_user() -> str | None: ...


@app.before_request
def require_consent() -> ResponseReturnValue | None: ...


@app.after_request
def same_response(response: Response) -> Response:
    return response


@app.after_request
def own_response_class(response: LoudResponse) -> LoudResponse:
    return response


@app.after_request
def other_response(response: WerkzeugResponse) -> WerkzeugResponse:
    return response


@app.teardown_request
@app.teardown_appcontext
def close(error: BaseException | None = None) -> None: ...


@app.url_value_preprocessor
def take_language(endpoint: str | None, values: dict[str, Any] | None) -> None: ...


@app.url_defaults
def add_language(endpoint: str, values: dict[str, Any]) -> None: ...


def takes_argument(user: str) -> None: ...
def returns_number() -> int:
    raise NotImplementedError


async def async_hook() -> None: ...
def returns_no_response(response: Response) -> None: ...
def takes_no_error() -> None: ...
def takes_value_error(error: ValueError | None) -> None: ...
def takes_one_argument(endpoint: str | None) -> None: ...


app.before_first_request(takes_argument)  # type: ignore[type-var]
app.before_request(takes_argument)  # type: ignore[type-var]
app.before_request(returns_number)  # type: ignore[type-var]
app.before_request(async_hook)  # type: ignore[type-var]
app.after_request(returns_no_response)  # type: ignore[type-var]
app.teardown_request(takes_no_error)  # type: ignore[type-var]
app.teardown_request(takes_value_error)  # type: ignore[type-var]
app.teardown_appcontext(takes_value_error)  # type: ignore[type-var]
app.url_value_preprocessor(takes_one_argument)  # type: ignore[type-var]
app.url_defaults(takes_one_argument)  # type: ignore[type-var]


# --- Error handlers


@app.errorhandler(404)
def by_status(error: NotFound) -> tuple[str, int]:
    return "", 404


@app.errorhandler(500)
def by_status_500(error: InternalServerError) -> str:
    return ""


@app.errorhandler(404)
@app.errorhandler(410)
def by_two_statuses(error: NotFound | Gone) -> HTTPException:
    return error


@app.errorhandler(404)
@app.errorhandler(Forbidden)
def by_status_and_class(error: HTTPException) -> HTTPException:
    return error


@app.errorhandler(ValueError)
def by_class(error: ValueError) -> str:
    return str(error)


@app.errorhandler(KeyError)
@app.errorhandler(IndexError)
def by_two_classes(error: LookupError) -> str:
    return str(error)


@app.errorhandler(KeyError)
@app.errorhandler(ValueError)
def by_union(error: KeyError | ValueError) -> str:
    return str(error)


@app.errorhandler(404)
@app.errorhandler(Exception)
def every_error(error: Exception) -> ResponseReturnValue:
    return str(error)


app.errorhandler(404)(lambda error: "")
app.errorhandler(ValueError)(lambda error: "")
app.register_error_handler(404, by_status)
app.register_error_handler(404, every_error)
app.register_error_handler(ValueError, by_class)
app.register_error_handler(KeyError, by_two_classes)
app.register_error_handler(404, lambda error: "")

assert_type(by_status(NotFound()), "tuple[str, int]")
assert_type(by_class(ValueError()), str)
assert_type(every_error(ValueError()), ResponseReturnValue)


def value_error(error: ValueError) -> str:
    raise NotImplementedError


def not_found(error: NotFound) -> str:
    raise NotImplementedError


def number_for_not_found(error: NotFound) -> int:
    raise NotImplementedError


def number_for_error(error: Exception) -> int:
    raise NotImplementedError


def no_parameter() -> str:
    raise NotImplementedError


async def async_handler(error: Exception) -> str:
    raise NotImplementedError


app.errorhandler(404)(value_error)  # type: ignore[type-var]
app.errorhandler(404)(number_for_not_found)  # type: ignore[type-var]
app.errorhandler(404)(number_for_error)  # type: ignore[type-var]
app.errorhandler(404)(no_parameter)  # type: ignore[type-var]
app.errorhandler(404)(async_handler)  # type: ignore[type-var]
app.errorhandler(KeyError)(value_error)  # type: ignore[type-var]
app.errorhandler(KeyError)(not_found)  # type: ignore[type-var]
app.errorhandler(KeyError)(number_for_error)  # type: ignore[type-var]
app.errorhandler(KeyError)(async_handler)  # type: ignore[type-var]
app.errorhandler("404")  # type: ignore[call-overload]
app.errorhandler(NotFound())  # type: ignore[call-overload]
app.register_error_handler(404, value_error)  # type: ignore[type-var]
app.register_error_handler(KeyError, value_error)  # type: ignore[arg-type]
app.register_error_handler(KeyError, number_for_error)  # type: ignore[arg-type]
