"""The two contexts: what belongs to an application while it is at work, and what belongs to a request.

A context is pushed onto its stack when the work begins and popped when it ends; what the globals stand for is what the
contexts on top hold. Whoever pops has to pop what is on top: anything else is refused, and nothing has changed then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import update_wrapper
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, TypeVar, cast

from werkzeug.exceptions import HTTPException

from .globals import _app_ctx_stack, _request_ctx_stack
from .signals import appcontext_popped, appcontext_pushed
from .storage import get_thread_ident

if TYPE_CHECKING:
    from types import TracebackType

    from werkzeug.routing import MapAdapter

    from .app import Flask
    from .local import LocalStack
    from .sessions import SessionMixin
    from .wrappers import Request, Response

AfterRequest = Callable[["Response"], "Response"]
F = TypeVar("F", bound=Callable[..., Any])

# Stands for "the exception being handled right now", which None can't: that is "no exception".
_sentinel: Any = object()


class _AppCtxGlobals:
    """A plain namespace: what ``g`` stands for, new with each application context.

    >>> from schlenk import Flask, g
    >>> with Flask(__name__).app_context():
    ...     g.user = "ada"
    ...     "user" in g, g.get("age"), g.setdefault("age", 36), sorted(g), g.pop("age")
    (True, None, 36, ['age', 'user'], 36)

    As in Flask 1.1.
    """

    # Any name may be set and read: without these two no type checker would let it.
    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...
        def __delattr__(self, name: str) -> None: ...

    def get(self, name: str, default: Any = None) -> Any:
        """Return the attribute ``name``, or ``default`` where there is none."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: Any = _sentinel) -> Any:
        """Take the attribute ``name`` away and return it, or ``default`` where there is none.

        :raises KeyError: there is none, and no ``default`` is given.
        """
        return self.__dict__.pop(name) if default is _sentinel else self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return the attribute ``name``; where there is none, set it to ``default`` first."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        top = _app_ctx_stack.top
        return object.__repr__(self) if top is None else f"<flask.g of {top.app.name!r}>"


def after_this_request(f: AfterRequest) -> AfterRequest:
    """Have ``f`` called with the response to the current request; what it returns is the response from then on.

    Runs before the functions of :meth:`~schlenk.Flask.after_request`, and for this request only.

    :raises AttributeError: there is no request context.

    >>> from schlenk import Flask
    >>> app = Flask(__name__)
    >>> @app.route("/")
    ... def index():
    ...     @after_this_request
    ...     def add_header(response):
    ...         response.headers["X-Seen"] = "yes"
    ...         return response
    ...     return "hello"
    >>> app.test_client().get("/").headers["X-Seen"]
    'yes'

    As in Flask 1.1.
    """
    top = _request_ctx_stack.top
    if top is None:
        raise AttributeError(
            f"{f!r} can't be called after this request, because there is none: working outside of request context. "
            "after_this_request() is for views and for hooks that run during a request."
        )
    top._after_request_functions.append(f)
    return f


def copy_current_request_context(f: F) -> F:
    """Return a function that does what ``f`` does, wherever it runs, in the context of the request at hand now.

    For work that is handed to a greenlet or thread. The context is a copy, with the same request and the same session;
    calls at the same time have a copy each. ``g`` is new where the caller has no application context.

    :raises RuntimeError: there is no request context.

    >>> import threading
    >>> from schlenk import Flask, request
    >>> with Flask(__name__).test_request_context("/page"):
    ...     worker = threading.Thread(target=copy_current_request_context(lambda: print(request.path)))
    ...     worker.start(); worker.join()
    /page

    As in Flask 1.1, where calls at the same time shared one context, and popped each other's.
    """
    top = _request_ctx_stack.top
    if top is None:
        raise RuntimeError(
            "The request context can't be copied, because there is none: working outside of request context. "
            "Call copy_current_request_context() in a view, or in a `with app.test_request_context():` block."
        )
    copied = top.copy()
    free = [copied]

    def in_context(*args: Any, **kwargs: Any) -> Any:
        try:
            context = free.pop()
        except IndexError:
            context = copied.copy()
        if context._implicit_app_ctx_stack and context not in _request_ctx_stack.entries():
            # Preserved, after a call that failed, on the stack of another greenlet or thread.
            free.append(context)
            context = copied.copy()
        try:
            with context:
                return f(*args, **kwargs)
        finally:
            if context is copied:
                free.append(copied)

    return cast(F, update_wrapper(in_context, f))


