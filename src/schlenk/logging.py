"""The logger of an application, which writes to the server's error stream during a request."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO, cast

from .globals import _request_ctx_stack
from .local import LocalProxy

if TYPE_CHECKING:
    from .scaffold import Scaffold


def _error_stream() -> TextIO:
    top = _request_ctx_stack.top
    return sys.stderr if top is None else cast(TextIO, top.request.environ["wsgi.errors"])


wsgi_errors_stream = cast(TextIO, LocalProxy(_error_stream))
"""A proxy to ``wsgi.errors`` of the current request, or to ``sys.stderr`` outside a request."""

default_handler = logging.StreamHandler(wsgi_errors_stream)
"""The handler that is added to an application's logger if logging is not configured."""
default_handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s in %(module)s: %(message)s"))


def has_level_handler(logger: logging.Logger) -> bool:
    """Return whether ``logger`` or one of its ancestors has a handler for messages of the logger's effective level."""
    level = logger.getEffectiveLevel()
    current: logging.Logger | None = logger
    while current is not None:
        if any(handler.level <= level for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


def create_logger(app: Scaffold) -> logging.Logger:
    """Return the logger named ``app.name``, which :attr:`schlenk.Flask.logger` uses.

    If the application is in debug mode and the logger has no level, the level is set to ``DEBUG``. If no handler would
    receive the logger's messages, :data:`default_handler` is added.
    """
    logger = logging.getLogger(app.name)
    if app.debug and logger.level == logging.NOTSET:
        logger.setLevel(logging.DEBUG)
    if not has_level_handler(logger):
        logger.addHandler(default_handler)
    return logger
