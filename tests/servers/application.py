"""The application that is served. Its responses say what each proxy showed at each place of a request.

A request carries one token in its query, a header, a cookie and its body; whoever sent it knows what the answer has to
be, to the letter. Contexts are entered in the journal when they are there and crossed off when they are torn down.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from werkzeug.wsgi import ClosingIterator

from schlenk import (
    Flask,
    Response,
    _app_ctx_stack,
    _request_ctx_stack,
    copy_current_request_context,
    current_app,
    g,
    json,
    request,
    session,
    stream_with_context,
)
from tests.servers.journal import Journal

try:
    from greenlet import getcurrent, greenlet
except ImportError:
    greenlet = None

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

app = Flask("checked")
app.secret_key = os.environ["SECRET_KEY"]
other = Flask("other")
journal = Journal(os.environ["JOURNAL"], (_request_ctx_stack, _app_ctx_stack))

if os.environ.get("EVERYBODY_IS_THE_SAME"):
    # The mistake that these tests must find.
    _request_ctx_stack.__ident_func__ = _app_ctx_stack.__ident_func__ = lambda: "everybody"

# If gevent serves without having patched Python, only its own sleep lets another request run.
let_others_run = partial(sys.modules["gevent"].sleep if "gevent" in sys.modules else time.sleep, 0.001)


def begin(kind: str) -> None:
    journal.begin(kind, _request_ctx_stack.top)
    journal.begin("application", _app_ctx_stack.top)


@app.teardown_request
def end_request(error: BaseException | None) -> None:
    journal.end(_request_ctx_stack.top)


@app.teardown_appcontext
@other.teardown_appcontext
def end_application(error: BaseException | None) -> None:
    journal.end(_app_ctx_stack.top)


@app.before_request
def welcome() -> None:
    begin("request")
    g.token = request.headers["X-Token"]
    session.setdefault("client", request.args["client"])
    session["visits"] = session.get("visits", 0) + 1


def look(place: str) -> dict[str, Any]:
    """Return what each proxy shows here, and the depth of both stacks."""
    return {
        "place": place,
        "query": request.args["token"],
        "header": request.headers["X-Token"],
        "cookie": request.cookies["token"],
        "body": request.get_data(as_text=True),
        "session": [session.get("client"), session.get("visits")],
        "g": g.get("token"),
        "app": current_app.name,
        "depths": [len(stack._local.stack) for stack in (_request_ctx_stack, _app_ctx_stack)],
    }


def look_twice(place: str, let_others_run: Callable[[], Any]) -> list[dict[str, Any]]:
    """Return what is seen in a copy of the request's context, which has its own ``g``."""
    begin("copy")
    before = look(place)
    g.token = place
    let_others_run()
    return [before, look(f"{place}, later")]


def in_thread() -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    work = copy_current_request_context(look_twice)
    thread = threading.Thread(target=lambda: seen.extend(work("thread", partial(time.sleep, 0))))
    thread.start()
    thread.join()
    return seen


def in_greenlet() -> list[dict[str, Any]]:
    aside = greenlet(copy_current_request_context(look_twice))
    aside.switch("greenlet", getcurrent().switch)
    meanwhile = look("view, while the greenlet waits")
    return [meanwhile, *aside.switch()]


@app.route("/view", methods=["POST"])
def view() -> Any:
    seen = [look("view")]
    let_others_run()
    seen.append(look("view, after others ran"))
    with other.app_context():
        journal.begin("application", _app_ctx_stack.top)
        let_others_run()
        seen.append(look("inside another application"))
    nested = {"headers": {"X-Token": "nested", "Cookie": "token=nested"}, "data": "nested", "method": "POST"}
    with app.test_request_context("/view?token=nested", **nested):
        begin("nested")
        session["client"] = "nested"
        let_others_run()
        seen.append(look("inside another request"))
    seen += in_thread()
    if greenlet is not None:
        seen += in_greenlet()
    return json.dumps([*seen, look("view, at its end")])


@app.route("/stream", methods=["POST"])
def stream() -> Response:
    def lines() -> Iterator[str]:
        try:
            for number in range(int(request.args["lines"])):
                yield json.dumps(look(f"line {number}")) + "\n"
                let_others_run()
        except GeneratorExit:
            journal.write("cut")
            raise

    return Response(stream_with_context(lines()), mimetype="application/x-ndjson")


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Respond like ``app``, and write to the journal when the response has been closed."""
    return ClosingIterator(app(environ, start_response), journal.rest)
