"""A view and a resource with parsed arguments and marshalled results, and their specification."""

from flask import Flask
from flask_apispec import FlaskApiSpec, MethodResource, marshal_with, use_kwargs
from marshmallow import Schema, fields

app = Flask("shop")


class NoteSchema(Schema):
    id = fields.Int()
    text = fields.Str(required=True)


@app.route("/notes")
@use_kwargs({"text": fields.Str(required=True)}, location="query")
@marshal_with(NoteSchema)
def notes(text):
    return {"id": 1, "text": text, "other": 1}


@marshal_with(NoteSchema)
class NoteResource(MethodResource):
    def get(self, number):
        return {"id": number, "text": "milk"}

    @use_kwargs(NoteSchema)
    def put(self, number, **note):
        return {"id": number, **note}


app.add_url_rule("/notes/<int:number>", view_func=NoteResource.as_view("note"))
specification = FlaskApiSpec(app)
specification.register(notes)
specification.register(NoteResource, endpoint="note")

client = app.test_client()
assert client.get("/notes?text=tea").json == {"id": 1, "text": "tea"}
assert client.get("/notes").status_code == 422
assert client.get("/notes/4").json == {"id": 4, "text": "milk"}
assert client.put("/notes/4", json={"text": "tea"}).json == {"id": 4, "text": "tea"}
assert set(client.get("/swagger/").json["paths"]) == {"/notes", "/notes/{number}"}
assert client.get("/swagger-ui/").status_code == 200
