"""Run every example in the README, the pages of docs/, and the docstrings.

The examples of a page run from top to bottom in one namespace: ``python`` as a module, ``pycon`` as an interactive
session whose output must match, and ``diff`` as the module that the change results in.
"""

from __future__ import annotations

import configparser
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import metadata
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest

import schlenk
from schlenk.config import DEFAULTS
from tests import test_security
from tests.fidelity.scenarios import departures
from tests.support.serving import PATIENCE, serving

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# These replace flask for the whole process, so each has a process of its own.
INSTALLING = {"as-flask.md", "under-flask.md"}
NEEDED = {"under-flask.md": "flask", "signals.md": "blinker", "locals-and-proxies.md": "greenlet"}
MODULES = ["schlenk", *(module.name for module in pkgutil.walk_packages(schlenk.__path__, "schlenk."))]

RUN = {"diff", "pycon", "python"}
NOT_RUN = {"console", "text", "{automodule}", "{eval-rst}", "{literalinclude}", "{toctree}"}
FENCE = re.compile(r"^```(?P<language>\S+)[^\n]*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Fence(NamedTuple):
    language: str
    body: str
    line: int


def fences(page: str) -> Iterator[Fence]:
    for found in FENCE.finditer(page):
        yield Fence(found["language"], found["body"], page.count("\n", 0, found.start("body")) + 1)


def answer(session: doctest.DocTest) -> None:
    """Run an interactive session, and compare its output with the example."""
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(session, out=report.append, clear_globs=False)
    assert not report, "".join(report)


def read(page: str, name: str) -> None:
    """Run all examples of a page, from top to bottom."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for language, body, line in fences(page):
        if language == "pycon":
            session = doctest.DocTestParser().get_doctest(body, namespace, name, name, line - 1)
            session.globs = namespace  # instead of a copy, so that later examples see its variables
            answer(session)
        elif language in RUN:
            if language == "diff":
                body = "\n".join(text[1:] for text in body.splitlines() if not text.startswith("-"))
            # The lines in front let a traceback name the line of the page.
            exec(compile("\n" * (line - 1) + body, name, "exec", dont_inherit=True), namespace)


def docstring_examples() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder()
    for module in map(importlib.import_module, MODULES):
        yield from (found for found in finder.find(module) if found.examples)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_examples_pass(page: Path) -> None:
    if page.name in NEEDED:
        pytest.importorskip(NEEDED[page.name])
    if page.name not in INSTALLING:
        read(page.read_text(encoding="utf-8"), page.name)
        return
    program = f"import pathlib; from tests.test_documentation import read; page = pathlib.Path({str(page)!r})"
    program += "; read(page.read_text(encoding='utf-8'), page.name)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_examples_all_run(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = list(fences(text))
    assert 2 * len(found) == text.count("```")
    assert {fence.language for fence in found} <= RUN | NOT_RUN


@pytest.mark.parametrize("example", list(docstring_examples()), ids=lambda example: example.name)
def test_docstring_examples_pass(example: doctest.DocTest) -> None:
    answer(example)


def test_departures_are_all_documented() -> None:
    pinned = {name for name, value in vars(departures).items() if hasattr(value, "needs")}
    page = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
    # Named in the last column of a table, or in parentheses at the end of a line.
    named = re.findall(r"^\|.*\|([^|]+)\|$|\((`\w+`)\)$", page, re.MULTILINE)
    assert set(re.findall(r"`(\w+_\w+)`", str(named))) == pinned


def test_tests_named_in_security_page_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8")))
    assert named
    assert not [name for name in named if not callable(getattr(test_security, name, None))]


def test_wrong_response_in_page_is_detected() -> None:
    with pytest.raises(AssertionError, match=r"Expected:\n +3\n +Got:\n +2\n"):
        read("```python\none = 1\n```\n\n```pycon\n>>> one + one\n3\n```\n", "wrong.md")


def test_failing_example_in_page_is_detected() -> None:
    with pytest.raises(ZeroDivisionError):
        read("```diff\n-1 / 1\n+1 / 0\n```\n", "wrong.md")


def test_linked_traces_are_built(tmp_path: Path) -> None:
    # In a new process, because the build imports the examples and silences a logger.
    program = (
        "import runpy, sys, types; root, out = sys.argv[1:]; build = runpy.run_path(f'{root}/docs/conf.py');"
        "build['write_traces'](types.SimpleNamespace(srcdir=f'{root}/docs', outdir=out), None)"
    )
    command = [sys.executable, "-c", program, str(ROOT), str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    links = re.findall(r'<a href="([^"]+)">', (ROOT / "docs" / "life-of-a-request.md").read_text(encoding="utf-8"))
    pages = [(tmp_path / link).read_text(encoding="utf-8") for link in links]
    assert len(pages) == 2
    assert "view hello" in pages[0]
    assert "ValueError: the cart is empty" in pages[1]


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    """A directory with the two files that the tutorial tells the reader to save."""
    found = list(fences((ROOT / "docs" / "start.md").read_text(encoding="utf-8")))
    for name, language, sign in (("shop.py", "python", "app = Flask"), ("test_shop.py", "text", "def test_")):
        (body,) = [fence.body for fence in found if fence.language == language and sign in fence.body]
        (tmp_path / name).write_text(body, encoding="utf-8")
    return tmp_path


def test_tutorial_tests_pass(tutorial: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tutorial, capture_output=True, text=True, timeout=PATIENCE)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("program", ["gunicorn", "waitress-serve"])
def test_tutorial_is_served(program: str, tutorial: Path) -> None:
    page = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    (options,) = re.findall(rf"^{program} (.+)$", page, re.MULTILINE)
    package = program.partition("-")[0]
    pytest.importorskip(package)
    command = ["-m", package, *options.replace(":8000", ":PORT").split()]
    with serving(sys.executable, *command, directory=tutorial) as port:
        with urlopen(f"http://127.0.0.1:{port}/items/flask", timeout=PATIENCE) as response:
            answered = response.read()
    assert answered == b'{"left":3,"name":"flask"}\n'
    assert answered.decode() in page


def test_settings_page_lists_every_default() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").partition("## Settings without a default")[0]
    listed = {
        name: eval(value, {"timedelta": timedelta})
        for name, value in re.findall(r"^\| `(\w+)` \| `(.+?)` \|", page, re.M)
    }
    assert listed == dict(DEFAULTS)


def test_package_readme_links_are_absolute() -> None:
    package = metadata("schlenk")
    # Up to Python 3.9, the description is the body of the metadata.
    links = re.findall(r"\]\(([^)]+)\)", str(package.get("Description") or package.get_payload()))  # type: ignore[attr-defined]
    assert links
    assert [link for link in links if not link.startswith("https://")] == []


def test_api_has_a_page_for_each_module() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "api").glob("*.md"))
    internal = {"schlenk", "schlenk.__main__"}
    assert set(MODULES) - internal <= set(re.findall(r"automodule:: ([\w.]+)", pages))


def test_workflow_runs_each_environment() -> None:
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert re.findall(r"env: ([\w-]+)", workflow) == tox["tox"]["env_list"].split(", ")
