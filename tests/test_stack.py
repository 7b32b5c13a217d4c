"""LocalStack: a separate stack for each greenlet or thread."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from schlenk.local import Local, LocalProxy, LocalStack, get_ident, storage_of
from tests.support.execution import in_greenlet, in_thread
from tests.support.programs import without


@pytest.fixture
def stack() -> LocalStack[Any]:
    return LocalStack()


def test_top_is_last_pushed(stack: LocalStack[Any]) -> None:
    stack.push("a")
    stack.push("b")
    assert stack.top == "b"


def test_push_returns_list_from_bottom(stack: LocalStack[Any]) -> None:
    assert stack.push("a") == ["a"]
    assert stack.push("b") == ["a", "b"]


def test_pop_removes_top(stack: LocalStack[Any]) -> None:
    stack.push("a")
    stack.push("b")
    assert stack.pop() == "b"
    assert stack.top == "a"
    assert stack.pop() == "a"
    assert stack.top is None


def test_empty_stack_returns_none(stack: LocalStack[Any]) -> None:
    assert stack.pop() is None
    assert stack.top is None


def test_push_while_stack_is_emptied(stack: LocalStack[Any]) -> None:
    """A finalizer or a signal handler pops the last object while another one is pushed."""

    class Emptied(dict[Any, Any]):
        def get(self, *arguments: Any) -> Any:
            values = super().get(*arguments)
            self.clear()
            return values

    stack.push("a")
    storage_of(stack._local).values = Emptied(stack._local.__storage__)
    stack.push("b")
    assert stack.top == "b"


def test_falsy_object_counts(stack: LocalStack[Any]) -> None:
    stack.push(0)
    assert stack.top == 0
    assert stack() + 1 == 1
    assert stack.pop() == 0


def test_storage_is_by_ident(stack: LocalStack[Any]) -> None:
    stack.push("a")
    stack.push("b")
    assert stack._local.__storage__ == {get_ident(): {"stack": ["a", "b"]}}


def test_last_pop_frees_storage(stack: LocalStack[Any]) -> None:
    stack.push("a")
    stack.push("b")
    stack.pop()
    assert stack._local.__storage__ == {get_ident(): {"stack": ["a"]}}
    stack.pop()
    assert stack._local.__storage__ == {}


def test_last_pop_keeps_list(stack: LocalStack[Any]) -> None:
    pushed = stack.push("a")
    stack.pop()
    assert pushed == ["a"]


def test_stack_is_reusable_after_last_pop(stack: LocalStack[Any]) -> None:
    pushed = stack.push("a")
    stack.pop()
    assert stack.push("b") == ["b"]
    assert pushed == ["a"]


def test_list_emptied_by_hand_is_empty_stack(stack: LocalStack[Any]) -> None:
    stack.push("a").clear()
    assert stack.top is None
    assert repr(stack()) == "<LocalProxy unbound>"
    assert stack.pop() is None
    assert stack._local.__storage__ == {}


def test_stack_is_in_its_local(stack: LocalStack[Any]) -> None:
    stack._local.stack = ["a", "b"]
    assert stack.top == "b"


def test_replaced_local_is_used(stack: LocalStack[Any]) -> None:
    stack._local = Local()
    stack.push("a")
    assert stack._local.__storage__ == {get_ident(): {"stack": ["a"]}}
    stack._local = Local()
    assert stack.pop() is None


@pytest.mark.parametrize("elsewhere", [in_thread, in_greenlet])
def test_stack_is_empty_elsewhere(stack: LocalStack[Any], elsewhere: Any) -> None:
    stack.push("here")
    assert elsewhere(lambda: (stack.top, stack.pop())) == (None, None)


@pytest.mark.parametrize("elsewhere", [in_thread, in_greenlet])
def test_stack_ignores_pushes_elsewhere(stack: LocalStack[Any], elsewhere: Any) -> None:
    stack.push("here")
    assert elsewhere(lambda: stack.push("there")) == ["there"]
    assert stack.pop() == "here"
    assert stack.top is None


def test_isolated_without_greenlet() -> None:
    without(
        "greenlet",
        """
        import threading
        from schlenk.local import LocalStack
        stack, seen = LocalStack(), []
        stack.push("here")
        thread = threading.Thread(target=lambda: seen.extend([stack.top, stack.push("there"), stack.pop()]))
        thread.start()
        thread.join()
        assert seen == [None, ["there"], "there"], seen
        assert stack._local.__storage__ == {threading.get_ident(): {"stack": ["here"]}}
        """,
    )


def test_stacks_are_independent(stack: LocalStack[Any]) -> None:
    stack.push("a")
    assert LocalStack().top is None


# --- The proxy to the top


def test_proxy_follows_top(stack: LocalStack[Any]) -> None:
    top = stack()
    stack.push(["a"])
    assert top == ["a"]
    stack.push(["b"])
    assert top == ["b"]
    stack.pop()
    assert top == ["a"]


def test_attribute_follows_top(stack: LocalStack[Any]) -> None:
    top = stack()
    stack.push(1)
    stack.push(2)
    assert top.real == 2
    stack.pop()
    assert top.real == 1


def test_proxy_uses_own_top() -> None:
    class Fixed(LocalStack[str]):
        @property
        def top(self) -> str:
            return "fixed"

    assert Fixed()() == "fixed"


def test_proxy_to_empty_stack_is_unbound(stack: LocalStack[Any]) -> None:
    top = stack()
    with pytest.raises(RuntimeError, match="object unbound"):
        top.name  # noqa: B018
    assert repr(top) == "<LocalProxy unbound>"


def test_proxy_to_none_is_unbound(stack: LocalStack[Any]) -> None:
    stack.push(None)
    with pytest.raises(RuntimeError, match="object unbound"):
        stack()._get_current_object()
    stack.pop()


# --- Ident functions


def test_default_ident_func_is_get_ident(stack: LocalStack[Any]) -> None:
    assert stack.__ident_func__ is get_ident


def test_custom_ident_can_be_read(stack: LocalStack[Any]) -> None:
    stack.__ident_func__ = threading.get_ident
    assert stack.__ident_func__ is stack._local.__ident_func__ is threading.get_ident


def test_ident_selects_stack(stack: LocalStack[Any]) -> None:
    owner = ["first"]
    stack.__ident_func__ = lambda: owner[0]
    stack.push("a")
    owner[0] = "second"
    stack.push("b")
    assert stack._local.__storage__ == {"first": {"stack": ["a"]}, "second": {"stack": ["b"]}}
    owner[0] = "first"
    assert stack.top == "a"
    assert stack.pop() == "a"
    assert stack.top is None
    assert stack._local.__storage__ == {"second": {"stack": ["b"]}}


def test_new_ident_func_keeps_old_stack(stack: LocalStack[Any]) -> None:
    stack.push("a")
    stack.__ident_func__ = lambda: "somebody"
    assert stack.top is None
    stack.__ident_func__ = get_ident
    assert stack.top == "a"


def test_proxies_share_a_class(stack: LocalStack[Any]) -> None:
    assert type(stack()) is type(stack()) is not type(LocalStack()())
    assert isinstance(stack(), LocalProxy)
    assert type(stack()).__name__ == "LocalProxy"
    assert type(stack()).__module__ == LocalProxy.__module__


def test_attribute_of_none_raises(stack: LocalStack[Any]) -> None:
    with pytest.raises(RuntimeError, match="unbound"):
        stack().anything  # noqa: B018
    stack.push(None)
    with pytest.raises(RuntimeError, match="unbound"):
        stack().anything  # noqa: B018


def test_own_attribute_is_found(stack: LocalStack[Any]) -> None:
    top = stack()
    object.__setattr__(top, "note", "kept")
    assert top.note == "kept"


def test_proxy_follows_local(stack: LocalStack[Any]) -> None:
    top = stack()
    stack.push(1)
    stack._local = Local()
    stack.push(2)
    assert top.real == 2
    assert top + 0 == 2


def test_own_attribute_comes_after_top(stack: LocalStack[Any]) -> None:
    top = stack()
    object.__setattr__(top, "note", "kept")
    stack.push(object())
    assert top.note == "kept"


class Place:
    """An object with one stack for all threads, in the place of a stack's local."""

    __ident_func__ = get_ident
    stack: list[Any]

    def __release_local__(self) -> None:
        del self.stack


