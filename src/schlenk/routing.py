"""Matching as in Werkzeug 1: a rule whose converter rejects a value is skipped, and later rules are tried."""

from __future__ import annotations

from copy import copy
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, Rule, ValidationError


def match(adapter: Any) -> tuple[Rule, dict[str, Any]]:
    """Return the rule for the URL of an adapter, and the values in the URL.

    :raises HTTPException: no rule matches.

    >>> from werkzeug.routing import Map
    >>> urls = Map([Rule("/<int(max=5):small>", endpoint="small"), Rule("/<name>", endpoint="name")])
    >>> match(urls.bind("localhost", path_info="/10"))[1]
    {'name': '10'}
    """
    while True:
        try:
            return adapter.match(return_rule=True)  # type: ignore[no-any-return]
        except HTTPException as error:
            rule = _rejecting_rule(error)
            rest = _without(adapter, rule) if rule is not None and isinstance(adapter, MapAdapter) else None
            if rest is None:
                raise
        adapter = rest


def _rejecting_rule(error: HTTPException) -> Rule | None:
    """Return the rule whose converter rejected a value, if ``error`` was raised because of that."""
    rejection = getattr(error.__context__, "__cause__", None)
    if not isinstance(rejection, ValidationError):
        return None
    assert rejection.__traceback__ is not None
    # Only a local variable of Werkzeug's matcher, which called the converter, names the rule.
    return rejection.__traceback__.tb_frame.f_locals.get("rule")


def _without(adapter: MapAdapter, rule: Rule) -> MapAdapter | None:
    """Return a copy of an adapter whose map lacks a rule, or ``None`` if its map does not have the rule."""
    found = False

    def copied(state: Any) -> Any:
        nonlocal found
        new = copy(state)
        new.rules = [other for other in state.rules if other is not rule]
        found = found or len(new.rules) < len(state.rules)
        new.static = {part: copied(after) for part, after in state.static.items()}
        new.dynamic = [(part, copied(after)) for part, after in state.dynamic]
        return new

    new = copy(adapter)
    try:
        new.map = copy(adapter.map)
        new.map._matcher = copy(adapter.map._matcher)
        new.map._matcher._root = copied(adapter.map._matcher._root)
    except (AttributeError, TypeError, ValueError):
        # This version of Werkzeug has another matcher, so its result is used.
        return None
    # A converter may have matched another URL, with another map. The rule is in that map then.
    return new if found else None
