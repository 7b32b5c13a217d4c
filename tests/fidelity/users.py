"""Functions of the standard library and of common packages that use a proxy.

Many of them check the type of their argument first, so the special methods of a proxy decide what they do with it. The
operations are part of the table of :mod:`tests.fidelity.proxies`.
"""

from __future__ import annotations

import abc
import array
import ast
import asyncio
import base64
import bisect
import collections.abc
import concurrent.futures
import configparser
import contextlib
import csv
import dataclasses
import doctest
import functools
import gzip
import hashlib
import heapq
import html
import inspect
import io
import itertools
import json
import logging
import marshal
import numbers
import operator
import pprint
import queue
import re
import reprlib
import shutil
import signal
import sqlite3
import statistics
import string
import struct
import sys
import tarfile
import tempfile
import textwrap
import threading
import types
import typing
import unittest
import urllib.parse
import warnings
import weakref
import zipfile
import zlib
from typing import Any, Callable
from unittest import mock
from wsgiref.util import FileWrapper
from xml.etree import ElementTree

# --- Functions for operations that are not a single expression


def patched(x: Any, **how: Any) -> str:
    """Return the type of the mock that replaces ``x``."""
    with mock.patch.object(types.SimpleNamespace(held=x), "held", **how) as replacement:
        return type(replacement).__name__


def patched_in_module(x: Any) -> str:
    module = types.ModuleType("patched_module")
    vars(module)["held"] = x
    with mock.patch.dict(sys.modules, patched_module=module), mock.patch("patched_module.held") as replacement:
        return type(replacement).__name__


def patched_attribute(x: Any) -> Any:
    with mock.patch.object(x, "word", "patched"):
        return x.word


def called_mock(x: Any, **how: Any) -> Any:
    return mock.Mock(**how)(x)


def run_async(make: Callable[[], Any]) -> Any:
    """Await what ``make`` returns, in an event loop."""

    async def main() -> Any:
        return await make()

    # From Python 3.11 on, asyncio.run() replaces this handler of SIGINT, and calls repr() of the result then. A program
    # that a shell started in the background ignores SIGINT instead.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    # On Python 3.11, a thread that ends while the end of another one is handled makes a traced program loop for ever:
    # coverage has weak references to the greenlets of threads, whose callbacks are traced.
    tracing = sys.gettrace()
    sys.settrace(None)
    try:
        return asyncio.run(main())
    finally:
        sys.settrace(tracing)
        signal.signal(signal.SIGINT, before)


async def awaited_if_awaitable(x: Any) -> Any:
    return await x if inspect.isawaitable(x) else "not awaited"


@functools.singledispatch
def dispatched(x: Any) -> str:
    return "object"


for kind in (int, str, dict, list, type, types.FunctionType, Exception):
    dispatched.register(kind, lambda x, name=kind.__name__: name)


@functools.singledispatch
def dispatched_by_ability(x: Any) -> str:
    return "object"


for kind in (
    collections.abc.Awaitable, collections.abc.AsyncIterable, collections.abc.Iterator, collections.abc.Reversible,
    collections.abc.Buffer if sys.version_info >= (3, 12) else None, contextlib.AbstractAsyncContextManager,
):  # fmt: skip
    if kind is not None:
        dispatched_by_ability.register(kind, lambda x, name=kind.__name__: name)


Registry = abc.ABCMeta("Registry", (), {})
Registry.register(int)
Registry.register(list)
Registry.register(types.FunctionType)


@typing.runtime_checkable
class Closable(typing.Protocol):
    def no_such_method(self) -> None: ...


def documented(x: Any) -> int:
    """Return the number of doctests in a module with ``x``."""
    module = types.ModuleType("module")
    module.x = x  # type: ignore[attr-defined]
    return len(doctest.DocTestFinder().find(module, "module"))


def listed_members(x: Any) -> list[str]:
    module = types.ModuleType("module")
    module.x = x  # type: ignore[attr-defined]
    return [name for name, member in inspect.getmembers(module) if member is x]


@functools.cache
def template_of(source: str, is_async: bool) -> Any:
    import jinja2

    return jinja2.Environment(enable_async=is_async).from_string(source)


def rendered(x: Any, source: str, is_async: bool) -> str:
    template = template_of(source, is_async)
    return run_async(lambda: template.render_async(x=x)) if is_async else template.render(x=x)


