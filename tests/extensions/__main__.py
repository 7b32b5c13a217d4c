"""Run one job for each extension on Flask 3.1 alone, under Flask and as Flask.

``python -m tests.extensions DIRECTORY`` installs each release from PyPI in environments of its own in the directory,
runs its job from ``jobs/`` three times, and prints which of them worked.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.extensions.releases import RELEASES, Release
from tests.support.pages import markdown_table, replace_between

ROOT = Path(__file__).parents[2]
JOBS = Path(__file__).parent / "jobs"
MARK = "<!-- python -m tests.extensions -->\n"
FLASK = "flask==3.1.*"


@dataclass(frozen=True)
class Setup:
    """One way to run an extension.

    :param name: the heading of its column.
    :param first_line: the first line of the application, with a field for ``Release.as_in_flask_1``.
    :param flask: whether Flask is installed.
    """

    name: str
    first_line: str
    flask: bool


SETUPS = (
    Setup("Flask 3.1 alone", "pass", True),
    Setup("under Flask", "import schlenk; schlenk.install_under_flask({as_in_flask_1})", True),
    Setup("as Flask", "import schlenk; schlenk.install_as_flask({as_in_flask_1})", False),
)
ALONE, UNDER, AS = SETUPS

# A job must also leave no context behind.
PROGRAM = """
{first_line}
import runpy
from schlenk.testing import no_context_left
with no_context_left():
    runpy.run_path({job!r}, run_name="__main__")
"""


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def wheel(directory: Path) -> Path:
    """Return a wheel of this checkout, which is the same for all environments."""
    place = directory / "schlenk"
    for old in place.glob("*.whl"):
        old.unlink()
    pip("wheel", "--no-deps", "--wheel-dir", str(place), str(ROOT))
    (built,) = place.glob("*.whl")
    return built


def environment(release: Release, flask: bool, directory: Path, schlenk: Path) -> Path:
    """Return the interpreter of an environment with the release, and with Flask 3.1 or without."""
    place = directory / f"{release.name}-{release.version}-{'flask' if flask else 'no-flask'}"
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = place / "installed"
    install = ["--python", str(python), "install"]
    if done.exists():
        pip(*install, "--force-reinstall", "--no-deps", str(schlenk))
    else:
        venv.create(place, clear=True)
        # The requirements are listed by hand, because those of an extension include Flask.
        pip(*install, *release.requirements, str(schlenk), *([FLASK] if flask else []))
        pip(*install, "--no-deps", *(f"{name}=={version}" for name, version in release.without_requirements))
        done.touch()
    return python


def run(release: Release, setup: Setup, python: Path) -> str | None:
    """Run the job of a release and return the last line of its error, or ``None`` if it worked."""
    first_line = setup.first_line.format(as_in_flask_1=release.as_in_flask_1)
    program = PROGRAM.format(first_line=first_line, job=str(JOBS / f"{release.job}.py"))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), "-c", program], capture_output=True, text=True, timeout=120, env=environ, cwd=python.parents[1]
    )
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    print(done.stderr, file=sys.stderr)
    # The path of a module and the advice of schlenk are too long for a table.
    return re.sub(r" \([^()]*\.py\)|: schlenk has .*", "", lines[-1]).replace("|", "\\|")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.extensions", description=__doc__)
    parser.add_argument("directory", type=Path, help="the directory of the environments")
    parser.add_argument("--only", action="append", metavar="NAME", help="an extension; can be repeated")
    parser.add_argument("--record", type=Path, metavar="PAGE", help="also write the table into this page")
    arguments = parser.parse_args()
    directory = arguments.directory.resolve()
    schlenk = wheel(directory)
    rows, problems = [["release", *(setup.name for setup in SETUPS)]], []
    only = {name.lower() for name in arguments.only or ()}
    for release in RELEASES:
        if only and release.name.lower() not in only:
            continue
        row = [release.label]
        pythons = {flask: environment(release, flask, directory, schlenk) for flask in (True, False)}
        for setup in SETUPS:
            error = run(release, setup, pythons[setup.flask])
            needed = " and ".join(f"`{name}`" for name in release.as_in_flask_1 if setup is not ALONE)
            row.append(f"`{error}`" if error else f"works with {needed}" if needed else "works")
            if error and (setup is UNDER or (setup is AS and not release.needs_flask)):
                problems.append(f"{row[0]}, {setup.name}: {error}")
        rows.append(row)
        print(" | ".join(row), flush=True)
    if arguments.record:
        replace_between(MARK, arguments.record, f"Python {platform.python_version()}.\n\n{markdown_table(rows)}")
    print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
