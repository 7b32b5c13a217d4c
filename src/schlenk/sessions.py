"""What is remembered of a client from one request to the next, and the signed cookie it is kept in.

itsdangerous signs the cookie; :mod:`schlenk.json.tag` writes what is signed. Cookies are those of Flask: what one
writes the other reads.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import warnings
from collections.abc import MutableMapping
from datetime import datetime, timedelta, timezone
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Callable, NoReturn, TypeVar

from itsdangerous import BadData, Signer, TimestampSigner, URLSafeTimedSerializer
from werkzeug.datastructures import CallbackDict
from werkzeug.http import parse_set_header

from .json.tag import TaggedJSONSerializer

if TYPE_CHECKING:
    from .app import Flask
    from .wrappers import Request, Response

F = TypeVar("F", bound=Callable[..., Any])

_ends_a_cookie_pair = re.compile(r"[;=\0-\x1f\x7f]")

session_json_serializer = TaggedJSONSerializer()
"""Turns sessions into text: register tags for types of your own with it."""


class SessionMixin(MutableMapping[str, Any]):
    """A dictionary that knows what became of it: what ``session`` stands for.

    ``new`` tells whether it was made in this request, ``modified`` whether it was changed and ``accessed`` whether it
    was looked at; a session that can't tell says what leads to its being saved. As in Flask 1.1.
    """

    new = False
    modified = True
    accessed = True

    @property
    def permanent(self) -> bool:
        """Whether the session outlives the browser's, for ``PERMANENT_SESSION_LIFETIME``. May be set."""
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


def _reading(method: F) -> F:
    @wraps(method)
    def read(self: SecureCookieSession, *args: Any, **kwargs: Any) -> Any:
        self.accessed = True
        return method(self, *args, **kwargs)

    return read  # type: ignore[return-value]


def _changed(session: SecureCookieSession) -> None:
    session.modified = session.accessed = True


