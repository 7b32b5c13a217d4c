"""The two libraries under comparison, each behind the same handful of names.

A scenario, a random program or a table takes a ``Side`` and touches nothing else of Flask or schlenk, so that the
same lines run unchanged on both. On the reference side ``local`` is ``werkzeug.local``; on ours ``schlenk.local``.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

ROOTS = {"flask": "werkzeug", "schlenk": "schlenk"}


@dataclass(frozen=True)
class Side:
    """One of the two libraries: ``flask`` stands for the package, the rest for its modules."""

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
    rooms = ("globals", "ctx", "app", "sessions", "helpers", "signals", "testing", "json", "wrappers", "config")
    return Side(
        name=name,
        flask=importlib.import_module(name),
        local=importlib.import_module(f"{ROOTS[name]}.local"),
        tag=importlib.import_module(f"{name}.json.tag"),
        **{room: importlib.import_module(f"{name}.{room}") for room in rooms},
    )
