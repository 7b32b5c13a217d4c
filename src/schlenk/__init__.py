"""Flask 1.x's context machinery on today's Werkzeug: locals, contexts, and the globals that belong to one request."""

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from . import json
from .app import Flask
from .config import Config
from .ctx import after_this_request, copy_current_request_context, has_app_context, has_request_context
from .globals import _app_ctx_stack, _request_ctx_stack, current_app, g, request, session
from .helpers import (
    abort,
    flash,
    get_flashed_messages,
    make_response,
    redirect,
    stream_with_context,
    url_for,
)
from .install import install_as_flask, install_under_flask
from .json import jsonify
from .local import Local, LocalManager, LocalProxy, LocalStack, get_ident, release_local
from .missing import missing_from
from .signals import (
    appcontext_popped,
    appcontext_pushed,
    appcontext_tearing_down,
    got_request_exception,
    message_flashed,
    request_finished,
    request_started,
    request_tearing_down,
    signals_available,
)
from .wrappers import Request, Response

__all__ = [
    "Config", "Flask", "Local", "LocalManager", "LocalProxy", "LocalStack", "Markup", "Request", "Response",
    "_app_ctx_stack", "_request_ctx_stack", "abort", "after_this_request", "appcontext_popped", "appcontext_pushed",
    "appcontext_tearing_down", "copy_current_request_context", "current_app", "escape", "flash", "g",
    "get_flashed_messages", "get_ident", "got_request_exception", "has_app_context", "has_request_context",
    "install_as_flask", "install_under_flask", "json", "jsonify", "make_response", "message_flashed", "redirect",
    "release_local", "request", "request_finished", "request_started", "request_tearing_down", "session",
    "signals_available", "stream_with_context", "url_for",
]  # fmt: skip

if not TYPE_CHECKING:
    # To a type checker, a module with a __getattr__ has every name.
    __getattr__ = missing_from(__name__)
