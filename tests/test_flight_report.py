"""The report on requests in flight, the signal that prints it, and the watcher."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
import types
import weakref
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any, Callable

import pytest

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack, flight
from tests.support.execution import in_greenlet
from tests.support.programs import run

posix = pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="needs SIGUSR2")


@pytest.fixture
def app(app: Flask) -> Flask:
    app.add_url_rule("/cart", "cart", lambda: flight.report(), methods=["GET", "POST"])
    app.add_url_rule("/full", "full", lambda: flight.report(full=True))
    app.add_url_rule("/nested", "nested", lambda: app.test_client().get("/cart").get_data(as_text=True))
    return app


def reported(app: Flask, path: str, **options: Any) -> list[str]:
    """Return the lines of the report that the view at ``path`` makes."""
    return app.test_client().open(path, **options).get_data(as_text=True).splitlines()


# --- The report


def test_report_without_contexts_is_one_line() -> None:
    assert flight.report() == f"0 requests in flight in process {os.getpid()}\n"


def test_owner_without_contexts_is_left_out() -> None:
    _app_ctx_stack.push(None)  # type: ignore[arg-type]
    text = flight.report()
    _app_ctx_stack.pop()
    assert text.count("\n") == 1


def test_request_has_one_line(app: Flask) -> None:
    lines = reported(app, "/cart?card=1234", method="POST")
    assert lines[0] == f"1 request in flight in process {os.getpid()}"
    assert re.fullmatch(
        r"  \d+\.\d{3} s  POST /cart of shop, endpoint cart, thread MainThread, from 127\.0\.0\.1", lines[1]
    )


def test_application_line_follows(app: Flask) -> None:
    (line,) = reported(app, "/cart")[2:]
    assert re.fullmatch(r"    .*test_flight_report\.py:\d+, <lambda>: .*flight\.report\(\).*", line)


def test_full_report_is_complete(app: Flask) -> None:
    lines = reported(app, "/full")
    assert any("_pytest" in line for line in lines)
    assert any(", full_dispatch_request: " in line for line in lines)
    assert ", _frames: " in lines[-1]


def test_nested_requests_are_both_listed(app: Flask) -> None:
    lines = reported(app, "/nested")
    assert "GET /nested of shop" in lines[1]
    assert "GET /cart of shop" in lines[2]


def test_app_context_is_listed(app: Flask) -> None:
    with app.app_context():
        text = flight.report()
    assert text.startswith("0 requests in flight")
    assert re.search(r"\n  \d+\.\d{3} s  application context of shop, thread MainThread\n", text)
    assert ", test_app_context_is_listed: text = flight.report()\n" in text


def test_unmatched_request_has_no_endpoint(app: Flask) -> None:
    with app.test_request_context("/nowhere"):
        assert "GET /nowhere of shop, thread MainThread" in flight.report()


def test_request_without_address_has_none(app: Flask) -> None:
    with app.test_request_context("/cart", environ_overrides={"REMOTE_ADDR": ""}):
        assert ", thread MainThread\n" in flight.report()


def test_preserved_is_marked(app: Flask) -> None:
    with app.test_client() as client:
        client.get("/cart")
        assert ", preserved\n" in flight.report()


def test_unknown_age_is_said(app: Flask) -> None:
    _request_ctx_stack.push(app.test_request_context("/cart"))
    text = flight.report()
    _request_ctx_stack.pop()
    assert "  unknown age  GET /cart of shop" in text


def test_object_is_listed() -> None:
    _app_ctx_stack.push("something")  # type: ignore[arg-type]
    text = flight.report()
    _app_ctx_stack.pop()
    assert "'something', thread" in text


def test_control_characters_are_escaped(app: Flask) -> None:
    with app.test_request_context("/a%0A0.000 s  GET /forged\x1b%1B"):
        line = flight.report().splitlines()[1]
    assert "/a\\n0.000 s  GET /forged\\x1b" in line


def test_long_path_is_shortened(app: Flask) -> None:
    with app.test_request_context("/" + 500 * "a"):
        assert "GET /" + 199 * "a" + "... of shop" in flight.report()


def test_ended_greenlet_is_reported(app: Flask) -> None:
    in_greenlet(lambda: app.app_context().push())
    text = flight.report()
    _app_ctx_stack._local.__storage__.clear()
    assert "    (its thread or greenlet has ended)\n" in text


def test_ended_thread_is_not_another_one(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    greenlets = []

    def work() -> None:
        app.app_context().push()
        greenlets.extend(_app_ctx_stack._local.__storage__)

    pytest.importorskip("greenlet")
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    # The main greenlet of a thread ends shortly after the thread.
    while not greenlets[0].dead:
        pass
    # A thread that is started later may be given the same number.
    monkeypatch.setitem(vars(threading)["_active"], thread.ident, threading.current_thread())
    text = flight.report()
    _app_ctx_stack._local.__storage__.clear()
    assert f"application context of shop, thread {thread.ident}\n    (its thread or greenlet has ended)\n" in text


def test_greenlet_is_named(app: Flask) -> None:
    pytest.importorskip("greenlet")
    text = in_greenlet(lambda: app.test_client().get("/cart").get_data(as_text=True))
    assert re.search(r", greenlet 0x[0-9a-f]+, from", text)


def test_gevent_greenlet_is_named() -> None:
    pytest.importorskip("gevent")
    told = run(
        """
