"""Records like those of :mod:`schlenk.trace`, for tests of the drawings of them."""

from __future__ import annotations

from typing import Any

# Characters that end an element, an attribute, a comment, a string or a line, or that hide or reorder text.
HOSTILE = (
    "</script><script>alert(1)</script><!-- ]]> \"'&amp; ${title} $title \u2028\u2029\u202e\x00\x1b\x85\ud800\ufffe\n"
)


def step(name: str = "view cart", **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "depth": 0,
        "parent": None,
        "owner": 0,
        "kind": "view",
        "name": name,
        "function": None,
        "where": None,
        "begin": 0.001,
        "end": 0.003,
        "result": None,
        "error": None,
        "app_stack": [],
        "request_stack": [],
        "note": None,
    }
    # Most steps do not change the stacks.
    made["app_stack_before"] = changes.get("app_stack", [])
    made["request_stack_before"] = changes.get("request_stack", [])
    assert changes.keys() <= made.keys()
    return {**made, **changes}


def record(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = {
        "title": "GET /cart?id=1",
        "app": "shop",
        "python": "3.11.7",
        "schlenk": "0.1.0",
        "seconds": 0.004,
        "owners": ["MainThread"],
        "steps": list(steps),
    }
    assert changes.keys() <= made.keys()
    return {**made, **changes}


def hostile(text: str) -> dict[str, Any]:
    """Return a record in which every text is ``text``, both in a step with a result and in one with an error."""
    of_client = dict.fromkeys(("name", "function", "where", "result", "note"), text)
    stacks = {key: [text, text] for key in ("app_stack", "request_stack", "request_stack_before")}
    return record(
        step(**of_client, **stacks),
        step(**{**of_client, "error": text}, owner=1, depth=1, parent=0),
        **dict.fromkeys(("title", "app", "python", "schlenk"), text),
        owners=[text, text],
    )


def printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
