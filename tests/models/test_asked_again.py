"""A run asked again with its pixel size scaled or withheld, in folders inside it."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from medvision.analysis.read_run import read_run, read_runs
from medvision.cli import main
from medvision.models.run_folder import read_samples
from medvision.models.run_words import RunSettings
from medvision.models.store import ResponseStore
from medvision.protocols import load_protocol
from tests.model_server import say


def keys_of(run):
    with ResponseStore(run / "responses.sqlite", must_exist=True) as store:
        return {stored.sample_id: stored.key for stored in store.current_replies()}


@pytest.fixture
def ask(study_tables, tmp_path):
    """`medvision eval` on the study's lesions; its exit code."""

    def asked(*more, task="tl", model="baseline/oracle"):
        words = ["eval", "--tables", study_tables, "--task", task, "--split", "all"]
        words += ["--model", model, "--run", tmp_path / "run", "--limit", 12, *more]
        return main([str(word) for word in words])

    return asked


def test_each_is_a_whole_run_whose_truth_is_scaled(ask, tmp_path):
    assert ask("--scale-spacing", "0.5,2", "--withhold-spacing", task="area") == 0
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir() if path.is_dir()} == {
        "spacing-0.5", "spacing-2", "spacing-withheld"
    }  # fmt: skip
    plain = read_samples(run)
    for name, factor in (("spacing-0.5", 0.5), ("spacing-2", 2.0), ("spacing-withheld", 1.0)):
        samples, manifest = (
            read_samples(run / name),
            json.loads((run / name / "manifest.json").read_text(encoding="utf-8")),
        )
        assert manifest["spacing_scale"] == factor
        assert manifest["spacing_withheld"] == (name == "spacing-withheld")
        for same in ("sample_id", "box_px", "points", "height_px", "image_sha256"):
            assert samples[same].equals(plain[same])
        for scaled, power in (("spacing_y_mm", 1), ("spacing_x_mm", 1)):
            assert np.asarray(samples[scaled]) == pytest.approx(
                np.asarray(plain[scaled]) * factor**power
            )
        truths = [np.ravel(one["truth"].to_pylist()) for one in (samples, plain)]
        assert truths[0] == pytest.approx(truths[1] * factor**2)
        scores = pq.read_table(run / name / "scores.parquet", partitioning=None)
        assert max(scores["absolute_error"].to_pylist()) <= 0.005 + 1e-9
    assert read_run(run).scores.num_rows == 12
    assert main(["report", str(run)]) == 0
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    assert "Is the stated pixel size left unused?" in page
    assert "Needs a run with --scale-spacing" not in page


def test_those_inside_are_read_as_the_run_is(ask, tmp_path):
    assert ask("--scale-spacing", "2", task="area") == 0
    for name, is_other in (("paper", True), ("medvision", False)):
        (run,) = read_runs([tmp_path / "run"], load_protocol(name).reading)
        of_both = [one.strict_scores is not None for one in (run, *run.asked_again)]
        assert of_both == [is_other, is_other]


def test_pictures_and_words_stay_but_the_pixel_size(ask, tmp_path, serve):
    server = serve(lambda request, index: say("10, 5"))
    options = ["--base-url", server.base_url, "--family", "as_sent", "--concurrency", 1]
    options += ["--scale-spacing", "0.5", "--withhold-spacing"]
    assert ask(*options, model="openai/m") == 0
    asked = [server.requests[start : start + 12] for start in (0, 12, 24)]
    for plain, scaled, without in zip(*asked, strict=True):
        assert np.array_equal(plain.picture, scaled.picture)
        assert np.array_equal(plain.picture, without.picture)
        head, _, size = plain.text.partition("; each pixel is ")
        numbers, _, rest = size.partition(" high.")
        assert without.text == f"{head}.{rest}"
        halved = [float(word) / 2 for word in numbers.replace(" mm wide and", "").split()[:2]]
        said = f"{halved[0]:.6g} mm wide and {halved[1]:.6g} mm"
        assert scaled.text == f"{head}; each pixel is {said} high.{rest}"
    run = tmp_path / "run"
    digests = [read_samples(run / name)["pixel_sha256"] for name in ("", "spacing-0.5")]
    assert digests[0].equals(digests[1])
    keys = [set(keys_of(run / name).values()) for name in ("", "spacing-0.5", "spacing-withheld")]
    assert len(set.union(*keys)) == sum(map(len, keys))
    # again: nothing new is asked
    assert ask(*options, model="openai/m") == 0
    assert len(server.requests) == 36


def test_a_budget_is_that_of_all_runs_together(ask, serve, tmp_path, capsys):
    server = serve(lambda request, index: say("10, 5"))  # of 15 tokens
    options = ["--base-url", server.base_url, "--family", "as_sent", "--concurrency", 1]
    options += ["--scale-spacing", "0.5,2", "--budget", "270tokens"]
    assert ask(*options, model="openai/m") == 1
    assert len(server.requests) == 18
    assert "not asked: spacing-2" in capsys.readouterr().err
    assert not (tmp_path / "run" / "spacing-2").exists()
    assert ask(*options[:-2], model="openai/m") == 0
    assert len(server.requests) == 36


def test_time_that_is_over_leaves_next_to_none(ask):
    left = RunSettings(time_limit_s=10).after
    summary = type("Spent", (), {"prompt_tokens": 0, "completion_tokens": 0, "money": None})
    assert left(summary, 4.0).time_limit_s == 6.0
    assert 0 < left(summary, 40.0).time_limit_s < 0.1


@pytest.mark.parametrize("words", ["1", "0.5,0.5", "-2", "0", "inf", "nan"])
def test_factors_that_say_nothing_are_refused(ask, words, capsys):
    assert ask(f"--scale-spacing={words}") == 2
    assert "expected different factors above 0 other than 1" in capsys.readouterr().err


def test_what_is_no_number_or_has_no_pixel_size_is_refused_before_anything_is_asked(
    ask, tmp_path, capsys
):
    assert ask("--scale-spacing", "half") == 2
    assert "expected factors such as 0.5,2, found 'half'" in capsys.readouterr().err
    assert ask("--scale-spacing", "2", task="detection") == 2
    assert "no prompt states a pixel size" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