import gevent, sys
from schlenk import Flask, flight
def work():
    with Flask("shop").app_context():
        sys.stderr.write(flight.report())
gevent.spawn(work).join()
"""
    )
    assert ", greenlet Greenlet-0\n" in told
    assert ", work: sys.stderr.write" in told or "<string>:6, work" in told


def test_other_ident_is_named(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for stack in (_app_ctx_stack, _request_ctx_stack):
        monkeypatch.setattr(stack, "__ident_func__", lambda: "somebody")
    with app.app_context():
        assert "application context of shop, 'somebody'\n" in flight.report()


def test_foreign_context_has_no_thread() -> None:
    pytest.importorskip("greenlet")
    _app_ctx_stack.push(flask_context())
    text = flight.report()
    _app_ctx_stack.pop()
    assert "  unknown age  application context of store, thread 0\n" in text


def test_thread_ident_is_named(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for stack in (_app_ctx_stack, _request_ctx_stack):
        monkeypatch.setattr(stack, "__ident_func__", threading.get_ident)
    with app.app_context():
        text = flight.report()
    assert "application context of shop, thread MainThread\n" in text
    assert ", test_thread_ident_is_named: " in text


def test_unknown_thread_has_its_number(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.app_context():
        monkeypatch.setattr(threading, "_active", {})
        text = flight.report()
    assert f", thread {threading.get_ident()}\n" in text


@pytest.fixture
def requests(app: Flask) -> Iterator[Callable[[str, int], None]]:
    """Begin requests, each in a greenlet of its own, whose views do not return before the test ends."""
    greenlet = pytest.importorskip("greenlet")
    waiting: list[Any] = []

    def wait(**values: Any) -> str:
        greenlet.getcurrent().parent.switch()
        return ""

    def begin(path: str, count: int) -> None:
        for _ in range(count):
            waiting.append(greenlet.greenlet(lambda: app.test_client().get(path)))
            waiting[-1].switch()

    app.add_url_rule("/wait/<int:number>", "wait", wait)
    for number in range(30):
        app.add_url_rule(f"/page{number}", f"page{number}", wait)
    yield begin
    for one in waiting:
        one.switch()


def test_oldest_request_is_first(requests: Callable[[str, int], None]) -> None:
    for number in 1, 2, 3:
        requests(f"/wait/{number}", 1)
    assert re.findall(r"/wait/\d", flight.report()) == ["/wait/1", "/wait/2", "/wait/3"]


def test_ages_are_measured_at_once(monkeypatch: pytest.MonkeyPatch, requests: Callable[[str, int], None]) -> None:
    requests("/wait/1", 1)
    requests("/wait/2", 1)
    times = count(start=monotonic() + 60, step=60)
    monkeypatch.setattr(flight, "monotonic", lambda: next(times))
    assert re.findall(r"/wait/\d", flight.report()) == ["/wait/1", "/wait/2"]


def test_most_requests_are_counted(app: Flask, requests: Callable[[str, int], None]) -> None:
    requests("/wait/1", 110)
    with app.app_context():
        lines = flight.report().splitlines()
    assert lines[0].startswith("110 requests in flight")
    assert sum("GET /wait/1 of shop" in line for line in lines) == 100
    assert lines[-3:] == [
        "11 more, younger than these:",
        "  10 x GET wait of shop",
        "  1 x application context of shop",
    ]


def test_few_endpoints_are_counted(requests: Callable[[str, int], None]) -> None:
    requests("/wait/1", 100)
    for number in range(30):
        requests(f"/page{number}", 1)
    lines = flight.report().splitlines()
    assert lines[-22] == "30 more, younger than these:"
    assert lines[-1] == "  and 10 at other endpoints"


def frame(module: str, file: str, name: str) -> Any:
    """Return a frame of a function called ``name``, of ``module`` in ``file``."""
    namespace: dict[str, Any] = {"__name__": module, "sys": sys}
    exec(compile(f"def {name}(): return sys._getframe()", file, "exec"), namespace)
    return namespace[name]()


LIBRARY = flight._LIBRARIES[0]


@pytest.mark.parametrize(
    ("frames", "shown"),
    [
        # A thread of a server calls a view, which waits in a library.
        ("threading gunicorn.workers schlenk.app shop.views sqlalchemy.pool queue ssl", "shop.views queue ssl"),
        # The library calls back into the application.
        ("flask.app shop.views sqlalchemy.pool shop.events socket", "shop.views shop.events socket"),
        # Flask and Werkzeug are left out between the application's own lines.
        ("schlenk.app shop.views schlenk.helpers werkzeug.utils shop.models", "shop.views shop.models"),
        # An application that isn't known: the innermost lines.
        ("schlenk.app a b c d e f g", "b c d e f g"),
        # Not a request, but the function that the thread runs.
        ("threading concurrent.futures.thread shop.work shop.models", "shop.work shop.models"),
        # Nothing but the server.
        ("threading gunicorn.workers", ""),
        # The innermost lines of a deep stack.
        ("schlenk.app " + " ".join(f"shop.m{n}" for n in range(9)), "shop.m5 shop.m6 shop.m7 shop.m8"),
        # A signal handler makes the report.
        ("schlenk.app shop.views threading schlenk.flight schlenk.flight", "shop.views threading"),
    ],
)  # fmt: skip
def test_frames_are_relevant(frames: str, shown: str) -> None:
    context: Any = types.SimpleNamespace(app=types.SimpleNamespace(import_name="shop.main"))
    owner = flight._Owner(1, [flight.Pushed(context, None, None, None)], [])
    found = [(module, frame("made_up", f"{LIBRARY}{module}.py", "f").f_code, 1) for module in frames.split()]
    assert [module for module, _, _ in flight._relevant(found, owner)] == shown.split()


def test_frame_without_source_has_its_place() -> None:
    owner = flight._Owner(1, [flight.Pushed(types.SimpleNamespace(), None, None, None)], [])  # type: ignore[arg-type]
    assert flight._format([(frame("shop", "nowhere.py", "f"), 7)], owner, True) == ["nowhere.py:7, f"]


def flask_context(**attributes: Any) -> Any:
    """Return an object with only the attributes of Flask's contexts."""
    return types.SimpleNamespace(app=types.SimpleNamespace(name="store", import_name="store"), **attributes)


