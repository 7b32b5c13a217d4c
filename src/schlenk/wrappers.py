"""The request and the response: Werkzeug's, with the result of routing and the settings of the application."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable

from werkzeug.datastructures import Authorization, FileStorage, ImmutableMultiDict, MultiDict
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.utils import cached_property

from . import json
from .globals import _app_ctx_stack
from .shortcuts import RequestBase, ResponseBase

if TYPE_CHECKING:
    from types import TracebackType

    from werkzeug.routing import Rule

    from .app import Flask


def _current_app() -> Flask | None:
    top = _app_ctx_stack.top
    return None if top is None else top.app


# The values that WSGI allows in an environ. The path can contain any byte, because clients send it quoted.
_header_value = re.compile(r"[^\0\r\n\u0100-\U0010ffff]*")
_patterns = {
    "PATH_INFO": re.compile(r"[\0-\xff]*"),
    "SCRIPT_NAME": re.compile(rf"(/{_header_value.pattern})?"),
    "wsgi.url_scheme": re.compile("[a-zA-Z][a-zA-Z0-9+.-]*"),
    **dict.fromkeys(("REQUEST_METHOD", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH"), _header_value),
}


# The modules of this package that read the environ, and packages that Werkzeug calls to read it.
_readers = ("schlenk.app", "schlenk.shortcuts", __name__)
_parsers = ("base64", "email", "encodings", "json", "urllib")


def environ_error(environ: dict[str, Any], tb: TracebackType | None) -> str | None:
    """Return why ``environ`` does not conform to WSGI, or ``None`` if it does, or if the application raised the error.

    Called only after a request has failed, so other requests do not pay for it. Flask has no such check.

    :param tb: the traceback of the error that the request has failed with.
    """
    module = ""
    while tb is not None:
        name = str(tb.tb_frame.f_globals.get("__name__"))
        if name.partition(".")[0] not in _parsers:
            module = name
        tb = tb.tb_next
    if module not in _readers and module.partition(".")[0] != "werkzeug":
        return None
    for key in ("REQUEST_METHOD", "wsgi.url_scheme", "wsgi.input", "wsgi.errors"):
        if environ.get(key) is None:
            return f"The request has no {key}."
    if not hasattr(environ["wsgi.input"], "read"):
        return "The request has a malformed wsgi.input."
    for key, value in environ.items():
        pattern = _patterns.get(key) or (_header_value if str(key).startswith("HTTP_") else None)
        if pattern is not None and not (isinstance(value, str) and pattern.fullmatch(value)):
            return f"The request has a malformed {key}."
    return None


def _limit(setting: str, default: int | None) -> Any:
    """Return a descriptor that reads a setting of the current application. A request can override the value."""

    class Limit:
        def __get__(self, request: Request | None, owner: type | None = None) -> int | None:
            app = None if request is None else _current_app()
            return default if app is None else app.config.get(setting, default)

    return Limit()


class DebugFilesKeyError(KeyError, AssertionError):
    """In debug mode: a form sent the name of a file, but not the file.

    :param request: the request.
    :param key: the name of the field.

    As in Flask 1.1.
    """

    def __init__(self, request: Request, key: str) -> None:
        super().__init__(key)
        self.request = request
        self.key = key

    def __str__(self) -> str:
        return (
            f"request.files has no {self.key!r}: the body was sent as {self.request.mimetype!r}, which cannot contain "
            'files. Add enctype="multipart/form-data" to the form.'
        )


class _NoFiles(ImmutableMultiDict[str, FileStorage]):
    """The files of a form that cannot contain any. Reading a field of the form raises :exc:`DebugFilesKeyError`."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request

    def __getitem__(self, key: str) -> FileStorage:
        if key in self.request.form:
            raise DebugFilesKeyError(self.request, key)
        return super().__getitem__(key)


