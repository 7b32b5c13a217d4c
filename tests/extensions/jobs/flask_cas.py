"""Log in with a ticket that the server confirms, and log out."""

import flask_cas
import flask_cas.routing
from flask import Flask

app = Flask("shop")
app.secret_key = "key"
app.config.update(CAS_SERVER="https://cas.example", CAS_AFTER_LOGIN="me")
cas = flask_cas.CAS(app, "/cas")


class Confirmation:
    def __init__(self, url):
        assert "ticket=5" in url

    def read(self):
        return (
            b"<cas:serviceResponse xmlns:cas='x'><cas:authenticationSuccess><cas:user>ada</cas:user>"
            b"</cas:authenticationSuccess></cas:serviceResponse>"
        )


flask_cas.routing.urlopen = Confirmation


@app.route("/me")
@flask_cas.login_required
def me():
    return cas.username


client = app.test_client()
assert client.get("/me").status_code == 302
assert client.get("/cas/login/").headers["Location"].startswith("https://cas.example/cas")
assert client.get("/cas/login/?ticket=5").status_code == 302
assert client.get("/me").text == "ada"
client.get("/cas/logout/")
assert client.get("/me").status_code == 302
