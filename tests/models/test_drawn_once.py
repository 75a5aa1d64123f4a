"""Each slice is drawn once: for its digest and for sending, over questions, repeats and kills."""

import gzip
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.models import Reply, ResponseStatus
from medvision.models.base import ALL_TASKS
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.models.run_folder import freeze_samples, samples_path, write_samples
from medvision.pictures.render import SlicePictures, slice_identity
from medvision.pictures.view import PictureFamily
from medvision.samples.sample import each_sample
from medvision.samples.select import select_samples
from medvision.samples.suite import Suite, TaskConfig
from medvision.tasks import Task
from tests.model_server import LONG_S, Respond, completion, say

BOX = "0.1000, 0.1000, 0.6000, 0.7000"


@pytest.fixture
def drawn(monkeypatch):
    """How often each slice is drawn."""
    counts = Counter()
    image = SlicePictures.image

    def counting(self, sample):
        counts[slice_identity(sample)] += 1
        return image(self, sample)

    monkeypatch.setattr(SlicePictures, "image", counting)
    return counts


@pytest.fixture
def study(study_tables, tmp_path):
    """Images and masks of the study, to be changed."""
    return shutil.copytree(study_tables.parent, tmp_path / "study")


def built(study):
    shutil.rmtree(study / "tables")
    options = ["--images", study / "images", "--masks", study / "masks"]
    options += ["--labels", study / "labels.json", "--name", "study 1", "--modality", "CT"]
    assert main([str(word) for word in ["build", *options, "--out", study / "tables"]]) == 0
    return study / "tables"


def words(tables, run, model, *more):
    asked = ["eval", "--tables", tables, "--task", "detection", "--limit", 40, "--split", "all"]
    return [str(word) for word in [*asked, "--model", model, "--run", run, *more]]


def of_server(server):
    return ("openai/m", "--base-url", server.base_url)


def samples_of(run):
    return list(each_sample(pq.read_table(run / "samples.parquet", partitioning=None)))


def test_each_slice_of_a_served_run_is_drawn_once_whatever_is_asked_of_it(
    study_tables, tmp_path, serve, drawn
):
    server = serve(lambda *_: say(BOX))
    run = tmp_path / "run"
    assert main(words(study_tables, run, *of_server(server), "--repeats", "3")) == 0
    assert len(server.requests) == 3 * 40
    assert drawn == Counter({slice_identity(sample) for sample in samples_of(run)})
    drawn.clear()
    assert main(words(study_tables, run, *of_server(server), "--repeats", "3")) == 0
    assert (len(server.requests), drawn) == (3 * 40, Counter())


class Onlooker:
    """A model in this process that looks at each picture, and remembers what it saw."""

    model_id, revision, settings, tasks = "local/onlooker", "", {}, ALL_TASKS
    batch_size, window_size = 4, 16

    def __init__(self):
        self.seen = []

    def key_inputs(self, question):
        return {}

    def replies(self, questions):
        self.seen += [hashlib.sha256(question.image_png()).hexdigest() for question in questions]
        return [Reply(status=ResponseStatus.OK, text=BOX, attempts=1) for _ in questions]


def test_each_slice_of_a_local_run_is_drawn_once(study_tables, tmp_path, drawn):
    suite = Suite(name="own", configs=(TaskConfig(task=Task.DETECTION, dataset="study 1"),))
    table = select_samples(suite, {"study 1": study_tables}, split="all", limit=40).table
    model = Onlooker()
    request = EvalRequest(
        samples=table, model=model, family=PictureFamily(name="as_sent"), repeats=2
    )
    summary = evaluate(request, tmp_path / "run")
    assert summary.n_ok == len(model.seen) == 80
    assert drawn == Counter({slice_identity(sample) for sample in each_sample(table)})
    assert len(set(model.seen)) == len(drawn)


def test_baselines_draw_nothing(study_tables, tmp_path, drawn):
    for number, model in enumerate(("baseline/oracle", "baseline/train-mean", "baseline/center")):
        assert main(words(study_tables, tmp_path / str(number), model)) == 0
    assert drawn == Counter()


