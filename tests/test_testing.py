"""The test client, the environ builder, and session transactions."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from importlib.metadata import version
from io import BytesIO
from typing import Any

import pytest
import werkzeug.test
from werkzeug.test import Client, create_environ

from schlenk import (
    Flask,
    Request,
    Response,
    _app_ctx_stack,
    _request_ctx_stack,
    current_app,
    g,
    has_request_context,
    redirect,
    request,
    session,
)
from schlenk.json import JSONEncoder
from schlenk.sessions import SecureCookieSession, SessionInterface
from schlenk.testing import EnvironBuilder, FlaskClient

PATIENCE = 30


@pytest.fixture
def app(app: Flask) -> Flask:

    @app.route("/", defaults={"page": ""}, methods=["GET", "POST"])
    @app.route("/<path:page>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def index(page: str) -> str:
        g.page = page
        return f"{request.method} {request.url}"

    @app.route("/visits")
    def visits() -> dict[str, int]:
        session["visits"] = session.get("visits", 0) + 1
        return {"visits": session["visits"]}

    @app.route("/fails")
    def fails() -> str:
        raise ZeroDivisionError

    return app


@pytest.fixture
def ended(app: Flask) -> list[str]:
    """Collect the paths of requests whose contexts were torn down."""
    paths: list[str] = []
    app.teardown_request(lambda error: paths.append(request.path))
    return paths


# The environ builder


@pytest.mark.parametrize(
    ("settings", "arguments", "url"),
    [
        ({}, {}, "http://localhost/"),
        ({}, {"path": "/page?n=1"}, "http://localhost/page?n=1"),
        ({}, {"path": "/page?"}, "http://localhost/page"),
        ({}, {"path": "page"}, "http://localhost/page"),
        ({}, {"subdomain": "admin"}, "http://admin.localhost/"),
        ({}, {"url_scheme": "https"}, "https://localhost/"),
        ({}, {"path": "https://shop.example:8443/page?n=1"}, "https://shop.example:8443/page?n=1"),
        ({}, {"path": "https://shop.example/page", "url_scheme": "http"}, "https://shop.example/page"),
        ({}, {"path": "//shop.example/page"}, "http://shop.example/page"),
        ({}, {"base_url": "https://shop.example/root/", "path": "/page"}, "https://shop.example/root/page"),
        ({"SERVER_NAME": "shop.example:8080"}, {}, "http://shop.example:8080/"),
        ({"SERVER_NAME": "shop.example"}, {"subdomain": "admin"}, "http://admin.shop.example/"),
        ({"SERVER_NAME": "shop.example"}, {"path": "http://other.example/"}, "http://other.example/"),
        ({"SERVER_NAME": "shop.example"}, {"base_url": "http://other.example/"}, "http://other.example/"),
        ({"APPLICATION_ROOT": "/root"}, {"path": "/page"}, "http://localhost/root/page"),
        ({"PREFERRED_URL_SCHEME": "https"}, {}, "https://localhost/"),
        ({"PREFERRED_URL_SCHEME": "https"}, {"url_scheme": "http"}, "http://localhost/"),
    ],
    ids=str,
)
def test_url_defaults_to_config(app: Flask, settings: dict[str, Any], arguments: dict[str, Any], url: str) -> None:
    app.config.update(settings)
    builder = EnvironBuilder(app, **arguments)
    assert Request(builder.get_environ()).url == url
    builder.close()


def test_url_sets_request_uri(app: Flask) -> None:
    builder = EnvironBuilder(app, "https://shop.example/page?n=1")
    assert builder.get_environ()["REQUEST_URI"] == "/page?n=1"
    builder.close()


@pytest.mark.parametrize("more", [{"subdomain": "admin"}, {"url_scheme": "https"}])
def test_base_url_excludes_other_options(app: Flask, more: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="base_url"):
        EnvironBuilder(app, "/", base_url="http://localhost/", **more)


def test_builder_accepts_werkzeug_arguments(app: Flask) -> None:
    builder = EnvironBuilder(app, "/", None, None, None, {"n": "1"}, method="POST", headers={"X-Test": "yes"})
    asked = Request(builder.get_environ())
    assert asked.method == "POST"
    assert asked.args["n"] == "1"
    assert asked.headers["X-Test"] == "yes"
    builder.close()


def test_builder_has_app(app: Flask) -> None:
    builder = EnvironBuilder(app)
    assert builder.app is app
    builder.close()


def test_json_uses_app_encoder(app: Flask) -> None:
    class Sets(JSONEncoder):
        def default(self, o: Any) -> Any:
            return sorted(o) if isinstance(o, set) else super().default(o)

    app.json_encoder = Sets
    with app.test_request_context(method="POST", json={"b": {2, 1}, "a": "ä"}):
        assert request.mimetype == "application/json"
        assert request.get_data() == b'{"a": "\\u00e4", "b": [1, 2]}'


def test_json_accepts_options(app: Flask) -> None:
    builder = EnvironBuilder(app)
    assert builder.json_dumps({"a": 1}, indent=1) == '{\n "a": 1\n}'
    builder.close()


def test_context_closes_files(app: Flask) -> None:
    file = BytesIO(b"picture")
    with app.test_request_context(method="POST", data={"photo": (file, "me.png")}):
        assert file.closed is True
        assert request.files["photo"].read() == b"picture"


def test_context_takes_builder_arguments(app: Flask) -> None:
    with app.test_request_context("/page?n=1", subdomain="admin", method="POST", data={"name": "ada"}):
        assert request.method == "POST"
        assert request.url == "http://admin.localhost/page?n=1"
        assert request.form["name"] == "ada"


# The client


def test_client_calls_its_app(app: Flask) -> None:
    client = app.test_client()
    assert client.application is app
    assert client.get("/page?n=1").get_data(as_text=True) == "GET http://localhost/page?n=1"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_client_has_every_method(app: Flask, method: str) -> None:
    response = getattr(app.test_client(), method)("/page")
    assert response.get_data(as_text=True) == f"{method.upper()} http://localhost/page"


def test_client_builds_url_like_builder(app: Flask) -> None:
    response = app.test_client().get("/page", subdomain="admin", url_scheme="https")
    assert response.get_data(as_text=True) == "GET https://admin.localhost/page"


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [(("/page", "http://shop.example/"), {}), ((), {"path": "/page", "base_url": "http://shop.example/"})],
)
def test_client_takes_builder_arguments(app: Flask, args: tuple[str, ...], kwargs: dict[str, str]) -> None:
    assert app.test_client().open(*args, **kwargs).get_data(as_text=True) == "GET http://shop.example/page"


def test_response_class_is_used(app: Flask) -> None:
    class OurResponse(Response):
        pass

    app.response_class = OurResponse
    assert isinstance(app.test_client().get("/"), OurResponse)


def test_client_is_replaceable(app: Flask) -> None:
    class OurClient(FlaskClient):
        def __init__(self, *args: Any, user: str, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.user = user

    app.test_client_class = OurClient
    client = app.test_client(user="ada")
    assert type(client) is OurClient
    assert client.user == "ada"


def test_client_extends_werkzeugs(app: Flask) -> None:
    assert type(app.test_client()) is FlaskClient
    assert issubclass(FlaskClient, Client)


def test_client_keeps_cookies(app: Flask) -> None:
    client = app.test_client()
    assert [client.get("/visits").get_json() for _ in range(2)] == [{"visits": 1}, {"visits": 2}]


def test_clients_have_separate_cookies(app: Flask) -> None:
    assert [app.test_client().get("/visits").get_json() for _ in range(2)] == [{"visits": 1}] * 2


def test_cookies_can_be_ignored(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    assert [client.get("/visits").get_json() for _ in range(2)] == [{"visits": 1}] * 2


def test_redirect_is_followed(app: Flask) -> None:
    app.add_url_rule("/first", "first", lambda: redirect("/second"))
    app.add_url_rule("/second", "second", lambda: redirect("/third"))
    response = app.test_client().get("/first", follow_redirects=True)
    assert response.get_data(as_text=True) == "GET http://localhost/third"


def test_redirect_is_returned(app: Flask) -> None:
    app.add_url_rule("/first", "first", lambda: redirect("/second"))
    assert app.test_client().get("/first").status_code == 302


@pytest.mark.parametrize(
    ("arguments", "at_once"), [({}, False), ({"buffered": False}, False), ({"buffered": True}, True)]
)
def test_buffered_is_closed(app: Flask, arguments: dict[str, bool], at_once: bool) -> None:
    closed: list[str] = []
    response = Response("hello")
    response.call_on_close(lambda: closed.append("closed"))
    app.add_url_rule("/closing", "closing", lambda: response)
    answer = app.test_client().get("/closing", **arguments)
    assert closed == ["closed"] * at_once
    answer.close()


# The environ


def environ_of(app: Flask, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return the environ of a request made with the client of ``app``."""
    return asked(app.test_client(), *args, **kwargs)


