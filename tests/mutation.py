"""Changes one place after the other in the modules that hold the contexts, and sees whether the suite notices.

``python -m tests.mutation DIRECTORY`` does so with a copy that it makes in the directory, and prints, for each module,
the changes that no test noticed, and how many there were in all. What was found is kept in the directory: it goes on
where it was interrupted.
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

# The tests that know the module, those that notice most first.
TESTS = {
    "ctx": "test_contexts test_lifecycle test_testing test_helpers test_faults test_leaks test_flight",
    "globals": "test_globals test_contexts test_documentation",
    "local": "test_local test_stack test_manager test_proxy test_storage test_globals test_contexts",
    "sessions": "test_sessions test_security test_bad_input fidelity/test_cookies",
    "app": "test_app test_lifecycle test_responses test_errors test_routing test_wsgi test_environ test_security "
    "test_helpers test_shortcuts",
    "routing": "test_shortcuts test_routing",
}


def table_row(module: str, directory: Path) -> str:
    tests = [f"tests/{name}.py" for name in TESTS[module].split()]
    command = " ".join([sys.executable, "-m pytest -x -q --tb=no -p no:cacheprovider", *tests])
    config = ConfigDict({"test-command": command, "timeout": 60.0, "distributor": {"name": "local"}})
    with use_db(str(directory / f"{module}.sqlite")) as found:
        if not found.num_work_items:
            init([Path(f"src/schlenk/{module}.py")], found, {})
            for item in found.work_items:
                # Only annotations have a | here, and nobody evaluates them.
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
