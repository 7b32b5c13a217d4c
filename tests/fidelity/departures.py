"""The known differences between the two libraries, and how the comparison allows for them.

They are the deliberate departures of schlenk and the changes of Werkzeug 3. Programs *avoid* a difference, the trace
*omits* it, the reference is *patched* to do the same as schlenk, or the trace of the reference *ends*, and only the
events before are compared.

==========  ===========================================================================================================
ends        A context is popped that is not on top, or its teardown functions left another context above it. The
            reference pops the wrong context and leaks this one. If this one is preserved instead, the other is never
            removed.
ends        The session of a context that was pushed by hand cannot be opened. The context stays pushed.
patched     A stream holds the context of a request that has ended. Contexts in use are above it.
ends        Such a stream continues while it is not on top, and moves its contexts to the top. Or a request begins while
            the application context of such a stream is on top, and does not share it.
ends        The end of a request fails in an override, before its context is popped. The reference leaves the context on
            the stack, and schlenk removes it.
patched     A request's context cannot be pushed because the preserved context before it cannot be torn down. That error
            is raised. The reference handled it without a context, which failed with another error.
patched     An application context whose push failed is not on the stack. The reference left it there.
omitted     ``Vary: Cookie`` is also sent for empty sessions and refreshed cookies. It is compared only if Flask 1.1.4
            decided by access alone (``Run.saved``).
omitted     A session's cookie is deleted with its attributes ``Secure`` and ``SameSite`` (``Run.headers``).
omitted     ``get_flashed_messages`` and ``session.pop`` count as access even if they find nothing. The session is read
            before them (``act_flashes``, ``act_session``).
avoided     ``in``, ``len`` and iteration of a session count as access. No action uses them.
avoided     A ``before_first_request`` function that makes a request to its own application causes a deadlock in the
            reference (``Run.entered``).
avoided     In the reference, threads that exit with pushed contexts leave values in the storage. The contexts are
            popped before (``Run.pop_leftovers``).
avoided     In the reference, a trapped ``BadRequestKeyError`` without a key fails with an ``IndexError``
            (``act_fail``).
omitted     Werkzeug 3: ``Location`` is relative, error pages have other words, a cookie's ``Domain`` has no leading
            dot, and the client adds no ``Content-Type`` (``Run.headers``, ``Run.text``, ``act_request``).
avoided     Werkzeug 3: A path that lacks the trailing slash of its rule gives 404 instead of 405 for a method that is
            not allowed. Such paths are only requested with allowed methods (``Run.method``, ``Run.view``).
avoided     Werkzeug 3: The client sends no cookies to another host, so each such request has a client of its own. It
            sends none outside of their path, so redirects are not followed if ``APPLICATION_ROOT`` is set. It closes
            the body of a request after the response, so ``act_read`` no longer reads it. ``request.values`` has no form
            in a GET request.
==========  ===========================================================================================================
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.fidelity.side import Side

if TYPE_CHECKING:
    from tests.fidelity.interpreter import Run

DEPARTED = "the reference loses a context"


class Unpushed(BaseException):
    """Carries the error of a failed push past the error handling of the reference."""


def agree(theirs: list[Any], ours: list[Any]) -> bool:
    """Return whether two traces are equal, up to the event where the reference's trace ends."""
    if theirs[-1:] == [[DEPARTED]]:
        return ours[: len(theirs) - 1] == theirs[:-1]
    return ours == theirs


