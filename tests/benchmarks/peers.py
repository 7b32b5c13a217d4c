"""The libraries that are measured, and the environments that they are installed in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

REQUIREMENTS = {
    "schlenk": ["--editable", str(ROOT), "blinker"],
    "flask": ["flask", "greenlet"],
    "flask-on-schlenk": ["--editable", str(ROOT), "flask"],
    "flask-1.1.4": [
        "flask==1.1.4", "werkzeug==1.0.1", "jinja2<3", "markupsafe<2.1", "itsdangerous<2", "greenlet", "blinker"
    ],
    "werkzeug": ["werkzeug", "greenlet"],
    "bottle": ["bottle"],
    "primitives": ["asgiref", "gevent"],
}  # fmt: skip
NEWEST_PYTHON = {"flask-1.1.4": (3, 11)}


class Peer(NamedTuple):
    """A library that does some of the work."""

    name: str
    environment: str
    kind: str
    """The name of the function of :mod:`tests.benchmarks.work` that returns its work."""
    module: str
    blinker: bool = True


PEERS = {
    peer.name: peer
    for peer in (
        Peer("schlenk", "schlenk", "flask", "schlenk"),
        Peer("schlenk without blinker", "schlenk", "flask", "schlenk", blinker=False),
        Peer("dictionary", "werkzeug", "dictionary", "werkzeug"),
        Peer("Werkzeug", "werkzeug", "werkzeug", "werkzeug"),
        Peer("Flask", "flask", "flask", "flask"),
        Peer("Flask on schlenk", "flask-on-schlenk", "flask_on_schlenk", "flask"),
        Peer("context_ident", "schlenk", "by_context", "schlenk.local"),
        Peer("Flask 1.1.4", "flask-1.1.4", "flask", "flask"),
        Peer("Flask 1.1.4 without blinker", "flask-1.1.4", "flask", "flask", blinker=False),
        Peer("Bottle", "bottle", "bottle", "bottle"),
        Peer("threading.local", "primitives", "threading_local", "threading"),
        Peer("ContextVar", "primitives", "context_variable", "contextvars"),
        Peer("gevent.local", "primitives", "gevent_local", "gevent"),
        Peer("asgiref.local", "primitives", "asgiref_local", "asgiref"),
    )
}


def environment(name: str, directory: Path, python: str) -> str | None:
    """Return the interpreter of the environment ``name``, or ``None`` if this Python is too new for it.

    The environment is created if it is missing. Delete it to install newer releases.
    """
    identify = "import json, sys; print(json.dumps([sys.implementation.cache_tag, *sys.version_info[:3]]))"
    tag, *version = json.loads(subprocess.check_output([python, "-I", "-c", identify], text=True))
    if tuple(version[:2]) > NEWEST_PYTHON.get(name, (4,)):
        return None
    place = directory / "{}-{}.{}.{}".format(tag, *version) / name
    made_of = place / "requirements.json"
    if not made_of.exists() or json.loads(made_of.read_text("utf-8")) != REQUIREMENTS[name]:
        print(f"creating {place}", file=sys.stderr)
        install(name, place, python)
        made_of.write_text(json.dumps(REQUIREMENTS[name]), "utf-8")
    return interpreter(place)


def install(name: str, place: Path, python: str) -> None:
    subprocess.run([python, "-m", "venv", "--clear", place], check=True)
    pip = [interpreter(place), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *REQUIREMENTS[name]], check=True)


def interpreter(place: Path) -> str:
    return str(place / ("Scripts" if sys.platform == "win32" else "bin") / "python")
