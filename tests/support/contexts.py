"""Helpers for tests that push and pop contexts."""

from __future__ import annotations

from typing import Any, Callable

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack

NOTHING = (None, None)
"""What `tops` returns when both stacks are empty."""


class RecordingApp(Flask):
    """An application that appends the arguments of its teardown functions to ``torn``."""

    def __init__(self, name: str = "contexts", **options: Any) -> None:
        super().__init__(name, **options)
        self.secret_key = "for tests only"
        self.torn: list[tuple[str, BaseException | None]] = []
        self.teardown_request(lambda error: self.torn.append(("request", error)))
        self.teardown_appcontext(lambda error: self.torn.append(("app", error)))


class Interrupting(list[Any]):
    """The list of pushes of a context: a signal handler raises an exception as soon as a pop of it has begun."""

    def pop(self, *place: Any) -> Any:
        super().pop(*place)
        raise KeyboardInterrupt


def tops() -> tuple[Any, Any]:
    """Return the request context and the application context on top of their stacks."""
    return _request_ctx_stack.top, _app_ctx_stack.top


def fail(*arguments: Any, **keywords: Any) -> Any:
    """Raise ``ZeroDivisionError``, whatever the arguments."""
    raise ZeroDivisionError("on purpose")


def fail_after(act: Callable[[], Any], error: Exception) -> None:
    """Call ``act``, then raise ``error``."""
    act()
    raise error


def leave(make: Callable[[Flask], Any]) -> Callable[..., None]:
    """Return a function that pushes the context that ``make`` makes, and does not pop it."""
    return lambda *arguments: make(RecordingApp("left")).push()
