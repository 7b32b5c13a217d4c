"""Trace requests, a template, an error, and the functions that run before a request."""

# ruff: noqa: E402
import os

os.environ.update(DD_INSTRUMENTATION_TELEMETRY_ENABLED="0", DD_REMOTE_CONFIGURATION_ENABLED="false")
from ddtrace import patch, tracer

patch(flask=True)
from flask import Flask, render_template_string

spans = []


class Writer:
    def write(self, finished=None):
        spans.extend(finished or [])

    def recreate(self):
        return self

    def stop(self, timeout=None):
        pass

    flush_queue = on_shutdown = stop


tracer.configure(writer=Writer())
app = Flask("shop")


@app.before_first_request
def first():
    pass


@app.before_request
def before():
    pass


@app.route("/shelf/<name>")
def shelf(name):
    return render_template_string("{{ name }}", name=name)


@app.route("/bad")
def bad():
    raise ValueError


client = app.test_client()
assert client.get("/shelf/7").text == "7"
names = [span.name for span in spans]
assert {"flask.request", "flask.render_template_string"} <= set(names)
assert any(name.endswith(".before") for name in names)
assert spans[0].resource == "GET /shelf/<name>"
del spans[:]
assert client.get("/bad", buffered=True).status_code == 500
assert spans[0].error
