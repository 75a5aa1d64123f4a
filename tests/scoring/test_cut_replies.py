"""Replies cut at their length limit, from a server to the scores."""

import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from tests.model_server import Respond, completion

CUT = [
    ("0.1000, 0.1000, 0.6000, 0.70", "truncated"),
    ("0.1000, 0.1000, 0.6000, 0.7000", "truncated"),
    ("[0.1000, 0.1000, 0.6000, 0.7000]", "ok"),
    ("The box is 0.1, 0.1, 0.6, 0.7, for the organ", "ok"),
    ("0.1, 0.1, 0.6", "truncated"),
    ("", "truncated"),
]
CUT_IN_TAGS = [
    ("<answer>0.1000, 0.1000, 0.6000, 0.7000</answer>", "ok"),
    ("<answer>0.1000, 0.1000, 0.6000, 0.7000</answer> since its width is 0.5", "ok"),
    ("<answer>0.1000, 0.1000, 0.6000, 0.70", "truncated"),
    ("The box is 0.1, 0.1, 0.6, 0.7, for the organ", "truncated"),
    ("The box is 0.1, 0.1, 0.6, 0.7", "truncated"),
]


@pytest.mark.parametrize(("style", "replies"), [("direct", CUT), ("cot", CUT_IN_TAGS)])
def test_cut_reply_counts_only_where_it_had_ended(style, replies, study_tables, serve, tmp_path):
    def behave(_request, index):
        return Respond(body=completion(replies[index % len(replies)][0], finish_reason="length"))

    words = ["eval", "--tables", study_tables, "--task", "detection", "--limit", len(replies)]
    words += ["--model", "openai/m", "--base-url", serve(behave).base_url, "--style", style]
    words += ["--run", tmp_path / "run", "--concurrency", 1]
    assert main([str(word) for word in words]) == 0
    scores = pq.read_table(tmp_path / "run" / "scores.parquet", partitioning=None)
    assert set(scores["response_status"].to_pylist()) == {"truncated"}
    expected = [status for _, status in replies]
    assert sorted(scores["status"].to_pylist()) == sorted(expected)
    for row in scores.to_pylist():
        assert (row["values"] == [0.1, 0.1, 0.6, 0.7]) == (row["status"] == "ok")
        if row["status"] != "ok" and style == "direct":
            assert row["recovered_status"] == "truncated"
