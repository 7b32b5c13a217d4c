"""The fixtures that most tests share. Helpers that are not fixtures are in `tests.support`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack
from schlenk.local import context_ident, get_ident
from schlenk.testing import FlaskClient


@pytest.fixture
def app() -> Flask:
    """An application without routes that can sign sessions. A module adds routes by overriding this fixture."""
    app = Flask("shop", static_folder=None)
    app.secret_key = "key"
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def by_context() -> Iterator[None]:
    """Let the stacks tell ``contextvars`` contexts apart."""
    stacks: Any = (_request_ctx_stack, _app_ctx_stack)
    for stack in stacks:
        stack.__ident_func__ = context_ident
    yield
    for stack in stacks:
        stack.__ident_func__ = get_ident
