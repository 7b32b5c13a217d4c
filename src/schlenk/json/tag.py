"""JSON that keeps what JSON can't say: a tagged serializer, which the session cookie uses.

A value that JSON would change is written as a dictionary of one key, the tag: ``{" t": [1, 2]}`` is the tuple
``(1, 2)``. The tags are Flask's, so that cookies can be read by either.

>>> serializer = TaggedJSONSerializer()
>>> serializer.dumps({"point": (1, 2)})
'{"point":{" t":[1,2]}}'
>>> serializer.loads('{"point":{" t":[1,2]}}')
{'point': (1, 2)}
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, cast
from uuid import UUID

from markupsafe import Markup
from werkzeug.http import http_date, parse_date

from . import JSONDecoder, JSONEncoder, _application, _read, dumps, loads

__all__ = [
    "JSONTag", "PassDict", "PassList", "TagBytes", "TagDateTime", "TagDict", "TagMarkup", "TagTuple", "TagUUID",
    "TaggedJSONSerializer",
]  # fmt: skip


class JSONTag:
    """Tells one type of value from others, and turns it into JSON and back. Subclass it for a type of your own.

    :param serializer: the :class:`TaggedJSONSerializer` it works for, with which it may tag what the value holds.

    ``key`` is the tag; a class without one only prepares a value that needs no tag, such as a list. :meth:`check`,
    :meth:`to_json` and :meth:`to_python` have to be written: until then they raise ``NotImplementedError``.

    >>> class TagComplex(JSONTag):
    ...     key = " c"
    ...     def check(self, value): return isinstance(value, complex)
    ...     def to_json(self, value): return [value.real, value.imag]
    ...     def to_python(self, value): return complex(*value)
    >>> serializer = TaggedJSONSerializer()
    >>> serializer.register(TagComplex)
    >>> serializer.loads(serializer.dumps(1 + 2j))
    (1+2j)

    As in Flask 1.0.
    """

    __slots__ = ("serializer",)

    key: str | None = None

    def __init__(self, serializer: TaggedJSONSerializer) -> None:
        self.serializer = serializer

    def check(self, value: Any) -> bool:
        """Return whether ``value`` is one for this tag."""
        raise NotImplementedError(f"{type(self).__name__} has to say which values it is for: define check().")

    def to_json(self, value: Any) -> Any:
        """Return what JSON can hold of ``value``."""
        raise NotImplementedError(f"{type(self).__name__} has to say what to write: define to_json().")

    def to_python(self, value: Any) -> Any:
        """Return the value again, from ``value``, which is what :meth:`to_json` made of it."""
        raise NotImplementedError(f"{type(self).__name__} has to say how to read what it wrote: define to_python().")

    def tag(self, value: Any) -> Any:
        """Return ``value`` for JSON, with the tag around it."""
        return {self.key: self.to_json(value)}


class TagDict(JSONTag):
    """A dictionary of one key that looks like a tag: the key is marked, so that it isn't one. As in Flask 1.0."""

    __slots__ = ()
    key = " di"

    def check(self, value: Any) -> bool:
        return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in self.serializer.tags

    def to_json(self, value: Any) -> Any:
        ((key, inner),) = value.items()
        return {f"{key}__": self.serializer.tag(inner)}

    def to_python(self, value: Any) -> Any:
        ((key, inner),) = value.items()
        return {key[:-2]: inner}


class PassDict(JSONTag):
    """Any other dictionary: needs no tag, but what is in it may. As in Flask 1.0."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, dict)

    def to_json(self, value: Any) -> Any:
        return {key: self.serializer.tag(inner) for key, inner in value.items()}

    tag = to_json


class TagTuple(JSONTag):
    """A tuple, which JSON would make a list. As in Flask 1.0."""

    __slots__ = ()
    key = " t"

    def check(self, value: Any) -> bool:
        return isinstance(value, tuple)

    def to_json(self, value: Any) -> Any:
        return [self.serializer.tag(inner) for inner in value]

    def to_python(self, value: Any) -> Any:
        return tuple(value)


class PassList(JSONTag):
    """A list: needs no tag, but what is in it may. As in Flask 1.0."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, list)

    def to_json(self, value: Any) -> Any:
        return [self.serializer.tag(inner) for inner in value]

    tag = to_json


class TagBytes(JSONTag):
    """Bytes, as base64. As in Flask 1.0."""

    __slots__ = ()
    key = " b"

    def check(self, value: Any) -> bool:
        return isinstance(value, bytes)

    def to_json(self, value: Any) -> Any:
        return b64encode(value).decode("ascii")

    def to_python(self, value: Any) -> Any:
        return b64decode(value)


