"""Where the two may differ, and what is done about it so that nothing else does.

Deliberate departures of schlenk, and what Werkzeug 3 changed below it. Each is avoided by the programs, levelled out
where it shows, or modelled: then the reference is made to do what we do, or its trace ends there, and only what came
before is compared.

==========  ===========================================================================================================
ended       A context that isn't on top is popped, or its teardown functions left another above it: the reference pops
            the wrong one and leaks this one; or it is preserved below one that isn't, which then stays for good. A
            context pushed by hand whose session can't be opened: it stays pushed.
modelled    A stream holds the context of a request that has ended: contexts in use are above it.
ended       Such a stream goes on, and is not on top: it brings its contexts to the top. Or a request begins while its
            application context is on top: it does not share that.
ended       The end of a request fails before its context is popped, in an override: it stays there, and is removed
            here.
modelled    If the context of a request can't be pushed, because the preserved one before it can't be torn down, that
            error is raised. The reference handled it without a context, which failed with another error.
modelled    An application context whose push fails is not on the stack. The reference left it there.
levelled    ``Vary: Cookie`` also for empty sessions and refreshed cookies: compared only where Flask 1.1.4 went by
            access alone (``Run.saved``).
levelled    A session's cookie is taken away with the ``Secure`` and ``SameSite`` it was set with (``Run.headers``).
levelled    ``get_flashed_messages`` and ``session.pop`` count as access even if they find nothing: the session is read
            first (``act_flashes``, ``act_session``).
avoided     ``in``, ``len`` and iteration of a session count as access: no action uses them.
avoided     A ``before_first_request`` function that makes a request to its own application deadlocked
            (``Run.entered``).
avoided     Threads that end with contexts still pushed keep storage: these are popped before (``Run.pop_leftovers``).
avoided     A ``BadRequestKeyError`` made without a key, where trapped, failed with an ``IndexError`` (``act_fail``).
levelled    Werkzeug 3: ``Location`` is relative, error pages have other words, a cookie's ``Domain`` has no leading
            dot, its client adds no ``Content-Type`` where there is none (``Run.headers``, ``Run.text``,
            ``act_request``).
levelled    Werkzeug 3: without the slash its rule ends in, a path asked with a method that isn't allowed gives 404, not
            405: such paths are only asked with methods that are (``Run.method``, ``Run.view``).
avoided     Werkzeug 3: its client sends no cookies to another host (each such request has a client of its own), nor
            outside their path (no redirect is followed where ``APPLICATION_ROOT`` sets one); it closes the body of a
            request that is answered (``act_read`` reads no more then); ``request.values`` has no form in a GET.
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
    """Carries the error of a failed push past what the reference would do about it."""


def agree(theirs: list[Any], ours: list[Any]) -> bool:
    """Whether two traces say the same, as far as the reference can be followed."""
    if theirs[-1:] == [[DEPARTED]]:
        return ours[: len(theirs) - 1] == theirs[:-1]
    return ours == theirs


@contextlib.contextmanager
def modelled(side: Side, run: Run) -> Iterator[None]:
    """Make the reference do what is modelled, and end its trace where nothing could follow it, for one run."""
    if side.name != "flask":
        yield
        return
    requests, apps = run.stacks

    def streamed(context: Any) -> bool:
        """Whether streams alone hold this context."""
        streams = sum(held is context for held in run.held)
        return bool(streams) and streams == len(context._implicit_app_ctx_stack)

    def wrong(context: Any) -> bool:
        """Whether popping this context would pop another."""
        implicit = getattr(context, "_implicit_app_ctx_stack", [None])
        stack = requests if hasattr(context, "request") else apps
        return bool(implicit) and (stack.top is not context or implicit[-1] not in (None, apps.top))

    def settle(context: Any) -> None:
        """Move what a stream holds below what is in use."""
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
                # A receiver that failed has left others above it, which the next line would take off in its place.
                run.depart()
            context._refcnt -= 1
            apps.pop()
            raise

    def push_request(context: Any, push: Any) -> None:
        top = requests.top
        if (
            top is not None
            and streamed(top)
            and apps.top is not None
            and apps.top in top._implicit_app_ctx_stack
            and apps.top.app is context.app
        ):
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
    """Whether it is ``wsgi_app`` that is pushing a context, and not a program by hand."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_name in ("<lambda>", "call"):  # a patch, an override
        frame = frame.f_back
    return frame.f_code.co_name == "wsgi_app"
