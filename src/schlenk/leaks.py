"""A check for contexts that were pushed and not popped.

While at least one check is running, the ``push`` method of both context stacks is replaced by one that records where
it was called. At all other times the check costs nothing.
"""

from __future__ import annotations

import _thread
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from traceback import FrameSummary
from typing import Any, Callable

from .flight import Pushed
from .globals import _app_ctx_stack, _request_ctx_stack
from .local import LocalStack, get_ident

_STACKS: tuple[LocalStack[Any], ...] = (_request_ctx_stack, _app_ctx_stack)
# The packages whose frames are skipped when the report names the line that pushed a context.
_MACHINERY = frozenset(("schlenk", "werkzeug", "flask", "contextlib"))

Entries = dict[tuple[LocalStack[Any], Any], list[Any]]


@contextmanager
def no_context_left() -> Iterator[None]:
    """Raise :exc:`AssertionError` if a context that was pushed during the block is still pushed when the block ends.

    Contexts of all threads and greenlets count. For each, the error gives the request's method and path, the line that
    pushed it, and its age. The contexts of the current thread or greenlet, and of greenlets that have finished, are
    then removed from the stacks without running their teardown functions, so that the code that follows finds the
    stacks as they were. If the block raises, its exception is raised instead. Checks may be nested or overlap.

    :raises AssertionError: at least one context was left.

    For pytest there is a plugin: set ``schlenk_leaks = true``. In unittest, enter the check in ``setUp`` and leave it
    in the last cleanup:

    >>> from contextlib import ExitStack
    >>> from unittest import TestCase
    >>> class Case(TestCase):
    ...     def setUp(self):
    ...         check = ExitStack()
    ...         check.enter_context(no_context_left())
    ...         self.addCleanup(check.close)

    Flask has no such check.
    """
    allowed = _entries()
    try:
        try:
            _push_log.start(allowed)
            yield
        finally:
            left = _remove_left(allowed)
    finally:
        _push_log.stop(allowed)
    if left:
        raise AssertionError(
            "Contexts were pushed and not popped:\n  "
            + "\n  ".join(left)
            + "\nPush a context in a `with` statement, which pops it."
        )


@contextmanager
def contexts_allowed() -> Iterator[None]:
    """Exempt the contexts that are pushed during the block from all running checks.

    The pytest plugin uses it while it sets up a fixture that outlives the test.
    """
    before = _entries()
    try:
        yield
    finally:
        for owner, contexts in _entries().items():
            for context in _without(contexts, before.get(owner, [])):
                for allowed in _push_log.checks:
                    allowed.setdefault(owner, []).append(context)


class _PushLog:
    """Records the line that pushed each entry of the two stacks, while a check is running."""

    def __init__(self) -> None:
        self.checks: list[Entries] = []
        # The keys contain the id of the context, because the context itself would be kept alive.
        self.locations: dict[tuple[LocalStack[Any], int], FrameSummary] = {}
        self.pushes: dict[LocalStack[Any], tuple[Any, Callable[[Any], list[Any]]]] = {}
        # Checks may start and stop in several threads at once. gevent does not replace this lock.
        self.lock = _thread.RLock()

    def start(self, allowed: Entries) -> None:
        with self.lock:
            if not self.checks:
                for stack in _STACKS:
                    _, recording = self.pushes.get(stack, (None, None))
                    # An exception that a signal handler raised may have interrupted stop().
                    if recording is None or vars(stack).get("push") is not recording:
                        self.replace_push(stack)
            self.checks.append(allowed)

    def stop(self, allowed: Entries) -> None:
        with self.lock:
            # Compare by identity, because two checks may allow equal entries.
            self.checks = [check for check in self.checks if check is not allowed]
            if not self.checks:
                for stack, (previous, recording) in self.pushes.items():
                    # If push was replaced again in the meantime, the replacement calls this one and is kept.
                    if vars(stack).get("push") is recording:
                        del vars(stack)["push"]
                        if previous is not None:
                            vars(stack)["push"] = previous
                self.pushes.clear()
                self.locations.clear()

    def replace_push(self, stack: LocalStack[Any]) -> None:
        push = stack.push

        def recording(obj: Any) -> list[Any]:
            entries = push(obj)
            if self.checks:
                self.locations[stack, id(obj)] = _caller()
            return entries

        self.pushes[stack] = vars(stack).get("push"), recording
        vars(stack)["push"] = recording


_push_log = _PushLog()


def _entries() -> Entries:
    return {(stack, ident): entries for stack in _STACKS for ident, entries in stack.snapshot_by_runner().items()}


def _without(contexts: list[Any], others: list[Any]) -> list[Any]:
    """Return ``contexts`` without one entry for each in ``others``, so repeated entries are counted."""
    rest = [id(context) for context in others]
    found = []
    for context in contexts:
        if id(context) in rest:
            rest.remove(id(context))
        else:
            found.append(context)
    return found


def _remove_left(allowed: Entries) -> list[str]:
    """Remove the contexts that are not ``allowed``, and return a description of each."""
    left = []
    for (stack, ident), contexts in _entries().items():
        extra = _without(contexts, allowed.get((stack, ident), []))
        for context in extra:
            pushed = Pushed.from_context(context, stack, monotonic())
            left.append(_describe(pushed, _push_log.locations.get((stack, id(context)))))
        if extra and ident in (stack.__ident_func__(), get_ident()):
            _remove(stack, extra)
        elif extra and getattr(ident, "dead", False):
            stack._local.__storage__.pop(ident, None)
    return left


def _remove(stack: LocalStack[Any], contexts: list[Any]) -> None:
    """Remove ``contexts`` from the stack of the running ident, wherever they are on it."""
    removed = [id(context) for context in contexts]
    stay = []
    while any(id(entry) in removed for entry in stack.entries()):
        # Not `del`: the last pop() leaves its entry in the list, in which a stream that is closed later finds it.
        entry = stack.pop()
        if id(entry) in removed:
            removed.remove(id(entry))
        else:
            stay.append(entry)
    for entry in reversed(stay):
        # Not `stack.push`, which would record this line as the one that pushed the context.
        LocalStack.push(stack, entry)


def _describe(pushed: Pushed, location: FrameSummary | None) -> str:
    if location is None:
        where = "at an unknown line"
    else:
        where = f"in {location.filename}:{location.lineno}, {location.name}: {location.line}"
    age = "" if pushed.age is None else f" ({pushed.age:.3f} s ago)"
    return f"{pushed.title}, pushed {where}{age}"


def _caller() -> FrameSummary:
    """Return the nearest line of the stack that does not belong to the machinery."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _MACHINERY:
        frame = frame.f_back
    return FrameSummary(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, lookup_line=False)
