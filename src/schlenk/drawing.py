"""Pictures of a recorded request: a page to step through, and a static SVG image.

:func:`html` and :func:`svg` draw the record that :mod:`schlenk.trace` makes. Everything in a record is plain text, much
of it from the client: it is escaped, and characters that are not printable are shown as Python's escape sequences. The
page loads nothing, and its Content-Security-Policy allows only the script and the style that are part of it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from html import escape
from importlib.resources import files
from itertools import takewhile
from string import Template
from typing import Any
from unicodedata import east_asian_width

__all__ = ["html", "printable", "svg"]

_STACKS = ("app", "request")


def html(record: Mapping[str, Any]) -> str:
    """Return a page that shows the steps of a record, and both stacks after the selected step.

    The page is one file that works without network access. Without JavaScript it shows the steps as a list.

    :param record: the attribute :attr:`schlenk.trace.Way.record`.

    >>> record = {"title": "GET /<cart>", "app": "shop", "python": "3.11.7", "schlenk": "0.1.0",
    ...           "seconds": 0.001, "owners": [], "steps": []}
    >>> "<h1>GET /&lt;cart&gt;</h1>" in html(record)
    True

    Flask has no such function.
    """
    record = printable(record)
    drawn = [[_stack(step, stack) for stack in _STACKS] for step in record["steps"]]
    template = files("schlenk").joinpath("trace.html").read_text("utf-8")
    return Template(template).substitute(
        title=escape(_title(record)),
        about=escape(_about(record)),
        style_hash=_hash(template, "style"),
        script_hash=_hash(template, "script"),
        steps="\n".join(_items(record)),
        # In a script element, "<" could end the script or begin a comment. json escapes all that is not ASCII.
        drawn=json.dumps(drawn).replace("<", "\\u003c"),
    )


def svg(record: Mapping[str, Any]) -> str:
    """Return an SVG image of a record: the steps with their durations, and both stacks after each step.

    The image adapts to a light or a dark color scheme, and contains neither scripts nor links. Long texts are cut.

    :param record: the attribute :attr:`schlenk.trace.Way.record`.

    >>> record = {"title": "GET /<cart>", "app": "shop", "python": "3.11.7", "schlenk": "0.1.0",
    ...           "seconds": 0.001, "owners": [], "steps": []}
    >>> "<title>GET /&lt;cart&gt;</title>" in svg(record)
    True

    Flask has no such function.
    """
    record = printable(record)
    rows = [_Row(step, record["owners"]) for step in record["steps"]]
    title, about = _clip(_title(record), 80), _clip(_about(record), 100)
    at, right = _layout(rows)
    width = max(right, _width(title) * 1.24 + 48, _width(about) + 48)
    height = 114 + _ROW * len(rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}" '
        f'height="{height}" role="img">',
        f"<title>{escape(_title(record))}</title>",
        f"<desc>{escape(_about(record))}</desc>",
        f"<style>{_SVG_STYLE}</style>",
        f'<rect class="paper" x=".5" y=".5" width="{width - 1:g}" height="{height - 1}" rx="10"/>',
        _text(24, 38, title, "title", 1.24),
        _text(24, 60, about, "soft"),
        *(_text(at[stack], 92, f"{stack} contexts", stack) for stack in _STACKS),
    ]
    for number, row in enumerate(rows):
        lines += row.draw(at, 118 + _ROW * number, width)
    return "\n".join([*filter(None, lines), "</svg>\n"])


class _Row:
    """The row of a step in the SVG image: the texts in its columns, which are cut if they are long."""

    def __init__(self, step: Mapping[str, Any], owners: list[str]) -> None:
        self.failed = bool(step["error"])
        self.indent = _INDENT * min(step["depth"], _DEEPEST)
        self.mark = _mark(step)
        self.name = _clip(step["name"], 44)
        self.error = _clip(f" {step['error']}", 44) if self.failed else ""
        self.owner = _clip(owners[step["owner"]], 20) if len(owners) > 1 else ""
        self.took = _took(step)
        self.stacks = {stack: [_clip(label, 28) for label in step[f"{stack}_stack"]] for stack in _STACKS}

    def draw(self, at: Mapping[str, float], y: float, width: float) -> Iterator[str]:
        """Yield the elements of the row.

        :param at: the left edge of each column.
        :param y: the baseline of the texts.
        :param width: the width of the image.
        """
        x_name = at["name"] + self.indent
        yield f'<path class="line" d="M24 {y - 16.5}H{width - 24:g}"/>'
        for shift in range(0, self.indent, _INDENT):
            yield f'<path class="line" d="M{at["name"] + shift + 3.5:g} {y - 16.5}v{_ROW}"/>'
        yield _text(at["mark"], y, self.mark, "bad" if self.failed else "soft")
        yield _text(x_name, y, self.name, "bad strong" if self.failed else "")
        yield _text(x_name + _width(self.name), y, self.error, "bad")
        yield _text(at["owner"], y, self.owner, "soft")
        yield _text(at["app"] - 28 - _width(self.took), y, self.took, "soft")
        for stack, labels in self.stacks.items():
            x = at[stack]
            if not labels:
                yield _text(x + 6, y, "empty", "soft")
            for label in labels:
                box = f'x="{x:g}" y="{y - 13}" width="{_width(label) + 12:g}" height="18" rx="4"'
                yield f'<rect class="{stack}" {box}/>'
                yield _text(x + 6, y, label, stack)
                x += _width(label) + 16


def _layout(rows: list[_Row]) -> tuple[dict[str, float], float]:
    """Return the left edge of each column, and the right edge of the last one."""
    at = {"mark": 24.0, "name": 42.0}
    at["owner"] = at["name"] + max((row.indent + _width(row.name + row.error) + 24 for row in rows), default=0)
    at["took"] = at["owner"] + _column([row.owner for row in rows])
    at["app"] = at["took"] + _column([row.took for row in rows]) + 4
    right = at["app"]
    for stack in _STACKS:
        at[stack] = right
        right += max([_width(f"{stack} contexts") + 24, *(_stack_width(row.stacks[stack]) for row in rows)])
    return at, right


def _items(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the list item of each step."""
    steps = record["steps"]
    first, last = _times(record)
    # Without max(), this would divide by zero if no step took any time.
    scale = 100 / max(last - first, 1e-9)
    before = None
    for number, (step, meanwhile) in enumerate(zip(steps, _meanwhile(record))):
        begin, end = step["begin"] - first, (last if step["end"] is None else step["end"]) - first
        owner, error = record["owners"][step["owner"]], step["error"]
        details = [
            ("function", step["function"]),
            ("where", step["where"]),
            ("in", owner),
            ("began", f"after {begin * 1000:.3f} ms"),
            ("took", _took(step)),
            ("result", step["result"]),
            ("raised", error),
            ("note", step["note"]),
            ("meanwhile", meanwhile),
            *((f"{stack} contexts", ", ".join(step[f"{stack}_stack"]) or "none") for stack in _STACKS),
        ]
        shown = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in details if value)
        seen = " seen" if step["owner"] == before else ""
        before = step["owner"]
        yield (
            f"<li id=step-{number}{' class=failed' if error else ''}>"
            + (f'<div class="owner{seen}">{escape(owner)}</div>' if len(record["owners"]) > 1 else "")
            + f"<div class=row>{'<i></i>' * min(step['depth'], _DEEPEST)}"
            f"<b aria-hidden=true>{_mark(step)}</b>"
            f"<span class=what><span class=name>{escape(step['name'])}</span>"
            + (f"<span class=error> raised {escape(error.partition(':')[0])}</span>" if error else "")
            + f"</span><span class=took>{_took(step)}</span>"
            f'<svg viewBox="0 0 100 4" preserveAspectRatio=none aria-hidden=true>'
            f'<rect x="{begin * scale:.2f}" width="{max((end - begin) * scale, 1):.2f}" height=4 />'
            f"</svg></div><dl>{shown}</dl></li>"
        )


