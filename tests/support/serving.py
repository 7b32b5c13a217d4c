"""Servers in processes of their own, on 127.0.0.1."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(*command: str, directory: Path | None = None) -> Iterator[int]:
    """Run a command until the block ends, and return its port, which replaces ``PORT`` in the command."""
    port = free_port()
    arguments = [part.replace("PORT", str(port)) for part in command]
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, cwd=directory) as server:
        try:
            _wait_until_it_accepts(server, port)
            yield port
        finally:
            server.terminate()


def _wait_until_it_accepts(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
        except ConnectionRefusedError:
            assert server.poll() is None, f"the server ended with {server.returncode}"
            assert time.monotonic() < deadline, f"the server accepts no connection after {PATIENCE} s"
            # No event is available from another process. This keeps the loop from spinning.
            time.sleep(0.02)
