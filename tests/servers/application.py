"""The application that is served. Its responses list what each proxy showed at each place of a request.

A request carries one token in its query, a header, a cookie and its body, so its client knows the exact response. The
journal records when contexts are first seen and when they are torn down.

If the variable ``UNDER_FLASK`` is set, the application is one of Flask itself. Its view is then asynchronous, and its
asyncio tasks push contexts in copies of the view's context. Under gevent, which cannot run asyncio, greenlets do.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from werkzeug.wsgi import ClosingIterator

import schlenk

UNDER_FLASK = bool(os.environ.get("UNDER_FLASK"))
if UNDER_FLASK:
    schlenk.install_under_flask()
else:
    schlenk.install_as_flask()

from flask import (  # noqa: E402
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

from tests.servers.journal import Journal  # noqa: E402

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
    # A bug that the tests must detect.
    _request_ctx_stack.__ident_func__ = _app_ctx_stack.__ident_func__ = lambda: "everybody"

gevent = sys.modules.get("gevent")
# If gevent has not patched Python, only its own sleep lets another request run.
let_others_run = partial(gevent.sleep if gevent else time.sleep, 0.001)


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
    """Return what the proxies show in a copy of the request's context, which has its own ``g``."""
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


def steps(place: str, seen: list[dict[str, Any]]) -> Iterator[None]:
    """Push a context in a copy of the request's context. Each ``yield`` lets other requests run."""
    seen.append(look(place))
    yield
    with other.app_context():
        journal.begin("application", _app_ctx_stack.top)
        yield
        seen.append(look(f"{place}, inside another application"))
        yield
    seen.append(look(f"{place}, later"))


async def as_task(steps: Iterator[None]) -> None:
    for _ in steps:
        await asyncio.sleep(0)


def as_greenlet(steps: Iterator[None]) -> None:
    for _ in steps:
        gevent.sleep(0)


def look_around() -> list[dict[str, Any]]:
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
    return seen


if not UNDER_FLASK:

    @app.route("/view", methods=["POST"])
    def view() -> Any:
        return json.dumps([*look_around(), look("view, at its end")])

elif gevent:

    @app.route("/view", methods=["POST"])
    def view() -> Any:
        seen, copies = look_around(), ([], [])
        spawned = [
            gevent.spawn(copy_context().run, as_greenlet, steps(f"copy {n}", copy)) for n, copy in enumerate(copies)
        ]
        gevent.joinall(spawned, raise_error=True)
        return json.dumps([*seen, *copies[0], *copies[1], look("view, at its end")])

else:

    @app.route("/view", methods=["POST"])
    async def view() -> Any:
        seen, copies = look_around(), ([], [])
        await asyncio.gather(*(as_task(steps(f"copy {n}", copy)) for n, copy in enumerate(copies)))
        return json.dumps([*seen, *copies[0], *copies[1], look("view, at its end")])


@app.route("/stream", methods=["POST"])
def stream() -> Response:
    def lines() -> Iterator[str]:
        # Flask tears down the contexts at the end of the request, and again at the end of the stream.
        begin("stream")
        try:
            for number in range(int(request.args["lines"])):
                yield json.dumps(look(f"line {number}")) + "\n"
                let_others_run()
        except GeneratorExit:
            journal.write("cut")
            raise

    return Response(stream_with_context(lines()), mimetype="application/x-ndjson")


def write_when_closed(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Wrap ``application`` so that it writes to the journal when its response has been closed."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return ClosingIterator(application(environ, start_response), journal.rest)

    return wrapped


app.wsgi_app = write_when_closed(app.wsgi_app)
application = app
