"""The proxy table: the outcome of every operation on a ``LocalProxy``.

A cell of the table is an operation on a kind of proxy to an object. Operations are Python code, in which ``x`` is the
proxy, ``bare`` is the object and ``y`` is a second operand. The outcome is a text: the value of an expression or of
``x`` after a statement, or the type of the exception, followed by the changes of the object and of the second operand.

Most outcomes equal those of the object itself, which may depend on the version of Python. So each operation also runs
on the object, and the record, ``proxies.json``, contains only the cells in which the proxy of Werkzeug 1.0.1 differs.
The interpreter of the reference environment writes it with

    python -m tests.fidelity.proxies --record tests/fidelity/proxies.json
"""

from __future__ import annotations

import argparse
import asyncio
import collections.abc
import contextlib
import copy
import json
import math
import numbers
import operator
import os
import pickle
import re
import sys
import types
import typing
import warnings
import weakref
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from importlib import metadata, util
from pathlib import Path, PurePosixPath
from typing import Any, Callable

from tests.fidelity.side import Side, load
from tests.fidelity.users import HELPERS, USERS, Record, zipped

RECORD = Path(__file__).with_name("proxies.json")

# --- The objects


class Plain:
    """An object with no special method of its own."""

    word = "plain"

    def method(self, *arguments: Any) -> Any:
        return arguments


class Slotted:
    __slots__ = ("new", "word")

    def __init__(self) -> None:
        self.word = "slotted"


class Ready:
    """An awaitable that returns its value at once."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Iterator[Any]:
        return self.value
        yield


class Context:
    """A context manager that suppresses the error of its block and stores its type."""

    def __init__(self) -> None:
        self.left: list[Any] = []

    def __enter__(self) -> str:
        return "entered"

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        self.left.append(kind)
        return True


class AsyncContext:
    def __init__(self) -> None:
        self.left: list[Any] = []

    def __aenter__(self) -> Ready:
        return Ready("entered")

    def __aexit__(self, kind: Any, error: Any, traceback: Any) -> Ready:
        self.left.append(kind)
        return Ready(True)


class Counting:
    """An iterator that says how much is left."""

    def __init__(self) -> None:
        self.left = [1, 2, 3]

    def __iter__(self) -> Counting:
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    def __length_hint__(self) -> int:
        return len(self.left)


class AsyncCounting:
    def __init__(self) -> None:
        self.left = [1, 2, 3]

    def __aiter__(self) -> AsyncCounting:
        return self

    def __anext__(self) -> Ready:
        if not self.left:
            raise StopAsyncIteration
        return Ready(self.left.pop(0))


# The second operand has only reflected methods, which record their arguments.
REFLECTED = "radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand rxor ror".split()
BINARY = [name[1:] for name in REFLECTED]
IN_PLACE = ["i" + name for name in BINARY if name != "divmod"]

# The return values of the special methods of the recorder. The others return their name.
ANSWERS: dict[str, Callable[[], Any]] = {
    "aenter": lambda: Ready("aenter"),
    "aexit": lambda: Ready(False),
    "aiter": AsyncCounting,
    "anext": lambda: Ready("anext"),
    "await": lambda: iter(()),
    "bool": lambda: True,
    "bytes": lambda: b"bytes",
    "complex": lambda: 1j,
    "contains": lambda: True,
    "dir": lambda: ["listed"],
    "exit": lambda: False,
    "float": lambda: 0.5,
    "hash": lambda: 11,
    "index": lambda: 1,
    "instancecheck": lambda: True,
    "int": lambda: 2,
    "iter": lambda: iter([1, 2]),
    "len": lambda: 3,
    "length_hint": lambda: 4,
    "mro_entries": lambda: (),
    "reduce_ex": lambda: (str, ("reduced",)),
    "reversed": lambda: iter([2, 1]),
    "setattr": lambda: None,
    "subclasscheck": lambda: True,
}
OTHERS = """
    abs call ceil copy deepcopy delattr delete delitem enter eq floor format fspath ge get getitem gt invert le lt
    missing ne neg pos repr round set set_name setitem str trunc
