"""Which contexts are pushed at this moment, in every thread and greenlet, and what their owners are doing.

Use it to find out why a server hangs: :func:`register` prints a report when a signal arrives, :func:`watch` logs each
request that takes too long, and :func:`report` and :func:`in_flight` return the same information to a program. Contexts
are stored in a dictionary by owner, so they can be listed from another thread. Context variables can't.

A report contains no request data except the method, the path and the client's address.
"""

from __future__ import annotations

import _thread
import atexit
import gc
import linecache
import logging
import os
import signal
import sys
import sysconfig
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from .ctx import AppContext, RequestContext
from .globals import _app_ctx_stack, _request_ctx_stack
from .storage import at_fork, get_thread_ident

if TYPE_CHECKING:
    from types import FrameType

    from _typeshed import FileDescriptorLike

    from .local import LocalStack

__all__ = ["Flight", "Pushed", "Watcher", "in_flight", "register", "report", "unregister", "watch"]

# gevent and eventlet replace these functions with ones that use greenlets. The watcher needs a real thread, because
# greenlets stop when one of them blocks.
_gevent, _eventlet = map(sys.modules.get, ("gevent.monkey", "eventlet.patcher"))
_start_thread: Callable[..., int]
_make_lock: Callable[[], Any]
if _gevent:
    _start_thread, _make_lock = _gevent.get_original("_thread", ["start_new_thread", "allocate_lock"])
else:
    _threads = _eventlet.original("_thread") if _eventlet else _thread
    _start_thread, _make_lock = _threads.start_new_thread, _threads.allocate_lock

# Reentrant, because a signal handler may run while its own thread holds it. gevent does not replace this class.
_inspecting = _thread.RLock()
# A child forked while another thread is inspecting would inherit a held lock and a disabled collector.
at_fork(before=_inspecting.acquire, after_in_parent=_inspecting.release, after_in_child=_inspecting.release)

