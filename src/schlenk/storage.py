"""Values stored by ident: who owns them, how the owner is identified, and when they are removed.

A :class:`Storage` has a dictionary, ``{ident: {name: value}}``. An *ident* stands for an owner: the running greenlet
if greenlet is installed, the ident of the running thread if not, or the result of a chosen ident function. ``Local``
and ``LocalStack`` read and write the dictionary directly; this module decides when an entry is removed.

With :func:`context_ident`, the owners are contexts of :mod:`contextvars`, and a :class:`ContextValues` takes the place
of the dictionary.

Nothing here depends on proxies or HTTP. One thing is known about stacks: their list is stored under the name
``stack``. A context needs its own copy of the list before code that runs in the context changes it.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import ItemsView, Iterator, MutableMapping
from contextlib import suppress
from contextvars import ContextVar, Token
from time import monotonic
from typing import Any, Callable
from weakref import WeakSet, ref

__all__ = ["ContextValues", "IdentFunction", "Storage", "Version", "context_ident", "get_ident", "get_thread_ident"]

try:
    from greenlet import getcurrent as get_ident

    _GREENLETS = True
except ImportError:
    from threading import get_ident  # type: ignore[assignment]

    _GREENLETS = False

IdentFunction = Callable[[], Any]

# gevent and eventlet replace `get_ident` with a function that tells greenlets apart. This is the original one.
_gevent, _eventlet = map(sys.modules.get, ("gevent.monkey", "eventlet.patcher"))
get_thread_ident: Callable[[], int] = (
    _gevent.get_original("_thread", "get_ident")
    if _gevent
    else (_eventlet.original("_thread") if _eventlet else _thread).get_ident
)


# Windows has no fork().
at_fork: Callable[..., None] = getattr(os, "register_at_fork", lambda **hooks: None)


def context_ident() -> Any:
    """Identify owners by :mod:`contextvars` context. Set this function as the ``__ident_func__`` of a local or stack.

    Asyncio tasks are then different owners, as are threads and greenlets. A copy of a context sees the values that the
    original had when it was copied. Later changes in one of the two do not affect the other. Asyncio copies the context
    for each task; asgiref and ``asyncio.to_thread`` copy it for a thread. A thread or greenlet without a copied context
    starts empty. This includes greenlets of gevent: ``gevent.spawn(copy_context().run, f)`` runs ``f`` in a copy. The
    values are removed when the last context that sees them is destroyed.

    Calling the function raises an error: it only selects this behavior. The ``__ident_func__`` of the local then is
    another function. Its result changes with each change of the values; in an empty context it is that of
    ``get_ident``. A context keeps each ``ContextVar`` for its lifetime, and each such local has one, so create these
    locals at the top of a module.

    :raises RuntimeError: it was called.

    >>> import asyncio
    >>> from schlenk.local import LocalStack
    >>> stack = LocalStack()
    >>> stack.__ident_func__ = context_ident
    >>> async def task(name):
    ...     stack.push(name)
    ...     await asyncio.sleep(0)
    ...     return stack.entries()
    >>> async def tasks():
    ...     stack.push("outer")
    ...     return await asyncio.gather(task("one"), task("two")), stack.entries()
    >>> asyncio.run(tasks())
    ([['outer', 'one'], ['outer', 'two']], ['outer'])
    >>> stack.top is None
    True

    Werkzeug 1.0 has no such function.
    """
    raise RuntimeError(
        "context_ident() can't be called. Set it as the __ident_func__ of a Local or LocalStack, and call that."
    )


class _ThreadEnd:
    """Kept in a ``threading.local``, so it is destroyed with its thread. Its finalizer removes the thread's values."""

    __slots__ = ("ident", "values")

    def __init__(self, values: dict[Any, dict[str, Any]], ident: int) -> None:
        self.values = values
        self.ident = ident

    def __del__(self) -> None:
        self.values.pop(self.ident, None)


# Keeps each _ThreadEnd that a `threading.local` cannot keep. Storage.watch_thread explains why.
_ends: ContextVar[dict[tuple[int, int], _ThreadEnd]] = ContextVar("schlenk.storage.ends")


# A weak set, so that a storage is destroyed with its Local.
_storages: WeakSet[Storage] = WeakSet()


