"""A session whose values are divided between two cookies."""

from flask import Flask, session
from flask_session_plus import Session

app = Flask("shop")
app.config.update(
    SECRET_KEY="key",
    SESSION_CONFIG=[
        {"cookie_name": "session", "session_type": "secure_cookie", "session_fields": "auto"},
        {"cookie_name": "basket", "session_type": "secure_cookie", "session_fields": ["basket"]},
    ],
)
Session(app)


@app.route("/add/<name>")
def add(name):
    session["user"] = "ada"
    session["basket"] = [*session.get("basket", ()), name]
    return " ".join([session["user"], *session["basket"]])


client = app.test_client()
response = client.get("/add/tea")
assert sorted(cookie.partition("=")[0] for cookie in response.headers.getlist("Set-Cookie")) == ["basket", "session"]
assert client.get("/add/milk").text == "ada tea milk"
assert app.test_client().get("/add/salt").text == "ada salt"