""".split()
SPECIAL = sorted({*ANSWERS, *OTHERS, *BINARY, *REFLECTED, *IN_PLACE, "next"})


def recording(name: str) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
        given = [describe(value) for value in arguments] + [f"{key}={describe(keywords[key])}" for key in keywords]
        if name == "deepcopy":
            given = []  # The memo contains addresses.
        self.__dict__["calls"].append(f"{name}({', '.join(given)})")
        return ANSWERS.get(name, lambda: name)()

    return method


def failing(name: str) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
        raise RuntimeError(name)

    return method


def calls(self: Any) -> None:
    self.__dict__["calls"] = []


Recorder = type("Recorder", (), {"__init__": calls, **{f"__{name}__": recording(name) for name in SPECIAL}})
Failing = type("Failing", (), {f"__{name}__": failing(name) for name in SPECIAL})
Reflecting = type("Reflecting", (), {"__init__": calls, **{f"__{name}__": recording(name) for name in REFLECTED}})


class Absent:
    """Marks a missing object. Looking it up raises ``error``."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error


def made_function() -> Callable[..., Any]:
    def function(*arguments: Any, **keywords: Any) -> Any:
        return arguments, keywords

    return function


def counting() -> Iterator[int]:
    yield from (1, 2, 3)


async def counting_async() -> Any:
    for number in (1, 2, 3):
        yield number


async def coroutine() -> str:
    return "awaited"


def made_async_function() -> Callable[..., Any]:
    async def function(*arguments: Any, **keywords: Any) -> Any:
        return arguments, keywords

    return function


def made_class() -> type:
    return type("Class", (), {"__doc__": "A class.", "word": "class"})


def made_module() -> types.ModuleType:
    module = types.ModuleType("module")
    module.word = "module"
    return module


# Functions that make each object, from the library's ``local`` module, and its second operand.
OBJECTS: dict[str, tuple[Callable[[types.ModuleType], Any], Callable[[], Any]]] = {
    "int": (lambda local: 5, lambda: 3),
    "negative": (lambda local: -7, lambda: 2),
    "float": (lambda local: 2.5, lambda: 2),
    "complex": (lambda local: 1 + 2j, lambda: 2.0),
    "bool": (lambda local: True, lambda: False),
    "str": (lambda local: "cab", lambda: "b"),
    "bytes": (lambda local: b"cab", lambda: b"b"),
    "bytearray": (lambda local: bytearray(b"cab"), lambda: b"b"),
    "list": (lambda local: [3, 1, 2], lambda: [1]),
    "pairs": (lambda local: [("a", 1), ("b", 2)], lambda: ("a", 1)),
    "tuple": (lambda local: (3, 1, 2), lambda: (1,)),
    "dict": (lambda local: {"a": 1, "b": 2}, lambda: {"b": 3}),
    "set": (lambda local: {1, 2, 3}, lambda: {3, 4}),
    "frozenset": (lambda local: frozenset({1, 2}), lambda: {2}),
    "none": (lambda local: None, lambda: None),
    "function": (lambda local: made_function(), lambda: 1),
    "builtin": (lambda local: len, lambda: 1),
    "class": (lambda local: made_class(), lambda: int),
    "builtinclass": (lambda local: int, lambda: 1),
    "context": (lambda local: Context(), lambda: 1),
    "asynccontext": (lambda local: AsyncContext(), lambda: 1),
    "iterator": (lambda local: Counting(), lambda: 1),
    "generator": (lambda local: counting(), lambda: 1),
    "asynciterator": (lambda local: AsyncCounting(), lambda: 1),
    "asyncgenerator": (lambda local: counting_async(), lambda: 1),
    "awaitable": (lambda local: Ready("awaited"), lambda: 1),
    "coroutine": (lambda local: coroutine(), lambda: 1),
    "plain": (lambda local: Plain(), Plain),
    "reflected": (lambda local: Plain(), Reflecting),
    "slots": (lambda local: Slotted(), lambda: 1),
    "recorder": (lambda local: Recorder(), lambda: 3),
    "failing": (lambda local: Failing(), lambda: 3),
    "datetime": (lambda local: datetime(2020, 1, 2), lambda: timedelta(1)),
    "decimal": (lambda local: Decimal("2.50"), lambda: 2),
    "fraction": (lambda local: Fraction(7, 2), lambda: 2),
    "path": (lambda local: PurePosixPath("/a"), lambda: "b"),
    "module": (lambda local: made_module(), lambda: 1),
    "exception": (lambda local: KeyError("missing"), lambda: 1),
    "file": (lambda local: zipped(), lambda: 1),
    "asyncfunction": (lambda local: made_async_function(), lambda: 1),
    "dataclass": (lambda local: Record(), Record),
    "proxy": (lambda local: local.LocalProxy(lambda: [3, 1, 2]), lambda: [1]),
    "unbound": (lambda local: Absent(RuntimeError), lambda: 1),
    "attributeless": (lambda local: Absent(AttributeError), lambda: 1),
    "lost": (lambda local: Absent(LookupError), lambda: 1),
}

