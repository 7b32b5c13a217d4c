"""A record of a request: each step of it, and the entries of both stacks after the step.

:func:`trace` records it; ``python -m schlenk trace`` does so on the command line. How steps are recognized is described
in :mod:`schlenk.recorder`. An application that is not traced does not import these modules.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

from . import drawing
from .recorder import Recorder

__all__ = ["Way", "trace"]


class Way:
    """The steps that :func:`trace` has recorded. Printing it shows them as a timeline.

    Flask has no such class.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @property
    def record(self) -> dict[str, Any]:
        """The complete record, as a dictionary of plain values.

        ``title`` and ``app`` are the first request and its application, ``python`` and ``schlenk`` the versions, and
        ``seconds`` the length of the block. ``owners`` are the names of threads and greenlets. Each of the ``steps``
        has:

        * ``kind``, ``name``, and the ``function`` that ran and ``where`` it is defined,
        * ``begin`` and ``end`` in seconds (``end`` is ``None`` if it had not ended),
        * ``result`` or ``error``, and a ``note``, each ``None`` or a short text,
        * ``app_stack`` and ``request_stack``: the entries of both stacks after it, lowest first,
        * ``app_stack_before`` and ``request_stack_before``: the entries before it,
        * ``owner``, an index of ``owners``; ``parent``, the index of the step that it is a part of, or ``None``; and
          ``depth``, the number of steps that it is a part of.
        """
        recorded = self._recorder
        steps = sorted(recorded.steps, key=lambda step: step.begin)
        began, ended = recorded.began, recorded.ended or perf_counter()
        numbers = {id(step): number for number, step in enumerate(steps)}
        return {
            "title": recorded.title,
            "app": recorded.app,
            "python": platform.python_version(),
            "schlenk": _version(),
            "seconds": ended - began,
            "owners": [owner.name for owner in recorded.owners],
            "steps": [
                {
                    "depth": step.depth,
                    "parent": None if step.parent is None else numbers[id(step.parent)],
                    "owner": recorded.owners.index(step.owner),
                    "kind": step.kind,
                    "name": step.name,
                    "function": step.function,
                    "where": step.where,
                    "begin": step.begin - began,
                    "end": None if step.end is None else step.end - began,
                    "result": step.result,
                    "error": step.error,
                    "app_stack": step.app_stack,
                    "app_stack_before": step.app_stack_before,
                    "request_stack": step.request_stack,
                    "request_stack_before": step.request_stack_before,
                    "note": step.note,
                }
                for step in steps
            ],
        }

    def to_json(self) -> str:
        """Return :attr:`record` as JSON."""
        return json.dumps(self.record, indent=1)

    def to_html(self) -> str:
        """Return a page that shows the steps, and both stacks after the selected one. It needs no network access."""
        return drawing.html(self.record)

    def to_svg(self) -> str:
        """Return an SVG image of the steps and the stacks, for a document."""
        return drawing.svg(self.record)

    def to_text(self, color: bool = False) -> str:
        """Return the timeline: begin and duration in milliseconds, the step, both stacks after it, and its result.

        Steps that raised an exception are marked with ``!``. Control characters are escaped.

        :param color: whether to use the colors of a terminal.
        """
        record = drawing.printable(self.record)
        steps = record["steps"]
        names = [f"{'  ' * step['depth']}{step['name']}" for step in steps]
        stacks = [f"{_stack(step['app_stack'])} / {_stack(step['request_stack'])}" for step in steps]
        width = min(max(map(len, names), default=0), 60)
        stack_width = min(max(map(len, stacks), default=0), 60)
        title = f"{record['title'] or 'no request'} of {record['app']}" if record["app"] else "nothing was recorded"
        lines = [f"{title}, {record['seconds'] * 1000:.3f} ms (Python {record['python']}, schlenk {record['schlenk']})"]
        owner = 0
        for step, name, stack in zip(steps, names, stacks):
            if step["owner"] != owner:
                owner = step["owner"]
                lines.append(f"--- {record['owners'][owner]}")
            took = "..." if step["end"] is None else f"{(step['end'] - step['begin']) * 1000:.3f}"
            what = f"! {step['error']}" if step["error"] else step["result"] and f"-> {step['result']}"
            where = step["where"] if _is_of_application(step["function"]) else None
            details = "  ".join(filter(None, (what, step["note"], where)))
            line = f"{step['begin'] * 1000:9.3f} {took:>9}  {name:{width}}  {stack:{stack_width}}  {details}".rstrip()
            lines.append(f"\x1b[31m{line}\x1b[0m" if color and step["error"] else line)
        if color:
            lines[0] = f"\x1b[1m{lines[0]}\x1b[0m"
        return "\n".join(lines)

    def __str__(self) -> str:
        """Return the timeline, in color if standard output is a terminal and ``NO_COLOR`` is not set."""
        return self.to_text(color=sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR"))


@contextmanager
def trace() -> Iterator[Way]:
    """Record each step of the requests that are handled in the block, and in threads and greenlets started in it.

    The requests take longer in the block, and nothing else changes. A profile function that was set before is called as
    well. The :class:`Way` can be read after the block, and has no references to the application.

    >>> from schlenk import Flask
    >>> app = Flask("shop")
    >>> @app.before_request
    ... def load_user():
    ...     pass
    >>> with trace() as way:
    ...     response = app.test_client().get("/cart?id=1")
    >>> way.record["title"], way.record["app"]
    ('GET /cart?id=1', 'shop')
    >>> [step["name"] for step in way.record["steps"] if step["kind"] == "hook"]
    ['before_request load_user']
    >>> [step["error"][:8] for step in way.record["steps"] if step["name"] == "dispatch_request"]
    ['NotFound']

    Flask has no such function.
    """
    recorder = Recorder()
    recorder.start()
    try:
        yield Way(recorder)
    finally:
        recorder.stop()


def _stack(labels: list[str]) -> str:
    return f"[{', '.join(labels)}]"


def _is_of_application(function: str | None) -> bool:
    return function is not None and not function.startswith(("schlenk.", "flask."))


def _version() -> str:
    try:
        return version("schlenk")
    except PackageNotFoundError:
        # It was copied, not installed.
        return "?"
