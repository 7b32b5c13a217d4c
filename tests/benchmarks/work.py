"""The work that is measured, for each peer.

A piece of work is a statement and the values of its names. A peer without the feature leaves it out.
"""

from __future__ import annotations

import contextvars
import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from types import SimpleNamespace
from typing import Any, NamedTuple

from tests.benchmarks.applications import ROUTES, SECRET, Call, ask, bottle_calls, environ, flask_calls, werkzeug_calls


class Work(NamedTuple):
    statement: str
    names: dict[str, Any]
    unrolled: int = 10
    """How often the loop's body repeats the statement, so that the time of the loop itself is negligible."""


Works = Iterator[tuple[str, Work]]

PROXIES = {
    "proxy read": "thing.x",
    "proxy write": "thing.x = 1",
    "proxy call": "function()",
    "proxy item": "mapping['x']",
    "proxy iteration": "for _ in sequence: pass",
    "proxy read, of a Local": "place_thing.x",
    "proxy read, of a callable": "callable_thing.x",
    "stack top": "stack.top",
    "push + pop, non-empty": "stack.push(1); stack.pop()",
    "push + pop, empty": "empty.push(1); empty.pop()",
}
PLACE = {
    "Local get": "place.x",
    "Local set": "place.x = 1",
    "Local set + delete": "place.y = 1; del place.y",
}
GLOBALS = {
    "request.method": "request.method",
    "current_app.name": "current_app.name",
    "g.user": "g.user",
    "g.user = 1": "g.user = 1",
    "session.get": "session.get('user')",
}
STACKS = ("stack top", "push + pop, non-empty", "push + pop, empty")
# The same with a dictionary by greenlet, without any calls. No implementation can be faster.
WRITTEN_OUT = {
    "proxy read": "thing[getcurrent()]['stack'][-1].x",
    "proxy write": "thing[getcurrent()]['stack'][-1].x = 1",
    "proxy call": "function[getcurrent()]['stack'][-1]()",
    "proxy item": "mapping[getcurrent()]['stack'][-1]['x']",
    "proxy iteration": "for _ in sequence[getcurrent()]['stack'][-1]: pass",
    "proxy read, of a Local": "place[getcurrent()]['thing'].x",
    "proxy read, of a callable": "get_thing().x",
    "stack top": "stack[getcurrent()]['stack'][-1]",
    "push + pop, non-empty": "stack[getcurrent()]['stack'].append(1); stack[getcurrent()]['stack'].pop()",
    "push + pop, empty": "empty[getcurrent()] = {'stack': [1]}; empty.pop(getcurrent())['stack'].pop()",
    "Local get": "place[getcurrent()]['x']",
    "Local set": "place[getcurrent()]['x'] = 1",
    "Local set + delete": "place[getcurrent()]['y'] = 1; del place[getcurrent()]['y']",
    "request.method": "requests[getcurrent()]['stack'][-1].request.method",
    "current_app.name": "apps[getcurrent()]['stack'][-1].app.name",
    "g.user": "apps[getcurrent()]['stack'][-1].g.user",
    "g.user = 1": "apps[getcurrent()]['stack'][-1].g.user = 1",
    "session.get": "requests[getcurrent()]['stack'][-1].session.get('user')",
}
CONTEXTS = {
    "application context": "with app.app_context(): pass",
    "request context": "with app.request_context(environ.copy()): pass",
}
REQUESTS = (
    "hello",
    f"one of {ROUTES} routes",
    f"one of {ROUTES}, no URL twice",
    "hooks",
    "40 proxy reads",
    "session read and write",
    "error handler",
    "404",
    "redirect",
    "10 kB of JSON posted",
    "streamed with context",
)
LOCALS = (*GLOBALS, *PROXIES, *PLACE, *CONTEXTS)


class Thing:
    def __init__(self) -> None:
        self.x = 1


THINGS = {"thing": Thing(), "function": lambda: None, "mapping": {"x": 1}, "sequence": (1, 2, 3), "stack": 1}


def answer(call: Call) -> Work:
    """Return the work of serving a request, with a new environ each time."""
    status, _, body = ask(call)
    if status != call.status or call.body not in (None, body):
        raise ValueError(
            f"the response to {call.environ['PATH_INFO']} is {status} {body!r} instead of {call.status} {call.body!r}"
        )
    names = {**call._asdict(), "BytesIO": BytesIO, "finish": finish}
    names["start_response"] = lambda status, headers, error=None: None
    more = "" if call.paths is None else ", 'PATH_INFO': next(paths)"
    return Work(f"finish(application({{**environ, 'wsgi.input': BytesIO(sent){more}}}, start_response))", names, 1)


def finish(body: Any) -> None:
    """Read a response and close it, as a server does."""
    for _ in body:
        pass
    close = getattr(body, "close", None)
    if close is not None:
        close()


