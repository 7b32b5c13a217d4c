"""Isolation: each thread, greenlet, or task sees only its own values, which are removed when it ends.

``SHORT_LIVED=100000 pytest tests/test_isolation.py`` runs longer.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable

import pytest

from schlenk import (
    Flask,
    _app_ctx_stack,
    _request_ctx_stack,
    current_app,
    g,
    get_ident,
    has_app_context,
    has_request_context,
    request,
    session,
)
from schlenk.local import Local, LocalProxy, LocalStack, release_local
from tests.support.execution import in_greenlet, in_thread
from tests.support.programs import run

SHORT_LIVED = int(os.environ.get("SHORT_LIVED", "3000"))
TURNS = 20

applications = [Flask(f"application {number}") for number in range(3)]
for application in applications:
    application.secret_key = "for these tests only"
place = Local()
stack: LocalStack[Any] = LocalStack()
number_here: LocalProxy[int] = place("number")
top_here: LocalProxy[Any] = stack()


def use_alone(number: int, turns: int = TURNS) -> Iterator[None]:
    """Use locals, stacks, and contexts as one of many owners, and check that no other owner's values are seen.

    The caller lets other owners run at each ``yield``.
    """
    application = applications[number % len(applications)]
    assert not has_request_context()
    assert not has_app_context()
    assert not hasattr(place, "number")
    assert stack.top is None
    place.number = number
    stack.push((number, "outer"))
    with application.test_request_context(f"/{number}", headers={"X-Number": str(number)}):
        g.number = session["number"] = number
        for turn in range(turns):
            stack.push((number, turn))
            yield
            assert number_here == number
            assert place.number == number
            assert top_here == (number, turn)
            assert request.path == f"/{number}"
            assert request.headers["X-Number"] == str(number)
            assert session["number"] == number
            assert g.number == number
            assert current_app.name == application.name
            with applications[(number + turn) % len(applications)].app_context():
                assert "number" not in g or current_app.name == application.name
                g.turn = turn
                yield
                assert g.turn == turn
                assert request.path == f"/{number}"
            assert stack.pop() == (number, turn)
    assert stack.pop() == (number, "outer")
    yield
    assert not has_request_context()
    assert not has_app_context()
    assert place.number == number
    release_local(place)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    left = [dict(local.__storage__) for local in (place, stack._local)]
    for local in (place, stack._local):
        local.__storage__.clear()
    assert left == [{}, {}]


# --- Threads and greenlets


def as_thread(numbers: range) -> None:
    together = threading.Barrier(len(numbers), timeout=60)

    def work(number: int) -> None:
        try:
            for _ in use_alone(number):
                together.wait()
        except BaseException:
            together.abort()
            raise

    with ThreadPoolExecutor(len(numbers)) as pool:
        list(pool.map(work, numbers))


def as_greenlets(numbers: range) -> None:
    """Run one greenlet for each number in this thread, one step at a time in turn."""
    greenlet = pytest.importorskip("greenlet")

    def work(number: int) -> None:
        for _ in use_alone(number):
            greenlet.getcurrent().parent.switch()

    owners = [greenlet.greenlet(work) for _ in numbers]
    for number, owner in zip(numbers, owners):
        owner.switch(number)
    while owners:
        for owner in owners:
            owner.switch()
        owners = [owner for owner in owners if not owner.dead]


def test_threads_are_isolated() -> None:
    as_thread(range(16))


def test_fast_switching_threads_are_isolated() -> None:
    interval = sys.getswitchinterval()
    # With 1e-6, an interpreter under coverage may switch before it has run a single instruction, and never end.
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: list(use_alone(number, turns=100)), range(16)))
    finally:
        sys.setswitchinterval(interval)


def test_greenlets_are_isolated() -> None:
    as_greenlets(range(50))


def test_greenlets_in_threads_are_isolated() -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(as_greenlets, [range(first, first + 20) for first in range(0, 80, 20)]))


def test_nested_greenlet_is_isolated() -> None:
    with applications[0].test_request_context("/outer"):
        g.number = "outer"
        as_greenlets(range(3))
        assert request.path == "/outer"
        assert g.number == "outer"


def test_mixing_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_request_ctx_stack, "__ident_func__", lambda: "everybody")
    first, second = use_alone(1), use_alone(2)
    next(first)
    with pytest.raises(AssertionError):
        next(second)
    first.close()
    release_local(stack)
    release_local(place)


# --- gevent and eventlet


def run_with(package: str, program: str) -> None:
    """Run a program in a new interpreter, because ``package`` may patch the standard library."""
    if find_spec(package) is None:
        pytest.skip(f"needs {package}")
    run(program, "assert kept == 50, kept", warnings="default", PYTHONPATH=str(Path(__file__).parents[1]))


def test_gevent_greenlets_are_isolated() -> None:
    run_with(
        "gevent",
        """
        import gevent
        from tests.test_isolation import use_alone
        def work(number):
            for _ in use_alone(number):
                gevent.sleep(0)
            return True
        owners = [gevent.spawn(work, number) for number in range(50)]
        kept = sum(owner.get() for owner in owners)
        """,
    )


def test_gevent_patched_threads_are_isolated() -> None:
    run_with(
        "gevent",
        """
        from gevent.monkey import patch_all
        patch_all()
        import threading, time
        from tests.test_isolation import use_alone
        kept = 0
        def work(number):
            global kept
            for _ in use_alone(number):
                time.sleep(0)
            kept += 1
        owners = [threading.Thread(target=work, args=(number,)) for number in range(50)]
        for owner in owners:
            owner.start()
        for owner in owners:
            owner.join()
        """,
    )


def test_patched_idents_leave_nothing_behind() -> None:
    run_with(
        "gevent",
        """
        from schlenk.local import Local
        place = Local()
        from gevent.monkey import patch_all
        patch_all()
        import threading
        place.__ident_func__ = threading.get_ident
        seen = []
        def work():
            seen.append(hasattr(place, "owner"))
            place.owner = True
        for _ in range(200):
            owner = threading.Thread(target=work)
            owner.start()
            owner.join()
        kept = 50 - sum(seen) if len(seen) == 200 else 0
        assert len(place.__storage__) < 10, place.__storage__
        """,
    )


def test_gevent_threadpool_is_isolated() -> None:
    run_with(
        "gevent",
        """
        import gevent, time
        from tests.test_isolation import use_alone
        def work(number):
            for _ in use_alone(number):
                time.sleep(0)
            return True
        pool = gevent.get_hub().threadpool
        owners = [pool.spawn(work, number) for number in range(50)]
        kept = sum(owner.get() for owner in owners)
        """,
    )


def test_eventlet_greenlets_are_isolated() -> None:
    run_with(
        "eventlet",
        """
        import warnings
        warnings.simplefilter("ignore")
        import eventlet
        eventlet.monkey_patch()
        from tests.test_isolation import use_alone
        def work(number):
            for _ in use_alone(number):
                eventlet.sleep(0)
            return True
        owners = [eventlet.spawn(work, number) for number in range(50)]
        kept = sum(owner.wait() for owner in owners)
        """,
    )


# --- Tasks


class RunningTask:
    """The ident of a task: equal for the same task, and dead when the task is done."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task

    def __hash__(self) -> int:
        return hash(self.task)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunningTask) and self.task is other.task

    @property
    def dead(self) -> bool:
        return self.task.done()


