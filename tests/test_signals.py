"""Signals: blinker's if it is installed, otherwise silent ones."""

from __future__ import annotations

from typing import Any

import pytest

import schlenk
from schlenk import Flask, signals
from tests.support.programs import without

NAMES = """
    request_started request_finished request_tearing_down got_request_exception
    appcontext_tearing_down appcontext_pushed appcontext_popped message_flashed
""".split()


@pytest.mark.parametrize("name", NAMES)
def test_signal_has_name_and_docs(name: str) -> None:
    signal = getattr(signals, name)
    assert signal.name == name.replace("_", "-")
    assert signal.__doc__


@pytest.mark.parametrize("name", [*NAMES, "signals_available"])
def test_package_exports_signal(name: str) -> None:
    assert getattr(schlenk, name) is getattr(signals, name)


def test_signals_are_distinct() -> None:
    assert len({id(getattr(signals, name)) for name in NAMES}) == len(NAMES)


# --- With blinker


@pytest.fixture
def blinker() -> Any:
    return pytest.importorskip("blinker")


def test_signals_are_blinkers_if_installed(blinker: Any) -> None:
    assert signals.signals_available is True
    assert all(isinstance(getattr(signals, name), blinker.Signal) for name in NAMES)


def test_signals_have_their_own_namespace(blinker: Any) -> None:
    assert blinker.signal("request-started") is not signals.request_started


def test_receiver_is_per_app(blinker: Any) -> None:
    app, other, heard = Flask("app"), Flask("other"), []
    with signals.appcontext_pushed.connected_to(heard.append, sender=app):
        for sender in (app, other):
            with sender.app_context():
                pass
    assert heard == [app]


# --- Without blinker


def test_blinker_is_unavailable() -> None:
    without("blinker", "from schlenk import signals; assert signals.signals_available is False")


def test_silent_signal_is_sent() -> None:
    without("blinker", "from schlenk import signals; assert signals.request_started.send(signals, answer=42) is None")


def test_silent_signal_has_name_and_docs() -> None:
    without(
        "blinker",
        f"""
        from schlenk import signals
        for name in {NAMES}:
            signal = getattr(signals, name)
            assert signal.name == name.replace("_", "-")
            assert signal.__doc__ and signal.__doc__ != type(signal).__doc__
        assert signals.Namespace().signal("mine").name == "mine"
        """,
    )


def test_connecting_silent_signal_explains() -> None:
    without(
        "blinker",
        """
        from schlenk import signals
        methods = "connect connect_via connected_to temporarily_connected_to disconnect has_receivers_for receivers_for"
        for method in methods.split():
            try:
                getattr(signals.request_started, method)(print, sender=None)
            except RuntimeError as error:
                assert "request-started" in str(error) and "blinker" in str(error) and "pip install" in str(error)
            else:
                raise AssertionError(method)
        """,
    )


def test_request_works_without_blinker() -> None:
    without(
        "blinker",
        """
        from schlenk import Flask, flash, get_flashed_messages
        app = Flask("silent")
        app.secret_key = "for tests only"
        @app.route("/")
        def view():
            flash("heard by nobody")
            return get_flashed_messages()[0]
        assert app.test_client().get("/").data == b"heard by nobody"
        """,
    )
