"""Basic, Digest, token and combined authentication."""

from base64 import b64encode
from hashlib import md5
from re import findall

from flask import Flask, g
from flask_httpauth import HTTPBasicAuth, HTTPDigestAuth, HTTPTokenAuth, MultiAuth

app = Flask("shop")
app.secret_key = "key"
basic, digest, token = HTTPBasicAuth(), HTTPDigestAuth(), HTTPTokenAuth()
either = MultiAuth(basic, token)
digest.get_password(lambda name: {"ada": "secret"}.get(name))


@basic.verify_password
def verify_password(name, password):
    g.by = "basic"
    return name if (name, password) == ("ada", "secret") else None


@token.verify_token
def verify_token(value):
    g.by = "token"
    return "bob" if value == "t0ken" else None


@basic.get_user_roles
def roles(user):
    return ["writer"]


@app.route("/basic")
@basic.login_required(role="writer")
def with_basic():
    return basic.current_user()


@app.route("/admin")
@basic.login_required(role="admin")
def admin():
    return "never"


@app.route("/digest")
@digest.login_required
def with_digest():
    return digest.username()


@app.route("/either")
@either.login_required
def with_either():
    return f"{either.current_user()} {g.by}"


client = app.test_client()
password = {"Authorization": "Basic " + b64encode(b"ada:secret").decode()}
bearer = {"Authorization": "Bearer t0ken"}
assert client.get("/basic").status_code == 401
assert client.get("/basic", headers={"Authorization": "Basic " + b64encode(b"ada:wrong").decode()}).status_code == 401
assert client.get("/basic", headers=password).text == "ada"
assert client.get("/admin", headers=password).status_code == 403
assert client.get("/either", headers=password).text == "ada basic"
assert client.get("/either", headers=bearer).text == "bob token"
assert client.get("/either", headers={"Authorization": "Bearer wrong"}).status_code == 401

refused = client.get("/digest")
assert refused.status_code == 401
fields = dict(findall(r'(\w+)="([^"]*)"', refused.headers["WWW-Authenticate"]))


def hashed(*parts):
    return md5(":".join(parts).encode()).hexdigest()


key = hashed("ada", fields["realm"], "secret")
fields.update(username="ada", uri="/digest", nc="1", cnonce="c", qop="auth")
parts = (fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], hashed("GET", "/digest"))
fields["response"] = hashed(key, *parts)
header = "Digest " + ", ".join(f'{name}="{value}"' for name, value in fields.items())
assert client.get("/digest", headers={"Authorization": header}).text == "ada"
assert client.get("/digest", headers={"Authorization": header.replace(fields["response"], "0")}).status_code == 401
