"""Contexts kept for a streamed response."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextvars import Context, copy_context
from typing import Any, Callable

import pytest

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack, current_app, g, request, stream_with_context
from schlenk.ctx import RequestContext
from schlenk.local import context_ident, get_ident, release_local
from tests.support.contexts import NOTHING, RecordingApp, fail, leave, tops
from tests.support.execution import ELSEWHERE


def test_streamed_gives_way(app: RecordingApp) -> None:
    other = RecordingApp("other")
    with app.test_request_context():
        with other.test_request_context("/streamed"):
            stream = stream_with_context(iter([1, 2]))
        assert request.path == "/"
        assert current_app.name == app.name
        assert other.torn == []
    assert app.torn == [("request", None), ("app", None)]
    assert request.path == "/streamed"
    assert current_app.name == "other"
    assert list(stream) == [1, 2]
    assert other.torn == [("request", None), ("app", None)]
    assert tops() == NOTHING


def test_streamed_keep_order(app: RecordingApp) -> None:
    with app.test_request_context():
        streams = []
        for path in ("/first", "/second"):
            with RecordingApp(path).test_request_context(path):
                streams.append(stream_with_context(iter([])))
    seen = []
    for stream in reversed(streams):
        seen.append((request.path, current_app.name))
        stream.close()  # type: ignore[attr-defined]
    assert seen == [("/second", "/second"), ("/first", "/first")]
    assert tops() == NOTHING


def test_leaked_among_streamed_is_removed(app: RecordingApp) -> None:
    outer = app.test_request_context()
    outer.push()
    with RecordingApp("other").test_request_context("/streamed"):
        stream = stream_with_context(iter([1]))
    leave(Flask.test_request_context)()
    with pytest.raises(AssertionError, match=r"\[<RequestContext [^,]* of left>, <[^,]*AppContext [^,]*>\]"):
        outer.auto_pop(None)
    assert request.path == "/streamed"
    assert current_app.name == "other"
    assert list(stream) == [1]
    assert tops() == NOTHING


def test_used_stays_on_top(app: RecordingApp) -> None:
    with Flask("below").test_request_context("/below"), app.test_request_context("/used") as context:
        with context:
            stream = stream_with_context(iter([]))
        assert request.path == "/used"
        stream.close()  # type: ignore[attr-defined]


def test_second_stream_leaves_used_on_top(app: RecordingApp) -> None:
    with app.test_request_context("/used"):
        streams: list[Any] = [stream_with_context(iter([]))]
        with Flask("other").test_request_context("/other"):
            streams.append(stream_with_context(iter([])))
        assert request.path == "/used"
        for stream in streams:
            stream.close()
    assert tops() == NOTHING


def test_shared_app_context_stays_on_top(app: RecordingApp) -> None:
    with Flask("below").app_context(), app.app_context():
        with app.test_request_context():
            stream = stream_with_context(iter([]))
        assert current_app.name == app.name
        stream.close()  # type: ignore[attr-defined]


def test_stream_runs_beside_its_context(app: RecordingApp) -> None:
    def parts() -> Iterator[str]:
        with Flask("inner").test_request_context("/inner"):
            yield request.path
            yield request.path

    with app.test_request_context("/used") as context:
        stream = stream_with_context(parts())
        assert next(stream) == "/inner"
        with context:
            assert request.path == "/used"
            assert next(stream) == "/inner"
        assert list(stream) == []
    assert tops() == NOTHING


def paths() -> list[str]:
    return [context.request.path for context in _request_ctx_stack.entries()]


@pytest.mark.usefixtures("by_context")
def test_stream_ends_in_context(app: RecordingApp) -> None:
    with app.test_request_context("/streamed"):
        stream = stream_with_context(request.path for _ in range(2))
    assert list(stream) == ["/streamed"] * 2
    assert app.torn == [("request", None), ("app", None)]
    assert tops() == NOTHING


@pytest.mark.usefixtures("by_context")
def test_stream_gives_way_in_its_context(app: RecordingApp) -> None:
    with app.test_request_context("/streamed"):
        stream = stream_with_context(request.path for _ in range(2))
    with app.test_request_context("/other"):
        assert next(stream) == "/streamed"
        assert paths() == ["/streamed", "/other"]
    assert list(stream) == ["/streamed"]
    assert tops() == NOTHING


@pytest.mark.usefixtures("by_context")
def test_stream_keeps_copies(app: RecordingApp) -> None:
    with app.test_request_context("/streamed"):
        stream = stream_with_context(request.path for _ in range(2))
    with app.test_request_context("/other"):
        copied = copy_context()
        assert list(stream) == ["/streamed"] * 2
        assert paths() == ["/other"]
    assert copied.run(paths) == ["/streamed", "/other"]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_stream_outlives_the_stream_that_began_it(app: RecordingApp, elsewhere: Callable[..., Any]) -> None:
    begun = []

    def outer() -> Iterator[str]:
        yield "first"
        begun.append(stream_with_context((*paths(), current_app.name) for _ in range(2)))
        yield "last"

    with app.test_request_context("/streamed"):
        stream = stream_with_context(outer())

    def work() -> Any:
        return list(stream), list(begun[0]), tops()

    parts = [("/streamed", app.name)] * 2
    assert elsewhere(work) == (["first", "last"], parts, NOTHING)
    # The first stream has moved the application context back.
    release_local(_app_ctx_stack)


def test_released_stack_ends_quietly(app: RecordingApp) -> None:
    with app.test_request_context():
        stream = stream_with_context(iter([1]))
    assert next(stream) == 1
    release_local(_app_ctx_stack)
    assert list(stream) == []
    assert tops() == NOTHING


def test_only_apps_are_by_context(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_app_ctx_stack, "__ident_func__", context_ident)
    with app.test_request_context("/streamed"):
        stream = stream_with_context((*paths(), current_app.name) for _ in range(2))
    assert Context().run(list, stream) == [("/streamed", app.name)] * 2
    assert tops() == NOTHING


@pytest.mark.parametrize("stack", [_app_ctx_stack, _request_ctx_stack])
def test_stream_with_one_stack_by_context(app: RecordingApp, monkeypatch: pytest.MonkeyPatch, stack: Any) -> None:
    monkeypatch.setattr(stack, "__ident_func__", context_ident)
    with app.test_request_context("/streamed"):
        stream = stream_with_context((*paths(), current_app.name) for _ in range(3))
    assert [Context().run(next, stream) for _ in range(3)] == [("/streamed", app.name)] * 3
    assert Context().run(list, stream) == []
    assert tops() == NOTHING


@pytest.mark.parametrize("ident_func", [get_ident, context_ident])
def test_request_does_not_see_g_of_stream(app: RecordingApp, monkeypatch: pytest.MonkeyPatch, ident_func: Any) -> None:
    monkeypatch.setattr(_app_ctx_stack, "__ident_func__", ident_func)

    def parts() -> Iterator[str]:
        with app.app_context():
            g.user = "ada"
            yield "begun"
            yield g.user

    with app.test_request_context():
        stream = stream_with_context(parts())
    next(stream)
    with app.test_request_context():
        assert "user" not in g
    assert list(stream) == ["ada"]
    assert tops() == NOTHING


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_end_of_second_stream_moves_nothing_else(app: RecordingApp, elsewhere: Callable[..., Any]) -> None:
    def begin() -> list[Iterator[int]]:
        with app.test_request_context():
            return [stream_with_context(iter([1, 2])) for _ in range(2)]

    first, second = elsewhere(begin)
    with RecordingApp("other").test_request_context("/other"):
        second.close()
        assert paths() == ["/other"]
        assert current_app.name == "other"
    assert list(first) == [1, 2]
    assert [what for what, _ in app.torn] == ["request", "app"]
    assert tops() == NOTHING


def test_own_attribute_called_streams(app: RecordingApp, monkeypatch: pytest.MonkeyPatch) -> None:
    class Context(RequestContext):
        streams: Any = ["audio"]

    monkeypatch.setattr(app, "request_context", lambda environ: Context(app, environ))
    app.add_url_rule("/", "index", lambda: "index")
    assert app.test_client().get("/").text == "index"


def test_error_of_stream_keeps_no_other_context(app: RecordingApp) -> None:
    with app.app_context():
        with RecordingApp("other").app_context() as other:
            kept = weakref.ref(other)
            with app.test_request_context():
                stream = stream_with_context(fail() for _ in range(1))
                with pytest.raises(ZeroDivisionError) as raised:
                    next(stream)
        del other
    assert raised.value
    assert kept() is None


def test_inner_request_of_stream_is_on_top(app: RecordingApp) -> None:
    def inner_paths() -> Iterator[str]:
        with app.test_request_context("/inner"):
            for _ in range(3):
                yield request.path

    with app.test_request_context("/streamed"):
        stream = stream_with_context(inner_paths())
    assert list(stream) == ["/inner"] * 3
    assert tops() == NOTHING


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_stream_outlives_the_context_below(app: RecordingApp, elsewhere: Callable[..., Any]) -> None:
    with RecordingApp("other").app_context():
        with app.test_request_context("/streamed"):
            stream = stream_with_context(current_app.name for _ in range(2))
    assert elsewhere(lambda: list(stream)) == [app.name] * 2
    assert tops() == NOTHING


@pytest.mark.parametrize("elsewhere", [*ELSEWHERE, Context().run])
@pytest.mark.usefixtures("by_context")
def test_second_stream_leaves_no_context(app: RecordingApp, elsewhere: Callable[..., Any]) -> None:
    with app.test_request_context("/streamed"):
        streams = [stream_with_context(current_app.name for _ in range(2)) for _ in range(2)]
    for stream in streams:
        assert elsewhere(lambda: (list(stream), tops())) == ([app.name] * 2, NOTHING)  # noqa: B023
    assert [what for what, _ in app.torn] == ["request", "app"]


@pytest.mark.parametrize("elsewhere", [*ELSEWHERE, Context().run])
@pytest.mark.usefixtures("by_context")
def test_stream_needs_no_copy(app: RecordingApp, elsewhere: Callable[..., Any]) -> None:
    with app.test_request_context("/streamed"):
        stream = stream_with_context((*paths(), current_app.name) for _ in range(3))
    with app.test_request_context("/other"):
        assert elsewhere(lambda: next(stream)) == ("/streamed", app.name)
        assert next(stream) == ("/other", "/streamed", app.name)
        assert paths() == ["/other"]
    assert elsewhere(lambda: (list(stream), tops())) == ([("/streamed", app.name)], NOTHING)
    assert app.torn == [("request", None), ("app", None)] * 2
    assert tops() == NOTHING


@pytest.mark.usefixtures("by_context")
def test_stream_takes_along_what_it_pushed(app: RecordingApp) -> None:
    def names() -> Iterator[str]:
        with RecordingApp("other").app_context():
            for _ in range(3):
                yield current_app.name

    with app.app_context():
        with app.test_request_context():
            stream = stream_with_context(names())
        assert next(stream) == "other"
        assert Context().run(next, stream) == "other"
        assert current_app.name == app.name
        assert Context().run(list, stream) == ["other"]
    assert tops() == NOTHING


@pytest.mark.usefixtures("by_context")
def test_stream_outlives_context(app: RecordingApp) -> None:
    def begin() -> Iterator[str]:
        with app.test_request_context("/streamed"):
            return stream_with_context(request.path for _ in range(2))

    stream = Context().run(begin)
    assert list(stream) == ["/streamed"] * 2
    assert app.torn == [("request", None), ("app", None)]
    assert tops() == NOTHING


@pytest.mark.usefixtures("by_context")
def test_stream_that_moved_away_is_named(app: RecordingApp) -> None:
    context = app.test_request_context("/streamed")
    with pytest.raises(AssertionError, match="run it there only after the request has ended"), context:
        Context().run(list, stream_with_context(request.path for _ in range(2)))
    assert app.torn == [("request", None), ("app", None)]
    assert tops() == NOTHING


@pytest.mark.usefixtures("by_context")
def test_stream_takes_its_pushes(app: RecordingApp) -> None:
    def parts() -> Iterator[str]:
        for _ in range(2):
            with RecordingApp("inner").app_context():
                yield current_app.name
                yield current_app.name
            yield current_app.name

    with app.test_request_context():
        stream = stream_with_context(parts())
    seen = [Context().run(next, stream) for _ in range(4)]
    assert [*seen, *stream] == ["inner", "inner", app.name] * 2
    assert tops() == NOTHING


@pytest.mark.usefixtures("by_context")
def test_stream_shares_without_a_copy(app: RecordingApp) -> None:
    with app.app_context() as shared:
        with app.test_request_context():
            stream = stream_with_context(_app_ctx_stack.entries()[:] for _ in range(3))
        empty = Context()
        assert [empty.run(next, stream), next(stream)] == [[shared], [shared]]
        assert empty.run(lambda: (list(stream), tops())) == ([[shared]], NOTHING)
        assert _app_ctx_stack.entries() == [shared]


@pytest.mark.usefixtures("by_context")
def test_stream_ended_in_copy_is_not_shared(app: RecordingApp) -> None:
    with app.test_request_context():
        g.user = "ada"
        stream = stream_with_context(iter([1]))
    assert copy_context().run(list, stream) == [1]
    with app.test_request_context():
        assert "user" not in g
    for stack in (_request_ctx_stack, _app_ctx_stack):
        release_local(stack)
