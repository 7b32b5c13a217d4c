"""The application object: construction, configuration, and `run`."""

from __future__ import annotations

import http.client
import json
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import pytest
import werkzeug.serving
from werkzeug.routing import Map, Rule
from werkzeug.test import Client

import schlenk
from schlenk import Config, Flask, Request, Response, current_app, g, request, session
from schlenk.json import JSONDecoder, JSONEncoder
from schlenk.sessions import SecureCookieSessionInterface
from schlenk.testing import FlaskClient

PATIENCE = 30


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLASK_ENV", "FLASK_DEBUG", "FLASK_SKIP_DOTENV"):
        monkeypatch.delenv(name, raising=False)


# Construction


def test_import_name_is_stored() -> None:
    assert Flask("front").import_name == "front"


@pytest.mark.parametrize("name", ["front", "Front"])
def test_name_is_import_name(name: str) -> None:
    assert Flask(name).name == name


@pytest.mark.parametrize(("file", "name"), [("/srv/shop.py", "shop"), ("/srv/shop.cgi.py", "shop.cgi")])
def test_script_has_name_of_file(monkeypatch: pytest.MonkeyPatch, file: str, name: str) -> None:
    script = ModuleType("__main__")
    script.__file__ = file
    monkeypatch.setitem(sys.modules, "__main__", script)
    assert Flask("__main__", root_path="/").name == name


def test_name_in_shell_is_main(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    assert Flask("__main__", root_path="/").name == "__main__"


def test_repr_has_class_and_name() -> None:
    class Shop(Flask):
        pass

    assert repr(Flask("front")) == "<Flask 'front'>"
    assert repr(Shop("front")) == "<Shop 'front'>"


def test_root_path_is_folder() -> None:
    assert Flask("schlenk.app").root_path == str(Path(schlenk.__file__).parent)


@pytest.mark.parametrize("path", ["/srv/shop", Path("/srv/shop")])
def test_root_path_is_stored(path: str | Path) -> None:
    assert Flask("schlenk.app", root_path=path).root_path == path


def test_new_app_is_empty() -> None:
    app = Flask("shop", None, None)
    assert app.extensions == {}
    assert app.view_functions == {}
    assert app.before_first_request_funcs == []
    assert list(app.url_map.iter_rules()) == []


def test_apps_share_no_state() -> None:
    one, other = Flask("one", static_folder=None), Flask("other", static_folder=None)
    one.route("/")(one.before_request(one.teardown_appcontext(lambda *error: None)))
    one.register_error_handler(404, str)
    one.config["TESTING"] = one.extensions["shop"] = True
    assert other.view_functions == {}
    assert other.before_request_funcs == {}
    assert other.teardown_appcontext_funcs == []
    assert other.error_handler_spec.get(None, {}) == {}
    assert other.testing is False
    assert other.extensions == {}


def test_host_matching_reaches_url_map() -> None:
    assert [Flask("shop", None, None, None, flag).url_map.host_matching for flag in (False, True)] == [False, True]


def test_matching_is_stored() -> None:
    assert [Flask("shop", subdomain_matching=flag).subdomain_matching for flag in (False, True)] == [False, True]


def test_unsupported_options_take_defaults() -> None:
    app = Flask(
        "shop",
        static_url_path=None,
        static_folder=None,
        static_host=None,
        template_folder=None,
        instance_path=None,
        instance_relative_config=False,
    )
    assert list(app.url_map.iter_rules()) == []


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("static files", {"static_url_path": "/static"}),
        ("static files", {"static_folder": "static"}),
        ("static files", {"static_host": "shop.example"}),
        ("templates", {"template_folder": "templates"}),
        ("instance folders", {"instance_path": "/srv/instance"}),
        ("instance folders", {"instance_relative_config": True}),
    ],
)
def test_unsupported_are_refused(kind: str, asked: dict[str, Any]) -> None:
    ((keyword, value),) = asked.items()
    with pytest.raises(TypeError, match=rf"\b{kind}\b.*\b{keyword}={value!r}"):
        Flask("shop", **asked)


