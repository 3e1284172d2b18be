"""A real browser for the tests: Chromium without a window, spoken to over a pipe in its DevTools protocol."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
NEEDED = "needs a browser: apt-get install chromium"


class Browser:
    """One window of `size` pixels; a context, at whose end the browser is gone."""

    def __init__(self, size=(1600, 1000), dark=False):
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            pytest.skip(NEEDED)
        self.size, self.dark = size, dark
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, self.writer = os.pipe()
        self.reader, from_browser = os.pipe()
        arguments = (
            "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --hide-scrollbars "
            f"--disable-background-networking --remote-debugging-pipe --user-data-dir={self.folder.name} "
            f"--window-size={size[0]},{size[1]} about:blank"
        )

        def join():  # the protocol's ends are 3 and 4
            os.dup2(to_browser, 13)
            os.dup2(from_browser, 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        self.process = subprocess.Popen(
            [program, *arguments.split()],
            preexec_fn=join,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.count, self.buffer, self.session = 0, b"", None

    def __enter__(self):
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        scheme = "dark" if self.dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        width, height = self.size
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.writer)
        os.close(self.reader)
        self.folder.cleanup()

    def call(self, method, **parameters):
        """Runs one command of the protocol and gives its result."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writer, data) :]
        while (answer := self._next()).get("id") != self.count:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _next(self, patience=60.0):
        end = time.monotonic() + patience
        while b"\0" not in self.buffer:
            if not select.select([self.reader], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser says nothing")
            if not (part := os.read(self.reader, 1 << 20)):
                raise RuntimeError("the browser ended")
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def open(self, path) -> None:
        """Opens a file, and waits until its script and its first painting are done."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.run("new Promise((f) => { const g = () => document.readyState === 'complete' ? "
                 "requestAnimationFrame(() => setTimeout(f)) : setTimeout(g, 5); g(); })")  # fmt: skip

    def run(self, script):
        """The value of an expression of JavaScript, or of its promise."""
        options = dict(returnByValue=True, awaitPromise=True, userGesture=True)
        result = self.call("Runtime.evaluate", expression=script, **options)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def press(self, key, text=None) -> None:
        """Presses and releases a key, as "Tab", "Enter" or "a"."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40}
        code = codes.get(key, ord(key.upper()) if len(key) == 1 else 0)
        text = text or (key if len(key) == 1 else "\r" if key == "Enter" else "")
        about = dict(key=key, windowsVirtualKeyCode=code, code=key)
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, x, y) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
