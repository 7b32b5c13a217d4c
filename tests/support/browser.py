"""A headless Chromium, which is controlled by its DevTools protocol through two pipes."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
SECONDS = 60
VIRTUAL_KEYS = {
    "Tab": 9,
    " ": 32,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
BOX = """selector => {
  const element = document.querySelector(selector);
  element.scrollIntoView({block: "nearest"});
  const {x, y, width, height} = element.getBoundingClientRect();
  return [x, y, width, height];
}"""


def executable() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a browser, with the requests and complaints since it was opened."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._received = b""
        self._number = 0
        self._session: str | None = None
        self.requests: list[str] = []
        """The URLs that were requested."""
        self.complaints: list[str] = []
        """The messages on the console, including uncaught exceptions and violations of the security policy."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        number = self._number
        while True:
            message = self._receive()
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]

    def _receive(self) -> dict[str, Any]:
        """Return the next message. If it is an event, store it first."""
        while b"\0" not in self._received:
            assert select.select([self._answers], [], [], SECONDS)[0], "the browser does not answer"
            part = os.read(self._answers, 1 << 20)
            assert part, "the browser has exited"
            self._received += part
        received, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(received)
        event, parameters = message.get("method"), message.get("params", {})
        if event == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled":
            self.complaints.append(str(parameters["args"]))
        elif event == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        return message

    def look(
        self, width: int, height: int, scheme: str = "light", motion: str = "reduce", scripts: bool = True
    ) -> None:
        """Change the size of the window and the preferences of the user."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, page: Path) -> None:
        self.requests.clear()
        self.complaints.clear()
        self.call("Page.navigate", url=page.as_uri())
        while self._receive().get("method") != "Page.loadEventFired":
            pass

    def next_complaint(self) -> str:
        """Remove and return the first complaint, which may arrive after the response to the call that caused it."""
        while not self.complaints:
            self._receive()
        return self.complaints.pop(0)

    def run(self, expression: str) -> Any:
        """Return the value of an expression, or the value that its promise resolves to."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def text(self, selector: str) -> str:
        """Return the visible text of the first element that matches."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press a key, with a sum of the modifiers 1 (Alt), 2 (Control), 4 (Meta) and 8 (Shift)."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                text=key if len(key) == 1 and kind == "keyDown" else "",
                windowsVirtualKeyCode=VIRTUAL_KEYS[key],
                modifiers=modifiers,
            )

    def click(self, selector: str, right: float = 0.5) -> None:
        """Click an element at a fraction of its width."""
        x, y, width, height = self.run(f"({BOX})({json.dumps(selector)})")
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x + right * width,
                y=y + height / 2,
                button="left",
                clickCount=1,
            )

    def close(self) -> None:
        self._session = None
        self.call("Browser.close")

    def screenshot(self, file: Path) -> None:
        file.write_bytes(b64decode(self.call("Page.captureScreenshot")["data"]))


# The browser reads commands from descriptor 3, and answers on 4.
LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Browser]:
    """Start a browser with an empty profile, and end it."""
    ends = [*os.pipe(), *os.pipe()]
    # Not 3 and 4, which LAUNCH replaces.
    read_commands, commands, answers, write_answers = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    options = ["--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run", "--disable-gpu"]
    # The first is required to run as root, the second in small containers. The pages are from the tests themselves.
    options += ["--no-sandbox", "--disable-dev-shm-usage"]
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", LAUNCH, str(read_commands), str(write_answers), program, *options],
        pass_fds=(read_commands, write_answers),
        stderr=subprocess.DEVNULL,
    )
    os.close(read_commands)
    os.close(write_answers)
    try:
        opened = Browser(commands, answers)
        yield opened
        opened.close()
        process.wait(SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(commands)
        os.close(answers)
