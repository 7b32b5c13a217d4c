"""Fixtures for the tests of contexts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Callable

import pytest

from schlenk import _app_ctx_stack, _request_ctx_stack
from schlenk.ctx import RequestContext
from tests.support.contexts import RecordingApp, tops


@pytest.fixture
def app() -> RecordingApp:
    return RecordingApp()


@pytest.fixture
def error() -> Exception:
    return ValueError("an error")


@pytest.fixture
def record(app: RecordingApp) -> Iterator[Callable[[Any], list[Any]]]:
    """A function that connects to a signal and returns a list of the signals that are sent.

    Each entry holds the contexts on top of both stacks when the signal was sent, and the signal's arguments.
    """
    pytest.importorskip("blinker")
    with ExitStack() as connections:

        def record(signal: Any) -> list[Any]:
            sent: list[Any] = []

            def receive(sender: Any, **values: Any) -> None:
                sent.append((*tops(), values))

            connections.enter_context(signal.connected_to(receive, app))
            return sent

        yield record


@pytest.fixture
def preserving(app: RecordingApp) -> RequestContext:
    """A request context that is preserved when its block ends, as for a test client in a ``with`` block."""
    return app.test_request_context("/kept", environ_base={"flask._preserve_context": True})


@pytest.fixture(autouse=True)
def no_empty_stacks() -> Iterator[None]:
    """Remove the empty stacks that streams leave when they end elsewhere, which other tests would count.

    The next push of the thread, or one of many pushes after its end, would remove them.
    """
    yield
    for stack in (_request_ctx_stack, _app_ctx_stack):
        storage = stack._local.__storage__
        for ident in [ident for ident, values in storage.items() if values == {"stack": []}]:
            del storage[ident]
