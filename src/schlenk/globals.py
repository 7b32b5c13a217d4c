"""The two context stacks, and the four globals that read the contexts on top of them.

``request`` and ``session`` belong to the request context on top of ``_request_ctx_stack``; ``current_app`` and ``g``
belong to the application context on top of ``_app_ctx_stack``. Each of the four is a proxy, which looks its object up
at each use, in the stack of the running greenlet or thread.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .local import LocalStack

if TYPE_CHECKING:
    from .app import Flask
    from .ctx import AppContext, RequestContext, _AppCtxGlobals
    from .sessions import SessionMixin
    from .wrappers import Request

_request_ctx_stack: LocalStack[RequestContext] = LocalStack()
_app_ctx_stack: LocalStack[AppContext] = LocalStack()

_request_ctx_err_msg = (
    "Working outside of request context. This needs the current request, and there is none. "
    "Views and hooks have one. In a test or a shell, use a `with app.test_request_context():` block. "
    "For work in another thread or greenlet, wrap the function with copy_current_request_context(), or pass"
    " request._get_current_object() or session._get_current_object() to it."
)
_app_ctx_err_msg = (
    "Working outside of application context. This needs the current application, and there is none. "
    "Views and hooks have one. In a script, a test or a shell, use a `with app.app_context():` block. "
    "For work in another thread or greenlet, pass app = current_app._get_current_object() to it, and use that"
    " block there. It has a new g: pass g._get_current_object() if the work needs the old one."
)


def _lookup_req_object(name: str) -> Any:
    """Return the attribute ``name`` of the request context on top.

    :raises RuntimeError: there is no request context.
    """
    top = _request_ctx_stack.top
    if top is None:
        raise RuntimeError(_request_ctx_err_msg)
    return getattr(top, name)


def _lookup_app_object(name: str) -> Any:
    """Return the attribute ``name`` of the application context on top.

    :raises RuntimeError: there is no application context.
    """
    top = _app_ctx_stack.top
    if top is None:
        raise RuntimeError(_app_ctx_err_msg)
    return getattr(top, name)


def _find_app() -> Flask:
    """Return the application whose context is on top.

    :raises RuntimeError: there is no application context.
    """
    app: Flask = _lookup_app_object("app")
    return app


# The casts make `request.method` complete in an editor: to a type checker, a proxy has the type of its object.
current_app = cast("Flask", _app_ctx_stack.attribute_proxy("app", _find_app))
g = cast("_AppCtxGlobals", _app_ctx_stack.attribute_proxy("g", partial(_lookup_app_object, "g")))
request = cast("Request", _request_ctx_stack.attribute_proxy("request", partial(_lookup_req_object, "request")))
session = cast("SessionMixin", _request_ctx_stack.attribute_proxy("session", partial(_lookup_req_object, "session")))
