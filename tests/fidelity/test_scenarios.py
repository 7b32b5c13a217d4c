"""The traces of all scenarios, compared with the record of Flask 1.1.4 or with the departures that are listed here.

``python -m tests.fidelity record`` makes the record, in an environment that has Flask 1.1.4.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fidelity import scenarios  # noqa: F401  (registers them)
from tests.fidelity.side import load
from tests.fidelity.trace import SCENARIOS, available, run

RECORD: dict[str, list[Any]] = json.loads(Path(__file__).with_name("record.json").read_text(encoding="utf-8"))[
    "scenarios"
]
SCHLENK = load("schlenk")

# The traces of each scenario of departures.py on Flask 1.1.4 and on schlenk: event, depths of the stacks, values.
DEPARTURES: dict[str, tuple[list[Any], list[Any]]] = {
    "refreshed_cookie_without_vary": (
        [["refreshed", [0, 0], False, [{"_permanent": True, "a": 1}]]],
        [["refreshed", [0, 0], True, [{"_permanent": True, "a": 1}]]],
    ),
    "emptied_session_without_vary": (
        [["cleared", [0, 0], False, [""]], ["popped", [0, 0], False, [""]]],
        [["cleared", [0, 0], True, [""]], ["popped", [0, 0], True, [""]]],
    ),
    "empty_session_read_without_vary": (
        [["read", [0, 0], False, []], ["flashes", [0, 0], False, []]],
        [["read", [0, 0], True, []], ["flashes", [0, 0], True, []]],
    ),
    "several_vary_headers": (
        [["sent", [0, 0], ["Accept, Cookie"]]],
        [["sent", [0, 0], ["Accept, Origin, Cookie"]]],
    ),
    "readings_that_did_not_count": (
        [["counted", [0, 0], []]],
        [["counted", [0, 0], "in len bool iter keys values items == != copy repr dict pop".split()]],
    ),
    "request_context_popped_under_another": (
        [["popped", [1, 0], "AssertionError", ["teardown_request", "teardown_appcontext"], "lower"]],
        [["popped", [2, 1], "AssertionError", [], "upper"]],
    ),
    "application_context_popped_under_another": (
        [["popped", [0, 1], "AssertionError", ["teardown_appcontext"], False]],
        [["popped", [0, 2], "AssertionError", [], True]],
    ),
    "application_context_popped_that_was_never_pushed": (
        [
            ["on an empty stack", [0, 0], "AssertionError", ["teardown_appcontext"]],
            ["over another", [0, 0], "AssertionError", ["teardown_appcontext", "teardown_appcontext"]],
        ],
        [["on an empty stack", [0, 0], "AssertionError", []], ["over another", [0, 1], "AssertionError", []]],
    ),
    "request_context_popped_in_another_thread": (
        [["popped", [1, 1], ["AssertionError"], ["teardown_appcontext"], True]],
        [["popped", [1, 1], ["AssertionError"], [], True]],
    ),
    "application_context_forgotten_in_a_view": (
        [["forgotten", [0, 1], "AssertionError", ["teardown_request", "teardown_appcontext"]]],
        [["forgotten", [0, 0], "AssertionError", ["teardown_request", "teardown_appcontext"]]],
    ),
    "request_context_forgotten_in_a_view": (
        [["forgotten", [1, 0], "AssertionError", ["teardown_request", "teardown_appcontext"]]],
        [["forgotten", [0, 0], "AssertionError", ["teardown_request", "teardown_appcontext"]]],
    ),
    "application_context_forgotten_in_a_block": (
        [["left", [0, 1], "AssertionError", ["teardown_appcontext"]]],
        [["left", [0, 0], "AssertionError", ["teardown_appcontext"]]],
    ),
    "request_context_taken_off_in_a_view": (
        [["taken", [0, 0], "AssertionError", ["teardown_appcontext"]]],
        [["taken", [0, 0], "AssertionError", ["teardown_request", "teardown_appcontext"]]],
    ),
    "context_kept_by_a_client_in_a_view": (
        [["kept", [1, 0], "AssertionError", ["teardown_request", "teardown_appcontext"]]],
        [["kept", [0, 0], "200 OK", ["teardown_request", "teardown_request", "teardown_appcontext"]]],
    ),
    "application_context_in_use_above_a_kept_context": (
        [["in use", [0, 1], "AssertionError", False, ["teardown_request", "teardown_appcontext"]]],
        [["in use", [0, 1], "NoneType", True, ["teardown_request", "teardown_appcontext", "teardown_request"]]],
    ),
    "block_whose_push_failed": (
        [["block", [1, 1], "Boom: open_session", []]],
        [["block", [0, 0], "Boom: open_session", ["teardown_request", "teardown_appcontext"]]],
    ),
    "failing_receiver_of_appcontext_pushed": (
        [["pushed", [0, 1], "Boom: appcontext_pushed"], ["served", [0, 1], "IndexError", []]],
        [["pushed", [0, 0], "Boom: appcontext_pushed"], ["served", [0, 0], "Boom: appcontext_pushed", []]],
    ),
    "application_context_that_cannot_be_made": (
        [["served", [0, 0], "IndexError", []]],
        [["served", [0, 0], "Boom: app_context", []]],
    ),
    "streams_closed_first_one_first": (
        [
            [
                "closed",
                [0, 0],
                ["AssertionError", "AssertionError"],
                ["lower"],
                ["teardown_request", "teardown_appcontext", "teardown_request"],
            ]
        ],
        [
            [
                "closed",
                [0, 0],
                [None, None],
                ["upper"],
                ["teardown_request", "teardown_appcontext", "teardown_request", "teardown_appcontext"],
            ]
        ],
    ),
    "streams_read_in_turns": (
        [
            [
                "read",
                [0, 0],
                ["lower0 /stream/upper", "upper0 /stream/upper", "lower1 /stream/upper", "lower2 /stream/lower"],
                ["teardown_request", "teardown_request", "teardown_appcontext"],
            ]
        ],
        [
            [
                "read",
                [0, 0],
                ["lower0 /stream/lower", "upper0 /stream/upper", "lower1 /stream/lower", "lower2 /stream/lower"],
                ["teardown_request", "teardown_appcontext", "teardown_request", "teardown_appcontext"],
            ]
        ],
    ),
    "request_beside_a_waiting_stream": (
        [["seen", [0, 0], "ada", ["teardown_request"]]],
        [["seen", [0, 0], "nobody", ["teardown_request", "teardown_appcontext"]]],
    ),
    "stream_closed_during_another_request": (
        [
            [
                "answered",
                [0, 0],
                "AssertionError",
                ["AssertionError"],
                False,
                ["teardown_request", "teardown_appcontext", "teardown_request"],
            ]
        ],
        [
            [
                "answered",
                [0, 0],
                "200 OK",
                [None],
                False,
                ["teardown_request", "teardown_appcontext", "teardown_request", "teardown_appcontext"],
            ]
        ],
    ),
    "abort_given_an_error": (
        [["answered", [0, 0], ["404 NOT FOUND", "203 OTHER"]]],
        [["answered", [0, 0], ["500 INTERNAL SERVER ERROR", "500 INTERNAL SERVER ERROR"]]],
    ),
    "failed_block_kept_inside_another": (
        [["ended", [1, 0], "AssertionError", ["teardown_request", "teardown_appcontext"]]],
        [["ended", [0, 0], None, ["teardown_request", "teardown_request", "teardown_appcontext"]]],
    ),
    "failing_teardown_of_a_kept_context": (
        [["kept", [1, 1], "500 INTERNAL SERVER ERROR"], ["next", [0, 0], "RuntimeError"]],
        [["kept", [1, 1], "500 INTERNAL SERVER ERROR"], ["next", [0, 0], "Boom: teardown"]],
    ),
    "copied_function_called_at_the_same_time": ([["torn down", [0, 0], 1]], [["torn down", [0, 0], 3]]),
    "request_inside_before_first_request": ([["ended", [0, 0], False]], [["ended", [0, 0], True]]),
    "trapped_key_error_without_a_key": (
        [["surfaced", [0, 0], "IndexError"]],
        [["surfaced", [0, 0], "BadRequestKeyError"]],
    ),
    "signed_cookie_that_holds_no_session": (
        [["seen", [0, 0], "{'a': 1}"], ["seen", [0, 0], "TypeError"], ["seen", [0, 0], "ValueError"]],
        [["seen", [0, 0], "{'a': 1}"], ["seen", [0, 0], "{}"], ["seen", [0, 0], "{}"]],
    ),
    "emptied_session_without_attributes": (
        [["taken away", [0, 0], False, False, True]],
        [["taken away", [0, 0], True, True, True]],
    ),
    "converter_not_asked": (
        [
            ["method", [0, 0], "404 NOT FOUND", None, ""],
            ["slash", [0, 0], "200 OK", None, "name"],
            ["repeated slash", [0, 0], "404 NOT FOUND", None, ""],
            ["websocket", [0, 0], "404 NOT FOUND", None, ""],
            ["allowed", [0, 0], [["GET", "HEAD", "OPTIONS"]]],
        ],
        [
            ["method", [0, 0], "405 METHOD NOT ALLOWED", None, ""],
            ["slash", [0, 0], "308 PERMANENT REDIRECT", "http://localhost/slash/10/", ""],
            ["repeated slash", [0, 0], "308 PERMANENT REDIRECT", "http://localhost/twice/10", ""],
            ["websocket", [0, 0], "400 BAD REQUEST", None, ""],
            ["allowed", [0, 0], [["GET", "HEAD", "OPTIONS", "PUT"]]],
        ],
    ),
    "rules_that_differ_by_a_slash": (
        [["served", [0, 0], "308 PERMANENT REDIRECT", "http://localhost/page/", ""]],
        [["served", [0, 0], "200 OK", None, "page"]],
    ),
    "path_converter_and_a_slash_too_many": (
        [["last", [0, 0], "200 OK", None, "a"], ["earlier", [0, 0], "200 OK", None, "a b"]],
        [["last", [0, 0], "200 OK", None, "a/"], ["earlier", [0, 0], "200 OK", None, "page/a/b/"]],
    ),
    "rules_beside_a_path_converter": (
        [["chosen", [0, 0], "200 OK", None, "names"]],
        [["chosen", [0, 0], "200 OK", None, "path"]],
    ),
    "equal_rules_with_defaults": (
        [["chosen", [0, 0], "200 OK", None, "plain"]],
        [["chosen", [0, 0], "200 OK", None, "number 1"]],
    ),
    "websocket_upgrade": (
        [["/socket", [0, 0], "400 BAD REQUEST"], ["/page", [0, 0], "200 OK"]],
        [["/socket", [0, 0], "200 OK"], ["/page", [0, 0], "400 BAD REQUEST"]],
    ),
    "slashes_beside_a_path_converter": (
        [["merged", [0, 0], "308 PERMANENT REDIRECT", "http://localhost/a/b", ""]],
        [["merged", [0, 0], "200 OK", None, "a//b"]],
    ),
    "slashes_and_methods": (
        [
            ["merged", [0, 0], "308 PERMANENT REDIRECT", "http://localhost/merged/a", ""],
            ["exact", [0, 0], "404 NOT FOUND", None, ""],
        ],
        [
            ["merged", [0, 0], "405 METHOD NOT ALLOWED", None, ""],
            ["exact", [0, 0], "405 METHOD NOT ALLOWED", None, ""],
        ],
    ),
    "charset_of_a_response_class": (
        [["sent", [0, 0], "text/html; charset=latin1", 1]],
        [["sent", [0, 0], "text/html; charset=utf-8", 2]],
    ),
    "stream_closed_before_its_first_part": (
        [["closed", [0, 0], [], ["teardown_request", "teardown_appcontext"]]],
        [["closed", [0, 0], ["closed"], ["teardown_request", "teardown_appcontext"]]],
    ),
    "stack_whose_list_was_emptied": (
        [["emptied", [0, 0], None, "IndexError"]],
        [["emptied", [0, 0], None, "NoneType"]],
    ),
    "applications_that_are_equal": (
        [["seen", [0, 0], "outer", True]],
        [["seen", [0, 0], "inner", False]],
    ),
    "rules_changed_after_they_were_added": (
        [["changed", [0, 0], "404 NOT FOUND", "308 PERMANENT REDIRECT"]],
        [["changed", [0, 0], "200 OK", "404 NOT FOUND"]],
    ),
    "contexts_taken_off_in_teardown_functions": (
        [
            ["request", [0, 1], "AttributeError", ["teardown_request"]],
            ["appcontext", [0, 0], "AssertionError", ["teardown_request", "teardown_appcontext"]],
        ],
        [
            ["request", [0, 0], "str", ["teardown_request", "teardown_appcontext"]],
            ["appcontext", [0, 0], "str", ["teardown_request", "teardown_appcontext"]],
        ],
    ),
    "request_context_taken_off_in_a_stream": (
        [["read", [0, 0], "AssertionError", ["teardown_appcontext"]]],
        [["read", [0, 0], "NoneType", ["teardown_request", "teardown_appcontext"]]],
    ),
    "environ_changed_after_the_request_was_made": (
        [["changed", [0, 0], "PUT", "10.0.0.1"]],
        [["changed", [0, 0], "GET", None]],
    ),
    "bytes_as_the_value_of_a_header": (
        [["sent", [0, 0], "value"]],
        [["sent", [0, 0], "b'value'"]],
    ),
    "url_with_capital_letters_and_a_semicolon": (
        [["url", [0, 0], "http://Example.COM/?a=1%3Bb=%3B"]],
        [["url", [0, 0], "http://example.com/?a=1;b=;"]],
    ),
    "environ_that_overrides_reading": (
        [["read", [0, 0], "POST"]],
        [["read", [0, 0], "GET"]],
    ),
    "values_of_threads_that_ended": (
        [["most are kept", [0, 0], True, True]],
        [["most are kept", [0, 0], False, False]],
    ),
    "values_of_a_thread_with_the_same_ident": (
        [["seen", [0, 0], True, True]],
        [["seen", [0, 0], False, True]],
    ),
}


def runnable(names: Any) -> list[Any]:
    skip = pytest.mark.skip(reason="needs a package that is not installed")
    return [pytest.param(name, marks=() if available(SCENARIOS[name]) else skip) for name in sorted(names)]


def expected(name: str) -> list[Any]:
    """Return the recorded trace. Without blinker, signals are not sent."""
    events = RECORD[name]
    return events if SCHLENK.signals.signals_available else [e for e in events if not e[0].startswith("signal ")]


@pytest.mark.parametrize("name", runnable(SCENARIOS.keys() - DEPARTURES.keys()))
def test_scenario_equals_flask(name: str) -> None:
    assert run(name, SCHLENK) == expected(name)


@pytest.mark.parametrize("name", runnable(DEPARTURES))
def test_departure_is_as_stated(name: str) -> None:
    there, here = DEPARTURES[name]
    assert there == RECORD[name]
    assert here == run(name, SCHLENK)


def test_departures_match_their_module() -> None:
    departing = {name for name, function in SCENARIOS.items() if function.__module__.endswith(".departures")}
    assert departing == DEPARTURES.keys()


def test_record_is_complete() -> None:
    assert RECORD.keys() == SCENARIOS.keys()
