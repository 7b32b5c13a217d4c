"""A pytest plugin that fails a test which leaves a context on one of the stacks, and says where it was pushed.

It does nothing until asked: for a whole suite by ``schlenk_leaks = true`` among pytest's settings; for a test, a class
or a module by the marker ``schlenk_leaks``. The marker goes before the setting, and ``schlenk_leaks(False)`` excepts a
test. What is checked is :func:`schlenk.testing.no_context_left`, when the test's fixtures have ended, as these may pop
what the test pushed: so a leak is told as an error at the test's teardown. Flask has nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .testing import no_context_left


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the setting."""
    parser.addini("schlenk_leaks", "fail tests that leave a Flask context pushed", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", "schlenk_leaks(on=True): fail the test if it leaves a Flask context pushed")


@pytest.fixture(autouse=True)
def _schlenk_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    marker = request.node.get_closest_marker("schlenk_leaks")
    if not (request.config.getini("schlenk_leaks") if marker is None else all((*marker.args, *marker.kwargs.values()))):
        yield
        return
    left = ""
    try:
        with no_context_left():
            yield
    except AssertionError as error:
        left = str(error)
    if left:
        pytest.fail(left, pytrace=False)
