"""Serve the application with each server, and check that no request sees the values of another.

``python -m tests.servers`` installs each server from PyPI in an environment of its own, with schlenk from this
checkout. It tests the servers one after the other, prints the results, and fails if there was a problem.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable
from pathlib import Path
from signal import SIGKILL

from tests.servers.journal import Process
from tests.servers.server import ROOT, SERVERS, Server
from tests.servers.trial import Result, under_load
from tests.support.pages import markdown_table, replace_between

MARK = "<!-- python -m tests.servers -->\n"
SECONDS = 1800
"""The longest time for a load, in seconds."""

Row = dict[str, object]


def environment(server: Server, directory: Path) -> Path:
    """Return the interpreter of an environment with the server and the current schlenk."""
    major, minor = sys.version_info[:2]
    python = directory / f"{'-'.join(server.packages)}-{major}.{minor}" / "bin" / "python"
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(ROOT), *server.packages], check=True)
    subprocess.run([*pip, "--force-reinstall", "--no-deps", str(ROOT)], check=True)
    return python


def release(server: Server, python: Path) -> str:
    """Return the name of the server and its installed version."""
    program = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    done = subprocess.run([str(python), "-c", program, server.packages[0]], check=True, capture_output=True, text=True)
    return f"{server.name}, {server.packages[0]} {done.stdout.strip()}"


def requests(processes: Iterable[Process]) -> str:
    counted = [(process.begun["request"], process.ended["request"]) for process in processes]
    return " / ".join(f"{sum(column):,}" for column in zip(*counted))


def load_row(name: str, result: Result) -> Row:
    """Return the result of a server under load."""
    did = result.load.did
    return {
        "server": name,
        "answers": f"{result.load.answered:,}",
        "a second": f"{result.load.answered / result.load.seconds:.0f}",
        "at the same time": result.most,
        "connections": f"{did['connect']:,}",
        "slow clients": did["slow"],
        "left in the request": did["leave the request"],
        "left in the stream (cut there)": f"{did['leave the stream']} ({result.cut})",
        "wrong answers": len(result.load.wrong),
        "requests begun / torn down": requests(result.finished),
        "all contexts": f"{sum(result.begun.values()):,} / {sum(result.ended.values()):,}",
        "owners left": result.owners,
        "MiB": "; ".join(f"{early:.1f} → {late:.1f}" for early, late in result.memory) or "too few requests a process",
    }


def kill_row(name: str, result: Result) -> Row:
    """Return the result of a server with a worker that was killed."""
    number = result.killed.number
    return {
        "server": name,
        "signal": result.killed.signal.name,
        "requests it had": result.killed.in_flight,
        "begun / torn down by it": requests([result.processes[number]]),
        "begun / torn down by the others": requests(
            process for other, process in result.processes.items() if other != number
        ),
        "answers": f"{result.load.answered:,}",
        "connections broken": len(result.load.broken),
        "wrong answers": len(result.load.wrong),
    }


def tables(rows: list[Row], width: int = 5) -> str:
    """Return the rows as Markdown tables, each with the first column and at most ``width`` others, to fit a page."""
    first, *others = rows[0]
    parts = [[first, *others[start : start + width]] for start in range(0, len(others), width)]
    return "\n".join(markdown_table([names, *([str(row[name]) for name in names] for row in rows)]) for names in parts)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="the number of answers to wait for (%(default)s)")
    parser.add_argument("--clients", type=int, default=64, help="the number of concurrent clients (%(default)s)")
    parser.add_argument(
        "--server", action="append", choices=SERVERS, metavar="NAME", help=f"one of {', '.join(SERVERS)}"
    )
    parser.add_argument(
        "--environments",
        type=Path,
        default=Path(tempfile.gettempdir(), "schlenk-servers"),
        help="the directory of the servers' environments, which are reused (%(default)s)",
    )
    parser.add_argument("--record", type=Path, metavar="PAGE", help="also write the tables into this page")
    arguments = parser.parse_args()
    loads, kills, problems = [], [], []
    for server in map(SERVERS.__getitem__, arguments.server or SERVERS):
        try:
            python = environment(server, arguments.environments)
        except subprocess.CalledProcessError as error:
            problems.append(f"{server.name} cannot be installed: {error}")
            continue
        name = release(server, python)
        trials = [(None, arguments.requests)]
        trials += [(signal, arguments.requests // 10) for signal in (server.leave, SIGKILL) if server.leave]
        for kill, answers in trials:
            result = under_load(server, answers, arguments.clients, SECONDS, python, kill)
            (rows, row) = (loads, load_row) if kill is None else (kills, kill_row)
            rows.append(row(name, result))
            print(tables(rows[-1:]), flush=True)
            problems += [f"{name}, {kill or 'no signal'}: {problem}" for problem in result.problems()]
    text = f"Python {platform.python_version()}, {arguments.clients} clients.\n"
    text += "".join(f"\n{tables(rows)}" for rows in (loads, kills) if rows)
    print(text)
    if arguments.record:
        replace_between(MARK, arguments.record, text)
    print(*problems[:50], sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
