"""Traces of scenarios, by which the two libraries are compared.

Each line of a trace is an event, the depths of the two context stacks, and values. This module converts the values to
JSON, and omits the differences between Werkzeug 1.0.1 and 3.
"""

from __future__ import annotations

import base64
import contextlib
import email.utils
import importlib.util
import io
import json
import logging
import os
import threading
import time
import warnings
import zlib
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any, Callable, NamedTuple
from unittest import mock
from urllib.parse import urljoin

from tests.fidelity.side import Side

SIGNALS = (
    "request_started",
    "request_finished",
    "request_tearing_down",
    "got_request_exception",
    "appcontext_pushed",
    "appcontext_tearing_down",
    "appcontext_popped",
    "message_flashed",
)
SCENARIOS: dict[str, Callable[[Side, Trace], None]] = {}


class Boom(Exception):
    """The error that scenarios raise, so that a trace contains no other messages."""


class Crash(BaseException):
    """Like ``SystemExit`` and ``KeyboardInterrupt``, this is not an ``Exception``."""


class Answer(NamedTuple):
    """The response that a server received, and the ``cookie`` that a browser would send back."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def cookie(self) -> str:
        jar = SimpleCookie()
        for name, value in self.headers:
            if name == "Set-Cookie":
                jar.load(value)
        return "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())


def scenario(function: Callable[[Side, Trace], None] | None = None, *, needs: str | None = None) -> Any:
    """Register a scenario by its name. schlenk needs the package ``needs`` to run it."""

    def register(function: Any) -> Any:
        if function.__name__ in SCENARIOS or not function.__doc__:
            raise ValueError(f"{function.__name__} is already registered, or has no docstring")
        function.needs = needs
        SCENARIOS[function.__name__] = function
        return function

    return register if function is None else register(function)


def available(function: Any) -> bool:
    """Return whether the package that a scenario needs is installed."""
    return function.needs is None or importlib.util.find_spec(function.needs) is not None


def run(name: str, side: Side) -> list[Any]:
    """Run a scenario and return its trace, converted to JSON and back."""
    trace = Trace(side)
    with trace.cleanup:
        trace.cleanup.enter_context(mock.patch.dict(os.environ))
        for variable in ("FLASK_ENV", "FLASK_DEBUG"):
            os.environ.pop(variable, None)
        trace.watch_signals()
        try:
            SCENARIOS[name](side, trace)
            left = trace.depths()
        finally:
            trace.clear_stacks()
    if left != [0, 0]:
        raise AssertionError(f"{name} left contexts on the stacks: {left}")
    return json.loads(json.dumps(trace.events))


class Trace:
    """The trace of one scenario, and helpers that write it."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.events: list[Any] = []
        self.cleanup = contextlib.ExitStack()
        self.muted = False
        self._seen: list[Any] = []  # In order of first use. Keeps the objects alive.
        self._logged: set[str] = set()
        self._stacks = (side.globals._request_ctx_stack, side.globals._app_ctx_stack)

    def __call__(self, event: str, *values: Any) -> None:
        if not self.muted:
            self.events.append([event, self.depths(), *map(self.plain, values)])

    @contextlib.contextmanager
    def mute(self) -> Iterator[None]:
        """Trace nothing during the block, for concurrent threads, whose order varies."""
        self.muted = True
        yield
        self.muted = False

    # Values

    def depths(self) -> list[int]:
        return [len(getattr(stack._local, "stack", ())) for stack in self._stacks]

    def plain(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, (list, tuple)):
            return [self.plain(item) for item in value]
        if isinstance(value, dict):
            return {str(key): self.plain(item) for key, item in value.items()}
        if isinstance(value, (set, frozenset)):
            return sorted(map(self.plain, value))
        if isinstance(value, bytes):
            return repr(value)
        if isinstance(value, type):
            return value.__name__
        if isinstance(value, (Boom, Crash)):
            return f"{type(value).__name__}: {value}"
        if isinstance(value, BaseException):
            return type(value).__name__
        if isinstance(value, self.side.flask.Response):
            return value.status
        return self.number(value)

    def number(self, value: Any) -> str:
        """Return a name of an object: its type, and its number in order of first use."""
        for position, seen in enumerate(self._seen, 1):
            if seen is value:
                return f"{type(value).__name__} {position}"
        self._seen.append(value)
        return f"{type(value).__name__} {len(self._seen)}"

    def text(self, value: Any) -> str:
        """Return the ``repr`` of an object, with the name of the package replaced."""
        return repr(value).replace(f"{self.side.name}.", "LIBRARY.")

    def attempt(self, event: str, function: Callable[..., Any], *arguments: Any, words: tuple[str, ...] = ()) -> Any:
        """Trace the return value of ``function``, or its error and those of ``words`` that the message contains."""
        try:
            value = function(*arguments)
        except BaseException as error:
            self(event, "raised", error, *self.words(error, words))
            return None
        self(event, value)
        return value

    def words(self, error: BaseException, words: tuple[str, ...]) -> list[str]:
        return [word for word in words if word.lower() in str(error).lower()]

    def answer(self, event: str, response: Any) -> Any:
        """Trace the response of a test client."""
        body = response.get_data()
        self(event, response.status, self.headers(list(response.headers), body), self.body(body))
        return response

    def body(self, body: bytes) -> str:
        # The error pages of Werkzeug 3 have other words.
        return "error page" if body[:14].lower() == b"<!doctype html" else body.decode()

    def headers(self, headers: list[tuple[str, str]], body: bytes | None = None) -> dict[str, list[Any]]:
        read: dict[str, list[Any]] = {}
        page = body is None or self.body(body) == "error page"
        for name, value in headers:
            # The length of an error page depends on its words.
            if name != "Content-Length" or not page:
                read.setdefault(name, []).append(self.header(name, value))
        return read

    def header(self, name: str, value: str) -> Any:
        if name == "Location":
            return urljoin("http://localhost/", value)  # Werkzeug 3 does not change a Location.
        if name == "Allow":
            return sorted(value.split(", "))  # Its order is that of a set.
        if name == "Set-Cookie":
            return self.set_cookie(value)
        return value

    def set_cookie(self, header: str) -> dict[str, Any]:
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        read: dict[str, Any] = {"name": name, "holds": signed_payload(value)}
        for attribute in attributes:
            key, _, value = attribute.partition("=")
            if key == "Expires":
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
                value = "past" if seconds < 0 else f"in {round(seconds / 60)} minutes"
            if key == "Domain":
                value = value.lstrip(".")  # Werkzeug 3 drops the dot, as browsers do by RFC 6265.
            read[key] = value
        return read

    # Helpers of scenarios

    def watch_signals(self) -> None:
        for name in SIGNALS if self.side.signals.signals_available else ():

            def receive(sender: Any, _name: str = name, **arguments: Any) -> None:
                self(f"signal {_name}", sender.name, arguments)

            self.cleanup.enter_context(getattr(self.side.signals, name).connected_to(receive))

    def clear_stacks(self) -> None:
        for stack in self._stacks:
            while getattr(stack._local, "stack", ()):
                stack.pop()

    def bare(self, name: str = "scenario", base: Any = None, **keywords: Any) -> Any:
        """Return an application without routes and hooks. Its log records are traced."""
        app = (base or self.side.flask.Flask)(name, static_folder=None, template_folder=None, **keywords)
        if name not in self._logged:
            self._logged.add(name)
            logger, handler = logging.getLogger(name), LogTrace(self)
            logger.addHandler(handler)
            self.cleanup.callback(logger.removeHandler, handler)
        return app

    def app(self, name: str = "scenario", base: Any = None, **keywords: Any) -> Any:
        """Return an application with a traced function for each hook, a view that answers and a view that fails."""
        app = self.bare(name, base, **keywords)

        @app.before_first_request
        def before_first_request() -> None:
            self("before_first_request", name)

        @app.url_value_preprocessor
        def preprocessor(endpoint: str | None, values: dict[str, Any] | None) -> None:
            self("url_value_preprocessor", endpoint, values)

        @app.before_request
        def before_request() -> None:
            self("before_request", name)

        @app.after_request
        def after_request(response: Any) -> Any:
            self("after_request", name, response)
            return response

        @app.teardown_request
        def teardown_request(error: BaseException | None) -> None:
            self("teardown_request", name, error)

        @app.teardown_appcontext
        def teardown_appcontext(error: BaseException | None) -> None:
            self("teardown_appcontext", name, error)

        @app.route("/")
        def index() -> str:
            self("view", name)
            return "index"

        @app.route("/boom")
        def boom() -> str:
            self("view", name)
            raise Boom("view")

        return app

    def environ(self, path: str = "/", method: str = "GET", body: bytes = b"", **more: Any) -> dict[str, Any]:
        """Return the environ of a request. It is written out because the builders of Werkzeug 1.0.1 and 3 differ."""
        path, _, query = path.partition("?")
        return {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "HTTP_HOST": "localhost",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **more,
        }

    def serve(self, app: Any, path: str = "/", method: str = "GET", *, stop_after: int = -1, **more: Any) -> Answer:
        """Call ``app`` as a server does, and trace each part of its response, or its error."""
        started: list[Any] = ["", []]
        chunks: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            started[:] = [status, headers]
            page = any(value.startswith("text/html") for name, value in headers if name == "Content-Type")
            # Only the first chunk shows whether it is an error page, whose length must be omitted.
            self("start_response", status, self.headers(headers, None if page and status[0] in "345" else b""))
            return chunks.append

        try:
            body = app(self.environ(path, method, **more), start_response)
            try:
                for chunk in body:
                    self("chunk", self.body(chunk))
                    chunks.append(chunk)
                    if len(chunks) == stop_after:
                        break
            finally:
                if hasattr(body, "close"):
                    body.close()
                self("closed")
        except BaseException as error:
            self("server sees", error)
        return Answer(started[0], started[1], b"".join(chunks))

    def in_thread(self, function: Callable[[], Any]) -> None:
        """Run ``function`` in a new thread until it ends, and trace its error."""
        thread = threading.Thread(target=self.attempt, args=("thread ends", function))
        thread.start()
        thread.join()

    @contextlib.contextmanager
    def catching(self, event: str, words: tuple[str, ...] = ()) -> Iterator[None]:
        """Trace the error that the block raises, or that it raises none."""
        try:
            yield
        except BaseException as error:
            self(event, error, *self.words(error, words))
        else:
            self(event, "nothing raised")

    @contextlib.contextmanager
    def warnings(self) -> Iterator[None]:
        """Trace the ``UserWarning`` warnings of the block."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        self("warned", [warning.category for warning in caught if warning.category is UserWarning])


class LogTrace(logging.Handler):
    """Traces the level and the error of log records, without their message."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        self.trace("logged", record.levelname, record.exc_info and record.exc_info[1])


def signed_payload(value: str) -> Any:
    """Return the content of a signed cookie, or the text itself if it is not a signed cookie."""
    payload = value.rsplit(".", 2)[0].lstrip(".")
    try:
        data = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return json.loads(zlib.decompress(data) if value.startswith(".") else data)
    except ValueError:
        return value