def test_age_of_foreign_context_is_read() -> None:
    request = types.SimpleNamespace(method="GET", path="/item", endpoint="item", remote_addr="127.0.0.1")
    _request_ctx_stack.push(flask_context(request=request, pushed_at=monotonic() - 60))
    text = flight.report()
    _request_ctx_stack.pop()
    assert re.search(r"\n  6\d\.\d{3} s  GET /item of store, endpoint item, thread \S+, from 127\.0\.0\.1\n", text)


def test_merged_context_is_listed_once() -> None:
    # Flask 3.2 has one context for both stacks.
    context = flask_context(request=types.SimpleNamespace(method="GET", path="/item"), pushed_at=monotonic())
    for stack in (_app_ctx_stack, _request_ctx_stack):
        stack.push(context)
    (one,) = flight.in_flight()
    for stack in (_app_ctx_stack, _request_ctx_stack):
        stack.pop()
    assert [pushed.path for pushed in one.requests] == ["/item"]
    assert [pushed.path for pushed in one.applications] == [None]


# --- The signal


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Any]:
    with (tmp_path / "output").open("w+") as file:
        yield file
        flight.unregister()


@posix
def test_signal_writes_report(app: Flask, output: Any) -> None:
    flight.register(file=output)
    with app.test_request_context("/cart"):
        signal.raise_signal(signal.SIGUSR2)
    text = Path(output.name).read_text()
    assert "GET /cart of shop, " in text
    assert ", test_signal_writes_report: signal.raise_signal(signal.SIGUSR2)\n" in text
    assert "_frames" not in text


