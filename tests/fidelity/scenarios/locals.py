"""``Local``, ``LocalStack`` and ``LocalManager``. The proxy table covers proxies."""

from __future__ import annotations

import threading
from typing import Any

from tests.fidelity.side import Side
from tests.fidelity.trace import Trace, scenario


@scenario
def values_of_a_local(side: Side, trace: Trace) -> None:
    """Values of a Local are set, read and deleted. Reading a missing one raises an AttributeError with its name."""
    local = side.local.Local()
    local.a = 1
    trace("set", local.a, hasattr(local, "b"), getattr(local, "b", "default"))
    local.a = 2
    del local.a
    trace.attempt("read", lambda: local.a)
    trace.attempt("delete", lambda: delattr(local, "a"))
    try:
        local.missing  # noqa: B018
    except AttributeError as error:
        trace("arguments", error.args)


@scenario
def storage_of_a_local(side: Side, trace: Trace) -> None:
    """__storage__ is ``{ident: {name: value}}``, and iteration yields its items. Releasing removes the own entry."""
    local = side.local.Local()
    ident = local.__ident_func__()
    trace("empty", local.__storage__, list(local))
    local.a, local.b = 1, 2
    trace("stored", local.__storage__ == {ident: {"a": 1, "b": 2}}, [values for _, values in local])
    del local.a
    del local.b
    trace("deleted", local.__storage__ == {ident: {}})
    side.local.release_local(local)
    trace("released", local.__storage__)
    side.local.release_local(local)
    trace("released again", local.__storage__)


@scenario
def local_in_threads(side: Side, trace: Trace) -> None:
    """Each thread has its own values, and releasing affects only them."""
    local = side.local.Local()
    local.value = "main"

    def other() -> None:
        trace("thread", getattr(local, "value", "nothing"))
        local.value = "thread"
        trace("thread", local.value, len(local.__storage__))
        side.local.release_local(local)

    trace.in_thread(other)
    trace("main", local.value, len(local.__storage__))


@scenario
def ident_function_of_a_local(side: Side, trace: Trace) -> None:
    """__ident_func__ can be replaced, even if values are stored already."""
    local = side.local.Local()
    current = ["one"]
    object.__setattr__(local, "__ident_func__", lambda: current[0])
    local.value = 1
    current[0] = "two"
    trace("two", hasattr(local, "value"), local.__ident_func__())
    local.value = 2
    current[0] = "one"
    trace("one", local.value, local.__storage__)


@scenario
def subclass_of_a_local(side: Side, trace: Trace) -> None:
    """Methods and class attributes of a subclass are not values."""

    class Own(side.local.Local):
        shared = "class"

        def method(self) -> str:
            return "method"

    local = Own()
    trace("class", local.shared, local.method(), local.__storage__)
    trace.attempt("shadow", lambda: setattr(local, "shared", "own"))
    trace("after", local.shared, len(local.__storage__))


@scenario
def stack_by_itself(side: Side, trace: Trace) -> None:
    """push returns the list, pop the item, and top the last item. The last pop removes the storage entry."""
    stack = side.local.LocalStack()
    trace("empty", stack.top, stack.pop(), stack._local.__storage__)
    first = stack.push("a")
    trace("pushed", first, stack.push("b") is first, stack.top)
    trace("popped", stack.pop(), stack.top, first, len(stack._local.__storage__))
    trace("last", stack.pop(), stack.top, len(stack._local.__storage__))
    trace("falsy", stack.push(None), stack.top, stack.push(0), stack.top, stack.pop(), stack.pop())


@scenario
def stack_released(side: Side, trace: Trace) -> None:
    """Releasing a stack removes the values of its thread. Lists that were returned do not change."""
    stack = side.local.LocalStack()
    items = stack.push("a")
    stack.push("b")
    side.local.release_local(stack)
    trace("released", stack.top, items, len(stack._local.__storage__))
    stack.push("c")
    trace("again", stack.top, items)


