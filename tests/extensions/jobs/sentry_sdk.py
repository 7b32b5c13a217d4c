"""Report an error and a message, each with the request that they belong to."""

import sentry_sdk
from flask import Flask
from sentry_sdk.integrations.flask import FlaskIntegration

sent = []
sentry_sdk.init(
    "http://key@127.0.0.1:1/1", integrations=[FlaskIntegration()], transport=sent.append, send_default_pii=True
)
app = Flask("shop")


@app.route("/bad/<number>", methods=["POST"])
def bad(number):
    raise ValueError(number)


@app.route("/message")
def message():
    sentry_sdk.capture_message("hello")
    return "sent"


client = app.test_client()
assert client.post("/bad/7", json={"a": 1}).status_code == 500
assert client.get("/message?x=1").text == "sent"
error, hello = (event for event in sent if isinstance(event, dict))
assert error["exception"]["values"][0]["value"] == "7"
assert error["transaction"] == "bad"
assert (error["request"]["method"], error["request"]["data"]) == ("POST", {"a": 1})
assert (hello["message"], hello["request"]["query_string"]) == ("hello", "x=1")
