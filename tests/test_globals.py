"""The two context stacks, and the global proxies to the contexts on top."""

from __future__ import annotations

import contextlib
import copyreg
import inspect
import pickle
import sqlite3
import threading
from typing import Any
from unittest import mock

import pytest

import schlenk
import schlenk.app
from schlenk import (
    Flask,
    LocalProxy,
    current_app,
    g,
    get_ident,
    has_app_context,
    has_request_context,
    request,
    session,
)
from schlenk.globals import (
    _app_ctx_stack,
    _find_app,
    _lookup_app_object,
    _lookup_req_object,
    _request_ctx_stack,
)
from schlenk.local import Local, LocalStack
from schlenk.testing import FlaskClient
from tests.support.execution import in_greenlet, in_thread
from tests.support.programs import without

NAMES = ["current_app", "g", "request", "session"]
GLOBALS: list[Any] = [current_app, g, request, session]


def keyed(name: str) -> Flask:
    app = Flask(name)
    app.secret_key = "for tests only"
    return app


# --- Targets


def test_current_app_reads_app_context(app: Flask) -> None:
    with app.app_context():
        assert current_app._get_current_object() is _find_app() is app


def test_g_reads_app_context(app: Flask) -> None:
    with app.app_context() as context:
        assert g._get_current_object() is context.g


def test_request_reads_request_context(app: Flask) -> None:
    with app.test_request_context("/page") as context:
        assert request._get_current_object() is context.request
        assert request.path == "/page"


def test_session_reads_request_context(app: Flask) -> None:
    with app.test_request_context() as context:
        assert session._get_current_object() is context.session


def test_request_context_lookup_by_name(app: Flask) -> None:
    with app.test_request_context() as context:
        assert _lookup_req_object("url_adapter") is context.url_adapter


def test_app_lookup_by_name(app: Flask) -> None:
    with app.app_context() as context:
        assert _lookup_app_object("app") is context.app


def test_current_app_ignores_request_app(app: Flask) -> None:
    other = Flask("other")
    with app.test_request_context("/page"), other.app_context():
        assert current_app.name == "other"
        assert request.path == "/page"


def test_globals_follow_stack(app: Flask) -> None:
    other = Flask("other")
    with app.test_request_context("/outer"):
        g.depth = 1
        with other.test_request_context("/inner"):
            assert current_app.name == "other"
            assert request.path == "/inner"
            assert "depth" not in g
        assert current_app.name == "shop"
        assert request.path == "/outer"
        assert "depth" in g


@pytest.mark.parametrize("proxy", GLOBALS, ids=NAMES)
def test_attribute_reads_top(proxy: Any) -> None:
    with keyed("lower").test_request_context():
        proxy.mark = "lower"
        with keyed("upper").test_request_context():
            proxy.mark = "upper"
            assert proxy.mark == "upper"
        assert proxy.mark == "lower"


def test_setting_changes_object(app: Flask) -> None:
    with app.test_request_context() as context:
        request.mark = "request"
        session["mark"] = "session"
        g.mark = "g"
        assert context.request.mark == "request"
        assert context.session["mark"] == "session"
        assert context.g.mark == "g"


def test_globals_are_same_in_all_modules() -> None:
    for name in NAMES:
        assert vars(schlenk)[name] is vars(schlenk.app)[name] is vars(schlenk.globals)[name]


def test_stacks_are_exported() -> None:
    assert schlenk._request_ctx_stack is _request_ctx_stack
    assert schlenk._app_ctx_stack is _app_ctx_stack


# --- Outside a context


@pytest.mark.parametrize("use", [lambda: request.path, lambda: session["user"], lambda: _lookup_req_object("request")])
def test_outside_request_error_explains(app: Flask, use: Any) -> None:
    with app.app_context(), pytest.raises(RuntimeError, match=r"outside of request context.*test_request_context"):
        use()


@pytest.mark.parametrize("advice", ["copy_current_request_context()", "request._get_current_object()"])
@pytest.mark.parametrize("use", [lambda: request.path, lambda: session["user"]])
def test_request_in_thread_error_helps(app: Flask, use: Any, advice: str) -> None:
    with app.test_request_context(), pytest.raises(RuntimeError) as raised:
        in_thread(use)
    assert advice in str(raised.value)


