"""The pytest plugin that fails tests which leave a context pushed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from schlenk import _app_ctx_stack, _request_ctx_stack

pytest_plugins = ["pytester"]

LEAVING = """
    import pytest
    from schlenk import Flask

    app = Flask("leaking")

    @pytest.fixture
    def pushed():
        with app.app_context():
            yield

    @pytest.fixture
    def popping():
        yield
        from schlenk import _app_ctx_stack
        _app_ctx_stack.top.pop()

    def test_leaving():
        app.app_context().push()

    @pytest.mark.schlenk_leaks(on=False)
    def test_excepted():
        app.app_context().push()
        app.app_context().push()

    @pytest.mark.schlenk_leaks
    def test_tidy(pushed):
        pass

    @pytest.mark.schlenk_leaks
    def test_popped_by_its_fixture(popping):
        app.app_context().push()

    @pytest.mark.schlenk_leaks
    def test_marked():
        app.test_request_context("/page").push()
    """


def outcomes(pytester: pytest.Pytester, *arguments: str) -> tuple[dict[str, int], str]:
    pytester.makepyfile(LEAVING)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)
    for stack in (_app_ctx_stack, _request_ctx_stack):
        stack._local.__release_local__()
    return result.parseoutcomes(), result.stdout.str()


def test_plugin_is_off_by_default(pytester: pytest.Pytester) -> None:
    assert outcomes(pytester, "-k", "leaving or excepted")[0] == {"passed": 2, "deselected": 3}


def test_marker_enables_one_test(pytester: pytest.Pytester) -> None:
    found, told = outcomes(pytester)
    assert found == {"passed": 5, "errors": 1}
    assert "ERROR at teardown of test_marked" in told
    assert "During handling" not in told
    assert "GET /page of leaking, pushed in " in told


def test_setting_enables_all_but_excluded(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nschlenk_leaks = true")
    found, told = outcomes(pytester)
    assert found == {"passed": 5, "errors": 2}
    assert [name for name in ("leaving", "excepted", "tidy", "marked") if f"teardown of test_{name}" in told] == [
        "leaving",
        "marked",
    ]


def test_marker_is_registered(pytester: pytest.Pytester) -> None:
    assert outcomes(pytester, "--strict-markers")[0] == {"passed": 5, "errors": 1}


def run(pytester: pytest.Pytester, program: str, *arguments: str) -> pytest.RunResult:
    """Run ``program`` as a test module with the check enabled, in a process of its own."""
    pytester.makeini("[pytest]\nschlenk_leaks = true")
    pytester.makepyfile("import pytest\nfrom schlenk import Flask, _app_ctx_stack\napp = Flask('shop')\n" + program)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_lazy_session_fixture_is_no_leak(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture(scope="session")
def pushed():
    with app.app_context() as context:
        yield context

def test_first(request):
    context = request.getfixturevalue("pushed")
    assert _app_ctx_stack.top is context

def test_second(pushed):
    assert _app_ctx_stack.top is pushed

def test_leaking(pushed):
    app.app_context().push()

def test_after(pushed):
    assert _app_ctx_stack.top is pushed
""",
    )
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_leaking*"])


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_wider_fixture_is_no_leak(pytester: pytest.Pytester, scope: str) -> None:
    result = run(
        pytester,
        f"""
@pytest.fixture(scope="{scope}")
def pushed():
    context = app.app_context()
    context.push()
    yield context
    context.pop()

class TestPushed:
    def test_first(self, pushed):
        assert _app_ctx_stack.top is pushed

    def test_second(self, pushed):
        assert _app_ctx_stack.top is pushed
""",
    )
    result.assert_outcomes(passed=2)


