"""Recovery from contexts that end out of order, and the contexts of streams.

If contexts are popped in the reverse order of their pushes, :mod:`schlenk.ctx` pops them without this module. This
module handles streams and all other cases. When a context ends, it or another one can be in one of three states:

* **leaked**: it was pushed above the context that ends, by a bare ``push()``, and not popped. No code is left that
  would pop it, so it is removed, and an ``AssertionError`` reports it. Its teardown functions do not run, because its
  work was never finished.
* **missing**: it was removed from the stack while it was in use. It is put back, so that its teardown functions run
  while it is current; then an ``AssertionError`` reports it.
* **kept**: it stays on the stack on purpose. A *preserved* context stays until the next push, so that a test or a
  debugger can look at it. A context held by a *generator* (a stream, or a ``with`` block in any other generator or in
  a coroutine) stays until the generator ends, which can happen at any time and in any thread.

A context whose attribute ``blocks`` is above 0 is not leaked: ``blocks`` counts the ``with`` blocks, streams and served
requests that will pop the context.

Kept contexts must not affect other requests. A request does not share an application context that only a waiting
generator uses, and a generator that ends late removes its own contexts and no others. While a stream runs, its contexts
are on top of the stacks of whichever thread or greenlet runs it.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from itertools import chain
from typing import TYPE_CHECKING, Any, Callable

from . import globals as own_globals
from .local import get_ident

if TYPE_CHECKING:
    from types import FrameType

    from .ctx import AppContext, RequestContext
    from .local import LocalStack

# Assigned, not imported, because that is faster; see schlenk.ctx.
_app_ctx_stack, _request_ctx_stack = own_globals._app_ctx_stack, own_globals._request_ctx_stack


def refusal(stack: LocalStack[Any], context: object) -> AssertionError:
    """Return the error for popping a context that is not on top of its stack."""
    top = stack.top
    if top is None:
        reason = "the stack of this greenlet or thread is empty"
    elif getattr(top, "preserved", False):
        reason = (
            f"on top is {top!r}, which is preserved after its work, by a test client's `with` block or because of an "
            "error. The next push pops it, as does the end of that block"
        )
    elif repr(top) == repr(context):
        reason = "on top is another context with the same repr"
    else:
        reason = f"on top is {top!r}"
    return AssertionError(
        f"Cannot pop the wrong context: {context!r} is not on top; {reason}. Nothing has been popped. Contexts are "
        f"popped in reverse order, in the greenlet or thread that pushed them.{_suspicion()}"
    )


def disorder(context: object, leaked: list[Any], missing: list[Any]) -> AssertionError:
    """Return the error that reports contexts that were leaked or missing when ``context`` ended."""
    if missing:
        advice = "Pop and release only contexts that you have pushed."
        if _request_ctx_stack.is_by_context:
            advice += (
                " If a stream of the request ran in another `contextvars` context, it moved them there: run it there"
                " only after the request has ended."
            )
        return AssertionError(
            f"These contexts were removed from the stack while they were in use: {missing!r}. They were put back and "
            f"ended. {advice}{_suspicion()}"
        )
    return AssertionError(
        f"When {context!r} ended, these contexts had been pushed above it and not popped: {leaked!r}. They were "
        "removed without running their teardown functions. Push contexts in a `with` statement, which pops them."
        f"{_suspicion()}"
    )


def _suspicion() -> str:
    """Return a sentence that names asyncio tasks as the likely cause, if an event loop runs in this thread."""
    running_loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", lambda: None)
    if running_loop() is None or _request_ctx_stack.__ident_func__ is not get_ident:
        return ""
    return (
        " The asyncio tasks of this thread share its stacks, which is the likely cause. To give each task stacks of its"
        " own, set `_request_ctx_stack.__ident_func__ = _app_ctx_stack.__ident_func__ = schlenk.local.context_ident`"
        " when the program starts."
    )


def is_pushed(context: object) -> bool:
    """Return whether the request context is on the stack of the running greenlet or thread."""
    return _contains(_request_ctx_stack.entries(), context)


def has_begun(context: object) -> bool:
    """Return whether a request context, or the one that it wraps, is on the stack of the running greenlet or thread."""
    request = getattr(context, "request", None)
    return is_pushed(context) or (request is not None and is_used(request))


def is_on_top(context: object) -> bool:
    """Return whether a context, and the one that was pushed with it, are on top, so that ``pop()`` is not refused."""
    return all(stack.top is entry for stack, entry in _entries(context))


def is_used(request: object) -> bool:
    """Return whether a context on the stack of the running greenlet or thread has this request."""
    return any(getattr(entry, "request", None) is request for entry in _request_ctx_stack.entries())


def is_shareable(app_context: AppContext) -> bool:
    """Return whether a request may use the application context on top: not if only a waiting generator uses it."""
    # An application context of another class may lack the attribute.
    if getattr(app_context, "shareable", True) is False:
        return False
    # Loops, because two generators would take 0.7 µs more at each push onto an application context.
    for context in _request_ctx_stack.entries():
        for stream in _streams(context):
            if stream.waiting and stream.apps.last is app_context:
                # The stream alone uses application contexts that it has pushed above `first`. Other work may also use
                # `first`: the work that pushed it, or the request of the stream until it ends.
                return stream.apps.first is app_context and (stream.apps.shared or not _is_waiting(context))
    return True


def remove_under(stack: LocalStack[Any], context: object, top: object) -> list[Any]:
    """Remove ``context`` after ``top`` was popped in its place. Return what was leaked above it and removed."""
    if top is not None:
        stack.push(top)
    return remove(stack, context)


def remove(stack: LocalStack[Any], context: object) -> list[Any]:
    """Remove ``context`` from the stack together with everything above it, which is returned."""
    if stack.discard(context):
        return []
    above = stack.uncover(context)
    stack.discard(context)
    return above


def restore(app_context: Any, leaked: list[Any]) -> list[Any]:
    """Bring an application context back to the top before it is popped.

    :param leaked: the list to which the entries above it are added.
    :returns: ``app_context`` in a list if it was missing, else an empty list.
    """
    missing = _put_back(app_context) if getattr(app_context, "_refcnt", True) else []
    leaked += _app_ctx_stack.uncover(app_context)
    return missing


def undo_push(context: RequestContext, app_context: AppContext | None, pushes: int, below: AppContext | None) -> None:
    """Restore the stacks after a ``push()`` that failed or was interrupted half-way.

    :param context: the context that was being pushed.
    :param app_context: the result of ``app.app_context()``, or ``None`` if it was not called.
    :param pushes: how often ``context`` was pushed before.
    :param below: the application context that was on top before.
    """
    del context._implicit_app_ctx_stack[pushes:]
    if _count(_request_ctx_stack.entries(), context) > pushes:
        remove(_request_ctx_stack, context)
    unstacked = (context.unstacked or {}).pop(pushes, None)
    if app_context is not None and (unstacked is not None or _app_ctx_stack.top is not below):
        app_context.pop()


def abandon(context: Any, pushes: int, entries: int) -> None:
    """Remove a request context, and the application contexts pushed with it, after an exception interrupted their end.

    A preserved context is not removed.

    :param pushes: the number of pushes that are not undone.
    :param entries: how often the context stays on the stack of the running greenlet or thread. This differs from
        ``pushes`` if an outer ``pop()`` of the context still runs, or if it is pushed in another thread.
    """
    if getattr(context, "preserved", False):
        return
    for _ in range(_count(_request_ctx_stack.entries(), context) - entries):
        remove(_request_ctx_stack, context)
    app_contexts = _pushed_with(context)
    for app_context in (*app_contexts[pushes:], getattr(context, "ending", None)):
        remove(_app_ctx_stack, app_context)
    del app_contexts[pushes:]


def pop_preserved(context: RequestContext) -> None:
    """Pop a preserved context, which is on top, before the next one is pushed.

    Application contexts above it may be in use, so they are kept.
    """
    pushes = len(_pushed_with(context))
    try:
        # A context class may have pushed further contexts, which its pop() expects to be in their places.
        end_preserved(context, context._preserved_exc)
        return
    except AssertionError:
        # As in AppContext.__exit__().
        was_refused = len(_pushed_with(context)) == pushes and not is_on_top(context)
        if not was_refused:
            raise
    _put_back(context)
    for stack, entry in _entries(context):
        _move_to_top(stack, entry)
    end_preserved(context, context._preserved_exc)


def end_preserved(context: Any, *exc: BaseException | None) -> None:
    """Pop a preserved context that is on top. If that is interrupted, remove the rest of it, as no one else will.

    :param exc: passed to its ``pop()``.
    """
    app_contexts, entries = _pushes_and_entries(context)
    try:
        context.pop(*exc)
    except BaseException:
        pushes = len(_pushed_with(context))
        if pushes < len(app_contexts):
            context.preserved = False
            abandon(context, pushes, _count(entries, context) - 1)
        raise


def end(
    context: AppContext | RequestContext,
    finish: Callable[[BaseException | None], None],
    exc: BaseException | None,
) -> None:
    """End a context that is not on top of its stack.

    :param finish: the method that ends it once it is on top; called with ``exc``.
    :param exc: the exception that ended the work, or ``None``.
    :raises AssertionError: contexts were missing or leaked. Leaked contexts are reported only if ``exc`` is ``None``,
        so that the report does not hide the error.
    """
    missing = _put_back(context)
    top = _request_ctx_stack.top
    if top is not None and top is not context and top.preserved and hasattr(context, "request"):
        # The next push would pop it. It is not leaked.
        pop_preserved(top)
    in_generator = _is_in_generator(sys._getframe(1))
    leaked: list[Any] = []
    for stack, entry in _entries(context):
        if _contains(stack.entries(), entry):
            leaked += _remove_leaked(stack, entry, in_generator)
            _move_to_top(stack, entry)
        elif in_generator:
            # The block began in another greenlet or thread.
            _move_to_top(stack, entry)
    finish(exc)
    if missing or (leaked and exc is None):
        raise disorder(context, leaked, missing) from exc


def settle(context: RequestContext) -> None:
    """Move a context, and all entries above it, below those in use, if only waiting streams still hold the context."""
    # Usually, the context is the only entry of both lists, which its stream has stored. With `context_ident`, go on
    # even then, because own_entries() copies the lists: a stream may move the entries to another `contextvars` context,
    # and other streams have stored the lists.
    streams = _streams(context)
    if not streams:
        return
    stream = streams[0]
    if len(stream.requests.entries) == len(stream.apps.entries) == 1 and not stream.is_by_context:
        return
    if context.preserved or not _is_waiting(context):
        return
    requests, apps = _request_ctx_stack.own_entries(), _app_ctx_stack.own_entries()
    unused = _unused_entries(requests)
    _move_below_used(requests, context, unused)
    _move_below_used(apps, _first_app_context(context), unused)


def _move_below_used(entries: list[Any], lowest: object, unused: list[Any]) -> None:
    """Move ``lowest``, and all entries above it, below the lowest entry that is not ``unused``."""
    start = next((position for position, entry in enumerate(entries) if entry is lowest), 0)
    target = next((position for position in range(start) if not _contains(unused, entries[position])), start)
    entries[target:] = entries[start:] + entries[target:start]


def _unused_entries(requests: list[Any]) -> list[Any]:
    """Return the entries of both stacks that are preserved or that only waiting streams hold."""
    unused = [entry for entry in requests if _is_waiting(entry) or getattr(entry, "preserved", False)]
    unused += [app_context for entry in unused for app_context in _pushed_with(entry)]
    waiting = [stream for entry in requests for stream in _streams(entry) if stream.waiting]
    for stream in waiting:
        unused += stream.requests.above() + stream.apps.above()
    return unused


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

    The stream waits between two parts of the response: it has returned one, and the server has not asked for the next.

    :param context: the request context.
    """

    def __init__(self, context: RequestContext) -> None:
        self.context = context
        # Whether the stream has pushed the context, is waiting, and has ended.
        self.pushed = self.waiting = self.ended = False
        # The result of _pushes_and_entries() before the context was pushed or popped, for abandon(). It is None between
        # __enter__() and __exit__(), because other work that has pushed the context may end in the meantime.
        self.before: tuple[list[Any], list[Any]] | None = _pushes_and_entries(context)

    def __enter__(self) -> Stream:
        self.context.__enter__()
        self.before, self.pushed = None, True
        self.requests = _Span(_request_ctx_stack, _request_ctx_stack.entries(), self.context)
        entries = _app_ctx_stack.entries()
        self.apps = _Span(_app_ctx_stack, entries, (entries or _NOTHING)[-1])
        self.apps.shared = not _contains(_pushed_with(self.context), self.apps.first)
        self.is_by_context = _request_ctx_stack.is_by_context or _app_ctx_stack.is_by_context
        # Whether lift() was called since the last lower(), so that lower() is called again. With `context_ident`, it is
        # always true, because each change replaces the list of a stack.
        self.moves = self.is_by_context
        self._set_streams([*_streams(self.context), self])
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
        if _pushed_with(self.context):
            self.moves = True
            self.requests.lift()
            self.apps.lift()

    def __exit__(self, *error: Any) -> None:
        before = self.before = _pushes_and_entries(self.context)
        self._leave()
        apps = self.apps
        try:
            self.context.__exit__(*error)
        finally:
            if apps.carried or apps.home is not None:
                # Without the push of the stream.
                pushes = max(len(before[0]) - 1, 0)
                apps.release(_pushed_with(self.context)[:pushes])
        if not getattr(apps.first, "_refcnt", True):
            # If the stream ended in a copied `contextvars` context, the stack of the original one still has this
            # application context, which no request may use.
            apps.first.shareable = False
        self.ended = True
        # The error that ended the stream refers to it, and the lists refer to other contexts.
        self.before = None

    def abandon(self) -> None:
        """Remove the contexts of the stream after an exception interrupted its beginning or its end."""
        if not self.ended:
            app_contexts, entries = self.before or _pushes_and_entries(self.context)
            self._leave()
            # Subtract the stream's own push, if there was one. If other code has popped the context, the result would
            # be negative.
            pushes = max(len(app_contexts) - self.pushed, 0)
            abandon(self.context, pushes, max(_count(entries, self.context) - self.pushed, 0))

    def _leave(self) -> None:
        streams = _streams(self.context).copy()
        if self in streams:
            streams.remove(self)
        self._set_streams(streams)

    def _set_streams(self, streams: list[Stream]) -> None:
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
        # With `context_ident`, this replaces the list, so it is read again.
        self.stack.own_entries()
        self.entries = self.stack.current(self.entries)
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
        if _contains(self.entries, self.first):
            self.last = self.entries[-1]
        if self.carried:
            # The running context may be destroyed while the stream waits.
            self.entries = [self.first, *remove(self.stack, self.first)]
            self.carried = False
        if self.home is not None:
            above = remove(self.stack, self.first)
            entries, start = self.home
            self.stack.own_entries()
            self.entries = self.stack.current(entries)
            self.entries[start:start] = above if self.shared else [self.first, *above]
            self.home = None

    def above(self) -> list[Any]:
        """Return the entries that the stream has pushed above ``first``."""
        entries = self.stack.current(self.entries)
        return [entries[position] for position in self.positions(entries)[1:]]

    def positions(self, entries: list[Any]) -> range:
        """Return the positions of the entries in a list, or an empty range if it does not have them."""
        end = _position(entries, self.last)
        start = None if end is None else _position(entries[: end + 1], self.first)
        return range(0) if start is None or end is None else range(start, end + 1)

    def release(self, used: list[Any]) -> None:
        """Remove the additional entry of a shared context, or move back a context that is still used.

        Called when the stream has ended, if its entries have been moved or carried.

        :param used: the contexts that the request or another stream uses.
        """
        if self.shared:
            remove(self.stack, self.first)
        elif _contains(used, self.first) and _contains(self.stack.entries(), self.first):
            # settle() may have moved it below the entries of other work.
            _move_to_top(self.stack, self.first)
            self.lower()


