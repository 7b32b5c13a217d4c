"""A journal of the requests that the processes of a server have begun and ended.

All processes append lines to one file. The kernel has a line as soon as it is written, so the journal is complete even
if a process exits, is forked for a single request, or is killed during a request.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def resident() -> int:
    """Return the memory of this process in KiB, or 0 if the system does not report it."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    except FileNotFoundError:
        return 0


class Journal:
    """Writes when contexts begin and end, and how much is stored after a response was closed.

    :param path: the file that all processes of a server write to.
    :param stacks: the two stacks of contexts.
    """

    def __init__(self, path: str, stacks: tuple[Any, Any]) -> None:
        self.stacks = stacks
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.open: dict[object, str] = {}
        self.numbers = itertools.count()
        self.memory = 0

    def write(self, event: str) -> None:
        os.write(self.file, f"{os.getpid()} {event}\n".encode())

    def begin(self, kind: str, context: object) -> None:
        if context not in self.open:
            self.open[context] = kind
            self.write(f"begun {kind}")

    def end(self, context: object) -> None:
        self.write(f"ended {self.open.pop(context, 'unknown')}")

    def rest(self) -> None:
        """Write the number of owners in both storages, and the memory of the process in KiB.

        The counter is read first and orders the lines: requests with lower numbers are closed by then. A lock
        would make the threads wait for one another.
        """
        number = next(self.numbers)
        if number % 16 == 0:
            self.memory = resident()
        owners = [len(stack._local.__storage__) for stack in self.stacks]
        self.write("rest {} {} {} {}".format(number, *owners, self.memory))


@dataclass
class Process:
    """The journal of one process."""

    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    """How many streams were closed before they had been read."""
    most: int = 0
    """The largest number of requests at the same time."""
    last: int = -1
    owners: tuple[int, int] = (0, 0)
    """How many owners both storages had when the last request was closed."""
    memory: list[int] = field(default_factory=list)
    """The memory of the process in KiB, when each request was closed."""

    def read(self, event: str, *values: str) -> None:
        if event == "begun":
            self.begun[values[0]] += 1
            self.most = max(self.most, self.in_flight)
        elif event == "ended":
            self.ended[values[0]] += 1
        elif event == "cut":
            self.cut += 1
        else:
            number, *owners, memory = map(int, values)
            if number > self.last:
                self.last, self.owners = number, (owners[0], owners[1])
            self.memory.append(memory)

    @property
    def in_flight(self) -> int:
        return self.begun["request"] - self.ended["request"]

    @property
    def is_at_rest(self) -> bool:
        return self.begun == self.ended and self.owners == (0, 0)


class Record:
    """Reads the journal, also while it is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0
        self.processes: dict[int, Process] = {}

    def read(self) -> dict[int, Process]:
        """Return the journal of each process so far, by process id."""
        with self.path.open("rb") as file:
            file.seek(self.position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.position += len(line)
                number, *event = line.decode().split()
                self.processes.setdefault(int(number), Process()).read(*event)
        return self.processes
