"""Recovery from contexts that end out of order.

If contexts are popped in the reverse order of their pushes, :mod:`schlenk.ctx` pops them without this module. This
module handles all other cases. When a context ends, it or another one can be in one of three states:

* **leaked**: it was pushed onto the same stack above the context that ends, by a bare ``push()``, and not popped. No
  code is left that would pop it, so it is removed, and an ``AssertionError`` reports it, unless the work ended with
  another error. Its teardown functions do not run, because its work was never finished.
* **missing**: it was removed from the stack while it was in use. Unless its teardown functions have already run, it is
  put back, so that they run while it is current. Then an ``AssertionError`` reports it.
* **kept**: it stays on the stack on purpose. A *preserved* context stays until the next push, so that a test or a
  debugger can look at it. A context held by a *generator* (a stream, or a ``with`` block in any other generator or in
  a coroutine) stays until the generator ends, which can happen at any time and in any thread.

A context whose attribute ``blocks`` is above 0 is not leaked: ``blocks`` counts the ``with`` blocks, streams and served
requests that will pop the context.

Kept contexts must not affect other requests: a generator that ends late removes its own contexts and no others.
:mod:`schlenk.streams` moves the contexts of streams.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from typing import TYPE_CHECKING, Any, Callable

from . import globals as own_globals
from .local import get_ident

if TYPE_CHECKING:
    from types import FrameType

    from .ctx import AppContext, RequestContext
    from .local import LocalStack
    from .streams import Stream

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
        f"Cannot pop the wrong context: {context!r} is not on top; {reason}. Nothing has been popped. Pop contexts in "
        f"reverse order, in the greenlet or thread that pushed them.{_suspicion()}"
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
            f"These contexts were removed from the stack while they were in use: {missing!r}. They have ended now. "
            f"{advice}{_suspicion()}"
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
    return contains(_request_ctx_stack.entries(), context)


def has_begun(context: object) -> bool:
    """Return whether a request context, or the one that it wraps, is on the stack of the running greenlet or thread."""
    request = getattr(context, "request", None)
    return is_pushed(context) or (request is not None and is_used(request))


def was_refused(context: Any, pushes: int) -> bool:
    """Return whether ``pop()`` raised its ``AssertionError`` because a pushed context was not on top.

    A teardown function, or the ``pop()`` of a subclass, can raise ``AssertionError`` as well.

    :param pushes: how often the context was pushed before the call. A call that was refused has changed nothing.
    """
    remaining = len(pushed_with(context)) if hasattr(context, "request") else context._refcnt
    is_on_top = all(stack.top is entry for stack, entry in _entries(context))
    return remaining == pushes > 0 and not is_on_top


def is_used(request: object) -> bool:
    """Return whether a context on the stack of the running greenlet or thread has this request."""
    return any(getattr(entry, "request", None) is request for entry in _request_ctx_stack.entries())


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
    if count(_request_ctx_stack.entries(), context) > pushes:
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
    for _ in range(count(_request_ctx_stack.entries(), context) - entries):
        remove(_request_ctx_stack, context)
    app_contexts = pushed_with(context)
    for app_context in (*app_contexts[pushes:], getattr(context, "ending", None)):
        remove(_app_ctx_stack, app_context)
    del app_contexts[pushes:]


def pop_preserved(context: RequestContext) -> None:
    """Pop a preserved context, which is on top, before the next one is pushed.

    Application contexts above it may be in use, so they are kept.
    """
    pushes = len(pushed_with(context))
    try:
        # Before anything is moved: a context class may have pushed further contexts, which its pop() expects on top.
        end_preserved(context, context._preserved_exc)
        return
    except AssertionError:
        if not was_refused(context, pushes):
            raise
    _put_back(context)
    for stack, entry in _entries(context):
        move_to_top(stack, entry)
    end_preserved(context, context._preserved_exc)


def end_preserved(context: Any, *exc: BaseException | None) -> None:
    """Pop a preserved context that is on top. If that is interrupted, remove the rest of it, as no one else will.

    :param exc: passed to its ``pop()``.
    """
    app_contexts, entries = pushes_and_entries(context)
    try:
        context.pop(*exc)
    except BaseException:
        pushes = len(pushed_with(context))
        if pushes < len(app_contexts):
            context.preserved = False
            abandon(context, pushes, count(entries, context) - 1)
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
        # It is not leaked. The next push would pop it.
        pop_preserved(top)
    in_generator = _is_in_generator(sys._getframe(1))
    leaked: list[Any] = []
    for stack, entry in _entries(context):
        is_here = contains(stack.entries(), entry)
        if is_here:
            leaked += _remove_leaked(stack, entry, in_generator)
        # The block of a generator may have begun in another greenlet or thread. Otherwise, finish() raises the error.
        if is_here or in_generator:
            move_to_top(stack, entry)
    finish(exc)
    if missing or (leaked and exc is None):
        raise disorder(context, leaked, missing) from exc


def _remove_leaked(stack: LocalStack[Any], context: object, in_generator: bool) -> list[Any]:
    """Remove and return the entries that were leaked above ``context``. Those kept or used by other work stay.

    :param in_generator: whether the block that ends is in a generator.
    """
    entries = stack.own_entries()
    position = position_of(entries, context)
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
        if in_generator and not is_waiting(holder):
            # Other work pushed this entry, and all entries above it, while the generator waited.
            stay += above[number:]
            break
        stay.append(entry)
        if holder is entry and not in_generator and hasattr(entry, "shareable"):
            # The block of this application context has not ended before the block that ends now, so it is in a
            # suspended generator. No later request may use the context.
            entry.shareable = False
    entries[position + 1 :] = stay
    return leaked


def _holder(entry: Any, changing: list[Any]) -> Any:
    """Return the context because of which an entry stays on its stack, or ``None`` if the entry was leaked.

    It is the request context that the entry was pushed with, or else the entry itself.

    :param changing: the result of :func:`_changing`.
    """
    for context in _request_ctx_stack.entries():
        if contains(pushed_with(context), entry) and _is_held(context, changing):
            return context
    return entry if _is_held(entry, changing) else None


def _changing() -> list[Any]:
    """Return the contexts that running functions of this package push or pop. They are in use, even without a block.

    A generator can end meanwhile: in a hook or a teardown function, in a finalizer, or in a signal handler.
    """
    found = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__")
        # Not wsgi_app(): up to Python 3.12, reading its variables would keep its error, and so the request, alive.
        if module == "schlenk.ctx" or (module == "schlenk.app" and frame.f_code.co_name == "_end_request"):
            variables = frame.f_locals
            # The names of the variables in that function. `app_context` is pushed or popped with `self`.
            found += [variables.get(name) for name in ("self", "context", "app_context")]
        frame = frame.f_back
    return found


def _is_in_generator(frame: FrameType | None) -> bool:
    """Return whether the block that ends is in a generator or a coroutine.

    If so, other work may have begun while it waited, and the block may have begun in another thread.

    :param frame: the frame to start from. The functions of contexts, of streams and of an ``ExitStack`` are skipped.
    """
    skipped = (__name__, "schlenk.ctx", "schlenk.streams", "contextlib")
    flags = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR
    while frame is not None and not frame.f_code.co_flags & flags and frame.f_globals.get("__name__") in skipped:
        frame = frame.f_back
    return frame is not None and bool(frame.f_code.co_flags & flags)


def _put_back(context: Any) -> list[Any]:
    """Put the missing entries of ``context`` back onto their stacks, so that it can be ended there; return them."""
    missing = []
    for stack, entry in _entries(context):
        if any(contains(entries, entry) for entries in stack.snapshot().values()):
            continue
        missing.append(entry)
        if getattr(entry, "_refcnt", True):
            stack.push(entry)
        else:
            # An application context that was popped too early. It must not be popped again.
            context._implicit_app_ctx_stack[-1] = None
            (getattr(context, "unstacked", None) or {}).pop(len(context._implicit_app_ctx_stack) - 1, None)
    return missing


def move_to_top(stack: LocalStack[Any], entry: object) -> None:
    """Move an entry to the top, from wherever it is."""
    if stack.top is not entry:
        stack.withdraw(entry)
        stack.push(entry)


def _entries(context: Any) -> Iterator[tuple[LocalStack[Any], Any]]:
    """Yield the stacks that ``context`` was pushed onto, each with the entry that was pushed."""
    if not hasattr(context, "request"):
        yield _app_ctx_stack, context
        return
    app_contexts = pushed_with(context)
    if app_contexts:
        yield _request_ctx_stack, context
        if app_contexts[-1] is not None:
            yield _app_ctx_stack, app_contexts[-1]


def pushed_with(context: object) -> list[Any]:
    """Return the application contexts that were pushed with a request context, one or ``None`` for each push."""
    app_contexts = getattr(context, "_implicit_app_ctx_stack", None)
    return app_contexts if isinstance(app_contexts, list) else []


def pushes_and_entries(context: object) -> tuple[list[Any], list[Any]]:
    """Return copies of the context's list of pushes and of the request stack.

    Counting takes longer than copying, and the counts are needed only after an interruption.
    """
    return pushed_with(context).copy(), _request_ctx_stack.entries().copy()


class Streams(list["Stream"]):
    """The type of ``RequestContext.streams``, which another context class may have for a list of something else."""


def streams_of(context: object) -> list[Stream]:
    """Return the streams that have pushed a context and have not ended."""
    streams = getattr(context, "streams", None)
    return streams if type(streams) is Streams else []


def _is_held(context: object, changing: list[Any]) -> bool:
    """Return whether a block, a stream or a served request will pop the context, or is pushing or popping it now."""
    # A context of another class may lack the attribute, and a mock returns a mock for each attribute.
    blocks = getattr(context, "blocks", 0)
    return (isinstance(blocks, int) and blocks > 0) or contains(changing, context)


def is_waiting(context: object) -> bool:
    """Return whether only streams hold the request context, and none of them is running."""
    streams = streams_of(context)
    return bool(streams) and len(streams) == len(pushed_with(context)) and all(stream.waiting for stream in streams)


# These are loops, because a comprehension or `map()` would take 0.3 µs more for the usual one or two entries. They do
# not use the methods of the list, because a context may define an equality of its own.


def position_of(entries: list[Any], entry: object) -> int | None:
    """Return the position of the topmost entry that is ``entry``."""
    for position in range(len(entries) - 1, -1, -1):
        if entries[position] is entry:
            return position
    return None


def count(entries: list[Any], entry: object) -> int:
    """Return how often ``entry`` is in the list."""
    found = 0
    for each in entries:
        if each is entry:
            found += 1
    return found


def contains(entries: list[Any], entry: object) -> bool:
    """Return whether ``entry`` is in the list."""
    for each in entries:  # noqa: SIM110 - any() needs a generator
        if each is entry:
            return True
    return False
