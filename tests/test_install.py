"""schlenk installed under Flask and as Flask. Each test runs in an interpreter of its own."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.programs import AS, UNDER, refused, run, under
from tests.support.requirements import needs_flask


def indented(lines: str) -> str:
    """Fit lines into a program that is indented by eight."""
    return lines.strip().replace("\n", "\n" + 8 * " ")


# --- The names


@needs_flask
def test_flask_has_the_stacks() -> None:
    under("""
        from flask import globals
        for name in ("_request_ctx_stack", "_app_ctx_stack"):
            assert getattr(flask, name) is getattr(globals, name) is getattr(schlenk, name)
            assert isinstance(getattr(flask, name), schlenk.LocalStack)
    """)


@needs_flask
def test_readme_example_runs() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    example = readme.split("```text\n")[1].split("```")[0]
    run(example, "import flask, schlenk; assert flask._request_ctx_stack is _request_ctx_stack")
    assert "schlenk.install_under_flask()" in example


@needs_flask
def test_proxies_without_context_are_false() -> None:
    under("""
        proxies = [flask.current_app, flask.g, flask.request, flask.session]
        assert [bool(proxy) for proxy in proxies] == [False] * 4
        with app.test_request_context():
            assert [bool(proxy) for proxy in proxies] == [True, True, True, False]
    """)


@needs_flask
def test_truth_value_raises_its_own_error() -> None:
    refused(
        "RuntimeError: odd",
        UNDER,
        """
        from flask import Flask, session, _request_ctx_stack
        class Odd:
            def __bool__(self):
                raise RuntimeError("odd")
        with Flask("shop").test_request_context():
            _request_ctx_stack.top._session = Odd()
            bool(session)
        """,
    )


@needs_flask
def test_proxies_have_items() -> None:
    under("""
        with app.test_request_context():
            session["a"] = 1
            assert session["a"] == 1
    """)


@needs_flask
def test_item_outside_of_context_is_refused() -> None:
    under("""
        try:
            session["a"]
        except RuntimeError as error:
            assert "outside of request context" in str(error)
        else:
            raise SystemExit("not refused")
    """)


@needs_flask
def test_no_iteration_outside() -> None:
    under("""
        try:
            iter(session)
        except TypeError as error:
            assert str(error) == "'LocalProxy' object is not iterable"
        else:
            raise SystemExit("not refused")
        with app.test_request_context():
            session["a"] = 1
            assert list(session) == ["a"]
    """)


@needs_flask
def test_proxies_have_the_documentation() -> None:
    under("""
        from werkzeug.local import LocalProxy
        assert request.__doc__ == LocalProxy.__doc__
        with app.test_request_context():
            assert request.__doc__ == flask.Request.__doc__
    """)


@needs_flask
def test_stacks_hold_contexts() -> None:
    under("""
        with app.test_request_context("/basket") as context:
            assert _request_ctx_stack.top is context is flask.globals._cv_request.get()
            assert type(context).__module__ == "flask.ctx"
            ident = _request_ctx_stack.__ident_func__()
            assert _request_ctx_stack._local.__storage__ == {ident: {"stack": [context]}}
            assert _request_ctx_stack().request is context.request
            assert _app_ctx_stack.top.app is app
        assert _request_ctx_stack._local.__storage__ == _app_ctx_stack._local.__storage__ == {}
    """)


@needs_flask
def test_lookup_functions_read_the_top() -> None:
    under("""
        from flask.globals import _find_app, _lookup_app_object, _lookup_req_object
        with app.test_request_context("/"):
            assert _find_app() is app
            assert _lookup_req_object("request") is request._get_current_object()
            assert _lookup_app_object("g") is g._get_current_object()
    """)


@needs_flask
@pytest.mark.parametrize("read", ["_find_app()", "_lookup_app_object('g')", "current_app.name", "g.x", "app_ctx.app"])
def test_no_app_message_is_flasks(read: str) -> None:
    under(f"""
        from flask.globals import *
        from flask.globals import _find_app, _lookup_app_object, _no_app_msg, app_ctx
        try:
            {read}
        except RuntimeError as error:
            assert str(error) == _no_app_msg
        else:
            raise AssertionError
    """)


@needs_flask
@pytest.mark.parametrize("read", ["_lookup_req_object('request')", "request.method", "session['x']", "session.x"])
def test_no_request_raises_flasks_message(read: str) -> None:
    under(f"""
        from flask.globals import _lookup_req_object, _no_req_msg
        try:
            {read}
        except RuntimeError as error:
            assert str(error) == _no_req_msg
        else:
            raise AssertionError
    """)


@needs_flask
def test_writing_g_outside_raises() -> None:
    under("""
        try:
            g.x = 1
        except RuntimeError as error:
            assert str(error) == flask.globals._no_app_msg
        else:
            raise AssertionError
        with app.app_context():
            g.x = 1
            assert g.x == 1
    """)


@needs_flask
def test_proxies_are_werkzeugs() -> None:
    under("""
        from werkzeug.local import LocalProxy
        assert isinstance(request, LocalProxy)
        with app.app_context():
            assert isinstance(current_app, Flask)
    """)


@needs_flask
def test_proxies_class_reads_attributes() -> None:
    under("""
        with app.test_request_context("/basket"):
            assert type(request).__getattribute__(request, "path") == "/basket"
            assert type(request).__getattribute__(request, "__class__") is flask.Request
    """)


# --- The variables


@needs_flask
def test_pop_in_copy_is_refused_as_by_flask() -> None:
    under("""
        context = app.app_context()
        context.push()
        try:
            contextvars.copy_context().run(context.pop)
        except ValueError as error:
            assert "different Context" in str(error)
        else:
            raise AssertionError
    """)


@needs_flask
def test_variable_without_a_context_raises() -> None:
    under("""
        from flask.globals import _cv_app
        assert _cv_app.get(None) is None
        try:
            _cv_app.get()
        except LookupError as error:
            assert "flask.app_ctx" in str(error)
        else:
            raise AssertionError
    """)


@needs_flask
def test_token_is_used_only_once() -> None:
    under("""
        from flask.globals import _cv_app
        token = _cv_app.set("context")
        _cv_app.reset(token)
        try:
            _cv_app.reset(token)
        except RuntimeError:
            pass
        else:
            raise AssertionError
        assert _cv_app.get(None) is None
    """)


@needs_flask
def test_errors_for_tokens_name_variables() -> None:
    under("""
        from flask.globals import _cv_app, _cv_request
        def error(variable, token):
            try:
                variable.reset(token)
            except (RuntimeError, ValueError) as error:
                return str(error)
        app_token, request_token = _cv_app.set("app"), _cv_request.set("request")
        assert "name='flask.app_ctx'" in error(_cv_request, app_token)
        assert "name='flask.app_ctx'" in contextvars.copy_context().run(error, _cv_app, app_token)
        _cv_request.reset(request_token)
        assert "name='flask.request_ctx'" in error(_cv_request, request_token)
    """)


@needs_flask
def test_stack_pops_its_top() -> None:
    under("""
        assert _app_ctx_stack.pop() is None
        assert _app_ctx_stack.push("lower") == ["lower"]
        assert _app_ctx_stack.push("upper") == ["lower", "upper"]
        assert (_app_ctx_stack.pop(), _app_ctx_stack.pop(), _app_ctx_stack.pop()) == ("upper", "lower", None)
    """)


@needs_flask
def test_stack_discards_top_only() -> None:
    under(
        """
        stack = flask._request_ctx_stack
        stack.push(1)
        assert not stack.discard(2)
        assert stack.discard(1)
        assert stack.top is None
        """
    )


@needs_flask
def test_leaving_out_of_order_is_recovered() -> None:
    under("""
        own = schlenk.Flask("own")
        lower, upper = own.app_context(), own.app_context()
        lower.push(), upper.push()
        try:
            with own.app_context() as top:
                upper.push()
        except AssertionError:
            pass
        else:
            raise AssertionError
    """)


@needs_flask
def test_listed_context_knows_its_push() -> None:
    under("""
        import time
        with app.app_context() as context:
            _app_ctx_stack.snapshot_by_runner()
            assert 0 <= time.monotonic() - context.pushed_at < 60
            assert context.pushed_by == threading.get_ident()
    """)


@needs_flask
def test_listing_keeps_time_of_own_context() -> None:
    under("""
        with schlenk.Flask("own").app_context() as context:
            pushed_at = context.pushed_at
            _app_ctx_stack.snapshot_by_runner()
            assert context.pushed_at == pushed_at
    """)


@needs_flask
def test_context_with_slots_is_listed() -> None:
    under("""
        class Context:
            __slots__ = ()
        context = Context()
        _app_ctx_stack.push(context)
        assert list(_app_ctx_stack.snapshot_by_runner().values()) == [[context]]
        _app_ctx_stack.pop()
    """)


# --- Contexts of contextvars


@needs_flask
def test_copy_sees_the_top() -> None:
    under("""
        context = app.test_request_context("/basket")
        context.push()
        copy = contextvars.copy_context()
        context.pop()
        assert not request
        assert copy.run(lambda: request.path) == "/basket"
    """)


@needs_flask
def test_push_in_a_copy_is_not_seen_outside() -> None:
    under("""
        def push():
            app.test_request_context("/inner").push()
            assert [context.request.path for context in _request_ctx_stack._local.stack] == ["/outer", "/inner"]
        with app.test_request_context("/outer"):
            contextvars.copy_context().run(push)
            assert request.path == "/outer"
            assert len(_request_ctx_stack._local.stack) == 1
    """)


@needs_flask
def test_pop_in_copy_changes_only_copy() -> None:
    under("""
        with app.test_request_context("/outer"):
            assert contextvars.copy_context().run(_request_ctx_stack.pop).request.path == "/outer"
            assert request.path == "/outer"
    """)


@needs_flask
def test_thread_starts_empty() -> None:
    under("""
        seen = []
        with app.app_context():
            thread = threading.Thread(target=lambda: seen.append(bool(current_app)))
            thread.start()
            thread.join()
        assert seen == [False]
    """)


@needs_flask
def test_tasks_have_their_own_contexts() -> None:
    under("""
        async def visit(path):
            with app.test_request_context(path):
                await asyncio.sleep(0)
                assert request.path == path
                assert len(_request_ctx_stack._local.stack) == 1
        async def visit_all():
            await asyncio.gather(*[visit(f"/{number}") for number in range(50)])
        asyncio.run(visit_all())
        assert _request_ctx_stack._local.__storage__ == {}
    """)


@needs_flask
def test_abandoned_tasks_leave_nothing() -> None:
    under("""
        async def abandon():
            app.test_request_context("/").push()
        async def abandon_all():
            for number in range(200):
                await asyncio.create_task(abandon())
        asyncio.run(abandon_all())
        gc.collect()
        assert _request_ctx_stack._local.__storage__ == _app_ctx_stack._local.__storage__ == {}
    """)


# --- Requests


@needs_flask
def test_in_flight_lists_a_request_of_flask() -> None:
    under("""
        from schlenk.flight import in_flight
        @app.route("/basket")
        def basket():
            (flight,) = [flight for flight in in_flight() if flight.requests]
            (pushed,) = flight.requests
            assert (pushed.method, pushed.path) == ("GET", "/basket")
            assert pushed.age < 60
            return "seen"
        assert app.test_client().get("/basket").text == "seen"
    """)


@needs_flask
def test_in_flight_is_by_thread_or_greenlet() -> None:
    under("""
        from schlenk.flight import in_flight, report
        with app.test_request_context("/basket") as context:
            (flight,) = in_flight()
            assert flight.ident == schlenk.get_ident()
            assert flight.requests[0].context is context
            assert flight.applications[0].context.app is app
            assert "application context of shop" in str(flight)
            assert "GET /basket of shop, thread MainThread" in report()
        assert in_flight() == []
    """)


@needs_flask
def test_in_flight_names_owner() -> None:
    under("""
        from schlenk.flight import in_flight
        def work():
            with app.test_request_context("/inner"):
                flights = {flight.ident == here: flight for flight in in_flight()}
                for is_here, path in [(True, "/outer"), (False, "/inner")]:
                    assert [pushed.path for pushed in flights[is_here].requests] == [path]
                done.append(True)
        here, done = schlenk.get_ident(), []
        with app.test_request_context("/outer"):
            thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
            thread.start()
            thread.join()
        assert done
    """)


@needs_flask
def test_in_flight_lists_requests_of_tasks() -> None:
    under("""
        from schlenk.flight import in_flight
        async def visit(path, met):
            with app.test_request_context(path):
                met[0] += 1
                while met[0] < 2:
                    await asyncio.sleep(0)
                (flight,) = in_flight()
                return sorted(pushed.path for pushed in flight.requests)
        async def visit_both():
            met = [0]
            return await asyncio.gather(visit("/a", met), visit("/b", met))
        assert asyncio.run(visit_both())[1] == ["/a", "/b"]
    """)


@needs_flask
def test_leak_of_a_dead_greenlet_is_listed() -> None:
    pytest.importorskip("greenlet")
    under("""
        import greenlet
        from schlenk.flight import in_flight
        copies = []
        def leave():
            app.app_context().push()
            copies.append(contextvars.copy_context())
        greenlet.greenlet(leave).switch()
        gc.collect()
        (flight,) = in_flight()
        assert flight.ident.dead is False
        assert flight.stack == []
        del flight
        copies.clear()
        gc.collect()
        assert in_flight() == []
    """)


LEAVING = """
from schlenk.leaks import no_context_left
def left(leave):
    try:
        with no_context_left():
            leave()
    except AssertionError as error:
        return str(error)
    return ""
