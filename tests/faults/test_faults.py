"""Faults at every point of a request: no context stays, no teardown function is skipped, no error is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack, stream_with_context
from tests.faults.trial import FAULTS, MODES, POINTS, Cell, run
from tests.fidelity.side import load
from tests.support.requirements import needs_blinker

FLASK = {
    (point_and_mode, fault): outcome
    for point_and_mode, outcomes in json.loads(Path(__file__).with_name("record.json").read_text()).items()
    for faults, outcome in outcomes.items()
    for fault in faults.split()
}
"""Maps each point, mode, and fault to the outcome in Flask 1.1.4: one line for each of four requests."""

CELLS = [Cell(point, fault, mode) for point in POINTS for fault in FAULTS for mode in MODES]
CLEAN = "200 onetwo; request-1 request-2 appcontext-1 appcontext-2; [0, 0]"
HALF_PUSHED = {"appcontext_pushed", "app_ctx_globals_class"}
TEARDOWN = {
    "teardown_request", "request_tearing_down", "close of the request", "teardown_appcontext",
    "appcontext_tearing_down", "appcontext_popped",
}  # fmt: skip


def outcome_of(cell: Cell) -> list[str]:
    return run(load("schlenk"), cell)


def departs(cell: Cell) -> bool:
    """Return whether the outcome differs from Flask 1.1.4 on purpose, as docs/fidelity.md states."""
    return cell.point in HALF_PUSHED or (cell.point in TEARDOWN and cell.mode == "kept by a client")


def named(cells: list[Cell]) -> list[Any]:
    return [pytest.param(cell, id=", ".join(cell)) for cell in cells]


@needs_blinker
@pytest.mark.parametrize("cell", named([cell for cell in CELLS if not departs(cell)]))
def test_fault_ends_as_in_flask(cell: Cell) -> None:
    outcome = outcome_of(cell)
    assert outcome == FLASK[f"{cell.point}, {cell.mode}", cell.fault]
    assert outcome[3] == CLEAN


@needs_blinker
@pytest.mark.parametrize("cell", named([cell for cell in CELLS if cell.point in HALF_PUSHED]))
def test_fault_during_push_surfaces_cleanly(cell: Cell) -> None:
    """Flask 1.1.4 replaced the error, or left the application context on the stack for later requests."""
    assert outcome_of(cell) == ["the-fault; ; [0, 0]", CLEAN, CLEAN, CLEAN]


@needs_blinker
@pytest.mark.parametrize(
    "cell", named([cell for cell in CELLS if cell.point in TEARDOWN and cell.mode == "kept by a client"])
)
def test_fault_while_preserved(cell: Cell) -> None:
    """Flask 1.1.4 raised another error instead."""
    answer, torn, depths = FLASK[f"{cell.point}, {cell.mode}", cell.fault][1].split("; ")
    assert answer in {"IndexError", "RuntimeError"}
    assert outcome_of(cell) == ["200 onetwo; ; [1, 1]", f"the-fault; {torn}; {depths}", CLEAN, CLEAN]


@needs_blinker
@pytest.mark.parametrize("point", POINTS)
def test_each_point_can_fail(point: str) -> None:
    """The other tests rely on this."""
    assert [line for line in outcome_of(Cell(point, "Timeout", "plain")) if "the-fault" in line]


# --- Faults from outside


@pytest.fixture
def app(app: Flask) -> Flask:
    app.extensions["torn"] = []
    app.teardown_request(lambda error: app.extensions["torn"].append(type(error)))
    return app


def depths() -> tuple[int, int]:
    return len(_request_ctx_stack._local.__storage__), len(_app_ctx_stack._local.__storage__)


def test_killed_view_is_torn_down(app: Flask) -> None:
    greenlet = pytest.importorskip("greenlet")
    app.add_url_rule("/", "index", lambda: greenlet.getcurrent().parent.switch())
    owner = greenlet.greenlet(lambda: app.test_client().get("/"))
    owner.switch()
    assert depths() == (1, 1)
    owner.throw()
    assert owner.dead is True
    assert app.extensions["torn"] == [greenlet.GreenletExit]
    assert depths() == (0, 0)


def test_dropped_greenlet_is_torn_down(app: Flask) -> None:
    """Its contexts keep it alive. Killing it removes them."""
    greenlet = pytest.importorskip("greenlet")
    app.add_url_rule("/", "index", lambda: greenlet.getcurrent().parent.switch())
    greenlet.greenlet(lambda: app.test_client().get("/")).switch()
    ((owner, _),) = list(_request_ctx_stack._local)
    owner.throw()
    assert app.extensions["torn"] == [greenlet.GreenletExit]
    assert depths() == (0, 0)


def test_killed_stream_ends(app: Flask) -> None:
    greenlet = pytest.importorskip("greenlet")

    def stream() -> Any:
        yield "one"
        greenlet.getcurrent().parent.switch()
        yield "two"

    app.add_url_rule("/", "index", lambda: app.response_class(stream_with_context(stream())))
    owner = greenlet.greenlet(lambda: app.test_client().get("/").get_data())
    owner.switch()
    assert depths() == (1, 1)
    owner.throw()
    assert owner.dead is True
    assert len(app.extensions["torn"]) == 1
    assert depths() == (0, 0)


def test_timeout_tears_down(app: Flask) -> None:
    gevent = pytest.importorskip("gevent")

    def wait() -> str:
        with gevent.Timeout(0):
            gevent.sleep(30)
        return "never"

    app.add_url_rule("/", "index", wait)
    with pytest.raises(gevent.Timeout):
        gevent.spawn(app.test_client().get, "/").get()
    assert app.extensions["torn"] == [gevent.Timeout]
    assert depths() == (0, 0)


def test_disconnect_in_stream_tears_down(app: Flask) -> None:
    closed: list[bool] = []

    def stream() -> Any:
        try:
            yield "one"
            yield "two"
        finally:
            closed.append(_request_ctx_stack.top is not None)

    app.add_url_rule("/", "index", lambda: app.response_class(stream_with_context(stream())))
    answer = app.test_client().get("/")
    assert next(answer.iter_encoded()) == b"one"
    assert app.extensions["torn"] == []
    answer.close()
    assert closed == [True]
    assert len(app.extensions["torn"]) == 1
    assert depths() == (0, 0)


def test_request_in_teardown_is_complete(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: "hello")
    answers: list[Any] = []

    @app.teardown_request
    def ask(error: BaseException | None) -> None:
        if error is not None:
            answers.append(app.test_client().get("/").text)

    with pytest.raises(ZeroDivisionError), app.test_request_context():
        raise ZeroDivisionError
    assert answers == ["hello"]
    assert app.extensions["torn"] == [type(None), ZeroDivisionError]
    assert depths() == (0, 0)
