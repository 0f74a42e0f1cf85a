"""A headless Chromium, driven over its devtools on loopback: real keys, a real pointer, downloads into a folder."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0")  # fmt: skip
_CODES = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40}
_SECONDS = 60


class Page:
    """One page. All sizes and places are CSS pixels."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: WebSocketClientConnection) -> None:
        self._loop, self._socket, self._calls = loop, socket, 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A devtools command and its result; events that come meanwhile are kept."""
        self._calls += 1
        command = json.dumps({"id": self._calls, "method": method, "params": params})
        self._loop.run_until_complete(_send(self._socket, command))
        while True:
            message = self._read()
            if message.get("id") == self._calls:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])

    def _read(self) -> dict[str, Any]:
        raw = self._loop.run_until_complete(asyncio.wait_for(_message(self._socket), _SECONDS))
        message: dict[str, Any] = json.loads(raw)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, url: str) -> None:
        """Go to a page and wait for its load event."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._read()

    def js(self, expression: str) -> Any:
        """The value of an expression (promises are waited for)."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def settle(self) -> None:
        """Wait until the page has been laid out and drawn twice."""
        self.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))")

    def size(self, width: int, height: int, *, dark: bool = False, mobile: bool = False) -> None:
        """Set the window's size, the colour scheme, and whether it is a phone."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def key(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            code = _CODES.get(key, ord(key.upper()[0]))
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def type(self, text: str) -> None:
        """Type over what is selected in the focused field."""
        self.js("document.activeElement.select()")
        self.call("Input.insertText", text=text)

    def drag(self, selector: str, right: float, down: float) -> None:
        """Drag the middle of an element."""
        self.js(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        x, y = self.js(f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
                       f"(document.querySelector({selector!r}).getBoundingClientRect())")
        for kind, px, py in (("mousePressed", x, y), ("mouseMoved", x + right, y + down),
                             ("mouseReleased", x + right, y + down)):
            self.call("Input.dispatchMouseEvent", type=kind, x=px, y=py, button="left", buttons=1, clickCount=1)

    def download(self, selector: str, folder: Path) -> Path:
        """Click on an element and return the file that it saves."""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True)
        self.events.clear()
        self.js(f"document.querySelector({selector!r}).click()")
        while not any(event["params"].get("state") == "completed" for event in self.events):
            self._read()
        told = [event["params"] for event in self.events]
        return folder / next(params["suggestedFilename"] for params in told if "suggestedFilename" in params)

    def shot(self, path: Path) -> None:
        """Write what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def complaints(self) -> list[str]:
        """Errors that the page has logged or thrown."""
        return [json.dumps(event["params"])[:300] for event in self.events
                if event["method"] == "Runtime.exceptionThrown"
                or (event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error")]


async def _connect(address: str) -> WebSocketClientConnection:
    return await websocket_connect(address, max_message_size=2**28)


async def _send(socket: WebSocketClientConnection, command: str) -> None:
    await socket.write_message(command)


async def _message(socket: WebSocketClientConnection) -> str:
    message = await socket.read_message()
    assert message is not None, "Chromium is gone"
    return str(message)


@contextmanager
def browser() -> Iterator[Page]:
    """A page of a fresh Chromium, which ends with the block."""
    assert CHROMIUM is not None
    profile = tempfile.mkdtemp(prefix="chromium-")
    command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    loop = asyncio.new_event_loop()
    try:
        socket = loop.run_until_complete(_connect(_address(process)))
        yield Page(loop, socket)
        socket.close()
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        process.terminate()
        process.communicate(timeout=_SECONDS)
        loop.close()
        shutil.rmtree(profile, ignore_errors=True)


def _address(process: subprocess.Popen[str]) -> str:
    """The devtools socket of the first page, from the port that Chromium says it listens on."""
    assert process.stderr is not None
    port = next(match[1] for line in process.stderr if (match := re.search(r"ws://127\.0\.0\.1:(\d+)/", line)))
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=_SECONDS) as answer:
            pages = [target for target in json.load(answer) if target["type"] == "page"]
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
    raise AssertionError("Chromium has no page")
