"""Upload a file to a folder, read its URL, and download it under its own name and another."""

import io
import tempfile

from flask import Flask, request
from flask_cloudy import Storage

app = Flask("shop")
app.testing = True
app.config.update(
    STORAGE_ALLOWED_EXTENSIONS=["txt"],
    STORAGE_CONTAINER=tempfile.mkdtemp(),
    STORAGE_KEY="",
    STORAGE_PROVIDER="LOCAL",
    STORAGE_SECRET="",
    STORAGE_SERVER=True,
    STORAGE_SERVER_URL="/files",
)
storage = Storage()
storage.init_app(app)


@app.route("/upload", methods=["POST"])
def upload():
    return storage.upload(request.files["file"], name="a.txt").name


@app.route("/url")
def url():
    return storage.get("a.txt").url


client = app.test_client()
assert client.post("/upload", data={"file": (io.BytesIO(b"hello"), "b.txt")}).text == "a.txt"
assert client.get("/url").text.endswith("/files/a.txt")
assert client.get("/files/a.txt").data == b"hello"
assert "c.txt" in client.get("/files/a.txt?dl=1&name=c").headers["Content-Disposition"]
assert client.get("/files/missing.txt").status_code == 404
