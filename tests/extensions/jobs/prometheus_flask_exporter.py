"""Count requests by what they ask for, and serve the numbers."""

from flask import Flask, request
from prometheus_flask_exporter import PrometheusMetrics

app = Flask("shop")
metrics = PrometheusMetrics(app)


@app.route("/notes/<number>")
@metrics.counter("notes", "Notes", labels={"number": lambda: request.view_args["number"]})
def note(number):
    return number


client = app.test_client()
client.get("/notes/7")
client.get("/missing")
page = client.get("/metrics").text
assert 'notes_total{number="7"} 1.0' in page
assert 'flask_http_request_total{method="GET",status="200"} 1.0' in page
