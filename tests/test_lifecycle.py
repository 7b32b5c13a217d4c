"""The life of a request: the order of the hooks, overridable methods, and errors."""

from __future__ import annotations

import gc
import threading
import types
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any, Callable

import pytest
from werkzeug.exceptions import NotFound
from werkzeug.test import create_environ

import schlenk
from schlenk import (
    Flask,
    Response,
    _app_ctx_stack,
    _request_ctx_stack,
    after_this_request,
    current_app,
    g,
    request,
    session,
    url_for,
)
from schlenk.sessions import SecureCookieSessionInterface
from tests.support.contexts import fail
from tests.support.requirements import needs_blinker

PATIENCE = 30


class Crash(BaseException):
    """Like ``SystemExit`` and ``KeyboardInterrupt``, not an ``Exception``."""


def name_of(error: BaseException | None) -> str:
    return "without error" if error is None else f"after {type(error).__name__}"


@pytest.fixture
def steps() -> list[str]:
    return []


@pytest.fixture
def app(app: Flask, steps: list[str]) -> Flask:
    """An application whose hooks append to ``steps``."""
    app.before_first_request(lambda: steps.append("before_first_request"))
    app.url_value_preprocessor(lambda endpoint, values: steps.append(f"preprocessor {endpoint} {values}"))
    app.before_request(lambda: steps.append("before_request"))

    @app.after_request
    def after_request(response: Response) -> Response:
        steps.append(f"after_request {response.status_code}")
        return response

    app.teardown_request(lambda error: steps.append(f"teardown_request {name_of(error)}"))
    app.teardown_appcontext(lambda error: steps.append(f"teardown_appcontext {name_of(error)}"))

    @app.route("/")
    def index() -> str:
        steps.append("view")
        return "hello"

    @app.route("/user/<name>")
    def user(name: str) -> str:
        steps.append(f"view {name}")
        return name

    @app.route("/fails")
    def fails() -> str:
        steps.append("view")
        raise ZeroDivisionError

    return app


@pytest.fixture
def signals(app: Flask, steps: list[str]) -> Iterator[None]:
    """Append the signals of the application to ``steps`` as well."""
    with ExitStack() as connected:
        for name in (
            "request_started",
            "request_finished",
            "request_tearing_down",
            "got_request_exception",
            "appcontext_pushed",
            "appcontext_popped",
            "appcontext_tearing_down",
        ):

            def receive(sender: Flask, name: str = name, **values: Any) -> None:
                steps.append(f"signal {name}")

            connected.enter_context(getattr(schlenk, name).connected_to(receive, sender=app))
        yield


# Order


def test_first_request_order(app: Flask, steps: list[str]) -> None:
    app.test_client().get("/")
    assert steps == [
        "before_first_request",
        "preprocessor index {}",
        "before_request",
        "view",
        "after_request 200",
        "teardown_request without error",
        "teardown_appcontext without error",
    ]


def test_next_request_order(app: Flask, steps: list[str]) -> None:
    app.test_client().get("/")
    steps.clear()
    app.test_client().get("/user/ada")
    assert steps == [
        "preprocessor user {'name': 'ada'}",
        "before_request",
        "view ada",
        "after_request 200",
        "teardown_request without error",
        "teardown_appcontext without error",
    ]


@needs_blinker
@pytest.mark.usefixtures("signals")
def test_order_with_signals(app: Flask, steps: list[str]) -> None:
    app.test_client().get("/")
    assert steps == [
        "signal appcontext_pushed",
        "before_first_request",
        "signal request_started",
        "preprocessor index {}",
        "before_request",
        "view",
        "after_request 200",
        "signal request_finished",
        "teardown_request without error",
        "signal request_tearing_down",
        "teardown_appcontext without error",
        "signal appcontext_tearing_down",
        "signal appcontext_popped",
    ]


