"""Show the page to log in, and try to log in at a server that does not answer."""

import tempfile

from flask import Flask, request
from flask_openid import OpenID

app = Flask("shop")
app.secret_key = "key"
openid = OpenID(app, tempfile.mkdtemp(), safe_roots=[])


@app.route("/login", methods=["GET", "POST"])
@openid.loginhandler
def login():
    if request.method == "POST":
        return openid.try_login(request.form["server"], ask_for=["email"])
    return f"{openid.get_next_url()} {openid.fetch_error()}"


client = app.test_client()
assert client.get("/login?next=/me").text.endswith(" None")
refused = client.post("/login", data={"server": "http://127.0.0.1:9/"})
assert refused.status_code == 302
assert not client.get("/login").text.endswith(" None")
