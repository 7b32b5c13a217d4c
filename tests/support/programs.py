"""Programs that run in a new interpreter, because they change it as a whole."""

from __future__ import annotations

import os
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


def start(parts: tuple[str, ...], warnings: str, **environ: str) -> subprocess.CompletedProcess[str]:
    program = "\n".join(map(dedent, parts))
    command = [sys.executable, "-W", warnings, "-c", program]
    return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60)


def run(*parts: str, warnings: str = "error", **environ: str) -> str:
    """Run a program, which must succeed, and return what it wrote to standard error.

    :param parts: the parts of its source, each with an indentation of its own.
    :param warnings: the action for warnings.
    :param environ: additional environment variables.
    """
    done = start(parts, warnings, **environ)
    assert done.returncode == 0, done.stderr
    return done.stderr


def under(program: str) -> None:
    """Run a program with an application ``app``, with schlenk under Flask."""
    run(UNDER, APP, program)


def without(module: str, program: str) -> None:
    """Run a program in which ``module`` cannot be imported."""
    run(f"import sys; sys.modules[{module!r}] = None", program)


def refused(message: str, *parts: str) -> None:
    """Run a program, which must fail with an error that contains ``message``."""
    done = start(parts, "default")
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1], done.stderr
