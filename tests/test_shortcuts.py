"""Shortcuts: each gives the same result as Werkzeug, and is not taken for subclasses that override methods."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from copy import copy, deepcopy
from hashlib import sha1
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import BadSignature, Signer
from werkzeug.datastructures import EnvironHeaders, Headers, ImmutableMultiDict
from werkzeug.exceptions import HTTPException, NotFound, default_exceptions
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import BaseConverter, IntegerConverter, Map, MapAdapter, Rule, Submount
from werkzeug.routing.matcher import StateMachineMatcher
from werkzeug.sansio.request import Request as SansioRequest
from werkzeug.test import create_environ, run_wsgi_app
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse

from schlenk import Flask, Request, Response, abort, session, shortcuts
from tests.support.programs import run

# Without the shortcuts, only the results are tested.
caching = pytest.mark.skipif(not shortcuts.ENABLED, reason="SCHLENK_SHORTCUTS=0 leaves the shortcuts out")
texts = st.text(st.characters(exclude_categories=["Cs"]))
latin = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]))
names = st.sampled_from(["Content-Length", "content-length", "Location", "Content-Location", "X-Made", "Vary"])
bodies = st.one_of(texts, st.binary(), st.lists(st.one_of(texts, st.binary()), max_size=3), st.none())
statuses = st.sampled_from([100, 199, 200, 204, 299, 302, 304, 404, 500])


class Html(WerkzeugResponse):
    """Werkzeug's response with the default mimetype of schlenk's."""

    default_mimetype = "text/html"


def told(response: WerkzeugResponse, method: str) -> tuple[Any, ...]:
    """Return the status, headers, and body that a server receives from a response."""
    answers: list[Any] = []

    def start_response(*arguments: Any) -> Any:
        answers.extend(arguments)

    body = response(create_environ(method=method), start_response)
    sent = b"".join(body)
    getattr(body, "close", lambda: None)()
    return (*answers, sent)


# Making responses


@given(
    texts, st.one_of(st.none(), statuses, st.integers()), st.sampled_from([None, "text/html", "text/plain", "image/x"])
)
def test_text_response_equals_werkzeugs(text: str, status: int | None, mimetype: str | None) -> None:
    ours, theirs = vars(Response(text, status, mimetype=mimetype)), vars(Html(text, status, mimetype=mimetype))
    # Headers compare equal in any order. Lists also compare the order in which they are sent.
    assert list(ours.pop("headers")) == list(theirs.pop("headers"))
    assert ours == theirs


def test_responses_share_nothing() -> None:
    first, second = Response("a"), Response("b")
    first.headers["X-Made"] = "yes"
    first.call_on_close(lambda: pytest.fail("called for another response"))
    first.set_data("longer")
    assert "X-Made" not in second.headers
    assert second.get_data() == b"b"
    assert second.headers["Content-Length"] == "1"
    second.close()
    assert "X-Made" not in Response("c").headers


def test_class_defaults_are_read_when_made(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ours(Response):
        default_status = 201
        default_mimetype = "text/plain"

    assert Ours("made").headers["Content-Type"] == "text/plain; charset=utf-8"
    assert Ours("made").status == "201 CREATED"
    monkeypatch.setattr(Ours, "default_mimetype", None)
    assert "Content-Type" not in Ours("made").headers


def test_reason_phrase_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Response("", 499).status == "499 UNKNOWN"
    monkeypatch.setitem(HTTP_STATUS_CODES, 499, "Client Closed Request")
    assert Response("", 499).status == "499 CLIENT CLOSED REQUEST"


def test_automatic_length_can_be_disabled() -> None:
    class Unmeasured(Response):
        automatically_set_content_length = False

    assert "Content-Length" not in Unmeasured("made").headers


def test_overridden_method_makes_response() -> None:
    class Shouting(Response):
        def set_data(self, value: bytes | bytearray | str) -> None:
            super().set_data(value.upper())

    class Quiet(Shouting):
        pass

    assert Shouting("made").get_data() == b"MADE"
    assert Quiet("made").get_data() == b"MADE"


@caching
def test_changed_werkzeug_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcuts, "_is_known", False)

    class Ours(Response):
        pass

    assert not Ours._is_plain
    assert list(Ours("made").headers) == list(Response("made").headers)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Headers, lambda made: setattr(made, "added", True)),
        (WerkzeugResponse, lambda made: setattr(made, "added", True)),
        (WerkzeugResponse, lambda made: delattr(made, "direct_passthrough")),
    ],
    ids=["headers", "more", "fewer"],
)
def test_other_attributes_are_not_known(
    kind: Any, change: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = kind.__init__

    def initialize(made: Any, *arguments: Any, **keywords: Any) -> None:
        original(made, *arguments, **keywords)
        change(made)

    monkeypatch.setattr(kind, "__init__", initialize)
    spec = spec_from_file_location("schlenk.shortcuts", shortcuts.__file__)
    assert spec is not None
    assert spec.loader is not None
    again = module_from_spec(spec)
    spec.loader.exec_module(again)
    assert not again._is_known


@pytest.mark.parametrize("name", ["headers", "response"])
def test_later_property_makes_response(name: str) -> None:
    def write(response: Any, value: Any) -> None:
        vars(response)["written"] = value
        if name == "response":
            response.headers["X-Written"] = "yes"

    made: list[Any] = []
    for base in (Response, Html):
        Ours = type("Ours", (base,), {})
        # A copy is equal to what was written, but is not the same object.
        setattr(Ours, name, property(lambda response: copy(vars(response)["written"]), write))
        response = Ours("made")
        made.append((vars(response).keys(), [*response.headers], [*response.response]))
    assert made[0] == made[1]


def test_class_sets_attributes() -> None:
    names: list[list[str]] = []
    for base in (Response, Html):
        written: list[str] = []

        def write(response: Any, name: str, value: Any, written: list[str] = written) -> None:
            written.append(name)
            object.__setattr__(response, name, value)

        type("Ours", (base,), {"__setattr__": write})("made")
        names.append(written)
    assert names[0] == names[1]


@pytest.mark.parametrize("name", ["headers", "response", "direct_passthrough", "_status", "_status_code", "_on_close"])
def test_property_is_written(name: str) -> None:
    written: list[Any] = []

    def write(response: Any, value: Any) -> None:
        written.append(value)
        vars(response)["written"] = value

    Ours = type("Ours", (Response,), {name: property(lambda response: vars(response)["written"], write)})
    Theirs = type("Theirs", (Html,), {name: property(lambda response: vars(response)["written"], write)})
    Ours("made")
    once = written.copy()
    written.clear()
    Theirs("made")
    assert once == written != []


def test_overridden_read_is_sent() -> None:
    class Ours(Response):
        def __getattribute__(self, name: str) -> Any:
            return "299 Own" if name == "status" else super().__getattribute__(name)

    assert told(Ours("made"), "GET")[0] == "299 Own"


@pytest.mark.parametrize("name", ["__init__", "__call__", "set_data", "get_wsgi_headers"])
def test_werkzeug_can_be_patched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    original = getattr(WerkzeugResponse, name)

    def patched(*arguments: Any, **keywords: Any) -> Any:
        called.append(name)
        return original(*arguments, **keywords)

    monkeypatch.setattr(WerkzeugResponse, name, patched)
    told(Response("made"), "GET")
    once = called.copy()
    called.clear()
    told(Html("made"), "GET")
    assert once == called == [name]


# Calling responses


@example("text", 199, [], "GET")
@given(bodies, statuses, st.lists(st.tuples(names, latin), max_size=3), st.sampled_from(["GET", "HEAD", "POST"]))
def test_wsgi_result_is_the_same(body: Any, status: int, headers: list[tuple[str, str]], method: str) -> None:
    assert told(Response(body, status, headers), method) == told(Html(body, status, headers), method)


@given(texts)
def test_result_without_headers(text: str) -> None:
    assert told(Response(text), "GET") == told(Html(text), "GET")


@given(
    st.lists(st.one_of(texts, st.binary()), max_size=3),
    statuses,
    st.lists(st.tuples(names, latin), max_size=2),
    st.sampled_from(["GET", "HEAD"]),
)
def test_stream_result_is_the_same(parts: Any, status: int, headers: list[tuple[str, str]], method: str) -> None:
    answers = []
    for kind in (Response, Html):
        response = kind((part for part in parts), status)
        response.headers.extend(headers)
        answers.append(told(response, method))
    assert answers[0] == answers[1]


def test_closed_stream_ends_its_generator() -> None:
    ended: list[str] = []

    def parts() -> Iterator[str]:
        try:
            yield "first"
            yield "second"
        finally:
            ended.append("generator")

    response = Response(parts())
    response.call_on_close(lambda: ended.append("response"))
    body: Any = response(create_environ(), lambda *arguments: None)  # type: ignore[arg-type, return-value]
    assert next(body) == b"first"
    body.close()
    assert ended == ["generator", "response"]


@pytest.mark.parametrize("make", [lambda: "one", lambda: (part for part in ["one"])], ids=["text", "stream"])
def test_body_is_an_iterator(make: Any) -> None:
    body: Any = Response(make())(create_environ(), lambda *arguments: None)  # type: ignore[arg-type, return-value]
    assert [next(body), *body] == [b"one"]


@pytest.mark.parametrize("header", ["content-length", "Allow", "X-Made"])
def test_removed_length_is_sent(header: str) -> None:
    answers = []
    for response in (Response("text"), Html("text")):
        del response.headers["Content-Length"]
        response.headers[header] = "4"
        answers.append(told(response, "GET"))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("body", ["whole", ["in ", "parts"], iter(["stream"])], ids=["text", "list", "iterator"])
def test_call_on_close_runs(body: Any) -> None:
    closed: list[str] = []
    response = Response(body)
    response.call_on_close(lambda: closed.append("closed"))
    sent = response(create_environ(), lambda *arguments: None)  # type: ignore[arg-type, return-value]
    b"".join(sent)
    assert closed == []
    sent.close()  # type: ignore[attr-defined]
    assert closed == ["closed"]


def test_headers_removed_later_were_sent() -> None:
    response = Response("made")
    answers: list[Any] = []
    response(create_environ(), lambda *arguments: answers.extend(arguments))  # type: ignore[arg-type]
    response.headers.clear()
    assert [name for name, _ in answers[1]] == ["Content-Type", "Content-Length"]


def test_overridden_method_calls_server() -> None:
    class Marked(Response):
        def get_wsgi_headers(self, environ: Any) -> Headers:
            headers = super().get_wsgi_headers(environ)
            headers["X-Made"] = "by subclass"
            return headers

    class Doubled(Response):
        def iter_encoded(self) -> Iterable[bytes]:  # type: ignore[override]
            return (part * 2 for part in super().iter_encoded())

    assert ("X-Made", "by subclass") in told(Marked("made"), "GET")[1]
    assert told(Doubled("made"), "GET")[-1] == b"mademade"


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
def test_location_is_quoted(name: str) -> None:
    answers = []
    for response in (Response("moved"), Html("moved")):
        response.headers[name] = "/\xe9"
        answers.append(told(response, "GET"))
    assert answers[0] == answers[1]


def test_method_of_instance_is_called() -> None:
    response = Response("made")
    vars(response)["get_wsgi_headers"] = lambda environ: Headers({"X-Made": "by instance"})
    assert told(response, "GET")[1] == [("X-Made", "by instance")]


def test_parts_of_two_types_are_encoded() -> None:
    body, headers = [b"a", "b"], [("Content-Length", "2")]
    assert told(Response(body, headers=headers), "GET") == told(Html(body, headers=headers), "GET")  # type: ignore[arg-type]


# Error pages


class Teapot(HTTPException):
    code = 418

    def get_headers(self, *arguments: Any) -> list[tuple[str, str]]:
        return [*super().get_headers(*arguments), ("X-Brew", "tea")]


class Answering(NotFound):
    def get_response(self, *arguments: Any) -> WerkzeugResponse:
        return WerkzeugResponse("not here", 404)


class Bytes(NotFound):
    def get_body(self, *arguments: Any) -> Any:
        return b"bytes"


class Untyped(NotFound):
    def get_headers(self, *arguments: Any) -> list[tuple[str, str]]:
        return [("Allow", "GET")]


class Parts(NotFound):
    def get_body(self, *arguments: Any) -> Any:
        return ["in ", "parts"]


class Moved(HTTPException):
    code = 302

    def get_headers(self, *arguments: Any) -> list[tuple[str, str]]:
        return [("Location", "/\xe9")]


class Textual(HTTPException):
    code: Any = "404"


ERRORS = [*default_exceptions.values(), Teapot, Answering, Bytes, Untyped, Parts, Moved, Textual]


def page_of(app: Flask, error: HTTPException) -> tuple[Any, ...]:
    with app.test_request_context():
        return told(app.make_response(error), "GET")


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("description", [None, "<b>é</b>\n2"])
def test_error_page_is_the_same(kind: Any, description: str | None) -> None:
    error = kind(description=description)
    assert page_of(Flask("pages"), error) == told(error.get_response(create_environ()), "GET")


def test_error_page_is_html(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Response, "default_mimetype", "text/plain")
    assert ("Content-Type", "text/html; charset=utf-8") in page_of(Flask("pages"), NotFound())[1]


def test_error_page_becomes_response_class() -> None:
    class Ours(Response):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            pytest.fail("made anew")

    app = Flask("pages")
    app.response_class = Ours
    with app.test_request_context():
        assert type(app.make_response(NotFound())) is Ours


@pytest.mark.parametrize(("code", "method"), [(199, "GET"), (204, "GET"), (304, "GET"), (404, "HEAD")])
def test_error_page_may_be_empty(code: int, method: str) -> None:
    app, error = Flask("pages"), HTTPException()
    error.code = code
    with app.test_request_context(method=method):
        assert app.make_response(error).get_data() == b""


def test_patched_method_sends_error_page(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    original = WerkzeugResponse.get_wsgi_headers
    monkeypatch.setattr(
        WerkzeugResponse, "get_wsgi_headers", lambda *arguments: called.append(arguments) or original(*arguments)
    )
    page_of(Flask("pages"), NotFound())
    assert len(called) == 2


def test_error_page_is_iterator(app: Flask) -> None:
    """As after running the error as an application, which functions of ``after_request`` can see."""
    with app.test_request_context():
        page = app.make_response(NotFound())
    assert not page.is_sequence
    assert page.is_streamed


def test_sending_error_page_sets_nothing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.test_request_context() as context:
        page = app.make_response(NotFound())
    attributes: list[str] = []
    monkeypatch.setattr(Response, "__setattr__", lambda page, name, value: attributes.append(name), raising=False)
    page(context.request.environ, lambda *arguments: None)  # type: ignore[arg-type,return-value]
    assert attributes == []


def test_custom_error_response_is_called() -> None:
    class Calling(NotFound):
        def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
            return WerkzeugResponse("by itself", 299)(environ, start_response)

    assert page_of(Flask("pages"), Calling())[-1] == b"by itself"


# Matching


@pytest.fixture
def app(app: Flask) -> Flask:
    app.add_url_rule("/page", "page", lambda: "page")
    app.add_url_rule("/user/<int:number>", "user", lambda number: f"user {number}")
    return app


def body(app: Flask, path: str, method: str = "GET") -> str:
    """Return the body of the second of two equal requests."""
    client = app.test_client()
    client.open(path, method=method)
    return client.open(path, method=method).get_data(as_text=True)


def remembered(app: Flask) -> list[str]:
    """Return the paths whose rules are cached."""
    assert isinstance(app.url_map, shortcuts.Map)
    return [path for path, *_ in app.url_map.cache]


def values(app: Flask, path: str) -> Any:
    with app.test_request_context(path) as context:
        return context.request.view_args


@caching
@pytest.mark.parametrize(("path", "answer"), [("/page", "page"), ("/user/7", "user 7")])
def test_rule_is_matched_once(app: Flask, path: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert body(app, path) == answer
    body(app, "/user/8")
    monkeypatch.setattr(StateMachineMatcher, "match", lambda *arguments: pytest.fail("looked for again"))
    assert body(app, path) == answer


@pytest.mark.parametrize(("path", "found"), [("/page", {}), ("/user/7", {"number": 7})])
def test_view_args_are_not_shared(app: Flask, path: str, found: dict[str, Any]) -> None:
    for _ in range(3):
        given = values(app, path)
        assert given == found
        given["kept"] = True


@caching
@pytest.mark.parametrize(("length", "most"), [(8, 1), (200, 1), (201, 0)])
def test_long_host_is_not_cached(app: Flask, length: int, most: int) -> None:
    shortcuts._server_name.cache_clear()
    assert app.test_client().get("/page", headers={"Host": ("h." * length)[:length]}).text == "page"
    assert shortcuts._server_name.cache_info().currsize == most


def test_urls_have_own_values(app: Flask) -> None:
    assert [values(app, f"/user/{number}") for number in (1, 2, 1)] == [{"number": 1}, {"number": 2}, {"number": 1}]


def test_current_rule_defaults_are_used(app: Flask) -> None:
    defaults = {"number": 1}
    app.add_url_rule("/user", "user", defaults=defaults)
    assert body(app, "/user") == "user 1"
    defaults["number"] = 2
    assert body(app, "/user") == "user 2"


def test_rule_may_get_defaults(app: Flask) -> None:
    app.add_url_rule("/first", "user", defaults={"number": 1})
    assert body(app, "/user/7") == "user 7"
    next(rule for rule in app.url_map.iter_rules("user") if rule.rule == "/first").defaults["number"] = 7  # type: ignore[index]
    assert app.test_client().get("/user/7").status_code == 308


def test_rule_equal_to_first_is_another(app: Flask) -> None:
    """Werkzeug compares rules by their URLs."""
    app.add_url_rule("/user/<int:number>", "user", defaults={"number": 1}, methods=["POST"])
    app.add_url_rule("/first", "user", defaults={"number": 1})
    assert body(app, "/user/7") == "user 7"
    next(rule for rule in app.url_map.iter_rules("user") if rule.rule == "/first").defaults["number"] = 7  # type: ignore[index]
    assert app.test_client().get("/user/7").status_code == 308


@pytest.mark.parametrize("endpoint", ["a", "z"])
def test_changed_endpoint_has_own_defaults(app: Flask, endpoint: str) -> None:
    app.add_url_rule("/first", endpoint, defaults={"number": 7})
    assert body(app, "/user/7") == "user 7"
    next(app.url_map.iter_rules("user")).endpoint = endpoint
    assert app.test_client().get("/user/7").status_code == 308


def test_redirect_defaults_can_be_enabled(app: Flask) -> None:
    app.url_map.redirect_defaults = False
    app.add_url_rule("/user", "user", defaults={"number": 1})
    assert body(app, "/user/1") == "user 1"
    app.url_map.redirect_defaults = True
    assert app.test_client().get("/user/1").status_code == 308


def test_rule_may_lose_methods(app: Flask) -> None:
    assert body(app, "/page") == "page"
    next(app.url_map.iter_rules("page")).methods = None
    assert body(app, "/page", "BREW") == "page"


def test_adapter_may_change_map() -> None:
    class Tenants(Flask):
        def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
            adapter = super().create_url_adapter(request)
            if adapter is not None:
                adapter.map = Map([Rule("/page", endpoint="theirs")])
            return adapter

    tenants = Tenants("tenants")
    tenants.view_functions["theirs"] = lambda: "theirs"
    assert body(tenants, "/page") == "theirs"


def test_host_sets_no_subdomain(app: Flask) -> None:
    app.url_map.default_subdomain = None  # type: ignore[assignment]
    app.add_url_rule("/home", "one", lambda: "one", subdomain="one.example")
    assert app.test_client().get("/home", base_url="http://one.example").status_code == 404


def test_wsgi_request_method_is_matched(app: Flask) -> None:
    class Overridden(Request):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            self.method = self.headers.get("X-Method", self.method)

    app.request_class = Overridden
    app.add_url_rule("/page", "deleted", lambda: "deleted", methods=["DELETE"])
    assert app.test_client().get("/page", headers={"X-Method": "DELETE"}).text == "page"


def test_method_can_be_removed(app: Flask) -> None:
    assert body(app, "/page") == "page"
    next(app.url_map.iter_rules("page")).methods.remove("GET")  # type: ignore[union-attr]
    assert app.test_client().get("/page").status_code == 405


@pytest.mark.parametrize(
    ("attribute", "value", "status"),
    [
        ("endpoint", "other", 404),
        ("strict_slashes", True, 308),
        ("strict_slashes", None, 200),
        ("redirect_to", "/elsewhere", 308),
        ("websocket", True, 404),
        ("alias", True, 308),
        ("defaults", {"name": "ada"}, 500),
    ],
)
def test_changed_rule_is_matched_again(app: Flask, attribute: str, value: Any, status: int) -> None:
    app.add_url_rule("/folder/", "folder", lambda: "folder", strict_slashes=False)
    app.add_url_rule("/same", "folder")
    app.add_url_rule("/other", "other", lambda: abort(404))
    assert body(app, "/folder") == "folder"
    setattr(next(app.url_map.iter_rules("folder")), attribute, value)
    assert app.test_client().get("/folder").status_code == status


@pytest.mark.parametrize(("rule", "path"), [("/folder/", "/folder"), ("/file", "/file/"), ("/<name>", "/ada")])
def test_later_rule_wins_over_fallback(app: Flask, rule: str, path: str) -> None:
    app.add_url_rule(rule, "first", lambda **values: "first", strict_slashes=False)
    assert body(app, path) == "first"
    app.add_url_rule(path, "second", lambda: "second")
    assert body(app, path) == "second"


def test_rule_added_during_match_is_found(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    app.add_url_rule("/<name>", "first", lambda name: "first")

    def after_the_first_was_found(*arguments: Any) -> None:
        monkeypatch.undo()
        app.add_url_rule("/ada", "second", lambda: "second")

    monkeypatch.setattr(MapAdapter, "get_default_redirect", after_the_first_was_found)
    assert values(app, "/ada") == {"name": "ada"}
    assert body(app, "/ada") == "second"


def test_later_rule_leaves_others_alone(app: Flask) -> None:
    before = body(app, "/page")
    app.add_url_rule("/page", "newcomer", lambda: "newcomer", methods=["GET", "POST"])
    assert before == "page"
    assert body(app, "/page") == "page"
    assert body(app, "/page", "POST") == "newcomer"


def test_rules_before_failed_one_are_found(app: Flask) -> None:
    app.add_url_rule("/<name>", "name", lambda name: "name")
    assert body(app, "/right") == "name"
    with pytest.raises(LookupError):
        app.url_map.add(Submount("/", [Rule("/right", endpoint="page", methods=["GET"]), Rule("/<wrong:converter>")]))
    assert body(app, "/right") == "page"


def test_maps_have_own_rules(app: Flask) -> None:
    assert body(app, "/page") == "page"
    app.view_functions["other"] = lambda: "other"
    app.url_map = Map([Rule("/page", endpoint="other")])
    assert body(app, "/page") == "other"


def test_subdomain_has_own_rules(app: Flask) -> None:
    app.add_url_rule("/page", "shop", lambda: "shop", subdomain="shop")
    assert body(app, "/page") == "page"
    app.url_map.default_subdomain = "shop"
    assert body(app, "/page") == "shop"


def test_websocket_is_no_http(app: Flask) -> None:
    assert body(app, "/page") == "page"
    assert app.test_client().get("/page", base_url="ws://localhost").status_code == 400


@caching
def test_cache_size_is_bounded(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcuts, "_MOST", 300)
    for number in range(302):
        assert values(app, f"/user/{number}") == {"number": number}
    assert remembered(app) == ["/user/300", "/user/301"]


@caching
def test_larger_cache_is_emptied(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that match URLs at the same time may exceed the limit."""
    values(app, "/user/1"), values(app, "/user/2")
    monkeypatch.setattr(shortcuts, "_MOST", 1)
    values(app, "/user/3")
    assert remembered(app) == ["/user/3"]


