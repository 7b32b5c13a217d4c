"""The logger of an application. What it says during a request goes where the server wants its errors."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO, cast

from .globals import _request_ctx_stack
from .local import LocalProxy

if TYPE_CHECKING:
    from .app import Flask


def _errors() -> TextIO:
    top = _request_ctx_stack.top
    return sys.stderr if top is None else cast(TextIO, top.request.environ["wsgi.errors"])


wsgi_errors_stream = cast(TextIO, LocalProxy(_errors))
"""``wsgi.errors`` of the current request, or ``sys.stderr`` where there is none."""

default_handler = logging.StreamHandler(wsgi_errors_stream)
"""The handler an application's logger is given where nobody set up another."""
default_handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s in %(module)s: %(message)s"))


def has_level_handler(logger: logging.Logger) -> bool:
    """Return whether ``logger``, or one above it, has a handler that what it lets through will reach.

    As in Flask 1.1.
    """
    level = logger.getEffectiveLevel()
    current: logging.Logger | None = logger
    while current is not None:
        if any(handler.level <= level for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


def create_logger(app: Flask) -> logging.Logger:
    """Return the logger called ``app.name``, as it was set up, or else writing to :data:`default_handler`.

    In debug mode it lets everything through, unless a level was set. :attr:`schlenk.Flask.logger` is it. As in
    Flask 1.1.
    """
    logger = logging.getLogger(app.name)
    undecided = logger.level == logging.NOTSET
    logger.setLevel(logging.DEBUG if undecided and app.debug else logger.level)
    for handler in () if has_level_handler(logger) else (default_handler,):
        logger.addHandler(handler)
    return logger
