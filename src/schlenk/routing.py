"""Matching as in Werkzeug 1: a rule whose converter rejects a value is skipped, and converters can match slashes."""

from __future__ import annotations

import re
from copy import copy
from typing import Any

from werkzeug import routing
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, MapAdapter, ValidationError


class Rule(routing.Rule):
    """A rule whose converters match slashes if their regular expressions can.

    >>> from werkzeug.routing import Map
    >>> class Anything(BaseConverter):
    ...     regex = ".+"
    >>> urls = Map([Rule("/<anything:path>", endpoint="page")], converters={"anything": Anything})
    >>> urls.bind("localhost").match("/a/b")
    ('page', {'path': 'a/b'})

    In Werkzeug 3, only a converter whose class has a ``regex`` that contains a slash does so.
    """

    def get_converter(self, *args: Any, **kwargs: Any) -> BaseConverter:
        converter = super().get_converter(*args, **kwargs)
        let_match_slashes(converter)
        return converter


# The parts of a regular expression that can match a slash: a set, an escape such as `\D`, a dot, or the slash itself.
_MAYBE_SLASH = re.compile(r"\[\^?]?(?:\\.|[^]\\])*]|\\[^xuUN\d]|[./]")


def let_match_slashes(converter: BaseConverter) -> None:
    """Set ``part_isolating`` of a converter to false if its regular expression can match a slash."""
    if any(re.fullmatch(part, "/") for part in _MAYBE_SLASH.findall(converter.regex)):
        converter.part_isolating = False


def match_later_rules(request: Any, adapter: Any) -> None:
    """Match the URL of a request again if a converter rejected a value.

    Set ``url_rule`` and ``view_args`` of the request, or leave its ``routing_exception``.

    :param adapter: the URL adapter, whose ``match()`` has raised the ``routing_exception``.

    >>> from types import SimpleNamespace
    >>> from werkzeug.exceptions import NotFound
    >>> from werkzeug.routing import Map
    >>> urls = Map([Rule("/<int(max=5):small>", endpoint="small"), Rule("/<name>", endpoint="name")])
    >>> adapter, request = urls.bind("localhost", path_info="/10"), SimpleNamespace()
    >>> try:
    ...     adapter.match()
    ... except NotFound as error:
    ...     request.routing_exception = error
    >>> match_later_rules(request, adapter)
    >>> request.view_args
    {'name': '10'}
    """
    while (rule := _rejecting_rule(request.routing_exception)) is not None:
        adapter = _without(adapter, rule)
        if adapter is None:
            return
        try:
            request.url_rule, request.view_args = adapter.match(return_rule=True)
        except HTTPException as error:
            request.routing_exception = error
        else:
            request.routing_exception = None


def _rejecting_rule(error: HTTPException | None) -> routing.Rule | None:
    """Return the rule whose converter rejected a value, if ``error`` was raised because of that."""
    rejection = getattr(getattr(error, "__context__", None), "__cause__", None)
    if not isinstance(rejection, ValidationError):
        return None
    assert rejection.__traceback__ is not None
    # Only a local variable of Werkzeug's matcher, which called the converter, names the rule.
    return rejection.__traceback__.tb_frame.f_locals.get("rule")


def _without(adapter: Any, rule: routing.Rule) -> MapAdapter | None:
    """Return a copy of an adapter whose map lacks a rule, or ``None`` if its map does not have the rule."""
    if not isinstance(adapter, MapAdapter):
        return None
    new = copy(adapter)
    try:
        root = adapter.map._matcher._root
        if not _has_rule(root, rule):
            # A converter has matched another URL, with another map, which has the rule.
            return None
        new.map = copy(adapter.map)
        new.map._matcher = copy(adapter.map._matcher)
        new.map._matcher._root = _copy_state(root, rule)
    except (AttributeError, TypeError, ValueError):
        # This version of Werkzeug has another matcher, so its result is used.
        return None
    return new


# The matcher is a tree of states. A state has the rules that match a URL that ends there, and the state that follows
# for each part with which a URL may continue: `static` parts by their text, `dynamic` ones with their pattern.


def _has_rule(state: Any, rule: routing.Rule) -> bool:
    """Return whether a state of the matcher, or one that follows it, has a rule."""
    following = [*state.static.values(), *(after for _, after in state.dynamic)]
    return any(other is rule for other in state.rules) or any(_has_rule(after, rule) for after in following)


def _copy_state(state: Any, rule: routing.Rule) -> Any:
    """Return a copy of a state of the matcher, and of the states that follow it, without a rule."""
    new = copy(state)
    new.rules = [other for other in state.rules if other is not rule]
    new.static = {part: _copy_state(after, rule) for part, after in state.static.items()}
    new.dynamic = [(part, _copy_state(after, rule)) for part, after in state.dynamic]
    return new
