"""Sessions, and the default session interface, which stores them in signed cookies.

:mod:`schlenk.json.tag` serializes a session, and itsdangerous signs the result. The format is Flask's, so Flask and
schlenk can read each other's cookies.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import warnings
from collections.abc import MutableMapping
from datetime import datetime, timedelta, timezone
from functools import wraps
from typing import TYPE_CHECKING, Any, Callable, NoReturn, TypeVar

from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.datastructures import CallbackDict
from werkzeug.http import parse_set_header

from .json.tag import TaggedJSONSerializer
from .shortcuts import signing_serializer

if TYPE_CHECKING:
    from .app import Flask
    from .wrappers import Request, Response

F = TypeVar("F", bound=Callable[..., Any])

_cookie_delimiters = re.compile(r"[;=\0-\x1f\x7f]")

session_json_serializer = TaggedJSONSerializer()
"""The serializer for session cookies. To store another type in a session, register a tag for it here."""


class SessionMixin(MutableMapping[str, Any]):
    """The interface of sessions: a dictionary with a few more attributes.

    A session class that does not track changes or access inherits ``True``, so its sessions are always saved.
    """

    new = False
    """Whether the session was created during this request."""

    modified = True
    """Whether the session was changed during this request."""

    accessed = True
    """Whether the session was read or changed during this request."""

    @property
    def permanent(self) -> bool:
        """Whether the session lasts for ``PERMANENT_SESSION_LIFETIME`` instead of until the browser is closed.

        It can be set.
        """
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


def _set_accessed(method: F) -> F:
    """Make a method set ``accessed``, even if it raises: a missing key reveals something about the session as well."""

    @wraps(method)
    def accessing(self: SecureCookieSession, *args: Any, **kwargs: Any) -> Any:
        self.accessed = True
        return method(self, *args, **kwargs)

    return accessing  # type: ignore[return-value]


def _set_modified(session: SecureCookieSession) -> None:
    session.modified = session.accessed = True


class SecureCookieSession(CallbackDict, SessionMixin):  # type: ignore[type-arg]
    """A session that is stored in a cookie, which tracks access and changes.

    Assigning to a key sets ``modified``. Changing a list or dictionary inside the session does not: assign it again, or
    set ``modified`` to ``True``.

    In Flask 1.1, ``in``, ``len()`` and iteration did not set ``accessed``, although a response that depends on them
    needs ``Vary: Cookie`` as well. Here they set it.

    :param initial: the initial contents, a mapping or an iterable of pairs.

    >>> session = SecureCookieSession({"user": "ada"})
    >>> "user" in session, session.accessed, session.modified
    (True, True, False)
    >>> session["visits"] = 1; session.modified
    True
    """

    modified = False
    accessed = False
    on_update = staticmethod(_set_modified)

    def __init__(self, initial: Any = None) -> None:
        dict.__init__(self, () if initial is None else initial)
        if type(self) is not SecureCookieSession:
            # A method of this name in a subclass is not called. Setting the attribute takes 0.1 µs.
            self.on_update = _set_modified

    def __getitem__(self, key: str) -> Any:
        self.accessed = True
        return dict.__getitem__(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value for ``key``, or ``default`` if the session does not contain it."""
        self.accessed = True
        return dict.get(self, key, default)

    # Not made by _set_accessed(), which would cost each request 0.2 µs.
    def __len__(self) -> int:
        self.accessed = True
        return dict.__len__(self)

    __contains__ = _set_accessed(CallbackDict.__contains__)
    __iter__ = _set_accessed(CallbackDict.__iter__)
    __reversed__ = _set_accessed(CallbackDict.__reversed__)
    __eq__ = _set_accessed(CallbackDict.__eq__)
    __ne__ = _set_accessed(CallbackDict.__ne__)
    __or__ = _set_accessed(CallbackDict.__or__)
    __ror__ = _set_accessed(CallbackDict.__ror__)
    __repr__ = _set_accessed(CallbackDict.__repr__)
    __hash__ = None  # type: ignore[assignment]
    __delitem__ = _set_accessed(CallbackDict.__delitem__)
    popitem = _set_accessed(CallbackDict.popitem)
    setdefault = _set_accessed(CallbackDict.setdefault)
    keys = _set_accessed(CallbackDict.keys)
    values = _set_accessed(CallbackDict.values)
    items = _set_accessed(CallbackDict.items)
    copy = _set_accessed(CallbackDict.copy)


