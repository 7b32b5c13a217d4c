from __future__ import annotations

import asyncio
import functools
import gc
import json
import sys
import threading
import types
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from typing import Any

import pytest

import schlenk
from schlenk import Flask, Response, abort, copy_current_request_context, drawing, request, session, stream_with_context
from schlenk.recorder import Recorder
from schlenk.testing import FlaskClient
from schlenk.trace import Way, trace
from tests.support.execution import in_thread
from tests.support.programs import run, under
from tests.support.requirements import needs_blinker, needs_flask


@pytest.fixture(autouse=True, scope="module")
def no_garbage() -> None:
    """Collect the garbage of earlier tests, as the stream of a request pops its contexts when it is collected."""
    gc.collect()


@pytest.fixture(autouse=True)
def seen_by_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let coverage see the profile function, which Python runs with tracing switched off."""
    coverage = sys.modules.get("coverage")
    if coverage is None or coverage.Coverage.current() is None:
        return
    install = sys.setprofile
    installed = sys.getprofile
    inside = threading.local()

    def set_profile(function: Any) -> None:
        def profile(*event: Any) -> None:
            if not hasattr(inside, "profile"):
                inside.profile = profile
                try:
                    sys.call_tracing(observe, event)
                finally:
                    del inside.profile

        def observe(*event: Any) -> None:
            # On Python 3.11, call_tracing() switches tracing on only for the next time that something sets it.
            install(profile)
            function(*event)

        profile.__wrapped__ = function  # type: ignore[attr-defined]
        install(profile if isinstance(function, (functools.partial, types.MethodType)) else function)

    monkeypatch.setattr(sys, "setprofile", set_profile)
    monkeypatch.setattr(sys, "getprofile", lambda: getattr(installed(), "__wrapped__", installed()))


@pytest.fixture
def app() -> Flask:
    app = Flask("shop")
    app.secret_key = "key"
    app.logger.disabled = True

    @app.route("/cart")
    def cart() -> str:
        return "two apples"

    @app.route("/fails")
    def fails() -> str:
        raise ValueError("on purpose")

    return app


def get(app: Flask, path: str = "/cart") -> Way:
    """Return the way of a request."""
    with trace() as way:
        app.test_client().get(path, buffered=True)
    return way


def steps(way: Way, **having: Any) -> list[dict[str, Any]]:
    return [step for step in way.record["steps"] if having.items() <= step.items()]


def step(way: Way, **having: Any) -> dict[str, Any]:
    (found,) = steps(way, **having)
    return found


def names(way: Way, **having: Any) -> list[str]:
    return [step["name"] for step in steps(way, **having)]


def logged(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


# The steps.


def test_each_step_in_order(app: Flask) -> None:
    for register in (
        app.before_first_request,
        app.url_value_preprocessor,
        app.before_request,
        app.after_request,
        app.teardown_request,
        app.teardown_appcontext,
    ):

        def mine(*arguments: Any) -> Any:
            return arguments[0] if arguments and isinstance(arguments[0], Response) else None

        register(logged(mine))  # type: ignore[operator]
    assert [(step["depth"], step["name"]) for step in steps(get(app))] == [
        (0, "wsgi_app"),
        (1, "push RequestContext"),
        (2, "push AppContext"),
        (2, "open_session"),
        (2, "match_request"),
        (1, "full_dispatch_request"),
        (2, "before_first_request mine"),
        (2, "preprocess_request"),
        (3, "url_value_preprocessor mine"),
        (3, "before_request mine"),
        (2, "dispatch_request"),
        (3, "view cart"),
        (2, "make_response"),
        (2, "process_response"),
        (3, "after_request mine"),
        (3, "save_session"),
        (1, "pop RequestContext"),
        (2, "teardown_request mine"),
        (2, "pop AppContext"),
        (3, "teardown_appcontext mine"),
    ]


def test_after_this_is_a_step(app: Flask) -> None:
    @app.route("/header")
    def header() -> str:
        @schlenk.after_this_request
        def add_header(response: Response) -> Response:
            return response

        return ""

    assert step(get(app, "/header"), kind="hook")["name"] == "after_this_request add_header"


def test_stacks_after_each_step(app: Flask) -> None:
    way = get(app)
    stacks = [(step["name"], step["app_stack"], step["request_stack"]) for step in steps(way)]
    assert stacks[:3] == [
        ("wsgi_app", [], []),
        ("push RequestContext", ["shop"], ["GET /cart"]),
        ("push AppContext", ["shop"], []),
    ]
    assert stacks[-2:] == [("pop RequestContext", [], []), ("pop AppContext", [], [])]


def test_stacks_before_each_step(app: Flask) -> None:
    way = get(app)
    pop = step(way, name="pop RequestContext")
    assert pop["app_stack_before"] == ["shop"]
    assert pop["request_stack_before"] == ["GET /cart"]
    push = step(way, name="push AppContext")
    assert push["app_stack_before"] == []
    assert push["request_stack_before"] == []


def test_parents_contain_children(app: Flask) -> None:
    recorded = steps(get(app))
    assert all(
        parent["begin"] <= child["begin"] <= child["end"] <= parent["end"] and parent["depth"] + 1 == child["depth"]
        for child in recorded
        if child["parent"] is not None
        for parent in [recorded[child["parent"]]]
    )
    assert [child["name"] for child in recorded if child["parent"] is None] == ["wsgi_app"]


def test_results_are_described(app: Flask) -> None:
    app.view_functions["cart"] = lambda: ("apples", 201, {"X-Two": "2"})  # type: ignore[assignment]
    way = get(app)
    assert step(way, kind="view")["result"] == "('apples', 201, dict)"
    assert step(way, name="make_response")["result"] == "Response 201 CREATED"
    assert step(way, name="match_request")["result"] is None


def test_request_has_result_of_response(app: Flask) -> None:
    assert step(get(app), kind="request")["result"] == "Response 200 OK"
    assert step(get(app, "/fails"), kind="request")["result"] == "Response 500 INTERNAL SERVER ERROR"


def test_long_text_is_shortened(app: Flask) -> None:
    app.view_functions["cart"] = lambda: "a" * 1000
    assert step(get(app), kind="view")["result"] == f"'{'a' * 199}..."


def test_title_is_first_request(app: Flask) -> None:
    way = get(app, "/cart?id=1&name=Zo%C3%AB")
    assert way.record["title"] == "GET /cart?id=1&name=Zo%C3%AB"
    assert way.record["app"] == "shop"
    assert step(way, kind="request")["note"] == "GET /cart?id=1&name=Zo%C3%AB"


def test_path_is_decoded(app: Flask) -> None:
    assert get(app, "/zo%C3%AB").record["title"] == "GET /zoë"


def test_function_and_place(app: Flask) -> None:
    code = app.view_functions["cart"].__code__  # type: ignore[attr-defined]
    view = step(get(app), kind="view")
    assert view["function"] == f"{__name__}.app.<locals>.cart"
    assert view["where"].endswith(f"test_trace.py:{code.co_firstlineno}")
    assert step(get(app), kind="match")["where"].startswith("schlenk/ctx.py:")


def test_session_transaction_is_recorded(app: Flask) -> None:
    with trace() as way:
        with app.test_client().session_transaction() as kept:
            kept["user"] = "ada"
    assert names(way, kind="session") == ["open_session", "open_session", "save_session"]


def test_context_without_request_is_recorded(app: Flask) -> None:
    with trace() as way:
        with app.app_context():
            pass
    assert names(way) == ["push AppContext", "pop AppContext"]
    assert way.record["title"] == ""
    assert way.record["app"] == "shop"


def test_custom_context_is_named() -> None:
    with trace() as way:
        schlenk._request_ctx_stack.push(object())  # type: ignore[arg-type]
        schlenk._app_ctx_stack.push(object())  # type: ignore[arg-type]
        with Flask("shop").app_context():
            pass
        schlenk._request_ctx_stack.pop()
        schlenk._app_ctx_stack.pop()
    assert steps(way)[0]["app_stack"] == ["object", "shop"]
    assert steps(way)[0]["request_stack"] == ["object"]


def test_g_is_no_context(app: Flask) -> None:
    with trace() as way:
        with app.app_context():
            schlenk.g.app = app
            schlenk.g.pop("app")
    assert names(way) == ["push AppContext", "pop AppContext"]


# Errors.


def test_error_is_marked_where_it_passed(app: Flask) -> None:
    way = get(app, "/fails")
    assert names(way, error="ValueError: on purpose") == [
        "full_dispatch_request",
        "dispatch_request",
        "view fails",
        "handle_user_exception",
    ]
    assert {step["error"] for step in steps(way)} == {None, "ValueError: on purpose"}


def test_http_error_reaches_its_handler(app: Flask) -> None:
    @app.errorhandler(404)
    def missing(error: Exception) -> str:
        return "missing"

    handler = step(get(app, "/none"), name="errorhandler missing")
    assert handler["kind"] == "error handler"
    assert handler["note"].startswith("with NotFound: 404 Not Found")


def test_teardown_says_which_error(app: Flask) -> None:
    @app.teardown_request
    def close(error: BaseException | None) -> None:
        pass

    assert step(get(app, "/fails"), kind="teardown")["note"] == "with ValueError: on purpose"
    assert step(get(app), kind="teardown")["note"] == "without an error"


def test_error_raised_to_caller(app: Flask) -> None:
    app.testing = True
    with trace() as way:
        with pytest.raises(ValueError, match="on purpose"):
            app.test_client().get("/fails")
    assert step(way, kind="request")["error"] == "ValueError: on purpose"
    assert step(way, kind="request")["result"] is None


def test_error_leaves_the_block(app: Flask) -> None:
    app.testing = True
    with pytest.raises(ValueError, match="on purpose"):
        with trace() as way:
            app.test_client().get("/fails")
    assert step(way, kind="request")["error"] == "ValueError: on purpose"


def test_bare_raise_is_found(app: Flask) -> None:
    class Reraising(Flask):
        def handle_user_exception(self, e: Exception) -> Any:
            raise

    app.__class__ = Reraising
    way = get(app, "/fails")
    assert step(way, name="handle_user_exception")["error"] == "ValueError: on purpose"


def test_error_replaces_another(app: Flask) -> None:
    @app.before_request
    def find_user() -> None:
        try:
            abort(403)
        except Exception:
            raise KeyError("user") from None

    way = get(app)
    assert step(way, kind="hook")["error"] == "KeyError: 'user'"


def test_error_handled_in_silence(app: Flask) -> None:
    class Silent(Flask):
        def dispatch_request(self) -> Any:
            try:
                return super().dispatch_request()
            except ValueError:
                return "saved"

    app.__class__ = Silent
    way = get(app, "/fails")
    assert step(way, kind="view")["error"] == "an exception"
    assert step(way, name="dispatch_request")["result"] == "'saved'"


def test_error_ignored_by_caller(app: Flask) -> None:
    @app.teardown_request
    def close(error: BaseException | None) -> None:
        raise KeyError("file")

    with trace() as way:
        caught = False
        try:
            app.test_client().get("/cart")
        except KeyError:
            caught = True
    assert caught
    failed = [step["name"] for step in steps(way, error="KeyError: 'file'")]
    assert failed == ["wsgi_app", "pop RequestContext", "teardown_request close"]


def test_error_during_another(app: Flask) -> None:
    class Replacing(Flask):
        def dispatch_request(self) -> Any:
            try:
                return super().dispatch_request()
            except ValueError as error:
                raise TypeError from error

    app.__class__ = Replacing
    way = get(app, "/fails")
    assert step(way, kind="view")["error"] == "ValueError: on purpose"
    assert step(way, name="dispatch_request")["error"] == "TypeError"


def test_endless_chain_of_errors(app: Flask) -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first

    @app.before_request
    def loop() -> None:
        raise first

    assert step(get(app), kind="hook")["error"] == "ValueError: first"


def test_error_without_text(app: Flask) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    @app.before_request
    def fail() -> None:
        raise Mute

    assert step(get(app), kind="hook")["error"] == "Mute"


# Hooks.


class Hooks:
    def method(self) -> None:
        pass

    def __call__(self) -> None:
        pass


def test_decorated_hooks_have_their_names(app: Flask) -> None:
    def first() -> None:
        pass

    def second() -> None:
        pass

    app.before_request(logged(first))
    app.before_request(logged(second))
    found = steps(get(app), kind="hook")
    assert [hook["name"] for hook in found] == ["before_request first", "before_request second"]
    assert found[1]["where"].endswith(f":{second.__code__.co_firstlineno}")


def test_methods_and_objects_are_hooks(app: Flask) -> None:
    for hook in (Hooks().method, Hooks().method, Hooks(), Hooks(), functools.partial(Hooks.method, None)):
        app.before_request(hook)
    assert names(get(app), kind="hook") == [
        *["before_request method"] * 2,
        *["before_request Hooks"] * 2,
        "before_request method",
    ]


def test_builtin_hook_is_no_step(app: Flask) -> None:
    app.before_request(dict)
    app.before_request_funcs[None].insert(0, lambda: None)
    assert names(get(app), kind="hook") == ["before_request <lambda>"]


def test_hook_called_by_view_is_no_hook(app: Flask) -> None:
    @app.before_request
    def load_user() -> None:
        pass

    app.view_functions["cart"] = lambda: load_user() or "two apples"
    assert names(get(app), kind="hook") == ["before_request load_user"]


def test_views_with_equal_names(app: Flask) -> None:
    app.add_url_rule("/other", "other", app.view_functions["cart"])
    assert step(get(app, "/other"), kind="view")["name"] == "view other"


# Applications that replace parts of themselves.


def test_override_is_one_step(app: Flask) -> None:
    class Shop(Flask):
        def wsgi_app(self, *arguments: Any) -> Any:
            return super().wsgi_app(*arguments)

        def dispatch_request(self) -> Any:
            return super().dispatch_request()

    app.__class__ = Shop
    way = get(app)
    assert len(steps(way, kind="request")) == 1
    assert step(way, name="dispatch_request")["function"].endswith("Shop.dispatch_request")


def test_instance_is_patched(app: Flask) -> None:
    app.make_response = lambda value: Response("patched")  # type: ignore[method-assign]
    way = get(app)
    assert step(way, name="make_response")["function"].endswith("<lambda>")


def test_patched_method_has_hooks(app: Flask) -> None:
    @app.before_request
    def load_user() -> None:
        pass

    original = app.preprocess_request
    app.preprocess_request = lambda: original()  # type: ignore[method-assign]
    way = get(app)
    assert len(steps(way, name="preprocess_request")) == 1
    assert names(way, kind="hook") == ["before_request load_user"]


def test_method_patched_on_class(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Flask, "dispatch_request", lambda self: "patched")
    assert step(get(app), name="dispatch_request")["result"] == "'patched'"


def test_methods_share_decorator(app: Flask) -> None:
    class Logged(Flask):
        dispatch_request = logged(Flask.dispatch_request)
        make_response = logged(Flask.make_response)

    app.__class__ = Logged
    way = get(app)
    assert len(steps(way, name="dispatch_request")) == len(steps(way, name="make_response")) == 1


def test_middleware_is_a_step(app: Flask) -> None:
    original = app.wsgi_app

    def middleware(environ: Any, start_response: Any) -> Any:
        return original(environ, start_response)

    app.wsgi_app = middleware  # type: ignore[method-assign]
    way = get(app)
    assert step(way, kind="request")["function"].endswith("middleware")
    assert step(way, kind="request")["note"] == "GET /cart"


def test_session_interface_without_session(app: Flask) -> None:
    class NoSessions(schlenk.sessions.SessionInterface):
        def open_session(self, app: Flask, request: Any) -> Any:
            return None

    app.session_interface = NoSessions()
    assert step(get(app), kind="session")["function"].endswith("NoSessions.open_session")


def test_part_that_cannot_be_described(app: Flask) -> None:
    class Odd:
        @property
        def status(self) -> str:
            raise ZeroDivisionError

        def __call__(self, environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            return [b"odd"]

    app.view_functions["cart"] = Odd
    with trace() as way:
        responses = [app.test_client().get("/cart") for _ in range(2)]
    assert [response.get_data() for response in responses] == [b"odd", b"odd"]
    assert step(way, name="a step that could not be recorded")["error"] == "ZeroDivisionError"


# Requests that are more than one call.


def test_nested_request_is_inside(app: Flask) -> None:
    app.view_functions["fails"] = lambda: app.test_client().get("/cart").get_data()
    outer, inner = steps(get(app, "/fails"), kind="request")
    assert outer["note"] == "GET /fails"
    assert inner["note"] == "GET /cart"
    assert outer["depth"] == 0
    assert inner["depth"] == 4
    assert step(get(app, "/fails"), name="view cart")["request_stack"] == ["GET /fails", "GET /cart"]


def test_stream_shows_each_part(app: Flask) -> None:
    @app.route("/letters")
    def letters() -> Response:
        @stream_with_context
        def parts() -> Iterator[str]:
            yield request.path
            yield "end"

        return Response(parts())

    found = steps(get(app, "/letters"), kind="stream")
    assert [(part["name"], part["result"], part["request_stack"]) for part in found] == [
        ("stream parts", "'/letters'", ["GET /letters"]),
        ("stream parts", "'end'", ["GET /letters"]),
        ("stream parts", None, []),
    ]
    assert found[0]["function"].endswith(".parts")


def test_stream_of_a_list(app: Flask) -> None:
    app.view_functions["cart"] = lambda: Response(stream_with_context(["two", "apples"]))
    parts = steps(get(app), kind="stream")
    assert [(part["name"], part["function"]) for part in parts] == [("stream", None)] * 3


def test_stream_without_context(app: Flask) -> None:
    def parts() -> Iterator[Any]:
        yield "two"
        yield schlenk.has_request_context()

    app.view_functions["cart"] = lambda: Response(str(part) for part in parts())
    found = steps(get(app), kind="stream")
    assert [(part["name"], part["result"], part["error"]) for part in found[:2]] == [
        ("stream <genexpr>", "'two'", None),
        ("stream <genexpr>", "'False'", None),
    ]


def test_stream_that_fails(app: Flask) -> None:
    def parts() -> Iterator[str]:
        yield "two"
        yield session["user"]

    app.view_functions["cart"] = lambda: Response(parts())
    with trace() as way:
        with pytest.raises(RuntimeError):
            app.test_client().get("/cart").get_data()
    assert steps(way, kind="stream")[1]["error"].startswith("RuntimeError: Working outside of request context")


def test_preserved_context_stays(app: Flask) -> None:
    client = app.test_client()
    with trace() as way:
        with client:
            client.get("/cart")
    assert step(way, kind="preserved")["request_stack"] == ["GET /cart"]
    assert step(way, name="pop RequestContext")["note"] == "preserved until now"
    assert step(way, name="pop RequestContext")["parent"] is None


def test_context_pushed_again(app: Flask) -> None:
    with trace() as way:
        with app.test_request_context("/cart") as context:
            with context:
                pass
        with context:
            pass
    again = [step["note"] for step in steps(way, name="push RequestContext")]
    assert again == [None, "pushed again", "pushed again"]


@needs_blinker
def test_signals_with_receivers(app: Flask) -> None:
    with schlenk.request_started.connected_to(lambda sender: None):
        with schlenk.request_tearing_down.connected_to(lambda sender, exc: None):
            assert names(get(app), kind="signal") == ["signal request-started", "signal request-tearing-down"]
    with trace() as way:
        schlenk.request_started.send(app)
    assert names(way) == []


@needs_blinker
def test_signals_without_receivers(app: Flask) -> None:
    def view() -> str:
        schlenk.message_flashed.send(app)
        return "flashed"

    app.view_functions["cart"] = view
    assert names(get(app), kind="signal") == []
    with schlenk.message_flashed.connected_to(lambda sender: None, sender=Flask("other")):
        assert names(get(app), kind="signal") == []


# Threads, greenlets and coroutines.


def test_thread_is_another_owner(app: Flask) -> None:
    def view() -> str:
        worker = threading.Thread(target=lambda: app.test_client().get("/cart"), name="worker-1")
        worker.start()
        worker.join()
        return "done"

    app.view_functions["fails"] = view
    way = get(app, "/fails")
    assert way.record["owners"] == [threading.current_thread().name, "worker-1"]
    assert [(step["owner"], step["depth"]) for step in steps(way, kind="request")] == [(0, 0), (1, 0)]


def test_threads_in_turn_are_two_owners(app: Flask) -> None:
    with trace() as way:
        for _ in range(2):
            in_thread(lambda: app.test_client().get("/cart"))
    assert len(way.record["owners"]) == 2


def test_copied_context_is_shown(app: Flask) -> None:
    def view() -> str:
        @copy_current_request_context
        def send_mail() -> str:
            return request.path

        return in_thread(send_mail)

    app.view_functions["cart"] = view
    way = get(app)
    copied = step(way, name="in a copied context: send_mail")
    assert copied["owner"] == 1
    assert copied["result"] == "'/cart'"
    assert step(way, name="push RequestContext", owner=1)["note"] == "a copy"


def test_greenlets_are_told_apart(app: Flask) -> None:
    greenlet = pytest.importorskip("greenlet")
    app.view_functions["cart"] = lambda: greenlet.getcurrent().parent.switch() or "resumed"

    def visit() -> None:
        app.test_client().get("/cart")

    with trace() as way:
        visitors = [greenlet.greenlet(visit) for _ in range(2)]
        for visitor in visitors * 2:
            visitor.switch()
    assert way.record["owners"] == ["greenlet-0", "greenlet-1"]
    views = steps(way, kind="view")
    assert [(view["owner"], view["depth"], view["result"]) for view in views] == [
        (0, 3, "'resumed'"),
        (1, 3, "'resumed'"),
    ]
    assert views[0]["begin"] < views[1]["begin"] < views[0]["end"]
    assert [len(view["request_stack"]) for view in views] == [1, 1]


@pytest.mark.skipif(find_spec("gevent") is None, reason="needs gevent")
def test_gevent_greenlets_are_told_apart() -> None:
    run(
        """
        from gevent import monkey
        monkey.patch_all()
        import gevent, threading, time
        from schlenk import Flask
        from schlenk.trace import trace
        app = Flask("shop")
        @app.route("/")
        def index():
            together.wait(30)
            return "done"
        together = threading.Barrier(3)
        with trace() as way:
            worker = threading.Thread(target=app.test_client().get, args=["/"])
            worker.start()
            gevent.joinall([gevent.spawn(app.test_client().get, "/") for _ in range(2)])
            worker.join()
        views = [step for step in way.record["steps"] if step["kind"] == "view"]
        assert sorted(view["owner"] for view in views) == [0, 1, 2], way.to_text()
        assert {tuple(view["request_stack"]) for view in views} == {("GET /",)}, way.to_text()
        """
    )


def test_greenlet_is_killed(app: Flask) -> None:
    greenlet = pytest.importorskip("greenlet")
    app.view_functions["cart"] = lambda: greenlet.getcurrent().parent.switch()
    with trace() as way:
        visitor = greenlet.greenlet(lambda: app.test_client().get("/cart"))
        visitor.switch()
        visitor.throw()
    assert step(way, kind="view")["error"] == "GreenletExit"
    assert steps(way, end=None) == []


def test_coroutines_elsewhere(app: Flask) -> None:
    class Asynchronous(Flask):
        def dispatch_request(self) -> Any:
            coroutine = super().dispatch_request()
            return in_thread(lambda: asyncio.run(coroutine))

    app.__class__ = Asynchronous

    async def wait() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)

    async def cart() -> str:
        await wait()
        return "two apples"

    async def fails() -> str:
        await wait()
        raise ValueError("late")

    async def thrown() -> str:
        await asyncio.create_task(fails())
        return ""

    app.view_functions["cart"] = cart
    app.view_functions["fails"] = fails
    app.add_url_rule("/thrown", view_func=thrown)
    cart_step, fails_step, thrown_step = (step(get(app, path), kind="view") for path in ("/cart", "/fails", "/thrown"))
    assert cart_step["owner"] == 1
    assert cart_step["depth"] == 0
    assert cart_step["result"] == "'two apples'"
    assert fails_step["error"] == thrown_step["error"] == "ValueError: late"
    assert None not in (cart_step["end"], fails_step["end"], thrown_step["end"])


def test_other_coroutines_are_no_steps(app: Flask) -> None:
    async def work() -> None:
        pass

    app.view_functions["cart"] = lambda: in_thread(lambda: asyncio.run(work())) or "done"
    assert {step["owner"] for step in steps(get(app))} == {0}


# Nothing changes.


def test_responses_are_the_same(app: Flask) -> None:
    def visit(client: FlaskClient) -> list[Any]:
        responses = [client.get(path) for path in ("/cart", "/fails", "/none")]
        return [(response.status, list(response.headers), response.get_data()) for response in responses]

    expected = visit(app.test_client())
    with trace():
        assert visit(app.test_client()) == expected


def test_way_keeps_nothing_alive(app: Flask) -> None:
    requests = []
    app.before_request(lambda: requests.append(weakref.ref(request._get_current_object())))  # type: ignore[attr-defined]
    ways = [get(app), get(app, "/fails")]
    gc.collect()
    assert len(ways) == len(requests) == 2
    assert [known() for known in requests] == [None, None]


def test_failed_request_is_freed(app: Flask) -> None:
    class Shop(Flask):
        def handle_user_exception(self, e: Exception) -> Any:
            try:
                return super().handle_user_exception(e)
            finally:
                del e

    app.__class__ = Shop
    requests = []
    app.before_request(lambda: requests.append(weakref.ref(request._get_current_object())))  # type: ignore[attr-defined]
    gc.disable()
    try:
        get(app, "/fails")
        assert [known() for known in requests] == [None]
    finally:
        gc.enable()


def test_trace_is_not_imported() -> None:
    run("import schlenk, sys; assert not {'schlenk.trace', 'schlenk.recorder'} & {*sys.modules}")


def test_nothing_is_recorded_after_block(app: Flask) -> None:
    way = get(app)
    before = len(steps(way))
    app.test_client().get("/cart")
    assert len(steps(way)) == before > 0
    assert sys.getprofile() is None


def test_step_is_still_running(app: Flask) -> None:
    entered, leave = threading.Event(), threading.Event()

    def view() -> str:
        entered.set()
        leave.wait(30)
        return "done"

    app.view_functions["cart"] = view
    profiles: list[Any] = []

    def visit() -> None:
        app.test_client().get("/cart")
        profiles.append(sys.getprofile())

    with ThreadPoolExecutor(1) as pool:
        with trace() as way:
            visited = pool.submit(visit)
            entered.wait(30)
        leave.set()
        visited.result()
    assert step(way, kind="view")["end"] is None
    assert step(way, kind="view")["request_stack"] == ["GET /cart"]
    assert profiles == [None]


def test_way_can_be_read_in_block(app: Flask) -> None:
    with trace() as way:
        app.test_client().get("/cart")
        assert step(way, kind="view")["result"] == "'two apples'"
        assert way.record["seconds"] > 0


# Other profilers.


def test_profiler_is_called_too(app: Flask) -> None:
    seen: set[str] = set()

    def profile(frame: Any, event: str, arg: Any) -> None:
        seen.add(frame.f_code.co_name)

    sys.setprofile(profile)
    threading.setprofile(profile)
    try:
        with trace() as way:
            app.test_client().get("/cart")
            in_thread(in_other_thread)
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    assert {"cart", "in_other_thread"} <= seen
    assert names(way, kind="view") == ["view cart"]


def in_other_thread() -> None:
    pass


def test_blocks_can_be_nested(app: Flask) -> None:
    with trace() as outer:
        with trace() as inner:
            app.test_client().get("/cart")
            in_thread(lambda: app.test_client().get("/cart"))
        app.test_client().get("/cart")
    assert names(inner, kind="view") == ["view cart"] * 2
    assert names(outer, kind="view") == ["view cart"] * 3
    assert sys.getprofile() is None


def test_profiler_of_block_stays(app: Flask) -> None:
    def profile(frame: Any, event: str, arg: Any) -> None:
        pass

    with trace() as way:
        app.test_client().get("/cart")
        sys.setprofile(profile)
        threading.setprofile(profile)
    try:
        assert sys.getprofile() is profile
        assert threading._profile_hook is profile  # type: ignore[attr-defined]
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    assert names(way, kind="view") == ["view cart"]


def test_profiler_set_by_view_is_noted(app: Flask) -> None:
    @app.route("/profiled")
    def profiled() -> str:
        sys.setprofile(None)
        return ""

    last = get(app, "/profiled").record["steps"][-1]
    assert last["name"] == "what follows was not recorded"
    assert str(last["error"]).startswith("the application replaced the profile function")


def test_recursion_limit_is_noted(app: Flask) -> None:
    @app.route("/endless")
    def endless() -> str:
        return endless()

    way = get(app, "/endless")
    assert way.record["steps"][-1]["name"] == "what follows was not recorded"
    assert "reached the recursion limit" in str(way.record["steps"][-1]["error"])


def test_interrupted_recording_is_noted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(self: Recorder, frame: types.FrameType) -> None:
        # As if a signal handler raised here.
        if frame.f_code.co_name == "interrupted":
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "begin", begin)
    app.add_url_rule("/interrupted", "interrupted", lambda: interrupted())
    with pytest.raises(KeyboardInterrupt), trace() as way:
        app.test_client().get("/interrupted")
    assert "whose handler raised" in way.record["steps"][-1]["error"]
    assert sys.getprofile() is None


def interrupted() -> str:
    return ""


@pytest.mark.parametrize(
    ("module", "name"), [("schlenk.ctx", "in_context"), ("flask.ctx", "wrapper"), ("blinker.base", "send")]
)
def test_namesake_is_no_step(app: Flask, module: str, name: str) -> None:
    @app.route("/namesake")
    def namesake() -> str:
        exec(f"def {name}(): pass\n{name}()", {"__name__": module})
        return ""

    assert names(get(app, "/namesake")) == [name.replace("cart", "namesake") for name in names(get(app, "/cart"))]


def test_overlapping_blocks(app: Flask) -> None:
    first, second = trace(), trace()
    way = first.__enter__()
    way_of_second = second.__enter__()
    get_cart = app.test_client().get
    get_cart("/cart")
    first.__exit__(None, None, None)
    get_cart("/cart")
    second.__exit__(None, None, None)
    assert names(way, kind="view") == ["view cart"]
    assert names(way_of_second, kind="view") == ["view cart"] * 2
    assert names(way_of_second)[-1] == "pop AppContext"
    assert sys.getprofile() is None


def test_c_profiler_continues(app: Flask) -> None:
    class Profiler:
        enabled = False

        def enable(self) -> None:
            self.enabled = True

    profiler = Profiler()
    way_of_profiler = pytest.MonkeyPatch()
    way_of_profiler.setattr(sys, "getprofile", lambda installed=sys.getprofile: installed() or profiler)
    try:
        way = get(app)
    finally:
        way_of_profiler.undo()
    assert profiler.enabled
    assert names(way, kind="view") == ["view cart"]
    sys.setprofile(None)


# Output.


def test_json_is_the_record(app: Flask) -> None:
    way = get(app, "/fails")
    assert json.loads(way.to_json()) == way.record


def test_pictures_show_record(app: Flask) -> None:
    way = get(app)
    # Read again, it would have the same times, as the block has ended.
    assert way.to_html() == drawing.html(way.record)
    assert way.to_svg() == drawing.svg(way.record)


def test_text_is_a_timeline(app: Flask) -> None:
    lines = get(app).to_text().splitlines()
    assert lines[0].startswith("GET /cart of shop, ")
    line = next(line for line in lines if "view cart" in line)
    assert line[21:].startswith("      view cart")
    assert "[shop] / [GET /cart]" in line
    assert "-> 'two apples'" in line
    assert "test_trace.py:" in line


def test_text_marks_errors(app: Flask) -> None:
    lines = get(app, "/fails").to_text().splitlines()
    assert len([line for line in lines if "! ValueError: on purpose" in line]) == 4


def test_text_has_owners(app: Flask) -> None:
    with trace() as way:
        app.test_client().get("/cart")
        worker = threading.Thread(target=lambda: app.test_client().get("/cart"), name="worker-1")
        worker.start()
        worker.join()
    assert [line for line in way.to_text().splitlines() if line.startswith("---")] == ["--- worker-1"]


def test_text_of_running_step(app: Flask) -> None:
    texts = []
    with trace() as way:
        app.view_functions["cart"] = lambda: texts.append(way.to_text()) or "done"
        app.test_client().get("/cart")
    assert next(line for line in texts[0].splitlines() if "wsgi_app" in line).split()[1] == "..."


def test_text_of_nothing() -> None:
    with trace() as way:
        pass
    assert way.to_text().startswith("nothing was recorded, ")


def test_text_of_context_alone(app: Flask) -> None:
    with trace() as way:
        with app.app_context():
            pass
    assert way.to_text().startswith("no request of shop, ")


def test_text_escapes_control_characters(app: Flask) -> None:
    app.view_functions["cart"] = lambda: abort(400, request.args["text"])
    text = get(app, "/cart?text=%1b]0;%07%0a%e2%80%ae").to_text() + get(app, "/%1b[31m").to_text()
    assert all(character.isprintable() for character in text.replace("\n", ""))
    assert "\\x1b]0;\\x07\\n\\u202e" in text


def test_text_in_color(app: Flask) -> None:
    way = get(app, "/fails")
    colored = [line for line in way.to_text(color=True).splitlines() if line.startswith("\x1b[31m")]
    assert len(colored) == 4
    assert "\x1b" not in way.to_text()


@pytest.mark.parametrize(
    ("terminal", "no_color", "expected"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_color_only_on_terminal(
    app: Flask, monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str, expected: bool
) -> None:
    way = get(app)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert ("\x1b" in str(way)) is expected


def test_version_without_metadata(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("schlenk.trace.version", missing)
    assert get(app).record["schlenk"] == "?"


# Under Flask.


FLASK = """
from schlenk.trace import trace
from flask import Blueprint, Response, copy_current_request_context, render_template_string, stream_with_context
app.logger.disabled = True
shop = Blueprint("shop", __name__)
def get(path):
    with trace() as way:
        app.test_client().get(path, buffered=True)
    return way.record["steps"]