"""


@needs_flask
def test_leak_of_flask_is_named(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text("def leave(app):\n    app.test_request_context('/basket').push()\n")
    under(f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        from leaving import leave
        {indented(LEAVING)}
        told = left(lambda: leave(app))
        place = "leaving.py:2, leave: app.test_request_context('/basket').push() ("
        assert told.count(place) == 2, told
        assert "GET /basket of shop, pushed in" in told
        assert "application context of shop, pushed in" in told
        assert " s ago)" in told
        assert _request_ctx_stack.top is _app_ctx_stack.top is None
    """)


@needs_flask
def test_flasks_earlier_contexts_are_no_leak() -> None:
    under(f"""
        {indented(LEAVING)}
        with app.app_context() as earlier:
            assert "GET / of shop" in left(app.test_request_context("/").push)
            assert _app_ctx_stack._local.stack == [earlier]
            assert left(lambda: app.test_client().get("/")) == ""
    """)


@needs_flask
def test_popped_context_in_a_copy_is_no_leak() -> None:
    under(f"""
        {indented(LEAVING)}
        copies = []
        def visit():
            with app.test_request_context("/"):
                copies.append(contextvars.copy_context())
        assert left(visit) == ""
        assert copies[0].run(lambda: request.path) == "/"
    """)


@needs_flask
def test_leak_in_a_copy_is_found() -> None:
    under(f"""
        {indented(LEAVING)}
        copy = contextvars.copy_context()
        told = left(lambda: copy.run(app.test_request_context("/inner").push))
        assert "GET /inner of shop, pushed in" in told
    """)


