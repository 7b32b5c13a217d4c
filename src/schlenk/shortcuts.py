"""Every shortcut past Werkzeug and itsdangerous: the same result in less time.

Set ``SCHLENK_SHORTCUTS=0`` in the environment to leave all of them out. Nothing else changes then, which the test suite
checks by running both ways.

===========================  ======================================================  ==========================
Shortcut                     Replaces                                                Time
===========================  ======================================================  ==========================
:class:`Response`            ``Response.__init__`` for a ``str`` or a generator      1.2 µs instead of 3.8 µs
:class:`Response`            ``Response.__call__`` for one string                    1.0 µs instead of 5.2 µs
:class:`Response`            ``Response.__call__`` for a generator of ten parts      3 µs instead of 8 µs
:class:`Response`            ``Response.force_type`` for an error page               5 µs instead of 35 µs
:class:`Request`             ``Request.__init__``, which decodes the URL             1.3 µs instead of 1.9 µs
:class:`Request`             ``Request.cookies``, which searches all headers         0.6 µs instead of 3.4 µs
:class:`Request`             ``Request.close`` for a request without files           0.1 µs instead of 0.6 µs
:class:`Map`                 ``Map.bind_to_environ``, which parses the host          1.0 µs instead of 4.0 µs
:class:`Adapter`             ``MapAdapter.match``, which searches the rules          0.5 µs instead of 2.3 to 6 µs
:func:`signing_serializer`   making a serializer and deriving its key                1 µs instead of 19 µs
===========================  ======================================================  ==========================

A shortcut is not taken if a class, an instance or a later patch overrides one of the methods that it bypasses. The
exceptions are patches of helper functions in Werkzeug and itsdangerous; ``docs/fidelity.md`` lists them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from itertools import chain
from operator import attrgetter
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Callable

from itsdangerous import Signer, TimestampSigner, URLSafeTimedSerializer
from werkzeug import routing, wrappers
from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.sansio import utils
from werkzeug.sansio.http import parse_cookie
from werkzeug.sansio.request import Request as SansioRequest
from werkzeug.sansio.response import Response as SansioResponse
from werkzeug.test import run_wsgi_app
from werkzeug.utils import cached_property

from .routing import Rule

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# How many URLs and how many hosts are cached, and how many characters each may have.
_MOST = 1024
_LONGEST = 200


class _Body(chain[bytes]):
    """The body that the server sends, in place of a ``ClosingIterator``, which calls two functions for each part."""

    __slots__ = ("close",)
    close: Callable[[], None]


# The attributes that the shortcuts bypass, by class. Those of responses are also compared when a response is created
# or called, and when one is created from an HTTP error, which Werkzeug does by calling the error.
_in_calling = (
    "get_wsgi_response", "get_wsgi_headers", "get_app_iter", "iter_encoded", "is_sequence", "__getattribute__",
    "status", "status_code",
)  # fmt: skip
_in_answering = (*_in_calling, "__init__", "__call__", "close")
_bypassed = {
    wrappers.Response: (*_in_answering, "set_data"),
    wrappers.Request: ("__init__", "cookies", "close"),
    SansioRequest: ("__init__",),
    EnvironHeaders: ("getlist",),
    HTTPException: ("__call__", "get_response"),
    routing.Map: ("bind", "bind_to_environ"),
    routing.MapAdapter: ("match",),
}


def _is_patched(owner: type, name: str) -> bool:
    """Return whether an attribute of one of Werkzeug's classes is a function of another module than its class."""
    defining = next(cls for cls in owner.__mro__ if name in vars(cls))
    attribute = vars(defining)[name]
    function = getattr(attribute, "fget", attribute)
    return (
        callable(function)
        and defining is not object
        and getattr(function, "__globals__", None) is not vars(sys.modules[defining.__module__])
    )


ENABLED = os.environ.get("SCHLENK_SHORTCUTS") != "0" and not any(
    _is_patched(owner, name) for owner, names in _bypassed.items() for name in names
)
"""Whether the shortcuts are used.

``False`` if ``SCHLENK_SHORTCUTS`` is ``0`` in the environment, or if one of the methods that they bypass was patched
before this module was imported. Later patches are noticed by each shortcut.
"""

