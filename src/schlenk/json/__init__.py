"""JSON as the current application wants it: its encoder, its settings, and the dates, UUIDs and Markup that JSON lacks.

Where there is no application context the functions work too, with :class:`JSONEncoder` and sorted keys.
"""

from __future__ import annotations

import dataclasses
import json as _json
from collections.abc import Callable
from datetime import date
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

from werkzeug.http import http_date

from ..globals import _app_ctx_stack, current_app

if TYPE_CHECKING:
    from ..app import Flask
    from ..wrappers import Response

__all__ = [
    "JSONDecoder", "JSONEncoder", "dump", "dumps", "htmlsafe_dump", "htmlsafe_dumps", "jsonify", "load", "loads",
]  # fmt: skip

_unsafe_in_html = {ord(character): f"\\u{ord(character):04x}" for character in "<>&'"}


class JSONEncoder(_json.JSONEncoder):
    """Writes dates as HTTP dates, UUIDs as strings, dataclasses as objects, and what has ``__html__`` as that.

    To add a type, subclass it and set ``app.json_encoder``. As in Flask 1.1.
    """

    def default(self, o: Any) -> Any:
        """Return something JSON can hold for ``o``.

        :raises TypeError: there is nothing of the kind.
        """
        if isinstance(o, date):
            return http_date(o)
        if isinstance(o, UUID):
            return str(o)
        if dataclasses.is_dataclass(o) and not isinstance(o, type):
            return dataclasses.asdict(o)
        html = getattr(o, "__html__", None)
        if html is not None:
            return str(html())
        return super().default(o)


class JSONDecoder(_json.JSONDecoder):
    """Reads what JSON has and no more: the class that ``app.json_decoder`` is until it is replaced. As in Flask 1.1."""


def _application(app: Flask | None) -> Flask | None:
    top = _app_ctx_stack.top
    return top.app if app is None and top is not None else app


def dumps(obj: Any, app: Flask | None = None, **kwargs: Any) -> Any:
    """Return ``obj`` as JSON: a string, or bytes where an ``encoding`` is given.

    :param app: whose ``json_encoder``, ``JSON_AS_ASCII`` and ``JSON_SORT_KEYS`` to go by; default: the current one's.
    :param kwargs: what :func:`json.dumps` takes, and ``encoding``, the name of an encoding to return bytes in.
    :raises TypeError: ``obj`` holds something that JSON can't.

    >>> dumps({"b": 1, "a": [UUID(int=7)]})
    '{"a": ["00000000-0000-0000-0000-000000000007"], "b": 1}'

    As in Flask 1.1.
    """
    app = _application(app)
    if app is None:
        defaults: dict[str, Any] = {"cls": JSONEncoder, "sort_keys": True}
    else:
        config = app.config
        defaults = {
            "cls": app.json_encoder, "ensure_ascii": config["JSON_AS_ASCII"], "sort_keys": config["JSON_SORT_KEYS"]
        }  # fmt: skip
    encoding = kwargs.pop("encoding", None)
    text = _json.dumps(obj, **{**defaults, **kwargs})
    return text if encoding is None else text.encode(encoding)


def dump(obj: Any, fp: IO[Any], app: Flask | None = None, **kwargs: Any) -> None:
    """Write what :func:`dumps` returns to the file ``fp``: text, or bytes where an ``encoding`` is given.

    Other parameters and errors are those of :func:`dumps`. As in Flask 1.1.
    """
    fp.write(dumps(obj, app, **kwargs))


def loads(s: str | bytes, app: Flask | None = None, **kwargs: Any) -> Any:
    """Return what the JSON in ``s`` stands for.

    :param s: text, or bytes in ``encoding``; without one, in whichever of UTF-8, UTF-16 and UTF-32 it is.
    :param app: whose ``json_decoder`` to use; default: the current application's.
    :param kwargs: what :func:`json.loads` takes, and ``encoding``.
    :raises ValueError: ``s`` isn't JSON, or is nested too deeply.

    >>> loads(b'{"a": [1, 2]}')
    {'a': [1, 2]}

    As in Flask 1.1.
    """
    app = _application(app)
    kwargs.setdefault("cls", JSONDecoder if app is None else app.json_decoder)
    encoding = kwargs.pop("encoding", None)
    if isinstance(s, bytes):
        # Strictly, where json.loads would let surrogates pass, to fail wherever they are written next.
        s = s.decode(encoding or _json.detect_encoding(s))
    return _read(s, lambda text: _json.loads(text, **kwargs))


def _read(text: str | bytes, decode: Callable[[Any], Any]) -> Any:
    try:
        return decode(text)
    except RecursionError:
        raise ValueError("This JSON is nested too deeply to be read.") from None


def load(fp: IO[Any], app: Flask | None = None, **kwargs: Any) -> Any:
    """Return what the JSON in the file ``fp``, of text or bytes, stands for.

    Other parameters and errors are those of :func:`loads`. As in Flask 1.1.
    """
    return loads(fp.read(), app, **kwargs)


def htmlsafe_dumps(obj: Any, app: Flask | None = None, **kwargs: Any) -> str:
    r"""Return what :func:`dumps` does, with nothing in it that could end the ``<script>`` it is put in.

    Parameters and errors are those of :func:`dumps`.

    >>> print(htmlsafe_dumps("</script>"))
    "\u003c/script\u003e"

    As in Flask 1.1.
    """
    text: str = dumps(obj, app, **kwargs)
    return text.translate(_unsafe_in_html)


def htmlsafe_dump(obj: Any, fp: IO[str], app: Flask | None = None, **kwargs: Any) -> None:
    """Write what :func:`htmlsafe_dumps` returns to the text file ``fp``; parameters and errors are its own.

    As in Flask 1.1.
    """
    fp.write(htmlsafe_dumps(obj, app, **kwargs))


def jsonify(*args: Any, **kwargs: Any) -> Response:
    r"""Return a response whose body is JSON: of the one argument, of a list of several, or of an object of keywords.

    It is indented if the application is in debug mode or ``JSONIFY_PRETTYPRINT_REGULAR`` is set; its mimetype is
    ``JSONIFY_MIMETYPE``.

    :raises TypeError: both kinds of arguments are given, or one holds something that JSON can't.
    :raises RuntimeError: there is no application context.

    >>> from schlenk import Flask
    >>> with Flask(__name__).app_context():
    ...     jsonify(user="ada", visits=3).get_data(as_text=True)
    '{"user":"ada","visits":3}\n'

    As in Flask 1.1.
    """
    config = current_app.config
    if args and kwargs:
        raise TypeError("jsonify() makes a list of its arguments or an object of its keywords: it can't take both.")
    if config["JSONIFY_PRETTYPRINT_REGULAR"] or current_app.debug:
        layout: dict[str, Any] = {"indent": 2, "separators": (", ", ": ")}
    else:
        layout = {"separators": (",", ":")}
    data = args[0] if len(args) == 1 else args or kwargs
    return current_app.response_class(dumps(data, **layout) + "\n", mimetype=config["JSONIFY_MIMETYPE"])