@needs_flask
def test_schlenks_app_works_beside_flask() -> None:
    under("""
        own = schlenk.Flask("own")
        own.add_url_rule("/", "index", lambda: schlenk.request.path + request.path + schlenk.current_app.name)
        with app.app_context():
            assert own.test_client().get("/").get_data(as_text=True) == "//own"
            assert current_app.name == "shop"
        assert _request_ctx_stack._local.__storage__ == _app_ctx_stack._local.__storage__ == {}
    """)


# --- Refusals

REFUSAL = """
import sys, schlenk
def state():
    modules = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "flask"}
    stacks = (schlenk._app_ctx_stack, schlenk._request_ctx_stack)
    return modules, sys.meta_path.copy(), [stack.__ident_func__ for stack in stacks]
def refusal(install, error=RuntimeError):
    before = state()
    try:
        install()
    except error as refused:
        assert state() == before
        return str(refused)
    raise SystemExit("not refused")
"""


@needs_flask
def test_second_call_does_nothing() -> None:
    under("""
        variable, dispatch = flask.globals._cv_app, Flask.full_dispatch_request
        schlenk.install_under_flask()
        assert (variable, dispatch) == (flask.globals._cv_app, Flask.full_dispatch_request)
    """)


@needs_flask
def test_refused_when_flask_was_imported() -> None:
    refused("before the first `import flask`", "import flask", UNDER)
    run("""
        import flask, schlenk
        before = vars(flask.globals).copy()
        try:
            schlenk.install_under_flask()
        except RuntimeError:
            pass
        assert vars(flask.globals) == before
        assert type(schlenk._app_ctx_stack) is schlenk.LocalStack
    """)