def _remove_leaked(stack: LocalStack[Any], context: object, in_generator: bool) -> list[Any]:
    """Remove and return the entries that were leaked above ``context``. Those kept or used by other work stay.

    :param in_generator: whether the block that ends is in a generator.
    """
    entries = stack.own_entries()
    position = _position(entries, context)
    assert position is not None
    leaked: list[Any] = []
    stay: list[Any] = []
    above = entries[position + 1 :]
    changing = _changing()
    for number, entry in enumerate(above):
        holder = _holder(entry, changing)
        if holder is None:
            leaked.append(entry)
            continue
        if in_generator and not _is_waiting(holder):
            # Other work pushed this entry, and all entries above it, while the generator waited.
            stay += above[number:]
            break
        stay.append(entry)
        if holder is entry and not in_generator and hasattr(entry, "shareable"):
            # The block of this application context did not end before this one, so it is in a generator that waits. No
            # later request may use the context.
            entry.shareable = False
    entries[position + 1 :] = stay
    return leaked


def _holder(entry: Any, changing: list[Any]) -> Any:
    """Return the context because of which an entry stays on its stack, or ``None`` if the entry was leaked.

    It is the request context that the entry was pushed with, or else the entry itself.

    :param changing: the result of :func:`_changing`.
    """
    for context in _request_ctx_stack.entries():
        if _contains(_pushed_with(context), entry) and _is_held(context, changing):
            return context
    return entry if _is_held(entry, changing) else None


