"""Locals and stacks whose owners are contexts of contextvars."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextvars import Context, Token, copy_context
from functools import partial
from types import SimpleNamespace
from typing import Any, Callable
from weakref import ref

import pytest

from schlenk import Flask
from schlenk.local import (
    Local,
    LocalManager,
    LocalProxy,
    LocalStack,
    context_ident,
    contexts_of,
    get_ident,
    release_local,
    storage_of,
)
from schlenk.storage import ContextValues, Version, get_thread_ident


@pytest.fixture
def stack() -> LocalStack[Any]:
    made: LocalStack[Any] = LocalStack()
    made.__ident_func__ = context_ident
    return made


@pytest.fixture
def local() -> Local:
    made = Local()
    made.__ident_func__ = context_ident
    return made


@pytest.fixture(autouse=True)
def _own_context(request: pytest.FixtureRequest) -> Iterator[None]:
    """The context of the test run keeps nothing of a test."""
    kept = [request.getfixturevalue(name) for name in ("stack", "local") if name in request.fixturenames]
    yield
    for each in kept:
        release_local(each)


def in_thread(work: Callable[[], Any]) -> Any:
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(work()))
    thread.start()
    thread.join()
    return seen[0]


# --- In one context


def test_stack_pushes_and_pops(stack: LocalStack[Any]) -> None:
    assert stack.push(1) == [1]
    assert stack.push(2) == [1, 2]
    assert stack.top == 2
    assert stack.pop() == 2
    assert stack.pop() == 1
    assert stack.pop() is None
    assert stack.top is None


def test_last_pop_releases(stack: LocalStack[Any]) -> None:
    stack.push(1)
    stack.pop()
    assert stack._local.__storage__ == {}


def test_popping_nothing_stores_nothing(stack: LocalStack[Any]) -> None:
    assert stack.pop() is None
    assert not stack._local.__storage__


def test_discard_takes_only_the_top(stack: LocalStack[Any]) -> None:
    stack.push(1)
    assert not stack.discard(2)
    assert stack.discard(1)
    assert stack.entries() == []


def test_local_sets_and_deletes(local: Local) -> None:
    local.user = "ada"
    assert local.user == "ada"
    del local.user
    with pytest.raises(AttributeError):
        local.user  # noqa: B018


def test_deleting_nothing_raises(local: Local) -> None:
    with pytest.raises(AttributeError):
        del local.user


def test_local_keeps_other_values(local: Local) -> None:
    local.user = "ada"
    local.place = "here"
    assert local.user == "ada"
    assert local.place == "here"


def test_value_is_not_copied(local: Local) -> None:
    local.stack = value = [1]
    local.user = "ada"
    assert local.stack is value


def test_proxy_follows_context(stack: LocalStack[Any]) -> None:
    proxy: LocalProxy[Any] = stack()
    stack.push("ada")
    assert proxy.upper() == "ADA"
    assert Context().run(lambda: bool(proxy)) is False


# --- In copies


def test_copy_sees_the_top(stack: LocalStack[Any]) -> None:
    stack.push("outer")
    assert copy_context().run(stack.entries) == ["outer"]


def test_copy_keeps_what_is_popped_here(stack: LocalStack[Any]) -> None:
    stack.push("outer")
    copy = copy_context()
    stack.pop()
    assert stack.top is None
    assert copy.run(lambda: stack.top) == "outer"


def test_copy_does_not_see_later_pushes(stack: LocalStack[Any]) -> None:
    stack.push("outer")
    copy = copy_context()
    stack.push("later")
    assert copy.run(stack.entries) == ["outer"]


def test_push_left_in_a_copy_is_unseen(stack: LocalStack[Any]) -> None:
    stack.push("outer")
    copy = copy_context()
    copy.run(stack.push, "inner")
    assert stack.entries() == ["outer"]
    assert copy.run(stack.entries) == ["outer", "inner"]


def test_pop_in_a_copy_changes_nothing(stack: LocalStack[Any]) -> None:
    stack.push("outer")
    assert copy_context().run(stack.pop) == "outer"
    assert stack.entries() == ["outer"]


def test_release_in_a_copy_changes_nothing(stack: LocalStack[Any]) -> None:
    stack.push("outer")
    copy_context().run(release_local, stack)
    assert stack.entries() == ["outer"]


def test_uncover_in_a_copy_changes_nothing(stack: LocalStack[Any]) -> None:
    stack.push("outer"), stack.push("inner")
    assert copy_context().run(stack.uncover, "outer") == ["inner"]
    assert stack.entries() == ["outer", "inner"]


def test_copies_of_one_context_are_apart(stack: LocalStack[Any]) -> None:
    stack.push("outer")
    copies = [copy_context() for _ in range(3)]
    for number, copy in enumerate(copies):
        copy.run(stack.push, number)
    assert [copy.run(stack.entries) for copy in copies] == [["outer", 0], ["outer", 1], ["outer", 2]]


def test_copy_of_a_copy_is_apart(stack: LocalStack[Any]) -> None:
    def inner() -> list[Any]:
        stack.push("inner")
        copy_context().run(stack.push, "innermost")
        return stack.entries()

    stack.push("outer")
    assert copy_context().run(inner) == ["outer", "inner"]


def test_attribute_set_in_a_copy_is_unseen(local: Local) -> None:
    local.user = "ada"
    copy = copy_context()
    copy.run(setattr, local, "user", "grace")
    assert local.user == "ada"
    assert copy.run(lambda: local.user) == "grace"


def test_copy_keeps_a_deleted_attribute(local: Local) -> None:
    local.user = "ada"
    copy = copy_context()
    del local.user
    assert copy.run(lambda: local.user) == "ada"


def test_generator_ends_in_copy(stack: LocalStack[Any]) -> None:
    def pushing() -> Iterator[list[Any]]:
        stack.push("inner")
        try:
            yield stack.entries()
        finally:
            stack.pop()

    stack.push("outer")
    copy = copy_context()
    generator = pushing()
    assert copy.run(next, generator) == ["outer", "inner"]
    generator_closed_elsewhere = copy_context()
    generator_closed_elsewhere.run(generator.close)  # type: ignore[attr-defined]
    assert stack.entries() == ["outer"]
    assert copy.run(stack.entries) == ["outer", "inner"]
    assert generator_closed_elsewhere.run(stack.entries) == []


# --- Threads, greenlets and tasks


def test_thread_starts_empty(stack: LocalStack[Any]) -> None:
    stack.push("outer")
    assert in_thread(stack.entries) == []


def test_thread_sees_its_copy(stack: LocalStack[Any]) -> None:
    def work() -> list[Any]:
        stack.push("thread")
        return stack.entries()

    stack.push("outer")
    copy = copy_context()
    assert in_thread(lambda: copy.run(work)) == ["outer", "thread"]
    assert stack.entries() == ["outer"]


def test_greenlet_starts_empty(stack: LocalStack[Any]) -> None:
    greenlet = pytest.importorskip("greenlet")
    stack.push("outer")
    assert greenlet.greenlet(lambda: (stack.top, stack.push("inner"))).switch() == (None, ["inner"])
    assert stack.entries() == ["outer"]


@pytest.mark.parametrize(("copied", "below"), [(False, []), (True, ["outer"])])
def test_greenlets_are_apart(stack: LocalStack[Any], copied: bool, below: list[str]) -> None:
    gevent = pytest.importorskip("gevent")

    def work(name: str) -> list[Any]:
        stack.push(name)
        gevent.sleep()
        return stack.entries()

    stack.push("outer")
    greenlets = [gevent.spawn(copy_context().run, work, name) if copied else gevent.spawn(work, name) for name in "ab"]
    gevent.joinall(greenlets)
    assert [greenlet.value for greenlet in greenlets] == [[*below, "a"], [*below, "b"]]
    assert stack.entries() == ["outer"]


def test_asgiref_sees_the_task(stack: LocalStack[Any]) -> None:
    sync = pytest.importorskip("asgiref.sync")

    async def task() -> tuple[Any, Any]:
        stack.push("task")
        seen = await sync.sync_to_async(stack.entries)()
        return seen, stack.entries()

    assert asyncio.run(task()) == (["task"], ["task"])


def test_tasks_are_told_apart(stack: LocalStack[Any]) -> None:
    async def task(number: int) -> list[Any]:
        stack.push(number)
        await asyncio.sleep(0)
        return stack.entries()

    async def tasks() -> list[list[Any]]:
        return await asyncio.gather(*map(task, range(50)))

    assert asyncio.run(tasks()) == [[number] for number in range(50)]


# --- The storage


def test_tasks_leave_nothing(stack: LocalStack[Any], local: Local) -> None:
    async def task() -> None:
        stack.push(object())
        local.value = object()

    async def tasks() -> None:
        for _ in range(100_000):
            await asyncio.ensure_future(task())

    asyncio.run(tasks())
    assert stack._local.__storage__ == local.__storage__ == {}


def test_value_that_refers_to_its_task(local: Local) -> None:
    async def task() -> None:
        local.task = asyncio.current_task()

    async def tasks() -> None:
        await asyncio.ensure_future(task())

    asyncio.run(tasks())
    gc.collect()
    assert local.__storage__ == {}


def test_idents_of_ended_contexts_are_swept(local: Local) -> None:
    for _ in range(1000):
        Context().run(setattr, local, "value", 1)
    contexts = storage_of(local).contexts
    assert contexts is not None
    assert len(contexts.known) <= 64


def test_versions_are_destroyed(local: Local) -> None:
    for number in range(1000):
        local.number = number
    assert [values for _, values in local] == [{"number": 999}]


def test_storage_lists_each_context_once(stack: LocalStack[Any]) -> None:
    stack.push("outer")
    copy = copy_context()
    copy.run(stack.push, "inner")
    assert sorted(stack.snapshot().values()) == [["outer"], ["outer", "inner"]]


def test_ident_finds_the_values(stack: LocalStack[Any]) -> None:
    stack.push(1)
    ident = stack.__ident_func__()
    assert stack._local.__storage__ == {ident: {"stack": [1]}}
    assert stack._local.__storage__[ident] == {"stack": [1]}
    assert len(stack._local.__storage__) == 1
    assert "stack" in repr(stack._local.__storage__)


def test_ident_of_empty_context(stack: LocalStack[Any]) -> None:
    assert stack.__ident_func__() == get_ident()
    with pytest.raises(KeyError):
        stack._local.__storage__[get_ident()]
    with pytest.raises(KeyError):
        stack._local.__storage__[get_ident()] = {}


def test_ident_dies_with_context(stack: LocalStack[Any]) -> None:
    def push() -> Any:
        stack.push(1)
        return stack.__ident_func__()

    ident = Context().run(push)
    assert ident.dead
    with pytest.raises(KeyError):
        stack._local.__storage__[ident]


def test_values_can_be_removed(stack: LocalStack[Any]) -> None:
    copy = copy_context()
    copy.run(stack.push, "inner")
    (ident,) = stack._local.__storage__
    del stack._local.__storage__[ident]
    assert copy.run(stack.entries) == []


def test_own_values_are_removed_by_ident(stack: LocalStack[Any]) -> None:
    stack.push(1)
    del stack._local.__storage__[stack.__ident_func__()]
    assert stack.entries() == []


def test_values_end_with_local() -> None:
    class Value:
        pass

    def hold() -> ref[Value]:
        local = Local()
        local.__ident_func__ = context_ident
        local.value = value = Value()
        return ref(value)

    held = Context()
    assert held.run(hold)() is None


# --- Setting it


def test_earlier_values_are_found_again() -> None:
    stack: LocalStack[int] = LocalStack()
    stack.push(1)
    stack.__ident_func__ = context_ident
    assert stack.top is None
    stack.__ident_func__ = get_ident
    assert stack.pop() == 1


def test_set_twice_keeps_values(stack: LocalStack[Any]) -> None:
    stack.push(1)
    stack.__ident_func__ = context_ident
    assert stack.top == 1


def test_it_can_be_restored(stack: LocalStack[Any]) -> None:
    stack.push(1)
    before = stack.__ident_func__
    stack.__ident_func__ = get_ident
    stack.push(2)
    stack.__ident_func__ = before
    assert stack.top == 1
    assert copy_context().run(stack.push, 3) == [1, 3]
    assert stack.top == 1


def test_stacks_share_no_values(stack: LocalStack[Any]) -> None:
    other: LocalStack[Any] = LocalStack()
    other.__ident_func__ = stack.__ident_func__
    other.push(1)
    assert stack.top is None
    assert other.is_by_context


def test_manager_releases(local: Local, stack: LocalStack[Any]) -> None:
    manager = LocalManager([local, stack], ident_func=context_ident)
    local.user = "ada"
    stack.push(1)
    manager.cleanup()
    assert list(local) == []
    assert stack.entries() == []


def test_calling_it_raises() -> None:
    with pytest.raises(RuntimeError, match="__ident_func__"):
        context_ident()


def test_withdraw_finds_the_newest_list(stack: LocalStack[Any]) -> None:
    home = copy_context()
    home.run(stack.push, "lower")
    copies = [home.run(copy_context) for _ in range(20)]
    home.run(stack.push, "upper")
    assert Context().run(stack.withdraw, "lower")
    assert home.run(stack.entries) == ["upper"]
    assert [copy.run(stack.entries) for copy in copies] == [["lower"]] * 20


def test_runner_is_created_once(stack: LocalStack[Any]) -> None:
    contexts = contexts_of(stack)
    owners = []
    for entry in range(3):
        push_entry(stack, entry)
        owners.append(contexts.last_runner)
    assert len(set(owners)) == 1


def test_withdraw_finds_other_contexts(stack: LocalStack[Any]) -> None:
    copy = copy_context()
    copy.run(stack.push, "inner")
    assert stack.withdraw("inner")
    assert copy.run(stack.entries) == []


# --- Pushed by Flask, with tokens


def push_entry(stack: LocalStack[Any], entry: Any) -> Token[Version]:
    contexts = contexts_of(stack)
    return contexts.add(None, entry, contexts.version.get())


def test_token_restores_the_entry_below(stack: LocalStack[Any]) -> None:
    contexts = contexts_of(stack)
    stack.push("below")
    token = push_entry(stack, "above")
    assert stack.entries() == ["below", "above"]
    contexts.version.reset(token)
    assert stack.top == "below"


def test_ten_thousand_entries_are_listed(stack: LocalStack[Any]) -> None:
    for number in range(10_000):
        push_entry(stack, number)
    assert stack.entries() == list(range(10_000))


def test_top_follows_a_list_changed_in_place(stack: LocalStack[Any]) -> None:
    contexts = contexts_of(stack)
    push_entry(stack, "below")
    push_entry(stack, "above")
    assert stack.withdraw("above")
    assert contexts.version.get().top == "below"


def test_top_follows_values(stack: LocalStack[Any]) -> None:
    contexts = contexts_of(stack)
    push_entry(stack, "old")
    stack._local.__storage__[stack.__ident_func__()] = {"stack": ["new"]}
    assert contexts.version.get().top == "new"


def test_attributes_stay_under_an_entry(stack: LocalStack[Any]) -> None:
    stack._local.user = "ada"
    push_entry(stack, "entry")
    assert stack._local.user == "ada"


def test_top_is_last_of_list(stack: LocalStack[Any]) -> None:
    stack._local.stack = ["below", "above"]
    assert contexts_of(stack).version.get().top == "above"


def test_restored_entries_are_not_listed(stack: LocalStack[Any]) -> None:
    contexts = contexts_of(stack)
    push_entry(stack, "listed")
    listed = contexts.version.get()
    token = push_entry(stack, "below")
    push_entry(stack, "above")
    copy = copy_context()
    contexts.restore(token)
    assert stack.snapshot() == {listed.ident: ["listed"]}
    assert copy.run(stack.entries) == ["listed", "below", "above"]


def test_tokens_restore_in_any_order(stack: LocalStack[Any]) -> None:
    lower, upper = push_entry(stack, "below"), push_entry(stack, "above")
    contexts_of(stack).restore(lower)
    assert stack.entries() == []
    contexts_of(stack).restore(upper)
    assert stack.entries() == ["below"]


# --- Listed by owner


def test_entries_are_by_owner(stack: LocalStack[Any]) -> None:
    lower, upper = object(), object()
    push_entry(stack, lower)
    copy = copy_context()

    def push() -> Any:
        push_entry(stack, upper)
        return get_ident()

    owner = in_thread(lambda: copy.run(push))
    assert stack.snapshot_by_runner() == {get_ident(): [lower], owner: [upper]}


def test_copied_entry_is_listed_by_first_owner(stack: LocalStack[Any]) -> None:
    stack.push("outer")
    copies = [copy_context() for _ in range(9)]
    for copy in copies:
        in_thread(partial(copy.run, stack.push, "inner"))
    assert stack.snapshot_by_runner()[get_ident()] == ["outer"]


def test_shared_is_listed_once(stack: LocalStack[Any]) -> None:
    stack.push("once")
    copy = copy_context()
    stack.own_entries()
    assert stack.snapshot_by_runner() == {get_ident(): ["once"]}
    assert copy.run(stack.entries) == ["once"]


def test_equal_entries_are_both_listed(stack: LocalStack[Any]) -> None:
    push_entry(stack, 1)
    push_entry(stack, 1.0)
    assert stack.snapshot_by_runner() == {get_ident(): [1, 1.0]}


def test_entry_has_its_push(stack: LocalStack[Any]) -> None:
    entry = SimpleNamespace()
    stack.push(entry)
    stack.snapshot_by_runner()
    assert entry.pushed_by == get_thread_ident()
    assert entry.pushed_at == contexts_of(stack).version.get().made_at


def test_listed_context_keeps_its_push(stack: LocalStack[Any]) -> None:
    entry = Flask("listed").app_context()
    stack.push(entry)
    stack.snapshot_by_runner()
    assert entry.pushed_at is None


def test_context_keeps_no_greenlet_alive(stack: LocalStack[Any]) -> None:
    copy = copy_context()
    greenlet = pytest.importorskip("greenlet").greenlet(lambda: copy.run(stack.push, "kept"))
    ended = ref(greenlet)
    greenlet.switch()
    del greenlet
    assert ended() is None
    assert copy.run(stack.entries) == ["kept"]


def test_bound_follows_living_contexts(stack: LocalStack[Any]) -> None:
    contexts = contexts_of(stack)
    copies = [copy_context() for _ in range(300)]
    for copy in copies:
        copy.run(stack.push, 1)
    contexts.forget_destroyed()
    assert contexts.limit == 600
    for _ in range(400):
        copy_context().run(stack.push, 1)
    assert len(contexts.known) < 600


def test_few_versions_are_kept(stack: LocalStack[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[ContextValues] = []
    monkeypatch.setattr(ContextValues, "forget_destroyed", swept.append)
    for _ in range(50):
        stack.push(1)
    assert swept == []
