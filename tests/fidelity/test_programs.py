"""The traces of random programs, compared with the record of Flask 1.1.4, and tests of the comparison itself."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fidelity.compare import COMMAND, difference, digest, smallest, unpacked
from tests.fidelity.departures import DEPARTED, agree
from tests.fidelity.interpreter import Run, run
from tests.fidelity.programs import HOOKS, METHODS, SIGNALS, generate, needs
from tests.fidelity.side import load

RECORD = json.loads(Path(__file__).with_name("programs.json").read_text(encoding="utf-8"))["programs"]


def trace(program: dict[str, Any]) -> list[Any]:
    """Return the trace of a program on schlenk, converted to JSON and back."""
    events: list[Any] = json.loads(json.dumps(run(load("schlenk"), program)))
    return events


@pytest.mark.parametrize("seed", RECORD)
def test_traces_equal_flasks(seed: str) -> None:
    program = generate(int(seed))
    missing = [name for name in needs(program) if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {missing}")
    assert digest(program) == RECORD[seed]["program"], f"The program of this seed has changed. Record again: {COMMAND}"
    theirs, ours = unpacked(RECORD[seed]["trace"]), trace(program)
    assert agree(theirs, ours), difference(theirs, ours, ("Flask 1.1.4", "schlenk"))


def test_recorded_programs_cover_everything() -> None:
    written = json.dumps([generate(int(seed)) for seed in RECORD])
    actions = [name[len("act_") :] for name in dir(Run) if name.startswith("act_")]
    parts = {"do": actions, "kind": HOOKS, "method": METHODS, "signal": SIGNALS}
    assert [part for key, names in parts.items() for part in names if f'"{key}": "{part}"' not in written] == []


def test_recorded_traces_run_to_the_end() -> None:
    ended = [seed for seed in RECORD if unpacked(RECORD[seed]["trace"])[-1] == [DEPARTED]]
    assert len(ended) < len(RECORD) / 6


def test_traces_agree_at_first() -> None:
    assert agree([["a"], [DEPARTED]], [["a"], ["b"]])


@pytest.mark.parametrize("ours", [[["b"]], []])
def test_traces_differ_before_departure(ours: list[Any]) -> None:
    assert not agree([["a"], [DEPARTED]], ours)


def test_longer_trace_differs() -> None:
    assert not agree([["a"]], [["a"], ["b"]])


def test_difference_is_reduced() -> None:
    program = {
        "apps": [
            {"config": {"DEBUG": True}, "views": [{"body": [{"do": "see"}, {"do": "attempt", "body": [{"do": "g"}]}]}]}
        ],
        "steps": [{"do": "flash"}, {"do": "request", "path": "/a", "close": "later"}],
    }
    shown = smallest(program, lambda candidate: any("one view 0 g set x" in event[0] for event in trace(candidate)))
    assert shown == {"apps": [{"views": [{"body": [{"do": "g"}]}]}], "steps": [{"do": "request"}]}


def test_reduced_program_runs() -> None:
    assert trace({}) == [["storage of [0, 0] left", {"apps": [], "has": [False, False], "requests": []}]]
    assert trace({"apps": [{}], "steps": [{}]})[0][0] == "step 0 sees"