def _stack(step: Mapping[str, Any], stack: str) -> list[tuple[str, str]]:
    """Return the labels to draw for a stack, top first, each with ``"pushed"``, ``"popped"`` or an empty string."""
    after = step[f"{stack}_stack"]
    before = step[f"{stack}_stack_before"]
    kept = [label for label, _ in takewhile(lambda both: both[0] == both[1], zip(after, before))]
    drawn = [(label, "") for label in kept] + [(label, "pushed") for label in after[len(kept) :]]
    return [(label, "popped") for label in reversed(before[len(kept) :])] + drawn[::-1]


def _meanwhile(record: Mapping[str, Any]) -> list[str]:
    """Describe the entries on the stacks of other threads and greenlets at the end of each step."""
    moments = [(step["begin"], step, "_before") for step in record["steps"]]
    # For a step that has not ended, the record contains the stacks at its beginning.
    moments += [(step["begin"] if step["end"] is None else step["end"], step, "") for step in record["steps"]]
    stacks: dict[int, str] = {}
    found = {}
    for _, step, when in sorted(moments, key=lambda moment: moment[0]):
        owner = step["owner"]
        both = [step[f"{stack}_stack{when}"] for stack in _STACKS]
        stacks.pop(owner, None)
        if not when:
            others = [f"{record['owners'][other]}: {text}" for other, text in stacks.items()]
            more = [f"and {len(others) - _OTHERS} more"] if len(others) > _OTHERS else []
            found[id(step)] = "; ".join(others[:_OTHERS] + more)
        if any(both):
            stacks[owner] = " / ".join(", ".join(labels) or "none" for labels in both)
    return [found[id(step)] for step in record["steps"]]


