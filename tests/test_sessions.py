"""Sessions: tracking of access and changes, the session cookie, and other session interfaces."""

from __future__ import annotations

import hashlib
import operator
import time
import uuid
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta, timezone
from http.cookies import Morsel, SimpleCookie
from typing import Any, Callable

import pytest
from itsdangerous import BadSignature, URLSafeTimedSerializer

from schlenk import Flask, Markup, Request, Response, session
from schlenk.json.tag import TaggedJSONSerializer
from schlenk.sessions import (
    NullSession,
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMixin,
)

Act = Callable[[Any], Any]


def application(act: Act = lambda session: None, **settings: Any) -> Flask:
    """Make an application whose only view returns the result of ``act(session)``."""
    app = Flask("remembering")
    app.testing = True
    app.secret_key = "key"
    app.config.update(settings)
    app.add_url_rule("/", "index", lambda: {"got": act(session)})
    return app


def write(session: Any) -> None:
    session["user"] = "ada"


def request_with(app: Flask, cookie: str | None = None, **arguments: Any) -> Any:
    headers = {} if cookie is None else {"Cookie": f"{app.session_cookie_name}={cookie}"}
    return app.test_client(use_cookies=False).get("/", headers=headers, **arguments)


def cookie_of(response: Any) -> Morsel[str]:
    ((_, morsel),) = SimpleCookie(response.headers["Set-Cookie"]).items()
    return morsel


def cookie_with(values: Any, app: Flask) -> str:
    """Return the session cookie with ``values``, signed as ``app`` signs it."""
    return app.session_interface.get_signing_serializer(app).dumps(values)


# Access and changes

READ = {
    "[]": lambda session: session["user"],
    "get": lambda session: session.get("user"),
    "setdefault": lambda session: session.setdefault("user", "eve"),
    "in": lambda session: "user" in session,
    "len": len,
    "bool": bool,
    "iter": lambda session: next(iter(session)),
    "reversed": lambda session: list(reversed(session)),
    "keys": lambda session: session.keys(),
    "values": lambda session: session.values(),
    "items": lambda session: session.items(),
    "copy": lambda session: session.copy(),
    "==": lambda session: session == {},
    "!=": lambda session: session != {},
    "|": lambda session: session | {},
    "from the right |": lambda session: {} | session,
    "repr": repr,
    "permanent": lambda session: session.permanent,
}
WRITE = {
    "[]": write,
    "del": lambda session: operator.delitem(session, "user"),
    "pop": lambda session: session.pop("user"),
    "popitem": lambda session: session.popitem(),
    "clear": lambda session: session.clear(),
    "update": lambda session: session.update(user="eve"),
    "setdefault": lambda session: session.setdefault("age", 36),
    "|=": lambda session: operator.ior(session, {"user": "eve"}),
    "permanent": lambda session: setattr(session, "permanent", True),
}


@pytest.mark.parametrize("take", [lambda session: session.__delitem__("flag"), SecureCookieSession.popitem])
def test_pop_of_missing_key_is_access_only(take: Act) -> None:
    session = SecureCookieSession()
    with pytest.raises(KeyError):
        take(session)
    assert session.accessed is True
    assert session.modified is False


def test_new_session_is_untouched() -> None:
    session = SecureCookieSession({"user": "ada"})
    assert session.new is False
    assert session.accessed is False
    assert session.modified is False


@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_reading_is_access_only(read: Act) -> None:
    session = SecureCookieSession({"user": "ada"})
    read(session)
    assert session.accessed is True
    assert session.modified is False


@pytest.mark.parametrize("change", WRITE.values(), ids=WRITE)
def test_writing_sets_both_flags(change: Act) -> None:
    session = SecureCookieSession({"user": "ada"})
    change(session)
    assert session.accessed is True
    assert session.modified is True


def test_reading_returns_values() -> None:
    session = SecureCookieSession({"user": "ada", "age": 36})
    assert session["user"] == "ada"
    assert session.get("name", "none") == "none"
    assert "age" in session
    assert "name" not in session
    assert len(session) == 2
    assert list(session) == ["user", "age"]
    assert list(session.values()) == ["ada", 36]
    assert session == {"user": "ada", "age": 36}