def has_request_context() -> bool:
    """Return whether there is a request context, so that ``request`` and ``session`` can be used.

    >>> has_request_context()
    False

    As in Flask 1.1.
    """
    return _request_ctx_stack.top is not None


def has_app_context() -> bool:
    """Return whether there is an application context, so that ``current_app`` and ``g`` can be used.

    >>> has_app_context()
    False

    As in Flask 1.1.
    """
    return _app_ctx_stack.top is not None


class AppContext:
    """What belongs to an application while it is at work: ``app``, ``g``, and ``url_adapter``, which builds its URLs.

    Made by :meth:`~schlenk.Flask.app_context`; pushed by itself with a request, and by hand in a script:

    >>> from schlenk import Flask, current_app
    >>> with Flask("script").app_context():
    ...     current_app.name
    'script'

    It may be pushed more than once; the functions of ``teardown_appcontext`` run when it is popped for the last time.
    As in Flask 1.1.
    """

    # Which thread pushed it, and when; for whoever asks what is in flight.
    _thread = 0
    _since: float | None = None

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.url_adapter = app.create_url_adapter(None)
        self.g = app.app_ctx_globals_class()
        self._refcnt = 0

    def push(self) -> None:
        """Put the context on top of the stack.

        If a receiver of ``appcontext_pushed`` fails, its error is raised and the context is not on the stack.
        """
        if not self._refcnt:
            self._thread = get_thread_ident()
            self._since = monotonic()
        self._refcnt += 1
        _app_ctx_stack.push(self)
        try:
            if appcontext_pushed.receivers:
                appcontext_pushed.send(self.app)
        except BaseException:
            self._refcnt -= 1
            _take_off(_app_ctx_stack, self)
            raise

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Take the context off the stack, and run the functions of ``teardown_appcontext`` if this was the last time.

        :param exc: the error that ended the work, which those functions are called with; default: the one being
            handled, if any.
        :raises AssertionError: the context isn't on top; nothing has changed then.
        """
        if _app_ctx_stack.top is not self:
            raise _wrong_pop(_app_ctx_stack, self)
        try:
            self._refcnt -= 1
            if self._refcnt <= 0:
                self.app.do_teardown_appcontext(sys.exc_info()[1] if exc is _sentinel else exc)
        finally:
            # Most often it is on top, and _take_off would say so 60 ns later.
            left = [] if _app_ctx_stack.discard(self) else _take_off(_app_ctx_stack, self)
        if left:
            raise _disorder(self, left, [])
        if appcontext_popped.receivers:
            appcontext_popped.send(self.app)

    def __enter__(self) -> AppContext:
        self.push()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        pushed = self._refcnt
        try:
            self.pop(exc_value)
        except AssertionError:
            if not 0 < pushed == self._refcnt:
                raise
            # Refused. But nobody else would pop later what this block has pushed.
            gone = _put_back(_app_ctx_stack, self)
            left = _app_ctx_stack.uncover(self)
            if _app_ctx_stack.top is not self:
                # It is on the stack of another greenlet or thread.
                raise
            self.pop(exc_value)
            # An error that is on its way is what a person needs to see; but it may come of what is gone.
            if gone or exc_value is None:
                raise _disorder(self, left, gone) from exc_value


class RequestContext:
    """What belongs to one request: ``request``, ``session``, ``url_adapter``, ``flashes``, and its ``app``.

    Made by :meth:`~schlenk.Flask.request_context` and :meth:`~schlenk.Flask.test_request_context`.

    :param app: the application that answers.
    :param environ: what the server says of the request.
    :param request: a request to use, instead of one made of ``environ``.
    :param session: a session to use, instead of the one that belongs to the request.

    Where its application isn't the current one when it is pushed, an application context is pushed with it, and popped
    with it. It may be pushed more than once; the functions of ``teardown_request`` run when it is popped for the last
    time.

    ``preserved`` tells that it was left on the stack after its work was done, for a test or a debugger to look at. It
    goes when the next request context is pushed there; so no more than one is ever kept. As in Flask 1.1.
    """

    _since: float | None = None
    _preserved_exc: BaseException | None = None
    _pushed = False
    _streams = 0

    def __init__(
        self,
        app: Flask,
        environ: dict[str, Any],
        request: Request | None = None,
        session: SessionMixin | None = None,
    ) -> None:
        self.app = app
        self.request = app.request_class(environ) if request is None else request
        self.url_adapter: MapAdapter | None = None
        try:
            self.url_adapter = app.create_url_adapter(self.request)
        except HTTPException as error:
            self.request.routing_exception = error
        self.flashes: list[tuple[str, str]] | None = None
        self.session: SessionMixin = session  # type: ignore[assignment]
        self.preserved = False
        self._after_request_functions: list[AfterRequest] = []
        # One entry for each time it was pushed: the application context that came with it, or None.
        self._implicit_app_ctx_stack: list[AppContext | None] = []

    @property
    def g(self) -> _AppCtxGlobals:
        """``g`` of the current application context, which may be set as a whole.

        :raises AttributeError: there is none.
        """
        return cast(_AppCtxGlobals, self._current_app_context().g)

    @g.setter
    def g(self, value: _AppCtxGlobals) -> None:
        self._current_app_context().g = value

    def _current_app_context(self) -> AppContext:
        top = _app_ctx_stack.top
        if top is None:
            raise AttributeError(f"{self!r} has no g, because no application context is there: push the context first.")
        return top

    def copy(self) -> RequestContext:
        """Return a new context of the same application with the same request and the same session.

        It can be pushed in another greenlet or thread; one and the same context must not be in two.

        >>> from schlenk import Flask, request
        >>> with Flask(__name__).test_request_context("/page") as context:
        ...     copied = context.copy()
        >>> with copied:
        ...     request.path
        '/page'
        """
        return type(self)(self.app, self.request.environ, request=self.request, session=self.session)

    def match_request(self) -> None:
        """Find the rule for the URL: sets ``url_rule`` and ``view_args`` of the request, or ``routing_exception``."""
        assert self.url_adapter is not None
        try:
            self.request.url_rule, self.request.view_args = self.url_adapter.match(return_rule=True)  # type: ignore[assignment]
        except HTTPException as error:
            self.request.routing_exception = error

    def push(self) -> None:
        """Put the context on top of the stack, open its session, and match its URL.

        A preserved context that is on top goes first. An error of the session's, or of a URL converter, is raised, and
        the context is on the stack: :meth:`pop` it, which a ``with`` statement does.
        """
        requests = _request_ctx_stack.entries()
        below = requests[-1] if requests else None
        if below is not None and below.preserved:
            below._make_way()

        app_context: AppContext | None = None
        apps = _app_ctx_stack.entries()
        current = apps[-1] if apps else None
        if current is None or current.app is not self.app:
            app_context = self.app.app_context()
            app_context.push()
        if not self._implicit_app_ctx_stack:
            # An application context of one's own need not know of these things.
            self._since = getattr(app_context, "_since", None) or monotonic()
        self._implicit_app_ctx_stack.append(app_context)
        _request_ctx_stack.push(self)
        self._pushed = True

        if self.session is None:
            interface = self.app.session_interface
            session = interface.open_session(self.app, self.request)
            self.session = interface.make_null_session(self.app) if session is None else session
        # Only now, so that a URL converter can use the session.
        if self.url_adapter is not None:
            self.match_request()

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Take the context off the stack, and the application context that came with it.

        If this was the last time, the functions of ``teardown_request`` run first and the request is closed.

        :param exc: the error that ended the work, which those functions are called with; default: the one being
            handled, if any.
        :raises IndexError: the context was never pushed, or was popped as often as it was pushed.
        :raises AssertionError: the context isn't on top; in either case nothing has changed.
        """
        if not self._implicit_app_ctx_stack:
            raise IndexError(f"{self!r} can't be popped, as it is not pushed: use it in a `with` statement.")
        if not self._on_top():
            if _request_ctx_stack.top is not self:
                raise _wrong_pop(_request_ctx_stack, self)
            raise _wrong_pop(_app_ctx_stack, self._implicit_app_ctx_stack[-1])
        self._pop(exc)

    def _pop(self, exc: BaseException | None) -> None:
        """Do what :meth:`pop` does, where that is known to be right."""
        app_context = self._implicit_app_ctx_stack.pop()
        try:
            if not self._implicit_app_ctx_stack:
                self.preserved, self._preserved_exc = False, None
                exc = sys.exc_info()[1] if exc is _sentinel else exc
                self.app.do_teardown_request(exc)
                # A request class of one's own need not have it.
                end_of_request = getattr(self.request, "close", None)
                if callable(end_of_request):
                    end_of_request()
        finally:
            left = _take_off(_request_ctx_stack, self)
            if not self._implicit_app_ctx_stack:
                # The request refers to the environ; without this, they would keep each other alive.
                self.request.environ["werkzeug.request"] = None
            gone = []
            if app_context is not None:
                if _app_ctx_stack.top is not app_context:
                    gone = _put_back(_app_ctx_stack, app_context) if getattr(app_context, "_refcnt", True) else []
                    left += _app_ctx_stack.uncover(app_context)
                app_context.pop(exc)
        if left or gone:
            raise _disorder(self, left, gone)

    def auto_pop(self, exc: BaseException | None) -> None:
        """End the work that the context was pushed for: pop it, or preserve it, which leaves it there and marks it.

        It is preserved for a test client in a ``with`` block, and after the error ``exc`` if
        ``app.preserve_context_on_exception``.

        A context above it that a stream keeps, of another request on this greenlet or thread, stays.

        :raises AssertionError: contexts were pushed in the meantime and not popped. They are off the stacks then, so
            that no other request meets them; their teardown functions have not run.
        """
        if self.request.environ.get("flask._preserve_context") or (
            exc is not None and self.app.preserve_context_on_exception
        ):
            above = _request_ctx_stack.top
            if above is self or (above is not None and above.preserved):
                # Both stay until the next push, or the end of the client's block, which takes them one by one.
                self._preserve(exc)
            else:
                self._end_under_others(self._preserve, exc)
            return
        if not self._on_top():
            self._end_under_others(self.pop, exc)
        elif getattr(self.pop, "__func__", None) is RequestContext.pop:
            # It would ask the same again (0.5 µs).
            self._pop(exc)
        else:
            self.pop(exc)

    def _on_top(self) -> bool:
        """Whether the context is pushed and on top, as is the application context that came with it."""
        if not self._implicit_app_ctx_stack or _request_ctx_stack.top is not self:
            return False
        app_context = self._implicit_app_ctx_stack[-1]
        return app_context is None or _app_ctx_stack.top is app_context

    def _make_way(self) -> None:
        """End a preserved context. An application context above its own may be in use: it stays."""
        self._restore()
        app_context = self._implicit_app_ctx_stack[-1]
        others = [] if app_context is None else _app_ctx_stack.uncover(app_context)
        try:
            self.pop(self._preserved_exc)
        finally:
            for context in others:
                _app_ctx_stack.push(context)

    def _end_under_others(self, end: Callable[[BaseException | None], None], exc: BaseException | None) -> None:
        """Call ``end`` with what is above the context out of the way.

        A preserved context goes as it would at the next push, what a stream still keeps comes back afterwards, and
        what is left was forgotten.
        """
        gone = self._restore()
        if self not in _request_ctx_stack.entries():
            # Not here, and so none of the others is in its way.
            end(exc)
            return
        above = _request_ctx_stack.top
        if above is not None and above is not self and above.preserved:
            above._make_way()
        others = _request_ctx_stack.uncover(self)
        streams = [context for context in others if getattr(context, "_streams", 0)]
        own = self._implicit_app_ctx_stack[-1] if self._implicit_app_ctx_stack else None
        other_apps = [] if own is None else _app_ctx_stack.uncover(own)
        stream_apps = [app for app in other_apps if any(app in stream._implicit_app_ctx_stack for stream in streams)]
        end(exc)
        for app in stream_apps:
            _app_ctx_stack.push(app)
        for stream in streams:
            _request_ctx_stack.push(stream)
        forgotten = [context for context in others + other_apps if context not in streams + stream_apps]
        # As above: an error that is on its way may come of what is gone, and not of what was forgotten.
        if gone or (forgotten and exc is None):
            raise _disorder(self, forgotten, gone) from exc

    def _restore(self) -> list[Any]:
        """Put back onto the stacks what someone took off, so that it can be ended properly; return what was gone."""
        if not self._implicit_app_ctx_stack:
            return []
        gone = _put_back(_request_ctx_stack, self)
        app_context = self._implicit_app_ctx_stack[-1]
        if app_context is not None and getattr(app_context, "_refcnt", True):
            gone += _put_back(_app_ctx_stack, app_context)
        elif app_context is not None:
            # It has been popped as it should, but too early.
            self._implicit_app_ctx_stack[-1] = None
            gone.append(app_context)
        return gone

    def _preserve(self, exc: BaseException | None) -> None:
        self.preserved = True
        self._preserved_exc = exc

    def __enter__(self) -> RequestContext:
        try:
            self.push()
        except BaseException as error:
            # No __exit__ comes where __enter__ failed.
            if _request_ctx_stack.top is self:
                self.pop(error)
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.auto_pop(exc_value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.request.url!r} [{self.request.method}] of {self.app.name}>"


