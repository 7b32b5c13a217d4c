"""Two requests, each with its own session, which is removed at the end."""

from flask import Flask
from flask_sqlalchemy_session import current_session, flask_scoped_session
from sqlalchemy import Column, Integer, create_engine
from sqlalchemy.orm import declarative_base, sessionmaker
from sqlalchemy.pool import StaticPool

Base = declarative_base()


class Note(Base):
    __tablename__ = "note"
    id = Column(Integer, primary_key=True)


engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
Base.metadata.create_all(engine)
app = Flask("shop")
scoped = flask_scoped_session(sessionmaker(bind=engine), app)
sessions = []


@app.route("/add")
def add():
    sessions.append(current_session())
    assert current_session() is scoped()
    current_session.add(Note())
    current_session.commit()
    return str(current_session.query(Note).count())


@app.route("/forget")
def forget():
    current_session.add(Note())
    current_session.flush()
    return str(current_session.query(Note).count())


client = app.test_client()
assert [client.get(path).text for path in ("/add", "/forget", "/add")] == ["1", "2", "2"]
assert sessions[0] is not sessions[1]
assert not scoped.registry.registry, "a session was not removed"
