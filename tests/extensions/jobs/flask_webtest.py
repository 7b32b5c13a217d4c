"""Submit a form, read the session and the flashed messages of the answer, and change the session."""

from flask import Flask, flash, redirect, render_template_string, request, session
from flask_sqlalchemy import SQLAlchemy
from flask_webtest import SessionScope, TestApp, get_scopefunc

app = Flask("shop")
app.config.update(SECRET_KEY="key", SQLALCHEMY_DATABASE_URI="sqlite://", SQLALCHEMY_TRACK_MODIFICATIONS=False)
db = SQLAlchemy(app, session_options={"scopefunc": get_scopefunc()})


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String)


@app.route("/", methods=["GET", "POST"])
def index():
    if request.method == "POST":
        db.session.add(Note(text=request.form["text"]))
        db.session.commit()
        session["saved"] = 1
        flash("saved", "info")
        return redirect("/")
    return render_template_string("<form method=post><input name=text></form>{{ n }}", n=Note.query.count())


with app.app_context():
    db.create_all()
    client = TestApp(app, db=db, use_session_scopes=True)
    page = client.get("/")
    assert page.context["n"] == 0
    page.form["text"] = "milk"
    saved = page.form.submit()
    assert saved.flashes == [("info", "saved")]
    assert saved.session["saved"] == 1
    assert saved.follow().context["n"] == 1
    with client.session_transaction() as kept:
        kept["saved"] = 9
    assert client.get("/").session["saved"] == 9
    with SessionScope(db):
        assert Note.query.one().text == "milk"
    db.session.remove()
