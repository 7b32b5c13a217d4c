"""Storage that belongs to the running greenlet or thread, and proxies to what is in it.

Everything rests on one dictionary, ``{ident: {name: value}}``, where the ident is the running greenlet (where greenlet
is installed) or the running thread's number. ``Local`` shows the running owner's part of it as attributes,
``LocalStack`` keeps a list in it, and ``LocalProxy`` stands for whatever is there at the moment it is used.

Nothing here knows of HTTP.
"""

from __future__ import annotations

import copy
import math
import operator
import os
import sys
import threading
import types
from collections.abc import Iterable, Iterator
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar

from werkzeug.wsgi import ClosingIterator

try:
    from greenlet import getcurrent as get_ident
except ImportError:
    from threading import get_ident  # type: ignore[assignment]

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Local", "LocalManager", "LocalProxy", "LocalStack", "get_ident", "release_local"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Ident = Callable[[], Any]


class _ThreadEnd:
    """Held by a thread alone, so that it goes when the thread does, and takes the thread's values with it."""

    __slots__ = ("ident", "values")

    def __init__(self, values: dict[Any, dict[str, Any]], ident: int) -> None:
        self.values = values
        self.ident = ident

    def __del__(self) -> None:
        self.values.pop(self.ident, None)


class _Storage:
    """The values of every ident, and the function that tells which ident is running.

    A greenlet that dies without releasing leaves its entry behind. As its key is the greenlet itself no newcomer can
    be taken for it, so nothing needs to happen at once: whenever the entries have doubled, the dead are swept out.
    A thread's number is given to the next thread, so there the entry goes with the thread.
    """

    __slots__ = ("ident", "limit", "thread", "threads", "values")

    def __init__(self) -> None:
        self.ident: Ident = get_ident
        self.values: dict[Any, dict[str, Any]] = {}
        self.limit = 64
        self.thread = threading.local()
        # The system's number of each thread that was the last to have an ident and kept something.
        self.threads: dict[int, int] = {}

    def identify(self, ident: Ident) -> None:
        """Go by another function from now on."""
        if type(self.thread) is not threading.local:
            # gevent has put its own in the place of both, and to these a greenlet is a thread.
            self.thread = threading.local()
        if ident not in (get_ident, threading.get_ident):
            # It may look at its own Local.
            _mind_own_names()
        self.ident = ident

    def open(self, ident: Any, values: dict[str, Any]) -> None:
        """Keep the first values of an ident.

        :raises RuntimeError: it is that of a thread that has ended, of which some finalizer is still running.
        """
        if len(self.values) >= self.limit:
            self.sweep()
        if self.ident is threading.get_ident and not hasattr(self.thread, "end"):
            self.watch(ident)
        self.values[ident] = values

    def watch(self, ident: int) -> None:
        """Let the running thread's values go when it ends. By itself, as its loop would slow every first value down."""
        number = threading.get_native_id()
        if self.threads.get(ident) == number and all(thread.ident != ident for thread in threading.enumerate()):
            raise RuntimeError("Nothing can be kept for a thread that has ended: the next of its number would see it.")
        self.threads[ident] = number
        self.thread.end = _ThreadEnd(self.values, ident)

    def sweep(self) -> None:
        for ident in list(self.values):
            if getattr(ident, "dead", False):
                self.values.pop(ident, None)
        self.limit = max(64, 2 * len(self.values))


def release_local(local: Local | LocalStack[Any]) -> None:
    """Forget everything the running greenlet or thread keeps in ``local``.

    :param local: a :class:`Local`, a :class:`LocalStack`, or anything else with a ``__release_local__`` method. A
        proxy can't be released: it stands for the value, not for the place the value is kept in.
    :raises AttributeError: ``local`` has no ``__release_local__``.

    >>> place = Local()
    >>> place.user = "ada"
    >>> release_local(place)
    >>> hasattr(place, "user")
    False

    As in Werkzeug 1.0.
    """
    local.__release_local__()


