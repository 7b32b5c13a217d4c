"""Log in, add a row to a model in its pages and with its API, open a page of its own, and download a file."""

import tempfile
from pathlib import Path

from flask import Flask
from flask_appbuilder import SQLA, AppBuilder, BaseView, Model, ModelView, expose, has_access
from flask_appbuilder.api import ModelRestApi
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import Column, Integer, String

uploads = Path(tempfile.mkdtemp())
app = Flask("shop")
app.config.update(
    SECRET_KEY="key" * 12,
    SQLALCHEMY_DATABASE_URI="sqlite://",
    SQLALCHEMY_TRACK_MODIFICATIONS=False,
    UPLOAD_FOLDER=f"{uploads}/",
    WTF_CSRF_ENABLED=False,
)
db = SQLA(app)


class Book(Model):
    id = Column(Integer, primary_key=True)
    title = Column(String(50), nullable=False)


class BookView(ModelView):
    datamodel = SQLAInterface(Book)
    list_columns = ["title"]


class BookApi(ModelRestApi):
    datamodel = SQLAInterface(Book)
    resource_name = "book"


class Hello(BaseView):
    default_view = "hello"

    @expose("/hello")
    @has_access
    def hello(self):
        return "hello"


with app.app_context():
    builder = AppBuilder(app, db.session)
    db.create_all()
    builder.add_view(BookView, "Books")
    builder.add_api(BookApi)
    builder.add_view(Hello, "Hello")
    builder.sm.add_user("ada", "Ada", "L", "ada@example.com", builder.sm.find_role("Admin"), password="engine")

client = app.test_client()
assert client.get("/bookview/list/").status_code == 302
assert "<form" in client.get("/login/").text
assert client.post("/login/", data={"username": "ada", "password": "engine"}).status_code == 302
assert client.post("/bookview/add", data={"title": "<Notes>"}).status_code == 302
assert "&lt;Notes&gt;" in client.get("/bookview/list/").text
assert client.get("/hello/hello").text == "hello"
(uploads / "1_sep_a.txt").write_text("a")
downloaded = client.get("/bookview/download/1_sep_a.txt")
assert downloaded.text == "a"
assert "filename=a.txt" in downloaded.headers["Content-Disposition"]
assert client.get("/logout/").status_code == 302
assert client.get("/bookview/list/").status_code == 302

other = app.test_client()
assert other.get("/api/v1/book/").status_code == 401
given = other.post("/api/v1/security/login", json={"username": "ada", "password": "engine", "provider": "db"}).json
headers = {"Authorization": f"Bearer {given['access_token']}"}
assert other.post("/api/v1/book/", json={"title": "Engines"}, headers=headers).status_code == 201
assert other.get("/api/v1/book/", headers=headers).json["count"] == 2
