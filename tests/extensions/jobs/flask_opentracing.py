"""Trace requests, and add a tag to the span of the current request."""

from flask import Flask
from flask_opentracing import FlaskTracing
from opentracing.mocktracer import MockTracer

tracer = MockTracer()
app = Flask("shop")
tracing = FlaskTracing(tracer, True, app, ["path"])


@app.route("/")
def index():
    tracing.get_span().set_tag("user", "ada")
    return "index"


@app.route("/fail")
def fail():
    return 1 / 0


client = app.test_client()
client.get("/")
client.get("/fail")
first, second = tracer.finished_spans()
assert first.tags["path"] == "/"
assert first.tags["user"] == "ada"
assert first.tags["http.status_code"] == 200
assert second.tags["path"] == "/fail"
assert second.tags["http.status_code"] == 500
assert tracing.get_span() is None
