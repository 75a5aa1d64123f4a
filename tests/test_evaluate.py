"""From tables to scores: baselines and a served model through the whole text path."""

import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.frames import (
    box_px_from_relative,
    point_px_from_relative,
    relative_from_box_px,
    relative_from_point_px,
)
from medvision.models.run_folder import read_samples
from medvision.pictures.perceived import box_on_sent_from_slice, perceived_size
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.replies import Style, read_answer
from medvision.samples import samples_from_table
from medvision.tasks import Task
from tests.builders import shape_hw
from tests.model_server import Respond, say


def evaluate(tables, run, *, task, model, **options):
    words = ["eval", "--tables", tables, "--task", task, "--model", model, "--run", run]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", value]
    return main([str(word) for word in words])


def scores_of(run):
    return pq.read_table(run / "scores.parquet", partitioning=None)


def column(table, name):
    return np.array([np.nan if v is None else v for v in table[name].to_pylist()], dtype=float)


@pytest.mark.parametrize("style", ["direct", "cot"])
def test_oracle_is_exact_to_its_decimals(study_tables, tmp_path, style):
    for task, decimals in (("detection", None), ("tl", 2), ("area", 2)):
        run = tmp_path / task
        options = {"style": style, "split": "all"}
        assert evaluate(study_tables, run, task=task, model="baseline/oracle", **options) == 0
        scores = scores_of(run)
        assert set(scores["status"].to_pylist()) == {"ok"}
        if decimals is None:
            assert column(scores, "iou").min() >= 0.98
        else:
            assert column(scores, "absolute_error").max() <= 0.5 * 10**-decimals + 1e-9


def test_noisy_oracle_gets_worse_with_noise(study_tables, tmp_path):
    ious, errors = [], []
    for sigma in ("0", "0.05", "0.1", "0.2", "0.4"):
        model = f"baseline/noisy-oracle:{sigma}"
        boxes, sizes = tmp_path / f"d{sigma}", tmp_path / f"t{sigma}"
        evaluate(study_tables, boxes, task="detection", model=model, split="all")
        evaluate(study_tables, sizes, task="tl", model=model, split="all")
        ious.append(column(scores_of(boxes), "iou").mean())
        errors.append(column(scores_of(sizes), "relative_error").mean())
    assert ious == sorted(ious, reverse=True)
    assert errors == sorted(errors)
    assert ious[0] > 0.98
    # the mean of |noise| of a normal is sigma · sqrt(2 / pi); axis lengths, two values each
    assert errors[2] == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.25)


