"""Names that Flask 2 and 3, Werkzeug 2 and 3 or Jinja 3.1 removed, and that extensions for Flask 1 use.

:func:`put_back` adds the names that are missing, implemented with the standard library, markupsafe or the installed
Flask. :func:`changes` is for behavior of Flask 1 that changes a response, a value or an error, and must be requested by
name.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache, partial, wraps
from http.cookiejar import Cookie
from importlib import import_module
from importlib.metadata import version
from inspect import signature
from io import BytesIO
from itertools import zip_longest
from operator import attrgetter
from threading import RLock
from types import ModuleType
from typing import Any, Callable
from urllib import parse

import markupsafe
import werkzeug.http
import werkzeug.routing
import werkzeug.security
import werkzeug.urls
import werkzeug.utils
import werkzeug.wrappers
from werkzeug.datastructures import (
    Authorization,
    FileStorage,
    Headers,
    ImmutableDict,
    MultiDict,
    WWWAuthenticate,
    iter_multi_items,
)
from werkzeug.exceptions import NotFound
from werkzeug.local import LocalProxy as WerkzeugProxy
from werkzeug.utils import cached_property

from .routing import let_match_slashes


def put_back(flask: Any) -> None:
    """Add the names that are missing in ``flask``, the imported package, in Werkzeug and in Jinja."""
    put_back_into_werkzeug()
    modules = sys.modules
    put_back_into_jinja(modules["jinja2"])
    _add(flask, Markup=markupsafe.Markup, escape=markupsafe.escape, signals_available=True)
    _add(modules["flask.signals"], signals_available=True)
    scaffold: Any = modules.get("flask.sansio.scaffold") or modules["flask.scaffold"]
    _add(
        modules["flask.helpers"],
        locked_cached_property=locked_cached_property,
        _endpoint_from_view_func=scaffold._endpoint_from_view_func,
        safe_join=safe_join,  # the patch for Flask of Quart 0.17
        total_seconds=total_seconds,
    )
    _add(flask, safe_join=safe_join)
    _add(flask, scaffold=modules.setdefault("flask.scaffold", scaffold))  # flask-openapi3 2.1.0
    _add_view_type(import_module("flask.views"))
    script_info: Any = import_module("flask.cli").ScriptInfo
    if not hasattr(script_info.__init__, "__wrapped__"):
        _accept_factories_with_script_info(script_info)
    _add_current_traceback(import_module("werkzeug.debug.tbtools"))
    _add(flask, _compat=modules.setdefault("flask._compat", compatibility()))
    flask_globals: Any = modules["flask.globals"]
    _add(
        flask_globals,
        _app_ctx_err_msg=flask_globals._no_app_msg,  # Flask-InfluxDB 0.3.3
        _request_ctx_err_msg=flask_globals._no_req_msg,
    )
    _add_json(flask, modules["flask.json"], modules["flask.json.provider"].DefaultJSONProvider)
    if "before_first_request" not in vars(flask.Flask):
        _add_before_first_request(flask.Flask, flask.Blueprint)
    if not hasattr(flask.Blueprint.register, "__wrapped__"):
        _accept_first_registration(flask.Blueprint, flask.Flask)
    if not hasattr(flask.send_file, "__wrapped__"):
        _accept_old_names_of_parameters(flask, modules["flask.helpers"])
    _add(flask.Flask, session_cookie_name=modules["flask.config"].ConfigAttribute("SESSION_COOKIE_NAME"))
    _add(flask.Flask, propagate_exceptions=property(propagate_exceptions, _set_propagate_exceptions))
    _add(flask.Flask, env=property(_get_env, _set_env))  # flask-shell-ipython 0.4.1
    client: Any = import_module("flask.testing").FlaskClient
    _add(client, cookie_jar=property(CookieJar))
    if "delete_cookie" not in vars(client):
        accept_server_names(client)
    if "set_cookie" not in vars(flask.Response):
        _accept_bytes_in_cookies(flask.Response)
    _make_session_writable(getattr(modules["flask.ctx"], "RequestContext", modules["flask.ctx"].AppContext))


def put_back_into_jinja(jinja: Any) -> None:
    """Add the names that are missing in ``jinja``, the package ``jinja2``."""
    _add(jinja, Markup=markupsafe.Markup, escape=markupsafe.escape)
    _add(jinja, contextfunction=jinja.pass_context, contextfilter=jinja.pass_context)  # Flask-Unchained 0.9
    _add(jinja, environmentfunction=jinja.pass_environment, environmentfilter=jinja.pass_environment)
    _add(jinja, evalcontextfunction=jinja.pass_eval_context, evalcontextfilter=jinja.pass_eval_context)
    # Jinja has the features of these extensions built in.
    extensions = import_module("jinja2.ext")
    built_in = type("BuiltIn", (extensions.Extension,), {})
    _add(extensions, autoescape=built_in, with_=built_in)


def put_back_into_werkzeug() -> None:
    """Add the names that are missing in Werkzeug and need no Flask."""
    _add(
        werkzeug.urls,
        url_decode=url_decode,
        url_decode_stream=url_decode_stream,  # Flask-API 3.0.post1
        url_encode=url_encode,
        url_join=parse.urljoin,
        url_parse=url_parse,
        url_quote=url_quote,
        url_quote_plus=url_quote_plus,
        url_unparse=parse.urlunsplit,
        url_unquote=url_unquote,
        url_unquote_plus=url_unquote_plus,
    )
    _add(werkzeug.security, safe_str_cmp=safe_str_cmp)
    _add(werkzeug.http, bytes_to_wsgi=bytes_to_wsgi, wsgi_to_bytes=wsgi_to_bytes)
    # httpbin 0.7.0
    _add(werkzeug.http, parse_authorization_header=parse_authorization_header)
    _add(WWWAuthenticate, set_digest=set_digest, set_basic=set_basic)  # Flask-SimpleLDAP 1.4.0
    _add(import_module("werkzeug.wsgi"), pop_path_info=pop_path_info, peek_path_info=peek_path_info)  # dtale 1.61.1
    _add(werkzeug, _compat=sys.modules.setdefault("werkzeug._compat", werkzeug_compatibility()))
    _add(werkzeug.routing, parse_rule=parse_rule)
    builder: Any = import_module("werkzeug.test").EnvironBuilder
    if not hasattr(builder.__init__, "__wrapped__"):
        _accept_bytes(builder)
    _add(import_module("werkzeug.serving"), run_with_reloader=import_module("werkzeug._reloader").run_with_reloader)
    _add(werkzeug.utils, invalidate_cached_property=invalidate_cached_property)
    _add(werkzeug, __version__=version("werkzeug"))
    _add(werkzeug.wrappers.Request, charset="utf-8")
    _add(werkzeug.wrappers.Response, charset="utf-8")  # Flask-WeasyPrint 0.6
    # Flask-Caching 1.8.0
    _add(werkzeug, posixemulation=sys.modules.setdefault("werkzeug.posixemulation", posix_emulation()))
    # Werkzeug 1 removed these, but releases that ran on Flask 1 with Werkzeug 0.16 import them.
    _add(werkzeug, FileStorage=FileStorage, import_string=werkzeug.utils.import_string)
    _add(werkzeug, OrderedMultiDict=MultiDict)  # Flask-Dashed 0.1b2
    _add(werkzeug, cached_property=cached_property, secure_filename=werkzeug.utils.secure_filename)
    _add(werkzeug, ImmutableDict=ImmutableDict)  # Flask-Babel 0.12.2
    _add(werkzeug, LocalProxy=WerkzeugProxy)  # Flask-Allows 0.4
    _add(werkzeug, check_password_hash=werkzeug.security.check_password_hash, url_encode=url_encode)  # FlaskBB 2.0.2
    _add(werkzeug.wrappers, BaseResponse=werkzeug.wrappers.Response)
    _add(werkzeug.wrappers, BaseRequest=werkzeug.wrappers.Request)  # rollbar 0.16.2


def changes(names: Iterable[str]) -> list[Callable[[Any], None]]:
    """Return the functions that restore the named behavior of Flask 1. Their parameter is the package ``flask``.

    :param names: keys of ``_CHANGES``.
    :raises ValueError: a name is unknown.
    """
    names = [names] if isinstance(names, str) else list(names)
    unknown = [name for name in names if name not in _CHANGES]
    if unknown:
        raise ValueError(
            f"as_in_flask_1 contains {', '.join(map(repr, unknown))}. It can contain {', '.join(map(repr, _CHANGES))}."
        )
    return [_CHANGES[name] for name in names]


def _add(owner: Any, **names: Any) -> None:
    # Not hasattr(), because the __getattr__ of a module may warn about a name that has been removed.
    for name, value in names.items():
        if name not in vars(owner):
            setattr(owner, name, value)


# --- Werkzeug


def url_encode(obj: Any, charset: str = "utf-8", sort: bool = False, key: Any = None, separator: str = "&") -> str:
    """Return the query string for ``obj``, a mapping or pairs. Values that are ``None`` are left out."""
    pairs = [(name, value) for name, value in iter_multi_items(obj) if value is not None]
    if sort:
        pairs.sort(key=key)
    return separator.join(f"{url_quote_plus(name, charset)}={url_quote_plus(value, charset)}" for name, value in pairs)


def url_decode(
    s: str | bytes, charset: str = "utf-8", include_empty: bool = True, errors: str = "replace", separator: str = "&",
    cls: Callable[[Any], Any] = MultiDict,
) -> Any:  # fmt: skip
    """Return the names and values of a query string in an instance of ``cls``."""
    text = s.decode(charset, errors) if isinstance(s, bytes) else s
    pairs = parse.parse_qsl(text, include_empty, encoding=charset, errors=errors, separator=separator)
    return cls(pairs)


def url_decode_stream(stream: Any) -> Any:
    """Return the names and values of a query string that is read from ``stream``."""
    return url_decode(stream.read())


class URL(parse.SplitResult):
    """The parts of a URL, with those methods of Werkzeug 1 that Fava 1.19 and tutorials use."""

    @property
    def host(self) -> str | None:
        """The name of the host without the port."""
        return self.hostname

    def decode_query(self, *args: Any, **kwargs: Any) -> Any:
        """Return the names and values of the query string. The parameters are those of :func:`url_decode`."""
        return url_decode(self.query, *args, **kwargs)

    def replace(self, **parts: str) -> URL:
        """Return the URL with other parts."""
        return self._replace(**parts)

    def to_url(self) -> str:
        """Return the URL as text."""
        return self.geturl()


def url_parse(url: Any, scheme: str | None = None, allow_fragments: bool = True) -> Any:
    """Return the parts of a URL. ``scheme`` is the one of a URL without a scheme."""
    parts = parse.urlsplit(url, scheme or "", allow_fragments)
    return URL(*parts) if isinstance(url, str) else parts


def url_quote(string: Any, charset: str = "utf-8", errors: str = "strict", safe: str = "/:", unsafe: str = "") -> str:
    """Return ``string`` with all characters quoted that are neither unreserved nor in ``safe``."""
    quoted = parse.quote(_bytes(string, charset, errors), safe="".join(char for char in safe if char not in unsafe))
    for char in unsafe:
        quoted = quoted.replace(char, f"%{ord(char):02X}")
    return quoted


def url_quote_plus(string: Any, charset: str = "utf-8", errors: str = "strict", safe: str = "") -> str:
    """Return ``string`` quoted for a query string, in which a plus stands for a space."""
    return parse.quote_plus(_bytes(string, charset, errors), safe)


def url_unquote(s: str | bytes, charset: str = "utf-8", errors: str = "replace", unsafe: str = "") -> str:
    """Return ``s`` with everything unquoted but the characters in ``unsafe``."""
    text = s.decode(charset, errors) if isinstance(s, bytes) else s
    for char in unsafe:
        for number in (f"%{ord(char):02X}", f"%{ord(char):02x}"):
            text = text.replace(number, f"%25{number[1:]}")
    return parse.unquote(text, charset, errors)


def url_unquote_plus(s: str | bytes, charset: str = "utf-8", errors: str = "replace") -> str:
    """Return ``s`` unquoted, with a space for each plus."""
    return url_unquote(s.replace(b"+", b" ") if isinstance(s, bytes) else s.replace("+", " "), charset, errors)


def _bytes(value: Any, charset: str, errors: str) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(charset, errors)


def safe_str_cmp(a: str | bytes, b: str | bytes) -> bool:
    """Return whether two strings are equal, in a time that does not reveal where they differ."""
    return hmac.compare_digest(_bytes(a, "utf-8", "strict"), _bytes(b, "utf-8", "strict"))


def bytes_to_wsgi(data: bytes) -> str:
    """Return ``data`` as WSGI passes bytes: one character for each."""
    return data.decode("latin-1")


def wsgi_to_bytes(data: str | bytes) -> bytes:
    """Return the bytes that WSGI passed as the string ``data``."""
    return data if isinstance(data, bytes) else data.encode("latin-1")


def werkzeug_compatibility() -> ModuleType:
    """Return a replacement for ``werkzeug._compat`` with what serverless-wsgi 1.7.6 and Flask-Registry 0.2.0 use."""
    module = ModuleType("werkzeug._compat")
    _add(module, BytesIO=BytesIO, string_types=(str,), to_bytes=to_bytes, reraise=reraise)
    _add(module, wsgi_encoding_dance=wsgi_encoding_dance)
    return module


def posix_emulation() -> ModuleType:
    """Return a replacement for ``werkzeug.posixemulation``."""
    module = ModuleType("werkzeug.posixemulation")
    _add(module, rename=os.replace)
    return module


def to_bytes(x: Any, charset: str = "utf-8", errors: str = "strict") -> bytes | None:
    """Return the bytes of a string or of an object such as a ``bytearray``."""
    return x.encode(charset, errors) if isinstance(x, str) else None if x is None else bytes(x)


def wsgi_encoding_dance(s: str | bytes, charset: str = "utf-8", errors: str = "replace") -> str:
    """Return ``s`` as WSGI passes strings: one character for each byte."""
    return bytes_to_wsgi(_bytes(s, charset, errors))


def reraise(tp: Any, value: BaseException, tb: Any = None) -> None:
    """Raise ``value`` with the traceback ``tb``."""
    raise value.with_traceback(tb)


def parse_authorization_header(value: str | None) -> Credentials | None:
    """Return the parameters of an ``Authorization`` header, or ``None`` if its type is neither Basic nor Digest."""
    return _credentials(Authorization.from_header(value))


def set_digest(
    header: Any, realm: str, nonce: str, qop: Iterable[str] = ("auth",), opaque: str | None = None,
    algorithm: str | None = None, stale: bool = False,
) -> None:  # fmt: skip
    """Replace the content of a ``WWW-Authenticate`` header. Parameters that are ``None`` are left out."""
    header._type = "digest"
    header.parameters.clear()
    header.parameters.update(realm=realm, nonce=nonce, qop=", ".join(qop))
    header["opaque"], header["algorithm"], header["stale"] = opaque, algorithm, "TRUE" if stale else None


def set_basic(header: Any, realm: str = "authentication required") -> None:
    """Replace the content of a ``WWW-Authenticate`` header by the request to log in to ``realm``."""
    header._type = "basic"
    header.parameters.clear()
    header["realm"] = realm


def pop_path_info(environ: dict[str, Any]) -> str | None:
    """Move the first segment of ``PATH_INFO`` to ``SCRIPT_NAME``, and return it, or ``None`` if there is none."""
    segment = peek_path_info(environ)
    if segment is not None:
        path = environ["PATH_INFO"]
        slashes = path[: len(path) - len(path.lstrip("/"))]
        first, slash, rest = path.lstrip("/").partition("/")
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + slashes + first
        environ["PATH_INFO"] = slash + rest
    return segment


def peek_path_info(environ: dict[str, Any]) -> str | None:
    """Return the first segment of ``PATH_INFO``, or ``None`` if there is none."""
    path = environ.get("PATH_INFO", "").lstrip("/")
    return wsgi_to_bytes(path.partition("/")[0]).decode("utf-8", "replace") if path else None


def _accept_bytes(builder_class: Any) -> None:
    """Let tests pass bytes as the path (Flask-WeasyPrint 0.6) and as the value of a header (Flask-BasicAuth 0.2.0)."""
    initialize = builder_class.__init__

    @wraps(initialize)
    def __init__(builder: Any, path: str | bytes = "/", *args: Any, **kwargs: Any) -> None:
        headers = kwargs.get("headers")
        if headers is not None and not isinstance(headers, Headers):
            kwargs["headers"] = [
                (name, bytes_to_wsgi(value) if isinstance(value, bytes) else value)
                for name, value in iter_multi_items(headers)
            ]
        initialize(builder, path.decode() if isinstance(path, bytes) else path, *args, **kwargs)

    builder_class.__init__ = __init__


def invalidate_cached_property(obj: Any, name: str) -> None:
    """Delete the value that a ``cached_property`` stored in ``obj``, if it stored one."""
    vars(obj).pop(name, None)


_VARIABLE = re.compile(r"<(?:([a-zA-Z_]\w*)(?:\((.*?)\))?:)?([a-zA-Z_]\w*)>", re.ASCII)


def parse_rule(rule: str) -> Iterator[tuple[str | None, str | None, str]]:
    """Yield the converter, its arguments and the name of each variable of a rule, and ``None`` twice for other text.

    :raises ValueError: the rule is malformed.
    """
    pieces = _VARIABLE.split(rule)
    names = pieces[3::4]
    if any("<" in text or ">" in text for text in pieces[::4]):
        raise ValueError(f"malformed url rule: {rule!r}")
    if len(set(names)) < len(names):
        raise ValueError(f"A variable is used twice in the rule {rule!r}.")
    for text, converter, arguments, name in zip_longest(pieces[::4], pieces[1::4], pieces[2::4], names):
        if text:
            yield None, None, text
        if name:
            yield converter or "default", arguments or None, name


_LOCALHOST = "localhost.local"


class CookieJar:
    """A view of the cookies of a test client, with the interface of ``http.cookiejar``.

    :param client: the test client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __iter__(self) -> Iterator[Cookie]:
        for cookie in list((self._client._cookies or {}).values()):
            expires = None if cookie.expires is None else int(cookie.expires.timestamp())
            # http.cookiejar adds a suffix to `localhost`, and a dot to the domains that responses name.
            dot = "" if cookie.origin_only else "."
            domain = _LOCALHOST if cookie.domain == "localhost" else dot + cookie.domain.lstrip(".")
            yield Cookie(
                0, cookie.key, cookie.value, None, False, domain, not cookie.origin_only, False, cookie.path, True,
                bool(cookie.secure), expires, expires is None, None, None,
                {"HttpOnly": ""} if cookie.http_only else {},
            )  # fmt: skip

    def __len__(self) -> int:
        return len(list(iter(self)))

    def set_cookie(self, cookie: Cookie) -> None:
        """Add a cookie, as Flask-WebTest 0.0.9 does."""
        self._client.set_cookie(
            cookie.name, cookie.value or "", domain=_client_domain(cookie), origin_only=not cookie.domain_specified,
            path=cookie.path,
        )  # fmt: skip

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        """Delete all cookies, or those of a domain, of a path in it, or with a name in that path."""
        wanted = [part for part in (domain, path, name) if part is not None]
        for cookie in list(self):
            if [cookie.domain, cookie.path, cookie.name][: len(wanted)] == wanted:
                self._delete(cookie)

    def clear_session_cookies(self) -> None:
        """Delete the cookies that do not outlast the session of the browser."""
        for cookie in list(self):
            if cookie.discard:
                self._delete(cookie)

    def _delete(self, cookie: Cookie) -> None:
        self._client.delete_cookie(cookie.name, domain=_client_domain(cookie), path=cookie.path)

    @property
    def _cookies(self) -> dict[str, dict[str, dict[str, Cookie]]]:
        """The cookies by domain, path and name, as the tests of Flask-Login 0.6.2 read them."""
        found: dict[str, dict[str, dict[str, Cookie]]] = {}
        for cookie in self:
            found.setdefault(cookie.domain, {}).setdefault(cookie.path, {})[cookie.name] = cookie
        return found

    def inject_wsgi(self, environ: dict[str, Any]) -> None:
        """Add the cookies to a WSGI environment."""
        self._client._add_cookies_to_wsgi(environ)