def test_last_pop_releases_replaced_local(stack: LocalStack[Any]) -> None:
    place: Any = Place()
    stack._local = place
    stack.push("a")
    assert stack.pop() == "a"
    assert not hasattr(place, "stack")


def test_discard_removes_only_top(stack: LocalStack[Any]) -> None:
    first, second = object(), object()
    assert stack.discard(first) is False
    stack.push(first)
    stack.push(second)
    assert stack.discard(first) is False
    assert stack.discard(second) is True
    assert stack.discard(first) is True
    assert list(stack._local) == []


def test_uncover_removes_what_is_above(stack: LocalStack[Any]) -> None:
    objects = [object() for _ in range(4)]
    for obj in objects:
        stack.push(obj)
    for number in (2, 1, 0):
        assert stack.uncover(objects[number]) == [objects[number + 1]]
        assert stack.entries() == objects[: number + 1]
    stack.pop()


def test_uncover_leaves_what_is_on_top(stack: LocalStack[Any]) -> None:
    obj = object()
    for pushed in (obj, object(), obj):
        stack.push(pushed)
    assert stack.uncover(obj) == []
    assert len(stack.entries()) == 3
    stack._local.__release_local__()


def test_withdraw_finds_nothing(stack: LocalStack[Any]) -> None:
    stack.push(object())
    assert stack.withdraw(object()) is False
    stack.pop()


def test_equal_list_is_a_change(stack: LocalStack[Any]) -> None:
    entries = stack.push("a")
    assert stack.is_unchanged(entries, "a")
    stack.pop()
    assert not stack.is_unchanged(entries, "a")
    stack.push("a")
    assert not stack.is_unchanged(entries, "a")
    stack.pop()


def test_another_top_is_a_change(stack: LocalStack[Any]) -> None:
    entries = stack.push("a")
    stack.push("b")
    assert not stack.is_unchanged(entries, "a")
    entries.clear()
    assert not stack.is_unchanged(entries, "a")
    stack._local.__release_local__()