def test_methods_keep_their_names() -> None:
    assert SecureCookieSession.keys.__name__ == "keys"


def test_nested_change_is_missed() -> None:
    session = SecureCookieSession({"names": []})
    session.modified = False
    session["names"].append("ada")
    assert session.modified is False


def test_session_is_unhashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(SecureCookieSession())


def test_on_update_method_is_not_called() -> None:
    class Mine(SecureCookieSession):
        def on_update(self) -> None:
            raise AssertionError("on_update() was called")

    session = Mine()
    session["user"] = "ada"
    assert session.modified is True


def test_flagless_session_counts_as_accessed() -> None:
    class Plain(dict, SessionMixin):
        pass

    assert Plain().new is False
    assert Plain().accessed is True
    assert Plain().modified is True


@pytest.mark.parametrize(("value", "permanent"), [(True, True), (1, True), (False, False), ("", False)])
def test_permanent_is_a_bool(value: Any, permanent: bool) -> None:
    session = SecureCookieSession()
    session.permanent = value
    assert session.permanent == permanent
    assert dict(session) == {"_permanent": permanent}


def test_permanent_is_false_by_default() -> None:
    assert SecureCookieSession().permanent is False


# Null sessions


@pytest.mark.parametrize("change", WRITE.values(), ids=WRITE)
def test_null_session_explains(change: Act) -> None:
    with pytest.raises(RuntimeError, match="secret_key"):
        change(NullSession())


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (lambda session: session.get("user", "none"), "none"),
        (lambda session: "user" in session, False),
        (list, []),
        (lambda session: session.permanent, False),
    ],
)
def test_null_session_is_empty(read: Act, found: Any) -> None:
    assert request_with(application(read, SECRET_KEY=None)).get_json() == {"got": found}


@pytest.mark.parametrize("key", [None, "", b""])
def test_null_session_without_secret_key(key: Any) -> None:
    app = application(SECRET_KEY=key)
    with app.test_request_context():
        assert type(session._get_current_object()) is NullSession


def test_null_session_is_unsaved() -> None:
    response = request_with(application(len, SECRET_KEY=None))
    assert {"Set-Cookie", "Vary"}.isdisjoint(response.headers.keys())


def test_null_session_keeps_old_cookie() -> None:
    app = application(lambda session: session.get("user"))
    cookie = cookie_with({"user": "ada"}, app)
    app.secret_key = None
    assert request_with(app, cookie).get_json() == {"got": None}
    app.secret_key = "key"
    assert request_with(app, cookie).get_json() == {"got": "ada"}


# Persistence


def test_session_persists_between_requests() -> None:
    def count(session: Any) -> int:
        session["visits"] = session.get("visits", 0) + 1
        return session["visits"]

    app = application(count)
    one, other = app.test_client(), app.test_client()
    visits = [client.get("/").get_json()["got"] for client in (one, one, other, one)]
    assert visits == [1, 2, 1, 3]


VALUES = [
    None, True, 7, 2.5, "grüße", [1, [2]], {"a": {"b": 1}}, (1, (2, 3)), b"\x00\xff", Markup("<b>"),
    uuid.UUID(int=7), datetime(2020, 2, 29, 12, 30), {" t": "no tuple"},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_types_are_preserved(value: Any) -> None:
    app = application()
    with app.test_client() as client:
        with client.session_transaction() as kept:
            kept["value"] = value
        client.get("/")
        assert type(session["value"]) is type(value)
        assert session["value"] == value


def test_cookie_is_plain_text() -> None:
    cookie = cookie_of(request_with(application(write))).value
    assert URLSafeTimedSerializer(
        "key",
        salt="cookie-session",
        serializer=TaggedJSONSerializer(),
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha1},
    ).loads(cookie) == {"user": "ada"}


