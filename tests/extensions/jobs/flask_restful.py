"""A resource on the application and one on a blueprint, with parsed arguments and marshalled fields."""

import flask
from flask import Flask
from flask_restful import Api, Resource, abort, fields, marshal_with, reqparse

app = Flask("shop")
blueprint = flask.Blueprint("old", "old", url_prefix="/old")
parser = reqparse.RequestParser()
parser.add_argument("text", required=True, help="no text")
parser.add_argument("n", type=int, default=1)
notes = {}


class Note(Resource):
    @marshal_with({"text": fields.String, "n": fields.Integer, "uri": fields.Url("note")})
    def get(self, number):
        if number not in notes:
            abort(404, message="no such note")
        return {**notes[number], "number": number}

    def put(self, number):
        notes[number] = parser.parse_args()
        return notes[number], 201, {"X-Number": str(number)}


class Old(Resource):
    def get(self):
        return ["old"]


Api(app).add_resource(Note, "/notes/<int:number>", endpoint="note")
Api(blueprint).add_resource(Old, "/")
app.register_blueprint(blueprint)

client = app.test_client()
made = client.put("/notes/1", json={"text": "milk", "n": 2})
assert made.status_code == 201
assert made.json == {"text": "milk", "n": 2}
assert made.headers["X-Number"] == "1"
made = client.put("/notes/2", data={"text": "tea"})
assert made.status_code == 201, made.status
assert made.json == {"text": "tea", "n": 1}
assert client.get("/notes/1").json == {"text": "milk", "n": 2, "uri": "/notes/1"}
refused = client.put("/notes/3", json={"n": 1})
assert refused.status_code == 400
assert refused.json == {"message": {"text": "no text"}}
missing = client.get("/notes/9")
assert missing.status_code == 404
assert missing.json["message"].startswith("no such note")
assert client.delete("/notes/1").status_code == 405
assert client.get("/old/").json == ["old"]
