"""Tables that programs write into pages of the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def markdown_table(rows: Iterable[list[str]]) -> str:
    """Return rows as a table in Markdown. The first row is the heading."""
    heading, *others = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in (heading, ["---"] * len(heading), *others))


def replace_between(mark: str, page: Path, text: str) -> None:
    """Replace the text between the two lines ``mark`` of a page."""
    before, _, after = page.read_text(encoding="utf-8").split(mark)
    page.write_text(f"{before}{mark}\n{text}\n{mark}{after}", encoding="utf-8")
