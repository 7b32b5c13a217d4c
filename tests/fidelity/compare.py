"""Run random programs on Flask 1.1.4 and on schlenk, each in a process of its own, and compare their traces.

    python -m tests.fidelity.compare --reference PYTHON --programs 5000 [--seed N]

``PYTHON`` is the interpreter of an environment with the reference. A program with a difference is reduced to the
smallest program that still differs, and printed with both traces. ``--record FILE`` writes the traces of the first
programs on the reference, for tests without it. ``--check FILE`` fails if a trace differs from such a record.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import copy
import difflib
import hashlib
import json
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from tests.fidelity.departures import DEPARTED, agree
from tests.fidelity.programs import generate

ROOT = Path(__file__).parents[2]
COMMAND = "python -m tests.fidelity.compare --reference PYTHON --record tests/fidelity/programs.json"
RECORDED = 200


class Library:
    """A process that runs programs on one of the two libraries and returns their traces."""

    def __init__(self, python: str, name: str) -> None:
        self.name = name
        self.command = [python, "-W", "ignore", "-m", "tests.fidelity.interpreter", name]
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
        return subprocess.Popen(
            self.command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, program: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(program) + "\n")
        self.process.stdin.flush()

    def answer(self) -> list[Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            trace: list[Any] = json.loads(line)
            return trace
        self.process.wait()
        self.process = self.start()
        return [["the process died, or was ended because it hung"]]

    def close(self) -> None:
        self.process.communicate()


def edits(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield every way to make a program smaller by one part, the larger parts first."""
    keys = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
    for key in keys:
        if key != "do":
            yield "delete", (*path, key)
        if isinstance(part[key], dict) and "do" in part[key] and part[key].get("body"):
            yield "unwrap", (*path, key)
    for key in keys:
        yield from edits(part[key], (*path, key))


def edited(program: dict[str, Any], how: str, path: tuple[Any, ...]) -> dict[str, Any]:
    program = copy.deepcopy(program)
    part: Any = program
    for key in path[:-1]:
        part = part[key]
    if how == "delete":
        del part[path[-1]]
    else:
        part[path[-1] : path[-1] + 1] = part[path[-1]]["body"]
    return program


def smallest(program: dict[str, Any], differs: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Remove parts of a program as long as it still differs without them."""
    smaller = True
    while smaller:
        smaller, number = False, 0
        while number < len(ways := list(edits(program))):
            candidate = edited(program, *ways[number])
            if differs(candidate):
                program, smaller = candidate, True
            else:
                number += 1
    return program


def difference(theirs: list[Any], ours: list[Any], names: tuple[str, str]) -> str:
    """Return a unified diff of two traces, with all of their events."""
    lines = [[json.dumps(event) for event in trace] for trace in (theirs, ours)]
    return "\n".join(difflib.unified_diff(*lines, *names, n=max(map(len, lines), default=0), lineterm=""))


def digest(program: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(program).encode()).hexdigest()[:16]


def packed(trace: list[Any]) -> str:
    return base64.b85encode(zlib.compress(json.dumps(trace, separators=(",", ":")).encode(), 9)).decode()


def unpacked(text: str) -> list[Any]:
    trace: list[Any] = json.loads(zlib.decompress(base64.b85decode(text)))
    return trace


def record(reference: Library) -> dict[str, Any]:
    """Return the digests of the programs of the first seeds, and their traces on the reference."""
    programs = {}
    for seed in range(RECORDED):
        program = generate(seed)
        reference.ask(program)
        programs[str(seed)] = {"program": digest(program), "trace": packed(reference.answer())}
    return {"command": COMMAND, "programs": programs}


def read(recorded: dict[str, Any]) -> dict[str, Any]:
    """Return a record without its compression, which may differ between machines."""
    return {seed: (known["program"], unpacked(known["trace"])) for seed, known in recorded["programs"].items()}


def compare(reference: Library, library: Library, seeds: range, shown: int) -> int:
    """Run the programs of these seeds on both, print the differences, and return the number of different programs."""

    def both(program: dict[str, Any]) -> tuple[list[Any], list[Any]]:
        reference.ask(program)
        library.ask(program)
        return reference.answer(), library.answer()

    different, ended = {}, 0
    for seed in seeds:
        theirs, ours = both(generate(seed))
        ended += theirs[-1:] == [[DEPARTED]]
        if not agree(theirs, ours):
            different[seed] = theirs, ours
    reduced = set()
    for seed, traces in different.items():
        if len(reduced) < shown:
            program = smallest(generate(seed), lambda program: not agree(*both(program)))
            again = both(program)
            if agree(*again):
                print(f"\nseed {seed} differed the first time, but not the second time")
                print(difference(*traces, ("reference", library.name)))
            elif (text := json.dumps(program, indent=1)) not in reduced:
                reduced.add(text)
                print(f"\nseed {seed} differs in\n{text}\n{difference(*again, ('reference', library.name))}")
    print(f"{len(seeds)} programs from seed {seeds.start}: {len(different)} different", *[*different][:50])
    print(f"{ended} of them were compared only until the reference lost a context")
    return len(different)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fidelity.compare", description=__doc__.split("\n")[0])
    parser.add_argument("--reference", metavar="PYTHON", required=True, help="the interpreter that has Flask 1.1.4")
    parser.add_argument("--programs", type=int, default=5000, help="the number of programs (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="the first seed (default: a random one)")
    parser.add_argument(
        "--shown", type=int, default=10, help="the number of differences to reduce (default: %(default)s)"
    )
    parser.add_argument(
        "--library", dest="name", metavar="NAME", default="schlenk", help="the library to compare with the reference"
    )
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the traces on the reference instead")
    parser.add_argument("--check", type=Path, metavar="FILE", help="compare the traces on the reference with a record")
    arguments = parser.parse_args()

    with contextlib.closing(Library(arguments.reference, "flask")) as reference:
        if arguments.record:
            arguments.record.write_text(json.dumps(record(reference), indent=1) + "\n", encoding="utf-8")
            return 0
        if arguments.check:
            same = read(json.loads(arguments.check.read_text(encoding="utf-8"))) == read(record(reference))
            print(f"{arguments.check} {'equals' if same else 'DIFFERS from'} the traces on the reference")
            return 0 if same else 1
        first = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
        with contextlib.closing(Library(sys.executable, arguments.name)) as library:
            return 1 if compare(reference, library, range(first, first + arguments.programs), arguments.shown) else 0


if __name__ == "__main__":
    sys.exit(main())