# --- The kinds of proxy


def current(value: Any) -> Any:
    if type(value) is Absent:
        raise value.error
    return value


def filled_local(local: Any, value: Any) -> Any:
    place = local.Local()
    if type(value) is not Absent:
        place.place = value
    return place


def filled_stack(local: Any, value: Any) -> Any:
    stack = local.LocalStack()
    if type(value) is not Absent:
        stack.push(value)
    return stack


@cache
def subclass(local: Any) -> Any:
    class Subclass(local.LocalProxy):
        """A subclass with an attribute and a method of its own."""

        word = "subclass"

        def method(self, *arguments: Any) -> Any:
            return "subclass", arguments, self._get_current_object()

    return Subclass


@cache
def overriding(local: Any) -> Any:
    class Overriding(local.LocalProxy):
        """A subclass that finds the object in its own way."""

        def __init__(self, value: Any) -> None:
            super().__init__(None)
            object.__setattr__(self, "value", value)

        def _get_current_object(self) -> Any:
            return current(object.__getattribute__(self, "value"))

    return Overriding


KINDS: dict[str, Callable[[Any, Any], Any]] = {
    "callable": lambda local, value: local.LocalProxy(lambda: current(value)),
    "partial": lambda local, value: local.LocalProxy(partial(current, value), "given"),
    "local": lambda local, value: local.LocalProxy(filled_local(local, value), "place"),
    "call": lambda local, value: filled_local(local, value)("place"),
    "stack": lambda local, value: filled_stack(local, value)(),
    "top": lambda local, value: local.LocalProxy(filled_stack(local, value), "top"),
    "subclass": lambda local, value: subclass(local)(lambda: current(value), "given"),
    "overridden": lambda local, value: overriding(local)(value),
}

# --- The operations


def drive(awaitable: Any) -> Any:
    """Run a coroutine to its end without an event loop."""
    try:
        while True:
            awaitable.send(None)
    except StopIteration as stop:
        return stop.value


async def awaiting(x: Any) -> Any:
    return await x


async def entering(x: Any, error: Any = None) -> Any:
    async with x as entered:
        if error is not None:
            raise error
        return entered


async def looping(x: Any) -> Any:
    return [item async for item in x]


def caught(x: Any) -> str:
    try:
        raise KeyError
    except x:
        return "caught"


def pickled(x: Any) -> Any:
    try:
        return pickle.loads(pickle.dumps(x, 4))
    except Exception:
        return "not picklable"  # The error depends on the version of Python.


# The names that operations use besides their operands.
NAMES: dict[str, Any] = HELPERS | {
    named.__name__: named
    for named in (
        asyncio, collections, contextlib, copy, json, math, numbers, operator, os, typing, weakref,
        datetime, Decimal, Fraction, Plain, PurePosixPath,
        awaiting, caught, drive, entering, looping, made_function, pickled,
    )
}  # fmt: skip

SYMBOLS = "+ - * @ / // % ** << >> & | ^".split()
COMPARISONS = "== != < <= > >=".split()
ABSTRACT = """
    AsyncIterable AsyncIterator Awaitable Callable Collection Container Coroutine Generator Hashable Iterable Iterator
    Mapping MutableMapping Reversible Sequence Set Sized
""".split()
PROTOCOLS = "SupportsAbs SupportsComplex SupportsFloat SupportsIndex SupportsInt".split()

