"""An exception that arrives at any line, as from a signal handler, leaves no context behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest
from werkzeug.test import create_environ

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack, app, ctx, local
from tests.support.contexts import NOTHING, tops
from tests.support.execution import in_thread

FILES = {module.__file__ for module in (app, ctx, local)}
# As many lines of Flask 1.1.4 leave a context behind: nothing protects the first lines of the end of a request.
MOST = 3


ENVIRON = create_environ("/")


class Timeout(Exception):
    pass


def serve(application: Flask) -> None:
    body = application({**ENVIRON}, lambda *arguments: None)  # type: ignore[arg-type, return-value]
    b"".join(body)
    body.close()  # type: ignore[attr-defined]


@pytest.fixture
def application() -> Flask:
    application = Flask("interrupted")
    application.secret_key = "key"
    application.testing = True
    application.add_url_rule("/", "index", lambda: "index")
    serve(application)
    return application


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    for stack in (_request_ctx_stack, _app_ctx_stack):
        stack._local.__storage__.clear()


def lines(application: Flask) -> list[tuple[str, int]]:
    """Return each line of the modules that a request runs, once."""
    seen: dict[tuple[str, int], None] = {}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in FILES:
            return None
        if event == "line":
            seen[frame.f_code.co_filename, frame.f_lineno] = None
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        serve(application)
    finally:
        sys.settrace(before)
    return list(seen)


def interrupt(application: Flask, line: tuple[str, int], occurrence: int) -> tuple[Any, Any]:
    """Make a request, raise an exception when it comes to ``line``, and return the contexts that are left."""
    left = occurrence

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in FILES:
            return None
        if event == "line" and (frame.f_code.co_filename, frame.f_lineno) == line:
            left -= 1
            if left == 0:
                raise Timeout
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        serve(application)
    except Timeout:
        pass
    finally:
        sys.settrace(before)
    return tops()


@pytest.mark.parametrize("occurrence", [1, 2, 3])
def test_exception_at_any_line_leaves_nothing(application: Flask, occurrence: int) -> None:
    leaking = []
    for line in lines(application):
        # In a thread: up to Python 3.12, an exception raised in an except clause by a trace function is remembered.
        if in_thread(partial(interrupt, application, line, occurrence)) != NOTHING:
            leaking.append(line)
    assert len(leaking) <= MOST, leaking


ALARMS = """
import signal
from werkzeug.test import create_environ
from schlenk import Flask, _app_ctx_stack, _request_ctx_stack

class Timeout(Exception):
    pass

def expire(number, frame):
    raise Timeout

app = Flask("interrupted")
app.testing = True
app.add_url_rule("/", "index", lambda: "index")
environ = create_environ("/")
signal.signal(signal.SIGALRM, expire)
interrupted = left = 0
for number in range(2000):
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.00001 + number % 300 * 0.000002)
            b"".join(app(dict(environ), lambda *arguments: None))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except Timeout:
        interrupted += 1
    if _request_ctx_stack.top is not None or _app_ctx_stack.top is not None:
        left += 1
        _request_ctx_stack._local.__storage__.clear()
        _app_ctx_stack._local.__storage__.clear()
print(interrupted, left)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timers that send signals")
def test_alarms_leave_next_to_nothing() -> None:
    # Without coverage, whose lock an alarm may leave locked.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    result = subprocess.run(
        [sys.executable, "-c", ALARMS], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    interrupted, left = map(int, result.stdout.split())
    # The lines that leave contexts are among hundreds.
    assert left <= interrupted / 10
