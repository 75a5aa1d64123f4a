"""A run asks what is missing, keeps what comes, and ends in order."""

import asyncio
import logging
import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from medvision.errors import ItemError, UsageError
from medvision.models import (
    AccessRefusedError,
    BreakerPolicy,
    Budget,
    DuplicateRequestError,
    ErrorKind,
    Generation,
    Reply,
    ResponseStatus,
    RetryPolicy,
    RunSettings,
    StopReason,
    make_baseline,
    run_questions,
)
from medvision.models.limits import Spending
from medvision.models.run_plan import Tally, planned_run
from medvision.models.served_run import ServedRun, run_served
from medvision.tasks import Task
from tests import builders
from tests.model_server import LONG_S, CutShort, Hang, Reset, Respond, completion, say

SOON_DEAD = BreakerPolicy(n_failures=5, for_at_least_s=0.0)


@pytest.fixture
def questions():
    def make(n, **changes):
        return [builders.question(number, **changes) for number in range(n)]

    return make


@contextmanager
def at_first_interrupt(react):
    """Call `react` in the moment in which a run takes notice of its first interrupt."""

    class Watch(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith("stopping"):
                react()

    logger, watch = logging.getLogger("medvision"), Watch()
    logger.addHandler(watch)
    try:
        yield
    finally:
        logger.removeHandler(watch)


def statuses(store):
    return Counter(stored.reply.status for stored in store.current_replies())


def test_second_run_asks_and_renders_nothing(serve, served_model, questions, store):
    server = serve(lambda request, _: say(request.text))
    first = run_questions(served_model(server.base_url), questions(30), store=store)
    assert (first.n_asked, first.n_reused, first.n_ok, first.errors) == (30, 0, 30, {})
    assert (first.prompt_tokens, first.completion_tokens) == (300, 150)
    for stored in store.current_replies():
        assert stored.reply.text == stored.prompt

    def no_picture():
        msg = "a picture was made"
        raise AssertionError(msg)

    again = questions(30, image_png=no_picture)
    second = run_questions(served_model(server.base_url), again, store=store)
    assert (second.n_asked, second.n_reused, second.n_ok) == (0, 30, 30)
    assert len(server.requests) == 30


def test_only_failed_questions_are_asked_again(serve, served_model, questions, store):
    broken = {f"Where is the liver? ({number})" for number in range(0, 100, 20)}

    def flaky(request, _index):
        if request.text in broken:
            return Respond(code=500, body={"error": {"message": "25, 30"}})
        return Respond()

    server = serve(flaky)
    first = run_questions(served_model(server.base_url), questions(100), store=store)
    assert (first.n_ok, first.errors) == (95, {ErrorKind.SERVER: 5})
    assert first.exceeds(0.0)
    assert not first.exceeds(0.05)
    failed = [s.reply for s in store.current_replies() if not s.reply.is_answer]
    assert all(reply.text == "" and reply.http_code == 500 for reply in failed)

    healthy = serve(lambda *_: Respond())
    second = run_questions(served_model(healthy.base_url), questions(100), store=store)
    assert set(healthy.texts) == broken
    assert (second.n_asked, second.n_reused, second.n_ok, second.errors) == (5, 95, 100, {})
    assert not second.exceeds(0.0)


@pytest.mark.parametrize(
    ("question_changes", "model_changes"),
    [
        ({"prompt_text": "Where?"}, {}),
        ({"pixel_sha256": "f" * 64}, {}),
        ({}, {"generation": Generation(temperature=1.0)}),
        ({}, {"name": "other"}),
    ],
)
def test_other_settings_ask_again_and_only_they_are_current(
    question_changes, model_changes, serve, served_model, store
):
    server = serve(lambda _, index: say(str(index)))
    run_questions(served_model(server.base_url), [builders.question()], store=store)
    changed = [builders.question(**question_changes)]
    summary = run_questions(served_model(server.base_url, **model_changes), changed, store=store)
    assert (summary.n_asked, summary.n_reused) == (1, 0)
    assert [stored.reply.text for stored in store.current_replies()] == ["1"]
    run_questions(served_model(server.base_url), [builders.question()], store=store)
    assert [stored.reply.text for stored in store.current_replies()] == ["0"]
    assert len(server.requests) == 2


def test_storm_of_every_failure_ends_with_every_answer(serve, served_model, questions, store):
    failures = [
        Respond(code=429, headers={"Retry-After": "0"}, body={}),
        Respond(code=503, body="<html>25</html>", content_type="text/html"),
        Reset(),
        CutShort(),
    ]
    seen = Counter()

    def stormy(request, _index):
        seen[request.text] += 1
        number = int(request.text.split("(")[1].rstrip(")"))
        return failures[number % 4] if seen[request.text] == 1 else Respond()

    server = serve(stormy)
    summary = run_questions(served_model(server.base_url), questions(60), store=store)
    assert (summary.n_ok, summary.errors) == (60, {})
    assert {s.reply.attempts for s in store.current_replies()} == {2}


def test_unusable_bodies_are_counted_by_kind_and_the_run_goes_on(
    serve, served_model, questions, store
):
    bodies = [
        Respond(),
        Respond(body="{25", content_type="application/json"),
        Respond(body="<html>25</html>", content_type="text/html"),
        Respond(body={"choices": []}),
        Respond(body=completion("25", finish_reason="length")),
        Respond(body=completion(None, refusal="No.")),
        Respond(code=422, body={"detail": "25"}),
    ]
    server = serve(lambda request, _: bodies[int(request.text.split("(")[1].rstrip(")")) % 7])
    summary = run_questions(served_model(server.base_url), questions(14), store=store)
    assert (summary.n_ok, summary.n_truncated, summary.n_refused) == (2, 2, 2)
    assert summary.errors == {
        ErrorKind.MALFORMED_JSON: 2,
        ErrorKind.WRONG_CONTENT_TYPE: 2,
        ErrorKind.EMPTY_CHOICES: 2,
        ErrorKind.REJECTED: 2,
    }
    texts = {s.reply.text for s in store.current_replies() if not s.reply.is_answer}
    assert texts == {""}


def test_dead_server_stops_the_run_without_hammering(
    serve, no_server_url, served_model, questions, store
):
    server = serve(lambda *_: Respond())
    run_questions(served_model(server.base_url), questions(5), store=store)
    dead = served_model(no_server_url, breaker=SOON_DEAD)
    summary = run_questions(dead, questions(3000), store=store)
    assert summary.stopped is StopReason.BREAKER_OPEN
    assert (summary.n_total, summary.n_ok, summary.n_reused) == (3000, 5, 5)
    assert summary.n_errors == 2995
    assert summary.errors[ErrorKind.BREAKER_OPEN] > 2000
    assert set(summary.errors) <= {ErrorKind.BREAKER_OPEN, ErrorKind.CONNECTION}
    back = serve(lambda *_: Respond())
    summary = run_questions(served_model(back.base_url), questions(3000)[:50], store=store)
    assert (summary.n_asked, summary.n_ok, summary.stopped) == (45, 50, None)


def test_address_without_server_ends_by_itself(no_server_url, served_model, questions, store):
    retry = RetryPolicy(max_attempts=50, first_delay_s=0.01, max_delay_s=0.05)
    model = served_model(no_server_url, retry=retry, breaker=SOON_DEAD)
    summary = run_questions(model, questions(10), store=store)
    assert summary.stopped is StopReason.BREAKER_OPEN
    assert summary.errors == {ErrorKind.BREAKER_OPEN: 10}


@pytest.mark.parametrize("name", ["server_errors", "hung"])
def test_server_that_never_answers_ends_the_run(name, serve, served_model, questions, store):
    behaviour = {"server_errors": Respond(code=500, body={}), "hung": Hang()}[name]
    server = serve(lambda *_: behaviour)
    summary = run_questions(
        served_model(
            server.base_url,
            retry=RetryPolicy(request_timeout_s=0.1, first_delay_s=0.02, max_delay_s=0.05),
            breaker=BreakerPolicy(n_fruitless=20, fruitless_for_at_least_s=0.0),
        ),
        questions(3000),
        store=store,
        settings=RunSettings(concurrency=8, grace_s=0.5),
    )
    assert summary.stopped is StopReason.BREAKER_OPEN
    assert summary.n_errors == 3000
    assert summary.errors[ErrorKind.BREAKER_OPEN] > 1000
    assert len(server.requests) < 1500


def test_outage_between_answers_is_survived(serve, served_model, questions, store):
    def flaky(_request, index):
        return Respond() if index % 10 == 0 else Respond(code=503, body={})

    server = serve(flaky)
    model = served_model(
        server.base_url,
        retry=RetryPolicy(max_attempts=200, first_delay_s=0.001, max_delay_s=0.002),
        breaker=BreakerPolicy(n_fruitless=30, fruitless_for_at_least_s=0.0),
    )
    summary = run_questions(model, questions(20), store=store, settings=RunSettings(concurrency=2))
    assert (summary.n_ok, summary.stopped) == (20, None)


def test_run_goes_inside_a_running_event_loop(serve, served_model, questions, store):
    server = serve(lambda *_: Respond())

    async def notebook_cell():
        return run_questions(served_model(server.base_url), questions(20), store=store)

    summary = asyncio.run(notebook_cell())
    assert summary.n_ok == len(list(store.current_replies())) == 20


def test_interrupt_inside_a_running_event_loop_is_orderly(serve, served_model, questions, store):
    """Later questions are answered only once the run has noticed that it is to stop."""
    n_before, concurrency = 8, 4
    server = serve(lambda _, index: Respond(is_held=index >= n_before))

    def interrupt(progress):
        if progress.n_done == n_before:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    async def notebook_cell():
        return run_questions(
            served_model(server.base_url),
            questions(300),
            store=store,
            settings=RunSettings(concurrency=concurrency, grace_s=LONG_S),
            on_progress=interrupt,
        )

    loop = asyncio.new_event_loop()
    with at_first_interrupt(server.release):
        summary = loop.run_until_complete(notebook_cell())
    loop.close()
    assert summary.interrupted
    assert n_before <= summary.n_ok == len(server.requests) <= n_before + concurrency


def test_interrupt_before_a_run_beside_a_notebook_has_started_is_not_lost(
    serve, served_model, questions, store
):
    """The thread of the run may take long to start on a busy machine."""
    server = serve(lambda *_: Respond())
    model, settings = served_model(server.base_url), RunSettings(concurrency=2)
    plan = planned_run(model, questions(20), store)
    tally = Tally(n_reused=0, n_total=20, spending=Spending(None), on_progress=None)
    run = ServedRun(model, plan, store, settings=settings, tally=tally)
    run.interrupt_from_another_thread()

    async def notebook_cell():
        run_served(run)

    asyncio.run(notebook_cell())
    assert tally.stopped is StopReason.INTERRUPTED
    assert server.requests == []


def test_refused_key_stops_the_run_and_keeps_what_came(serve, served_model, questions, store):
    def until_ten(_request, index):
        return Respond() if index < 10 else Respond(code=401, body={})

    server = serve(until_ten)
    settings = RunSettings(concurrency=4, grace_s=LONG_S)
    with pytest.raises(AccessRefusedError, match="check the API key"):
        run_questions(served_model(server.base_url), questions(500), store=store, settings=settings)
    assert statuses(store) == {"ok": 10, "error": 490}
    assert len(server.requests) <= 14


def test_questions_alike_are_asked_once(serve, served_model, store):
    server = serve(lambda *_: Respond())
    twins = [builders.question(0, sample=builders.sample(number=number)) for number in range(3)]
    summary = run_questions(served_model(server.base_url), twins, store=store)
    assert (summary.n_asked, summary.n_ok, summary.n_total) == (1, 3, 3)
    assert len(server.requests) == 1


def test_repeats_are_asked_one_by_one(serve, served_model, store):
    server = serve(lambda _, index: say(f"answer {index}"))
    repeats = [builders.question(repeat=number) for number in range(4)]
    run_questions(served_model(server.base_url), repeats, store=store)
    stored = list(store.current_replies())
    assert [s.repeat for s in stored] == [0, 1, 2, 3]
    assert len({s.reply.text for s in stored}) == 4


def test_same_repeat_of_a_sample_twice_is_refused(served_model, store):
    twice = [builders.question(), builders.question(prompt_text="Where?")]
    with pytest.raises(DuplicateRequestError, match="found one twice"):
        run_questions(served_model("http://127.0.0.1:1/v1"), twice, store=store)


def test_no_more_in_flight_than_asked_for(serve, served_model, questions, store):
    def behave(_request, index):
        if index == 4:
            server.release()
        return Respond(is_held=True, delay_s=0.02)

    server = serve(behave)
    settings = RunSettings(concurrency=5)
    run_questions(served_model(server.base_url), questions(40), store=store, settings=settings)
    assert server.most_in_flight == 5


def test_pictures_are_made_off_the_event_loop_and_only_a_few_held(serve, served_model, store):
    held, most, threads = set(), [0], set()

    def picture_of(number):
        def make():
            held.add(number)
            most[0] = max(most[0], len(held))
            threads.add(threading.current_thread().name)
            return b"png"

        return make

    server = serve(lambda *_: Respond())
    asked = (builders.question(number, image_png=picture_of(number)) for number in range(60))
    run_questions(
        served_model(server.base_url),
        asked,
        store=store,
        settings=RunSettings(concurrency=4),
        on_progress=lambda progress: held.discard(progress.question.sample.slice_index),
    )
    assert most[0] <= 4
    assert all(name.startswith("render") for name in threads)


def test_picture_that_cannot_be_made_is_one_error(serve, served_model, questions, store):
    class BrokenVolumeError(ItemError):
        reason = "broken_volume"

    def broken():
        msg = "expected a volume, found 25 bytes"
        raise BrokenVolumeError(msg)

    server = serve(lambda *_: Respond())
    asked = [*questions(5), builders.question(9, image_png=broken)]
    summary = run_questions(served_model(server.base_url), asked, store=store)
    assert (summary.n_ok, summary.errors) == (5, {ErrorKind.IMAGE: 1})
    assert len(server.requests) == 5


def test_programming_error_ends_the_run_and_is_not_hidden(serve, served_model, questions, store):
    def broken():
        msg = "a bug"
        raise KeyError(msg)

    server = serve(lambda *_: Respond())
    asked = [*questions(5), builders.question(9, image_png=broken)]
    with pytest.raises(KeyError, match="a bug"):
        run_questions(
            served_model(server.base_url),
            asked,
            store=store,
            settings=RunSettings(concurrency=1),
        )
    assert statuses(store) == {"ok": 5, "error": 1}


def test_budget_ends_the_run(serve, served_model, questions, store):
    server = serve(lambda *_: Respond())
    settings = RunSettings(concurrency=2, grace_s=LONG_S, budget=Budget(max_tokens=15 * 10))
    summary = run_questions(
        served_model(server.base_url), questions(100), store=store, settings=settings
    )
    assert summary.stopped is StopReason.BUDGET
    assert 10 <= summary.n_ok <= 12
    assert summary.errors == {ErrorKind.NOT_ASKED: 100 - summary.n_ok}


def test_time_limit_ends_the_run(serve, served_model, questions, store):
    server = serve(lambda *_: Respond(delay_s=0.05))
    settings = RunSettings(concurrency=2, grace_s=LONG_S, time_limit_s=0.4)
    summary = run_questions(
        served_model(server.base_url), questions(500), store=store, settings=settings
    )
    assert summary.stopped is StopReason.TIME_LIMIT
    assert 0 < summary.n_ok == len(server.requests) < 100
    assert summary.errors == {ErrorKind.NOT_ASKED: 500 - summary.n_ok}


def test_time_limit_ends_a_local_run_after_its_batch(store):
    model = EchoModel()
    asked = [builders.question(number) for number in range(40)]
    settings = RunSettings(time_limit_s=1e-9)
    summary = run_questions(model, asked, store=store, settings=settings)
    assert (summary.stopped, summary.n_ok) == (StopReason.TIME_LIMIT, model.batch_size)
    with pytest.raises(UsageError, match="positive time limit, found 0"):
        RunSettings(time_limit_s=0)


def test_progress_counts_every_reply(serve, served_model, questions, store):
    server = serve(lambda *_: Respond())
    run_questions(served_model(server.base_url), questions(4), store=store)
    seen = []
    run_questions(
        served_model(server.base_url), questions(10), store=store, on_progress=seen.append
    )
    assert [progress.n_done for progress in seen] == [5, 6, 7, 8, 9, 10]
    assert {progress.n_total for progress in seen} == {10}
    assert seen[-1].left_s == 0
    assert all(progress.reply.status is ResponseStatus.OK for progress in seen)


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_lets_questions_under_way_finish(name, serve, served_model, questions, store):
    server = serve(lambda *_: Respond(delay_s=0.05))
    former = signal.getsignal(name)

    def interrupt(progress):
        if progress.n_done == 8:
            os.kill(os.getpid(), name)

    summary = run_questions(
        served_model(server.base_url),
        questions(200),
        store=store,
        settings=RunSettings(concurrency=4, grace_s=LONG_S),
        on_progress=interrupt,
    )
    assert summary.interrupted
    assert summary.n_ok == len(server.requests) < 20
    assert summary.errors == {ErrorKind.NOT_ASKED: 200 - summary.n_ok}
    assert signal.getsignal(name) is former


def test_second_interrupt_does_not_wait(serve, served_model, questions, store):
    server = serve(lambda _, index: Hang() if index else Respond())

    def interrupt(_progress=None):
        os.kill(os.getpid(), signal.SIGINT)

    settings = RunSettings(concurrency=3, grace_s=2 * LONG_S)
    model = served_model(server.base_url, retry=RetryPolicy(request_timeout_s=2 * LONG_S))
    start_s = time.monotonic()
    with at_first_interrupt(interrupt):
        summary = run_questions(
            model, questions(20), store=store, settings=settings, on_progress=interrupt
        )
    assert time.monotonic() - start_s < LONG_S
    assert summary.interrupted
    assert summary.n_ok == 1


def test_secret_is_in_no_file_and_no_log(
    serve, served_model, questions, store, monkeypatch, caplog
):
    monkeypatch.setenv("TEST_MODEL_KEY", "sk-secret-0123")
    caplog.set_level(logging.DEBUG)
    body = {"error": {"message": "key sk-secret-0123 has spent 25"}}
    server = serve(lambda _, index: Respond() if index % 2 else Respond(code=400, body=body))
    run_questions(served_model(server.base_url), questions(10), store=store)
    files = list(Path(store.path).parent.iterdir())
    assert store.path in files
    for file in files:
        assert b"sk-secret" not in file.read_bytes()
        assert b"127.0.0.1" not in file.read_bytes()  # the bare port may be part of a digest
    assert "sk-secret" not in caplog.text


def test_baseline_goes_through_the_same_store(store):
    questions = [builders.question(number) for number in range(2500)]
    lengths = builders.sample(Task.TUMOR_LESION)
    questions.append(builders.question(sample=lengths))
    baseline = make_baseline("baseline/random-box")
    first = run_questions(baseline, questions, store=store)
    assert (first.n_asked, first.n_ok, first.n_total, first.n_not_applicable) == (
        2500,
        2500,
        2500,
        1,
    )
    second = run_questions(baseline, questions, store=store)
    assert (second.n_asked, second.n_reused) == (0, 2500)
    assert {stored.model for stored in store.current_replies()} == {"baseline/random-box"}


class EchoModel:
    """A model in this process that notes the batches it gets."""

    model_id, revision, settings, tasks = "hf/echo", "", {}, frozenset(Task)
    batch_size, window_size = 4, 12

    def __init__(self):
        self.batches = []

    def key_inputs(self, _question):
        return {}

    def replies(self, questions):
        self.batches.append([len(question.prompt_text) for question in questions])
        return [Reply(status="ok", text=question.prompt_text) for question in questions]


def test_local_batches_are_alike_in_length_and_every_reply_is_its_questions(store):
    lengths = [7, 90, 30, 55, 10, 80, 20, 60, 40, 100, 5, 70, 3, 33]
    questions = [builders.question(n, prompt_text="x" * size) for n, size in enumerate(lengths)]
    model = EchoModel()
    summary = run_questions(model, questions, store=store)
    assert summary.n_ok == 14
    assert model.batches == [[100, 90, 80, 70], [60, 55, 40, 30], [20, 10, 7, 5], [33, 3]]
    assert all(stored.reply.text == stored.prompt for stored in store.current_replies())


def test_baseline_answers_anew_when_the_truth_changes(store):
    oracle = make_baseline("baseline/oracle")
    run_questions(
        oracle, [builders.question(sample=builders.sample(truth=(0.1, 0.1, 0.2, 0.2)))], store=store
    )
    run_questions(
        oracle, [builders.question(sample=builders.sample(truth=(0.3, 0.3, 0.4, 0.4)))], store=store
    )
    (stored,) = store.current_replies()
    assert "0.3" in stored.reply.text


def test_no_question_is_no_run(served_model, store):
    summary = run_questions(served_model("http://127.0.0.1:1/v1"), [], store=store)
    assert (summary.n_total, summary.n_asked, summary.errors) == (0, 0, {})
    assert not summary.exceeds(0.0)


def test_impossible_concurrency_is_refused():
    with pytest.raises(UsageError, match="concurrency of at least 1, found 0"):
        RunSettings(concurrency=0)


def test_disk_error_is_raised_not_swallowed(serve, served_model, questions, store):
    server = serve(lambda *_: Respond())

    def close_store(_progress):
        store.close()

    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        run_questions(
            served_model(server.base_url), questions(20), store=store, on_progress=close_store
        )