class Local:
    """An object whose attributes each greenlet, or each thread, has for itself.

    >>> place = Local()
    >>> place.user = "ada"
    >>> place.user
    'ada'
    >>> import threading
    >>> seen = []
    >>> other = threading.Thread(target=lambda: seen.append(hasattr(place, "user")))
    >>> other.start(); other.join(); seen
    [False]

    Iterating gives ``(ident, values)`` for every ident; calling it with a name gives a :class:`LocalProxy` to the
    value of that name. ``__storage__`` is the dictionary below it all. ``__ident_func__`` tells who is running and may
    be set to any callable without parameters, at any time: values are kept under the ident that was current when they
    were set. What it returns has to be hashable, equal for the same owner, and different for all owners that are alive
    at once; best an object that lives as long as its owner, as a number is given to another some day. Values of an
    ident whose ``dead`` has become true are swept out some time later; those of any other stay until they are released.

    As in Werkzeug 1.0, where attributes of a dead thread or greenlet stayed for ever; here they go when it has ended. A
    greenlet that waits and that nobody remembers has not ended: what it keeps here keeps it.
    """

    __slots__ = ("__storage",)
    __storage: _Storage

    def __init__(self) -> None:
        # Our own __setattr__ would look for the storage that is being made here.
        object.__setattr__(self, "_Local__storage", _Storage())

    @property
    def __storage__(self) -> dict[Any, dict[str, Any]]:
        return _storage(self).values

    @property
    def __ident_func__(self) -> Ident:
        return _storage(self).ident

    @__ident_func__.setter
    def __ident_func__(self, ident: Ident) -> None:
        _storage(self).identify(ident)

    def __iter__(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        return iter(_storage(self).values.items())

    def __call__(self, proxy: str) -> LocalProxy[Any]:
        """Return a proxy to the value called ``proxy``."""
        return LocalProxy(self, proxy)

    def __release_local__(self) -> None:
        storage = _storage(self)
        storage.values.pop(storage.ident(), None)

    def __getattr__(self, name: str) -> Any:
        storage = self.__storage
        try:
            return storage.values[storage.ident()][name]
        except KeyError:
            raise AttributeError(name) from None

    if sys.version_info < (3, 12):
        # A read that goes through __getattr__ costs three times as much there (520 ns; so, 170): the interpreter first
        # looks for the attribute itself, and raises and swallows an error.
        def __getattribute__(self, name: str) -> Any:
            try:
                storage = _storage(self)
                return storage.values[storage.ident()][name]
            except (AttributeError, KeyError):
                return object.__getattribute__(self, name)

        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            # What a subclass defines comes before what was set.
            if cls.__getattribute__ is Local.__getattribute__:
                cls.__getattribute__ = object.__getattribute__  # type: ignore[method-assign]

    def __setattr__(self, name: str, value: Any) -> None:
        storage = _storage(self)
        if name in _LOCALS_OWN:
            if name == "__ident_func__":
                storage.identify(value)
                return
            # Kept, but what a Local has itself comes first.
            _mind_own_names()
        ident = storage.ident()
        try:
            storage.values[ident][name] = value
        except KeyError:
            storage.open(ident, {name: value})

    def __delattr__(self, name: str) -> None:
        storage = _storage(self)
        try:
            del storage.values[storage.ident()][name]
        except KeyError:
            raise AttributeError(name) from None


_storage: Callable[[Local], _Storage] = vars(Local)["_Local__storage"].__get__
_LOCALS_OWN = frozenset(dir(Local))


if sys.version_info < (3, 12):
    _read_value_first = Local.__getattribute__

    def _read_own_name_first(local: Local, name: str) -> Any:
        return object.__getattribute__(local, name) if name in _LOCALS_OWN else _read_value_first(local, name)


def _mind_own_names() -> None:
    """Have all reads look for a Local's own names first from now on: up to Python 3.11 it costs them a tenth."""
    if sys.version_info < (3, 12):
        Local.__getattribute__ = _read_own_name_first  # type: ignore[method-assign]


class LocalStack(Generic[T]):
    """A stack that each greenlet, or each thread, has for itself.

    >>> stack = LocalStack()
    >>> stack.push(1), stack.push(2)
    ([1, 2], [1, 2])
    >>> stack.top
    2
    >>> stack.pop(), stack.pop(), stack.pop()
    (2, 1, None)

    Popping the last object releases the storage. The list lies in a :class:`Local`, ``_local``, under the name
    ``stack``, so ``_local.__storage__`` is ``{ident: {"stack": [...]}}``. Calling the stack gives a
    :class:`LocalProxy` to whatever is on top.

    As in Werkzeug 1.0.
    """

    def __init__(self) -> None:
        self._local = Local()

    @property
    def _local(self) -> Local:
        return self.__local

    @_local.setter
    def _local(self, local: Local) -> None:
        self.__local = local
        self._storage = _storage(local)

    @property
    def __ident_func__(self) -> Ident:
        return self._storage.ident

    @__ident_func__.setter
    def __ident_func__(self, ident: Ident) -> None:
        self._storage.identify(ident)

    def __release_local__(self) -> None:
        self._local.__release_local__()

    def __call__(self) -> LocalProxy[T]:
        """Return a proxy to the object on top; while there is none, using it raises ``RuntimeError``."""

        def on_top() -> T:
            top = self.top
            if top is None:
                raise _empty()
            return top

        if type(self).top is not LocalStack.top:
            return LocalProxy(on_top)
        if self._kind is None:
            self._kind = self._make_kind()
        return self._kind(on_top)

    # Kept here, and not by a cached_property: that would make every read of the stack 20 ns slower on Python 3.11.
    _kind: type[LocalProxy[T]] | None = None

    def _make_kind(self) -> type[LocalProxy[T]]:
        """Make the class of proxies to what is on top, for which reading an attribute costs 130 ns instead of 330."""

        def read(proxy: LocalProxy[T], name: str) -> Any:
            if name in _OWN:
                return object.__getattribute__(proxy, name)
            storage = self._storage
            try:
                return getattr(storage.values[storage.ident()]["stack"][-1], name)
            except Exception:
                return _hidden(proxy, name, _empty() if self.top is None else None)

        return _kind(read)

    def push(self, obj: T) -> list[T]:
        """Put ``obj`` on top and return the list of all that is on the stack, lowest first."""
        storage = self._storage
        ident = storage.ident()
        values = storage.values.get(ident)
        if values is None:
            stack = [obj]
            storage.open(ident, {"stack": stack})
        else:
            stack = values.setdefault("stack", [])
            stack.append(obj)
        return stack

    def pop(self) -> T | None:
        """Take the object off the top and return it, or ``None`` where there is none.

        With the last object the ident's storage goes.
        """
        storage = self._storage
        ident = storage.ident()
        try:
            stack = storage.values[ident]["stack"]
            if len(stack) > 1:
                return stack.pop()  # type: ignore[no-any-return]
            # The list itself is left whole for whoever got it from push(); only the storage is given back.
            del storage.values[ident]
            return stack[-1]  # type: ignore[no-any-return]
        except (KeyError, IndexError):
            return None

    def _discard(self, obj: T) -> bool:
        """Pop ``obj`` if it is on top, and return whether it was: ``top`` and ``pop`` on one way to the list."""
        storage = self._storage
        ident = storage.ident()
        try:
            stack = storage.values[ident]["stack"]
            if stack[-1] is not obj:
                return False
            if len(stack) > 1:
                del stack[-1]
            else:
                del storage.values[ident]
        except (KeyError, IndexError):
            return False
        return True

    @property
    def top(self) -> T | None:
        """The object on top, or ``None`` where there is none."""
        storage = self._storage
        try:
            return storage.values[storage.ident()]["stack"][-1]  # type: ignore[no-any-return]
        except (KeyError, IndexError):
            return None

    def _peek(self) -> T | None:
        """Return what ``top`` is, sooner where the stack is empty: there ``top`` has an error to catch (300 ns)."""
        storage = self._storage
        values = storage.values.get(storage.ident())
        return None if values is None else self.top


class LocalManager:
    """Releases a number of locals together, at the end of a request.

    :param locals: a :class:`Local` or :class:`LocalStack`, or an iterable of them; kept as the list ``locals``, to
        which more may be appended.
    :param ident_func: a callable that tells who is running, given to each of the locals; default: ``get_ident``,
        and the locals are left with what they have.

    >>> place = Local()
    >>> manager = LocalManager(place)
    >>> place.user = "ada"
    >>> manager.cleanup()
    >>> list(place)
    []

    As in Werkzeug 1.0.
    """

    def __init__(
        self,
        locals: Iterable[Local | LocalStack[Any]] | Local | LocalStack[Any] | None = None,
        ident_func: Ident | None = None,
    ) -> None:
        if locals is None:
            locals = ()
        # A Local can be iterated too, over its idents, so it has to be asked for first.
        self.locals = [locals] if isinstance(locals, (Local, LocalStack)) else list(locals)
        self.ident_func: Ident = get_ident if ident_func is None else ident_func
        if ident_func is not None:
            for local in self.locals:
                object.__setattr__(local, "__ident_func__", ident_func)

    def get_ident(self) -> Any:
        """Return the ident of who is running, as ``ident_func`` tells it."""
        return self.ident_func()

    def cleanup(self) -> None:
        """Release all the locals for the running greenlet or thread."""
        for kept in self.locals:
            kept.__release_local__()

    def make_middleware(self, app: WSGIApplication) -> WSGIApplication:
        """Wrap the WSGI application ``app`` so that the locals are released once its response has been closed."""

        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            body = app(environ, start_response)
            return ClosingIterator(body, self.cleanup)

        return application

    def middleware(self, func: WSGIApplication) -> WSGIApplication:
        """Do the same as :meth:`make_middleware` as a decorator: the name and docstring of ``func`` are kept."""
        releasing = self.make_middleware(func)
        return update_wrapper(releasing, func)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} storages: {len(self.locals)}>"


