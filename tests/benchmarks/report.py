"""The results as tables in Markdown and as a bar chart in SVG."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, NamedTuple

from tests.benchmarks.goals import Outcome
from tests.benchmarks.work import CONTEXTS, GLOBALS, LOCALS, PLACE, REQUESTS, ROUTES, STACKS

Results = dict[str, Any]


class Table(NamedTuple):
    title: str
    works: tuple[str, ...]
    ours: str
    theirs: tuple[str, ...]


TABLES = [
    Table(
        "Proxies, stacks and contexts",
        tuple(work for work in LOCALS if work not in PLACE),
        "schlenk",
        ("dictionary", "Flask", "Flask 1.1.4", "Bottle"),
    ),
    Table(
        "Locals",
        tuple(PLACE),
        "schlenk",
        ("dictionary", "Flask", "Flask 1.1.4"),
    ),
    Table(
        "Locals of other libraries",
        tuple(PLACE),
        "schlenk",
        ("threading.local", "ContextVar", "gevent.local", "asgiref.local"),
    ),
    Table("Locals with context_ident", (*STACKS, *PLACE), "context_ident", ("schlenk", "Flask")),
    Table("Whole requests", REQUESTS, "schlenk", ("Werkzeug", "Flask", "Flask 1.1.4", "Bottle")),
    Table("Flask on schlenk", (*GLOBALS, *CONTEXTS, *REQUESTS), "Flask on schlenk", ("Flask",)),
    Table(
        "Whole requests, without blinker",
        REQUESTS,
        "schlenk without blinker",
        ("Werkzeug", "Flask", "Flask 1.1.4 without blinker", "Bottle"),
    ),
]
CHART = (
    "request.method", "g.user", "session.get", "Local get", "request context", "hello", f"one of {ROUTES} routes",
    "hooks", "40 proxy reads", "session read and write", "error handler", "404",
)  # fmt: skip
COLOURS = {
    "Flask 1.1.4": "#b9bec5", "Flask": "#7d8793", "schlenk": "#1f6fb2", "Werkzeug": "#e0a33a", "dictionary": "#e0a33a"
}  # fmt: skip


def label(peer: str, results: Results) -> str:
    """Return the name of a peer, with its version if it has one."""
    version = results["peers"][peer]["versions"].get(peer.lower())
    return peer if version is None or peer == "schlenk" else f"{peer} {version}"


def markdown(rows: Iterable[Iterable[str]]) -> str:
    """Return rows as an aligned table. The first row is the heading, and all columns but the first are numbers."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    cells.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    lines = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def compare(table: Table, results: Results, what: str) -> str | None:
    """Return a table of times, each followed by schlenk's time divided by it, or ``None`` if the table is empty."""
    measured = {name: peer[what] for name, peer in results["peers"].items() if peer.get(what)}
    ours = measured.get(table.ours, {})
    theirs = [peer for peer in table.theirs if any(work in measured.get(peer, ()) for work in table.works)]
    rows = [["", table.ours, *(label(peer, results) for peer in theirs)]]
    for work in table.works:
        if work in ours:
            row = [work, number(ours[work])]
            for peer in theirs:
                cost = measured[peer].get(work)
                row.append("" if cost is None else f"{number(cost)} ({ours[work] / cost:.2f})")
            rows.append(row)
    return markdown(rows) if len(rows) > 1 else None


def scale(results: Results) -> str | None:
    """Return a table of the times beside many other requests, the memory, and the time of the import."""
    measured = {name: peer["scale"] for name, peer in results["peers"].items() if "scale" in peer}
    if not measured:
        return None
    rows = [["", *(label(peer, results) for peer in measured)]]
    for among in ("threads", "greenlets"):
        for count in next(iter(measured.values()))[among]:
            costs = [found.get(among, {}).get(count) for found in measured.values()]
            rows.append([f"hello, {among}: {count}, ns", *("" if cost is None else number(cost) for cost in costs)])
    for name, unit in (("bytes of an open context", 1), ("import, ms", 1e6)):
        sizes = [found.get(name.split()[0].strip(",")) for found in measured.values()]
        rows.append([name, *("" if size is None else number(size / unit) for size in sizes)])
    return markdown(rows)


def tables(results: Results) -> Iterator[str]:
    for what, unit in (("times", "ns"), ("instructions", "instructions")):
        for table in TABLES:
            shown = compare(table, results, what)
            if shown is not None:
                yield f"### {table.title}: {unit}, and schlenk's to the peer's\n\n{shown}"
    shown = scale(results)
    if shown is not None:
        yield f"### Beside many others, memory, import\n\n{shown}"


def goals(outcomes: Iterable[Outcome]) -> str:
    rows = [["", "to", "at most", "measured", ""]]
    for outcome in outcomes:
        reached = "met" if outcome.met else "NOT MET"
        rows.append([outcome.work, outcome.against, f"{outcome.limit:.2f}", f"{outcome.measured:.3f}", reached])
    return markdown(rows)


def page(text: str, python: str, measured: str) -> str:
    """Return the text of a page with the results between its two marks for this Python.

    :raises ValueError: The page has no such marks.
    """
    minor = ".".join(python.split(".")[:2])
    marks = f"(<!-- measured on Python {re.escape(minor)} -->\n).*?(<!-- end -->)"
    changed, count = re.subn(marks, lambda found: f"{found[1]}{measured}\n{found[2]}", text, count=1, flags=re.DOTALL)
    if not count:
        raise ValueError(f"The page has no marks for Python {minor}.")
    return changed


def chart(results: Results) -> str:
    """Draw the times of each peer as bars, divided by those of the newest Flask."""
    times = {name: peer["times"] for name, peer in results["peers"].items() if "times" in peer}
    works = [work for work in CHART if work in times.get("Flask", ())]
    bars = [
        (work, [(name, times[name][work], times[name][work] / times["Flask"][work]) for name in COLOURS
                if work in times.get(name, ())])
        for work in works
    ]  # fmt: skip
    longest = max((share for _, group in bars for _, _, share in group), default=1)
    left, width, height, y = 170, 460, 11, 48
    parts, legend = [], {}
    for work, group in bars:
        parts.append(
            f'<text x="{left - 8}" y="{y + len(group) * height / 2 + 4}" text-anchor="end">{escape(work)}</text>'
        )
        for name, cost, share in group:
            end = left + share / longest * width
            colour = COLOURS[name]
            parts.append(f'<rect x="{left}" y="{y}" width="{end - left:.1f}" height="{height - 1}" fill="{colour}"/>')
            parts.append(f'<text x="{end + 4:.1f}" y="{y + height - 2}" class="value">{number(cost)} ns</text>')
            legend.setdefault(colour, {})[name] = label(name, results)
            y += height
        y += 10
    x = left
    for colour, names in legend.items():
        text = ", ".join(names.values())
        parts.append(f'<rect x="{x}" y="18" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14}" y="27">{escape(text)}</text>')
        x += 30 + 7 * len(text)
    # There is no background, so that the page's shows: the gray of the text can be read on white and on black.
    head = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 70} {y}" font-family="sans-serif" font-size="12">
<title>Nanoseconds of each piece of work, drawn in proportion to the newest Flask's</title>
<style>text {{ fill: #777d85 }} .value {{ font-size: 9px }}</style>"""
    return "\n".join([head, *parts, "</svg>\n"])
