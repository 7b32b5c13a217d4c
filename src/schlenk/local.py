"""Local, LocalStack and LocalManager: attributes and stacks that are separate for each greenlet or thread.

``Local`` shows the running owner's values as attributes, and ``LocalStack`` keeps a list among them, under the name
``stack``. :mod:`schlenk.storage` determines the owner, and when an owner's values are removed; :mod:`schlenk.proxy`
contains the ``LocalProxy`` that both return when they are called.

Nothing here depends on HTTP.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import update_wrapper
from types import FunctionType
from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar, cast

from werkzeug.local import LocalProxy as WerkzeugProxy
from werkzeug.wsgi import ClosingIterator

from .proxy import OWN_NAMES, LocalProxy, proxy_class, read_own_attribute, resolve_by, unbound
from .storage import ContextValues, IdentFunction, Storage, context_ident, get_ident

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Local", "LocalManager", "LocalProxy", "LocalStack", "context_ident", "get_ident", "release_local"]

T = TypeVar("T")


def release_local(local: Local | LocalStack[Any]) -> None:
    """Remove everything that the running greenlet or thread has stored in ``local``.

    :param local: a :class:`Local`, a :class:`LocalStack`, or anything else with a ``__release_local__`` method. A
        proxy can't be released: it stands for the value, not for the place where the value is stored.
    :raises AttributeError: ``local`` has no ``__release_local__``.

    >>> place = Local()
    >>> place.user = "ada"
    >>> release_local(place)
    >>> hasattr(place, "user")
    False
    """
    local.__release_local__()


class Local:
    """An object whose attributes are separate for each greenlet or thread.

    >>> place = Local()
    >>> place.user = "ada"
    >>> place.user
    'ada'
    >>> import threading
    >>> seen = []
    >>> other = threading.Thread(target=lambda: seen.append(hasattr(place, "user")))
    >>> other.start(); other.join(); seen
    [False]

    Iterating yields ``(ident, values)`` for every ident. Calling it with a name returns a :class:`LocalProxy` to the
    value of that name. ``__storage__`` is the dictionary of all values, ``{ident: {name: value}}``.

    ``__ident_func__`` returns the ident of the running owner. It can be set to any callable without parameters at any
    time; values stay under the ident that was current when they were set. An ident must be hashable, equal for the same
    owner, and different for all owners that exist at the same time. An object that lives as long as its owner is best:
    a number may be reused. If an ident has a ``dead`` attribute that becomes true, its values are removed some time
    later; the values of all other idents stay until they are released.

    As in Werkzeug 1.0, which never removed the attributes of a dead thread or greenlet. Here those of a thread are
    removed when it ends, and those of a greenlet some time after it has ended. A greenlet that waits forever has not
    ended, and its values keep it alive.
    """

    __slots__ = ("__storage",)
    __storage: Storage

    def __init__(self) -> None:
        # Local.__setattr__ needs the storage, which does not exist yet.
        object.__setattr__(self, "_Local__storage", Storage())

    @property
    def __storage__(self) -> dict[Any, dict[str, Any]]:
        return storage_of(self).values

    @property
    def __ident_func__(self) -> IdentFunction:
        return storage_of(self).public_ident

    @__ident_func__.setter
    def __ident_func__(self, ident_func: IdentFunction) -> None:
        storage_of(self).use(ident_func)

    def __iter__(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        return iter(storage_of(self).values.items())

    def __call__(self, proxy: str) -> LocalProxy[Any]:
        """Return a proxy to the value called ``proxy``."""
        return LocalProxy(self, proxy)

    def __release_local__(self) -> None:
        storage = storage_of(self)
        storage.values.pop(storage.ident_func(), None)

    def __getter__(self, name: str) -> Callable[[], Any]:
        """Return a function that returns the value called ``name``, or raises ``RuntimeError`` if there is none."""
        storage = storage_of(self)

        def read_value() -> Any:
            try:
                return storage.values[storage.ident_func()][name]
            except KeyError:
                raise unbound(name) from None

        def read_attribute() -> Any:
            try:
                return getattr(self, name)
            except AttributeError:
                raise unbound(name) from None

        return read_value if type(self) is Local and name not in _LOCAL_NAMES else read_attribute

    def __getattr__(self, name: str) -> Any:
        storage = self.__storage
        try:
            return storage.values[storage.ident_func()][name]
        except KeyError:
            raise AttributeError(name) from None

    if sys.version_info < (3, 12):
        # Up to Python 3.11, a read through __getattr__ takes 520 ns instead of 180 ns: the interpreter looks for the
        # attribute on the object first, and raises and discards an AttributeError.
        def __getattribute__(self, name: str) -> Any:
            if name in _LOCAL_NAMES:
                return object.__getattribute__(self, name)
            try:
                storage = storage_of(self)
                ident_func = storage.ident_func
                return storage.values[ident_func()][name]
            except (AttributeError, KeyError):
                return object.__getattribute__(self, name)

        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            # The attributes of a subclass take precedence over values. Checking for them above would cost 10 ns a read.
            if cls.__getattribute__ is Local.__getattribute__:
                cls.__getattribute__ = object.__getattribute__  # type: ignore[method-assign]

    def __setattr__(self, name: str, value: Any) -> None:
        storage = storage_of(self)
        if name == "__ident_func__":
            storage.use(value)
            return
        ident_func = storage.changing_ident
        ident = ident_func()
        try:
            storage.values[ident][name] = value
        except KeyError:
            storage.add(ident, {name: value})

    def __delattr__(self, name: str) -> None:
        storage = storage_of(self)
        try:
            del storage.values[storage.changing_ident()][name]
        except KeyError:
            raise AttributeError(name) from None


# Reads the slot without Local.__getattribute__().
storage_of: Callable[[Local], Storage] = vars(Local)["_Local__storage"].__get__
_LOCAL_NAMES = frozenset(dir(Local))


class LocalStack(Generic[T]):
    """A stack that is separate for each greenlet or thread.

    >>> stack = LocalStack()
    >>> stack.push(1), stack.push(2)
    ([1, 2], [1, 2])
    >>> stack.top
    2
    >>> stack.pop(), stack.pop(), stack.pop()
    (2, 1, None)

    Popping the last object releases the storage. The list is stored in a :class:`Local`, ``_local``, under the name
    ``stack``, so ``_local.__storage__`` is ``{ident: {"stack": [...]}}``. Calling the stack returns a
    :class:`LocalProxy` to the object on top.

    As in Werkzeug 1.0.
    """

    __local: Local

    def __init__(self) -> None:
        self._local = Local()

    @property
    def _local(self) -> Local:
        return self.__local

    @_local.setter
    def _local(self, local: Any) -> None:
        self.__local = local
        # Not isinstance(), which is also true for a mock with a spec.
        self.__storage = storage_of(local) if issubclass(type(local), Local) else cast(Storage, _Substitute(local))

    @_local.deleter
    def _local(self) -> None:
        # mock.patch.object() deletes its mock before it sets the Local again.
        del self.__local

    @property
    def __ident_func__(self) -> IdentFunction:
        return self.__storage.public_ident

    @__ident_func__.setter
    def __ident_func__(self, ident_func: IdentFunction) -> None:
        self.__storage.use(ident_func)

    def __release_local__(self) -> None:
        self._local.__release_local__()

    def __call__(self) -> LocalProxy[T]:
        """Return a proxy to the object on top. Using it while the stack is empty raises ``RuntimeError``."""

        def on_top() -> T:
            top = self.top
            if top is None:
                raise _empty()
            return top

        if type(self).top is not LocalStack.top:
            return LocalProxy(on_top)
        if self.__proxy_class is None:
            self.__proxy_class = self.__make_proxy_class()
        return self.__proxy_class(on_top)

    # Not a cached_property: on Python 3.11, it would slow down every read of an attribute of the stack by 20 ns.
    __proxy_class: type[LocalProxy[T]] | None = None

    def __make_proxy_class(self) -> type[LocalProxy[T]]:
        """Return a class of proxies to the object on top that reads this stack inline (130 ns instead of 330 ns)."""

        def read(proxy: LocalProxy[T], name: str) -> Any:
            if name in OWN_NAMES:
                return object.__getattribute__(proxy, name)
            storage = self.__storage
            ident_func = storage.ident_func
            try:
                top = storage.values[ident_func()]["stack"][-1]
            except (KeyError, IndexError):
                top = None
            if top is None:
                return read_own_attribute(proxy, name, _empty())
            try:
                return getattr(top, name)
            except Exception:
                return read_own_attribute(proxy, name)

        return proxy_class(read)

    def attribute_proxy(self, attribute: str, lookup: Callable[[], Any]) -> LocalProxy[Any]:
        """Return a proxy to an attribute of the object on top. It does the same as ``LocalProxy(lookup)``, but faster.

        Its ``__class__`` is a subclass of Werkzeug's ``LocalProxy``; see ``_ClaimedClass``.

        :param attribute: the name of the attribute.
        :param lookup: returns it, or raises an error. Called only if this stack is empty.
        """
        # The top is read inline in each of the three functions, because a call would slow down every use of the proxy.
        # `ATTRIBUTE` is a placeholder, which _with_attribute() replaces.

        def resolve() -> Any:
            storage = self.__storage
            ident_func = storage.ident_func
            try:
                top = storage.values[ident_func()]["stack"][-1]
            except (KeyError, IndexError):
                top = None
            return lookup() if top is None else top.ATTRIBUTE

        def read(proxy: LocalProxy[Any], name: str) -> Any:
            if name in OWN_NAMES:
                return object.__getattribute__(proxy, name)
            storage = self.__storage
            ident_func = storage.ident_func
            try:
                top = storage.values[ident_func()]["stack"][-1]
            except (KeyError, IndexError):
                top = None
            # `lookup` is not called in the `except` block: its error would refer to the KeyError, which refers to the
            # greenlet and would keep it alive.
            try:
                return getattr(lookup() if top is None else top.ATTRIBUTE, name)
            except Exception:
                return read_own_attribute(proxy, name)

        def write(proxy: LocalProxy[Any], name: str, value: Any) -> None:
            storage = self.__storage
            ident_func = storage.ident_func
            try:
                top = storage.values[ident_func()]["stack"][-1]
            except (KeyError, IndexError):
                top = None
            setattr(lookup() if top is None else top.ATTRIBUTE, name, value)

        resolve, read, write = (_with_attribute(function, attribute) for function in (resolve, read, write))
        proxy = proxy_class(read, __setattr__=write, __class__=property(lambda proxy: _ClaimedClass))(lookup)
        resolve_by(proxy, resolve)
        return proxy

    def push(self, obj: T) -> list[T]:
        """Put ``obj`` on top. Return the list of all objects on the stack, lowest first."""
        storage = self.__storage
        ident_func = storage.stacking_ident
        ident = ident_func()
        if storage.values.get(ident) is None:
            stack = [obj]
            storage.add(ident, {"stack": stack})
            return stack
        try:
            # A signal handler or a finalizer may have removed the values since the check.
            stack = storage.values[ident]["stack"]
            stack.append(obj)
        except KeyError:
            stack = [obj]
            storage.add(ident, {**storage.values.get(ident, {}), "stack": stack})
        return stack

    def pop(self) -> T | None:
        """Remove the object on top and return it, or return ``None`` if the stack is empty.

        Removing the last object releases the storage of the running ident.
        """
        storage = self.__storage
        ident_func = storage.stacking_ident
        ident = ident_func()
        try:
            stack = storage.values[ident]["stack"]
            if len(stack) > 1:
                return stack.pop()  # type: ignore[no-any-return]
            # The list keeps its last object, because a caller of push() may still use the list.
            del storage.values[ident]
            return stack[-1]  # type: ignore[no-any-return]
        except (KeyError, IndexError):
            return None

    def discard(self, obj: T) -> bool:
        """Pop ``obj`` if it is on top, and return whether it was.

        The same as comparing ``top`` and calling ``pop()``, but the stack is looked up only once.
        """
        storage = self.__storage
        ident_func = storage.stacking_ident
        ident = ident_func()
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

    def uncover(self, obj: T) -> list[T]:
        """Remove the objects above ``obj`` and return them, lowest first.

        The list is empty, and nothing is removed, if ``obj`` is on top or not on the stack.
        """
        entries = self.entries()
        for position in range(len(entries) - 1, -1, -1):
            if entries[position] is obj:
                above = entries[position + 1 :]
                if above:
                    del self.own_entries()[position + 1 :]
                return above
        return []

    def withdraw(self, obj: T) -> bool:
        """Remove the topmost entry that is ``obj`` from any ident's stack, and return whether there was one.

        The stack of the running ident is searched first, then those of all others. With :func:`context_ident`, those
        that were changed last come first: a copied context may still see an older list.
        """
        storage = self.__storage
        running = storage.stacking_ident()
        for ident in [running, *storage.values.copy()]:
            entries = storage.values.get(ident, {}).get("stack", [])
            for position in range(len(entries) - 1, -1, -1):
                if entries[position] is obj:
                    del entries[position]
                    self.tidy()
                    return True
        return False

    def tidy(self) -> None:
        """Release the storage of idents that have ended, and that of the running ident if its stack is empty.

        The empty stack of another ident is not released, because its owner may be pushing something.
        """
        if not self.entries():
            self.__release_local__()
        self.__storage.remove_dead()

    @property
    def top(self) -> T | None:
        """The object on top, or ``None`` if the stack is empty."""
        storage = self.__storage
        ident_func = storage.ident_func
        try:
            return storage.values[ident_func()]["stack"][-1]  # type: ignore[no-any-return]
        except (KeyError, IndexError):
            return None

    def entries(self) -> list[T]:
        """Return the objects on the stack, lowest first: the list itself, or an empty one if nothing is stored.

        Faster than ``top`` if the stack is empty: reading ``top`` then raises and catches an error (300 ns).
        """
        storage = self.__storage
        ident_func = storage.ident_func
        values = storage.values.get(ident_func())
        return [] if values is None or "stack" not in values else values["stack"]

    def is_unchanged(self, entries: list[T], top: T) -> bool:
        """Return whether ``entries`` is still the list of the running ident, and ``top`` the last object in it.

        Does the same as comparing the result of :meth:`entries`, but makes one call fewer for each part of a stream.
        """
        storage = self.__storage
        ident_func = storage.ident_func
        try:
            return storage.values[ident_func()]["stack"] is entries and entries[-1] is top
        except (KeyError, IndexError):
            return False

    def current(self, entries: list[T]) -> list[T]:
        """Return ``entries``, or, with :func:`context_ident`, the list of the running context.

        Each change of a stack with :func:`context_ident` replaces its list.
        """
        return self.entries() if self.is_by_context else entries

    @property
    def is_by_context(self) -> bool:
        """Whether the ident function is :func:`context_ident`."""
        storage = self.__storage
        return storage.values is storage.context_values  # type: ignore[comparison-overlap]

    def own_entries(self) -> list[T]:
        """Return the list of :meth:`entries` so that it can be changed. No copied context shares it."""
        self.__storage.stacking_ident()
        return self.entries()

    def snapshot(self) -> dict[Any, list[T]]:
        """Return copies of the entries of every ident, as ``{ident: [lowest, ..., top]}``.

        Other threads may push and pop meanwhile: the storage is copied in one step.
        """
        values_by_ident = self.__storage.values.copy()
        return {ident: list(values["stack"]) for ident, values in values_by_ident.items() if values.get("stack")}

    def snapshot_by_runner(self) -> dict[Any, list[T]]:
        """Return the same as :meth:`snapshot`. With :func:`context_ident`, the keys are the greenlets or threads.

        Each entry is listed once, under the greenlet or thread that pushed it, even if copied contexts also see it. If
        a thread has pushed in several contexts, such as those of its asyncio tasks, the entries are in one list.
        """
        contexts = self.__storage.contexts
        return self.snapshot() if contexts is None else contexts.entries_by_runner()


def _with_attribute(function: Any, name: str) -> Any:
    """Return a copy of ``function`` that reads the attribute ``name`` instead of ``ATTRIBUTE``.

    Calling ``getattr(top, name)`` would take 20 ns more at each use of the proxy.
    """
    code = function.__code__
    names = tuple(name if used == "ATTRIBUTE" else used for used in code.co_names)
    return FunctionType(code.replace(co_names=names), function.__globals__, closure=function.__closure__)


class _Substitute:
    """The storage of a stack whose ``_local`` was replaced by an object that is not a Local, such as a mock.

    The stack is the object's attribute ``stack``, for all owners.
    """

    contexts = context_values = None

    def __init__(self, local: Any) -> None:
        self.local = local
        self.values = _OneOwner(local)

    @property
    def public_ident(self) -> IdentFunction:
        return self.local.__ident_func__  # type: ignore[no-any-return]

    def use(self, ident_func: IdentFunction) -> None:
        self.local.__ident_func__ = ident_func

    def ident_func(self) -> None:
        """Return the only ident."""

    stacking_ident = ident_func

    def remove_dead(self) -> None:
        """Do nothing: the only owner does not end."""

    def add(self, ident: None, values: dict[str, Any]) -> None:
        self.local.stack = values["stack"]


class _OneOwner:
    """The values of a :class:`_Substitute`: a dictionary with a single ident, as far as a stack uses one."""

    def __init__(self, local: Any) -> None:
        self.local = local

    def __getitem__(self, ident: None) -> Any:
        return self.get(ident, {})

    def __delitem__(self, ident: None) -> None:
        # A stack deletes its ident if it has at most one object. For an empty list, pop() raises the expected error.
        if len(self.local.stack) == 1:
            self.local.__release_local__()
        else:
            self.local.stack.pop()

    def get(self, ident: None, default: Any = None) -> Any:
        return {"stack": self.local.stack} if hasattr(self.local, "stack") else default

    def copy(self) -> dict[None, Any]:
        return {None: self[None]}


def contexts_of(stack: LocalStack[Any]) -> ContextValues:
    """Return the values of ``stack`` by context. The ident function of the stack must be :func:`context_ident`."""
    contexts = storage_of(stack._local).contexts
    assert contexts is not None
    return contexts


# The `__class__` of the four globals, so that isinstance(request, werkzeug.local.LocalProxy) is true: extensions
# recognize proxies that way. Methods that only Werkzeug 3's class has are None, so that proxies do not look awaitable.
_ClaimedClass = type(
    "LocalProxy", (WerkzeugProxy,), dict.fromkeys(set(vars(WerkzeugProxy)) - set(dir(LocalProxy)) - {"__slots__"})
)


def _empty() -> RuntimeError:
    return RuntimeError(
        "object unbound: this proxy stands for the object on top of a stack, which is empty in this greenlet or thread."
        " Push an object first."
    )


class LocalManager:
    """Releases several locals together, at the end of a request.

    :param locals: a :class:`Local` or :class:`LocalStack`, or an iterable of them; kept as the list ``locals``, to
        which more may be appended.
    :param ident_func: a callable that returns the ident of the running owner; it becomes the ``__ident_func__`` of each
        local. By default, the locals are not changed, and :meth:`get_ident` is the same as :func:`get_ident`.

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
        ident_func: IdentFunction | None = None,
    ) -> None:
        if locals is None:
            locals = ()
        # Checked first, because a Local can be iterated as well.
        self.locals = [locals] if isinstance(locals, (Local, LocalStack)) else list(locals)
        self.ident_func: IdentFunction = get_ident if ident_func is None else ident_func
        if ident_func is not None:
            for local in self.locals:
                object.__setattr__(local, "__ident_func__", ident_func)

    def get_ident(self) -> Any:
        """Return the ident of the running greenlet or thread, which ``ident_func`` returns."""
        return self.ident_func()

    def cleanup(self) -> None:
        """Release all the locals for the running greenlet or thread."""
        for local in self.locals:
            local.__release_local__()

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
