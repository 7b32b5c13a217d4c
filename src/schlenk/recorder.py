"""The recorder of :mod:`schlenk.trace`: a profile function that recognizes the steps of a request.

It uses :func:`sys.setprofile`, which calls a function at each call and return, and needs no change to the application.
It works in the same way on all Pythons and with greenlets, and leaves :func:`sys.settrace` to debuggers and coverage.
:mod:`sys.monitoring` is faster, but needs Python 3.12. A request that is recorded need not be fast.

A step is recognized by its code object, at the moment of the call. Methods are looked up in the classes and instances
of the applications and contexts that appear, so overridden and patched ones are found. Hooks, views and error handlers
are looked up in the registries of the application, but only while the method that calls them is the innermost call that
is known: a view that calls one of them directly does not call a hook.

A profile function does not receive the exception that ends a call. The recorder finds it later, when an ``except`` or
``finally`` block handles it: its traceback contains the frame of the call.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
from collections.abc import Iterator
from dis import opmap
from time import perf_counter
from types import CodeType, FrameType, GeneratorType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

from .globals import _app_ctx_stack, _request_ctx_stack
from .storage import get_ident

__all__ = ["Owner", "Recorder", "Step"]

T = TypeVar("T")

# The kind of the step that each method is. Methods without a kind are no steps, but they call hooks.
_KINDS = {
    "wsgi_app": "request",
    "full_dispatch_request": "other",
    "try_trigger_before_first_request_functions": None,
    "preprocess_request": "other",
    "dispatch_request": "other",
    "handle_user_exception": "error handler",
    "handle_http_exception": "error handler",
    "handle_exception": "error handler",
    "make_response": "response",
    "process_response": "response",
    "do_teardown_request": None,
    "do_teardown_appcontext": None,
    "push": "push",
    "open_session": "session",
    "match_request": "match",
    "copy": "copy",
    "_preserve": "preserved",
    "save_session": "session",
    "pop": "pop",
}
# Methods that are called before the classes of the application and its contexts are known.
_ENTRANCES = frozenset(("__call__", "wsgi_app", "push", "pop"))
# The functions that each method calls: their kind, their name, and the attribute in which they are registered. It is an
# attribute of the application, or of the context if it begins with an underscore.
_HANDLERS = [("error handler", "errorhandler", "error_handler_spec")]
_HOOKS = {
    "try_trigger_before_first_request_functions": [("hook", "before_first_request", "before_first_request_funcs")],
    "preprocess_request": [
        ("hook", "url_value_preprocessor", "url_value_preprocessors"),
        ("hook", "before_request", "before_request_funcs"),
    ],
    "dispatch_request": [("view", "view", "view_functions")],
    "handle_user_exception": _HANDLERS,
    "handle_http_exception": _HANDLERS,
    "handle_exception": _HANDLERS,
    "process_response": [
        ("hook", "after_this_request", "_after_request_functions"),
        ("hook", "after_request", "after_request_funcs"),
    ],
    "do_teardown_request": [("teardown", "teardown_request", "teardown_request_funcs")],
    "do_teardown_appcontext": [("teardown", "teardown_appcontext", "teardown_appcontext_funcs")],
}
# The last instruction of a call that returns, and of a generator that is suspended. A call that stops at any other
# instruction was ended by an exception.
_RETURNED = frozenset(opmap[name] for name in ("RETURN_VALUE", "RETURN_CONST") if name in opmap)
_YIELDED = frozenset(opmap[name] for name in ("YIELD_VALUE", "RESUME") if name in opmap)
_RAISE = opmap["RAISE_VARARGS"]
_APPLICATIONS_AND_CONTEXTS = frozenset(("schlenk.app", "schlenk.ctx", "flask.app", "flask.ctx"))
# The functions that copy_current_request_context() and stream_with_context() return.
_COPIES = frozenset((("schlenk.ctx", "in_context"), ("flask.ctx", "wrapper")))
_STREAMS = frozenset((("schlenk.streams", "stream_in_context"), ("flask.helpers", "generator")))
_LONGEST = 200


class Owner:
    """A thread or greenlet: its name, and the calls that it has not finished."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[_Call] = []


