"""A form and a view that check the token against forged requests, with the token from a template."""

import flask
from flask import Flask
from flask_wtf import CSRFProtect, FlaskForm
from flask_wtf.csrf import generate_csrf
from wtforms import StringField
from wtforms.validators import DataRequired

app = Flask("shop")
app.secret_key = "key"
CSRFProtect(app)


class NoteForm(FlaskForm):
    text = StringField(validators=[DataRequired()])


@app.route("/", methods=["GET", "POST"])
def index():
    form = NoteForm()
    if form.validate_on_submit():
        return form.text.data
    return flask.render_template_string("{{ csrf_token() }} {{ form.errors }}", form=form)


@app.route("/token")
def make_token():
    return generate_csrf()


client = app.test_client()
token, errors = client.get("/").text.split(" ")
assert errors == "{}"
assert client.post("/", data={"text": "milk"}).status_code == 400
assert client.post("/", data={"text": "milk", "csrf_token": token}).text == "milk"
assert "text" in client.post("/", data={"csrf_token": token}).text
assert client.post("/", data={"text": "milk"}, headers={"X-CSRFToken": client.get("/token").text}).text == "milk"
assert app.test_client().post("/", data={"text": "milk", "csrf_token": token}).status_code == 400