@pytest.mark.parametrize("key", ["key", b"key", "schlüssel"])
def test_secret_key_may_be_text_or_bytes(key: Any) -> None:
    app = application(lambda session: session.get("user"), SECRET_KEY=key)
    assert request_with(app, cookie_with({"user": "ada"}, app)).get_json() == {"got": "ada"}


# Invalid cookies


def signed(payload: bytes) -> str:
    """Sign ``payload`` as the application signs its cookies."""
    signer = application().session_interface.get_signing_serializer(application()).make_signer("cookie-session")
    return signer.sign(payload).decode()


BAD = {
    "empty": lambda app: "",
    "noise": lambda app: "noise",
    "dots": lambda app: "...",
    "not latin": lambda app: "gr\xfc\xdfe.\xff.\xfe",
    "without signature": lambda app: cookie_with({"user": "eve"}, app).rpartition(".")[0],
    "cut": lambda app: cookie_with({"user": "eve"}, app)[:-1],
    "cut in half": lambda app: cookie_with({"user": "eve"}, app)[:10],
    "changed": lambda app: "x" + cookie_with({"user": "eve"}, app)[1:],
    "of another key": lambda app: cookie_with({"user": "eve"}, application(SECRET_KEY="other")),
    "of another salt": lambda app: URLSafeTimedSerializer("key", salt="other").dumps({"user": "eve"}),
    "signed, and a list": lambda app: cookie_with(["user"], app),
    "signed, and a number": lambda app: cookie_with(7, app),
    "signed, and a null": lambda app: cookie_with(None, app),
    "signed, with a bad tag": lambda app: signed(urlsafe_b64encode(b'{"user":{" u":"no uuid"}}').rstrip(b"=")),
    "signed, and no JSON": lambda app: signed(urlsafe_b64encode(b"no JSON").rstrip(b"=")),
    "signed, and not base64": lambda app: signed(b"!"),
    "signed, and not compressed": lambda app: signed(b"." + urlsafe_b64encode(b"not compressed").rstrip(b"=")),
}


@pytest.mark.parametrize("cookie", BAD.values(), ids=BAD)
def test_bad_cookie_means_empty_session(cookie: Callable[[Flask], str]) -> None:
    app = application(dict)
    response = request_with(app, cookie(app))
    assert response.status_code == 200
    assert response.get_json() == {"got": {}}
    assert "Set-Cookie" not in response.headers


def test_bad_cookie_is_replaced_on_write() -> None:
    app = application(write)
    cookie = cookie_of(request_with(app, "noise")).value
    assert request_with(application(dict), cookie).get_json() == {"got": {"user": "ada"}}


@pytest.mark.parametrize(("age", "found"), [(3600, {"user": "ada"}), (3601, {})])
def test_cookie_expires(monkeypatch: pytest.MonkeyPatch, age: int, found: dict[str, str]) -> None:
    app = application(dict, PERMANENT_SESSION_LIFETIME=3600)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    cookie = cookie_with({"user": "ada"}, app)
    monkeypatch.setattr(time, "time", lambda: now + age)
    assert request_with(app, cookie).get_json() == {"got": found}


def test_cookie_with_other_name_is_ignored() -> None:
    app = application(dict, SESSION_COOKIE_NAME="shop")
    cookie = cookie_with({"user": "ada"}, app)
    response = app.test_client(use_cookies=False).get("/", headers={"Cookie": f"session={cookie}"})
    assert response.get_json() == {"got": {}}


# Unserializable values


def test_unserializable_value_is_named() -> None:
    def act(session: Any) -> None:
        session.update(user="ada", thing={"inner": [object()]}, age=36)

    with pytest.raises(TypeError, match=r"session\['thing'\].*type object") as raised:
        request_with(application(act))
    assert isinstance(raised.value.__cause__, TypeError)


@pytest.mark.parametrize(
    ("value", "error"),
    [("\ud800", ValueError), (10**5000, ValueError), ([], RecursionError)],
    ids=["half a character", "too long a number", "a list that holds itself"],
)
def test_any_error_names_value(value: Any, error: type[Exception]) -> None:
    if value == []:
        value.append(value)
    with pytest.raises(error, match=r"session\['thing'\]"):
        request_with(application(lambda session: session.update(user="ada", thing=value), JSON_AS_ASCII=False))


