"""The two context stacks, and the globals that stand for what is on top of them.

``request`` and ``session`` belong to the request context on top of ``_request_ctx_stack``; ``current_app`` and ``g``
to the application context on top of ``_app_ctx_stack``. Each is a proxy, looked up anew at each use, in the stack of
the greenlet or thread that uses it. That is all there is to a global that belongs to one request.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Callable, cast

from werkzeug.local import LocalProxy as WerkzeugProxy

from .local import _OWN, LocalProxy, LocalStack, _hidden, _kind, _Storage

if TYPE_CHECKING:
    from .app import Flask
    from .ctx import AppContext, RequestContext, _AppCtxGlobals
    from .sessions import SessionMixin
    from .wrappers import Request

_request_ctx_stack: LocalStack[RequestContext] = LocalStack()
_app_ctx_stack: LocalStack[AppContext] = LocalStack()


class _Outside:
    """Stands for a context where there is none: whatever it is asked for, it says what is missing."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __getattr__(self, name: str) -> Any:
        # Who looks through a module (doctest, for one) asks what it finds there for special names.
        raise AttributeError(name) if name.startswith("__") else RuntimeError(self.message)


_no_request: Any = _Outside(
    "Working outside of request context. This needs to know which request is being answered, and here none is. "
    "Inside a view or a hook it works by itself; in a test or a shell, put it into a"
    " `with app.test_request_context():` block."
)
_no_application: Any = _Outside(
    "Working outside of application context. This needs to know which application is meant, and here none is. "
    "During a request it works by itself; in a script, a test or a shell, put it into a"
    " `with app.app_context():` block."
)


def _lookup_req_object(name: str) -> Any:
    """Return the attribute ``name`` of the request context on top, or raise ``RuntimeError`` where there is none."""
    return getattr(_request_ctx_stack.top or _no_request, name)


def _lookup_app_object(name: str) -> Any:
    """Return the attribute ``name`` of the application context on top, or raise ``RuntimeError``."""
    return getattr(_app_ctx_stack.top or _no_application, name)


def _find_app() -> Flask:
    """Return the application whose context is on top, or raise ``RuntimeError`` where there is none."""
    return (_app_ctx_stack.top or _no_application).app


# Every line of a view reads one of the four, so each has its way to the context written out: 150 ns for
# `request.method` on Python 3.11, where LocalProxy takes 250 with the functions above, and the bare read of the
# dictionary 60. They do what LocalProxy's own __getattribute__ does.
_requests = _request_ctx_stack._storage
_apps = _app_ctx_stack._storage


def _read_request(self: LocalProxy[Any], name: str) -> Any:
    if name in _OWN:
        return object.__getattribute__(self, name)
    try:
        context = _requests.values[_requests.ident()]["stack"][-1] or _no_request
    except (KeyError, IndexError):
        context = _no_request
    try:
        return getattr(context.request, name)
    except Exception:
        return _hidden(self, name)


def _read_session(self: LocalProxy[Any], name: str) -> Any:
    if name in _OWN:
        return object.__getattribute__(self, name)
    try:
        context = _requests.values[_requests.ident()]["stack"][-1] or _no_request
    except (KeyError, IndexError):
        context = _no_request
    try:
        return getattr(context.session, name)
    except Exception:
        return _hidden(self, name)


def _read_app(self: LocalProxy[Any], name: str) -> Any:
    if name in _OWN:
        return object.__getattribute__(self, name)
    try:
        context = _apps.values[_apps.ident()]["stack"][-1] or _no_application
    except (KeyError, IndexError):
        context = _no_application
    try:
        return getattr(context.app, name)
    except Exception:
        return _hidden(self, name)


def _read_g(self: LocalProxy[Any], name: str) -> Any:
    if name in _OWN:
        return object.__getattribute__(self, name)
    try:
        context = _apps.values[_apps.ident()]["stack"][-1] or _no_application
    except (KeyError, IndexError):
        context = _no_application
    try:
        return getattr(context.g, name)
    except Exception:
        return _hidden(self, name)


def _write_g(self: LocalProxy[Any], name: str, value: Any) -> None:
    try:
        context = _apps.values[_apps.ident()]["stack"][-1] or _no_application
    except (KeyError, IndexError):
        context = _no_application
    setattr(context.g, name, value)


def _find(storage: _Storage, name: str, outside: Any) -> Callable[[], Any]:
    def find() -> Any:
        try:
            context = storage.values[storage.ident()]["stack"][-1] or outside
        except (KeyError, IndexError):
            context = outside
        return getattr(context, name)

    return find


def _proxy(
    lookup: Callable[[], Any], find: Callable[[], Any], read: Callable[[LocalProxy[Any], str], Any]
) -> LocalProxy[Any]:
    """Return ``LocalProxy(lookup)``, with what is faster than ``lookup`` in its place."""
    # To isinstance, it is a proxy of Werkzeug's class as well: extensions recognize proxies by it.
    names = {
        "__slots__": (), "__class__": property(lambda proxy: WerkzeugProxy), "__module__": LocalProxy.__module__,
        "__doc__": LocalProxy.__doc__,
    }  # fmt: skip
    proxy: LocalProxy[Any] = type("LocalProxy", (_kind(read),), names)(lookup)
    object.__setattr__(proxy, "_LocalProxy__resolve", find)
    return proxy


# The casts are what makes `request.method` complete in an editor: to a type checker a proxy is what it stands for.
current_app = cast("Flask", _proxy(_find_app, _find(_apps, "app", _no_application), _read_app))
request = cast(
    "Request", _proxy(partial(_lookup_req_object, "request"), _find(_requests, "request", _no_request), _read_request)
)
session = cast(
    "SessionMixin",
    _proxy(partial(_lookup_req_object, "session"), _find(_requests, "session", _no_request), _read_session),
)
g = cast("_AppCtxGlobals", _proxy(partial(_lookup_app_object, "g"), _find(_apps, "g", _no_application), _read_g))
# The one of them that is written to in every other view (300 ns; so, 200).
type(g).__setattr__ = _write_g  # type: ignore[method-assign, assignment]
