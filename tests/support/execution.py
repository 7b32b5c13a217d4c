"""Helpers that run a function elsewhere: in a thread, in a greenlet, or in a new interpreter."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

import pytest

T = TypeVar("T")


def in_thread(function: Callable[[], T]) -> T:
    """Return what ``function`` returns in a new thread, once the thread has ended."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def in_greenlet(function: Callable[[], T]) -> T:
    """Return what ``function``, in a new greenlet, first switches back with, or else returns."""
    return pytest.importorskip("greenlet").greenlet(function).switch()


def without(module: str, program: str) -> None:
    """Run ``program`` in a new interpreter where ``module`` cannot be imported and warnings are errors."""
    blocked = f"import sys\nsys.modules[{module!r}] = None\n" + textwrap.dedent(program)
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", blocked], stderr=subprocess.PIPE, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
