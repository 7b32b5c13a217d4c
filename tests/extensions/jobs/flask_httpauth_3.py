"""Basic, Digest, token and combined authentication."""

from hashlib import md5
from re import findall

from flask import Flask
from flask_httpauth import HTTPBasicAuth, HTTPDigestAuth, HTTPTokenAuth, MultiAuth

app = Flask("shop")
app.secret_key = "key"
basic, digest, token = HTTPBasicAuth(), HTTPDigestAuth(), HTTPTokenAuth("Bearer")
either = MultiAuth(basic, token)
for auth in (basic, digest):
    auth.get_password(lambda name: {"ada": "secret"}.get(name))
token.verify_token(lambda value: value == "t0ken")


@app.route("/basic")
@basic.login_required
def with_basic():
    return basic.username()


@app.route("/digest")
@digest.login_required
def with_digest():
    return digest.username()


@app.route("/token")
@token.login_required
def with_token():
    return "token"


@app.route("/either")
@either.login_required
def with_either():
    return "either"


client = app.test_client()
bearer = {"Authorization": "Bearer t0ken"}
assert client.get("/basic").status_code == 401
assert client.get("/basic", headers=bearer).status_code == 401
assert client.get("/basic", auth=("ada", "wrong")).status_code == 401
assert client.get("/basic", auth=("ada", "secret")).text == "ada"
assert client.get("/token", headers=bearer).text == "token"
assert client.get("/token", headers={"Authorization": "Bearer wrong"}).status_code == 401
assert client.get("/token").status_code == 401
assert client.get("/either", auth=("ada", "secret")).text == "either"
assert client.get("/either", headers=bearer).text == "either"

refused = client.get("/digest")
assert refused.status_code == 401
fields = dict(findall(r'(\w+)="([^"]*)"', refused.headers["WWW-Authenticate"]))


def hashed(*parts):
    return md5(":".join(parts).encode()).hexdigest()


key = hashed("ada", fields["realm"], "secret")
fields.update(username="ada", uri="/digest")
fields["response"] = hashed(key, fields["nonce"], hashed("GET", "/digest"))
header = "Digest " + ", ".join(f'{name}="{value}"' for name, value in fields.items())
assert client.get("/digest", headers={"Authorization": header}).text == "ada"
