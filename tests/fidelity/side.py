"""The two libraries that are compared, with the same names for their modules.

A scenario, a random program or a table reaches Flask or schlenk only through a ``Side``, so the same code runs on both.
``local`` is ``werkzeug.local`` for Flask and ``schlenk.local`` for schlenk.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

ROOTS = {"flask": "werkzeug", "schlenk": "schlenk"}


@dataclass(frozen=True)
class Side:
    """One of the two libraries: ``flask`` is its package, and the other attributes are its modules."""

    name: str
    flask: ModuleType
    local: ModuleType
    globals: ModuleType
    ctx: ModuleType
    app: ModuleType
    sessions: ModuleType
    helpers: ModuleType
    signals: ModuleType
    testing: ModuleType
    json: ModuleType
    tag: ModuleType
    wrappers: ModuleType
    config: ModuleType


def load(name: str) -> Side:
    """Import the library called ``name`` (``"flask"`` or ``"schlenk"``)."""
    modules = ("globals", "ctx", "app", "sessions", "helpers", "signals", "testing", "json", "wrappers", "config")
    return Side(
        name=name,
        flask=importlib.import_module(name),
        local=importlib.import_module(f"{ROOTS[name]}.local"),
        tag=importlib.import_module(f"{name}.json.tag"),
        **{module: importlib.import_module(f"{name}.{module}") for module in modules},
    )