@posix
def test_signal_writes_full_report(app: Flask, output: Any) -> None:
    flight.register(signal.SIGUSR2, output, full=True)
    with app.test_request_context("/cart"):
        signal.raise_signal(signal.SIGUSR2)
    assert "_frames" in Path(output.name).read_text()


@posix
def test_descriptor_is_accepted(output: Any) -> None:
    flight.register(file=output.fileno())
    signal.raise_signal(signal.SIGUSR2)
    assert Path(output.name).read_text().startswith("0 requests in flight")


@posix
def test_default_file_is_standard_error() -> None:
    program = "import signal; from schlenk import flight; flight.register(); signal.raise_signal(signal.SIGUSR2)"
    assert run(program).startswith("0 requests in flight")


@posix
def test_missing_standard_error_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(RuntimeError, match=r"sys\.stderr.* is None: pass a file to register"):
        flight.register()


@posix
def test_register_in_thread_is_refused(output: Any) -> None:
    errors: list[Exception] = []

    def register() -> None:
        try:
            flight.register(file=output)
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=register)
    thread.start()
    thread.join()
    assert len(errors) == 1
    assert flight.unregister() is False


@posix
def test_earlier_handler_runs(output: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: called.append(number))
    try:
        flight.register(file=output)
        # Registering again must not chain to its own handler.
        flight.register(file=output)
        signal.raise_signal(signal.SIGUSR2)
        assert called == [signal.SIGUSR2]
        assert Path(output.name).read_text().count("in flight") == 1
        assert flight.unregister() is True
        signal.raise_signal(signal.SIGUSR2)
        assert called == 2 * [signal.SIGUSR2]
    finally:
        signal.signal(signal.SIGUSR2, before)


@posix
def test_default_is_restored(output: Any) -> None:
    flight.register(file=output)
    assert flight.unregister() is True
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    assert flight.unregister() is False


@posix
def test_unregister_keeps_later_handler(output: Any) -> None:
    flight.register(file=output)
    before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        assert flight.unregister() is True
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    assert callable(before)


@posix
def test_later_handler_is_wrapped(output: Any) -> None:
    called: list[int] = []
    flight.register(file=output)
    signal.signal(signal.SIGUSR2, lambda number, frame: called.append(number))
    flight.register(file=output)
    signal.raise_signal(signal.SIGUSR2)
    flight.unregister()
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    assert called == [signal.SIGUSR2]


