"""docs/examples/hello.py, served in its own process to several clients."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

HELLO = Path(__file__).parents[1] / "docs" / "examples" / "hello.py"
PATIENCE = 30


class Visitor:
    """A client with its own name, connection, and cookies."""

    def __init__(self, port: int, name: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.name = name
        self.cookie = ""

    def visit(self) -> http.client.HTTPResponse:
        self.connection.request("GET", f"/?name={quote(self.name)}", headers={"Cookie": self.cookie})
        response = self.connection.getresponse()
        self.body = response.read().decode()
        self.cookie = response.headers["Set-Cookie"].partition(";")[0]
        return response


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_accepts(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
        except ConnectionRefusedError:
            assert server.poll() is None, f"hello.py ended with {server.returncode}"
            assert time.monotonic() < deadline, f"hello.py accepts no connection after {PATIENCE} s"
            # No event is available from another process. This keeps the loop from spinning.
            time.sleep(0.02)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port = free_port()
    with subprocess.Popen([sys.executable, str(HELLO), "--port", str(port)], stdin=subprocess.DEVNULL) as server:
        try:
            wait_until_it_accepts(server, port)
            yield port
        finally:
            server.terminate()


def test_hello_greets_and_names_app(port: int) -> None:
    visitor = Visitor(port, "Zoë & co")
    assert visitor.visit().status == 200
    assert visitor.body == "Hello, Zoë & co! This is hello, and your visit number 1.\n"


def test_hello_reports_request_time(port: int) -> None:
    assert re.fullmatch(r"\d+\.\d{3}", Visitor(port, "Ada").visit().headers["X-Elapsed-Milliseconds"])


def test_hello_isolates_concurrent_clients(port: int) -> None:
    clients, visits = 8, 25
    together = threading.Barrier(clients)

    def visit_often(name: str) -> list[str]:
        visitor = Visitor(port, name)
        bodies = []
        for _ in range(visits):
            together.wait(PATIENCE)
            visitor.visit()
            bodies.append(visitor.body)
        return bodies

    names = [f"client {number}" for number in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(visit_often, names))
    assert answers == [
        [f"Hello, {name}! This is hello, and your visit number {visit}.\n" for visit in range(1, visits + 1)]
        for name in names
    ]
