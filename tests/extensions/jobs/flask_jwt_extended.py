"""Log in for tokens in headers and cookies, read claims and the user, refresh and revoke a token."""

from flask import Flask, jsonify, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    current_user,
    fresh_jwt_required,
    get_jwt_claims,
    get_jwt_identity,
    get_raw_jwt,
    jwt_optional,
    jwt_refresh_token_required,
    jwt_required,
    set_access_cookies,
)

app = Flask("shop")
app.config.update(JWT_SECRET_KEY="key" * 12, JWT_TOKEN_LOCATION=["headers", "cookies"], JWT_BLACKLIST_ENABLED=True)
manager = JWTManager(app)
revoked = set()


@manager.user_claims_loader
def claims(name):
    return {"role": f"role of {name}"}


@manager.user_loader_callback_loader
def load(name):
    return None if name == "eve" else {"name": name}


@manager.token_in_blacklist_loader
def is_revoked(token):
    return token["jti"] in revoked


@app.route("/login", methods=["POST"])
def login():
    name = request.json["name"]
    response = jsonify(access=create_access_token(name, fresh=True), refresh=create_refresh_token(name))
    set_access_cookies(response, create_access_token(name))
    return response


@app.route("/me")
@jwt_required
def me():
    return jsonify(get_jwt_identity(), get_jwt_claims()["role"], current_user["name"])


@app.route("/anybody")
@jwt_optional
def anybody():
    return jsonify(get_jwt_identity())


@app.route("/fresh")
@fresh_jwt_required
def fresh():
    return "fresh"


@app.route("/refresh", methods=["POST"])
@jwt_refresh_token_required
def refresh():
    return jsonify(create_access_token(get_jwt_identity()))


@app.route("/logout", methods=["POST"])
@jwt_required
def logout():
    revoked.add(get_raw_jwt()["jti"])
    return "revoked"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


client = app.test_client(use_cookies=False)
tokens = client.post("/login", json={"name": "ada"}).json
access = bearer(tokens["access"])
assert client.get("/me", headers=access).json == ["ada", "role of ada", "ada"]
assert client.get("/me").status_code == 401
assert client.get("/me", headers=bearer("a.b.c")).status_code == 422
assert client.get("/anybody").json is None
assert client.get("/anybody", headers=access).json == "ada"
assert client.get("/fresh", headers=access).text == "fresh"
refreshed = client.post("/refresh", headers=bearer(tokens["refresh"])).json
assert client.get("/fresh", headers=bearer(refreshed)).status_code == 401
assert client.post("/logout", headers=access).text == "revoked"
assert client.get("/me", headers=access).status_code == 401
unknown = client.post("/login", json={"name": "eve"}).json
assert client.get("/me", headers=bearer(unknown["access"])).status_code == 401
browser = app.test_client()
browser.post("/login", json={"name": "bob"})
assert browser.get("/me").json[0] == "bob"
