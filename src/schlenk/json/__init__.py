"""JSON with the encoder, decoder and settings of the current application.

Without an application context, the functions use :class:`JSONEncoder` and :class:`JSONDecoder` and sort keys.
"""

from __future__ import annotations

import codecs
import dataclasses
import json as _json
from collections.abc import Callable
from datetime import date
from typing import IO, TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from werkzeug.http import http_date

from ..globals import _app_ctx_stack, current_app
from ..local import LocalProxy
from ..missing import missing_from

if TYPE_CHECKING:
    from ..app import Flask
    from ..wrappers import Response

__all__ = [
    "JSONDecoder", "JSONEncoder", "dump", "dumps", "htmlsafe_dump", "htmlsafe_dumps", "jsonify", "load", "loads",
]  # fmt: skip

_unsafe_in_html = {ord(character): f"\\u{ord(character):04x}" for character in "<>&'"}


class JSONEncoder(_json.JSONEncoder):
    """An encoder that also accepts dates, UUIDs, dataclasses, and objects with an ``__html__`` method.

    Dates are written as HTTP dates, UUIDs as strings, dataclasses as objects, and objects with ``__html__`` as the HTML
    that it returns.

    To support another type, override :meth:`default` in a subclass and set ``app.json_encoder`` to it.

    >>> class SetEncoder(JSONEncoder):
    ...     def default(self, o):
    ...         return sorted(o) if isinstance(o, set) else super().default(o)
    >>> SetEncoder().encode({"tags": {"b", "a"}})
    '{"tags": ["a", "b"]}'
    """

    def default(self, o: Any) -> Any:
        """Convert an object to one that JSON supports.

        :param o: an object that JSON does not support.
        :raises TypeError: there is no conversion for its type.
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
        if isinstance(o, LocalProxy):
            self._refuse_proxy(o)
        return super().default(o)

    def _refuse_proxy(self, proxy: LocalProxy[Any]) -> NoReturn:
        """Raise the error for a proxy. It advises passing the proxy's object only if that can be serialized."""
        refusal = f"Object of type {type(proxy).__name__} is not JSON serializable: it is a proxy"
        obj = proxy._get_current_object()
        try:
            self.encode(obj)
        except Exception as error:
            raise TypeError(
                f"{refusal} to an object of type {type(obj).__name__}, which is not JSON serializable either. Pass the "
                "values that you need from it, such as request.path instead of request."
            ) from error
        raise TypeError(f"{refusal}. Pass the object that it stands for, proxy._get_current_object().")


class JSONDecoder(_json.JSONDecoder):
    """The default class for ``app.json_decoder``. It adds nothing to :class:`json.JSONDecoder`."""


def resolve_app(app: Flask | None = None) -> Flask | None:
    """Return ``app``; if it is ``None``, return the current application, or ``None`` if there is none."""
    top = _app_ctx_stack.top
    return top.app if app is None and top is not None else app


def dumps(obj: Any, app: Flask | None = None, **kwargs: Any) -> Any:
    """Serialize an object to JSON.

    :param obj: the object.
    :param app: the application whose ``json_encoder``, ``JSON_AS_ASCII`` and ``JSON_SORT_KEYS`` are used; the current
        application by default.
    :param kwargs: passed to :func:`json.dumps`, except ``encoding``.
    :returns: a string, or bytes if ``encoding`` is given.
    :raises TypeError: ``obj`` contains an object that the encoder does not support.

    >>> dumps({"b": 1, "a": [UUID(int=7)]})
    '{"a": ["00000000-0000-0000-0000-000000000007"], "b": 1}'
    """
    encoding = kwargs.pop("encoding", None)
    text = _json.dumps(obj, **_with_defaults(kwargs, app))
    return text if encoding is None else text.encode(encoding)


def _with_defaults(kwargs: dict[str, Any], app: Flask | None) -> dict[str, Any]:
    app = resolve_app(app)
    if app is None:
        return {"cls": JSONEncoder, "sort_keys": True, **kwargs}
    config = app.config
    return {
        "cls": app.json_encoder, "ensure_ascii": config["JSON_AS_ASCII"], "sort_keys": config["JSON_SORT_KEYS"],
        **kwargs,
    }  # fmt: skip