WRITTEN = """
    divmod(x, y)
    divmod(y, x)
    divmod(x, x)
    pow(x, y)
    pow(x, y, 5)
    pow(y, x, 5)
    pow(y, y, x)
    x * 2
    2 * x
    1.5 * x
    x ** 2
    2 ** x
    -x
    +x
    ~x
    abs(x)
    not x
    bool(x)
    x and y
    x or y
    x == bare
    bare == x
    x != bare
    bare != x
    x is bare
    x == None
    hash(x) == hash(bare)
    {bare: 1}[x]
    {x: 1}[bare]
    x in {bare}
    bare in {x}
    x in [bare]
    bare in [x]
    [bare].index(x)
    [x].count(bare)
    len(x)
    operator.length_hint(x)
    operator.length_hint(x, 9)
    y in x
    1 in x
    'a' in x
    x in 'cab'
    x[0]
    x['a']
    x[1:]
    x[::2]
    x[::-1]
    x[...]
    x[0, 1]
    x[0] = 9
    x['a'] = 9
    x['new'] = 9
    x[1:] = y
    del x[0]
    del x['a']
    del x[1:]
    x[0] += 1
    iter(x) is bare
    list(iter(x))
    list(x)
    next(x)
    next(x, 'ended')
    next(iter(x))
    for x in x: pass
    list(reversed(x))
    [*x]
    (*x, 1)
    {*x}
    {**x}
    a, b, c = x; x = c, b, a
    a, *x = x
    made_function()(*x)
    made_function()(**x)
    dict(x)
    dict([x])
    {}.update(x)
    set(x)
    frozenset(x)
    tuple(x)
    list(zip(x, x))
    list(enumerate(x))
    list(map(x, [1]))
    list(filter(x, [1]))
    list(map(str, x))
    sorted(x)
    sorted([x, y])
    sorted([1, 2], key=x)
    min(x)
    max(x)
    min(x, y)
    sum(x)
    sum([x, x])
    sum([x], y)
    any(x)
    all(x)
    {1}.union(x)
    {1}.issubset(x)
    {1, 2}.difference(x)
    [].extend(x)
    y = [0]; y[:] = x; x = y
    y = [0]; y += x; x = y
    x()
    x(1)
    x(1, key=2)
    x(*[1], **{'key': 2})
    x([3, 1])
    callable(x)
    with x as x: pass
    with x: raise KeyError
    with x: raise KeyboardInterrupt
    with contextlib.ExitStack() as stack: x = stack.enter_context(x)
    drive(awaiting(x))
    drive(entering(x))
    drive(entering(x, KeyError()))
    drive(looping(x))
    asyncio.iscoroutine(x)
    int(x)
    int(x, 16)
    float(x)
    complex(x)
    operator.index(x)
    round(x)
    round(x, 1)
    math.trunc(x)
    math.floor(x)
    math.ceil(x)
    math.sqrt(x)
    math.gcd(x, 15)
    math.isclose(x, 5)
    hex(x)
    bin(x)
    chr(x)
    range(9)[x]
    range(9)[:x]
    range(9)[x:]
    'cab' * x
    list(range(x))
    'word'[x]
    bytes(x)
    bytearray(x)
    memoryview(x).tolist()
    b''.join([x])
    b'cab'.find(x)
    b'x' + x
    x + b'x'
    'x' + x
    x + 'x'
    str(x, 'ascii')
    str(x) == str(bare)
    repr(x) == repr(bare)
    str(x)
    repr(x)
    ascii(x)
    format(x)
    format(x, '')
    format(x, '>9')
    format(x, '.1f')
    format(x, '%Y')
    f'{x}'
    f'{x!r:>3}'
    '{}'.format(x)
    '{0[0]} {0}'.format(x)
    '{0.real}'.format(x)
    '{a}'.format_map(x)
    '%s' % x
    '%r' % x
    '%d' % x
    '%x' % x
    '%.1f' % x
    '%s %s %s' % x
    '%(a)s' % x
    x % ()
    x % 2
    ','.join(x)
    ','.join([x])
    'cab'.replace(x, 'x')
    'cab'.startswith(x)
    int('7', x)
    os.fspath(x)
    os.path.join('a', x)
    PurePosixPath(x)
    PurePosixPath('a') / x
    json.dumps(x)
    json.dumps({'key': x})
    Decimal(x)
    Decimal(1) + x
    Fraction(1) + x
    datetime(2020, 1, 1) + x
    dir(x) == dir(bare)
    dir(x)[:0]
    vars(x) is vars(bare)
    x.__dict__ is bare.__dict__
    x.word
    x.missing
    getattr(x, 'missing', 'default')
    hasattr(x, 'word')
    hasattr(x, 'missing')
    x.method(1)
    x.new = 1
    x.new = 1; del x.new
    x.word = 1
    del x.word
    del x.missing
    x.__name__ = 'renamed'; x = [x.__name__, bare.__name__]
    x.__wrapped__ = 'rewrapped'; x = [x.__wrapped__ == 'rewrapped', bare.__wrapped__]
    x.__doc__ = 'redocumented'; x = [x.__doc__ == 'redocumented', bare.__doc__]
    x.__dict__ = {'new': 1}
    x.__class__ = Plain; x = type(bare)
    x._LocalProxy__local = 1; x = bare._LocalProxy__local
    del x.__name__
    object.__setattr__(x, 'hidden', 1); x = hasattr(bare, 'hidden')
    object.__setattr__(x, 'hidden', 1); x = x.hidden
    x._get_current_object() is bare
    x._get_current_object
    x._LocalProxy__local
    type(x)
    type(x) is type(bare)
    x.__class__ is type(x)
    x.__class__ is bare.__class__
    x.__name__
    x.__doc__ == type(x).__doc__
    x.__doc__ == bare.__doc__
    x.__module__ == type(x).__module__
    x.__qualname__
    x.__wrapped__
    x.__mro__[0]
    x.__self__
    x.__init__ == bare.__init__
    x.__hash__ == bare.__hash__
    isinstance(x, type(bare))
    isinstance(x, type(x))
    isinstance(x, object)
    isinstance(x, (int, str, list))
    isinstance(x, numbers.Number)
    isinstance(x, os.PathLike)
    isinstance(x, contextlib.AbstractContextManager)
    isinstance(x, contextlib.AbstractAsyncContextManager)
    isinstance(1, x)
    isinstance(bare, x)
    isinstance(Plain(), x)
    issubclass(x, object)
    issubclass(x, int)
    issubclass(int, x)
    issubclass(x, x)
    class x(x): pass
    Holder = type('Holder', (), {'attribute': x}); x = Holder.attribute
    Holder = type('Holder', (), {'attribute': x}); x = Holder().attribute
    Holder = type('Holder', (), {'attribute': x}); Holder().attribute = 1
    raise x
    raise KeyError from x
    caught(x)
    copy.copy(x)
    copy.deepcopy(x)
    copy.deepcopy([x])
    copy.copy(x) is bare
    copy.deepcopy(x) is bare
    pickled(x)
    weakref.ref(x)() is x
    weakref.proxy(x) is x
    type(x)(lambda: 7) + 1
    type('Subclass', (type(x),), {'__getattr__': lambda self, name: name})(lambda: 7).real
    type('Subclass', (type(x),), {'real': 'own'})(lambda: 7).real
    type('Subclass', (type(x),), {'__len__': lambda self: 9})(lambda: [1]).__len__()
    type(x)(x)()
"""

