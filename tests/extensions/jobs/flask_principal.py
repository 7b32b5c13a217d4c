"""Set the identity at login, load its roles, and allow or refuse by role."""

from flask import Flask, abort, current_app
from flask_principal import (
    AnonymousIdentity,
    Identity,
    Permission,
    PermissionDenied,
    Principal,
    RoleNeed,
    identity_changed,
    identity_loaded,
)

app = Flask("shop")
app.secret_key = "key"
Principal(app)
writer = Permission(RoleNeed("writer"))


@identity_loaded.connect_via(app)
def load_roles(sender, identity):
    if identity.id == "ada":
        identity.provides.add(RoleNeed("writer"))


@app.route("/login/<name>")
def login(name):
    identity_changed.send(current_app._get_current_object(), identity=Identity(name))
    return name


@app.route("/logout")
def logout():
    identity_changed.send(current_app._get_current_object(), identity=AnonymousIdentity())
    return "bye"


@app.route("/write")
@writer.require(403)
def write():
    return "written"


@app.route("/try")
def try_to_write():
    try:
        with writer.require():
            return "written"
    except PermissionDenied:
        abort(409)


client = app.test_client()
assert client.get("/write").status_code == 403
assert client.get("/login/ada").text == "ada"
assert client.get("/write").text == client.get("/try").text == "written"
assert app.test_client().get("/try").status_code == 409
assert client.get("/login/bob").text == "bob"
assert client.get("/write").status_code == 403
client.get("/login/ada")
client.get("/logout")
assert client.get("/write").status_code == 403
