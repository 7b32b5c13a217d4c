"""``python -m schlenk``, called in this process, or in a new process if it replaces or needs Flask."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from schlenk.__main__ import main
from tests.support.requirements import needs_flask

SHOP = """
from schlenk import Flask, request, session

app = Flask("shop")
app.secret_key = "key"
text = "no application"

@app.route("/cart", methods=["GET", "POST", "PUT"])
def cart():
    session["visits"] = session.get("visits", 0) + 1
    apples = request.form.get("apples", "no")
    return f"{request.method} {apples} {request.headers.get('X-User')} {session['visits']}"

@app.route("/ïtem")
def item():
    return ""

def create_app():
    return app

class Middleware:
    def __call__(self, environ, start_response):
        return app(environ, start_response)

wrapped = Middleware()

@app.route("/printing")
def printing():
    print("printed by the view")
    return ""

def create_none():
    raise ValueError("no shop today")

def create_exit():
    raise SystemExit("no setting")
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module `shop` that can be imported, and one that fails."""
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    (tmp_path / "broken.py").write_text("import no_such_module")
    (tmp_path / "failing.py").write_text("1 / 0")
    (tmp_path / "exiting.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shop", raising=False)


def views(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Return the return value of the view for each request."""
    assert main(["trace", "shop:app", "/cart", "--json", *arguments]) == 0
    return [step["result"] for step in json.loads(capsys.readouterr().out)["steps"] if step["kind"] == "view"]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["trace", *arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_timeline_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "shop:app", "/cart?id=1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("GET /cart?id=1 of shop, ")
    assert "view cart" in out


def test_factory_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "shop:create_app()", "/cart"]) == 0
    assert "view cart" in capsys.readouterr().out


def test_url_is_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "shop:app", "http://shop.example/cart"]) == 0
    assert "view cart" in capsys.readouterr().out


def test_json_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert views(capsys) == ["'GET no None 1'"]


def test_json_is_all_output(capsys: pytest.CaptureFixture[str]) -> None:
    main(["trace", "shop:app", "/printing", "--json"])
    printed = capsys.readouterr()
    assert json.loads(printed.out)["steps"]
    assert printed.err == "printed by the view\n"


def test_method_and_header(capsys: pytest.CaptureFixture[str]) -> None:
    assert views(capsys, "--method", "PUT", "--header", "X-User: ada") == ["'PUT no ada 1'"]


def test_data_is_posted_as_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert views(capsys, "--data", "apples=2") == ["'POST 2 None 1'"]


def test_data_of_another_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert views(capsys, "--data", "apples=2", "--header", "content-type: text/plain") == ["'POST no None 1'"]


def test_repeat_keeps_cookies(capsys: pytest.CaptureFixture[str]) -> None:
    assert views(capsys, "--repeat", "3") == [f"'GET no None {visit}'" for visit in (1, 2, 3)]


def test_page_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = tmp_path / "cart.html"
    assert main(["trace", "shop:app", "/cart", "--html", str(page)]) == 0
    assert "view cart" in capsys.readouterr().out
    assert "view cart" in page.read_text(encoding="utf-8")


def test_unwritable_page_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    err = refused(capsys, "shop:app", "/cart", "--html", str(tmp_path))
    assert "the page can't be written: " in err.splitlines()[-1]


def test_error_of_application_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import shop  # type: ignore[import-not-found]

    shop.app.testing = True
    shop.app.view_functions["cart"] = lambda: 1 / 0
    assert main(["trace", "shop:app", "/cart"]) == 1
    out, err = capsys.readouterr()
    assert "! ZeroDivisionError: division by zero" in out
    assert err.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interruption_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    import shop

    def cart() -> None:
        raise error

    shop.app.view_functions["cart"] = cart
    assert main(["trace", "shop:app", "/cart"]) == 1
    out, err = capsys.readouterr()
    assert f"! {error.__name__}" in next(line for line in out.splitlines() if " view cart " in line)
    assert err.endswith(f"{error.__name__}\n")