def _client_domain(cookie: Cookie) -> str:
    return "localhost" if cookie.domain == _LOCALHOST else cookie.domain.lstrip(".")


# --- Flask


def safe_join(directory: str, *pathnames: str) -> str:
    """Return the path of a file in ``directory``. If the path would leave it, raise ``NotFound``."""
    path = werkzeug.security.safe_join(directory, *pathnames)
    if path is None:
        raise NotFound
    return path


def accept_server_names(client_class: Any) -> None:
    """Let methods for cookies accept the domain as the first parameter, ``server_name``, as Flask-Login 0.5.0 does.

    A call with two values sets the cookie with the name of the first, as in Werkzeug 3.
    """
    set_cookie, delete_cookie = client_class.set_cookie, client_class.delete_cookie

    def accepting(method: Callable[..., Any], most: int) -> Callable[..., Any]:
        @wraps(method)
        def function(client: Any, *args: Any, **kwargs: Any) -> Any:
            if "server_name" in kwargs:
                kwargs["domain"] = kwargs.pop("server_name")
            elif len(args) > most:
                kwargs["domain"], *args = args  # type: ignore[assignment]
            return method(client, *args, **kwargs)

        return function

    client_class.set_cookie = accepting(set_cookie, most=2)
    client_class.delete_cookie = accepting(delete_cookie, most=1)