def asked(client: FlaskClient, *args: Any, **kwargs: Any) -> dict[str, Any]:
    with client:
        client.open(*args, **kwargs)
        return request.environ


def test_address_is_localhost(app: Flask) -> None:
    environ = environ_of(app, "/")
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_USER_AGENT"] == f"werkzeug/{version('werkzeug')}"


def test_environ_base_applies_to_requests(app: Flask) -> None:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = "10.0.0.1"
    client.environ_base["test.key"] = "yes"
    for _ in range(2):
        environ = asked(client, "/")
        assert environ["REMOTE_ADDR"] == "10.0.0.1"
        assert environ["test.key"] == "yes"


def test_environ_base_is_own(app: Flask) -> None:
    app.test_client().environ_base["REMOTE_ADDR"] = "10.0.0.1"
    assert app.test_client().environ_base["REMOTE_ADDR"] == "127.0.0.1"


def test_request_overrides_environ_base(app: Flask) -> None:
    environ = environ_of(app, "/", environ_base={"REMOTE_ADDR": "10.0.0.1"})
    assert environ["REMOTE_ADDR"] == "10.0.0.1"
    assert "HTTP_USER_AGENT" not in environ


def test_environ_overrides_win(app: Flask) -> None:
    environ = environ_of(app, "/", environ_overrides={"REMOTE_ADDR": "10.0.0.1", "test.key": "yes"})
    assert environ["REMOTE_ADDR"] == "10.0.0.1"
    assert environ["test.key"] == "yes"


