"""A short load test of the application on each server that is installed. ``python -m tests.servers`` runs longer."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from signal import SIGKILL, Signals

import pytest

from tests.servers.load import Load
from tests.servers.server import SERVERS, Running, Server
from tests.servers.trial import Result, under_load

REQUESTS = 300
CLIENTS = 16
SECONDS = 60
GREENLETS = find_spec("greenlet") is not None


def installed(server: Server) -> bool:
    uwsgi = "uwsgi" not in server.packages or Path(sys.executable).with_name("uwsgi").exists()
    return uwsgi and all(find_spec(package) for package in server.packages if package != "uwsgi")


def run(server: Server, kill: Signals | None = None) -> Result:
    if not installed(server):
        pytest.skip(f"needs {' and '.join(server.packages)}")
    return under_load(server, REQUESTS, CLIENTS, SECONDS, kill=kill, greenlets=GREENLETS)


def name_of(server: Server) -> str:
    return server.name


@pytest.fixture(scope="module", params=SERVERS.values(), ids=name_of)
def result(request: pytest.FixtureRequest) -> Result:
    return run(request.param)


def test_responses_never_mix(result: Result) -> None:
    assert result.load.wrong == []
    assert result.load.answered >= REQUESTS


def test_no_connection_breaks(result: Result) -> None:
    assert result.load.broken == []


def test_every_context_is_torn_down_once(result: Result) -> None:
    assert result.ended == result.begun


def test_every_served_request_was_started(result: Result) -> None:
    did = result.load.did
    assert result.begun["request"] >= result.load.answered + did["leave the stream"]


def test_storages_are_empty_at_the_end(result: Result) -> None:
    assert result.owners == 0


def test_requests_are_concurrent(result: Result) -> None:
    assert (result.most > 1) == result.server.concurrent


def test_clients_left_midway(result: Result) -> None:
    did = result.load.did
    assert did["leave the request"]
    assert did["leave the stream"]
    assert result.cut


# --- Stopped and killed workers

with_workers = pytest.mark.parametrize("server", [server for server in SERVERS.values() if server.leave], ids=name_of)


@with_workers
def test_stopped_worker_finishes_requests(server: Server) -> None:
    result = run(server, kill=server.leave)
    assert result.processes[result.killed.number].is_at_rest
    assert result.load.wrong == []


@with_workers
def test_others_serve_when_worker_is_killed(server: Server) -> None:
    result = run(server, kill=SIGKILL)
    assert result.load.wrong == []
    assert result.load.answered >= REQUESTS
    assert result.ended == result.begun
    assert result.owners == 0


# --- Two servers


def visit_in_turn(directory: Path, *secrets: str) -> Load:
    """Run clients that send their requests to servers with these secrets in turn."""
    with ExitStack() as stack:
        ports = []
        for number, secret in enumerate(secrets):
            own = directory / str(number)
            own.mkdir()
            server = Running(SERVERS["run_simple threaded"], own, SECRET_KEY=secret)
            ports.append(stack.enter_context(server).port)
        load = Load(ports, requests=40, clients=4, seconds=SECONDS, greenlets=GREENLETS)
        load.start()
        load.join()
    return load


def test_shared_secret_shares_sessions(tmp_path: Path) -> None:
    load = visit_in_turn(tmp_path, "the same", "the same")
    assert load.wrong == []
    assert load.broken == []
    assert load.answered >= 40


def test_different_secrets_separate_sessions(tmp_path: Path) -> None:
    load = visit_in_turn(tmp_path, "one", "another")
    first_visit_again = re.compile(r"'session': \['client\d', 1\].* which should be .*'session': \['client\d', [2-9]")
    assert any(map(first_visit_again.search, load.wrong))


# --- A server that mixes requests up


@pytest.mark.parametrize("name", ["run_simple threaded", "flask run"])
def test_mixed_up_requests_are_detected(name: str) -> None:
    server = SERVERS[name]
    if not installed(server):
        pytest.skip(f"needs {' and '.join(server.packages)}")
    # Some requests never get a response, so the clients must not wait for long.
    result = under_load(server, 50, CLIENTS, seconds=5, greenlets=GREENLETS, EVERYBODY_IS_THE_SAME="yes")
    # Missing responses alone would not show that any were mixed up.
    assert any(client.wrong for client in result.load.clients)
