"""The return values of views, hooks and error handlers: how they become responses, and the errors if they can't.

:meth:`schlenk.Flask.make_response` creates the response if the body is text. This module does the rest.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as BaseResponse

from .globals import _lookup_req_object, _request_ctx_stack
from .helpers import describe_function, innermost
from .json import jsonify

if TYPE_CHECKING:
    from .app import Flask
    from .wrappers import Response

_NO_COROUTINES = (
    "Views and hooks written with `async def` are not supported: write them with `def`, and call asyncio.run() in them"
    " to await something."
)


def unpack(returned: tuple[Any, ...]) -> tuple[Any, int | str | None, Any]:
    """Return the body, status and headers of a tuple. Those that the tuple lacks are ``None``.

    :param returned: ``(body, status, headers)``, ``(body, headers)`` or ``(body, status)``.
    :raises TypeError: the tuple has another length, or the status is neither a number nor text.

    >>> unpack(("body", b"404 Not Found"))
    ('body', '404 Not Found', None)
    """
    status = headers = None
    if len(returned) == 3:
        body, status, headers = returned
    elif len(returned) == 2 and isinstance(returned[1], (Headers, dict, tuple, list)):
        body, headers = returned
    elif len(returned) == 2:
        body, status = returned
    else:
        raise TypeError(
            f"{_returned()} a tuple of length {len(returned)}. A tuple must be (body, status, headers), "
            "(body, status) or (body, headers)."
        )
    if isinstance(status, (bytes, bytearray)):
        status = status.decode("latin1")
    if not isinstance(status, (int, str, type(None))):
        raise TypeError(f"{_returned()} the status {status!r}. A status is a number, or a str such as '200 OK'.")
    return body, status, headers


def from_object(app: Flask, returned: Any) -> Response:
    """Return a response of ``app.response_class`` for a response, a ``dict`` or a WSGI callable.

    :raises TypeError: ``returned`` is none of these, or it fails as a WSGI callable.
    """
    if isinstance(returned, app.response_class):
        return returned
    if isinstance(returned, dict):
        return jsonify(returned)
    if returned is None:
        raise TypeError(f"{_returned()} None instead of a response. Is a return statement missing?")
    if not isinstance(returned, BaseResponse) and not callable(returned):
        if isinstance(returned, Coroutine):
            returned.close()
            raise TypeError(f"{_returned()} a coroutine. {_NO_COROUTINES}")
        if isinstance(returned, AsyncGenerator):
            raise TypeError(f"{_returned()} an asynchronous generator. {_NO_COROUTINES}")
        raise TypeError(
            f"{_returned()} an object of type {type(returned).__name__!r}, which cannot be turned into a response."
            " Return a str, bytes, a dict, a response such as jsonify(a list) or Response(a generator), a WSGI"
            " callable, or a tuple that starts with one of these."
        )
    environ = _lookup_req_object("request").environ
    try:
        return app.response_class.force_type(returned, environ)  # type: ignore[no-any-return]
    except TypeError as error:
        raise TypeError(f"{_returned()} {returned!r}, which fails as a WSGI application: {error}") from error


def invalid_headers(headers: Any, error: Exception) -> Exception:
    """Return the error for headers that Werkzeug refused with ``error``. It has the same class."""
    return type(error)(f"{_returned()} the headers {headers!r}, which are invalid: {error}")


def invalid_response(context: Any, returned: Any) -> str:
    """Return the message for a hook that was called with a response and returned something else.

    :param context: the request context, which knows the hook.
    """
    function = _responder(context, "The function")
    if isinstance(returned, Coroutine):
        returned.close()
        return f"{function} returned a coroutine. {_NO_COROUTINES}"
    what = "None" if returned is None else f"an object of type {type(returned).__name__!r}"
    return f"{function} returned {what}. It must return a response: the one that was passed to it, or another."


def refuse_coroutine(kind: str, function: Callable[..., Any], returned: Any) -> None:
    """Raise ``TypeError`` if a hook whose return value is not used has not run, because it is written with ``async``.

    A coroutine that another function returns is accepted: the function may have kept it, to await it later.

    :param kind: what the hook is registered as.
    :param function: the hook.
    :param returned: its return value.
    """
    if not isinstance(returned, (Coroutine, AsyncGenerator)):
        return
    inner = innermost(function)
    for each in (inner, type(inner).__call__):
        if inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each):
            if isinstance(returned, Coroutine):
                returned.close()
            raise TypeError(
                f"The {kind} {describe_function(function)} is written with `async def`, so calling it has not run it. "
                + _NO_COROUTINES
            )


def _returned() -> str:
    """Begin a message about an invalid value with its origin: a view, a hook, an error handler, or make_response()."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (frame.f_globals is globals() or frame.f_code.co_name == "make_response"):
        frame = frame.f_back
    if frame is None or frame.f_code.co_name != "finalize_request":
        return "make_response() was called with"
    context = _request_ctx_stack.top
    function = "The function"
    if context is not None and context.request.endpoint:
        view = context.app.view_functions.get(context.request.endpoint)
        name = f" {describe_function(view)}" if view else ""
        function = f"The view function{name} for the endpoint {context.request.endpoint!r}"
    return f"{_responder(context, function)} returned"


def _responder(context: Any, default: str) -> str:
    """Return the kind and name of the hook or error handler that returned last, or ``default``."""
    responder = getattr(context, "responder", None)
    if not isinstance(responder, tuple):
        return default
    kind, function = responder
    return f"The {kind} {describe_function(function)}"
