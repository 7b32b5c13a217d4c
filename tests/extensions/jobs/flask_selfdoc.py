"""Make a page that documents the views."""

from flask import Flask
from flask_selfdoc import Autodoc

app = Flask("shop")
auto = Autodoc(app)


@app.route("/notes/<int:number>")
@auto.doc()
def note(number):
    """Return a note."""
    return str(number)


@app.route("/docs")
def docs():
    return auto.html()


page = app.test_client().get("/docs").text
assert "Return a note." in page
assert "/notes/" in page