@contextlib.contextmanager
def patched(side: Side, run: Run) -> Iterator[None]:
    """Patch the reference for one run, so that it does the same as schlenk or ends its trace."""
    if side.name != "flask":
        yield
        return
    requests, apps = run.stacks

    def streamed(context: Any) -> bool:
        """Return whether only streams hold this context."""
        streams = sum(held is context for held in run.held)
        return bool(streams) and streams == len(context._implicit_app_ctx_stack)

    def wrong(context: Any) -> bool:
        """Return whether popping this context would pop another one."""
        implicit = getattr(context, "_implicit_app_ctx_stack", [None])
        stack = requests if hasattr(context, "request") else apps
        return bool(implicit) and (stack.top is not context or implicit[-1] not in (None, apps.top))

    def finds_stream(context: Any) -> bool:
        """Return whether this context, when it is pushed, would share the application context of a stream."""
        contexts, used = ([*getattr(stack._local, "stack", ())] for stack in run.stacks)
        if contexts and contexts[-1].preserved and not wrong(contexts[-1]):
            # The push pops it first.
            preserved = contexts.pop()
            if preserved._implicit_app_ctx_stack[-1] is not None:
                used.pop()
        if not contexts or not used:
            return False
        top, shared = contexts[-1], used[-1]
        return (
            sum(held is top for held in run.held) == contexts.count(top)
            and shared in top._implicit_app_ctx_stack
            and shared.app is context.app
        )

    def settle(context: Any) -> None:
        """Move the contexts that streams hold below those in use."""
        idle = [entry for entry in requests._local.stack if streamed(entry) or entry.preserved]
        idle += [brought for entry in idle for brought in entry._implicit_app_ctx_stack]
        own = [brought for brought in context._implicit_app_ctx_stack if brought is not None]
        for stack, first in [(requests, context), *((apps, brought) for brought in own[:1])]:
            entries = stack._local.stack
            start = entries.index(first)
            used = next((place for place in range(start) if entries[place] not in idle), start)
            entries[used:] = entries[start:] + entries[used:start]

    def push_application(context: Any, push: Any) -> None:
        try:
            push(context)
        except BaseException:
            if apps.top is not context:
                # A failed receiver has left other contexts above it, which the next lines would pop instead.
                run.depart()
            context._refcnt -= 1
            apps.pop()
            raise

    def push_request(context: Any, push: Any) -> None:
        if finds_stream(context):
            run.depart()
        if getattr(requests.top, "preserved", False) and wrong(requests.top):
            run.depart()
        try:
            push(context)
        except BaseException as error:
            if not pushed_by_server():
                if context in getattr(requests._local, "stack", ()):
                    run.depart()
                raise
            if context._implicit_app_ctx_stack:
                raise
            if isinstance(error, Exception):
                try:
                    side.signals.got_request_exception.send(context.app, exception=error)
                except BaseException as another:
                    error = another
            run.muted = True
            raise Unpushed(error) from None

    def pop(context: Any, pop: Any, *exc: Any) -> None:
        if wrong(context):
            run.depart()
        pop(context, *exc)
        if streamed(context) and requests.top is context and not context.preserved:
            settle(context)

    def auto_pop(context: Any, auto_pop: Any, error: Any) -> None:
        kept = context.request.environ.get("flask._preserve_context") or (
            error is not None and context.app.preserve_context_on_exception
        )
        if wrong(context) and (streamed(context) or not (kept and getattr(requests.top, "preserved", False))):
            run.depart()
        if not run.muted:
            auto_pop(context, error)

    def wsgi_app(app: Any, wsgi_app: Any, *arguments: Any) -> Any:
        before = list(getattr(requests._local, "stack", ()))
        try:
            return wsgi_app(app, *arguments)
        except Unpushed as unpushed:
            run.muted = False
            raise unpushed.args[0] from None
        except BaseException:
            left = [context for context in getattr(requests._local, "stack", ()) if context not in before]
            if any(not context.preserved and not streamed(context) for context in left):
                run.depart()
            raise

    def tear_down(stack: Any, app: Any, tear_down: Any, *exc: Any) -> None:
        top = stack.top
        try:
            tear_down(app, *exc)
        finally:
            if stack.top is not top:
                run.depart()

    with contextlib.ExitStack() as patches:

        def patch(kind: Any, name: str, new: Any) -> None:
            old = getattr(kind, name)
            patches.callback(setattr, kind, name, old)
            setattr(kind, name, lambda self, *arguments: new(self, old, *arguments))

        patch(side.ctx.AppContext, "push", push_application)
        patch(side.ctx.AppContext, "pop", pop)
        patch(side.ctx.RequestContext, "push", push_request)
        patch(side.ctx.RequestContext, "pop", pop)
        patch(side.ctx.RequestContext, "auto_pop", auto_pop)
        patch(side.flask.Flask, "wsgi_app", wsgi_app)
        patch(side.flask.Flask, "do_teardown_request", lambda *given: tear_down(requests, *given))
        patch(side.flask.Flask, "do_teardown_appcontext", lambda *given: tear_down(apps, *given))
        yield


def pushed_by_server() -> bool:
    """Return whether ``wsgi_app`` pushes a context, and not the program itself."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_name in ("<lambda>", "call"):  # a patch, an override
        frame = frame.f_back
    return frame.f_code.co_name == "wsgi_app"