@posix
def test_unknown_handler_becomes_default(output: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    flight.register(file=output)
    monkeypatch.undo()
    assert flight.unregister() is True
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL


@posix
def test_failing_report_does_not_raise(output: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "report", lambda full: 1 / 0)
    flight.register(file=output)
    signal.raise_signal(signal.SIGUSR2)
    text = Path(output.name).read_text()
    assert text.startswith("The requests in flight can't be reported:\n")
    assert "ZeroDivisionError" in text


@posix
def test_closed_file_is_harmless(output: Any) -> None:
    read, write = os.pipe()
    os.close(read)
    flight.register(file=write)
    signal.raise_signal(signal.SIGUSR2)
    os.close(write)


@posix
def test_faulthandler_can_chain_to_report() -> None:
    told = run(
        """
import faulthandler, signal
from schlenk import Flask, flight
flight.register()
faulthandler.register(signal.SIGUSR2, chain=True)
with Flask("shop").app_context():
    signal.raise_signal(signal.SIGUSR2)
"""
    )
    assert "most recent call first" in told
    assert "application context of shop" in told


# --- The watcher


class Records(logging.Handler):
    """A handler that stores the log records of a watcher."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.arrived = threading.Semaphore(0)

    def emit(self, record: logging.LogRecord) -> None:
        assert record.levelno >= logging.WARNING
        self.messages.append(record.getMessage())
        self.arrived.release()

    def wait(self) -> None:
        assert self.arrived.acquire(timeout=30)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """Collect the log records of watchers. Their threads are started so that coverage can follow them."""
    threads: list[threading.Thread] = []

    def start(function: Callable[..., None], arguments: tuple[Any, ...]) -> int:
        threads.append(threading.Thread(target=function, args=arguments))
        threads[-1].start()
        assert threads[-1].ident is not None
        return threads[-1].ident

    records = Records()
    flight._log.addHandler(records)
    monkeypatch.setattr(flight, "_start_thread", start)
    yield records
    flight._stop_watchers()
    flight._log.removeHandler(records)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_old_request_is_logged(app: Flask, logged: Records) -> None:
    with app.test_request_context("/cart?card=1234"):
        flight.watch(0.05)
        logged.wait()
    lines = logged.messages[0].splitlines()
    assert lines[0] == f"Request running for more than 0.05 s in process {os.getpid()}:"
    assert re.match(r"  \d+\.\d{3} s  GET /cart of shop, endpoint cart, ", lines[1])
    # On a slow machine, the watcher may look before the line that waits.
    assert ", test_old_request_is_logged: " in "\n".join(lines)
    assert "1234" not in logged.messages[0]


def test_request_is_logged_once(app: Flask, logged: Records) -> None:
    watcher = flight.Watcher(1e-9)
    with app.test_request_context("/cart"):
        watcher._log_old_requests()
        watcher._log_old_requests()
        with app.test_request_context("/nested"):
            watcher._log_old_requests()
    assert [re.findall(r"GET (\S+) of", message) for message in logged.messages] == [["/cart"], ["/nested"]]


def test_repushed_context_is_logged_again(app: Flask, logged: Records) -> None:
    watcher = flight.Watcher(1e-9)
    context = app.test_request_context("/cart")
    for _ in range(2):
        with context:
            watcher._log_old_requests()
    assert len(logged.messages) == 2


def test_young_request_is_skipped(app: Flask, logged: Records) -> None:
    with app.test_request_context("/cart"):
        flight.Watcher(60)._log_old_requests()
    assert logged.messages == []


def test_preserved_request_is_not_logged(app: Flask, logged: Records) -> None:
    with app.test_client() as client:
        client.get("/cart")
        flight.Watcher(1e-9)._log_old_requests()
    assert logged.messages == []


def test_watcher_keeps_no_context_alive(app: Flask, logged: Records) -> None:
    watcher = flight.Watcher(1e-9)
    with app.test_request_context("/cart") as context:
        watcher._log_old_requests()
    gone = weakref.ref(context)
    del context
    assert gone() is None
    assert len(logged.messages) == 1


def test_many_old_requests_are_counted(requests: Callable[[str, int], None], logged: Records) -> None:
    requests("/wait/1", 105)
    flight.Watcher(1e-9)._log_old_requests()
    assert len(logged.messages) == 101
    assert logged.messages[-1] == "5 more requests running for more than 1e-09 s"


def test_failing_watcher_goes_on(app: Flask, logged: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    owners = flight._owners

    def fail() -> Any:
        monkeypatch.setattr(flight, "_owners", owners)
        raise ZeroDivisionError

    monkeypatch.setattr(flight, "_owners", fail)
    with app.test_request_context("/cart"):
        flight.watch(0.05)
        logged.wait()
        logged.wait()
    assert [message.splitlines()[0] for message in logged.messages] == [
        "The requests in flight can't be watched",
        f"Request running for more than 0.05 s in process {os.getpid()}:",
    ]


def test_stop_may_be_called_twice(logged: Records) -> None:
    watcher = flight.watch(60)
    watcher.stop()
    watcher.stop()
    assert flight._watchers == []


def test_logging_handler_can_stop_watcher(app: Flask, logged: Records) -> None:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            watcher.stop()

    handler = Handler()
    flight._log.addHandler(handler)
    try:
        with app.test_request_context("/cart"):
            watcher = flight.watch(0.05)
            assert watcher._finished.acquire(timeout=30)
            watcher._finished.release()
    finally:
        flight._log.removeHandler(handler)


def test_watcher_is_restartable(app: Flask, logged: Records) -> None:
    # A child process does the same, but coverage cannot follow it.
    watcher = flight.watch(0.05)
    watcher._stopping.release()
    assert watcher._finished.acquire(timeout=30)
    flight._restart_watchers()
    with app.test_request_context("/cart"):
        logged.wait()


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_age_to_watch_must_be_positive(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"must be more than 0 seconds"):
        flight.watch(seconds)


def test_exit_stops_watcher() -> None:
    assert run("from schlenk import flight; flight.watch(3600)") == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_child_process_is_watched() -> None:
    told = run(
        """
import os, sys, threading, warnings, logging
warnings.simplefilter("ignore")
from schlenk import Flask, flight
logged = threading.Event()
class Handler(logging.Handler):
    def emit(self, record):
        logged.set()
logging.getLogger("schlenk.flight").addHandler(Handler())
flight.watch(0.05)
child = os.fork()
if not child:
    with Flask("shop").test_request_context("/child"):
        os._exit(not logged.wait(30))
assert os.waitpid(child, 0)[1] == 0
assert not logged.is_set()
"""
    )
    assert told == ""


PATCHING = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch()",
}


@pytest.mark.parametrize("order", ["patched before", "patched after"])
@pytest.mark.parametrize("library", PATCHING)
def test_blocked_event_loop_is_watched(library: str, order: str) -> None:
    pytest.importorskip(library)
    patch = PATCHING[library]
    told = run(
        f"""
import _thread
lock = _thread.allocate_lock()
lock.acquire()
{patch if order == "patched before" else ""}
import logging
from schlenk import Flask, flight
{patch if order == "patched after" else ""}
class Handler(logging.StreamHandler):
    def emit(self, record):
        super().emit(record)
        lock.release()
logging.getLogger("schlenk.flight").addHandler(Handler())
watcher = flight.watch(0.1)
with Flask("shop").test_request_context("/blocked"):
    # Blocks the only real thread, and with it all greenlets.
    assert lock.acquire(timeout=30)
watcher.stop()
"""
    )
    assert "Request running for more than 0.1 s in process" in told
    assert "GET /blocked of shop" in told
