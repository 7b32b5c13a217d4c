"""The storage of Local and LocalStack: values are removed when their owner ends."""

from __future__ import annotations

import _thread
import ctypes
import gc
import os
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest

from schlenk.local import Local, LocalStack, get_ident, release_local, storage_of
from schlenk.storage import forget_other_threads
from tests.support.execution import in_greenlet, in_thread
from tests.support.programs import run, without


class Value:
    """An object that supports weak references."""


class Owner:
    """A fake greenlet that counts how often ``dead`` is read."""

    asked = 0

    def __init__(self) -> None:
        self.ended = False

    @property
    def dead(self) -> bool:
        Owner.asked += 1
        return self.ended


@pytest.fixture
def place() -> Local:
    return Local()


def store_as(place: Local, ident: Any, value: object = None) -> None:
    place.__ident_func__ = lambda: ident
    place.value = value


# --- Threads, identified by number


@pytest.fixture
def by_number(place: Local) -> Local:
    """Return a local whose ident function is `threading.get_ident`."""
    place.__ident_func__ = threading.get_ident
    return place


def test_thread_end_removes_its_values(by_number: Local) -> None:
    in_thread(lambda: setattr(by_number, "value", 1))
    assert by_number.__storage__ == {}


def test_thread_end_frees_values(by_number: Local) -> None:
    def work() -> weakref.ref[Value]:
        by_number.value = Value()
        return weakref.ref(by_number.value)

    assert in_thread(work)() is None


@pytest.mark.parametrize("keeper", ["earlier", "the storage", "later"])
def test_finalizer_leaves_nothing(by_number: Local, keeper: str) -> None:
    earlier, later = threading.local(), threading.local()
    stored = []

    class Connection:
        def __del__(self) -> None:
            by_number.closed = False
            release_local(by_number)
            by_number.closed = True
            stored.append(by_number.closed)

    def work() -> None:
        for name, kept in {"earlier": earlier, "the storage": by_number, "later": later}.items():
            kept.connection = Connection() if name == keeper else None

    in_thread(work)
    assert by_number.__storage__ == {}
    assert stored == [True]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the names of POSIX threads in libc")
def test_c_thread_can_enter_python_again(by_number: Local) -> None:
    """A thread made by C enters Python in its function, and for the destructors of two of its keys."""
    libc = ctypes.CDLL(None)
    seen: list[tuple[int, bool, int]] = []

    def store() -> None:
        before = hasattr(by_number, "value")
        by_number.value = "released"
        release_local(by_number)
        by_number.value = len(seen)
        seen.append((threading.get_ident(), before, by_number.value))

    enter = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    destructor = enter(lambda value: store())
    keys = [ctypes.c_uint(), ctypes.c_uint()]
    for key in keys:
        assert libc.pthread_key_create(ctypes.byref(key), destructor) == 0

    def start(argument: object) -> None:
        for key in keys:
            libc.pthread_setspecific(key, ctypes.c_void_p(1))
        store()

    thread = ctypes.c_ulong()
    assert libc.pthread_create(ctypes.byref(thread), None, routine := enter(start), None) == 0
    libc.pthread_join(thread, None)
    for key in keys:
        libc.pthread_key_delete(key)
    assert routine
    assert len({ident for ident, _, _ in seen}) == 1
    assert [(before, value) for _, before, value in seen] == [(False, 0), (False, 1), (False, 2)]
    assert by_number.__storage__ == {}


def test_gevent_stores_by_patched_ident() -> None:
    pytest.importorskip("gevent")
    run("""
        import gevent.monkey; gevent.monkey.patch_all()
        import gc, gevent, threading
        from schlenk.local import Local

        place = Local()
        place.__ident_func__ = threading.get_ident

        def work(number):
            assert not hasattr(place, "value")
            place.value = number
            gevent.sleep(0)
            assert place.value == number

        for _ in range(20):
            gevent.joinall([gevent.spawn(work, number) for number in range(10)], raise_error=True)
        gc.collect()
        assert len(place.__storage__) <= 1, place.__storage__
    """)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("number", [False, True], ids=["default", "by number"])
