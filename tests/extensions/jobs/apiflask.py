"""Validate input and output, authenticate, abort, use a blueprint, and serve the specification."""

from apiflask import APIBlueprint, APIFlask, HTTPTokenAuth, Schema, abort, auth_required, input, output
from apiflask.fields import Integer, String

app = APIFlask("shop")
auth = HTTPTokenAuth()
blueprint = APIBlueprint("shelves", __name__, url_prefix="/shelves")


@auth.verify_token
def verify(token):
    return {"name": "ada"} if token == "t0ken" else None


class New(Schema):
    text = String(required=True)


class Note(Schema):
    id = Integer()
    text = String()


@app.post("/notes")
@input(New)
@output(Note, 201)
def add(note):
    return {"id": 1, "hidden": True, **note}


@app.get("/notes/<int:number>")
@output(Note)
def show(number):
    return {"id": number}


@app.get("/me")
@auth_required(auth)
def me():
    return auth.current_user


@app.get("/gone")
def gone():
    abort(410, "sold")


@blueprint.get("/")
def shelves():
    return {"shelves": 2}


app.register_blueprint(blueprint)
client = app.test_client()
assert client.post("/notes", json={"text": "milk"}).json == {"id": 1, "text": "milk"}
assert client.post("/notes", json={}).status_code == 400
assert client.get("/notes/3").json == {"id": 3}
assert client.get("/me").status_code == 401
assert client.get("/me", headers={"Authorization": "Bearer t0ken"}).json == {"name": "ada"}
assert client.get("/gone").json["message"] == "sold"
assert client.get("/missing").json["message"] == "Not Found"
assert client.get("/shelves/").json == {"shelves": 2}
assert "/notes/{number}" in client.get("/openapi.json").json["paths"]
assert client.get("/docs").status_code == 200
