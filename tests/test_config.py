"""Config: a dictionary that loads settings from objects, files, and environment variables."""

from __future__ import annotations

import json
import traceback
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schlenk import Config, Flask
from schlenk.config import ConfigAttribute
from schlenk.json import JSONDecoder

DEFAULTS = {
    "APPLICATION_ROOT": "/",
    "DEBUG": False,
    "ENV": "production",
    "JSONIFY_MIMETYPE": "application/json",
    "JSONIFY_PRETTYPRINT_REGULAR": False,
    "JSON_AS_ASCII": True,
    "JSON_SORT_KEYS": True,
    "MAX_CONTENT_LENGTH": None,
    "MAX_COOKIE_SIZE": 4093,
    "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
    "PREFERRED_URL_SCHEME": "http",
    "PRESERVE_CONTEXT_ON_EXCEPTION": None,
    "PROPAGATE_EXCEPTIONS": None,
    "SECRET_KEY": None,
    "SERVER_NAME": None,
    "SESSION_COOKIE_DOMAIN": None,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_NAME": "session",
    "SESSION_COOKIE_PATH": None,
    "SESSION_COOKIE_SAMESITE": None,
    "SESSION_COOKIE_SECURE": False,
    "SESSION_REFRESH_EACH_REQUEST": True,
    "TESTING": False,
    "TRAP_BAD_REQUEST_ERRORS": None,
    "TRAP_HTTP_EXCEPTIONS": False,
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path)


class Settings:
    """Imported by name in the tests."""

    COLOR = "red"
    size = 1


# --- Contents


@pytest.mark.parametrize("key", sorted(DEFAULTS))
def test_app_starts_with_default(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLASK_ENV", raising=False)
    monkeypatch.delenv("FLASK_DEBUG", raising=False)
    assert Flask("defaults").config[key] == DEFAULTS[key]


def test_no_other_settings_exist() -> None:
    assert Flask("defaults").config.keys() == DEFAULTS.keys()


def test_apps_have_own_configs() -> None:
    Flask("first").config["COLOR"] = "red"
    assert "COLOR" not in Flask("second").config


def test_config_is_empty_without_defaults(config: Config) -> None:
    assert config == {}


def test_config_does_not_change_defaults(tmp_path: Path) -> None:
    defaults = {"COLOR": "red"}
    config = Config(tmp_path, defaults)
    config["COLOR"] = "blue"
    assert defaults == {"COLOR": "red"}


def test_root_path_is_stored(config: Config, tmp_path: Path) -> None:
    assert config.root_path == tmp_path


def test_repr_shows_class_and_settings(tmp_path: Path) -> None:
    class Mine(Config):
        pass

    assert repr(Mine(tmp_path, {"COLOR": "red"})) == "<Mine {'COLOR': 'red'}>"


# --- From mappings and objects


@pytest.mark.parametrize("given", [{"COLOR": "red", "size": 1}, [("COLOR", "red"), ("size", 1)]])
def test_mapping_sets_keys(config: Config, given: Any) -> None:
    assert config.from_mapping(given) is True
    assert config == {"COLOR": "red"}


def test_keywords_come_last(config: Config) -> None:
    assert config.from_mapping({"COLOR": "red", "SIZE": 1}, COLOR="blue", shape="round") is True
    assert config == {"COLOR": "blue", "SIZE": 1}


def test_object_with_items_is_a_mapping(config: Config) -> None:
    config.from_mapping(SimpleNamespace(items=lambda: [("COLOR", "red")]))
    assert config == {"COLOR": "red"}


def test_two_mappings_are_refused(config: Config) -> None:
    with pytest.raises(TypeError, match="2 were given"):
        config.from_mapping({"COLOR": "red"}, {"SIZE": 1})
    assert config == {}


@pytest.mark.parametrize("given", [Settings, Settings(), f"{__name__}.Settings"])
def test_object_sets_upper_case_attributes(config: Config, given: Any) -> None:
    config.from_object(given)
    assert config == {"COLOR": "red"}


def test_lower_case_property_is_not_run(config: Config) -> None:
    class Mine(Settings):
        @property
        def url(self) -> str:
            raise NotImplementedError

    config.from_object(Mine())
    assert config == {"COLOR": "red"}


def test_class_includes_inherited_attributes(config: Config) -> None:
    class Large(Settings):
        SIZE = 9

    config.from_object(Large)
    assert config == {"COLOR": "red", "SIZE": 9}


def test_unknown_module_raises_import_error(config: Config) -> None:
    with pytest.raises(ImportError, match="nowhere"):
        config.from_object("nowhere.settings")


@pytest.mark.parametrize(
    "fill", [lambda config: config.from_object(Settings), lambda config: config.from_mapping(COLOR="red")]
)
def test_setitem_is_called(tmp_path: Path, fill: Any) -> None:
    class Loud(Config):
        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key, value.upper())

    config = Loud(tmp_path)
    fill(config)
    assert config == {"COLOR": "RED"}


# --- From files


