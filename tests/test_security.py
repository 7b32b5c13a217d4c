"""Vulnerabilities of Flask 1.1.4 and Werkzeug 1 that are fixed here, and the promises of docs/security.md."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import socket
import threading
import warnings
from io import BytesIO
from typing import Any, Callable
from unittest import mock

import itsdangerous
import pytest
from werkzeug import serving
from werkzeug.debug import DebuggedApplication
from werkzeug.sansio.multipart import Data, MultipartDecoder, NeedData
from werkzeug.security import safe_join

import schlenk.app
import schlenk.shortcuts
from schlenk import Flask, flash, get_flashed_messages, redirect, request, session, url_for
from schlenk import json as schlenk_json
from schlenk.sessions import SecureCookieSession, session_json_serializer
from schlenk.testing import FlaskClient

EVIL = "evil.example"
FORM = "application/x-www-form-urlencoded"


def ask(app: Flask, path: str = "/", **environ: Any) -> tuple[str, str]:
    """Return the status and body of a request made as a server makes it, with any environ values."""
    started: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started.append(status)
        return BytesIO().write

    body = b"".join(app({**app.test_request_context(path).request.environ, **environ}, start_response))
    return started[0], body.decode()


def put(app: Flask, **values: Any) -> str:
    """Return the session cookie with ``values``, as ``app`` would send it."""
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    return f"session={serializer.dumps(values)}"


# --- CVE-2023-30861: caches could send one client's session cookie to another


def test_refreshed_cookie_varies_by_cookie(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: "nobody looked at the session")
    answer = app.test_client(use_cookies=False).get("/", headers={"Cookie": put(app, _permanent=True)})
    assert "Set-Cookie" in answer.headers
    assert answer.headers.get("Vary") == "Cookie"


def test_deleted_cookie_varies_by_cookie(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: session.clear() or "gone")
    answer = app.test_client(use_cookies=False).get("/", headers={"Cookie": put(app, user="ada")})
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert answer.headers.get("Vary") == "Cookie"


# --- GHSA-68rp-wp8r-4726: responses that depended on the session lacked Vary: Cookie

READINGS: dict[str, Callable[[Any], Any]] = {
    "in": lambda session: "user" in session,
    "len": len,
    "bool": bool,
    "iter": lambda session: list(session),
    "reversed": lambda session: list(reversed(session)),
    "==": lambda session: session == {},
    "!=": lambda session: session != {},
    "repr": repr,
    "keys": lambda session: list(session.keys()),
    "values": lambda session: list(session.values()),
    "items": lambda session: list(session.items()),
    "get": lambda session: session.get("user"),
    "dict()": lambda session: dict(session),
    "**": lambda session: dict(**session),
    "copy": lambda session: session.copy(),
    "copy.copy": lambda session: copy.copy(session),
    "permanent": lambda session: session.permanent,
    "flashed": lambda session: get_flashed_messages(),
}


@pytest.mark.parametrize("read", READINGS.values(), ids=READINGS)
def test_session_response_varies_by_cookie(app: Flask, read: Callable[[Any], Any]) -> None:
    app.add_url_rule("/", "index", lambda: str(read(session._get_current_object())))  # type: ignore[attr-defined]
    assert app.test_client().get("/").headers.get("Vary") == "Cookie"


@pytest.mark.parametrize("write", [json.dumps, schlenk_json.dumps])
def test_only_interface_writes_session(write: Callable[[Any], Any]) -> None:
    kept = SecureCookieSession({"user": "ada"})
    write(kept)
    assert kept.accessed


def test_untouched_session_does_not_vary(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: "the same for all")
    assert "Vary" not in app.test_client().get("/").headers


# --- Vulnerabilities fixed in the releases of Werkzeug that pyproject.toml allows


def multipart(*parts: bytes) -> dict[str, Any]:
    body = b"".join(b"--x\r\nContent-Disposition: form-data; name=a" + part + b"\r\n" for part in parts) + b"--x--\r\n"
    return {"data": body, "content_type": "multipart/form-data; boundary=x"}


@pytest.fixture
def form(app: Flask) -> FlaskClient:
    """A client of an application that returns the sizes of the submitted fields."""
    app.add_url_rule("/", "index", lambda: str([*map(len, request.form.getlist("a"))]), methods=["POST"])
    return app.test_client()


def test_form_with_many_parts_is_refused(form: FlaskClient) -> None:
    """CVE-2023-25577: the number of parts was unlimited, and each used time and memory."""
    assert form.post("/", **multipart(*[b"\r\n\r\n"] * 1000)).status_code == 200
    assert form.post("/", **multipart(*[b"\r\n\r\n"] * 1001)).status_code == 413


def test_long_form_field_is_refused(form: FlaskClient) -> None:
    """CVE-2024-49767: the field was read into memory before its size was checked."""
    assert form.post("/", **multipart(b"\r\n\r\n" + b"x" * 500_000)).status_code == 200
    assert form.post("/", **multipart(b"\r\n\r\n" + b"x" * 500_001)).status_code == 413


@pytest.mark.parametrize("start", [b"\r", b"\n"])
def test_leading_line_break_is_not_buffered(start: bytes) -> None:
    """CVE-2023-46136: the part was searched from its start for each chunk, which took quadratic time."""
    decoder, kept = MultipartDecoder(b"x"), 0
    decoder.receive_data(b'--x\r\nContent-Disposition: form-data; name=a; filename="a"\r\n\r\n' + start)
    for _ in range(100):
        decoder.receive_data(b"x" * 1000)
        event: Any = None
        while not isinstance(event, NeedData):
            event = decoder.next_event()
            kept += len(event.data) if isinstance(event, Data) else 0
    assert kept > 95_000


def test_nameless_cookie_is_not_misread(app: Flask) -> None:
    """CVE-2023-23934: ``=session=…``, which another host of the domain can set, was read as ``session``."""
    app.add_url_rule("/", "index", lambda: session.get("user", "nobody"))
    cookie = f"={put(app, user='mallory')}"
    assert app.test_client(use_cookies=False).get("/", headers={"Cookie": cookie}).text == "nobody"


def test_cookie_name_is_read_as_sent(app: Flask) -> None:
    """No CVE: ``"\\137_Secure-…"`` was read as ``__Secure-…``, which browsers accept only from secure hosts."""
    app.add_url_rule("/", "index", lambda: str("__Secure-user" in request.cookies))
    client = app.test_client(use_cookies=False)
    cookies = ("__Secure-user=ada", r'"\137_Secure-user"=mallory')
    assert [client.get("/", headers={"Cookie": cookie}).text for cookie in cookies] == ["True", "False"]


def test_unread_body_is_not_a_request(app: Flask) -> None:
    """CVE-2022-29361: part of a request body was answered as a second request."""

    class Handler(serving.WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *args: Any) -> None:
            pass

    asked: list[str] = []
    app.before_request(lambda: asked.append(request.path) or "not read")
    server = serving.make_server("127.0.0.1", 0, app, request_handler=Handler)
    serve = threading.Thread(target=server.handle_request)
    serve.start()
    hidden = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(server.server_address, timeout=30) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(hidden) + hidden)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass
    serve.join()
    server.server_close()
    assert asked == ["/"]


def test_debugger_rejects_other_hosts() -> None:
    """CVE-2024-34069: with the PIN, a page of another host could run commands."""
    debugged = DebuggedApplication(Flask("debugged"), evalex=True)
    command = f"/?__debugger__=yes&cmd=pinauth&s={debugged.secret}&pin=0"
    client = FlaskClient(debugged)  # type: ignore[arg-type]
    client.application = Flask("debugged")
    answers = []
    for host in ("localhost", EVIL):
        environ = client.application.test_request_context(command, base_url=f"http://{host}").request.environ
        debugged(environ, lambda status, headers, *exc_info: answers.append(status) or answers.append)  # type: ignore
    assert answers == ["200 OK", "400 BAD REQUEST"]


@pytest.mark.parametrize("name", ["CON", "nul.txt", "a/CON", "COM1 .txt", "NUL::$DATA", "NUL:"])
def test_windows_device_paths_are_refused(name: str) -> None:
    """CVE-2025-66221, CVE-2026-21860, CVE-2026-27199, GHSA-g6x2-hccm-hh4m: reading from a device never ends."""
    with mock.patch.object(os, "name", "nt"):
        assert safe_join("folder", name) is None


def test_windows_network_paths_are_refused() -> None:
    """CVE-2024-49766: Python before 3.11 does not consider the path of a network share absolute."""
    with mock.patch.object(os, "name", "nt"), mock.patch.object(os.path, "isabs", return_value=False):
        assert safe_join("folder", "//server/share") is None


# --- Secret rotation


@pytest.fixture
def visits(app: Flask) -> FlaskClient:
    """A client of an application that counts visits in the session."""

    @app.route("/")
    def index() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    return app.test_client()


def test_fallback_key_is_accepted(app: Flask, visits: FlaskClient) -> None:
    visits.get("/")
    app.config.update(SECRET_KEY="newest", SECRET_KEY_FALLBACKS=["newer", "key"])
    assert visits.get("/").text == "2"


def test_fallback_cookie_is_resigned(app: Flask, visits: FlaskClient) -> None:
    visits.get("/")
    app.config.update(SECRET_KEY="newest", SECRET_KEY_FALLBACKS=["newer", "key"])
    visits.get("/")
    app.config["SECRET_KEY_FALLBACKS"] = None
    assert visits.get("/").text == "3"


def test_removed_fallback_key_is_rejected(app: Flask, visits: FlaskClient) -> None:
    app.config["SECRET_KEY_FALLBACKS"] = ["old"]
    forged = Flask("forged")
    forged.secret_key = "old"
    cookie = {"Cookie": put(forged, visits=7)}
    client = app.test_client(use_cookies=False)
    before = client.get("/", headers=cookie).text
    app.config["SECRET_KEY_FALLBACKS"].clear()
    assert before == "8"
    assert client.get("/", headers=cookie).text == "1"


@pytest.mark.parametrize("key", ["old", b"old", bytearray(b"old")])
def test_fallback_keys_must_be_a_list(app: Flask, key: Any) -> None:
    app.config["SECRET_KEY_FALLBACKS"] = key
    with pytest.raises(TypeError, match="Put it into a list"):
        app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]


def test_empty_fallback_key_is_rejected(app: Flask, visits: FlaskClient) -> None:
    app.config["SECRET_KEY_FALLBACKS"] = [""]
    forged = itsdangerous.URLSafeTimedSerializer(
        [""],
        salt="cookie-session",
        serializer=session_json_serializer,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha1},
    ).dumps({"visits": 7})
    cookie = {"Cookie": f"session={forged}"}
    assert app.test_client(use_cookies=False).get("/", headers=cookie).text == "1"


def test_fallback_keys_alone_sign_nothing(app: Flask) -> None:
    app.config.update(SECRET_KEY=None, SECRET_KEY_FALLBACKS=["old"])
    assert app.session_interface.get_signing_serializer(app) is None  # type: ignore[attr-defined]


# --- Hosts


@pytest.fixture
def shop(app: Flask) -> FlaskClient:
    """A client of an application that trusts two hosts, and records the hosts that a hook sees."""
    app.config["TRUSTED_HOSTS"] = ["shop.example", ".shop.example"]
    app.extensions["heard"] = []
    app.before_request(lambda: app.extensions["heard"].append((request.host, request.url)))
    app.add_url_rule("/", "index", lambda: url_for("index", _external=True))
    return app.test_client()


@pytest.mark.parametrize("host", ["shop.example", "shop.example:8080", "www.shop.example"])
def test_trusted_host_is_served(shop: FlaskClient, host: str) -> None:
    assert shop.get("/", base_url=f"http://{host}").text == f"http://{host}/"


@pytest.mark.parametrize("host", [EVIL, f"shop.example.{EVIL}", "notshop.example", f"{EVIL}:80", "", "a b"])
def test_untrusted_host_is_refused(shop: FlaskClient, host: str) -> None:
    assert shop.get("/", headers={"Host": host}).status_code == 400


def test_hooks_never_see_untrusted_host(app: Flask, shop: FlaskClient) -> None:
    shop.get("/", base_url=f"http://{EVIL}")
    assert app.extensions["heard"] == [("", "http:///")]


def test_copied_context_trusts_same_hosts(app: Flask, shop: FlaskClient) -> None:
    environ = app.test_request_context(base_url=f"http://{EVIL}").request.environ
    assert app.request_context(environ).copy().url_adapter is None


def test_overridden_server_name_is_checked(app: Flask, shop: FlaskClient) -> None:
    environ = app.test_request_context(base_url=f"http://{EVIL}").request.environ
    del environ["HTTP_HOST"]
    with app.request_context({**environ, "SERVER_NAME": EVIL}) as context:
        assert context.url_adapter is None


def test_request_class_trusted_hosts_apply(app: Flask) -> None:
    class Request(app.request_class):  # type: ignore[name-defined, misc]
        trusted_hosts = ["shop.example"]

    app.request_class = Request
    app.add_url_rule("/", "index", lambda: "hello")
    statuses = [app.test_client().get("/", base_url=f"http://{host}").status_code for host in ("shop.example", EVIL)]
    assert statuses == [200, 400]


@pytest.mark.parametrize("host", ["xn--strae-oqa.example", "xn--a", "xn--a:8080", "XN--A"])
def test_undecodable_host_is_shown_as_sent(app: Flask, host: str) -> None:
    """Python only decodes names of IDNA 2003. Requests for other names must not fail."""

    @app.route("/page")
    def page() -> str:
        return " ".join([request.url, request.base_url, request.root_url, request.host_url, request.host])

    # Hosts are case-insensitive. Werkzeug catches the error of Python 3.13, and returns the host in lower case.
    urls = [f"http://{told}/" for told in (host, host.lower())]
    expected = [f"{url}page?n=1 {url}page {url} {url} {host}" for url in urls]
    assert ask(app, "/page", HTTP_HOST=host, QUERY_STRING="n=1")[1] in expected


# --- Limits


def test_long_body_is_refused(app: Flask, form: FlaskClient) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10
    assert form.post("/", data={"a": "12345678"}).status_code == 200
    assert form.post("/", data={"a": "123456789"}).status_code == 413


def test_body_of_unknown_length_is_limited(app: Flask, form: FlaskClient) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10
    body = BytesIO(b"a=12345678" + b"9" * 1000)
    untold = {"wsgi.input": body, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert ask(app, REQUEST_METHOD="POST", CONTENT_TYPE=FORM, **untold) == ("200 OK", "[8]")
    assert body.tell() == 10


def test_field_length_can_be_limited(app: Flask, form: FlaskClient) -> None:
    app.config["MAX_FORM_MEMORY_SIZE"] = 200_000
    assert form.post("/", **multipart(b"\r\n\r\n" + b"x" * 200_000)).status_code == 200
    assert form.post("/", **multipart(b"\r\n\r\n" + b"x" * 200_001)).status_code == 413


def test_part_count_can_be_limited(app: Flask, form: FlaskClient) -> None:
    app.config["MAX_FORM_PARTS"] = 2
    assert form.post("/", **multipart(*[b"\r\n\r\n"] * 2)).status_code == 200
    assert form.post("/", **multipart(*[b"\r\n\r\n"] * 3)).status_code == 413


def test_urlencoded_form_has_body_limit_only(app: Flask, form: FlaskClient) -> None:
    app.config.update(MAX_FORM_MEMORY_SIZE=10, MAX_FORM_PARTS=1)
    assert form.post("/", data={"a": ["x" * 1000] * 2}).text == "[1000, 1000]"
    app.config["MAX_CONTENT_LENGTH"] = 1000
    assert form.post("/", data={"a": ["x" * 1000] * 2}).status_code == 413


@pytest.mark.parametrize("limit", ["max_content_length", "max_form_memory_size", "max_form_parts"])
def test_limit_can_be_set_per_request(app: Flask, form: FlaskClient, limit: str) -> None:
    allow = iter([1, None])
    app.before_request(lambda: setattr(request, limit, next(allow)))
    body = multipart(*[b"\r\n\r\nxx"] * 2)
    assert [form.post("/", **body).status_code for _ in range(2)] == [413, 200]


def test_default_limits_without_app(app: Flask) -> None:
    outside = app.test_request_context().request
    limits = (outside.max_content_length, outside.max_form_memory_size, outside.max_form_parts)
    assert limits == (None, 500_000, 1_000)


def test_long_cookie_warns(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: session.update(long=os.urandom(4000).hex()) or "kept")
    with pytest.warns(UserWarning, match="too large"):
        app.test_client().get("/")


def test_max_cookie_size_can_be_set(app: Flask) -> None:
    app.config["MAX_COOKIE_SIZE"] = 0
    app.add_url_rule("/", "index", lambda: session.update(long=os.urandom(4000).hex()) or "kept")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert app.test_client().get("/").status_code == 200


def test_deeply_nested_json_gets_400(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: str(request.get_json()), methods=["POST"])
    answer = app.test_client().post("/", data="[" * 200_000, content_type="application/json")
    assert answer.status_code == 400


# --- Header injection

BREAK = "a\r\nX-Evil: yes"


def headers(app: Flask, view: Callable[[], Any]) -> list[str]:
    """Return the response headers, as a server would send them."""
    app.add_url_rule("/", "index", view)
    sent: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        sent.extend(f"{name}: {value}" for name, value in headers)
        return BytesIO().write

    for _ in app(app.test_request_context().request.environ, start_response):
        pass
    return sent


@pytest.mark.parametrize(
    "view",
    [
        lambda: redirect(BREAK),
        lambda: redirect(f"/{BREAK}"),
        lambda: redirect(f"http://localhost/{BREAK}"),
        lambda: redirect(url_for("index", _anchor=BREAK, n=BREAK)),
        lambda: flash(BREAK, BREAK) or "flashed",
        lambda: session.update({BREAK: BREAK}) or "kept",
        lambda: ("", 200, {"X-Word": BREAK}),
        lambda: ("", f"200 {BREAK}"),
        lambda: ("", 302, [("Location", BREAK)]),
    ],
)
def test_header_injection_is_refused(app: Flask, view: Callable[[], Any]) -> None:
    assert not [line for line in headers(app, view) if "\r" in line or "\n" in line or line.startswith("X-Evil")]


def session_cookies(app: Flask) -> list[str]:
    sent = headers(app, lambda: session.update(user="ada") or "")
    return [line for line in sent if line.startswith("Set-Cookie")]


unsafe_values = pytest.mark.parametrize("value", [BREAK, "a; Domain=evil.example", "a=b", "a\0"])


@unsafe_values
@pytest.mark.parametrize("setting", ["NAME", "DOMAIN", "SAMESITE"])
def test_unsafe_cookie_setting_is_refused(app: Flask, setting: str, value: str) -> None:
    app.config[f"SESSION_COOKIE_{setting}"] = value
    assert session_cookies(app) == []


@unsafe_values
def test_unsafe_cookie_path_is_quoted(app: Flask, value: str) -> None:
    app.config["SESSION_COOKIE_PATH"] = value
    (cookie,) = session_cookies(app)
    assert [part.partition("=")[0] for part in cookie.split("; ")[1:]] == ["HttpOnly", "Path"]


def test_injecting_cookie_setting_is_named(app: Flask) -> None:
    app.testing = True
    app.session_cookie_name = "a; b"
    app.add_url_rule("/", "index", lambda: session.update(user="ada") or "")
    with pytest.raises(ValueError, match="SESSION_COOKIE_NAME"):
        app.test_client().get("/")


@pytest.mark.parametrize("path", ["//evil.example/%2e%2e/folder", "/\\evil.example", "///evil.example", "/%09/evil"])
def test_paths_never_redirect_to_other_host(app: Flask, path: str) -> None:
    app.add_url_rule("/folder/", "folder")
    app.add_url_rule("/<path:any>/", "any")
    answer = app.test_client().get("/", environ_overrides={"PATH_INFO": path})
    assert not answer.headers.get("Location", "/x").startswith(("//", "/\\", "http://evil"))


# --- Information leaks


def secretive() -> str:
    secret = "the secret"
    raise LookupError(secret)


def test_unhandled_error_is_hidden(app: Flask) -> None:
    app.add_url_rule("/", "index", secretive)
    page = app.test_client().get("/").text
    assert not [word for word in ("secret", "LookupError", "Traceback", "line", __file__, "schlenk") if word in page]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_missing_form_key_is_hidden(app: Flask, method: str) -> None:
    app.add_url_rule("/", "index", lambda: request.form["secret"], methods=["GET", "POST"])
    answer = app.test_client().open("/", method=method)
    assert answer.status_code == 400
    assert "secret" not in answer.text


def test_json_parse_error_is_hidden(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: str(request.get_json()), methods=["POST"])
    answer = app.test_client().post("/", data="{", content_type="application/json")
    assert answer.status_code == 400
    assert "column" not in answer.text
    assert "char" not in answer.text


@pytest.mark.parametrize("path", ["/<script>", "/%3Cscript%3E", "/?<script>"])
def test_error_page_escapes_markup(client: FlaskClient, path: str) -> None:
    assert "<script>" not in client.get(path).text


def test_redirect_page_escapes_markup(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: redirect('/"><script>'))
    assert "<script>" not in app.test_client().get("/").text


def test_context_repr_hides_session(app: Flask) -> None:
    with app.test_request_context(headers={"Cookie": put(app, user="the secret")}) as context:
        assert "secret" not in f"{context!r} {app!r}"


# --- The debugger


@pytest.fixture
def asked(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, Any, Any]]:
    """Return a function that calls ``run`` and returns the host, debugger, and reloader passed to the server."""
    for name in ("FLASK_ENV", "FLASK_DEBUG", "FLASK_RUN_FROM_CLI"):
        monkeypatch.delenv(name, raising=False)

    def asked(**keywords: Any) -> tuple[Any, Any, Any]:
        given: list[Any] = []
        monkeypatch.setattr(
            serving, "run_simple", lambda host, port, app, **options: given.extend((host, options)), raising=True
        )
        app.run(**keywords)
        return given[0], given[1]["use_debugger"], given[1]["use_reloader"]

    return asked


def test_server_is_local_without_debugger(asked: Callable[..., Any]) -> None:
    assert asked() == ("127.0.0.1", False, False)


@pytest.mark.parametrize("value", ["0", "false", "no"])
def test_flask_debug_0_disables_debugger(
    asked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("FLASK_ENV", "development")
    monkeypatch.setenv("FLASK_DEBUG", value)
    assert asked() == ("127.0.0.1", False, False)


def test_debug_false_disables_debugger(asked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert asked(debug=False) == ("127.0.0.1", False, False)


def test_testing_does_not_enable_debugger(app: Flask, asked: Callable[..., Any]) -> None:
    app.testing = True
    assert asked() == ("127.0.0.1", False, False)


def test_debug_true_enables_debugger(asked: Callable[..., Any]) -> None:
    assert asked(debug=True) == ("127.0.0.1", True, True)


# --- Sessions of different clients


def test_sessions_are_not_shared(visits: FlaskClient, app: Flask) -> None:
    seen: list[list[str]] = []

    def come() -> None:
        client = app.test_client()
        seen.append([client.get("/").text for _ in range(5)])

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [["1", "2", "3", "4", "5"]] * 8


def test_made_up_hosts_are_not_cached(app: Flask) -> None:
    app.config["SERVER_NAME"] = "shop.example"
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        for number in range(300):
            app.test_client().get("/", base_url=f"http://host{number}.example")
    assert len(warned) == 300
    # Python stores a warning in the module that calls Werkzeug.
    stored = [vars(module).get("__warningregistry__", {}) for module in (schlenk.app, schlenk.shortcuts)]
    assert sum(map(len, stored)) < 150


def test_foreign_host_is_warned_of_once(app: Flask) -> None:
    app.config["SERVER_NAME"] = "shop.example"
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        for _ in range(2):
            app.test_client().get("/", base_url="http://other.example")
    assert len(warned) == 1


def test_deleted_cookie_keeps_attributes(app: Flask) -> None:
    app.secret_key = "key"
    app.config.update(SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="None", SESSION_COOKIE_NAME="__Secure-s")
    app.add_url_rule("/in", "in", lambda: str(session.update(user="ada")))
    app.add_url_rule("/out", "out", lambda: str(session.clear()))
    client = app.test_client()
    client.get("/in", base_url="https://localhost")
    cookie = client.get("/out", base_url="https://localhost").headers["Set-Cookie"]
    assert {"Secure", "SameSite=None", "Max-Age=0"} <= set(cookie.split("; "))