def test_fork_keeps_forking_threads_values(number: bool) -> None:
    run(f"""
        import os, threading, warnings
        from schlenk.local import Local, get_ident

        place, stored, forked = Local(), threading.Event(), threading.Event()
        if {number}:
            place.__ident_func__ = threading.get_ident
        place.value = "main"

        def work():
            place.value = "thread"
            stored.set()
            forked.wait(30)

        thread = threading.Thread(target=work)
        thread.start()
        stored.wait(30)
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if not child:
            os._exit([values for _, values in place] != [{{"value": "main"}}])
        forked.set()
        thread.join()
        assert os.waitpid(child, 0)[1] == 0
    """)


def test_fork_forgets_threads(place: Local) -> None:
    """The function that runs in a child process is called here, with threads that still exist."""
    pytest.importorskip("greenlet")
    chosen = Local()
    chosen.__ident_func__ = lambda: get_ident()
    place.value = "here"

    def work() -> None:
        place.value = chosen.value = "there"
        seen.append(len(place.__storage__))
        in_greenlet(forget_other_threads)
        seen.append(place.__storage__ == {get_ident(): {"value": "there"}})

    seen: list[Any] = []
    in_thread(work)
    assert seen == [2, True]
    assert len(chosen.__storage__) == 1


def test_fork_keeps_own_greenlets() -> None:
    pytest.importorskip("greenlet")
    run("""
        import greenlet, os
        from schlenk.local import Local

        place = Local()
        place.value = "main"

        def work():
            place.value = "greenlet"
            greenlet.getcurrent().parent.switch()

        waiting = greenlet.greenlet(work)
        waiting.switch()
        child = os.fork()
        if not child:
            os._exit(len(place.__storage__) != 2)
        assert os.waitpid(child, 0)[1] == 0
    """)


def test_recycled_thread_numbers_can_store(by_number: Local) -> None:
    def work() -> Any:
        storage_of(by_number).native_ids[threading.get_ident()] = threading.get_native_id()
        by_number.value = 1
        return by_number.value

    assert in_thread(work) == 1


UNKNOWN = 10**20
"""More than the ident of any thread that ``threading`` lists."""


def test_only_unlisted_thread_is_unknown(by_number: Local) -> None:
    storage = storage_of(by_number)
    assert storage.thread_is_unknown(UNKNOWN)
    assert not storage.thread_is_unknown(threading.get_ident())


@pytest.mark.parametrize("module", ["gevent.local", "Other"])
def test_no_greenlet_is_an_unknown_thread(by_number: Local, module: str) -> None:
    storage: Any = storage_of(by_number)
    storage.thread = type("local", (), {"__module__": module})()
    assert not storage.thread_is_unknown(UNKNOWN)


@pytest.mark.parametrize("known", [True, False])
def test_end_is_kept_by_thread(by_number: Local, known: bool) -> None:
    """The values end with the thread, unless it has ended and a finalizer stores one."""
    storage = storage_of(by_number)
    ident = threading.get_ident() if known else UNKNOWN
    if known:
        storage.native_ids[ident] = threading.get_native_id()
    storage.watch_thread(ident)
    assert storage.thread.end.ident == ident


def test_unmanaged_thread_can_store_again(by_number: Local) -> None:
    """Some servers start threads without `threading`."""
    seen, done = [], threading.Event()

    def work() -> None:
        by_number.value = 1
        release_local(by_number)
        by_number.value = 2
        seen.append(by_number.value)
        done.set()

    _thread.start_new_thread(work, ())
    assert done.wait(30)
    assert seen == [2]


def test_released_thread_is_cleaned_again(by_number: Local) -> None:
    def work() -> None:
        by_number.value = 1
        release_local(by_number)
        by_number.value = 2

    in_thread(work)
    assert by_number.__storage__ == {}


def test_thread_keeps_values_after_release(by_number: Local) -> None:
    def work() -> dict[int, Any]:
        by_number.value = 1
        release_local(by_number)
        by_number.value = 2
        return {ident: dict(values) for ident, values in by_number}

    (values,) = in_thread(work).values()
    assert values == {"value": 2}


def test_released_thread_may_end(by_number: Local) -> None:
    def work() -> None:
        by_number.value = 1
        release_local(by_number)

    in_thread(work)
    assert by_number.__storage__ == {}


def test_thread_never_sees_earlier_values(by_number: Local) -> None:
    def work() -> bool:
        seen = hasattr(by_number, "value")
        by_number.value = 1
        return seen

    # Most of the threads get the number of their predecessor.
    assert not any(in_thread(work) for _ in range(50))