@needs_flask
@pytest.mark.parametrize("first", ["", UNDER])
@pytest.mark.parametrize("change", ["del sys.modules['flask']", "sys.modules['flask'] = None"])
def test_refused_with_part_of_flask(first: str, change: str) -> None:
    run(
        first,
        REFUSAL,
        f"""
        import flask
        {change}
        for install in (schlenk.install_under_flask, schlenk.install_as_flask):
            assert f"{{install.__name__}}() was called after flask had been imported" in refusal(install)
        """,
    )


def test_refused_without_flask() -> None:
    refused(
        "needs Flask, which is not installed",
        """
        import importlib.metadata
        def version(name):
            raise importlib.metadata.PackageNotFoundError(name)
        importlib.metadata.version = version
        """,
        UNDER,
    )


def test_refused_with_an_unknown_flask() -> None:
    refused(
        "does not support Flask 4.0.1",
        "import importlib.metadata; importlib.metadata.version = lambda name: '4.0.1'",
        UNDER,
    )


def package(directory: Path, variables: str) -> str:
    """Make a package called flask of which only the contexts are there, and return the lines that find it."""
    (directory / "flask").mkdir()
    (directory / "flask" / "__init__.py").write_text("from . import first, globals\n")
    (directory / "flask" / "first.py").touch()
    (directory / "flask" / "globals.py").write_text(dedent(variables))
    return f"""
import importlib.metadata, sys
importlib.metadata.version = lambda name: "3.2.0.dev"
sys.path.insert(0, {str(directory)!r})
"""


