"""Run Flask's own test suites on Flask alone and under ``install_under_flask()``, and compare which tests pass.

``python -m tests.flask_suites DIRECTORY`` installs each release from PyPI in an environment of its own in the
directory. The suite comes from the release's source distribution.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
RELEASES = ("3.1", "3.0")
# The requirements of the suites, and the optional packages that they test. They import a name that pytest 9 removed.
REQUIREMENTS = ("pytest<9", "asgiref", "blinker", "python-dotenv")


def interpreter(environment: Path) -> Path:
    """Return the path of an environment's interpreter."""
    return environment / ("Scripts" if os.name == "nt" else "bin") / "python"


def sources(requirement: str, directory: Path) -> Path:
    """Return the directory of an unpacked source distribution, which is downloaded if it is missing."""
    if not directory.exists():
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps"]
        subprocess.run([*pip, "--no-binary", ":all:", "--dest", str(directory), requirement], check=True)
        (archive,) = directory.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(directory, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # type: ignore[arg-type]
    (unpacked,) = filter(Path.is_dir, directory.iterdir())
    return unpacked


def prepare(release: str, directory: Path) -> tuple[Path, Path]:
    """Return the interpreter that has the release, and the directory of its sources."""
    environment = directory / f"flask-{release}"
    python = interpreter(environment)
    if not python.exists():
        venv.create(environment, with_pip=True)
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", f"flask=={release}.*", *REQUIREMENTS, str(ROOT)], check=True)
    return python, sources(f"flask=={release}.*", directory / f"sources-{release}")


def outcomes(python: Path, suite: Path, *options: str, tests: str = "tests") -> dict[str, str]:
    """Return the outcome of each test of a suite: ``passed``, ``failure``, ``error`` or ``skipped``.

    :param suite: the directory to run pytest in.
    :param tests: the tests there.
    """
    report = suite / "report.xml"
    report.unlink(missing_ok=True)
    # A suite without settings would use those of this project if it is inside of the checkout, as in `.tox`.
    (suite.parent / "pytest.ini").touch()
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [str(python), "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", f"--junit-xml={report}"]
    subprocess.run([*command, *options, tests], cwd=suite, env=environ, stdout=subprocess.DEVNULL, timeout=900)
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")
        found[f"{case.get('classname')}::{case.get('name')}"] = outcome
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.flask_suites", description=__doc__)
    parser.add_argument("directory", type=Path, help="the directory of the environments and the suites")
    parser.add_argument("--releases", nargs="*", default=RELEASES, metavar="RELEASE", help="default: %(default)s")
    arguments = parser.parse_args()
    different = 0
    for release in arguments.releases:
        python, suite = prepare(release, arguments.directory.resolve())
        alone = outcomes(python, suite)
        under = outcomes(python, suite, "-p", "under_flask")
        for name in sorted(alone.keys() | under.keys()):
            if alone.get(name) != under.get(name):
                different += 1
                print(f"{name}: {alone.get(name)} on Flask alone, {under.get(name)} under Flask")
        passed = [sum(outcome == "passed" for outcome in found.values()) for found in (alone, under)]
        print(f"{suite.name}: {len(alone)} tests, {passed[0]} pass on Flask alone, {passed[1]} under Flask")
        # A suite that could not run has equal outcomes, but must not pass.
        different += not passed[0]
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
