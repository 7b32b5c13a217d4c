"""Programs that override what the shortcuts bypass have the same trace with and without the shortcuts.

``python -m tests.overrides SEED NUMBER`` runs more programs.
"""

from __future__ import annotations

import json

from tests.overrides.compare import differences, start


def test_overrides_are_honored() -> None:
    assert differences(0, 300) == {}


def test_programs_reach_their_overrides() -> None:
    """The test above relies on this."""
    output, _ = start(0, 100, "1").communicate()
    seen = [event for line in output.splitlines() for event in json.loads(line)]
    functions = {event.split()[-1] for event in seen if isinstance(event, str) and " instance " in event}
    assert len(functions) > 5
    assert {event[0] for event in seen if isinstance(event, list) and event} >= {"200 OK", "404 NOT FOUND", "view"}
