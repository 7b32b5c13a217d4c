"""Pushes and pops that fail half-way, and contexts of other classes."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from werkzeug.test import create_environ

from schlenk import (
    Flask,
    _app_ctx_stack,
    _request_ctx_stack,
    abort,
    copy_current_request_context,
    current_app,
    g,
    recovery,
    request,
    stream_with_context,
)
from schlenk.ctx import AppContext, RequestContext
from schlenk.sessions import SecureCookieSessionInterface, SessionInterface
from tests.support.contexts import NOTHING, Interrupting, RecordingApp, fail, tops
from tests.support.execution import in_thread


def test_failed_push_pops_app(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_request_ctx_stack, "push", fail)
    with pytest.raises(ZeroDivisionError):
        app.test_request_context().push()
    assert tops() == NOTHING
    assert [what for what, _ in app.torn] == ["app"]


def test_interrupted_push_leaves_no_context(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    push = _request_ctx_stack.push

    def push_and_fail(context: Any) -> Any:
        push(context)
        fail()

    monkeypatch.setattr(_request_ctx_stack, "push", push_and_fail)
    with pytest.raises(ZeroDivisionError):
        app.test_request_context().push()
    assert tops() == NOTHING


def failing_app(preserve: bool) -> Flask:
    class Context(RequestContext):
        def auto_pop(self, exc: BaseException | None) -> None:
            self.preserved = preserve
            fail()

    app = Flask("failing")
    app.request_context = lambda environ: Context(app, environ)  # type: ignore[method-assign]
    app.add_url_rule("/", "index", lambda: "index")
    return app


def test_failed_end_leaves_none() -> None:
    with pytest.raises(ZeroDivisionError):
        failing_app(preserve=False).test_client().get("/")
    assert tops() == NOTHING


def test_failed_end_keeps_preserved_context() -> None:
    with pytest.raises(ZeroDivisionError):
        failing_app(preserve=True).test_client().get("/")
    assert request.path == "/"
    _request_ctx_stack.top.pop()
    assert tops() == NOTHING


class PlainSessions(SessionInterface):
    """Sessions that are never saved, so any object can be one."""

    def is_null_session(self, obj: object) -> bool:
        return True


class OwnContext:
    """A request context with only the attributes that Flask 1.1.4 needs, and no room for others."""

    __slots__ = ("_after_request_functions", "app", "app_contexts", "preserved", "request", "session", "url_adapter")

    def __init__(self, app: Flask, environ: Any) -> None:
        self.app, self.request, self.preserved = app, app.request_class(environ), False
        self.session: Any = {}
        self._after_request_functions: list[Any] = []
        self.app_contexts: list[Any] = []
        self.url_adapter = app.create_url_adapter(self.request)

    def push(self) -> None:
        self.app_contexts.append(self.app.app_context())
        self.app_contexts[-1].push()
        _request_ctx_stack.push(self)  # type: ignore[arg-type]
        self.request.url_rule, self.request.view_args = self.url_adapter.match(return_rule=True)  # type: ignore

    def auto_pop(self, error: Any) -> None:
        self.app.do_teardown_request(error)
        _request_ctx_stack.pop()
        self.app_contexts.pop().pop(error)

    def __enter__(self) -> None:
        self.push()

    def __exit__(self, *error: Any) -> None:
        self.auto_pop(error[1])

    def copy(self) -> OwnContext:
        return OwnContext(self.app, self.request.environ)


class Delegating:
    """A request context that only passes the calls of the application on to another one."""

    def __init__(self, app: Flask, environ: Any) -> None:
        context = RequestContext(app, environ)
        self.push, self.auto_pop = context.push, context.auto_pop


def test_delegating_context_is_served(app: RecordingApp) -> None:
    app.request_context = lambda environ: Delegating(app, environ)  # type: ignore
    app.add_url_rule("/", "index", lambda: "index")
    assert app.test_client().get("/").text == "index"
    assert tops() == NOTHING
    assert [what for what, _ in app.torn] == ["request", "app"]


class Wrapper:
    """Delegates to another context, as a tool that measures applications does."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.exc: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context, name)

    def pop(self, *exc: Any) -> None:
        self.exc = exc
        self.context.pop(*exc)