def total_seconds(td: timedelta) -> int:
    """Return the whole seconds of a duration, as Flask-Session-Plus 0.6.2 does."""
    return td // timedelta(seconds=1)


class locked_cached_property(cached_property):  # type: ignore[type-arg]
    """A property that is computed once for each object, even if several threads read it at the same time."""

    def __init__(self, fget: Callable[[Any], Any], name: str | None = None, doc: str | None = None) -> None:
        super().__init__(fget, name=name, doc=doc)
        self.lock = RLock()

    def __get__(self, obj: Any, type: Any = None) -> Any:
        if obj is None:
            return self
        with self.lock:
            return super().__get__(obj, type)

    def __set__(self, obj: Any, value: Any) -> None:
        with self.lock:
            super().__set__(obj, value)

    def __delete__(self, obj: Any) -> None:
        with self.lock:
            super().__delete__(obj)


def compatibility() -> ModuleType:
    """Return a replacement for ``flask._compat``, the module with which Flask 1 supported Python 2."""
    module = ModuleType("flask._compat")
    _add(module, text_type=str, string_types=(str,))  # Flask-Collect 1.3.2 uses the second.
    _add(module, with_metaclass=with_metaclass)  # Flask-Allows 0.4
    return module


def with_metaclass(meta: Any, *bases: type) -> Any:
    """Return a class with this metaclass and these bases, for use as the base of another. It stays one of its bases."""
    return meta("Base", bases, {})


