"""Two clients send events to handlers that read the session and the request, and to a handler that fails."""

from flask import Flask, request, session
from flask_socketio import SocketIO, emit, join_room

app = Flask("shop")
app.secret_key = "key"
socketio = SocketIO(app, async_mode="threading")


@app.route("/")
def index():
    session["total"] = 10
    return "index"


@socketio.on("add")
def add(data):
    session["total"] = session.get("total", 0) + data["n"]
    emit("total", {"total": session["total"], "event": request.event["message"]})


@socketio.on("enter")
def enter(room):
    join_room(room)
    emit("entered", request.sid, room=room)


@socketio.on("fail")
def fail(data):
    return 1 / data


@socketio.on_error()
def failed(error):
    emit("failed", type(error).__name__)


web = app.test_client()
web.get("/")
ada = socketio.test_client(app, flask_test_client=web)
bob = socketio.test_client(app)
ada.emit("add", {"n": 2})
ada.emit("add", {"n": 3})
bob.emit("add", {"n": 7})
received = [message["args"][0] for message in ada.get_received()]
assert received == [{"total": 12, "event": "add"}, {"total": 15, "event": "add"}]
assert [message["args"][0]["total"] for message in bob.get_received()] == [7]
ada.emit("enter", "kitchen")
bob.emit("enter", "kitchen")
assert [message["name"] for message in ada.get_received()] == ["entered", "entered"]
ada.emit("fail", 0)
assert [message["name"] for message in ada.get_received()] == ["failed"]
ada.disconnect()
bob.disconnect()
