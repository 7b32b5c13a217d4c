"""Add, find, change, export and delete a row of a model, and open a custom page."""

from flask import Flask
from flask_admin import Admin, BaseView, expose
from flask_admin.contrib.sqla import ModelView
from flask_sqlalchemy import SQLAlchemy

app = Flask("shop")
app.config.update(SECRET_KEY="key", SQLALCHEMY_DATABASE_URI="sqlite://", SQLALCHEMY_TRACK_MODIFICATIONS=False)
db = SQLAlchemy(app)


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String(100))


class NoteView(ModelView):
    column_searchable_list = ["text"]
    column_editable_list = ["text"]
    can_export = True


class Hello(BaseView):
    @expose("/")
    def index(self):
        return self.render("admin/index.html")


with app.app_context():
    db.create_all()
admin = Admin(app, name="shop", template_mode="bootstrap3")
admin.add_view(NoteView(Note, db.session))
admin.add_view(Hello(name="hello"))

client = app.test_client()
assert client.get("/admin/").status_code == 200
assert client.get("/admin/hello/").status_code == 200
assert client.post("/admin/note/new/", data={"text": "<milk>"}).status_code == 302
assert "&lt;milk&gt;" in client.get("/admin/note/?search=milk").text
assert "&lt;milk&gt;" not in client.get("/admin/note/?search=tea").text
assert client.post("/admin/note/edit/?id=1", data={"text": "tea"}).status_code == 302
assert "tea" in client.get("/admin/note/export/csv/").text
changed = client.post("/admin/note/ajax/update/", data={"list_form_pk": "1", "text": "coffee"})
assert changed.status_code == 200
assert "coffee" in client.get("/admin/note/").text
assert client.post("/admin/note/delete/", data={"id": "1"}).status_code == 302
assert "coffee" not in client.get("/admin/note/").text
