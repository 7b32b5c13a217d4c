"""Write to a shelf in one request and read it in the next."""

import tempfile
from pathlib import Path

from flask import Flask
from flask_shelve import get_shelve, init_app

app = Flask("shop")
app.config["SHELVE_FILENAME"] = str(Path(tempfile.mkdtemp()) / "shelf")
init_app(app)


@app.route("/write/<text>")
def write(text):
    get_shelve("c")["note"] = text
    return "written"


@app.route("/read")
def read():
    return get_shelve("r")["note"]


client = app.test_client()
assert client.get("/write/milk").text == "written"
assert client.get("/read").text == "milk"
