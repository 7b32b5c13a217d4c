"""Validate the form of a document and write it as JSON. There is no server: a query reports that."""

from flask import Flask, jsonify
from flask_mongoengine import MongoEngine
from flask_mongoengine.wtf import model_form
from pymongo.errors import ServerSelectionTimeoutError

app = Flask("shop")
settings = {"host": "mongodb://127.0.0.1:9/shop", "serverSelectionTimeoutMS": 50, "connect": False}
app.config.update(SECRET_KEY="key", WTF_CSRF_ENABLED=False, MONGODB_SETTINGS=settings)
db = MongoEngine(app)


class Note(db.Document):
    text = db.StringField(required=True, max_length=10)


NoteForm = model_form(Note)


@app.route("/", methods=["GET", "POST"])
def index():
    form = NoteForm()
    return jsonify(Note(text=form.text.data)) if form.validate_on_submit() else (jsonify(form.errors), 400)


@app.route("/find")
def find():
    try:
        return Note.objects.first_or_404()
    except ServerSelectionTimeoutError:
        return "no server"


client = app.test_client()
assert client.post("/", data={"text": "milk"}).json == {"text": "milk"}
assert "text" in client.post("/", data={"text": "milk" * 3}).json
assert client.get("/find").text == "no server"