@caching
def test_long_urls_are_not_cached(app: Flask) -> None:
    app.add_url_rule("/<name>", "name", lambda name: name)
    for name in ("a" * 199, "b" * 200):
        assert body(app, f"/{name}") == name
    assert remembered(app) == ["/" + "a" * 199]


@pytest.mark.parametrize("name", ["counting", "int"])
def test_custom_converter_is_not_cached(app: Flask, name: str) -> None:
    asked = []

    class Counting(IntegerConverter):
        def to_python(self, value: str) -> int:
            asked.append(value)
            return super().to_python(value)

    before = app.url_map.converters
    app.url_map.converters = {**before, name: Counting}
    app.add_url_rule(f"/<{name}:number>", "number", lambda number: str(number))
    # The map no longer has the converter, but the rule still uses it.
    app.url_map.converters = before
    app.add_url_rule("/later", "page")
    assert body(app, "/7") == "7"
    assert asked == ["7", "7"]


@pytest.mark.parametrize("module", ["application", "zoo"])
def test_replaced_converter_is_not_cached(module: str) -> None:
    program = f"""
from werkzeug.routing import IntegerConverter, Map
asked = []
class Own(IntegerConverter):
    __module__ = {module!r}
    def to_python(self, value):
        asked.append(value)
        return super().to_python(value)
Map.default_converters = {{**Map.default_converters, "int": Own}}
from schlenk import Flask
app = Flask("own")
app.add_url_rule("/<int:number>", "number", lambda number: str(number))
for _ in range(2):
    app.test_client().get("/7")
assert asked == ["7", "7"], asked
"""
    run(program)