def _add_current_traceback(tbtools: Any) -> None:
    """Add ``get_current_traceback()``, which returns the traceback of the exception that is being handled."""

    class Traceback(tbtools.DebugTraceback):  # type: ignore[misc]
        """The traceback of the exception that is being handled, without its first ``skip`` frames."""

        def __init__(
            self, ignore_system_exceptions: bool = False, show_hidden_frames: bool = False, skip: int = 0
        ) -> None:
            error = sys.exc_info()[1]
            if ignore_system_exceptions and isinstance(error, (SystemExit, KeyboardInterrupt, GeneratorExit)):
                raise
            super().__init__(error, skip=skip, hide=not show_hidden_frames)

        @property
        def plaintext(self) -> str:
            """The traceback as text, with two lines for each frame."""
            return re.sub(r"^ *[~^]+\n", "", self.render_traceback_text(), flags=re.MULTILINE)

        def render_full(self) -> str:
            """Return the page of the debugger, without its console."""
            return self.render_debugger_html(evalex=False, secret="", evalex_trusted=False)  # type: ignore[no-any-return]

    _add(tbtools, get_current_traceback=Traceback)


# Flask-AppBuilder 3.4.5, Flask-Cloudy 1.1.0, Flask-IIIF 0.6.3, Flask-MultiStatic 1.0 and Locust 1.4.1 use them.
_SEND_FILE = {"attachment_filename": "download_name", "cache_timeout": "max_age", "add_etags": "etag"}


