import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from medvision.analysis.outcomes import outcome_tables
from medvision.analysis.run_scores import RunColumnsError, RunNamesError, models_before_baselines
from medvision.analysis.sections import report_tables
from medvision.analysis.tables import metric_tables
from medvision.tasks import Task


@pytest.fixture(scope="module")
def samples(make_samples):
    return make_samples({"detection": 30, "tl": 24, "ad": 20})


@pytest.fixture(scope="module")
def runs(samples, make_run):
    return [
        make_run("good", samples),
        make_run("clumsy", samples, "clumsy"),
        make_run("exact", samples, "exact", is_baseline=True),
    ]


@pytest.fixture(scope="module")
def sections(runs):
    return report_tables(runs).sections


def test_one_table_for_each_task_and_unit(runs):
    found = [(table.task, table.unit) for table in metric_tables(runs)]

    assert found == [
        (Task.DETECTION, "relative"),
        (Task.TUMOR_LESION, "mm"),
        (Task.ANGLE_DISTANCE, "deg"),
        (Task.ANGLE_DISTANCE, "mm"),
    ]


def test_printed_mean_is_the_mean_of_the_scores(runs):
    table = metric_tables(runs)[0]
    place = [column.key for column in table.columns].index("iou_mean_parsed")
    scores = runs[0].scores.filter(pc.equal(runs[0].scores["task"], "detection"))

    assert table.rows[0].cells[place].text == f"{pc.mean(scores['iou']).as_py():.3f}"


def test_counts_of_a_row_add_up(runs):
    for table in metric_tables(runs):
        for row in table.rows:
            counts = dict(zip(table.count_columns, row.counts, strict=True))
            parts = ("n_parsed", "n_refused", "n_truncated", "n_unreadable", "n_error")
            assert counts["n"] == sum(counts[part] for part in parts)


def test_best_is_marked_among_models_only(runs):
    table = metric_tables(runs)[0]
    marked = {row.model for row in table.rows if any(cell.is_best for cell in row.cells)}

    assert marked == {"good"}


def test_single_model_has_no_best(runs):
    assert not any(
        cell.is_best
        for table in metric_tables([runs[0], runs[2]])
        for row in table.rows
        for cell in row.cells
    )


def test_errors_withhold_metrics(samples, make_run):
    row = metric_tables([make_run("down", samples, "broken")])[0].rows[0]

    assert row.withheld == "withheld (30 errors)"
    assert row.cells == ()


def test_target_sizes_come_in_order(sections):
    size = sections[0].size

    assert list(dict.fromkeys(row.group[0] for row in size.rows)) == ["< 5 %", "5–10 %", "> 10 %"]


def test_too_many_groups_are_counted(runs):
    table = metric_tables(runs, ["label"], max_groups=2)[0]

    assert len({row.group for row in table.rows}) == 2
    assert table.n_left_out == 3


def test_measurements_are_broken_down_by_name_and_structures_by_label(sections):
    titles = {
        section.task: [breakdown.title for breakdown in section.breakdowns] for section in sections
    }

    assert titles[Task.ANGLE_DISTANCE] == ["measurement", "dataset", "plane"]
    assert titles[Task.DETECTION] == ["structure", "dataset", "plane", "anatomy group"]


def test_averages_over_groups_stand_in_the_report_by_both_weights(make_samples, make_run):
    samples = make_samples({"tl": 240})
    run = make_run("good", samples)
    (section,) = report_tables([run]).sections
    breakdown = section.breakdowns[-1]
    assert breakdown.title == "kind of structure, averaged over groups of 50 samples or more"
    (table,) = breakdown.tables
    assert (table.by, table.over) == (("is_tumor_lesion",), ("region", "modality", "plane"))
    (row,) = table.rows
    of_plane = metric_tables([run], ["modality", "plane"])[0]
    groups = [record for record in of_plane.records if record["n"] >= 50]
    assert 1 < len(groups) < len(of_plane.records)
    assert row.group == ("tumour or lesion",)
    assert row.counts[:2] == (len(groups), sum(one["n"] for one in groups))
    printed = {
        (column.key, column.policy): cell.text
        for column, cell in zip(table.columns, row.cells, strict=True)
    }
    maes_mm, ns = np.array([[one["mae_mean_parsed"], one["n"]] for one in groups]).T
    weighted = printed["mae_mean_parsed_sample_weighted", "parsed, weighted by samples"]
    assert weighted == f"{np.average(maes_mm, weights=ns):.2f}"
    assert printed["mae_mean_parsed_group_mean", "parsed, groups alike"] == f"{maes_mm.mean():.2f}"


def test_outcomes_are_counted_once_each(runs):
    for table in outcome_tables(runs):
        for row in table.rows:
            assert sum(row.counts) == row.n


def test_recovered_answers_are_counted_apart(runs):
    table = next(t for t in outcome_tables(runs) if t.task is Task.TUMOR_LESION)
    clumsy = next(row for row in table.rows if row.model == "clumsy")
    at = table.outcomes.index("wrong_count")

    assert clumsy.n_recovered == clumsy.counts[at] > 0


def test_models_come_before_baselines(runs):
    assert [run.name for run in models_before_baselines(runs[::-1])] == ["clumsy", "good", "exact"]


def test_two_runs_of_one_name_are_refused(runs):
    with pytest.raises(RunNamesError, match="'good'"):
        models_before_baselines([runs[0], runs[0]])


def test_no_run_is_refused():
    with pytest.raises(RunNamesError, match="at least one run"):
        models_before_baselines([])


def test_scores_without_their_columns_are_refused(runs):
    fields = {name: getattr(runs[0], name) for name in runs[0].__dataclass_fields__}

    with pytest.raises(RunColumnsError, match="'iou'"):
        type(runs[0])(**fields | {"scores": pa.table({"sample_id": ["a"]})})
