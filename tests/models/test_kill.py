"""A run that is killed without warning repeats at most what was under way."""

import pickle
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from functools import partial

import pytest

from medvision.models import ResponseStore, RunSettings, run_questions
from tests import builders
from tests.model_server import LONG_S, Respond

CONCURRENCY = 8

RUN_SCRIPT = """
import pickle, sys
from medvision.models import (
    OpenAIServer, ResponseStore, RunSettings, ServerSettings, run_questions
)
base_url, store_path, questions_path, concurrency = sys.argv[1:]
with open(questions_path, "rb") as file:
    questions = pickle.load(file)
model = OpenAIServer(ServerSettings(name="tiny", base_url=base_url))
with ResponseStore(store_path) as store:
    settings = RunSettings(concurrency=int(concurrency))
    run_questions(model, questions, store=store, settings=settings)
"""


def kill_after(process: subprocess.Popen, server, n_requests: int) -> None:
    deadline_s = time.monotonic() + LONG_S
    while len(server.requests) < n_requests and process.poll() is None:
        assert time.monotonic() < deadline_s, "the run never got that far"
        time.sleep(0.001)
    process.kill()
    process.wait()


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_run_repeats_at_most_what_was_under_way(seed, tmp_path, serve, served_model):
    server = serve(lambda *_: Respond(delay_s=0.01))
    questions = [builders.question(n, image_png=partial(bytes, b"png")) for n in range(150)]
    (tmp_path / "questions.pickle").write_bytes(pickle.dumps(questions))
    path = tmp_path / "responses.sqlite"
    arguments = [server.base_url, str(path), str(tmp_path / "questions.pickle"), str(CONCURRENCY)]
    process = subprocess.Popen([sys.executable, "-c", RUN_SCRIPT, *arguments])
    kill_after(process, server, random.Random(seed).randrange(20, 140))

    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    with ResponseStore(path) as store:
        summary = run_questions(
            served_model(server.base_url),
            questions,
            store=store,
            settings=RunSettings(concurrency=CONCURRENCY),
        )
    assert summary.n_ok == summary.n_total == 150
    assert summary.n_reused > 0
    asked = Counter(server.texts)
    assert len(asked) == 150
    assert sum(asked.values()) - 150 <= CONCURRENCY
