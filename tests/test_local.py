"""Local: attributes with a separate value for each greenlet or thread."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

import schlenk.local
from schlenk.local import Local, LocalStack, get_ident, release_local
from tests.support.execution import in_greenlet, in_thread
from tests.support.programs import without


def test_ident_is_greenlet() -> None:
    assert get_ident is pytest.importorskip("greenlet").getcurrent


def test_ident_is_thread_id_without_greenlet() -> None:
    without(
        "greenlet",
        """
        import threading
        from schlenk.local import Local, LocalManager, LocalStack, get_ident
        assert get_ident is threading.get_ident
        assert Local().__ident_func__ is LocalStack().__ident_func__ is LocalManager().ident_func is get_ident
        """,
    )


def test_star_import_exports_public_names() -> None:
    names: dict[str, Any] = {}
    exec("from schlenk.local import *", names)
    public = "Local LocalManager LocalProxy LocalStack context_ident get_ident release_local".split()
    assert names.keys() - {"__builtins__"} == set(public)


# --- Attributes


def test_last_value_is_returned() -> None:
    place = Local()
    place.user = "ada"
    place.user = "grace"
    assert place.user == "grace"


@pytest.mark.parametrize("name", ["Name", "__a__", "name"])
def test_any_name_can_be_set(name: str) -> None:
    place = Local()
    setattr(place, name, "ada")
    assert place.__storage__ == {get_ident(): {name: "ada"}}


def test_names_are_independent() -> None:
    place = Local()
    place.user = "ada"
    place.age = 36
    assert place.user == "ada"
    assert place.age == 36


@pytest.mark.parametrize("others", [{}, {"age": 36}], ids=["nothing set", "another name set"])
@pytest.mark.parametrize("use", [lambda place: place.user, lambda place: delattr(place, "user")], ids=["get", "del"])
def test_missing_name_is_in_error(use: Any, others: dict[str, int]) -> None:
    place = Local()
    for name, value in others.items():
        setattr(place, name, value)
    with pytest.raises(AttributeError) as caught:
        use(place)
    assert caught.value.args == ("user",)
    assert caught.value.__suppress_context__


def test_delete_removes_one_value() -> None:
    place = Local()
    place.user, place.age = "ada", 36
    del place.user
    assert place.__storage__ == {get_ident(): {"age": 36}}


def test_locals_are_independent() -> None:
    place, other = Local(), Local()
    place.user = "ada"
    assert not hasattr(other, "user")


def test_values_are_in_storage() -> None:
    with pytest.raises(TypeError, match="__dict__"):
        vars(Local())


def test_storage_is_by_ident() -> None:
    place = Local()
    assert place.__storage__ == {}
    place.user = "ada"
    assert place.__storage__ == {get_ident(): {"user": "ada"}}


@pytest.mark.parametrize("name", ["__storage__", "__release_local__", "__iter__"])
def test_attribute_shadows_value(name: str) -> None:
    place = Local()
    before = getattr(place, name)
    setattr(place, name, "value")
    assert getattr(place, name) == before
    assert place.__storage__ == {get_ident(): {name: "value"}}


def test_iteration_yields_idents_and_values() -> None:
    place = Local()
    place.user = "ada"
    assert list(place) == [(get_ident(), {"user": "ada"})]


def test_call_returns_proxy() -> None:
    place = Local()
    user = place("user")
    place.user = "ada"
    assert user == "ada"


# --- Subclasses


class Users(Local):
    kind = "person"

    def __init__(self, user: str) -> None:
        super().__init__()
        self.user = user

    @property
    def loud(self) -> str:
        return self.user.upper()


class Admins(Users):
    pass


@pytest.mark.parametrize("made", [Users, Admins])
def test_subclass_has_attributes_and_values(made: type[Users]) -> None:
    place = made("ada")
    assert place.user == "ada"
    assert place.loud == "ADA"
    assert place.kind == "person"
    assert place.__storage__ == {get_ident(): {"user": "ada"}}


@pytest.mark.parametrize("made", [Users, Admins])
def test_subclass_attribute_shadows_value(made: type[Users]) -> None:
    place = made("ada")
    place.kind = "machine"
    assert place.kind == "person"
    assert place.__storage__[get_ident()]["kind"] == "machine"


def test_error_names_missing_attribute() -> None:
    with pytest.raises(AttributeError, match=r"^age$"):
        Users("ada").age  # noqa: B018


def test_subclass_getattr_is_used() -> None:
    class Defaulting(Local):
        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                return f"no {name}"

    place = Defaulting()
    place.user = "ada"
    assert place.user == "ada"
    assert place.age == "no age"


def test_subclass_getattribute_is_used() -> None:
    class Shouting(Local):
        def __getattribute__(self, name: str) -> Any:
            return name.upper()

    assert Shouting().user == "USER"


def test_subclass_inherits_getattribute() -> None:
    class Listening(Local):
        def __getattribute__(self, name: str) -> Any:
            heard.append(name)
            return super().__getattribute__(name)

    class Further(Listening):
        pass

    heard: list[str] = []
    place = Further()
    place.user = "ada"
    heard.clear()
    assert place.user == "ada"
    assert heard[0] == "user"


def test_subclass_takes_arguments() -> None:
    class Tagged:
        tags: list[str] = []

        def __init_subclass__(cls, tag: str, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            Tagged.tags.append(tag)

    class Place(Local, Tagged, tag="place"):
        pass

    assert Tagged.tags == ["place"]


def test_instance_attribute_shadows_value() -> None:
    place = Users("ada")
    object.__setattr__(place, "user", "grace")
    assert place.user == "grace"
    assert place.__storage__ == {get_ident(): {"user": "ada"}}


def as_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the state of the module from before any ident function or own name was set."""
    first = getattr(schlenk.local, "_read_value_first", Local.__getattribute__)
    monkeypatch.setattr(Local, "__getattribute__", first)