class SecureCookieSession(CallbackDict, SessionMixin):  # type: ignore[type-arg]
    """A session that is kept in a cookie.

    :param initial: what it holds at first: a dictionary or pairs.

    A change sets ``modified``; a list or dictionary inside it that is changed doesn't: assign it again, or set
    ``modified`` yourself.

    >>> session = SecureCookieSession({"user": "ada"})
    >>> "user" in session, session.accessed, session.modified
    (True, True, False)
    >>> session["visits"] = 1; session.modified
    True

    As in Flask 1.1, where only reading a value counted as access, and not ``in``, ``len`` or iteration: an answer that
    depends on these depends on the cookie too, and caches have to be told.
    """

    modified = False
    accessed = False
    on_update = staticmethod(_changed)

    def __init__(self, initial: Any = None) -> None:
        dict.__init__(self, () if initial is None else initial)

    def __getitem__(self, key: str) -> Any:
        self.accessed = True
        return dict.__getitem__(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``, or ``default`` where there is none."""
        self.accessed = True
        return dict.get(self, key, default)

    __contains__ = _reading(CallbackDict.__contains__)
    __len__ = _reading(CallbackDict.__len__)
    __iter__ = _reading(CallbackDict.__iter__)
    __reversed__ = _reading(CallbackDict.__reversed__)
    __eq__ = _reading(CallbackDict.__eq__)
    __ne__ = _reading(CallbackDict.__ne__)
    __or__ = _reading(CallbackDict.__or__)
    __ror__ = _reading(CallbackDict.__ror__)
    __repr__ = _reading(CallbackDict.__repr__)
    __hash__ = None  # type: ignore[assignment]
    # Where there is nothing to take they fail, and that tells of the session too.
    __delitem__ = _reading(CallbackDict.__delitem__)
    popitem = _reading(CallbackDict.popitem)
    setdefault = _reading(CallbackDict.setdefault)
    keys = _reading(CallbackDict.keys)
    values = _reading(CallbackDict.values)
    items = _reading(CallbackDict.items)
    copy = _reading(CallbackDict.copy)


class NullSession(SecureCookieSession):
    """The session of an application without a secret key: it can be read, being empty; writing is a ``RuntimeError``.

    As in Flask 1.1.
    """

    def _fail(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            "The session can't be written, because the application has no secret key to sign its cookie with: "
            "set app.secret_key (or SECRET_KEY in its configuration) to a long random value that stays secret."
        )

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = update = setdefault = _fail


class SessionInterface:
    """Opens a session at the beginning of a request and saves it at its end: what ``app.session_interface`` is.

    Subclass it for another store: ``open_session`` and ``save_session`` have to be written, the rest reads the
    configuration of ``app``, the application that each method is given. As in Flask 1.1.

    >>> class InMemory(SessionInterface):
    ...     kept = SecureCookieSession()
    ...     def open_session(self, app, request):
    ...         return self.kept
    ...     def save_session(self, app, session, response):
    ...         pass
    """

    null_session_class: type[SessionMixin] = NullSession
    """What :meth:`make_null_session` makes."""

    pickle_based = False
    """Whether sessions may hold whatever can be pickled. Nothing here asks; extensions do."""

    def make_null_session(self, app: Flask) -> SessionMixin:
        """Return the session to use where :meth:`open_session` gave ``None``; it is not saved."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Return whether ``obj`` is such a session."""
        return isinstance(obj, self.null_session_class)

    def get_cookie_domain(self, app: Flask) -> str | None:
        """Return ``SESSION_COOKIE_DOMAIN``, or else what ``SERVER_NAME`` leads to; ``None`` for this host alone.

        What ``SERVER_NAME`` leads to is kept in the configuration, ``False`` standing for ``None``.
        """
        domain = app.config["SESSION_COOKIE_DOMAIN"]
        if domain is None:
            domain = app.config["SESSION_COOKIE_DOMAIN"] = self._domain_of_server(app) or False
        return domain or None

    def _domain_of_server(self, app: Flask) -> str | None:
        if not app.config["SERVER_NAME"]:
            return None
        host: str = app.config["SERVER_NAME"].rsplit(":", 1)[0].lstrip(".")
        if "." not in host:
            warnings.warn(
                f"Browsers refuse cookies for {host!r}, the host in SERVER_NAME, because it has no dot: the session "
                "cookie is sent without a domain. For cookies that subdomains share, use a name such as "
                f"'{host}.localdomain'.",
                stacklevel=5,
            )
            return None
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return f".{host}" if self.get_cookie_path(app) == "/" else host
        warnings.warn(
            f"The session cookie is for the IP address {host}, from SERVER_NAME: some browsers refuse such cookies.",
            stacklevel=5,
        )
        return host

    def get_cookie_path(self, app: Flask) -> str:
        """Return ``SESSION_COOKIE_PATH``, or else ``APPLICATION_ROOT``."""
        path: str = app.config["SESSION_COOKIE_PATH"] or app.config["APPLICATION_ROOT"]
        return path

    def get_cookie_httponly(self, app: Flask) -> bool:
        """Return ``SESSION_COOKIE_HTTPONLY``: whether scripts in the browser can't see the cookie."""
        return bool(app.config["SESSION_COOKIE_HTTPONLY"])

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return ``SESSION_COOKIE_SECURE``: whether the cookie is sent by HTTPS only."""
        return bool(app.config["SESSION_COOKIE_SECURE"])

    def get_cookie_samesite(self, app: Flask) -> str | None:
        """Return ``SESSION_COOKIE_SAMESITE``: ``"Strict"``, ``"Lax"``, ``"None"`` or ``None``."""
        samesite: str | None = app.config["SESSION_COOKIE_SAMESITE"]
        return samesite

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> datetime | None:
        """Return when a permanent session expires, in UTC; ``None`` for one that ends with the browser's."""
        if not session.permanent:
            return None
        # Naive, as in Flask 1.1: stores of extensions compare it with what they keep.
        lifetime: timedelta = app.permanent_session_lifetime
        return datetime.now(timezone.utc).replace(tzinfo=None) + lifetime

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Return whether to send the cookie: the session was modified, or is permanent and refreshed each time.

        ``SESSION_REFRESH_EACH_REQUEST`` decides of the latter.
        """
        return session.modified or (session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"])

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        """Return the session that belongs to ``request``, or ``None`` where sessions can't be had.

        :raises NotImplementedError: a subclass hasn't written it.
        """
        raise NotImplementedError(f"{type(self).__name__} has to say where sessions come from: define open_session().")

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Keep ``session``, and let ``response`` tell the client what it needs to come back to it.

        :raises NotImplementedError: a subclass hasn't written it.
        """
        raise NotImplementedError(f"{type(self).__name__} has to say where sessions go: define save_session().")


class _Signer(TimestampSigner):
    """Derives the key of each secret once, not with every cookie (two hashes, 4 µs)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.derived: dict[Any, bytes] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        if isinstance(secret_key, bytearray):
            # May change.
            return super().derive_key(secret_key)
        key = self.derived.get(secret_key)
        if key is None:
            key = self.derived[secret_key] = super().derive_key(secret_key)
        return key


class _Serializer(URLSafeTimedSerializer):
    """Makes one signer for all cookies."""

    @cached_property
    def own_signer(self) -> Signer:
        return super().make_signer()

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        return self.own_signer if salt is None or salt == self.salt else super().make_signer(salt)


class SecureCookieSessionInterface(SessionInterface):
    """Keeps sessions in signed cookies: the client can read them, and can't change them. As in Flask 1.1.

    The cookie goes with ``Vary: Cookie`` whenever it was looked at, set or taken away, so that no cache gives one
    client's answer to another.
    """

    salt = "cookie-session"
    """Keeps these signatures apart from others made with the same key."""

    digest_method = staticmethod(hashlib.sha1)
    """The hash that signatures are made with."""

    key_derivation = "hmac"
    """How itsdangerous derives the key to sign with from the secret key."""

    serializer = session_json_serializer
    """Turns the session into text and back."""

    session_class: Callable[..., SessionMixin] = SecureCookieSession
    """What :meth:`open_session` makes."""

    _made: tuple[Any, URLSafeTimedSerializer | None] = (None, None)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return what signs and checks cookies, or ``None`` where ``app`` has no secret key.

        It signs with the secret key, and takes what was signed with one of ``SECRET_KEY_FALLBACKS`` too.

        :raises TypeError: these are a string, not a list of strings.
        """
        secret_key = app.secret_key
        if not secret_key:
            return None
        # Making one takes as long as all the rest of a small request (15 µs): it is kept while what it's made of stays.
        fallbacks = app.config.get("SECRET_KEY_FALLBACKS") or ()
        if isinstance(fallbacks, (str, bytes, bytearray)):
            raise TypeError(
                "SECRET_KEY_FALLBACKS is one key, of which each letter would be taken for a key: put it into a list."
            )
        # An empty one, as from a variable that isn't set, would let anybody sign.
        fallbacks = tuple(filter(None, fallbacks))
        ingredients = (secret_key, fallbacks, self.salt, self.serializer, self.key_derivation, self.digest_method)
        made_of, serializer = self._made
        if serializer is None or made_of != ingredients:
            serializer = _Serializer(
                # The last one signs, all of them check.
                (*fallbacks, secret_key),
                salt=self.salt,
                serializer=self.serializer,
                signer=_Signer,
                signer_kwargs={"key_derivation": self.key_derivation, "digest_method": self.digest_method},
            )
            self._made = (ingredients, serializer)
        return serializer

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        """Return the session in the request's cookie, an empty one where the cookie isn't a good one of ours.

        ``None`` where there is no secret key.
        """
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        cookies = request.cookies
        # To look in vain costs Werkzeug an exception (1.3 µs).
        cookie = cookies.get(app.session_cookie_name) if cookies else None
        if not cookie:
            return self.session_class()
        try:
            values = serializer.loads(cookie, max_age=int(app.permanent_session_lifetime.total_seconds()))
        except (BadData, UnicodeError):
            return self.session_class()
        try:
            values = dict(values)
        except (TypeError, ValueError):
            # Signed with our key, but by somebody who keeps something else in such cookies.
            return self.session_class()
        return self.session_class(values)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Set the cookie if :meth:`should_set_cookie`, take it away if the session was emptied.

        :raises TypeError: the session holds something that can't be kept; the message says what. ``ValueError`` or
            ``RecursionError`` where that is JSON's complaint of it.
        :raises ValueError: the name or the domain of the cookie would break out of its place in the header.
        """
        domain = self.get_cookie_domain(app)
        path = self.get_cookie_path(app)
        accessed = session.accessed
        empty = not session
        # To ask was an access too, and not one of the application's.
        if session.accessed != accessed:
            session.accessed = accessed
        if accessed:
            _vary_by_cookie(response)
        if not (session.modified if empty else self.should_set_cookie(app, session)):
            return
        if not accessed:
            _vary_by_cookie(response)
        for setting in (app.session_cookie_name, domain or ""):
            if _ends_a_cookie_pair.search(setting):
                raise ValueError(
                    f"{setting!r} can't be the name or the domain of a cookie, as browsers would take a part of it for "
                    "something else: see SESSION_COOKIE_NAME, SESSION_COOKIE_DOMAIN and SERVER_NAME."
                )
        if empty:
            # Browsers keep a cookie that is Secure by its name or SameSite=None when it is taken away without.
            secure, samesite = self.get_cookie_secure(app), self.get_cookie_samesite(app)
            response.delete_cookie(app.session_cookie_name, domain=domain, path=path, secure=secure, samesite=samesite)
            return
        response.set_cookie(
            app.session_cookie_name,
            httponly=self.get_cookie_httponly(app),
            secure=self.get_cookie_secure(app),
            samesite=self.get_cookie_samesite(app),
            expires=self.get_expiration_time(app, session),
            value=self._sign(app, dict(session)),
            domain=domain,
            path=path,
        )

    def _sign(self, app: Flask, values: dict[str, Any]) -> str:
        serializer = self.get_signing_serializer(app)
        try:
            return str(serializer.dumps(values))  # type: ignore[union-attr]
        except _UNKEEPABLE as error:
            for key, value in values.items():
                try:
                    serializer.dumps({key: value})  # type: ignore[union-attr]
                except _UNKEEPABLE as reason:
                    raise _kind(reason)(
                        f"session[{key!r}] can't be kept in the cookie, as JSON has nothing for it: {reason}. Keep "
                        "something simpler, or register a tag with schlenk.sessions.session_json_serializer."
                    ) from error
            raise _kind(error)(
                f"The session can't be kept in the cookie, though each value could be alone: {error}. Its keys have to "
                "be strings."
            ) from error


def _vary_by_cookie(response: Response) -> None:
    if "Vary" in response.headers:
        # response.vary would see only the first of several headers.
        vary = parse_set_header(", ".join(response.headers.getlist("Vary")))
        vary.add("Cookie")
        response.headers["Vary"] = vary.to_header()
    else:
        # To make a set of no header and a header of that set takes 7 µs.
        response.headers["Vary"] = "Cookie"


# What JSON is refused with: of another type, too deep, or a number or text that can't be written out.
_UNKEEPABLE = (TypeError, RecursionError, ValueError)


def _kind(error: Exception) -> type[Exception]:
    return next(kind for kind in _UNKEEPABLE if isinstance(error, kind))
