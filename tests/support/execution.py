"""Helpers that run a function in another thread or greenlet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
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


# The values of a parameter. Without greenlet, a test is skipped before it begins: it would leave its streams open.
ELSEWHERE = [
    in_thread,
    pytest.param(
        in_greenlet, marks=pytest.mark.skipif(find_spec("greenlet") is None, reason="greenlet is not installed")
    ),
]
