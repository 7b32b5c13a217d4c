"""The pytest plugin under a name inside of the package. It is :mod:`pytest_schlenk`, which pytest loads by itself."""

from pytest_schlenk import _schlenk_leaks, pytest_addoption, pytest_configure, pytest_fixture_setup

__all__ = ["_schlenk_leaks", "pytest_addoption", "pytest_configure", "pytest_fixture_setup"]
