"""A server on 127.0.0.1 that speaks the OpenAI chat protocol and does what a test tells it to."""

import asyncio
import base64
import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

LONG_S = 300.0
"""Far more than anything here takes, on the slowest machine: only a fault waits so long."""


def completion(
    text: str | None = "0.1, 0.2, 0.3, 0.4", finish_reason: str = "stop", **message: Any
) -> dict[str, Any]:
    """The body of a chat completion of 10 + 5 tokens."""
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


@dataclass(kw_only=True)
class Respond:
    """One HTTP response.

    Attributes:
        delay_s: Waited for before it is sent.
        is_held: Whether it is sent only once `ModelServer.release` was called.
    """

    body: bytes | str | dict[str, Any] = field(default_factory=completion)
    code: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    is_held: bool = False

    def encoded(self) -> bytes:
        body = json.dumps(self.body) if isinstance(self.body, dict) else self.body
        body = body.encode() if isinstance(body, str) else body
        lines = [
            f"HTTP/1.1 {self.code} X",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def say(text: str, **response: Any) -> Respond:
    """A response with these words of the model."""
    return Respond(body=completion(text), **response)


class Hang:
    """Accept the request, never answer."""


class Reset:
    """Cut the connection with a TCP reset."""


class CutShort:
    """Promise a long body, send a little of it, close."""


@dataclass(kw_only=True)
class Flood:
    """Send a body without end with an HTTP status, until the client has enough."""

    code: int
    content_type: str = "application/json"
    most_bytes: int = 300_000_000
    n_bytes: int = 0


@dataclass
class Request:
    """What the server was asked; names of headers and their values in lower case."""

    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def text(self) -> str:
        """Words of the last message."""
        return next(part["text"] for part in self._parts if part["type"] == "text")

    @cached_property
    def picture(self) -> np.ndarray:
        """Pixels of the last message's picture."""
        url = next(part["image_url"]["url"] for part in self._parts if part["type"] == "image_url")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))

    @property
    def _parts(self) -> list[dict[str, Any]]:
        return self.body["messages"][-1]["content"]


Action = Respond | Hang | Reset | CutShort | Flood


class ModelServer:
    """Answers each request as `behave(request, its index)` says; runs in a thread of its own.

    Requests are counted in the order in which they came whole; `behave` is called for one at a
    time.

    Attributes:
        requests: All so far.
        most_in_flight: Most that waited for their answer at once.
    """

    def __init__(self, behave: Callable[[Request, int], Action]) -> None:
        self.behave = behave
        self.requests: list[Request] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="model server")
        self._thread.start()
        assert self._listening.wait(LONG_S), "the server never listened"

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def texts(self) -> list[str]:
        return [request.text for request in self.requests]

    def release(self) -> None:
        """Send the responses that are held, and those still to come at once."""
        self._loop.call_soon_threadsafe(self._released.set)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._main.cancel)
        self._thread.join(LONG_S)
        assert not self._thread.is_alive(), "the server does not stop"

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._listen())
        try:
            self._loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            pass
        finally:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.close()

    async def _listen(self) -> None:
        self._released = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=2**24)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        try:
            await asyncio.Event().wait()
        finally:
            server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and what is done with it; whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        request = Request(json.loads(body), headers)
        self.requests.append(request)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            return await self._act(self.behave(request, len(self.requests) - 1), writer)
        finally:
            self._in_flight -= 1

    async def _act(self, action: Action, writer: asyncio.StreamWriter) -> bool:
        match action:
            case Respond():
                if action.is_held:
                    await self._released.wait()
                await asyncio.sleep(action.delay_s)
                writer.write(action.encoded())
                await writer.drain()
                return True
            case Hang():
                await asyncio.Event().wait()
            case Reset():
                writer.transport.abort()
            case CutShort():
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b'Content-Length: 5000\r\n\r\n{"choices": [{"message": {"content": "25'
                )
                await writer.drain()
            case Flood():
                await self._flood(action, writer)
        return False

    async def _flood(self, flood: Flood, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {flood.code} X\r\nContent-Type: {flood.content_type}\r\n\r\n"
        writer.write(head.encode())
        while flood.n_bytes < flood.most_bytes:
            writer.write(b"25, " * 25_000)
            flood.n_bytes += 100_000
            await writer.drain()