def test_refused_with_unknown_variables(tmp_path: Path) -> None:
    run(
        package(tmp_path, "_cv_other = 1"),
        REFUSAL,
        f"""
        message = refusal(schlenk.install_under_flask)
        assert "does not support Flask 3.2.0.dev" in message
        assert {str(tmp_path / "flask" / "globals.py")!r} in message
        assert "has no _cv_app, _no_app_msg, _no_req_msg." in message
        with schlenk.Flask("shop").app_context():
            assert schlenk.current_app.name == "shop"
        """,
    )


@pytest.mark.parametrize("ident_func", ["threading.get_ident", "schlenk.local.context_ident"])
def test_failed_import_restores_all(tmp_path: Path, ident_func: str) -> None:
    run(
        package(tmp_path, "raise OSError"),
        REFUSAL,
        f"""
        import threading, types
        schlenk._app_ctx_stack.__ident_func__ = {ident_func}
        sys.modules["flask._compat"] = types.ModuleType("flask._compat")
        refusal(schlenk.install_under_flask, OSError)
        """,
    )


def test_failure_after_import_restores_all(tmp_path: Path) -> None:
    run(
        package(tmp_path, MERGED),
        REFUSAL,
        """
        from schlenk import removed
        def put_back(flask):
            raise OSError
        removed.put_back = put_back
        refusal(schlenk.install_under_flask, OSError)
        """,
    )


MERGED = """
from contextvars import ContextVar
_no_app_msg, _no_req_msg = "no application", "no request"
_cv_app = ContextVar("flask.app_ctx")
class AppContext:
    def __init__(self, app, request=None):
        self.app, self._request = app, request
    @property
    def has_request(self):
        return self._request is not None
    @property
    def request(self):
        if self._request is None:
            raise RuntimeError(_no_req_msg)
        return self._request
"""


@pytest.fixture
def merged(tmp_path: Path) -> str:
    """The shape of Flask's development branch, which has one kind of context for both."""
    found = package(tmp_path, MERGED)
    return f"""{found}
import schlenk
from schlenk.install import _use_stacks
import flask.globals
for stack in (schlenk._app_ctx_stack, schlenk._request_ctx_stack):
    stack.__ident_func__ = schlenk.local.context_ident
_use_stacks(flask.globals)
from flask.globals import *
from flask.globals import _cv_app, _app_ctx_stack, _request_ctx_stack, AppContext
"""


