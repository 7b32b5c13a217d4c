"""Greets, and counts how often it has: every name that is global here belongs to one request.

Run it with ``python docs/examples/hello.py`` and open http://127.0.0.1:5000/?name=Ada more than once.
"""

from __future__ import annotations

import argparse
import time

from schlenk import Flask, Response, current_app, g, request, session

app = Flask("hello")
app.secret_key = "only an example: a real one is long, random and not in the source"


@app.before_request
def start_clock() -> None:
    g.started = time.perf_counter()


@app.after_request
def stop_clock(response: Response) -> Response:
    response.headers["X-Elapsed-Milliseconds"] = (
        f"{(time.perf_counter() - g.started) * 1000:.3f}"
    )
    return response


@app.route("/")
def hello() -> str:
    session["visits"] = session.get("visits", 0) + 1
    name = request.args.get("name", "World")
    return f"Hello, {name}! This is {current_app.name}, and your visit number {session['visits']}.\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--port",
        type=int,
        default=5000,
        help="port to serve on, at 127.0.0.1 (default: %(default)s)",
    )
    app.run(port=parser.parse_args().port)
