"""LocalProxy: an object that stands for another one, which it looks up each time it is used.

A proxy holds a *resolver*: a function without parameters that returns the current object. Every operation on the proxy
calls it and repeats the operation on the result. The table of operations is at the end of the class.

Nothing here knows where values are stored.
"""

from __future__ import annotations

import copy
import math
import operator
import sys
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Generic, Protocol, TypeVar

T = TypeVar("T")


class SupportsRelease(Protocol):
    """An object that stores values: a ``Local``, or any other object with a ``__release_local__`` method."""

    def __release_local__(self) -> None: ...


Resolver = Callable[[], Any]

# Factories for the methods in the table of operations.


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
    """Call the method ``name`` of the object. Used if no function or operator calls only this method."""

    def method(self: LocalProxy[Any], *arguments: Any) -> Any:
        return getattr(_resolver(self)(), name)(*arguments)

    return method


def _owned(name: str, operation: Callable[[Any, Any], Any]) -> Any:
    """Raise ``AttributeError`` if the object lacks the method, even if the other operand has it. As in Werkzeug 1.0."""

    def method(self: LocalProxy[Any], other: Any) -> Any:
        obj = _resolver(self)()
        getattr(obj, name)
        return operation(obj, other)

    return method


def _reflected_divmod(obj: Any, other: Any) -> Any:
    return divmod(other, obj)


# Special methods that Werkzeug 1.0 lacked, and attributes of the class or of `Generic` that say nothing about the
# object. The interpreter finds them on the class. Reading one of them by name reads that of the object, so
# hasattr(proxy, "__matmul__") still tells whether the object has it.
_FORWARDED_BY_NAME = frozenset(
    "__length_hint__ __trunc__ __floor__ __ceil__ __matmul__ "
    "__rmatmul__ __rpow__ __rlshift__ __rrshift__ __rand__ __rxor__ __ror__ "
    "__class_getitem__ __parameters__ __orig_bases__ __dict__".split()
)