@pytest.mark.parametrize("advice", ["app = current_app._get_current_object()", "`with app.app_context():`"])
@pytest.mark.parametrize("use", [lambda: current_app.name, lambda: g.user])
def test_thread_error_helps(app: Flask, use: Any, advice: str) -> None:
    with app.app_context(), pytest.raises(RuntimeError) as raised:
        in_thread(use)
    assert advice in str(raised.value)


@pytest.mark.parametrize("use", [lambda: current_app.name, lambda: g.user, lambda: _lookup_app_object("g"), _find_app])
def test_outside_app_explains(use: Any) -> None:
    with pytest.raises(RuntimeError, match=r"outside of application context.*app_context"):
        use()


@pytest.mark.parametrize("proxy", GLOBALS, ids=NAMES)
def test_outside_context_reading_raises(proxy: Any) -> None:
    with pytest.raises(RuntimeError, match="Working outside"):
        proxy.name  # noqa: B018


@pytest.mark.parametrize("proxy", GLOBALS, ids=NAMES)
def test_outside_context_setting_raises(proxy: Any) -> None:
    with pytest.raises(RuntimeError, match="Working outside"):
        proxy.name = "name"


@pytest.mark.parametrize("proxy", GLOBALS, ids=NAMES)
def test_outside_context_global_is_false(proxy: Any) -> None:
    assert repr(proxy) == "<LocalProxy unbound>"
    assert not proxy


@pytest.mark.parametrize("held", [[None], []], ids=["None on top", "an emptied list"])
@pytest.mark.parametrize("proxy", GLOBALS, ids=NAMES)
def test_stack_without_context_is_outside(proxy: Any, held: list[None]) -> None:
    for stack in (_request_ctx_stack, _app_ctx_stack):
        stack._local.stack = held
    try:
        with pytest.raises(RuntimeError, match="Working outside"):
            proxy.name  # noqa: B018
        with pytest.raises(RuntimeError, match="Working outside"):
            proxy.name = "name"
        assert bool(proxy) is False
        assert has_request_context() is False
        assert has_app_context() is False
    finally:
        for stack in (_request_ctx_stack, _app_ctx_stack):
            stack.pop()


# --- The proxies


@pytest.mark.parametrize("proxy", GLOBALS, ids=NAMES)
def test_global_is_a_proxy(proxy: Any) -> None:
    assert isinstance(proxy, LocalProxy)
    kind = type(proxy)
    assert kind.__name__ == "LocalProxy"
    assert kind.__module__ == LocalProxy.__module__
    assert kind.__doc__ == LocalProxy.__doc__


@pytest.mark.parametrize("proxy", GLOBALS, ids=NAMES)
def test_attribute_set_on_proxy_is_found(proxy: Any) -> None:
    object.__setattr__(proxy, "mark", "proxy")
    assert proxy.mark == "proxy"
    object.__delattr__(proxy, "mark")


@pytest.mark.parametrize("proxy", GLOBALS, ids=NAMES)
def test_missing_attribute_raises(app: Flask, proxy: Any) -> None:
    with app.test_request_context(), pytest.raises(AttributeError, match="missing"):
        proxy.missing  # noqa: B018


# --- Threads and greenlets