def test_wrapped_app_context_is_popped(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = Wrapper(app.app_context())
    monkeypatch.setattr(app, "app_context", lambda: wrapper)
    app.add_url_rule("/", "index", lambda: str(_app_ctx_stack.top is wrapper.context))
    assert app.test_client().get("/").text == "True"
    assert wrapper.exc == (None,)
    assert tops() == NOTHING
    assert [what for what, _ in app.torn] == ["request", "app"]


def test_nested_wrapped_app_contexts(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    wrappers = [Wrapper(app.app_context()), Wrapper(app.app_context())]
    remaining = iter(wrappers)
    monkeypatch.setattr(app, "app_context", lambda: next(remaining))
    with app.test_request_context() as context:
        with RecordingApp("other").app_context(), context:
            assert _app_ctx_stack.top is wrappers[1].context
        assert [wrapper.exc for wrapper in wrappers] == [None, (None,)]
    assert tops() == NOTHING


def test_wrapped_app_context_may_repeat(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = Wrapper(app.app_context())
    monkeypatch.setattr(app, "app_context", lambda: wrapper)
    with app.test_request_context() as context:
        with RecordingApp("other").app_context(), context:
            pass
        assert wrapper.exc == (None,)
        wrapper.exc = None
    assert wrapper.exc == (None,)
    assert tops() == NOTHING


def test_wrapped_app_context_popped_early(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    wrappers = [Wrapper(app.app_context()), Wrapper(app.app_context())]
    remaining = iter(wrappers)
    monkeypatch.setattr(app, "app_context", lambda: next(remaining))
    with app.test_request_context() as context:
        with RecordingApp("other").app_context():
            with pytest.raises(AssertionError, match="removed from the stack while"), context:
                wrappers[1].context.pop()
        assert wrappers[1].exc is None
    assert wrappers[0].exc == (None,)
    assert app.torn == [("app", None), ("request", None), ("app", None)]
    assert tops() == NOTHING


def test_leaked_above_wrapped_app_is_removed(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "app_context", lambda: Wrapper(AppContext(app)))
    context = app.test_request_context()
    context.push()
    RecordingApp("other").app_context().push()
    with pytest.raises(AssertionError, match="not on top"):
        context.pop()
    with pytest.raises(AssertionError, match="pushed above it and not popped"):
        context.auto_pop(None)
    assert tops() == NOTHING
    assert [what for what, _ in app.torn] == ["request", "app"]


class Unstacked:
    """An application context that puts nothing on the stack."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.ended: list[Any] = []

    def push(self) -> None:
        pass

    def pop(self, *exc: Any) -> None:
        self.ended.append(exc)


@pytest.mark.parametrize("below", [False, True])
def test_unstacked_app_context_is_popped(app: RecordingApp, monkeypatch: pytest.MonkeyPatch, below: bool) -> None:
    unstacked = Unstacked(app)
    monkeypatch.setattr(app, "app_context", lambda: unstacked)
    app.add_url_rule("/", "index", lambda: str(_app_ctx_stack.entries() == outer))
    with RecordingApp("other").app_context() if below else nullcontext():
        outer = _app_ctx_stack.entries().copy()
        assert app.test_client().get("/").text == "True"
        assert _app_ctx_stack.entries() == outer
    assert unstacked.ended == [(None,)]
    assert tops() == NOTHING


def test_nested_unstacked_contexts_are_popped(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    unstacked: list[Unstacked] = []
    monkeypatch.setattr(app, "app_context", lambda: unstacked.append(Unstacked(app)) or unstacked[-1])
    context = app.test_request_context()
    with context:
        with context:
            pass
        assert [len(each.ended) for each in unstacked] == [0, 1]
    assert [len(each.ended) for each in unstacked] == [1, 1]
    assert tops() == NOTHING


def test_failed_push_pops_unstacked_app(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    unstacked = Unstacked(app)
    context = app.test_request_context()
    with monkeypatch.context() as patch:
        patch.setattr(app, "app_context", lambda: unstacked)
        patch.setattr(_request_ctx_stack, "push", fail)
        with pytest.raises(ZeroDivisionError):
            context.push()
    assert unstacked.ended == [()]
    with app.app_context(), context:
        pass
    assert unstacked.ended == [()]
    assert tops() == NOTHING


def test_wrapper_of_current_context_is_popped(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    other = RecordingApp("other").app_context()
    wrapper = Wrapper(other)
    monkeypatch.setattr(app, "app_context", lambda: wrapper)
    with other:
        with app.test_request_context():
            assert _app_ctx_stack.entries() == [other, other]
        assert _app_ctx_stack.entries() == [other]
    assert tops() == NOTHING


def test_app_context_of_subclass_is_popped(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    class Context(AppContext):
        pass

    monkeypatch.setattr(app, "app_context", lambda: Context(app))
    with app.test_request_context():
        assert isinstance(_app_ctx_stack.top, Context)
    assert tops() == NOTHING


def test_failed_push_pops_wrapped_app(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = Wrapper(app.app_context())
    monkeypatch.setattr(app, "app_context", lambda: wrapper)
    monkeypatch.setattr(_request_ctx_stack, "push", fail)
    with pytest.raises(ZeroDivisionError):
        app.test_request_context().push()
    assert tops() == NOTHING


@pytest.mark.parametrize("use", [stream_with_context, copy_current_request_context])
def test_own_class_is_kept(app: RecordingApp, use: Any) -> None:
    app.add_url_rule("/", "index")
    with OwnContext(app, create_environ("/")):
        parts = use(lambda: iter(["part"]))
        assert list(parts()) == ["part"]
        assert _request_ctx_stack.entries()
    assert tops() == NOTHING


def test_own_class_is_served(app: RecordingApp) -> None:
    app.request_context = lambda environ: OwnContext(app, environ)  # type: ignore
    app.session_interface = PlainSessions()
    app.add_url_rule("/", "index", lambda: g.get("user", "nobody"))
    app.add_url_rule("/fail", "fail", fail)
    client = app.test_client()
    assert client.get("/").text == "nobody"
    assert client.get("/fail").status_code == 500
    assert tops() == NOTHING
    assert [what for what, _ in app.torn] == ["request", "app"] * 2


@pytest.mark.parametrize("register", [Flask.before_request, lambda app, f: app.register_error_handler(404, f)])
def test_own_class_has_no_responder(app: RecordingApp, register: Any) -> None:
    app.request_context = lambda environ: OwnContext(app, environ)  # type: ignore
    app.session_interface = PlainSessions()
    app.add_url_rule("/", "index", lambda: abort(404))
    register(app, lambda *error: "early")
    assert app.test_client().get("/").text == "early"


def test_failed_push_of_wrapped_is_popped(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    make = app.request_context
    app.request_context = lambda environ: Wrapper(make(environ))  # type: ignore
    app.add_url_rule("/", "index", lambda: "index")
    with monkeypatch.context() as patch:
        patch.setattr(SecureCookieSessionInterface, "open_session", fail)
        assert app.test_client().get("/").status_code == 500
        assert tops() == NOTHING
    assert app.test_client().get("/").text == "index"
    assert [what for what, _ in app.torn] == ["request", "app"] * 2


def test_own_push_is_popped() -> None:
    class Context(RequestContext):
        def push(self) -> None:
            app_context = self.app.app_context()
            app_context.push()
            self._implicit_app_ctx_stack.append(app_context)
            _request_ctx_stack.push(self)
            self.session = self.app.session_interface.make_null_session(self.app)
            self.match_request()

    app = RecordingApp("own")
    app.request_context = lambda environ: Context(app, environ)  # type: ignore[method-assign]
    app.add_url_rule("/", "index", fail)
    assert app.test_client().get("/").status_code == 500
    assert [what for what, _ in app.torn] == ["request", "app"]
    assert tops() == NOTHING


def test_stream_reports_its_lost_context(app: RecordingApp) -> None:
    with app.app_context():
        outer = Flask("outer").test_request_context()
        outer.push()
        with app.test_request_context():
            stream = stream_with_context(iter("ab"))
        _request_ctx_stack.entries().remove(
            next(context for context in _request_ctx_stack.entries() if context is not outer)
        )
        with pytest.raises(AssertionError, match="removed from"):
            stream.close()  # type: ignore[attr-defined]
        outer.pop()


def test_stream_shares_outer_app_context(app: RecordingApp) -> None:
    with app.app_context() as outer:
        with app.test_request_context():
            stream = stream_with_context(iter("ab"))
        in_thread(stream.close)  # type: ignore[attr-defined]
        assert tops() == (None, outer)
    assert [what for what, _ in app.torn] == ["request", "app"]


def test_stream_brings_pushes(app: RecordingApp) -> None:
    def parts() -> Any:
        with Flask("inner").app_context():
            yield current_app.name
            yield current_app.name

    with Flask("below").app_context() as below, app.app_context() as outer:
        with app.test_request_context():
            stream = stream_with_context(parts())
        assert next(stream) == "inner"
        assert in_thread(lambda: next(stream)) == "inner"
        assert list(stream) == []
        assert _app_ctx_stack.entries() == [below, outer]


def test_stream_survives_loss(app: RecordingApp) -> None:
    def parts() -> Any:
        with Flask("inner").test_request_context():
            yield request.path
            yield request.path

    with app.test_request_context():
        stream = stream_with_context(parts())
    next(stream)
    with Flask("above").test_request_context("/above"):
        del _request_ctx_stack.entries()[0]
        assert next(stream) == "/above"
        with pytest.raises(AssertionError, match="removed from"):
            list(stream)
    assert tops() == NOTHING


def test_stream_survives_emptied_stack(app: RecordingApp) -> None:
    with app.test_request_context():

        def parts() -> Any:
            yield "a"
            _app_ctx_stack.entries().clear()
            yield "b"

        stream = stream_with_context(parts())
    with pytest.raises(AssertionError, match="removed from"):
        list(stream)
    assert tops() == NOTHING


@pytest.mark.parametrize("pushes", [0, 1, 2])
def test_abandon_keeps_earlier(app: RecordingApp, pushes: int) -> None:
    context = app.test_request_context()
    for _ in range(3):
        context.push()
    recovery.abandon(context, pushes, pushes)
    assert _request_ctx_stack.entries() == [context] * pushes
    assert len(context._implicit_app_ctx_stack) == pushes
    recovery.abandon(context, 0, 0)
    assert _app_ctx_stack.top is None


def test_abandon_removes_bare() -> None:
    context: Any = object()
    _request_ctx_stack.push(context)
    recovery.abandon(context, 0, 0)
    assert _request_ctx_stack.top is None


@pytest.mark.parametrize("blocks", [1, 2])
def test_interrupted_stream_keeps_blocks(app: RecordingApp, blocks: int) -> None:
    context = app.test_request_context()
    for _ in range(blocks):
        context.__enter__()
    stream: Any = stream_with_context(iter("ab"))
    context._implicit_app_ctx_stack = Interrupting(context._implicit_app_ctx_stack)
    with pytest.raises(KeyboardInterrupt):
        stream.close()
    assert _request_ctx_stack.entries() == [context] * blocks
    context._implicit_app_ctx_stack = list(context._implicit_app_ctx_stack)
    for _ in range(blocks):
        context.__exit__(None, None, None)
    assert tops() == NOTHING


def test_stream_keeps_app_context(app: RecordingApp) -> None:
    """Only Flask's own class counts its pushes."""
    own: Any = SimpleNamespace(app=app, g=app.app_ctx_globals_class(), url_adapter=None)
    _app_ctx_stack.push(own)
    with app.test_request_context():
        stream = stream_with_context(current_app.name for _ in range(1))
    assert in_thread(lambda: list(stream)) == [app.name]
    with app.test_request_context():
        assert _app_ctx_stack.top is own
    assert _app_ctx_stack.pop() is own
