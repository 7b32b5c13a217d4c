"""Serialize rows of a model, with links to views."""

from flask import Flask
from flask_marshmallow import Marshmallow
from flask_sqlalchemy import SQLAlchemy

app = Flask("shop")
app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SQLALCHEMY_TRACK_MODIFICATIONS=False)
db = SQLAlchemy(app)
marshmallow = Marshmallow(app)


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String)


class NoteSchema(marshmallow.SQLAlchemyAutoSchema):
    class Meta:
        model = Note

    links = marshmallow.Hyperlinks(
        {"self": marshmallow.URLFor("note", number="<id>"), "all": marshmallow.AbsoluteURLFor("notes")}
    )


@app.route("/notes")
def notes():
    return NoteSchema(many=True).jsonify(Note.query.all())


@app.route("/notes/<int:number>")
def note(number):
    return NoteSchema().jsonify(Note.query.get(number))


with app.app_context():
    db.create_all()
    db.session.add(Note(text="milk"))
    db.session.commit()
client = app.test_client()
links = {"self": "/notes/1", "all": "http://localhost/notes"}
assert client.get("/notes/1").json == {"id": 1, "text": "milk", "links": links}
assert client.get("/notes").json == [{"id": 1, "text": "milk", "links": links}]
