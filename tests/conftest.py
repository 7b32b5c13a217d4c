"""The fixtures that most tests share. Helpers that are not fixtures are in `tests.support`."""

from __future__ import annotations

import pytest

from schlenk import Flask
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
