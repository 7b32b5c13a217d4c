"""The request and the response: Werkzeug's, plus what routing found and what the configuration says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Callable

from werkzeug.datastructures import Authorization, FileStorage, Headers, ImmutableMultiDict, MultiDict
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.sansio.http import parse_cookie
from werkzeug.utils import cached_property
from werkzeug.wrappers import Request as RequestBase
from werkzeug.wrappers import Response as ResponseBase

from . import json
from .globals import _app_ctx_stack

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.routing import Rule

    from .app import Flask


def _application() -> Flask | None:
    top = _app_ctx_stack.top
    return None if top is None else top.app


# What WSGI lets a server say of a request. The path was quoted when it was sent, and may hold any byte.
_header = re.compile(r"[^\0\r\n\u0100-\U0010ffff]*")
_forms = {
    "PATH_INFO": re.compile(r"[\0-\xff]*"),
    "SCRIPT_NAME": re.compile(rf"(/{_header.pattern})?"),
    "wsgi.url_scheme": re.compile("[a-zA-Z][a-zA-Z0-9+.-]*"),
    **dict.fromkeys(("REQUEST_METHOD", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH"), _header),
}


def environ_error(environ: dict[str, Any]) -> str | None:
    """Return what makes ``environ`` one that no WSGI server may call an application with, or ``None``.

    Asked only where a request has failed, for which this may be the reason. Flask has nothing of the kind.
    """
    for key in ("REQUEST_METHOD", "wsgi.url_scheme", "wsgi.input", "wsgi.errors"):
        if environ.get(key) is None:
            return f"The request came without {key}."
    if not hasattr(environ["wsgi.input"], "read"):
        return "The request came with a malformed wsgi.input."
    for key, value in environ.items():
        form = _forms.get(key) or (_header if str(key).startswith("HTTP_") else None)
        if form is not None and not (isinstance(value, str) and form.fullmatch(value)):
            return f"The request came with a malformed {key}."
    return None


def _limit(setting: str, default: int | None) -> Any:
    """Make an attribute of requests that is a setting of the current application, until it is set for one request."""

    class Limit:
        def __get__(self, request: Request | None, owner: type | None = None) -> int | None:
            app = None if request is None else _application()
            return default if app is None else app.config.get(setting, default)

    return Limit()


class DebugFilesKeyError(KeyError, AssertionError):
    """In debug mode: a file was asked for that the form sent only the name of.

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
            f"request.files has no {self.key!r}: the body was sent as {self.request.mimetype!r}, which can't carry "
            'files. Give the form enctype="multipart/form-data".'
        )


