"""The benchmarks: the work that they measure, their arithmetic, tables and charts. Times are not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.benchmarks import peers, report
from tests.benchmarks.__main__ import main
from tests.benchmarks.applications import environ, flask_calls, werkzeug_calls
from tests.benchmarks.goals import Outcome, outcomes
from tests.benchmarks.measure import loop
from tests.benchmarks.rounds import counts, merge, rounds
from tests.benchmarks.work import LOCALS, PLACE, REQUESTS, STACKS, Work, answer, by_context, dictionary

SCHLENK = {"schlenk": sys.executable}
TINY = {"batch": 0.0, "repeats": 1, "only": ""}
SVG = "{http://www.w3.org/2000/svg}"


def made_up(**times: dict[str, float]) -> dict[str, Any]:
    """Return made-up results of peers. An underscore in a name stands for a space."""
    return {
        "machine": "an abacus",
        "peers": {
            name.replace("_", " "): {
                "versions": {"Python": "3.11.0", "flask": "3.2", "werkzeug": "3.3"},
                "times": found,
            }
            for name, found in times.items()
        },
    }


def test_all_work_is_measured() -> None:
    found = rounds(SCHLENK, 1, TINY)["schlenk"]
    assert tuple(found["times"]) == (*LOCALS, *REQUESTS)
    assert min(found["times"].values()) > 0


def test_peers_keep_their_order() -> None:
    order = ["schlenk", "Werkzeug"]
    found = rounds(dict.fromkeys(order, sys.executable), 1, {**TINY, "only": "proxy write"})
    assert list(found) == order


def test_extras_are_measured() -> None:
    pytest.importorskip("greenlet")
    settings = {**TINY, "threads": [1, 2], "requests": 2, "greenlets": [1, 3], "contexts": 2}
    found = rounds(SCHLENK, 1, {**TINY, "only": "nothing"}, settings)["schlenk"]["scale"]
    assert {name: list(costs) for name, costs in found.items() if isinstance(costs, dict)} == {
        "threads": ["1", "2"],
        "greenlets": ["1", "3"],
    }
    assert min(*found["threads"].values(), *found["greenlets"].values(), found["bytes"], found["import"]) > 0


def test_werkzeug_is_measured_with_threads() -> None:
    settings = {**TINY, "threads": [1, 2], "requests": 2}
    found = rounds({"Werkzeug": sys.executable}, 1, {**TINY, "only": "nothing"}, settings)["Werkzeug"]["scale"]
    assert list(found) == ["threads"]


def test_peer_may_lack_blinker() -> None:
    program = (
        "import json; from tests.benchmarks import measure\n"
        f"measure.main('schlenk without blinker', 'times', {json.dumps(TINY | {'only': 'nothing'})!r})\n"
        "import schlenk; assert not schlenk.signals_available"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=peers.ROOT, check=True, stdout=subprocess.PIPE)
    assert "blinker" not in json.loads(told.stdout)["versions"]


def test_bare_werkzeug_serves_plain_requests() -> None:
    calls = werkzeug_calls()
    assert set(calls) == {*REQUESTS} - {"hooks", "session read and write"}
    for call in calls.values():
        loop(answer(call))(1)


def test_locals_are_measured_by_context() -> None:
    works = dict(by_context("schlenk.local"))
    assert set(works) == {*STACKS, *PLACE}
    for work in works.values():
        loop(work)(1)


def test_dictionary_floor_covers_locals() -> None:
    pytest.importorskip("greenlet")
    works = dict(dictionary("werkzeug"))
    assert set(works) == {*LOCALS} - {"application context", "request context"}
    for work in works.values():
        loop(work)(1)


def test_wrong_status_is_refused() -> None:
    hello = flask_calls("schlenk")["hello"]
    with pytest.raises(ValueError, match=r"/elsewhere is 404 .* instead of 200"):
        answer(hello._replace(environ=environ("/elsewhere")))


def test_wrong_body_is_refused() -> None:
    hello = flask_calls("schlenk")["hello"]
    with pytest.raises(ValueError, match="b'Hello, World!' instead of 200 b'hello'"):
        answer(hello._replace(body=b"hello"))


def test_loop_repeats_work() -> None:
    done: list[int] = []
    loop(Work("done.append(1)", {"done": done}, 3))(5)
    assert len(done) == 15


def test_minimum_is_kept() -> None:
    first = {"versions": {"flask": "3.1"}, "times": {"a": 3.0, "b": 1}, "scale": {"bytes": 1.0}}
    again = {"versions": {"flask": "3.2"}, "times": {"a": 2.0, "b": 2, "c": 5.0}}
    assert merge(merge(None, first), again) == {
        "versions": {"flask": "3.2"},
        "times": {"a": 2.0, "b": 1, "c": 5.0},
        "scale": {"bytes": 1.0},
    }


def test_instructions_exclude_overhead(tmp_path: Path) -> None:
    for number, total in enumerate((9_000_000, 1_100, 3_100, 700, 150, 250), start=1):
        (tmp_path / f"part.{number}").write_text(f"events: Ir\nfn=(1)\n4 5\n\ntotals: {total}\n")
    assert counts([("hello", 20), ("404", 10)], tmp_path) == {"hello": 100.0, "404": 10.0}


def test_table_shows_ratio() -> None:
    results = made_up(
        schlenk={"hello": 2_000.0, "404": 9.0}, Werkzeug={"hello": 1_000.0}, Flask={"hello": 8_000.4, "404": 10.0}
    )
    table = report.Table("Requests", ("hello", "404", "redirect"), "schlenk", ("Werkzeug", "Flask", "Bottle"))
    assert report.compare(table, results, "times") == (
        "|       | schlenk | Werkzeug 3.3 |    Flask 3.2 |\n"
        "| ----- | ------: | -----------: | -----------: |\n"
        "| hello |   2,000 | 1,000 (2.00) | 8,000 (0.25) |\n"
        "| 404   |     9.0 |              |    10 (0.90) |"
    )


def test_empty_table_is_omitted() -> None:
    assert list(report.tables(made_up(Flask={"hello": 1.0}))) == []


@pytest.mark.parametrize(("python", "limit", "met"), [("3.11.7", 0.25, False), ("3.13.0", 0.5, True)])
def test_goal_depends_on_python(python: str, limit: float, met: bool) -> None:
    (outcome,) = outcomes(made_up(schlenk={"proxy read": 40.0}, Flask={"proxy read": 100.0}), python)
    assert outcome == Outcome("proxy read", "Flask", limit, 0.4)
    assert outcome.met is met


def test_goal_may_use_other_work() -> None:
    (outcome,) = outcomes(made_up(schlenk={"hooks": 110.0}, Werkzeug={"hello": 100.0}), "3.11.7")
    assert outcome == Outcome("hooks", "Werkzeug, hello", 1.15, 1.1)


def test_scaling_and_memory_goals() -> None:
    results = made_up(schlenk={}, Flask={})
    results["peers"]["schlenk"]["scale"] = {"greenlets": {"1": 10.0, "100": 13.0}, "threads": {}, "bytes": 90.0}
    results["peers"]["Flask"]["scale"] = {"greenlets": {}, "threads": {}, "bytes": 100.0}
    beside, memory = outcomes(results, "3.11.7")
    assert beside == Outcome("hello, greenlets: 100", "greenlets: 1", 1.2, 1.3)
    assert not beside.met
    assert memory == Outcome("bytes of an open context", "Flask", 1.0, 0.9)


def test_bars_are_proportional() -> None:
    results = made_up(schlenk={"hello": 30.0}, Flask={"hello": 60.0}, Flask_1_1_4={}, Werkzeug={"hello": 15.0})
    drawing = ElementTree.fromstring(report.chart(results))
    lengths = [float(bar.get("width", "")) for bar in drawing.iter(f"{SVG}rect") if bar.get("y") != "18"]
    assert lengths == [460.0, 230.0, 115.0]
    assert {text.text for text in drawing.iter(f"{SVG}text")} >= {"hello", "30 ns", "60 ns", "schlenk", "Flask 3.2"}


def test_saved_results_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written, drawn = tmp_path / "results.json", tmp_path / "results.svg"
    written.write_text(json.dumps(made_up(schlenk={"hello": 30.0}, Flask={"hello": 60.0})))
    main(["--load", str(written), "--goals", "--plot", str(drawn)])
    shown = capsys.readouterr().out
    assert shown.startswith("Python 3.11.0, an abacus\n\n### Whole requests: ns")
    assert "| hello |      30 | 60 (0.50) |" in shown
    assert "| hello | Flask |    0.40 |    0.500 | NOT MET |" in shown
    assert ElementTree.parse(drawn).getroot().tag == f"{SVG}svg"


PAGE = "".join(f"{minor}\n<!-- measured on Python {minor} -->\nold\n<!-- end -->\n" for minor in ("3.1", "3.11", "3.9"))


def test_page_is_per_python() -> None:
    assert report.page(PAGE, "3.11.7", "new \\1") == PAGE.replace("3.11 -->\nold", "3.11 -->\nnew \\1")


def test_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no marks for Python 3\.13"):
        report.page(PAGE, "3.13.0", "new")


def test_unknown_peer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--peers", "schlenk,Djungo"])
    assert "no such peer: Djungo" in capsys.readouterr().err


def test_environment_follows_requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def install(name: str, place: Path, python: str) -> None:
        made.append(list(peers.REQUIREMENTS[name]))
        place.mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(peers, "install", install)
    first = peers.environment("bottle", tmp_path, sys.executable)
    assert peers.environment("bottle", tmp_path, sys.executable) == first
    monkeypatch.setitem(peers.REQUIREMENTS, "bottle", ["bottle>0.1"])
    assert peers.environment("bottle", tmp_path, sys.executable) == first
    assert made == [["bottle"], ["bottle>0.1"]]


def test_old_python_peer_has_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.NEWEST_PYTHON, "bottle", (3, 8))
    assert peers.environment("bottle", tmp_path, sys.executable) is None
    assert not list(tmp_path.iterdir())