_creating = attrgetter("status", "status_code", "automatically_set_content_length", "__setattr__")
_calling = attrgetter(*_in_calling)
_describing = attrgetter(*_bypassed[HTTPException])
_answering = attrgetter(*_in_answering)
_created, _called = _creating(wrappers.Response), _calling(wrappers.Response)
_described, _answered = _describing(HTTPException), _answering(wrappers.Response)
# Werkzeug's versions of the methods that the shortcuts override, which may be patched later.
_initialize, _call, _set_data = wrappers.Response.__init__, wrappers.Response.__call__, wrappers.Response.set_data
_close, _cookies, _getlist = wrappers.Request.close, wrappers.Request.cookies, EnvironHeaders.getlist
_initialize_request, _initialize_sansio = wrappers.Request.__init__, SansioRequest.__init__
# Reading `wrappers.Request.cookies` would take 0.1 µs, because it calls a function of Werkzeug.
_request_attributes, _sansio_request_attributes = vars(wrappers.Request), vars(SansioRequest)
_response_attributes, _sansio_response_attributes = vars(wrappers.Response), vars(SansioResponse)
# The attributes of a response. A version of Werkzeug that has others may use them in the bypassed methods.
_attributes = {"headers", "response", "direct_passthrough", "_status", "_status_code", "_on_close"}
_is_known = vars(Headers()) == {"_list": []} and vars(wrappers.Response("")).keys() == _attributes
# Responses with these statuses, and all below 200, have no body.
_without_body = frozenset((204, 304))
# Werkzeug quotes the URLs in these headers.
_locations = frozenset(("location", "content-location"))
_ListIterator: type[Any] = type(iter([]))
_page_headers = [("Content-Type", "text/html; charset=utf-8")]


@lru_cache(maxsize=64)
def _defaults(mimetype: str, status: int, phrase: str | None) -> tuple[str, int, list[tuple[str, str]]]:
    """Return the status as text and number, and the headers, that all responses with this type and status share.

    :param phrase: the reason phrase of the status, which a program may change.
    """
    response = wrappers.Response(status=status, mimetype=mimetype)
    return response.status, response.status_code, response.headers.to_wsgi_list()


def _sent_unchanged(headers: Headers, has_length: bool) -> list[tuple[str, str]] | None:
    """Return the headers as a list, or ``None`` if Werkzeug would add a length or quote a location.

    :param has_length: whether Werkzeug adds no length.
    """
    listed = headers._list.copy()
    for name, _ in listed:
        if name == "Content-Length":
            has_length = True
        # Most responses have no other header. A lowercase copy of each name would take longer.
        elif name != "Content-Type" and name.lower() in _locations:
            return None
    return listed if has_length else None


