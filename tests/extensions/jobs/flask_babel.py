"""Format dates and numbers for the locale of each request, in views and templates."""

from datetime import datetime

import flask
from flask import Flask, request
from flask_babel import Babel, force_locale, format_date, format_datetime, format_decimal, get_locale, lazy_gettext

app = Flask("shop")
babel = Babel(app)
LATER = lazy_gettext("Hello")


@babel.localeselector
def select_locale():
    return request.args.get("locale")


@babel.timezoneselector
def select_timezone():
    return "Europe/Berlin"


@app.route("/")
def index():
    moment = datetime(2024, 3, 1, 12)
    with force_locale("fr"):
        forced = format_date(moment, "MMMM")
    return " ".join([str(get_locale()), format_decimal(1.5), format_datetime(moment, "MMMM H"), forced, str(LATER)])


@app.route("/template")
def template():
    return flask.render_template_string("{{ 1.5|numberformat }} {{ _('Hello') }}")


client = app.test_client()
assert client.get("/?locale=de").text == "de 1,5 März 13 mars Hello"
assert client.get("/?locale=en").text == "en 1.5 March 13 mars Hello"
assert client.get("/template?locale=de").text == "1,5 Hello"
with app.test_request_context("/?locale=de"):
    assert format_decimal(1.5) == "1,5"
