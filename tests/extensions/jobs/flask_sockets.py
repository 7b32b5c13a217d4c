"""Pass the WebSockets of a server, here a stand-in, to the views of an application and of a blueprint."""

from flask import Blueprint, Flask, request
from flask_sockets import Sockets
from werkzeug.test import create_environ

app = Flask("shop")
sockets = Sockets(app)
shelf = Blueprint("shelf", __name__)


@sockets.route("/echo")
def echo(socket):
    socket.append(request.path)


@shelf.route("/full")
def full(socket):
    socket.append(request.url_rule)
    socket.append("full")


@app.route("/")
def index():
    return "not a socket"


def received(path):
    socket = []
    environ = create_environ(path, environ_overrides={"wsgi.websocket": socket})
    assert list(app.wsgi_app(environ, print)) == []
    return socket


sockets.register_blueprint(shelf, url_prefix="/shelf")
assert received("/echo") == ["/echo"]
assert received("/shelf/full")[-1] == "full"
assert app.test_client().get("/").text == "not a socket"
