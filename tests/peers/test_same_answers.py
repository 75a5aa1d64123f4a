"""One set of weights: served by `transformers serve`, and loaded in this process."""

import pyarrow.parquet as pq
import pytest

from medvision.models import ResponseStore
from medvision.models.run_folder import store_path

pytestmark = pytest.mark.peers

TASKS = ("detection", "tl")


def stored(run):
    with ResponseStore(store_path(run)) as store:
        return {one.sample_id: one for one in store.current_replies()}


def scores_of(run):
    return pq.read_table(run / "scores.parquet", partitioning=None)


@pytest.fixture(scope="module")
def runs(tiny_model, transformers_server, ask, tmp_path_factory):
    """Run folders by (task, way of asking)."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for task in TASKS:
        found[task, "served"] = folder / f"served-{task}"
        words = ["--base-url", transformers_server, "--max-tokens", "40", "--concurrency", "2"]
        assert ask(found[task, "served"], task, f"openai/{tiny_model}", *words) == 0
        found[task, "in_process"] = folder / f"hf-{task}"
        words = ["--max-tokens", "40", "--batch-size", "4"]
        assert ask(found[task, "in_process"], task, f"hf/{tiny_model}", *words) == 0
    return found


@pytest.mark.parametrize("task", TASKS)
def test_served_and_in_process_give_the_same_answers(task, runs):
    served, in_process = stored(runs[task, "served"]), stored(runs[task, "in_process"])
    assert len(served) == 10
    assert served.keys() == in_process.keys()
    for sample_id, one in served.items():
        other = in_process[sample_id]
        assert one.prompt == other.prompt
        assert one.reply.text == other.reply.text
        assert one.reply.status == other.reply.status
        assert one.reply.prompt_tokens == other.reply.prompt_tokens
    assert {one.key for one in served.values()}.isdisjoint({o.key for o in in_process.values()})


@pytest.mark.parametrize("task", TASKS)
def test_served_and_in_process_get_the_same_scores(task, runs):
    served, in_process = scores_of(runs[task, "served"]), scores_of(runs[task, "in_process"])
    assert served.equals(in_process)
    assert served["status"].to_pylist().count("ok") >= 5
    metric = "iou" if task == "detection" else "relative_error"
    assert len(set(served[metric].to_pylist())) > 1
