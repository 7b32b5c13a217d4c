"""Measure schlenk and its peers. Each is installed from PyPI in an environment of its own, which is reused.

In each round, every peer has a new process, and the processes take turns at each piece of work. The smallest time of
all rounds counts, which excludes the other work of the machine. Ratios of one run can be compared with those of another
machine, but times cannot.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks import report
from tests.benchmarks.goals import outcomes
from tests.benchmarks.peers import PEERS, environment
from tests.benchmarks.rounds import COUNTED, SCALE, TIMES, instructions, rounds, tell


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    add = parser.add_argument
    add("--environments", type=Path, metavar="DIR", help="the directory of the environments",
        default=Path.home() / ".cache" / "schlenk-benchmarks")  # fmt: skip
    add("--python", default=sys.executable, help="the interpreter to measure with; default: this one")
    add("--rounds", type=int, help="default: 5, or 2 with --quick")
    add("--quick", action="store_true", help="fewer and shorter rounds, without --scale")
    add("--only", default="", metavar="NAME", help="only work with this in its name, without --scale")
    add("--scale", action="store_true", help="measure threads, greenlets, memory and the import in any case")
    add("--peers", default=",".join(PEERS), metavar="NAME,NAME", help=f"only these of: {', '.join(PEERS)}")
    add("--instructions", action="store_true", help="also count instructions; needs valgrind")
    add("--goals", action="store_true", help="show which goals are met")
    add("--json", type=Path, metavar="FILE", help="write the results")
    add("--plot", type=Path, metavar="FILE", help="write a bar chart, as SVG")
    add("--page", type=Path, metavar="FILE", help="also write the tables between the marks for this Python in a page")
    add("--load", type=Path, metavar="FILE", help="show the results that --json wrote, instead of measuring")
    options = parser.parse_args(arguments)
    unknown = set(options.peers.split(",")) - set(PEERS)
    if unknown:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    return options


def machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}"


def run(options: argparse.Namespace) -> dict[str, Any]:
    interpreters = {}
    for name in options.peers.split(","):
        interpreter = environment(PEERS[name].environment, options.environments, options.python)
        if interpreter is None:
            print(f"{name} does not support this Python", file=sys.stderr)
        else:
            interpreters[name] = interpreter
    times = {**TIMES, "only": options.only, **({"repeats": 5} if options.quick else {})}
    scale = SCALE if options.scale or not (options.quick or options.only) else None
    peers = rounds(interpreters, options.rounds or (2 if options.quick else 5), times, scale)
    if options.instructions:
        for name, interpreter in interpreters.items():
            tell(f"counting instructions: {name}")
            peers[name]["instructions"] = instructions(interpreter, name, {**COUNTED, "only": options.only})
    tell("")
    return {"machine": machine(), "peers": peers}


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    results = json.loads(options.load.read_text("utf-8")) if options.load else run(options)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    if options.plot:
        options.plot.write_text(report.chart(results), "utf-8")
    python = next(iter(results["peers"].values()))["versions"]["Python"]
    parts = [f"Python {python}, {results['machine']}", *report.tables(results)]
    if options.goals:
        parts.append(f"### Goals\n\n{report.goals(outcomes(results, python))}")
    measured = "\n\n".join(parts)
    print(measured)
    if options.page:
        options.page.write_text(report.page(options.page.read_text("utf-8"), python, measured), "utf-8")


if __name__ == "__main__":
    main()
