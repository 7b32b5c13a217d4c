"""Answer with JSON, a date included, and with JSON for errors."""

import datetime

from flask import Flask, request
from flask_json import FlaskJSON, JsonError, as_json, json_response

app = Flask("shop")
FlaskJSON(app)


@app.route("/day")
@as_json
def day():
    return {"day": datetime.date(2020, 1, 2)}


@app.route("/double", methods=["POST"])
def double():
    data = request.get_json(force=True)
    if "number" not in data:
        raise JsonError(description="no number")
    return json_response(number=2 * data["number"])


client = app.test_client()
assert client.get("/day").json == {"day": "2020-01-02", "status": 200}
assert client.post("/double", data='{"number": 2}').json == {"number": 4, "status": 200}
assert client.post("/double", data="{}").json == {"description": "no number", "status": 400}
assert client.post("/double", data="{").json["status"] == 400