def _accept_old_names_of_parameters(flask: Any, helpers: Any) -> None:
    """Let ``send_file()`` and ``send_from_directory()`` accept the names that their parameters had in Flask 1."""
    functions = {"send_file": _SEND_FILE, "send_from_directory": {**_SEND_FILE, "filename": "path"}}
    for name, renamed in functions.items():
        function = _renaming(vars(helpers)[name], renamed)
        setattr(flask, name, function)
        setattr(helpers, name, function)


def _renaming(f: Callable[..., Any], renamed: dict[str, str]) -> Callable[..., Any]:
    @wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **{renamed.get(name, name): value for name, value in kwargs.items()})

    return function


def _accept_factories_with_script_info(class_: Any) -> None:
    """Let ``ScriptInfo`` pass itself to a factory that has a parameter for it, and read ``FLASK_APP``.

    The tests of Flask-WebpackExt 1.0.2 have such factories, and Flask-RQ2 18.3 loads the application without Click.
    """
    initialize = class_.__init__

    @wraps(initialize)
    def __init__(
        info: Any, app_import_path: str | None = None, create_app: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        if create_app is None:
            app_import_path = app_import_path or os.environ.get("FLASK_APP")
        else:
            create_app = _with_script_info(create_app, info)
        initialize(info, app_import_path, create_app, *args, **kwargs)

    class_.__init__ = __init__


def _with_script_info(create_app: Any, info: Any) -> Any:
    """Return a function that calls a factory with ``info`` if it has a parameter for it."""
    try:
        parameters = signature(create_app).parameters
    except ValueError:
        # A compiled function may have no signature.
        return create_app
    if "script_info" in parameters:
        return partial(create_app, script_info=info)
    required = [p for p in parameters.values() if p.default is p.empty and p.kind < p.VAR_POSITIONAL]
    return partial(create_app, info) if len(required) == 1 else create_app


def _accept_first_registration(blueprint_class: Any, app_class: Any) -> None:
    """Let ``Blueprint.register()`` accept a third parameter, and objects of extensions such as Flask-Sockets 0.2.1."""
    register = blueprint_class.register

    @wraps(register)
    def register_on(blueprint: Any, app: Any, options: dict[str, Any], first_registration: bool | None = None) -> None:
        if first_registration is None or isinstance(app, app_class):
            register(blueprint, app, options)
        else:
            state = blueprint.make_setup_state(app, options, first_registration)
            for deferred in blueprint.deferred_functions:
                deferred(state)

    blueprint_class.register = register_on


def propagate_exceptions(app: Any) -> bool:
    """Return whether an application raises unhandled exceptions instead of answering with an error page."""
    configured = app.config["PROPAGATE_EXCEPTIONS"]
    return bool(app.testing or app.debug if configured is None else configured)


def _set_propagate_exceptions(app: Any, value: bool | None) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = value


def _get_env(app: Any) -> Any:
    return app.config["ENV"] if "ENV" in app.config else os.environ.get("FLASK_ENV") or "production"


def _set_env(app: Any, value: str) -> None:
    app.config["ENV"] = value


def _add_view_type(views: Any) -> None:
    """Add ``MethodViewType``, which was the metaclass of ``MethodView``. ``isinstance`` now checks inheritance."""

    class IsMethodView(type):
        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, type) and issubclass(instance, views.MethodView)

    class MethodViewType(type, metaclass=IsMethodView):
        """A metaclass whose instances are the subclasses of ``MethodView``."""

    _add(views, MethodViewType=MethodViewType, with_metaclass=with_metaclass)  # pgAdmin 5.7 uses the second.


