"""A pytest plugin that fails a test which leaves a context pushed, and names the line that pushed it.

Pytest loads it by itself if schlenk is installed. Enable it for all tests with the setting ``schlenk_leaks = true``, or
for a test, a class or a module with the marker ``schlenk_leaks``. The marker takes precedence over the setting, and
``schlenk_leaks(False)`` exempts a test.

The check is :func:`schlenk.leaks.no_context_left`. It covers the test and its fixtures of function scope, and ends
after those have been torn down, so a leak is reported as an error at the test's teardown. Contexts that are pushed by
fixtures of a wider scope, ``setup_class`` or ``setUpClass`` belong to those and are not reported.

The setting ``schlenk_under_flask = true`` calls :func:`schlenk.install_under_flask` before pytest imports a conftest,
in each worker of pytest-xdist as well. The check then covers Flask's contexts. A plugin that imports flask, such as
pytest-flask, may be loaded earlier: put ``-p schlenk`` into ``addopts``, which loads this one first.

Flask has no such plugin.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

# This module is not part of the package, because pytest imports it in every run, and the package with it: Werkzeug, ssl
# and threading would be loaded before a conftest can call `gevent.monkey.patch_all()`. It imports the package only if a
# check is enabled.


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the settings, and install schlenk under Flask if the setting says so."""
    parser.addini("schlenk_leaks", "fail tests that leave a Flask context pushed", type="bool", default=False)
    parser.addini("schlenk_under_flask", "call schlenk.install_under_flask() first", type="bool", default=False)
    # This hook is called when the plugin is loaded. All later ones are called after other plugins were loaded, too.
    config: pytest.Config | None = pluginmanager.get_plugin("pytestconfig")
    if config is not None and config.getini("schlenk_under_flask"):
        from schlenk import install_under_flask

        try:
            install_under_flask()
        except RuntimeError as error:
            raise pytest.UsageError(
                f"schlenk_under_flask: {error} If a plugin of pytest has imported flask, put `-p schlenk` into addopts."
            ) from error


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