class LocalProxy(Generic[T]):
    """A proxy to an object that is looked up each time the proxy is used.

    :param local: a callable without parameters that returns the object, or a :class:`Local` (anything with
        ``__release_local__``) that has it as the attribute ``name``.
    :param name: the name of the attribute. With a callable it is only stored, as ``__name__``.

    >>> from schlenk.local import Local
    >>> place = Local()
    >>> user = LocalProxy(place, "user")
    >>> user
    <LocalProxy unbound>
    >>> place.user = ["ada"]
    >>> user.append("grace"); len(user), user + ["edsger"], "ada" in user
    (2, ['ada', 'grace', 'edsger'], True)

    If there is no object, using the proxy raises ``RuntimeError``; its ``repr`` then says that it is unbound, and its
    truth value is false. ``_get_current_object()`` returns the object itself: pass that to another thread or to a
    signal.

    ``type(proxy)`` and ``isinstance`` see a ``LocalProxy``, not the object. An in-place operator computes a new value
    and binds the name to it, so the name no longer refers to a proxy.

    As in Werkzeug 1.0. These special methods, for which Werkzeug 1.0 raised ``TypeError``, are forwarded as well:
    ``@``, ``**`` and shifts from the right, ``math.trunc``, ``format`` with a specification. ``next``, ``round``,
    ``os.fspath``, ``await``, ``async for`` and ``async with`` are not forwarded: with their methods on the class, every
    proxy would be taken for an iterator, a number, a path, or something asynchronous.
    """

    # `__place` is the parameter `local`, and `__find` the resolver, which `_get_current_object` calls. All operations
    # call `__resolve`: the same resolver, a faster equivalent (resolve_by), or in a subclass one that calls
    # `_get_current_object`.
    __slots__ = ("__dict__", "__find", "__name__", "__place", "__resolve")
    __place: Any
    __find: Resolver

    def __init__(self, local: Callable[[], T] | SupportsRelease, name: str | None = None) -> None:
        set_slot = object.__setattr__
        set_slot(self, "__name__", name)
        set_slot(self, "_LocalProxy__local", local)

    # Werkzeug 1.0 has a slot of this name, `_LocalProxy__local`, which can be set.
    @property
    def __local(self) -> Any:
        return self.__place

    @__local.setter
    def __local(self, local: Any) -> None:
        set_slot = object.__setattr__
        find = _make_resolver(self, local)
        set_slot(self, "_LocalProxy__place", local)
        set_slot(self, "_LocalProxy__find", find)
        is_subclass = issubclass(type(self), _SubclassMethods)
        set_slot(self, "_LocalProxy__resolve", _make_subclass_resolver(self) if is_subclass else find)

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item: Any) -> type[LocalProxy[Any]]:
            """Return the class itself: ``typing`` would set an attribute on each instance, and so on its object."""
            return cls

    def _get_current_object(self) -> T:
        """Return the object that the proxy stands for at this moment.

        :raises RuntimeError: there is none.
        """
        return _finder(self)()  # type: ignore[no-any-return]

    # As in Werkzeug 1.0, where inspect.unwrap(proxy) returns the callable.
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

    def __reduce__(self) -> Any:
        raise TypeError(
            "A LocalProxy cannot be pickled. Pickle its object, proxy._get_current_object(), or the values that you "
            "need from it if that cannot be pickled either."
        )

    # fmt: off
    __delattr__     = _binary(delattr)
    __str__         = _unary(str)
    __hash__        = _unary(hash)
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
    # fmt: on
    # Absent on purpose:
    # - __fspath__: zipfile.ZipFile(proxy) would take a proxied file for a path.
    # - __next__, __reversed__, __round__, __bytes__: isinstance(proxy, Iterator) and the like would be true for every
    #   proxy, and functools.singledispatch, which uses abstract classes, would choose another function.
    # - __await__ and the methods of other asynchronous protocols: mock.patch() would put an AsyncMock in its place.
    # - In-place operators: without them, Python computes a value and rebinds the name, as in Werkzeug 1.0.
    # - __instancecheck__ and __subclasscheck__: isinstance(x, proxy) is False, as in Werkzeug 1.0.
    # - __buffer__: b"..".find() would refuse a proxied int.
    # - __get__ and __set__: a proxy that is an attribute of a class returns itself.

    # The names that a proxy has itself. All other names are read from the object.
    __own_names = (
        frozenset(dir(object)).union(
            vars(), ("__name__", "_LocalProxy__find", "_LocalProxy__place", "_LocalProxy__resolve")
        )
        - _FORWARDED_BY_NAME
        - {"__annotations__", "__qualname__"}
    )

    if not TYPE_CHECKING:

        def __getattribute__(self, name: str) -> Any:
            # Up to Python 3.11, `__getattr__` would take three times as long: the interpreter raises and discards an
            # AttributeError first (585 ns instead of 220 ns for `request.method`).
            if name in OWN_NAMES:
                return object.__getattribute__(self, name)
            try:
                return getattr(_resolver(self)(), name)
            except Exception:
                return read_own_attribute(self, name)

    # The namespaces in which an attribute of a subclass is looked up before it is read from the object: those of the
    # subclass and its bases, except the classes of this module.
    __namespaces: tuple[Mapping[str, Any], ...]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "_LocalProxy__internal" in vars(cls):
            return
        bases = list(cls.__bases__)
        positions = [position for position, base in enumerate(bases) if issubclass(base, LocalProxy)]
        if hasattr(cls, "__getattr__") and not issubclass(cls, _Forwarding):
            # Right after LocalProxy, as if LocalProxy had the method. The __getattr__ of a later mixin is not called.
            bases.insert(positions[-1] + 1, _Forwarding)
        if not issubclass(cls, _SubclassMethods):
            bases.insert(positions[0], _SubclassMethods)
        cls.__bases__ = tuple(bases)
        # vars() returns a view, so attributes added to a class later are found.
        cls.__namespaces = tuple(
            vars(base)
            for base in cls.__mro__
            if base not in LocalProxy.__mro__ and "_LocalProxy__internal" not in vars(base)
        )


