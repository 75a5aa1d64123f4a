"""Samples, questions, and a server on 127.0.0.1 that misbehaves on demand."""

import asyncio
import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from PIL import Image

from medvision.models import Question
from medvision.models.generation import Generation
from medvision.models.limits import BreakerPolicy, RetryPolicy
from medvision.models.openai_server import OpenAIServer, ServerSettings
from medvision.models.store import ResponseStore
from medvision.replies import Style
from medvision.samples import Sample
from medvision.tasks import Task

BASE_SAMPLE = Sample(
    sample_id="set//case0/image/axial/0/1.0/detection",
    task=Task.DETECTION,
    dataset="set",
    cohort="",
    case_id="case0",
    subject_id="subject0",
    split="test",
    image_id="image",
    modality="CT",
    image_uri="/nowhere/image.nii.gz",
    image_sha256="0" * 64,
    plane="axial",
    slice_index=0,
    height_px=64,
    width_px=64,
    spacing_y_mm=1.0,
    spacing_x_mm=1.0,
    label_id=1,
    label="liver",
    component=0,
    name="liver",
    metric_kind="",
    metric_key="",
    unit="relative",
    truth=(0.25, 0.25, 0.5, 0.75),
    box_px=(16.0, 16.0, 32.0, 48.0),
    points=(),
)


@pytest.fixture
def make_sample() -> Callable[..., Sample]:
    def make(number: int = 0, **changes) -> Sample:
        task = changes.get("task", Task.DETECTION)
        sample_id = f"set//case{number}/image/axial/{number}/1.0/{task}"
        return replace(BASE_SAMPLE, **{"sample_id": sample_id, "slice_index": number, **changes})

    return make


def png_of(number: int) -> bytes:
    pixels = np.full((64, 64), number % 256, dtype=np.uint8)
    pixels.flat[:4] = np.frombuffer(np.uint32(number).tobytes(), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


@pytest.fixture
def make_question(make_sample) -> Callable[..., Question]:
    def make(number: int = 0, *, sample: Sample | None = None, **changes) -> Question:
        fields = {
            "sample": sample or make_sample(number),
            "prompt_text": f"Where is the liver? ({number})",
            "image_png": lambda: png_of(number),
            "pixel_sha256": f"{number:064x}",
            "pixel_shape": (64, 64),
            "style": Style.DIRECT,
        }
        return Question(**{**fields, **changes})

    return make


@pytest.fixture
def store(tmp_path):
    with ResponseStore(tmp_path / "responses.sqlite") as opened:
        yield opened


def completion(text: str | None = "0.1, 0.2, 0.3, 0.4", finish_reason="stop", **message) -> dict:
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


@dataclass
class Respond:
    """One HTTP response."""

    body: bytes | str | dict = field(default_factory=completion)
    code: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0

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


class Hang:
    """Accept the request, never answer."""


class Reset:
    """Cut the connection with a TCP reset."""


class CutShort:
    """Promise a long body, send a little of it, close."""


@dataclass
class Flood:
    """Send a body without end with an HTTP status, until the client has enough."""

    code: int
    content_type: str = "application/json"
    most_bytes: int = 300_000_000
    n_bytes: int = 0


@dataclass
class Request:
    body: dict
    headers: dict[str, str]

    @property
    def text(self) -> str:
        parts = self.body["messages"][-1]["content"]
        return next(part["text"] for part in parts if part["type"] == "text")


Behaviour = Callable[[Request, int], object]


class FlakyServer:
    """Answers each request as `behave(request, its index)` says; runs in a thread of its own."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.requests: list[Request] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self._ready.wait(10)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def texts(self) -> list[str]:
        return [request.text for request in self.requests]

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._main.cancel)
            self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._listen())
        try:
            self._loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            pass
        finally:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=2**24)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            server.close()

    async def _connection(self, reader, writer) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader, writer) -> bool:
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

    async def _act(self, action, writer) -> bool:
        if isinstance(action, Hang):
            await asyncio.sleep(60)
        elif isinstance(action, Reset):
            writer.transport.abort()
            return False
        elif isinstance(action, CutShort):
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b'Content-Length: 5000\r\n\r\n{"choices": [{"message": {"content": "25'
            )
            await writer.drain()
            return False
        elif isinstance(action, Flood):
            await self._flood(action, writer)
            return False
        else:
            await asyncio.sleep(action.delay_s)
            writer.write(action.encoded())
            await writer.drain()
        return True

    async def _flood(self, flood, writer) -> None:
        head = f"HTTP/1.1 {flood.code} X\r\nContent-Type: {flood.content_type}\r\n\r\n"
        writer.write(head.encode())
        while flood.n_bytes < flood.most_bytes:
            writer.write(b"25, " * 25_000)
            flood.n_bytes += 100_000
            await writer.drain()


@pytest.fixture
def serve():
    servers: list[FlakyServer] = []

    def start(behave: Behaviour) -> FlakyServer:
        servers.append(FlakyServer(behave))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


QUICK_RETRY = RetryPolicy(
    max_attempts=3,
    request_timeout_s=5.0,
    connect_timeout_s=1.0,
    deadline_s=20.0,
    first_delay_s=0.005,
    max_delay_s=0.02,
)


@pytest.fixture
def served_model():
    """Make a model of a server, quick to retry."""

    def make(base_url: str, **changes) -> OpenAIServer:
        generation = changes.pop("generation", Generation())
        fields = {
            "name": "tiny",
            "base_url": base_url,
            "api_key_env": "TEST_MODEL_KEY",
            "generation": generation,
            "retry": QUICK_RETRY,
            "breaker": BreakerPolicy(n_failures=5, for_at_least_s=0.2),
        }
        return OpenAIServer(ServerSettings(**{**fields, **changes}))

    return make


@pytest.fixture
def quick_retry() -> RetryPolicy:
    return QUICK_RETRY


@pytest.fixture
def actions():
    """The server's actions, by name."""
    return Actions


class Actions:
    Respond = Respond
    Hang = Hang
    Reset = Reset
    CutShort = CutShort
    Flood = Flood
    completion = staticmethod(completion)
