"""Run the test suites of extensions on Flask 1.1.4, under Flask and as Flask, and compare which tests pass.

``python -m tests.extensions.suites DIRECTORY`` takes each suite from the release's source distribution. It needs a
Python that Flask 1.1.4 runs on: 3.11 or older.
"""

from __future__ import annotations

import argparse
import platform
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.extensions.__main__ import environment, pip, wheel
from tests.extensions.releases import Release
from tests.flask_suites.__main__ import interpreter, outcomes, sources
from tests.support.pages import markdown_table, replace_between

FLASK_1 = ("flask==1.1.4", "werkzeug==1.0.1", "jinja2<3", "markupsafe<2.1", "itsdangerous<2", "greenlet")
COMMON = ("blinker", "pytest<9")
SETUPS = ("Flask 1.1.4", "under Flask", "as Flask")
MARK = "<!-- python -m tests.extensions.suites -->\n"


@dataclass(frozen=True)
class Suite:
    """The suite of a release.

    :param requirements: the packages that the suite imports.
    :param tests: its directory or module.
    :param changed: the tests that must fail on Werkzeug 3, whose test client sends other cookies.
    :param missing: the tests that must fail as Flask, because they use a part of Flask that schlenk does not have.
    """

    release: Release
    requirements: tuple[str, ...] = ()
    tests: str = "tests"
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.release.name} {self.release.version}"

    @property
    def place(self) -> str:
        """The beginning of the names of its directories."""
        return f"{self.release.name}-{self.release.version}"


SUITES = (
    Suite(Release("Flask-SQLAlchemy", "2.5.1", ("sqlalchemy<2",)), ("mock",)),
    Suite(Release("Flask-Mail", "0.9.1", ("blinker",)), ("mock", "speaklater"), tests="tests.py"),
    Suite(
        Release("Flask-Login", "0.6.2"),
        ("asgiref", "semantic-version"),
        changed=("test_remember_me_refresh_every_request",),
        missing=("test_options_call_exempt", "test_unauthorized_uses_blueprint_login_view"),
    ),
    Suite(Release("Flask-Babel", "2.0.0", ("babel", "jinja2", "pytz"), needs_flask=True)),
    Suite(
        Release("Flask-Caching", "1.10.1", ("cachelib", "jinja2"), needs_flask=True),
        ("asgiref", "pytest-xprocess", "redis"),
    ),
    Suite(Release("Flask-CORS", "3.0.10", ("six",)), ("packaging",)),
    Suite(Release("Flask-HTTPAuth", "4.8.0")),
    Suite(Release("Flask-JWT-Extended", "3.25.1", ("pyjwt<2", "six")), ("cryptography", "python-dateutil")),
    Suite(Release("Flask-Menu", "0.7.2", ("six",), needs_flask=True)),
    Suite(Release("Flask-SQLAlchemy", "2.4.4", ("sqlalchemy<1.4",)), ("mock",)),
)


def reference(suite: Suite, directory: Path) -> Path:
    """Return the interpreter of an environment with the release and Flask 1.1.4."""
    place = directory / f"{suite.place}-flask-1"
    python = interpreter(place)
    if not python.exists():
        venv.create(place)
    install = ["--python", str(python), "install"]
    pip(*install, *FLASK_1, *suite.release.requirements)
    pip(*install, "--no-deps", *(f"{name}=={version}" for name, version in suite.release.without_requirements))
    return python


def compare(suite: Suite, found: dict[str, dict[str, str]]) -> list[str]:
    """Return a sentence for each test that passes on Flask 1.1.4 and has an unexpected outcome in another setup."""
    failing = {"under Flask": suite.changed}
    if "as Flask" in found:
        failing["as Flask"] = (*suite.changed, *suite.missing)
    passing = [name for name, outcome in found["Flask 1.1.4"].items() if outcome == "passed"]
    problems = [
        f"{suite.name}, {setup}: {name} is {found[setup].get(name)}"
        for setup, names in failing.items()
        for name in passing
        if (found[setup].get(name) == "passed") == (name.rpartition("::")[2] in names)
    ]
    return problems if passing else [f"{suite.name}: no test passes on Flask 1.1.4"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.extensions.suites", description=__doc__)
    parser.add_argument("directory", type=Path, help="the directory of the environments and the suites")
    parser.add_argument("--record", type=Path, metavar="PAGE", help="also write the table into this page")
    arguments = parser.parse_args()
    directory = arguments.directory.resolve()
    schlenk = wheel(directory)
    problems = []
    rows = [["suite", *SETUPS]]
    for suite in SUITES:
        with_flask = (True,) if suite.release.needs_flask else (True, False)
        pythons = [
            reference(suite, directory),
            *(environment(suite.release, flask, directory, schlenk) for flask in with_flask),
        ]
        place = sources(f"{suite.release.name}=={suite.release.version}", directory / f"{suite.place}-sources")
        found = {}
        for setup, python, plugin in zip(SETUPS, pythons, (None, "under_flask", "as_flask")):
            pip("--python", str(python), "install", *COMMON, *suite.requirements)
            # The suite's own options may need further plugins, so they are dropped.
            options = ["-o", "filterwarnings=", "-o", "addopts=", *(("-p", plugin) if plugin else ())]
            found[setup] = outcomes(python, place, *options, tests=suite.tests)
        problems += compare(suite, found)
        passed = [str(sum(outcome == "passed" for outcome in cases.values())) for cases in found.values()]
        rows.append([suite.name, *passed, *["-"] * (len(SETUPS) - len(passed))])
        print(" | ".join(rows[-1]), flush=True)
    if arguments.record:
        replace_between(MARK, arguments.record, f"Python {platform.python_version()}.\n\n{markdown_table(rows)}")
    print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
