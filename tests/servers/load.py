"""The clients, which check each response. Some are slow, or disconnect early. A ``Load`` runs many clients at once."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

LINES = 8
"""The number of lines of a stream."""
MANY_LINES = 400
"""The number of lines of a stream that its client leaves, large enough that the stream has not ended by then."""

# The actions of a client, and their frequencies.
BEHAVIOURS = {"view": 70, "stream": 24, "slow": 1, "leave the request": 2, "leave the stream": 3}


class Broken(Exception):
    """The connection was closed before the response was complete."""


def expected(
    token: str, client: str, visits: int, greenlets: bool = True, copies: bool = False
) -> list[dict[str, Any]]:
    """Return the expected response of ``/view``."""

    def seen(place: str, **otherwise: Any) -> dict[str, Any]:
        same = dict.fromkeys(("query", "header", "cookie", "body", "g"), token)
        return {
            "place": place, **same, "session": [client, visits], "app": "checked", "depths": [1, 1], **otherwise
        }  # fmt: skip

    nested = dict.fromkeys(("query", "header", "cookie", "body"), "nested")
    places = [
        seen("view"),
        seen("view, after others ran"),
        seen("inside another application", app="other", g=None, depths=[1, 2]),
        seen("inside another request", **nested, session=["nested", None], depths=[2, 1]),
        seen("thread", g=None),
        seen("thread, later", g="thread"),
    ]
    if greenlets:
        places += [
            seen("view, while the greenlet waits"),
            seen("greenlet", g=None),
            seen("greenlet, later", g="greenlet"),
        ]
    for place in ("copy 0", "copy 1") if copies else ():
        places += [
            seen(place),
            seen(f"{place}, inside another application", app="other", g=None, depths=[1, 2]),
            seen(f"{place}, later"),
        ]
    return [*places, seen("view, at its end")]


def expected_lines(token: str, client: str, visits: int) -> list[dict[str, Any]]:
    """Return the expected lines of ``/stream``."""
    view = expected(token, client, visits)[0]
    return [{**view, "place": f"line {number}"} for number in range(LINES)]


class Client:
    """A client with a name, one connection at a time, and the session cookie of its last response.

    :param ports: the ports to send requests to, in turn.
    :param greenlets: whether greenlet is installed for the server.
    :param copies: whether the view pushes contexts in copies of its context.
    :param patience: the timeout of the connection, in seconds.
    """

    def __init__(
        self, name: str, ports: list[int], greenlets: bool = True, copies: bool = False, patience: float = 60
    ) -> None:
        self.name = name
        self.ports = itertools.cycle(ports)
        self.moves = len(ports) > 1
        self.greenlets = greenlets
        self.copies = copies
        self.patience = patience
        self.random = random.Random(name)
        self.connection: http.client.HTTPConnection | None = None
        self.session = ""
        self.visits = 0
        self.did: Counter[str] = Counter()
        self.wrong: list[str] = []

    def act(self) -> bool:
        """Do one action, and return whether there was a response."""
        (behaviour,) = self.random.choices(list(BEHAVIOURS), BEHAVIOURS.values())
        token = f"{self.name}-{self.random.getrandbits(48):x}"
        try:
            if behaviour == "leave the request":
                self._leave_the_request(token)
            elif behaviour == "leave the stream":
                self._leave_the_stream(token)
            else:
                self.ask(token, behaviour)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(f"{behaviour}: {error!r}") from error
        self.did[behaviour] += 1
        return not behaviour.startswith("leave")

    def ask(self, token: str, behaviour: str = "view") -> None:
        """Send a request and check the response."""
        path = "stream" if behaviour == "stream" else "view"
        pieces = [token[:3], token[3:]] if behaviour == "slow" else [token]
        response = self._answer(path, token, pieces)
        body = b"".join(self._read(response, slowly=behaviour == "slow"))
        if response.will_close or self.moves:
            self.close()
        if response.status != 200:
            self.wrong.append(f"{token} was answered {response.status}: {body[:200]!r}")
            return
        self.session = response.headers["Set-Cookie"].partition(";")[0]
        self.judge(token, path, body)

    def judge(self, token: str, path: str, body: bytes) -> None:
        """Check a response."""
        self.visits += 1
        if path == "view":
            right, seen = expected(token, self.name, self.visits, self.greenlets, self.copies), json.loads(body)
        else:
            right = expected_lines(token, self.name, self.visits)
            seen = [json.loads(line) for line in body.splitlines()]
            if len(seen) < len(right) and seen == right[: len(seen)]:
                # Some servers end a stream properly after its worker has died.
                raise http.client.IncompleteRead(body)
        if seen != right:
            differing = [pair for pair in itertools.zip_longest(seen, right) if pair[0] != pair[1]]
            self.wrong.append(f"{token} saw {differing[0][0]}, which should be {differing[0][1]}")

    def _answer(self, path: str, token: str, pieces: list[str]) -> http.client.HTTPResponse:
        """Send a request, and send it again if the server has closed the kept-alive connection."""
        kept = self.connection is not None
        try:
            self._send(path, token, pieces)
            return self.connection.getresponse()
        except (ConnectionError, http.client.BadStatusLine):
            if not kept:
                raise
        self.close()
        self.did["reconnect"] += 1
        self._send(path, token, pieces)
        return self.connection.getresponse()

    def _send(self, path: str, token: str, pieces: list[str], lines: int = LINES) -> None:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", next(self.ports), timeout=self.patience)
            self.did["connect"] += 1
        self.connection.putrequest("POST", f"/{path}?token={token}&client={self.name}&lines={lines}")
        for header, value in {
            "X-Token": token, "Cookie": f"token={token}; {self.session}", "Content-Length": str(len(token))
        }.items():  # fmt: skip
            self.connection.putheader(header, value)
        self.connection.endheaders()
        for piece in pieces:
            # This client is slow on purpose, and must not delay the others. There is no event to wait for.
            time.sleep(0.05 if len(pieces) > 1 else 0)
            self.connection.send(piece.encode())

    def _read(self, response: http.client.HTTPResponse, slowly: bool) -> Iterator[bytes]:
        while piece := response.read(500 if slowly else None):
            yield piece
            if slowly:
                time.sleep(0.02)

    def _leave_the_request(self, token: str) -> None:
        self.close()
        self._send("view", token, [token[:3]])
        self.close(abruptly=self.random.random() < 0.5)

    def _leave_the_stream(self, token: str) -> None:
        self.close()
        self._send("stream", token, [token], lines=MANY_LINES)
        response = self.connection.getresponse()
        response.readline()
        self.close(abruptly=self.random.random() < 0.5, response=response)

    def close(self, abruptly: bool = False, response: http.client.HTTPResponse | None = None) -> None:
        """Close the connection. If ``abruptly``, reject what the server sends next."""
        if self.connection is None:
            return
        if abruptly and self.connection.sock is not None:
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if response is not None:
            response.close()
        self.connection.close()
        self.connection = None


class Load:
    """Many clients, each in a thread, until they have received a number of responses.

    :param ports: the ports to send requests to.
    :param requests: the total number of responses to receive, without the requests that clients leave.
    :param clients: the number of clients.
    :param seconds: the time limit. Responses that are missing then count as wrong.
    """

    def __init__(
        self,
        ports: list[int],
        requests: int,
        clients: int,
        seconds: float = 3600,
        greenlets: bool = True,
        copies: bool = False,
    ) -> None:
        patience = min(60, seconds)
        self.clients = [Client(f"client{number}", ports, greenlets, copies, patience) for number in range(clients)]
        self.requests = requests
        self.deadline = time.monotonic() + seconds
        self.answered = 0
        self.broken: list[str] = []
        self.lock = threading.Lock()
        self.half = threading.Event()
        """Set after half of the responses."""
        self.goes_on = False
        """Whether to send requests even after the last response. Set while a test chooses the worker to kill."""
        self.threads = [threading.Thread(target=self._run, args=(client,)) for client in self.clients]

    def start(self) -> None:
        self.started = time.monotonic()
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join()
        self.seconds = time.monotonic() - self.started

    def _run(self, client: Client) -> None:
        try:
            while self._wants_more():
                try:
                    answered = client.act()
                except Broken as broken:
                    with self.lock:
                        self.broken.append(str(broken))
                else:
                    with self.lock:
                        self.answered += answered
                        if self.answered * 2 >= self.requests:
                            self.half.set()
        except Exception as error:
            client.wrong.append(f"{client.name} failed: {error!r}")
        finally:
            client.close()

    def _wants_more(self) -> bool:
        given_up = time.monotonic() > self.deadline or len(self.broken) > self.requests
        return (self.goes_on or self.answered < self.requests) and not given_up

    @property
    def did(self) -> Counter[str]:
        """How often the clients did each action."""
        return sum((client.did for client in self.clients), Counter())

    @property
    def wrong(self) -> list[str]:
        """The responses that were wrong."""
        missing = self.requests - self.answered
        wrong = [f"{missing} answers are missing"] if missing > 0 else []
        return wrong + [found for client in self.clients for found in client.wrong]
