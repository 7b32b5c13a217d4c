"""Servers that hang on purpose, and the reports of the signal and of the watcher about them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="needs SIGUSR2")

PATIENCE = 30
"""How long a server may take to start, and a report to appear, in seconds."""

APPLICATION = """
import socket, threading
from schlenk import Flask

app = Flask("shop")
first, second = threading.Lock(), threading.Lock()
met = threading.Barrier(2)

@app.route("/lock/<name>", methods=["GET", "POST"])
def wait_for_lock(name):
    with first:
        first.acquire()  # its own

@app.route("/socket")
def wait_for_socket():
    ours, theirs = socket.socketpair()
    ours.recv(1)

def transfer(mine, other):
    with mine:
        met.wait()
        other.acquire()

@app.route("/deadlock/one")
def one():
    transfer(first, second)

@app.route("/deadlock/two")
def two():
    transfer(second, first)

@app.route("/block")
def block_all():
    from gevent.monkey import get_original
    lock = get_original("_thread", "allocate_lock")()
    lock.acquire()
    lock.acquire()
"""

HANGING = (Path(__file__).parents[1] / "docs" / "hanging.md").read_text()
RECIPES = re.findall(r"^```(?:python|text)\n(.*?)^```$", HANGING, re.MULTILINE | re.DOTALL)


def recipe(mark: str) -> str:
    """Return the first example of the documentation that contains ``mark``, with a shorter time to wait."""
    return next(text for text in RECIPES if mark in text).replace("flight.watch(30)", "flight.watch(0.3)")


WRITE_WORKER = """
from pathlib import Path
initialize = post_worker_init

def post_worker_init(worker):
    initialize(worker)
    Path("worker").write_text(str(worker.pid))
"""
GUNICORN = recipe("flight.watch(30)") + WRITE_WORKER


class Server:
    """A server in a process of its own, its error output, and requests to it that may never get a response."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "output"
        self.clients: list[socket.socket] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        (directory / "application.py").write_text(APPLICATION)
        (directory / "gunicorn.conf.py").write_text(GUNICORN)

    def start(self, *arguments: str) -> None:
        # A killed worker cannot write its coverage.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        # The alarm stops the server if the tests can't.
        alarm = "import os, signal, sys; signal.alarm(120); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", alarm, *arguments],
                cwd=self.directory,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def gunicorn(self, *options: str) -> None:
        self.start("-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--timeout", "0", *options, "application:app")
        self.wait(lambda: (self.directory / "worker").exists(), "the worker")

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        # A hung worker cannot exit. The session was created for this server and contains no other process.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def request(self, path: str, method: str = "GET") -> None:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        client.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
        self.clients.append(client)

    def accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE).close()
        except ConnectionRefusedError:
            return False
        return True

    def signal_worker(self) -> str:
        """Send the signal and return the report."""
        os.kill(int((self.directory / "worker").read_text()), signal.SIGUSR2)
        # The report is written in one piece.
        return self.wait_for("in flight in process")

    def wait_for(self, text: str, count: int = 1) -> str:
        """Wait until ``text`` has been written ``count`` times; return the output from its last occurrence on."""
        self.wait(lambda: self.text().count(text) >= count, text)
        return text + self.text().rpartition(text)[2]

    def text(self) -> str:
        return self.output.read_text()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{what} did not appear:\n{self.text()}")
            # There is no event of another process to wait for. This only keeps the loop from spinning.
            time.sleep(0.02)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    pytest.importorskip("gunicorn")
    server = Server(tmp_path)
    try:
        yield server
    finally:
        server.stop()


WORKERS = {
    "sync": ["--worker-class", "sync"],
    "gthread": ["--threads", "4"],
    "gevent": ["--worker-class", "gevent"],
}


@pytest.mark.parametrize("worker", WORKERS)
@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
def test_hung_worker_is_reported(server: Server, worker: str, preload: bool) -> None:
    if worker == "gevent":
        pytest.importorskip("gevent")
    server.gunicorn(*WORKERS[worker], *["--preload"] * preload)
    server.request("/lock/a?card=1234", "POST")
    logged = server.wait_for("Request running for more than 0.3 s in process")
    reported = server.signal_worker()
    for text in logged, reported:
        assert " s  POST /lock/a of shop, endpoint wait_for_lock, " in text
        assert ", from 127.0.0.1\n" in text
        assert "application.py:12, wait_for_lock: first.acquire()  # its own\n" in text
        assert "gunicorn/" not in text
        assert "schlenk/" not in text
    assert "1 request in flight in process" in server.text()
    assert "1234" not in server.text()