def test_parameters_keep_flask_positions() -> None:
    app = Flask("shop", None, None, None, False, True, None, None, False, "/srv/shop")
    assert app.import_name == "shop"
    assert app.subdomain_matching is True
    assert app.root_path == "/srv/shop"


def test_module_exports_proxies() -> None:
    from schlenk import app as module

    assert module.current_app is current_app
    assert module.g is g
    assert module.request is request
    assert module.session is session


# Subclasses


def test_classes_can_be_replaced() -> None:
    class OurConfig(Config):
        pass

    class OurRule(Rule):
        pass

    class OurMap(Map):
        pass

    class OurRequest(Request):
        pass

    class OurResponse(Response):
        pass

    class Shop(Flask):
        config_class = OurConfig
        url_rule_class = OurRule
        url_map_class = OurMap
        request_class = OurRequest
        response_class = OurResponse
        app_ctx_globals_class = dict

    app = Shop("shop")
    app.add_url_rule("/", "index", lambda: "hello")
    with app.test_request_context():
        made = (app.config, *app.url_map.iter_rules("index"), app.url_map, request, app.make_response(""), g)
        assert [type(each._get_current_object() if each in (request, g) else each) for each in made] == [
            OurConfig, OurRule, OurMap, OurRequest, OurResponse, dict,
        ]  # fmt: skip


def test_subclass_replaces_default_config() -> None:
    class Shop(Flask):
        default_config = {**Flask.default_config, "SESSION_COOKIE_NAME": "shop"}

    assert Shop("shop").session_cookie_name == "shop"
    assert Flask("shop").session_cookie_name == "session"


def test_make_config_can_be_overridden() -> None:
    class Shop(Flask):
        def make_config(self, instance_relative: bool = False) -> Config:
            config = super().make_config(instance_relative)
            config["SHOP"] = "open"
            return config

    assert Shop("shop", instance_relative_config=False).config["SHOP"] == "open"


def test_make_config_is_given_an_argument() -> None:
    class Shop(Flask):
        def make_config(self, instance_relative: bool) -> Config:
            return Config(self.root_path, {"RELATIVE": instance_relative})

    assert Shop("shop").config == {"RELATIVE": False}


def test_default_classes() -> None:
    assert Flask.request_class is Request
    assert Flask.response_class is Response
    assert Flask.config_class is Config
    assert Flask.json_encoder is JSONEncoder
    assert Flask.json_decoder is JSONDecoder
    assert type(Flask.session_interface) is SecureCookieSessionInterface


# Configuration


def test_default_config_values() -> None:
    app = Flask("shop")
    assert {key: app.config[key] for key in ("ENV", "DEBUG", "TESTING", "SECRET_KEY", "SERVER_NAME")} == {
        "ENV": "production", "DEBUG": False, "TESTING": False, "SECRET_KEY": None, "SERVER_NAME": None,
    }  # fmt: skip


def test_config_uses_root_path() -> None:
    assert Flask("shop", root_path="/srv/shop").config.root_path == "/srv/shop"


@pytest.mark.parametrize(
    ("attribute", "key", "value"),
    [
        ("env", "ENV", "staging"),
        ("debug", "DEBUG", True),
        ("testing", "TESTING", True),
        ("secret_key", "SECRET_KEY", b"key"),
        ("session_cookie_name", "SESSION_COOKIE_NAME", "shop"),
        ("permanent_session_lifetime", "PERMANENT_SESSION_LIFETIME", timedelta(hours=1)),
    ],
)
def test_attribute_is_setting(attribute: str, key: str, value: Any) -> None:
    by_attribute, by_setting = Flask("shop"), Flask("shop")
    setattr(by_attribute, attribute, value)
    by_setting.config[key] = value
    assert by_attribute.config[key] == getattr(by_attribute, attribute) == getattr(by_setting, attribute) == value


