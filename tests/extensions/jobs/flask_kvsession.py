"""Count in a session whose identifier is in a signed cookie, renew the identifier, and delete the session."""

from flask import Flask, session
from flask_kvsession import KVSessionExtension
from simplekv.memory import DictStore

app = Flask("shop")
app.secret_key = "key"
app.config["PROPAGATE_EXCEPTIONS"] = True
store = DictStore()
KVSessionExtension(store, app)


@app.route("/")
def index():
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


@app.route("/renew")
def renew():
    session.regenerate()
    return "renewed"


@app.route("/delete")
def delete():
    session.destroy()
    return "deleted"


client = app.test_client()
assert client.get("/").text == "1"
assert client.get("/").text == "2"
(first,) = store.d
client.get("/renew")
(second,) = store.d
assert first != second
assert client.get("/").text == "3"
client.get("/delete")
assert not store.d
assert client.get("/").text == "1"
