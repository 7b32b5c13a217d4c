"""Configuration, the attributes that read it, and the parts of an application."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from pathlib import Path
from unittest import mock

from tests.fidelity.side import Side
from tests.fidelity.trace import Boom, Trace, scenario

# The settings for parts that schlenk does not have: static files, templates, and sending files.
ABSENT = {"EXPLAIN_TEMPLATE_LOADING", "SEND_FILE_MAX_AGE_DEFAULT", "TEMPLATES_AUTO_RELOAD", "USE_X_SENDFILE"}


@scenario
def default_configuration(side: Side, trace: Trace) -> None:
    """All settings for contexts, requests, sessions and JSON exist with their defaults."""
    config = trace.bare().config
    for name in sorted(set(config) - ABSENT):
        value = config[name]
        trace(name, str(value) if isinstance(value, datetime.timedelta) else value)


@scenario
def aliases_of_settings(side: Side, trace: Trace) -> None:
    """Attributes for settings read and set the configuration."""
    app = trace.bare()
    for attribute, setting, value in (
        ("testing", "TESTING", True),
        ("secret_key", "SECRET_KEY", "key"),
        ("session_cookie_name", "SESSION_COOKIE_NAME", "name"),
        ("debug", "DEBUG", True),
        ("env", "ENV", "development"),
    ):
        trace(attribute, getattr(app, attribute) == app.config[setting], getattr(app, attribute))
        setattr(app, attribute, value)
        trace("set", app.config[setting])
        app.config[setting] = "other"
        trace("read", getattr(app, attribute))


@scenario
def aliases_looked_up_on_the_class(side: Side, trace: Trace) -> None:
    """On the class, such an attribute is its descriptor."""
    for attribute in ("testing", "secret_key", "session_cookie_name", "permanent_session_lifetime", "env"):
        trace(attribute, type(getattr(side.flask.Flask, attribute)))


@scenario
def derived_settings(side: Side, trace: Trace) -> None:
    """propagate_exceptions and preserve_context_on_exception depend on several settings. Their own comes first."""
    app = trace.bare()
    for settings in (
        {},
        {"TESTING": True},
        {"DEBUG": True},
        {"DEBUG": True, "PROPAGATE_EXCEPTIONS": False},
        {"TESTING": True, "PROPAGATE_EXCEPTIONS": False},
        {"PROPAGATE_EXCEPTIONS": True},
        {"PRESERVE_CONTEXT_ON_EXCEPTION": True},
        {"DEBUG": True, "PRESERVE_CONTEXT_ON_EXCEPTION": False},
    ):
        app.config.update({**side.flask.Flask.default_config, **settings})
        trace("derived", settings, bool(app.propagate_exceptions), bool(app.preserve_context_on_exception))


@scenario
def debug_and_env_from_the_environment(side: Side, trace: Trace) -> None:
    """FLASK_ENV and FLASK_DEBUG set the initial values of ENV and DEBUG."""
    for env in ("", "production", "development", "other"):
        for debug in ("", "0", "false", "no", "1", "true"):
            with mock.patch.dict(os.environ, FLASK_ENV=env, FLASK_DEBUG=debug):
                app = trace.bare()
            trace("from", env, debug, app.env, app.debug, app.config["ENV"], app.config["DEBUG"])


@scenario
def names_of_an_application(side: Side, trace: Trace) -> None:
    """import_name, name, extensions and the other attributes of a new application."""
    app = trace.bare("scenario")
    trace("names", app.import_name, app.name, app.extensions, app.got_first_request, app.logger.name)
    trace("empty", app.view_functions, list(app.url_map.iter_rules()), app.subdomain_matching)
    trace("root", app.root_path == os.getcwd())
    package = trace.bare("json.decoder")
    trace("package", package.name, Path(package.root_path).name)
    trace("given", trace.bare("scenario", root_path="/given").root_path)


@scenario
def name_of_a_main_module(side: Side, trace: Trace) -> None:
    """An application created in ``__main__`` has the name of its file."""
    import sys

    main = sys.modules["__main__"]
    kept = getattr(main, "__file__", None)
    main.__file__ = "/somewhere/program.py"
    try:
        app = side.flask.Flask("__main__", static_folder=None, template_folder=None, root_path="/somewhere")
        trace("name", app.name, app.import_name)
    finally:
        main.__file__ = kept


@scenario
def classes_of_an_application(side: Side, trace: Trace) -> None:
    """The default classes that a subclass can replace."""
    Flask = side.flask.Flask
    trace("request", Flask.request_class is side.flask.Request, Flask.response_class is side.flask.Response)
    trace("g", Flask.app_ctx_globals_class is side.ctx._AppCtxGlobals)
    trace("config", Flask.config_class is side.config.Config)
    trace("json", Flask.json_encoder is side.json.JSONEncoder, Flask.json_decoder is side.json.JSONDecoder)
    trace("client", Flask.test_client_class, type(trace.bare().test_client()))
    trace("session", type(Flask.session_interface))


@scenario
def classes_replaced_by_a_subclass(side: Side, trace: Trace) -> None:
    """Each replaced class is used."""

    class OwnRequest(side.flask.Request):
        pass

    class OwnResponse(side.flask.Response):
        pass

    class OwnConfig(side.config.Config):
        pass

    class OwnClient(side.testing.FlaskClient):
        pass

    class Own(side.flask.Flask):
        request_class = OwnRequest
        response_class = OwnResponse
        config_class = OwnConfig
        test_client_class = OwnClient

    app = trace.bare(base=Own)
    trace("config", type(app.config))
    app.add_url_rule("/", "index", lambda: type(side.flask.request._get_current_object()).__name__)
    app.after_request(lambda response: trace("response", type(response)) or response)
    client = app.test_client()
    trace("client", type(client), isinstance(client.get("/"), OwnResponse))
    trace.serve(app, "/")
    trace("made", type(app.make_config()))


@scenario
def make_config_replaced(side: Side, trace: Trace) -> None:
    """make_config is called once with instance_relative_config, and its return value is the configuration."""

    class Own(side.flask.Flask):
        def make_config(self, *arguments):
            config = super().make_config(*arguments)
            config["OWN"] = "made"
            return config

    trace("own", trace.bare(base=Own).config["OWN"])


@scenario
def configuration_from_objects(side: Side, trace: Trace) -> None:
    """from_object and from_mapping read only uppercase names."""

    class Settings:
        UPPER = 1
        lower = 2
        Mixed = 3
        _UNDER = 4
        U_1 = 5

    config = side.config.Config("/")
    config.from_object(Settings)
    trace("class", dict(config))
    config.from_object(Settings())
    config.from_object("string")
    trace("module", dict(config))
    trace("mapping", config.from_mapping({"A": 1, "b": 2}, C=3, d=4), dict(config))
    trace("pairs", config.from_mapping([("E", 1)]), config["E"])
    trace.attempt("too many", lambda: config.from_mapping({}, {}))
    trace.attempt("no module", lambda: config.from_object("no.such.module"), words=("no.such",))


@scenario
def configuration_from_files(side: Side, trace: Trace) -> None:
    """from_pyfile, from_json and from_envvar read files below the root path. With silent, a file may be missing."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "settings.py").write_text("A = 1\nb = 2\nC = A + 1\n")
        (root / "settings.json").write_text(json.dumps({"D": [1], "e": 2}))
        (root / "broken.py").write_text("A = \n")
        (root / "broken.json").write_text("{")
        config = side.config.Config(folder)
        trace("python", config.from_pyfile("settings.py"), dict(config))
        trace("json", config.from_json("settings.json"), dict(config))
        for read in (config.from_pyfile, config.from_json):
            trace("silent", read("missing", silent=True))
            trace.attempt("missing", read, "missing", words=("config",))
        trace.attempt("broken python", config.from_pyfile, "broken.py")
        trace.attempt("broken json", config.from_json, "broken.json")
        with mock.patch.dict(os.environ, SCENARIO_SETTINGS=str(root / "settings.py")):
            trace("variable", config.from_envvar("SCENARIO_SETTINGS"))
        with mock.patch.dict(os.environ, SCENARIO_SETTINGS=""):
            trace("silent", config.from_envvar("SCENARIO_SETTINGS", silent=True))
            trace.attempt("unset", config.from_envvar, "SCENARIO_SETTINGS", words=("SCENARIO_SETTINGS", "not set"))
        with mock.patch.dict(os.environ, SCENARIO_SETTINGS=str(root / "missing.py")):
            trace("silent", config.from_envvar("SCENARIO_SETTINGS", silent=True))
            trace.attempt("gone", config.from_envvar, "SCENARIO_SETTINGS")


