"""The application's logger, which writes to wsgi.errors during a request."""

from __future__ import annotations

import io
import logging

import pytest

from schlenk import Flask
from schlenk.logging import create_logger, default_handler, has_level_handler, wsgi_errors_stream


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Loggers of this test's own, with a root of their own: to the real one pytest adds handlers."""
    root = logging.RootLogger(logging.WARNING)
    monkeypatch.setattr(logging.Logger, "manager", logging.Manager(root))
    return root


@pytest.fixture
def logger() -> logging.Logger:
    return logging.getLogger("shop")


# --- Where it goes


def test_stream_is_stderr_outside_a_request(capsys: pytest.CaptureFixture[str]) -> None:
    wsgi_errors_stream.write("said outside")
    assert capsys.readouterr().err == "said outside"


def test_stream_is_wsgi_errors_during_a_request(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    errors = io.StringIO()
    with app.test_request_context(errors_stream=errors):
        wsgi_errors_stream.write("said during the request")
    assert errors.getvalue() == "said during the request"
    assert capsys.readouterr().err == ""


def test_logger_says_when_how_grave_where_and_what(app: Flask) -> None:
    errors = io.StringIO()
    with app.test_request_context(errors_stream=errors):
        app.logger.warning("low on %s", "argon")
    date, _, said = errors.getvalue().partition("] ")
    assert date.startswith("[20")
    assert said == "WARNING in test_logging: low on argon\n"


def test_default_handler_writes_to_that_stream() -> None:
    assert default_handler.stream is wsgi_errors_stream


# --- Which logger, with which handler


def test_logger_is_the_one_named_for_the_application(app: Flask, logger: logging.Logger) -> None:
    assert app.logger is logger


def test_logger_is_given_the_default_handler(app: Flask) -> None:
    assert create_logger(app).handlers == [default_handler]


def test_logger_is_given_the_default_handler_once(app: Flask) -> None:
    create_logger(app)
    assert create_logger(app).handlers == [default_handler]


def test_logger_that_has_a_handler_is_given_no_other(app: Flask, logger: logging.Logger) -> None:
    handler = logging.NullHandler()
    logger.addHandler(handler)
    assert create_logger(app).handlers == [handler]


def test_logger_below_one_with_a_handler_is_given_none(app: Flask, root: logging.Logger) -> None:
    root.addHandler(logging.NullHandler())
    assert create_logger(app).handlers == []


# --- Its level


def test_level_is_left_where_the_application_is_not_in_debug_mode(app: Flask) -> None:
    assert create_logger(app).level == logging.NOTSET


def test_debug_mode_lets_everything_through(app: Flask) -> None:
    app.debug = True
    assert create_logger(app).level == logging.DEBUG


def test_level_that_was_set_stays_in_debug_mode(app: Flask, logger: logging.Logger) -> None:
    app.debug = True
    logger.setLevel(logging.ERROR)
    assert create_logger(app).level == logging.ERROR


def test_debug_mode_gives_a_handler_where_those_above_would_not_let_it_through(
    app: Flask, root: logging.Logger
) -> None:
    app.debug = True
    root.addHandler(logging.NullHandler(logging.WARNING))
    assert create_logger(app).handlers == [default_handler]


# --- Whether what a logger lets through reaches a handler


def test_logger_without_any_handler_reaches_none(logger: logging.Logger) -> None:
    assert not has_level_handler(logger)


@pytest.mark.parametrize(("level", "reached"), [(logging.INFO, True), (logging.WARNING, True), (logging.ERROR, False)])
def test_handler_is_reached_up_to_its_level(logger: logging.Logger, level: int, reached: bool) -> None:
    logger.addHandler(logging.NullHandler(level))
    assert has_level_handler(logger) is reached


def test_one_handler_among_several_is_enough(logger: logging.Logger) -> None:
    logger.addHandler(logging.NullHandler(logging.CRITICAL))
    logger.addHandler(logging.NullHandler(logging.DEBUG))
    assert has_level_handler(logger)


def test_handler_of_a_logger_far_above_is_reached(root: logging.Logger) -> None:
    root.addHandler(logging.NullHandler())
    assert has_level_handler(logging.getLogger("shop.below.it"))


def test_level_is_that_of_the_logger_and_not_of_those_above(root: logging.Logger, logger: logging.Logger) -> None:
    root.addHandler(logging.NullHandler(logging.WARNING))
    logger.setLevel(logging.DEBUG)
    assert not has_level_handler(logger)


def test_handler_above_a_logger_that_keeps_to_itself_is_not_reached(
    root: logging.Logger, logger: logging.Logger
) -> None:
    root.addHandler(logging.NullHandler())
    logger.propagate = False
    assert not has_level_handler(logger)
