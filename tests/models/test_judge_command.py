"""A judge re-reads what was not read; the run's own scores stay as they are."""

import json

import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.models.run_folder import read_samples
from medvision.samples import samples_from_table
from medvision.scoring.judge import judge_prompt
from medvision.scoring.judged_scores import JUDGED_SCHEMA
from medvision.tasks import Task
from tests import builders
from tests.model_server import Respond, completion, say

SPOKEN = "It starts, I think, 0.1 across and 0.2 up and stops 0.6 across, 0.7 up (SPOKEN)."
BOX = (0.1, 0.2, 0.6, 0.7)
TEXTS = ["0.1000, 0.1000, 0.6000, 0.7000", SPOKEN, "I see nothing there.", ""]


def overlap(box, truth):
    """IoU by hand."""
    width = max(0.0, min(box[2], truth[2]) - max(box[0], truth[0]))
    height = max(0.0, min(box[3], truth[3]) - max(box[1], truth[1]))
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, truth)]
    return width * height / (sum(areas) - width * height)


@pytest.fixture
def run(study_tables, serve, tmp_path):
    """A run of which a quarter each is read, spoken, without an answer, and empty."""
    server = serve(lambda _, index: say(TEXTS[index % len(TEXTS)]))
    folder = tmp_path / "run"
    words = ["eval", "--tables", study_tables, "--task", "detection", "--limit", "12"]
    words += ["--model", "openai/m", "--base-url", server.base_url, "--run", folder]
    assert main([str(word) for word in [*words, "--concurrency", "1"]]) == 0
    return folder


@pytest.fixture
def judge(serve):
    def behave(request, _index):
        text = ", ".join(f"{value:.4f}" for value in BOX) if "SPOKEN" in request.text else "none"
        return say(text)

    return serve(behave)


def score(run, *words):
    return main(["score", str(run), *words])


def scores_of(run):
    return pq.read_table(run / "scores.parquet", partitioning=None)


def test_judge_reads_what_was_not_read_in_columns_of_its_own(run, judge, capsys):
    before = scores_of(run)
    assert score(run, "--judge", "openai/j", "--base-url", judge.base_url) == 0
    after = scores_of(run)
    assert after.drop_columns(JUDGED_SCHEMA.names).equals(before)
    rows = after.to_pylist()
    statuses = [(row["status"], row["judged_status"]) for row in rows]
    assert statuses.count(("ok", None)) == 3
    assert statuses.count(("empty", None)) == 3
    assert [judged for status, judged in statuses if judged].count("ok") == 3
    assert len([judged for _, judged in statuses if judged]) == 6
    for row in rows:
        if row["judged_status"] == "ok":
            assert row["judged_values"] == pytest.approx(BOX)
            assert row["iou_judged"] == pytest.approx(overlap(BOX, row["truth"]))
            assert row["iou"] is None
    out = capsys.readouterr().out
    assert "n 12, n_parsed 3," in out
    assert "judge read 3 of 6 unread replies, 0 errors, iou_mean_judged" in out


def test_answers_that_do_not_stand_in_the_reply_are_not_counted_and_told(run, serve, capsys):
    invents = serve(lambda *_: say("0.1500, 0.2500, 0.6000, 0.7000"))
    before = scores_of(run)
    assert score(run, "--judge", "openai/j", "--base-url", invents.base_url) == 0
    after = scores_of(run)
    assert [word for word in after["judged_status"].to_pylist() if word] == ["made_up"] * 6
    assert set(after["iou_judged"].to_pylist()) == {None}
    assert not any(after["judged_values"].to_pylist())
    assert after.drop_columns(JUDGED_SCHEMA.names).equals(before)
    out = capsys.readouterr().out
    assert "judge read 0 of 6 unread replies, 0 errors, 6 answers not counted: made up" in out


NO_ANSWERS = [
    ("I'm sorry, I can't measure 0.1, 0.2, 0.6 or 0.7.", "stop"),
    ("", "stop"),
    ("0.1, 0.2, 0.6", "length"),
    ("<think>0.1 0.2", "stop"),
]


