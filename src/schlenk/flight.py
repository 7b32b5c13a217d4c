"""What is in flight: the contexts of every thread and greenlet at one moment, and what each of these is doing.

It is there to be asked of a server that hangs, by another thread. What is kept in a dictionary by ident can be listed;
what is kept in context variables can't.
"""

from __future__ import annotations

import _thread
import gc
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from .ctx import AppContext, RequestContext
from .globals import _app_ctx_stack, _request_ctx_stack

if TYPE_CHECKING:
    from types import FrameType

# A signal may come while one is looking, and its handler look too. gevent leaves this lock as it is.
_looking = _thread.RLock()
# A child of that moment would find it locked, and garbage never collected. Not every system forks.
_at_fork: Callable[..., None] = getattr(os, "register_at_fork", lambda **hooks: None)
_at_fork(before=_looking.acquire, after_in_parent=_looking.release, after_in_child=_looking.release)


class Pushed(NamedTuple):
    """A context on a stack: how many seconds ago it was pushed, and of which request it is.

    ``method`` and ``path`` are ``None`` for an application context; ``age`` is, for one that lies on the stack without
    having been pushed by its own ``push()``. Flask has nothing of the kind.
    """

    context: AppContext | RequestContext
    age: float | None
    method: str | None
    path: str | None

    def __str__(self) -> str:
        what = "application context" if self.path is None else f"{self.method} {self.path}"
        age = "" if self.age is None else f", {self.age:.3f} s"
        return f"{what} of {self.context.app.name}{age}"


class Flight(NamedTuple):
    """A thread or greenlet that has contexts: they, lowest first, and the ``stack`` of what it is doing.

    ``stack`` is empty where that can't be told: of who has ended, or of an ident that is neither a greenlet nor the
    number of a thread. Flask has nothing of the kind.
    """

    ident: Any
    applications: list[Pushed]
    requests: list[Pushed]
    stack: traceback.StackSummary

    def __str__(self) -> str:
        contexts = "".join(f"  {pushed}\n" for pushed in self.requests + self.applications)
        return f"{self.ident!r}\n{contexts}{''.join(self.stack.format())}"


def in_flight() -> list[Flight]:
    """Return, for each ident, the contexts on both stacks at this moment, and what its thread or greenlet is doing.

    May be called from any thread while requests run. Print one, or send all of them to a log:

    >>> from schlenk import Flask
    >>> with Flask("shop").test_request_context("/basket", method="POST"):
    ...     (flight,) = in_flight()
    >>> [(pushed.method, pushed.path, pushed.age < 60) for pushed in flight.requests]
    [('POST', '/basket', True)]

    What it returns keeps the contexts, and what they hold, alive. Flask has nothing of the kind.
    """
    # A copy is made in one step, whatever the others are doing.
    applications, requests = _app_ctx_stack._local.__storage__.copy(), _request_ctx_stack._local.__storage__.copy()
    flights = []
    for ident in {**applications, **requests}:
        below, above = _pushed(applications.get(ident)), _pushed(requests.get(ident))
        threads = [context._thread for context, *_ in below if isinstance(context, AppContext)]
        flights.append(Flight(ident, below, above, _stack(ident, threads[0] if threads else 0)))
    return flights


def _stack(ident: Any, thread: int) -> traceback.StackSummary:
    """Return what the owner of ``ident`` is doing; as greenlets don't tell which thread they run in, it is given."""
    frames: list[tuple[FrameType, int]] = []
    running: dict[int, FrameType] = {}
    frame: FrameType | None = None
    try:
        with _no_collection():
            if isinstance(ident, int):
                frame = sys._current_frames().get(ident)
            elif hasattr(ident, "gr_frame") and not ident.dead:
                was_running = ident.gr_frame is None
                running = sys._current_frames()
                frame = ident.gr_frame or (running.get(thread) if was_running else None)
            while frame is not None:
                frames.append((frame, frame.f_lineno))
                frame = frame.f_back
        stack = traceback.StackSummary.extract(iter(frames))
        stack.reverse()
        return stack
    finally:
        # This frame is one of them: they would keep each other alive, and the requests of all that are running.
        del frames, running, frame


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep collections of garbage from coming in between, which run code, and so let other threads go on.

    Up to Python 3.11 all threads are held while their frames are asked for, and the code may wait for one of them, for
    ever; and what is before a frame may have ended by the time that the interpreter has made an object of it.
    """
    with _looking:
        collecting = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collecting:
                gc.enable()


def _pushed(values: dict[str, Any] | None) -> list[Pushed]:
    now = monotonic()
    found = []
    for context in list((values or {}).get("stack", ())):
        if context is not None:
            request = getattr(context, "request", None)
            since = getattr(context, "_since", None)
            age = None if since is None else now - since
            found.append(Pushed(context, age, getattr(request, "method", None), getattr(request, "path", None)))
    return found
