"""Report an error and a message, each with the request that they belong to."""

import rollbar
import rollbar.contrib.flask
from flask import Flask, got_request_exception, request

sent = []
app = Flask("shop")
rollbar.init("token", "test", handler="blocking", allow_logging_basic_config=False)
rollbar.send_payload = lambda payload, token: sent.append(payload["data"])
got_request_exception.connect(rollbar.contrib.flask.report_exception, app)


@app.route("/bad/<int:number>", methods=["POST"])
def bad(number):
    raise ValueError(number)


@app.route("/message")
def message():
    rollbar.report_message("hello", "info", request=request)
    return "sent"


client = app.test_client()
assert client.post("/bad/7?q=1", data={"a": "b"}).status_code == 500
assert client.get("/message").text == "sent"
error, hello = sent
assert (error["framework"], error["context"]) == ("flask", "/bad/<int:number>")
assert (error["request"]["method"], error["request"]["POST"]) == ("POST", {"a": "b"})
assert error["request"]["GET"] == {"q": "1"}
assert hello["request"]["url"] == "http://localhost/message"
