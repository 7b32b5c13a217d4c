"""A JSON serializer that preserves types which JSON lacks. The session cookie uses it.

Such a value is written as an object with a single key, the tag: the tuple ``(1, 2)`` becomes ``{" t": [1, 2]}``. The
tags are Flask's, so Flask and schlenk can read each other's cookies.

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

from . import JSONDecoder, JSONEncoder, decode, dumps, loads, resolve_app

__all__ = [
    "JSONTag", "PassDict", "PassList", "TagBytes", "TagDateTime", "TagDict", "TagMarkup", "TagTuple", "TagUUID",
    "TaggedJSONSerializer",
]  # fmt: skip


class JSONTag:
    """Base class for tags: each tag converts values of one type to JSON and back.

    :param serializer: the :class:`TaggedJSONSerializer` that the tag belongs to. A tag for a container uses it to tag
        the values inside the container.

    Subclasses define ``key``, :meth:`check`, :meth:`to_json` and :meth:`to_python`. A subclass without a ``key`` is for
    a type that needs no tag itself but may contain values that do, such as ``list``.

    >>> class TagComplex(JSONTag):
    ...     key = " c"
    ...     def check(self, value): return isinstance(value, complex)
    ...     def to_json(self, value): return [value.real, value.imag]
    ...     def to_python(self, value): return complex(*value)
    >>> serializer = TaggedJSONSerializer()
    >>> serializer.register(TagComplex)
    >>> serializer.loads(serializer.dumps(1 + 2j))
    (1+2j)
    """

    __slots__ = ("serializer",)

    key: str | None = None
    """The tag, which must be unique in a serializer."""

    def __init__(self, serializer: TaggedJSONSerializer) -> None:
        self.serializer = serializer

    def check(self, value: Any) -> bool:
        """Return whether this tag applies to ``value``."""
        raise NotImplementedError(f"{type(self).__name__} must define check(), which tells whether the tag applies.")

    def to_json(self, value: Any) -> Any:
        """Convert ``value`` to one that JSON supports."""
        raise NotImplementedError(f"{type(self).__name__} must define to_json(), which converts a value to JSON.")

    def to_python(self, value: Any) -> Any:
        """Convert ``value``, which :meth:`to_json` returned, back to the original."""
        raise NotImplementedError(f"{type(self).__name__} must define to_python(), which converts a value from JSON.")

    def tag(self, value: Any) -> Any:
        """Convert ``value`` to JSON and add the tag."""
        return {self.key: self.to_json(value)}


class TagDict(JSONTag):
    """The tag for a dictionary whose only key equals a tag. Appends ``__`` to the key, so it is not taken for a tag."""

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
    """Tags the values inside a dictionary, which needs no tag itself."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, dict)

    def to_json(self, value: Any) -> Any:
        return {key: self.serializer.tag(inner) for key, inner in value.items()}

    tag = to_json


class TagTuple(JSONTag):
    """The tag for tuples, which JSON would turn into lists."""

    __slots__ = ()
    key = " t"

    def check(self, value: Any) -> bool:
        return isinstance(value, tuple)

    def to_json(self, value: Any) -> Any:
        return [self.serializer.tag(inner) for inner in value]

    def to_python(self, value: Any) -> Any:
        return tuple(value)


class PassList(JSONTag):
    """Tags the values inside a list, which needs no tag itself."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, list)

    def to_json(self, value: Any) -> Any:
        return [self.serializer.tag(inner) for inner in value]

    tag = to_json


class TagBytes(JSONTag):
    """The tag for bytes, which are written in base64."""

    __slots__ = ()
    key = " b"

    def check(self, value: Any) -> bool:
        return isinstance(value, bytes)

    def to_json(self, value: Any) -> Any:
        return b64encode(value).decode("ascii")

    def to_python(self, value: Any) -> Any:
        return b64decode(value)


class TagMarkup(JSONTag):
    """The tag for objects with an ``__html__`` method. They are read back as :class:`markupsafe.Markup`."""

    __slots__ = ()
    key = " m"

    def check(self, value: Any) -> bool:
        return callable(getattr(value, "__html__", None))

    def to_json(self, value: Any) -> Any:
        return str(value.__html__())

    def to_python(self, value: Any) -> Any:
        return Markup(value)


class TagUUID(JSONTag):
    """The tag for UUIDs, which are written as hexadecimal digits."""

    __slots__ = ()
    key = " u"

    def check(self, value: Any) -> bool:
        return isinstance(value, UUID)

    def to_json(self, value: Any) -> Any:
        return value.hex

    def to_python(self, value: Any) -> Any:
        return UUID(value)


class TagDateTime(JSONTag):
    """The tag for ``datetime`` objects, which are written as HTTP dates.

    Fractions of a second are lost. As in Flask 1.1, the value that is read back is naive and in UTC.
    """

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
    """Serializes values to compact JSON with tags, and back.

    The first tag in ``order`` whose :meth:`~JSONTag.check` returns true converts the value. ``tags`` maps keys to the
    tags that have one. A new serializer has the tags in ``default_tags``.
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
        """Register a tag.

        :param tag_class: a subclass of :class:`JSONTag`.
        :param force: replace the tag that has the same key.
        :param index: the position in ``order``; the end by default. A tag for a subclass must be placed before the tag
            for its base class.
        :raises KeyError: another tag has the same key and ``force`` is false.
        """
        tag = tag_class(self)
        if tag.key is not None:
            if tag.key in self.tags and not force:
                taken_by = type(self.tags[tag.key]).__name__
                raise KeyError(
                    f"The key {tag.key!r} is already used by {taken_by}. Pass force=True to replace that tag."
                )
            self.tags[tag.key] = tag
        self.order.insert(len(self.order) if index is None else index, tag)

    def tag(self, value: Any) -> Any:
        """Convert ``value`` to one that JSON supports, with a tag if it needs one."""
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        return value

    def untag(self, value: dict[str, Any]) -> Any:
        """Convert a dictionary that consists of a tag to the original value; return any other dictionary as it is."""
        if len(value) == 1:
            ((key, inner),) = value.items()
            if key in self.tags:
                return self.tags[key].to_python(inner)
        return value

    def dumps(self, value: Any) -> str:
        """Serialize a value to a string of tagged, compact JSON.

        :raises TypeError: the value contains an object that neither a tag nor JSON supports.
        """
        app = resolve_app()
        if app is None or app.json_encoder is not JSONEncoder:
            return cast(str, dumps(self.tag(value), separators=(",", ":")))
        config = app.config
        return _encoder(bool(config["JSON_AS_ASCII"]), bool(config["JSON_SORT_KEYS"])).encode(self.tag(value))

    def loads(self, value: str | bytes) -> Any:
        """Deserialize a value that :meth:`dumps` serialized.

        :raises ValueError: ``value`` is not valid JSON.
        """
        app = resolve_app()
        # A subclass that does not call __init__() has no decoder.
        decoder = getattr(self, "_decoder", None)
        if decoder is None or app is None or app.json_decoder is not JSONDecoder or not isinstance(value, str):
            return loads(value, object_hook=self.untag)
        return decode(value, decoder.decode)


# Creating an encoder takes as long as using it (1.5 µs).
@lru_cache(maxsize=8)
def _encoder(ascii: bool, sorted: bool) -> JSONEncoder:
    return JSONEncoder(ensure_ascii=ascii, sort_keys=sorted, separators=(",", ":"))