def task_or_thread() -> object:
    """Return the ident of the current task, or else of the current greenlet or thread."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return get_ident() if task is None else RunningTask(task)


@pytest.fixture
def by_task() -> Iterator[None]:
    everywhere = (place, stack, _request_ctx_stack, _app_ctx_stack)
    for local in everywhere:
        local.__ident_func__ = task_or_thread
    yield
    for local in everywhere:
        local.__ident_func__ = get_ident


async def as_tasks(numbers: range) -> None:
    async def work(number: int) -> None:
        for _ in use_alone(number):
            await asyncio.sleep(0)

    await asyncio.gather(*map(work, numbers))


@pytest.mark.usefixtures("by_task")
def test_tasks_are_isolated() -> None:
    asyncio.run(as_tasks(range(50)))


@pytest.mark.usefixtures("by_task")
def test_tasks_in_threads_are_isolated() -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda first: asyncio.run(as_tasks(range(first, first + 10))), range(0, 40, 10)))


@pytest.mark.usefixtures("by_task")
def test_thread_is_isolated_from_tasks() -> None:
    async def both() -> None:
        beside = asyncio.get_running_loop().run_in_executor(None, lambda: list(use_alone(99)))
        await asyncio.gather(as_tasks(range(10)), beside)

    asyncio.run(both())


def test_tasks_without_own_ident_are_mixed() -> None:
    with pytest.raises(AssertionError):
        asyncio.run(as_tasks(range(2)))
    for local in (place, stack, _request_ctx_stack, _app_ctx_stack):
        release_local(local)


# --- Owners that end without releasing their values


class Value:
    """Counts its living instances."""

    alive = 0

    def __init__(self) -> None:
        Value.alive += 1

    def __del__(self) -> None:
        Value.alive -= 1


@pytest.fixture(autouse=True)
def no_living_values() -> None:
    gc.collect()
    Value.alive = 0


def leak(local: Local, contexts: LocalStack[Any]) -> None:
    """Store a value and push a context without removing them. Neither may exist before."""
    assert not hasattr(local, "value")
    assert contexts.top is None
    local.value = Value()
    contexts.push((Value(), "leaked"))


def leak_contexts() -> None:
    """Push the contexts of a request without popping them."""
    assert not has_request_context()
    assert not has_app_context()
    applications[0].test_request_context().push()


@pytest.mark.parametrize("owner", [in_thread, in_greenlet])
def test_leaked_contexts_are_invisible(owner: Callable[[Callable[[], None]], object]) -> None:
    for _ in range(200):
        owner(leak_contexts)
        assert not has_request_context()
    for contexts in (_request_ctx_stack, _app_ctx_stack):
        contexts._local.__storage__.clear()


def many(owner: Callable[[Callable[[], None]], object], ident: Callable[[], Any]) -> None:
    """Let many owners end without releasing their values, and check that the storage stays small."""
    local, contexts = Local(), LocalStack[Any]()
    local.__ident_func__ = contexts.__ident_func__ = ident
    work = partial(leak, local, contexts)
    early = 0
    for number in range(SHORT_LIVED):
        if number == SHORT_LIVED // 4:
            gc.collect()
            early = sys.getallocatedblocks()
        owner(work)
        assert len(local.__storage__) <= 64
        assert len(contexts._local.__storage__) <= 64
        assert Value.alive <= 128
    gc.collect()
    # The bound is less than one block for each owner. A tracer, as for coverage, allocates more itself.
    assert sys.gettrace() or sys.getallocatedblocks() - early < SHORT_LIVED // 2


def test_short_lived_threads_leave_nothing() -> None:
    many(in_thread, get_ident)


def test_numbered_threads_leave_nothing() -> None:
    many(in_thread, threading.get_ident)


def test_short_lived_greenlets_leave_nothing() -> None:
    many(in_greenlet, get_ident)


def test_greenlets_of_threads_leave_nothing() -> None:
    many(lambda work: in_thread(lambda: in_greenlet(work)), get_ident)


def test_short_lived_tasks_leave_nothing() -> None:
    loop = asyncio.new_event_loop()

    def in_task(work: Callable[[], None]) -> None:
        async def task() -> None:
            work()

        loop.run_until_complete(task())

    try:
        many(in_task, task_or_thread)
    finally:
        loop.close()
