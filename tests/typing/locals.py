"""What stacks and proxies know of what is in them. Never run: mypy and pyright read it."""

from __future__ import annotations

from typing_extensions import assert_type

from schlenk import _app_ctx_stack, _request_ctx_stack
from schlenk.ctx import AppContext, RequestContext
from schlenk.local import Local, LocalProxy, LocalStack, release_local


def a_stack_knows_what_is_pushed() -> None:
    stack: LocalStack[int] = LocalStack()
    assert_type(stack.push(1), "list[int]")
    assert_type(stack.top, "int | None")
    assert_type(stack.pop(), "int | None")
    assert_type(stack()._get_current_object(), int)
    stack.push("one")  # type: ignore[arg-type]


def the_context_stacks_know_their_contexts() -> None:
    request_context, app_context = _request_ctx_stack.top, _app_ctx_stack.top
    assert request_context is not None
    assert app_context is not None
    assert_type(request_context, RequestContext)
    assert_type(app_context, AppContext)
    _request_ctx_stack.top.app  # type: ignore[union-attr]  # noqa: B018
    _app_ctx_stack.top.app  # type: ignore[union-attr]  # noqa: B018


def a_proxy_knows_what_it_stands_for() -> None:
    proxy = LocalProxy(lambda: 1.5)
    assert_type(proxy._get_current_object(), float)


def what_can_be_released() -> None:
    release_local(Local())
    release_local(LocalStack[int]())
    release_local({})  # type: ignore[arg-type]
