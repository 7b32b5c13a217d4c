"""A pytest plugin that fails a test which leaves a context pushed, and names the line that pushed it.

Pytest loads it by itself if schlenk is installed. Enable it for all tests with the setting ``schlenk_leaks = true``, or
for a test, a class or a module with the marker ``schlenk_leaks``. The marker takes precedence over the setting, and
``schlenk_leaks(False)`` exempts a test.

The check is :func:`schlenk.leaks.no_context_left`. It covers the test and its fixtures of function scope, and ends
after those have been torn down, so a leak is reported as an error at the test's teardown. Contexts that are pushed by
fixtures of a wider scope, ``setup_class`` or ``setUpClass`` belong to those and are not reported. Flask has no such
plugin.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

# This module is not part of the package, because pytest imports it in every run, and the package with it: Werkzeug, ssl
# and threading would be loaded before a conftest can call `gevent.monkey.patch_all()`. It imports the package only if a
# check is enabled.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the setting."""
    parser.addini("schlenk_leaks", "fail tests that leave a Flask context pushed", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "schlenk_leaks(on=True): fail the test if it leaves a Flask context pushed")


@pytest.fixture(autouse=True)
def _schlenk_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    if not _enabled(request):
        yield
        return
    from schlenk.leaks import no_context_left

    left = ""
    try:
        with no_context_left():
            yield
    except AssertionError as error:
        left = str(error)
    if left:
        pytest.fail(left, pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Iterator[None]:
    """Exempt what a fixture that outlives the test pushes, if a test is the first to request it."""
    leaks = sys.modules.get("schlenk.leaks")
    if leaks is None or fixturedef.scope == "function":
        yield
        return
    with leaks.contexts_allowed():
        yield


def _enabled(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker("schlenk_leaks")
    if marker is None:
        return bool(request.config.getini("schlenk_leaks"))
    return all((*marker.args, *marker.kwargs.values()))
