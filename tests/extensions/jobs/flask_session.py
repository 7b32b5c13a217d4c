"""A session that is stored in files under a signed identifier, for two clients."""

from tempfile import TemporaryDirectory

from flask import Flask, session
from flask_session import Session

with TemporaryDirectory() as directory:
    app = Flask("shop")
    app.config.update(
        SESSION_TYPE="filesystem", SESSION_FILE_DIR=directory, SESSION_USE_SIGNER=True, SECRET_KEY="key",
        PROPAGATE_EXCEPTIONS=True,
    )  # fmt: skip
    Session(app)

    @app.route("/add/<name>")
    def add(name):
        session.setdefault("basket", []).append(name)
        session.modified = True
        return " ".join(session["basket"])

    @app.route("/clear")
    def clear():
        session.clear()
        return "empty"

    client, other = app.test_client(), app.test_client()
    assert [client.get(f"/add/{name}").text for name in ("tea", "milk")] == ["tea", "tea milk"]
    assert other.get("/add/salt").text == "salt"
    assert client.get("/clear").text == "empty"
    assert client.get("/add/tea").text == "tea"
    assert other.get("/add/pepper").text == "salt pepper"
