"""The namespace `g`, and `g` read through a request context."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest

from schlenk import g
from schlenk.ctx import _AppCtxGlobals
from tests.support.contexts import RecordingApp

# --- g


@pytest.fixture
def namespace() -> _AppCtxGlobals:
    namespace = _AppCtxGlobals()
    namespace.user = "ada"
    return namespace


def test_get_has_default(namespace: _AppCtxGlobals) -> None:
    assert namespace.get("user") == "ada"
    assert namespace.get("age") is None
    assert namespace.get("age", 36) == 36


def test_pop_removes_value(namespace: _AppCtxGlobals) -> None:
    assert namespace.pop("user") == "ada"
    assert "user" not in namespace


@pytest.mark.parametrize("default", [None, 36, ANY])
def test_pop_returns_default(namespace: _AppCtxGlobals, default: Any) -> None:
    assert namespace.pop("age", default) is default


def test_pop_prefers_value(namespace: _AppCtxGlobals) -> None:
    assert namespace.pop("user", None) == "ada"


def test_pop_missing_raises(namespace: _AppCtxGlobals) -> None:
    with pytest.raises(KeyError, match="age"):
        namespace.pop("age")


def test_setdefault_returns_or_sets_value(namespace: _AppCtxGlobals) -> None:
    assert namespace.setdefault("user", "grace") == "ada"
    assert namespace.setdefault("age", 36) == namespace.age == 36
    assert namespace.setdefault("place") is None
    assert vars(namespace) == {"user": "ada", "age": 36, "place": None}


def test_in_and_iteration_work(namespace: _AppCtxGlobals) -> None:
    assert "user" in namespace
    assert "age" not in namespace
    assert list(namespace) == ["user"]


def test_missing_name_raises_attribute_error(namespace: _AppCtxGlobals) -> None:
    with pytest.raises(AttributeError, match="age"):
        namespace.age  # noqa: B018


def test_repr_names_the_app(app: RecordingApp) -> None:
    with app.app_context():
        assert repr(g) == "<flask.g of 'contexts'>"


def test_repr_outside_context_is_plain(namespace: _AppCtxGlobals) -> None:
    assert repr(namespace) == object.__repr__(namespace)


def test_class_can_be_replaced(app: RecordingApp) -> None:
    class Mine:
        pass

    app.app_ctx_globals_class = Mine
    with app.app_context():
        assert type(g._get_current_object()) is Mine


# --- g through the request context


def test_request_context_shares_g(app: RecordingApp) -> None:
    with app.test_request_context() as context:
        g.user = "ada"
        assert context.g is g._get_current_object()


def test_request_context_sets_g(app: RecordingApp) -> None:
    with app.test_request_context() as context:
        mine = context.g = _AppCtxGlobals()
        assert g._get_current_object() is mine


@pytest.mark.parametrize("use", [lambda context: context.g, lambda context: setattr(context, "g", None)])
def test_request_context_without_g_raises(app: RecordingApp, use: Any) -> None:
    with pytest.raises(AttributeError, match="no g"):
        use(app.test_request_context())
