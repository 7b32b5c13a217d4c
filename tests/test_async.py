"""Views and hooks written with ``async def``, which are not supported: each gets an error that says so."""

from __future__ import annotations

import asyncio
from functools import partial, wraps
from typing import Any, Callable

import pytest

from schlenk import Flask, _app_ctx_stack, _request_ctx_stack, after_this_request, url_for


async def later(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("It is never awaited.")


async def generating(*args: Any, **kwargs: Any) -> Any:
    yield "never"


class Later:
    async def __call__(self, *args: Any) -> Any:
        return None

    async def method(self, *args: Any) -> Any:
        return None


def where(function: Any) -> str:
    return f"{__name__}.{function.__qualname__} ({__file__}, line {function.__code__.co_firstlineno})"


@pytest.fixture
def app(app: Flask) -> Flask:
    app.testing = True
    app.add_url_rule("/", "index", lambda: "body")
    app.add_url_rule("/link", "link", lambda: url_for("index"))
    app.add_url_rule("/nowhere", "nowhere", lambda: url_for("missing"))
    app.add_url_rule("/divide", "divide", lambda: str(1 // 0))
    return app


def view(app: Flask, function: Any) -> None:
    app.view_functions["index"] = function


def after_this(app: Flask, function: Any) -> None:
    @app.before_request
    def register() -> None:
        after_this_request(function)


# For each kind of function: how it is registered, the URL of a request that calls it, and its name in the error.
KINDS: dict[str, tuple[Callable[[Flask, Any], Any], str, str]] = {
    "view": (view, "/", "view function"),
    "before_first_request": (Flask.before_first_request, "/", "before_first_request function"),
    "url_value_preprocessor": (Flask.url_value_preprocessor, "/", "url_value_preprocessor"),
    "before_request": (Flask.before_request, "/", "before_request function"),
    "after_request": (Flask.after_request, "/", "after_request function"),
    "after_this_request": (after_this, "/", "after_this_request function"),
    "teardown_request": (Flask.teardown_request, "/", "teardown_request function"),
    "teardown_appcontext": (Flask.teardown_appcontext, "/", "teardown_appcontext function"),
    "url_defaults": (Flask.url_defaults, "/link", "url_defaults function"),
    "build error": (lambda app, function: app.url_build_error_handlers.append(function), "/nowhere", "URL build error"),
    "error handler": (
        lambda app, function: app.register_error_handler(ZeroDivisionError, function),
        "/divide",
        "error",
    ),
}

WITH_RESULT = {"view", "before_request", "after_request", "after_this_request", "build error", "error handler"}


def kinds(*names: str) -> Any:
    return pytest.mark.parametrize("kind", sorted(names))


def refusal(app: Flask, kind: str, function: Any) -> str:
    """Return the message of the error for a request that calls ``function``, which is a hook of this kind."""
    register, url, _ = KINDS[kind]
    register(app, function)
    with pytest.raises(TypeError) as refused:
        app.test_client().get(url)
    return str(refused.value)


@kinds(*KINDS)
def test_asynchronous_function_is_named(app: Flask, kind: str) -> None:
    message = refusal(app, kind, later)
    assert message.startswith(f"The {KINDS[kind][2]}")
    assert where(later) in message
    assert message.endswith(
        "Views and hooks written with `async def` are not supported: write them with `def`, and call asyncio.run() in"
        " them to await something."
    )


@kinds(*KINDS.keys() - WITH_RESULT)
@pytest.mark.parametrize(
    ("function", "named"),
    [
        (partial(later), later),
        (wraps(later)(lambda *args: later()), later),
        (Later().method, Later.method),
        (Later(), Later.__call__),
        (generating, generating),
    ],
    ids=["partial", "decorated", "method", "callable", "generator"],
)
def test_every_kind_of_function(app: Flask, kind: str, function: Any, named: Any) -> None:
    assert f"line {named.__code__.co_firstlineno}) is written with `async def`" in refusal(app, kind, function)


@kinds(*KINDS.keys() - WITH_RESULT)
def test_other_return_values_are_ignored(app: Flask, kind: str) -> None:
    register, url, _ = KINDS[kind]
    kept: list[Any] = []

    async def work() -> None:
        return None

    def keep(*args: Any) -> Any:
        kept.append(work())
        return kept[-1]

    for function in (keep, lambda *args: 7, lambda *args: iter("ab"), wraps(later)(lambda *args: 7)):
        register(app, function)
    assert app.test_client().get(url).status_code == 200
    asyncio.run(kept[0])


def test_async_hook_may_be_run_by_the_application() -> None:
    """The registration is accepted, so that a subclass can run such functions itself, as on Flask 1.1.4."""

    class OurFlask(Flask):
        def do_teardown_request(self, exc: Any = None) -> None:
            for function in self.teardown_request_funcs[None]:
                asyncio.run(function(exc))

    app, ended = OurFlask("running"), []

    @app.teardown_request
    async def end(error: Any) -> None:
        ended.append(error)

    with app.test_request_context():
        pass
    assert ended == [None]


def test_contexts_are_popped_after_error(app: Flask) -> None:
    app.teardown_request(later)
    app.teardown_appcontext(later)
    with pytest.raises(TypeError, match="teardown_appcontext function"), app.test_request_context():
        pass
    assert (_request_ctx_stack.top, _app_ctx_stack.top) == (None, None)
