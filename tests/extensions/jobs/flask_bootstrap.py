"""Render a form of Flask-WTF in a page with the styles of Bootstrap."""

from flask import Flask, render_template_string
from flask_bootstrap import Bootstrap
from flask_wtf import FlaskForm
from wtforms import StringField

app = Flask("shop")
app.secret_key = "key"
Bootstrap(app)


class NoteForm(FlaskForm):
    text = StringField("Text")


@app.route("/")
def index():
    return render_template_string(
        "{% extends 'bootstrap/base.html' %}{% import 'bootstrap/wtf.html' as wtf %}"
        "{% block content %}{{ wtf.quick_form(form) }}{% endblock %}",
        form=NoteForm(),
    )


page = app.test_client().get("/").text
assert "bootstrap.min.css" in page
assert 'name="text"' in page
assert 'name="csrf_token"' in page