def test_thread_end_keeps_others_values(by_number: Local) -> None:
    by_number.value = "main"
    stored, may_end = threading.Event(), threading.Event()

    def work() -> None:
        by_number.value = "living"
        stored.set()
        may_end.wait(30)
        assert by_number.value == "living"

    living = threading.Thread(target=work)
    living.start()
    assert stored.wait(30)
    in_thread(lambda: setattr(by_number, "value", "short"))
    left = {ident: values["value"] for ident, values in by_number}
    may_end.set()
    number = living.ident
    living.join()
    assert left == {threading.get_ident(): "main", number: "living"}


def test_thread_end_clears_every_local(by_number: Local) -> None:
    other = Local()
    other.__ident_func__ = threading.get_ident

    def work() -> None:
        by_number.value = other.value = 1

    in_thread(work)
    assert by_number.__storage__ == {}
    assert other.__storage__ == {}


def test_thread_end_removes_stack() -> None:
    stack: LocalStack[int] = LocalStack()
    stack.__ident_func__ = threading.get_ident
    in_thread(lambda: stack.push(1))
    assert stack._local.__storage__ == {}


def test_local_end_frees_values() -> None:
    place = Local()
    place.__ident_func__ = threading.get_ident
    place.value = Value()
    value = weakref.ref(place.value)
    del place
    gc.collect()
    assert value() is None


def test_late_ident_func_applies_at_once(place: Local) -> None:
    place.value = "before"

    def work() -> None:
        place.__ident_func__ = threading.get_ident
        place.value = 1

    in_thread(work)
    assert [values for _, values in place] == [{"value": "before"}]


def test_dead_thread_is_removed() -> None:
    without(
        "greenlet",
        """
        import threading
        from schlenk.local import Local, LocalStack
        place, stack, seen = Local(), LocalStack(), []
        def work():
            seen.append((hasattr(place, "value"), stack.top))
            place.value = 1
            stack.push(1)
        for _ in range(50):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            assert place.__storage__ == stack._local.__storage__ == {}
        assert seen == [(False, None)] * 50
        """,
    )


# --- Greenlets, swept some time after they have died


def test_dead_greenlets_are_few(place: Local) -> None:
    for number in range(500):
        in_greenlet(lambda: setattr(place, "value", number))  # noqa: B023
        assert len(place.__storage__) <= 64


def test_ended_threads_are_few(place: Local) -> None:
    pytest.importorskip("greenlet")
    for number in range(200):
        in_thread(lambda: setattr(place, "value", number))  # noqa: B023
        assert len(place.__storage__) <= 64


def test_suspended_greenlets_are_bounded(place: Local) -> None:
    greenlet = pytest.importorskip("greenlet")

    def work() -> None:
        place.value = 1
        greenlet.getcurrent().parent.switch()

    for _ in range(200):
        in_thread(lambda: in_greenlet(work))
        assert len(place.__storage__) <= 64


def test_dead_greenlets_stacks_are_bounded() -> None:
    stack: LocalStack[int] = LocalStack()
    for number in range(200):
        in_greenlet(lambda: stack.push(number))  # noqa: B023
    assert len(stack._local.__storage__) <= 64


def test_living_greenlets_survive_sweep(place: Local) -> None:
    greenlet = pytest.importorskip("greenlet")

    def work(number: int) -> int:
        place.value = number
        greenlet.getcurrent().parent.switch()
        return place.value

    living = [greenlet.greenlet(work) for _ in range(100)]
    for number, owner in enumerate(living):
        owner.switch(number)
    for _ in range(500):
        in_greenlet(lambda: setattr(place, "value", None))
    assert [owner.switch() for owner in living] == list(range(100))


def test_greenlet_sees_no_dead_ones_values(place: Local) -> None:
    def work() -> bool:
        seen = hasattr(place, "value")
        place.value = 1
        return seen

    assert not any(in_greenlet(work) for _ in range(200))


def test_sweep_frees_values(place: Local) -> None:
    ended, value = Owner(), Value()
    kept = weakref.ref(value)
    store_as(place, ended, value)
    ended.ended = True
    del value
    for _ in range(64):
        store_as(place, Owner())
    assert kept() is None