@pytest.mark.parametrize("worker", WORKERS)
def test_waiting_for_socket_is_reported(server: Server, worker: str) -> None:
    if worker == "gevent":
        pytest.importorskip("gevent")
    server.gunicorn(*WORKERS[worker])
    server.request("/socket")
    server.wait_for("Request running")
    assert "wait_for_socket: ours.recv(1)\n" in server.signal_worker()


@pytest.mark.parametrize("worker", ["gthread", "gevent"])
def test_deadlocked_lines_are_reported(server: Server, worker: str) -> None:
    if worker == "gevent":
        pytest.importorskip("gevent")
    server.gunicorn(*WORKERS[worker])
    server.request("/deadlock/one")
    server.request("/deadlock/two")
    server.wait_for("Request running", count=2)
    reported = server.signal_worker()
    assert "2 requests in flight" in server.text()
    assert reported.count("transfer: other.acquire()\n") == 2
    assert "one: transfer(first, second)\n" in reported
    assert "two: transfer(second, first)\n" in reported
    owner = "thread ThreadPoolExecutor-0_" if worker == "gthread" else "greenlet Greenlet-"
    assert reported.count(owner) == 2


def test_blocked_gevent_loop_is_reported(server: Server) -> None:
    pytest.importorskip("gevent")
    server.gunicorn(*WORKERS["gevent"])
    server.request("/block")
    assert "block_all: lock.acquire()\n" in server.wait_for("Request running")
    assert "block_all: lock.acquire()\n" in server.signal_worker()


@pytest.mark.parametrize("worker", WORKERS)
def test_preloaded_watcher_survives_fork(server: Server, worker: str) -> None:
    if worker == "gevent":
        pytest.importorskip("gevent")
    with (server.directory / "application.py").open("a") as file:
        file.write("from schlenk import flight\nflight.watch(0.3)\n")
    configuration = "def post_worker_init(worker):\n    pass\n" + WRITE_WORKER
    (server.directory / "gunicorn.conf.py").write_text(configuration)
    server.gunicorn(*WORKERS[worker], "--preload")
    server.request("/lock/a")
    assert "wait_for_lock: first.acquire()" in server.wait_for("Request running")
    assert server.text().count("Request running") == 1


def test_uninterrupting_signal_is_reported(server: Server) -> None:
    # gunicorn reopens its logs on SIGUSR1, and calls `siginterrupt(SIGUSR1, False)`.
    configuration = GUNICORN.replace("register()", f"register({signal.SIGUSR1:d})")
    (server.directory / "gunicorn.conf.py").write_text(configuration)
    log = server.directory / "errors"
    server.gunicorn("--error-logfile", str(log))
    server.request("/lock/a")
    server.wait_for("Request running")
    log.rename(server.directory / "rotated")
    os.kill(int((server.directory / "worker").read_text()), signal.SIGUSR1)
    assert "wait_for_lock: first.acquire()" in server.wait_for("in flight in process")
    server.wait(log.exists, "the reopened log of gunicorn's own handler")


def test_timeout_is_reported(server: Server) -> None:
    configuration = recipe("worker_abort") + "\ndef post_worker_init(worker):\n    pass\n" + WRITE_WORKER
    (server.directory / "gunicorn.conf.py").write_text(configuration)
    server.gunicorn("--timeout", "1")
    server.request("/lock/a")
    # On a slow machine, a worker may reach its timeout before it has the request.
    assert "wait_for_lock: first.acquire()" in server.wait_for("1 request in flight in process")


def test_waitress_is_reported(server: Server) -> None:
    pytest.importorskip("waitress")
    program = recipe("import waitress").replace("from shop", "from application").replace("8080", str(server.port))
    (server.directory / "serve.py").write_text(program)
    server.start("serve.py")
    server.wait(server.accepts, "the server")
    server.request("/lock/a")
    assert "wait_for_lock: first.acquire()" in server.wait_for("Request running")
    (server.directory / "worker").write_text(str(server.process.pid))
    assert re.search(r", thread waitress-\d, from 127\.0\.0\.1\n", server.signal_worker())


def test_held_interpreter_is_reported_later(server: Server) -> None:
    with (server.directory / "application.py").open("a") as file:
        # PyDLL keeps the interpreter's lock, which CDLL would release.
        file.write(
            "@app.route('/held')\n"
            "def held():\n"
            "    import ctypes\n"
            "    open('held', 'w').close()\n"
            "    ctypes.PyDLL(None).sleep(60)\n"
            "    return ''\n"
        )
    (server.directory / "gunicorn.conf.py").write_text(recipe("faulthandler.register") + WRITE_WORKER)
    server.gunicorn()
    server.request("/held")
    server.wait((server.directory / "held").exists, "the view")
    text = server.signal_worker()
    assert re.search(r'application\.py", line \d+ in held\n', server.text())
    assert "GET /held of shop, endpoint held" in text
