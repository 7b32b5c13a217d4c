"""What a view may return, and what becomes of it."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from http import HTTPStatus
from typing import Any, Callable

import pytest
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as WerkzeugResponse

from schlenk import Flask, Response, jsonify, make_response, request


def answer(returned: Any, response_class: type[Response] = Response) -> Any:
    """The answer of an application whose view returns ``returned``."""
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
def test_text_and_bytes_are_the_body_of_an_html_page(returned: Any) -> None:
    response = answer(returned)
    assert (response.status, response.headers["Content-Type"]) == ("200 OK", "text/html; charset=utf-8")
    assert response.get_data() == "grüße".encode()


@pytest.mark.parametrize("returned", ["", b""])
def test_a_body_may_be_empty(returned: Any) -> None:
    assert (answer(returned).status_code, answer(returned).data) == (200, b"")


@pytest.mark.parametrize("returned", [{"b": 1, "a": [None]}, OrderedDict(b=1, a=[None])])
def test_a_dict_becomes_json(returned: Any) -> None:
    response = answer(returned)
    assert (response.mimetype, response.data) == ("application/json", b'{"a":[null],"b":1}\n')


def test_an_empty_dict_becomes_json() -> None:
    assert answer({}).data == b"{}\n"


def test_a_response_is_sent_as_it_is() -> None:
    with Flask("answering").test_request_context() as context:
        response = Response("made", 418)
        assert context.app.make_response(response) is response


def test_a_response_of_a_subclass_stays_of_that() -> None:
    class OurResponse(Response):
        pass

    with Flask("answering").test_request_context() as context:
        assert type(context.app.make_response(OurResponse("made"))) is OurResponse


def test_a_response_of_another_class_becomes_one_of_ours() -> None:
    class OurResponse(Response):
        pass

    app = Flask("answering")
    app.response_class = OurResponse
    with app.test_request_context():
        response = app.make_response(WerkzeugResponse("made", 201, {"X-Made": "yes"}))
    assert (type(response), response.status_code, response.headers["X-Made"]) == (OurResponse, 201, "yes")
    assert response.get_data() == b"made"


def test_a_wsgi_callable_is_called_and_its_answer_taken() -> None:
    response = answer(wsgi)
    assert (response.status, response.mimetype, response.data) == ("202 ACCEPTED", "text/plain", b"from wsgi")
    assert response.headers["X-Path"] == "/"


def test_what_a_view_returns_is_made_a_response_of_the_response_class() -> None:
    class Plain(Response):
        default_mimetype = "text/plain"

    assert answer("hello", Plain).mimetype == "text/plain"


def test_a_response_class_is_given_status_and_headers_only() -> None:
    class OurResponse(Response):
        def __init__(self, response: Any = None, status: Any = None, headers: Any = None, **more: Any) -> None:
            super().__init__(response, status, headers, **more)
            self.more = more

    app = Flask("answering")
    app.response_class = OurResponse
    with app.app_context():
        made = [app.make_response(returned) for returned in ("made", ("made", 201), ("made", {"X-Made": "yes"}))]
    assert [response.more for response in made] == [{}, {}, {}]


def test_a_generator_in_a_response_is_streamed() -> None:
    response = answer(Response(letter for letter in "abc"))
    assert (response.is_streamed, response.data) == (True, b"abc")


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
def test_a_tuple_tells_body_status_and_headers(
    body: Callable[[str], Any], rest: tuple[Any, ...], status: str, header: str
) -> None:
    response = answer((body("body"), *rest))
    assert (response.status, response.headers.get("X-Made"), response.data) == (status, header, b"body")


def test_a_tuple_may_begin_with_a_dict() -> None:
    response = answer(({"made": True}, 201, {"X-Made": "yes"}))
    assert (response.status_code, response.get_json(), response.headers["X-Made"]) == (201, {"made": True}, "yes")


def test_a_tuple_may_begin_with_a_wsgi_callable() -> None:
    response = answer((wsgi, 203, {"X-Made": "yes"}))
    assert (response.status_code, response.headers["X-Made"], response.headers["X-Path"]) == (203, "yes", "/")


def test_a_named_tuple_is_a_tuple() -> None:
    Answer = namedtuple("Answer", "body status")
    assert answer(Answer("body", 201)).status_code == 201


def test_the_headers_of_a_tuple_are_added_to_those_of_a_response() -> None:
    made = Response("body", headers={"X-Made": "first"})
    response = answer((made, {"X-Made": "second", "X-Other": "third"}))
    assert response.headers.getlist("X-Made") == ["first", "second"]
    assert response.headers["X-Other"] == "third"


def test_the_content_type_of_a_tuple_takes_the_place_of_that_of_text() -> None:
    assert answer(("body", {"Content-Type": "text/plain"})).headers.getlist("Content-Type") == ["text/plain"]


def test_a_header_may_come_more_than_once() -> None:
    response = answer(("body", [("X-Made", "first"), ("X-Made", "second")]))
    assert response.headers.getlist("X-Made") == ["first", "second"]


# What no response can be made of


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
def test_what_is_no_answer_is_refused_with_its_view_and_what_it_is(returned: Any, words: list[str]) -> None:
    with pytest.raises(TypeError) as refused:
        answer(returned)
    message = str(refused.value)
    assert [word for word in ["'index'", *words] if word not in message] == []


def test_what_is_no_wsgi_callable_is_refused_with_the_error_it_raised() -> None:
    with pytest.raises(TypeError) as refused:
        answer(lambda: "no application")
    assert isinstance(refused.value.__cause__, TypeError)


def test_make_response_says_so_where_there_is_no_view() -> None:
    app = Flask("answering")
    with app.test_request_context("/nowhere"), pytest.raises(TypeError, match=r"^(?!.*view).* is None"):
        app.make_response(None)


def test_make_response_works_without_a_request_where_it_needs_none() -> None:
    app = Flask("answering")
    assert app.make_response(("made", 201)).status_code == 201


def test_what_is_no_answer_is_refused_without_a_request_too() -> None:
    with pytest.raises(TypeError, match="None"):
        Flask("answering").make_response(None)


# make_response() for views


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
def test_make_response_makes_what_a_view_could_have_returned(
    arguments: tuple[Any, ...], status: int, body: bytes
) -> None:
    with Flask("answering").test_request_context():
        response = make_response(*arguments)
    assert (response.status_code, response.get_data()) == (status, body)


def test_make_response_without_arguments_is_of_the_response_class() -> None:
    class OurResponse(Response):
        pass

    app = Flask("answering")
    app.response_class = OurResponse
    with app.app_context():
        assert type(make_response()) is OurResponse


def test_a_response_may_be_changed_before_it_is_returned() -> None:
    app = Flask("answering")

    @app.route("/")
    def index() -> Response:
        response = make_response(jsonify(path=request.path), 203)
        response.headers["X-Made"] = "yes"
        return response

    response = app.test_client().get("/")
    assert (response.status_code, response.headers["X-Made"], response.get_json()) == (203, "yes", {"path": "/"})


def test_a_view_that_returns_nothing_is_answered_with_500() -> None:
    app = Flask("answering")
    app.add_url_rule("/", "index", lambda: None)
    assert app.test_client().get("/").status_code == 500


def test_an_error_of_a_response_class_of_ones_own_is_its_own_to_tell() -> None:
    class Strict(Response):
        def __init__(self, response: Any = None, **about: Any) -> None:
            raise ValueError("too strict")

    with pytest.raises(ValueError, match=r"^too strict$"):
        answer("body", Strict)