class Step:
    """A step. :attr:`schlenk.trace.Way.record` describes the attributes; these times are of :func:`perf_counter`."""

    end: float | None = None
    result: str | None = None
    error: str | None = None
    function: str | None = None
    where: str | None = None

    def __init__(self, owner: Owner, kind: str, name: str, note: str | None) -> None:
        parents = [call.step for call in owner.calls if call.step is not None]
        self.owner = owner
        self.parent = parents[-1] if parents else None
        self.depth = len(parents)
        self.kind = kind
        self.name = name
        self.note = note
        self.app_stack: list[str] = []
        self.app_stack_before: list[str] = []
        self.request_stack: list[str] = []
        self.request_stack_before: list[str] = []
        self.begin = perf_counter()


class _Call:
    """A call that has begun: the name of the method, its object, and the step that it is, if any."""

    def __init__(self, owner: Owner, name: str, obj: Any, step: Step | None) -> None:
        self.owner = owner
        self.name = name
        self.obj = obj
        self.step = step


class Recorder:
    """Records steps from :meth:`start` to :meth:`stop`. Afterwards it has no references to the application.

    Flask has no such class.
    """

    def __init__(self) -> None:
        self.title = self.app = ""
        self.owners: list[Owner] = []
        self.steps: list[Step] = []
        self.began = perf_counter()
        self.ended: float | None = None
        self.failed = self.observed = False
        # The references are weak, because a greenlet ends when nothing else refers to it.
        self.running: Any = {} if isinstance(get_ident(), int) else WeakKeyDictionary()
        self.calls: dict[FrameType, _Call] = {}
        self.methods: dict[CodeType, list[tuple[str, Any]]] = {}
        # Generators that are response bodies, and contexts with the note of the step that pushes them next.
        self.streams: list[ref[Any]] = []
        self.contexts: list[tuple[ref[Any], str]] = []
        # Steps that were ended by an exception that is not known yet. Each has the id and the code of its frame.
        self.unexplained: list[tuple[int, CodeType, Step]] = []

    def start(self) -> None:
        """Install the profile function, in this thread and in those that are started from now on."""
        self.previous_in_threads: Any = getattr(threading, "_profile_hook", None)
        threading.setprofile(self.enter_thread)
        sys.setprofile(functools.partial(self.observe, sys.getprofile()))

    def stop(self) -> None:
        """Stop recording, and restore the previous profile functions."""
        # From now on, observe() restores the previous function at the next call in its thread. Here, that is explain().
        self.ended = perf_counter()
        self.observed = False
        self.explain()
        if not self.observed:
            # The profile function was not called for explain(), so steps are missing. Python removes a profile function
            # that raises. This one does at the recursion limit, or if a signal handler raises while it runs.
            missing = self.add(self.owner(), "other", "what follows was not recorded", None)
            missing.error = (
                "the application replaced the profile function, reached the recursion limit, or received a signal "
                "whose handler raised"
            )
        for _, _, step in self.unexplained:
            # Nothing was called while the exception was handled. Most likely, the last inner step that failed raised
            # it.
            inside = [other.error for other in self.steps if other.parent is step and other.error]
            step.error = inside[-1] if inside else step.error
        if getattr(threading, "_profile_hook", None) == self.enter_thread:
            threading.setprofile(self.previous_in_threads)
        for kept in (self.running, self.calls, self.methods, self.streams, self.contexts, self.unexplained):
            kept.clear()

    def enter_thread(self, frame: FrameType, event: str, arg: Any) -> None:
        """Handle the first event of a new thread, and install :meth:`observe` for all later ones."""
        # The thread may have the ident of one that has ended.
        self.running.pop(get_ident(), None)
        previous = self.previous_in_threads
        if previous is not None:
            # It may install another function for the later events, as this one does.
            previous(frame, event, arg)
            if sys.getprofile() != self.enter_thread:
                previous = sys.getprofile()
        sys.setprofile(functools.partial(self.observe, previous))
        self.observe(None, frame, event, arg)

    def observe(self, previous: Any, frame: FrameType, event: str, arg: Any) -> None:
        """Handle an event of the interpreter. The last three parameters are those of every profile function.

        :param previous: the profile function to call first: the one that was installed before, if any.
        """
        self.observed = True
        if callable(previous):
            previous(frame, event, arg)
        if self.ended is not None:
            # If another function is installed, it belongs to a recorder that was started later and still records. It
            # calls this one.
            if getattr(sys.getprofile(), "func", None) == self.observe:
                _restore(previous)
            return
        try:
            if self.unexplained and event != "return":
                self.explain()
            if event == "call":
                self.begin(frame)
            elif event == "return" and frame in self.calls:
                self.end(frame, arg)
        except Exception as error:
            # The application must not fail because some part of it can't be described.
            if not self.failed and self.ended is None:
                self.failed = True
                self.add(self.owner(), "other", "a step that could not be recorded", None).error = _error(error)

    def owner(self) -> Owner:
        """Return the running thread or greenlet."""
        ident = get_ident()
        owner: Owner | None = self.running.get(ident)
        if owner is None:
            if getattr(ident, "parent", None) is None:
                name = threading.current_thread().name
            else:
                name = str(getattr(ident, "name", None) or f"greenlet-{len(self.owners)}")
            owner = self.running[ident] = Owner(name)
            self.owners.append(owner)
        return owner

    def begin(self, frame: FrameType) -> None:
        """Record a call that begins, if it is a step."""
        if frame in self.calls:
            # A coroutine is resumed.
            return
        code = frame.f_code
        # Not enough to recognize a function: when gevent raises an exception of another greenlet, it runs functions
        # without arguments and variables that have the names of those in the traceback.
        name = frame.f_globals.get("__name__"), code.co_name
        owner: Owner | None = self.running.get(get_ident())
        caller = owner.calls[-1] if owner and owner.calls else None
        if code.co_name in _ENTRANCES and _is_app_or_context(_first_argument(frame)):
            self.learn(_first_argument(frame))
        if code in self.methods:
            self.begin_method(frame, caller)
        elif caller and name == ("blinker.base", "send") and code.co_argcount:
            self.begin_signal(frame)
        elif caller and caller.name in _HOOKS:
            self.begin_hook(frame, caller)
        elif name in _COPIES and "f" in code.co_freevars:
            function = frame.f_locals["f"]
            self.call(frame, "copy", f"in a copied context: {_name(function)}", function)
        elif code.co_flags & inspect.CO_GENERATOR and any(
            getattr(body(), "gi_frame", None) is frame for body in self.streams
        ):
            self.begin_stream(frame)
        elif code.co_flags & inspect.CO_COROUTINE and not caller:
            # Flask runs asynchronous views and hooks in another thread, which has nothing else to record.
            for waiting in list(self.calls.values()):
                if waiting.name in _HOOKS and self.begin_hook(frame, waiting):
                    break

    def learn(self, obj: Any) -> None:
        """Find the methods of an application, or of a context and its application, that are steps."""
        app = getattr(obj, "app", obj)
        for part in (obj, app, getattr(app, "session_interface", None)):
            for scope in (getattr(part, "__dict__", {}), *map(vars, type(part).__mro__)):
                for name in scope.keys() & _KINDS.keys():
                    code = _code(scope[name])
                    methods = self.methods.setdefault(code, []) if code else []
                    if all(function is not scope[name] for _, function in methods):
                        methods.append((name, scope[name]))

    def begin_method(self, frame: FrameType, caller: _Call | None) -> None:
        """Record the call of a method, as a step or only as the caller of hooks."""
        name, function = _running(self.methods[frame.f_code], frame)
        obj = _first_argument(frame)
        if not _is_app_or_context(obj):
            obj = None
        kind = _KINDS[name]
        # An override that calls the method which it overrides is one step.
        overridden = caller and caller.name == name and (caller.obj is obj or None in (caller.obj, obj))
        if kind is None or overridden:
            self.enter(frame, name, obj, None)
            return
        label, note = name, None
        if kind in ("push", "pop", "preserved"):
            label = f"{name.strip('_')} {type(obj).__name__}"
        if name == "wsgi_app":
            environs = (value for value in frame.f_locals.values() if type(value) is dict)
            note = next((_target(environ) for environ in environs if "REQUEST_METHOD" in environ), None)
        elif kind == "push":
            # Flask pushes the context of a stream or a test client again, either while it is on the stack or after it
            # has been popped.
            if any(entry is obj for entry in (*_request_ctx_stack.entries(), *_app_ctx_stack.entries())):
                note = "pushed again"
            else:
                note = next((note for context, note in reversed(self.contexts) if context() is obj), None)
        elif kind == "pop" and getattr(obj, "preserved", False):
            note = "preserved until now"
        self.call(frame, kind, label, function, note, name, obj)

    def begin_signal(self, frame: FrameType) -> None:
        """Record the sending of a signal, if it has receivers."""
        signal, sender = _first_argument(frame), frame.f_locals.get("sender")
        # A tuple before blinker 1.8.
        if any(True for _ in signal.receivers_for(sender[0] if type(sender) is tuple else sender)):
            self.call(frame, "signal", f"signal {signal.name}")

    def begin_hook(self, frame: FrameType, caller: _Call) -> bool:
        """Record the call of a function that is registered with the application, and return whether it is one."""
        context = _request_ctx_stack.top
        app: Any = caller.obj or getattr(_app_ctx_stack.top, "app", None)
        functions = []
        for kind, label, attribute in _HOOKS[caller.name]:
            registry = getattr(context if attribute[0] == "_" else app, attribute, ())
            functions += [((kind, label), f) for f in _functions(registry) if _code(f) is frame.f_code]
        if not functions:
            return False
        (kind, label), function = _running(functions, frame)
        name = _name(function)
        if kind == "view":
            # The functions of several endpoints may have the same name.
            name = getattr(getattr(context, "request", None), "endpoint", name)
        note = _received(frame) if kind in ("teardown", "error handler") else None
        self.call(frame, kind, f"{label} {name}", function, note)
        return True

    def begin_stream(self, frame: FrameType) -> None:
        """Record a run of a generator that is a response body, from one part to the next."""
        running: FrameType | None = frame
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) in _STREAMS:
            # This generator passes on the parts of the application's generator.
            inner = frame.f_locals.get("iterator", frame.f_locals.get("gen"))
            running = getattr(inner, "gi_frame", None)
        step = self.call(frame, "stream", f"stream {running.f_code.co_name if running else ''}".rstrip())
        if running:
            step.function = f"{running.f_globals.get('__name__')}.{running.f_code.co_name}"
            step.where = _where(running.f_code)

    def call(
        self,
        frame: FrameType,
        kind: str,
        label: str,
        function: Any = None,
        note: str | None = None,
        name: str = "",
        obj: Any = None,
    ) -> Step:
        """Record the call in ``frame`` as a step."""
        step = self.add(self.owner(), kind, label, note)
        code = _code(inspect.unwrap(function)) if function is not None else None
        if code is not None:
            module, name_in_module = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
            step.function = f"{module}.{name_in_module or _name(function)}"
            step.where = _where(code)
        self.enter(frame, name, obj, step)
        return step

    def enter(self, frame: FrameType, name: str, obj: Any, step: Step | None) -> None:
        """Remember a call that has begun."""
        owner = self.owner()
        call = self.calls[frame] = _Call(owner, name, obj, step)
        owner.calls.append(call)

    def add(self, owner: Owner, kind: str, name: str, note: str | None) -> Step:
        """Record the beginning of a step."""
        step = Step(owner, kind, name, note)
        self.record_stacks(step)
        step.app_stack_before, step.request_stack_before = step.app_stack, step.request_stack
        self.steps.append(step)
        return step

    def record_stacks(self, step: Step) -> None:
        """Describe the entries of both stacks in a step."""
        apps: list[Any] = _app_ctx_stack.entries()
        requests: list[Any] = _request_ctx_stack.entries()
        step.app_stack = [_app_label(context) for context in apps]
        step.request_stack = [_request_label(context) for context in requests]
        if apps and not self.app:
            self.app = step.app_stack[0]
        if requests and not self.title:
            environ = getattr(getattr(requests[0], "request", None), "environ", None)
            self.title = _target(environ) if environ else ""

    def end(self, frame: FrameType, result: Any) -> None:
        """Record the end of a call, and its result unless an exception ended it."""
        code = frame.f_code
        instruction = code.co_code[frame.f_lasti]
        call = self.calls[frame]
        step = call.step
        returned = result is not None or instruction in _RETURNED
        if step and code.co_flags & inspect.CO_COROUTINE and instruction not in _RETURNED:
            # Either the coroutine is suspended, or it raised an exception. In the latter case, explain() ends its step.
            if not returned:
                self.unexplained.append((id(frame), code, step))
            return
        self.leave(frame)
        if step is None:
            return
        yielded = step.kind == "stream" and instruction in _YIELDED
        if not returned and not yielded:
            step.error, step.result = "an exception", None
            if instruction == _RAISE and code.co_code[frame.f_lasti + 1] == 0 and frame.f_back:
                # A `raise` without an exception does not add its frame to the traceback.
                frame = frame.f_back
            self.unexplained.append((id(frame), frame.f_code, step))
            return
        step.result = step.result or _describe(result)
        self.use_result(call, step, result)

    def use_result(self, call: _Call, step: Step, result: Any) -> None:
        """Store what the result of a method tells about other steps."""
        if call.name == "copy":
            self.note(result, "a copy")
        elif call.name == "pop" and call.obj is not None:
            self.note(call.obj, "pushed again")
        elif call.name == "process_response":
            body = getattr(result, "response", None)
            if isinstance(body, GeneratorType):
                self.streams = [stream for stream in self.streams if stream() is not None]
                self.streams.append(ref(body))
        elif call.name in ("full_dispatch_request", "handle_exception") and step.parent:
            # wsgi_app() itself returns only the body.
            step.parent.result = step.result

    def note(self, context: Any, note: str) -> None:
        """Store the note of the step that pushes ``context`` next."""
        self.contexts = [known for known in self.contexts if known[0]() is not None]
        self.contexts.append((ref(context), note))

    def leave(self, frame: FrameType) -> None:
        """Forget a call that has ended."""
        call = self.calls.pop(frame)
        # Up to Python 3.12, this updates the dictionary that begin() has read. Otherwise it would keep objects alive
        # whose variables the function has deleted, such as an exception whose traceback refers to the frame.
        frame.f_locals.get("")
        # This also removes inner calls whose ends were not observed.
        del call.owner.calls[call.owner.calls.index(call) :]
        if call.step is not None:
            call.step.end = perf_counter()
            self.record_stacks(call.step)

    def explain(self) -> None:
        """Find the exceptions that ended steps, if one of them is being handled."""
        error = sys.exc_info()[1]
        # An exception handled during another one is its context. Ten are enough, and the chain may have a loop.
        for _ in range(10):
            if error is None:
                return
            traceback = error.__traceback__
            while traceback is not None:
                frame = traceback.tb_frame
                for entry in list(self.unexplained):
                    frame_id, code, step = entry
                    if frame_id == id(frame) and code is frame.f_code:
                        self.unexplained.remove(entry)
                        step.error = _error(error)
                        if step.end is None:
                            self.leave(frame)
                traceback = traceback.tb_next
            error = error.__context__


