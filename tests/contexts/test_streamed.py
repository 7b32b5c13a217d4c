"""Contexts kept for a streamed response."""

from __future__ import annotations

from contextvars import Context, copy_context

import pytest

from schlenk import Flask, _request_ctx_stack, current_app, request, stream_with_context
from tests.support.contexts import NOTHING, RecordingApp, leave, tops


def test_streamed_context_gives_way(app: RecordingApp) -> None:
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


def test_streamed_contexts_keep_order(app: RecordingApp) -> None:
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


def paths() -> list[str]:
    return [context.request.path for context in _request_ctx_stack.entries()]


@pytest.mark.usefixtures("by_context")
def test_stream_ends_in_its_context(app: RecordingApp) -> None:
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
def test_stream_keeps_copied_contexts(app: RecordingApp) -> None:
    with app.test_request_context("/streamed"):
        stream = stream_with_context(request.path for _ in range(2))
    with app.test_request_context("/other"):
        copied = copy_context()
        assert list(stream) == ["/streamed"] * 2
        assert paths() == ["/other"]
    assert copied.run(paths) == ["/streamed", "/other"]


@pytest.mark.usefixtures("by_context")
def test_stream_returns_from_empty_context(app: RecordingApp) -> None:
    with app.test_request_context("/streamed"):
        stream = stream_with_context(paths() for _ in range(2))
    with app.test_request_context("/other"):
        assert Context().run(next, stream) == []
        assert next(stream) == ["/other", "/streamed"]
        stream.close()
    assert tops() == NOTHING