@scenario
def stack_in_threads(side: Side, trace: Trace) -> None:
    """Each thread has a stack of its own."""
    stack = side.local.LocalStack()
    stack.push("main")

    def other() -> None:
        trace("thread", stack.top, stack.pop())
        stack.push("thread")
        trace("thread", stack.top, len(stack._local.__storage__))
        stack.pop()

    trace.in_thread(other)
    trace("main", stack.pop())


@scenario
def ident_function_of_a_stack(side: Side, trace: Trace) -> None:
    """The __ident_func__ of a stack can be read and set."""
    stack = side.local.LocalStack()
    trace("default", stack.__ident_func__ is side.local.get_ident)
    current = ["one"]
    stack.__ident_func__ = lambda: current[0]
    stack.push(1)
    current[0] = "two"
    trace("two", stack.top)
    stack.push(2)
    current[0] = "one"
    trace("one", stack.top, stack._local.__storage__)


@scenario
def stack_called(side: Side, trace: Trace) -> None:
    """Calling a stack returns a proxy to the current top."""
    stack = side.local.LocalStack()
    proxy = stack()
    stack.push([1])
    proxy.append(2)
    trace("first", proxy == [1, 2], len(proxy))
    stack.push("text")
    trace("second", proxy.upper())
    stack.pop()
    trace("first again", proxy[1])
    stack.pop()
    trace.attempt("none", lambda: len(proxy), words=("object unbound",))


@scenario
def local_called_with_a_name(side: Side, trace: Trace) -> None:
    """Calling a Local with a name returns a proxy to that value. Its error contains the name if there is no value."""
    local = side.local.Local()
    proxy = local("user")
    trace("unbound", repr(proxy), bool(proxy))
    trace.attempt("missing", lambda: proxy.name, words=("no object bound to user",))
    local.user = [1]
    proxy.append(2)
    trace("bound", local.user, proxy == [1, 2], proxy._get_current_object() is local.user)


@scenario
def manager_of_locals(side: Side, trace: Trace) -> None:
    """A LocalManager releases all its locals, at once or at the end of a WSGI call."""
    local, stack = side.local.Local(), side.local.LocalStack()
    manager = side.local.LocalManager([local, stack])
    trace("locals", len(manager.locals), manager.locals[0] is local, manager.get_ident() == side.local.get_ident())
    local.a = 1
    stack.push(1)
    manager.cleanup()
    trace("clean", local.__storage__, stack._local.__storage__)

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        local.a = environ["PATH_INFO"]
        start_response("200 OK", [])
        return [b"a"]

    for wrapped in (manager.make_middleware(application), manager.middleware(application)):
        body = wrapped(trace.environ("/p"), lambda *arguments: None)
        trace("during", local.a, getattr(wrapped, "__name__", "unnamed"))
        body.close()
        trace("after", hasattr(local, "a"))


@scenario
def manager_made_in_every_way(side: Side, trace: Trace) -> None:
    """A LocalManager accepts none, one or several locals, and sets their ident function."""
    local = side.local.Local()
    trace("locals", len(side.local.LocalManager().locals), len(side.local.LocalManager(local).locals))
    manager = side.local.LocalManager([local], ident_func=lambda: "given")
    local.a = 1
    trace("given", manager.get_ident(), local.__storage__)
    trace("repr", repr(manager))


@scenario
def release_through_a_proxy(side: Side, trace: Trace) -> None:
    """A proxy cannot be released, only its local."""
    local = side.local.Local()
    local.value = 1
    trace.attempt("proxy", lambda: side.local.release_local(local("value")))
    trace("still there", local.value)


@scenario
def many_threads_with_locals(side: Side, trace: Trace) -> None:
    """Concurrent threads each read the values that they wrote."""
    local, stack = side.local.Local(), side.local.LocalStack()
    barrier = threading.Barrier(10)
    read: list[Any] = []

    def work(number: int) -> None:
        local.number = number
        stack.push(number)
        barrier.wait(10)
        read.append((local.number, stack.pop()))
        side.local.release_local(local)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trace("read", sorted(read), local.__storage__, stack._local.__storage__)