@caching
def test_static_rules_skip_custom_converters(app: Flask) -> None:
    app.url_map.converters["own"] = BaseConverter
    app.add_url_rule("/<own:value>", "own")
    body(app, "/page"), body(app, "/user/7")
    assert remembered(app) == ["/page"]


@caching
def test_own_rule_is_not_cached(app: Flask) -> None:
    class OurRule(Rule):
        pass

    app.url_rule_class = OurRule
    app.add_url_rule("/ours", "ours", lambda: "ours")
    assert body(app, "/ours") == "ours"
    assert remembered(app) == []


@caching
def test_methodless_rule_is_not_cached(app: Flask) -> None:
    app.url_map.add(Rule("/any", endpoint="page"))
    assert body(app, "/any", "BREW") == "page"
    assert remembered(app) == []


def test_other_methods_work(app: Flask) -> None:
    with app.test_request_context("/page") as context:
        adapter = context.url_adapter
        assert adapter is not None
        assert adapter.match() == ("page", {})
        assert adapter.match("/page", "GET") == ("page", {})
        assert adapter.match(method="GET", return_rule=True)[0].endpoint == "page"
        assert adapter.match(return_rule=True, query_args={"n": "1"})[0].endpoint == "page"


# Cookies


@given(st.one_of(latin, st.lists(st.tuples(latin, latin)).map(lambda pairs: "; ".join(map("=".join, pairs)))))
def test_cookies_equal_werkzeugs(header: str) -> None:
    environ = create_environ(headers={"Cookie": header})
    assert Request(environ).cookies == WerkzeugRequest(environ).cookies