UNARY = """
    abs aenter aiter anext await bool bytes call ceil complex copy enter exit float floor fspath index int invert
    iter len length_hint neg next pos repr reversed str trunc
""".split()
IMPLICIT = """
    bases class class_getitem closure cmp coerce code del dict div doc func getattr getattribute getinitargs
    hex init init_subclass long members module mro name new nonzero oct objclass qualname rdiv reduce self setstate
    signature sizeof slots subclasshook unicode weakref wrapped
""".split()

OPERATIONS: list[str] = [
    *(f"x {symbol} y" for symbol in SYMBOLS),
    *(f"y {symbol} x" for symbol in SYMBOLS),
    *(f"x {symbol} x" for symbol in SYMBOLS),
    *(f"x {symbol}= y" for symbol in SYMBOLS),
    *(f"y {symbol}= x; x = y" for symbol in SYMBOLS),
    *(f"x {symbol} y" for symbol in COMPARISONS),
    *(f"y {symbol} x" for symbol in COMPARISONS),
    *(f"x {symbol} x" for symbol in COMPARISONS),
    *filter(None, map(str.strip, WRITTEN.splitlines())),
    *(f"x.__{name}__(y)" for name in [*BINARY, *REFLECTED, *IN_PLACE, "eq", "ne", "lt", "le", "gt", "ge", "contains"]),
    *(f"x.__{name}__()" for name in UNARY),
    *(f"isinstance(x, collections.abc.{name})" for name in ABSTRACT),
    *(f"isinstance(x, typing.{name})" for name in PROTOCOLS),
    *(f"hasattr(x, '__{name}__')" for name in sorted({*SPECIAL, *IMPLICIT})),
    *(USERS if sys.version_info[:2] == (3, 11) and util.find_spec("jinja2") else []),
]

