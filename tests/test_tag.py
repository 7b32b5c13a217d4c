"""The tagged serializer, which preserves types that JSON lacks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

import schlenk.json
from schlenk import Flask
from schlenk.json.tag import JSONTag, PassDict, PassList, TaggedJSONSerializer, TagTuple


@pytest.fixture
def serializer() -> TaggedJSONSerializer:
    return TaggedJSONSerializer()


class TagComplex(JSONTag):
    key = " c"

    def check(self, value: Any) -> bool:
        return isinstance(value, complex)

    def to_json(self, value: Any) -> Any:
        return [value.real, value.imag]

    def to_python(self, value: Any) -> Any:
        return complex(*value)


class Pair(tuple):  # type: ignore[type-arg]
    """A subclass of tuple, with its own tag."""

    __slots__ = ()


class TagPair(JSONTag):
    key = " p"

    def check(self, value: Any) -> bool:
        return isinstance(value, Pair)

    def to_json(self, value: Any) -> Any:
        return [self.serializer.tag(inner) for inner in value]

    def to_python(self, value: Any) -> Any:
        return Pair(value)


def test_star_import_exports_public_names() -> None:
    names: dict[str, Any] = {}
    exec("from schlenk.json.tag import *", names)
    tags = "JSONTag PassDict PassList TagBytes TagDateTime TagDict TagMarkup TagTuple TagUUID"
    assert names.keys() - {"__builtins__"} == {"TaggedJSONSerializer", *tags.split()}


# --- The format, which equals Flask's


WRITTEN = [
    (None, "null"),
    ("text", '"text"'),
    ([1, [2]], "[1,[2]]"),
    ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
    ({}, "{}"),
    ((1, (2,)), '{" t":[1,{" t":[2]}]}'),
    ((), '{" t":[]}'),
    (b"\x00\xff", '{" b":"AP8="}'),
    (Markup("<b>"), '{" m":"<b>"}'),
    (UUID(int=7), '{" u":"00000000000000000000000000000007"}'),
    (datetime(2020, 1, 2, 3, 4, 5), '{" d":"Thu, 02 Jan 2020 03:04:05 GMT"}'),
    ({" t": [1]}, '{" di":{" t__":[1]}}'),
    ({" di": (1,)}, '{" di":{" di__":{" t":[1]}}}'),
    ({" t": 1, " b": 2}, '{" b":2," t":1}'),
    ([(1,), {"a": (b"",)}], '[{" t":[1]},{"a":{" t":[{" b":""}]}}]'),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_value_is_serialized(serializer: TaggedJSONSerializer, value: Any, text: str) -> None:
    assert serializer.dumps(value) == text


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_value_is_deserialized(serializer: TaggedJSONSerializer, value: Any, text: str) -> None:
    read = serializer.loads(text)
    assert read == value
    assert type(read) is type(value)


def test_bytes_are_deserialized(serializer: TaggedJSONSerializer) -> None:
    assert serializer.loads(b'{" t":[1]}') == (1,)


def test_html_becomes_markup(serializer: TaggedJSONSerializer) -> None:
    class Widget:
        def __html__(self) -> str:
            return "<b>"

    assert serializer.loads(serializer.dumps(Widget())) == Markup("<b>")


def test_html_method_of_class_is_no_markup(serializer: TaggedJSONSerializer) -> None:
    class NoWidget:
        __html__ = None

    with pytest.raises(TypeError, match="NoWidget is not JSON serializable"):
        serializer.dumps(NoWidget())


def test_aware_datetime_becomes_naive_utc(serializer: TaggedJSONSerializer) -> None:
    value = datetime(2020, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    assert serializer.loads(serializer.dumps(value)) == datetime(2020, 1, 2, 1)


def test_invalid_date_is_none(serializer: TaggedJSONSerializer) -> None:
    assert serializer.loads('{" d":"yesterday"}') is None


def test_unsupported_value_raises(serializer: TaggedJSONSerializer) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        serializer.dumps([object()])


def test_unknown_tag_stays(serializer: TaggedJSONSerializer) -> None:
    assert serializer.loads('{" x":[1]}') == {" x": [1]}


def test_two_keys_are_no_tag(serializer: TaggedJSONSerializer) -> None:
    assert serializer.loads('{" t":[1]," b":""}') == {" t": [1], " b": ""}


def test_untag_accepts_one_dict(serializer: TaggedJSONSerializer) -> None:
    assert serializer.untag({" t": [1]}) == (1,)
    assert serializer.untag({"a": 1}) == {"a": 1}


def test_settings_of_app_apply(app: Flask, serializer: TaggedJSONSerializer) -> None:
    app.config.update(JSON_SORT_KEYS=False, JSON_AS_ASCII=False)
    with app.app_context():
        assert serializer.dumps({"é": 1, "a": 2}) == '{"é":1,"a":2}'


dates = st.datetimes(datetime(1000, 1, 1)).map(lambda date: date.replace(microsecond=0, fold=0))
leaves = st.none() | st.integers() | st.text() | st.binary() | st.text().map(Markup) | st.uuids() | dates
keys = st.text() | st.sampled_from([" t", " di", " di__", " b"])
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(keys, inner, max_size=2).map(lambda unsorted: dict(sorted(unsorted.items())))
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(values)
def test_roundtrip(value: Any) -> None:
    serializer = TaggedJSONSerializer()
    assert repr(serializer.loads(serializer.dumps(value))) == repr(value)


# --- Custom tags


def test_registered_tag_is_used(serializer: TaggedJSONSerializer) -> None:
    serializer.register(TagComplex)
    assert serializer.dumps([1j]) == '[{" c":[0.0,1.0]}]'
    assert serializer.loads('[{" c":[0.0,1.0]}]') == [1j]


def test_tag_is_registered_per_serializer(serializer: TaggedJSONSerializer) -> None:
    serializer.register(TagComplex)
    assert TagComplex.key not in TaggedJSONSerializer().tags


def test_tag_has_its_serializer(serializer: TaggedJSONSerializer) -> None:
    assert {tag.serializer for tag in serializer.order} == {serializer}


def test_registered_tag_is_last(serializer: TaggedJSONSerializer) -> None:
    serializer.register(TagPair)
    assert isinstance(serializer.order[-1], TagPair)
    assert serializer.dumps(Pair([1])) == '{" t":[1]}'


def test_special_tag_may_precede_general_tag(serializer: TaggedJSONSerializer) -> None:
    serializer.register(TagPair, index=0)
    assert type(serializer.loads(serializer.dumps(Pair([(1,)])))) is Pair


def test_duplicate_key_is_refused(serializer: TaggedJSONSerializer) -> None:
    class Other(TagComplex):
        key = " t"

    before = list(serializer.order)
    with pytest.raises(KeyError, match="TagTuple"):
        serializer.register(Other)
    assert serializer.order == before
    assert isinstance(serializer.tags[" t"], TagTuple)


def test_key_can_be_forced(serializer: TaggedJSONSerializer) -> None:
    class Reversed(TagTuple):
        def to_python(self, value: Any) -> Any:
            return tuple(reversed(value))

    serializer.register(Reversed, force=True)
    assert serializer.loads('{" t":[1,2]}') == (2, 1)


def test_empty_key_is_valid(serializer: TaggedJSONSerializer) -> None:
    class Unnamed(TagComplex):
        key = ""

    serializer.register(Unnamed)
    assert serializer.loads(serializer.dumps(1j)) == 1j


def test_tag_without_key_is_never_written(serializer: TaggedJSONSerializer) -> None:
    assert PassDict not in {type(tag) for tag in serializer.tags.values()}
    assert PassDict in {type(tag) for tag in serializer.order}


def test_tags_can_be_replaced() -> None:
    class Bare(TaggedJSONSerializer):
        default_tags = [PassList]

    assert [type(tag) for tag in Bare().order] == [PassList]
    with pytest.raises(TypeError, match="bytes is not JSON serializable"):
        Bare().dumps([b"bytes"])


@pytest.mark.parametrize("method", ["check", "to_json", "to_python"])
def test_tag_requires_methods(serializer: TaggedJSONSerializer, method: str) -> None:
    class TagNothing(JSONTag):
        pass

    with pytest.raises(NotImplementedError, match=rf"TagNothing.*{method}\(\)"):
        getattr(TagNothing(serializer), method)(None)


def test_settings_may_change(serializer: TaggedJSONSerializer) -> None:
    class Upper(schlenk.json.JSONEncoder):
        def default(self, o: Any) -> Any:
            return "SET"

    class Decimals(schlenk.json.JSONDecoder):
        def __init__(self, **options: Any) -> None:
            super().__init__(parse_float=Decimal, **options)

    app = Flask("settings")
    with app.app_context():
        assert serializer.dumps({"b": "é", "a": 1}) == r'{"a":1,"b":"\u00e9"}'
        app.config.update(JSON_SORT_KEYS=False, JSON_AS_ASCII=False)
        assert serializer.dumps({"b": "é", "a": 1}) == '{"b":"é","a":1}'
        app.json_encoder, app.json_decoder = Upper, Decimals
        assert serializer.dumps({1, 2}) == '"SET"'
        assert serializer.loads("1.5") == Decimal("1.5")


def test_serializer_without_init_loads() -> None:
    class Own(TaggedJSONSerializer):
        def __init__(self) -> None:
            self.tags, self.order = {}, []

    with Flask("own").app_context():
        assert Own().loads('{"a":1}') == {"a": 1}


def test_equal_serializers_stay_separate() -> None:
    class Equal(TaggedJSONSerializer):
        def __eq__(self, other: object) -> bool:
            return True

    bare = Equal()
    bare.tags.clear()
    with Flask("equal").app_context():
        assert Equal().loads('{" t":[1]}') == (1,)
        assert bare.loads('{" t":[1]}') == {" t": [1]}
