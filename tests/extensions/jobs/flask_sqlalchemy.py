"""Requests to two applications, a thread and greenlets, each with its own session, which is removed at the end."""

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import gevent
from flask import Flask
from flask_sqlalchemy import SQLAlchemy, get_debug_queries

db = SQLAlchemy()
sessions = []


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String(80))


def create_app(name, directory):
    app = Flask(name)
    app.config.update(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{Path(directory, name)}.db",
        SQLALCHEMY_TRACK_MODIFICATIONS=False,
        SQLALCHEMY_RECORD_QUERIES=True,
    )
    db.init_app(app)

    @app.route("/add/<text>")
    def add(text):
        sessions.append(db.session())
        db.session.add(Note(text=text))
        db.session.commit()
        return str(len(get_debug_queries()))

    @app.route("/forget/<text>")
    def forget(text):
        db.session.add(Note(text=text))
        db.session.flush()
        return str(Note.query.count())

    @app.route("/")
    def index():
        return " ".join(note.text for note in Note.query.order_by(Note.id).paginate(per_page=5).items)

    @app.route("/<int:number>")
    def show(number):
        return Note.query.get_or_404(number).text

    with app.app_context():
        db.create_all()
    return app


with TemporaryDirectory() as directory:
    shop, blog = create_app("shop", directory), create_app("blog", directory)
    client = shop.test_client()
    assert client.get("/add/one").text == "1"
    assert client.get("/add/two").status_code == 200
    assert sessions[0] is not sessions[1]
    assert client.get("/forget/three").text == "3"
    assert client.get("/").text == "one two"
    assert client.get("/1").text == "one"
    assert client.get("/9").status_code == 404
    assert blog.test_client().get("/").text == ""

    with shop.app_context():
        mine, others = db.session(), []

        def in_a_thread():
            with blog.app_context():
                others.append(db.session())
                db.session.add(Note(text="four"))
                db.session.commit()

        thread = Thread(target=in_a_thread)
        thread.start()
        thread.join()
        assert others[0] is not mine
        assert db.session() is mine
        assert Note.query.count() == 2
    assert blog.test_client().get("/").text == "four"

    with shop.app_context():
        # gevent copies the contextvars context, which holds the stacks under Flask.
        outer = db.session()

        def in_a_greenlet(app):
            with app.app_context():
                own = db.session()
                gevent.sleep()  # switches to the other greenlet
                assert db.session() is own
                return own, Note.query.count()

        greenlets = [gevent.spawn(in_a_greenlet, app) for app in (shop, blog)]
        (one, notes), (two, others) = (greenlet.get() for greenlet in greenlets)
        assert len({outer, one, two}) == 3
        assert notes == 2
        assert others == 1
        assert db.session() is outer
    assert not db.session.registry.registry, "a session was not removed"
    for app in (shop, blog):
        db.get_engine(app).dispose()