class _NoFiles(ImmutableMultiDict[str, FileStorage]):
    """The files of a form that could send none, which says so when it is asked for one whose name the form did send."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request

    def __getitem__(self, key: str) -> FileStorage:
        if key in self.request.form:
            raise DebugFilesKeyError(self.request, key)
        return super().__getitem__(key)


class Request(RequestBase):
    """What the client asked for.

    ``url_rule`` is the rule that matched and ``view_args`` the values in the URL, ``routing_exception`` what was
    raised where none did; all three are ``None`` before the URL has been matched.

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
        """The endpoint of the rule that matched, or ``None``."""
        return None if self.url_rule is None else self.url_rule.endpoint

    @property
    def blueprint(self) -> str | None:
        """The part of the endpoint before its last dot, or ``None``."""
        before, dot, _ = (self.endpoint or "").rpartition(".")
        return before if dot else None

    @cached_property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        """Cookies that were sent, by their names."""
        # Werkzeug looks through all headers, which takes it as long as to make a response (5 µs).
        return parse_cookie(self.environ.get("HTTP_COOKIE"), self.dict_storage_class)  # type: ignore[return-value]

    @cached_property
    def authorization(self) -> Authorization | None:
        """Credentials that were sent; ``None`` where that can't be read."""
        try:
            return super().authorization
        except ValueError:
            # Base64 that isn't ASCII, of which Werkzeug catches some errors.
            return None

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """Values in the query, by their names."""
        self._quote_query()
        return super().args

    @cached_property
    def full_path(self) -> str:
        """Path and query."""
        self._quote_query()
        return super().full_path

    def _quote_query(self) -> None:
        """Quote what isn't UTF-8 in the query, which Werkzeug expects of clients."""
        if not self.query_string.isascii():
            self.query_string = self.query_string.decode(errors="werkzeug.url_quote").encode()

    @cached_property
    def url(self) -> str:
        """URL that was asked for, whole."""
        return self._url(lambda: super(Request, self).url)

    @cached_property
    def base_url(self) -> str:
        """URL without its query."""
        return self._url(lambda: super(Request, self).base_url)

    @cached_property
    def root_url(self) -> str:
        """URL of the root of the application."""
        return self._url(lambda: super(Request, self).root_url)

    @cached_property
    def host_url(self) -> str:
        """Scheme and host, and a slash."""
        return self._url(lambda: super(Request, self).host_url)

    def _url(self, inherited: Callable[[], str]) -> str:
        """Return the URL with its host as it was sent where Python, which knows the rules of 2003, can't decode it."""
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
    """``MAX_CONTENT_LENGTH`` of the current application, in bytes: a longer body is answered with 413.

    As the two that follow, it may be set for one request.
    """

    max_form_memory_size: int | None = _limit("MAX_FORM_MEMORY_SIZE", RequestBase.max_form_memory_size)
    """``MAX_FORM_MEMORY_SIZE``, in bytes: a multipart form with a longer field, files aside, is answered with 413.

    A form of another kind has no limit but that of its body. As in Flask 3.1.
    """

    max_form_parts: int | None = _limit("MAX_FORM_PARTS", RequestBase.max_form_parts)  # type: ignore[assignment]
    """``MAX_FORM_PARTS``: a multipart form of more parts is answered with 413. As in Flask 3.1."""

    def close(self) -> None:
        """Close the files that were sent."""
        # Where none were parsed Werkzeug goes through none, for as long as matching the URL takes (0.5 µs).
        if "files" in vars(self):
            super().close()

    def on_json_loading_failed(self, e: ValueError | None) -> None:
        """Answer 400 to a body that isn't JSON, in debug mode with the reason.

        :param e: what is wrong with it; ``None`` when the body isn't said to be JSON at all: then :meth:`get_json`
            gives ``None``.
        :raises BadRequest: ``e`` is given.
        """
        app = _application()
        if e is not None:
            raise BadRequest(f"The body is not JSON: {e}" if app is not None and app.debug else None)

    def _load_form_data(self) -> None:
        super()._load_form_data()
        app = _application()
        if app is not None and app.debug and self.mimetype != "multipart/form-data" and not self.files:
            # Werkzeug keeps what it parsed in the instance, behind a property that has no setter.
            vars(self)["files"] = _NoFiles(self)


class _Body(list[bytes]):
    """A body that is there as a whole, and what to call when it has been sent."""

    __slots__ = ("close",)
    close: Callable[[], None]


# What Werkzeug goes through when it makes a response and when it calls one, and what a subclass may do otherwise.
_making = ("set_data", "status", "status_code", "automatically_set_content_length")
_calling = ("get_wsgi_response", "get_wsgi_headers", "get_app_iter", "iter_encoded", "is_sequence")
# Of these, and of all below 200, nothing but headers is sent.
_empty = frozenset((204, 304))
# Answers with these headers are finished by Werkzeug, which quotes what is in them.
_places = frozenset(("location", "content-location"))
# What a response consists of. A Werkzeug that made it of something else would go its own way.
_parts = {"headers", "response", "direct_passthrough", "_status", "_status_code", "_on_close"}
_known = vars(Headers()) == {"_list": []} and vars(ResponseBase("")).keys() == _parts