def test_unserializable_value_gets_500() -> None:
    response = request_with(application(lambda session: session.update(thing=object()), PROPAGATE_EXCEPTIONS=False))
    assert response.status_code == 500
    assert "Set-Cookie" not in response.headers
    assert b"object" not in response.data


def test_unsortable_keys_error_hides_values() -> None:
    def act(session: Any) -> None:
        session["user"] = session[7] = "ada"

    with pytest.raises(TypeError, match="'<'") as raised:
        request_with(application(act))
    assert "session[" not in str(raised.value)


# Set-Cookie and Vary


def permanently(act: Act) -> Act:
    def act_permanently(session: Any) -> None:
        session.permanent = True
        act(session)

    return act_permanently


@pytest.mark.parametrize(
    ("held", "act", "refresh", "sent", "varies"),
    [
        ({}, lambda session: None, True, False, False),
        ({}, lambda session: session.get("user"), True, False, True),
        ({}, write, True, True, True),
        ({"user": "ada"}, lambda session: None, True, False, False),
        ({"user": "ada"}, lambda session: session["user"], True, False, True),
        ({"user": "ada"}, lambda session: "user" in session, True, False, True),
        ({"user": "ada"}, len, True, False, True),
        ({"user": "ada"}, write, True, True, True),
        ({"user": "ada"}, lambda session: session.clear(), True, True, True),
        ({"user": "ada", "_permanent": True}, lambda session: None, True, True, True),
        ({"user": "ada", "_permanent": True}, lambda session: None, False, False, False),
        ({"user": "ada", "_permanent": True}, write, False, True, True),
        ({"user": "ada", "_permanent": True}, lambda session: session["user"], False, False, True),
    ],
    ids=[
        "none, untouched", "none, read", "none, written", "untouched", "read", "asked", "counted", "written", "emptied",
        "permanent, untouched", "permanent without refresh, untouched", "permanent without refresh, written",
        "permanent without refresh, read",
    ],
)  # fmt: skip
def test_when_cookie_and_vary_are_sent(held: dict[str, Any], act: Act, refresh: bool, sent: bool, varies: bool) -> None:
    app = application(lambda session: act(session) and None, SESSION_REFRESH_EACH_REQUEST=refresh)
    response = request_with(app, cookie_with(held, app) if held else None)
    assert ("Set-Cookie" in response.headers) == sent
    assert response.headers.get("Vary") == ("Cookie" if varies else None)


def test_saving_is_not_access() -> None:
    app = application()
    with app.test_client() as client:
        client.get("/")
        assert session.accessed is False
        assert session.modified is False


def test_vary_header_is_extended() -> None:
    app = application(write)
    app.after_request(lambda response: response.vary.add("Accept-Language") or response)
    assert request_with(app).headers["Vary"] == "Accept-Language, Cookie"


def test_accessed_may_be_constant() -> None:
    class Looked(dict, SessionMixin):
        accessed = property(lambda session: True)  # type: ignore[assignment]

    app = application(lambda session: None)
    app.session_interface = type("Looking", (SecureCookieSessionInterface,), {"session_class": Looked})()
    assert request_with(app, cookie_with({"user": "ada"}, app)).headers["Vary"] == "Cookie"


def test_accessed_may_be_read_only() -> None:
    class Counting(dict, SessionMixin):
        accessed = property(lambda session: session.reads > 0)  # type: ignore[assignment]
        modified = False
        reads = 0

        def __len__(self) -> int:
            self.reads += 1
            return super().__len__()

    app = application(lambda session: None)
    app.session_interface = type("Counted", (SecureCookieSessionInterface,), {"session_class": Counting})()
    assert request_with(app, cookie_with({"user": "ada"}, app)).headers["Vary"] == "Cookie"