@scenario
def configuration_by_namespace(side: Side, trace: Trace) -> None:
    """get_namespace returns the settings with a prefix. By default, names are lowercase and without the prefix."""
    config = side.config.Config("/", {"STORE_TYPE": "fs", "STORE_PATH": "/p", "OTHER": 1})
    trace("plain", config.get_namespace("STORE_"))
    trace("capitals", config.get_namespace("STORE_", lowercase=False))
    trace("whole", config.get_namespace("STORE_", trim_namespace=False))
    trace("both", config.get_namespace("STORE_", lowercase=False, trim_namespace=False))
    trace("none", config.get_namespace("NOTHING_"))


@scenario
def configuration_is_a_dictionary(side: Side, trace: Trace) -> None:
    """Config is a dict with defaults. A missing key raises a KeyError."""
    config = side.config.Config("/", {"A": 1})
    trace("dict", isinstance(config, dict), dict(config), config.root_path)
    trace.attempt("missing", lambda: config["B"])


@scenario
def constructor_keywords(side: Side, trace: Trace) -> None:
    """host_matching, subdomain_matching and root_path are as in 1.1.4. An unknown keyword raises a TypeError."""
    app = trace.bare(host_matching=True, subdomain_matching=True, root_path="/given")
    trace("set", app.url_map.host_matching, app.subdomain_matching, app.root_path)
    trace.attempt("unknown", lambda: trace.bare(unknown=1))


