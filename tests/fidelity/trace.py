"""What a scenario sees, written down so that two libraries can be compared by it.

Each line of a trace is an event, the depths of the two context stacks where it happened, and what was seen. Values
become JSON here; where Werkzeug 1.0.1 and 3 differ by themselves, that is levelled out here and nowhere else.
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
    """The failure that scenarios raise, so that no wording but ours gets into a trace."""


class Crash(BaseException):
    """What ``SystemExit`` and ``KeyboardInterrupt`` are to an application: not an ``Exception``."""


class Answer(NamedTuple):
    """What a server received from an application; ``cookie`` is what a browser would send back."""

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
    """Register a scenario under its own name; ``needs`` is a package without which ours can't run it."""

    def register(function: Any) -> Any:
        if function.__name__ in SCENARIOS or not function.__doc__:
            raise ValueError(f"{function.__name__} is there already, or does not say what it pins")
        function.needs = needs
        SCENARIOS[function.__name__] = function
        return function

    return register if function is None else register(function)


def available(function: Any) -> bool:
    """Whether the package that a scenario needs is installed."""
    return function.needs is None or importlib.util.find_spec(function.needs) is not None


def run(name: str, side: Side) -> list[Any]:
    """Run one scenario and return its trace as it comes back from JSON."""
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
    """The lines of one scenario, and the ways to write them."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.events: list[Any] = []
        self.cleanup = contextlib.ExitStack()
        self.muted = False
        self._seen: list[Any] = []  # in order of first sight, and kept alive so that an id stays theirs
        self._logged: set[str] = set()
        self._stacks = (side.globals._request_ctx_stack, side.globals._app_ctx_stack)

    def __call__(self, event: str, *values: Any) -> None:
        if not self.muted:
            self.events.append([event, self.depths(), *map(self.plain, values)])

    @contextlib.contextmanager
    def mute(self) -> Iterator[None]:
        """Trace nothing meanwhile: for threads that run at once, whose events come in any order."""
        self.muted = True
        yield
        self.muted = False

    # what is compared

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
        """Name an object by its type and by when it was first seen."""
        for position, seen in enumerate(self._seen, 1):
            if seen is value:
                return f"{type(value).__name__} {position}"
        self._seen.append(value)
        return f"{type(value).__name__} {len(self._seen)}"

    def text(self, value: Any) -> str:
        """A ``repr``, where the name of the package stands for whichever it is."""
        return repr(value).replace(f"{self.side.name}.", "LIBRARY.")

    def attempt(self, event: str, function: Callable[..., Any], *arguments: Any, words: tuple[str, ...] = ()) -> Any:
        """Trace what ``function`` returns, or what it raises and which of ``words`` its message has."""
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
        """Trace what a test client got."""
        body = response.get_data()
        self(event, response.status, self.headers(list(response.headers), body), self.body(body))
        return response

    def body(self, body: bytes) -> str:
        # Werkzeug 3 words and marks up its error pages anew
        return "error page" if body[:14].lower() == b"<!doctype html" else body.decode()

    def headers(self, headers: list[tuple[str, str]], body: bytes | None = None) -> dict[str, list[Any]]:
        read: dict[str, list[Any]] = {}
        page = body is None or self.body(body) == "error page"
        for name, value in headers:
            # the length of an error page is that of its wording
            if name != "Content-Length" or not page:
                read.setdefault(name, []).append(self.header(name, value))
        return read

    def header(self, name: str, value: str) -> Any:
        if name == "Location":
            return urljoin("http://localhost/", value)  # Werkzeug 3 leaves a Location as the application wrote it
        if name == "Allow":
            return sorted(value.split(", "))  # made from a set, so in any order
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
                value = value.lstrip(".")  # Werkzeug 3 drops the dot, as RFC 6265 has browsers do
            read[key] = value
        return read

    # what a scenario is made of

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
        """An application with nothing on it; what it logs is traced."""
        app = (base or self.side.flask.Flask)(name, static_folder=None, template_folder=None, **keywords)
        if name not in self._logged:
            self._logged.add(name)
            logger, handler = logging.getLogger(name), LogTrace(self)
            logger.addHandler(handler)
            self.cleanup.callback(logger.removeHandler, handler)
        return app

    def app(self, name: str = "scenario", base: Any = None, **keywords: Any) -> Any:
        """An application whose every hook is traced, with a view that answers and one that fails."""
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
        """What a server hands an application, written out since the builders of the two Werkzeugs differ."""
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
        """Call ``app`` as a server does, tracing its answer piece by piece, or the error that it lets out."""
        started: list[Any] = ["", []]
        chunks: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            started[:] = [status, headers]
            page = any(value.startswith("text/html") for name, value in headers if name == "Content-Type")
            # an error page is only known by its first chunk; until then its length can't be told from a view's
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
        """Run ``function`` in a thread of its own and wait for its end; its error is traced."""
        thread = threading.Thread(target=self.attempt, args=("thread ends", function))
        thread.start()
        thread.join()

    @contextlib.contextmanager
    def catching(self, event: str, words: tuple[str, ...] = ()) -> Iterator[None]:
        """Trace the error that leaves the block, which must raise one."""
        try:
            yield
        except BaseException as error:
            self(event, error, *self.words(error, words))
        else:
            self(event, "nothing raised")

    @contextlib.contextmanager
    def warnings(self) -> Iterator[None]:
        """Trace the warnings meant for users, and how many they are."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        self("warned", [warning.category for warning in caught if warning.category is UserWarning])


class LogTrace(logging.Handler):
    """Puts what an application logs into the trace: the level, and the error, not the wording."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        self.trace("logged", record.levelname, record.exc_info and record.exc_info[1])


def signed_payload(value: str) -> Any:
    """What a signed cookie holds, without its time and signature; text that isn't one stays as it is."""
    payload = value.rsplit(".", 2)[0].lstrip(".")
    try:
        data = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return json.loads(zlib.decompress(data) if value.startswith(".") else data)
    except ValueError:
        return value
