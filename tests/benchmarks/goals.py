"""The goals for schlenk's speed. A missed goal is only shown, because times vary too much for tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.benchmarks.work import ROUTES

NEWER = (3, 12)
"""From this Python on, failed attribute lookups are cheap, which makes the proxies of the newest Flask faster."""


class Goal(NamedTuple):
    work: str
    peer: str
    limit: float
    newer: float | None = None
    """The limit on newer Pythons, if it differs."""
    against: str | None = None
    """The peer's work, if it differs."""
    ours: str = "schlenk"
    """The peer that the goal is for."""


GOALS = [
    Goal("proxy read", "Flask", 0.25, 0.5),
    Goal("proxy read", "dictionary", 3.0, 2.5),
    Goal("request.method", "Flask", 0.30, 0.5),
    Goal("request.method", "dictionary", 3.0, 2.5),
    Goal("current_app.name", "Flask", 0.30, 0.5),
    Goal("g.user", "Flask", 0.30, 0.5),
    Goal("g.user = 1", "Flask", 0.6),
    Goal("stack top", "Flask", 1.2),
    Goal("stack top", "dictionary", 1.6),
    Goal("push + pop, non-empty", "Flask", 0.9),
    Goal("push + pop, empty", "Flask", 1.1),
    Goal("Local get", "Flask", 0.35),
    Goal("Local set", "Flask", 0.7),
    Goal("application context", "Flask", 0.8),
    Goal("request context", "Flask", 0.35),
    Goal("hello", "Flask", 0.40),
    Goal("hello", "Werkzeug", 1.0),
    Goal(f"one of {ROUTES} routes", "Flask", 0.45),
    Goal(f"one of {ROUTES} routes", "Werkzeug", 1.0),
    Goal("hooks", "Flask", 0.5),
    Goal("hooks", "Werkzeug", 1.15, against="hello"),
    Goal("40 proxy reads", "Flask", 0.4),
    Goal("session read and write", "Flask", 0.5),
    Goal("error handler", "Flask", 0.5),
    Goal("404", "Flask", 0.6),
    Goal("404", "Werkzeug", 1.2),
    *(
        Goal(work, "Flask", limit, newer, ours="Flask on schlenk")
        for work, limit, newer in [
            ("request.method", 0.30, 0.55),
            ("current_app.name", 0.30, 0.55),
            ("g.user", 0.30, 0.55),
            ("g.user = 1", 0.7, None),
            ("request context", 1.05, None),
            ("hello", 1.03, None),
            ("hooks", 1.03, None),
            ("40 proxy reads", 0.82, None),
            ("session read and write", 1.03, None),
            ("404", 1.03, None),
        ]
    ),
]
FLAT = 1.2
"""The limit for the time of a request beside many others, divided by its time beside few."""


class Outcome(NamedTuple):
    work: str
    against: str
    limit: float
    measured: float

    @property
    def met(self) -> bool:
        return self.measured <= self.limit


def outcomes(results: dict[str, Any], python: str) -> Iterator[Outcome]:
    """Compare the results with the goals. Goals without results are left out."""
    newer = tuple(map(int, python.split(".")[:2])) >= NEWER
    peers = results["peers"]
    ours = peers.get("schlenk", {})
    for goal in GOALS:
        theirs = peers.get(goal.peer, {}).get("times", {}).get(goal.against or goal.work)
        mine = peers.get(goal.ours, {}).get("times", {}).get(goal.work)
        if mine is not None and theirs is not None:
            limit = goal.newer if newer and goal.newer is not None else goal.limit
            work = goal.work if goal.ours == "schlenk" else f"{goal.ours}: {goal.work}"
            yield Outcome(work, f"{goal.peer}, {goal.against}" if goal.against else goal.peer, limit, mine / theirs)
    for among in ("threads", "greenlets"):
        costs = {int(count): cost for count, cost in ours.get("scale", {}).get(among, {}).items()}
        for count in sorted(costs)[1:]:
            yield Outcome(f"hello, {among}: {count}", f"{among}: {min(costs)}", FLAT, costs[count] / costs[min(costs)])
    if "scale" in ours and "scale" in peers.get("Flask", {}):
        yield Outcome(
            "bytes of an open context", "Flask", 1.0, ours["scale"]["bytes"] / peers["Flask"]["scale"]["bytes"]
        )