def test_flagless_session_is_always_sent() -> None:
    class Plain(dict, SessionMixin):
        pass

    app = application(lambda session: None)
    app.session_interface = type("Plainly", (SecureCookieSessionInterface,), {"session_class": Plain})()
    response = request_with(app, cookie_with({"user": "ada"}, app))
    assert cookie_of(response).key == "session"
    assert response.headers["Vary"] == "Cookie"


def test_emptied_session_deletes_cookie() -> None:
    app = application(lambda session: session.clear())
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["user"] = "ada"
    client.get("/")
    with client.session_transaction() as kept:
        assert dict(kept) == {}


def test_cookie_is_deleted_where_it_was_set() -> None:
    app = application(
        lambda session: session.clear(),
        SESSION_COOKIE_NAME="shop", SESSION_COOKIE_DOMAIN="shop.example", SESSION_COOKIE_PATH="/root",
    )  # fmt: skip
    morsel = cookie_of(request_with(app, cookie_with({"user": "ada"}, app)))
    assert morsel.key == "shop"
    assert morsel.value == ""
    assert morsel["domain"] == "shop.example"
    assert morsel["path"] == "/root"
    assert morsel["expires"].startswith("Thu, 01 Jan 1970")


def test_cookie_value_is_passed_by_position() -> None:
    class Mine(Response):
        def set_cookie(self, key: str, val: str = "", **attributes: Any) -> None:  # type: ignore[override]
            super().set_cookie(key, val, **attributes)

    app = application(write)
    app.response_class = Mine
    assert cookie_of(request_with(app)).key == "session"


def test_cookie_is_deleted_as_on_werkzeug_1() -> None:
    class Mine(Response):
        def delete_cookie(self, key: str, path: str = "/", domain: Any = None) -> None:  # type: ignore[override]
            super().delete_cookie(key, path, domain)

    app = application(lambda session: session.clear())
    app.response_class = Mine
    assert cookie_of(request_with(app, cookie_with({"user": "ada"}, app))).value == ""


# Cookie settings


def test_cookie_has_defaults() -> None:
    morsel = cookie_of(request_with(application(write)))
    assert {key: value for key, value in morsel.items() if value} == {"httponly": True, "path": "/"}
    assert morsel.key == "session"


@pytest.mark.parametrize(
    ("settings", "attribute", "value"),
    [
        ({"SESSION_COOKIE_DOMAIN": "shop.example"}, "domain", "shop.example"),
        ({"SESSION_COOKIE_DOMAIN": False, "SERVER_NAME": "shop.example"}, "domain", ""),
        ({"SESSION_COOKIE_PATH": "/root"}, "path", "/root"),
        ({"APPLICATION_ROOT": "/root"}, "path", "/root"),
        ({"APPLICATION_ROOT": "/root", "SESSION_COOKIE_PATH": "/"}, "path", "/"),
        ({"SESSION_COOKIE_HTTPONLY": False}, "httponly", ""),
        ({"SESSION_COOKIE_SECURE": True}, "secure", True),
        ({"SESSION_COOKIE_SAMESITE": "Lax"}, "samesite", "Lax"),
        ({"SESSION_COOKIE_SAMESITE": "Strict"}, "samesite", "Strict"),
    ],
    ids=str,
)
def test_cookie_settings(settings: dict[str, Any], attribute: str, value: Any) -> None:
    response = request_with(application(write, **settings), base_url="http://shop.example/")
    assert cookie_of(response)[attribute] == value


def test_cookie_name_can_be_set() -> None:
    assert cookie_of(request_with(application(write, SESSION_COOKIE_NAME="shop"))).key == "shop"