def _times(record: Mapping[str, Any]) -> tuple[float, float]:
    """Return when the first step began and the last one ended."""
    begins = [step["begin"] for step in record["steps"]]
    ends = [record["seconds"] if step["end"] is None else step["end"] for step in record["steps"]]
    return min(begins, default=0), max(ends, default=0)


def _title(record: Mapping[str, Any]) -> str:
    return record["title"] or "No request"


def _about(record: Mapping[str, Any]) -> str:
    number = len(record["steps"])
    first, last = _times(record)
    steps = f"{number} step{'' if number == 1 else 's'} in {(last - first) * 1000:.3f} ms"
    recorded = f"recorded with schlenk {record['schlenk']} on Python {record['python']}"
    return " \u00b7 ".join(filter(None, [record["app"], steps, recorded]))


def _mark(step: Mapping[str, Any]) -> str:
    return "\u2715" if step["error"] else {"push": "+", "pop": "\u2212"}.get(step["kind"], "")


def _took(step: Mapping[str, Any]) -> str:
    return "running" if step["end"] is None else f"{(step['end'] - step['begin']) * 1000:.3f} ms"


def printable(value: Any) -> Any:
    r"""Return a copy of a record in which each character can be printed, and is allowed in XML.

    Other characters become Python's escape sequences.

    :param value: the record, or a part of it.

    >>> printable({"title": "GET /\x1b[31m"})["title"] == r"GET /\x1b[31m"
    True

    Flask has no such function.
    """
    if isinstance(value, str):
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    if isinstance(value, Mapping):
        return {key: printable(part) for key, part in value.items()}
    return [printable(part) for part in value] if isinstance(value, list) else value


def _hash(template: str, element: str) -> str:
    """Return the hash by which the Content-Security-Policy allows an inline script or style."""
    source = template.partition(f"<{element}>")[2].partition(f"</{element}>")[0]
    return b64encode(sha256(source.encode()).digest()).decode()


_OTHERS = 4
"""How many threads and greenlets are described beside a step. The others are only counted."""

# Sizes in the SVG image. A character of the monospaced font is 0.6 em wide.
_ROW = 24
_INDENT = 16
_CHARACTER = 7.5
_DEEPEST = 12
"""Steps at a greater depth are not indented further, so that their names stay visible."""

_SVG_STYLE = """
text{font:12.5px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1d2126}
text.title{font-size:15.5px}text.title,text.strong{font-weight:600}
.paper{fill:#fcfbf9;stroke:#dedbd4}.line{stroke:#e9e6df}
text.soft{fill:#5b626b}text.bad{fill:#a9201a}text.app{fill:#0a6256}text.request{fill:#3a489f}
rect.app{fill:#e2f2ee;stroke:#0a6b5e}rect.request{fill:#e9ebfa;stroke:#3f4fb0}
@media(prefers-color-scheme:dark){text{fill:#e8e6e1}.paper{fill:#16181b;stroke:#33373d}.line{stroke:#2a2d32}
text.soft{fill:#a2a8b0}text.bad{fill:#ff9d94}text.app{fill:#7fdccb}text.request{fill:#b4beff}
rect.app{fill:#16302b;stroke:#4fa797}rect.request{fill:#20264a;stroke:#7f8bdb}}
"""


def _text(x: float, y: float, text: str, kind: str, scale: float = 1) -> str:
    """Return a text that is as wide as it was measured, in any font."""
    if not text:
        return ""
    length = _width(text) * scale
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:g}" y="{y:g}" textLength="{length:g}" xml:space="preserve">{escape(text)}</text>'


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(c) in "FW" else 1 for c in text)


def _width(text: str) -> float:
    return _columns(text) * _CHARACTER


def _column(texts: Iterable[str]) -> float:
    """Return the width of a column and the space after it. A column without texts has none."""
    widest = max(map(_width, texts), default=0)
    return widest and widest + 24


def _stack_width(labels: list[str]) -> float:
    return sum(_width(label) + 16 for label in labels) + 20


def _clip(text: str, columns: int) -> str:
    """Cut a text that is wider than a number of columns."""
    if _columns(text) <= columns:
        return text
    text = text[:columns]
    while _columns(text) >= columns:
        text = text[:-1]
    return text + "\u2026"
