"""Serve a resource, validate what it receives, and describe it for Swagger."""

import collections
import collections.abc

if not hasattr(collections, "MutableMapping"):
    # Python 3.10 removed the names that the extension uses.
    collections.Hashable = collections.abc.Hashable
    collections.MutableMapping = collections.abc.MutableMapping

from flask import Flask
from flask_restplus import Api, Resource, fields

app = Flask("shop")
api = Api(app, title="notes")
model = api.model("Note", {"text": fields.String(required=True)})


@api.route("/notes/<int:number>")
class Note(Resource):
    @api.marshal_with(model)
    def get(self, number):
        return {"text": str(number), "other": 1}

    @api.expect(model, validate=True)
    def put(self, number):
        return api.payload


client = app.test_client()
assert client.get("/notes/1").json == {"text": "1"}
assert client.put("/notes/1", json={"text": "milk"}).json == {"text": "milk"}
assert client.put("/notes/1", json={}).status_code == 400
assert client.get("/notes/x").status_code == 404
assert "/notes/{number}" in client.get("/swagger.json").json["paths"]
assert client.get("/").status_code == 200