def _restore(previous: Any) -> None:
    """Install the profile function that was installed before."""
    if previous is None or callable(previous):
        sys.setprofile(previous)
    else:
        # cProfile up to Python 3.11: a profiler written in C.
        previous.enable()


def _first_argument(frame: FrameType) -> Any:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _is_app_or_context(obj: Any) -> bool:
    """Return whether ``obj`` is an application or a context, of schlenk or of Flask."""
    kind = type(obj)
    return any(base.__module__ in _APPLICATIONS_AND_CONTEXTS for base in kind.__mro__) and (
        hasattr(kind, "push") or hasattr(kind, "wsgi_app")
    )


def _function(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _code(function: Any) -> CodeType | None:
    """Return the code that a call of ``function`` runs, if it is written in Python."""
    function = _function(function)
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(inspect.getattr_static(type(function), "__call__", None), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _running(functions: list[tuple[T, Any]], frame: FrameType) -> tuple[T, Any]:
    """Return the function that ``frame`` runs. Several have the same code if they were made by the same decorator."""

    def is_running(function: Any) -> bool:
        if not inspect.isfunction(function):
            # A bound method, or an object that can be called.
            return _first_argument(frame) is getattr(function, "__self__", function)
        cells = zip(frame.f_code.co_freevars, function.__closure__ or ())
        return all(frame.f_locals.get(name) is cell.cell_contents for name, cell in cells)

    running = [entry for entry in functions if len(functions) == 1 or is_running(_function(entry[1]))]
    return (running or functions)[0]


def _functions(registry: Any) -> Iterator[Any]:
    """Yield the functions in a registry: a list, or a dictionary of functions, lists and dictionaries."""
    if isinstance(registry, (dict, list, tuple)):
        for part in list(registry.values() if isinstance(registry, dict) else registry):
            yield from _functions(part)
    else:
        yield registry


def _name(function: Any) -> str:
    function = _function(function)
    return str(getattr(function, "__name__", type(function).__name__))


def _where(code: CodeType) -> str:
    """Return file and line of a function. The file is relative to the folder that it can be imported from."""
    file = os.path.abspath(code.co_filename)
    folders = (os.path.join(os.path.abspath(folder), "") for folder in sys.path)
    longest = max((folder for folder in folders if file.startswith(folder)), key=len, default="")
    return f"{file[len(longest) :]}:{code.co_firstlineno}"


def _target(environ: Any) -> str:
    """Return the method, path and query string of a request."""
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}".encode("latin1", "replace")
    query = environ.get("QUERY_STRING")
    target = path.decode(errors="replace") + (f"?{query}" if query else "")
    return _short(f"{environ.get('REQUEST_METHOD')} {target}")


def _app_label(context: Any) -> str:
    name = getattr(getattr(context, "app", None), "name", None)
    return type(context).__name__ if name is None else _short(str(name))


def _request_label(context: Any) -> str:
    request = getattr(context, "request", None)
    path = getattr(request, "path", None)
    return type(context).__name__ if path is None else _short(f"{getattr(request, 'method', None)} {path}")


def _received(frame: FrameType) -> str:
    """Describe the exception that a teardown function or error handler is called with."""
    code = frame.f_code
    arguments = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
    error = next((argument for argument in arguments if isinstance(argument, BaseException)), None)
    return "without an error" if error is None else f"with {_error(error)}"


def _error(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    return _short(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _describe(value: Any) -> str | None:
    """Describe the return value of a step, without calling methods of the application."""
    if value is None:
        return None
    if type(value) in (str, bytes, int, float, bool):
        return _short(repr(value))
    if type(value) is tuple:
        return _short(f"({', '.join(_describe(part) or 'None' for part in value)})")
    status = getattr(value, "status", None)
    return _short(type(value).__name__ + (f" {status}" if type(status) is str else ""))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