class Request(RequestBase):
    """A request, with the result of matching its URL.

    ``url_rule`` is the rule that matched and ``view_args`` are the values in the URL. If no rule matched,
    ``routing_exception`` is the error. All three are ``None`` before the URL is matched.

    >>> from schlenk import Flask
    >>> app = Flask(__name__)
    >>> app.add_url_rule("/user/<name>", "user")
    >>> with app.test_request_context("/user/ada?page=2") as context:
    ...     context.request.endpoint, context.request.view_args, context.request.args["page"]
    ('user', {'name': 'ada'}, '2')

    As in Flask 1.1, on Werkzeug 3.
    """

    json_module = json

    url_rule: Rule | None = None
    view_args: dict[str, Any] | None = None
    routing_exception: HTTPException | None = None

    @property
    def endpoint(self) -> str | None:
        """The endpoint of the matching rule, or ``None``."""
        return None if self.url_rule is None else self.url_rule.endpoint

    @property
    def blueprint(self) -> str | None:
        """The part of the endpoint before its last dot, or ``None``."""
        before, dot, _ = (self.endpoint or "").rpartition(".")
        return before if dot else None

    @cached_property
    def authorization(self) -> Authorization | None:
        """The credentials that were sent, or ``None`` if they are missing or malformed."""
        try:
            return super().authorization
        except ValueError:
            # Werkzeug does not catch every error of malformed base64.
            return None

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """The values in the query string, by name."""
        self._quote_query()
        return super().args

    @cached_property
    def full_path(self) -> str:
        """The path and the query string."""
        self._quote_query()
        return super().full_path

    def _quote_query(self) -> None:
        """Quote the bytes of the query string that are not UTF-8. Werkzeug expects clients to quote them."""
        if not self.query_string.isascii():
            self.query_string = self.query_string.decode(errors="werkzeug.url_quote").encode()

    @cached_property
    def url(self) -> str:
        """The complete URL."""
        return self._url(lambda: super(Request, self).url)

    @cached_property
    def base_url(self) -> str:
        """The URL without its query string."""
        return self._url(lambda: super(Request, self).base_url)

    @cached_property
    def root_url(self) -> str:
        """The URL of the application's root."""
        return self._url(lambda: super(Request, self).root_url)

    @cached_property
    def host_url(self) -> str:
        """The scheme and the host, with a slash."""
        return self._url(lambda: super(Request, self).host_url)

    def _url(self, inherited: Callable[[], str]) -> str:
        """Return a URL. A host that Python's codec for IDNA 2003 cannot decode is left as it was sent."""
        try:
            return inherited()
        except UnicodeError:
            host = self.host
            vars(self)["host"] = ""
            try:
                return inherited().replace("://", f"://{host}", 1)
            finally:
                vars(self)["host"] = host

    max_content_length: int | None = _limit("MAX_CONTENT_LENGTH", None)
    """The setting ``MAX_CONTENT_LENGTH``, in bytes. A request with a longer body is rejected with 413.

    This limit and the next two can be set on a single request.
    """

    max_form_memory_size: int | None = _limit("MAX_FORM_MEMORY_SIZE", RequestBase.max_form_memory_size)
    """The setting ``MAX_FORM_MEMORY_SIZE``, in bytes. A multipart form with a longer field is rejected with 413.

    It does not apply to files, nor to other kinds of forms. As in Flask 3.1.
    """

    max_form_parts: int | None = _limit("MAX_FORM_PARTS", RequestBase.max_form_parts)  # type: ignore[assignment]
    """The setting ``MAX_FORM_PARTS``. A multipart form with more parts is rejected with 413. As in Flask 3.1."""

    def on_json_loading_failed(self, e: ValueError | None) -> None:
        """Reject a body that is not valid JSON with 400; in debug mode, with the reason.

        :param e: the error, or ``None`` if the body is not declared as JSON; then :meth:`get_json` returns ``None``.
        :raises BadRequest: ``e`` is given.
        """
        app = _current_app()
        if e is not None:
            raise BadRequest(f"The body is not JSON: {e}" if app is not None and app.debug else None)

    def _load_form_data(self) -> None:
        super()._load_form_data()
        app = _current_app()
        if app is not None and app.debug and self.mimetype != "multipart/form-data" and not self.files:
            # Werkzeug keeps the files in the instance, behind a property that has no setter.
            vars(self)["files"] = _NoFiles(self)


class Response(ResponseBase):
    """A response, of type ``text/html`` by default.

    :param response: the body: text, bytes, or an iterable of either, which is sent part by part.
    :param status: a number, or a string such as ``"404 Not Found"``; default: 200.
    :param headers: a mapping or pairs.
    :param mimetype: the media type; default: ``text/html``. ``charset=utf-8`` is added for text.
    :param content_type: the complete header, instead of ``mimetype``.
    :param direct_passthrough: pass the iterable to the server unchanged.

    >>> response = Response("hello", 201, {"X-Made": "yes"})
    >>> response.status, response.headers["Content-Type"], response.get_data()
    ('201 CREATED', 'text/html; charset=utf-8', b'hello')

    As in Flask 1.1, on Werkzeug 3.
    """

    default_mimetype = "text/html"
    json_module = json

    def set_data(self, value: bytes | bytearray | str) -> None:
        """Set the body to ``value``. A ``bytearray`` is copied, because servers accept only bytes."""
        super().set_data(bytes(value) if isinstance(value, bytearray) else value)

    # For text, the method above does the same as Werkzeug's.
    plain_set_data = set_data

    def set_cookie(self, key: str, value: str | bytes = "", *args: Any, **kwargs: Any) -> None:
        """Set a cookie. Extensions pass a signed value as ``bytes``, which Werkzeug 3 does not accept.

        :param key: the name.
        :param value: the value.
        :param args: the parameters of Werkzeug's method.
        :param kwargs: likewise.
        """
        super().set_cookie(key, value.decode() if isinstance(value, bytes) else value, *args, **kwargs)

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """The setting ``MAX_COOKIE_SIZE``, in bytes. Setting a longer cookie emits a warning."""
        app = _current_app()
        return super().max_cookie_size if app is None else app.config["MAX_COOKIE_SIZE"]
