"""Describe an API by its docstrings, show the page for it, and validate a request by it."""

from flasgger import Swagger, swag_from
from flask import Flask, jsonify

app = Flask("shop")
Swagger(app)
schema = {"id": "Note", "required": ["text"], "properties": {"text": {"type": "string"}}}


@app.route("/notes/<int:number>")
def note(number):
    """Return a note.
    ---
    responses:
      200: {description: the note}
    """
    return jsonify(number)


@app.route("/notes", methods=["POST"])
@swag_from({"parameters": [{"name": "body", "in": "body", "schema": schema}]}, validation=True)
def add():
    return "added"


client = app.test_client()
assert "/notes/{number}" in client.get("/apispec_1.json").json["paths"]
assert client.get("/apidocs/").status_code == 200
assert client.post("/notes", json={"text": "milk"}).text == "added"
assert client.post("/notes", json={"text": 1}).status_code == 400
