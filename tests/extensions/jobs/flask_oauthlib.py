"""Serve OAuth 2: authorize a client, trade its code and a password for tokens, and read the user of a token."""

import os
from datetime import datetime, timedelta
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

from flask import Flask, request
from flask_oauthlib.client import OAuth
from flask_oauthlib.provider import OAuth2Provider

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
app = Flask("shop")
app.secret_key = "key"
provider = OAuth2Provider(app)
BACK = "http://localhost/back"
shop_client = SimpleNamespace(
    client_id="id",
    client_secret="secret",
    client_type="confidential",
    user=SimpleNamespace(id="ada"),
    redirect_uris=[BACK],
    default_redirect_uri=BACK,
    default_scopes=["email"],
    allowed_grant_types=["authorization_code", "password"],
)
grants = {}
tokens = {}


@provider.clientgetter
def find_client(client_id):
    return shop_client if client_id == "id" else None


@provider.grantgetter
def find_grant(client_id, code):
    return grants.get(code)


@provider.grantsetter
def keep_grant(client_id, code, request, *arguments, **named):
    grants[code["code"]] = SimpleNamespace(
        user=shop_client.user,
        redirect_uri=request.redirect_uri,
        scopes=request.scopes,
        expires=datetime.utcnow() + timedelta(hours=1),
        delete=lambda: None,
    )


@provider.tokengetter
def find_token(access_token=None, refresh_token=None):
    return tokens.get(access_token)


@provider.tokensetter
def keep_token(token, request, *arguments, **named):
    tokens[token["access_token"]] = SimpleNamespace(
        user=request.user,
        client=shop_client,
        scopes=token["scope"].split(),
        expires=datetime.utcnow() + timedelta(hours=1),
    )


@provider.usergetter
def find_user(name, password, *arguments, **named):
    return SimpleNamespace(id=name) if password == "password" else None


@app.route("/authorize", methods=["GET", "POST"])
@provider.authorize_handler
def authorize(*arguments, **named):
    return request.method == "POST"


@app.route("/token", methods=["POST"])
@provider.token_handler
def token():
    return {"more": "here"}


@app.route("/me")
@provider.require_oauth("email")
def me():
    return request.oauth.user.id


remote = OAuth(app).remote_app(
    "remote",
    consumer_key="id",
    consumer_secret="secret",
    base_url="http://localhost/",
    request_token_params={"scope": "email"},
    access_token_url="http://localhost/token",
    authorize_url="http://localhost/authorize",
)


@app.route("/login")
def login():
    return remote.authorize(callback=BACK)


client = app.test_client()
place = urlsplit(client.get("/login").headers["Location"])
assert place.path == "/authorize"
back = urlsplit(client.post(f"/authorize?{place.query}").headers["Location"])
form = {"grant_type": "authorization_code", "client_id": "id", "client_secret": "secret", "redirect_uri": BACK}
given = client.post("/token", data={**form, "code": parse_qs(back.query)["code"][0]}).json
assert given["more"] == "here"
assert client.get("/me", headers={"Authorization": f"Bearer {given['access_token']}"}).text == "ada"
assert client.get("/me").status_code == 401
form = {"grant_type": "password", "username": "bob", "password": "password", "scope": "email"}
given = client.post("/token", data=form, headers={"Authorization": "Basic aWQ6c2VjcmV0"}).json
assert client.get("/me", headers={"Authorization": f"Bearer {given['access_token']}"}).text == "bob"
assert client.post("/token", data=form).status_code == 401