def _accept_bytes_in_cookies(response_class: Any) -> None:
    """Let ``set_cookie()`` accept bytes as the value, for example those of a signature."""
    set_cookie = response_class.set_cookie

    @wraps(set_cookie)
    def set_cookie_from_bytes(response: Any, key: str, value: str | bytes = "", *args: Any, **kwargs: Any) -> None:
        set_cookie(response, key, value.decode() if isinstance(value, bytes) else value, *args, **kwargs)

    response_class.set_cookie = set_cookie_from_bytes


def _make_session_writable(context_class: Any) -> None:
    """Let the session of a request context be replaced. It is a property that cannot be set since Flask 3.1.3."""
    session = vars(context_class).get("session")
    if isinstance(session, property) and session.fset is None:
        context_class.session = session.setter(lambda context, value: setattr(context, "_session", value))


def _add_json(flask: Any, json_module: Any, provider: Any) -> None:
    """Add the two JSON classes, the attributes of applications and blueprints that replace them, and the settings."""
    if "JSONEncoder" in vars(json_module):
        return

    class JSONEncoder(json.JSONEncoder):
        """An encoder that also supports dates, UUIDs, dataclasses and markup."""

        def default(self, o: Any) -> Any:
            return provider.default(o)

    class JSONDecoder(json.JSONDecoder):
        """The default decoder. It adds nothing to :class:`json.JSONDecoder`."""

    JSONEncoder.__module__ = JSONDecoder.__module__ = json_module.__name__
    _add(json_module, JSONEncoder=JSONEncoder, JSONDecoder=JSONDecoder)
    flask_class = flask.Flask
    _add(flask_class, json_encoder=JSONEncoder, json_decoder=JSONDecoder)
    _add(flask.Blueprint, json_encoder=None, json_decoder=None)  # Flask-Security-Too 4.1.5
    flask_class.json_provider_class = _provider_class(flask, provider, JSONEncoder, JSONDecoder)
    # None leaves the choice to the attributes of the provider, which programs for Flask 3 set.
    settings = dict.fromkeys(["JSON_AS_ASCII", "JSON_SORT_KEYS", "JSONIFY_MIMETYPE"])
    configuration = {"JSONIFY_PRETTYPRINT_REGULAR": False, **settings}
    flask_class.default_config = type(flask_class.default_config)({**configuration, **flask_class.default_config})