@needs_blinker
@pytest.mark.usefixtures("signals")
def test_order_with_failing_view(app: Flask, steps: list[str]) -> None:
    app.test_client().get("/fails")
    assert steps == [
        "signal appcontext_pushed",
        "before_first_request",
        "signal request_started",
        "preprocessor fails {}",
        "before_request",
        "view",
        "signal got_request_exception",
        "after_request 500",
        "signal request_finished",
        "teardown_request after ZeroDivisionError",
        "signal request_tearing_down",
        "teardown_appcontext after ZeroDivisionError",
        "signal appcontext_tearing_down",
        "signal appcontext_popped",
    ]


@needs_blinker
@pytest.mark.usefixtures("signals")
def test_order_if_error_is_raised(app: Flask, steps: list[str]) -> None:
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/fails")
    assert steps[5:] == [
        "view",
        "signal got_request_exception",
        "teardown_request after ZeroDivisionError",
        "signal request_tearing_down",
        "teardown_appcontext after ZeroDivisionError",
        "signal appcontext_tearing_down",
        "signal appcontext_popped",
    ]


@pytest.mark.parametrize(("path", "method", "status"), [("/nowhere", "GET", 404), ("/", "DELETE", 405)])
def test_order_without_rule(app: Flask, steps: list[str], path: str, method: str, status: int) -> None:
    app.test_client().open(path, method=method)
    assert steps == [
        "before_first_request",
        "preprocessor None None",
        "before_request",
        f"after_request {status}",
        "teardown_request without error",
        "teardown_appcontext without error",
    ]


def test_hook_replaces_view(app: Flask, steps: list[str]) -> None:
    app.before_request(lambda: ("early", 202))
    app.before_request(lambda: steps.append("never"))
    assert app.test_client().get("/").data == b"early"
    assert steps == [
        "before_first_request",
        "preprocessor index {}",
        "before_request",
        "after_request 202",
        "teardown_request without error",
        "teardown_appcontext without error",
    ]


@pytest.mark.parametrize("answer", ["", b"", {}])
def test_before_request_may_return_empty(app: Flask, answer: Any) -> None:
    app.before_request(lambda: answer)
    assert app.test_client().get("/").data != b"hello"


def test_before_and_after_request_order() -> None:
    app, ran = Flask("ordered"), []
    for number in (1, 2):
        app.before_first_request(lambda number=number: ran.append(f"first {number}"))
        app.url_value_preprocessor(lambda *args, number=number: ran.append(f"preprocessor {number}"))
        app.before_request(lambda number=number: ran.append(f"before {number}"))
        app.after_request(lambda response, number=number: ran.append(f"after {number}") or response)
        app.teardown_request(lambda error, number=number: ran.append(f"teardown {number}"))
        app.teardown_appcontext(lambda error, number=number: ran.append(f"appcontext {number}"))
    app.test_client().get("/")
    assert ran == [
        "first 1", "first 2", "preprocessor 1", "preprocessor 2", "before 1", "before 2",
        "after 2", "after 1", "teardown 2", "teardown 1", "appcontext 2", "appcontext 1",
    ]  # fmt: skip


def test_preprocessor_may_change_view_args(app: Flask) -> None:
    @app.url_value_preprocessor
    def upper(endpoint: str | None, values: dict[str, Any] | None) -> None:
        values["name"] = values["name"].upper()

    assert app.test_client().get("/user/ada").data == b"ADA"


def test_preprocessor_sees_current_request(app: Flask, steps: list[str]) -> None:
    inner = app.test_request_context("/user/ada")
    app.url_value_preprocessor(lambda endpoint, values: inner.push())
    app.url_value_preprocessor(lambda endpoint, values: steps.append(f"next {endpoint} {values}"))
    with app.test_request_context("/"):
        app.preprocess_request()
        inner.pop()
    assert steps[:2] == ["preprocessor index {}", "next user {'name': 'ada'}"]


def test_contexts_last_through_all_hooks() -> None:
    app, seen = Flask("looking"), []

    def look(*args: Any) -> Any:
        seen.append((request.path, current_app.name, len(_request_ctx_stack._local.stack)))
        return args[0] if args else None

    app.before_first_request(look)
    app.before_request(look)
    app.after_request(look)
    app.teardown_request(look)
    app.add_url_rule("/page", "page", lambda: look("hello"))
    app.test_client().get("/page")
    assert seen == [("/page", "looking", 1)] * 5