def named(steps, *kinds):
    return [step["name"] for step in steps if step["kind"] in kinds]
"""


@needs_flask
def test_blueprint_and_template() -> None:
    under(
        FLASK
        + """
@app.before_request
def load_user(): pass
@shop.before_request
def open_shop(): pass
@shop.after_request
def close_shop(response): return response
@shop.teardown_request
def lock_shop(error): pass
@shop.route("/cart")
def cart(): return render_template_string("{{ request.path }}")
app.register_blueprint(shop)
steps = get("/cart")
assert named(steps, "hook", "view", "teardown") == [
    "before_request load_user", "before_request open_shop", "view shop.cart", "after_request close_shop",
    "teardown_request lock_shop",
], steps
(view,) = [step for step in steps if step["kind"] == "view"]
assert (view["result"], view["app_stack"], view["request_stack"]) == ("'/cart'", ["shop"], ["GET /cart"]), view
"""
    )


@needs_flask
def test_flask_errors() -> None:
    under(
        FLASK
        + """
@app.route("/fails")
def fails(): raise ValueError("on purpose")
@app.route("/handled")
def handled(): 1 / 0
@shop.app_errorhandler(ZeroDivisionError)
def zero(error): return "zero"
app.register_blueprint(shop)
errors = {step["name"]: step["error"] for step in get("/fails") if step["error"]}
assert errors == dict.fromkeys(
    ["full_dispatch_request", "dispatch_request", "view fails", "handle_user_exception"], "ValueError: on purpose"
), errors
assert named(get("/handled"), "error handler") == ["handle_user_exception", "errorhandler zero"]
"""
    )


@needs_flask
def test_flask_streams_and_copies() -> None:
    under(
        FLASK
        + """
@app.route("/stream")
def stream():
    def parts(): yield request.path
    return Response(stream_with_context(parts()))
@app.route("/copy")
def copy():
    @copy_current_request_context
    def work(): return request.path
    worker = threading.Thread(target=work)
    worker.start(); worker.join()
    return ""
streamed = get("/stream")
assert named(streamed, "stream") == ["stream parts", "stream parts"]
notes = [step["note"] for step in streamed if step["name"] == "push RequestContext"]
assert notes == [None, "pushed again"], notes
assert named(get("/copy"), "copy") == ["copy", "in a copied context: work"]
"""
    )


@needs_flask
def test_flask_asynchronous_view() -> None:
    pytest.importorskip("asgiref")
    under(
        FLASK
        + """
@app.route("/slow")
async def slow():
    await asyncio.sleep(0.001)
    return "slow"
(view,) = [step for step in get("/slow") if step["kind"] == "view"]
assert (view["name"], view["result"], view["owner"]) == ("view slow", "'slow'", 1), view
"""
    )
