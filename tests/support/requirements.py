"""Marks for tests that need a package that may be missing."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from schlenk import signals_available

needs_blinker = pytest.mark.skipif(not signals_available, reason="needs blinker")
needs_flask = pytest.mark.skipif(find_spec("flask") is None, reason="needs Flask")