def test_teardown_appcontext_has_no_request() -> None:
    app, seen = Flask("looking"), []

    @app.teardown_appcontext
    def look(error: BaseException | None) -> None:
        seen.append((current_app.name, _request_ctx_stack.top))

    app.test_client().get("/")
    assert seen == [("looking", None)]


def test_g_lasts_until_teardown() -> None:
    app, seen = Flask("keeping"), []
    app.before_request(lambda: setattr(g, "user", "ada"))
    app.teardown_appcontext(lambda error: seen.append(g.user))
    app.test_client().get("/")
    assert seen == ["ada"]


def test_stacks_are_empty_after_request(app: Flask) -> None:
    app.test_client().get("/")
    assert _request_ctx_stack.top is None
    assert _app_ctx_stack.top is None


# After the view


def test_after_request_replaces_response() -> None:
    app = Flask("replaced")
    app.after_request(lambda response: Response("other", 201))
    response = app.test_client().get("/")
    assert response.status_code == 201
    assert response.data == b"other"


def test_after_this_request_runs_first() -> None:
    app, ran = Flask("ordered"), []
    app.after_request(lambda response: ran.append("after_request") or response)

    @app.route("/")
    def index() -> str:
        for number in (1, 2):
            after_this_request(lambda response, number=number: ran.append(f"this {number}") or response)
        return "hello"

    app.test_client().get("/")
    assert ran == ["this 1", "this 2", "after_request"]


def test_after_this_request_may_replace() -> None:
    app = Flask("replaced")
    app.before_request(lambda: after_this_request(lambda response: Response("other")) and None)
    assert app.test_client().get("/").data == b"other"


def test_after_this_runs_once() -> None:
    app = Flask("once")
    app.add_url_rule("/", "index", lambda: "hello")
    app.add_url_rule("/other", "other", lambda: after_this_request(lambda response: Response("changed")) and "")
    client = app.test_client()
    assert [client.get(path).data for path in ("/", "/other", "/")] == [b"hello", b"changed", b"hello"]


def test_session_is_saved_last() -> None:
    app = Flask("saving")
    app.secret_key = "key"

    @app.after_request
    def remember(response: Response) -> Response:
        session["seen"] = True
        return response

    client = app.test_client()
    client.get("/")
    with client:
        client.get("/")
        assert dict(session) == {"seen": True}


# Before the first request


def test_concurrent_requests_share_first() -> None:
    arrived, go_on = threading.Semaphore(0), threading.Event()

    class Announcing(Flask):
        def try_trigger_before_first_request_functions(self) -> None:
            arrived.release()
            super().try_trigger_before_first_request_functions()

    app, ran = Announcing("concurrent"), []
    app.before_first_request(lambda: go_on.wait(PATIENCE) and ran.append("first"))
    app.before_request(lambda: ran.append("before"))
    clients = [threading.Thread(target=app.test_client().get, args=("/",)) for _ in range(4)]
    for client in clients:
        client.start()
    for _ in clients:
        assert arrived.acquire(timeout=PATIENCE)
    go_on.set()
    for client in clients:
        client.join(PATIENCE)
    assert ran == ["first", "before", "before", "before", "before"]


def test_failed_first_request_is_repeated() -> None:
    app, ran = Flask("failing"), []

    @app.before_first_request
    def fail_once() -> None:
        ran.append("first")
        if len(ran) == 1:
            raise ZeroDivisionError

    app.add_url_rule("/", "index", lambda: "hello")
    assert [app.test_client().get("/").status_code for _ in range(3)] == [500, 200, 200]
    assert ran == ["first", "first"]


