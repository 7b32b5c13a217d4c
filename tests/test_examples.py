"""The examples of the documentation, each served in its own process to several clients."""

from __future__ import annotations

import http.client
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.support.serving import PATIENCE, serving

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
needs_flask_login = pytest.mark.skipif(find_spec("flask_login") is None, reason="needs Flask-Login")


class Visitor:
    """A client with its own name, connection, and cookies."""

    def __init__(self, port: int, name: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.name = name
        self.cookie = ""

    def visit(self) -> http.client.HTTPResponse:
        self.connection.request("GET", f"/?name={quote(self.name)}", headers={"Cookie": self.cookie})
        response = self.connection.getresponse()
        self.body = response.read().decode()
        self.cookie = response.headers["Set-Cookie"].partition(";")[0]
        return response


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(sys.executable, str(EXAMPLES / "hello.py"), "--port", "PORT") as port:
        yield port


def test_hello_names_app(port: int) -> None:
    visitor = Visitor(port, "Zoë & co")
    assert visitor.visit().status == 200
    assert visitor.body == "Hello, Zoë & co! This is hello, and your visit number 1.\n"


def test_hello_reports_time(port: int) -> None:
    assert re.fullmatch(r"\d+\.\d{3}", Visitor(port, "Ada").visit().headers["X-Elapsed-Milliseconds"])


def test_hello_isolates_concurrent_clients(port: int) -> None:
    clients, visits = 8, 25
    together = threading.Barrier(clients)

    def visit_often(name: str) -> list[str]:
        visitor = Visitor(port, name)
        bodies = []
        for _ in range(visits):
            together.wait(PATIENCE)
            visitor.visit()
            bodies.append(visitor.body)
        return bodies

    names = [f"client {number}" for number in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(visit_often, names))
    assert answers == [
        [f"Hello, {name}! This is hello, and your visit number {visit}.\n" for visit in range(1, visits + 1)]
        for name in names
    ]


class Member:
    """A browser that logs in to notes.py: it follows redirects and has its own cookies."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.browser = build_opener(HTTPCookieProcessor())

    def open(self, path: str, **form: str) -> str:
        data = urlencode(form).encode() if form else None
        with self.browser.open(self.address + path, data, PATIENCE) as response:
            return str(response.read().decode())


@pytest.fixture(scope="module")
def notes_port() -> Iterator[int]:
    with serving(sys.executable, str(EXAMPLES / "notes.py"), "--port", "PORT") as port:
        yield port


@needs_flask_login
def test_notes_require_login(notes_port: int) -> None:
    assert "<h1>Log in</h1>" in Member(notes_port).open("/")


@needs_flask_login
def test_notes_check_password(notes_port: int) -> None:
    with pytest.raises(HTTPError, match="401") as refused:
        Member(notes_port).open("/login", name="ada", password="compiler")
    refused.value.close()


@needs_flask_login
def test_notes_stay_apart(notes_port: int) -> None:
    passwords = {"ada": "engine", "grace": "compiler"}
    together = threading.Barrier(len(passwords))

    def write_notes(name: str) -> str:
        member = Member(notes_port)
        member.open("/login", name=name, password=passwords[name])
        for number in range(20):
            together.wait(PATIENCE)
            page = member.open("/", note=f"<{name} {number}>")
        return page

    with ThreadPoolExecutor(len(passwords)) as pool:
        pages = dict(zip(passwords, pool.map(write_notes, passwords)))
    for name, page in pages.items():
        assert f"<h1>Notes of {name}</h1>" in page
        assert re.findall(r"<li>(.*)</li>", page) == [f"&lt;{name} {number}&gt;" for number in range(20)]


@needs_flask_login
def test_notes_log_out(notes_port: int) -> None:
    member = Member(notes_port)
    member.open("/login", name="ada", password="engine")
    assert "<h1>Log in</h1>" in member.open("/logout", confirmed="yes")
    assert "<h1>Log in</h1>" in member.open("/")
