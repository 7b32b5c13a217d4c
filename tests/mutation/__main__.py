"""Make small changes to the modules of the package, one at a time, and check that a test fails for each.

``python -m tests.mutation DIRECTORY`` works on a copy in the directory, and prints the changes of each module that no
test detected. Results are stored in the directory, so an interrupted run can be continued.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from cosmic_ray.commands import execute, init
from cosmic_ray.config import ConfigDict
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

# The tests of each module, beginning with those that detect the most changes.
TESTS = {
    "recovery": "contexts test_interruptions.py test_lifecycle.py test_helpers.py faults test_leaks.py",
    "streams": "contexts test_interruptions.py test_helpers.py test_lifecycle.py faults test_leaks.py",
    "ctx": "contexts test_lifecycle.py test_testing.py test_helpers.py faults test_leaks.py test_flight.py",
    "globals": "test_globals.py contexts test_documentation.py",
    "storage": "test_storage.py test_context_ident.py test_local.py test_stack.py test_isolation.py",
    "proxy": "test_proxy.py fidelity/test_proxies.py test_globals.py",
    "local": "test_local.py test_stack.py test_manager.py test_context_ident.py test_proxy.py test_storage.py "
    "test_globals.py contexts",
    "sessions": "test_sessions.py test_security.py test_bad_input.py fidelity/test_cookies.py",
    "app": "test_app.py test_lifecycle.py test_responses.py test_errors.py test_routing.py test_wsgi.py "
    "test_environ.py test_security.py test_helpers.py test_async.py test_bad_input.py contexts test_shortcuts.py",
    "responses": "test_responses.py test_app.py test_errors.py",
    "scaffold": "test_app.py test_errors.py test_routing.py test_lifecycle.py test_logging.py test_config.py "
    "test_helpers.py test_sessions.py",
    "shortcuts": "test_shortcuts.py test_routing.py test_responses.py test_sessions.py test_wsgi.py",
}


def table_row(module: str, directory: Path) -> str:
    tests = [f"tests/{name}" for name in TESTS[module].split()]
    command = " ".join([sys.executable, "-m pytest -x -q --tb=no -p no:cacheprovider", *tests])
    # A mutant whose tests take longer counts as noticed, so all tests must be able to end on a busy machine.
    config = ConfigDict({"test-command": command, "timeout": 240.0, "distributor": {"name": "local"}})
    with use_db(str(directory / f"{module}.sqlite")) as found:
        if not found.num_work_items:
            init([Path(f"src/schlenk/{module}.py")], found, {})
            for item in found.work_items:
                # The operator | occurs only in annotations, which are never evaluated.
                if item.mutations[0].operator_name.startswith("core/ReplaceBinaryOperator_BitOr"):
                    found.set_result(item.job_id, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))
        execute(found, config)
        results = [result for _, result in found.results if result.worker_outcome is not WorkerOutcome.SKIPPED]
    unnoticed = [result.diff for result in results if result.test_outcome is not TestOutcome.KILLED]
    print(*unnoticed, sep="\n")
    noticed = len(results) - len(unnoticed)
    return f"| `{module}.py` | {len(results)} | {noticed} | {100 * noticed / len(results):.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--modules", nargs="*", default=list(TESTS))
    arguments = parser.parse_args()
    directory = arguments.directory.resolve()
    shutil.copytree(".", directory / "copy", dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    os.chdir(directory / "copy")
    os.environ["PYTHONPATH"] = "src"
    print(*[table_row(module, directory) for module in arguments.modules], sep="\n")


if __name__ == "__main__":
    main()
