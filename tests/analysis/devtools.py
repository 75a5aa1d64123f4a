"""A headless Chromium driven over its debugging pipe: no port, no package, no network."""

import base64
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

LAUNCH = (
    "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4); "
    "os.execvp(sys.argv[3], sys.argv[3:])"
)
"""Chromium reads commands from descriptor 3 and writes to 4; both must be just these."""


class PageError(AssertionError):
    """A script of the page, or of the test, threw."""


class Chromium:
    """One page in one browser; `requests` are the addresses asked for, `errors` what was logged."""

    def __init__(self, program, profile, *, width=1280, height=900, dark=False, offline=True):
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()
        # Far from 3 and 4, which the launcher overwrites.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_read, from_write)]
        command = [sys.executable, "-SE", "-c", LAUNCH, *map(str, theirs), program]
        command += ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        command += [f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND"] if offline else []
        self._process = subprocess.Popen(
            [*command, "about:blank"], pass_fds=theirs, stderr=subprocess.DEVNULL
        )
        for fd in (to_read, from_write, *theirs):
            os.close(fd)
        self._to, self._from = to_write, from_read
        self._buffer, self._number, self._session = b"", 0, None
        self.requests, self.errors, self.events = [], [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)
        self.media(dark=dark)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)
        os.close(self._to)
        os.close(self._from)

    def resize(self, width, height, *, mobile=False):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def media(self, *, dark=False, kind=""):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=kind, features=[scheme])

    def call(self, method, **params):
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        written = memoryview(json.dumps(message).encode() + b"\0")
        while written:
            written = written[os.write(self._to, written) :]
        while (got := self._next(60)).get("id") != number:
            self._note(got)
        if "error" in got:
            msg = f"{method}: {got['error']}"
            raise PageError(msg)
        return got["result"]

    def open(self, url, *, ready="document.documentElement?.dataset.ready === 'true'"):
        """Load an address and wait until its scripts are done."""
        self.call("Page.navigate", url=url)
        self.wait(ready)

    def js(self, expression):
        """The value of an expression, awaited, as JSON types."""
        got = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in got:
            raise PageError(json.dumps(got["exceptionDetails"])[:2000])
        return got["result"].get("value")

    def wait(self, condition, seconds=60):
        until = time.monotonic() + seconds
        while not self.js(f"Boolean({condition})"):
            if time.monotonic() > until:
                msg = f"never true: {condition}; errors: {self.errors}"
                raise PageError(msg)
            time.sleep(0.02)

    def press(self, key, *, text=""):
        for kind in ("keyDown", "keyUp"):
            shown = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, **shown)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def pdf(self, path, **options):
        data = self.call("Page.printToPDF", printBackground=True, **options)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def _note(self, got):
        params = got.get("params", {})
        match got.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(params["exceptionDetails"].get("text", "exception"))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.errors.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled" if params["type"] == "error":
                self.errors.append(str(params["args"]))

    def _next(self, seconds):
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], seconds)[0]:
                msg = "Chromium did not answer"
                raise PageError(msg)
            got = os.read(self._from, 1 << 20)
            if not got:
                msg = "Chromium ended"
                raise PageError(msg)
            self._buffer += got
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)
