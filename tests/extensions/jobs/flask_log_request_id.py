"""Read the identifier of a request in a view and in a log record."""

import logging

from flask import Flask
from flask_log_request_id import RequestID, RequestIDLogFilter, current_request_id

app = Flask("shop")
RequestID(app)
logged = []
handler = logging.Handler()
handler.emit = lambda record: logged.append(record.request_id)
handler.addFilter(RequestIDLogFilter())
app.logger.addHandler(handler)


@app.route("/")
def index():
    app.logger.warning("a message")
    return current_request_id()


client = app.test_client()
assert client.get("/", headers={"X-Request-Id": "abc"}).text == "abc"
made = client.get("/").text
assert made != "abc"
assert logged == ["abc", made]
with app.app_context():
    assert current_request_id() is None
