"""Log in, read the user in a view and in a template, and log out."""

from flask import Flask, request
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user

try:
    from flask import render_template_string
except ImportError:
    render_template_string = None

app = Flask("shop")
app.secret_key = "key"
manager = LoginManager(app)
manager.login_view = "login"


class User(UserMixin):
    def __init__(self, id):
        self.id = id


manager.user_loader(User)


@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        login_user(User(request.form["name"]), remember=True)
        assert current_user.id == request.form["name"]
    return "login"


@app.route("/me")
@login_required
def me():
    if render_template_string:
        return render_template_string("{{ current_user.id }}")
    return current_user.id


@app.route("/logout")
def logout():
    logout_user()
    return "yes" if current_user.is_anonymous else "no"


client = app.test_client()
refused = client.get("/me")
assert refused.status_code == 302
assert refused.headers["Location"].endswith("/login?next=%2Fme")
entered = client.post("/login", data={"name": "ada"})
assert any(cookie.startswith("remember_token=") for cookie in entered.headers.getlist("Set-Cookie"))
assert client.get("/me").text == "ada"
client.delete_cookie("session")
assert client.get("/me").text == "ada", "the remember cookie was not read"
assert app.test_client().get("/me").status_code == 302
assert client.get("/logout").text == "yes"
assert client.get("/me").status_code == 302
