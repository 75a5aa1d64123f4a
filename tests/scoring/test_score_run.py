import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.models.run_folder import read_samples
from medvision.pictures.perceived import box_on_sent_from_slice, perceived_size
from medvision.pictures.view import PictureFamily
from medvision.replies import Style, read_answer
from medvision.samples import samples_from_table
from medvision.scoring import score_run as module
from medvision.scoring.score_run import ReplyReader, read_replies
from tests.builders import shape_hw


@pytest.fixture
def run(study_tables, tmp_path):
    words = ["eval", "--tables", study_tables, "--task", "detection", "--split", "all"]
    words += ["--model", "baseline/noisy-oracle:0.3", "--run", tmp_path / "run"]
    assert main([str(word) for word in words]) == 0
    return tmp_path / "run"


def replies_to(samples):
    """One reply of each kind in turn."""
    kinds = ("0.1, 0.2, 0.3, 0.4", "no idea", "The answer: [0.1, 0.2, 0.3, 0.4] of 7", "1, 2, 3, 4")
    return [(s.sample_id, 0, "ok", kinds[i % len(kinds)]) for i, s in enumerate(samples)]


def test_several_processes_read_the_same_as_one(run, monkeypatch):
    table = read_samples(run)
    reader = ReplyReader(style=Style.DIRECT, family=PictureFamily(name="as_sent"))
    replies = replies_to(samples_from_table(table))
    alone = read_replies(replies, table, reader)
    monkeypatch.setattr(module, "_MANY", 1)
    monkeypatch.setattr(module, "_BATCH", 7)
    assert read_replies(replies, table, reader).combine_chunks().equals(alone.combine_chunks())
    assert alone["status"].to_pylist() == [
        str(read_answer("detection", text, frame_hw=shape_hw(s)).status)
        for s, (_, _, _, text) in zip(samples_from_table(table), replies, strict=True)
    ]


def test_recovered_reading_is_kept_apart(run):
    table = read_samples(run)
    reader = ReplyReader(style=Style.DIRECT, family=PictureFamily(name="as_sent"))
    text = "I see 3 organs.\nAnswer: 0.1, 0.2, 0.3, 0.4"
    replies = [(table["sample_id"][0].as_py(), 0, "ok", text)]
    (row,) = read_replies(replies, table, reader).to_pylist()
    assert (row["status"], row["values"]) == ("wrong_count", [])
    assert (row["recovered_status"], row["recovered_values"]) == ("ok", [0.1, 0.2, 0.3, 0.4])


def test_boxes_read_on_a_padded_picture_are_mapped_back(run):
    table = read_samples(run)
    reader = ReplyReader(style=Style.DIRECT, family=PictureFamily(name="llava_onevision"))
    samples = samples_from_table(table)
    seen = [perceived_size("llava_onevision", *shape_hw(s)) for s in samples]
    replies = [
        (s.sample_id, 0, "ok", ", ".join(f"{v:.6f}" for v in box_on_sent_from_slice(s.truth, size)))
        for s, size in zip(samples, seen, strict=True)
    ]
    for sample, row in zip(samples, read_replies(replies, table, reader).to_pylist(), strict=True):
        assert row["values"] == pytest.approx(sample.truth, abs=1e-5)


def test_scores_hold_a_row_for_each_question(run):
    scores = pq.read_table(run / "scores.parquet", partitioning=None)
    assert scores["sample_id"].to_pylist() == read_samples(run)["sample_id"].to_pylist()
