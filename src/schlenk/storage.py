"""Values stored by ident: who owns them, how the owner is identified, and when they are removed.

A :class:`Storage` is one dictionary, ``{ident: {name: value}}``. An *ident* stands for an owner: the running greenlet
if greenlet is installed, the running thread's number if not, or whatever a chosen ident function returns. ``Local``
and ``LocalStack`` read and write the dictionary directly; this module decides when an entry is removed.

Nothing here knows about stacks, proxies or HTTP.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from contextvars import ContextVar
from typing import Any, Callable
from weakref import WeakSet

__all__ = ["IdentFunction", "Storage", "get_ident", "get_thread_ident"]

try:
    from greenlet import getcurrent as get_ident
except ImportError:
    from threading import get_ident  # type: ignore[assignment]

IdentFunction = Callable[[], Any]

# gevent and eventlet replace `get_ident` with a function that tells greenlets apart. This is the original one.
_gevent, _eventlet = map(sys.modules.get, ("gevent.monkey", "eventlet.patcher"))
get_thread_ident: Callable[[], int] = (
    _gevent.get_original("_thread", "get_ident")
    if _gevent
    else (_eventlet.original("_thread") if _eventlet else _thread).get_ident
)


class _ThreadEnd:
    """Kept in a ``threading.local``, so it is destroyed with its thread. Its finalizer removes the thread's values."""

    __slots__ = ("ident", "values")

    def __init__(self, values: dict[Any, dict[str, Any]], ident: int) -> None:
        self.values = values
        self.ident = ident

    def __del__(self) -> None:
        self.values.pop(self.ident, None)


_ends: ContextVar[dict[tuple[int, int], _ThreadEnd]] = ContextVar("schlenk.storage.ends")


# Weak, so that a storage is destroyed with its Local.
_storages: WeakSet[Storage] = WeakSet()


class Storage:
    """The values of all idents, and the function that returns the running one's ident.

    A greenlet that ends without releasing leaves its entry behind. The key is the greenlet itself, so no other greenlet
    can see the entry, and it need not be removed at once: each time the number of entries has doubled, those of dead
    greenlets are removed. The number of a thread is reused, so a thread's entry is removed when the thread ends.
    """

    __slots__ = ("__weakref__", "ident_func", "limit", "native_ids", "thread", "values")

    def __init__(self) -> None:
        _storages.add(self)
        self.ident_func: IdentFunction = get_ident
        self.values: dict[Any, dict[str, Any]] = {}
        # At this many entries, those of dead greenlets are removed.
        self.limit = 64
        self.thread = threading.local()
        # Maps each ident to the native id of the last thread that stored a value under it.
        self.native_ids: dict[int, int] = {}

    def use(self, ident_func: IdentFunction) -> None:
        """Use ``ident_func`` from now on. Values stored earlier keep their idents."""
        if type(self.thread) is not threading.local:
            # gevent has replaced both since then: its `threading.local` stores values by greenlet.
            self.thread = threading.local()
        self.ident_func = ident_func

    def add(self, ident: Any, values: dict[str, Any]) -> None:
        """Store the first values of ``ident``."""
        if len(self.values) >= self.limit:
            self.remove_dead()
        if self.ident_func is threading.get_ident and not hasattr(self.thread, "end"):
            self.watch_thread(ident)
        self.values[ident] = values

    def watch_thread(self, ident: int) -> None:
        """Remove the running thread's values when it ends. Kept out of :meth:`add`, which the loop would slow down."""
        native_id = threading.get_native_id()
        end = _ThreadEnd(self.values, ident)
        if self.native_ids.get(ident) == native_id and self.thread_is_unknown(ident):
            # Either C code has entered Python again on the same thread, or a thread has ended and one of its finalizers
            # stores a value. The interpreter has already destroyed the thread-local values of an ended thread. It
            # destroys the context variables next.
            ends = _ends.get(None)
            if ends is None:
                ends = {}
                _ends.set(ends)
            ends[id(self.values), ident] = end
        else:
            self.native_ids[ident] = native_id
            self.thread.end = end

    def thread_is_unknown(self, ident: int) -> bool:
        """Return whether ``threading`` does not list a thread with this ident."""
        # The locals of gevent's and eventlet's are those of a greenlet, which `threading` need not list.
        return type(self.thread).__module__ == "_thread" and all(
            thread.ident != ident for thread in threading.enumerate()
        )

    def remove_other_threads(self) -> None:
        """Remove the entries of greenlets of all threads but the running one, none of which exists after a fork."""
        running = self.ident_func()
        for ident in list(self.values):
            if hasattr(ident, "gr_frame") and _root(ident) is not _root(running):
                self.values.pop(ident, None)

    def remove_dead(self) -> None:
        """Remove the entries of all idents whose attribute ``dead`` is true."""
        for ident in list(self.values):
            if getattr(ident, "dead", False):
                self.values.pop(ident, None)
        self.limit = max(64, 2 * len(self.values))


def _root(greenlet: Any) -> Any:
    """Return the main greenlet of the thread that ``greenlet`` belongs to."""
    while getattr(greenlet, "parent", None) is not None:
        greenlet = greenlet.parent
    return greenlet


def forget_other_threads() -> None:
    """Remove what the other threads have stored, in a child process, where they do not exist."""
    for storage in list(_storages):
        if storage.ident_func is get_ident:
            storage.remove_other_threads()


# A thread's numbered entry needs no such care: its `threading.local` values are destroyed in the child.
_at_fork: Callable[..., None] = getattr(os, "register_at_fork", lambda **hooks: None)
_at_fork(after_in_child=forget_other_threads)