def test_permanent_cookie_expires() -> None:
    earliest = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
    morsel = cookie_of(request_with(application(permanently(write), PERMANENT_SESSION_LIFETIME=timedelta(hours=1))))
    latest = datetime.now(timezone.utc) + timedelta(hours=1)
    expires = datetime.strptime(morsel["expires"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=timezone.utc)
    assert earliest <= expires <= latest


def test_expires_is_utc_without_timezone() -> None:
    app, session = application(), SecureCookieSession({"_permanent": True})
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    expires = app.session_interface.get_expiration_time(app, session)
    assert expires is not None
    assert timedelta(0) <= expires - now - app.permanent_session_lifetime < timedelta(minutes=1)


def test_browser_session_has_no_expires() -> None:
    app = application()
    assert app.session_interface.get_expiration_time(app, SecureCookieSession()) is None


# The domain from SERVER_NAME


@pytest.mark.parametrize(
    ("server_name", "root", "domain"),
    [
        (None, "/", None),
        ("", "/", None),
        ("shop.example", "/", ".shop.example"),
        ("shop.example:8080", "/", ".shop.example"),
        (".shop.example", "/", ".shop.example"),
        ("shop.example", "/root", "shop.example"),
        ("shop.example", "", "shop.example"),
    ],
)
def test_domain_is_server_name(server_name: str | None, root: str, domain: str | None) -> None:
    app = application(SERVER_NAME=server_name, APPLICATION_ROOT=root)
    assert app.session_interface.get_cookie_domain(app) == domain


def test_cookie_has_domain() -> None:
    response = request_with(application(write, SERVER_NAME="shop.example"), base_url="http://shop.example/")
    assert cookie_of(response)["domain"].lstrip(".") == "shop.example"


@pytest.mark.parametrize(("server_name", "kept"), [("shop.example", ".shop.example"), (None, False)])
def test_domain_is_cached(server_name: str | None, kept: Any) -> None:
    app = application(SERVER_NAME=server_name)
    first = app.session_interface.get_cookie_domain(app)
    assert app.config["SESSION_COOKIE_DOMAIN"] == kept
    app.config["SERVER_NAME"] = "other.example"
    assert app.session_interface.get_cookie_domain(app) == first


@pytest.mark.parametrize("server_name", ["localhost", "localhost:5000"])
def test_dotless_name_warns(server_name: str) -> None:
    app = application(SERVER_NAME=server_name)
    with pytest.warns(UserWarning, match=r"localhost.*localhost\.localdomain"):
        domain = app.session_interface.get_cookie_domain(app)
    assert domain is None
    assert app.config["SESSION_COOKIE_DOMAIN"] is False


def test_warning_omits_port() -> None:
    app = application(SERVER_NAME="[::1]:5000")
    with pytest.warns(UserWarning, match=r"'\[::1\]'"):
        app.session_interface.get_cookie_domain(app)


@pytest.mark.parametrize("root", ["/", "/root"])
def test_ip_address_domain_warns(root: str) -> None:
    app = application(SERVER_NAME="127.0.0.1:5000", APPLICATION_ROOT=root)
    with pytest.warns(UserWarning, match="IP"):
        assert app.session_interface.get_cookie_domain(app) == "127.0.0.1"


@pytest.mark.parametrize("server_name", ["localhost", "127.0.0.1"])
def test_warning_names_line_of_caller(server_name: str) -> None:
    app = application(SERVER_NAME=server_name)
    with pytest.warns(UserWarning, match="SERVER_NAME") as caught:
        app.session_interface.get_cookie_domain(app)
    assert caught[0].filename == __file__


def test_domain_warns_once() -> None:
    app = application(SERVER_NAME="localhost")
    with pytest.warns(UserWarning, match="localhost"):
        first = app.session_interface.get_cookie_domain(app)
    assert app.session_interface.get_cookie_domain(app) is first


# Custom signing


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("salt", "other"),
        ("digest_method", staticmethod(hashlib.sha256)),
        ("key_derivation", "concat"),
        ("serializer", TaggedJSONSerializer()),
    ],
)
def test_signing_can_be_replaced(attribute: str, value: Any) -> None:
    other = type("Otherwise", (SecureCookieSessionInterface,), {attribute: value})()
    app = application(dict)
    app.session_interface = other
    cookie = cookie_with({"user": "ada"}, app)
    assert request_with(app, cookie).get_json() == {"got": {"user": "ada"}}
    found = request_with(application(dict), cookie).get_json()["got"]
    assert found == ({"user": "ada"} if attribute == "serializer" else {})


