"""Names of Flask that this package does not have."""

from __future__ import annotations

import importlib

import pytest

NAMES = pytest.mark.parametrize(
    ("module", "name"),
    [
        ("schlenk", "render_template"),
        ("schlenk", "views"),
        ("schlenk.helpers", "send_file"),
        ("schlenk.json", "tojson_filter"),
        ("schlenk.signals", "template_rendered"),
        ("schlenk.testing", "FlaskCliRunner"),
    ],
)


@NAMES
def test_import_of_missing_name_gives_advice(module: str, name: str) -> None:
    message = f"cannot import name '{name}' from '{module}': schlenk has .* Call schlenk.install_under_flask"
    with pytest.raises(ImportError, match=message):
        exec(f"from {module} import {name}", {})


@NAMES
def test_missing_attribute_gives_advice(module: str, name: str) -> None:
    message = f"module '{module}' has no attribute '{name}': schlenk has .* Call schlenk.install_under_flask"
    with pytest.raises(AttributeError, match=message):
        getattr(importlib.import_module(module), name)


@NAMES
def test_dunder_gives_no_advice(module: str, name: str) -> None:
    assert not hasattr(importlib.import_module(module), f"__{name}__")