class NullSession(SecureCookieSession):
    """The session of an application without a secret key. It is empty, and changing it raises ``RuntimeError``."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            "The session cannot be changed, because no secret key is set to sign its cookie with. Set app.secret_key "
            "(the setting SECRET_KEY) to a long random value, and keep that value secret."
        )

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = update = setdefault = _refuse


class SessionInterface:
    """Base class for session interfaces, which open the session of a request and save it.

    To store sessions elsewhere, define ``open_session`` and ``save_session`` in a subclass and set
    ``app.session_interface`` to an instance. The other methods read the configuration of their ``app``.

    >>> class MemorySessionInterface(SessionInterface):
    ...     stored = SecureCookieSession()
    ...     def open_session(self, app, request):
    ...         return self.stored
    ...     def save_session(self, app, session, response):
    ...         pass
    """

    null_session_class: type[SessionMixin] = NullSession
    """The class used for null sessions, which replace a session that cannot be opened."""

    pickle_based = False
    """Whether sessions can contain any object that can be pickled. Only extensions read it."""

    def make_null_session(self, app: Flask) -> SessionMixin:
        """Create a null session, which is used if :meth:`open_session` returned ``None``."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Return whether ``obj`` is a null session, which is not saved."""
        if type(obj) is SecureCookieSession and self.null_session_class is NullSession:
            # isinstance() takes 0.3 µs, because the classes of sessions have an abstract base class.
            return False
        return isinstance(obj, self.null_session_class)

    def get_cookie_domain(self, app: Flask) -> str | None:
        """Return the domain of the session cookie, or ``None`` for a cookie that only the current host receives.

        The domain is ``SESSION_COOKIE_DOMAIN``. If that is ``None``, the domain is derived from ``SERVER_NAME`` and
        stored in ``SESSION_COOKIE_DOMAIN``, or ``False`` if there is none.
        """
        domain = app.config["SESSION_COOKIE_DOMAIN"]
        if domain is None:
            domain = app.config["SESSION_COOKIE_DOMAIN"] = self._server_domain(app) or False
        return domain or None

    def _server_domain(self, app: Flask) -> str | None:
        if not app.config["SERVER_NAME"]:
            return None
        host: str = app.config["SERVER_NAME"].rsplit(":", 1)[0].lstrip(".")
        if "." not in host:
            warnings.warn(
                f"SERVER_NAME contains the host {host!r}. Browsers reject cookies for a domain without a dot, so the "
                "session cookie is sent without a domain and subdomains do not receive it. To share it with them, use "
                f"a name such as '{host}.localdomain'.",
                stacklevel=3,
            )
            return None
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return f".{host}" if self.get_cookie_path(app) == "/" else host
        warnings.warn(
            f"SERVER_NAME contains the IP address {host}, which becomes the domain of the session cookie. Some "
            "browsers reject such cookies.",
            stacklevel=3,
        )
        return host

    def get_cookie_path(self, app: Flask) -> str:
        """Return the path of the session cookie: ``SESSION_COOKIE_PATH`` or ``APPLICATION_ROOT``."""
        path: str = app.config["SESSION_COOKIE_PATH"] or app.config["APPLICATION_ROOT"]
        return path

    def get_cookie_httponly(self, app: Flask) -> bool:
        """Return ``SESSION_COOKIE_HTTPONLY``: whether the cookie is hidden from scripts in the browser."""
        return bool(app.config["SESSION_COOKIE_HTTPONLY"])

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return ``SESSION_COOKIE_SECURE``: whether browsers send the cookie over HTTPS only."""
        return bool(app.config["SESSION_COOKIE_SECURE"])

    def get_cookie_samesite(self, app: Flask) -> str | None:
        """Return ``SESSION_COOKIE_SAMESITE``: ``"Strict"``, ``"Lax"``, ``"None"`` or ``None``."""
        samesite: str | None = app.config["SESSION_COOKIE_SAMESITE"]
        return samesite

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> datetime | None:
        """Return the time at which a session expires, in UTC, or ``None`` if the session is not permanent."""
        if not session.permanent:
            return None
        # Naive as in Flask 1.1, because session extensions compare it with naive times.
        lifetime: timedelta = app.permanent_session_lifetime
        return datetime.now(timezone.utc).replace(tzinfo=None) + lifetime

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Return whether the response must set the session cookie.

        True if the session was modified, or if it is permanent and ``SESSION_REFRESH_EACH_REQUEST`` is set.
        """
        return session.modified or (session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"])

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        """Return the session for a request, or ``None`` to use a null session.

        :raises NotImplementedError: the subclass does not define this method.
        """
        raise NotImplementedError(f"{type(self).__name__} must define open_session(), which returns the session.")

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Store a session, and add the means to identify it to the response, usually a cookie.

        :raises NotImplementedError: the subclass does not define this method.
        """
        raise NotImplementedError(f"{type(self).__name__} must define save_session(), which stores the session.")


class SecureCookieSessionInterface(SessionInterface):
    """The default session interface, which stores sessions in signed cookies. Clients can read but not change them.

    If the session was accessed, or the cookie is set or deleted, the response gets the header ``Vary: Cookie``, so that
    caches do not serve it to other clients.
    """

    salt = "cookie-session"
    """The salt, which distinguishes these signatures from others made with the same secret key."""

    digest_method = staticmethod(hashlib.sha1)
    """The hash function used for signatures."""

    key_derivation = "hmac"
    """The method by which itsdangerous derives the signing key from the secret key."""

    serializer = session_json_serializer
    """The serializer that converts a session to a string and back."""

    session_class: Callable[..., SessionMixin] = SecureCookieSession
    """The class used for sessions."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return the serializer that signs and verifies cookies, or ``None`` if ``app`` has no secret key.

        It signs with the secret key, and also accepts signatures made with one of ``SECRET_KEY_FALLBACKS``.

        :raises TypeError: ``SECRET_KEY_FALLBACKS`` is a single key instead of a list.
        """
        secret_key = app.secret_key
        if not secret_key:
            return None
        fallbacks = app.config.get("SECRET_KEY_FALLBACKS")
        if isinstance(fallbacks, (str, bytes, bytearray)):
            raise TypeError(
                "SECRET_KEY_FALLBACKS is a single key, so each of its letters would become a key. Put it into a list."
            )
        return signing_serializer(
            # The last key signs, and all of them verify. With an empty key, as from an environment variable that is not
            # set, anyone could sign.
            (*filter(None, fallbacks), secret_key) if fallbacks else (secret_key,),
            self.salt,
            self.serializer,
            self.key_derivation,
            self.digest_method,
        )

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        """Return the session in the request's cookie, or an empty one if the cookie is missing, invalid or expired.

        :returns: the session, or ``None`` if the application has no secret key.
        :raises TypeError: ``SECRET_KEY_FALLBACKS`` is a single key instead of a list.
        """
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        cookies = request.cookies
        # Without cookies, get() would raise and catch an exception in Werkzeug (1.3 µs).
        cookie = cookies.get(app.session_cookie_name) if cookies else None
        if not cookie:
            return self.session_class()
        values: Any = {}
        try:
            values = serializer.loads(cookie, max_age=int(app.permanent_session_lifetime.total_seconds()))
            return self.session_class(values)
        except (BadData, UnicodeError):
            return self.session_class()
        except (AttributeError, TypeError, ValueError):
            if isinstance(values, dict):
                raise
            # Another program signed it with the same key and salt, but did not store a dictionary.
            return self.session_class()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Set the session cookie if :meth:`should_set_cookie` returns true, or delete it if the session became empty.

        :raises TypeError: the session contains a value that cannot be stored, which the message names. The error is
            ``ValueError`` or ``RecursionError`` if the JSON encoder raised that.
        :raises ValueError: the name or domain of the cookie contains a delimiter.
        """
        domain = self.get_cookie_domain(app)
        path = self.get_cookie_path(app)
        accessed = session.accessed
        empty = not session
        # The line above has set `accessed`, but the application has not accessed the session.
        if session.accessed != accessed:
            try:
                session.accessed = accessed
            except AttributeError:
                # A read-only property of another session class. It counts the line above.
                accessed = session.accessed
        if accessed:
            _vary_by_cookie(response)
        if not (session.modified if empty else self.should_set_cookie(app, session)):
            return
        if not accessed:
            _vary_by_cookie(response)
        for setting in (app.session_cookie_name, domain or ""):
            if _cookie_delimiters.search(setting):
                raise ValueError(
                    f"{setting!r} cannot be the name or domain of a cookie, because it contains a delimiter. Check "
                    "SESSION_COOKIE_NAME, SESSION_COOKIE_DOMAIN and SERVER_NAME."
                )
        if empty:
            # Without these attributes, browsers keep a cookie that was set with SameSite=None or a __Secure- name.
            attributes: dict[str, Any] = {
                "secure": self.get_cookie_secure(app), "samesite": self.get_cookie_samesite(app)
            }  # fmt: skip
            needed = {name: value for name, value in attributes.items() if value}
            response.delete_cookie(app.session_cookie_name, domain=domain, path=path, **needed)
            return
        response.set_cookie(
            app.session_cookie_name,
            self._sign(app, dict(session)),
            httponly=self.get_cookie_httponly(app),
            secure=self.get_cookie_secure(app),
            samesite=self.get_cookie_samesite(app),
            expires=self.get_expiration_time(app, session),
            domain=domain,
            path=path,
        )

    def _sign(self, app: Flask, values: dict[str, Any]) -> str:
        serializer = self.get_signing_serializer(app)
        try:
            return str(serializer.dumps(values))  # type: ignore[union-attr]
        except _ENCODING_ERRORS as error:
            for key, value in values.items():
                try:
                    serializer.dumps({key: value})  # type: ignore[union-attr]
                except _ENCODING_ERRORS as reason:
                    raise _encoding_error(reason)(
                        f"session[{key!r}] cannot be stored in the session cookie: {reason}. Store a value that JSON "
                        "supports, or register a tag for its type with schlenk.sessions.session_json_serializer."
                    ) from error
            raise _encoding_error(error)(
                f"The session cannot be stored in the session cookie, although each of its values can: {error}. All "
                "keys must be strings."
            ) from error


def _vary_by_cookie(response: Response) -> None:
    if "Vary" in response.headers:
        # response.vary reads only the first of several headers.
        vary = parse_set_header(", ".join(response.headers.getlist("Vary")))
        vary.add("Cookie")
        response.headers["Vary"] = vary.to_header()
    else:
        # Parsing and formatting a set would take 7 µs.
        response.headers["Vary"] = "Cookie"


# Raised for unsupported types, for values nested too deeply, and for numbers or text that cannot be encoded.
_ENCODING_ERRORS = (TypeError, RecursionError, ValueError)


def _encoding_error(error: Exception) -> type[Exception]:
    """Return the class in ``_ENCODING_ERRORS`` that ``error`` belongs to. A subclass may need other arguments."""
    return next(error_class for error_class in _ENCODING_ERRORS if isinstance(error, error_class))
