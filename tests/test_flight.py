"""`in_flight`: the contexts, their age, and the current stack of every thread and greenlet."""

from __future__ import annotations

import gc
import os
import sys
import threading
import types
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Callable

import pytest

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack
from schlenk.flight import Flight, in_flight
from tests.support.execution import in_greenlet, in_thread
from tests.support.programs import run


class Pauses:
    """An application whose view waits for an event."""

    def __init__(self) -> None:
        self.app = Flask("pausing")
        self.app.add_url_rule("/wait/<word>", "wait", self.wait_here, methods=["GET", "POST"])
        self.arrived, self.go_on = threading.Semaphore(0), threading.Event()

    def wait_here(self, word: str) -> str:
        self.arrived.release()
        assert self.go_on.wait(30)
        return word

    @contextmanager
    def meanwhile(self, *requests: tuple[str, str]) -> Iterator[list[threading.Thread]]:
        """Run each request in a thread, and wait until all of them are in their views."""
        threads = [
            threading.Thread(target=self.app.test_client().open, args=(path,), kwargs={"method": method})
            for method, path in requests
        ]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert self.arrived.acquire(timeout=30)
        try:
            yield threads
        finally:
            self.go_on.set()
            for thread in threads:
                thread.join()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


def functions(flight: Flight) -> list[str]:
    return [frame.name for frame in flight.stack]


def test_empty_without_contexts() -> None:
    assert in_flight() == []


def test_other_thread_is_seen(pauses: Pauses) -> None:
    with pauses.meanwhile(("POST", "/wait/a")):
        (flight,) = in_flight()
    assert [(pushed.method, pushed.path) for pushed in flight.requests] == [("POST", "/wait/a")]


def test_contexts_are_on_stacks(pauses: Pauses) -> None:
    with pauses.app.test_request_context("/page") as context, pauses.app.app_context() as above:
        (flight,) = in_flight()
        below = _app_ctx_stack._local.stack[0]
    assert [pushed.context for pushed in flight.requests] == [context]
    assert [pushed.context for pushed in flight.applications] == [below, above]


def test_app_context_has_no_request(pauses: Pauses) -> None:
    with pauses.app.app_context():
        ((_, applications, requests, _),) = in_flight()
    assert requests == []
    assert [(pushed.method, pushed.path) for pushed in applications] == [(None, None)]


def test_each_request_has_its_thread_stack(pauses: Pauses) -> None:
    def elsewhere() -> None:
        pauses.wait_here("")

    pauses.app.add_url_rule("/elsewhere", "elsewhere", elsewhere)
    with pauses.meanwhile(("GET", "/wait/a"), ("GET", "/wait/b"), ("GET", "/elsewhere")):
        flights = in_flight()
    seen = {pushed.path: functions(flight) for flight in flights for pushed in flight.requests}
    assert sorted(seen) == ["/elsewhere", "/wait/a", "/wait/b"]
    assert all("wait_here" in stack and "full_dispatch_request" in stack for stack in seen.values())
    assert [path for path, stack in seen.items() if "elsewhere" in stack] == ["/elsewhere"]


def test_own_stack_ends_here(pauses: Pauses) -> None:
    with pauses.app.app_context():
        (flight,) = in_flight()
    assert "test_own_stack_ends_here" in functions(flight)


def test_age_counts_from_push(pauses: Pauses) -> None:
    context = pauses.app.test_request_context()
    before = monotonic()
    with context:
        pushed = monotonic()
        (flight,) = in_flight()
        after = monotonic()
    for (entry,) in flight.requests, flight.applications:
        assert entry.age is not None
        assert 0 <= entry.age <= after - before
        assert context.pushed_at is not None
        assert before <= context.pushed_at <= pushed


def test_age_is_of_first_push(pauses: Pauses) -> None:
    context = pauses.app.test_request_context()
    with context:
        first = context.pushed_at
        with context:
            (flight,) = in_flight()
            assert context.pushed_at == first
    assert len(flight.requests) == 2


def test_request_has_its_own_age(pauses: Pauses) -> None:
    with pauses.app.app_context() as outer:
        with pauses.app.test_request_context() as context:
            assert context.pushed_at is not None
            assert outer.pushed_at is not None
            assert context.pushed_at >= outer.pushed_at


def test_bare_entry_has_no_age(pauses: Pauses) -> None:
    _request_ctx_stack.push(pauses.app.test_request_context("/by-hand"))
    (flight,) = in_flight()
    _request_ctx_stack.pop()
    assert [(pushed.path, pushed.age) for pushed in flight.requests] == [("/by-hand", None)]