def test_cookies_are_read_once() -> None:
    request = Request(create_environ(headers={"Cookie": "a=1"}))
    assert request.cookies is request.cookies


def test_cookies_can_be_replaced() -> None:
    request = Request(create_environ(headers={"Cookie": "a=1"}))
    request.cookies = ImmutableMultiDict({"a": "2"})
    assert request.cookies["a"] == "2"
    del request.cookies
    assert request.cookies["a"] == "1"


def test_property_can_extend_cookies() -> None:
    class Extended(Request):
        @property
        def cookies(self) -> Any:
            return {**super().cookies, "added": "yes"}

        @cookies.setter
        def cookies(self, value: object) -> None:
            pytest.fail("only the application sets the property")

    request = Extended(create_environ(headers={"Cookie": "a=1"}))
    assert request.cookies == {"a": "1", "added": "yes"}


def test_property_reads_cookies_once() -> None:
    class Passing(Request):
        @property
        def cookies(self) -> Any:
            return super().cookies

    request = Passing(create_environ(headers={"Cookie": "a=1"}))
    assert request.cookies is request.cookies


def test_cookies_are_not_set_by_setattr() -> None:
    class Recording(Request):
        def __setattr__(self, name: str, value: object) -> None:
            assert name != "cookies"
            super().__setattr__(name, value)

    request = Recording(create_environ(headers={"Cookie": "a=1"}))
    assert request.cookies["a"] == "1"


