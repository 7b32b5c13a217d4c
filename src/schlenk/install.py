"""Two ways to combine schlenk and Flask: its context stacks under the installed Flask, or schlenk in place of Flask.

Flask stores the current context in one or two ``ContextVar`` objects in ``flask.globals``, and uses only their methods
``get``, ``set`` and ``reset``. :func:`install_under_flask` imports Flask with replacements for these objects, which
store the contexts on ``_app_ctx_stack`` and ``_request_ctx_stack``. The contexts are still Flask's, with Flask's order
of events and Flask's errors.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import MethodType, ModuleType
from typing import Any

from werkzeug.local import LocalProxy as WerkzeugProxy

from . import globals as own_globals
from . import removed
from .local import LocalStack, contexts_of, storage_of
from .missing import ADVICE, missing_from
from .storage import context_ident

__all__ = ["install_as_flask", "install_under_flask"]

SUPPORTED = ("2.3", "3.0", "3.1", "3.2")
_APP_VARIABLE, _REQUEST_VARIABLE = "flask.app_ctx", "flask.request_ctx"
_MISSING: Any = object()


class Variable:
    """A replacement for one of Flask's ``ContextVar`` objects, whose value is the top of a stack.

    Its methods are attributes of the instance, because Flask imports its variables: Python 3.11 and later compile a
    method call on an imported name as if the name were a module, and would create a bound method for each call (25 ns
    to 40 ns).

    :param name: the name of Flask's variable.
    :param stack: the stack. Its ident function is :func:`~schlenk.storage.context_ident`.
    """

    def __init__(self, name: str, stack: LocalStack[Any]) -> None:
        self.name = name
        self.stack = stack
        contexts = contexts_of(stack)
        variable, current, add, empty = contexts.version, contexts.version.get, contexts.add, contexts.empty
        # While a check for leaks runs, they include `push`, which records pushes.
        stack_attributes = vars(stack)

        def get(default: Any = _MISSING) -> Any:
            """Return the context on top, or ``default``.

            :raises LookupError: the stack is empty and there is no default.
            """
            # Not `stack.top`, which takes 100 ns longer.
            version = current()
            context = version.pushed
            if context is None and version is not empty:
                context = version.top
            if context is not None:
                return context
            if default is _MISSING:
                raise LookupError(self)
            return default

        def set(context: Any) -> Any:
            """Push ``context`` and return a token for :meth:`reset`."""
            below = current()
            if "push" not in stack_attributes:
                return add(None, context, below)
            stack.push(context)
            version = current()
            version.below = below
            # push() returns no token. Setting its version again, from `below`, returns one that restores `below`.
            variable.set(below)
            return variable.set(version)

        self.get, self.set, self.reset = get, set, contexts.restore

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} on {self.stack!r}>"


class _MergedVariable(Variable):
    """The variable of Flask 3.2, which has one kind of context. A context with a request is pushed onto both stacks.

    A token is a pair: that of the application stack, and that of the request stack or ``None``.
    """

    def __init__(self, name: str, stack: LocalStack[Any], request_variable: Variable) -> None:
        super().__init__(name, stack)
        set_app, reset_app = self.set, self.reset

        def set(context: Any) -> Any:
            request_token = request_variable.set(context) if context.has_request else None
            return set_app(context), request_token

        def reset(token: Any) -> None:
            app_token, request_token = token
            reset_app(app_token)
            if request_token is not None:
                request_variable.reset(request_token)

        self.set, self.reset = set, reset


def install_under_flask(as_in_flask_1: Iterable[str] = ()) -> None:
    """Import the installed Flask with its contexts on ``_app_ctx_stack`` and ``_request_ctx_stack``.

    Call it before anything imports flask. Afterwards, ``flask`` and ``flask.globals`` also have the names of Flask 1,
    and ``flask._request_ctx_stack`` is ``schlenk._request_ctx_stack``. Names that Flask and Werkzeug have removed are
    added again (see :mod:`schlenk.removed`). A second call only adds the features that it names.

    :param as_in_flask_1: the features that behave as in Flask 1.1 again, any of ``"request.json"`` (``None`` if the
        request is not JSON), ``"location"`` (absolute), ``"authorization"`` (a dictionary; ``None`` if the scheme is
        neither Basic nor Digest), ``"setup"`` (allowed after the first request, except in debug mode) and
        ``"converters"`` (their regular expressions can match slashes).
    :raises RuntimeError: flask has already been imported, is not installed, its version is not supported, or another
        module has its name. In these cases nothing is changed.
    :raises ValueError: ``as_in_flask_1`` contains any other name.

    Flask has no such function.
    """
    changes = removed.changes(as_in_flask_1)
    if any(isinstance(finder, _MissingModules) for finder in sys.meta_path):
        raise RuntimeError(
            "install_under_flask() can't be used after install_as_flask(), which has replaced Flask with schlenk."
            " Call only one of the two."
        )
    if "flask.globals" not in sys.modules:
        _refuse_other_module("install_under_flask")
        _import_flask()
    elif not _is_under_flask():
        raise RuntimeError(
            "install_under_flask() was called after flask had been imported, so its modules, such as flask.globals,"
            " already hold the names that it replaces. Call it before the first `import flask`, which may be in an"
            " extension. Instead of the `flask` command, which imports Flask before the application, run"
            " `python -m schlenk flask`. In pytest's settings, set `schlenk_under_flask = true`."
        )
    # Otherwise, the first call may have been that of `python -m schlenk flask` or of the pytest plugin.
    for change in changes:
        change(sys.modules["flask"])


def _is_under_flask() -> bool:
    installed = isinstance(getattr(sys.modules.get("flask.globals"), "_cv_app", None), Variable)
    # A program may have removed `flask` alone, or prevented its import with None.
    return installed and sys.modules.get("flask") is not None


def _import_flask() -> None:
    """Import Flask with its contexts on the stacks, and put removed names back."""
    version = _flask_version()
    stacks: tuple[LocalStack[Any], ...] = (own_globals._app_ctx_stack, own_globals._request_ctx_stack)
    if any(stack._local.__storage__ for stack in stacks):
        raise RuntimeError(
            "install_under_flask() was called while a context of schlenk is pushed. Call it when the program starts."
        )
    finder = _Finder(version)
    modules_before = set(sys.modules)
    idents_before = [(stack, stack.__ident_func__) for stack in stacks]
    sys.meta_path.insert(0, finder)
    try:
        for stack, name in zip(stacks, (_APP_VARIABLE, _REQUEST_VARIABLE)):
            storage_of(stack._local).use(context_ident, name)
        flask = importlib.import_module("flask")
        _refuse_other_module("install_under_flask")
        for name in ("_app_ctx_stack", "_request_ctx_stack"):
            setattr(flask, name, getattr(sys.modules["flask.globals"], name))
        removed.put_back(flask)
    except BaseException:
        added = set(sys.modules) - modules_before
        for name in [name for name in added if name.partition(".")[0] == "flask"]:
            del sys.modules[name]
        for stack, ident_func in idents_before:
            stack.__ident_func__ = ident_func
        raise
    finally:
        sys.meta_path.remove(finder)


def _refuse_other_module(function: str) -> None:
    """Raise ``RuntimeError`` if another module has the name of Flask, which always imports ``flask.globals``."""
    if "flask" in sys.modules and "flask.globals" not in sys.modules:
        raise RuntimeError(
            f"{function}() can't be used: sys.modules['flask'] is {sys.modules['flask']!r}, which is not Flask."
            " If this is a file of your own, rename it. If a program has put it there, remove it first."
        )


def _flask_version() -> str:
    """Return the version of the installed Flask, or raise ``RuntimeError`` if it is not supported."""
    try:
        version = importlib.metadata.version("flask")
    except importlib.metadata.PackageNotFoundError:
        raise RuntimeError(
            "install_under_flask() needs Flask, which is not installed. Install it, or use install_as_flask(), after"
            " which `import flask` imports schlenk."
        ) from None
    if ".".join(version.split(".")[:2]) not in SUPPORTED:
        raise RuntimeError(_unsupported(version))
    return version


def _unsupported(version: str) -> str:
    return (
        f"install_under_flask() does not support Flask {version}. It supports Flask {', '.join(SUPPORTED)}."
        " Install one of these versions, or a newer schlenk."
    )


def _unknown(version: str, reason: str) -> str:
    return (
        f"install_under_flask() does not support Flask {version}: {reason}. If this is a file of your own, rename it."
        " Otherwise, install another version of Flask, or a newer schlenk."
    )


class _Finder(MetaPathFinder):
    """Finds ``flask.globals`` with the other finders, and wraps its loader in :class:`_Loader`."""

    def __init__(self, version: str) -> None:
        self.version = version

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "flask.globals":
            return None
        specs = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, specs), None)
        if spec is None or spec.loader is None:
            raise RuntimeError(_unknown(self.version, f"{path} has no module globals"))
        spec.loader = _Loader(spec.loader, self.version)
        return spec


class _Loader(Loader):
    """Executes a module with its own loader, then replaces its variables and proxies."""

    def __init__(self, loader: Any, version: str) -> None:
        self.loader = loader
        self.version = version

    def create_module(self, spec: ModuleSpec) -> Any:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.loader
        missing = [name for name in ("_cv_app", "_no_app_msg", "_no_req_msg") if not hasattr(module, name)]
        if missing:
            raise RuntimeError(_unknown(self.version, f"{module!r} has no {', '.join(missing)}"))
        _use_stacks(module)


def _use_stacks(module: ModuleType) -> None:
    """Replace the variables and proxies of ``flask.globals``, and add the names of Flask 1."""
    app_stack: Any = own_globals._app_ctx_stack
    request_stack: Any = own_globals._request_ctx_stack
    names = vars(module)
    merged = "_cv_request" not in names
    request_variable = Variable(_REQUEST_VARIABLE, request_stack)
    if merged:
        names["_cv_app"] = _MergedVariable(_APP_VARIABLE, app_stack, request_variable)
    else:
        names["_cv_app"] = Variable(_APP_VARIABLE, app_stack)
        names["_cv_request"] = request_variable
    no_app, no_request = names["_no_app_msg"], names["_no_req_msg"]
    stack_with_request = app_stack if merged else request_stack
    names["app_ctx"] = _proxy(app_stack, None, no_app)
    names["current_app"] = _proxy(app_stack, "app", no_app)
    names["g"] = _proxy(app_stack, "g", no_app)
    if not merged:
        names["request_ctx"] = _proxy(request_stack, None, no_request)
    names["request"] = _proxy(stack_with_request, "request", no_request)
    names["session"] = _proxy(stack_with_request, "session", no_request)
    names.update(_app_ctx_stack=app_stack, _request_ctx_stack=request_stack, **_lookups(no_app, no_request))


def _lookups(no_app: str, no_request: str) -> dict[str, Any]:
    """Return the functions of Flask 1 that look up the contexts.

    :param no_app: the error message if there is no application context.
    :param no_request: the error message if there is no request context.
    """
    app_stack: Any = own_globals._app_ctx_stack
    request_stack: Any = own_globals._request_ctx_stack

    def _lookup_req_object(name: str) -> Any:
        """Return the attribute ``name`` of the request context on top, or raise ``RuntimeError``."""
        top = request_stack.top
        if top is None:
            raise RuntimeError(no_request)
        return getattr(top, name)

    def _lookup_app_object(name: str) -> Any:
        """Return the attribute ``name`` of the application context on top, or raise ``RuntimeError``."""
        top = app_stack.top
        if top is None:
            raise RuntimeError(no_app)
        return getattr(top, name)

    def _find_app() -> Any:
        """Return the application whose context is on top, or raise ``RuntimeError``."""
        return _lookup_app_object("app")

    return {f.__name__: f for f in (_lookup_req_object, _lookup_app_object, _find_app)}


def _proxy(stack: LocalStack[Any], name: str | None, unbound: str) -> Any:
    """Return a Werkzeug proxy to the top of a stack, or to the attribute ``name`` of it. It reads the stack inline.

    Its class is compiled from ``_PROXY_CLASS`` with the name in the code: a read takes 80 ns less than with
    ``attrgetter(name)``.
    """
    version = contexts_of(stack).version.get

    def on_top() -> Any:
        context = version().top
        if context is None:
            raise RuntimeError(unbound)
        return context

    names: dict[str, Any] = {
        "__name__": __name__,
        "WerkzeugProxy": WerkzeugProxy,
        "own_names": _WERKZEUG_NAMES,
        "own_attribute": object.__getattribute__,
        "version": version,
        "on_top": on_top,
    }
    source = _PROXY_CLASS.replace("OBJECT", "context" if name is None else f"context.{name}")
    exec(compile(source, "<proxy of flask>", "exec"), names)
    proxy_class = names["LocalProxy"]
    proxy = proxy_class(names["current"])
    if sys.version_info < (3, 12):
        # Bound once. Otherwise, each read would bind it (25 ns), because the class also inherits a `__getattr__`.
        proxy_class.__getattribute__ = MethodType(proxy_class.__getattribute__, proxy)
    return proxy


_WERKZEUG_NAMES = frozenset(dir(object)).union(vars(WerkzeugProxy))
# Flask itself uses the truth value and items of its proxies in each request; Werkzeug takes 700 ns more for them.
_PROXY_CLASS = """
def current():
    context = version().pushed
    if context is None:
        context = on_top()
    return OBJECT