# The methods of LocalProxy. Each reads the object the proxy stands for and does to it what was done to the proxy.


def _unary(operation: Callable[[Any], Any]) -> Any:
    def method(self: LocalProxy[Any]) -> Any:
        return operation(_resolver(self)())

    return method


def _binary(operation: Callable[[Any, Any], Any]) -> Any:
    def method(self: LocalProxy[Any], other: Any) -> Any:
        return operation(_resolver(self)(), other)

    return method


def _reflected(operation: Callable[[Any, Any], Any]) -> Any:
    def method(self: LocalProxy[Any], other: Any) -> Any:
        return operation(other, _resolver(self)())

    return method


def _named(name: str) -> Any:
    """Call the object's own method: for those that no function of Python's stands for."""

    def method(self: LocalProxy[Any], *arguments: Any) -> Any:
        return getattr(_resolver(self)(), name)(*arguments)

    return method


def _special(name: str) -> Any:
    """Call the object's special method as the interpreter would: on its class, with a TypeError where it has none."""

    def method(self: LocalProxy[Any], *arguments: Any) -> Any:
        obj = _resolver(self)()
        try:
            special = getattr(type(obj), name)
        except AttributeError:
            raise TypeError(f"{type(obj).__name__!r} object has no {name}") from None
        return special(obj, *arguments)

    return method