def _changing() -> list[Any]:
    """Return the contexts that running functions of this package push or pop.

    A generator can end meanwhile: in a hook or a teardown function, in a finalizer, or in a signal handler.
    """
    found = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__")
        # Not wsgi_app(): up to Python 3.12, reading its variables would keep its error, and so the request, alive.
        if module == "schlenk.ctx" or (module == "schlenk.app" and frame.f_code.co_name == "_end_request"):
            variables = frame.f_locals
            # `app_context` is pushed or popped with `self`.
            found += [variables.get(name) for name in ("self", "context", "app_context")]
        frame = frame.f_back
    return found


def _is_in_generator(frame: FrameType | None) -> bool:
    """Return whether the block that ends is in a generator or a coroutine.

    If so, other work may have begun while it waited, and the block may have begun in another thread.

    :param frame: the frame to start from. The frames of this module, except that of :func:`stream_in_context`, and
        those of :mod:`schlenk.ctx` and of an ``ExitStack`` are skipped.
    """
    skipped = (__name__, "schlenk.ctx", "contextlib")
    streaming = stream_in_context.__code__
    while frame is not None and frame.f_code is not streaming and frame.f_globals.get("__name__") in skipped:
        frame = frame.f_back
    return frame is not None and bool(frame.f_code.co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR))


