"""A model server on 127.0.0.1 whose replies follow from the request alone.

The same question with the same picture gets the same reply, whatever came before it and however
many are under way. Among the replies is every way in which models answer: in the form asked for,
in other units, in pixels, turned round, cut off, declined, not at all.
"""

import base64
import hashlib
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

ARITY = {"the four numbers": 4, "the two numbers": 2, "one number": 1}
"""What a prompt's last line asks for, and how many values that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the server was asked: the message's text, and the body with pixels for the picture."""

    text: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server, and what it was asked so far."""

    base_url: str
    requests: list[Request] = field(default_factory=list)


class _HttpServer(ThreadingHTTPServer):
    request_queue_size = 128  # the usual 5 turn some of 32 clients away at once, who then try again
    daemon_threads = True  # connections kept alive must not hold up the end


@contextmanager
def scripted_server() -> Iterator[Server]:
    """A server on a free port, gone at the end of the block."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            request = _request(json.loads(self.rfile.read(length)))
            requests.append(request)
            code, body = _response(request)
            content = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with _HttpServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}/v1"
            yield Server(base_url=url, requests=requests)
        finally:
            server.shutdown()
            thread.join()


def _request(body: dict[str, Any]) -> Request:
    text = ""
    for message in body["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else []:
            if part["type"] == "text":
                text = part["text"]
            else:
                head, _, data = part["image_url"]["url"].partition(",")
                picture = picture_digest(io.BytesIO(base64.b64decode(data)))
                part["image_url"]["url"] = f"{head} {picture}"
    return Request(text=text, body=body)


def picture_digest(png: io.BytesIO | Path) -> str:
    """Kind, size and digest of a picture's pixels: the file's bytes depend on the zlib at hand."""
    with Image.open(png) as image:
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        return f"{image.mode} {image.width}x{image.height} {digest}"


def _response(request: Request) -> tuple[int, dict[str, Any]]:
    words = json.dumps([request.body["messages"], request.body.get("seed")], sort_keys=True)
    drawn = hashlib.sha256(words.encode()).digest()
    if drawn[0] < 10 and "image_url" in words:
        return 400, {"error": {"message": "this picture is not accepted"}}
    text, finish_reason = _reply(request.text, drawn[1:])
    message = {"role": "assistant", "content": text}
    return 200, {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": message}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def _reply(prompt: str, drawn: bytes) -> tuple[str, str]:
    """A reply as some bytes decide, and why the model stopped; half are as the prompt asks."""
    arity = next(count for words, count in ARITY.items() if words in prompt)
    exact = _numbers([byte / 256 for byte in drawn[2 : 2 + arity]])
    if drawn[0] % 2:
        return (f"As told. <answer>{exact}</answer>" if "<answer>" in prompt else exact), "stop"
    form = sorted(FORMS)[drawn[1] % len(FORMS)]
    return FORMS[form].replace("NUMBERS", exact), FINISH_REASONS.get(form, "stop")


def _numbers(fractions: list[float]) -> str:
    """A box of four numbers, else lengths."""
    if len(fractions) == 4:
        (x0, x1), (y0, y1) = sorted(fractions[:2]), sorted(fractions[2:])
        return f"{x0:.4f}, {y0:.4f}, {min(x1 + 0.01, 1):.4f}, {min(y1 + 0.01, 1):.4f}"
    return ", ".join(f"{80 * fraction + 1:.2f}" for fraction in sorted(fractions, reverse=True))


FORMS = {
    "answer after thinking": "<think>It spans 1, 2 or 3 px.</think>NUMBERS",
    "tags after thinking": "<think>first 12, 13</think> <answer>NUMBERS</answer>",
    "tags and brackets": "<answer>(NUMBERS)</answer> I am sure.",
    "named answer": "**Answer:** NUMBERS",
    "boxed": "So it is \\boxed{NUMBERS}.",
    "centimetres": "The lengths are 3.12 cm and 1.80 cm.",
    "metres": "<answer>major: 31.2 mm, minor: 0.018 m</answer>",
    "named, turned round": "minor axis 12.5 mm; major axis 20,5 mm",
    "grouped thousands": "About 1,234.5 mm² in all.",
    "named edges": "x0=0.1, y0=0.2, x1=0.6, y1=0.7",
    "pixels": "[12, 30, 80, 96]",
    "per mille": "120, 300, 700, 900",
    "inverted": "0.6, 0.7, 0.2, 0.1",
    "negative": "-5",
    "unknown unit": "12.5 furlongs",
    "open tag": "<answer>12.5",
    "no number": "The structure cannot be seen clearly.",
    "declined": "I'm sorry, but I can't help with medical images.",
    "nothing": "",
    "cut at a number": "It is at 0.25, 0.25, 0.5",
    "cut before a number": "Let me measure",
    "filtered": "",
}
"""Replies beside the form asked for; NUMBERS stands for as many as the prompt asks for."""

FINISH_REASONS = {
    "cut at a number": "length",
    "cut before a number": "length",
    "filtered": "content_filter",
}
"""Why a model stopped, where it had not ended."""
