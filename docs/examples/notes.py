"""A notebook whose users log in: a blueprint, a template, and Flask-Login 0.5.0, on Flask 3.1.

Flask-Login 0.5.0 was written for the context stacks of Flask 1 and cannot be imported with Flask 3.
The first line after the docstring is all that schlenk needs. Install ``flask flask-login==0.5.0``,
run ``python docs/examples/notes.py``, and open http://127.0.0.1:5000/ to log in as ada.
"""

import schlenk; schlenk.install_under_flask()  # fmt: skip

import argparse
from collections import defaultdict
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import (  # type: ignore[import-untyped]
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)

# An example only: a real application hashes passwords and has a database.
PASSWORDS = {"ada": "engine", "grace": "compiler"}
notes: dict[str, list[str]] = defaultdict(list)

blueprint = Blueprint("notes", __name__, template_folder="templates")
manager: Any = LoginManager()
manager.login_view = "notes.log_in"


class User(UserMixin):  # type: ignore[misc]
    def __init__(self, name: str) -> None:
        self.id = name


@manager.user_loader  # type: ignore[untyped-decorator]
def load_user(name: str) -> "User | None":
    return User(name) if name in PASSWORDS else None


@blueprint.route("/", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
def index() -> ResponseReturnValue:
    if request.method == "POST":
        notes[current_user.id].append(request.form["note"])
        return redirect(url_for(".index"))
    return render_template("notes.html", notes=notes[current_user.id])


@blueprint.route("/login", methods=["GET", "POST"])
def log_in() -> ResponseReturnValue:
    name = request.form.get("name", "")
    if name in PASSWORDS and PASSWORDS[name] == request.form.get("password"):
        login_user(User(name))
        return redirect(url_for(".index"))
    return render_template("notes.html"), 401 if name else 200


@blueprint.route("/logout", methods=["POST"])
def log_out() -> ResponseReturnValue:
    logout_user()
    return redirect(url_for(".log_in"))


app = Flask(__name__)
app.secret_key = "only an example: a real one is long, random and not in the source"
app.register_blueprint(blueprint)
manager.init_app(app)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--port",
        type=int,
        default=5000,
        help="port to serve on, at 127.0.0.1 (default: %(default)s)",
    )
    app.run(port=parser.parse_args().port)
