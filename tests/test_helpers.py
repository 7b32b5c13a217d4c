"""Helpers for views: URLs, flashed messages, streams, environment variables, and root paths."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from werkzeug.exceptions import abort as werkzeug_abort
from werkzeug.routing import BuildError, MapAdapter
from werkzeug.utils import redirect as werkzeug_redirect

import schlenk
from schlenk import (
    Flask,
    Markup,
    Response,
    _app_ctx_stack,
    _request_ctx_stack,
    current_app,
    flash,
    g,
    get_flashed_messages,
    message_flashed,
    request,
    session,
    stream_with_context,
    url_for,
)
from schlenk.helpers import get_debug_flag, get_env, get_load_dotenv, get_root_path
from tests.support.requirements import needs_blinker


@pytest.fixture
def app(app: Flask) -> Flask:
    app.add_url_rule("/", "index", lambda: "index")
    app.add_url_rule("/user/<name>", "user")
    app.add_url_rule("/page", "page", defaults={"number": 1})
    app.add_url_rule("/page/<int:number>", "page")
    app.add_url_rule("/show", "both", methods=["GET"])
    app.add_url_rule("/change", "both", methods=["POST"])
    app.add_url_rule("/shop", "shop.index")
    app.add_url_rule("/shop/cart", "shop.cart")
    app.add_url_rule("/cart", "cart")
    return app


# url_for in a request


@pytest.mark.parametrize(
    ("endpoint", "values", "url"),
    [
        ("index", {}, "/"),
        ("user", {"name": "ada"}, "/user/ada"),
        ("user", {"name": "ada lovelace/ä"}, "/user/ada%20lovelace/%C3%A4"),
        ("user", {"name": "ada", "n": 1, "m": None}, "/user/ada?n=1"),
        ("index", {"n": [1, 2]}, "/?n=1&n=2"),
        ("page", {"number": 1}, "/page"),
        ("page", {"number": 2}, "/page/2"),
        ("both", {"_method": "GET"}, "/show"),
        ("both", {"_method": "POST"}, "/change"),
        ("index", {"_anchor": "top"}, "/#top"),
        ("index", {"_anchor": "a b/c:d?ä#"}, "/#a%20b/c:d%3F%C3%A4%23"),
        ("index", {"_anchor": ""}, "/#"),
        ("index", {"_anchor": 7}, "/#7"),
        ("index", {"n": 1, "_anchor": "top"}, "/?n=1#top"),
        ("index", {"_external": True}, "http://localhost/"),
        ("index", {"_external": True, "_anchor": "top"}, "http://localhost/#top"),
        ("index", {"_external": True, "_scheme": "https"}, "https://localhost/"),
        ("index", {"_external": True, "_scheme": ""}, "//localhost/"),
        ("index", {"_external": False}, "/"),
    ],
)
def test_url_for_in_request(app: Flask, endpoint: str, values: dict[str, Any], url: str) -> None:
    with app.test_request_context():
        assert url_for(endpoint, **values) == url


def test_url_has_root_path(app: Flask) -> None:
    with app.test_request_context(base_url="https://shop.example/root/"):
        assert url_for("cart") == "/root/cart"
        assert url_for("cart", _external=True) == "https://shop.example/root/cart"


def test_url_for_scheme_affects_one_url(app: Flask) -> None:
    with app.test_request_context():
        urls = [url_for("index", _external=True, _scheme="https"), url_for("index", _external=True)]
    assert urls == ["https://localhost/", "http://localhost/"]


def test_url_for_calls_build_of_werkzeug_1(app: Flask) -> None:
    class Adapter(MapAdapter):
        def build(  # type: ignore[override]
            self, endpoint: str, values: Any = None, method: Any = None, force_external: bool = False
        ) -> str:
            return "/root" + super().build(endpoint, values, method, force_external)

    with app.test_request_context() as context:
        context.url_adapter.__class__ = Adapter
        assert url_for("cart") == "/root/cart"


@pytest.mark.parametrize("external", [{}, {"_external": False}])
def test_url_for_scheme_requires_external(app: Flask, external: dict[str, bool]) -> None:
    with app.test_request_context(), pytest.raises(ValueError, match="_external"):
        url_for("index", _scheme="https", **external)


@pytest.mark.parametrize(
    ("path", "endpoint", "url"),
    [("/shop", ".cart", "/shop/cart"), ("/shop", "cart", "/cart"), ("/", ".cart", "/cart"), ("/no", ".cart", "/cart")],
)
def test_leading_dot_is_current_blueprint(app: Flask, path: str, endpoint: str, url: str) -> None:
    with app.test_request_context(path):
        assert url_for(endpoint) == url


def test_url_for_uses_top_request(app: Flask) -> None:
    other = Flask("other")
    other.add_url_rule("/elsewhere", "index")
    with app.test_request_context(), other.test_request_context():
        assert url_for("index") == "/elsewhere"


def test_url_defaults_add_values(app: Flask) -> None:
    @app.url_defaults
    def add_language(endpoint: str, values: dict[str, Any]) -> None:
        values.setdefault("lang", f"{endpoint}-de")

    with app.test_request_context():
        assert url_for("index") == "/?lang=index-de"
        assert url_for("index", lang="en") == "/?lang=en"


def test_url_defaults_in_order(app: Flask) -> None:
    seen: list[Any] = []
    app.url_defaults(lambda endpoint, values: values.update(first=len(values)))
    app.url_defaults(lambda endpoint, values: seen.append(dict(values)))
    with app.test_request_context():
        url_for("index", n=1, _external=True, _scheme="https", _anchor="top", _method="GET")
    assert seen == [{"n": 1, "first": 1}]


# url_for outside a request


def test_url_for_outside_request_external(app: Flask) -> None:
    app.config["SERVER_NAME"] = "shop.example:8080"
    with app.app_context():
        assert url_for("index") == "http://shop.example:8080/"


def test_url_for_outside_request_relative(app: Flask) -> None:
    app.config["SERVER_NAME"] = "shop.example"
    with app.app_context():
        assert url_for("index", _external=False) == "/"


def test_dot_outside_request(app: Flask) -> None:
    app.config["SERVER_NAME"] = "shop.example"
    with app.app_context(), pytest.raises(BuildError):
        url_for(".cart")


def test_url_outside_app_explains() -> None:
    with pytest.raises(RuntimeError, match=r"app\.app_context\(\)"):
        url_for("index")


def test_url_for_explains_no_server_name(app: Flask) -> None:
    with app.app_context(), pytest.raises(RuntimeError, match="SERVER_NAME is not set"):
        url_for("index")


def test_relative_url_needs_server_name_too(app: Flask) -> None:
    with app.app_context(), pytest.raises(RuntimeError, match="even with _external=False"):
        url_for("index", _external=False)


def test_url_for_with_bad_host_explains(app: Flask) -> None:
    with app.test_request_context(environ_overrides={"HTTP_HOST": 64 * "x" + ".example"}):
        with pytest.raises(AttributeError, match=r"'index'.* host"):
            url_for("index")


# Build errors


@pytest.mark.parametrize(("endpoint", "values"), [("nothing", {}), ("user", {}), ("both", {"_method": "PUT"})])
def test_unbuildable_url_raises(app: Flask, endpoint: str, values: dict[str, Any]) -> None:
    with app.test_request_context(), pytest.raises(BuildError) as raised:
        url_for(endpoint, **values)
    assert raised.value.endpoint == endpoint


@pytest.mark.parametrize(("endpoint", "meant"), [("usr", "user"), ("User", "user"), ("bth", "both")])
def test_build_error_suggests_endpoint(app: Flask, endpoint: str, meant: str) -> None:
    with app.test_request_context(), pytest.raises(BuildError, match=rf"Did you mean '{meant}'\?$"):
        url_for(endpoint)


def test_endpoint_of_other_app_is_explained() -> None:
    other = Flask("other")
    with other.test_request_context(), pytest.raises(BuildError, match=r"'other' has no endpoint 'user'.* another app"):
        url_for("user", name="ada")


def test_build_error_of_static_file_advises(app: Flask) -> None:
    with app.test_request_context(), pytest.raises(BuildError, match=r"without .*static files.*install_under_flask"):
        url_for("static", filename="page.css")


def test_build_error_names_app_of_request(app: Flask) -> None:
    with app.test_request_context(), Flask("other").app_context():
        with pytest.raises(BuildError, match=rf"^The application '{app.name}' has no endpoint 'nothing'"):
            url_for("nothing")


def test_build_error_names_missing_values(app: Flask) -> None:
    with app.test_request_context(), pytest.raises(BuildError, match=r"endpoint 'user'.*specify values \['name'\]"):
        url_for("user")


def test_build_error_handler_returns_url(app: Flask) -> None:
    app.url_build_error_handlers.append(lambda error, endpoint, values: f"/else/{endpoint}")
    with app.test_request_context():
        assert url_for("nothing") == "/else/nothing"


def test_build_error_handler_gets_arguments(app: Flask) -> None:
    seen: list[Any] = []
    app.url_build_error_handlers.append(lambda *given: seen.append(given) or "")
    with app.test_request_context():
        url_for("nothing", n=1, _anchor="top", _method="POST", _external=True, _scheme="https")
        url_for("nothing")
    assert [error.endpoint for error, _, _ in seen] == ["nothing", "nothing"]
    assert [endpoint for _, endpoint, _ in seen] == ["nothing", "nothing"]
    assert [values for _, _, values in seen] == [
        {"n": 1, "_anchor": "top", "_method": "POST", "_external": True, "_scheme": "https"},
        {"_anchor": None, "_method": None, "_external": False, "_scheme": None},
    ]


def test_build_handler_sees_current_error(app: Flask) -> None:
    current: list[Any] = []
    app.url_build_error_handlers.append(lambda error, *_: current.append(error is sys.exc_info()[1]) or "")
    with app.test_request_context():
        url_for("nothing")
    assert current == [True]


def test_first_build_error_handler_wins(app: Flask) -> None:
    app.url_build_error_handlers += [
        lambda error, endpoint, values: None,
        lambda error, endpoint, values: "",
        lambda error, endpoint, values: "/never",
    ]
    with app.test_request_context():
        assert url_for("nothing") == ""


def test_unhandled_build_error_is_raised(app: Flask) -> None:
    app.url_build_error_handlers.append(lambda error, endpoint, values: None)
    with app.test_request_context(), pytest.raises(BuildError):
        url_for("nothing")


def test_build_handler_may_raise_another(app: Flask) -> None:
    seen: list[Any] = []

    def fail(error: BuildError, endpoint: str, values: dict[str, Any]) -> str:
        raise BuildError("other", values, None)

    app.url_build_error_handlers += [fail, lambda error, endpoint, values: seen.append(error.endpoint)]
    with app.test_request_context(), pytest.raises(BuildError) as raised:
        url_for("nothing")
    assert seen == ["other"]
    assert raised.value.endpoint == "other"


def test_other_handler_error_propagates(app: Flask) -> None:
    def fail(error: BuildError, endpoint: str, values: dict[str, Any]) -> str:
        raise ZeroDivisionError

    app.url_build_error_handlers += [fail, lambda error, endpoint, values: "/never"]
    with app.test_request_context(), pytest.raises(ZeroDivisionError):
        url_for("nothing")


def test_handle_url_build_error_by_hand(app: Flask) -> None:
    error = BuildError("nothing", {}, None)
    with pytest.raises(BuildError) as raised:
        app.handle_url_build_error(error, "nothing", {})
    assert raised.value is error


# Flashed messages


@pytest.fixture
def flashing(app: Flask) -> Flask:
    """An application that flashes messages at one URL and returns them at another."""

    @app.route("/flash")
    def flash_two() -> str:
        flash("Saved.")
        flash("Too long.", "error")
        return ""

    @app.route("/flashed")
    def flashed() -> dict[str, Any]:
        return {"messages": get_flashed_messages()}

    return app


def test_flashes_are_shown_in_next_request(flashing: Flask) -> None:
    client = flashing.test_client()
    for path in ("/flash", "/"):
        client.get(path)
    assert [client.get("/flashed").get_json()["messages"] for _ in range(2)] == [["Saved.", "Too long."], []]


def test_flashes_of_requests_accumulate(flashing: Flask) -> None:
    client = flashing.test_client()
    client.get("/flash")
    client.get("/flash")
    assert client.get("/flashed").get_json() == {"messages": ["Saved.", "Too long."] * 2}


def test_flashes_are_same_throughout_request(app: Flask) -> None:
    with app.test_request_context():
        flash("Saved.")
        assert [get_flashed_messages() for _ in range(2)] == [["Saved."], ["Saved."]]


def test_flash_after_read_waits(app: Flask) -> None:
    with app.test_request_context():
        before = get_flashed_messages()
        flash("Saved.")
        assert before == []
        assert get_flashed_messages() == []
        assert session["_flashes"] == [("message", "Saved.")]


def test_flashes_are_removed_from_session(app: Flask) -> None:
    with app.test_request_context():
        flash("Saved.")
        get_flashed_messages()
        assert "_flashes" not in session


def test_reading_no_flashes_keeps_session(app: Flask) -> None:
    with app.test_request_context():
        assert get_flashed_messages() == []
        assert session.modified is False


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ({}, ["Saved.", "Too long.", "Again."]),
        ({"with_categories": True}, [("message", "Saved."), ("error", "Too long."), ("message", "Again.")]),
        ({"category_filter": ["error"]}, ["Too long."]),
        ({"category_filter": ("error", "message")}, ["Saved.", "Too long.", "Again."]),
        ({"category_filter": ["warning"]}, []),
        ({"category_filter": []}, ["Saved.", "Too long.", "Again."]),
        ({"with_categories": True, "category_filter": ["error"]}, [("error", "Too long.")]),
    ],
    ids=str,
)
def test_flashes_by_category(app: Flask, arguments: dict[str, Any], messages: list[Any]) -> None:
    with app.test_request_context():
        flash("Saved.")
        flash("Too long.", "error")
        flash("Again.")
        assert get_flashed_messages(**arguments) == messages


def test_flashes_keep_category_and_markup(app: Flask) -> None:
    app.add_url_rule("/flash", "flash", lambda: flash(Markup("<b>Saved.</b>"), "done") or "")
    client = app.test_client()
    client.get("/flash")
    with client:
        client.get("/")
        ((category, message),) = get_flashed_messages(with_categories=True)
    assert category == "done"
    assert message == Markup("<b>Saved.</b>")
    assert type(message) is Markup


def test_flash_needs_secret_key(app: Flask) -> None:
    app.secret_key = None
    with app.test_request_context(), pytest.raises(RuntimeError, match="secret_key"):
        flash("Saved.")


def test_flash_requires_request() -> None:
    with pytest.raises(RuntimeError, match="request context"):
        flash("Saved.")


def test_flashed_messages_require_request(app: Flask) -> None:
    with app.app_context(), pytest.raises(AttributeError, match="request context"):
        get_flashed_messages()


@needs_blinker
def test_flash_sends_signal(app: Flask) -> None:
    seen: list[Any] = []

    def receive(sender: Flask, message: str, category: str) -> None:
        seen.append((sender, message, category, session["_flashes"]))

    with message_flashed.connected_to(receive), app.test_request_context():
        flash("Saved.", "done")
        assert seen[0][0] is app
    assert [row[1:] for row in seen] == [("Saved.", "done", [("done", "Saved.")])]


# Streams


@pytest.fixture
def ended(app: Flask) -> list[Any]:
    """Collect the errors passed to the teardown functions of ``app``."""
    errors: list[Any] = []
    app.teardown_request(errors.append)
    return errors


def depth() -> int:
    return len(getattr(_request_ctx_stack._local, "stack", ()))


def test_stream_has_request(app: Flask) -> None:
    app.add_url_rule("/stream", "stream", lambda: Response(stream_with_context(iter_path())))

    def iter_path() -> Iterator[str]:
        for _ in range(2):
            yield f"{request.path} {session.get('user')} {g.user} {current_app.name}\n"

    app.before_request(lambda: setattr(g, "user", "ada"))
    assert app.test_client().get("/stream").data == b"/stream None ada shop\n" * 2


def test_stream_decorator_wraps_generator(app: Flask) -> None:
    @app.route("/stream")
    def stream() -> Response:
        @stream_with_context
        def letters(first: str, *, last: str) -> Iterator[str]:
            """Yield letters."""
            yield from (first, request.path, last)

        assert letters.__name__ == "letters"
        assert letters.__doc__ == "Yield letters."
        return Response(letters("a", last="z"))

    app.testing = True
    assert app.test_client().get("/stream").data == b"a/streamz"


def test_stream_accepts_iterable(app: Flask) -> None:
    with app.test_request_context():
        assert list(stream_with_context(["a", "b"])) == ["a", "b"]


def test_stream_pops_context_when_done(app: Flask, ended: list[Any]) -> None:
    context = app.test_request_context()
    context.push()
    stream = stream_with_context(["a", "b"])
    context.pop()
    during = [(letter, depth(), len(ended)) for letter in stream]
    assert during == [("a", 1, 0), ("b", 1, 0)]
    assert depth() == 0
    assert ended == [None]
    assert _app_ctx_stack.top is None


def test_stream_keeps_context_from_creation(app: Flask, ended: list[Any]) -> None:
    context = app.test_request_context()
    context.push()
    stream = stream_with_context(["a"])
    context.pop()
    assert request.path == "/"
    assert ended == []
    stream.close()


def test_closing_pops_context(app: Flask, ended: list[Any]) -> None:
    closed: list[int] = []

    def letters() -> Iterator[str]:
        try:
            yield from "abc"
        finally:
            closed.append(depth())

    app.add_url_rule("/stream", "stream", lambda: Response(stream_with_context(letters())))
    response = app.test_client().get("/stream", buffered=False)
    assert next(iter(response.response)) == b"a"
    assert closed == []
    assert ended == []
    response.close()
    assert closed == [1]
    assert len(ended) == 1
    assert depth() == 0


def test_failing_stream_passes_its_error(app: Flask, ended: list[Any]) -> None:
    error = ZeroDivisionError()

    def letters() -> Iterator[str]:
        yield "a"
        raise error

    context = app.test_request_context()
    context.push()
    stream = stream_with_context(letters())
    context.pop()
    assert next(stream) == "a"
    with pytest.raises(ZeroDivisionError):
        next(stream)
    assert ended == [error]
    assert depth() == 0


def test_finished_stream_frees_context(app: Flask) -> None:
    outer, inner = app.test_request_context("/outer"), app.test_request_context("/inner")
    outer.push()
    inner.push()
    list(stream_with_context(["a"]))
    with pytest.raises(AssertionError, match="/inner"):
        outer.auto_pop(None)
    assert _request_ctx_stack.top is None


def test_source_closes_in_context(app: Flask) -> None:
    class Closing:
        closed: list[str] = []

        def __iter__(self) -> Closing:
            return self

        def __next__(self) -> str:
            raise StopIteration

        def close(self) -> None:
            self.closed.append(request.path)

    with app.test_request_context("/stream"):
        assert list(stream_with_context(Closing())) == []
    assert Closing.closed == ["/stream"]


def test_stream_requires_context() -> None:
    with pytest.raises(RuntimeError, match="request context"):
        stream_with_context(["a"])


def test_stream_decorator_requires_context() -> None:
    @stream_with_context
    def letters() -> Iterator[str]:
        yield "a"

    with pytest.raises(RuntimeError, match="request context"):
        letters()


# Re-exports


def test_abort_and_redirect_are_werkzeugs() -> None:
    assert schlenk.abort is werkzeug_abort
    assert schlenk.redirect is werkzeug_redirect


# Environment variables


@pytest.mark.parametrize(
    ("variable", "env"),
    [(None, "production"), ("", "production"), ("development", "development"), ("staging", "staging")],
)
def test_get_env_reads_flask_env(monkeypatch: pytest.MonkeyPatch, variable: str | None, env: str) -> None:
    monkeypatch.delenv("FLASK_ENV", raising=False)
    if variable is not None:
        monkeypatch.setenv("FLASK_ENV", variable)
    assert get_env() == env


@pytest.mark.parametrize("env", ["production", "development"])
@pytest.mark.parametrize(
    ("variable", "flag"),
    [
        (None, None), ("", None), ("0", False), ("false", False), ("No", False), ("FALSE", False), ("1", True),
        ("true", True), ("yes", True), ("on", True), ("off", True),
    ],
)  # fmt: skip
def test_get_debug_flag_reads_environment(
    monkeypatch: pytest.MonkeyPatch, env: str, variable: str | None, flag: bool | None
) -> None:
    monkeypatch.setenv("FLASK_ENV", env)
    monkeypatch.delenv("FLASK_DEBUG", raising=False)
    if variable is not None:
        monkeypatch.setenv("FLASK_DEBUG", variable)
    assert get_debug_flag() is (env == "development" if flag is None else flag)


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize(
    ("variable", "load"),
    [(None, None), ("", None), ("0", True), ("False", True), ("no", True), ("1", False), ("yes", False)],
)
def test_get_load_dotenv_reads_skip_flag(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, load: bool | None, default: bool
) -> None:
    monkeypatch.delenv("FLASK_SKIP_DOTENV", raising=False)
    if variable is not None:
        monkeypatch.setenv("FLASK_SKIP_DOTENV", variable)
    assert get_load_dotenv(default) is (default if load is None else load)


def test_get_load_dotenv_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLASK_SKIP_DOTENV", raising=False)
    assert get_load_dotenv() is True


# Root paths


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path. Its modules are unloaded after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_root_path_if_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = ModuleType("imported_module")
    module.__file__ = str(tmp_path / "somewhere" / "imported_module.py")
    monkeypatch.setitem(sys.modules, "imported_module", module)
    assert get_root_path("imported_module") == str(tmp_path / "somewhere")


def test_root_path_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = ModuleType("imported_module")
    module.__file__ = "imported_module.py"
    monkeypatch.setitem(sys.modules, "imported_module", module)
    monkeypatch.chdir(tmp_path)
    assert get_root_path("imported_module") == str(tmp_path)


def test_root_path_of_unimported_module(folder: Path) -> None:
    (folder / "unseen_module.py").write_text("raise AssertionError('imported')")
    assert get_root_path("unseen_module") == str(folder)


def test_root_path_of_package(folder: Path) -> None:
    (folder / "unseen_package").mkdir()
    (folder / "unseen_package" / "__init__.py").touch()
    (folder / "unseen_package" / "inner.py").touch()
    assert get_root_path("unseen_package") == get_root_path("unseen_package.inner") == str(folder / "unseen_package")


@pytest.mark.parametrize("name", ["no_such_module", "schlenk.no_such_module"])
def test_root_path_if_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert get_root_path(name) == str(tmp_path)


def test_root_path_in_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    monkeypatch.chdir(tmp_path)
    assert get_root_path("__main__") == str(tmp_path)


def test_root_path_of_broken_package_raises() -> None:
    with pytest.raises(ImportError, match="no_such_package"):
        get_root_path("no_such_package.module")


def test_root_path_without_file_raises() -> None:
    with pytest.raises(RuntimeError, match=r"'sys'.*root_path="):
        get_root_path("sys")


def test_namespace_package_has_no_root_path(folder: Path) -> None:
    (folder / "namespace_package").mkdir()
    importlib.import_module("namespace_package")
    with pytest.raises(RuntimeError, match=r"'namespace_package'.*root_path="):
        get_root_path("namespace_package")
