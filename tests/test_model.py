"""A model-based test of locals, proxies, and contexts in threads and greenlets.

Hypothesis chooses the steps and the owner of each. After each step, every living owner must see what the model, made of
dictionaries and lists, predicts. ``MODEL_EXAMPLES=5000 pytest tests/test_model.py`` runs longer.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import weakref
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from schlenk import (
    Flask,
    _app_ctx_stack,
    _request_ctx_stack,
    copy_current_request_context,
    current_app,
    g,
    get_ident,
    has_app_context,
    has_request_context,
    request,
    session,
)
from schlenk.local import Local, LocalStack, release_local, storage_of
from tests.support.execution import in_greenlet

try:
    import greenlet
except ImportError:
    greenlet = None  # type: ignore[assignment]

MODEL_EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "60"))
WAIT = 10
"""Seconds after which an owner that has not finished a step is considered stuck."""

NAMES = ("a", "b", "stack")
FEWEST = 64
"""The number of entries below which a storage is never swept."""


# --- The model


class AppModel:
    """An application context: the values in ``g``, and how often it is pushed."""

    def __init__(self, app: Flask, real: Any) -> None:
        self.app, self.real = app, real
        self.g: dict[str, int] = {}
        self.times = 0


class RequestModel:
    """A request context. ``implied`` holds, for each push, the application context pushed with it, or ``None``."""

    def __init__(self, app: Flask, real: Any, path: str, session: dict[str, int]) -> None:
        self.app, self.real, self.path, self.session = app, real, path, session
        self.implied: list[AppModel | None] = []


class Owner:
    """An owner of values, with the values it should have. This class stands for the thread that runs the test."""

    def __init__(self) -> None:
        self.home: Owner = self
        self.values: dict[str, list[int]] | None = None
        self.numbered: dict[str, list[int]] | None = None
        self.stack: list[list[int]] = []
        self.apps: list[AppModel] = []
        self.requests: list[RequestModel] = []
        self.pushed: list[Any] = []
        self.outlived_children = False
        """Whether greenlets started in this one have died. Their entries keep it alive, as their parent."""

    @property
    def ident(self) -> Any:
        return get_ident()

    @property
    def has_nothing(self) -> bool:
        return self.values is None and not (self.stack or self.apps or self.requests or self.outlived_children)

    def call(self, function: Callable[[], Any]) -> Any:
        """Return what ``function`` returns when this owner calls it."""
        return function()


def until_dead(ident: Any) -> None:
    """Wait until the main greenlet of an ended thread is dead, which takes a moment longer than ``join()``."""
    patience = time.monotonic() + WAIT
    while not getattr(ident, "dead", True):
        assert time.monotonic() < patience
        time.sleep(0)


def attempt(future: Future[Any], function: Callable[[], Any]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)


def work(calls: SimpleQueue[Any]) -> None:
    """Run the calls in the queue one after the other. A worker waits for nothing else, so none can deadlock."""
    while True:
        try:
            call = calls.get(timeout=6 * WAIT)
        except Empty:
            return
        if call is None:
            return
        attempt(*call)
        del call


class ThreadOwner(Owner):
    def __init__(self) -> None:
        super().__init__()
        self.calls: SimpleQueue[Any] = SimpleQueue()
        self.stuck = False
        # A daemon, so that a stuck thread does not keep Python from exiting.
        self.thread = threading.Thread(target=work, args=(self.calls,), daemon=True)
        self.thread.start()
        self.kept = self.call(get_ident)

    @property
    def ident(self) -> Any:
        return self.kept

    def hand(self, function: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self.calls.put((future, function))
        return future

    def take(self, future: Future[Any]) -> Any:
        assert not self.stuck
        self.stuck = True
        value = future.exception(WAIT)
        self.stuck = False
        if value is not None:
            raise value
        return future.result()

    def call(self, function: Callable[[], Any]) -> Any:
        return self.take(self.hand(function))

    def end(self) -> None:
        self.calls.put(None)
        self.thread.join(WAIT)
        assert not self.thread.is_alive()
        until_dead(self.kept)


def live() -> None:
    """Run each call that is passed to ``switch()``, until ``None`` is passed."""
    hub = greenlet.getcurrent().parent
    call = hub.switch()
    while call is not None:
        attempt(*call)
        call = None
        call = hub.switch()


class GreenletOwner(Owner):
    def __init__(self, home: Owner) -> None:
        super().__init__()
        self.home = home
        self.greenlet = home.call(lambda: greenlet.greenlet(live))
        home.call(self.greenlet.switch)

    @property
    def ident(self) -> Any:
        return self.greenlet

    def call(self, function: Callable[[], Any]) -> Any:
        future: Future[Any] = Future()
        self.home.call(lambda: self.greenlet.switch((future, function)))
        return future.result(0)

    def finish(self) -> None:
        self.home.call(lambda: self.greenlet.switch(None))
        assert self.greenlet.dead

    def kill(self) -> None:
        self.home.call(self.greenlet.throw)
        assert self.greenlet.dead

    def abandon(self) -> None:
        """Drop the last reference outside the storage. Without an entry there, the greenlet ends."""
        nothing = self.has_nothing
        gone = weakref.ref(self.greenlet)
        self.home.call(lambda: vars(self).pop("greenlet") and None)
        if nothing and gone() is not None:
            # An error that was raised in it forms a cycle with its traceback.
            gc.collect()
        assert not nothing or gone() is None


# --- Helpers


def make_app(name: str, torn: list[Any]) -> Flask:
    app = Flask(name)
    app.secret_key = "for these tests only"
    app.teardown_request(lambda error: torn.append(("request", request.path)))
    app.teardown_appcontext(lambda error: torn.append(("app", current_app.name)))
    return app


def read(function: Callable[[], Any]) -> Any:
    """Return what ``function`` reads through a proxy, or ``"unbound"``."""
    try:
        return function()
    except RuntimeError:
        return "unbound"


owners = st.integers(0, 7)
names = st.sampled_from(NAMES)
lists = st.lists(st.integers(0, 9), max_size=2)
numbers = st.integers(0, 99)
either = st.booleans()


def sweep(stack: LocalStack[Any]) -> None:
    """Leave dead greenlets behind until ``stack`` removes them: that lowers a bound that earlier tests have raised."""

    def push() -> None:
        before = len(dict(stack._local))
        stack.push(None)
        if len(dict(stack._local)) <= before:
            stack.pop()

    in_greenlet(push)
    while dict(stack._local):
        in_greenlet(push)


class Owners(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.place, self.numbered, self.stack = Local(), Local(), LocalStack[Any]()
        self.numbered.__ident_func__ = threading.get_ident
        self.here = {name: self.place(name) for name in NAMES}
        self.here_numbered = {name: self.numbered(name) for name in NAMES}
        self.on_top = self.stack()
        self.torn: list[Any] = []
        self.expected_torn: list[Any] = []
        self.apps = [make_app(name, self.torn) for name in ("first", "second")]
        self.main = Owner()
        self.alive: list[Any] = [self.main]
        self.everywhere = [self.place, self.stack._local, _request_ctx_stack._local, _app_ctx_stack._local]
        for local in self.everywhere:
            # Tests with many owners alive at once have raised the limit of the global stacks.
            storage_of(local).remove_dead()
        assert [dict(local.__storage__) for local in self.everywhere] == [{}, {}, {}, {}]

    def owner(self, number: int) -> Any:
        return self.alive[number % len(self.alive)]

    # Starting and ending owners

    def add(self, owner: Owner) -> None:
        self.alive.append(owner)

    @precondition(lambda self: sum(isinstance(owner, ThreadOwner) for owner in self.alive) < 3)
    @rule()
    def start_thread(self) -> None:
        self.add(ThreadOwner())

    @precondition(lambda self: greenlet and sum(isinstance(owner, GreenletOwner) for owner in self.alive) < 4)
    @rule(who=owners)
    def start_greenlet(self, who: int) -> None:
        self.add(GreenletOwner(self.owner(who).home))

    @precondition(lambda self: any(isinstance(owner, ThreadOwner) for owner in self.alive))
    @rule(who=owners)
    def end_thread(self, who: int) -> None:
        """End a thread without releasing its values. Its greenlets end with it, since they cannot be switched to."""
        threads = [owner for owner in self.alive if isinstance(owner, ThreadOwner)]
        ended = threads[who % len(threads)]
        self.alive = [owner for owner in self.alive if owner.home is not ended]
        ended.end()

    @precondition(lambda self: any(isinstance(owner, GreenletOwner) for owner in self.alive))
    @rule(who=owners, how=st.sampled_from(["finish", "kill", "abandon"]))
    def end_greenlet(self, who: int, how: str) -> None:
        greenlets = [owner for owner in self.alive if isinstance(owner, GreenletOwner)]
        ended = greenlets[who % len(greenlets)]
        if how == "abandon" and not ended.has_nothing:
            # Its entry keeps it alive.
            how = "kill"
        self.alive.remove(ended)
        getattr(ended, how)()

    @rule(who=owners, in_threads=either)
    def many_end_without_release(self, who: int, in_threads: bool) -> None:
        def die() -> None:
            assert self.look() == self.expected(Owner(), numbered)
            self.place.a = [1]
            self.stack.push([2])
            self.apps[0].test_request_context("/left").push()
            if in_threads:
                self.numbered.b = [3]

        def as_thread() -> None:
            thread = ThreadOwner()
            thread.call(die)
            thread.end()

        in_threads = in_threads or greenlet is None
        owner = self.owner(who)
        numbered = None if in_threads else owner.home.numbered
        owner.outlived_children |= not in_threads
        # Greenlets are cheap, so there are enough of them to cause a sweep.
        for _ in range(8 if in_threads else FEWEST + 6):
            owner.call(as_thread if in_threads else lambda: greenlet.greenlet(die).switch())

    # Local, and proxies to its values

    def local(self, owner: Any, by_number: bool) -> tuple[Local, dict[str, Any], Any, str]:
        """Return a local, its proxies, and the model and attribute that hold the values of ``owner``."""
        if by_number:
            return self.numbered, self.here_numbered, owner.home, "numbered"
        return self.place, self.here, owner, "values"

    @rule(who=owners, by_number=either, name=names, value=lists)
    def set(self, who: int, by_number: bool, name: str, value: list[int]) -> None:
        owner = self.owner(who)
        local, _, model, kept = self.local(owner, by_number)
        owner.call(lambda: setattr(local, name, list(value)))
        setattr(model, kept, {**(getattr(model, kept) or {}), name: value})

    @rule(who=owners, by_number=either, name=names)
    def delete(self, who: int, by_number: bool, name: str) -> None:
        owner = self.owner(who)
        local, _, model, kept = self.local(owner, by_number)
        if name in (getattr(model, kept) or {}):
            owner.call(lambda: delattr(local, name))
            del getattr(model, kept)[name]
        else:
            with pytest.raises(AttributeError, match=name):
                owner.call(lambda: delattr(local, name))

    @rule(who=owners, by_number=either, name=names, value=numbers)
    def write_through_a_proxy(self, who: int, by_number: bool, name: str, value: int) -> None:
        owner = self.owner(who)
        _, here, model, kept = self.local(owner, by_number)
        if name in (getattr(model, kept) or {}):
            owner.call(lambda: here[name].append(value))
            getattr(model, kept)[name] = [*getattr(model, kept)[name], value]
        else:
            with pytest.raises(RuntimeError, match=name):
                owner.call(lambda: here[name].append(value))

    @rule(who=owners, by_number=either)
    def release(self, who: int, by_number: bool) -> None:
        owner = self.owner(who)
        local, _, model, kept = self.local(owner, by_number)
        owner.call(lambda: release_local(local))
        setattr(model, kept, None)

    # LocalStack, and the proxy to its top

    @rule(who=owners, value=lists)
    def push(self, who: int, value: list[int]) -> None:
        owner = self.owner(who)
        owner.stack.append(list(value))
        assert owner.call(lambda: list(self.stack.push(value))) == owner.stack

    @rule(who=owners)
    def pop(self, who: int) -> None:
        owner = self.owner(who)
        assert owner.call(self.stack.pop) == (owner.stack.pop() if owner.stack else None)

    @rule(who=owners, value=numbers)
    def write_on_top(self, who: int, value: int) -> None:
        owner = self.owner(who)
        if owner.stack:
            owner.call(lambda: self.on_top.append(value))
            owner.stack[-1].append(value)
        else:
            with pytest.raises(RuntimeError, match="unbound"):
                owner.call(lambda: self.on_top.append(value))

    @rule(who=owners)
    def release_stack(self, who: int) -> None:
        owner = self.owner(who)
        owner.call(lambda: release_local(self.stack))
        owner.stack.clear()

    # Contexts

    def pushes_app(self, owner: Any, model: AppModel) -> None:
        owner.apps.append(model)
        model.times += 1

    def pops_app(self, owner: Any) -> None:
        model = owner.apps.pop()
        model.times -= 1
        if not model.times:
            self.expected_torn.append(("app", model.app.name))

    def pushes_request(self, owner: Any, model: RequestModel) -> None:
        owner.call(model.real.push)
        implied = None
        if not owner.apps or owner.apps[-1].app is not model.app:
            real = owner.call(lambda: _app_ctx_stack.top)
            assert real not in [app.real for app in owner.apps]
            implied = AppModel(model.app, real)
            self.pushes_app(owner, implied)
        model.implied.append(implied)
        owner.requests.append(model)
        owner.pushed.append(model)

    @rule(who=owners, number=numbers)
    def push_app_context(self, who: int, number: int) -> None:
        owner, app = self.owner(who), self.apps[number % 2]
        model = AppModel(app, app.app_context())
        owner.call(model.real.push)
        self.pushes_app(owner, model)
        owner.pushed.append(model)

    @rule(who=owners, number=numbers)
    def push_request_context(self, who: int, number: int) -> None:
        app, path = self.apps[number % 2], f"/{number}"
        self.pushes_request(self.owner(who), RequestModel(app, app.test_request_context(path), path, {}))

    @rule(who=owners)
    def push_what_is_on_top_again(self, who: int) -> None:
        owner = self.owner(who)
        if owner.pushed:
            model = owner.pushed[-1]
            if isinstance(model, RequestModel):
                self.pushes_request(owner, model)
            else:
                owner.call(model.real.push)
                self.pushes_app(owner, model)
                owner.pushed.append(model)

    @rule(who=owners, whose=owners)
    def push_a_copy(self, who: int, whose: int) -> None:
        """Push a copy, which shares request and session but not ``g``."""
        other = self.owner(whose)
        if other.requests:
            model = other.requests[-1]
            self.pushes_request(self.owner(who), RequestModel(model.app, model.real.copy(), model.path, model.session))

    def pops(self, owner: Any) -> None:
        model = owner.pushed[-1]
        owner.call(model.real.pop)
        owner.pushed.pop()
        if isinstance(model, RequestModel):
            owner.requests.pop()
            implied = model.implied.pop()
            if not model.implied:
                self.expected_torn.append(("request", model.path))
            if implied is not None:
                self.pops_app(owner)
        else:
            self.pops_app(owner)

    @rule(who=owners)
    def pop_context(self, who: int) -> None:
        owner = self.owner(who)
        if owner.pushed:
            self.pops(owner)
        else:
            for context in (self.apps[0].app_context(), self.apps[0].test_request_context()):
                with pytest.raises((AssertionError, IndexError), match="pop"):
                    owner.call(context.pop)

    @precondition(lambda self: any(owner.pushed for owner in self.alive))
    @rule(who=owners, number=numbers)
    def pop_the_wrong_context(self, who: int, number: int) -> None:
        """Try to pop a context that is below the top, or on the stack of another owner."""
        owner = self.owner(who)

        def is_wrong(model: Any) -> bool:
            if isinstance(model, AppModel):
                return owner.apps[-1:] != [model]
            return owner.requests[-1:] != [model] or model.implied[-1] not in (None, owner.apps[-1])

        contexts = [model for other in self.alive for model in [*other.requests, *other.apps] if is_wrong(model)]
        if contexts:
            with pytest.raises(AssertionError, match="Cannot pop the wrong context"):
                owner.call(contexts[number % len(contexts)].real.pop)

    @rule(who=owners, name=names, value=numbers)
    def write_to_g(self, who: int, name: str, value: int) -> None:
        owner = self.owner(who)
        if owner.apps:
            owner.call(lambda: setattr(g, name, value))
            owner.apps[-1].g[name] = value
        else:
            with pytest.raises(RuntimeError, match="outside of application context"):
                owner.call(lambda: setattr(g, name, value))

    @rule(who=owners, name=names, value=numbers)
    def write_to_session(self, who: int, name: str, value: int) -> None:
        owner = self.owner(who)
        if owner.requests:
            owner.call(lambda: session.update({name: value}))
            owner.requests[-1].session[name] = value
        else:
            with pytest.raises(RuntimeError, match="outside of request context"):
                owner.call(lambda: session.update({name: value}))

    @rule(who=owners, whose=owners, value=numbers)
    def call_in_a_copied_context(self, who: int, whose: int, value: int) -> None:
        owner, other = self.owner(who), self.owner(whose)

        def within() -> Any:
            session["copied"] = value
            return request.path, current_app.name, dict(vars(g._get_current_object()))  # type: ignore[attr-defined]

        if not other.requests:
            with pytest.raises(RuntimeError, match="outside of request context"):
                other.call(lambda: copy_current_request_context(within))
            return
        model = other.requests[-1]
        brought = not owner.apps or owner.apps[-1].app is not model.app
        seen = owner.call(other.call(lambda: copy_current_request_context(within)))
        assert seen == (model.path, model.app.name, {} if brought else owner.apps[-1].g)
        model.session["copied"] = value
        self.expected_torn += [("request", model.path)] + [("app", model.app.name)] * brought

    @rule(number=numbers)
    def all_threads_at_once(self, number: int) -> None:
        def use_alone(mine: int) -> None:
            with self.apps[mine % 2].test_request_context(f"/{mine}"):
                for turn in range(30):
                    g.mine = session["mine"] = mine + turn
                    self.stack.push([mine, turn])
                    assert g.mine == mine + turn
                    assert session["mine"] == mine + turn
                    assert request.path == f"/{mine}"
                    assert self.stack.pop() == [mine, turn]
                g.pop("mine")

        threads = [owner for owner in self.alive if isinstance(owner, ThreadOwner)]
        handed = [owner.hand(lambda mine=mine: use_alone(mine)) for mine, owner in enumerate(threads, number)]
        for owner, future in zip(threads, handed):
            owner.take(future)
        # The threads tear their contexts down in any order.
        del self.torn[len(self.expected_torn) :]

    # Checks

    def look(self) -> dict[str, Any]:
        """Return everything that the calling owner can see."""
        seen: dict[str, Any] = {}
        for local, proxies, kept in (
            (self.place, self.here, "values"),
            (self.numbered, self.here_numbered, "numbered"),
        ):
            seen[kept] = {name: list(getattr(local, name)) for name in NAMES if hasattr(local, name)}
            seen[f"proxies: {kept}"] = {name: read(partial(list, proxy)) for name, proxy in proxies.items()}
            seen[f"truth: {kept}"] = {name: bool(proxy) for name, proxy in proxies.items()}
        seen["top"] = self.stack.top
        seen["proxy: top"] = read(lambda: list(self.on_top))
        seen["truth: top"] = bool(self.on_top)
        seen["stack"] = list(getattr(self.stack._local, "stack", []))
        seen["requests"] = list(getattr(_request_ctx_stack._local, "stack", []))
        seen["apps"] = list(getattr(_app_ctx_stack._local, "stack", []))
        seen["tops"] = _request_ctx_stack.top, _app_ctx_stack.top
        seen["has"] = has_request_context(), has_app_context()
        seen["truth"] = bool(request), bool(current_app)
        seen["request"] = read(lambda: request.path)
        seen["session"] = read(lambda: dict(session))
        seen["app"] = read(lambda: current_app.name)
        seen["g"] = read(lambda: {name: g.get(name) for name in g})
        return seen

    def expected(self, owner: Any, numbered: dict[str, list[int]] | None) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for values, kept in ((owner.values or {}, "values"), (numbered or {}, "numbered")):
            seen[kept] = values
            seen[f"proxies: {kept}"] = {name: values.get(name, "unbound") for name in NAMES}
            seen[f"truth: {kept}"] = {name: bool(values.get(name)) for name in NAMES}
        seen["top"] = owner.stack[-1] if owner.stack else None
        seen["proxy: top"] = owner.stack[-1] if owner.stack else "unbound"
        seen["truth: top"] = bool(owner.stack and owner.stack[-1])
        seen["stack"] = owner.stack
        requests, apps = owner.requests, owner.apps
        seen["requests"] = [model.real for model in requests]
        seen["apps"] = [model.real for model in apps]
        seen["tops"] = requests[-1].real if requests else None, apps[-1].real if apps else None
        seen["truth"] = seen["has"] = bool(requests), bool(apps)
        seen["request"] = requests[-1].path if requests else "unbound"
        seen["session"] = requests[-1].session if requests else "unbound"
        seen["app"] = apps[-1].app.name if apps else "unbound"
        seen["g"] = apps[-1].g if apps else "unbound"
        return seen

    @invariant()
    def owners_see_only_their_values(self) -> None:
        for owner in self.alive:
            assert owner.call(self.look) == self.expected(owner, owner.home.numbered)

    @invariant()
    def each_context_is_torn_down_once(self) -> None:
        assert self.torn == self.expected_torn

    @invariant()
    def dead_entries_are_bounded(self) -> None:
        living = {owner.ident: owner for owner in self.alive}
        kept = [
            {ident: owner.values for ident, owner in living.items() if owner.values is not None},
            {ident: {"stack": owner.stack} for ident, owner in living.items() if owner.stack},
            {ident: self.reals(owner.requests) for ident, owner in living.items() if owner.requests},
            {ident: self.reals(owner.apps) for ident, owner in living.items() if owner.apps},
        ]
        for local, expected in zip(self.everywhere, kept):
            entries = dict(local)
            assert {ident: values for ident, values in entries.items() if ident in living} == expected
            assert [ident for ident in entries.keys() - living.keys() if not getattr(ident, "dead", False)] == []
            assert len(entries) <= max(FEWEST, 2 * len(living))
        homes = {owner.call(threading.get_ident): owner.numbered for owner in self.alive if owner.home is owner}
        assert dict(self.numbered) == {ident: values for ident, values in homes.items() if values is not None}

    @staticmethod
    def reals(models: list[Any]) -> dict[str, Any]:
        return {"stack": [model.real for model in models]}

    # Teardown

    def teardown(self) -> None:
        """Pop all contexts and end all owners. The storages must be empty afterwards.

        After a failure, only clean up, so that the first error is the one reported.
        """
        failed = sys.exc_info()[0] is not None
        threads = [owner for owner in self.alive if isinstance(owner, ThreadOwner)]
        try:
            for owner in () if failed else self.alive:
                while owner.pushed:
                    self.pops(owner)
                for local in (self.place, self.stack, self.numbered):
                    owner.call(partial(release_local, local))
                assert owner.call(self.look) == self.expected(Owner(), None)
            assert failed or self.torn == self.expected_torn
        finally:
            for owner in threads:
                owner.calls.put(None)
            for owner in threads:
                owner.thread.join(WAIT)
            left = [
                ident for local in self.everywhere for ident in local.__storage__ if not getattr(ident, "dead", False)
            ]
            for local in self.everywhere:
                local.__storage__.clear()
        assert failed or left == []
        assert not any(owner.thread.is_alive() for owner in threads)


def test_everyone_sees_what_model_says() -> None:
    if greenlet is not None:
        for stack in (_request_ctx_stack, _app_ctx_stack):
            sweep(stack)
    # There is no deadline, because a thread may have to wait for its turn on a busy machine.
    # An ordinary run repeats the same programs, so that a failure points to the latest change.
    same = "MODEL_EXAMPLES" not in os.environ
    run_state_machine_as_test(
        Owners,
        settings=settings(max_examples=MODEL_EXAMPLES, stateful_step_count=40, deadline=None, derandomize=same),
    )
