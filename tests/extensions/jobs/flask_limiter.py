"""Limit an application, a view and a blueprint, with headers, and exempt a view."""

import flask
from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

app = Flask("shop")
app.config["RATELIMIT_HEADERS_ENABLED"] = True
limiter = Limiter(app, key_func=get_remote_address, default_limits=["3 per hour"])
blueprint = flask.Blueprint("old", "old", url_prefix="/old")


@app.route("/")
def index():
    return "index"


@app.route("/once")
@limiter.limit("1 per hour", key_func=lambda: request.args["name"])
def once():
    return request.args["name"]


@app.route("/free")
@limiter.exempt
def free():
    return "free"


@blueprint.route("/")
def old():
    return "old"


limiter.limit("2 per hour")(blueprint)
app.register_blueprint(blueprint)


client = app.test_client()
answers = [client.get("/") for _ in range(4)]
assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
assert [answer.headers["X-RateLimit-Remaining"] for answer in answers[:3]] == ["2", "1", "0"]
assert [client.get(f"/once?name={name}").status_code for name in ("ada", "bob", "ada")] == [200, 200, 429]
assert [client.get("/free").status_code for _ in range(5)] == [200] * 5
assert [client.get("/old/").status_code for _ in range(3)] == [200, 200, 429]
