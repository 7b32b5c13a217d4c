"""Log in for a token, and read the user that it belongs to."""

from datetime import timedelta

from flask import Flask
from flask_jwt import JWT, current_identity, jwt_required


class User:
    def __init__(self, id):
        self.id = id


def authenticate(name, password):
    return User(name) if password == "password" else None


app = Flask("shop")
app.secret_key = "key" * 12
# Otherwise, a token is valid only from a later time on.
app.config["JWT_NOT_BEFORE_DELTA"] = timedelta(0)
JWT(app, authenticate, lambda payload: User(payload["identity"]))


@app.route("/me")
@jwt_required()
def me():
    return current_identity.id


client = app.test_client()
assert client.get("/me").status_code == 401
assert client.post("/auth", json={"username": "ada", "password": "wrong"}).status_code == 401
token = client.post("/auth", json={"username": "ada", "password": "password"}).json["access_token"]
assert client.get("/me", headers={"Authorization": f"JWT {token}"}).text == "ada"
assert client.get("/me", headers={"Authorization": "JWT a.b.c"}).status_code == 401