@pytest.mark.parametrize("made", [Local, Admins])
def test_class_attribute_shadows_value(monkeypatch: pytest.MonkeyPatch, made: type[Local]) -> None:
    as_at_first(monkeypatch)
    place = object.__new__(made)
    Local.__init__(place)
    place.user = "ada"
    place.__iter__ = place.__dir__ = "set"  # type: ignore[assignment, method-assign]
    assert callable(place.__iter__)
    assert callable(place.__dir__)
    assert place.user == "ada"
    assert place.__storage__ == {get_ident(): {"user": "ada", "__iter__": "set", "__dir__": "set"}}


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="an attribute that is missing costs little there")
def test_read_raises_no_attribute_error(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Local()
    place.user = "ada"
    monkeypatch.setattr(Local, "__getattr__", lambda place, name: "missed")
    assert place.user == "ada"
    assert place.age == "missed"


def test_uninitialized_local_has_class() -> None:
    assert Local.__new__(Local).__class__ is Local


def test_ident_func_may_read_its_local(monkeypatch: pytest.MonkeyPatch) -> None:
    as_at_first(monkeypatch)
    place, asked = Local(), []

    def ident() -> int:
        asked.append(len(place.__storage__))
        return 1

    place.__ident_func__ = ident
    place.user = "ada"
    assert place.user == "ada"
    assert asked == [0, 1]


def test_failing_ident_func_can_be_replaced() -> None:
    def fail() -> None:
        raise LookupError("no task is running")

    place = Local()
    place.__ident_func__ = fail
    assert place.__ident_func__ is fail
    with pytest.raises(LookupError, match="no task is running"):
        place.user  # noqa: B018
    place.__ident_func__ = get_ident
    place.user = "ada"
    assert place.user == "ada"


# --- Owners


def test_threads_read_own_numbers() -> None:
    place, all_have_set, seen = Local(), threading.Barrier(10, timeout=30), {}

    def work(number: int) -> None:
        place.num = number
        all_have_set.wait()
        seen[number] = place.num

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: number for number in range(10)}


@pytest.mark.parametrize("elsewhere", [in_thread, in_greenlet])
def test_other_threads_see_none(elsewhere: Any) -> None:
    place = Local()
    place.user = "ada"
    assert not elsewhere(lambda: hasattr(place, "user"))


@pytest.mark.parametrize("elsewhere", [in_thread, in_greenlet])
def test_value_set_elsewhere_is_invisible(elsewhere: Any) -> None:
    place = Local()
    elsewhere(lambda: setattr(place, "user", "ada"))
    assert not hasattr(place, "user")