# Objects to leave out for an operation, as the outcome depends on the version of Python.
VARYING = {
    "pow(y, y, x)": "decimal",  # CPython 3.13.0 crashes on pow(2, 2, Decimal(1))
    "divmod(x, y)": "complex",
    "divmod(y, x)": "complex",
    "divmod(x, x)": "complex",
    "operator.index(x)": "bool",
    "isinstance(x, typing.SupportsComplex)": "complex",
    "isinstance(x, typing.SupportsInt)": "fraction",
    "x.__or__(y)": "class",
    "x.__complex__()": "complex",
    "x.__int__()": "fraction",
    "hasattr(x, '__complex__')": "complex",
    "hasattr(x, '__int__')": "fraction",
    "hasattr(x, '__or__')": "class",
}

# --- Outcomes

BY_VALUE = {
    bool, bytearray, bytes, complex, datetime, Decimal, float, Fraction, int, PurePosixPath, range, str, timedelta,
    type(None), type(...),
}  # fmt: skip
ADDRESS = re.compile(r"(?:[\w.]+\.)?(\w+)( object| of \w+)? at 0x[0-9a-f]+")


@cache
def is_proxy(kind: type) -> bool:
    return any(base.__name__ == "LocalProxy" for base in kind.__mro__)


def describe(value: Any) -> str:
    """Describe a value without calling any special methods of the objects above."""
    kind = type(value)
    if is_proxy(kind):
        try:
            return f"proxy of {describe(value._get_current_object())}"
        except (RuntimeError, AttributeError, LookupError) as error:
            return f"proxy that raises {type(error).__name__}"
    if kind in BY_VALUE:
        text = repr(value).replace("__main__", __spec__.name)
        return ADDRESS.sub(r"\1", text) if " at 0x" in text else text
    if kind is dict:
        return f"{{{', '.join(f'{describe(key)}: {describe(value[key])}' for key in value)}}}"
    if kind is list:
        return f"[{', '.join(map(describe, value))}]"
    if kind is tuple:
        return f"({', '.join(map(describe, value))},)"
    if kind in (set, frozenset):
        return f"{kind.__name__}({', '.join(sorted(map(describe, value)))})"
    return f"class {value.__name__}" if isinstance(value, type) else f"<{kind.__name__}>"


def state(value: Any) -> str:
    """Describe the parts of an object that an operation could change."""
    kind = type(value)
    if is_proxy(kind):
        return state(value._get_current_object())
    if kind is Slotted:
        return describe([getattr(value, name, None) for name in Slotted.__slots__])
    if kind in (bytearray, dict, list, set):
        return describe(value)
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return ""
    return describe({name: attributes[name] for name in attributes if not name.startswith("__")})


CODE: dict[str, tuple[types.CodeType, bool]] = {}


X = object()  # The outcome of a statement after which ``x`` is the same.


def run(operation: str, x: Any, bare: Any, y: Any) -> Any:
    """Run an operation. Return the value of an expression, or of ``x`` after a statement."""
    if operation not in CODE:
        try:
            CODE[operation] = compile(operation, operation, "eval"), True
        except SyntaxError:
            CODE[operation] = compile(operation, operation, "exec"), False
    code, is_expression = CODE[operation]
    names = {**NAMES, "x": x, "bare": bare, "y": y}
    value = eval(code, names)
    if is_expression:
        return value
    return X if names["x"] is x else names["x"]


def failed(operation: str, error: type[BaseException]) -> str:
    if "entering" in operation and error is AttributeError and sys.version_info < (3, 11):
        error = TypeError  # Python 3.11 raises it if an object is not an asynchronous context manager.
    return f"raises {error.__name__}"


