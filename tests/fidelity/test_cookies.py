"""Session cookies, compared with those that Flask 1.1.4 and the newest Flask wrote and read."""

from __future__ import annotations

import json

import pytest

from tests.fidelity.cookies import (
    AWARE,
    DAMAGE,
    FORGED,
    NOT_A_DICT,
    PAYLOADS,
    RECORD,
    content,
    expected,
    read,
    refused,
    write,
)
from tests.fidelity.side import load

SCHLENK = load("schlenk")
RECORDED = json.loads(RECORD.read_text(encoding="utf-8"))
WRITTEN = {writer: RECORDED[writer]["written"] for writer in ("reference", "newest")}
SOUND = [(writer, name) for writer in WRITTEN for name in PAYLOADS if not refused(WRITTEN[writer][name])]


def wanted(group: str, name: str) -> str:
    return expected(*(RECORDED[reader]["read"][group][name] for reader in ("reference", "newest")))


@pytest.mark.parametrize("name", [name for writer, name in SOUND if writer == "reference"])
def test_cookie_equals_flask_1(name: str) -> None:
    assert content(write(SCHLENK, PAYLOADS[name])) == content(WRITTEN["reference"][name])


@pytest.mark.parametrize("name", [name for name in PAYLOADS if refused(WRITTEN["reference"][name])])
def test_payload_is_refused_as_by_flask_1(name: str) -> None:
    with pytest.raises(TypeError):
        write(SCHLENK, PAYLOADS[name])
    assert WRITTEN["reference"][name] == "raises TypeError"


@pytest.mark.parametrize(("writer", "name"), SOUND)
def test_cookie_of_other_flask_is_read(writer: str, name: str) -> None:
    assert read(SCHLENK, WRITTEN[writer][name]) == RECORDED[writer]["read"]["payloads"][name].replace(AWARE, "")


@pytest.mark.parametrize("writer", WRITTEN)
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_cookie_is_read_as_flask_1(writer: str, damage: str) -> None:
    spoil, later = DAMAGE[damage]
    cookie = spoil(WRITTEN[writer]["everything in a tuple"])
    assert read(SCHLENK, cookie, later) == wanted("damaged", damage)


@pytest.mark.parametrize("name", FORGED)
def test_forgery_never_raises(name: str) -> None:
    assert read(SCHLENK, FORGED[name]) == wanted("forged", name)


@pytest.mark.parametrize("name", NOT_A_DICT)
def test_non_dict_never_raises(name: str) -> None:
    assert read(SCHLENK, NOT_A_DICT[name]) == wanted("not a dict", name)