def _provider_class(flask: Any, provider: Any, default_encoder: type, default_decoder: type) -> type:
    """Return a JSON provider that uses ``json_encoder``, ``json_decoder`` and the settings of Flask 1.

    :param provider: Flask's own provider.
    """

    class Provider(provider):  # type: ignore[misc]
        """Flask's own provider, with the encoder and decoder of the application or of the request's blueprint."""

        def _find(self, name: str, default: type) -> Any:
            """Return the class that the blueprint of the current request or the application has under ``name``."""
            try:
                blueprints, found = self._app.blueprints, getattr(self._app, name)
            except ReferenceError:
                # The provider has a weak reference to its application, and also works without it.
                return default
            if blueprints and flask.has_request_context():
                blueprint = blueprints.get(getattr(flask.request, "blueprint", None))
                found = getattr(blueprint, name, None) or found
            return found or default

        def dumps(self, obj: Any, **kwargs: Any) -> str:
            try:
                config: Any = self._app.config
            except ReferenceError:
                config = {}
            # Not a loop, because each session that is opened calls this method.
            if config.get("JSON_AS_ASCII") is not None:
                kwargs.setdefault("ensure_ascii", config["JSON_AS_ASCII"])
            if config.get("JSON_SORT_KEYS") is not None:
                kwargs.setdefault("sort_keys", config["JSON_SORT_KEYS"])
            encoder = kwargs.pop("cls", None)
            if encoder is not None and not issubclass(encoder, default_encoder):
                return super().dumps(obj, cls=encoder, **kwargs)  # type: ignore[no-any-return]
            encoder = encoder or self._find("json_encoder", default_encoder)
            if encoder is default_encoder:
                return super().dumps(obj, **kwargs)  # type: ignore[no-any-return]
            if encoder.default is json.JSONEncoder.default:
                return super().dumps(obj, cls=encoder, **kwargs)  # type: ignore[no-any-return]
            # Flask's method would replace the encoder's own `default`.
            kwargs.setdefault("ensure_ascii", self.ensure_ascii)
            kwargs.setdefault("sort_keys", self.sort_keys)
            return json.dumps(obj, cls=encoder, **kwargs)

        def loads(self, s: str | bytes, **kwargs: Any) -> Any:
            decoder = self._find("json_decoder", default_decoder)
            if decoder is not default_decoder:
                kwargs.setdefault("cls", decoder)
            return super().loads(s, **kwargs)

        def response(self, *args: Any, **kwargs: Any) -> Any:
            if self.compact is not None or not self._app.config.get("JSONIFY_PRETTYPRINT_REGULAR"):
                response = super().response(*args, **kwargs)
            else:
                obj = self._prepare_response_obj(args, kwargs)
                response = self._app.response_class(f"{self.dumps(obj, indent=2)}\n", mimetype=self.mimetype)
            mimetype = self._app.config.get("JSONIFY_MIMETYPE")
            if mimetype:
                response.mimetype = mimetype
            return response

    return Provider