@pytest.mark.parametrize("patched", [WerkzeugRequest, SansioRequest])
def test_patched_cookies_are_used(monkeypatch: pytest.MonkeyPatch, patched: Any) -> None:
    monkeypatch.setattr(patched, "cookies", property(lambda request: {"patched": request.path}), raising=False)
    assert Request(create_environ("/page")).cookies == {"patched": "/page"}


def test_patched_class_of_headers_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EnvironHeaders, "getlist", lambda headers, name: [f"{name}=patched"], raising=False)
    assert Request(create_environ()).cookies["Cookie"] == "patched"


# Creating requests


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"PATH_INFO": "/name", "QUERY_STRING": "a=%C3%A9&b="},
        {"PATH_INFO": "//twice"},
        {"PATH_INFO": "without slash"},
        {"PATH_INFO": "/caf\xc3\xa9"},
        {"PATH_INFO": "/invalid\xff"},
        {"PATH_INFO": None},
        {"QUERY_STRING": "caf\xc3\xa9"},
        {"SCRIPT_NAME": "/mounted/"},
        {"SCRIPT_NAME": None},
        {"REQUEST_METHOD": "post"},
        {"SERVER_NAME": None},
        {"SERVER_PORT": "none"},
        {"SERVER_PORT": None},
        {"REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "https"},
    ],
    ids=str,
)
def test_request_is_as_werkzeug_creates_it(changed: dict[str, Any]) -> None:
    environ = {**create_environ(), **changed}
    made, other = vars(Request(environ)), vars(WerkzeugRequest(environ))
    assert [*made.items()] == [*other.items()]


