"""The application context and the request context.

A context is pushed onto its stack when its work begins and popped when the work ends; the globals read the context on
top. Only the context on top can be popped: anything else raises an error before any state changes.
:mod:`schlenk.recovery` ends contexts whose work ends out of order, and :mod:`schlenk.streams` moves those of streams.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import update_wrapper
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, TypeVar, cast

from werkzeug.exceptions import HTTPException

from . import globals as own_globals
from . import recovery, streams
from .local import LocalProxy
from .routing import match_later_rules
from .signals import appcontext_popped, appcontext_pushed
from .storage import get_thread_ident

if TYPE_CHECKING:
    from types import TracebackType

    from werkzeug.routing import MapAdapter

    from .app import Flask
    from .sessions import SessionMixin
    from .streams import Stream
    from .wrappers import Request, Response

# Assigned, not imported: Python 3.11 and later compile a method call on an imported name as if the name were a module,
# and the call is slower.
_app_ctx_stack, _request_ctx_stack = own_globals._app_ctx_stack, own_globals._request_ctx_stack

AfterRequest = Callable[["Response"], "Response"]
F = TypeVar("F", bound=Callable[..., Any])

# The default of parameters for which None is a value. Without `exc`, the exception being handled is used; None means
# that there is none. The name is that of Flask 1.1.
_sentinel: Any = object()


class _AppCtxGlobals:
    """A plain namespace, used for ``g``. Each application context has a new one.

    >>> from schlenk import Flask, g
    >>> with Flask(__name__).app_context():
    ...     g.user = "ada"
    ...     "user" in g, g.get("age"), g.setdefault("age", 36), sorted(g), g.pop("age")
    (True, None, 36, ['age', 'user'], 36)

    As in Flask 1.1.
    """

    # Without these methods, type checkers would reject each name that is read, set or deleted.
    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...
        def __delattr__(self, name: str) -> None: ...

    def get(self, name: str, default: Any = None) -> Any:
        """Return the attribute ``name``, or ``default`` if it is not set."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: Any = _sentinel) -> Any:
        """Remove the attribute ``name`` and return it, or return ``default`` if it is not set.

        :raises KeyError: the attribute is not set and no ``default`` is given.
        """
        return self.__dict__.pop(name) if default is _sentinel else self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return the attribute ``name``, after setting it to ``default`` if it is not set."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        top = _app_ctx_stack.top
        return object.__repr__(self) if top is None else f"<flask.g of {top.app.name!r}>"


def _is_same(app: Flask, other: Flask) -> bool:
    """Return whether two applications are the same; ``other`` may be a proxy, such as ``current_app``."""
    return app is other or (isinstance(other, LocalProxy) and app is other._get_current_object())