def _owned(name: str, operation: Callable[[Any, Any], Any]) -> Any:
    """Werkzeug 1.0 called these by name: an object without is an AttributeError, even if the other operand has one."""

    def method(self: LocalProxy[Any], other: Any) -> Any:
        obj = _resolver(self)()
        getattr(obj, name)
        return operation(obj, other)

    return method


def _reflected_divmod(obj: Any, other: Any) -> Any:
    return divmod(other, obj)


def _reader(own: frozenset[str]) -> Callable[[LocalProxy[Any], str], Any]:
    """Make the ``__getattribute__`` of a class of proxies: ``own`` names are the proxy's, all others the object's.

    ``__getattr__`` would say the same with less, but costs three times as much up to Python 3.11, where every read
    first raises and swallows an AttributeError (585 ns for ``request.method``; so, 220).
    """

    def __getattribute__(self: LocalProxy[Any], name: str) -> Any:
        if name in own:
            return object.__getattribute__(self, name)
        try:
            return getattr(_resolver(self)(), name)
        except Exception:
            return _hidden(self, name)

    return __getattribute__


def _hidden(proxy: LocalProxy[Any], name: str, unbound: RuntimeError | None = None) -> Any:
    """Return what object.__setattr__ set on the proxy itself, or raise ``unbound``, or else the error being handled.

    Asked last, where it costs nothing.
    """
    hidden = object.__getattribute__(proxy, "__dict__")
    if name in hidden:
        return hidden[name]
    if unbound is not None:
        raise unbound from None
    raise


