"""A host of files on 127.0.0.1 that knows ranges and fails on demand."""

import hashlib
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class FileServer:
    """Attributes:
    files: Path to content.
    asked: (method, path, Range) of each request.
    faults: Path to what goes wrong, one entry for each request: ("status", 503, {headers}),
        ("cut", n) ends after n bytes, ("slow", s) sleeps between pieces of 64 KiB.
    ranges, validators: Whether it knows ranges, and tells whether a file has changed.
    """

    def __init__(self):
        self.files, self.faults, self.asked, self.sent = {}, {}, [], {}
        self.ranges = self.validators = True
        self.types, self.redirects, self.headers = {}, {}, []
        self.url = ""


def handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_GET(self):
            path = unquote(urlsplit(self.path).path)
            wanted = self.headers.get("Range", "")
            server.asked.append((path, wanted))
            server.headers.append(dict(self.headers))
            fault = server.faults[path].pop(0) if server.faults.get(path) else ("none",)
            if path in server.redirects:
                return self.answer(302, b"", {"Location": server.redirects[path]})
            if fault[0] == "status":
                return self.answer(fault[1], b"", fault[2])
            if path not in server.files:
                return self.answer(404, b"")
            content = server.files[path]
            etag = f'"{hashlib.md5(content).hexdigest()}"'
            told = {"ETag": etag} if server.validators else {}
            told["Content-Type"] = server.types.get(path, "application/octet-stream")
            found = re.fullmatch(r"bytes=(\d+)-", wanted) if server.ranges else None
            unchanged = self.headers.get("If-Range", etag) == etag
            if found and unchanged:
                start = int(found[1])
                if start >= len(content):
                    return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                told["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
                return self.answer(206, content[start:], told, fault, path)
            return self.answer(200, content, told, fault, path)

        def answer(self, status, body, headers=None, fault=("none",), path=""):
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if fault[0] == "cut":
                body = body[: fault[1]]
                self.close_connection = True
            step = 1 << 16
            try:
                for at in range(0, len(body), step):
                    self.wfile.write(body[at : at + step])
                    server.sent[path] = server.sent.get(path, 0) + len(body[at : at + step])
                    if fault[0] == "slow":
                        time.sleep(fault[1])
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    return Handler


@contextmanager
def serving():
    server = FileServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(server))
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
