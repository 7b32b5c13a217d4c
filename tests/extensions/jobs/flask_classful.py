"""A view whose base route has a variable, with a hook and a route of its own."""

from flask import Flask, url_for
from flask_classful import FlaskView, route

app = Flask("shop")
called = []


class NotesView(FlaskView):
    route_base = "/<user>/notes"

    def before_request(self, name, **arguments):
        called.append(name)

    def index(self, user):
        return url_for("NotesView:get", user=user, id=3)

    def get(self, user, id):
        return f"{user} {id}"

    def post(self, user):
        return "made", 201

    @route("/all", methods=["DELETE"])
    def clear(self, user):
        return "cleared"


NotesView.register(app)

client = app.test_client()
assert client.get("/ada/notes/").text.rstrip("/") == "/ada/notes/3"
assert client.get("/ada/notes/3/").text == "ada 3"
assert client.post("/ada/notes/").status_code == 201
assert client.delete("/ada/notes/all").text == "cleared"
assert called == ["index", "get", "post", "clear"]
