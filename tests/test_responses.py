"""Return values of views, and the responses made from them."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from http import HTTPStatus
from typing import Any, Callable

import pytest
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as WerkzeugResponse

from schlenk import Flask, Response, jsonify, make_response, request


def answer(returned: Any, response_class: type[Response] = Response) -> Any:
    """Return the response of an application whose view returns ``returned``."""
    app = Flask("answering")
    app.testing = True
    app.response_class = response_class
    app.add_url_rule("/", "index", lambda: returned)
    return app.test_client().get("/")


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("202 ACCEPTED", [("Content-Type", "text/plain"), ("X-Path", environ["PATH_INFO"])])
    return [b"from ", b"wsgi"]


# Bodies


@pytest.mark.parametrize("returned", ["grüße", "grüße".encode(), bytearray("grüße".encode())])
def test_text_and_bytes_are_html_body(returned: Any) -> None:
    response = answer(returned)
    assert response.status == "200 OK"
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.get_data() == "grüße".encode()


@pytest.mark.parametrize("returned", ["", b""])
def test_body_may_be_empty(returned: Any) -> None:
    assert answer(returned).status_code == 200
    assert answer(returned).data == b""


@pytest.mark.parametrize("returned", [{"b": 1, "a": [None]}, OrderedDict(b=1, a=[None])])
def test_dict_becomes_json(returned: Any) -> None:
    response = answer(returned)
    assert response.mimetype == "application/json"
    assert response.data == b'{"a":[null],"b":1}\n'


def test_empty_dict_becomes_json() -> None:
    assert answer({}).data == b"{}\n"


def test_response_is_returned_unchanged() -> None:
    with Flask("answering").test_request_context() as context:
        response = Response("made", 418)
        assert context.app.make_response(response) is response


def test_response_subclass_is_kept() -> None:
    class OurResponse(Response):
        pass

    with Flask("answering").test_request_context() as context:
        assert type(context.app.make_response(OurResponse("made"))) is OurResponse


def test_foreign_response_is_converted() -> None:
    class OurResponse(Response):
        pass

    app = Flask("answering")
    app.response_class = OurResponse
    with app.test_request_context():
        response = app.make_response(WerkzeugResponse("made", 201, {"X-Made": "yes"}))
    assert type(response) is OurResponse
    assert response.status_code == 201
    assert response.headers["X-Made"] == "yes"
    assert response.get_data() == b"made"


def test_wsgi_callable_is_called() -> None:
    response = answer(wsgi)
    assert response.status == "202 ACCEPTED"
    assert response.mimetype == "text/plain"
    assert response.data == b"from wsgi"
    assert response.headers["X-Path"] == "/"


def test_response_class_is_used() -> None:
    class Plain(Response):
        default_mimetype = "text/plain"

    assert answer("hello", Plain).mimetype == "text/plain"


def test_response_class_arguments() -> None:
    class OurResponse(Response):
        def __init__(self, response: Any = None, status: Any = None, headers: Any = None, **more: Any) -> None:
            super().__init__(response, status, headers, **more)
            self.more = more

    app = Flask("answering")
    app.response_class = OurResponse
    with app.app_context():
        made = [app.make_response(returned) for returned in ("made", ("made", 201), ("made", {"X-Made": "yes"}))]
    assert [response.more for response in made] == [{}, {}, {}]


def test_generator_in_response_is_streamed() -> None:
    response = answer(Response(letter for letter in "abc"))
    assert response.is_streamed is True
    assert response.data == b"abc"


# Tuples


@pytest.mark.parametrize(
    ("rest", "status", "header"),
    [
        ((201,), "201 CREATED", None),
        (("299 Odd",), "299 Odd", None),
        ((b"201 CREATED",), "201 CREATED", None),
        ((bytearray(b"201 CREATED"),), "201 CREATED", None),
        ((HTTPStatus.CREATED,), "201 CREATED", None),
        ((None,), "200 OK", None),
        (({"X-Made": "yes"},), "200 OK", "yes"),
        (([("X-Made", "yes")],), "200 OK", "yes"),
        (((("X-Made", "yes"),),), "200 OK", "yes"),
        ((Headers({"X-Made": "yes"}),), "200 OK", "yes"),
        ((201, {"X-Made": "yes"}), "201 CREATED", "yes"),
        (("299 Odd", [("X-Made", "yes")]), "299 Odd", "yes"),
        ((None, {"X-Made": "yes"}), "200 OK", "yes"),
        ((201, None), "201 CREATED", None),
        ((201, {}), "201 CREATED", None),
    ],
    ids=repr,
)
@pytest.mark.parametrize("body", [str, str.encode, Response, WerkzeugResponse])
def test_tuple_has_body_status_and_headers(
    body: Callable[[str], Any], rest: tuple[Any, ...], status: str, header: str
) -> None:
    response = answer((body("body"), *rest))
    assert response.status == status
    assert response.headers.get("X-Made") == header
    assert response.data == b"body"


def test_tuple_may_start_with_dict() -> None:
    response = answer(({"made": True}, 201, {"X-Made": "yes"}))
    assert response.status_code == 201
    assert response.get_json() == {"made": True}
    assert response.headers["X-Made"] == "yes"


def test_tuple_may_start_with_wsgi_callable() -> None:
    response = answer((wsgi, 203, {"X-Made": "yes"}))
    assert response.status_code == 203
    assert response.headers["X-Made"] == "yes"
    assert response.headers["X-Path"] == "/"


def test_named_tuple_is_a_tuple() -> None:
    Answer = namedtuple("Answer", "body status")
    assert answer(Answer("body", 201)).status_code == 201


def test_tuple_headers_extend_response() -> None:
    made = Response("body", headers={"X-Made": "first"})
    response = answer((made, {"X-Made": "second", "X-Other": "third"}))
    assert response.headers.getlist("X-Made") == ["first", "second"]
    assert response.headers["X-Other"] == "third"


def test_tuple_content_type_replaces_default() -> None:
    assert answer(("body", {"Content-Type": "text/plain"})).headers.getlist("Content-Type") == ["text/plain"]


def test_header_may_repeat() -> None:
    response = answer(("body", [("X-Made", "first"), ("X-Made", "second")]))
    assert response.headers.getlist("X-Made") == ["first", "second"]


# Invalid return values


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, ["None", " return "]),
        ((None, 404), ["None"]),
        ((), ["tuple", "0"]),
        (("body",), ["tuple", "1"]),
        (("body", 200, {}, "more"), ["tuple", "4"]),
        (("body", {}, 200, "more"), ["tuple", "4"]),
        (7, ["int"]),
        (["body"], ["list"]),
        (True, ["bool"]),
        (object(), ["object"]),
        (lambda: "no application", ["WSGI"]),
        (("body", 2.5), ["status", "2.5"]),
        (("body", object(), {}), ["status", "object"]),
        (("body", 200, 7), ["headers", "7"]),
        ((Response("body"), 200, 7), ["headers", "7"]),
    ],
)
def test_invalid_value_names_view_and_type(returned: Any, words: list[str]) -> None:
    with pytest.raises(TypeError) as refused:
        answer(returned)
    message = str(refused.value)
    assert [word for word in ["'index'", *words] if word not in message] == []


def test_coroutine_names_view_and_remedy() -> None:
    async def view() -> str:
        return "never"

    app = Flask("asynchronous")
    app.testing = True
    app.add_url_rule("/", "later", view)
    with pytest.raises(TypeError, match=r"'later'.*`async def`.*asyncio\.run"):
        app.test_client().get("/")


def test_failing_wsgi_callable_names_error() -> None:
    with pytest.raises(TypeError) as refused:
        answer(lambda: "no application")
    assert isinstance(refused.value.__cause__, TypeError)


def test_make_response_outside_view() -> None:
    app = Flask("answering")
    with app.test_request_context("/nowhere"), pytest.raises(TypeError, match=r"^The function returned None"):
        app.make_response(None)


def test_make_response_outside_request() -> None:
    app = Flask("answering")
    assert app.make_response(("made", 201)).status_code == 201


def test_invalid_value_outside_request() -> None:
    with pytest.raises(TypeError, match="None"):
        Flask("answering").make_response(None)


# make_response


@pytest.mark.parametrize(
    ("arguments", "status", "body"),
    [
        ((), 200, b""),
        (("made",), 200, b"made"),
        (("made", 201), 201, b"made"),
        (("made", 201, {"X-Made": "yes"}), 201, b"made"),
        ((("made", 201),), 201, b"made"),
        (({},), 200, b"{}\n"),
    ],
    ids=repr,
)
def test_make_response_accepts_view_results(arguments: tuple[Any, ...], status: int, body: bytes) -> None:
    with Flask("answering").test_request_context():
        response = make_response(*arguments)
    assert response.status_code == status
    assert response.get_data() == body


def test_make_response_without_arguments() -> None:
    class OurResponse(Response):
        pass

    app = Flask("answering")
    app.response_class = OurResponse
    with app.app_context():
        assert type(make_response()) is OurResponse


def test_response_may_be_changed() -> None:
    app = Flask("answering")

    @app.route("/")
    def index() -> Response:
        response = make_response(jsonify(path=request.path), 203)
        response.headers["X-Made"] = "yes"
        return response

    response = app.test_client().get("/")
    assert response.status_code == 203
    assert response.headers["X-Made"] == "yes"
    assert response.get_json() == {"path": "/"}


def test_none_gets_500() -> None:
    app = Flask("answering")
    app.add_url_rule("/", "index", lambda: None)
    assert app.test_client().get("/").status_code == 500


def test_response_class_error_propagates() -> None:
    class Strict(Response):
        def __init__(self, response: Any = None, **about: Any) -> None:
            raise ValueError("too strict")

    with pytest.raises(ValueError, match=r"^too strict$"):
        answer("body", Strict)