class Response(wrappers.Response):
    """Creates and sends a response of one string or generator without Werkzeug's code for the general case.

    The shortcut is not taken for a class that overrides one of the methods in ``_creating`` or ``_calling``, even if
    it was patched later, or has a property called ``headers`` or ``response``; nor for an instance with additional
    attributes.
    """

    _is_plain = _is_known
    plain_set_data = wrappers.Response.set_data
    """The ``set_data`` that the shortcut bypasses. A subclass whose ``set_data`` does the same for text assigns it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_plain = _is_known and not any(hasattr(cls, name) for name in _attributes)

    def __init__(
        self,
        response: Iterable[bytes] | bytes | Iterable[str] | str | None = None,
        status: int | str | HTTPStatus | None = None,
        headers: Any = None,
        mimetype: str | None = None,
        content_type: str | None = None,
        direct_passthrough: bool = False,
    ) -> None:
        is_text = type(response) is str
        is_plain = is_text or type(response) is GeneratorType
        if is_plain and headers is None and content_type is None and not direct_passthrough:
            plain_type = self.default_mimetype if mimetype is None else mimetype
            code = self.default_status if status is None else status
            cls = type(self)
            if (
                type(code) is int
                and plain_type
                and cls._is_plain
                and cls.set_data is cls.plain_set_data
                and _creating(cls) == _created
                and wrappers.Response.__init__ is _initialize
                and wrappers.Response.set_data is _set_data
            ):
                self._status, self._status_code, defaults = _defaults(plain_type, code, HTTP_STATUS_CODES.get(code))
                self.direct_passthrough = False
                self._on_close = []
                made = Headers.__new__(Headers)
                body: Any
                if is_text:
                    data = response.encode()  # type: ignore[union-attr]
                    made._list = [*defaults, ("Content-Length", str(len(data)))]
                    body = [data]
                else:
                    made._list = defaults.copy()
                    body = response
                self.headers = made
                self.response = body
                # False if properties with these names were added to the class after it had been created.
                if self.headers is made and self.response is body:
                    return
        super().__init__(response, status, headers, mimetype, content_type, direct_passthrough)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body: Any = self.response if self._is_plain else None
        # The type is checked first, because the other checks take longer.
        if (
            (type(body) is list or type(body) is _ListIterator or type(body) is GeneratorType)
            and _calling(type(self)) == _called
            and wrappers.Response.__call__ is _call
        ):
            # These are read first, because vars() slows down reading attributes, as described in _Cookies.
            given, is_passed_through = self.headers, self.direct_passthrough
            own: Any = vars(self)
            has_known_attributes = len(own) == len(_attributes)
            if has_known_attributes and type(body) is _ListIterator and own.get("response") is body:
                # The page of an error; see force_type(). The response gets a new iterator, which is unread.
                body = [*body]
                own["response"] = iter(body)
            is_stream = type(body) is GeneratorType
            if (
                has_known_attributes
                and (is_stream or (type(body) is list and len(body) == 1 and type(body[0]) is bytes))
                and type(given) is Headers
                and not is_passed_through
                and (code := own["_status_code"]) >= 200
                and code not in _without_body
                and environ.get("REQUEST_METHOD") != "HEAD"
            ):
                headers = _sent_unchanged(given, has_length=is_stream)
                if headers is not None:
                    start_response(own["_status"], headers)
                    if is_stream:
                        return self._stream()
                    parts = _Body(body)
                    parts.close = self.close
                    return parts
        return super().__call__(environ, start_response)

    def _stream(self) -> _Body:
        """Return the body of a stream. Closing it closes the generator that encodes the parts as well."""
        encoded: Any = self.iter_encoded()

        def close() -> None:
            encoded.close()
            self.close()

        parts = _Body(encoded)
        parts.close = close
        return parts

    @classmethod
    def force_type(cls, response: Any, environ: WSGIEnvironment | None = None) -> Any:
        made: Any = response
        if (
            isinstance(response, HTTPException)
            and response.response is None
            and type(response.code) is int
            and response.code >= 200
            and response.code not in _without_body
            and environ is not None
            and environ.get("REQUEST_METHOD") != "HEAD"
            and "get_response" not in vars(response)
            and _describing(type(response)) == _described
            and _answering(wrappers.Response) == _answered
            # Not hasattr(), which would raise and catch an error (0.2 µs).
            and "headers" not in _response_attributes
            and "response" not in _response_attributes
            and "headers" not in _sansio_response_attributes
            and "response" not in _sansio_response_attributes
        ):
            # Create the response that the error would create and call. Calling it and reading the result takes 30 µs.
            headers = response.get_headers(environ, None)
            body = response.get_body(environ, None)
            if headers == _page_headers and type(body) is str:
                made = Response(body, response.code, mimetype="text/html")
            else:
                made = wrappers.Response(body, response.code, headers)
                if _sent_unchanged(made.headers, has_length=False) is None:
                    made = wrappers.Response(*run_wsgi_app(made, environ))
            # The result of running an application is not a sequence.
            made.response = iter(made.response)
        return super().force_type(made, environ)


class _Cookies:
    """The cookies that were sent, by name. The shortcut is not taken for a class that overrides them.

    The value is stored as an attribute of the request. Werkzeug's cached properties store values in the ``__dict__`` of
    the request, which has to be created for them; up to Python 3.11, reading any attribute then takes 18 ns instead of
    5 ns.
    """

    def __get__(self, request: Any, owner: type | None = None) -> Any:
        if request is None:
            return self
        cls = type(request)
        headers, environ = request.headers, request.environ
        if (
            cls.cookies is not self
            or cls.__setattr__ is not object.__setattr__  # type: ignore[comparison-overlap]
            or type(headers) is not EnvironHeaders
            or headers.environ is not environ
            or getattr(headers.getlist, "__func__", None) is not _getlist
            or "cookies" in _request_attributes
            or _sansio_request_attributes["cookies"] is not _cookies
        ):
            return super(Request, request).cookies  # type: ignore[misc]
        request.cookies = cookies = parse_cookie(environ.get("HTTP_COOKIE"), request.dict_storage_class)
        return cookies


class Request(wrappers.Request):
    """Creates requests without decoding ASCII URLs, reads cookies from the environ, and closes only existing files.

    The first shortcut is taken only for an environ that is a plain ``dict``, has all keys that servers set, and has no
    ``SCRIPT_NAME``. The second is not taken for a request whose ``headers`` are not those of its environ.
    """

    # Whether the next two classes after this one that have an __init__() are Werkzeug's. Determined when a class is
    # created.
    _has_known_bases = True

    # Type checkers know the type of Werkzeug's.
    if not TYPE_CHECKING:
        cookies = _Cookies()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        bases = cls.__mro__[cls.__mro__.index(Request) + 1 :]
        with_init = [base for base in bases if "__init__" in vars(base)]
        cls._has_known_bases = with_init[:2] == [wrappers.Request, SansioRequest]

    def __init__(self, environ: WSGIEnvironment, populate_request: bool = True, shallow: bool = False) -> None:
        if (
            type(environ) is dict
            and type(self)._has_known_bases
            and wrappers.Request.__init__ is _initialize_request
            and SansioRequest.__init__ is _initialize_sansio
        ):
            try:
                method: str = environ["REQUEST_METHOD"]
                scheme: str = environ["wsgi.url_scheme"]
                path: str = environ["PATH_INFO"]
                query: str = environ["QUERY_STRING"]
                name: str | None = environ["SERVER_NAME"]
                port = int(environ["SERVER_PORT"])
                is_ascii = path.isascii() and query.isascii()
            except (AttributeError, KeyError, TypeError, ValueError):
                # A key is missing or its value is unusual. Werkzeug handles that below.
                pass
            else:
                if is_ascii and name is not None and not environ.get("SCRIPT_NAME"):
                    self.method = method.upper()
                    self.scheme = scheme
                    self.server = name, port
                    self.root_path = ""
                    self.path = "/" + path.lstrip("/")
                    self.query_string = query.encode()
                    self.headers = EnvironHeaders(environ)
                    self.remote_addr = environ.get("REMOTE_ADDR")
                    self.environ = environ
                    self.shallow = shallow
                    if populate_request and not shallow:
                        self.environ["werkzeug.request"] = self
                    return
        super().__init__(environ, populate_request, shallow)

    def close(self) -> None:
        if "files" in vars(self) or wrappers.Request.close is not _close:
            super().close()


# Werkzeug's own converters, whose values depend on the URL alone.
_converters = {
    name: converter
    for name, converter in routing.Map.default_converters.items()
    if converter.__module__ == routing.BaseConverter.__module__
}
_bind, _bind_to_environ, _iter_rules = routing.Map.bind, routing.Map.bind_to_environ, routing.Map.iter_rules
_match = routing.MapAdapter.match


class Map(routing.Map):
    """Caches the server name of each host, and the rule and the values of each URL until a rule is added.

    Values are cached only if all converters are Werkzeug's. The cache of hosts is not used by a subclass, nor by an
    application that has a ``SERVER_NAME``, is not at the root of its host, or matches hosts.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Maps each URL to its rule, the endpoint and strict_slashes that the rule had when it matched, and the values.
        self.cache: dict[Any, tuple[routing.Rule, Any, bool | None, dict[str, Any]]] = {}
        self.has_plain_converters = True
        super().__init__(*args, **kwargs)

    def add(self, rulefactory: routing.RuleFactory) -> None:
        try:
            super().add(rulefactory)
        finally:
            self.has_plain_converters = self.has_plain_converters and self.converters == _converters
            # Replaced instead of cleared: another thread may be about to write to the old one.
            self.cache = {}

    def bind_to_environ(
        self,
        environ: WSGIEnvironment | routing.map.Request,  # type: ignore[name-defined]
        server_name: str | None = None,
        subdomain: str | None = None,
    ) -> routing.MapAdapter:
        if (
            server_name is None
            and subdomain is None
            and not self.host_matching
            and type(environ) is dict
            and type(self) is Map
            and routing.Map.bind is _bind
            and routing.Map.bind_to_environ is _bind_to_environ
        ):
            host, path, method = environ.get("HTTP_HOST"), environ.get("PATH_INFO"), environ.get("REQUEST_METHOD")
            scheme, query = environ.get("wsgi.url_scheme"), environ.get("QUERY_STRING", "")
            if (
                host
                and path
                and method
                and scheme
                and path.isascii()
                and query.isascii()
                and not environ.get("SCRIPT_NAME")
                and "HTTP_UPGRADE" not in environ
            ):
                server_name = (_server_name if len(host) <= _LONGEST else _server_name.__wrapped__)(scheme, host)
                return Adapter(self, server_name, "/", "", scheme, path, method, query)
        return super().bind_to_environ(environ, server_name, subdomain)


