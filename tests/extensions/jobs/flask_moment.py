"""Render a time and the scripts in a template."""

from datetime import datetime

from flask import Flask, render_template_string
from flask_moment import Moment

app = Flask("shop")
Moment(app)


@app.route("/")
def index():
    return render_template_string(
        "{{ moment.include_moment() }}{{ moment(then).fromNow() }}", then=datetime(2020, 5, 1)
    )


page = app.test_client().get("/").text
assert "moment-with-locales.min.js" in page
assert 'data-timestamp="2020-05-01T00:00:00Z"' in page