def test_lifetime_in_seconds_is_timedelta(app: Flask) -> None:
    app.permanent_session_lifetime = 90
    assert app.permanent_session_lifetime == timedelta(seconds=90)


def test_permanent_session_lasts_31_days() -> None:
    assert Flask("shop").permanent_session_lifetime == timedelta(days=31)


@pytest.mark.parametrize(
    ("variables", "env", "debug"),
    [
        ({}, "production", False),
        ({"FLASK_ENV": "development"}, "development", True),
        ({"FLASK_ENV": "staging"}, "staging", False),
        ({"FLASK_DEBUG": "1"}, "production", True),
        ({"FLASK_ENV": "development", "FLASK_DEBUG": "0"}, "development", False),
    ],
)
def test_environment_sets_env_and_debug(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], env: str, debug: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    app = Flask("shop")
    assert app.env == env
    assert app.debug == debug


@pytest.mark.parametrize(
    ("settings", "propagate"),
    [
        ({}, False),
        ({"TESTING": True}, True),
        ({"DEBUG": True}, True),
        ({"PROPAGATE_EXCEPTIONS": True}, True),
        ({"PROPAGATE_EXCEPTIONS": False, "TESTING": True, "DEBUG": True}, False),
    ],
)
def test_propagation_by_mode(app: Flask, settings: dict[str, bool], propagate: bool) -> None:
    app.config.update(settings)
    assert app.propagate_exceptions is propagate


@pytest.mark.parametrize(
    ("settings", "preserve"),
    [
        ({}, False),
        ({"TESTING": True}, False),
        ({"DEBUG": True}, True),
        ({"PRESERVE_CONTEXT_ON_EXCEPTION": True}, True),
        ({"PRESERVE_CONTEXT_ON_EXCEPTION": False, "DEBUG": True}, False),
    ],
)
def test_preserve_context_by_mode(app: Flask, settings: dict[str, bool], preserve: bool) -> None:
    app.config.update(settings)
    assert app.preserve_context_on_exception is preserve


def test_got_first_request_after_request(app: Flask) -> None:
    before = app.got_first_request
    app.test_client().get("/")
    assert before is False
    assert app.got_first_request is True


def test_logger_has_name_of_app() -> None:
    assert Flask("front").logger.name == "front"


def test_logger_is_created_once() -> None:
    app = Flask("once")
    assert app.logger is app.logger


# Serving


