"""Record the traces of all scenarios on Flask 1.1.4: ``python -m tests.fidelity record --output FILE``.

``check FILE`` runs the scenarios again and fails if a trace differs from the record.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tests.fidelity.scenarios  # noqa: F401  (registers them)
from tests.fidelity.side import load
from tests.fidelity.trace import SCENARIOS, run

COMMAND = "python -m tests.fidelity record --output tests/fidelity/record.json"
PACKAGES = ("flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "blinker", "greenlet")


def record() -> dict[str, Any]:
    """Return the trace of each scenario on Flask."""
    reference = load("flask")
    return {name: run(name, reference) for name in sorted(SCENARIOS)}


def write(path: Path, scenarios: dict[str, Any]) -> None:
    """Write a record with one event a line, so that the difference between two records is readable."""
    versions = {package: version(package) for package in PACKAGES}
    head = {"command": COMMAND, "python": platform.python_version(), "versions": versions}
    parts = []
    for name, events in scenarios.items():
        lines = ",\n".join(f"   {json.dumps(event, sort_keys=True)}" for event in events)
        parts.append(f"  {json.dumps(name)}: [\n{lines}\n  ]")
    body = ",\n".join(parts)
    path.write_text(f'{json.dumps(head, indent=1)[:-2]},\n "scenarios": {{\n{body}\n }}\n}}\n', encoding="utf-8")


def differences(committed: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [name for name in sorted({*committed, *now}) if committed.get(name) != now.get(name)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fidelity", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("record", help="write a record").add_argument("--output", type=Path, required=True)
    commands.add_parser("check", help="compare with a record").add_argument("file", type=Path)
    arguments = parser.parse_args()
    if version("flask") != "1.1.4":
        parser.error("this is not Flask 1.1.4: run it in the environment of the reference")
    if arguments.command == "record":
        write(arguments.output, record())
        return 0
    differing = differences(json.loads(arguments.file.read_text(encoding="utf-8"))["scenarios"], record())
    for name in differing:
        print(f"{name}: the trace differs from the record", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