_SHOWN = 100
"""How many threads and greenlets a report describes. It only counts the others."""
_APPLICATION_FRAMES = 4
_LIBRARY_FRAMES = 2
_LONGEST = 200
_MACHINERY = frozenset(("schlenk", "flask", "werkzeug"))
# The packages that call an application, or start the thread or greenlet that does.
_SERVERS = frozenset(
    "threading concurrent socketserver wsgiref http gunicorn gevent eventlet greenlet waitress runpy _bootstrap".split()
)
_LIBRARIES = tuple(
    {os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)

_log = logging.getLogger(__name__)


class Pushed(NamedTuple):
    """A context on a stack, its age, and the method and path of its request.

    Flask has no such class.
    """

    context: AppContext | RequestContext
    """The context."""
    age: float | None
    """The seconds since it was pushed, or ``None`` if it was put on the stack without calling its ``push()``."""
    method: str | None
    """The method of the request, or ``None`` for an application context."""
    path: str | None
    """The path of the request, or ``None`` for an application context."""

    @classmethod
    def from_context(cls, context: Any, stack: LocalStack[Any], now: float) -> Pushed:
        """Describe ``context``, an entry of ``stack``. Contexts of Flask and of other classes are understood too.

        :param now: the seconds of :func:`time.monotonic` at which its age is measured.
        """
        request = getattr(context, "request", None) if stack is _request_ctx_stack else None
        pushed_at = getattr(context, "pushed_at", None)
        # A mock returns a mock for each attribute.
        age = now - pushed_at if isinstance(pushed_at, float) else None
        return cls(context, age, getattr(request, "method", None), getattr(request, "path", None))

    @property
    def title(self) -> str:
        """The method and path, or "application context", and the name of the application."""
        name = getattr(getattr(self.context, "app", None), "name", None)
        if name is None:
            return repr(self.context)
        what = "application context" if self.path is None else f"{_printable(self.method)} {_printable(self.path)}"
        return f"{what} of {name}"

    def __str__(self) -> str:
        return self.title if self.age is None else f"{self.title}, {self.age:.3f} s"


class Flight(NamedTuple):
    """A thread or greenlet with its contexts and the lines it is executing.

    Flask has no such class.
    """

    ident: Any
    """The greenlet or the id of the thread, or the result of another ident function."""
    applications: list[Pushed]
    """Its application contexts, the lowest first."""
    requests: list[Pushed]
    """Its request contexts, the lowest first."""
    stack: traceback.StackSummary
    """The lines it is executing. Empty if it has finished, or if ``ident`` is neither a greenlet nor a thread's id."""

    def __str__(self) -> str:
        contexts = "".join(f"  {pushed}\n" for pushed in self.requests + self.applications)
        owner = _Owner(self.ident, self.applications, self.requests)
        return f"{owner.name()}\n{contexts}{''.join(self.stack.format())}"


def in_flight() -> list[Flight]:
    """Return the contexts of every thread and greenlet, and the lines that each is executing.

    Can be called from any thread while requests are running. The result keeps the contexts, and everything they refer
    to, alive. See :func:`report` for a text.

    >>> from schlenk import Flask
    >>> with Flask("shop").test_request_context("/basket", method="POST"):
    ...     (flight,) = in_flight()
    >>> [(pushed.method, pushed.path, pushed.age < 60) for pushed in flight.requests]
    [('POST', '/basket', True)]

    Flask has no such function.
    """
    owners = _owners()
    flights = []
    for owner, frames in zip(owners, _frames(owners)):
        stack = traceback.StackSummary.extract(iter(frames))
        stack.reverse()
        flights.append(Flight(owner.ident, owner.applications, owner.requests, stack))
        # The frame of this function may be one of them. Without this, they would keep each other alive.
        frames.clear()
    return flights


def report(*, full: bool = False) -> str:
    """Return a text that lists the requests in flight, the oldest first, and the lines that each is executing.

    Each request has one line: its age, method, path, endpoint and application, its thread or greenlet, and the client's
    address. Below it are the innermost lines of the application, and the innermost lines of a library that it called.
    A thread or greenlet that has only application contexts is listed as well. At most 100 threads and greenlets are
    described; the report counts the rest by endpoint.

    :param full: list all lines, including those of the server and of this library.

    >>> from schlenk import Flask
    >>> with Flask("shop").test_request_context("/basket?card=1234", method="POST"):
    ...     text = report()
    >>> "POST /basket" in text, "1234" in text
    (True, False)

    Flask has no such function.
    """
    owners = sorted(_owners(), key=_Owner.age, reverse=True)
    requests = sum(len(owner.requests) for owner in owners)
    lines = [f"{requests} request{'s' * (requests != 1)} in flight in process {os.getpid()}"]
    shown = owners[:_SHOWN]
    for owner, frames in zip(shown, _frames(shown)):
        lines += owner.lines()
        lines += [f"    {line}" for line in _format(frames, owner, full)]
        frames.clear()
    others = Counter(owner.summary() for owner in owners[_SHOWN:])
    if others:
        lines.append(f"{sum(others.values())} more, younger than these:")
        lines += [f"  {count} x {summary}" for summary, count in others.most_common(20)]
        if len(others) > 20:
            lines.append(f"  and {sum(others.values()) - sum(n for _, n in others.most_common(20))} at other endpoints")
    return "\n".join(lines) + "\n"


def register(
    signum: int = getattr(signal, "SIGUSR2", 0), file: FileDescriptorLike | None = None, *, full: bool = False
) -> None:
    """Write a :func:`report` to ``file`` whenever the process receives the signal ``signum``.

    Calling it again for the same signal replaces ``file`` and ``full``. A handler that was set before is called after
    the report has been written. In a server with several worker processes, call ``register()`` in each of them, after
    the server has set its own handlers.

    The handler runs in the main thread, even while that thread waits for a lock, a socket or a child process. It can't
    run while the main thread executes a C function that does not return; see :func:`watch` for that case.

    :param signum: the signal; default: ``SIGUSR2``.
    :param file: an object with a ``fileno()`` method, or a file descriptor; default: ``sys.stderr``. It must stay open.
    :param full: as for :func:`report`.
    :raises ValueError: the signal does not exist, or this is not the main thread.
    :raises OSError: the signal can't be handled, such as ``SIGKILL``.
    :raises RuntimeError: ``file`` is not given and ``sys.stderr`` is ``None``.

    Modeled on :func:`faulthandler.register`. Flask has no such function.
    """
    file = sys.stderr if file is None else file
    if file is None:
        raise RuntimeError("Reports can't be written to sys.stderr, because it is None: pass a file to register().")
    descriptor = file if isinstance(file, int) else file.fileno()

    def handle(number: int, frame: FrameType | None) -> None:
        try:
            text = report(full=full)
        except Exception:
            # An exception raised here would end the request that the signal interrupted.
            text = f"The requests in flight can't be reported:\n{traceback.format_exc()}"
        _write(descriptor, text)
        if callable(previous):
            previous(number, frame)

    registered = _registered.get(signum)
    current = signal.getsignal(signum)
    previous = registered.previous if registered and registered.handler is current else current
    # This also undoes `siginterrupt(signum, False)`, so that system calls return when the signal arrives.
    signal.signal(signum, handle)
    _registered[signum] = _Registered(handle, previous)


def unregister(signum: int = getattr(signal, "SIGUSR2", 0)) -> bool:
    """Stop writing reports for the signal ``signum``, and restore the handler that was set before :func:`register`.

    If another handler was set in the meantime, that handler stays.

    :returns: whether the signal was registered.
    :raises ValueError: this is not the main thread.
    """
    registered = _registered.get(signum)
    if registered is None:
        return False
    if signal.getsignal(signum) is registered.handler:
        # None means that the handler was not set by Python. Python can't restore it.
        signal.signal(signum, signal.SIG_DFL if registered.previous is None else registered.previous)
    del _registered[signum]
    return True


class _Registered(NamedTuple):
    handler: Callable[[int, FrameType | None], None]
    previous: Any


_registered: dict[int, _Registered] = {}


def watch(seconds: float) -> Watcher:
    """Start a thread that logs each request that has been running for more than ``seconds``, once.

    The message has the request's line and the innermost lines of the application, as in :func:`report`. It is logged as
    a warning by the logger ``schlenk.flight``. The thread is a real thread, even if gevent or eventlet has replaced
    threads with greenlets. It checks the requests every ``seconds / 4``, at least once a second and at most 20 times a
    second, without any code in the requests. It stops at exit, and is started again in a child process after a fork.

    :param seconds: the age at which a request is logged.
    :returns: the watcher, which can be stopped.
    :raises ValueError: ``seconds`` is not a positive number.

    >>> watcher = watch(30)
    >>> watcher.stop()

    Flask has no such function.
    """
    if not seconds > 0:
        raise ValueError(
            f"watch({seconds!r}) is not possible: the age of a request to log must be more than 0 seconds."
        )
    watcher = Watcher(seconds)
    watcher._start()
    _watchers.append(watcher)
    return watcher


class Watcher:
    """Logs requests that take too long, until :meth:`stop` is called. Made by :func:`watch`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._logged: set[tuple[int, float | None]] = set()

    def stop(self) -> None:
        """Stop the thread, and wait at most five seconds until it has finished. Stopping twice is allowed."""
        if self in _watchers:
            _watchers.remove(self)
            self._stopping.release()
            # A logging handler may call this in the watcher's own thread, which would then wait for itself.
            if get_thread_ident() != self._ident:
                self._finished.acquire(timeout=5)

    def _start(self) -> None:
        # One side releases each lock, the other waits for it. After a fork, the child needs new ones.
        self._stopping, self._finished = _make_lock(), _make_lock()
        self._stopping.acquire()
        self._finished.acquire()
        self._ident = _start_thread(self._run, (self._stopping, self._finished))

    def _run(self, stopping: Any, finished: Any) -> None:
        try:
            while not stopping.acquire(timeout=min(max(self.seconds / 4, 0.05), 1)):
                try:
                    self._log_old_requests()
                except Exception:
                    _log.exception("The requests in flight can't be watched")
        finally:
            finished.release()

    def _log_old_requests(self) -> None:
        old = {}
        for owner in _owners():
            for pushed in owner.requests:
                # A preserved context has finished. It stays until the next request.
                preserved = getattr(pushed.context, "preserved", False)
                if pushed.age is not None and pushed.age > self.seconds and not preserved:
                    old[id(pushed.context), getattr(pushed.context, "pushed_at", None)] = owner, pushed
        new = [old[key] for key in old if key not in self._logged]
        # The ids of contexts, because the contexts themselves would be kept alive.
        self._logged = set(old)
        shown = new[:_SHOWN]
        for (owner, pushed), frames in zip(shown, _frames([owner for owner, _ in shown])):
            lines = [f"Request running for more than {self.seconds:g} s in process {os.getpid()}:", owner.line(pushed)]
            lines += [f"    {line}" for line in _format(frames, owner, full=False)]
            frames.clear()
            _log.warning("%s", "\n".join(lines))
        if new[_SHOWN:]:
            _log.warning("%d more requests running for more than %g s", len(new) - _SHOWN, self.seconds)


_watchers: list[Watcher] = []


def _restart_watchers() -> None:
    # A fork copies only the thread that called it.
    for watcher in _watchers:
        watcher._start()


def _stop_watchers() -> None:
    for watcher in list(_watchers):
        watcher.stop()


at_fork(after_in_child=_restart_watchers)
atexit.register(_stop_watchers)


class _Owner(NamedTuple):
    """A thread or greenlet that has contexts."""

    ident: Any
    applications: list[Pushed]
    requests: list[Pushed]

    def age(self) -> float:
        return max(pushed.age or 0 for pushed in self.requests or self.applications)

    def thread(self) -> int:
        """Return the ident of the thread that pushed the contexts, or 0. A greenlet does not know its thread."""
        for pushed in self.applications + self.requests:
            number = getattr(pushed.context, "pushed_by", 0)
            if number and isinstance(number, int):
                return number
        return 0

    def has_ended(self) -> bool:
        return bool(getattr(self.ident, "dead", False))

    def name(self) -> str:
        ident = self.ident
        if isinstance(ident, int):
            thread = ident
        elif hasattr(ident, "gr_frame"):
            if ident.parent is not None:
                return f"greenlet {getattr(ident, 'name', None) or hex(id(ident))}"
            thread = self.thread()
        else:
            return repr(ident)
        # Not `threading.enumerate()`, whose lock a signal handler may find held by its own thread. If the thread has
        # ended, another one may have its number.
        known = None if self.has_ended() else getattr(threading, "_active", {}).get(thread)
        return f"thread {known.name if known else thread}"

    def lines(self) -> list[str]:
        # The context on top is the one in use, and the lines it is executing follow it.
        return [self.line(pushed) for pushed in self.requests or self.applications]

    def line(self, pushed: Pushed) -> str:
        age = "unknown age" if pushed.age is None else f"{pushed.age:.3f} s"
        request = getattr(pushed.context, "request", None) if pushed.path is not None else None
        parts = [f"  {age}  {pushed.title}", self.name()]
        endpoint = getattr(request, "endpoint", None)
        if endpoint is not None:
            parts.insert(1, f"endpoint {_printable(endpoint)}")
        address = getattr(request, "remote_addr", None)
        if address:
            parts.append(f"from {_printable(address)}")
        if getattr(pushed.context, "preserved", False):
            parts.append("preserved")
        return ", ".join(parts)

    def summary(self) -> str:
        pushed = (self.requests or self.applications)[-1]
        name = getattr(getattr(pushed.context, "app", None), "name", "an unknown application")
        if pushed.path is None:
            return f"application context of {name}"
        endpoint = getattr(getattr(pushed.context, "request", None), "endpoint", None)
        return f"{_printable(pushed.method)} {_printable(endpoint)} of {name}"


def _owners() -> list[_Owner]:
    # The stacks may contain None, which a session transaction of the test client pushes.
    applications: dict[Any, list[Any]] = _app_ctx_stack.snapshot_by_runner()
    requests: dict[Any, list[Any]] = _request_ctx_stack.snapshot_by_runner()
    # One time for all: if garbage were collected in between, contexts described later would seem older.
    now = monotonic()
    owners = []
    for ident in {**applications, **requests}:
        below = [Pushed.from_context(c, _app_ctx_stack, now) for c in applications.get(ident, ()) if c is not None]
        above = [Pushed.from_context(c, _request_ctx_stack, now) for c in requests.get(ident, ()) if c is not None]
        if below or above:
            owners.append(_Owner(ident, below, above))
    return owners


def _frames(owners: list[_Owner]) -> list[list[tuple[FrameType, int]]]:
    """Return the frames that each owner is executing and their line numbers, the innermost frame first."""
    found = []
    frames: list[tuple[FrameType, int]] = []
    running: dict[int, FrameType] = {}
    frame: FrameType | None = None
    try:
        with _no_collection():
            # A greenlet that is not suspended has no frame of its own. If it is not dead, it is running, because it has
            # pushed a context, and its frames are those of its thread.
            active = [getattr(owner.ident, "gr_frame", owner) is None and not owner.ident.dead for owner in owners]
            running = sys._current_frames()
            for owner, was_running in zip(owners, active):
                frame = _innermost(owner, was_running, running)
                frames = []
                while frame is not None:
                    frames.append((frame, frame.f_lineno))
                    frame = frame.f_back
                found.append(frames)
        return found
    finally:
        # They may include this function's own frame. Without this, they would keep each other and all requests alive.
        del found, frames, running, frame


def _innermost(owner: _Owner, was_running: bool, running: dict[int, FrameType]) -> FrameType | None:
    """Return the innermost frame of a thread or greenlet, or ``None`` if it has ended.

    :param was_running: whether the owner is a greenlet that was running when ``running`` was made.
    :param running: the frame of each thread by its ident.
    """
    if isinstance(owner.ident, int):
        return running.get(owner.ident)
    frame: FrameType | None = getattr(owner.ident, "gr_frame", None)
    return running.get(owner.thread()) if frame is None and was_running else frame


@contextmanager
def _no_collection() -> Iterator[None]:
    """Disable garbage collection during the block.

    Up to Python 3.11, all threads are stopped while ``sys._current_frames()`` runs, so a finalizer that runs then and
    waits for another thread would wait forever. While ``f_back`` is read, a finalizer could let other threads run, and
    one of them could end the frame that is being read.
    """
    with _inspecting:
        collecting = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collecting:
                gc.enable()


def _format(frames: list[tuple[FrameType, int]], owner: _Owner, full: bool) -> list[str]:
    """Return one line of text for each frame that is shown, the innermost last."""
    if owner.has_ended():
        return ["(its thread or greenlet has ended)"]
    shown = [(frame.f_globals.get("__name__") or "", frame.f_code, line) for frame, line in reversed(frames)]
    if not full:
        shown = _relevant(shown, owner)
    lines = []
    for _, code, line in shown:
        source = linecache.getline(code.co_filename, line).strip()
        lines.append(f"{code.co_filename}:{line}, {code.co_name}" + (f": {source}" if source else ""))
    return lines or ["(its stack is not known)"]


def _relevant(frames: list[Any], owner: _Owner) -> list[Any]:
    """Return the innermost frames of the application, and those of a library that it called."""
    packages = [module.partition(".")[0] for module, _, _ in frames]
    # If a signal handler interrupted the request, the innermost frames are those of the report itself.
    end = next((position for position, (module, _, _) in enumerate(frames) if module == __name__), len(frames))
    # The outermost frames are those of the server and its middleware.
    begin = next((position for position in range(end) if packages[position] in _MACHINERY), None)
    if begin is None:
        begin = next((position for position in range(end) if packages[position] not in _SERVERS), end)
    inside = [frames[position] for position in range(begin, end) if packages[position] not in _MACHINERY]
    app = getattr((owner.requests or owner.applications)[-1].context, "app", None)
    own = str(getattr(app, "import_name", "")).partition(".")[0]
    application = [
        position
        for position, (module, code, _) in enumerate(inside)
        if module.partition(".")[0] == own or not code.co_filename.startswith((*_LIBRARIES, "<frozen"))
    ]
    if not application:
        return inside[-_APPLICATION_FRAMES - _LIBRARY_FRAMES :]
    library = range(application[-1] + 1, len(inside))
    return [inside[position] for position in [*application[-_APPLICATION_FRAMES:], *library[-_LIBRARY_FRAMES:]]]


def _printable(text: object) -> str:
    """Escape control characters, so that a request can't write lines of its own, and shorten long text."""
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text)[: _LONGEST + 1])
    return escaped if len(escaped) <= _LONGEST else f"{escaped[:_LONGEST]}..."


def _write(descriptor: int, text: str) -> None:
    # Not `file.write`, which raises if the signal arrived while the main thread was writing to the same file.
    data = text.encode(errors="backslashreplace")
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        # The file was closed, or is a pipe that nobody reads. The request must not fail because of that.
        pass
