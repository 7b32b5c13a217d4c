"""Allow and refuse by what the user of each request may do."""

from bouncer.constants import EDIT, READ
from flask import Flask, g, request
from flask_bouncer import Bouncer, can, ensure, requires, skip_authorization

app = Flask("shop")
bouncer = Bouncer(app, ensure_authorization=True)


@bouncer.authorization_method
def authorize(user, they):
    they.can(READ, "note")
    if user == "ada":
        they.can(EDIT, "note")


@bouncer.user_loader
def load_user():
    return g.user


@app.before_request
def set_user():
    g.user = request.args.get("user")


@app.route("/read")
@requires(READ, "note")
def read():
    return "may write" if can(EDIT, "note") else "may read"


@app.route("/write")
def write():
    ensure(EDIT, "note")
    return "written"


@app.route("/open")
@skip_authorization
def skipped():
    return "open"


@app.route("/forgotten")
def forgotten():
    return "never"


client = app.test_client()
assert client.get("/read?user=ada").text == "may write"
assert client.get("/read?user=bob").text == "may read"
assert client.get("/write?user=ada").text == "written"
assert client.get("/write?user=bob").status_code == 403
assert client.get("/open").text == "open"
# Bouncer raises Forbidden in an after_request function, where Flask handles it like any other error.
assert client.get("/forgotten?user=ada").status_code == 500