def test_a_killed_run_draws_no_slice_again_whose_questions_are_answered(
    study_tables, tmp_path, serve, drawn
):
    run, n_before_kill = tmp_path / "run", 15
    server = serve(lambda *_: Respond(body=completion(BOX), delay_s=0.02))
    asked = words(study_tables, run, *of_server(server), "--concurrency", "2")
    process = subprocess.Popen([sys.executable, "-m", "medvision.cli", *asked])
    until_s = time.monotonic() + LONG_S
    while len(server.requests) < n_before_kill and process.poll() is None:
        assert time.monotonic() < until_s
        time.sleep(0.002)
    process.kill()
    process.wait()
    with sqlite3.connect(run / "responses.sqlite") as db:
        query = (
            "SELECT sample_id FROM requests JOIN responses ON responses.key = requests.key "
            "WHERE status = 'ok'"
        )
        answered = {name for (name,) in db.execute(query)}
    db.close()
    assert len(answered) >= n_before_kill - 3
    assert main(asked) == 0
    still_open = {slice_identity(s) for s in samples_of(run) if s.sample_id not in answered}
    assert set(drawn) == still_open
    assert max(drawn.values()) == 1
    assert len(server.requests) <= 40 + 2


def test_equal_pixels_are_asked_once_for_all_cases_that_hold_them(study, tmp_path, serve):
    """One scan under two names: files that differ by a byte, slices with equal pixels."""
    images, twins, run = study / "images", ("c0", "c4"), tmp_path / "run"
    voxels = gzip.decompress((images / "c0.nii.gz").read_bytes())
    (images / "c4.nii.gz").write_bytes(gzip.compress(voxels, mtime=7))
    server = serve(lambda *_: say(BOX))
    assert main([*words(built(study), run, *of_server(server)), "--limit", "400"]) == 0
    samples = samples_of(run)
    assert len({sample.image_sha256 for sample in samples if sample.case_id in twins}) == 2
    of_twins = [sample for sample in samples if sample.case_id in twins]
    alike = Counter((sample.plane, sample.slice_index, sample.label) for sample in of_twins)
    n_asked_of_both = sum(count == 2 for count in alike.values())
    assert n_asked_of_both > 0
    assert len(server.requests) == len(samples) - n_asked_of_both
    scores = pq.read_table(run / "scores.parquet", partitioning=None)
    assert scores["status"].to_pylist() == ["ok"] * len(samples)


def test_a_picture_that_cannot_be_made_is_one_error_and_named(study, tmp_path, serve, capsys):
    tables, run, broken = built(study), tmp_path / "run", study / "images" / "c3.nii.gz"
    broken.write_bytes(broken.read_bytes()[:-40])
    server = serve(lambda *_: say(BOX))
    assert main([*words(tables, run, *of_server(server)), "--limit", "400"]) == 1
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    of_broken = {sample.sample_id for sample in samples_of(run) if sample.case_id == "c3"}
    assert of_broken
    assert set(manifest["unreadable"]) == of_broken
    assert all("c3.nii.gz" in words for words in manifest["unreadable"].values())
    assert len(server.requests) == len(samples_of(run)) - len(of_broken)
    assert f"{len(of_broken)} of 400 questions have no answer" in capsys.readouterr().err


def test_answers_stored_under_pixels_are_found_where_no_digest_is_known(
    study_tables, tmp_path, serve, drawn
):
    """A sample list without digests, as one interrupted long ago: draw, recognise, do not ask."""
    server = serve(lambda *_: say(BOX))
    run = tmp_path / "run"
    assert main(words(study_tables, run, *of_server(server))) == 0
    samples = pq.read_table(run / "samples.parquet", partitioning=None)
    nothing = pa.nulls(samples.num_rows, pa.string())
    place = samples.column_names.index("pixel_sha256")
    pq.write_table(samples.set_column(place, "pixel_sha256", nothing), run / "samples.parquet")
    n_before = len(server.requests)
    drawn.clear()
    assert main(words(study_tables, run, *of_server(server))) == 0
    assert len(server.requests) == n_before
    assert drawn == Counter({slice_identity(sample) for sample in samples_of(run)})
    digests = pq.read_table(run / "samples.parquet", partitioning=None)["pixel_sha256"]
    assert digests == samples["pixel_sha256"]


@pytest.mark.parametrize("is_stated", [True, False])
def test_pictures_are_drawn_again_where_a_ct_window_no_longer_applies(
    study_tables, tmp_path, is_stated
):
    suite = Suite(name="s", configs=(TaskConfig(task=Task.DETECTION),), cap_per_config=3)
    samples = select_samples(suite, {"study": study_tables}, split="all").table
    digests = dict.fromkeys(samples["sample_id"].to_pylist(), "0" * 64)
    write_samples(tmp_path, samples, digests)
    if not is_stated:  # as versions before wrote it
        listed = pq.read_table(samples_path(tmp_path))
        pq.write_table(listed.drop_columns("ct_window"), samples_path(tmp_path))
    assert freeze_samples(tmp_path, samples) == digests
    place = samples.column_names.index("ct_window")
    without = pa.repeat(pa.scalar(value=False), samples.num_rows)
    assert freeze_samples(tmp_path, samples.set_column(place, "ct_window", without)) == {}
