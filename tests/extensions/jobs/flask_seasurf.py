"""Check the token against forged requests, from a template, in a form and in a header, and exempt a view."""

import flask
from flask import Flask, request
from flask_seasurf import SeaSurf

app = Flask("shop")
app.secret_key = "key"
csrf = SeaSurf(app)


@app.route("/", methods=["GET", "POST"])
def index():
    return request.method if request.method == "POST" else flask.render_template_string("{{ csrf_token() }}")


@csrf.exempt
@app.route("/open", methods=["POST"])
def exempt():
    return "open"


client = app.test_client()
assert client.post("/").status_code == 403
token = client.get("/").text
assert client.post("/", data={"_csrf_token": token}).text == "POST"
assert client.post("/", headers={"X-CSRFToken": token}).text == "POST"
assert client.post("/", data={"_csrf_token": "wrong"}).status_code == 403
assert app.test_client().post("/", data={"_csrf_token": token}).status_code == 403
assert client.post("/open").text == "open"