def test_random_boxes_score_what_chance_gives(study_tables, tmp_path):
    run = tmp_path / "r"
    evaluate(study_tables, run, task="detection", model="baseline/random-box", split="all")
    scores = scores_of(run)
    rng = np.random.default_rng(0)
    expected = []
    for truth in scores["truth"].to_pylist():
        corners = np.sort(rng.uniform(size=(400, 2, 2)), axis=1)
        low = np.maximum(corners[:, 0], truth[:2])
        high = np.minimum(corners[:, 1], truth[2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        areas = (corners[:, 1] - corners[:, 0]).prod(axis=1)
        truth_area = (truth[2] - truth[0]) * (truth[3] - truth[1])
        expected.append((shared / (areas + truth_area - shared)).mean())
    found = column(scores, "iou")
    spread = found.std() / np.sqrt(len(found))
    assert found.mean() == pytest.approx(np.mean(expected), abs=4 * spread)


def test_a_dot_and_a_box_come_back_to_their_pixels_through_text():
    """The half pixel between box edges and point centres."""
    height, width = 37, 53
    picture = np.zeros((height, width))
    picture[11, 20] = 1
    dot = relative_from_point_px((20, 11), height, width)
    box = relative_from_box_px((20, 11, 21, 12), height, width)
    assert dot == pytest.approx(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    text = ANSWER_FORMATS[Task.DETECTION].write(tuple(box), Style.DIRECT)
    read = read_answer("detection", text).values
    x0, y0, x1, y1 = np.rint(box_px_from_relative(read, height, width)).astype(int)
    assert picture[y0:y1, x0:x1].sum() == 1
    assert (x1 - x0) * (y1 - y0) == 1
    back = point_px_from_relative([round(value, 4) for value in dot], height, width)
    assert back == pytest.approx((20, 11), abs=0.005)


def test_served_model_sees_the_slice_and_is_scored(study_tables, tmp_path, serve):
    """A server that measures the bright liver in the picture it gets, and answers with its box."""

    def answer(request, _index):
        picture = request.picture
        liver = (picture > np.median(picture)) if picture.ndim == 2 else picture[..., 0] > 100
        ys, xs = np.nonzero(liver)
        box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        relative = relative_from_box_px(box, *picture.shape[:2])
        return say(", ".join(f"{v:.4f}" for v in relative))

    server = serve(answer)
    options = {"base_url": server.base_url, "limit": 12, "concurrency": 3}
    run = tmp_path / "run"
    status = evaluate(study_tables, run, task="detection", model="openai/m", **options)
    assert status == 0
    assert len(server.requests) == 12
    samples = {s.name for s in samples_from_table(read_samples(run))}
    assert all(any(f"the {name} and" in text for text in server.texts) for name in samples)
    pixels = read_samples(run)
    assert all(pixels["pixel_sha256"].to_pylist())
    shown = {request.picture.shape[:2] for request in server.requests}
    sizes = zip(pixels["height_px"].to_pylist(), pixels["width_px"].to_pylist(), strict=True)
    assert shown == set(sizes)
    again = evaluate(study_tables, run, task="detection", model="openai/m", **options)
    assert again == 0
    assert len(server.requests) == 12


def test_padding_family_gets_the_padded_picture_and_boxes_come_back(study_tables, tmp_path, serve):
    server = serve(lambda *_: say("no"))
    options = {"base_url": server.base_url, "limit": 8, "family": "llava_onevision"}
    run = tmp_path / "probe"
    evaluate(study_tables, run, task="detection", model="openai/m", **options)
    samples = samples_from_table(read_samples(run))
    canvases = {request.picture.shape[:2] for request in server.requests}
    assert canvases == {(384, 384)}
    seen = {s.sample_id: perceived_size("llava_onevision", *shape_hw(s)) for s in samples}
    assert any(size.content_hw != size.canvas_hw for size in seen.values())
    # with one question at a time, the questions come in the order of the samples
    replies = iter(
        ", ".join(f"{v:.5f}" for v in box_on_sent_from_slice(s.truth, seen[s.sample_id]))
        for s in samples
    )
    exact = serve(lambda *_: say(next(replies)))
    options |= {"base_url": exact.base_url, "concurrency": 1}
    evaluate(study_tables, tmp_path / "exact", task="detection", model="openai/m", **options)
    assert column(scores_of(tmp_path / "exact"), "iou").min() > 0.99


def test_a_model_that_never_answers_has_no_errors_to_average(study_tables, tmp_path, serve, capsys):
    server = serve(lambda *_: say("That is hard to say."))
    options = {"base_url": server.base_url, "limit": 4, "family": "qwen2_5_vl"}
    assert evaluate(study_tables, tmp_path / "run", task="tl", model="openai/m", **options) == 0
    out = capsys.readouterr().out
    assert "success_rate 0\n  mae_mean_parsed        none  [none, none]\n" in out


def test_failed_requests_are_errors_and_only_they_are_asked_again(
    study_tables, tmp_path, serve, capsys
):
    def answer(_request, index):
        if index < 20 and index % 4 == 3:
            return Respond(code=400, body={"error": {"message": "code 31.2, 18.0 went wrong"}})
        return say("31.20, 18.00")

    server = serve(answer)
    options = {"base_url": server.base_url, "limit": 20, "family": "qwen2_5_vl"}
    run = tmp_path / "run"
    assert evaluate(study_tables, run, task="tl", model="openai/m", **options) == 1
    out = capsys.readouterr().out
    assert "n_error 5" in out
    assert "withheld" in out
    statuses = scores_of(run)["status"].to_pylist()
    assert statuses.count("error") == 5
    assert len(server.requests) == 20
    assert evaluate(study_tables, run, task="tl", model="openai/m", **options) == 0
    assert len(server.requests) == 20 + 5
    assert set(scores_of(run)["status"].to_pylist()) == {"ok"}


def test_prompt_states_the_size_the_model_sees(study_tables, tmp_path, serve):
    server = serve(lambda *_: say("1.00, 1.00"))
    options = {"base_url": server.base_url, "limit": 6, "family": "448x448"}
    evaluate(study_tables, tmp_path / "run", task="tl", model="openai/m", **options)
    samples = samples_from_table(read_samples(tmp_path / "run"))
    shapes = {shape_hw(s) for s in samples}
    stated = set()
    for request in server.requests:
        assert "448 pixels wide and 448 pixels high" in request.text
        found = re.search(r"each pixel is ([\d.]+) mm wide and ([\d.]+) mm high", request.text)
        stated.add(tuple(round(float(v), 4) for v in found.groups()))
        assert request.picture.shape[:2] in shapes
    expected = {
        (
            round(one.spacing_x_mm * one.width_px / 448, 4),
            round(one.spacing_y_mm * one.height_px / 448, 4),
        )
        for one in (sample.geometry for sample in samples)
    }
    assert stated == expected


def test_millimetres_from_an_undeclared_family_are_refused(study_tables, tmp_path, capsys):
    options = {"base_url": "http://127.0.0.1:9/v1"}
    status = evaluate(study_tables, tmp_path / "r", task="tl", model="openai/m", **options)
    assert status == 2
    assert "--family" in capsys.readouterr().err


def test_another_sample_list_on_a_run_is_refused(study_tables, tmp_path, capsys):
    run = tmp_path / "r"
    evaluate(study_tables, run, task="tl", model="baseline/constant:9")
    assert evaluate(study_tables, run, task="area", model="baseline/constant:9") == 2
    assert "another sample list" in capsys.readouterr().err
    assert evaluate(study_tables, run, task="detection", model="baseline/random-box") == 2
    assert "one run is one model" in capsys.readouterr().err
    assert evaluate(study_tables, run, task="tl", model="baseline/constant:9") == 0


def test_scoring_again_asks_nothing_and_changes_nothing(study_tables, tmp_path):
    run = tmp_path / "r"
    evaluate(study_tables, run, task="detection", model="baseline/noisy-oracle:0.2")
    before = scores_of(run)
    (run / "scores.parquet").unlink()
    assert main(["score", str(run)]) == 0
    assert scores_of(run).equals(before)


def test_an_image_gone_is_an_error_and_not_a_wrong_answer(study_tables, tmp_path, serve, capsys):
    server = serve(lambda *_: say("0.1, 0.1, 0.9, 0.9"))
    options = {"base_url": server.base_url, "limit": 10}
    hidden = study_tables.parent / "images"
    moved = study_tables.parent / "gone"
    hidden.rename(moved)
    try:
        run = tmp_path / "r"
        assert evaluate(study_tables, run, task="detection", model="openai/m", **options) == 1
    finally:
        moved.rename(hidden)
    assert server.requests == []
    assert set(scores_of(run)["status"].to_pylist()) == {"error"}
    assert evaluate(study_tables, run, task="detection", model="openai/m", **options) == 0
    assert len(server.requests) == 10