def test_merged_context_is_on_both_stacks(merged: str) -> None:
    run(
        merged,
        """
        context = AppContext("shop", "request")
        token = _cv_app.set(context)
        assert _app_ctx_stack.top is _request_ctx_stack.top is context
        assert request == "request"
        _cv_app.reset(token)
        assert _app_ctx_stack.top is _request_ctx_stack.top is None
        """,
    )


def test_merged_stack_is_listed(merged: str) -> None:
    run(
        merged,
        """
        answered, script = AppContext("shop", "request"), AppContext("shop")
        lower, upper = _cv_app.set(answered), _cv_app.set(script)
        assert _app_ctx_stack.top is script
        assert _request_ctx_stack.top is answered
        assert list(_request_ctx_stack.snapshot().values()) == [[answered]]
        assert list(_app_ctx_stack.snapshot().values()) == [[answered, script]]
        _cv_app.reset(upper)
        assert _app_ctx_stack.top is _request_ctx_stack.top is answered
        _cv_app.reset(lower)
        assert _app_ctx_stack.top is _request_ctx_stack.top is None
        """,
    )


def test_merged_context_may_lack_request(merged: str) -> None:
    run(
        merged,
        """
        _cv_app.set(AppContext("shop"))
        try:
            request.method
        except RuntimeError as error:
            assert str(error) == "no request"
        else:
            raise AssertionError
        assert "request_ctx" not in vars(flask.globals)
        """,
    )


def test_refused_without_a_module_of_globals(tmp_path: Path) -> None:
    found = package(tmp_path, "")
    (tmp_path / "flask" / "globals.py").unlink()
    run(found, REFUSAL, "assert 'has no module globals' in refusal(schlenk.install_under_flask)")


def test_refused_while_a_context_is_pushed() -> None:
    pushed = "import schlenk; schlenk.Flask('shop').app_context().push()\n"
    known = "import importlib.metadata; importlib.metadata.version = lambda name: '3.1.0'\n"
    refused("while a context of schlenk is pushed", pushed, known, UNDER)


@pytest.mark.parametrize("removed", ["", "flask"])
def test_refused_after_install_as_flask(removed: str) -> None:
    run(
        AS,
        REFUSAL,
        f"""
        for name in [name for name in sys.modules if name.partition(".")[0] == {removed!r}]:
            del sys.modules[name]
        assert "after install_as_flask()" in refusal(schlenk.install_under_flask)
        """,
    )


@pytest.mark.parametrize("module", ["None", "types.ModuleType('flask')", "schlenk", "unittest.mock.MagicMock()"])
def test_substitute_for_flask_is_named(module: str) -> None:
    run(
        REFUSAL,
        f"""
        import types, unittest.mock
        sys.modules["flask"] = {module}
        for install in (schlenk.install_under_flask, schlenk.install_as_flask):
            message = f"{{install.__name__}}() can't be used: sys.modules['flask'] is {{sys.modules['flask']!r}},"
            assert refusal(install).startswith(message)
        """,
    )


@needs_flask
@pytest.mark.parametrize("source", ["", "import schlenk; schlenk.install_under_flask()"])
def test_own_flask_py_is_named(tmp_path: Path, source: str) -> None:
    (tmp_path / "flask.py").write_text(source)
    run(
        REFUSAL,
        f"""
        sys.path.insert(0, {str(tmp_path)!r})
        message = refusal(schlenk.install_under_flask)
        assert "If this is a file of your own, rename it." in message
        assert repr({str(tmp_path / "flask.py")!r}) in message
        """,
    )


def test_unknown_name_is_refused() -> None:
    refused("'cookies'. It can contain 'request.json'", "import schlenk; schlenk.install_under_flask(['cookies'])")


# --- schlenk as flask


def test_modules_replace_flasks() -> None:
    run(
        AS,
        """
        import flask._compat, flask.ctx, flask.json.tag
        from flask import Flask, _request_ctx_stack
        assert Flask is schlenk.Flask
        assert flask._compat.text_type is str
        assert flask.ctx is schlenk.ctx
        assert flask.__version__ == "1.1.4"
        """,
    )