def _put_back(context: Any) -> list[Any]:
    """Put the missing entries of ``context`` back onto their stacks, so that it can be ended there; return them."""
    missing = []
    for stack, entry in _entries(context):
        if any(_contains(entries, entry) for entries in stack.snapshot().values()):
            continue
        missing.append(entry)
        if getattr(entry, "_refcnt", True):
            stack.push(entry)
        else:
            # An application context that was popped properly, but too early.
            context._implicit_app_ctx_stack[-1] = None
    return missing


def _move_to_top(stack: LocalStack[Any], entry: object) -> None:
    """Move an entry to the top, from wherever it is."""
    if stack.top is not entry:
        stack.withdraw(entry)
        stack.push(entry)


def _entries(context: Any) -> Iterator[tuple[LocalStack[Any], Any]]:
    """Yield the stacks that ``context`` was pushed onto, each with the entry that was pushed."""
    if not hasattr(context, "request"):
        yield _app_ctx_stack, context
        return
    app_contexts = _pushed_with(context)
    if app_contexts:
        yield _request_ctx_stack, context
        if app_contexts[-1] is not None:
            yield _app_ctx_stack, app_contexts[-1]


def _pushed_with(context: object) -> list[Any]:
    """Return the application contexts that were pushed with a request context, one or ``None`` for each push."""
    app_contexts = getattr(context, "_implicit_app_ctx_stack", None)
    return app_contexts if isinstance(app_contexts, list) else []


