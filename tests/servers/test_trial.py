"""The checks of clients, journal, and result, tested with responses and journals that are wrong on purpose."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

import pytest

from schlenk import LocalStack
from tests.servers.journal import Journal, Process, Record
from tests.servers.load import Client, Load, expected, expected_lines
from tests.servers.server import SERVERS
from tests.servers.trial import ENOUGH, TOLERANCE, Killed, Result

# --- Clients


@pytest.fixture
def client() -> Client:
    return Client("ada", [])


def as_lines(seen: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in seen).encode()


def test_correct_answers_pass(client: Client) -> None:
    client.judge("token", "view", json.dumps(expected("token", "ada", visits=1)).encode())
    client.judge("token", "stream", as_lines(expected_lines("token", "ada", visits=2)))
    assert client.wrong == []


@pytest.mark.parametrize("name", expected("token", "ada", 1)[0])
@pytest.mark.parametrize("place", range(len(expected("token", "ada", 1))))
def test_any_other_value_is_wrong(client: Client, name: str, place: int) -> None:
    seen = expected("token", "ada", visits=1)
    seen[place][name] = "another's"
    client.judge("token", "view", json.dumps(seen).encode())
    assert len(client.wrong) == 1


def test_old_session_is_wrong(client: Client) -> None:
    for _ in range(2):
        client.judge("token", "view", json.dumps(expected("token", "ada", visits=1)).encode())
    assert len(client.wrong) == 1


def test_foreign_line_is_wrong(client: Client) -> None:
    seen = expected_lines("token", "ada", visits=1)
    seen[3] = expected_lines("another's", "ada", visits=1)[3]
    client.judge("token", "stream", as_lines(seen))
    assert len(client.wrong) == 1


def test_no_first_line_is_wrong(client: Client) -> None:
    client.judge("token", "stream", as_lines(expected_lines("token", "ada", visits=1)[1:]))
    assert len(client.wrong) == 1


def test_no_last_line_is_broken(client: Client) -> None:
    with pytest.raises(http.client.IncompleteRead):
        client.judge("token", "stream", as_lines(expected_lines("token", "ada", visits=1)[:-1]))


# --- The journal


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "journal")


@pytest.fixture
def stack() -> LocalStack[Any]:
    return LocalStack()


@pytest.fixture
def journal(record: Record, stack: LocalStack[Any]) -> Journal:
    return Journal(str(record.path), (stack, LocalStack()))


def only(record: Record) -> Process:
    (process,) = record.read().values()
    return process


def test_ended_is_at_rest(journal: Journal, record: Record) -> None:
    journal.begin("request", "context")
    journal.end("context")
    journal.rest()
    assert only(record).is_at_rest
    assert only(record).ended == Counter(request=1)


def test_unended_is_not_at_rest(journal: Journal, record: Record) -> None:
    journal.begin("request", "context")
    journal.rest()
    assert not only(record).is_at_rest
    assert only(record).in_flight == 1


def test_ended_twice_is_wrong(journal: Journal, record: Record) -> None:
    journal.begin("request", "context")
    journal.end("context")
    journal.end("context")
    journal.rest()
    assert not only(record).is_at_rest


def test_nonempty_storage_is_not_at_rest(journal: Journal, record: Record, stack: LocalStack[Any]) -> None:
    stack.push("context")
    journal.rest()
    stack.pop()
    assert only(record).owners == (1, 0)
    assert not only(record).is_at_rest


def test_peak_is_recorded(journal: Journal, record: Record) -> None:
    for context in "first", "second":
        journal.begin("request", context)
    journal.end("first")
    journal.begin("request", "third")
    assert only(record).most == 2


def test_partial_line_is_read_next_time(record: Record) -> None:
    record.path.write_bytes(b"1 begun request\n1 ended req")
    assert only(record).ended == Counter()
    with record.path.open("ab") as file:
        file.write(b"uest\n")
    assert only(record).ended == Counter(request=1)


# --- The result


def result(*processes: Process, answered: int = 1, killed: Signals | None = None) -> Result:
    """Make the result of a load of one request. A signal was sent to the first process."""
    load = Load([], requests=1, clients=0)
    load.answered = answered
    return Result(
        SERVERS["gunicorn sync"], load, dict(enumerate(processes)), Killed(0, 1, killed) if killed else None
    )  # fmt: skip


def finished() -> Process:
    return Process(begun=Counter(request=1), ended=Counter(request=1))


def unfinished() -> Process:
    return Process(begun=Counter(request=1), owners=(1, 1))


def grown_by(mebibytes: float) -> Process:
    early = ENOUGH // 2
    return Process(memory=[30 * 1024] * early + [int((30 + mebibytes) * 1024)] * (ENOUGH - early))


def test_finished_trial_has_no_problems() -> None:
    assert result(finished()).problems() == []


def test_missing_answers_are_a_problem() -> None:
    assert result(finished(), answered=0).problems() == ["1 answers are missing"]


def test_leftover_contexts_are_a_problem() -> None:
    assert len(result(finished(), unfinished()).problems()) == 2


def test_stopped_must_finish() -> None:
    assert len(result(unfinished(), finished(), killed=SIGTERM).problems()) == 2


def test_killed_worker_need_not_finish() -> None:
    assert result(unfinished(), finished(), killed=SIGKILL).problems() == []


def test_others_must_finish_after_kill() -> None:
    assert len(result(unfinished(), unfinished(), killed=SIGKILL).problems()) == 2


def test_broken_connections_are_a_problem() -> None:
    alive, killed = result(finished()), result(finished(), killed=SIGKILL)
    alive.load.broken = killed.load.broken = ["broken"]
    assert alive.problems() == ["broken"]
    assert killed.problems() == []


def test_growth_is_a_problem() -> None:
    assert result(grown_by(TOLERANCE)).problems() == []
    assert len(result(grown_by(TOLERANCE + 1)).problems()) == 1
