"""The configuration of an application, where it can be read from, and what it says where nobody said anything."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

from werkzeug.datastructures import ImmutableDict
from werkzeug.utils import import_string

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
    """An attribute of an application that is a setting of its ``config``.

    :param name: the setting's key.
    :param get_converter: called with the setting when the attribute is read; default: it is read as it is.

    As in Flask 1.1.
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
    """A dictionary that can be filled from modules, files, and environment variables. Only upper-case keys are taken.

    :param root_path: the folder that names of files are relative to.
    :param defaults: what it holds at first.

    >>> config = Config("/srv/app", {"DEBUG": False})
    >>> config.from_mapping(DEBUG=True, motto="not upper case")
    True
    >>> config
    <Config {'DEBUG': True}>

    As in Flask 1.1.
    """

    def __init__(self, root_path: str | os.PathLike[str], defaults: Mapping[str, Any] | None = None) -> None:
        super().__init__(defaults or {})
        self.root_path = root_path

    def from_envvar(self, variable_name: str, silent: bool = False) -> bool:
        """Read the Python file that an environment variable names; see :meth:`from_pyfile`.

        :param variable_name: the environment variable.
        :param silent: return ``False`` where there is no such variable or file.
        :returns: whether the file was read.
        :raises RuntimeError: the variable is not set.
        :raises OSError: the file can't be read.
        """
        file = os.environ.get(variable_name)
        if file:
            return self.from_pyfile(file, silent)
        if silent:
            return False
        raise RuntimeError(
            f"The configuration can't be read: the environment variable {variable_name!r} is not set. "
            "Set it to the name of a configuration file."
        )

    def from_pyfile(self, filename: str | os.PathLike[str], silent: bool = False) -> bool:
        """Run a Python file and take its upper-case names.

        :param filename: relative to ``root_path``.
        :param silent: return ``False`` where there is no such file.
        :returns: whether the file was read.
        :raises OSError: it can't be read.
        """
        source = self._read(filename, silent)
        if source is None:
            return False
        module = ModuleType("config")
        module.__file__ = os.path.join(self.root_path, filename)
        exec(compile(source, module.__file__, "exec"), vars(module))
        self.from_object(module)
        return True

    def from_object(self, obj: Any) -> None:
        """Take the upper-case attributes of ``obj``: a module, a class, any object, or the dotted name of one.

        :raises ImportError: there is nothing of that name.

        >>> class Testing:
        ...     TESTING = True
        ...     motto = "not upper case"
        >>> config = Config("/srv/app")
        >>> config.from_object(Testing); config
        <Config {'TESTING': True}>
        """
        if isinstance(obj, str):
            obj = import_string(obj)
        self._take((key, getattr(obj, key)) for key in dir(obj))

    def from_json(self, filename: str | os.PathLike[str], silent: bool = False) -> bool:
        """Take the upper-case keys of the object in a JSON file.

        Parameters, result and errors are those of :meth:`from_pyfile`; ``ValueError`` where the file isn't JSON.
        """
        source = self._read(filename, silent)
        return source is not None and self.from_mapping(json.loads(source))

    def from_mapping(self, *mapping: Mapping[str, Any] | Iterable[tuple[str, Any]], **kwargs: Any) -> bool:
        """Take the upper-case keys of a mapping (or pairs), and those of the keywords.

        :param mapping: none or one.
        :param kwargs: more of them, which go before those of the mapping.
        :returns: ``True``.
        :raises TypeError: more than one mapping is given.
        """
        if len(mapping) > 1:
            raise TypeError(f"from_mapping() takes one mapping, and keywords: {len(mapping)} were given.")
        for items in (*mapping, kwargs):
            pairs: Any = items
            self._take(pairs.items() if hasattr(pairs, "items") else pairs)
        return True

    def get_namespace(self, namespace: str, lowercase: bool = True, trim_namespace: bool = True) -> dict[str, Any]:
        """Return the settings whose keys begin with ``namespace``.

        :param lowercase: make their keys lower case.
        :param trim_namespace: leave ``namespace`` off their keys.

        >>> Config("/", {"MAIL_HOST": "localhost", "DEBUG": True}).get_namespace("MAIL_")
        {'host': 'localhost'}
        """
        found = {}
        for key, value in self.items():
            if key.startswith(namespace):
                name = key[len(namespace) :] if trim_namespace else key
                found[name.lower() if lowercase else name] = value
        return found

    def _take(self, items: Iterable[tuple[str, Any]]) -> None:
        for key, value in items:
            if key.isupper():
                # Not update(): a subclass may have its own __setitem__.
                self[key] = value

    def _read(self, filename: str | os.PathLike[str], silent: bool) -> bytes | None:
        try:
            return Path(self.root_path, filename).read_bytes()
        except OSError as error:
            if silent and isinstance(error, (FileNotFoundError, IsADirectoryError, NotADirectoryError)):
                return None
            error.strerror = f"The configuration can't be read from this file ({error.strerror})"
            raise

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {super().__repr__()}>"