@lru_cache(maxsize=_MOST)
def _server_name(scheme: str, host: str) -> str:
    return routing.Map().bind(utils.get_host(scheme, host).lower()).server_name


class Adapter(routing.MapAdapter):
    """Looks a URL up in the cache of its :class:`Map`.

    A cached rule is used only if it has not been changed since. Otherwise, Werkzeug matches the URL.
    """

    def match(
        self,
        path_info: str | None = None,
        method: str | None = None,
        return_rule: bool = False,
        query_args: Any = None,
        websocket: bool | None = None,
    ) -> Any:
        is_plain = return_rule and path_info is None and method is None and query_args is None and websocket is None
        if not is_plain or type(self.map) is not Map or routing.MapAdapter.match is not _match:
            return super().match(path_info, method, return_rule, query_args, websocket)  # type: ignore[call-overload]
        cache = self.map.cache
        key = self.path_info, self.default_method, self.subdomain, self.websocket, self.map.redirect_defaults
        cached = cache.get(key)
        if cached is not None:
            found, endpoint, strict_slashes, known = cached
            if (
                found.endpoint is endpoint
                and found.strict_slashes is strict_slashes
                and found.redirect_to is None
                and not found.websocket
                and not found.alias
                and not found.defaults
                and self.default_method in (found.methods or ())
            ):
                return found, known.copy()
        rule, values = super().match(return_rule=True)
        if (
            type(rule) in (Rule, routing.Rule)
            and rule.redirect_to is None
            and not rule.websocket
            and not rule.defaults
            and not rule.alias
            and rule.methods
            # Werkzeug may redirect to an earlier rule of the endpoint that has defaults.
            and not (self.map.redirect_defaults and next(_iter_rules(self.map, rule.endpoint)) is not rule)
            and len(self.path_info) <= _LONGEST
            and (self.map.has_plain_converters or not rule.arguments)
        ):
            if len(cache) >= _MOST:
                cache.clear()
            cache[key] = rule, rule.endpoint, rule.strict_slashes, dict(values)
        return rule, values