def test_pyfile_sets_names(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text("size = 6\nSIZE = size * 7\n")
    assert config.from_pyfile("settings.py") is True
    assert config == {"SIZE": 42}


def test_path_may_be_absolute(config: Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "settings.py"
    elsewhere.write_text("COLOR = 'red'")
    assert config.from_pyfile(elsewhere) is True
    assert config == {"COLOR": "red"}


def test_pyfile_has_file_and_name(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text("FILE = __file__\nNAME = __name__\n")
    config.from_pyfile("settings.py")
    assert config == {"FILE": str(tmp_path / "settings.py"), "NAME": "config"}


def test_pyfile_has_encoding(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_bytes(b"# -*- coding: latin-1 -*-\nNAME = '\xe9'\n")
    config.from_pyfile("settings.py")
    assert config == {"NAME": "é"}


def test_pyfile_traceback_has_full_path(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text("SIZE = 1\nSIZE //= 0\n")
    with pytest.raises(ZeroDivisionError) as caught:
        config.from_pyfile("settings.py")
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.filename == str(tmp_path / "settings.py")
    assert last.lineno == 2
    assert config == {}


def test_json_file_sets_upper_case_keys(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"COLOR": "red", "size": 1}))
    assert config.from_json("settings.json") is True
    assert config == {"COLOR": "red"}


def test_json_file_uses_decoder_of_app(config: Config, tmp_path: Path, app: Flask) -> None:
    class Numbers(JSONDecoder):
        def __init__(self, **keywords: Any) -> None:
            super().__init__(parse_int=str, **keywords)

    app.json_decoder = Numbers
    (tmp_path / "settings.json").write_text('{"SIZE": 1}')
    with app.app_context():
        config.from_json("settings.json")
    assert config == {"SIZE": "1"}


@pytest.mark.parametrize("read", ["from_pyfile", "from_json"])
@pytest.mark.parametrize("name", ["absent", ".", "file/below"])
def test_missing_file_raises(config: Config, tmp_path: Path, read: str, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="configuration") as caught:
        getattr(config, read)(name)
    assert caught.value.filename == str(tmp_path / name)


@pytest.mark.parametrize(
    ("read", "name"),
    [
        ("from_pyfile", "absent"),
        ("from_pyfile", "."),
        ("from_pyfile", "file/below"),
        ("from_json", "absent"),
        ("from_json", "."),
    ],
)
def test_missing_file_is_ignored_silently(config: Config, tmp_path: Path, read: str, name: str) -> None:
    (tmp_path / "file").touch()
    assert getattr(config, read)(name, silent=True) is False
    assert config == {}


def test_silent_skips_no_unreadable_file(config: Config, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):
        config.from_pyfile("loop", silent=True)


def test_silent_json_file_needs_a_directory(config: Config, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        config.from_json("file/below", silent=True)


# --- From environment variables


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("SCHLENK_SETTINGS", raising=False)
    return "SCHLENK_SETTINGS"


def test_envvar_names_a_pyfile(config: Config, tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.py").write_text("COLOR = 'red'")
    monkeypatch.setenv(variable, "settings.py")
    assert config.from_envvar(variable) is True
    assert config == {"COLOR": "red"}


@pytest.mark.parametrize("value", [None, ""])
def test_unset_envvar_raises(config: Config, variable: str, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is not None:
        monkeypatch.setenv(variable, value)
    with pytest.raises(RuntimeError, match=variable):
        config.from_envvar(variable)


def test_unset_envvar_is_ignored_silently(config: Config, variable: str) -> None:
    assert config.from_envvar(variable, silent=True) is False


def test_missing_file_is_an_error(config: Config, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "absent")
    with pytest.raises(FileNotFoundError):
        config.from_envvar(variable)


def test_missing_envvar_file_may_be_silent(config: Config, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "absent")
    assert config.from_envvar(variable, silent=True) is False


# --- Namespaces


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ({}, {"host": "localhost", "port": 25}),
        ({"lowercase": False}, {"HOST": "localhost", "PORT": 25}),
        ({"trim_namespace": False}, {"mail_host": "localhost", "mail_port": 25}),
        ({"lowercase": False, "trim_namespace": False}, {"MAIL_HOST": "localhost", "MAIL_PORT": 25}),
    ],
)
def test_namespace_is_a_prefix(tmp_path: Path, how: dict[str, bool], found: dict[str, Any]) -> None:
    config = Config(tmp_path, {"MAIL_HOST": "localhost", "MAIL_PORT": 25, "E_MAIL_": "no"})
    assert config.get_namespace("MAIL_", **how) == found


# --- ConfigAttribute


class Application:
    color = ConfigAttribute("COLOR")
    size = ConfigAttribute("SIZE", int)

    def __init__(self, **settings: Any) -> None:
        self.config = settings


def test_attribute_reads_setting() -> None:
    assert Application(COLOR="red").color == "red"


def test_attribute_writes_setting() -> None:
    application = Application()
    application.color = "blue"
    assert application.config == {"COLOR": "blue"}


def test_attribute_converts() -> None:
    application = Application()
    application.size = "42"
    assert application.size == 42
    assert application.config["SIZE"] == "42"


def test_class_attribute_is_the_descriptor() -> None:
    assert isinstance(Application.color, ConfigAttribute)


def test_missing_setting_raises_key_error() -> None:
    with pytest.raises(KeyError, match="COLOR"):
        Application().color  # noqa: B018
