"""Client cost of the run loop against a bare loop of the openai client with SQLite.

Both ask the same 2,000 questions with 64×64 PNGs, 64 in flight, of a server in another process.

    python benchmarks/bench_runner.py                      # CPU per question, both, and the ratio
    python benchmarks/bench_runner.py --latency-s 1        # how near the server's ceiling
    python benchmarks/bench_runner.py --resume 100000      # start of a run that is all answered
    python benchmarks/bench_runner.py --questions 20000    # peak memory against fewer questions
"""

import argparse
import asyncio
import base64
import io
import json
import multiprocessing
import platform
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import openai
from PIL import Image

from medvision.frames import SliceGeometry
from medvision.models import (
    OpenAIServer,
    Question,
    Reply,
    ResponseStatus,
    ResponseStore,
    RunSettings,
    ServerSettings,
    request_key,
    run_questions,
)
from medvision.models.store import RequestRow
from medvision.replies import Style
from medvision.samples import Sample
from medvision.tasks import Task

IN_FLIGHT = 64

BODY = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "0.1000, 0.2000, 0.3000, 0.4000"},
            }
        ],
        "usage": {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320},
    }
).encode()

PROMPT = "Find the liver and give the smallest axis-aligned bounding box around it. " * 8


class Answerer(asyncio.Protocol):
    """The least HTTP server that answers every POST alike after a while."""

    latency_s = 0.0

    def connection_made(self, transport) -> None:
        self.transport, self.received = transport, b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, separator, rest = self.received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(rest) >= length:
            self.received = rest[length:]
            asyncio.get_running_loop().call_later(self.latency_s, self.answer)

    def answer(self) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}"
        self.transport.write(head.encode() + b"\r\n\r\n" + BODY)


def serve(latency_s: float, ports: multiprocessing.SimpleQueue) -> None:
    async def forever() -> None:
        Answerer.latency_s = latency_s
        server = await asyncio.get_running_loop().create_server(Answerer, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


def picture(number: int) -> bytes:
    """A 64×64 grey PNG that differs for every number."""
    pixels = np.random.default_rng(number).integers(0, 256, (64, 64), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def sample(number: int) -> Sample:
    return Sample(
        sample_id=f"bench//case{number}/image/axial/0/1.0/detection",
        task=Task.DETECTION,
        dataset="bench",
        cohort="",
        case_id=f"case{number}",
        subject_id=f"subject{number}",
        split="test",
        image_id="image",
        modality="CT",
        image_uri="/nowhere.nii.gz",
        image_sha256="",
        plane="axial",
        slice_index=0,
        geometry=SliceGeometry(height_px=64, width_px=64, spacing_y_mm=1.0, spacing_x_mm=1.0),
        label_id=1,
        label="liver",
        component=0,
        name="liver",
        metric_kind="",
        metric_key="",
        unit="relative",
        truth=(0.1, 0.2, 0.3, 0.4),
        box_px=(6.0, 38.0, 19.0, 51.0),
        points=(),
    )


class Questions:
    """n questions, made anew at each walk."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self) -> Iterator[Question]:
        for number in range(self.n):
            yield Question(
                sample=sample(number),
                prompt_text=f"{PROMPT}({number})",
                image_png=partial(picture, number),
                pixel_sha256=f"{number:064x}",
                pixel_shape=(64, 64),
                style=Style.DIRECT,
            )


def bare_loop(n: int, base_url: str, path: Path) -> None:
    """What anyone would write: client, semaphore, one insert per reply."""

    async def ask_all() -> None:
        client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("CREATE TABLE replies(number INTEGER PRIMARY KEY, text TEXT)")
        numbers = iter(range(n))

        async def work() -> None:
            for number in numbers:
                url = "data:image/png;base64," + base64.b64encode(picture(number)).decode()
                content = [
                    {"type": "image_url", "image_url": {"url": url}},
                    {"type": "text", "text": f"{PROMPT}({number})"},
                ]
                reply = await client.chat.completions.create(
                    model="m",
                    messages=[{"role": "user", "content": content}],
                    temperature=0.0,
                    max_tokens=4096,
                )
                text = reply.choices[0].message.content
                db.execute("INSERT INTO replies VALUES (?, ?)", (number, text))

        await asyncio.gather(*[work() for _ in range(IN_FLIGHT)])
        await client.close()
        db.close()

    asyncio.run(ask_all())


def runner_loop(n: int, base_url: str, path: Path) -> None:
    """The same through the runner."""
    model = OpenAIServer(ServerSettings(name="m", base_url=base_url, max_in_flight=IN_FLIGHT))
    with ResponseStore(path) as store:
        settings = RunSettings(concurrency=IN_FLIGHT)
        summary = run_questions(model, Questions(n), store=store, settings=settings)
    if summary.n_ok != n:
        msg = f"expected {n} answers, found {summary}"
        raise RuntimeError(msg)


def timed(loop, n: int, base_url: str, path: Path) -> tuple[float, float]:
    """CPU and wall seconds of one loop."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    loop(n, base_url, path)
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


def compare(n: int, latency_s: float, folder: Path, rounds: int) -> None:
    ports = multiprocessing.SimpleQueue()
    server = multiprocessing.Process(target=serve, args=(latency_s, ports), daemon=True)
    server.start()
    base_url = f"http://127.0.0.1:{ports.get()}/v1"
    ceiling_per_s = IN_FLIGHT / latency_s if latency_s else float("inf")
    try:
        for round_ in range(rounds):
            bare_s = timed(bare_loop, n, base_url, folder / f"bare{round_}.sqlite")
            ours_s = timed(runner_loop, n, base_url, folder / f"runner{round_}.sqlite")
            for name, (cpu_s, wall_s) in (("bare", bare_s), ("runner", ours_s)):
                share = n / wall_s / ceiling_per_s
                print(
                    f"{name:7s} {1e3 * cpu_s / n:6.2f} ms CPU a question, {n / wall_s:7.1f} per s"
                    + (f", {share:.1%} of the server's ceiling" if latency_s else "")
                )
            print(f"CPU ratio {ours_s[0] / bare_s[0]:.2f}")
    finally:
        server.terminate()


def resume(n: int, path: Path) -> None:
    """Wall time of a run whose questions are all answered."""
    questions = Questions(n)
    model = OpenAIServer(ServerSettings(name="m", base_url="http://127.0.0.1:9/v1"))
    answer = Reply(status=ResponseStatus.OK, text="0.1000, 0.2000, 0.3000, 0.4000", attempts=1)
    with ResponseStore(path) as store:
        keyed = [(question, request_key(question, model)) for question in questions]
        store.set_requests(
            RequestRow(
                sample_id=question.sample.sample_id, repeat=0, key=key, prompt=question.prompt_text
            )
            for question, key in keyed
        )
        store.put_many(((key, answer) for _, key in keyed), model=model.model_id)
    listed = [question for question, _ in keyed]
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    with ResponseStore(path) as store:
        summary = run_questions(model, listed, store=store)
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    print(
        f"{summary.n_reused} of {n} answers are there: run starts and ends in {wall_s:.2f} s "
        f"({cpu_s:.2f} s CPU)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--latency-s", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--resume", type=int, metavar="N")
    args = parser.parse_args()
    print(f"Python {platform.python_version()}, openai {openai.__version__}, {platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        if args.resume:
            resume(args.resume, Path(folder) / "responses.sqlite")
        else:
            compare(args.questions, args.latency_s, Path(folder), args.rounds)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process {peak_mib:.0f} MiB")


if __name__ == "__main__":
    main()
