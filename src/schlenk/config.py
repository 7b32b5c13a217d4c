"""The configuration of an application, its default settings, and the sources it can be loaded from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

from werkzeug.datastructures import ImmutableDict
from werkzeug.utils import import_string

from . import json

DEFAULTS: Mapping[str, Any] = ImmutableDict(
    {
        "ENV": None,
        "DEBUG": None,
        "TESTING": False,
        "PROPAGATE_EXCEPTIONS": None,
        "PRESERVE_CONTEXT_ON_EXCEPTION": None,
        "TRAP_HTTP_EXCEPTIONS": False,
        "TRAP_BAD_REQUEST_ERRORS": None,
        "SECRET_KEY": None,
        "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
        "SESSION_COOKIE_NAME": "session",
        "SESSION_COOKIE_DOMAIN": None,
        "SESSION_COOKIE_PATH": None,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SECURE": False,
        "SESSION_COOKIE_SAMESITE": None,
        "SESSION_REFRESH_EACH_REQUEST": True,
        "SERVER_NAME": None,
        "APPLICATION_ROOT": "/",
        "PREFERRED_URL_SCHEME": "http",
        "MAX_CONTENT_LENGTH": None,
        "MAX_COOKIE_SIZE": 4093,
        "JSON_AS_ASCII": True,
        "JSON_SORT_KEYS": True,
        "JSONIFY_PRETTYPRINT_REGULAR": False,
        "JSONIFY_MIMETYPE": "application/json",
    }
)


class ConfigAttribute:
    """An attribute of an application that reads and writes a setting in its ``config``.

    :param name: the key of the setting.
    :param get_converter: called with the setting whenever the attribute is read; its result is the attribute's value.
        By default the setting itself is the value.
    """

    def __init__(self, name: str, get_converter: Callable[[Any], Any] | None = None) -> None:
        self.__name__ = name
        self.get_converter = get_converter

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        if obj is None:
            return self
        value = obj.config[self.__name__]
        return value if self.get_converter is None else self.get_converter(value)

    def __set__(self, obj: Any, value: Any) -> None:
        obj.config[self.__name__] = value


class Config(dict[str, Any]):
    """A dictionary of settings that can be loaded from objects, files and environment variables.

    The ``from_...`` methods load upper-case keys only and ignore all others.

    :param root_path: the directory that file names are relative to.
    :param defaults: the initial settings.

    >>> config = Config("/srv/app", {"DEBUG": False})
    >>> config.from_mapping(DEBUG=True, motto="not upper case")
    True
    >>> config
    <Config {'DEBUG': True}>
    """

    def __init__(self, root_path: str | os.PathLike[str], defaults: Mapping[str, Any] | None = None) -> None:
        super().__init__(defaults or {})
        self.root_path = root_path

    def from_envvar(self, variable_name: str, silent: bool = False) -> bool:
        """Load the Python file that an environment variable names, with :meth:`from_pyfile`.

        :param variable_name: the name of the environment variable.
        :param silent: return ``False`` instead of raising if the variable is not set or the file does not exist.
        :returns: whether the file was loaded.
        :raises RuntimeError: the variable is not set.
        :raises OSError: the file cannot be read.
        """
        file = os.environ.get(variable_name)
        if file:
            return self.from_pyfile(file, silent)
        if silent:
            return False
        raise RuntimeError(
            f"The environment variable {variable_name!r} is not set, so the configuration cannot be loaded. "
            "Set it to the path of a configuration file."
        )

    def from_pyfile(self, filename: str | os.PathLike[str], silent: bool = False) -> bool:
        """Execute a Python file and load its upper-case variables.

        :param filename: the path of the file, relative to ``root_path``.
        :param silent: return ``False`` instead of raising if the file does not exist.
        :returns: whether the file was loaded.
        :raises OSError: the file cannot be read.
        """
        source = self._read_file(filename, (FileNotFoundError, IsADirectoryError, NotADirectoryError) if silent else ())
        if source is None:
            return False
        module = ModuleType("config")
        module.__file__ = os.path.join(self.root_path, filename)
        exec(compile(source, module.__file__, "exec"), vars(module))
        self.from_object(module)
        return True

    def from_object(self, obj: Any) -> None:
        """Load the upper-case attributes of an object, usually a module or a class.

        :param obj: the object, or its import name as a string.
        :raises ImportError: the import name cannot be imported.

        >>> class Testing:
        ...     TESTING = True
        ...     motto = "not upper case"
        >>> config = Config("/srv/app")
        >>> config.from_object(Testing); config
        <Config {'TESTING': True}>
        """
        if isinstance(obj, str):
            obj = import_string(obj)
        self._load((key, getattr(obj, key)) for key in dir(obj) if key.isupper())

    def from_json(self, filename: str | os.PathLike[str], silent: bool = False) -> bool:
        """Load the upper-case keys of a JSON file that contains an object.

        It is read by :func:`schlenk.json.loads`, so in an application context by the application's ``json_decoder``.

        :param filename: the path of the file, relative to ``root_path``.
        :param silent: return ``False`` instead of raising if the file does not exist.
        :returns: whether the file was loaded.
        :raises OSError: the file cannot be read.
        :raises ValueError: the file is not valid JSON.
        """
        source = self._read_file(filename, (FileNotFoundError, IsADirectoryError) if silent else ())
        return source is not None and self.from_mapping(json.loads(source))

    def from_mapping(self, *mapping: Mapping[str, Any] | Iterable[tuple[str, Any]], **kwargs: Any) -> bool:
        """Load the upper-case keys of a mapping and of the keyword arguments.

        :param mapping: at most one mapping or iterable of pairs.
        :param kwargs: more settings, which override those in the mapping.
        :returns: ``True``.
        :raises TypeError: more than one mapping is given.
        """
        if len(mapping) > 1:
            raise TypeError(f"from_mapping() takes at most one mapping, but {len(mapping)} were given.")
        for items in (*mapping, kwargs):
            pairs: Any = items
            self._load(pairs.items() if hasattr(pairs, "items") else pairs)
        return True

    def get_namespace(self, namespace: str, lowercase: bool = True, trim_namespace: bool = True) -> dict[str, Any]:
        """Return the settings whose keys start with a prefix, as a new dictionary.

        :param namespace: the prefix.
        :param lowercase: convert the keys to lower case.
        :param trim_namespace: remove the prefix from the keys.

        >>> Config("/", {"MAIL_HOST": "localhost", "DEBUG": True}).get_namespace("MAIL_")
        {'host': 'localhost'}
        """
        found = {}
        for key, value in self.items():
            if key.startswith(namespace):
                name = key[len(namespace) :] if trim_namespace else key
                found[name.lower() if lowercase else name] = value
        return found

    def _load(self, items: Iterable[tuple[str, Any]]) -> None:
        for key, value in items:
            if key.isupper():
                # dict.update() would bypass the __setitem__ of a subclass.
                self[key] = value

    def _read_file(self, filename: str | os.PathLike[str], ignored: tuple[type[OSError], ...]) -> bytes | None:
        try:
            return Path(self.root_path, filename).read_bytes()
        except ignored:
            return None
        except OSError as error:
            error.strerror = f"The configuration file cannot be read ({error.strerror})"
            raise

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {super().__repr__()}>"