def after_this_request(f: AfterRequest) -> AfterRequest:
    """Register a function to run after the current request, before those of :meth:`~schlenk.Flask.after_request`.

    :param f: called with the response; it returns the response to use from then on.
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
            f"Cannot register {f!r} to run after this request: working outside of request context. "
            "Call after_this_request() in a view, or in a function that runs during a request."
        )
    top._after_request_functions.append(f)
    return f


def copy_current_request_context(f: F) -> F:
    """Wrap ``f`` so that it runs in a copy of the current request context, in any thread or greenlet.

    The copy has the same request and the same session. Calls that run at the same time use different copies; a call
    inside another one, in the same thread or greenlet, uses the copy of the outer call. If the thread or greenlet has
    no application context, ``g`` is new and empty: pass on what the function needs as arguments.

    :raises RuntimeError: there is no request context.

    >>> import threading
    >>> from schlenk import Flask, request
    >>> with Flask(__name__).test_request_context("/page"):
    ...     worker = threading.Thread(target=copy_current_request_context(lambda: print(request.path)))
    ...     worker.start(); worker.join()
    /page

    As in Flask 1.1, except that simultaneous calls shared one context there, so one call could pop what another pushed.
    """
    top = _request_ctx_stack.top
    if top is None:
        raise RuntimeError(
            "Cannot copy the request context: working outside of request context. Call copy_current_request_context() "
            "in a view, or in a `with app.test_request_context():` block."
        )
    copies = _Copies(top)

    def in_context(*args: Any, **kwargs: Any) -> Any:
        outer = copies.of_outer_call()
        if outer is not None:
            with outer:
                return f(*args, **kwargs)
        context = copies.take()
        try:
            with context:
                return f(*args, **kwargs)
        finally:
            copies.give_back(context)

    return cast(F, update_wrapper(in_context, f))


class _Copies:
    """The copies of a request context in which the calls of a function run, one for each call that is running."""

    def __init__(self, context: RequestContext) -> None:
        # Made now, because the request may have ended when the function is called.
        self.first = context.copy()
        # Holds `first` while no call uses it. A list, because its pop() cannot be interrupted by another thread.
        self.free = [self.first]
        # By id, because contexts may be equal. Other threads may change the dictionary at any moment, so its values are
        # copied before they are iterated.
        self.used: dict[int, RequestContext] = {}

    def of_outer_call(self) -> RequestContext | None:
        """Return the copy of the call that runs in this greenlet or thread, or ``None``."""
        return next((copy for copy in list(self.used.values()) if recovery.is_pushed(copy)), None)

    def take(self) -> RequestContext:
        """Return a copy that no running call uses."""
        try:
            # Not `if self.free`: another thread could take the copy between the check and pop().
            copy = self.free.pop()
        except IndexError:
            copy = self.first.copy()
        # A context of another class may lack the attribute.
        if getattr(copy, "_implicit_app_ctx_stack", None) and not recovery.is_pushed(copy):
            # An earlier call failed, and left it preserved on the stack of another greenlet or thread.
            self.free.append(copy)
            copy = self.first.copy()
        self.used[id(copy)] = copy
        return copy

    def give_back(self, copy: RequestContext) -> None:
        del self.used[id(copy)]
        if copy is self.first:
            self.free.append(copy)


def store_responder(context: RequestContext | None, kind: str, function: Callable[..., Any]) -> None:
    """Store the hook or error handler that returned last, because errors about its return value name it."""
    try:  # noqa: SIM105 - suppress() takes 0.5 µs
        context.responder = kind, function  # type: ignore[union-attr]
    except AttributeError:
        # A context of another class may have slots and no such attribute, and a hook may have popped the context.
        pass


def has_request_context() -> bool:
    """Return whether there is a request context, so that ``request`` and ``session`` can be used.

    >>> has_request_context()
    False
    """
    return _request_ctx_stack.top is not None


def has_app_context() -> bool:
    """Return whether there is an application context, so that ``current_app`` and ``g`` can be used.

    >>> has_app_context()
    False
    """
    return _app_ctx_stack.top is not None


class AppContext:
    """The context of an application: ``app``, ``g``, and ``url_adapter``, which builds the application's URLs.

    Created by :meth:`~schlenk.Flask.app_context`. A request pushes one automatically; a script does it in a ``with``
    statement:

    >>> from schlenk import Flask, current_app
    >>> with Flask("script").app_context():
    ...     current_app.name
    'script'

    It can be pushed more than once. The functions of ``teardown_appcontext`` run when it is popped for the last time.

    As in Flask 1.1. ``pushed_at`` (seconds of :func:`time.monotonic`) and ``pushed_by`` (the ident of the thread) are
    new. :mod:`schlenk.flight` derives the age of the context, and the thread of a running greenlet, from them.
    """

    pushed_at: float | None = None
    pushed_by = 0
    # The number of `with` blocks that will pop the context.
    blocks = 0
    # False if no new request may use the context: it belongs to the block of a suspended generator, or it was popped.
    shareable = True

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.url_adapter = app.create_url_adapter(None)
        self.g = app.app_ctx_globals_class()
        self._refcnt = 0

    def push(self) -> None:
        """Push the context onto the stack.

        If a receiver of ``appcontext_pushed`` raises an error, this push is undone.
        """
        if not self._refcnt:
            self.pushed_by = get_thread_ident()
            self.pushed_at = monotonic()
        pushes = self._refcnt
        try:
            self._refcnt = pushes + 1
            _app_ctx_stack.push(self)
            if appcontext_pushed.receivers:
                appcontext_pushed.send(self.app)
        except BaseException:
            self._refcnt = pushes
            if recovery.count(_app_ctx_stack.entries(), self) > pushes:
                recovery.remove(_app_ctx_stack, self)
            raise

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Pop the context, after running the functions of ``teardown_appcontext`` if it is popped for the last time.

        :param exc: the exception that ended the work, passed to those functions; default: the one being handled.
        :raises AssertionError: the context is not on top, and nothing has changed. Or it was popped, but one of those
            functions pushed a context and did not pop it.
        """
        if _app_ctx_stack.top is not self:
            raise recovery.refusal(_app_ctx_stack, self)
        try:
            self._refcnt -= 1
            if self._refcnt <= 0:
                self.app.do_teardown_appcontext(sys.exc_info()[1] if exc is _sentinel else exc)
        finally:
            leaked = [] if _app_ctx_stack.discard(self) else recovery.remove(_app_ctx_stack, self)
        if leaked:
            raise recovery.disorder(self, leaked, [])
        if appcontext_popped.receivers:
            appcontext_popped.send(self.app)

    def __enter__(self) -> AppContext:
        pushes, blocks = self._refcnt, self.blocks
        try:
            self.push()
            self.blocks += 1
            return self
        except BaseException as error:
            # __exit__ is not called if __enter__ fails. A signal handler may have raised an exception.
            self.blocks = blocks
            if _app_ctx_stack.top is self and self._refcnt > pushes:
                self.pop(error)
            raise

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.blocks -= 1
        pushes = self._refcnt
        try:
            self.pop(exc_value)
            return
        except AssertionError:
            if not recovery.was_refused(self, pushes):
                raise
        # No one else will pop the context that this block has pushed.
        recovery.end(self, self.pop, exc_value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.app.name}>"