def _put_back(stack: LocalStack[Any], context: object) -> list[Any]:
    """Put ``context`` back onto the stack if it is on nobody's, and return it in that case."""
    if any(context in entries for entries in stack.snapshot().values()):
        return []
    stack.push(context)
    return [context]


def _take_off(stack: LocalStack[Any], context: object) -> list[Any]:
    """Take ``context`` off the stack, and with it what is above it, which is returned."""
    if stack.discard(context):
        return []
    above = stack.uncover(context)
    if above:
        stack.pop()
    return above


def _wrong_pop(stack: LocalStack[Any], context: object) -> AssertionError:
    on_top = "the stack is empty here" if stack.top is None else f"on top is {stack.top!r}"
    return AssertionError(
        f"Refused to pop the wrong context: {context!r} was to go, but {on_top}. Contexts are popped in the greenlet "
        "or thread that pushed them, the last one first; nothing has been popped."
    )


def _disorder(context: object, left: list[Any], gone: list[Any]) -> AssertionError:
    if gone:
        return AssertionError(
            f"{gone!r} was taken off the stack while it was in use. It has been ended all the same: pop and release "
            "only what you have pushed."
        )
    return AssertionError(
        f"While {context!r} was there, {left!r} came to be pushed and was not popped. It is gone now, without its "
        "teardown functions having run: push contexts in a `with` statement, which pops them."
    )