def test_idents_may_lack_dead(place: Local) -> None:
    for number in range(500):
        store_as(place, number)
    assert len(place.__storage__) == 500


def test_directly_stored_dead_are_swept(place: Local) -> None:
    for _ in range(200):
        ended = Owner()
        ended.ended = True
        place.__storage__[ended] = {}
    place.value = 1
    assert len(place.__storage__) == 1


def test_bound_grows_with_living_owners(place: Local) -> None:
    living = [Owner() for _ in range(1000)]
    for owner in living:
        store_as(place, owner)
    for _ in range(5000):
        ended = Owner()
        store_as(place, ended)
        ended.ended = True
        assert len(place.__storage__) <= 2 * len(living) + 48
    assert set(living) <= place.__storage__.keys()


def test_sweep_cost_is_bounded(place: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Owner, "asked", 0)
    for _ in range(5000):
        store_as(place, Owner())
    assert 0 < Owner.asked <= 2 * 5000


def test_bound_can_shrink(place: Local) -> None:
    many = [Owner() for _ in range(1000)]
    for owner in many:
        store_as(place, owner)
    for owner in many:
        owner.ended = True
    for _ in range(2000):
        ended = Owner()
        store_as(place, ended)
        ended.ended = True
    assert len(place.__storage__) <= 64


def test_small_storage_is_kept(place: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Owner, "asked", 0)
    for _ in range(64):
        store_as(place, Owner())
    assert Owner.asked == 0


def test_changing_a_value_does_not_sweep(place: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(64):
        store_as(place, Owner())
    monkeypatch.setattr(Owner, "asked", 0)
    place.other = 1
    assert Owner.asked == 0


def test_release_while_sweeping(place: Local) -> None:
    class Releasing(Owner):
        @property
        def dead(self) -> bool:
            place.__storage__.pop(self)
            return True

    for _ in range(64):
        store_as(place, Releasing())
    store_as(place, "newcomer")
    assert place.__storage__ == {"newcomer": {"value": None}}


def test_store_from_finalizer(place: Local) -> None:
    class Last:
        def __del__(self) -> None:
            store_as(place, "heir")

    for _ in range(64):
        ended = Owner()
        store_as(place, ended, Last())
        ended.ended = True
    store_as(place, "newcomer")
    assert place.__storage__.keys() == {"heir", "newcomer"}


@pytest.mark.parametrize("ident", [get_ident, threading.get_ident])
def test_concurrent_threads_keep_own_values(place: Local, ident: Callable[[], Any]) -> None:
    place.__ident_func__ = ident
    together, wrong = threading.Barrier(8, timeout=30), []

    def work(number: int) -> None:
        for turn in range(20):
            together.wait()
            in_thread(lambda: setattr(place, "value", number))
            place.value = (number, turn)
            together.wait()
            if place.value != (number, turn):
                wrong.append(number)
            release_local(place)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(place.__storage__) <= 64


def test_sweep_is_safe_during_concurrent_use(place: Local) -> None:
    pretended: dict[int, Owner] = {}
    place.__ident_func__ = lambda: pretended.get(threading.get_ident()) or get_ident()
    wrong: list[str] = []

    def live(number: int) -> None:
        for turn in range(200):
            place.value = (number, turn)
            if place.value != (number, turn):
                wrong.append("a living owner was shown what it had not stored")
            release_local(place)
            if hasattr(place, "value"):
                wrong.append("what was released was still there")

    def die(number: int) -> None:
        for turn in range(200):
            pretended[threading.get_ident()] = owner = Owner()
            if hasattr(place, "value"):
                wrong.append("a newcomer found something")
            place.value = turn
            owner.ended = True
        del pretended[threading.get_ident()]

    def look(number: int) -> None:
        for _ in range(200):
            if len(place.__storage__.copy()) > 2 * 64:
                wrong.append("the dead were kept")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda number: [live, die, look][number % 3](number), range(12)))
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


def test_changing_ident_func_moves_cleanup(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Local()

    class Patched(threading.local):
        pass

    monkeypatch.setattr(threading, "local", Patched)
    place.__ident_func__ = threading.get_ident
    monkeypatch.undo()
    place.user = "ada"
    assert in_thread(lambda: hasattr(place, "user")) is False
    assert type(storage_of(place).thread) is Patched
