"""Translate and format in a view and in a template, in the locale of the request."""

from datetime import datetime

import flask
from flask import Flask, request
from flask_babelex import Babel, format_date, gettext

app = Flask("shop")
babel = Babel(app)


@babel.localeselector
def locale():
    return request.args.get("locale", "en")


@app.route("/")
def index():
    page = flask.render_template_string("{{ then | dateformat('short') }}", then=datetime(2020, 5, 1))
    assert page == format_date(datetime(2020, 5, 1), "short")
    return f"{page} {gettext('for %(name)s', name='ada')}"


client = app.test_client()
assert client.get("/").text == "5/1/20 for ada"
assert client.get("/?locale=de").text == "01.05.20 for ada"
