"""Serve a model: create, list, change and delete its rows."""

from flask import Flask
from flask_restless import APIManager
from flask_sqlalchemy import SQLAlchemy

app = Flask("shop")
app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SQLALCHEMY_TRACK_MODIFICATIONS=False)
db = SQLAlchemy(app)


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.Unicode)


with app.app_context():
    db.create_all()
APIManager(app, flask_sqlalchemy_db=db).create_api(Note, methods=["GET", "POST", "PATCH", "DELETE"])
client = app.test_client()
assert client.post("/api/note", json={"text": "milk"}).status_code == 201
assert client.get("/api/note").json["objects"] == [{"id": 1, "text": "milk"}]
assert client.patch("/api/note/1", json={"text": "bread"}).json["text"] == "bread"
assert client.delete("/api/note/1").status_code == 204
assert client.get("/api/note/1").status_code == 404