def test_standing_in_twice_does_nothing() -> None:
    run(AS, "import sys; before = sys.modules['flask'], len(sys.meta_path)", AS)
    run(AS, "import sys; before = sys.modules['flask'], len(sys.meta_path)", AS, """
        assert before == (sys.modules["flask"], len(sys.meta_path))
    """)  # fmt: skip


def test_stand_in_has_removed_names() -> None:
    run(
        AS,
        """
        from flask import Flask
        from flask.globals import _app_ctx_err_msg, _request_ctx_err_msg
        from flask.helpers import locked_cached_property, total_seconds
        from werkzeug._compat import to_bytes
        client = Flask("shop").test_client()
        client.set_cookie("a", "1")
        client.set_cookie("example.com", "b", "2")
        assert [cookie.value for cookie in client.cookie_jar] == ["1", "2"]
        """,
    )


@needs_flask
def test_stand_in_puts_back_jinjas_names() -> None:
    run("""
        import schlenk
        schlenk.install_as_flask()
        from jinja2 import Markup
    """)


def test_stand_in_is_as_in_flask_1_when_asked() -> None:
    run(
        AS,
        """
        from flask import Flask, redirect, request
        app = Flask("shop")
        @app.route("/")
        def index():
            assert request.authorization is None
            return redirect("/shelf")
        schlenk.install_as_flask(["authorization", "location", "request.json", "setup", "converters"])
        response = app.test_client().get("/", headers={"Authorization": "Bearer token"})
        assert response.location == "http://localhost/shelf"
        try:
            schlenk.install_as_flask("authorisation")
        except ValueError as error:
            assert "'authorisation'" in str(error)
        else:
            raise AssertionError
        """,
    )


def test_failed_standing_in_changes_nothing() -> None:
    run(
        REFUSAL,
        """
        from importlib.metadata import PackageNotFoundError
        from schlenk import removed
        def version(name):
            raise PackageNotFoundError(name)
        removed.version = version
        refusal(schlenk.install_as_flask, PackageNotFoundError)
        """,
    )


@needs_flask
def test_standing_in_is_refused_after_import() -> None:
    message = "call install_under_flask() there instead."
    run(REFUSAL, f"import flask; assert refusal(schlenk.install_as_flask).endswith({message!r})")


@needs_flask
def test_refused_after_install_under_flask() -> None:
    message = "can't be used after install_under_flask()"
    run(UNDER, REFUSAL, f"assert {message!r} in refusal(schlenk.install_as_flask)")


@pytest.mark.parametrize(
    "statement",
    [
        "from flask import Blueprint",
        "from flask.helpers import send_file",
        "from schlenk import Blueprint",
        "import flask.views",
        "import flask; flask.render_template",
        "import flask; flask.Flask('shop').register_blueprint",
        "import flask; flask.Flask('shop').test_cli_runner",
    ],
)
def test_missing_name_gives_advice(statement: str) -> None:
    refused("Call schlenk.install_under_flask()", AS, statement)


def test_hasattr_of_a_missing_name_is_false() -> None:
    run(
        AS,
        """
        import flask
        assert not hasattr(flask, "Blueprint")
        assert not hasattr(flask, "__wrapped__")
        assert not hasattr(flask.Flask("shop"), "cli")
        """,
    )


def test_app_has_flasks_empty_attributes() -> None:
    run(
        """
        import schlenk
        app = schlenk.Flask("shop")
        assert (app.static_folder, app.static_url_path, app.jinja_loader) == (None, None, None)
        assert app.has_static_folder is False
        assert app.blueprints == {}
        """
    )


def test_property_error_is_kept() -> None:
    refused(
        "AttributeError: inner",
        """
        import schlenk
        class App(schlenk.Flask):
            @property
            def shelf(self):
                raise AttributeError("inner")
        App("shop").shelf
        """,
    )


def test_request_is_a_werkzeug_proxy() -> None:
    run("""
        import schlenk, werkzeug.local
        assert isinstance(schlenk.request, werkzeug.local.LocalProxy)
        assert isinstance(schlenk.request, schlenk.LocalProxy)
    """)