class LocalProxy(WerkzeugProxy):
    __slots__ = ()
    __module__ = WerkzeugProxy.__module__
    __doc__ = vars(WerkzeugProxy)["__doc__"]

    def __getattribute__(self, name, name_on_class=None):
        if name_on_class is not None:
            # Called on the class: `self` is bound (see _proxy), so `name` is the proxy.
            name = name_on_class
        if name in own_names:
            return current if name == "_get_current_object" else own_attribute(self, name)
        context = version().pushed
        if context is None:
            context = on_top()
        return getattr(OBJECT, name)

    def __setattr__(self, name, value):
        context = version().pushed
        if context is None:
            context = on_top()
        setattr(OBJECT, name, value)

    def __bool__(self):
        try:
            obj = current()
        except RuntimeError:
            return False
        return bool(obj)

    # Without it, Python would iterate by __getitem__, and the error without a context would not be Werkzeug's.
    def __iter__(self):
        try:
            obj = current()
        except RuntimeError:
            raise TypeError("'LocalProxy' object is not iterable") from None
        return iter(obj)

    def __getitem__(self, key):
        return current()[key]

    def __setitem__(self, key, value):
        current()[key] = value
"""


# --- schlenk as flask

_MODULES = frozenset("app config ctx globals helpers json json.tag logging sessions signals testing wrappers".split())


def install_as_flask(as_in_flask_1: Iterable[str] = ()) -> None:
    """Let ``import flask`` find this package, module by module, so that extensions run without Flask.

    ``flask`` then has the public names of :mod:`schlenk`, ``flask.ctx`` is ``schlenk.ctx``, and ``flask.__version__``
    is ``"1.1.4"``. Names and modules of Flask that schlenk lacks (templates, blueprints, the command line) raise an
    ``ImportError`` or ``AttributeError`` that refers to :func:`install_under_flask`. A second call only adds the
    features that it names.

    :param as_in_flask_1: as for :func:`install_under_flask`.
    :raises RuntimeError: flask has already been imported, or another module has its name. In these cases nothing is
        changed.
    :raises ValueError: ``as_in_flask_1`` contains an unknown name.

    Flask has no such function.
    """
    changes = removed.changes(as_in_flask_1)
    if not isinstance(sys.modules.get("flask"), _StandIn):
        _add_stand_in()
    for change in changes:
        change(sys.modules["flask"])


def _add_stand_in() -> None:
    """Put this package, its modules and the removed names of Werkzeug in place of Flask."""
    if _is_under_flask():
        raise RuntimeError(
            "install_as_flask() can't be used after install_under_flask(): `flask` is the installed Flask."
            " Call only one of the two."
        )
    if "flask.globals" in sys.modules:
        raise RuntimeError(
            "install_as_flask() was called after flask had been imported. Call it before the first `import flask`,"
            " which may be in an extension. To use the installed Flask on these contexts, call install_under_flask()"
            " there instead."
        )
    _refuse_other_module("install_as_flask")
    # First, because it may fail, for example if the metadata of Werkzeug is not installed.
    removed.put_back_into_werkzeug()
    with suppress(ImportError):
        removed.put_back_into_jinja(importlib.import_module("jinja2"))  # Flask-JSGlue 0.3.1
    modules = {name: importlib.import_module(f"{__package__}.{name}") for name in _MODULES}
    for name, module in modules.items():
        vars(module)["__getattr__"] = missing_from(f"flask.{name}")
    for name in ("locked_cached_property", "total_seconds"):  # flask-msearch 0.2.9.2, Flask-Session-Plus 0.6.2
        setattr(modules["helpers"], name, getattr(removed, name))
    modules["_compat"] = removed.compatibility()
    client: Any = vars(modules["testing"])["FlaskClient"]
    client.cookie_jar = property(removed.CookieJar)  # Flask-SocketIO 5.1.1
    removed.accept_server_names(client)  # the tests of Flask-Login 0.6.2
    package = sys.modules[__name__.partition(".")[0]]
    names = {name: vars(package)[name] for name in package.__all__}
    flask = _StandIn("flask", package.__doc__)
    vars(flask).update(names, **{name: module for name, module in modules.items() if "." not in name})
    vars(flask).update(__path__=[], __all__=list(names), __version__="1.1.4", __getattr__=missing_from("flask"))
    sys.modules.update({"flask": flask}, **{f"flask.{name}": module for name, module in modules.items()})
    sys.meta_path.insert(0, _MissingModules())


class _StandIn(ModuleType):
    """The module ``flask`` after :func:`install_as_flask`."""


class _MissingModules(MetaPathFinder):
    """Raises an error that says why a module of Flask is missing. All others are already in ``sys.modules``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.startswith("flask."):
            raise ModuleNotFoundError(f"No module named {fullname!r}: {ADVICE}", name=fullname)
        return None