def logged(*arguments: Any) -> str:
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.Logger("users")
    logger.addHandler(handler)
    logger.info(*arguments)
    return records[0]


def started(**how: Any) -> Any:
    """Run a thread and return the type of the error that ended it."""
    errors: list[Any] = []
    with mock.patch("threading.excepthook", lambda failed: errors.append(failed.exc_type)):
        thread = threading.Thread(**how)
        thread.start()
        thread.join()
    return errors


def submitted(x: Any) -> Any:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(x).result()


def queried(parameters: Any) -> Any:
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        try:
            return database.execute("select ?", parameters).fetchall()
        except sqlite3.Error:
            return "refused"  # The error depends on the version of Python.


def written(x: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(x)
    return buffer.getvalue()


def spooled(x: Any) -> bytes:
    with tempfile.SpooledTemporaryFile() as file:
        file.write(x)
        file.seek(0)
        return file.read()


def matched(x: Any, pattern: str) -> Any:
    names = {"x": x}
    exec(f"match x:\n case {pattern}: found = True\n case _: found = False", names)
    return names["found"]


def zipped() -> io.BytesIO:
    """Return a file with a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("member"), "content")
    file.seek(0)
    return file


class Archive(zipfile.ZipFile):
    def __del__(self) -> None:
        """Do nothing: ``ZipFile.__del__`` raises if the constructor failed."""


@dataclasses.dataclass
class Record:
    word: str = "record"


# The names that the operations below use.
HELPERS: dict[str, Any] = {
    named.__name__: named
    for named in (
        array, ast, asyncio, base64, bisect, collections, concurrent, configparser, contextlib, csv, dataclasses,
        functools, gzip, hashlib, heapq, html, inspect, io, itertools, json, logging, marshal, mock, numbers, operator,
        pprint, queue, re, reprlib, shutil, statistics, string, struct, sys, tarfile, textwrap, types, typing, unittest,
        warnings, weakref, zipfile, zlib, Archive, FileWrapper, ElementTree, Registry, Closable, Record,
        awaited_if_awaitable, called_mock, dispatched, dispatched_by_ability, documented, listed_members, logged,
        matched, patched, patched_attribute, patched_in_module, queried, rendered, run_async, spooled, started,
        submitted, written,
    )
}  # fmt: skip
HELPERS["mock"], HELPERS["ElementTree"], HELPERS["parse"] = mock, ElementTree, urllib.parse

PREDICATES = """
    abstract asyncgen asyncgenfunction awaitable builtin class code coroutine coroutinefunction datadescriptor frame
    function generator generatorfunction getsetdescriptor memberdescriptor method methoddescriptor module routine
    traceback
""".split()
ABSTRACT = "AsyncGenerator ItemsView KeysView MappingView MutableSequence MutableSet ValuesView".split()
PATTERNS = "[*_] [_,_,_] {} {'a':_} int() str() list() dict() None True 5 'cab' object(word=_)".split()

WRITTEN = """
    patched(x)
    patched(x, autospec=True)
    patched(x, spec=True)
    patched(x, spec_set=True)
    patched(x, spec=x)
    patched_in_module(x)
    patched_attribute(x)
    type(mock.create_autospec(x)).__name__
    type(mock.create_autospec(x, instance=True)).__name__
    type(mock.MagicMock(spec=x)).__name__
    isinstance(mock.MagicMock(spec=x), type(x))
    hasattr(mock.MagicMock(spec=x), 'word')
    hasattr(mock.MagicMock(spec=x), 'missing')
    called_mock(x, wraps=lambda given: given)
    mock.Mock(wraps=x)(1)
    mock.Mock(side_effect=x)(1)
    mock.Mock(return_value=x)() is x
    mock.Mock().attach_mock(x, 'attached')
    mock.call(x) == mock.call(bare)
    mock.ANY == x
    mock.patch.dict(x, {'a': 9}).__enter__()['a']
    run_async(mock.AsyncMock(return_value=x))
    run_async(mock.AsyncMock(side_effect=x))
    run_async(lambda: awaited_if_awaitable(x))
    run_async(lambda: asyncio.gather(x))
    run_async(lambda: asyncio.wait_for(x, 9))
    run_async(lambda: asyncio.shield(x))
    run_async(lambda: asyncio.to_thread(x))
    run_async(lambda: asyncio.get_running_loop().run_in_executor(None, x))
    asyncio.isfuture(x)
    asyncio.run(x)
    collections.Counter(x)['a']
    collections.ChainMap(x)['a']
    collections.OrderedDict(x)['a']
    list(collections.deque(x))
    collections.defaultdict(x)['a']
    collections.UserDict(x)['a']
    collections.UserList(x).data
    collections.UserString(x).data
    collections.namedtuple('Named', x)._fields
    typing.get_origin(x)
    typing.cast(int, x) is x
    isinstance(x, Closable)
    isinstance(x, Registry)
    issubclass(type(x), Registry)
    contextlib.closing(x).__enter__() is x
    contextlib.closing(x).__exit__(None, None, None)
    with contextlib.suppress(x): raise KeyError
    with contextlib.suppress(x): pass
    with contextlib.nullcontext(x) as x: pass
    with contextlib.redirect_stdout(x): pass
    with contextlib.ExitStack() as stack: stack.push(x)
    with contextlib.ExitStack() as stack: stack.callback(x)
    with contextlib.contextmanager(x)() as x: pass
    json.loads(x)
    json.load(x)
    json.dump(1, x)
    json.dumps([x])
    json.dumps({x: 1})
    json.dumps(1, indent=x)
    json.dumps(object(), default=x)
    json.dumps(x, default=lambda given: 'default')
    marshal.loads(marshal.dumps(x))
    ast.literal_eval(x)
    pickled([x])
    dispatched(x)
    dispatched_by_ability(x)
    functools.partial(x, 1)(2)
    functools.wraps(x)(lambda: 1).__name__
    functools.wraps(x)(lambda: 1).__wrapped__ is x
    functools.lru_cache(x)
    functools.lru_cache()(x)(1)
    functools.lru_cache()(lambda given: 1)(x)
    functools.reduce(x, [1, 2])
    functools.reduce(lambda a, b: a, x)
    sorted([2, 1], key=functools.cmp_to_key(x))
    len(inspect.signature(x).parameters)
    inspect.unwrap(x) is x
    inspect.getattr_static(x, 'word', 'none') is getattr(type(x), 'word', 'none')
    inspect.getmembers(x)[:0]
    inspect.getmodule(x)
    listed_members(x)
    documented(x)
    inspect.cleandoc(x)
    inspect.getcallargs(x)
    dataclasses.is_dataclass(x)
    dataclasses.asdict(x)
    dataclasses.fields(x)[0].name
    dataclasses.replace(x, word='new').word
    dataclasses.asdict(Record(x))
    Record(x) == Record(bare)
    repr(Record(x)) == repr(Record(bare))
    pprint.pformat(x) == pprint.pformat(bare)
    pprint.isreadable(x)
    pprint.isrecursive(x)
    reprlib.repr(x) == reprlib.repr(bare)
    Archive(x).namelist()
    tarfile.open(fileobj=x)
    gzip.GzipFile(fileobj=x).read(0)
    gzip.compress(x)[:2]
    shutil.copyfileobj(x, io.BytesIO())
    shutil.which(x)
    shutil.get_terminal_size(x)
    io.TextIOWrapper(x).readable()
    io.BufferedReader(x).readable()
    io.BytesIO(x).getvalue()
    io.StringIO(x).getvalue()
    io.BytesIO().write(x)
    io.BytesIO().writelines(x)
    io.BytesIO(b'cab').read(x)
    io.BytesIO(b'cab').readinto(x)
    next(iter(FileWrapper(x)))[:2]
    print(end='', file=x)
    print('a', sep=x, file=io.StringIO())
    spooled(x)
    written(x)
    written([x])
    list(csv.reader(x))
    list(csv.DictReader(x))
    csv.writer(x).writerow([1])
    csv.DictWriter(io.StringIO(), x).writeheader()
    csv.DictWriter(io.StringIO(), 'ab').writerow(x)
    configparser.ConfigParser().read_dict(x)
    configparser.ConfigParser().read_string(x)
    string.Template('$a').substitute(x)
    string.Template('$a').substitute(a=x) == str(bare)
    struct.pack('i', x)
    struct.unpack('3s', x)
    hashlib.sha256(x).digest()[:1]
    base64.b64encode(x)
    zlib.crc32(x)
    parse.urlencode(x)
    parse.urlencode({'a': x}) == parse.urlencode({'a': bare})
    parse.urlencode({'a': x}, doseq=True) == parse.urlencode({'a': bare}, doseq=True)
    parse.quote(x)
    parse.urlsplit(x).path
    html.escape(x)
    re.match('c', x) is None
    re.sub('c', x, 'cab')
    re.compile(x).pattern
    textwrap.wrap(x)
    statistics.mean(x)
    bisect.bisect([1], x)
    bisect.bisect(x, 1)
    heapq.heapify(x)
    heapq.nlargest(1, x)
    list(itertools.chain(x, x))
    list(itertools.chain.from_iterable(x))
    list(itertools.islice(range(9), x))
    list(itertools.islice(x, 2))
    list(itertools.repeat(1, x))
    list(itertools.starmap(x, [(1,)]))
    list(itertools.accumulate(x))
    next(itertools.count(x))
    array.array('i', x).tolist()
    queue.PriorityQueue().put((1, x))
    logged(x) == str(bare)
    logged('%s', x) == str(bare)
    logged('%(a)s', x)
    logged('%d', x)
    logging.getLogger(x).name
    logging.Logger('name').setLevel(x)
    logging.LoggerAdapter(logging.Logger('name'), x).process('m', {})[0]
    started(target=x)
    started(target=lambda *given: None, args=x)
    started(target=lambda **given: None, kwargs=x)
    submitted(x)
    concurrent.futures.Future().set_result(x)
    concurrent.futures.Future().set_exception(x)
    concurrent.futures.wait([x])
    weakref.WeakKeyDictionary({x: 1})[x]
    x in weakref.WeakSet([x])
    weakref.finalize(x, int).detach()[1] is int
    weakref.WeakMethod(x)
    types.MappingProxyType(x)['a']
    types.SimpleNamespace(**x).a
    types.MethodType(x, 1)()
    types.coroutine(x)
    operator.itemgetter(0)(x)
    operator.itemgetter('a')(x)
    operator.attrgetter('word')(x)
    operator.methodcaller('method', 1)(x)
    operator.countOf(x, 1)
    operator.indexOf(x, 1)
    operator.concat(x, y)
    operator.truth(x)
    isinstance(x, numbers.Integral)
    isinstance(x, numbers.Complex)
    ElementTree.Element('tag', x).attrib
    ElementTree.Element(x).tag == bare
    ElementTree.fromstring(x)
    queried((x,))
    queried(x)
    unittest.TestCase().assertEqual(x, bare)
    unittest.TestCase().assertIn(1, x)
    unittest.TestCase().assertDictEqual(x, bare)
    unittest.TestCase().assertRaises(x)
    unittest.TestCase().assertCountEqual(x, bare)
    warnings.warn_explicit(x, None, 'file', 1)
    sys.intern(x)
    int.from_bytes(x, 'big')
    (5).to_bytes(x, 'big')
    'cab'.translate(x)
    'cab'.encode(x)
    'cab'.center(x)
    'cab'.split(x)
    b'cab'.split(x)
    'cab' in x
    dict.fromkeys(x)
    getattr(Record(), x)
    slice(x).indices(3)
    property(x).__get__(1)
    staticmethod(x).__func__ is x
    type(x, (), {})
    compile(x, 'name', 'eval')
"""
TEMPLATES = [
    "{{ x }}",
    "{% for item in x %}{{ item }}{{ loop.last }}{% endfor %}",
    "{{ x|length }}",
    "{{ x|join }}",
    "{{ x is iterable }}{{ x is mapping }}{{ x is sequence }}{{ x is callable }}{{ x is string }}",
    "{{ x(1) }}",
    "{{ x.word }}{{ x.missing }}{{ x[0] }}",
]

# Their outcomes depend on the version of Python, so they run only on that of the reference.
USERS: list[str] = [
    *filter(None, map(str.strip, WRITTEN.splitlines())),
    *(f"inspect.is{name}(x)" for name in PREDICATES),
    *(f"isinstance(x, collections.abc.{name})" for name in ABSTRACT),
    *(f"isinstance(x, typing.{name})" for name in ("SupportsBytes", "SupportsRound")),
    *(f"matched(x, {pattern!r})" for pattern in PATTERNS),
    *(f"rendered(x, {source!r}, {is_async})" for source in TEMPLATES for is_async in (False, True)),
]