@pytest.mark.parametrize(
    "key",
    "REQUEST_METHOD PATH_INFO QUERY_STRING SCRIPT_NAME SERVER_NAME SERVER_PORT wsgi.url_scheme".split(),
)
def test_environ_can_lack_key(key: str) -> None:
    environ = create_environ()
    del environ[key]
    assert vars(Request(environ)) == vars(WerkzeugRequest(environ))


@caching
def test_ascii_url_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("werkzeug.wrappers.request._wsgi_decoding_dance", lambda text: "decoded")
    assert Request(create_environ("/page")).path == "/page"
    assert Request(create_environ("/café")).path == "/decoded"


def test_environ_may_only_have_get() -> None:
    class Environ(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            pytest.fail("Werkzeug calls get()")

    assert Request(Environ(create_environ("/page"))).path == "/page"


@pytest.mark.parametrize("options", [(), (True, True), (False,), (False, True)], ids=str)
def test_request_is_stored_as_werkzeug_does(options: tuple[bool, ...]) -> None:
    made, other = create_environ(), create_environ()
    request = Request(made, *options)
    assert request.shallow is WerkzeugRequest(other, *options).shallow
    assert made.get("werkzeug.request") is (request if "werkzeug.request" in other else None)


class Marking:
    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self.marked = True
        super().__init__(*arguments, **keywords)


class MarkingRequest(Marking, WerkzeugRequest):
    pass


class MarkingSansio(Marking, SansioRequest):
    pass


@pytest.mark.parametrize("bases", [(Marking, Request), (Request, MarkingRequest), (Request, MarkingSansio)], ids=str)
def test_mixin_initializes_request(bases: Any) -> None:
    assert type("Mixed", bases, {})(create_environ("/page")).marked
    assert type("Mixed", bases, {})(create_environ("/page")).path == "/page"


@pytest.mark.parametrize("patched", [WerkzeugRequest, SansioRequest])
def test_patched_initialization_is_used(monkeypatch: pytest.MonkeyPatch, patched: Any) -> None:
    original = patched.__init__

    def initialize(request: Any, *arguments: Any, **keywords: Any) -> None:
        original(request, *arguments, **keywords)
        request.path = "/patched"

    monkeypatch.setattr(patched, "__init__", initialize)
    assert Request(create_environ("/page")).path == "/patched"


PATCHED_BEFORE = """
from werkzeug import wrappers

original = wrappers.Request.{name}
wrappers.Request.{name} = {patched}

from schlenk import Flask, request, shortcuts

with Flask("patched").test_request_context("/page", headers={{"Cookie": "a=1"}}):
    print(shortcuts.ENABLED, request.path, len(request.cookies))
"""


@pytest.mark.parametrize(
    ("name", "patched", "printed"),
    [
        ("__init__", "original", "True /page 1"),
        ("__init__", "lambda self, *a: (original(self, *a), setattr(self, 'path', '/traced'))[0]", "False /traced 1"),
        ("cookies", "property(lambda self: [1, 2, 3])", "False /page 3"),
    ],
)
def test_patch_before_import_is_used(name: str, patched: str, printed: str) -> None:
    program = PATCHED_BEFORE.format(name=name, patched=patched)
    environment = {**os.environ, "SCHLENK_SHORTCUTS": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == printed


# Closing requests


def test_uploaded_files_are_closed() -> None:
    sent = {"picture": (BytesIO(b"picture"), "picture.png")}
    with Flask("closing").test_request_context(method="POST", data=sent) as context:
        picture = context.request.files["picture"]
        assert not picture.stream.closed
    assert picture.stream.closed


def test_replaced_headers_are_searched() -> None:
    request = Request(create_environ(headers={"Cookie": "a=1"}))
    request.headers = Headers({"Cookie": "a=2"})
    assert request.cookies["a"] == "2"


def test_patched_headers_are_searched() -> None:
    request = Request(create_environ(headers={"Cookie": "a=1"}))
    vars(request.headers)["getlist"] = lambda name: ["a=2"]
    assert request.cookies["a"] == "2"


def test_keys_may_be_mutable() -> None:
    key = bytearray(b"one")
    serializer = shortcuts.signing_serializer((key,), "salt", None, "hmac", sha1)
    assert serializer.loads(serializer.dumps([1])) == [1]


def called_by(function: Callable[[], Any]) -> set[Any]:
    """Return the code of each Python function that ``function`` calls. Patching them would turn the shortcuts off."""
    called = set()
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, argument: called.add(frame.f_code))
    try:
        function()
    finally:
        sys.setprofile(before)
    return called


@caching
@pytest.mark.parametrize(
    "bypassed",
    [
        WerkzeugResponse.__init__,
        WerkzeugResponse.__call__,
        WerkzeugRequest.close,
        WerkzeugRequest.cookies.fget,  # type: ignore[attr-defined]
        MapAdapter.match,
        Map.bind_to_environ,
        Signer.derive_key,
    ],
)
def test_shortcuts_are_taken(app: Flask, bypassed: Any) -> None:
    app.add_url_rule("/", "index", lambda: session.update(user="ada") or "hello")

    def request() -> None:
        run_wsgi_app(app, create_environ("/"), buffered=True)

    request()
    assert bypassed.__code__ not in called_by(request)


@caching
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("bypassed", [HTTPException.__call__, WerkzeugResponse.__call__, WerkzeugResponse.__init__])
def test_error_pages_take_the_shortcut(app: Flask, bypassed: Any, method: str) -> None:
    def request() -> None:
        run_wsgi_app(app, create_environ("/missing", method=method))

    request()
    assert bypassed.__code__ not in called_by(request)


@caching
@pytest.mark.parametrize(
    "bypassed", [WerkzeugResponse.__init__, WerkzeugResponse.__call__, WerkzeugResponse.get_wsgi_headers]
)
def test_streams_take_the_shortcut(bypassed: Any) -> None:
    def send() -> None:
        assert told(Response(part for part in "ab"), "GET")[-1] == b"ab"

    assert bypassed.__code__ not in called_by(send)


def test_patched_init_creates_error_pages(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    initialize = WerkzeugResponse.__init__

    def patched(response: WerkzeugResponse, *args: Any, **kwargs: Any) -> None:
        initialize(response, *args, **kwargs)
        response.headers["X-Patched"] = "yes"

    monkeypatch.setattr(WerkzeugResponse, "__init__", patched)
    assert app.test_client().get("/missing").headers.getlist("X-Patched") == ["yes"]


@pytest.mark.parametrize("duplicate", [copy, deepcopy])
def test_serializer_can_be_copied(duplicate: Callable[[Any], Any]) -> None:
    serializer = shortcuts.signing_serializer(("key",), "salt", None, "hmac", sha1)
    copied = duplicate(serializer)
    copied.salt = b"other"
    assert serializer.loads(serializer.dumps([1])) == [1]
    with pytest.raises(BadSignature):
        serializer.loads(copied.dumps([1]))


def test_shortcuts_are_optional() -> None:
    program = """
        from werkzeug import routing, wrappers
        from schlenk import Flask, shortcuts
        assert shortcuts.ResponseBase is wrappers.Response
        assert type(Flask("plain").url_map) is routing.Map
    """
    run(program, SCHLENK_SHORTCUTS="0")