def _pushes_and_entries(context: object) -> tuple[list[Any], list[Any]]:
    """Return copies of the context's list of pushes and of the request stack. Only interruptions need their counts."""
    return _pushed_with(context).copy(), _request_ctx_stack.entries().copy()


def _streams(context: object) -> list[Stream]:
    streams = getattr(context, "streams", None)
    # A context of another class may have an attribute of its own with this name.
    return streams if type(streams) is list and streams and type(streams[0]) is Stream else []


def _first_app_context(context: object) -> Any:
    for app_context in _pushed_with(context):
        if app_context is not None:
            return app_context
    return None


def _is_held(context: object, changing: list[Any]) -> bool:
    """Return whether a block, a stream or a served request will pop the context, or is pushing or popping it now."""
    # A context of another class may lack the attribute, and a mock returns a mock for each attribute.
    blocks = getattr(context, "blocks", 0)
    return (isinstance(blocks, int) and blocks > 0) or _contains(changing, context)


def _is_waiting(context: object) -> bool:
    """Return whether only streams hold the request context, and none of them is running."""
    streams = _streams(context)
    return bool(streams) and len(streams) == len(_pushed_with(context)) and all(stream.waiting for stream in streams)


# Loops, because a comprehension or `map()` would take 0.3 µs more for the usual one or two entries. Not the methods of
# the list, because a context may define an equality of its own.


def _position(entries: list[Any], entry: object) -> int | None:
    """Return the position of the topmost entry that is ``entry``."""
    for position in range(len(entries) - 1, -1, -1):
        if entries[position] is entry:
            return position
    return None


def _count(entries: list[Any], entry: object) -> int:
    count = 0
    for each in entries:
        if each is entry:
            count += 1
    return count


def _contains(entries: list[Any], entry: object) -> bool:
    for each in entries:  # noqa: SIM110 - any() needs a generator
        if each is entry:
            return True
    return False