class RequestContext:
    """The context of a request: ``request``, ``session``, ``url_adapter``, ``flashes``, and its ``app``.

    Created by :meth:`~schlenk.Flask.request_context` and :meth:`~schlenk.Flask.test_request_context`.

    :param app: the application.
    :param environ: the WSGI environment.
    :param request: the request to use instead of a new one for ``environ``.
    :param session: the session to use instead of the one that ``app`` opens for the request.

    If another application's context is on top when it is pushed, or none, or one that a suspended generator holds, an
    application context is pushed with it and popped with it. It can be pushed more than once. The functions of
    ``teardown_request`` run when it is popped for the last time.

    If ``preserved`` is true, it was left on the stack when its work ended, so that a test or a debugger can look at it.
    The next push of a request context pops it if it is on top.

    As in Flask 1.1. ``pushed_at`` (seconds of :func:`time.monotonic`) is new.
    """

    pushed_at: float | None = None
    # The number of `with` blocks, streams and served requests that will pop the context.
    blocks = 0
    # The streams that have pushed the context and have not ended.
    streams: Sequence[Stream] = ()
    _preserved_exc: BaseException | None = None
    # The application context that is being popped with this one.
    ending: AppContext | None = None
    # The results of app_context() whose push() put another object, or none, on the stack. The key is the number of
    # earlier pushes of this context.
    unstacked: dict[int, AppContext] | None = None
    # The kind and the function of the hook or error handler that returned last. Errors about its return value name it.
    responder: tuple[str, Callable[..., Any]] | None = None

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
        # For each push, the object that was put on the application stack with it, or None.
        self._implicit_app_ctx_stack: list[AppContext | None] = []

    @property
    def g(self) -> _AppCtxGlobals:
        """The ``g`` of the current application context. It can be replaced.

        :raises AttributeError: there is no application context.
        """
        return cast(_AppCtxGlobals, self._current_app_context().g)

    @g.setter
    def g(self, value: _AppCtxGlobals) -> None:
        self._current_app_context().g = value

    def _current_app_context(self) -> AppContext:
        top = _app_ctx_stack.top
        if top is None:
            raise AttributeError(f"{self!r} has no g outside of an application context. Push it first.")
        return top

    def copy(self) -> RequestContext:
        """Return a new context with the same application, request and session.

        The copy can be pushed in another greenlet or thread. One context must not be pushed in two of them.

        >>> from schlenk import Flask, request
        >>> with Flask(__name__).test_request_context("/page") as context:
        ...     copied = context.copy()
        >>> with copied:
        ...     request.path
        '/page'
        """
        return type(self)(self.app, environ=self.request.environ, request=self.request, session=self.session)

    def match_request(self) -> None:
        """Match the URL: set ``url_rule`` and ``view_args`` of the request, or its ``routing_exception``."""
        request = self.request
        adapter: Any = self.url_adapter
        try:
            request.url_rule, request.view_args = adapter.match(return_rule=True)
        except HTTPException as error:
            request.routing_exception = error
        else:
            return
        match_later_rules(request, adapter)

    def push(self) -> None:
        """Push the context onto the stack, open the session, and match the URL.

        A preserved context on top is popped first. If opening the session or a URL converter raises an error, the
        context stays on the stack. Call :meth:`pop` then; a ``with`` statement does so.
        """
        # Usually both stacks are empty. Reading `top` would raise and catch an error then (300 ns).
        requests = _request_ctx_stack.entries()
        top = requests[-1] if requests else None
        if top is not None and top.preserved:
            recovery.pop_preserved(top)

        # `stacked` is the object that app_context.push() puts on top of `current`. Usually, it is `app_context` itself,
        # but app_context() may be overridden and return a wrapper, whose push() puts another object, or none, on top.
        app_context: AppContext | None = None
        current: AppContext | None = None
        stacked: AppContext | None = None
        pushes = len(self._implicit_app_ctx_stack)
        try:
            apps = _app_ctx_stack.entries()
            current = apps[-1] if apps else None
            if current is None or not _is_same(current.app, self.app) or not streams.is_shareable(current):
                app_context = stacked = self.app.app_context()
                app_context.push()
                if type(app_context) is not AppContext:
                    stacked = self._find_pushed(app_context, current)
            if not pushes:
                # Reading the time again would take longer. A context of another class may lack the attribute.
                self.pushed_at = getattr(app_context, "pushed_at", None) or monotonic()
            self._implicit_app_ctx_stack.append(stacked)
            _request_ctx_stack.push(self)
        except BaseException:
            recovery.undo_push(self, app_context, pushes, current)
            raise

        if self.session is None:
            interface = self.app.session_interface
            session = interface.open_session(self.app, self.request)
            self.session = interface.make_null_session(self.app) if session is None else session
        # After the session was opened, so that URL converters can use it.
        if self.url_adapter is not None:
            self.match_request()

    def _find_pushed(self, app_context: AppContext, below: AppContext | None) -> AppContext | None:
        """Return the object that ``app_context.push()`` has put on top, or ``None`` if ``below`` is still on top.

        If that is not ``app_context`` itself, store ``app_context`` in ``unstacked`` for :meth:`pop`.
        """
        top = _app_ctx_stack.top
        if top is app_context:
            return app_context
        stacked = None if top is below else top
        self.unstacked = {**(self.unstacked or {}), len(self._implicit_app_ctx_stack): app_context}
        return stacked

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Pop the context, and the application context that was pushed with it.

        If it is popped for the last time, the functions of ``teardown_request`` run first, and the request is closed.

        :param exc: the exception that ended the work, passed to those functions; default: the one being handled.
        :raises IndexError: the context is not pushed, and nothing has changed.
        :raises AssertionError: the context is not on top, and nothing has changed. Or it was popped, but one of those
            functions pushed a context and did not pop it, or removed the application context.
        """
        if not self._implicit_app_ctx_stack:
            raise IndexError(f"Cannot pop {self!r}: it is not pushed. Use it in a `with` statement.")
        app_context = self._implicit_app_ctx_stack[-1]
        if _request_ctx_stack.top is not self:
            raise recovery.refusal(_request_ctx_stack, self)
        if app_context is not None and _app_ctx_stack.top is not app_context:
            raise recovery.refusal(_app_ctx_stack, app_context)

        if exc is _sentinel:
            exc = sys.exc_info()[1]
        self.ending = app_context
        self._implicit_app_ctx_stack.pop()
        pushes = len(self._implicit_app_ctx_stack)
        unstacked = self.unstacked.pop(pushes, None) if self.unstacked else None
        last = not pushes
        missing: list[Any] = []
        try:
            if last:
                self.preserved, self._preserved_exc = False, None
                self.app.do_teardown_request(exc)
                # A request class need not have the method.
                close = getattr(self.request, "close", None)
                if callable(close):
                    close()
        finally:
            leaked = [] if _request_ctx_stack.discard(self) else recovery.remove(_request_ctx_stack, self)
            if last:
                # The request refers to the environ: without this, each would keep the other alive.
                self.request.environ["werkzeug.request"] = None
            if app_context is not None and _app_ctx_stack.top is not app_context:
                missing = recovery.restore(app_context, leaked)
            if unstacked is not None:
                app_context = unstacked
            if app_context is not None:
                app_context.pop(exc)
            # Not in a `finally` block: if app_context.pop() was interrupted, abandon() needs the attribute.
            self.ending = None
        if leaked or missing:
            raise recovery.disorder(self, leaked, missing)
        if self.streams:
            streams.settle(self)

    def auto_pop(self, exc: BaseException | None) -> None:
        """End the work for which the context was pushed: pop it, or preserve it.

        It is preserved for a test client in a ``with`` block, and after an error if
        ``app.preserve_context_on_exception``.

        :param exc: the exception that ended the work, or ``None``.
        :raises AssertionError: contexts were leaked or missing; see :mod:`schlenk.recovery`, which has handled them.
        """
        if self.request.environ.get("flask._preserve_context") or (
            exc is not None and self.app.preserve_context_on_exception
        ):
            top = _request_ctx_stack.top
            if top is self or (top is not None and top.preserved):
                # If both are preserved, each later push pops the one on top.
                self._preserve(exc)
            else:
                recovery.end(self, self._preserve, exc)
            return
        pushes = len(self._implicit_app_ctx_stack)
        try:
            self.pop(exc)
            return
        except AssertionError:
            if not recovery.was_refused(self, pushes):
                raise
        # No one else will pop the context that was pushed for this work.
        recovery.end(self, self.pop, exc)

    def _preserve(self, exc: BaseException | None) -> None:
        self.preserved = True
        self._preserved_exc = exc

    def __enter__(self) -> RequestContext:
        pushes, blocks = len(self._implicit_app_ctx_stack), self.blocks
        try:
            self.push()
            self.blocks += 1
            return self
        except BaseException as error:
            # __exit__ is not called if __enter__ fails. Earlier pushes belong to other blocks.
            self.blocks = blocks
            if _request_ctx_stack.top is self and len(self._implicit_app_ctx_stack) > pushes:
                self.pop(error)
            raise

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.blocks -= 1
        self.auto_pop(exc_value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.request.url!r} [{self.request.method}] of {self.app.name}>"