class _Forwarding:
    """A base class of each subclass that defines ``__getattr__``, which can call this one with ``super()``.

    As a method of LocalProxy itself, it would slow down each read of an attribute by 20 to 30 ns.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get_current_object(), name)


_resolver: Callable[[LocalProxy[Any]], Resolver] = vars(LocalProxy)["_LocalProxy__resolve"].__get__
_finder: Callable[[LocalProxy[Any]], Resolver] = vars(LocalProxy)["_LocalProxy__find"].__get__
OWN_NAMES: frozenset[str] = vars(LocalProxy)["_LocalProxy__own_names"]


def _read_from_subclass(proxy: LocalProxy[Any], name: str) -> Any:
    """Read an attribute of the subclass, by its ``__getattr__`` if it defines one, or else of the object."""
    if name in OWN_NAMES:
        try:
            return object.__getattribute__(proxy, name)
        except AttributeError:
            if name != "__name__":
                raise
    for namespace in type(proxy)._LocalProxy__namespaces:  # type: ignore[attr-defined]
        if name in namespace or ("__getattr__" in namespace and name not in _FORWARDED_BY_NAME):
            return object.__getattribute__(proxy, name)
    try:
        return getattr(_resolver(proxy)(), name)
    except Exception:
        return read_own_attribute(proxy, name)


class _SubclassMethods(LocalProxy[Any]):
    """The base class that precedes LocalProxy in each subclass of it, except in those of :func:`proxy_class`.

    A subclass may define any name, and may override ``_get_current_object``. Checking for that in the methods of
    LocalProxy would cost 10 ns a read.
    """

    __slots__ = ()
    _LocalProxy__internal = True

    if not TYPE_CHECKING:

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            new = super().__new__
            proxy = new(cls) if new is object.__new__ else new(cls, *args, **kwargs)

            def find() -> Any:
                """Stand in for ``local`` if the subclass does not call ``super().__init__()``."""
                # The subclass may define `_LocalProxy__local`, or set it without its setter.
                local = object.__getattribute__(proxy, "_LocalProxy__local")
                if local is find:
                    raise RuntimeError(
                        f"This {cls.__name__} has no object: call super().__init__() in its __init__(), or override"
                        " _get_current_object()."
                    )
                return _make_resolver(proxy, local)()

            vars(LocalProxy)["_LocalProxy__local"].__set__(proxy, find)
            return proxy

        __class__ = vars(object)["__class__"]
        __getattribute__ = _read_from_subclass
        __setattr__ = LocalProxy.__setattr__


# The attributes by which inspect, asyncio and unittest.mock recognize a function, a method or a coroutine function.
_INTROSPECTION = frozenset(
    "__func__ __code__ __defaults__ __kwdefaults__ __annotations__ __signature__ __text_signature__ "
    "__partialmethod__ _partialmethod _is_coroutine _is_coroutine_mark _is_coroutine_marker".split()
)


def read_own_attribute(proxy: LocalProxy[Any], name: str, error: RuntimeError | None = None) -> Any:
    """Return an attribute that ``object.__setattr__`` has set on the proxy itself, or raise an error if there is none.

    Called only after a failed read, so successful reads do not pay for it. The error is ``error``, if given, or the one
    being handled. For a name that only introspection reads, a ``RuntimeError`` becomes an ``AttributeError``, so
    that ``mock.patch()`` and the like can inspect an unbound proxy.
    """
    attributes = object.__getattribute__(proxy, "__dict__")
    if name in attributes:
        return attributes[name]
    if name in _INTROSPECTION:
        reason = error or sys.exc_info()[1]
        if isinstance(reason, RuntimeError):
            raise AttributeError(f"{name!r} cannot be read: {reason}") from None
    if error is not None:
        raise error from None
    raise


def proxy_class(read: Callable[[LocalProxy[Any], str], Any], **namespace: Any) -> type[LocalProxy[Any]]:
    """Return a subclass of :class:`LocalProxy` that reads attributes with ``read``.

    :param namespace: further attributes of the class.

    If ``read`` finds the object inline, reading an attribute takes 130 ns instead of 330 ns.
    """
    attributes = {
        "__slots__": (),
        "__module__": __name__,
        "__doc__": LocalProxy.__doc__,
        "__getattribute__": read,
        "_LocalProxy__internal": True,
        **namespace,
    }
    fast: type[LocalProxy[Any]] = type("LocalProxy", (LocalProxy,), attributes)
    return fast


def resolve_by(proxy: LocalProxy[Any], resolve: Resolver) -> None:
    """Make ``proxy`` call ``resolve``, a faster equivalent of the function it was created with."""
    object.__setattr__(proxy, "_LocalProxy__resolve", resolve)


def _make_resolver(proxy: LocalProxy[Any], local: Any) -> Resolver:
    """Return a resolver that calls ``local`` or, if it stores values, reads the one with the name of the proxy."""
    if not hasattr(local, "__release_local__"):
        return local  # type: ignore[no-any-return]
    try:
        name = object.__getattribute__(proxy, "__name__")
    except AttributeError:
        name = None
    if name is not None and hasattr(local, "__getter__"):
        return local.__getter__(name)  # type: ignore[no-any-return]

    def read_value() -> Any:
        if name is None:
            raise TypeError(
                "This proxy cannot be used, because it was created without a name. Pass LocalProxy() the name of the"
                f" value in {local!r} that it stands for."
            )
        try:
            return getattr(local, name)
        except AttributeError:
            raise unbound(name) from None

    return read_value


def _make_subclass_resolver(proxy: LocalProxy[Any]) -> Resolver:
    """Return a resolver that calls ``_get_current_object``. It looks the method up each time, as it may be replaced."""
    if type(proxy).__getattribute__ is _read_from_subclass:
        # Without calling that function, a read takes 560 ns instead of 680 ns.
        lookup = object.__getattribute__
        return lambda: lookup(proxy, "_get_current_object")()
    return lambda: proxy._get_current_object()


def unbound(name: str) -> RuntimeError:
    """Return the error of a proxy to a value called ``name`` that is not set."""
    return RuntimeError(f"no object bound to {name}: no value with this name has been set in this greenlet or thread")
