"""Register, log out and log in again with the pages of the extension."""

from flask import Flask, render_template_string
from flask_sqlalchemy import SQLAlchemy
from flask_user import UserManager, UserMixin, login_required

app = Flask("shop")
app.config.update(
    SECRET_KEY="key of at least thirty-two characters",
    SQLALCHEMY_DATABASE_URI="sqlite://",
    SQLALCHEMY_TRACK_MODIFICATIONS=False,
    USER_APP_NAME="shop",
    USER_ENABLE_EMAIL=False,
    USER_ENABLE_USERNAME=True,
    USER_REQUIRE_RETYPE_PASSWORD=False,
    WTF_CSRF_ENABLED=False,
)
db = SQLAlchemy(app)


class User(db.Model, UserMixin):
    id = db.Column(db.Integer, primary_key=True)
    active = db.Column(db.Boolean, nullable=False, server_default="1")
    username = db.Column(db.String(100), nullable=False, unique=True)
    password = db.Column(db.String(255), nullable=False)


with app.app_context():
    db.create_all()
UserManager(app, db, User)


@app.route("/")
def index():
    return "index"


@app.route("/me")
@login_required
def me():
    return render_template_string("{{ current_user.username }}")


client = app.test_client()
form = {"username": "ada", "password": "Password1"}
assert client.get("/me").status_code == 302
assert "password" in client.get("/user/sign-in").text
assert client.post("/user/register", data=form).status_code == 302
client.get("/user/sign-out")
assert client.get("/me").status_code == 302
assert client.post("/user/sign-in", data=form).status_code == 302
assert client.get("/me").text == "ada"
