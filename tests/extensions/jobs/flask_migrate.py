"""Create a migration from the models, upgrade and downgrade the database, with the commands of ``flask db``."""

import os
from tempfile import TemporaryDirectory

from flask import Flask
from flask.cli import FlaskGroup
from flask_migrate import Migrate, upgrade
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import inspect

app = Flask("shop")
app.config.update(SQLALCHEMY_DATABASE_URI="sqlite:///shop.db", SQLALCHEMY_TRACK_MODIFICATIONS=False)
db = SQLAlchemy(app)
Migrate(app, db)


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String(80))


@app.route("/<text>")
def index(text):
    db.session.add(Note(text=text))
    db.session.commit()
    return str(Note.query.count())


def tables():
    with app.app_context():
        return inspect(db.engine).get_table_names()


def run(*command):
    done = app.test_cli_runner().invoke(FlaskGroup(create_app=lambda: app), ["db", *command])
    assert done.exit_code == 0, done.output


with TemporaryDirectory() as directory:
    os.chdir(directory)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{directory}/shop.db"
    run("init")
    run("migrate", "-m", "notes")
    run("upgrade")
    assert "note" in tables()
    assert app.test_client().get("/milk").text == "1"
    run("downgrade")
    assert "note" not in tables()
    with app.app_context():
        upgrade()
        assert Note.query.count() == 0
        db.engine.dispose()
    os.chdir("/")
