"""Run tests with the fixtures for an application, its client and its contexts."""

import sys
import tempfile
from pathlib import Path

import pytest

TESTS = """
import pytest
from flask import Flask, current_app, g, jsonify, request, url_for


@pytest.fixture
def app():
    app = Flask("shop")
    app.add_url_rule("/notes", "notes", lambda: jsonify(name=request.args.get("name")))
    return app


def test_client(client):
    assert client.get("/notes?name=ada").json == {"name": "ada"}


def test_context(app):
    assert current_app.name == "shop"
    assert url_for("notes", _external=True).endswith("/notes")
    g.note = 1


def test_next_context(app):
    assert "note" not in g


@pytest.mark.options(debug=True)
def test_options(app, client, accept_json):
    assert app.debug
    assert client.get("/notes", headers=accept_json).status_code == 200


@pytest.mark.usefixtures("client_class")
class TestClass:
    def test_client(self):
        assert self.client.get("/notes").json == {"name": None}
"""
directory = Path(tempfile.mkdtemp())
(directory / "test_shop.py").write_text(TESTS)
sys.exit(pytest.main(["--quiet", "-p", "no:cacheprovider", str(directory)]))
