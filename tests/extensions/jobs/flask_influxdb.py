"""Use one connection in each context, and none outside."""

from flask import Flask
from flask_influxdb import InfluxDB

app = Flask("shop")
db = InfluxDB(app)


@app.route("/")
def index():
    return f"{db.connection is db.connection}"


assert app.test_client().get("/").text == "True"
try:
    outside = db.connection
except RuntimeError as error:
    outside = str(error)
assert "application context" in outside