class Storage:
    """The values of all idents, and the function that returns the ident of the running owner.

    A greenlet that ends without releasing leaves its entry behind. The key is the greenlet itself, so no other greenlet
    can see the entry, and it need not be removed at once: each time the number of entries has doubled, those of dead
    greenlets are removed. The ident of a thread is reused, so a thread's entry is removed when the thread ends.
    """

    __slots__ = (
        "__weakref__",
        "changing_ident",
        "context_values",
        "ident_func",
        "limit",
        "native_ids",
        "public_ident",
        "stacking_ident",
        "thread",
        "values",
        "values_by_ident",
    )

    def __init__(self) -> None:
        _storages.add(self)
        self.values_by_ident: dict[Any, dict[str, Any]] = {}
        # Created when `context_ident` is first used, and kept if another ident function replaces it.
        self.context_values: ContextValues | None = None
        self.use_idents(self.values_by_ident, get_ident)
        # At this many entries, those of dead greenlets are removed.
        self.limit = 64
        # Keeps the _ThreadEnd of each thread, as its attribute `end`.
        self.thread = threading.local()
        # Maps each ident to the native id of the last thread that stored a value under it.
        self.native_ids: dict[int, int] = {}

    @property
    def contexts(self) -> ContextValues | None:
        """The values of all contexts, or ``None`` if the ident function is not :func:`context_ident`."""
        return self.context_values if self.values is self.context_values else None  # type: ignore[comparison-overlap]

    def use(self, ident_func: IdentFunction, name: str = "schlenk.version") -> None:
        """Use ``ident_func`` from now on. Values stored earlier keep their idents.

        :param ident_func: any function. If it is the ``public_ident`` of a storage that uses :func:`context_ident`,
            this storage uses :func:`context_ident` as well.
        :param name: the name of the ``ContextVar``, if ``ident_func`` is :func:`context_ident`.
        """
        if type(self.thread) is not threading.local:
            # gevent has patched `threading` in the meantime. Its `local` stores values by greenlet, as its `get_ident`
            # identifies greenlets.
            self.thread = threading.local()
        if ident_func is not context_ident and not isinstance(getattr(ident_func, "__self__", None), ContextValues):
            self.use_idents(self.values_by_ident, ident_func)
            return
        if self.context_values is None:
            self.context_values = ContextValues(name)
        contexts = self.context_values
        self.use_idents(contexts, contexts.version.get)
        self.changing_ident, self.stacking_ident = contexts.fork, contexts.fork_stack
        self.public_ident = contexts.ident

    def use_idents(self, values: Any, ident_func: IdentFunction) -> None:
        """Set the mapping of values, and the function that returns its keys."""
        self.values: dict[Any, dict[str, Any]] = values
        # Read into a variable before it is called where time matters: up to Python 3.11, `storage.ident_func()` would
        # search the class for a method first (6 ns).
        self.ident_func = ident_func
        # Called instead of `ident_func` before a value, or the list of a stack, is changed in place.
        self.changing_ident = self.stacking_ident = ident_func
        # The value of `__ident_func__`.
        self.public_ident = ident_func

    def add(self, ident: Any, values: dict[str, Any]) -> None:
        """Store the first values of ``ident``."""
        # The values of contexts end with their contexts, and counting them takes long.
        if self.values is self.values_by_ident and len(self.values) >= self.limit:
            self.remove_dead()
        if self.ident_func is threading.get_ident and not hasattr(self.thread, "end"):
            self.watch_thread(ident)
        self.values[ident] = values

    def watch_thread(self, ident: int) -> None:
        """Arrange that the values of the running thread are removed when it ends."""
        native_id = threading.get_native_id()
        end = _ThreadEnd(self.values, ident)
        if self.native_ids.get(ident) == native_id and self.thread_is_unknown(ident):
            # Either C code has entered Python again on the same thread, or the thread is ending and a finalizer stores
            # a value. The interpreter destroys the thread-local values of an ending thread first and its context
            # variables next, so only a context variable can still keep the object.
            ends = _ends.get(None)
            if ends is None:
                ends = {}
                _ends.set(ends)
            ends[id(self.values), ident] = end
        else:
            self.native_ids[ident] = native_id
            self.thread.end = end

    def thread_is_unknown(self, ident: int) -> bool:
        """Return whether ``threading`` lists no thread with this ident. If it is patched, return false."""
        # If gevent or eventlet has patched `threading`, a local belongs to a greenlet, which `threading` need not list.
        return type(self.thread).__module__ == "_thread" and all(
            thread.ident != ident for thread in threading.enumerate()
        )

    def remove_other_threads(self) -> None:
        """Remove the entries of the greenlets of other threads, which do not exist after a fork."""
        running_root = _root(self.ident_func())
        for ident in list(self.values):
            if hasattr(ident, "gr_frame") and _root(ident) is not running_root:
                self.values.pop(ident, None)

    def remove_dead(self) -> None:
        """Remove the entries of all idents whose attribute ``dead`` is true."""
        for ident in list(self.values):
            if getattr(ident, "dead", False):
                self.values.pop(ident, None)
        self.limit = max(64, 2 * len(self.values))