class TagMarkup(JSONTag):
    """Anything with ``__html__``, as :class:`markupsafe.Markup`. As in Flask 1.0."""

    __slots__ = ()
    key = " m"

    def check(self, value: Any) -> bool:
        return callable(getattr(value, "__html__", None))

    def to_json(self, value: Any) -> Any:
        return str(value.__html__())

    def to_python(self, value: Any) -> Any:
        return Markup(value)


class TagUUID(JSONTag):
    """A UUID, as its hexadecimal digits. As in Flask 1.0."""

    __slots__ = ()
    key = " u"

    def check(self, value: Any) -> bool:
        return isinstance(value, UUID)

    def to_json(self, value: Any) -> Any:
        return value.hex

    def to_python(self, value: Any) -> Any:
        return UUID(value)


class TagDateTime(JSONTag):
    """A point in time, to the second, as an HTTP date. Comes back in UTC and without a time zone, as in Flask 1.1."""

    __slots__ = ()
    key = " d"

    def check(self, value: Any) -> bool:
        return isinstance(value, datetime)

    def to_json(self, value: Any) -> Any:
        return http_date(value)

    def to_python(self, value: Any) -> Any:
        date = parse_date(value)
        return None if date is None else date.replace(tzinfo=None)


class TaggedJSONSerializer:
    """Writes compact JSON with tags, and reads it.

    ``default_tags`` are the classes a new serializer has, asked in this order whether a value is theirs; ``tags`` has
    those with a key by their key, ``order`` all of them.

    As in Flask 1.0.
    """

    __slots__ = ("_decoder", "order", "tags")

    default_tags: ClassVar[list[type[JSONTag]]] = [
        TagDict, PassDict, TagTuple, PassList, TagBytes, TagMarkup, TagUUID, TagDateTime,
    ]  # fmt: skip

    def __init__(self) -> None:
        self.tags: dict[str, JSONTag] = {}
        self.order: list[JSONTag] = []
        for tag_class in self.default_tags:
            self.register(tag_class)
        self._decoder = JSONDecoder(object_hook=self.untag)

    def register(self, tag_class: type[JSONTag], force: bool = False, index: int | None = None) -> None:
        """Add a kind of tag.

        :param tag_class: a subclass of :class:`JSONTag`.
        :param force: replace the tag that has the same key.
        :param index: the place in ``order``: a class for special cases of a type comes before that for the type.
            ``None`` for the end.
        :raises KeyError: the key is taken, and ``force`` is not given.
        """
        tag = tag_class(self)
        if tag.key is not None:
            if tag.key in self.tags and not force:
                taken_by = type(self.tags[tag.key]).__name__
                raise KeyError(f"{tag.key!r} is the key of {taken_by} already: pass force=True to replace it.")
            self.tags[tag.key] = tag
        self.order.insert(len(self.order) if index is None else index, tag)

    def tag(self, value: Any) -> Any:
        """Return what JSON can hold of ``value``, tagged where it needs to be."""
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        return value

    def untag(self, value: dict[str, Any]) -> Any:
        """Return what ``value``, a dictionary just read, stands for: itself, unless it is a tag and its value."""
        if len(value) == 1:
            ((key, inner),) = value.items()
            if key in self.tags:
                return self.tags[key].to_python(inner)
        return value

    def dumps(self, value: Any) -> str:
        """Return ``value`` as a string of tagged, compact JSON.

        :raises TypeError: it holds something that JSON can't, and that no tag is for.
        """
        app = _application(None)
        if app is None or app.json_encoder is not JSONEncoder:
            return cast(str, dumps(self.tag(value), separators=(",", ":")))
        config = app.config
        return _encoder(bool(config["JSON_AS_ASCII"]), bool(config["JSON_SORT_KEYS"])).encode(self.tag(value))

    def loads(self, value: str | bytes) -> Any:
        """Return the value that :meth:`dumps` wrote as ``value``.

        :raises ValueError: ``value`` isn't JSON.
        """
        app = _application(None)
        decoder = getattr(self, "_decoder", None)
        if decoder is None or app is None or app.json_decoder is not JSONDecoder or not isinstance(value, str):
            return loads(value, object_hook=self.untag)
        return _read(value, decoder.decode)


# To make one takes as long as to use it, and so does making a decoder (1.5 µs each).
@lru_cache(maxsize=8)
def _encoder(ascii: bool, sorted: bool) -> JSONEncoder:
    return JSONEncoder(ensure_ascii=ascii, sort_keys=sorted, separators=(",", ":"))