class LocalProxy(Generic[T]):
    """Stands for an object that is looked up anew each time the proxy is used.

    :param local: a callable without parameters that returns the object, or a :class:`Local` (anything with
        ``__release_local__``) that has it under ``name``.
    :param name: the name of the value in ``local``; with a callable, kept as ``__name__`` and not used.

    >>> place = Local()
    >>> user = LocalProxy(place, "user")
    >>> user
    <LocalProxy unbound>
    >>> place.user = ["ada"]
    >>> user.append("grace"); len(user), user + ["edsger"], "ada" in user
    (2, ['ada', 'grace', 'edsger'], True)

    While there is no object, using the proxy raises ``RuntimeError``; its ``repr`` says that it is unbound, and it is
    false. ``_get_current_object()`` gives the object itself, which is what to hand to another thread or to a signal.

    What the proxy stands for is not what it is: ``type(proxy)`` and ``isinstance`` see a ``LocalProxy``. In-place
    operators compute a new value and bind the name to it; the name is then no proxy any more.

    As in Werkzeug 1.0, and forwarded besides are the special methods for which that raised ``TypeError``: ``@``,
    ``**`` and shifts from the right, ``next``, ``round``, ``os.fspath``, ``bytes``, ``format`` with a specification,
    ``await``, ``async for``, ``async with``.
    """

    __slots__ = ("__dict__", "__local", "__name__", "__resolve")
    __local: Any

    def __init__(self, local: Local | Callable[[], T], name: str | None = None) -> None:
        resolve = _lookup(local, name) if hasattr(local, "__release_local__") else local
        if type(self)._get_current_object is not LocalProxy._get_current_object:
            resolve = self._get_current_object
        for slot, value in (("__local", local), ("__resolve", resolve)):
            object.__setattr__(self, "_LocalProxy" + slot, value)
        object.__setattr__(self, "__name__", name)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if getattr(cls.__getattribute__, "__module__", __name__) != __name__:
            # It has its own, or its base has.
            return
        if hasattr(cls, "__getattr__"):
            cls.__getattribute__ = object.__getattribute__  # type: ignore[method-assign]
        else:
            cls.__getattribute__ = _reader(_OWN.union(*map(vars, cls.__mro__[: cls.__mro__.index(LocalProxy)])))  # type: ignore[method-assign, assignment]

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item: Any) -> type[LocalProxy[Any]]:
            """Take ``LocalProxy[User](…)`` for ``LocalProxy(…)``: typing would mark the object the proxy stands for."""
            return cls

    def _get_current_object(self) -> T:
        """Return the object the proxy stands for here and now.

        :raises RuntimeError: there is none.
        """
        return _resolver(self)()  # type: ignore[no-any-return]

    @property
    def __wrapped__(self) -> Any:
        local = self.__local
        if callable(local) and not hasattr(local, "__release_local__"):
            return local
        return self._get_current_object().__wrapped__  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        try:
            obj = _resolver(self)()
        except RuntimeError:
            return f"<{type(self).__name__} unbound>"
        return repr(obj)

    def __bool__(self) -> bool:
        try:
            return bool(_resolver(self)())
        except RuntimeError:
            return False

    def __dir__(self) -> list[str]:
        try:
            return dir(_resolver(self)())
        except RuntimeError:
            return []

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_resolver(self)(), name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _resolver(self)()(*args, **kwargs)

    def __setitem__(self, key: Any, value: Any) -> None:
        _resolver(self)()[key] = value

    def __pow__(self, other: Any, modulo: Any = None) -> Any:
        return pow(_resolver(self)(), other, modulo)

    def __rpow__(self, other: Any, modulo: Any = None) -> Any:
        return pow(other, _resolver(self)(), modulo)

    def __format__(self, spec: str) -> str:
        obj = _resolver(self)()
        return format(obj, spec) if spec else str(obj)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return types.resolve_bases((_resolver(self)(),))

    def __length_hint__(self) -> Any:
        hint = operator.length_hint(_resolver(self)(), -1)
        return NotImplemented if hint < 0 else hint

    def __round__(self, digits: Any = None) -> Any:
        return round(_resolver(self)(), digits)

    # fmt: off
    __delattr__     = _binary(delattr)
    __str__         = _unary(str)
    __bytes__       = _unary(bytes)
    __hash__        = _unary(hash)
    __fspath__      = _unary(os.fspath)
    __copy__        = _unary(copy.copy)
    __deepcopy__    = _binary(copy.deepcopy)

    __lt__          = _binary(operator.lt)
    __le__          = _binary(operator.le)
    __eq__          = _binary(operator.eq)
    __ne__          = _binary(operator.ne)
    __gt__          = _binary(operator.gt)
    __ge__          = _binary(operator.ge)

    __len__         = _unary(len)
    __getitem__     = _binary(operator.getitem)
    __delitem__     = _binary(operator.delitem)
    __contains__    = _binary(operator.contains)
    __iter__        = _unary(iter)
    __next__        = _unary(next)
    __reversed__    = _unary(reversed)

    __neg__         = _unary(operator.neg)
    __pos__         = _unary(operator.pos)
    __abs__         = _unary(abs)
    __invert__      = _unary(operator.invert)
    __int__         = _unary(int)
    __float__       = _unary(float)
    __complex__     = _unary(complex)
    __index__       = _named("__index__")
    __trunc__       = _unary(math.trunc)
    __floor__       = _unary(math.floor)
    __ceil__        = _unary(math.ceil)

    __add__         = _binary(operator.add)
    __sub__         = _binary(operator.sub)
    __mul__         = _binary(operator.mul)
    __matmul__      = _binary(operator.matmul)
    __truediv__     = _owned("__truediv__", operator.truediv)
    __floordiv__    = _binary(operator.floordiv)
    __mod__         = _binary(operator.mod)
    __divmod__      = _owned("__divmod__", divmod)
    __lshift__      = _binary(operator.lshift)
    __rshift__      = _binary(operator.rshift)
    __and__         = _binary(operator.and_)
    __xor__         = _binary(operator.xor)
    __or__          = _binary(operator.or_)

    __radd__        = _reflected(operator.add)
    __rsub__        = _reflected(operator.sub)
    __rmul__        = _reflected(operator.mul)
    __rmatmul__     = _reflected(operator.matmul)
    __rtruediv__    = _reflected(operator.truediv)
    __rfloordiv__   = _reflected(operator.floordiv)
    __rmod__        = _reflected(operator.mod)
    __rdivmod__     = _owned("__rdivmod__", _reflected_divmod)
    __rlshift__     = _reflected(operator.lshift)
    __rrshift__     = _reflected(operator.rshift)
    __rand__        = _reflected(operator.and_)
    __rxor__        = _reflected(operator.xor)
    __ror__         = _reflected(operator.or_)

    __enter__       = _named("__enter__")
    __exit__        = _named("__exit__")
    __await__       = _special("__await__")
    __aiter__       = _special("__aiter__")
    __anext__       = _special("__anext__")
    __aenter__      = _special("__aenter__")
    __aexit__       = _special("__aexit__")
    # fmt: on
    # Absent on purpose. In-place operators: without them Python computes and rebinds, as it did. __instancecheck__ and
    # __subclasscheck__: isinstance(x, proxy) is False, as it was. __buffer__: with it, b"..".find() would refuse a
    # proxied int. __get__ and __set__: a proxy that is an attribute of a class gives itself.


