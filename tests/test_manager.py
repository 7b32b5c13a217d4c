"""LocalManager: releases a number of locals together, at the end of a request."""

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


# --- Which locals


def test_manager_of_nothing_has_no_locals() -> None:
    assert LocalManager().locals == []


def test_one_local_is_enough(place: Local) -> None:
    assert LocalManager(place).locals == [place]


def test_one_stack_is_enough() -> None:
    stack: LocalStack[int] = LocalStack()
    assert LocalManager(stack).locals == [stack]


@pytest.mark.parametrize("several", [list, tuple, iter])
def test_several_locals_are_kept_in_a_list_of_its_own(several: Any, place: Local) -> None:
    locals = [place, LocalStack()]
    manager = LocalManager(several(locals))
    assert manager.locals == locals
    assert manager.locals is not locals


def test_repr_tells_how_many(place: Local) -> None:
    assert repr(LocalManager([place, Local()])) == "<LocalManager storages: 2>"


# --- Cleaning up


def test_cleanup_releases_all(place: Local) -> None:
    stack: LocalStack[int] = LocalStack()
    stack.push(1)
    LocalManager([place, stack]).cleanup()
    assert (held(place), stack.top) == ([], None)


def test_cleanup_releases_what_was_appended_later(place: Local) -> None:
    manager = LocalManager()
    manager.locals.append(place)
    manager.cleanup()
    assert held(place) == []


def test_cleanup_leaves_what_others_keep(place: Local) -> None:
    in_thread(LocalManager(place).cleanup)
    assert place.user == "ada"


# --- The choice of ident


def test_ident_is_get_ident(place: Local) -> None:
    manager = LocalManager(place)
    assert manager.ident_func is get_ident
    assert manager.get_ident() == get_ident()


def test_manager_without_a_choice_leaves_the_locals_theirs(place: Local) -> None:
    place.__ident_func__ = threading.get_ident
    LocalManager(place)
    assert place.__ident_func__ is threading.get_ident


def test_chosen_ident_is_told() -> None:
    manager = LocalManager(ident_func=lambda: "somebody")
    assert manager.get_ident() == "somebody"


def test_ident_set_later_is_told() -> None:
    manager = LocalManager()
    manager.ident_func = lambda: "somebody"
    assert manager.get_ident() == "somebody"


def test_chosen_ident_is_given_to_each_local() -> None:
    place, stack = Local(), LocalStack[int]()
    LocalManager([place, stack], ident_func=lambda: "somebody")
    place.user = "ada"
    stack.push(1)
    assert place.__storage__.keys() == stack._local.__storage__.keys() == {"somebody"}


def test_cleanup_releases_what_the_chosen_ident_keeps() -> None:
    place = Local()
    manager = LocalManager(place, ident_func=lambda: "somebody")
    place.user = "ada"
    in_thread(manager.cleanup)
    assert held(place) == []


# --- Middleware


class Body:
    """A response body that tells when it was closed."""

    closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"hello ", b"ada"])

    def close(self) -> None:
        self.closed = True


def test_middleware_passes_the_request_and_the_answer_on(place: Local) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("201 CREATED", [("X-Path", environ["PATH_INFO"])])
        return [b"hello"]

    wrapped = LocalManager(place).make_middleware(application)
    body, status, headers = run_wsgi_app(wrapped, create_environ("/page"), buffered=True)
    assert (list(body), status, headers["X-Path"]) == ([b"hello"], "201 CREATED", "/page")


def test_middleware_releases_when_the_answer_is_closed_and_not_before(place: Local) -> None:
    body = Body()
    answer: Any = LocalManager(place).make_middleware(lambda environ, start_response: body)({}, lambda *_: None)
    assert list(answer) == [b"hello ", b"ada"]
    assert (held(place), body.closed) == ([{"user": "ada"}], False)
    answer.close()
    assert (held(place), body.closed) == ([], True)


def test_middleware_as_a_decorator_keeps_the_name_and_releases(place: Local) -> None:
    @LocalManager(place).middleware
    def application(environ: Any, start_response: Any) -> Any:
        """Say hello."""
        return Body()

    assert (application.__name__, application.__doc__) == ("application", "Say hello.")
    application({}, lambda *_: None).close()
    assert held(place) == []