@contextmanager
def served(app: Flask, monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> Iterator[Any]:
    """Run ``app.run()`` in a thread, yield Werkzeug's server, and shut it down afterwards."""
    made: queue.Queue[Any] = queue.Queue()
    make_server = werkzeug.serving.make_server

    def remember(*args: Any, **kwargs: Any) -> Any:
        server = make_server(*args, **kwargs)
        server.serve_forever = partial(server.serve_forever, poll_interval=0.01)
        made.put(server)
        return server

    monkeypatch.setenv("WERKZEUG_SERVER_FD", "")  # run_simple sets it; monkeypatch restores it
    with monkeypatch.context() as patch:
        patch.setattr(werkzeug.serving, "make_server", remember)
        thread = threading.Thread(target=app.run, kwargs=arguments)
        thread.start()
        server = made.get(timeout=PATIENCE)
    try:
        yield server
    finally:
        if thread.is_alive():
            server.shutdown()
        thread.join(PATIENCE)


def ask(server: Any, path: str = "/") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


@pytest.fixture
def run_simple(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Record the calls of ``run_simple`` instead of opening a socket."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(werkzeug.serving, "run_simple", lambda *args, **options: calls.append((*args, options)))
    return calls


def hello(view: Callable[[], Any] = lambda: "hello") -> Flask:
    app = Flask("hello")
    app.add_url_rule("/", "index", view)
    return app


def test_run_serves_on_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    app = hello(lambda: f"{current_app.name} at {request.host}")
    with served(app, monkeypatch, port=0) as server:
        assert ask(server) == (200, f"hello at 127.0.0.1:{server.port}")


def test_run_serves_requests_concurrently(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=PATIENCE)
    app = hello(lambda: str(together.wait()))
    with served(app, monkeypatch, port=0) as server:
        answers: list[tuple[int, str]] = []
        clients = [threading.Thread(target=lambda: answers.append(ask(server))) for _ in range(2)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(PATIENCE)
    assert sorted(answers) == [(200, "0"), (200, "1")]


def test_run_passes_options(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(hello(), monkeypatch, port=0, threaded=False) as server:
        assert server.multithread is False


def test_run_shows_debugger_in_debug_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    app = hello(lambda: 1 / 0)
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = False
    with served(app, monkeypatch, port=0, debug=True, use_reloader=False) as server:
        status, body = ask(server)
    assert status == 500
    assert "ZeroDivisionError" in body
    assert "Werkzeug Debugger" in body


def test_run_hides_debugger_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(hello(lambda: 1 / 0), monkeypatch, port=0) as server:
        status, body = ask(server)
    assert status == 500
    assert "ZeroDivisionError" not in body


def test_run_resets_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    app, seen = hello(), []
    app.before_first_request(lambda: seen.append("first"))
    for _ in range(2):
        with served(app, monkeypatch, port=0) as server:
            ask(server)
            ask(server)
    assert seen == ["first", "first"]


def test_failed_run_resets_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    app = hello()

    def fail(*args: Any, **options: Any) -> None:
        app.test_client().get("/")
        raise OSError("address in use")

    monkeypatch.setattr(werkzeug.serving, "run_simple", fail)
    with pytest.raises(OSError, match="address in use"):
        app.run()
    assert app.got_first_request is False


@pytest.mark.parametrize(
    ("server_name", "arguments", "listens"),
    [
        (None, {}, ("127.0.0.1", 5000)),
        (None, {"host": "0.0.0.0", "port": 7088}, ("0.0.0.0", 7088)),
        (None, {"port": 0}, ("127.0.0.1", 0)),
        (None, {"port": "8000"}, ("127.0.0.1", 8000)),
        ("shop.example:8080", {}, ("shop.example", 8080)),
        ("shop.example:8080", {"host": "127.0.0.1"}, ("127.0.0.1", 8080)),
        ("shop.example:8080", {"port": 80}, ("shop.example", 80)),
        ("shop.example:8080", {"port": 0}, ("shop.example", 0)),
        ("shop.example", {}, ("shop.example", 5000)),
        (":8080", {}, ("127.0.0.1", 8080)),
    ],
)
def test_run_uses_server_name(
    run_simple: list[tuple[Any, ...]], server_name: str | None, arguments: dict[str, Any], listens: tuple[str, int]
) -> None:
    app = Flask("shop")
    app.config["SERVER_NAME"] = server_name
    app.run(**arguments)
    host, port, application, _ = run_simple[0]
    assert host == listens[0]
    assert port == listens[1]
    assert type(port) is int
    assert application == app


@pytest.mark.parametrize("debug", [False, True])
def test_debug_enables_reloader(run_simple: list[tuple[Any, ...]], debug: bool) -> None:
    Flask("shop").run(debug=debug)
    assert run_simple[0][-1] == {"use_reloader": debug, "use_debugger": debug, "threaded": True}


def test_run_options_override_debug_mode(run_simple: list[tuple[Any, ...]]) -> None:
    Flask("shop").run(debug=True, use_reloader=False, use_debugger=False, threaded=False, extra_files=["shop.ini"])
    assert run_simple[0][-1] == {
        "use_reloader": False, "use_debugger": False, "threaded": False, "extra_files": ["shop.ini"],
    }  # fmt: skip


@pytest.mark.parametrize("load_dotenv", [False, True])
def test_run_does_not_pass_load_dotenv_on(run_simple: list[tuple[Any, ...]], load_dotenv: bool) -> None:
    Flask("shop").run(load_dotenv=load_dotenv)
    assert "load_dotenv" not in run_simple[0][-1]


@pytest.mark.parametrize(
    ("variables", "before", "argument", "env", "after"),
    [
        ({}, False, None, "staging", False),
        ({}, True, None, "staging", True),
        ({}, False, True, "staging", True),
        ({}, True, False, "staging", False),
        ({"FLASK_ENV": "development"}, False, None, "development", True),
        ({"FLASK_ENV": "production"}, True, None, "production", False),
        ({"FLASK_ENV": "development"}, False, False, "development", False),
        ({"FLASK_DEBUG": "1"}, False, None, "staging", True),
        ({"FLASK_DEBUG": "0"}, True, None, "staging", False),
        ({"FLASK_ENV": "development", "FLASK_DEBUG": "0"}, True, None, "development", False),
    ],
)
@pytest.mark.usefixtures("run_simple")
def test_run_sets_debug(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    before: bool,
    argument: bool | None,
    env: str,
    after: bool,
) -> None:
    app.env, app.debug = "staging", before
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    app.run(debug=argument)
    assert app.env == env
    assert app.debug == after


@pytest.mark.usefixtures("run_simple")
def test_run_may_ignore_environment(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_ENV", "development")
    monkeypatch.setenv("FLASK_DEBUG", "1")
    app.run(load_dotenv=False)
    assert app.env == "production"
    assert app.debug is False


def test_run_makes_debug_a_bool(app: Flask, run_simple: list[tuple[Any, ...]]) -> None:
    app.run(debug=1)
    assert app.debug is run_simple[0][-1]["use_debugger"] is True


# Other WSGI clients


def test_app_is_a_wsgi_callable() -> None:
    app = hello(lambda: {"path": request.path})
    assert json.loads(Client(app).get("/").data) == {"path": "/"}


def test_context_processor_is_kept_uncalled(app: Flask, client: FlaskClient) -> None:
    @app.context_processor
    def variables() -> dict[str, Any]:
        raise AssertionError

    assert client.get("/").status_code == 404
    assert app.template_context_processors == {None: [variables]}


def test_app_has_no_static_folder(app: Flask) -> None:
    assert app.has_static_folder is False
    assert app.static_folder is None


# Setup after the first request


def function(*arguments: Any) -> Any:
    return None


LATE: dict[str, Callable[[Flask], Any]] = {
    "add_url_rule": lambda app: app.add_url_rule("/late", "late"),
    "endpoint": lambda app: app.endpoint("late"),
    "before_first_request": lambda app: app.before_first_request(function),
    "before_request": lambda app: app.before_request(function),
    "after_request": lambda app: app.after_request(function),
    "teardown_request": lambda app: app.teardown_request(function),
    "teardown_appcontext": lambda app: app.teardown_appcontext(function),
    "context_processor": lambda app: app.context_processor(function),
    "url_value_preprocessor": lambda app: app.url_value_preprocessor(function),
    "url_defaults": lambda app: app.url_defaults(function),
    "errorhandler": lambda app: app.errorhandler(404),
    "register_error_handler": lambda app: app.register_error_handler(404, function),
}


@pytest.mark.parametrize("name", LATE)
def test_late_setup_raises(app: Flask, client: FlaskClient, name: str) -> None:
    app.debug = True
    client.get("/")
    with pytest.raises(AssertionError, match=rf"^{name}\(\) was called after the first request"):
        LATE[name](app)


@pytest.mark.parametrize("name", LATE)
def test_setup_methods_keep_their_names(name: str) -> None:
    assert getattr(Flask, name).__name__ == name


@pytest.mark.parametrize("name", LATE)
def test_late_setup_is_allowed_otherwise(app: Flask, client: FlaskClient, name: str) -> None:
    client.get("/")
    LATE[name](app)


def test_early_setup_is_accepted(app: Flask) -> None:
    app.debug = True
    for register in LATE.values():
        register(app)


def test_late_errorhandler_decorator_raises(app: Flask, client: FlaskClient) -> None:
    register = app.errorhandler(404)
    app.debug = True
    client.get("/")
    with pytest.raises(AssertionError, match="after the first request"):
        register(function)
