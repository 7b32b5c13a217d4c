"""The servers that are tested, and a running server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM, Signals
from types import TracebackType
from typing import Callable

from tests.servers.journal import Process, Record
from tests.support.serving import free_port

ROOT = Path(__file__).parents[2]
PATIENCE = 60
"""The longest time for starting, finishing all requests and stopping, in seconds."""
LIFE = 3600
"""After this time, in seconds, a server exits on its own if nothing has stopped it."""

Command = Callable[[Path, int], "list[str]"]


@dataclass(frozen=True)
class Server:
    """The command that starts a server.

    :param packages: the packages to install. The version of the first is reported.
    :param command: returns the command for an interpreter and a port.
    :param concurrent: whether a process handles several requests at the same time.
    :param leave: the signal that makes a worker finish its requests and exit, or ``None`` without workers.
    :param under_flask: whether it serves the application of Flask itself.
    """

    name: str
    packages: tuple[str, ...]
    command: Command
    concurrent: bool = True
    leave: Signals | None = None
    under_flask: bool = False


def _served(how: str) -> Command:
    return lambda python, port: [str(python), "-m", "tests.servers.serve", how, str(port)]


def _gunicorn(*options: str) -> Command:
    return lambda python, port: [
        str(python), "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--log-level", "warning",
        *options, "tests.servers.application",
    ]  # fmt: skip


def _waitress(python: Path, port: int) -> list[str]:
    return [
        str(python), "-m", "waitress", "--listen", f"127.0.0.1:{port}", "--threads", "16",
        "tests.servers.application:application",
    ]  # fmt: skip


def _flask_run(python: Path, port: int) -> list[str]:
    return [
        str(python), "-m", "schlenk", "flask", "--app", "tests.servers.application", "run", "--port", str(port),
    ]  # fmt: skip


def _uwsgi(*options: str) -> Command:
    # Without --skip-atexit-teardown, a worker crashes when it exits, as its threads outlive the interpreter.
    return lambda python, port: [
        str(python.with_name("uwsgi")), "--virtualenv", str(python.parents[1]), "--module", "tests.servers.application",
        "--http", f"127.0.0.1:{port}", "--http-keepalive", "--http-auto-chunked", "--http-timeout", "3",
        "--master", "--no-orphans", "--die-on-term", "--skip-atexit-teardown", "--disable-logging",
        "--processes", "2", "--enable-threads", *options,
    ]  # fmt: skip


SERVERS = {
    server.name: server
    for server in [
        Server("run_simple threaded", ("werkzeug",), _served("run_simple-threaded")),
        Server("run_simple processes", ("werkzeug",), _served("run_simple-processes"), concurrent=False),
        Server("gunicorn sync", ("gunicorn",), _gunicorn(), concurrent=False, leave=SIGTERM),
        Server("gunicorn gthread", ("gunicorn",), _gunicorn("--threads", "16"), leave=SIGTERM),
        Server(
            "gunicorn gevent", ("gunicorn", "gevent", "packaging"), _gunicorn("--worker-class", "gevent"), leave=SIGTERM
        ),
        Server("waitress", ("waitress",), _waitress),
        Server("gevent.pywsgi", ("gevent",), _served("pywsgi")),
        Server("gevent.pywsgi patched", ("gevent",), _served("pywsgi-patched")),
        Server("uwsgi threads", ("uwsgi",), _uwsgi("--threads", "16"), leave=SIGHUP),
        Server(
            "uwsgi gevent", ("uwsgi", "gevent"), _uwsgi("--gevent", "64", "--gevent-early-monkey-patch"), leave=SIGHUP
        ),
        Server("flask run", ("flask", "asgiref"), _flask_run, under_flask=True),
        Server(
            "Flask on gunicorn gthread",
            ("gunicorn", "flask", "asgiref"),
            _gunicorn("--threads", "16"),
            leave=SIGTERM,
            under_flask=True,
        ),
        Server(
            "Flask on gunicorn gevent",
            ("gunicorn", "gevent", "packaging", "flask"),
            _gunicorn("--worker-class", "gevent"),
            leave=SIGTERM,
            under_flask=True,
        ),
        Server("Flask on waitress", ("waitress", "flask", "asgiref"), _waitress, under_flask=True),
    ]
}


class Running:
    """A server that runs during a ``with`` block, and its journal.

    :param directory: an empty directory for its journal and its output.
    :param python: the interpreter that starts it.
    :param life: the seconds after which it exits on its own.
    :param environment: additional environment variables.
    """

    def __init__(
        self, server: Server, directory: Path, python: Path = Path(sys.executable), life: int = LIFE, **environment: str
    ) -> None:
        self.server = server
        self.port = free_port()
        self.output = directory / "output"
        self.record = Record(directory / "journal")
        self.record.path.touch()
        # A server that is killed cannot write its coverage.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        self.environment.update(
            PYTHONPATH=str(ROOT), JOURNAL=str(self.record.path), UNDER_FLASK="yes" if server.under_flask else "",
            **{"SECRET_KEY": "a secret", **environment},
        )  # fmt: skip
        # An alarm stays set in the program that replaces this one.
        alarm = "import os, signal, sys; signal.alarm(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
        self.command = [sys.executable, "-c", alarm, str(life), *server.command(python, self.port)]

    def __enter__(self) -> Running:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                self.command, env=self.environment, cwd=self.output.parent, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            self._wait(self._accepts, "accept a connection")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            # The session was created for this server and contains no other process.
            os.killpg(self.process.pid, SIGKILL)
            self.process.wait()

    def processes(self) -> dict[int, Process]:
        """Return what its processes have written to the journal so far."""
        return self.record.read()

    def busiest(self) -> tuple[int, int]:
        """Wait until a process is handling requests. Return its id and their number."""
        counts: dict[int, int] = {}

        def busy() -> bool:
            counts.update((number, process.in_flight) for number, process in self.processes().items())
            return any(counts.values())

        self._wait(busy, "begin a request")
        return max(counts.items(), key=lambda item: item[1])

    def come_to_rest(self, without: int | None = None) -> dict[int, Process]:
        """Wait until all requests have ended or the journal stays the same. Return what the processes have written.

        :param without: the id of a process that was killed, which will never end its requests.
        """
        quiet = 0
        position = -1

        def still() -> bool:
            nonlocal quiet, position
            processes = self.processes()
            quiet = quiet + 1 if position == self.record.position else 0
            position = self.record.position
            at_rest = all(process.is_at_rest for number, process in processes.items() if number != without)
            return quiet >= (10 if at_rest else 100)

        self._wait(still, "come to rest")
        return self.record.processes

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE).close()
        except ConnectionRefusedError:
            return False
        return True

    def _wait(self, until: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not until():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.server.name} does not {what}:\n{self.tail()}")
            # No event is available from another process. This keeps the loop from spinning.
            time.sleep(0.05)

    def tail(self) -> str:
        """Return the end of the server's output."""
        return self.output.read_text(errors="replace")[-3000:]