def test_sees_suspended_greenlet(pauses: Pauses) -> None:
    greenlet = pytest.importorskip("greenlet")

    def waiting() -> None:
        with pauses.app.test_request_context("/waiting"):
            greenlet.getcurrent().parent.switch()

    owner = greenlet.greenlet(waiting)
    owner.switch()
    (flight,) = in_flight()
    owner.switch()
    assert flight.ident is owner
    assert functions(flight)[-1] == "waiting"


def test_sees_greenlet_running_in_thread(pauses: Pauses) -> None:
    pytest.importorskip("greenlet")

    def inside() -> None:
        in_greenlet(lambda: pauses.app.test_client().get("/wait/a"))

    thread = threading.Thread(target=inside)
    thread.start()
    assert pauses.arrived.acquire(timeout=30)
    (flight,) = in_flight()
    pauses.go_on.set()
    thread.join()
    assert "wait_here" in functions(flight)
    assert "inside" not in functions(flight)


def test_dead_owner_has_no_stack(pauses: Pauses) -> None:
    in_greenlet(lambda: pauses.app.app_context().push())
    (flight,) = in_flight()
    _app_ctx_stack._local.__storage__.clear()
    assert len(flight.applications) == 1
    assert list(flight.stack) == []


def test_sees_thread_by_number(pauses: Pauses, by: Callable[[Callable[[], Any]], None]) -> None:
    by(threading.get_ident)
    with pauses.meanwhile(("GET", "/wait/a")) as threads:
        (flight,) = in_flight()
        assert flight.ident == threads[0].ident
    assert "wait_here" in functions(flight)


def test_other_ident_has_no_stack(pauses: Pauses, by: Callable[[Callable[[], Any]], None]) -> None:
    by(lambda: "somebody")
    with pauses.app.app_context():
        (flight,) = in_flight()
    assert flight.ident == "somebody"
    assert list(flight.stack) == []


def test_living_non_greenlet_has_no_stack(pauses: Pauses, by: Callable[[Callable[[], Any]], None]) -> None:
    class Task:
        dead = False

    task = Task()
    by(lambda: task)
    with pauses.app.app_context():
        (flight,) = in_flight()
    assert list(flight.stack) == []


@pytest.fixture
def by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    def by(ident: Callable[[], Any]) -> None:
        for stack in (_app_ctx_stack, _request_ctx_stack):
            monkeypatch.setattr(stack, "__ident_func__", ident)

    return by


def test_none_on_stack_is_ignored(pauses: Pauses) -> None:
    with pauses.app.app_context():
        # A session transaction of the test client does this.
        _request_ctx_stack.push(None)  # type: ignore[arg-type]
        (flight,) = in_flight()
        _request_ctx_stack.pop()
    assert flight.requests == []


def test_flight_is_printable(pauses: Pauses) -> None:
    with pauses.meanwhile(("POST", "/wait/a")):
        (flight,) = in_flight()
        lines = str(flight).splitlines()
        assert lines[0].startswith("thread Thread-")
    assert lines[1].startswith("  POST /wait/a of pausing, ")
    assert lines[2].startswith("  application context of pausing, ")
    assert [line for line in lines[3:] if "in wait_here" in line]


def test_other_object_has_no_age(pauses: Pauses) -> None:
    _app_ctx_stack.push(types.SimpleNamespace(app=pauses.app))  # type: ignore[arg-type]
    (flight,) = in_flight()
    _app_ctx_stack.pop()
    assert [pushed.age for pushed in flight.applications] == [None]


def test_no_age_is_printed(pauses: Pauses) -> None:
    _app_ctx_stack.push(pauses.app.app_context())
    (flight,) = in_flight()
    _app_ctx_stack.pop()
    assert str(flight.applications[0]) == "application context of pausing"


def test_is_safe_during_requests() -> None:
    app = Flask("busy")
    app.add_url_rule("/", "index", lambda: "hello")
    done, errors, methods = threading.Event(), [], set()

    def look() -> None:
        try:
            while not done.is_set():
                for flight in in_flight():
                    methods.update(pushed.method for pushed in flight.requests + flight.applications)
                    assert str(flight)
        except Exception as error:
            errors.append(error)

    looking = threading.Thread(target=look)
    looking.start()
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(20):
            in_thread(lambda: [app.test_client().get("/") for _ in range(20)])
            in_greenlet(lambda: app.test_client().get("/"))
    finally:
        sys.setswitchinterval(switch)
        done.set()
        looking.join()
    assert errors == []
    assert methods <= {"GET", None}


