"""The least OpenAI-compatible server for a model that has no server: one function to fill in.

Copy this file into the model's own environment (Python 3.9 or later, standard library only) and
write a file MODEL.py beside it that loads the model once and defines

    def generate(images, prompt, max_tokens, temperature):
        ...
        return text

`images` is a list of PNG files as bytes, in the order of the conversation; `prompt` is all its
text, the system message first; `temperature` 0 means the most likely answer; `text` is what the
model wrote, without the prompt. Then

    python openai_shim.py MODEL.py --port 8000
    medvision eval --model openai/NAME --base-url http://127.0.0.1:8000/v1 --concurrency 1 ...

Questions are answered one after another. What `generate` raises is answered as HTTP 500, which
the run loop tries again and then counts as an error, never as an answer.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import importlib.util
import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

logger = logging.getLogger("openai_shim")

Generate = Callable[[list, str, int, float], str]

TAKEN_FIELDS = {"model", "messages", "max_tokens", "max_completion_tokens", "temperature"}
"""Of a request; another one is refused, as ignoring it would give other answers than asked for."""

DEFAULT_MAX_TOKENS = 1024
MAX_REQUEST_BYTES = 64_000_000


class RequestError(Exception):
    """A request that is not understood: HTTP 400 with these words."""


def read_request(body: bytes) -> tuple[list[bytes], str, int, float]:
    """Images, prompt, token limit and temperature of a chat completion request."""
    try:
        request = json.loads(body)
        messages = request["messages"]
        contents = [message["content"] for message in messages]
    except (ValueError, KeyError, TypeError) as error:
        text = f"expected a chat completion request, found none ({error!r})"
        raise RequestError(text) from error
    unknown = sorted(set(request) - TAKEN_FIELDS)
    if unknown:
        text = f"this server takes {sorted(TAKEN_FIELDS)}, not {unknown}"
        raise RequestError(text)
    parts = [part for content in contents for part in _parts(content)]
    images = [_image(part) for part in parts if part.get("type") == "image_url"]
    prompt = "\n".join(part["text"] for part in parts if part.get("type") == "text")
    limit = request.get("max_tokens") or request.get("max_completion_tokens") or DEFAULT_MAX_TOKENS
    return images, prompt, int(limit), float(request.get("temperature") or 0.0)


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _image(part: dict[str, Any]) -> bytes:
    head, _, data = part["image_url"]["url"].partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        text = f"expected an image as a base64 data URI, found {head[:40]!r}"
        raise RequestError(text)
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        text = "expected an image as a base64 data URI, found broken base64"
        raise RequestError(text) from error


def completion(text: str, model: str) -> dict[str, Any]:
    """A chat completion that holds `text`."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "shim",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }


class ShimServer(ThreadingHTTPServer):
    """Serves one model; many may ask, one at a time is answered."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], generate: Generate, name: str) -> None:
        self.generate = generate
        self.name = name
        self.turn = threading.Lock()
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    """`GET /v1/models` and `POST /v1/chat/completions`."""

    protocol_version = "HTTP/1.1"
    server: ShimServer

    def do_GET(self) -> None:
        """List the one model."""
        if self.path.rstrip("/") == "/v1/models":
            model = {"id": self.server.name, "object": "model"}
            self._send(200, {"object": "list", "data": [model]})
        else:
            self._send_error(404, f"no such path: {self.path}")

    def do_POST(self) -> None:
        """Answer one question."""
        length = int(self.headers.get("Content-Length", 0))
        if not 0 < length <= MAX_REQUEST_BYTES:
            self.close_connection = True
            self._send_error(413, f"expected 1 to {MAX_REQUEST_BYTES} bytes, found {length}")
            return
        body = self.rfile.read(length)
        if self.path.rstrip("/") != "/v1/chat/completions":
            self._send_error(404, f"no such path: {self.path}")
            return
        try:
            asked = read_request(body)
            with self.server.turn:
                text = self.server.generate(*asked)
        except RequestError as error:
            self._send_error(400, str(error))
        except Exception as error:  # whatever the model raises is its failure
            logger.exception("generate failed")
            self._send_error(500, f"{type(error).__name__}: {error}")
        else:
            self._send(200, completion(text, self.server.name))

    def _send_error(self, code: int, words: str) -> None:
        self._send(code, {"error": {"message": words}})

    def _send(self, code: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        """Log nothing per request."""


def generate_of(path: Path) -> Generate:
    """The function `generate` of a Python file; running the file loads the model."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        text = f"{path}: expected a Python file"
        raise SystemExit(text)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate


def main() -> None:
    """Load the model, say where it is served, serve it."""
    parser = argparse.ArgumentParser(description="OpenAI-compatible server around one function")
    parser.add_argument("model", type=Path, metavar="MODEL.py", help="file that defines generate")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    server = ShimServer((args.host, args.port), generate_of(args.model), args.model.stem)
    logger.info("serving %s at http://%s:%d/v1", server.name, args.host, server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
