"""Begin to log in with GitHub, return with a refusal, and use a token from the session."""

from flask import Flask, redirect, url_for
from flask_dance.contrib.github import github, make_github_blueprint

app = Flask("shop")
app.secret_key = "key"
app.register_blueprint(make_github_blueprint(client_id="id", client_secret="secret"), url_prefix="/login")


@app.route("/")
def index():
    return github.access_token if github.authorized else redirect(url_for("github.login"))


client = app.test_client()
assert client.get("/").headers["Location"].endswith("/login/github")
sent = client.get("/login/github").headers["Location"]
assert sent.startswith("https://github.com/login/oauth/authorize?")
assert "client_id=id" in sent
with client.session_transaction() as session:
    state = session["github_oauth_state"]
assert client.get(f"/login/github/authorized?error=denied&state={state}").status_code == 302
with client.session_transaction() as session:
    session["github_oauth_token"] = {"access_token": "token", "token_type": "bearer"}
assert client.get("/").text == "token"