@scenario
def testing_and_debug_setters(side: Side, trace: Trace) -> None:
    """debug and testing can be set at any time, and apply from the next request on."""
    app = trace.app()
    trace.serve(app, "/boom")
    app.testing = True
    trace.serve(app, "/boom")
    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.debug = True
    trace.serve(app, "/boom")
    side.globals._request_ctx_stack.top.pop()


@scenario
def logger_of_an_application(side: Side, trace: Trace) -> None:
    """The logger has the name of the application and is created once. With DEBUG, its level is DEBUG."""
    import logging

    app = trace.bare("scenario_logger")
    logger = app.logger
    trace("logger", logger.name, app.logger is logger, logger is logging.getLogger("scenario_logger"), logger.level)
    logger.setLevel(logging.NOTSET)
    other = trace.bare("scenario_debug")
    other.debug = True
    trace("debug", other.logger.level == logging.DEBUG)
    other.logger.setLevel(logging.NOTSET)


@scenario
def logged_to_the_requests_errors(side: Side, trace: Trace) -> None:
    """Without handlers, the logger writes the message, error and traceback to wsgi.errors."""
    import logging

    app = side.flask.Flask("scenario_errors", static_folder=None, template_folder=None)
    logger, root = logging.getLogger("scenario_errors"), logging.getLogger()
    kept, root.handlers = root.handlers, []

    @app.route("/boom")
    def boom() -> None:
        app.logger.warning("a warning")
        raise Boom("view")

    environ = trace.environ("/boom")
    try:
        app(environ, lambda *arguments: None)
    finally:
        root.handlers = kept
        logger.handlers = []
    written = environ["wsgi.errors"].getvalue()
    for words in ("a warning", "WARNING", "ERROR", "/boom [GET]", "Traceback", "Boom: view", "in settings", "in app"):
        trace(words, words in written)


@scenario
def extensions_keep_their_state(side: Side, trace: Trace) -> None:
    """extensions is a plain dict of each application."""
    first, second = trace.bare("first"), trace.bare("second")
    first.extensions["name"] = object()
    trace("extensions", type(first.extensions), sorted(first.extensions), sorted(second.extensions))
