"""Compare the traces of random programs with and without the shortcuts, each in an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(first: int, number: int, shortcuts: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.overrides.programs", str(first), str(number)],
        # Sets of methods are written to headers in the order of their hashes.
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "SCHLENK_SHORTCUTS": shortcuts},
        stdout=subprocess.PIPE,
        text=True,
    )


def differences(first: int, number: int) -> dict[int, tuple[str, str]]:
    """Return the traces without and with the shortcuts of each program that differs, by seed."""
    runs = [start(first, number, shortcuts) for shortcuts in "01"]
    # Both run at the same time. The second waits while its pipe is full.
    traces = [run.communicate()[0].splitlines() for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert [len(trace) for trace in traces] == [number, number]
    return {first + place: pair for place, pair in enumerate(zip(*traces)) if pair[0] != pair[1]}
