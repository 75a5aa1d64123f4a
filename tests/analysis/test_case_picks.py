import pyarrow.compute as pc
import pytest

from medvision.analysis.case_picks import picked_cases
from medvision.tasks import Task


@pytest.fixture(scope="module")
def samples(make_samples):
    return make_samples({"detection": 60, "tl": 50})


def test_cap_holds_for_each_task(samples, make_run):
    picks = picked_cases([make_run("a", samples), make_run("b", samples, "clumsy")], per_task=9)

    assert [pick.task for pick in picks] == [Task.DETECTION] * 9 + [Task.TUMOR_LESION] * 9
    assert len({pick.sample_id for pick in picks}) == 18


def test_small_task_is_shown_whole(samples, make_run):
    picks = picked_cases([make_run("a", samples, "clumsy")], per_task=1000)

    assert {pick.sample_id for pick in picks} == set(samples["sample_id"].to_pylist())


def test_every_failure_status_is_shown(samples, make_run):
    run = make_run("clumsy", samples, "clumsy")
    picks = picked_cases([make_run("good", samples), run], per_task=12)
    status_of = dict(
        zip(run.scores["sample_id"].to_pylist(), run.scores["status"].to_pylist(), strict=True)
    )

    assert {status_of[pick.sample_id] for pick in picks} == set(status_of.values())


def test_worst_and_best_of_each_model_are_shown(samples, make_run):
    run = make_run("m", samples)
    detection = run.scores.filter(pc.equal(run.scores["task"], "detection")).to_pylist()
    ranked = sorted(detection, key=lambda row: row["iou"])
    reasons = {pick.sample_id: pick.reasons for pick in picked_cases([run], per_task=3)}

    assert "worst of m" in reasons[ranked[0]["sample_id"]]
    assert "best of m" in reasons[ranked[-1]["sample_id"]]


def test_baselines_choose_only_where_there_is_no_model(samples, make_run):
    baseline = make_run("base", samples, "clumsy", is_baseline=True)

    with_model = picked_cases([make_run("m", samples), baseline], per_task=10)
    alone = picked_cases([baseline], per_task=10)

    assert not any("worst of base" in pick.reasons for pick in with_model)
    assert any("worst of base" in pick.reasons for pick in alone)


def test_picks_do_not_depend_on_row_order(samples, make_run):
    run = make_run("m", samples, "clumsy")
    turned = type(run)(
        **{name: getattr(run, name) for name in run.__dataclass_fields__ if name != "scores"},
        scores=run.scores.take(list(reversed(range(run.scores.num_rows)))),
    )

    assert picked_cases([run], per_task=8) == picked_cases([turned], per_task=8)
