"""Trace the requests of one application, and those of all applications that are created later."""

import flask
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
app = flask.Flask("shop")
FlaskInstrumentor().instrument_app(app)


@app.route("/shelf/<int:number>")
def shelf(number):
    return trace.get_current_span().name


@app.route("/bad")
def bad():
    raise ValueError


client = app.test_client()
assert client.get("/shelf/7").text == "/shelf/<int:number>"
assert client.get("/bad").status_code == 500
assert client.get("/missing").status_code == 404
found, failed, missing = exporter.get_finished_spans()
assert found.attributes["http.route"] == "/shelf/<int:number>"
assert (failed.name, failed.status.is_ok) == ("/bad", False)
FlaskInstrumentor().uninstrument_app(app)
FlaskInstrumentor().instrument(skip_dep_check=True)
other = flask.Flask("other")
other.add_url_rule("/", "index", lambda: "index")
assert other.test_client().get("/").text == "index"
assert len(exporter.get_finished_spans()) == 4
FlaskInstrumentor().uninstrument()
