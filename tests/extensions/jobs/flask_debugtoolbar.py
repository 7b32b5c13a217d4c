"""Show a query, a message of the log and a redirect in the toolbar of a page."""

from flask import Flask, redirect, render_template_string, session
from flask_debugtoolbar import DebugToolbarExtension
from flask_sqlalchemy import SQLAlchemy

app = Flask("shop")
app.debug = True
app.config.update(SECRET_KEY="key", SQLALCHEMY_DATABASE_URI="sqlite://", SQLALCHEMY_TRACK_MODIFICATIONS=False)
db = SQLAlchemy(app)
DebugToolbarExtension(app)


@app.route("/")
def index():
    session["user"] = "ada"
    app.logger.warning("a message")
    db.session.execute(db.text("select 42"))
    return render_template_string("<html><body>{{ session.user }}</body></html>")


@app.route("/move")
def move():
    return redirect("/")


client = app.test_client()
page = client.get("/").text
assert page.startswith("<html><body>ada")
assert "flDebug" in page
assert "a message" in page
assert "42" in page
shown = client.get("/move")
assert shown.status_code == 200
assert "Redirect" in shown.text
assert client.get("/_debug_toolbar/static/css/toolbar.css").status_code == 200
