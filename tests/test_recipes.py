"""The ways to take install_under_flask() into use that docs/under-flask.md describes, each with a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from urllib.request import urlopen

import pytest

from tests.support.requirements import needs_flask
from tests.support.serving import PATIENCE, serving

pytestmark = needs_flask
APPLICATION = """
    import schlenk

    schlenk.install_under_flask()

    import threading

    from flask import Flask, _app_ctx_stack, _request_ctx_stack, current_app, g, request

    app = Flask("shop")

    @app.route("/")
    def index():
        assert _request_ctx_stack.top.request is request._get_current_object()
        return f"{request.path} {len(schlenk.flight.in_flight())}"

    @app.route("/job")
    def job():
        shop, done = current_app._get_current_object(), []

        def work():
            assert _app_ctx_stack.top is None
            with shop.app_context():
                g.job = "pack"
                done.append(f"{current_app.name} {g.job}")

        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
        return f"{done} {'job' in g}"

    @app.cli.command("stacks")
    def stacks():
        print(current_app.name, len(_app_ctx_stack.entries()))
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(dedent(APPLICATION), encoding="utf-8")
    return tmp_path


def read(port: int, path: str) -> str:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as response:
        return str(response.read().decode())


def gunicorn(*options: str) -> list[str]:
    return ["-m", "gunicorn", "--log-level", "error", "--bind", "127.0.0.1:PORT", *options, "shop:app"]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["-m", "schlenk", "flask", "--app", "shop", "run", "--port", "PORT"], id="flask-run"),
        pytest.param(gunicorn(), id="gunicorn"),
        pytest.param(gunicorn("--preload"), id="gunicorn-preload"),
        pytest.param(gunicorn("--threads", "4"), id="gunicorn-threads"),
        pytest.param(gunicorn("--worker-class", "gevent"), id="gunicorn-gevent"),
        pytest.param(["-m", "waitress", "--listen", "127.0.0.1:PORT", "shop:app"], id="waitress"),
    ],
)
def test_server_uses_the_stacks(command: list[str], directory: Path) -> None:
    for package in {"gunicorn", "gevent", "waitress"}.intersection(command):
        if find_spec(package) is None:
            pytest.skip(f"needs {package}")
    with serving(sys.executable, *command, directory=directory) as port:
        assert read(port, "/").startswith("/ ")
        assert read(port, "/job") == "['shop pack'] False"


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONWARNINGS": "error"}
    return subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, timeout=PATIENCE)


def test_flask_command_runs_on_the_stacks(directory: Path) -> None:
    done = run(directory, sys.executable, "-m", "schlenk", "flask", "--app", "shop", "stacks")
    assert done.stderr == ""
    assert done.stdout == "shop 1\n"


def test_flasks_own_command_is_refused(directory: Path) -> None:
    done = run(directory, sys.executable, "-m", "flask", "--app", "shop", "stacks")
    assert done.returncode != 0
    assert "python -m schlenk flask" in done.stderr


def test_conftest_installs(directory: Path) -> None:
    (directory / "conftest.py").write_text("import schlenk\n\nschlenk.install_under_flask()\n", encoding="utf-8")
    test = "from shop import app\n\ndef test_index():\n    assert app.test_client().get('/').status_code == 200\n"
    (directory / "test_shop.py").write_text(test, encoding="utf-8")
    done = run(directory, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
