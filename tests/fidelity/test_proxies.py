"""The outcomes of operations on proxies equal those of Werkzeug 1.0.1, except for those that are listed here."""

from __future__ import annotations

import json
import sys
from functools import cache

import pytest

from schlenk import local
from tests.fidelity.proxies import OBJECTS, OPERATIONS, RECORD, Row, folded, unfolded
from tests.fidelity.users import USERS

RECORDED = {
    operation: unfolded(outcomes)
    for operation, outcomes in json.loads(RECORD.read_text(encoding="utf-8"))["operations"].items()
}

# Werkzeug lacked a special method and raised TypeError. The outcome is now that of the object.
FORWARDED = {
    "x @ y",
    "y @ x",
    "x @ x",
    "x @= y",
    "y @= x; x = y",
    "y ** x",
    "y << x",
    "y >> x",
    "y & x",
    "y | x",
    "y ^ x",
    "y **= x; x = y",
    "y <<= x; x = y",
    "y >>= x; x = y",
    "y &= x; x = y",
    "y |= x; x = y",
    "y ^= x; x = y",
    "2 ** x",
    "pow(x, y, 5)",
    "x / x",
    "divmod(x, x)",
    "x ** x",
    "x << x",
    "x >> x",
    "x & x",
    "x | x",
    "x ^ x",
    "math.trunc(x)",
    "format(x, '>9')",
    "format(x, '.1f')",
    "format(x, '%Y')",
    "class x(x): pass",
}

if sys.version_info >= (3, 14):
    # Older Pythons never call __rpow__ with three arguments.
    FORWARDED.add("pow(y, x, 5)")

# Werkzeug lacked a special method, and Python called another one. The outcome is now that of the object.
DIRECT = {
    "operator.length_hint(x)",
    "operator.length_hint(x, 9)",
    "math.floor(x)",
    "math.ceil(x)",
}

# The proxy lacks the methods that only Python 2 had, and ``__getattr__``, which would make reading attributes slower.
# The outcome is that of the object.
GONE = {
    "hasattr(x, '__cmp__')",
    "hasattr(x, '__coerce__')",
    "hasattr(x, '__div__')",
    "hasattr(x, '__getattr__')",
    "hasattr(x, '__hex__')",
    "hasattr(x, '__long__')",
    "hasattr(x, '__members__')",
    "hasattr(x, '__oct__')",
    "hasattr(x, '__rdiv__')",
    "hasattr(x, '__unicode__')",
}

# All other differences: the outcomes and their cells, as in the record.
EVERY = " ".join(OBJECTS)
UNBOUND = " ".join(
    f"unbound/{kind}" for kind in ("callable", "partial", "local", "call", "stack", "subclass", "overridden")
)
NOTHING = f"none/stack {UNBOUND}"
OTHERWISE = {
    # The method of the other operand receives the object, as for every other operator.
    "x @ y": {"'rmatmul'; operand now {'calls': ['rmatmul(<Plain>)']}": "reflected"},
    "x @ x": {"'matmul'; object now {'calls': ['matmul(proxy of <Recorder>)']}": "recorder"},
    # In-place forms compute and rebind, as those of every other operator.
    "x @= y": {
        "'rmatmul'; operand now {'calls': ['rmatmul(<Plain>)']}": "reflected",
        "'matmul'; object now {'calls': ['matmul(3)']}": "recorder",
    },
    # Only a set can change another set in place.
    "y &= x; x = y": {"set(3)": "set"},
    "y |= x; x = y": {"set(1, 2, 3, 4)": "set", "set(1, 2)": "frozenset", "True": "bool"},
    "y ^= x; x = y": {"set(1, 2, 4)": "set", "set(1)": "frozenset", "True": "bool"},
    # The tuple of bases contains the object.
    "class x(x): pass": {"class x; object now {'calls': ['mro_entries((<Recorder>,))']}": "recorder"},
    # Like the four globals, a proxy to the top of a stack has a class of its own with the same name.
    "type(x) is type(bare)": {"False": "proxy/stack"},
    "x.__class__ is bare.__class__": {"False": "proxy/stack"},
    # mock.patch() and inspect read these attributes to recognize a function. They now accept an unbound proxy.
    **{f"hasattr(x, '__{name}__')": {"False": NOTHING} for name in ("code", "func", "signature")},
    **{f"inspect.is{kind}function(x)": {"False": NOTHING} for kind in ("asyncgen", "coroutine", "generator")},
    **{f"hasattr(mock.MagicMock(spec=x), '{name}')": {"False": NOTHING} for name in ("word", "missing")},
    **{
        operation: {"'MagicMock'": NOTHING}
        for operation in (
            *(f"patched(x{how})" for how in ("", ", autospec=True", ", spec=True", ", spec_set=True", ", spec=x")),
            "patched_in_module(x)",
            "type(mock.create_autospec(x)).__name__",
            "type(mock.create_autospec(x, instance=True)).__name__",
            "type(mock.MagicMock(spec=x)).__name__",
        )
    },
    "isinstance(mock.MagicMock(spec=x), type(x))": {"True": NOTHING},
    "len(inspect.signature(x).parameters)": {
        "0": "none/stack unbound/callable unbound/partial unbound/stack unbound/subclass"
    },
    # A proxy refuses to be pickled before the method of its object is called.
    "pickled(x)": {"'not picklable'": "recorder/partial"},
    "pickled([x])": {"'not picklable'": "recorder/partial"},
    # Jinja 3 calls __aiter__ by name, but Jinja 2 did not.
    "rendered(x, '{% for item in x %}{{ item }}{{ loop.last }}{% endfor %}', True)": {
        "'1False2False3True'": "asyncgenerator",
        "'1False2False3True'; object now {'calls': ['aiter()']}": "recorder",
        "'1False2False3True'; object now {'left': []}": "asynciterator",
        "raises RuntimeError": "failing",
    },
    "rendered(x, '{{ x|join }}', True)": {
        "'123'": "asyncgenerator",
        "'123'; object now {'calls': ['aiter()']}": "recorder",
        "'123'; object now {'left': []}": "asynciterator",
        "raises RuntimeError": "failing",
    },
    # A class statement reads it like any attribute, so it cannot depend on the object.
    "hasattr(x, '__mro_entries__')": {"True": EVERY},
}

row = cache(Row)


def expected(operation: str, cell: str) -> str:
    on_object = row(local, operation).on_object[cell]
    recorded = RECORDED[operation].get(cell, on_object)
    listed = unfolded(OTHERWISE.get(operation, {})).get(cell)
    if listed is not None:
        return listed
    if operation in DIRECT | GONE or (operation in FORWARDED and recorded == "raises TypeError"):
        return on_object
    return recorded


@pytest.mark.parametrize("operation", OPERATIONS)
def test_answers_are_expected(operation: str) -> None:
    answers = row(local, operation).through_proxy
    wanted = {cell: expected(operation, cell) for cell in answers}
    differing = [cell for cell in answers if answers[cell] != wanted[cell]]
    assert folded({cell: answers[cell] for cell in differing}) == folded({cell: wanted[cell] for cell in differing})


def test_listed_do_differ() -> None:
    differing = {
        operation
        for operation in OPERATIONS
        for cell, text in row(local, operation).through_proxy.items()
        if text != RECORDED[operation].get(cell, row(local, operation).on_object[cell])
    }
    assert differing == (FORWARDED | DIRECT | GONE | OTHERWISE.keys()) & set(OPERATIONS)


def test_record_is_complete() -> None:
    assert RECORDED.keys() == {*OPERATIONS, *USERS}
