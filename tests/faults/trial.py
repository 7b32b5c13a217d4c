"""Raise a fault at one point of a request, with schlenk or with Flask 1.1.4.

``tests/faults/record.json`` holds the outcome of each fault on Flask 1.1.4, and `test_faults` compares.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, Callable, NamedTuple

from werkzeug.exceptions import Conflict
from werkzeug.routing import BaseConverter

from tests.fidelity.side import Side

try:
    from greenlet import GreenletExit
except ImportError:

    class GreenletExit(BaseException):  # type: ignore[no-redef]
        """Replaces greenlet's class, which is not an ``Exception`` either."""


class Boom(Exception):
    """An error in the application."""


class Timeout(BaseException):
    """Like gevent's timeout: it can be raised at any point and is not an ``Exception``."""


FAULTS = {
    fault.__name__: fault
    for fault in (Boom, Conflict, SystemExit, KeyboardInterrupt, GreenletExit, Timeout, GeneratorExit)
}
MODES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "raising": ({"PROPAGATE_EXCEPTIONS": True}, {}),
    "kept on errors": ({"PRESERVE_CONTEXT_ON_EXCEPTION": True}, {}),
    "kept by a client": ({}, {"flask._preserve_context": True}),
}
SIGNALS = (
    "appcontext_pushed",
    "request_started",
    "request_finished",
    "got_request_exception",
    "request_tearing_down",
    "appcontext_tearing_down",
    "appcontext_popped",
)
POINTS = (
    "create_url_adapter",
    "app_ctx_globals_class",
    "open_session",
    "match",
    "before_first_request",
    "url_value_preprocessor",
    "before_request",
    "view",
    "make_response",
    "after_this_request",
    "after_request",
    "save_session",
    "error handler",
    "start_response",
    "body",
    "close of the body",
    "stream",
    "close of the stream",
    "teardown_request",
    "close of the request",
    "teardown_appcontext",
    *SIGNALS,
)


class Cell(NamedTuple):
    """A fault to raise at a point, in a mode."""

    point: str
    fault: str
    mode: str


