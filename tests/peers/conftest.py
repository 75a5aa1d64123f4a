"""A tiny model taught on the spot, and a server of another project that serves it."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from medvision.cli import main
from medvision.models import ResponseStore
from medvision.models.run_folder import read_samples, store_path
from medvision.pictures.render import SlicePictures
from medvision.samples import samples_from_table
from tests.model_server import LONG_S

TASKS = ("detection", "tl")
N_SAMPLES = 10
FAMILY = "112x112"


@pytest.fixture(autouse=True)
def engine():
    """Skips without the extra `hf`."""
    pytest.importorskip("torch")


def evaluate(tables, run, task, model, *words):
    """`medvision eval` on the same few questions."""
    command = ["eval", "--tables", tables, "--task", task, "--split", "all", "--model", model]
    command += ["--limit", N_SAMPLES, "--family", FAMILY, "--run", run, *words]
    return main([str(word) for word in command])


@pytest.fixture(scope="session")
def ask(study_tables):
    """Ask a model about the study; gives the exit status."""

    def run(run, task, model, *words):
        return evaluate(study_tables, run, task, model, *words)

    return run


@pytest.fixture(scope="session")
def lessons(study_tables, tmp_path_factory):
    """Prompt, picture and right answer of every question."""
    found = []
    pictures = SlicePictures()
    for task in TASKS:
        run = tmp_path_factory.mktemp("oracle") / task
        assert evaluate(study_tables, run, task, "baseline/oracle") == 0
        samples = {s.sample_id: s for s in samples_from_table(read_samples(run))}
        with ResponseStore(store_path(run)) as store:
            for stored in store.current_replies():
                picture = Image.fromarray(pictures.picture(samples[stored.sample_id]))
                found.append((stored.prompt, picture.convert("RGB"), stored.reply.text))
    return found


@pytest.fixture(scope="session")
def tiny_model(lessons, tmp_path_factory):
    """Folder of a LLaVA of half a million parameters that answers in the asked form."""
    torch = pytest.importorskip("torch")
    from examples.from_scratch.tiny_models import Size
    from tests.tiny_families import llava

    folder = tmp_path_factory.mktemp("tiny-llava")
    texts = [text for prompt, _, answer in lessons for text in (prompt, answer)]
    llava(texts, folder, Size(text=(2, 96), vision=(2, 64), side_px=112, vocabulary=600))
    teach(folder, lessons, torch)
    return folder


def teach(folder, lessons, torch, n_steps=200):
    """Train the model on questions and their answers, the answer's tokens only."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(folder)
    tokenizer = processor.tokenizer
    texts, heads = [], []
    for prompt, _, answer in lessons:
        message = [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}
        ]
        head = processor.apply_chat_template(message, add_generation_prompt=True)
        heads.append(head)
        texts.append(head + answer + tokenizer.eos_token)
    batch = processor(
        images=[[picture] for _, picture, _ in lessons],
        text=texts,
        padding=True,
        return_tensors="pt",
    )
    labels = torch.full_like(batch["input_ids"], -100)
    for row, (head, text) in enumerate(zip(heads, texts, strict=True)):
        n_answer = len(tokenizer(text)["input_ids"]) - len(tokenizer(head)["input_ids"])
        labels[row, -n_answer:] = batch["input_ids"][row, -n_answer:]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rate = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=n_steps)
    rng = torch.Generator().manual_seed(0)
    for _ in range(n_steps):
        rows = torch.randperm(len(lessons), generator=rng)[:8]
        part = {name: values[rows] for name, values in batch.items()}
        loss = model(**part, labels=labels[rows]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    model.save_pretrained(folder)


@pytest.fixture(scope="session")
def transformers_server(tiny_model, tmp_path_factory):
    """Base URL of `transformers serve` with the tiny model."""
    folder = tmp_path_factory.mktemp("serve")
    command = [Path(sys.executable).with_name("transformers"), "serve", tiny_model]
    command += ["--host", "127.0.0.1", "--port", "0", "--device", "cpu"]
    env = {**os.environ, "HF_HUB_CACHE": str(folder), "HF_HUB_OFFLINE": "1"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(word) for word in command], stdout=log, stderr=subprocess.STDOUT, env=env
        )
    try:
        yield f"{address_of(server, folder / 'log')}/v1"
    finally:
        server.terminate()
        server.wait(LONG_S)


def address_of(server, log):
    """Where the server says that it listens; it chose a free port itself."""
    deadline_s = time.monotonic() + LONG_S
    while time.monotonic() < deadline_s and server.poll() is None:
        said = log.read_text(encoding="utf-8")
        if found := re.search(r"running on (http://127\.0\.0\.1:\d+) ", said):
            return found[1]
        time.sleep(0.1)
    pytest.fail(f"the server did not start: {log.read_text(encoding='utf-8')[-3000:]}")