class _Signer(TimestampSigner):
    """Derives the key of each secret once, instead of computing two hashes for each cookie."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.derived: dict[Any, bytes] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        key = self.derived.get(secret_key)
        if key is None:
            key = self.derived[secret_key] = super().derive_key(secret_key)
        return key


# The attributes from which a serializer makes its signer.
_signing = frozenset(("salt", "secret_keys", "signer", "signer_kwargs"))


class _Serializer(URLSafeTimedSerializer):
    """The base of cached classes. Each has the attributes of a serializer, so creating an instance needs no setup."""

    original_signer: Signer

    # The class already has the attributes that ``__init__`` would set.
    __init__: Callable[..., None] = object.__init__

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        if salt in (None, self.salt) and _signing.isdisjoint(vars(self)):
            return self.original_signer
        return super().make_signer(salt)


def _copied(name: str, original: Any) -> cached_property[Any]:
    """Return a class attribute of which each instance gets a copy when it first reads it."""
    return cached_property(lambda instance: original.copy(), name)


@lru_cache(maxsize=64)
def _serializer_class(
    secret_keys: tuple[Any, ...], salt: Any, serializer: Any, key_derivation: Any, digest_method: Any
) -> type[_Serializer]:
    options = {"key_derivation": key_derivation, "digest_method": digest_method}
    original = URLSafeTimedSerializer([*secret_keys], salt, serializer, signer=_Signer, signer_kwargs=options)
    attributes = {
        # A caller may change the lists and dictionaries of its serializer.
        name: _copied(name, value) if isinstance(value, (list, dict)) else value
        for name, value in vars(original).items()
    }
    return type("_Serializer", (_Serializer,), {**attributes, "original_signer": original.make_signer()})


def signing_serializer(
    secret_keys: tuple[Any, ...], salt: Any, serializer: Any, key_derivation: Any, digest_method: Any
) -> URLSafeTimedSerializer:
    """Return a serializer that signs with the last of the keys and accepts the signatures of all.

    :param salt: distinguishes the signatures from others made with the same keys.
    :param serializer: turns values into text and back.
    :param key_derivation: for :class:`itsdangerous.Signer`, as is ``digest_method``.

    The serializer is new each time, but has the signer of an earlier one, unless an argument is not hashable.

    >>> import hashlib
    >>> signer = signing_serializer(("secret",), "cookie", None, "hmac", hashlib.sha1)
    >>> signer.loads(signer.dumps([1]))
    [1]
    """
    if ENABLED:
        try:
            return _serializer_class(secret_keys, salt, serializer, key_derivation, digest_method)()  # type: ignore[no-any-return]
        except TypeError:
            # An argument is not hashable or is invalid. If it is invalid, itsdangerous raises the error below.
            pass
    options = {"key_derivation": key_derivation, "digest_method": digest_method}
    return URLSafeTimedSerializer([*secret_keys], salt, serializer, signer_kwargs=options)


if TYPE_CHECKING or ENABLED:
    RequestBase = Request
    ResponseBase = Response
    MapBase = Map
else:
    RequestBase = wrappers.Request
    ResponseBase = wrappers.Response
    MapBase = routing.Map
