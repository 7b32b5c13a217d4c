"""Programs that run in a new interpreter, because they change it as a whole."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from textwrap import dedent

ROOT = Path(__file__).parents[2]
SECONDS = 60
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
    return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=SECONDS)


def run(*parts: str, warnings: str = "error", **environ: str) -> str:
    """Run a program, which must succeed, and return what it wrote to standard error.

    :param parts: the parts of its source, each with an indentation of its own.
    :param warnings: the action for warnings.
    :param environ: additional environment variables.
    """
    done = start(parts, warnings, **environ)
    assert done.returncode == 0, done.stderr
    return done.stderr


def serve() -> None:
    """Run the beginning of the programs of `under`. Then run the rest of each program in a fork of this process."""
    names = vars(sys.modules["__main__"])
    exec(UNDER + APP, names)
    # Otherwise, each fork would spend most of its time on collecting these objects when it exits.
    gc.freeze()
    for line in sys.stdin:
        program, output = json.loads(line)
        child = os.fork()
        if not child:
            signal.alarm(SECONDS)
            with open(output, "w") as file:
                for descriptor in (1, 2):
                    os.dup2(file.fileno(), descriptor)
            # Without `dont_inherit`, the program would be compiled with this module's `annotations`.
            exec(compile(program, "<string>", "exec", dont_inherit=True), names)
            return
        print(os.waitpid(child, 0)[1], flush=True)


@cache
def server() -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", "from tests.support.programs import serve; serve()"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    # The process exits when its input ends.
    atexit.register(process.communicate)
    return process


def under(program: str) -> None:
    """Run a program with an application ``app``, with schlenk under Flask.

    These programs are many and short, and importing Flask would take most of their time.
    """
    if not hasattr(os, "fork"):
        run(UNDER, APP, program)
        return
    with NamedTemporaryFile("r") as output:
        process = server()
        process.stdin.write(json.dumps([dedent(program), output.name]) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "0\n", output.read()


def without(module: str, program: str) -> None:
    """Run a program in which ``module`` cannot be imported."""
    run(f"import sys; sys.modules[{module!r}] = None", program)


def refused(message: str, *parts: str) -> None:
    """Run a program, which must fail with an error that contains ``message``."""
    done = start(parts, "default")
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1], done.stderr