class Trial:
    """An application that fails once, at one point, and records its responses, teardowns, and stack depths."""

    def __init__(self, side: Side, cell: Cell) -> None:
        self.side = side
        self.cell = cell
        self.armed = True
        self.torn: list[str] = []
        self.stacks = (side.globals._request_ctx_stack, side.globals._app_ctx_stack)
        self.app = self.make_app()

    def at(self, point: str, *arguments: Any, **keywords: Any) -> None:
        if point == self.cell.point and self.armed:
            self.armed = False
            raise FAULTS[self.cell.fault]

    def tear_down(self, function: str, error: BaseException | None) -> None:
        self.torn.append(function if error is None else f"{function}({self.name(error)})")

    def make_app(self) -> Any:
        side, at = self.side, self.at

        class Converter(BaseConverter):
            def to_python(self, value: str) -> str:
                at("match")
                return value

        class Sessions(side.sessions.SecureCookieSessionInterface):  # type: ignore[name-defined, misc]
            def open_session(self, app: Any, request: Any) -> Any:
                at("open_session")
                return super().open_session(app, request)

            def save_session(self, app: Any, session: Any, response: Any) -> None:
                at("save_session")
                super().save_session(app, session, response)

        class Request(side.flask.Request):  # type: ignore[name-defined, misc]
            def close(self) -> None:
                at("close of the request")
                super().close()

        class App(side.flask.Flask):  # type: ignore[name-defined, misc]
            request_class = Request
            session_interface = Sessions()

            def app_ctx_globals_class(self) -> Any:  # type: ignore[override]
                at("app_ctx_globals_class")
                return side.ctx._AppCtxGlobals()

            def create_url_adapter(self, request: Any) -> Any:
                if request is not None:
                    at("create_url_adapter")
                return super().create_url_adapter(request)

            def make_response(self, rv: Any) -> Any:
                at("make_response")
                return super().make_response(rv)

        class Body:
            def __iter__(self) -> Iterator[bytes]:
                yield b"one"
                at("body")
                yield b"two"

            def close(self) -> None:
                at("close of the body")

        def stream() -> Iterator[bytes]:
            try:
                yield b"one"
                at("stream")
                yield b"two"
            finally:
                at("close of the stream")

        app = App("faulty", static_folder=None, template_folder=None)
        app.secret_key = "key"
        app.config.update(MODES[self.cell.mode][0])
        app.url_map.converters["any_word"] = Converter
        app.before_first_request(partial(at, "before_first_request"))
        app.url_value_preprocessor(partial(at, "url_value_preprocessor"))
        app.before_request(partial(at, "before_request"))

        @app.route("/<any_word:word>")
        def view(word: str) -> Any:
            @side.flask.after_this_request
            def after_this_request(response: Any) -> Any:
                at("after_this_request")
                return response

            at("view")
            side.flask.session["seen"] = True
            if self.cell.point == "error handler" and self.armed:
                raise LookupError
            if word == "stream":
                return app.response_class(side.flask.stream_with_context(stream()))
            return app.response_class(Body())

        @app.errorhandler(LookupError)
        def handler(error: LookupError) -> str:
            at("error handler")
            return "handled"

        @app.after_request
        def after_request(response: Any) -> Any:
            at("after_request")
            return response

        # Teardown functions run in reverse order of registration.
        for name in ("request", "appcontext"):
            register = getattr(app, f"teardown_{name}")
            register(partial(self.tear_down, f"{name}-2"))
            register(partial(at, f"teardown_{name}"))
            register(partial(self.tear_down, f"{name}-1"))
        return app

    def run(self) -> list[str]:
        """Make the request that fails and three more, as a server would, and return their outcomes."""
        path = "/stream" if "stream" in self.cell.point else "/word"
        if self.cell.point == "got_request_exception":
            self.app.before_request_funcs[None].append(self.fail_for_the_signal)
        with ExitStack() as connected:
            for name in SIGNALS:
                signal = getattr(self.side.signals, name)
                connected.enter_context(signal.connected_to(partial(self.at, name), self.app))
            logging.disable(logging.CRITICAL)
            connected.callback(logging.disable, logging.NOTSET)
            return [self.request(path, **MODES[self.cell.mode][1])] + [self.request("/word") for _ in range(3)]

    def fail_for_the_signal(self) -> None:
        if self.armed:
            raise Boom

    def depths(self) -> list[int]:
        return [len(getattr(stack._local, "stack", ())) for stack in self.stacks]

    def request(self, path: str, **environ: Any) -> str:
        """Return the response, the teardowns in order, and the final depths of the stacks, as one line."""
        self.torn = []
        answer: list[str] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
            self.at("start_response")
            answer.append(status[:3])
            return io.BytesIO().write

        body: Any = ()
        try:
            body = self.app({**self.environ(path), **environ}, start_response)
            content = b"".join(body)
            # Error pages differ between releases of Werkzeug.
            answer += [content.decode()] if answer == ["200"] else []
        except BaseException as error:
            answer.append(self.name(error))
        try:
            getattr(body, "close", tuple)()
        except BaseException as error:
            answer.append(self.name(error))
        return f"{' '.join(answer)}; {' '.join(self.torn)}; {self.depths()}"

    def name(self, error: BaseException | None) -> str:
        name = type(error).__name__
        return "the-fault" if name == self.cell.fault else name

    @staticmethod
    def environ(path: str) -> dict[str, Any]:
        return {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "HTTP_HOST": "localhost",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

    def clear(self) -> None:
        """Empty both stacks."""
        for stack in self.stacks:
            stack._local.__release_local__()


def run(side: Side, cell: Cell) -> list[str]:
    trial = Trial(side, cell)
    try:
        return trial.run()
    finally:
        trial.clear()


def record(side: Side) -> dict[str, dict[str, list[str]]]:
    """Return the outcomes for each point and mode. Faults with the same outcome share an entry."""
    found: dict[str, dict[str, list[str]]] = {}
    for point in POINTS:
        for mode in MODES:
            outcomes: dict[tuple[str, ...], list[str]] = {}
            for fault in FAULTS:
                outcomes.setdefault(tuple(run(side, Cell(point, fault, mode))), []).append(fault)
            found[f"{point}, {mode}"] = {" ".join(faults): list(lines) for lines, faults in outcomes.items()}
    return found
