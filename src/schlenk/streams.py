"""Streams: responses whose parts are created in the context of the request, after the view has returned.

A stream pushes the request context once more and pops it when it ends. Between two parts, it *waits*: it has yielded
one, and the server has not asked for the next. Meanwhile the server may run other requests. It may ask for the next
part in another thread or greenlet, or never.

While a stream runs, its contexts are on top of the stacks of the thread or greenlet that runs it. While it waits, they
must not affect other requests: no request shares an application context that only waiting streams use, and contexts
that only waiting streams hold are moved below those in use.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from . import globals as own_globals
from .recovery import (
    Streams,
    abandon,
    contains,
    count,
    is_waiting,
    move_to_top,
    position_of,
    pushed_with,
    pushes_and_entries,
    remove,
    streams_of,
)

if TYPE_CHECKING:
    from .ctx import AppContext, RequestContext
    from .local import LocalStack

# Assigned, not imported, because that is faster; see schlenk.ctx.
_app_ctx_stack, _request_ctx_stack = own_globals._app_ctx_stack, own_globals._request_ctx_stack

# Used in place of an empty list, so that reading the last entry returns None instead of raising an error.
_NOTHING = [None]


def stream_in_context(context: RequestContext, iterator: Iterator[Any]) -> Generator[Any, None, None]:
    """Yield ``None`` once the context is pushed, and then the parts, each of which is created in the context.

    :param iterator: the parts of the response. It is closed when the stream ends.
    """
    stream = Stream(context)
    try:
        with stream:
            requests, apps = stream.requests, stream.apps
            try:
                # The contexts are moved only if an entry was pushed or removed, or if another thread or greenlet runs
                # the stream, which is rare. The conditions are not methods, because two calls would take 0.2 µs more
                # for each part.
                for part in chain((None,), iterator):
                    if (
                        stream.moves
                        or (requests.entries or _NOTHING)[-1] is not requests.last
                        or (apps.entries or _NOTHING)[-1] is not apps.last
                    ):
                        stream.lower()
                    stream.waiting = True
                    yield part
                    stream.waiting = False
                    if (
                        stream.moves
                        or not _request_ctx_stack.is_unchanged(requests.entries, requests.last)
                        or not _app_ctx_stack.is_unchanged(apps.entries, apps.last)
                    ):
                        stream.lift()
            finally:
                if stream.waiting:
                    # The server or the garbage collector has closed the stream.
                    stream.waiting = False
                    stream.lift()
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()
    except BaseException:
        # A signal handler may have raised an exception while the `with` statement began or ended.
        stream.abandon()
        raise


class Stream:
    """The contexts of a response stream. :func:`stream_in_context` moves them to the top whenever the stream runs.

    :param context: the request context.
    """

    def __init__(self, context: RequestContext) -> None:
        self.context = context
        # Three flags: the stream has pushed the context, it is waiting, and it has ended.
        self.pushed = self.waiting = self.ended = False
        # The result of pushes_and_entries() before the context was pushed or popped, for abandon(). It is None between
        # __enter__() and __exit__(), because other work that has pushed the context may end in the meantime.
        self.before: tuple[list[Any], list[Any]] | None = pushes_and_entries(context)

    def __enter__(self) -> Stream:
        self.context.__enter__()
        self.before, self.pushed = None, True
        self.requests = _Span(_request_ctx_stack, _request_ctx_stack.entries(), self.context)
        entries = _app_ctx_stack.entries()
        self.apps = _Span(_app_ctx_stack, entries, (entries or _NOTHING)[-1])
        self.apps.shared = not contains(pushed_with(self.context), self.apps.first)
        self.is_by_context = _request_ctx_stack.is_by_context or _app_ctx_stack.is_by_context
        # Whether lift() was called since the last lower(), so that lower() is called again. With `context_ident`, it is
        # always true, because each change replaces the list of a stack.
        self.moves = self.is_by_context
        self._set_streams(Streams([*streams_of(self.context), self]))
        return self

    def lower(self) -> None:
        """Store what the stream has pushed above its contexts, and move all of it back if :meth:`lift` has moved it."""
        self.requests.lower()
        self.apps.lower()
        self.moves = self.is_by_context

    def lift(self) -> None:
        """Bring the contexts to the top of the stacks of the greenlet or thread that runs the stream now.

        Other code may have popped the context. If so, do nothing.
        """
        if pushed_with(self.context):
            self.moves = True
            self.requests.lift()
            self.apps.lift()

    def __exit__(self, *error: Any) -> None:
        before = self.before = pushes_and_entries(self.context)
        self._leave()
        apps = self.apps
        try:
            self.context.__exit__(*error)
        finally:
            if apps.carried or apps.home is not None:
                # What is left without the push of the stream.
                apps.release(before[0][:-1])
        if not getattr(apps.first, "_refcnt", True):
            # If the stream ended in a copied `contextvars` context, the stack of the original one still has this
            # application context, which no request may use.
            apps.first.shareable = False
        self.ended = True
        # The traceback of an error may keep the stream alive. It must not keep the other contexts in the lists alive.
        self.before = None

    def abandon(self) -> None:
        """Remove the contexts of the stream after an exception interrupted its beginning or its end."""
        if not self.ended:
            app_contexts, entries = self.before or pushes_and_entries(self.context)
            self._leave()
            # Without the stream's own push, if there was one and no other code has popped it.
            pushes = max(len(app_contexts) - self.pushed, 0)
            abandon(self.context, pushes, count(entries, self.context) - self.pushed)

    def _leave(self) -> None:
        streams = Streams(streams_of(self.context))
        if self in streams:
            streams.remove(self)
        self._set_streams(streams)

    def _set_streams(self, streams: Streams) -> None:
        try:  # noqa: SIM105 - suppress() takes 0.5 µs
            self.context.streams = streams
        except AttributeError:
            # A context of another class may lack the attribute. It stays where it is while the stream waits.
            pass


class _Span:
    """The entries of a stack from ``first`` to ``last``: a context and the entries that the stream pushed above it."""

    # Whether other work uses `first` as well. If so, `first` is not moved but pushed once more.
    shared = False
    # The list and the position that lifted entries were taken from.
    home: tuple[list[Any], int] | None = None
    # Whether the stream runs in another context of `contextvars`, to which the entries were carried.
    carried = False

    def __init__(self, stack: LocalStack[Any], entries: list[Any], first: Any) -> None:
        self.stack = stack
        # The list that has the entries: that of the stack, or one of their own if they were carried.
        self.entries = entries
        self.first = self.last = first

    def lift(self) -> None:
        """Bring the entries to the top of the stack of the running greenlet or thread."""
        earlier = self.entries
        self.entries = self.stack.current(earlier)
        if self.entries is self.stack.entries() and self.stack.top is self.last:
            return
        if self.shared and not getattr(self.first, "_refcnt", True):
            # The work that pushed the context has ended, so the stream runs without it.
            return
        if self.stack.is_by_context:
            self.entries = self.stack.own_entries()
        positions = self.positions(self.entries)
        if positions:
            self._move_up(positions)
        elif self.entries is not earlier:
            self._carry(earlier)
        # Otherwise the entries were removed, which the end of the stream reports.

    def _move_up(self, positions: range) -> None:
        """Move the entries from their positions to the top of the running stack, and store where they were."""
        lifted = self.entries[positions.start : positions.stop]
        # A shared first entry is pushed once more, so it also stays where it is.
        start = positions.start + 1 if self.shared else positions.start
        self.home = self.entries, start
        del self.entries[start : positions.stop]
        is_emptied = not self.entries
        for entry in lifted:
            self.entries = self.stack.push(entry)
        if is_emptied:
            self.stack.tidy()

    def _carry(self, earlier: list[Any]) -> None:
        """Move the entries to the running ``contextvars`` context, which is not a copy of the one that has them.

        From then on, no stack has the entries while the stream waits, because the context that ran it may be destroyed.

        :param earlier: the list that has the entries.
        """
        positions = self.positions(earlier)
        carried = earlier[positions.start : positions.stop]
        # A shared first entry also stays where it is.
        for entry in carried[1:] if self.shared else carried:
            self.stack.withdraw(entry)
        for entry in carried:
            self.entries = self.stack.push(entry)
        self.carried = True

    def lower(self) -> None:
        """Store the last entry that the stream has pushed, and move the entries back to where they were, if moved."""
        self.entries = self.stack.current(self.entries)
        if contains(self.entries, self.first):
            self.last = self.entries[-1]
        if self.carried:
            # The running context may be destroyed while the stream waits.
            self.entries = [self.first, *remove(self.stack, self.first)]
            self.carried = False
        if self.home is not None:
            above = remove(self.stack, self.first)
            entries, start = self.home
            self.entries = self.stack.own_entries() if self.stack.is_by_context else entries
            self.entries[start:start] = above if self.shared else [self.first, *above]
            self.home = None

    def above(self) -> list[Any]:
        """Return the entries that the stream has pushed above ``first``."""
        entries = self.stack.current(self.entries)
        return [entries[position] for position in self.positions(entries)[1:]]

    def positions(self, entries: list[Any]) -> range:
        """Return the positions of the entries in a list, or an empty range if it does not have them."""
        end = position_of(entries, self.last)
        start = None if end is None else position_of(entries[: end + 1], self.first)
        return range(0) if start is None or end is None else range(start, end + 1)

    def release(self, used: list[Any]) -> None:
        """Remove the additional entry of a shared context, or move back a context that is still used.

        Called when the stream has ended, if its entries have been moved or carried.

        :param used: the contexts that the request or another stream uses.
        """
        if self.shared:
            remove(self.stack, self.first)
        elif contains(used, self.first) and contains(self.stack.entries(), self.first):
            # settle() may have moved it below the entries of other work.
            move_to_top(self.stack, self.first)
            self.lower()


def is_shareable(app_context: AppContext) -> bool:
    """Return whether a request may use the application context on top: not if only a waiting generator uses it."""
    # An application context of another class may lack the attribute.
    if getattr(app_context, "shareable", True) is False:
        return False
    # Loops, because two generators would take 0.7 µs more at each push onto an application context.
    for context in _request_ctx_stack.entries():
        for stream in streams_of(context):
            if stream.waiting and stream.apps.last is app_context:
                # The stream alone uses application contexts that it has pushed above `first`. Other work may also use
                # `first`: the work that pushed it, or the request of the stream until it ends.
                return stream.apps.first is app_context and (stream.apps.shared or not is_waiting(context))
    return True


def settle(context: RequestContext) -> None:
    """Move a context, and all entries above it, below those in use, if only waiting streams still hold the context."""
    # Usually, the context is the only entry of both lists, which its stream has stored. With `context_ident`, go on
    # even then, because own_entries() copies the lists: a stream may move the entries to another `contextvars` context,
    # and other streams have stored the lists.
    streams = streams_of(context)
    if not streams:
        return
    stream = streams[0]
    if len(stream.requests.entries) == len(stream.apps.entries) == 1 and not stream.is_by_context:
        return
    if context.preserved or not is_waiting(context):
        return
    requests, apps = _request_ctx_stack.own_entries(), _app_ctx_stack.own_entries()
    unused = _unused_entries(requests)
    _move_below_used(requests, context, unused)
    _move_below_used(apps, _first_app_context(context), unused)


def _move_below_used(entries: list[Any], lowest: object, unused: list[Any]) -> None:
    """Move ``lowest``, and all entries above it, below the lowest entry that is not ``unused``."""
    start = next((position for position, entry in enumerate(entries) if entry is lowest), 0)
    target = next((position for position in range(start) if not contains(unused, entries[position])), start)
    entries[target:] = entries[start:] + entries[target:start]


def _unused_entries(requests: list[Any]) -> list[Any]:
    """Return the entries of both stacks that are preserved or that only waiting streams hold."""
    unused = [entry for entry in requests if is_waiting(entry) or getattr(entry, "preserved", False)]
    unused += [app_context for entry in unused for app_context in pushed_with(entry)]
    waiting = [stream for entry in requests for stream in streams_of(entry) if stream.waiting]
    for stream in waiting:
        unused += stream.requests.above() + stream.apps.above()
    return unused


def _first_app_context(context: object) -> Any:
    return next((app_context for app_context in pushed_with(context) if app_context is not None), None)
