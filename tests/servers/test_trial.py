"""What clients, journal and result would find, held against answers and journals that are wrong on purpose."""

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

# --- A client and the answers it gets


@pytest.fixture
def client() -> Client:
    return Client("ada", [])


def as_lines(seen: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in seen).encode()


def test_right_answers_are_right(client: Client) -> None:
    client.judge("token", "view", json.dumps(expected("token", "ada", visits=1)).encode())
    client.judge("token", "stream", as_lines(expected_lines("token", "ada", visits=2)))
    assert client.wrong == []


@pytest.mark.parametrize("name", expected("token", "ada", 1)[0])
@pytest.mark.parametrize("place", range(len(expected("token", "ada", 1))))
def test_anything_else_seen_anywhere_is_wrong(client: Client, name: str, place: int) -> None:
    seen = expected("token", "ada", visits=1)
    seen[place][name] = "another's"
    client.judge("token", "view", json.dumps(seen).encode())
    assert len(client.wrong) == 1


def test_session_of_the_visit_before_is_wrong(client: Client) -> None:
    for _ in range(2):
        client.judge("token", "view", json.dumps(expected("token", "ada", visits=1)).encode())
    assert len(client.wrong) == 1


def test_stream_with_a_line_of_anothers_is_wrong(client: Client) -> None:
    seen = expected_lines("token", "ada", visits=1)
    seen[3] = expected_lines("another's", "ada", visits=1)[3]
    client.judge("token", "stream", as_lines(seen))
    assert len(client.wrong) == 1


def test_stream_without_its_first_line_is_wrong(client: Client) -> None:
    client.judge("token", "stream", as_lines(expected_lines("token", "ada", visits=1)[1:]))
    assert len(client.wrong) == 1


def test_stream_without_its_end_was_broken_off(client: Client) -> None:
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


def test_what_was_begun_and_ended_is_at_rest(journal: Journal, record: Record) -> None:
    journal.begin("request", "context")
    journal.end("context")
    journal.rest()
    assert only(record).is_at_rest
    assert only(record).ended == Counter(request=1)


def test_what_was_begun_and_not_ended_is_not_at_rest(journal: Journal, record: Record) -> None:
    journal.begin("request", "context")
    journal.rest()
    assert not only(record).is_at_rest
    assert only(record).in_flight == 1


def test_what_was_ended_twice_is_not_at_rest(journal: Journal, record: Record) -> None:
    journal.begin("request", "context")
    journal.end("context")
    journal.end("context")
    journal.rest()
    assert not only(record).is_at_rest


def test_storage_that_is_not_empty_is_not_at_rest(journal: Journal, record: Record, stack: LocalStack[Any]) -> None:
    stack.push("context")
    journal.rest()
    stack.pop()
    assert only(record).owners == (1, 0)
    assert not only(record).is_at_rest


def test_most_at_the_same_time_is_remembered(journal: Journal, record: Record) -> None:
    for context in "first", "second":
        journal.begin("request", context)
    journal.end("first")
    journal.begin("request", "third")
    assert only(record).most == 2


def test_line_that_is_being_written_is_left_for_the_next_time(record: Record) -> None:
    record.path.write_bytes(b"1 begun request\n1 ended req")
    assert only(record).ended == Counter()
    with record.path.open("ab") as file:
        file.write(b"uest\n")
    assert only(record).ended == Counter(request=1)


# --- The result


def result(*processes: Process, answered: int = 1, killed: Signals | None = None) -> Result:
    """Make the result of a load of one request; a signal went to the first process."""
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


def test_nothing_is_wrong_with_what_is_finished() -> None:
    assert result(finished()).problems() == []


def test_answers_that_are_missing_are_a_problem() -> None:
    assert result(finished(), answered=0).problems() == ["1 answers are missing"]


def test_contexts_that_were_not_torn_down_and_owners_that_are_left_are_problems() -> None:
    assert len(result(finished(), unfinished()).problems()) == 2


def test_worker_that_was_told_to_leave_has_to_finish() -> None:
    assert len(result(unfinished(), finished(), killed=SIGTERM).problems()) == 2


def test_worker_that_was_killed_could_not_finish() -> None:
    assert result(unfinished(), finished(), killed=SIGKILL).problems() == []


def test_others_have_to_finish_where_one_was_killed() -> None:
    assert len(result(unfinished(), unfinished(), killed=SIGKILL).problems()) == 2


def test_broken_connections_are_a_problem_only_where_no_worker_was_killed() -> None:
    alive, killed = result(finished()), result(finished(), killed=SIGKILL)
    alive.load.broken = killed.load.broken = ["broken"]
    assert (alive.problems(), killed.problems()) == (["broken"], [])


def test_memory_that_grows_beyond_the_tolerance_is_a_problem() -> None:
    assert result(grown_by(TOLERANCE)).problems() == []
    assert len(result(grown_by(TOLERANCE + 1)).problems()) == 1