def test_header_of_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    err = refused(capsys, "shop:app", "/cart", "--header", "X-User: ada\nX-Admin: yes")
    assert "the request can't be made: Header values must not contain newline" in err.splitlines()[-1]


def test_terminal_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_only)
    assert main(["trace", "shop:app", "/%c3%aftem"]) == 0
    ascii_only.seek(0)
    assert ascii_only.read().startswith("GET /\\xeftem of shop, ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("shop:app cart", "the path 'cart' does not start with a slash"),
        ("shop /", "'shop' does not name an application: write it as module:app or module:create_app()"),
        (":app /", "':app' does not name an application"),
        ("no_shop:app /", "the module 'no_shop' can't be imported: No module named 'no_shop'"),
        ("shop.inner:app /", "the module 'shop.inner' can't be imported: No module named 'shop.inner'"),
        ("shop:nothing /", "the module 'shop' has no 'nothing'"),
        ("shop:text /", "shop:text is a str, which is not an application"),
        ("shop:create_app /", "write shop:create_app()"),
        ("shop:dict() /", "the module 'shop' has no 'dict'"),
        ("shop:session() /", "shop:session() failed: RuntimeError: Working outside of request context"),
        ("shop:create_none() /", "shop:create_none() failed: ValueError: no shop today"),
        ("shop:create_exit() /", "shop:create_exit() failed: SystemExit: no setting"),
        ("shop:app http://[", "the request can't be made: Invalid IPv6 URL"),
        ("shop:app /\udcff", "the request can't be made: 'utf-8' codec can't encode"),
        ("shop:app / --repeat 0", "'0' is not a number of at least 1"),
        ("shop:app / --repeat x", "'x' is not a number of at least 1"),
        ("shop:app / --header X-User", "'X-User' is not of the form 'Name: value'"),
    ],
)
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], arguments: str, message: str) -> None:
    err = refused(capsys, *arguments.split(" "))
    assert message in err.splitlines()[-1]


def test_object_is_not_called_a_factory(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "shop:wrapped", "/").endswith("shop:wrapped is a Middleware, which is not an application\n")


@pytest.mark.parametrize(
    ("module", "error"),
    [
        ("failing", "ZeroDivisionError: division by zero"),
        ("broken", "No module named 'no_such_mod"),
        ("exiting", "SystemExit: 3"),
    ],
)
def test_module_that_fails_shows_where(capsys: pytest.CaptureFixture[str], module: str, error: str) -> None:
    err = refused(capsys, f"{module}:app", "/")
    assert f"{module}.py" in err
    assert f"the module '{module}' can't be imported: {error}" in err.splitlines()[-1]


def test_without_command() -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2


# In a new process


def python_m_schlenk(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "bakery.py").write_text(textwrap.dedent(program))
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "schlenk", "trace", "bakery:app", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


BAKERY = """
    from flask import Flask
    app = Flask("bakery")
    @app.route("/bread")
    def bread():
        return "rye"
    """


def test_module_in_current_folder(tmp_path: Path) -> None:
    done = python_m_schlenk(tmp_path, BAKERY.replace("flask", "schlenk"), "/bread")
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.startswith("GET /bread of bakery, ")


@needs_flask
def test_under_flask(tmp_path: Path) -> None:
    done = python_m_schlenk(tmp_path, BAKERY, "/bread", "--under-flask")
    assert done.stderr == ""
    assert done.returncode == 0
    assert "[bakery] / [GET /bread]" in done.stdout


@needs_flask
def test_flask_alone_is_refused(tmp_path: Path) -> None:
    done = python_m_schlenk(tmp_path, BAKERY, "/bread")
    assert done.returncode == 2
    assert done.stderr.endswith("bakery:app is an application of Flask: add --under-flask\n")


def test_missing_flask_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RuntimeError("Flask is not installed.")

    monkeypatch.setattr("schlenk.__main__.install_under_flask", refuse)
    assert "Flask is not installed." in refused(capsys, "shop:app", "/", "--under-flask")
