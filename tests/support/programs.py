"""Programs that have an interpreter of their own, as Flask is replaced or changed for a whole process."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

UNDER = "import schlenk; schlenk.install_under_flask()\n"
AS = "import schlenk; schlenk.install_as_flask()\n"
APP = """
import flask, contextvars, asyncio, gc, threading
from flask import Flask, g, request, session, current_app, _app_ctx_stack, _request_ctx_stack
app = Flask("shop")
app.secret_key = "key"
"""


def run(*parts: str) -> None:
    """Run a program, which fails by an exception or a warning."""
    program = "\n".join(dedent(part) for part in parts)
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def under(program: str) -> None:
    run(UNDER, APP, program)


def refused(message: str, *parts: str) -> None:
    program = "\n".join(dedent(part) for part in parts)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1], done.stderr