def _lookup(local: Any, name: str | None) -> Callable[[], Any]:
    """Make the function that finds the value called ``name`` in ``local``."""
    if type(local) is Local and name is not None and name not in _LOCALS_OWN:
        storage = _storage(local)

        def value() -> Any:
            try:
                return storage.values[storage.ident()][name]
            except KeyError:
                raise _unbound(name) from None

        return value

    def bound() -> Any:
        if name is None:
            raise TypeError(f"This proxy was made without a name: say which value of {local!r} it stands for.")
        try:
            return getattr(local, name)
        except AttributeError:
            raise _unbound(name) from None

    return bound


def _unbound(name: str) -> RuntimeError:
    return RuntimeError(f"no object bound to {name}: nothing of that name has been set here yet")


def _empty() -> RuntimeError:
    return RuntimeError("object unbound: the stack that this proxy stands for is empty here")


_resolver: Callable[[LocalProxy[Any]], Callable[[], Any]] = vars(LocalProxy)["_LocalProxy__resolve"].__get__

# Special methods that Werkzeug 1.0 lacked. The interpreter finds them; who asks the proxy for one by name is asking
# about the object, so that hasattr(proxy, "__await__") goes on telling whether that can be awaited.
_SINCE = frozenset(
    "__bytes__ __fspath__ __length_hint__ __next__ __reversed__ __round__ __trunc__ __floor__ __ceil__ "
    "__matmul__ __rmatmul__ __rpow__ __rlshift__ __rrshift__ __rand__ __rxor__ __ror__ "
    "__await__ __aiter__ __anext__ __aenter__ __aexit__ "
    "__class_getitem__ __parameters__ __orig_bases__ __dict__".split()
)
_OWN = frozenset(dir(object)).union(vars(LocalProxy)) - _SINCE
LocalProxy.__getattribute__ = _reader(_OWN)  # type: ignore[method-assign, assignment]


def _kind(read: Callable[[LocalProxy[Any], str], Any]) -> type[LocalProxy[Any]]:
    """Make a class of proxies whose attributes ``read`` reads, with the way to the object written out in it."""
    kind = type("LocalProxy", (LocalProxy,), {"__slots__": (), "__module__": __name__, "__doc__": LocalProxy.__doc__})
    kind.__getattribute__ = read  # type: ignore[assignment]
    return kind
