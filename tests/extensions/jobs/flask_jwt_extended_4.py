"""Log in for tokens in headers, cookies and JSON, read claims and the user, refresh and revoke a token."""

from flask import Flask, jsonify
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    current_user,
    get_jwt,
    get_jwt_identity,
    jwt_required,
    set_access_cookies,
)

app = Flask("shop")
app.config.update(JWT_SECRET_KEY="key" * 12, JWT_TOKEN_LOCATION=["headers", "cookies", "json"])
manager = JWTManager(app)
revoked = set()


@manager.user_lookup_loader
def load(header, claims):
    return {"name": claims["sub"]}


@manager.token_in_blocklist_loader
def is_revoked(header, claims):
    return claims["jti"] in revoked


@app.route("/login", methods=["POST"])
def login():
    access = create_access_token("ada", fresh=True, additional_claims={"role": "writer"})
    response = jsonify(access=access, refresh=create_refresh_token("ada"))
    set_access_cookies(response, access)
    return response


@app.route("/me", methods=["GET", "POST"])
@jwt_required()
def me():
    return jsonify(current_user["name"], get_jwt()["role"])


@app.route("/anybody")
@jwt_required(optional=True)
def anybody():
    return jsonify(get_jwt_identity())


@app.route("/refresh", methods=["POST"])
@jwt_required(refresh=True)
def refresh():
    return jsonify(create_access_token(get_jwt_identity(), additional_claims={"role": "reader"}))


@app.route("/logout", methods=["POST"])
@jwt_required(locations=["headers"])
def logout():
    revoked.add(get_jwt()["jti"])
    return "revoked"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


browser = app.test_client()
tokens = browser.post("/login").json
client = app.test_client()
access = bearer(tokens["access"])
assert client.get("/me").status_code == 401
assert client.get("/me", headers=access).json == ["ada", "writer"]
assert client.get("/me", headers=bearer("a.b.c")).status_code == 422
assert client.post("/me", json={"access_token": tokens["access"]}).json == ["ada", "writer"]
assert browser.get("/me").json == ["ada", "writer"]
# A cookie alone is not enough for a method that changes something.
assert browser.post("/me").status_code == 401
assert client.get("/anybody").json is None
assert client.get("/anybody", headers=access).json == "ada"
refreshed = client.post("/refresh", headers=bearer(tokens["refresh"])).json
assert client.get("/me", headers=bearer(refreshed)).json == ["ada", "reader"]
assert client.post("/logout", headers=access).text == "revoked"
assert client.get("/me", headers=access).status_code == 401