@lru_cache(maxsize=64)
def _blank(mimetype: str, status: int) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the attributes and the headers of a response of a class with these defaults that has no body yet."""
    response = ResponseBase(status=status, mimetype=mimetype)
    return vars(response), response.headers.to_wsgi_list()


class Response(ResponseBase):
    """What the client is answered: HTML, unless it says otherwise.

    :param response: the body: text, bytes, or an iterable of either, sent part by part.
    :param status: a number, or a string such as ``"404 Not Found"``; default: 200.
    :param headers: a mapping or pairs.
    :param mimetype: default: ``text/html``; a text's has ``charset=utf-8`` added.
    :param content_type: instead of ``mimetype``, taken as it is.
    :param direct_passthrough: give the iterable to the server as it is.

    >>> response = Response("hello", 201, {"X-Made": "yes"})
    >>> response.status, response.headers["Content-Type"], response.get_data()
    ('201 CREATED', 'text/html; charset=utf-8', b'hello')

    As in Flask 1.1, on Werkzeug 3.
    """

    default_mimetype = "text/html"
    json_module = json

    # Whether Werkzeug's way of making a response, and that of calling one, are those of the class too.
    _made_plainly = _known
    _called_plainly = _known

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._made_plainly = _known and all(getattr(cls, step) is getattr(Response, step) for step in _making)
        cls._called_plainly = _known and all(getattr(cls, step) is getattr(Response, step) for step in _calling)

    def __init__(
        self,
        response: Iterable[bytes] | bytes | Iterable[str] | str | None = None,
        status: int | str | HTTPStatus | None = None,
        headers: Any = None,
        mimetype: str | None = None,
        content_type: str | None = None,
        direct_passthrough: bool = False,
    ) -> None:
        if not headers and content_type is None:
            if mimetype is None:
                mimetype = self.default_mimetype
            code = self.default_status if status is None else status
            if (
                type(response) is str
                and type(code) is int
                and mimetype
                and not direct_passthrough
                and self._made_plainly
            ):
                # What Werkzeug comes to as well, after it has set each header by itself (3.8 µs; so, 1.2).
                attributes, defaults = _blank(mimetype, code)
                data = response.encode()
                known = vars(self)
                known.update(attributes)
                known["_on_close"] = []
                known["response"] = [data]
                known["headers"] = made = Headers.__new__(Headers)
                vars(made)["_list"] = [*defaults, ("Content-Length", str(len(data)))]
                return
        super().__init__(response, status, headers, mimetype, content_type, direct_passthrough)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the server.

        Most answers are one string with its length, and need none of what Werkzeug does to a response first: copy the
        headers, look for places in them, count the body (5.2 µs; so, 1.0).
        """
        body = self.response
        code = self.status_code
        if (
            type(body) is list
            and len(body) == 1
            and type(body[0]) is bytes
            and self._called_plainly
            and type(self.headers) is Headers
            and not self.direct_passthrough
            and code >= 200
            and code not in _empty
            and environ.get("REQUEST_METHOD") != "HEAD"
        ):
            headers: list[tuple[str, str]] = [*vars(self.headers)["_list"]]
            names = {name.lower() for name, _ in headers}
            if "content-length" in names and names.isdisjoint(_places):
                parts = _Body(body)
                parts.close = self.close
                start_response(self.status, headers)
                return parts
        return super().__call__(environ, start_response)

    def set_data(self, value: bytes | bytearray | str) -> None:
        """Set the body to ``value``. A ``bytearray`` is copied: servers take nothing but bytes."""
        super().set_data(bytes(value) if isinstance(value, bytearray) else value)

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """``MAX_COOKIE_SIZE`` of the current application, in bytes: a longer cookie is warned of."""
        app = _application()
        return super().max_cookie_size if app is None else app.config["MAX_COOKIE_SIZE"]