def test_bytearray_key_signs(app: Flask) -> None:
    app.secret_key = bytearray(b"long enough to sign with")
    app.add_url_rule("/count", "count", lambda: str(session.setdefault("visits", 1)))
    client = app.test_client()
    assert [client.get("/count").status_code for _ in range(2)] == [200, 200]


def test_other_serializer_is_used() -> None:
    class Reversed:
        def dumps(self, obj: Any) -> str:
            return repr(sorted(obj.items()))[::-1]

        def loads(self, text: Any) -> Any:
            return {"read": text.decode() if isinstance(text, bytes) else text}

    app = application(dict)
    app.session_interface = type("Otherwise", (SecureCookieSessionInterface,), {"serializer": Reversed()})()
    cookie = cookie_with({"user": "ada"}, app)
    assert request_with(app, cookie).get_json() == {"got": {"read": "[('user', 'ada')]"[::-1]}}


@pytest.mark.parametrize(
    ("attribute", "value"), [("salt", "other"), ("digest_method", hashlib.sha256), ("key_derivation", "concat")]
)
def test_signing_can_change_at_any_time(attribute: str, value: Any) -> None:
    app = application(dict)
    app.session_interface = SecureCookieSessionInterface()
    before = cookie_with({"user": "ada"}, app)
    setattr(app.session_interface, attribute, value)
    assert request_with(app, before).get_json() == {"got": {}}


def test_secret_key_can_change_at_any_time() -> None:
    app = application(dict)
    before = cookie_with({"user": "ada"}, app)
    app.secret_key = "other"
    after = cookie_with({"user": "eve"}, app)
    assert [request_with(app, cookie).get_json()["got"] for cookie in (before, after)] == [{}, {"user": "eve"}]


def test_shared_interface_uses_each_apps_key() -> None:
    one, other = application(dict, SECRET_KEY="one"), application(dict, SECRET_KEY="other")
    assert one.session_interface is other.session_interface
    cookies = [cookie_with({"user": "ada"}, app) for app in (one, other)]
    found = [request_with(app, cookie).get_json()["got"] != {} for app in (one, other) for cookie in cookies]
    assert found == [True, False, False, True]


def test_serializers_are_not_shared() -> None:
    app = application()
    first, second = (app.session_interface.get_signing_serializer(app) for _ in range(2))
    signed = second.dumps({})
    first.salt = b"other"
    first.secret_keys.append(b"other")
    first.signer_kwargs["key_derivation"] = "none"
    assert app.session_interface.get_signing_serializer(app).loads(signed) == {}
    with pytest.raises(BadSignature):
        first.loads(signed)


def test_other_salt_is_rejected() -> None:
    app = application()
    serializer = app.session_interface.get_signing_serializer(app)
    other = serializer.dumps({}, salt="other")
    assert serializer.loads(other, salt="other") == {}
    with pytest.raises(BadSignature):
        serializer.loads(other)


def test_no_signer_without_key() -> None:
    app = application(SECRET_KEY=None)
    assert app.session_interface.get_signing_serializer(app) is None


def test_session_class_can_be_replaced() -> None:
    class OurSession(SecureCookieSession):
        pass

    app = application()
    app.session_interface = type("Ours", (SecureCookieSessionInterface,), {"session_class": OurSession})()
    for cookie in (None, cookie_with({"user": "ada"}, app)):
        headers = {} if cookie is None else {"Cookie": f"session={cookie}"}
        with app.test_request_context(headers=headers):
            assert type(session._get_current_object()) is OurSession


def test_session_class_receives_loaded_value() -> None:
    class Stored(SecureCookieSession):
        def __init__(self, number: Any = None) -> None:
            super().__init__({"number": number})

    class Numbers:
        def dumps(self, obj: Any) -> str:
            return "7"

        def loads(self, text: Any) -> int:
            return int(text)

    app = application(dict)
    attributes = {"session_class": Stored, "serializer": Numbers()}
    app.session_interface = type("Ours", (SecureCookieSessionInterface,), attributes)()
    assert request_with(app, cookie_with({}, app)).get_json() == {"got": {"number": 7}}