@pytest.mark.parametrize("elsewhere", [in_thread, in_greenlet])
def test_delete_elsewhere_keeps_value(elsewhere: Any) -> None:
    place = Local()
    place.user = "ada"

    def delete() -> None:
        place.user = "grace"
        del place.user

    elsewhere(delete)
    assert place.user == "ada"


def test_alternating_greenlets_are_isolated() -> None:
    greenlet = pytest.importorskip("greenlet")
    place, seen = Local(), []

    def work(user: str) -> None:
        place.user = user
        greenlet.getcurrent().parent.switch()
        seen.append(place.user)

    workers = [greenlet.greenlet(work) for _ in range(2)]
    for worker, user in zip(workers, ["ada", "grace"]):
        worker.switch(user)
    for worker in workers:
        worker.switch()
    assert seen == ["ada", "grace"]


def test_isolated_without_greenlet() -> None:
    without(
        "greenlet",
        """
        import threading
        from schlenk.local import Local
        place, seen = Local(), []
        def work():
            place.user = "grace"
            seen.append(list(place))
        place.user = "ada"
        thread = threading.Thread(target=work)
        thread.start()
        number = thread.ident
        thread.join()
        assert seen == [[(threading.get_ident(), {"user": "ada"}), (number, {"user": "grace"})]], seen
        assert place.user == "ada"
        """,
    )


# --- Ident functions


def test_default_ident_func_is_get_ident() -> None:
    assert Local().__ident_func__ is get_ident


def test_ident_selects_values() -> None:
    place, owner = Local(), ["first"]
    place.__ident_func__ = lambda: owner[0]
    place.user = "ada"
    owner[0] = "second"
    place.user = "grace"
    assert place.__storage__ == {"first": {"user": "ada"}, "second": {"user": "grace"}}
    owner[0] = "first"
    assert place.user == "ada"
    del place.user
    assert place.__storage__ == {"first": {}, "second": {"user": "grace"}}


def test_custom_ident_can_be_read() -> None:
    place = Local()
    place.__ident_func__ = threading.get_ident
    assert place.__ident_func__ is threading.get_ident
    assert place.__storage__ == {}


def test_object_setattr_sets_ident_func() -> None:
    place = Local()
    object.__setattr__(place, "__ident_func__", threading.get_ident)
    assert place.__ident_func__ is threading.get_ident


def test_new_ident_func_keeps_old_values() -> None:
    place = Local()
    place.user = "ada"
    place.__ident_func__ = lambda: "somebody"
    assert not hasattr(place, "user")
    place.__ident_func__ = get_ident
    assert place.user == "ada"


def test_ident_func_is_per_local() -> None:
    place, other = Local(), Local()
    place.__ident_func__ = lambda: "somebody"
    assert other.__ident_func__ is get_ident


def test_constant_ident_shares() -> None:
    place = Local()
    place.__ident_func__ = lambda: "everybody"
    in_thread(lambda: setattr(place, "user", "ada"))
    assert place.user == "ada"


# --- Releasing


def test_release_removes_values() -> None:
    place = Local()
    place.user, place.age = "ada", 36
    release_local(place)
    assert place.__storage__ == {}


def test_release_of_empty_does_nothing() -> None:
    release_local(Local())


def test_release_keeps_other_owners_values() -> None:
    place, owner = Local(), ["first"]
    place.__ident_func__ = lambda: owner[0]
    place.user = "ada"
    owner[0] = "second"
    place.user = "grace"
    release_local(place)
    assert place.__storage__ == {"first": {"user": "ada"}}


def test_released_local_is_usable() -> None:
    place = Local()
    place.user = "ada"
    release_local(place)
    place.user = "grace"
    assert place.user == "grace"


def test_release_empties_stack() -> None:
    stack: LocalStack[int] = LocalStack()
    stack.push(1)
    stack.push(2)
    release_local(stack)
    assert stack.top is None
    assert stack._local.__storage__ == {}


def test_proxy_is_not_released() -> None:
    place = Local()
    place.user = "ada"
    with pytest.raises(AttributeError, match="__release_local__"):
        release_local(place("user"))
    assert place.user == "ada"


def test_release_frees_values() -> None:
    place, value = Local(), object()
    before = sys.getrefcount(value)
    place.value = value
    release_local(place)
    assert sys.getrefcount(value) == before
