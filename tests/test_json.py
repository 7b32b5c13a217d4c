"""JSON with the settings of the current application."""

from __future__ import annotations

import dataclasses
import io
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from schlenk import Flask, Local, current_app, g, json, jsonify, request
from schlenk.ctx import _AppCtxGlobals


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Complex(json.JSONEncoder):
    """Encodes complex numbers as well."""

    def default(self, o: Any) -> Any:
        return [o.real, o.imag] if isinstance(o, complex) else super().default(o)


class Counting(json.JSONDecoder):
    """Decodes each object to the number of its keys."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(object_hook=len, **kwargs)


def test_star_import_exports_public_names() -> None:
    names: dict[str, Any] = {}
    exec("from schlenk.json import *", names)
    public = "JSONDecoder JSONEncoder dump dumps htmlsafe_dump htmlsafe_dumps jsonify load loads".split()
    assert names.keys() - {"__builtins__"} == set(public)


# --- Types


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (datetime(2020, 1, 2, 3, 4, 5), "Thu, 02 Jan 2020 03:04:05 GMT"),
        (datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), "Thu, 02 Jan 2020 01:04:05 GMT"),
        (date(2020, 1, 2), "Thu, 02 Jan 2020 00:00:00 GMT"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Markup("<b>"), "<b>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_encoder_has_more_types(value: object, written: object) -> None:
    assert json.loads(json.dumps([value])) == [written]


def test_encoder_calls_html() -> None:
    class Widget:
        def __html__(self) -> Markup:
            return Markup("<b>")

    assert json.dumps(Widget()) == '"<b>"'


@pytest.mark.parametrize("value", [object(), Decimal("1.5"), 1j, {1}, b"bytes", Point], ids=repr)
def test_unsupported_type_raises(value: object) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(value)


def test_proxy_is_refused(app: Flask) -> None:
    place = Local()
    place.user = {"name": "ada"}
    with app.app_context(), pytest.raises(TypeError, match=r"_get_current_object\(\)"):
        jsonify(place("user"))


@pytest.mark.parametrize(
    ("proxy", "name"), [(request, "Request"), (g, "_AppCtxGlobals"), (current_app, "Flask")], ids=repr
)
def test_proxy_to_unserializable_object(app: Flask, proxy: Any, name: str) -> None:
    with app.test_request_context(), pytest.raises(TypeError) as refused:
        jsonify(value=[proxy])
    assert f"of type {name}, which is not JSON serializable either. Pass the values" in str(refused.value)
    assert "_get_current_object" not in str(refused.value)


def test_proxy_to_object_that_holds_itself() -> None:
    place = Local()
    place.users = [place("users")]
    with pytest.raises(TypeError, match="of type list, which is not JSON serializable either"):
        json.dumps(place("users"))


def test_proxy_is_refused_by_own_encoder(app: Flask) -> None:
    class GlobalsEncoder(json.JSONEncoder):
        def default(self, o: Any) -> Any:
            return vars(o) if type(o) is _AppCtxGlobals else super().default(o)

    app.json_encoder = GlobalsEncoder
    with app.app_context(), pytest.raises(TypeError, match=r"_get_current_object\(\)"):
        jsonify(g)


def test_object_with_any_name_is_refused() -> None:
    class Answering:
        def __getattr__(self, name: str) -> None:
            return None

    with pytest.raises(TypeError, match="Answering is not JSON serializable"):
        json.dumps(Answering())


# --- Outside an application context


def test_keys_are_sorted() -> None:
    assert json.dumps({"b": 1, "a": 2}) == '{"a": 2, "b": 1}'


def test_text_is_ascii() -> None:
    assert json.dumps("é") == r'"\u00e9"'


# --- Settings of the application


@pytest.fixture(params=["current", "given"])
def wanting(request: pytest.FixtureRequest, app: Flask) -> Any:
    """Return an application, and the keywords that select it: none if it is the current one."""
    if request.param == "given":
        yield {"app": app}
    else:
        with app.app_context():
            yield {}


@pytest.mark.parametrize(("setting", "written"), [(True, '{"a": 2, "b": 1}'), (False, '{"b": 1, "a": 2}')])
def test_config_controls_sorting(app: Flask, wanting: Any, setting: bool, written: str) -> None:
    app.config["JSON_SORT_KEYS"] = setting
    assert json.dumps({"b": 1, "a": 2}, **wanting) == written


@pytest.mark.parametrize(("setting", "written"), [(True, r'"\u00e9"'), (False, '"é"')])
def test_config_controls_ascii(app: Flask, wanting: Any, setting: bool, written: str) -> None:
    app.config["JSON_AS_ASCII"] = setting
    assert json.dumps("é", **wanting) == written


def test_app_encoder_is_used(app: Flask, wanting: Any) -> None:
    app.json_encoder = Complex
    output = io.StringIO()
    json.dump(1j, output, **wanting)
    assert json.dumps(1j, **wanting) == output.getvalue() == "[0.0, 1.0]"


def test_app_decoder_is_used(app: Flask, wanting: Any) -> None:
    app.json_decoder = Counting
    assert json.loads('[{"a": 1, "b": 2}]', **wanting) == [2]
    assert json.load(io.StringIO('[{"a": 1, "b": 2}]'), **wanting) == [2]


def test_given_encoder_wins(app: Flask) -> None:
    assert json.dumps(1j, app=app, cls=Complex) == "[0.0, 1.0]"


def test_given_decoder_wins(app: Flask) -> None:
    app.json_decoder = Counting
    assert json.loads('{"a": 1}', app=app, cls=json.JSONDecoder) == {"a": 1}


def test_given_app_wins(app: Flask) -> None:
    other = Flask("other")
    other.config["JSON_SORT_KEYS"] = False
    with app.app_context():
        assert json.dumps({"b": 1, "a": 2}, app=other) == '{"b": 1, "a": 2}'


@pytest.mark.parametrize(
    ("how", "written"),
    [
        ({}, '{"a": 1, "b": "é"}'),
        ({"sort_keys": False}, '{"b": "é", "a": 1}'),
        ({"ensure_ascii": True}, r'{"a": 1, "b": "\u00e9"}'),
        ({"separators": (",", ":")}, '{"a":1,"b":"é"}'),
    ],
    ids=str,
)
def test_keywords_take_precedence(app: Flask, how: dict[str, Any], written: str) -> None:
    app.config.update(JSON_AS_ASCII=False, JSON_SORT_KEYS=True)
    with app.app_context():
        assert json.dumps({"b": "é", "a": 1}, **how) == written


# --- Encodings and files


def test_encoding_returns_bytes() -> None:
    assert json.dumps("é", ensure_ascii=False, encoding="utf-16-le") == '"é"'.encode("utf-16-le")


def test_dump_writes_text_file() -> None:
    output = io.StringIO()
    json.dump({"b": 1, "a": 2}, output, indent=0)
    assert output.getvalue() == '{\n"a": 2,\n"b": 1\n}'


def test_dump_writes_binary_file() -> None:
    output = io.BytesIO()
    json.dump("é", output, ensure_ascii=False, encoding="latin-1")
    assert output.getvalue() == b'"\xe9"'


def test_dump_does_not_call_encode() -> None:
    class Whole(json.JSONEncoder):
        def encode(self, o: Any) -> str:
            return "encoded"

    output = io.StringIO()
    json.dump([1], output, cls=Whole)
    assert output.getvalue() == "[1]"


def test_dump_marks_encoding_once() -> None:
    output = io.BytesIO()
    json.dump([1, 2], output, encoding="utf-16")
    assert output.getvalue() == "[1, 2]".encode("utf-16")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_loads_detects_encoding(encoding: str) -> None:
    assert json.loads('{"é": 1}'.encode(encoding)) == {"é": 1}


def test_loads_uses_encoding() -> None:
    assert json.loads(b'"\xe9"', encoding="latin-1") == "é"


@pytest.mark.parametrize("malformed", [b'"\xff"', b'"\xed\xa0\x80"'], ids=["no UTF-8", "a lone surrogate"])
def test_undecodable_bytes_raise_value_error(malformed: bytes) -> None:
    with pytest.raises(ValueError, match="decode"):
        json.loads(malformed)


@pytest.mark.parametrize("malformed", ["", "{", "{'a': 1}", "[1] 2"])
def test_invalid_json_raises_value_error(malformed: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        json.loads(malformed)


def test_deep_nesting_raises_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        json.loads("[" * 200_000 + "]" * 200_000)


def test_loads_passes_keywords() -> None:
    assert json.loads("[1.5]", parse_float=Decimal) == [Decimal("1.5")]


def test_load_reads_text_file() -> None:
    assert json.load(io.StringIO('{"a": 1.5}'), parse_float=Decimal) == {"a": Decimal("1.5")}


def test_load_reads_binary_file() -> None:
    assert json.load(io.BytesIO('"é"'.encode())) == "é"
    assert json.load(io.BytesIO(b'"\xe9"'), encoding="latin-1") == "é"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(deadline=None)
@given(values)
def test_roundtrip(value: Any) -> None:
    assert json.loads(json.dumps(value)) == value


# --- HTML


UNSAFE = "</script><!-- ' & é"
SAFE = r'"\u003c/script\u003e\u003c!-- \u0027 \u0026 \u00e9"'


def test_htmlsafe_dumps_escapes() -> None:
    assert json.htmlsafe_dumps(UNSAFE) == SAFE
    assert json.loads(SAFE) == UNSAFE


def test_htmlsafe_dump_writes_same_text() -> None:
    output = io.StringIO()
    json.htmlsafe_dump(UNSAFE, output)
    assert output.getvalue() == SAFE


def test_htmlsafe_dumps_uses_app(app: Flask) -> None:
    app.config["JSON_AS_ASCII"] = False
    output = io.StringIO()
    json.htmlsafe_dump("é", output, app=app)
    assert output.getvalue() == json.htmlsafe_dumps("é", app=app) == '"é"'


def test_htmlsafe_dumps_passes_keywords() -> None:
    output = io.StringIO()
    json.htmlsafe_dump([1, 2], output, separators=(",", ":"))
    assert output.getvalue() == json.htmlsafe_dumps([1, 2], separators=(",", ":")) == "[1,2]"


# --- Responses


@pytest.mark.parametrize(
    ("args", "kwargs", "body"),
    [
        ((), {}, "{}\n"),
        (({"a": 1},), {}, '{"a":1}\n'),
        (([1, 2],), {}, "[1,2]\n"),
        ((None,), {}, "null\n"),
        ((1, "two", None), {}, '[1,"two",null]\n'),
        ((), {"b": 1, "a": 2}, '{"a":2,"b":1}\n'),
    ],
)
def test_jsonify_returns_json_response(app: Flask, args: Any, kwargs: Any, body: str) -> None:
    with app.app_context():
        response = jsonify(*args, **kwargs)
    assert response.get_data(as_text=True) == body
    assert response.mimetype == "application/json"


def test_jsonify_accepts_args_or_kwargs(app: Flask) -> None:
    with app.app_context(), pytest.raises(TypeError, match="but both were given"):
        jsonify(1, a=2)


def test_response_class_is_used(app: Flask) -> None:
    class Response(app.response_class):  # type: ignore[name-defined]
        pass

    app.response_class = Response
    with app.app_context():
        assert type(jsonify()) is Response


def test_jsonify_uses_configured_mimetype(app: Flask) -> None:
    app.config["JSONIFY_MIMETYPE"] = "application/problem+json"
    with app.app_context():
        assert jsonify().mimetype == "application/problem+json"


@pytest.mark.parametrize("setting", ["DEBUG", "JSONIFY_PRETTYPRINT_REGULAR"])
def test_jsonify_indents_in_debug(app: Flask, setting: str) -> None:
    app.config[setting] = True
    with app.app_context():
        assert jsonify(a=[1], b=2).get_data(as_text=True) == '{\n  "a": [\n    1\n  ], \n  "b": 2\n}\n'


@pytest.mark.parametrize("how", [{}, {"a": 1}])
def test_jsonify_requires_app(how: dict[str, int]) -> None:
    with pytest.raises(RuntimeError, match="outside of application context"):
        jsonify(*how, **how)