def test_error_of_session_class_is_raised() -> None:
    class Strict(SecureCookieSession):
        def __init__(self, initial: Any = ()) -> None:
            super().__init__(initial)
            if self:
                raise TypeError("strict")

    app = application(dict)
    app.session_interface = type("Ours", (SecureCookieSessionInterface,), {"session_class": Strict})()
    with pytest.raises(TypeError, match="strict"):
        request_with(app, cookie_with({"user": "ada"}, app))


def test_session_class_may_require_mapping() -> None:
    class Copied(SecureCookieSession):
        def __init__(self, initial: Any = None) -> None:
            super().__init__(None if initial is None else initial.items())

    app = application(dict)
    app.session_interface = type("Ours", (SecureCookieSessionInterface,), {"session_class": Copied})()
    assert request_with(app, cookie_with(7, app)).get_json() == {"got": {}}


# Custom session interfaces


class InMemory(SessionInterface):
    """Stores sessions in a dictionary. A cookie holds the number of the session."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        number = request.cookies.get("number", str(len(self.kept)))
        session = SecureCookieSession(self.kept.get(number, {}))
        session.number = number
        return session

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        self.kept[session.number] = dict(session)
        response.set_cookie("number", session.number)


def test_session_store_can_be_replaced() -> None:
    app = application(lambda session: session.setdefault("user", "ada"), SECRET_KEY=None)
    app.session_interface = InMemory()
    client = app.test_client()
    for _ in range(2):
        client.get("/")
    app.test_client().get("/")
    assert app.session_interface.kept == {"0": {"user": "ada"}, "1": {"user": "ada"}}


def test_none_gives_null_session() -> None:
    class Nowhere(SessionInterface):
        def open_session(self, app: Flask, request: Request) -> None:
            return None

    app = application(lambda session: session.get("user", "none"))
    app.session_interface = Nowhere()
    assert request_with(app).get_json() == {"got": "none"}


def test_null_session_class_can_be_replaced() -> None:
    class Nobody(dict, SessionMixin):
        pass

    class Nowhere(SessionInterface):
        null_session_class = Nobody

        def open_session(self, app: Flask, request: Request) -> None:
            return None

    app = application(lambda session: session.update(user="ada") or type(session._get_current_object()).__name__)
    app.session_interface = Nowhere()
    assert request_with(app).get_json() == {"got": "Nobody"}
    assert app.session_interface.is_null_session(Nobody()) is True
    assert app.session_interface.is_null_session(SecureCookieSession()) is False


def test_any_class_can_be_null_session() -> None:
    class Interface(SecureCookieSessionInterface):
        null_session_class = SecureCookieSession

    assert Interface().is_null_session(SecureCookieSession()) is True


@pytest.mark.parametrize("method", ["open_session", "save_session"])
def test_interface_is_abstract(method: str) -> None:
    class Unfinished(SessionInterface):
        pass

    with pytest.raises(NotImplementedError, match=f"Unfinished.*{method}"):
        getattr(Unfinished(), method)(*[None] * (3 if method == "save_session" else 2))


def test_interface_is_not_pickle_based() -> None:
    assert SessionInterface.pickle_based is False


# The deprecated methods of the application


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("open_session", ["request"]), ("save_session", ["session", "response"]), ("make_null_session", [])],
)
def test_session_method_of_application_warns(app: Flask, name: str, arguments: list[Any]) -> None:
    class Recording(SecureCookieSessionInterface):
        pass

    app.session_interface = Recording()
    setattr(Recording, name, lambda self, *given: given)
    with pytest.warns(DeprecationWarning, match=rf"app\.session_interface\.{name}\(app") as caught:
        assert getattr(app, name)(*arguments) == (app, *arguments)
    assert caught[0].filename == __file__