PATCHING = {
    "gevent": """
import gevent.monkey; gevent.monkey.patch_all()
Event = gevent.monkey.get_original("threading", "Event")
start_thread = gevent.monkey.get_original("_thread", "start_new_thread")
def run(work): gevent.spawn(work).join()
""",
    "eventlet": """
import warnings; warnings.simplefilter("ignore")
import eventlet.patcher; eventlet.monkey_patch()
Event = eventlet.patcher.original("threading").Event
start_thread = eventlet.patcher.original("_thread").start_new_thread
def run(work): eventlet.spawn(work).wait()
""",
}


@pytest.mark.parametrize("library", PATCHING)
def test_sees_busy_greenlet_when_patched(library: str) -> None:
    pytest.importorskip(library)
    program = """
from schlenk import Flask
from schlenk.flight import in_flight
app, seen = Flask("busy"), []
start, looked = Event(), Event()
def look():
    start.wait(30)
    seen.extend(in_flight())
    looked.set()
@app.route("/")
def busy():
    start.set()
    assert looked.wait(30)
    return ""
start_thread(look, ())
run(lambda: app.test_client().get("/"))
(flight,) = seen
assert "busy" in [frame.name for frame in flight.stack], flight
"""
    run(PATCHING[library], program, warnings="default")


def test_leaves_no_garbage() -> None:
    collecting = gc.isenabled()
    gc.disable()
    try:
        with Flask("kept").app_context() as context:
            in_flight()
        gone = weakref.ref(context)
        del context
        assert gone() is None
    finally:
        if collecting:
            gc.enable()


def test_works_in_reentrant_signal_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = sys._current_frames
    seen = []

    def interrupted() -> dict[int, Any]:
        monkeypatch.setattr(sys, "_current_frames", frames)
        seen.extend(in_flight())
        return frames()

    monkeypatch.setattr(sys, "_current_frames", interrupted)
    with Flask("interrupted").app_context():
        assert [flight.ident for flight in in_flight()] == [flight.ident for flight in seen]
    assert gc.isenabled()


def test_respects_traceback_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 3, raising=False)
    with Flask("limited").app_context():
        (flight,) = in_flight()
    assert [line.name for line in flight.stack][-2:] == ["in_flight", "_frames"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_works_after_fork() -> None:
    program = """
import gc, os, sys, threading, warnings
from concurrent.futures import ThreadPoolExecutor
warnings.simplefilter("ignore")
from schlenk import Flask
from schlenk.flight import in_flight
frames, looking, forking = sys._current_frames, threading.Event(), threading.Event()
os.register_at_fork(before=forking.set)
def current_frames():
    looking.set()
    assert forking.wait(30)
    return frames()
def look():
    with Flask("forked").app_context():
        in_flight()
sys._current_frames = current_frames
work = ThreadPoolExecutor(1).submit(look)
assert looking.wait(30)
child = os.fork()
sys._current_frames = frames
look()
if child:
    work.result()
    assert os.waitpid(child, 0)[1] == 0
os._exit(not gc.isenabled())
"""
    run(program)


class Watched:
    """A frame that records whether the garbage collector is enabled when ``f_back`` is read."""

    def __init__(self, frame: types.FrameType, seen: list[bool]) -> None:
        self.frame = frame
        self.seen = seen

    def __getattr__(self, name: str) -> Any:
        if name == "f_back":
            self.seen.append(gc.isenabled())
            return self.frame.f_back and Watched(self.frame.f_back, self.seen)
        return getattr(self.frame, name)


@pytest.mark.parametrize("collecting", [True, False])
def test_collection_is_disabled(collecting: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = sys._current_frames
    seen: list[bool] = []

    def current_frames() -> dict[int, Any]:
        seen.append(gc.isenabled())
        return {thread: Watched(frame, seen) for thread, frame in frames().items()}

    monkeypatch.setattr(sys, "_current_frames", current_frames)
    try:
        with Flask("collecting").app_context():
            gc.enable() if collecting else gc.disable()
            (flight,) = in_flight()
        assert len(seen) == len(flight.stack) + 1
        assert not any(seen)
        assert gc.isenabled() == collecting
    finally:
        gc.enable()
