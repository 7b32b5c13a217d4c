"""Resources of a namespace with a model, validated input, an error handler, and the specification with its page."""

from flask import Flask
from flask_restx import Api, Resource, fields

app = Flask("shop")
api = Api(app, title="notes", doc="/doc/")
space = api.namespace("notes")
model = api.model("Note", {"text": fields.String(required=True), "uri": fields.Url("notes_note")})
parser = api.parser()
parser.add_argument("n", type=int, location="args", required=True)
notes = {}


@space.route("/<int:number>")
class Note(Resource):
    @space.marshal_with(model)
    def get(self, number):
        if number not in notes:
            api.abort(404, "no such note")
        return {**notes[number], "number": number}

    @space.expect(model, validate=True)
    @space.marshal_with(model, code=201)
    def put(self, number):
        notes[number] = api.payload
        return {**notes[number], "number": number}, 201


@space.route("/")
class Notes(Resource):
    @space.expect(parser)
    def get(self):
        return {"half": 1 / parser.parse_args()["n"]}


@space.errorhandler(ZeroDivisionError)
def zero(error):
    return {"message": "zero"}, 400


client = app.test_client()
assert client.put("/notes/1", json={"text": "milk"}).status_code == 201
assert client.get("/notes/1").json == {"text": "milk", "uri": "/notes/1"}
refused = client.put("/notes/1", json={})
assert refused.status_code == 400
assert "text" in refused.json["errors"]
missing = client.get("/notes/2")
assert missing.status_code == 404
assert missing.json["message"].startswith("no such note")
assert client.get("/notes/?n=2").json == {"half": 0.5}
assert client.get("/notes/?n=x").status_code == 400
assert client.get("/notes/?n=0").json["message"] == "zero"
described = client.get("/swagger.json")
assert described.status_code == 200
assert set(described.json["paths"]) == {"/notes/", "/notes/{number}"}
assert "swagger-ui" in client.get("/doc/").text