def dump(obj: Any, fp: IO[Any], app: Flask | None = None, **kwargs: Any) -> None:
    """Serialize an object to JSON and write it to a file.

    :param fp: an open text file, or a binary file if ``encoding`` is given.

    The other parameters and the errors are those of :func:`dumps`.
    """
    encoding = kwargs.pop("encoding", None)
    file = fp if encoding is None else codecs.getwriter(encoding)(fp)
    _json.dump(obj, file, **_with_defaults(kwargs, app))


def loads(s: str | bytes, app: Flask | None = None, **kwargs: Any) -> Any:
    """Deserialize a JSON document.

    :param s: a string, or bytes in ``encoding``. Without ``encoding``, UTF-8, UTF-16 and UTF-32 are detected.
    :param app: the application whose ``json_decoder`` is used; the current application by default.
    :param kwargs: passed to :func:`json.loads`, except ``encoding``.
    :raises ValueError: ``s`` is not valid JSON, or is nested too deeply.

    >>> loads(b'{"a": [1, 2]}')
    {'a': [1, 2]}
    """
    app = resolve_app(app)
    kwargs.setdefault("cls", JSONDecoder if app is None else app.json_decoder)
    encoding = kwargs.pop("encoding", None)
    if isinstance(s, bytes):
        # json.loads would accept surrogates here, and the application would fail later, when it encodes them.
        s = s.decode(encoding or _json.detect_encoding(s))
    return decode(s, lambda text: _json.loads(text, **kwargs))


def decode(text: str | bytes, decoder: Callable[[Any], Any]) -> Any:
    """Return ``decoder(text)``, and raise ``ValueError`` if ``text`` is nested too deeply."""
    try:
        return decoder(text)
    except RecursionError:
        raise ValueError("The JSON document is nested too deeply to be decoded.") from None


def load(fp: IO[Any], app: Flask | None = None, **kwargs: Any) -> Any:
    """Deserialize a JSON document from a file.

    :param fp: an open text or binary file.

    The other parameters and the errors are those of :func:`loads`.
    """
    return loads(fp.read(), app, **kwargs)


def htmlsafe_dumps(obj: Any, app: Flask | None = None, **kwargs: Any) -> str:
    r"""Serialize an object to JSON that is safe inside a ``<script>`` tag.

    The characters ``<``, ``>``, ``&`` and ``'`` are escaped. Parameters and errors are those of :func:`dumps`.

    >>> print(htmlsafe_dumps("</script>"))
    "\u003c/script\u003e"
    """
    text: str = dumps(obj, app, **kwargs)
    return text.translate(_unsafe_in_html)


def htmlsafe_dump(obj: Any, fp: IO[str], app: Flask | None = None, **kwargs: Any) -> None:
    """Write the result of :func:`htmlsafe_dumps` to a text file.

    :param fp: an open text file.

    The other parameters and the errors are those of :func:`dumps`.
    """
    fp.write(htmlsafe_dumps(obj, app, **kwargs))


def jsonify(*args: Any, **kwargs: Any) -> Response:
    r"""Return a response with a JSON body.

    The body is indented in debug mode or if ``JSONIFY_PRETTYPRINT_REGULAR`` is set. The mimetype is
    ``JSONIFY_MIMETYPE``.

    :param args: one argument is serialized itself, several as a list.
    :param kwargs: serialized as an object.
    :raises TypeError: both positional and keyword arguments are given, or an argument contains an object that the
        encoder does not support.
    :raises RuntimeError: there is no application context.

    >>> from schlenk import Flask
    >>> with Flask(__name__).app_context():
    ...     jsonify(user="ada", visits=3).get_data(as_text=True)
    '{"user":"ada","visits":3}\n'
    """
    config = current_app.config
    if args and kwargs:
        raise TypeError("jsonify() accepts either positional or keyword arguments, but both were given.")
    if config["JSONIFY_PRETTYPRINT_REGULAR"] or current_app.debug:
        layout: dict[str, Any] = {"indent": 2, "separators": (", ", ": ")}
    else:
        layout = {"separators": (",", ":")}
    data = args[0] if len(args) == 1 else args or kwargs
    return current_app.response_class(dumps(data, **layout) + "\n", mimetype=config["JSONIFY_MIMETYPE"])


if not TYPE_CHECKING:
    # To a type checker, a module with a __getattr__ has every name.
    __getattr__ = missing_from(__name__)
