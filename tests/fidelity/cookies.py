"""Session cookies that each library writes, and what each reads from those of the others and from damaged cookies.

Cookies are written and read at a fixed time with a fixed secret key, so a payload always has the same cookie. The
record, ``cookies.json``, contains what Flask 1.1.4 and the newest Flask wrote and read. Each of them adds its part:

    python -m tests.fidelity.cookies --record tests/fidelity/cookies.json

With all three libraries, each reads the cookies that the others have just written, whole and damaged:

    python -m tests.fidelity.cookies --reference PYTHON --newest PYTHON
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import zlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from hashlib import sha1, sha256, sha512
from importlib import metadata
from pathlib import Path
from typing import Any, Callable
from unittest import mock
from uuid import UUID

from itsdangerous import Signer, TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode
from markupsafe import Markup

from tests.fidelity.side import Side, load

RECORD = Path(__file__).with_name("cookies.json")
KEY = "a key for the cookies of these tests"
NOW = 1_600_000_000
LIFETIME = 31 * 24 * 60 * 60
AWARE = ", tzinfo=datetime.timezone.utc"

# --- Payloads


@dataclass
class Point:
    x: int
    y: int


class Rendered:
    def __html__(self) -> str:
        return "<b>rendered</b>"


class Unknown:
    pass


NESTED = {"tuple": (1, [2, (3, {"deep": (b"4",)})]), "list": [(), [], {}, [()]]}

PAYLOADS: dict[str, dict[Any, Any]] = {
    "nothing": {},
    "string": {"name": "ada"},
    "empty string": {"name": ""},
    "unicode": {"näme": "Gr\u00fc\u00dfe \u4f60\u597d \U0001f40d \u2028"},
    "control characters": {"text": '\x00\x1f"\\/\r\n\t\x7f'},
    "lone surrogate": {"text": "\ud800"},
    "markup characters": {"text": "</script><!--&'\""},
    "numbers": {"int": 1, "negative": -1, "large": 10**40, "float": 0.1, "tiny": 5e-324, "zero": -0.0},
    "infinities": {"plus": float("inf"), "minus": float("-inf")},
    "true, false and none": {"true": True, "false": False, "none": None},
    "list": {"list": [1, "two", None, [3.0, True]]},
    "tuple": {"tuple": (1, "two", None)},
    "empty containers": {"tuple": (), "list": [], "dict": {}, "bytes": b""},
    "nested containers": NESTED,
    "nested dicts": {"a": {"b": {"c": {"d": 1}}, "e": [{"f": {}}]}},
    "bytes": {"bytes": bytes(range(256))},
    "datetime": {"when": datetime(2020, 1, 2, 3, 4, 5)},
    "datetime with microseconds": {"when": datetime(2020, 1, 2, 3, 4, 5, 678901)},
    "datetime elsewhere": {"when": datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5, minutes=30)))},
    "datetime in utc": {"when": datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc)},
    "datetime long ago": {"when": datetime(1900, 2, 28)},
    "datetime far ahead": {"when": datetime(9999, 12, 31, 23, 59, 59)},
    "date": {"day": date(2020, 1, 2)},
    "uuid": {"id": UUID("12345678-1234-5678-1234-567812345678")},
    "markup": {"html": Markup("<b>bold</b>")},
    "object with __html__": {"html": Rendered()},
    "dataclass": {"point": Point(1, 2)},
    "everything in a tuple": {"all": (datetime(2020, 1, 2), UUID(int=7), Markup("<i>"), b"\xff", (None,), {"k": (1,)})},
    "key like a tag": {"dict": {" t": [1, 2]}},
    "key like each tag": {f"like{key}": {key: "1"} for key in (" t", " b", " m", " u", " d", " di", " x", " ", "")},
    "key like a tag with underscores": {"dict": {" t__": 1}, "more": {" t____": {" di": {" di__": 2}}}},
    "key like a tag among others": {"dict": {" t": [1], "other": 2}},
    "key like a tag at the top": {" t": [1, 2]},
    "keys like tags at the top": {" t": 1, " b": 2, " di": {"a": 1}},
    "tag-like key of a tuple": {"dict": {" t": ({" b": b"x"},)}},
    "keys out of order": {"b": 1, "a": {"z": 1, "y": 2}, "c": 3},
    "number as key": {"dict": {1: "one", 2: "two"}},
    "number as key at the top": {1: "one"},
    "none as key": {"dict": {None: 1}},
    "keys of several types": {"dict": {1: "one", "two": 2}},
    "tuple as key": {"dict": {(1, 2): 3}},
    "long and repetitive": {"text": "abc" * 2000},
    "long and varied": {"text": "".join(sha512(str(n).encode()).hexdigest() for n in range(20))},
    "many keys": {f"key{n:03}": n for n in range(150)},
    "permanent": {"_permanent": True, "name": "ada"},
    "no longer permanent": {"_permanent": False, "name": "ada"},
    "flashes": {"_flashes": [("message", "hello"), ("error", Markup("<b>no</b>"))]},
    "set": {"set": {1}},
    "complex": {"complex": 1j},
    "decimal": {"decimal": Decimal("1.5")},
    "timedelta": {"timedelta": timedelta(1)},
    "unknown object": {"object": Unknown()},
    "unknown object deep inside": {"list": [(1, {"object": Unknown()})]},
}

# --- Writing and reading, with any of the libraries


def make_app(side: Side) -> Any:
    app = side.flask.Flask("cookies", static_folder=None, template_folder=None)
    app.secret_key = KEY
    return app


def write(side: Side, payload: dict[Any, Any]) -> str | None:
    """Return the value of the cookie of a session with this payload, or ``None`` without a cookie."""
    app = make_app(side)
    with mock.patch("time.time", return_value=float(NOW)), app.test_request_context():
        side.flask.session.update(payload)
        response = app.process_response(app.make_response(""))
    header = response.headers.get("Set-Cookie")
    return header and header.split(";")[0].split("=", 1)[1]


def written(side: Side) -> dict[str, str | None]:
    """Return the cookie of each payload, or ``raises`` and the type of the error."""
    cookies: dict[str, str | None] = {}
    for name, payload in PAYLOADS.items():
        try:
            cookies[name] = write(side, payload)
        except Exception as error:
            cookies[name] = f"raises {type(error).__name__}"
    return cookies


def refused(cookie: str | None) -> bool:
    """Return whether writing a payload raised an error."""
    return cookie is not None and cookie.startswith("raises")


def read(side: Side, cookie: str | None, later: int = 0) -> str:
    """Return the content of ``session`` some seconds after the cookie was written, or ``raises`` and the error."""
    app = make_app(side)
    headers = {} if cookie is None else {"Cookie": f"{app.config['SESSION_COOKIE_NAME']}={cookie}"}
    try:
        with mock.patch("time.time", return_value=float(NOW + later)), app.test_request_context(headers=headers):
            return repr(dict(side.flask.session))
    except Exception as error:
        return f"raises {type(error).__name__}"


# --- Damage


SIGNING = {"salt": "cookie-session", "key_derivation": "hmac", "digest_method": sha1}


def signed(payload: bytes, key: str = KEY, **signing: Any) -> str:
    """Return a cookie with a valid signature, unless other options are given."""
    with mock.patch("time.time", return_value=float(NOW)):
        return TimestampSigner(key, **{**SIGNING, **signing}).sign(payload).decode()


def signed_as_is(content: bytes) -> str:
    """Return a cookie with a valid signature of a content that includes the time."""
    return Signer(KEY, **SIGNING).sign(content).decode()


def signed_json(value: Any) -> str:
    return signed(base64_encode(json.dumps(value, separators=(",", ":")).encode()))


def changed(cookie: str, index: int) -> str:
    """Return the cookie with another character at an index."""
    index %= len(cookie)
    return cookie[:index] + ("A" if cookie[index] != "A" else "B") + cookie[index + 1 :]


# Functions that damage a cookie, and the number of seconds after which it is read.
DAMAGE: dict[str, tuple[Callable[[str], str], int]] = {
    "sound": (lambda cookie: cookie, 0),
    "sound, in quotes": (lambda cookie: f'"{cookie}"', 0),
    "sound, at the end of its life": (lambda cookie: cookie, LIFETIME),
    "expired": (lambda cookie: cookie, LIFETIME + 1),
    "from the future": (lambda cookie: cookie, -60),
    "empty": (lambda cookie: "", 0),
    "only dots": (lambda cookie: "...", 0),
    "cut in the middle": (lambda cookie: cookie[: len(cookie) // 2], 0),
    "last character cut": (lambda cookie: cookie[:-1], 0),
    "first character cut": (lambda cookie: cookie[1:], 0),
    "without signature": (lambda cookie: cookie.rpartition(".")[0], 0),
    "without time": (lambda cookie: cookie.rsplit(".", 2)[0] + "." + cookie.rpartition(".")[2], 0),
    "payload alone": (lambda cookie: cookie.rsplit(".", 2)[0], 0),
    "signature alone": (lambda cookie: cookie.rpartition(".")[2], 0),
    "empty signature": (lambda cookie: cookie.rpartition(".")[0] + ".", 0),
    "payload changed": (lambda cookie: changed(cookie, 3), 0),
    "time changed": (lambda cookie: changed(cookie, len(cookie.rpartition(".")[0]) - 1), 0),
    "signature changed": (lambda cookie: changed(cookie, len(cookie.rpartition(".")[0]) + 1), 0),
    "twice": (lambda cookie: cookie + cookie, 0),
    "with a tail": (lambda cookie: cookie + ".x", 0),
    "padded": (lambda cookie: cookie + "====", 0),
    "upper case": (str.upper, 0),
    "percent-encoded": (lambda cookie: "".join(f"%{ord(character):02x}" for character in cookie), 0),
    "not ASCII": (lambda cookie: "\u00e4\u00f6\u00fc." + cookie, 0),
    "not base64": (lambda cookie: "!!!$$$###" + cookie, 0),
    "long nonsense": (lambda cookie: "A" * 5000, 0),
}

# Forged cookies. All but the first four have a valid signature.
FORGED: dict[str, str] = {
    "another key": signed(base64_encode(b'{"admin":true}'), key="another key"),
    "another salt": signed(base64_encode(b'{"admin":true}'), salt="another"),
    "another digest": signed(base64_encode(b'{"admin":true}'), digest_method=sha256),
    "another derivation": signed(base64_encode(b'{"admin":true}'), key_derivation="django-concat"),
    "no payload": signed(b""),
    "payload not base64": signed(b"!!!"),
    "payload of one character": signed(b"A"),
    "payload not JSON": signed(base64_encode(b"{not json")),
    "payload not UTF-8": signed(base64_encode(b'{"a":"\xff"}')),
    "payload half compressed": signed(b"." + base64_encode(zlib.compress(b'{"a":1}')[:-3])),
    "payload not compressed though it says so": signed(b"." + base64_encode(b'{"a":1}')),
    "payload compressed though short": signed(b"." + base64_encode(zlib.compress(b'{"a":1}'))),
    "no time": signed_as_is(b"e30"),
    "empty time": signed_as_is(b"e30."),
    "time not base64": signed_as_is(b"e30.!!!"),
    "time beyond all years": signed_as_is(b"e30.zzzzzzzzzzzzz"),
    "tagged dict": signed_json({" di": {" t__": 1}}),
    "tagged dict without underscores": signed_json({"a": {" di": {" t": 1}}}),
    "tagged dict of nothing": signed_json({"a": {" di": {}}}),
    "tagged dict that is a list": signed_json({"a": {" di": [1]}}),
    "unknown tag": signed_json({"a": {" x": 1}}),
    "unknown tag at the top": signed_json({" x": 1}),
    "tag among other keys": signed_json({"a": {" t": [1], "b": 2}}),
    "tuple that is a number": signed_json({"a": {" t": 5}}),
    "bytes that are not base64": signed_json({"a": {" b": "\u00e4!"}}),
    "bytes that are a number": signed_json({"a": {" b": 5}}),
    "uuid that is none": signed_json({"a": {" u": "nothing of the kind"}}),
    "uuid that is a number": signed_json({"a": {" u": 5}}),
    "datetime that is none": signed_json({"a": {" d": "some day"}}),
    "datetime that is a number": signed_json({"a": {" d": 5}}),
    "datetime of the impossible": signed_json({"a": {" d": "Wed, 99 Jan 2020 00:00:00 GMT"}}),
    "markup that is a number": signed_json({"a": {" m": 5}}),
    "same key twice": signed(base64_encode(b'{"a":1,"a":2}')),
    "not a number": signed(base64_encode(b'{"a":Infinity,"b":-Infinity}')),
    "nested too deeply": signed(b"." + base64_encode(zlib.compress(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"))),
}

# Cookies with a valid signature whose content is not a dict.
NOT_A_DICT: dict[str, str] = {
    "null": signed_json(None),
    "number": signed_json(5),
    "true": signed_json(True),
    "string": signed_json("text"),
    "empty list": signed_json([]),
    "list": signed_json([1, 2]),
    "list of pairs": signed_json([["admin", True]]),
    "list of short strings": signed_json(["ab", "cd"]),
    "tagged tuple": signed_json({" t": [1, 2]}),
    "tagged tuple of pairs": signed_json({" t": [{" t": ["admin", True]}]}),
    "tagged bytes": signed_json({" b": "YWI="}),
}


def readings(side: Side, cookies: dict[str, str | None]) -> dict[str, dict[str, str]]:
    """Return what is read from the cookie of each payload, from the damaged cookies, and from the forged ones."""
    damaged = cookies["everything in a tuple"]
    assert damaged is not None
    return {
        "payloads": {name: read(side, cookie) for name, cookie in cookies.items() if not refused(cookie)},
        "damaged": {name: read(side, damage(damaged), later) for name, (damage, later) in DAMAGE.items()},
        "forged": {name: read(side, cookie) for name, cookie in FORGED.items()},
        "not a dict": {name: read(side, cookie) for name, cookie in NOT_A_DICT.items()},
    }


def content(cookie: str | None) -> str | None:
    """Return the content of a compressed cookie, as versions of zlib differ, or any other cookie itself."""
    if cookie is None or not cookie.startswith("."):
        return cookie
    return zlib.decompress(base64_decode(cookie.split(".")[1])).decode()


def expected(reference: str, newest: str) -> str:
    """Return what schlenk must read from a cookie, given what Flask 1.1.4 and the newest Flask read.

    It equals what Flask 1.1.4 read. The session is empty if that raised an error, or if today's itsdangerous refuses
    the cookie.
    """
    if reference.startswith("raises") or newest == "{}":
        return "{}"
    return reference.replace(AWARE, "")


# --- All three libraries

LIBRARIES = ("reference", "newest", "schlenk")


def ask(python: str, library: str, given: Any = None) -> Any:
    """Return the cookies that an interpreter writes, or what it reads from those ``given``, by their writer."""
    side = "schlenk" if library == "schlenk" else "flask"
    command = [python, "-m", "tests.fidelity.cookies", "--side", side]
    answer = subprocess.run(command, input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout)


def answer(side: Side) -> None:
    given = json.load(sys.stdin)
    result = written(side) if given is None else {writer: readings(side, cookies) for writer, cookies in given.items()}
    json.dump(result, sys.stdout)


def compare(pythons: dict[str, str]) -> tuple[int, list[str]]:
    """Let each library read the cookies of each. Return the number of readings, and the mistakes."""
    cookies = {library: ask(pythons[library], library) for library in LIBRARIES}
    read_by = {library: ask(pythons[library], library, cookies) for library in LIBRARIES}
    wrong = [
        f"{name}: Flask 1.1.4 writes {cookie}, schlenk {cookies['schlenk'][name]}"
        for name, cookie in cookies["reference"].items()
        if content(cookie) != content(cookies["schlenk"][name])
    ]
    count = 0
    for writer in LIBRARIES:
        for group, by_reference in read_by["reference"][writer].items():
            for name, text in by_reference.items():
                count += len(LIBRARIES)
                by_newest, by_schlenk = (read_by[reader][writer][group][name] for reader in LIBRARIES[1:])
                if by_schlenk != expected(text, by_newest):
                    wrong.append(f"{group} {name} by {writer}: Flask 1.1.4 reads {text}, schlenk {by_schlenk}")
                for reader, read_here in (("reference", text), ("newest", by_newest)):
                    own = read_by[reader][reader][group].get(name, read_here)
                    if read_here != own:
                        wrong.append(f"{group} {name} by {writer}: {reader} reads {read_here}, of its own {own}")
    return count, wrong


def record(file: Path) -> None:
    side = load("flask")
    versions = {name: metadata.version(name) for name in ("flask", "werkzeug", "itsdangerous")}
    recorded = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    recorded["command"] = "python -m tests.fidelity.cookies --record tests/fidelity/cookies.json"
    cookies = written(side)
    recorded["reference" if versions["flask"].startswith("1.") else "newest"] = {
        "versions": versions,
        "written": cookies,
        "read": readings(side, cookies),
    }
    file.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="add the results of this interpreter's Flask to FILE"
    )
    parser.add_argument("--reference", metavar="PYTHON", help="an interpreter with Flask 1.1.4")
    parser.add_argument("--newest", metavar="PYTHON", help="an interpreter with the newest Flask")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        answer(load(options.side))
        return 0
    if options.record:
        record(options.record)
        return 0
    if not (options.reference and options.newest):
        parser.error("give --record, or --reference and --newest")
    count, wrong = compare({"reference": options.reference, "newest": options.newest, "schlenk": sys.executable})
    print(*wrong, f"{count} readings of cookies, {len(wrong)} wrong", sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