def test_globals_use_custom_ident(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = ["first"]
    for stack in (_request_ctx_stack, _app_ctx_stack):
        monkeypatch.setattr(stack, "__ident_func__", lambda: owner[0])
    with app.test_request_context("/first"):
        g.mark = session["mark"] = 1
        owner[0] = "second"
        assert [bool(proxy) for proxy in GLOBALS] == [False] * 4
        with keyed("other").test_request_context("/second"):
            g.mark = session["mark"] = 2
            assert current_app.name == "other"
            assert request.path == "/second"
            assert g.mark == 2
            assert session["mark"] == 2
        owner[0] = "first"
        assert current_app.name == "shop"
        assert request.path == "/first"
        assert g.mark == 1
        assert session["mark"] == 1


def test_globals_follow_replaced_local(app: Flask) -> None:
    stacks = (_request_ctx_stack, _app_ctx_stack)
    locals = [stack._local for stack in stacks]
    with app.test_request_context("/page"):
        g.user = "ada"
        for stack in stacks:
            stack._local = Local()
        assert not any(map(bool, GLOBALS))
        for stack, local in zip(stacks, locals):
            stack._local = local
        assert request.path == "/page"
        assert g.user == "ada"


@pytest.mark.parametrize("how", [{}, {"spec": True}, {"spec_set": True}, {"autospec": True}])
@pytest.mark.parametrize("name", NAMES)
def test_global_is_patched_outside_context(name: str, how: Any) -> None:
    with mock.patch(f"schlenk.globals.{name}", **how) as replaced:
        assert type(replaced).__name__ == "MagicMock"


@pytest.mark.parametrize("name", NAMES)
def test_global_is_patched_inside_context(app: Flask, name: str) -> None:
    with app.test_request_context(), mock.patch(f"schlenk.globals.{name}") as replaced:
        assert type(replaced).__name__ == "MagicMock"
        assert not inspect.iscoroutinefunction(replaced.is_admin)


def test_globals_follow_replaced_stack(app: Flask) -> None:
    stack: LocalStack[Any] = LocalStack()
    stack.push(app.test_request_context("/page"))
    with mock.patch("schlenk.globals._request_ctx_stack", stack):
        assert request.path == "/page"
        assert dict(request.args) == {}
        request.extra = 1  # type: ignore[attr-defined]
        assert stack.top.request.extra == 1


def test_globals_follow_mock() -> None:
    with mock.patch("schlenk.globals._app_ctx_stack") as stack:
        stack.top.g.user = "ada"
        assert g.user == "ada"


def test_registry_needs_type() -> None:
    with mock.patch.dict(copyreg.dispatch_table):
        copyreg.pickle(LocalProxy, lambda proxy: (str, ("g",)))
        with pytest.raises(TypeError, match="_get_current_object"):
            pickle.dumps(g)
        copyreg.pickle(type(g), lambda proxy: (str, ("g",)))
        assert pickle.loads(pickle.dumps(g)) == "g"


def test_sqlite_adapts_by_the_proxys_type(app: Flask) -> None:
    with mock.patch.dict(sqlite3.adapters), contextlib.closing(sqlite3.connect(":memory:")) as database:
        sqlite3.register_adapter(type(request), lambda proxy: proxy.path)
        with app.test_request_context("/page"):
            assert database.execute("SELECT ?", (request,)).fetchone() == ("/page",)


def test_patch_of_globals_class_is_unused(app: Flask) -> None:
    with app.test_request_context("/page"):
        with mock.patch.object(type(request), "_get_current_object", return_value="replaced"):
            assert request.path == "/page"
            assert str(request) != "replaced"


class Substitute:
    """Replaces a Local, with only the attributes that a stack needs."""

    def __init__(self, *stack: Any) -> None:
        self.stack = list(stack)

    def __release_local__(self) -> None:
        del self.stack

    def __ident_func__(self) -> int:
        return 1


@pytest.mark.parametrize("spec", [None, Local], ids=["any", "Local"])
def test_globals_follow_local(app: Flask, spec: Any) -> None:
    with app.test_request_context("/page"):
        context = _request_ctx_stack.top
        with mock.patch.object(_request_ctx_stack, "_local", mock.MagicMock(spec)) as local:
            local.stack = [mock.Mock(request=mock.Mock(path="/mocked"))]
            assert request.path == "/mocked"
            assert has_request_context()
        assert _request_ctx_stack.top is context
        assert request.path == "/page"


def test_app_globals_follow_mocked_local(app: Flask) -> None:
    with app.app_context(), mock.patch.object(_app_ctx_stack, "_local") as local:
        local.stack.__getitem__.return_value.app.name = "mocked"
        assert current_app.name == "mocked"
    assert not has_app_context()


def test_requests_push_onto_plain_object(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/page", "page", lambda: f"{len(_request_ctx_stack._local.stack)} {request.path}")
    lowest: Any = mock.Mock(preserved=False)
    with mock.patch.object(_request_ctx_stack, "_local", Substitute(lowest)):
        assert client.get("/page").text == "2 /page"
        assert _request_ctx_stack.snapshot() == {None: [lowest]}
        assert _request_ctx_stack.withdraw(lowest)
        assert not hasattr(_request_ctx_stack._local, "stack")
        assert client.get("/page").text == "1 /page"
        assert _request_ctx_stack.snapshot() == {}


def test_plain_object_may_lack_a_stack() -> None:
    with mock.patch.object(_request_ctx_stack, "_local", object()):
        assert not request
        assert _request_ctx_stack.pop() is None


def test_pop_calls_pop_of_mocked_stack() -> None:
    with mock.patch.object(_request_ctx_stack, "_local") as local:
        _request_ctx_stack.pop()
    local.stack.pop.assert_called_once_with()


def test_ident_function_of_plain_object() -> None:
    with mock.patch.object(_request_ctx_stack, "_local", Substitute()) as local:
        assert _request_ctx_stack.__ident_func__() == 1
        _request_ctx_stack.__ident_func__ = get_ident
        assert local.__ident_func__ is get_ident


def test_replaced_stack_comes_after_context(app: Flask) -> None:
    with app.test_request_context("/page"), mock.patch("schlenk.globals._request_ctx_stack", LocalStack()):
        assert request.path == "/page"


@pytest.mark.parametrize("elsewhere", [in_thread, in_greenlet])
def test_contexts_are_invisible_elsewhere(app: Flask, elsewhere: Any) -> None:
    with app.test_request_context():
        assert elsewhere(lambda: (bool(request), bool(current_app))) == (False, False)


def test_threads_serve_at_once(app: Flask) -> None:
    together = threading.Barrier(10, timeout=30)

    @app.route("/<int:number>")
    def view(number: int) -> str:
        g.number = session["number"] = number
        together.wait()
        return f"{request.path} {g.number} {session['number']}"

    answers = {}

    def work(number: int) -> None:
        answers[number] = app.test_client().get(f"/{number}").get_data(as_text=True)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"/{number} {number} {number}" for number in range(10)}


def test_greenlets_take_turns(app: Flask) -> None:
    greenlet = pytest.importorskip("greenlet")

    @app.route("/<name>")
    def view(name: str) -> str:
        g.name = name
        greenlet.getcurrent().parent.switch()
        return f"{request.path} {g.name}"

    def work(path: str) -> str:
        return app.test_client().get(path).get_data(as_text=True)

    first, second = greenlet.greenlet(work), greenlet.greenlet(work)
    first.switch("/ada")
    second.switch("/grace")
    assert first.switch() == "/ada ada"
    assert second.switch() == "/grace grace"


def test_threads_serve_without_greenlet() -> None:
    without(
        "greenlet",
        """
        import threading
        from schlenk import Flask, g, request
        from schlenk.globals import _app_ctx_stack, _request_ctx_stack
        app, together, answers = Flask("threads"), threading.Barrier(4, timeout=30), {}

        @app.route("/<int:number>")
        def view(number):
            g.number = number
            together.wait()
            idents = _request_ctx_stack._local.__storage__.keys() & _app_ctx_stack._local.__storage__.keys()
            assert threading.get_ident() in idents
            return f"{request.path} {g.number}"

        def work(number):
            answers[number] = app.test_client().get(f"/{number}").get_data(as_text=True)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == {number: f"/{number} {number}" for number in range(4)}, answers
        assert _request_ctx_stack._local.__storage__ == _app_ctx_stack._local.__storage__ == {}
        """,
    )


def test_storage_is_empty_after_request(app: Flask) -> None:
    during = []

    @app.route("/")
    def view() -> str:
        for stack in (_request_ctx_stack, _app_ctx_stack):
            during.append(stack._local.__storage__ == {get_ident(): {"stack": [stack.top]}})
        return ""

    app.test_client().get("/")
    assert during == [True, True]
    assert _request_ctx_stack._local.__storage__ == _app_ctx_stack._local.__storage__ == {}
