"""Measures one peer, in its own process and environment.

``python -m tests.benchmarks.measure PEER WHAT SETTINGS`` prints the results as JSON. If times are measured, it first
prints the name of each piece of work, and does a batch of the work for each line "run" that it then reads. The smallest
time counts, because other work of the machine only adds to it. The garbage collector stays enabled, as in a server.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Any

from tests.benchmarks.applications import Call, environ, flask_calls, werkzeug_calls
from tests.benchmarks.peers import PEERS, Peer
from tests.benchmarks.work import KINDS, Work, answer

PACKAGES = ("schlenk", "flask", "werkzeug", "bottle", "greenlet", "blinker", "itsdangerous", "asgiref", "gevent")
Settings = dict[str, Any]


def loop(work: Work) -> Callable[[int], int]:
    """Return a function that does the work ``count`` times and returns the nanoseconds it took.

    The names in the statement are globals, as ``request`` is in a view.
    """
    body = f"        {work.statement}\n" * work.unrolled
    source = f"def run(count):\n    begin = clock()\n    for _ in range(count):\n{body}    return clock() - begin\n"
    names = {**work.names, "clock": time.perf_counter_ns}
    exec(compile(source, work.statement, "exec"), names)
    run: Callable[[int], int] = names["run"]
    return run


def batches(work: Work, batch: float) -> Iterator[float]:
    """Do the work for about ``batch`` seconds at a time, and yield the nanoseconds of doing it once."""
    run = loop(work)
    count = 1
    while run(count) < batch * 1e9 / 2:
        count *= 2
    gc.collect()
    while True:
        yield run(count) / count / work.unrolled


def least(work: Work, batch: float, repeats: int) -> float:
    """Return the nanoseconds of doing the work once, in the best of ``repeats`` batches."""
    return min(islice(batches(work, batch), repeats))


def times(peer: Peer, settings: Settings) -> dict[str, float]:
    """Return the nanoseconds of each piece of work, which is done in batches whenever it is this peer's turn."""
    found = {}
    for name, work in KINDS[peer.kind](peer.module):
        if settings["only"] in name:
            batch = batches(work, settings["batch"])
            found[name] = next(batch)
            print(name, flush=True)
            while sys.stdin.readline() == "run\n":
                found[name] = min(found[name], next(batch))
                print("done", flush=True)
    return found


def instructions(peer: Peer, settings: Settings) -> list[tuple[str, int]]:
    """Do each piece of work between marks for callgrind. Return its name and how often it was done.

    It is done a number of times between the first two marks, and three times as often between the last two. The
    difference excludes the overhead. The garbage collector is disabled, because it could run in either part.
    """
    gc.disable()
    done = []
    for name, work in KINDS[peer.kind](peer.module):
        if settings["only"] in name:
            run = loop(work)
            run(settings["count"])
            mark()
            run(settings["count"])
            mark()
            run(3 * settings["count"])
            mark()
            done.append((name, 2 * settings["count"] * work.unrolled))
    return done


def mark() -> None:
    """Call a function of the C library that nothing else calls."""
    os.getpgid(0)


def scale(peer: Peer, settings: Settings) -> dict[str, Any]:
    """Return the time of a request beside open contexts, the bytes of an open context, and the time of the import."""
    if peer.kind == "werkzeug":
        hello = werkzeug_calls()["hello"]
        return {"threads": {count: in_threads(hello, nullcontext, count, settings) for count in settings["threads"]}}
    hello = flask_calls(peer.module)["hello"]

    def context() -> AbstractContextManager[Any]:
        return hello.application.request_context(environ())

    return {
        "threads": {count: in_threads(hello, context, count, settings) for count in settings["threads"]},
        "greenlets": {count: beside_greenlets(hello, count, settings) for count in settings["greenlets"]},
        "bytes": bytes_of_a_context(hello, settings["contexts"]),
        "import": min(import_time(peer.module) for _ in range(settings["repeats"])),
    }


def in_threads(
    call: Call, inside: Callable[[], AbstractContextManager[Any]], threads: int, settings: Settings
) -> float:
    """Return the nanoseconds of a request while ``threads`` threads serve requests, each in the context ``inside()``.

    The time is that of the processor, as this takes too long for the machine to be idle throughout. The first
    requests of each thread are not measured.
    """
    run = loop(answer(call))
    count = max(1, settings["requests"] // threads)
    moments: list[int] = []
    together = threading.Barrier(threads, lambda: moments.append(time.process_time_ns()))

    def work() -> None:
        with inside():
            run(10)
            together.wait()
            run(count)
            together.wait()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    begin, end = moments
    return (end - begin) / count / threads


@contextmanager
def greenlets(count: int, body: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
    """Run ``count`` greenlets, each in the context that ``body`` returns."""
    from greenlet import getcurrent, greenlet

    here = getcurrent()

    def hold() -> None:
        with body():
            here.switch()

    holders = [greenlet(hold) for _ in range(count)]
    for holder in holders:
        holder.switch()
    yield
    for holder in holders:
        holder.switch()


def beside_greenlets(call: Call, count: int, settings: Settings) -> float:
    """Return the nanoseconds of a request while ``count`` greenlets have an open context."""
    with greenlets(count, lambda: call.application.request_context(environ())):
        return least(answer(call), settings["batch"], settings["repeats"])


def bytes_of_a_context(call: Call, count: int) -> float:
    """Return the bytes of an open context, without its greenlet and its environ."""

    def traced(body: Callable[[Any], AbstractContextManager[Any]]) -> int:
        environs = iter([environ() for _ in range(count)])
        tracemalloc.start()
        with greenlets(count, lambda: body(next(environs))):
            gc.collect()
            size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size

    return (traced(call.application.request_context) - traced(nullcontext)) / count


def import_time(module: str) -> float:
    """Return the processor time for importing ``module`` in a new interpreter, in nanoseconds."""
    source = f"from time import process_time_ns as clock; begin = clock(); import {module}; print(clock() - begin)"
    return float(subprocess.check_output([sys.executable, "-I", "-c", source], text=True))


def versions(peer: Peer) -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        if package != "blinker" or peer.blinker:
            with suppress(PackageNotFoundError):
                found[package] = version(package)
    return found


WHATS: dict[str, Callable[[Peer, Settings], Any]] = {what.__name__: what for what in (times, instructions, scale)}


def main(name: str, what: str, settings: str) -> None:
    peer = PEERS[name]
    if not peer.blinker:
        # None makes its import fail, as if it were missing.
        sys.modules["blinker"] = None  # type: ignore[assignment]
    json.dump({"versions": versions(peer), what: WHATS[what](peer, json.loads(settings))}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
