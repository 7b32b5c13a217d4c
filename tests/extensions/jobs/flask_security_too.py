"""Register, log in with the page and with JSON, change the password, check a role and a token, and log out."""

from flask import Flask, render_template_string
from flask_security import (
    RoleMixin,
    Security,
    SQLAlchemyUserDatastore,
    UserMixin,
    auth_required,
    hash_password,
    login_required,
    roles_required,
)
from flask_sqlalchemy import SQLAlchemy

app = Flask("shop")
app.config.update(
    SECRET_KEY="key",
    SECURITY_CHANGEABLE=True,
    SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
    SECURITY_PASSWORD_HASH="pbkdf2_sha512",
    SECURITY_PASSWORD_SALT="salt",
    SECURITY_REGISTERABLE=True,
    SECURITY_SEND_PASSWORD_CHANGE_EMAIL=False,
    SECURITY_SEND_REGISTER_EMAIL=False,
    SQLALCHEMY_DATABASE_URI="sqlite://",
    SQLALCHEMY_TRACK_MODIFICATIONS=False,
    WTF_CSRF_ENABLED=False,
)
db = SQLAlchemy(app)
roles_of_users = db.Table(
    "roles_of_users",
    db.Column("user_id", db.ForeignKey("user.id")),
    db.Column("role_id", db.ForeignKey("role.id")),
)


class Role(db.Model, RoleMixin):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80))
    permissions = db.Column(db.String(80))


class User(db.Model, UserMixin):
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(255))
    password = db.Column(db.String(255))
    active = db.Column(db.Boolean)
    fs_uniquifier = db.Column(db.String(64))
    roles = db.relationship("Role", secondary=roles_of_users)


users = SQLAlchemyUserDatastore(db, User, Role)
Security(app, users)


@app.before_first_request
def create():
    db.create_all()
    role = users.create_role(name="admin")
    users.create_user(email="ada@example.com", password=hash_password("analytical"), roles=[role])
    db.session.commit()


@app.route("/me")
@login_required
def me():
    return render_template_string("{{ current_user.email }}")


@app.route("/admin")
@auth_required("token", "session")
@roles_required("admin")
def admin():
    return "admin"


client = app.test_client()
assert client.get("/me").status_code == 302
assert "password" in client.get("/login").text
wrong = client.post("/login", data={"email": "ada@example.com", "password": "difference"})
assert "Invalid password" in wrong.text
assert client.post("/login", data={"email": "ada@example.com", "password": "analytical"}).status_code == 302
assert client.get("/me").text == "ada@example.com"
assert client.get("/admin").text == "admin"
form = {"password": "analytical", "new_password": "difference", "new_password_confirm": "difference"}
assert client.post("/change", data=form).status_code == 302
assert client.get("/logout").status_code == 302
assert client.get("/me").status_code == 302

entered = app.test_client().post(
    "/login?include_auth_token", json={"email": "ada@example.com", "password": "difference"}
)
headers = {"Authentication-Token": entered.json["response"]["user"]["authentication_token"]}
assert app.test_client().get("/admin", headers=headers).text == "admin"
assert app.test_client().get("/admin").status_code == 302

other = app.test_client()
form = {"email": "eve@example.com", "password": "difference", "password_confirm": "difference"}
assert other.post("/register", data=form).status_code == 302
assert other.get("/me").text == "eve@example.com"
assert other.get("/admin", headers={"Accept": "application/json"}).status_code == 403
