"""One server under one load, and the problems that were found."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, Signals

from tests.servers.journal import Process
from tests.servers.load import Load
from tests.servers.server import Running, Server

TOLERANCE = 8.0
"""How many MiB the memory of a process may grow from the first quarter of its requests to the last.

That is the size of 1,600 contexts with their requests. In a long run, more than 5,000 requests are in between.
"""
ENOUGH = 2000
"""The number of requests that a process must have handled for its memory to be compared."""


@dataclass
class Killed:
    """A worker that received a signal while it was handling requests."""

    number: int
    in_flight: int
    signal: Signals


@dataclass
class Result:
    """The result of a load."""

    server: Server
    load: Load
    processes: dict[int, Process]
    killed: Killed | None = None

    @property
    def lost(self) -> int | None:
        """The id of the process that was killed while it was handling requests, if any."""
        return self.killed.number if self.killed and self.killed.signal == SIGKILL else None

    @property
    def finished(self) -> list[Process]:
        """The processes that finished their requests."""
        return [process for number, process in self.processes.items() if number != self.lost]

    @property
    def begun(self) -> Counter[str]:
        """How many contexts of each kind were pushed."""
        return sum((process.begun for process in self.finished), Counter())

    @property
    def ended(self) -> Counter[str]:
        """How often contexts of each kind were torn down."""
        return sum((process.ended for process in self.finished), Counter())

    @property
    def owners(self) -> int:
        """How many owners the storages of all processes had at the end."""
        return sum(sum(process.owners) for process in self.finished)

    @property
    def most(self) -> int:
        """The largest number of requests that one process handled at the same time."""
        return max((process.most for process in self.processes.values()), default=0)

    @property
    def cut(self) -> int:
        """How many streams were closed before they had been read."""
        return sum(process.cut for process in self.processes.values())

    @property
    def memory(self) -> list[tuple[float, float]]:
        """The largest memory of each process with enough requests, in the first and last quarter of them."""
        series = [process.memory for process in self.finished if len(process.memory) >= ENOUGH]
        quarters = [(memory[: len(memory) // 4], memory[-len(memory) // 4 :]) for memory in series]
        return [(max(first) / 1024, max(last) / 1024) for first, last in quarters]

    def problems(self) -> list[str]:
        """Return a sentence for each problem."""
        found = list(self.load.wrong)
        if self.killed is None:
            found += self.load.broken
        if self.begun != self.ended:
            found.append(f"begun: {dict(self.begun)}, but torn down: {dict(self.ended)}")
        if self.owners:
            found.append(f"{self.owners} owners are left in the storages")
        if self.server.concurrent and self.most < 2:
            found.append("no two requests ran at the same time")
        found += [
            f"memory grew from {early:.1f} to {late:.1f} MiB" for early, late in self.memory if late - early > TOLERANCE
        ]
        return found


def under_load(
    server: Server,
    requests: int,
    clients: int,
    seconds: float,
    python: Path = Path(sys.executable),
    kill: Signals | None = None,
    greenlets: bool = True,
    **environment: str,
) -> Result:
    """Start the server, put it under load, wait until all requests have ended, and stop it.

    :param python: an interpreter that has the server and schlenk.
    :param kill: the signal to send to a worker after half of the responses.
    :param greenlets: whether greenlet is installed there.
    :param environment: environment variables for the application.
    """
    with tempfile.TemporaryDirectory() as directory:
        with Running(server, Path(directory), python, **environment) as running:
            load = Load([running.port], requests, clients, seconds, greenlets, server.under_flask)
            load.goes_on = kill is not None
            load.start()
            killed = None
            if kill is not None:
                load.half.wait(seconds)
                try:
                    killed = Killed(*running.busiest(), kill)
                    os.kill(killed.number, kill)
                finally:
                    load.goes_on = False
            load.join()
            result = Result(server, load, {}, killed)
            result.processes = running.come_to_rest(without=result.lost)
            return result