def test_refused_cut_and_empty_replies_are_not_judged(study_tables, serve, tmp_path):
    def behave(_request, index):
        text, reason = NO_ANSWERS[index % len(NO_ANSWERS)]
        return Respond(body=completion(text, finish_reason=reason))

    words = ["eval", "--tables", study_tables, "--task", "detection", "--limit", "8"]
    words += [
        "--model",
        "openai/m",
        "--base-url",
        serve(behave).base_url,
        "--run",
        tmp_path / "run",
    ]
    assert main([str(word) for word in [*words, "--concurrency", "1"]]) == 0
    copies = serve(lambda *_: say("0.1000, 0.2000, 0.6000, 0.7000"))
    assert score(tmp_path / "run", "--judge", "openai/j", "--base-url", copies.base_url) == 0
    assert not copies.requests
    assert set(scores_of(tmp_path / "run")["status"].to_pylist()) == {
        *("refused", "empty", "truncated")
    }


def test_judge_sees_the_reply_and_neither_picture_nor_truth(run, judge):
    score(run, "--judge", "openai/j", "--base-url", judge.base_url)
    samples = samples_from_table(read_samples(run))
    assert len(judge.requests) == 2  # equal replies to equal questions are judged once
    for request in judge.requests:
        (message,) = request.body["messages"]
        assert [part["type"] for part in message["content"]] == ["text"]
        assert any(text and f"\n{text}\n" in request.text for text in TEXTS)
        for sample in samples:
            assert sample.name not in request.text
            assert not any(f"{value:.4f}" in request.text for value in sample.truth)


def test_judge_is_asked_once_and_its_columns_stay(run, judge):
    words = ["--judge", "openai/j", "--base-url", judge.base_url]
    score(run, *words)
    first, n_requests = scores_of(run), len(judge.requests)
    score(run, *words)
    assert len(judge.requests) == n_requests
    assert score(run) == 0
    assert scores_of(run).equals(first)
    record = json.loads((run / "judge.json").read_text(encoding="utf-8"))
    assert (record["model"], record["summary"]["n_total"]) == ("openai/j", 6)


def test_readings_of_former_replies_are_left_out(run, judge, serve, study_tables):
    score(run, "--judge", "openai/j", "--base-url", judge.base_url)
    other = serve(lambda *_: say("Nothing, I think."))
    words = ["eval", "--tables", study_tables, "--task", "detection", "--limit", "12"]
    words += ["--model", "openai/m", "--base-url", other.base_url, "--temperature", "1"]
    main([str(word) for word in [*words, "--run", run]])
    assert score(run) == 0
    assert set(scores_of(run)["judged_status"].to_pylist()) == {None}


def test_failure_of_the_judge_is_an_error_and_no_reading(run, serve, capsys):
    broken = serve(lambda *_: Respond(code=400, body={"error": {"message": "0.1, 0.2"}}))
    before = scores_of(run)
    assert score(run, "--judge", "openai/j", "--base-url", broken.base_url) == 1
    judged = [status for status in scores_of(run)["judged_status"].to_pylist() if status]
    assert judged == ["error"] * 6
    assert scores_of(run).drop_columns(JUDGED_SCHEMA.names).equals(before)
    assert "judge read 0 of 6 unread replies, 6 errors" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["m", "hf/m", "openai/"])
def test_judge_is_a_served_model(name, run, capsys):
    assert score(run, "--judge", name) == 2
    assert "--judge: expected openai/NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("task", "unit", "words"),
    [
        (Task.DETECTION, "relative", "a bounding box"),
        (Task.TUMOR_LESION, "mm", "major and the minor axis"),
        (Task.ANGLE_DISTANCE, "mm", "a distance in millimetres"),
        (Task.ANGLE_DISTANCE, "deg", "an angle in degrees"),
        (Task.AREA, "mm2", "the area of a structure"),
    ],
)
def test_judge_is_told_what_was_asked_for(task, unit, words):
    prompt = judge_prompt(builders.sample(task, unit=unit), "some words")
    assert words in prompt
    assert "<reply>\nsome words\n</reply>" in prompt