def test_function_fixture_leak_is_reported(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture
def pushed():
    app.app_context().push()

def test_with_it(pushed):
    pass
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*application context of shop, pushed in *, pushed: app.app_context().push()*"])


def test_set_up_class_is_no_leak(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import unittest

class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = app.app_context()
        cls.context.push()

    @classmethod
    def tearDownClass(cls):
        cls.context.pop()

    def test_first(self):
        assert _app_ctx_stack.top is self.context

    def test_second(self):
        assert _app_ctx_stack.top is self.context

def test_after():
    assert _app_ctx_stack.top is None
""",
    )
    result.assert_outcomes(passed=3)


def test_unittest_leak_is_reported(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import unittest

class Case(unittest.TestCase):
    def test_leaking(self):
        app.app_context().push()
""",
    )
    result.assert_outcomes(passed=1, errors=1)


def test_failing_fixture_hides_no_leak(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture
def failing():
    app.app_context().push()
    raise ZeroDivisionError

def test_with_it(failing):
    pass

def test_after():
    assert _app_ctx_stack.top is None
""",
    )
    # The test has two errors: one of its set-up, one of its teardown.
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_with_it*", "*ERROR at teardown of test_with_it*"])


def test_failing_wider_fixture_is_reported(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture(scope="module")
def failing():
    with app.app_context():
        raise ZeroDivisionError

def test_with_it(failing):
    pass

def test_after():
    assert _app_ctx_stack.top is None
""",
    )
    result.assert_outcomes(passed=1, errors=1)


def test_failed_test_can_leak_too(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_leaking():\n    app.app_context().push()\n    assert False\n")
    result.assert_outcomes(failed=1, errors=1)


def test_xdist_reports_leaks(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = run(
        pytester,
        """
@pytest.mark.parametrize("number", range(4))
def test_tidy(number):
    with app.app_context():
        pass

def test_leaking():
    app.app_context().push()
""",
        "-n2",
    )
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_leaking*", "*application context of shop, pushed in *"])


def test_debugger_sees_context(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nschlenk_leaks = true")
    pytester.makeconftest("def pytest_enter_pdb(config, pdb):\n    print('entered')\n")
    module = pytester.makepyfile(
        """
        from schlenk import Flask, _app_ctx_stack

        def test_failing():
            Flask("shop").app_context().push()
            assert False
        """
    )
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pdb", str(module)],
        input="p _app_ctx_stack.top.app\nc\nc\n",
        capture_output=True,
        text=True,
        cwd=pytester.path,
        timeout=60,
    )
    assert "<Flask 'shop'>" in ended.stdout, ended.stdout
    assert "application context of shop, pushed in" in ended.stdout


def test_asynchronous_tests_are_checked(pytester: pytest.Pytester) -> None:
    # Run the coroutine in a loop of its own, like pytest-asyncio and anyio.
    pytester.makeconftest(
        """
        import asyncio
        import inspect
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            if inspect.iscoroutinefunction(pyfuncitem.obj):
                asyncio.run(pyfuncitem.obj())
                return True
        """
    )
    result = run(
        pytester,
        """
async def test_leaking():
    app.app_context().push()

async def test_tidy():
    with app.app_context():
        pass
""",
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_leaking*"])


def test_disabled_plugin_imports_nothing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_imports():
            assert "pytest_schlenk" in sys.modules
            # From Python 3.14 on, pytest imports asyncio, and with it ssl.
            ssl = {"ssl"} if sys.version_info < (3, 14) else set()
            assert not {"schlenk", "werkzeug", "greenlet", *ssl} & set(sys.modules)
        """
    )
    # Other installed plugins, and coverage, may import these modules.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in [name for name in os.environ if name.startswith("COVERAGE")]:
        monkeypatch.delenv(name)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "pytest_schlenk")
    result.assert_outcomes(passed=1)


def test_conftest_can_patch_first(pytester: pytest.Pytester) -> None:
    pytest.importorskip("gevent")
    pytester.makeconftest("import gevent.monkey\ngevent.monkey.patch_all()\n")
    result = run(
        pytester,
        """
def test_leaking():
    app.app_context().push()
""",
        "-Werror",
    )
    result.assert_outcomes(passed=1, errors=1)


# --- The setting that installs schlenk under Flask

UNDER_FLASK = """
import pytest
import schlenk
from flask import Flask, _request_ctx_stack, request
from schlenk.flight import in_flight

app = Flask("shop")

def test_installed():
    assert _request_ctx_stack is schlenk._request_ctx_stack

@pytest.mark.parametrize("path", ["/a", "/b", "/c"])
def test_requests(path):
    with app.test_request_context(path):
        (flight,) = in_flight()
        assert [pushed.path for pushed in flight.requests] == [path]

def test_leaking():
    app.test_request_context("/basket").push()
"""


def under_flask(pytester: pytest.Pytester, *arguments: str, settings: str = "") -> pytest.RunResult:
    pytest.importorskip("flask")
    pytester.makeini(f"[pytest]\nschlenk_leaks = true\nschlenk_under_flask = true\n{settings}")
    pytester.makeconftest("import flask\n")
    pytester.makepyfile(UNDER_FLASK)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_setting_installs(pytester: pytest.Pytester) -> None:
    result = under_flask(pytester)
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*GET /basket of shop, pushed in *test_setting_installs.py:18, *"])


def test_setting_installs_in_xdist_workers(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    under_flask(pytester, "-n2").assert_outcomes(passed=5, errors=1)


def test_earlier_import_of_flask_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(importing="import flask\n")
    result = under_flask(pytester, "-p", "importing")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*schlenk_under_flask: *called after flask had been imported*put `-p schlenk` into*"])


def test_plugin_is_loaded_first(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(importing="import flask\n")
    under_flask(pytester, "-p", "importing", settings="addopts = -p schlenk").assert_outcomes(passed=5, errors=1)