@pytest.mark.parametrize("ident", [schlenk.get_ident, threading.get_ident])
def test_first_request_hook_may_nest_request(ident: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schlenk.app.get_ident", ident)
    app, answers = Flask("asking"), []
    app.add_url_rule("/", "index", lambda: "hello")
    app.before_first_request(lambda: answers.append(app.test_client().get("/").data))
    # In a thread, so that a deadlock fails the test instead of hanging the run.
    asking = threading.Thread(target=app.test_client().get, args=("/",), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    assert answers == [b"hello"]


# Overridable methods

METHODS = [
    "__call__", "wsgi_app", "request_context", "create_url_adapter", "app_context", "full_dispatch_request",
    "try_trigger_before_first_request_functions", "preprocess_request", "dispatch_request", "raise_routing_exception",
    "make_default_options_response", "finalize_request", "make_response", "process_response", "handle_http_exception",
    "handle_user_exception", "handle_exception", "trap_http_exception", "log_exception", "should_ignore_error",
    "do_teardown_request", "do_teardown_appcontext", "inject_url_defaults", "handle_url_build_error",
]  # fmt: skip

TO_THE_HOOKS = [
    "__call__", "wsgi_app", "request_context", "create_url_adapter", "app_context", "create_url_adapter",
    "full_dispatch_request", "try_trigger_before_first_request_functions", "preprocess_request",
]  # fmt: skip
FROM_THE_ANSWER = [
    "finalize_request", "make_response", "process_response", "should_ignore_error", "do_teardown_request",
    "do_teardown_appcontext",
]  # fmt: skip


def overriding(base: type[Any], names: list[str], calls: list[str]) -> type[Any]:
    """Make a subclass whose methods ``names`` append their name to ``calls`` and call the original."""

    def recording(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return getattr(super(subclass, self), name)(*args, **kwargs)

        return method

    subclass = type("Overriding", (base,), {name: recording(name) for name in names})
    return subclass


@pytest.mark.parametrize(
    ("path", "method", "between"),
    [
        ("/", "GET", ["dispatch_request"]),
        ("/early", "GET", []),
        ("/", "OPTIONS", ["dispatch_request", "make_default_options_response"]),
        ("/nowhere", "GET", [
            "dispatch_request", "raise_routing_exception", "handle_user_exception", "trap_http_exception",
            "handle_http_exception",
        ]),
        ("/lookup", "GET", ["dispatch_request", "handle_user_exception"]),
        ("/fails", "GET", ["dispatch_request", "handle_user_exception", "handle_exception", "log_exception"]),
        ("/url", "GET", ["dispatch_request", "inject_url_defaults", "handle_url_build_error"]),
    ],
    ids=[
        "a good request", "before_request answers", "OPTIONS", "not found", "an error that has a handler",
        "an error that has none", "a URL that can't be built",
    ],
)  # fmt: skip
def test_own_methods_are_called(path: str, method: str, between: list[str]) -> None:
    calls: list[str] = []
    app = overriding(Flask, METHODS, calls)("overriding", static_folder=None)
    app.before_request(lambda: "early" if request.path == "/early" else None)
    app.add_url_rule("/", "index", lambda: "hello")
    app.add_url_rule("/lookup", "lookup", lambda: {}["missing"])
    app.add_url_rule("/fails", "fails", lambda: 1 / 0)
    app.add_url_rule("/url", "url", lambda: url_for("nothing"))
    app.url_build_error_handlers.append(lambda error, endpoint, values: "/elsewhere")
    app.register_error_handler(KeyError, lambda error: "handled")
    app.test_client().open(path, method=method)
    assert calls == TO_THE_HOOKS + between + FROM_THE_ANSWER


def test_interface_is_called() -> None:
    calls: list[str] = []
    names = [
        "open_session", "save_session", "is_null_session", "make_null_session", "get_signing_serializer",
        "should_set_cookie", "get_cookie_domain", "get_cookie_path", "get_cookie_httponly", "get_cookie_secure",
        "get_cookie_samesite", "get_expiration_time",
    ]  # fmt: skip
    app = Flask("overriding")
    app.session_interface = overriding(SecureCookieSessionInterface, names, calls)()
    app.add_url_rule("/", "index", lambda: session.update(user="ada") or "hello")
    app.test_client().get("/")
    assert calls == ["open_session", "get_signing_serializer", "make_null_session", "is_null_session"]
    calls.clear()
    app.secret_key = "key"
    app.test_client().get("/")
    assert calls[:2] == ["open_session", "get_signing_serializer"]
    assert calls[2] == "is_null_session"
    assert sorted(calls[3:]) == sorted({*names} - {"open_session", "is_null_session", "make_null_session"})


def test_request_context_class_is_used() -> None:
    class Context(schlenk.ctx.RequestContext):
        pass

    class Other(Flask):
        def request_context(self, environ: dict[str, Any]) -> Context:
            return Context(self, environ)

    app = Other("other")
    app.add_url_rule("/", "index", lambda: type(_request_ctx_stack.top).__name__)
    assert app.test_client().get("/").data == b"Context"


def test_context_class_is_used() -> None:
    class Context(schlenk.ctx.AppContext):
        pass

    class Other(Flask):
        def app_context(self) -> Context:
            return Context(self)

    app = Other("other")
    app.add_url_rule("/", "index", lambda: type(_app_ctx_stack.top).__name__)
    assert app.test_client().get("/").data == b"Context"


def test_dispatch_request_can_be_overridden() -> None:
    class Shouting(Flask):
        def dispatch_request(self) -> str:
            return super().dispatch_request().upper()

    app = Shouting("shouting")
    app.add_url_rule("/", "index", lambda: "hello")
    assert app.test_client().get("/").data == b"HELLO"


def test_ignored_error_skips_teardown(steps: list[str]) -> None:
    class Ignoring(Flask):
        def should_ignore_error(self, error: BaseException | None) -> bool:
            return isinstance(error, ZeroDivisionError)

    app = Ignoring("ignoring")
    app.testing = True
    app.teardown_request(lambda error: steps.append(name_of(error)))
    app.add_url_rule("/ignored", "ignored", lambda: 1 / 0)
    app.add_url_rule("/other", "other", lambda: [][0])
    for path, error in [("/ignored", ZeroDivisionError), ("/other", IndexError)]:
        with pytest.raises(error):
            app.test_client().get(path)
    assert steps == ["without error", "after IndexError"]


def test_no_error_is_ignored_by_default() -> None:
    assert Flask("strict").should_ignore_error(ZeroDivisionError()) is False


def test_preprocess_request_returns_response() -> None:
    app = Flask("asking")
    app.before_request(lambda: request.args.get("answer"))
    answers = []
    for query in ("", "answer=early"):
        with app.test_request_context(f"/?{query}"):
            answers.append(app.preprocess_request())
    assert answers == [None, "early"]


def test_request_can_be_torn_down_by_hand(app: Flask, steps: list[str]) -> None:
    with app.test_request_context():
        app.do_teardown_request(KeyError())
        app.do_teardown_appcontext(KeyError())
        assert steps == ["teardown_request after KeyError", "teardown_appcontext after KeyError"]


def test_manual_teardown_gets_handled_error(app: Flask, steps: list[str]) -> None:
    with app.test_request_context():
        try:
            raise KeyError
        except KeyError:
            app.do_teardown_request()
            app.do_teardown_appcontext()
        app.do_teardown_request()
        app.do_teardown_appcontext()
        assert steps == [
            "teardown_request after KeyError",
            "teardown_appcontext after KeyError",
            "teardown_request without error",
            "teardown_appcontext without error",
        ]


def test_manual_teardown_gets_equal_error(app: Flask, steps: list[str]) -> None:
    class Equal(Exception):
        def __eq__(self, other: object) -> bool:
            return True

    with app.test_request_context():
        app.do_teardown_request(Equal())
        app.do_teardown_appcontext(Equal())
        assert steps == ["teardown_request after Equal", "teardown_appcontext after Equal"]


def test_manual_teardown_requires_request(app: Flask, steps: list[str]) -> None:
    with app.app_context():
        with pytest.raises(AttributeError, match="request"):
            app.do_teardown_request()
        assert steps == []


def test_steps_work_by_hand(app: Flask, steps: list[str]) -> None:
    with app.test_request_context("/user/ada"):
        app.try_trigger_before_first_request_functions()
        assert app.preprocess_request() is None
        response = app.finalize_request(app.dispatch_request())
        assert steps[-2:] == ["view ada", "after_request 200"]
        assert response.get_data() == b"ada"


# Errors


def fail_in_the_view(app: Flask) -> None:
    app.view_functions["index"] = fail


def fail_in_a_handler(app: Flask) -> None:
    app.view_functions["index"] = lambda: [][0]
    app.register_error_handler(IndexError, fail)


def fail_in_the_handler_of_500(app: Flask) -> None:
    app.view_functions["index"] = lambda: [][0]
    app.register_error_handler(500, fail)


def fail_after_this_request(app: Flask) -> None:
    app.before_request(lambda: after_this_request(fail) and None)


def fail_in_the_answer_to_an_error(app: Flask) -> None:
    fail_in_the_view(app)
    app.after_request(fail)


def fail_to_open_the_session(app: Flask) -> None:
    app.session_interface = type("Failing", (SecureCookieSessionInterface,), {"open_session": fail})()


def fail_to_save_the_session(app: Flask) -> None:
    app.secret_key = "key"
    app.session_interface = type("Failing", (SecureCookieSessionInterface,), {"save_session": fail})()


def fail_in(signal: str) -> Callable[[Flask], Any]:
    # The application keeps a reference, because blinker holds receivers weakly.
    return lambda app: getattr(schlenk, signal).connect(app.extensions.setdefault(signal, lambda *a, **kw: fail()), app)


BEFORE = ["before_first_request", "preprocessor index {}", "before_request"]
TORN_DOWN = ["teardown_request after ZeroDivisionError", "teardown_appcontext after ZeroDivisionError"]
UNAWARE = ["teardown_request without error", "teardown_appcontext without error"]


@pytest.mark.parametrize(
    ("break_it", "ran"),
    [
        (lambda app: app.before_first_request(fail), [*BEFORE[:1], "after_request 500", *TORN_DOWN]),
        (lambda app: app.url_value_preprocessor(fail), [*BEFORE[:2], "after_request 500", *TORN_DOWN]),
        (lambda app: app.before_request(fail), [*BEFORE, "after_request 500", *TORN_DOWN]),
        (fail_in_the_view, [*BEFORE, "after_request 500", *TORN_DOWN]),
        (fail_in_a_handler, [*BEFORE, "after_request 500", *TORN_DOWN]),
        (fail_after_this_request, [*BEFORE, "view", *TORN_DOWN]),
        (lambda app: app.after_request(fail), [*BEFORE, "view", *TORN_DOWN]),
        (fail_to_save_the_session, [*BEFORE, "view", "after_request 200", "after_request 500", *TORN_DOWN]),
        (fail_in_the_answer_to_an_error, [*BEFORE, *TORN_DOWN]),
    ],
    ids=[
        "before_first_request", "url_value_preprocessor", "before_request", "view", "error handler",
        "after_this_request", "after_request", "save_session", "answer to an error",
    ],
)  # fmt: skip
def test_error_runs_hooks(app: Flask, steps: list[str], break_it: Callable[[Flask], Any], ran: list[str]) -> None:
    break_it(app)
    assert app.test_client().get("/").status_code == 500
    assert steps == ran


@needs_blinker
@pytest.mark.parametrize(
    ("signal", "ran"),
    [
        ("request_started", [*BEFORE[:1], "after_request 500", *TORN_DOWN]),
        ("request_finished", [*BEFORE, "view", "after_request 200", "after_request 500", *TORN_DOWN]),
    ],
)
def test_receiver_error_gets_500(app: Flask, steps: list[str], signal: str, ran: list[str]) -> None:
    fail_in(signal)(app)
    assert app.test_client().get("/").status_code == 500
    assert steps == ran


@pytest.mark.parametrize(
    ("break_it", "ran"),
    [
        (
            fail_in_the_handler_of_500,
            [*BEFORE, "teardown_request after IndexError", "teardown_appcontext after IndexError"],
        ),
        (lambda app: app.teardown_request(fail), [*BEFORE, "view", "after_request 200", UNAWARE[1]]),
        (lambda app: app.teardown_appcontext(fail), [*BEFORE, "view", "after_request 200", UNAWARE[0]]),
        pytest.param(
            lambda app: (fail_in_the_view(app), fail_in("got_request_exception")(app)), [*BEFORE, *TORN_DOWN],
            marks=needs_blinker,
        ),
        pytest.param(
            fail_in("request_tearing_down"), [*BEFORE, "view", "after_request 200", *UNAWARE], marks=needs_blinker
        ),
        pytest.param(
            fail_in("appcontext_tearing_down"), [*BEFORE, "view", "after_request 200", *UNAWARE], marks=needs_blinker
        ),
        pytest.param(
            fail_in("appcontext_popped"), [*BEFORE, "view", "after_request 200", *UNAWARE], marks=needs_blinker
        ),
        pytest.param(fail_in("appcontext_pushed"), [], marks=needs_blinker),
    ],
    ids=[
        "handler of 500", "teardown_request", "teardown_appcontext", "got_request_exception", "request_tearing_down",
        "appcontext_tearing_down", "appcontext_popped", "appcontext_pushed",
    ],
)  # fmt: skip
def test_unanswerable_error_propagates(
    app: Flask, steps: list[str], break_it: Callable[[Flask], Any], ran: list[str]
) -> None:
    break_it(app)
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/")
    assert steps == ran


def test_unopened_session_skips_early_hooks(app: Flask, steps: list[str]) -> None:
    fail_to_open_the_session(app)
    assert app.test_client().get("/").status_code == 500
    assert steps == ["after_request 500", *TORN_DOWN]


@needs_blinker
def test_error_signal_needs_no_context(app: Flask) -> None:
    told: list[tuple[Flask, Exception]] = []

    def receive(sender: Flask, exception: Exception) -> None:
        told.append((sender, exception))

    fail_in("appcontext_pushed")(app)
    with schlenk.got_request_exception.connected_to(receive), pytest.raises(ZeroDivisionError) as raised:
        app.test_client().get("/")
    assert told == [(app, raised.value)]


def test_failed_request_does_not_affect_next(app: Flask, steps: list[str]) -> None:
    client = app.test_client()
    client.get("/fails")
    steps.clear()
    client.get("/")
    assert steps == [*BEFORE[1:], "view", "after_request 200", *UNAWARE]


def test_teardown_sees_no_handled_error(app: Flask, steps: list[str]) -> None:
    app.register_error_handler(ZeroDivisionError, lambda error: ("handled", 418))
    app.test_client().get("/fails")
    assert steps == [*BEFORE[:1], "preprocessor fails {}", "before_request", "view", "after_request 418", *UNAWARE]


def test_base_exception_skips_to_teardown(app: Flask, steps: list[str]) -> None:
    @app.errorhandler(500)
    @app.errorhandler(Exception)
    def never(error: Exception) -> str:
        raise AssertionError("handlers are for exceptions")

    def crash() -> None:
        raise Crash

    app.view_functions["index"] = crash
    with pytest.raises(Crash):
        app.test_client().get("/")
    assert steps == [*BEFORE, "teardown_request after Crash", "teardown_appcontext after Crash"]


def test_preserved_context_keeps_own_error(app: Flask, steps: list[str]) -> None:
    app.config["PRESERVE_CONTEXT_ON_EXCEPTION"] = True
    app.test_client().get("/fails")
    assert steps[-1] == "after_request 500"
    assert _request_ctx_stack.top.preserved is True
    steps.clear()
    app.test_client().get("/")
    assert steps == [*TORN_DOWN, *BEFORE[1:], "view", "after_request 200", *UNAWARE]


def test_nested_request_leaves_outer_alone(app: Flask) -> None:
    other = Flask("other")
    other.add_url_rule("/inner", "inner", lambda: f"{current_app.name} {request.path}")

    @app.route("/outer")
    def outer() -> str:
        g.user = "ada"
        inner = other.test_client().get("/inner").get_data(as_text=True)
        return f"{inner}, {current_app.name} {request.path} {g.user}"

    assert app.test_client().get("/outer").data == b"other /inner, shop /outer ada"


@pytest.fixture
def leaving() -> Flask:
    """An application with views that succeed, fail, redirect, and stream."""
    app = Flask("leaving")
    app.logger.disabled = True
    app.add_url_rule("/answered", "answered", lambda: "answered")
    app.add_url_rule("/slash/", "slash", lambda: "slash")
    app.add_url_rule("/redirected", "redirected", lambda: schlenk.redirect("/"))
    app.add_url_rule("/aborted", "aborted", lambda: schlenk.abort(418))
    app.add_url_rule("/failed", "failed", lambda: 1 // 0)
    app.add_url_rule("/handled", "handled", lambda: {}["no such key"])
    app.register_error_handler(LookupError, lambda error: ("handled", 404))
    return app


@pytest.fixture
def no_collections() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.disable()
    yield
    if collecting:
        gc.enable()


def begin(app: Flask, path: str, method: str) -> tuple[weakref.ref[Any], list[str]]:
    """Make a request and return a weak reference to its context, and the list that receives the status."""
    contexts: list[weakref.ref[Any]] = []
    app.before_request_funcs[None] = [lambda: contexts.append(weakref.ref(_request_ctx_stack.top))]
    answers: list[str] = []
    with suppress(ZeroDivisionError):
        body = app(create_environ(path, method=method), lambda status, headers: answers.append(status[:3]))  # type: ignore[arg-type, return-value]
        body.close()  # type: ignore[attr-defined]
    return contexts[0], answers


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/answered", "GET", "200"),
        ("/slash", "GET", "308"),
        ("/redirected", "GET", "302"),
        ("/aborted", "GET", "418"),
        ("/failed", "GET", "500"),
        ("/handled", "GET", "404"),
        ("/nowhere", "GET", "404"),
        ("/answered", "POST", "405"),
    ],
)
def test_request_is_freed(leaving: Flask, path: str, method: str, status: str) -> None:
    context, answers = begin(leaving, path, method)
    assert context() is None
    assert answers == [status]


@pytest.mark.usefixtures("no_collections")
def test_failed_request_is_freed(leaving: Flask) -> None:
    leaving.config["PROPAGATE_EXCEPTIONS"] = True
    context, answers = begin(leaving, "/failed", "GET")
    assert context() is None
    assert answers == []


@pytest.mark.usefixtures("no_collections")
def test_failed_request_with_leak_is_freed(leaving: Flask) -> None:
    leaving.view_functions["failed"] = lambda: [Flask("other").app_context().push(), 1 // 0]
    context, _ = begin(leaving, "/failed", "GET")
    assert context() is None


@pytest.mark.usefixtures("no_collections")
def test_failed_teardown_is_freed(leaving: Flask) -> None:
    leaving.teardown_request(lambda error: 1 // 0)
    context, answers = begin(leaving, "/failed", "GET")
    assert context() is None
    assert answers == ["500"]


def test_routing_error_keeps_traceback(leaving: Flask) -> None:
    leaving.config.update(TRAP_HTTP_EXCEPTIONS=True)
    kept = []
    leaving.teardown_appcontext(lambda error: kept.append(error and error.__traceback__))
    leaving.test_client().get("/nowhere")
    assert isinstance(kept[0], types.TracebackType)


def test_routing_error_is_kept_for_stream(leaving: Flask) -> None:
    leaving.register_error_handler(
        404, lambda error: Response(schlenk.stream_with_context(repr(request.routing_exception) for _ in range(1)))
    )
    assert leaving.test_client().get("/nowhere").data == b"<NotFound '404: Not Found'>"


def test_raised_routing_error_is_traced(leaving: Flask) -> None:
    leaving.config.update(TRAP_HTTP_EXCEPTIONS=True, PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(NotFound) as caught:
        leaving.test_client().get("/nowhere")
    assert "raise_routing_exception" in [entry.name for entry in caught.traceback]
