"""Measures all peers several times, and keeps the smallest value of each result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import ROOT
from tests.benchmarks.work import LOCALS, REQUESTS

TIMES = {"batch": 0.001, "repeats": 50, "only": ""}
SCALE = {
    "threads": [1, 4, 16, 64], "requests": 12_800, "greenlets": [1, 100, 10_000], "contexts": 1000, "batch": 0.002,
    "repeats": 3,
}  # fmt: skip
SCALED = ("schlenk", "Werkzeug", "Flask", "Flask 1.1.4")
COUNTED = {"count": 20, "only": ""}


def command(interpreter: str, peer: str, what: str, settings: dict[str, Any]) -> list[str]:
    return [interpreter, "-m", "tests.benchmarks.measure", peer, what, json.dumps(settings)]


def measure(interpreter: str, peer: str, what: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Measure a peer in a new process."""
    told = subprocess.run(command(interpreter, peer, what, settings), cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


class Turns:
    """Processes that measure one peer each. They run at the same time, and take turns at each piece of work.

    The speed of a machine changes within seconds. In turns of a few milliseconds, all peers meet the same speed.
    """

    def __init__(self, interpreters: dict[str, str], settings: dict[str, Any], stack: ExitStack) -> None:
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.processes = {}
        for peer, interpreter in interpreters.items():
            process = subprocess.Popen(command(interpreter, peer, "times", settings), cwd=ROOT, **pipes)
            self.processes[peer] = stack.enter_context(process)
        self.results: dict[str, Any] = {}
        # The piece of work that each peer comes to next.
        self.following: dict[str, str] = {}
        for peer in self.processes:
            self.listen(peer)

    def listen(self, peer: str) -> None:
        """Read the name of the peer's next piece of work, or its results."""
        line = self.processes[peer].stdout.readline()
        if not line:
            raise RuntimeError(f"the measurement of {peer} has failed")
        if line.startswith("{"):
            self.results[peer] = json.loads(line)
        else:
            self.following[peer] = line.strip()

    def tell(self, peer: str, order: str) -> None:
        stdin = self.processes[peer].stdin
        stdin.write(f"{order}\n")
        stdin.flush()

    def measure(self, repeats: int) -> dict[str, Any]:
        """Return the results of all peers in their order, after ``repeats`` batches of each piece of work."""
        while self.following:
            work = min(self.following.values(), key=(*LOCALS, *REQUESTS).index)
            group = [peer for peer, other in self.following.items() if other == work]
            for _ in range(repeats):
                for peer in group:
                    self.tell(peer, "run")
                    self.processes[peer].stdout.readline()
            for peer in group:
                del self.following[peer]
                self.tell(peer, "next")
                self.listen(peer)
        return {peer: self.results[peer] for peer in self.processes}


def merge(found: Any, again: Any) -> Any:
    """Merge results. Of numbers, keep the smallest; of everything else, the newest."""
    if isinstance(found, dict):
        return {**found, **{key: merge(found[key], again[key]) if key in found else again[key] for key in again}}
    return min(found, again) if isinstance(found, (float, int)) else again


def rounds(
    interpreters: dict[str, str],
    count: int,
    times: dict[str, Any] = TIMES,
    scale: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the results of each peer in ``interpreters``."""
    peers: dict[str, Any] = {}
    for number in range(1, count + 1):
        tell(f"round {number} of {count}")
        with ExitStack() as stack:
            peers = merge(peers, Turns(interpreters, times, stack).measure(times["repeats"]))
        for peer in SCALED:
            if scale is None or peer not in interpreters:
                continue
            tell(f"round {number} of {count}: {peer}")
            peers[peer] = merge(peers[peer], measure(interpreters[peer], peer, "scale", scale))
    return peers


def tell(progress: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress:60}\r", end="", file=sys.stderr, flush=True)


def instructions(interpreter: str, peer: str, settings: dict[str, Any] = COUNTED) -> dict[str, float]:
    """Count the instructions of each piece of work with callgrind, which writes a part at each mark.

    :raises FileNotFoundError: valgrind is not installed.
    """
    if shutil.which("valgrind") is None:
        raise FileNotFoundError("valgrind")
    with tempfile.TemporaryDirectory() as place:
        under = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={place}/part", "--dump-before=getpgid"]
        told = subprocess.run(
            [*under, *command(interpreter, peer, "instructions", settings)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        done = json.loads(told.stdout)["instructions"]
        return counts(done, Path(place))


def counts(done: list[tuple[str, int]], place: Path) -> dict[str, float]:
    """Read callgrind's parts. Each piece of work has three, which end at its three marks."""
    found = {}
    for first, (name, times) in enumerate(done):
        once, thrice = (total(place / f"part.{3 * first + number}") for number in (2, 3))
        found[name] = (thrice - once) / times
    return found


def total(part: Path) -> int:
    with part.open(encoding="utf-8") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("totals:"))
