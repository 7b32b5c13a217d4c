"""The application's logger, which writes to wsgi.errors during a request."""

from __future__ import annotations

import io
import logging

import pytest

from schlenk import Flask
from schlenk.logging import create_logger, default_handler, has_level_handler, wsgi_errors_stream


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """A separate root logger. Pytest adds handlers to the real one."""
    root = logging.RootLogger(logging.WARNING)
    monkeypatch.setattr(logging.Logger, "manager", logging.Manager(root))
    return root


@pytest.fixture
def logger() -> logging.Logger:
    return logging.getLogger("shop")


# --- The stream


def test_stream_is_stderr_outside_request(capsys: pytest.CaptureFixture[str]) -> None:
    wsgi_errors_stream.write("said outside")
    assert capsys.readouterr().err == "said outside"


def test_stream_is_wsgi_errors_in_request(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    errors = io.StringIO()
    with app.test_request_context(errors_stream=errors):
        wsgi_errors_stream.write("said during the request")
    assert errors.getvalue() == "said during the request"
    assert capsys.readouterr().err == ""


def test_format_has_time_level_and_location(app: Flask) -> None:
    errors = io.StringIO()
    with app.test_request_context(errors_stream=errors):
        app.logger.warning("low on %s", "argon")
    date, _, said = errors.getvalue().partition("] ")
    assert date.startswith("[20")
    assert said == "WARNING in test_logging: low on argon\n"


def test_handler_uses_stream() -> None:
    assert default_handler.stream is wsgi_errors_stream


# --- The logger


def test_logger_has_name_of_app(app: Flask, logger: logging.Logger) -> None:
    assert app.logger is logger


def test_logger_gets_handler(app: Flask) -> None:
    assert create_logger(app).handlers == [default_handler]


def test_logger_gets_one_default_handler(app: Flask) -> None:
    create_logger(app)
    assert create_logger(app).handlers == [default_handler]


def test_configured_logger_gets_no_handler(app: Flask, logger: logging.Logger) -> None:
    handler = logging.NullHandler()
    logger.addHandler(handler)
    assert create_logger(app).handlers == [handler]


def test_parent_handler_is_enough(app: Flask, root: logging.Logger) -> None:
    root.addHandler(logging.NullHandler())
    assert create_logger(app).handlers == []


# --- The level


def test_level_is_unchanged_without_debug(app: Flask) -> None:
    assert create_logger(app).level == logging.NOTSET


def test_debug_sets_level(app: Flask) -> None:
    app.debug = True
    assert create_logger(app).level == logging.DEBUG


def test_existing_level_is_kept_in_debug(app: Flask, logger: logging.Logger) -> None:
    app.debug = True
    logger.setLevel(logging.ERROR)
    assert create_logger(app).level == logging.ERROR


def test_debug_adds_handler_for_its_level(app: Flask, root: logging.Logger) -> None:
    app.debug = True
    root.addHandler(logging.NullHandler(logging.WARNING))
    assert create_logger(app).handlers == [default_handler]


# --- has_level_handler


def test_no_handler_anywhere(logger: logging.Logger) -> None:
    assert not has_level_handler(logger)


@pytest.mark.parametrize(("level", "reached"), [(logging.INFO, True), (logging.WARNING, True), (logging.ERROR, False)])
def test_handler_level_counts(logger: logging.Logger, level: int, reached: bool) -> None:
    logger.addHandler(logging.NullHandler(level))
    assert has_level_handler(logger) is reached


def test_one_suitable_handler_is_enough(logger: logging.Logger) -> None:
    logger.addHandler(logging.NullHandler(logging.CRITICAL))
    logger.addHandler(logging.NullHandler(logging.DEBUG))
    assert has_level_handler(logger)


def test_distant_ancestor_handler_counts(root: logging.Logger) -> None:
    root.addHandler(logging.NullHandler())
    assert has_level_handler(logging.getLogger("shop.below.it"))


def test_level_comes_from_logger_alone(root: logging.Logger, logger: logging.Logger) -> None:
    root.addHandler(logging.NullHandler(logging.WARNING))
    logger.setLevel(logging.DEBUG)
    assert not has_level_handler(logger)


def test_unpropagated_handler_is_ignored(root: logging.Logger, logger: logging.Logger) -> None:
    root.addHandler(logging.NullHandler())
    logger.propagate = False
    assert not has_level_handler(logger)
