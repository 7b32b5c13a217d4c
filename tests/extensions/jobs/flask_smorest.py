"""A view class and a view with arguments and pages of results, and their specification."""

from flask import Flask
from flask.views import MethodView
from flask_smorest import Api, Blueprint, abort
from marshmallow import Schema, fields

app = Flask("shop")
app.config.update(
    API_TITLE="notes",
    API_VERSION="1",
    OPENAPI_VERSION="3.0.2",
    OPENAPI_URL_PREFIX="/docs",
    OPENAPI_JSON_PATH="notes.json",
)
api = Api(app)


class NoteSchema(Schema):
    id = fields.Int(dump_only=True)
    text = fields.Str(required=True)


class QuerySchema(Schema):
    n = fields.Int()


blueprint = Blueprint("notes", "notes", url_prefix="/notes")


@blueprint.route("/")
class Notes(MethodView):
    @blueprint.arguments(QuerySchema, location="query")
    @blueprint.response(NoteSchema(many=True))
    @blueprint.paginate()
    def get(self, query, pagination_parameters):
        pagination_parameters.item_count = 1
        return [{"id": query["n"], "text": "milk"}]

    @blueprint.arguments(NoteSchema)
    @blueprint.response(NoteSchema, code=201)
    def post(self, note):
        return {"id": 2, **note}


@blueprint.route("/<int:number>")
@blueprint.response(NoteSchema)
def one(number):
    abort(404, message="no such note")


api.register_blueprint(blueprint)

client = app.test_client()
found = client.get("/notes/?n=1")
assert found.json == [{"id": 1, "text": "milk"}]
assert '"total": 1' in found.headers["X-Pagination"]
assert client.post("/notes/", json={"text": "tea"}).status_code == 201
assert client.post("/notes/", json={}).status_code == 422
assert client.get("/notes/4").json["message"] == "no such note"
assert set(client.get("/docs/notes.json").json["paths"]) == {"/notes/", "/notes/{number}"}
