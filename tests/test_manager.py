"""LocalManager: releases several locals at the end of a request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from schlenk.local import Local, LocalManager, LocalStack, get_ident
from tests.support.execution import in_thread


@pytest.fixture
def place() -> Local:
    place = Local()
    place.user = "ada"
    return place


def held(place: Local) -> list[dict[str, Any]]:
    return [values for _, values in place]


# --- Locals


def test_no_locals_by_default() -> None:
    assert LocalManager().locals == []


def test_accepts_one_local(place: Local) -> None:
    assert LocalManager(place).locals == [place]


def test_accepts_one_stack() -> None:
    stack: LocalStack[int] = LocalStack()
    assert LocalManager(stack).locals == [stack]


@pytest.mark.parametrize("several", [list, tuple, iter])
def test_locals_are_copied_to_own_list(several: Any, place: Local) -> None:
    locals = [place, LocalStack()]
    manager = LocalManager(several(locals))
    assert manager.locals == locals
    assert manager.locals is not locals


def test_repr_shows_count(place: Local) -> None:
    assert repr(LocalManager([place, Local()])) == "<LocalManager storages: 2>"


# --- cleanup


def test_cleanup_releases_all(place: Local) -> None:
    stack: LocalStack[int] = LocalStack()
    stack.push(1)
    LocalManager([place, stack]).cleanup()
    assert held(place) == []
    assert stack.top is None


def test_appended_is_released(place: Local) -> None:
    manager = LocalManager()
    manager.locals.append(place)
    manager.cleanup()
    assert held(place) == []


def test_cleanup_keeps_other_owners_values(place: Local) -> None:
    in_thread(LocalManager(place).cleanup)
    assert place.user == "ada"


# --- Ident functions


def test_get_ident_is_default(place: Local) -> None:
    manager = LocalManager(place)
    assert manager.ident_func is get_ident
    assert manager.get_ident() == get_ident()


def test_locals_keep_ident(place: Local) -> None:
    place.__ident_func__ = threading.get_ident
    LocalManager(place)
    assert place.__ident_func__ is threading.get_ident


def test_custom_ident_is_returned() -> None:
    manager = LocalManager(ident_func=lambda: "somebody")
    assert manager.get_ident() == "somebody"


def test_later_ident_is_returned() -> None:
    manager = LocalManager()
    manager.ident_func = lambda: "somebody"
    assert manager.get_ident() == "somebody"


def test_custom_ident_is_set_on_locals() -> None:
    place, stack = Local(), LocalStack[int]()
    LocalManager([place, stack], ident_func=lambda: "somebody")
    place.user = "ada"
    stack.push(1)
    assert place.__storage__.keys() == stack._local.__storage__.keys() == {"somebody"}


def test_cleanup_uses_ident() -> None:
    place = Local()
    manager = LocalManager(place, ident_func=lambda: "somebody")
    place.user = "ada"
    in_thread(manager.cleanup)
    assert held(place) == []


# --- Middleware


class Body:
    """A response body that records whether it was closed."""

    closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"hello ", b"ada"])

    def close(self) -> None:
        self.closed = True


def test_middleware_passes_request_through(place: Local) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("201 CREATED", [("X-Path", environ["PATH_INFO"])])
        return [b"hello"]

    wrapped = LocalManager(place).make_middleware(application)
    body, status, headers = run_wsgi_app(wrapped, create_environ("/page"), buffered=True)
    assert list(body) == [b"hello"]
    assert status == "201 CREATED"
    assert headers["X-Path"] == "/page"


def test_close_releases(place: Local) -> None:
    body = Body()
    answer: Any = LocalManager(place).make_middleware(lambda environ, start_response: body)({}, lambda *_: None)
    assert list(answer) == [b"hello ", b"ada"]
    assert held(place) == [{"user": "ada"}]
    assert body.closed is False
    answer.close()
    assert held(place) == []
    assert body.closed is True


def test_middleware_decorator_keeps_name(place: Local) -> None:
    @LocalManager(place).middleware
    def application(environ: Any, start_response: Any) -> Any:
        """Say hello."""
        return Body()

    assert application.__name__ == "application"
    assert application.__doc__ == "Say hello."
    application({}, lambda *_: None).close()
    assert held(place) == []