@contextmanager
def current_request(flask: Any) -> Iterator[dict[str, Any]]:
    app = flask.Flask("benchmark", static_folder=None)
    app.secret_key = SECRET
    app.add_url_rule("/", "hello", lambda: "Hello, World!")
    with app.request_context(environ()):
        flask.g.user = "ada"
        yield {name: getattr(flask, name) for name in ("request", "current_app", "g", "session")}


def flask(name: str) -> Works:
    """Yield the work of a module with the interface of Flask."""
    module = importlib.import_module(name)
    local: Any = importlib.import_module("werkzeug.local" if name == "flask" else f"{name}.local")
    with current_request(module) as names:
        for work, statement in GLOBALS.items():
            yield work, Work(statement, names)

    stacks = {name: local.LocalStack() for name in THINGS}
    for name, stack in stacks.items():
        stack.push(THINGS[name])
    names = {name: stack() for name, stack in stacks.items()}
    place = local.Local()
    place.x = 1
    place.thing = thing = THINGS["thing"]
    names.update(stack=stacks["stack"], empty=local.LocalStack(), place=place)
    names.update(place_thing=place("thing"), callable_thing=local.LocalProxy(lambda: thing))
    for work, statement in {**PROXIES, **PLACE}.items():
        yield work, Work(statement, names)

    calls = flask_calls(module.__name__)
    hello = calls["hello"]
    for work, statement in CONTEXTS.items():
        yield work, Work(statement, {"app": hello.application, "environ": hello.environ}, 1)
    for work in REQUESTS:
        yield work, answer(calls[work])


def flask_on_schlenk(name: str) -> Works:
    """Yield the work of Flask on schlenk's stacks, without the locals and proxies that Flask does not use."""
    importlib.import_module("schlenk").install_under_flask()
    for work, how in flask(name):
        if work not in PROXIES and work not in PLACE:
            yield work, how


def by_context(name: str) -> Works:
    """Yield the work of a local and of stacks of schlenk with ``context_ident``."""
    local: Any = importlib.import_module(name)
    stack, empty, place = local.LocalStack(), local.LocalStack(), local.Local()
    for each in (stack, empty, place):
        each.__ident_func__ = local.context_ident
    stack.push(1)
    for work in STACKS:
        yield work, Work(PROXIES[work], {"stack": stack, "empty": empty})
    yield from attributes(place)


def dictionary(name: str) -> Works:
    """Yield the work of a dictionary, the lower limit for locals and proxies."""
    from greenlet import getcurrent
    from werkzeug.wrappers import Request

    def storage(value: Any) -> dict[Any, dict[str, Any]]:
        return {getcurrent(): {"stack": [value]}}

    names: dict[str, Any] = {name: storage(thing) for name, thing in THINGS.items()}
    place = {getcurrent(): {"x": 1, "thing": THINGS["thing"]}}
    names.update(empty={}, place=place, get_thing=lambda: THINGS["thing"], getcurrent=getcurrent)
    names["requests"] = storage(SimpleNamespace(request=Request(environ()), session={}))
    names["apps"] = storage(SimpleNamespace(app=SimpleNamespace(name="benchmark"), g=SimpleNamespace(user="ada")))
    for work in filter(WRITTEN_OUT.get, LOCALS):
        yield work, Work(WRITTEN_OUT[work], names)


def werkzeug(name: str) -> Works:
    """Yield the work of bare Werkzeug, the lower limit for requests."""
    for work, call in werkzeug_calls().items():
        yield work, answer(call)


def bottle(name: str) -> Works:
    module: Any = importlib.import_module(name)
    module.request.bind(environ())
    yield "request.method", Work("request.method", {"request": module.request})
    for work, call in bottle_calls().items():
        yield work, answer(call)


def attributes(place: Any) -> Works:
    place.x = 1
    for work, statement in PLACE.items():
        yield work, Work(statement, {"place": place})


def threading_local(name: str) -> Works:
    return attributes(threading.local())


def gevent_local(name: str) -> Works:
    return attributes(importlib.import_module("gevent.local").local())


def asgiref_local(name: str) -> Works:
    return attributes(importlib.import_module("asgiref.local").Local())


def context_variable(name: str) -> Works:
    variable = contextvars.ContextVar("variable", default=1)
    yield "Local get", Work("variable.get()", {"variable": variable})
    yield "Local set", Work("variable.set(1)", {"variable": variable})


KINDS: dict[str, Callable[[str], Works]] = {
    function.__name__: function
    for function in (
        flask, flask_on_schlenk, by_context, dictionary, werkzeug, bottle, threading_local, gevent_local,
        asgiref_local, context_variable,
    )
}  # fmt: skip
