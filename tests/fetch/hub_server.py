"""A stand-in of a dataset hub on 127.0.0.1, as its own client asks: trees, paths, files, gates."""

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "4dff62f03f7e4f17cd8c62617bc75fde9893a1e9"


class Hub:
    """Attributes:
    files: Repository to path to content.
    token: Without it a repository in `gated` answers 401.
    asked: (method, path) of each request.
    ranges: (path, Range) of each request for the bytes of a file.
    """

    def __init__(self):
        self.files, self.gated, self.asked, self.ranges = {}, set(), [], []
        self.token, self.url = "hf_secret", ""


def handler(hub):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def answer(self, status, body=b"", headers=None):
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            length = (headers or {}).get("Content-Length")
            if length is None:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def answer_json(self, content):
            body = json.dumps(content).encode()
            self.answer(200, body, {"Content-Type": "application/json"})

        def entry(self, repo, path):
            content = hub.files[repo][path]
            digest = hashlib.sha256(content).hexdigest()
            lfs = {"oid": digest, "size": len(content), "pointerSize": 134}
            oid = hashlib.sha1(content).hexdigest()
            return {"type": "file", "path": path, "size": len(content), "oid": oid, "lfs": lfs}

        def do(self):
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            path = unquote(urlsplit(self.path).path)
            hub.asked.append((self.command, path))
            found = re.fullmatch(
                r"(?:/api)?/datasets/([^/]+/[^/]+)/(tree|paths-info|resolve)/([^/]+)/?(.*)", path
            )
            if not found or found[1] not in hub.files:
                return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            repo, what, revision, rest = found.groups()
            if repo in hub.gated and self.headers.get("Authorization") != f"Bearer {hub.token}":
                return self.answer(401, b"{}", {"X-Error-Code": "GatedRepo"})
            if revision not in (COMMIT, "main"):
                return self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            if what == "tree":
                return self.answer_json([self.entry(repo, one) for one in hub.files[repo]])
            if what == "paths-info":
                kind = self.headers.get("Content-Type", "")
                asked = json.loads(sent) if "json" in kind else parse_qs(sent.decode())
                names = [one for one in asked["paths"] if one in hub.files[repo]]
                return self.answer_json([self.entry(repo, one) for one in names])
            if rest not in hub.files[repo]:
                return self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
            content = hub.files[repo][rest]
            told = {
                "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
                "X-Repo-Commit": COMMIT,
                "X-Linked-Size": str(len(content)),
                "Accept-Ranges": "bytes",
            }
            if self.command == "HEAD":
                return self.answer(200, b"", {**told, "Content-Length": str(len(content))})
            hub.ranges.append((path, self.headers.get("Range", "")))
            if ranged := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                start, end = int(ranged[1]), int(ranged[2] or len(content) - 1)
                told["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
                return self.answer(206, content[start : end + 1], told)
            return self.answer(200, content, told)

        do_GET = do_HEAD = do_POST = do  # noqa: N815

    return Handler


@contextmanager
def serving_hub():
    hub = Hub()
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    http.daemon_threads = True
    hub.url = f"http://127.0.0.1:{http.server_address[1]}"
    threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield hub
    finally:
        http.shutdown()
        http.server_close()
