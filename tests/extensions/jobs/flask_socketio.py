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
# Flask-SocketIO reads a cookie jar, which schlenk's own test client does not have.
ada = socketio.test_client(app, flask_test_client=web if hasattr(web, "cookie_jar") else None)
bob = socketio.test_client(app)
start = 10 if hasattr(web, "cookie_jar") else 0
ada.emit("add", {"n": 2})
ada.emit("add", {"n": 3})
bob.emit("add", {"n": 7})
received = [message["args"][0] for message in ada.get_received()]
assert received == [{"total": start + 2, "event": "add"}, {"total": start + 5, "event": "add"}]
assert [message["args"][0]["total"] for message in bob.get_received()] == [7]
ada.emit("enter", "kitchen")
bob.emit("enter", "kitchen")
assert [message["name"] for message in ada.get_received()] == ["entered", "entered"]
ada.emit("fail", 0)
assert [message["name"] for message in ada.get_received()] == ["failed"]
ada.disconnect()
bob.disconnect()
