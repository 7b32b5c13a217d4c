"""Return values of views, and the responses made from them."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Coroutine
from functools import partial, wraps
from http import HTTPStatus
from typing import Any, Callable

import pytest
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as WerkzeugResponse

from schlenk import Flask, Response, after_this_request, jsonify, make_response, request, session


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
def test_text_and_bytes_are_html(returned: Any) -> None:
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


def test_response_class_is_kept() -> None:
    class OurResponse(Response):
        pass

    with Flask("answering").test_request_context() as context:
        assert type(context.app.make_response(OurResponse("made"))) is OurResponse


def test_foreign_response_is_converted(app: Flask) -> None:
    class OurResponse(Response):
        pass

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


def test_response_class_arguments(app: Flask) -> None:
    class OurResponse(Response):
        def __init__(self, response: Any = None, status: Any = None, headers: Any = None, **more: Any) -> None:
            super().__init__(response, status, headers, **more)
            self.more = more

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


def test_dict_may_be_in_tuple() -> None:
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
        (None, ["None", "return statement"]),
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


async def coroutine() -> str:
    return "never"


async def asynchronous_generator() -> Any:
    yield "never"


@pytest.mark.parametrize("view", [coroutine, asynchronous_generator])
def test_coroutine_names_view_and_remedy(app: Flask, view: Any) -> None:
    app.testing = True
    app.add_url_rule("/", "later", view)
    with pytest.raises(TypeError, match=r"'later'.*`async def`.*asyncio\.run"):
        app.test_client().get("/")


def test_callable_coroutine_is_called(app: Flask) -> None:
    class Application(Coroutine[Any, Any, Any]):
        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return [b"called"]

        def __await__(self) -> Any:
            raise NotImplementedError

        send = throw = __await__

    app.add_url_rule("/", "application", Application)
    assert app.test_client().get("/").get_data() == b"called"


def test_failing_wsgi_callable_names_error() -> None:
    with pytest.raises(TypeError) as refused:
        answer(lambda: "no application")
    assert isinstance(refused.value.__cause__, TypeError)


def give_nothing(*args: Any) -> None:
    return None


class Hook:
    def __repr__(self) -> str:
        return "<a hook>"

    def __call__(self, response: Response) -> None:
        return None

    def method(self, response: Response) -> None:
        return None


def refused(register: Callable[[Flask], Any], url: str = "/") -> Exception:
    """Return the error for the request of an application, after `register` has added its hooks."""
    app = Flask("hooked")
    app.testing = True
    app.secret_key = "key"
    app.add_url_rule("/", "index", lambda: "body")
    app.add_url_rule("/divide", "divide", lambda: str(1 // 0))
    register(app)
    with pytest.raises((AttributeError, TypeError)) as raised:
        app.test_client().get(url)
    return raised.value


def where(function: Any) -> str:
    return f"({__file__}, line {function.__code__.co_firstlineno})"


FUNCTIONS = pytest.mark.parametrize(
    ("function", "name"),
    [
        (give_nothing, f"{__name__}.give_nothing {where(give_nothing)}"),
        (partial(partial(give_nothing), 1), f"{__name__}.give_nothing {where(give_nothing)}"),
        (wraps(give_nothing)(lambda response: None), f"{__name__}.give_nothing {where(give_nothing)}"),
        (Hook().method, f"{__name__}.Hook.method {where(Hook.method)}"),
        (Hook(), f"<a hook> {where(Hook.__call__)}"),
        ([].append, "list.append"),
    ],
    ids=["function", "partial", "decorated", "method", "callable", "built-in"],
)


@FUNCTIONS
def test_none_names_the_view(app: Flask, function: Any, name: str) -> None:
    app.add_url_rule("/", "index", function)
    with app.test_request_context(), pytest.raises(TypeError) as refused:
        app.finalize_request(None)
    assert str(refused.value).startswith(f"The view function {name} for the endpoint 'index' returned None instead of")


def test_none_of_unregistered_view_is_named() -> None:
    class OurFlask(Flask):
        def dispatch_request(self) -> Any:
            return None

    app = OurFlask("dispatching")
    app.testing = True
    app.add_url_rule("/", "index")
    with pytest.raises(TypeError, match=r"^The view function for the endpoint 'index' returned None"):
        app.test_client().get("/")


@FUNCTIONS
def test_none_names_the_hook(function: Any, name: str) -> None:
    error = refused(lambda app: app.after_request(function))
    assert str(error).startswith(f"The after_request function {name} returned None. It must return a response")


def test_none_of_after_this_request_is_named() -> None:
    error = refused(lambda app: app.before_request(lambda: after_this_request(give_nothing) and None))  # type: ignore[arg-type]
    assert str(error).startswith(f"The after_this_request function {__name__}.give_nothing")


def test_hook_after_none_is_not_blamed() -> None:
    def read(response: Response) -> Response:
        response.headers["X-Read"] = "1"
        return response

    def register(app: Flask) -> None:
        app.after_request(read)
        app.after_request(give_nothing)  # type: ignore[arg-type]

    error = refused(register)
    assert type(error) is AttributeError
    assert f"{__name__}.give_nothing" in str(error)


def test_session_after_none_is_not_blamed() -> None:
    def fill() -> None:
        session["user"] = "ada"

    def register(app: Flask) -> None:
        app.before_request(fill)
        app.after_request(give_nothing)  # type: ignore[arg-type]

    assert f"{__name__}.give_nothing" in str(refused(register))


@pytest.mark.parametrize(("value", "word"), [("text", "'str'"), (("text", 200), "'tuple'"), (7, "'int'")])
def test_after_request_is_named(value: Any, word: str) -> None:
    error = refused(lambda app: app.after_request(lambda response: value))
    assert type(error) is TypeError
    assert f"returned an object of type {word}. It must return a response" in str(error)


def test_asynchronous_after_request_is_named() -> None:
    async def later(response: Response) -> Response:
        return response

    error = refused(lambda app: app.after_request(later))  # type: ignore[arg-type]
    assert "later" in str(error)
    assert "`async def`" in str(error)


def test_own_error_of_after_request_is_kept() -> None:
    def fail(response: Response) -> Response:
        raise TypeError("its own")

    assert str(refused(lambda app: app.after_request(fail))) == "its own"


def test_before_request_value_is_named() -> None:
    error = refused(lambda app: app.before_request(lambda: 7))  # type: ignore[arg-type,return-value]
    assert f"The before_request function {__name__}.test_before_request" in str(error)


@pytest.mark.parametrize(("key", "url"), [(404, "/nowhere"), (ZeroDivisionError, "/divide"), (Exception, "/divide")])
def test_error_handler_is_named(key: Any, url: str) -> None:
    error = refused(lambda app: app.register_error_handler(key, give_nothing), url)
    assert str(error).startswith(
        f"The error handler {__name__}.give_nothing {where(give_nothing)} returned None instead of a"
    )


@pytest.mark.parametrize("value", [["a", "b"], (letter for letter in "ab")])
def test_refused_value_leads_to_response(app: Flask, value: Any) -> None:
    with app.test_request_context(), pytest.raises(TypeError, match=r"jsonify\(a list\) or Response\(a generator\)"):
        app.make_response(value)


def call_with_none() -> Any:
    return make_response(None)


@pytest.mark.parametrize(
    ("register", "url"),
    [
        (lambda app: app.before_request(call_with_none), "/"),
        (lambda app: app.after_request(lambda response: call_with_none()), "/"),
        (lambda app: app.register_error_handler(404, lambda error: call_with_none()), "/nowhere"),
        (lambda app: app.add_url_rule("/view", "view", call_with_none), "/view"),
    ],
    ids=["before_request", "after_request", "error handler", "view"],
)
def test_call_of_make_response_is_named(register: Any, url: str) -> None:
    assert str(refused(register, url)).startswith("make_response() was called with None instead of a response")


def test_override_of_make_response_names_view() -> None:
    class OurFlask(Flask):
        def make_response(self, rv: Any) -> Any:
            return super().make_response(rv)

    app = OurFlask("answering")
    app.testing = True
    app.add_url_rule("/", "index", give_nothing)
    with pytest.raises(TypeError, match=f"^The view function {__name__}.give_nothing"):
        app.test_client().get("/")


def test_none_of_unknown_endpoint(app: Flask) -> None:
    with app.test_request_context("/nowhere"), pytest.raises(TypeError, match=r"^The function returned None"):
        app.finalize_request(None)


def test_none_outside_request_is_named() -> None:
    with pytest.raises(TypeError, match=r"^make_response\(\) was called with None"):
        Flask("answering").make_response(None)


def test_none_outside_request_may_be_finalized() -> None:
    with pytest.raises(TypeError, match=r"^The function returned None"):
        Flask("answering").finalize_request(None)


def test_make_response_outside_request(app: Flask) -> None:
    assert app.make_response(("made", 201)).status_code == 201


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


def test_make_response_without_arguments(app: Flask) -> None:
    class OurResponse(Response):
        pass

    app.response_class = OurResponse
    with app.app_context():
        assert type(make_response()) is OurResponse


def test_response_may_be_changed(app: Flask) -> None:

    @app.route("/")
    def index() -> Response:
        response = make_response(jsonify(path=request.path), 203)
        response.headers["X-Made"] = "yes"
        return response

    response = app.test_client().get("/")
    assert response.status_code == 203
    assert response.headers["X-Made"] == "yes"
    assert response.get_json() == {"path": "/"}


def test_none_gets_500(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: None)
    assert app.test_client().get("/").status_code == 500


def test_response_class_error_propagates() -> None:
    class Strict(Response):
        def __init__(self, response: Any = None, **about: Any) -> None:
            raise ValueError("too strict")

    with pytest.raises(ValueError, match=r"^too strict$"):
        answer("body", Strict)