def described(app: Flask, how: str) -> Any:
    environ = create_environ("/page?n=1", method="POST", data="body", environ_overrides={"test.key": "yes"})
    if how == "environ":
        return environ
    if how == "request":
        return Request(environ)
    builder = werkzeug.test.EnvironBuilder if how == "werkzeug" else lambda *a, **k: EnvironBuilder(app, *a, **k)
    return builder("/page?n=1", method="POST", data="body", environ_overrides={"test.key": "yes"})


@pytest.mark.parametrize("how", ["environ", "request", "werkzeug", "builder"])
def test_request_can_be_opened(app: Flask, how: str) -> None:
    bodies: list[bytes] = []
    app.before_request(lambda: bodies.append(request.get_data()))
    environ = asked(app.test_client(), described(app, how))
    assert environ["REQUEST_METHOD"] == "POST"
    assert environ["PATH_INFO"] == "/page"
    assert environ["QUERY_STRING"] == "n=1"
    assert environ["test.key"] == "yes"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert bodies == [b"body"]


def test_request_object_sets_remote_address(app: Flask) -> None:
    environ = create_environ("/", environ_base={"REMOTE_ADDR": "10.0.0.1"})
    assert environ_of(app, environ)["REMOTE_ADDR"] == "10.0.0.1"


