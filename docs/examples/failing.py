"""An application whose view fails, with a function of each kind that runs nevertheless.

Trace it with ``python -m schlenk trace failing:app /cart`` in this folder.
"""

from __future__ import annotations

from schlenk import Flask, Response, g

app = Flask("failing")
app.secret_key = "only an example: a real one is long, random and not in the source"


@app.before_request
def load_user() -> None:
    g.user = "ada"


@app.after_request
def add_header(response: Response) -> Response:
    response.headers["X-User"] = g.user
    return response


@app.teardown_request
def close_file(error: BaseException | None) -> None:
    pass


@app.teardown_appcontext
def close_database(error: BaseException | None) -> None:
    pass


@app.errorhandler(404)
def not_found(error: Exception) -> tuple[str, int]:
    return "There is no such page.", 404


@app.route("/cart")
def cart() -> str:
    raise ValueError("the cart is empty")
