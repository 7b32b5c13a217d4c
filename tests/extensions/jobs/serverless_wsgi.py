"""Answer events of a serverless platform: a query, a body, a session and a binary file."""

import json

import serverless_wsgi
from flask import Flask, Response, jsonify, redirect, request, session

app = Flask("shop")
app.secret_key = "key"


@app.route("/shelf/<name>", methods=["GET", "POST"])
def shelf(name):
    stage = request.environ["serverless.event"]["requestContext"]["stage"]
    return jsonify(name, request.args.getlist("q"), request.get_data(as_text=True), stage)


@app.route("/login")
def login():
    session["user"] = "ada"
    return redirect("/shelf/1")


@app.route("/file")
def file():
    return Response(b"\xff\xfe", mimetype="application/octet-stream")


def send(path, method="GET", **event):
    event = {
        "body": None,
        "headers": {"Host": "example.com", "Content-Type": "text/plain"},
        "httpMethod": method,
        "isBase64Encoded": False,
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": None,
        "path": path,
        "queryStringParameters": None,
        "requestContext": {"stage": "$default", "identity": {"sourceIp": "192.0.2.1"}},
        **event,
    }
    return serverless_wsgi.handle_request(app, event, {})


answer = send("/shelf/caf%C3%A9", multiValueQueryStringParameters={"q": ["1", "a b"]})
assert json.loads(answer["body"]) == ["café", ["1", "a b"], "", "$default"]
answer = send("/shelf/1", "POST", body="aGk=", isBase64Encoded=True)
assert json.loads(answer["body"])[2] == "hi"
answer = send("/login")
assert answer["statusCode"] == 302
assert "session=" in str(answer)
assert send("/file")["body"] == "//4="
assert send("/missing")["statusCode"] == 404