def outcome(operation: str, x: Any, bare: Any, y: Any) -> str:
    """Return the outcome of an operation, with the changes of the object and of the second operand."""
    value, before = None, (state(bare), state(y))
    try:
        value = run(operation, x, bare, y)
        if value is X or (value is x and x is not bare):
            text = "x"
        else:
            text = "the object" if value is bare and type(bare) not in BY_VALUE else describe(value)
    except (Exception, KeyboardInterrupt) as error:
        text = failed(operation, type(error))
    for name, earlier, now in zip(("object", "operand"), before, (state(bare), state(y))):
        text += "" if earlier == now else f"; {name} now {now}"
    for unfinished in (bare, value):
        if type(unfinished).__name__ in ("coroutine", "async_generator_asend"):
            unfinished.close()  # Otherwise, Python warns that it was never awaited.
    return text


def kinds_for(name: str) -> list[str]:
    """Return the kinds of proxy that an object can have. Only a callable can raise an error of its own."""
    return ["callable", "partial", "subclass", "overridden"] if name in ("attributeless", "lost") else list(KINDS)


def found(kind: str, value: Any) -> Any:
    """Return the object of a proxy. A stack with ``None`` on top is empty, and an empty stack's ``top`` is ``None``."""
    if value is None and kind == "stack":
        return Absent(RuntimeError)
    return None if type(value) is Absent and kind == "top" else value


def without_object(operation: str, error: type[Exception]) -> str:
    """Return the outcome of an operation that fails because there is no object."""
    return "False" if operation.startswith("hasattr") and error is AttributeError else failed(operation, error)


class Row:
    """The outcomes of one operation on each kind of proxy to each object, and on the objects themselves.

    Both attributes map cells, ``"object/kind"``, to outcomes.
    """

    def __init__(self, local: types.ModuleType, operation: str) -> None:
        self.through_proxy: dict[str, str] = {}
        self.on_object: dict[str, str] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Some operations do not await a coroutine.
            self.fill(local, operation)

    def fill(self, local: types.ModuleType, operation: str) -> None:
        for name, (make, make_other) in OBJECTS.items():
            if name == VARYING.get(operation):
                continue
            known: dict[type, str] = {}
            for kind in kinds_for(name):
                cell, value = f"{name}/{kind}", make(local)
                x, bare = KINDS[kind](local, value), found(kind, value)
                absent = type(bare) is Absent
                self.through_proxy[cell] = outcome(operation, x, None if absent else bare, make_other())
                if type(bare) not in known:
                    itself = found(kind, make(local))
                    known[type(bare)] = (
                        without_object(operation, itself.error)
                        if absent
                        else outcome(operation, itself, itself, make_other())
                    )
                self.on_object[cell] = known[type(bare)]

    def differing(self) -> dict[str, str]:
        """Return the cells in which the outcome on the proxy differs from that on the object."""
        return {cell: text for cell, text in self.through_proxy.items() if text != self.on_object[cell]}


# --- The table as data, with the cells that differ from the object


def folded(cells: dict[str, str]) -> dict[str, str]:
    """Return cells as ``{outcome: "cell cell …"}``. The name of an object alone means all of its kinds."""
    outcomes: dict[str, list[str]] = {}
    for name in OBJECTS:
        own = {f"{name}/{kind}": cells.get(f"{name}/{kind}") for kind in kinds_for(name)}
        texts = set(own.values())
        for entry, text in ({name: texts.pop()} if len(texts) == 1 else own).items():
            if text is not None:
                outcomes.setdefault(text, []).append(entry)
    return {text: " ".join(outcomes[text]) for text in sorted(outcomes)}


def unfolded(outcomes: dict[str, str]) -> dict[str, str]:
    cells = {}
    for text, entries in outcomes.items():
        for entry in entries.split():
            cells.update({entry: text} if "/" in entry else {f"{entry}/{kind}": text for kind in kinds_for(entry)})
    return cells


def table(side: Side) -> dict[str, dict[str, str]]:
    return {operation: folded(Row(side.local, operation).differing()) for operation in OPERATIONS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--record", type=Path, required=True, metavar="FILE", help="write the outcomes on Flask's proxies"
    )
    file = parser.parse_args().record
    recorded = {
        "command": "python -m tests.fidelity.proxies --record tests/fidelity/proxies.json",
        "versions": {name: metadata.version(name) for name in ("flask", "werkzeug")},
        "operations": table(load("flask")),
    }
    file.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