@pytest.mark.parametrize("how", ["environ", "request", "werkzeug", "builder"])
def test_request_object_gets_client_cookies(app: Flask, how: str) -> None:
    client = app.test_client()
    client.get("/visits")
    asked(client, described(app, how))
    with client:
        client.open(described(app, how))
        assert session["visits"] == 1


def test_builder_can_be_reused(app: Flask) -> None:
    builder = EnvironBuilder(app, "/page")
    client = app.test_client()
    bodies = [client.open(builder).get_data(as_text=True) for _ in range(2)]
    assert bodies == ["GET http://localhost/page"] * 2
    builder.close()


# The client as a context manager


def test_context_ends_with_request(app: Flask, ended: list[str]) -> None:
    app.test_client().get("/page")
    assert has_request_context() is False
    assert ended == ["/page"]


def test_block_preserves_context(app: Flask, ended: list[str]) -> None:
    with app.test_client() as client:
        client.get("/page")
        assert request.path == "/page"
        assert g.page == "page"
        assert current_app.name == "shop"
        assert ended == []
        assert _request_ctx_stack.top.preserved is True


def test_context_ends_with_block(app: Flask, ended: list[str]) -> None:
    with app.test_client() as client:
        client.get("/page")
    assert _request_ctx_stack.top is None
    assert _app_ctx_stack.top is None
    assert ended == ["/page"]


def test_context_ends_with_next_request(app: Flask, ended: list[str]) -> None:
    with app.test_client() as client:
        client.get("/one")
        client.get("/two")
        assert request.path == "/two"
        assert ended == ["/one"]


def test_context_ends_when_block_fails(app: Flask, ended: list[str]) -> None:
    with suppress(ZeroDivisionError), app.test_client() as client:
        client.get("/page")
        raise ZeroDivisionError
    assert has_request_context() is False
    assert ended == ["/page"]


def test_nothing_is_preserved_after_block(app: Flask) -> None:
    with app.test_client() as client:
        client.get("/page")
    client.get("/page")
    assert has_request_context() is False


def test_failed_request_context_is_preserved(app: Flask, ended: list[str]) -> None:
    app.testing = True
    with app.test_client() as client:
        with pytest.raises(ZeroDivisionError):
            client.get("/fails")
        assert request.path == "/fails"
        assert ended == []
    assert ended == ["/fails"]


def test_last_redirect_context_is_preserved(app: Flask, ended: list[str]) -> None:
    app.add_url_rule("/first", "first", lambda: redirect("/second"))
    with app.test_client() as client:
        client.get("/first", follow_redirects=True)
        assert request.path == "/second"
        assert ended == ["/first"]


def test_empty_block_has_no_context(app: Flask) -> None:
    with app.test_client() as client:
        assert client.preserve_context is True
        assert has_request_context() is False


def test_earlier_context_outlives_block(app: Flask) -> None:
    with app.test_request_context("/outer"):
        with app.test_client() as client:
            client.get("/page")
        assert request.path == "/outer"


def test_repeatedly_pushed_context_ends(app: Flask, ended: list[str]) -> None:
    app.add_url_rule("/again", "again", lambda: _request_ctx_stack.top.push() or "")
    with app.test_client() as client:
        client.get("/again")
        assert request.path == "/again"
        assert ended == []
    assert _request_ctx_stack.top is None
    assert _app_ctx_stack.top is None
    assert ended == ["/again"]


def test_nested_blocks_of_client_are_refused(app: Flask) -> None:
    client = app.test_client()
    with client:
        with pytest.raises(RuntimeError, match="client"):
            client.__enter__()


def test_client_blocks_can_be_sequential(app: Flask) -> None:
    client = app.test_client()
    for page in ("one", "two"):
        with client:
            client.get(f"/{page}")
            assert g.page == page


def test_two_clients_can_nest(app: Flask, ended: list[str]) -> None:
    with app.test_client() as one, app.test_client() as other:
        one.get("/one")
        other.get("/other")
        assert request.path == "/other"
        assert ended == ["/one"]
    assert has_request_context() is False
    assert ended == ["/one", "/other"]


