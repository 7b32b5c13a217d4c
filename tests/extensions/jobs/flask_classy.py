"""Route the methods of a class."""

import inspect

from flask import Flask

if not hasattr(inspect, "getargspec"):
    # Python 3.11 removed the function that the extension uses.
    inspect.getargspec = lambda function: inspect.getfullargspec(function)[:4]

from flask_classy import FlaskView, route


class NotesView(FlaskView):
    def index(self):
        return "all"

    def get(self, number):
        return f"note {number}"

    @route("/special", methods=["POST"])
    def special(self):
        return "special"


app = Flask("shop")
NotesView.register(app)
client = app.test_client()
assert client.get("/notes/").text == "all"
assert client.get("/notes/1").text == "note 1"
assert client.post("/notes/special").text == "special"