class _ContextIdent(ref["Version"]):
    """The ident of a context and its copies, up to the next change: a weak reference to their current version."""

    __slots__ = ()

    @property
    def dead(self) -> bool:
        """Whether no context has the values any more."""
        return self() is None

    @property
    def values(self) -> dict[str, Any]:
        version = self()
        if version is None:
            raise KeyError(self)
        return version.values


class _Runner:
    """A greenlet or thread that changes values, and the ident of its thread. A greenlet does not change its thread."""

    __slots__ = ("ident", "thread")

    def __init__(self, ident: Any) -> None:
        # Returns the ident, or None if it is a greenlet that was destroyed.
        self.ident: Callable[[], Any] = ref(ident) if _GREENLETS else lambda: ident
        self.thread = get_thread_ident()


class Version:
    """The values that a context sees, from one change to the next. Only contexts and later versions refer to it.

    A version is created with ``stored``, its values, or with ``pushed``, an object that is not ``None``. The other
    attribute is ``None``. With ``pushed``, its stack is that of the version ``below`` with the object on top, but no
    list is copied until it is read: :mod:`schlenk.install` pushes Flask's contexts in this way.
    """

    __slots__ = ("__weakref__", "below", "known_ident", "made_at", "pushed", "reference", "runner", "stored")
    stored: dict[str, Any] | None
    pushed: Any
    # The version before `pushed` was pushed. fork() copies the attribute, so a later version may have it as well.
    below: Version | None
    # The greenlet or thread that made the change, and the time.
    runner: _Runner
    made_at: float
    # A reference to the version itself.
    reference: ref[Version]
    # Most versions need no ident.
    known_ident: _ContextIdent | None

    @property
    def ident(self) -> _ContextIdent:
        if self.known_ident is None:
            self.known_ident = _ContextIdent(self)
        return self.known_ident

    @property
    def values(self) -> dict[str, Any]:
        stored = self.stored
        if stored is None:
            stored = self.derived_values()
            self.replace(stored)
        return stored

    @property
    def top(self) -> Any:
        """The entry on top of the stack, or ``None``. Faster if it is ``pushed``."""
        pushed = self.pushed
        if pushed is not None:
            return pushed
        stack = self.values.get("stack")
        return stack[-1] if stack else None

    def replace(self, values: dict[str, Any]) -> None:
        """Store other values, and derive ``top`` from their list from now on: the list may be changed in place."""
        self.stored = values
        self.pushed = None

    def derived_values(self) -> dict[str, Any]:
        """Return the values of the next version below that stores them, with the entries pushed since then."""
        entries = []
        version: Any = self
        while (values := version.stored) is None:
            # Not `pushed`, because another thread may have stored the values in the meantime.
            entries.append(version.top)
            version = version.below
        return {**values, "stack": [*values.get("stack", ()), *reversed(entries)]}