def test_clients_of_apps_nest(app: Flask) -> None:
    second = Flask("second")
    with app.test_client() as one, second.test_client() as other:
        one.get("/one")
        other.get("/other")
        assert current_app.name == "second"
        assert request.path == "/other"
        one.get("/one")
        assert current_app.name == "shop"
        assert request.path == "/one"
    assert _app_ctx_stack.top is None


def test_threads_have_own_client_context(app: Flask) -> None:
    both_asked, seen = threading.Barrier(2, timeout=PATIENCE), {}

    def look(page: str) -> None:
        with app.test_client() as client:
            client.get(f"/{page}")
            both_asked.wait()
            seen[page] = (request.path, g.page)

    threads = [threading.Thread(target=look, args=(page,)) for page in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert seen == {"one": ("/one", "one"), "two": ("/two", "two")}


# session_transaction


def test_transaction_changes_next_session(app: Flask) -> None:
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["visits"] = 41
    assert client.get("/visits").get_json() == {"visits": 42}


def test_transaction_sees_last_session(app: Flask) -> None:
    client = app.test_client()
    client.get("/visits")
    with client.session_transaction() as kept:
        assert dict(kept) == {"visits": 1}


@pytest.mark.parametrize("host", ["example.org:8080", "[::1]:8080", "bücher.example"])
def test_transaction_has_host(app: Flask, host: str) -> None:
    client = app.test_client()
    with client.session_transaction(base_url=f"http://{host}/") as kept:
        kept["visits"] = 41
    assert client.get("/visits", base_url=f"http://{host}/").get_json() == {"visits": 42}


def test_transaction_can_remove_values(app: Flask) -> None:
    client = app.test_client()
    client.get("/visits")
    with client.session_transaction() as kept:
        kept.clear()
    assert client.get("/visits").get_json() == {"visits": 1}


def test_transaction_is_own(app: Flask) -> None:
    with app.test_client().session_transaction() as kept:
        kept["visits"] = 41
    assert app.test_client().get("/visits").get_json() == {"visits": 1}


def test_failed_transaction_changes_nothing(app: Flask) -> None:
    client = app.test_client()
    with suppress(ZeroDivisionError), client.session_transaction() as kept:
        kept["visits"] = 41
        raise ZeroDivisionError
    assert client.get("/visits").get_json() == {"visits": 1}
    assert has_request_context() is False


def test_transaction_leaves_no_context(app: Flask) -> None:
    with app.test_client().session_transaction():
        assert has_request_context() is False
    assert _request_ctx_stack.top is None
    assert _app_ctx_stack.top is None


def test_transaction_sees_preserved_context(app: Flask) -> None:
    with app.test_client() as client:
        client.get("/page")
        outer = request._get_current_object()
        with client.session_transaction():
            inner = request._get_current_object() if has_request_context() else None
        assert inner is outer


def test_transaction_sees_pushed_context(app: Flask) -> None:
    with app.test_request_context("/outer"):
        with app.test_client().session_transaction():
            assert request.path == "/outer"
        assert request.path == "/outer"


def test_failed_transaction_keeps_context(app: Flask) -> None:
    with app.test_request_context("/outer") as outer:
        with suppress(ZeroDivisionError), app.test_client().session_transaction():
            raise ZeroDivisionError
        assert _request_ctx_stack._local.stack == [outer]


def test_transaction_accepts_arguments(app: Flask) -> None:
    seen: list[str] = []

    class Looking(type(app.session_interface)):
        def open_session(self, app: Flask, request: Request) -> Any:
            seen.append(f"{request.method} {request.url}")
            return super().open_session(app, request)

    app.session_interface = Looking()
    with app.test_client().session_transaction("/page", method="POST", subdomain="admin"):
        pass
    assert seen[-1] == "POST http://admin.localhost/page"


def test_transaction_sets_cookie_of_host(app: Flask) -> None:
    client = app.test_client()
    with client.session_transaction(base_url="http://shop.example:8080/") as kept:
        kept["visits"] = 41
    visits = [
        client.get("/visits", base_url=f"http://{host}/").get_json()["visits"] for host in ("shop.example", "localhost")
    ]
    assert visits == [42, 1]


def test_transaction_request_starts_with_cookies(app: Flask) -> None:
    class Mine(Request):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.names = list(self.cookies)

    app.request_class = Mine
    client = app.test_client()
    client.get("/visits")
    with client.session_transaction() as kept:
        assert kept["visits"] == 1


def test_transaction_keeps_environ_overrides(app: Flask, ended: list[str]) -> None:
    client = app.test_client()
    client.get("/visits")
    with client.session_transaction(environ_overrides={"PATH_INFO": "/given"}):
        pass
    assert ended[-1] == "/given"


def test_transaction_reads_data_once(app: Flask) -> None:
    sent: list[bytes] = []
    app.teardown_request(lambda error: sent.append(request.get_data()))
    with app.test_client().session_transaction(method="POST", data=BytesIO(b"data")):
        pass
    assert sent == [b"data"]


def test_transaction_needs_cookies(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="use_cookies"), app.test_client(use_cookies=False).session_transaction():
        pass


def test_transaction_needs_session(app: Flask) -> None:
    app.secret_key = None
    with pytest.raises(RuntimeError, match="secret key"), app.test_client().session_transaction():
        pass
    assert has_request_context() is False


@pytest.mark.parametrize("before", [(), ("/before",)], ids=["first", "later"])
def test_transaction_explains_nested_request(app: Flask, ended: list[str], before: tuple[str, ...]) -> None:
    with app.test_client() as client:
        for path in before:
            client.get(path)
        with pytest.raises(AssertionError, match=r"'http://localhost/page'.* Make the request after the block"):
            with client.session_transaction("/transaction"):
                client.get("/page")
    assert _request_ctx_stack.top is None
    assert _app_ctx_stack.top is None
    assert ended == [*before, "/page", "/transaction"]


def test_transaction_raises_error_of_block(app: Flask, ended: list[str]) -> None:
    with app.test_client() as client, pytest.raises(ZeroDivisionError), client.session_transaction("/transaction"):
        client.get("/page").status_code / 0
    assert ended == ["/page", "/transaction"]


def test_request_in_transaction_is_allowed(app: Flask, ended: list[str]) -> None:
    client = app.test_client()
    with client.session_transaction("/transaction"):
        client.get("/page")
    assert ended == ["/page", "/transaction"]


@pytest.mark.usefixtures("by_context")
def test_transaction_ends_in_its_context(app: Flask, ended: list[str]) -> None:
    client = app.test_client()
    with client.session_transaction("/transaction"):
        client.get("/page")
    assert ended == ["/page", "/transaction"]


def test_transaction_names_leaked_context(app: Flask) -> None:
    with pytest.raises(AssertionError, match="/left") as raised:
        with app.test_client().session_transaction():
            app.test_request_context("/left").push()
    assert "None" not in str(raised.value)
    assert _request_ctx_stack.top is None


def test_transaction_skips_null_session(app: Flask) -> None:
    class Nothing(SessionInterface):
        null_session_class = SecureCookieSession

        def open_session(self, app: Flask, request: Request) -> SecureCookieSession:
            return SecureCookieSession()

        def save_session(self, app: Flask, session: Any, response: Response) -> None:
            raise AssertionError("a null session is not saved")

    app.session_interface = Nothing()
    with app.test_client().session_transaction() as kept:
        kept["visits"] = 41


def test_response_json_uses_app_decoder(app: Flask) -> None:
    class Numbers(json.JSONDecoder):
        def __init__(self, **keywords: Any) -> None:
            super().__init__(parse_int=str, **keywords)

    app.json_decoder = Numbers
    with app.test_client() as client:
        assert client.get("/visits").get_json() == {"visits": "1"}