def before_first_request(app: Any, f: Callable[[], Any]) -> Callable[[], Any]:
    """Run ``f``, without arguments, before the first request to this application is dispatched."""
    app.before_first_request_funcs.append(f)
    return f


def before_app_first_request(blueprint: Any, f: Callable[[], Any]) -> Callable[[], Any]:
    """Run ``f`` before the first request to the application that the blueprint is registered on."""
    blueprint.record_once(lambda state: state.app.before_first_request_funcs.append(f))
    return f


def _get_first_request_funcs(app: Any) -> list[Callable[[], Any]]:
    return app.__dict__.setdefault("_before_first_request_funcs", [])  # type: ignore[no-any-return]


def _set_first_request_funcs(app: Any, funcs: list[Callable[[], Any]]) -> None:
    app._before_first_request_funcs = funcs


def _run_first_request_funcs(app: Any) -> None:
    # All requests wait for the first, except a request that one of the functions makes in the same thread.
    with app.__dict__.setdefault("_before_first_request_lock", RLock()):
        if app._before_first_request_done or app._before_first_request_runs:
            return
        app._before_first_request_runs = True
        try:
            for f in app.before_first_request_funcs:
                app.ensure_sync(f)()
            app._before_first_request_done = True
        finally:
            app._before_first_request_runs = False


def _add_before_first_request(flask_class: Any, blueprint_class: Any) -> None:
    """Add ``before_first_request``, whose functions run once, before the first request is dispatched."""
    dispatch = flask_class.full_dispatch_request

    @wraps(dispatch)
    def full_dispatch_request(app: Any) -> Any:
        if not app._before_first_request_done:
            _run_first_request_funcs(app)
        return dispatch(app)

    flask_class._before_first_request_done = flask_class._before_first_request_runs = False
    flask_class.before_first_request_funcs = property(_get_first_request_funcs, _set_first_request_funcs)
    flask_class.before_first_request = before_first_request
    flask_class.try_trigger_before_first_request_functions = _run_first_request_funcs  # Flask-CeleryExt 0.3.4
    flask_class.got_first_request = property(attrgetter("_before_first_request_done"))
    flask_class.full_dispatch_request = full_dispatch_request
    blueprint_class.before_app_first_request = before_app_first_request


# --- Behavior of Flask 1 that must be requested. Each change is cached, as it may be requested twice for a package.


class Credentials(dict):  # type: ignore[type-arg]
    """The parameters of an ``Authorization`` header of type Basic or Digest."""

    def __init__(self, type: str, parameters: Any) -> None:
        super().__init__(parameters)
        self.type = type

    def __getattr__(self, name: str) -> Any:
        # As in Werkzeug 1, any parameter that was not sent is None.
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)


def _credentials(found: Any) -> Credentials | None:
    if found is None or found.type not in ("basic", "digest"):
        return None
    return Credentials(found.type, found.parameters)


@cache
def _json_or_none(flask: Any) -> None:
    # Not Flask's class, whose method calls this one: the tests of Flask-RESTful 0.3.9 parse requests of Werkzeug.
    request_class: Any = werkzeug.wrappers.Request
    refuse = request_class.on_json_loading_failed

    def on_json_loading_failed(request: Any, e: ValueError | None) -> Any:
        return None if e is None else refuse(request, e)

    request_class.on_json_loading_failed = on_json_loading_failed


@cache
def _absolute_location(flask: Any) -> None:
    flask.Response.autocorrect_location_header = True


@cache
def _authorization_as_dict(flask: Any) -> None:
    request_class = flask.Request
    read = request_class.authorization

    def authorization(request: Any) -> Credentials | None:
        return _credentials(read.__get__(request))

    request_class.authorization = property(authorization)


@cache
def _late_setup(flask: Any) -> None:
    # In debug mode, an application still checks, as in Flask 1. That of schlenk checks in debug mode only anyway.
    check = getattr(flask.Flask, "_check_setup_finished", None)
    if check is not None:

        def check_in_debug_mode(app: Any, f_name: str) -> None:
            if app.debug:
                check(app, f_name)

        flask.Flask._check_setup_finished = check_in_debug_mode
        flask.Blueprint._check_setup_finished = lambda blueprint, f_name: None


@cache
def _converters_with_slashes(flask: Any) -> None:
    rule_class: Any = werkzeug.routing.Rule
    get = rule_class.get_converter

    @wraps(get)
    def get_converter(*args: Any, **kwargs: Any) -> Any:
        converter = get(*args, **kwargs)
        let_match_slashes(converter)
        return converter

    rule_class.get_converter = get_converter


_CHANGES: dict[str, Callable[[Any], None]] = {
    "request.json": _json_or_none,
    "location": _absolute_location,
    "authorization": _authorization_as_dict,
    "setup": _late_setup,
    "converters": _converters_with_slashes,
}