class ContextValues(MutableMapping[Any, dict[str, Any]]):
    """The values of all contexts by ident, in the place of a :class:`Storage`'s dictionary.

    The value of a ``ContextVar`` is the current version. A context does not know its copies, and a copy does not know
    that it is one. So code that runs in a context never changes a version that may have been copied: each change makes
    a new version in the running context. Only ``LocalStack.withdraw()`` and removing the values of an ident change a
    version, for all contexts that see it. The storage refers to versions weakly, so they are destroyed with their
    contexts, even if a value refers to its own context.

    :param name: the name of the ``ContextVar``, which the errors for its tokens contain.
    """

    def __init__(self, name: str) -> None:
        # References to all versions. At `limit` of them, those to destroyed versions are removed.
        self.known: set[ref[Version]] = set()
        self.limit = 64
        # Used as long as the same greenlet or thread makes changes. Creating a runner takes 0.2 µs.
        self.last_runner = _Runner(get_ident())
        self.empty = Version()
        self.empty.stored, self.empty.pushed, self.empty.below, self.empty.known_ident = {}, None, None, None
        self.empty.reference = ref(self.empty)
        self.version: ContextVar[Version] = ContextVar(name, default=self.empty)

    def __del__(self) -> None:
        # The contexts may exist longer than the local.
        for version in self.versions().values():
            version.replace({})

    def ident(self) -> Any:
        """Return the ident of the running context."""
        version = self.version.get()
        return get_ident() if version is self.empty else version.ident

    def fork(self) -> Version:
        """Set a new version in the running context. It may be changed until other code can copy the context."""
        current = self.version.get()
        self.add(current.values.copy(), None, current.below)
        return self.version.get()

    def fork_stack(self) -> Version:
        """Do the same as :meth:`fork`, and copy the list of the stack."""
        version = self.fork()
        values = version.values
        stack = values.get("stack")
        if stack is not None:
            values["stack"] = stack[:]
        return version

    def add(self, stored: dict[str, Any] | None, pushed: Any, below: Version | None) -> Token[Version]:
        """Set a new version in the running context. The token restores the previous one.

        :param stored: the attribute of the version, as are ``pushed`` and ``below``.
        """
        version = Version()
        version.stored = stored
        version.pushed = pushed
        version.below = below
        version.known_ident = None
        running = get_ident()
        runner = self.last_runner
        if runner.ident() != running:
            runner = self.last_runner = _Runner(running)
        version.runner = runner
        version.made_at = monotonic()
        version.reference = reference = ref(version)
        known = self.known
        known.add(reference)
        if len(known) >= self.limit:
            self.forget_destroyed()
        return self.version.set(version)

    def restore(self, token: Token[Version]) -> None:
        """Restore the version that was current before a call of :meth:`add`, which returned ``token``.

        The versions above it are no longer listed, even if copied contexts still see them.

        :raises ValueError: the token was created in another ``contextvars`` context.
        :raises RuntimeError: the token has already been used.
        """
        version: Version | None = self.version.get()
        self.version.reset(token)
        restored = self.version.get()
        while version is not None and version is not restored:
            self.known.discard(version.reference)
            version = version.below

    def forget_destroyed(self) -> None:
        """Remove the references to versions that were destroyed."""
        self.known.difference_update([known for known in self.known.copy() if known() is None])
        self.limit = max(64, 2 * len(self.known))

    def versions(self) -> dict[_ContextIdent, Version]:
        """Return the versions that have values, the newest first."""
        # Other threads change the set, so it is copied in one step.
        found = [version for known in self.known.copy() if (version := known()) is not None and version.values]
        return {version.ident: version for version in sorted(found, key=lambda version: -version.made_at)}

    def copy(self) -> dict[Any, dict[str, Any]]:
        """Return the values of all contexts, without the versions that are below another.

        A context is left out if a copy of it has pushed more.
        """
        versions = self.versions()
        covered = {version.below for version in versions.values()}
        return {ident: version.values for ident, version in versions.items() if version not in covered}

    def items(self) -> ItemsView[Any, dict[str, Any]]:
        return self.copy().items()

    def entries_by_runner(self) -> dict[Any, list[Any]]:
        """Return the entries of a stack by the greenlet or thread that pushed them, each object once.

        If that greenlet or thread no longer exists, the key is the ident of the context. Also set ``pushed_at`` and
        ``pushed_by`` of entries, such as Flask's contexts, whose class has no such attributes. Setting them at each
        push would take 1 µs.
        """
        found: dict[Any, list[Any]] = {}
        seen: set[int] = set()
        # The oldest first: a copied context also has the entries that were pushed before the copy.
        for ident, version in reversed(self.versions().items()):
            runner = version.runner.ident()
            below = [] if version.below is None else version.below.values.get("stack", [])
            pushed_before = set(map(id, below))
            for entry in version.values.get("stack", []):
                if id(entry) not in seen and id(entry) not in pushed_before:
                    seen.add(id(entry))
                    _set_pushed(entry, version)
                    found.setdefault(ident if runner is None else runner, []).append(entry)
        return found

    def __getitem__(self, ident: Any) -> dict[str, Any]:
        try:
            values: dict[str, Any] = ident.values
        except AttributeError:
            # The ident of an empty context.
            raise KeyError(ident) from None
        return values

    def __setitem__(self, ident: Any, values: dict[str, Any]) -> None:
        version = ident() if isinstance(ident, _ContextIdent) else ident
        if not isinstance(version, Version):
            raise KeyError(ident)
        version.replace(values)

    def __delitem__(self, ident: Any) -> None:
        current = self.version.get()
        if ident is current or ident is current.ident:
            self.version.set(self.empty)
        else:
            self[ident] = {}

    def __iter__(self) -> Iterator[Any]:
        return iter(self.copy())

    def __len__(self) -> int:
        return len(self.copy())

    def __repr__(self) -> str:
        return repr(self.copy())


def _set_pushed(entry: Any, version: Version) -> None:
    """Set the time and the thread of the push, if the class of the entry does not."""
    if not hasattr(type(entry), "pushed_at"):
        # A class with slots cannot store these attributes. They are optional.
        with suppress(AttributeError, TypeError):
            entry.pushed_at, entry.pushed_by = version.made_at, version.runner.thread


def _root(greenlet: Any) -> Any:
    """Return the main greenlet of the thread that ``greenlet`` belongs to."""
    while getattr(greenlet, "parent", None) is not None:
        greenlet = greenlet.parent
    return greenlet


def forget_other_threads() -> None:
    """Remove the values of the greenlets of other threads, which do not exist in a child process."""
    for storage in list(_storages):
        if storage.ident_func is get_ident:
            storage.remove_other_threads()


# The entry of a thread is removed without this if its key is the ident of the thread: the child destroys the values in
# the `threading.local` of each thread that does not exist there.
at_fork(after_in_child=forget_other_threads)
