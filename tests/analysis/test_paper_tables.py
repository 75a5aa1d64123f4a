"""The paper's tables of our runs, against plain NumPy; published rows as they were published."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest

from medvision.analysis.paper_tables import SIZES, paper_tables, published, tables_json, tables_text
from medvision.analysis.tables import average_tables
from medvision.protocols import MEDVISION, Averages
from medvision.table.manifest import jsonable
from medvision.tasks import Task


@pytest.fixture(scope="module")
def samples(make_samples):
    return make_samples({"detection": 200, "tl": 200, "ad": 240})


@pytest.fixture(scope="module")
def run(samples, make_run):
    return make_run("clumsy", samples, "clumsy")


@pytest.fixture(scope="module")
def tables(run):
    return {table.title: table for table in paper_tables([run])}


def rows(table, *, is_published=False):
    return [row for row in table.rows if row.is_published == is_published]


def column(scores, name):
    return np.nan_to_num(scores[name].to_numpy(zero_copy_only=False).astype(float))


def test_what_the_runs_hold_has_tables(tables, make_run, make_samples):
    assert list(tables) == [
        "detection, healthy",
        "detection, healthy, by plane",
        "detection by size, 3 bins of the paper",
        "detection by size, 9 bins of 5 %",
        "detection by size, 19 bins of 5 %",
        "tumour and lesion size",
        "tumour and lesion size, by plane",
        "distance",
        "angle",
    ]
    assert paper_tables([make_run("areas", make_samples({"area": 5}))]) == []
    assert tables_text([]) == "no run holds a task of the paper"


def test_detection_is_averaged_by_samples_and_by_groups(tables, run):
    scores = run.scores.filter(pc.equal(run.scores["task"], "detection"))
    frame = scores.select(["anatomy_group", "modality", "plane"]).to_pylist()
    groups = {}
    for at, row in enumerate(frame):
        groups.setdefault(tuple(row.values()), []).append(at)
    large = [places for places in groups.values() if len(places) >= 50]
    ious = column(scores, "iou")
    found = {row.over: row for row in rows(tables["detection, healthy"])}
    everything = found.pop("all samples")
    assert everything.values["iou_mean_zero_filled"] == pytest.approx(ious.mean())
    limits = np.arange(50, 100, 5) / 100
    for limit in limits:
        share = everything.values[f"iou_at_{limit:g}_frac"]
        assert share == pytest.approx((ious >= limit).mean())
    steps = np.mean([(ious >= limit).mean() for limit in limits])
    assert everything.values["iou_at_0.5_to_0.95_mean_frac"] == pytest.approx(steps)
    assert large == []
    assert found == {}


def test_errors_have_every_threshold_and_an_open_last_bin(tables, run):
    scores = run.scores.filter(pc.equal(run.scores["task"], "tl"))
    found = {row.over.partition(",")[0]: row for row in rows(tables["tumour and lesion size"])}
    assert set(found) == {"weighted", "unweighted", "all samples"}
    relative = scores["relative_error"].to_numpy(zero_copy_only=False).astype(float)
    values = found["all samples"].values
    for limit in range(1, 10):
        below = np.sum(relative < limit / 10) / len(relative)
        assert values[f"mre_below_{limit / 10:g}_frac"] == pytest.approx(below)
    assert values["mre_unbounded_frac"] == pytest.approx(np.isfinite(relative).mean())
    assert values["mre_unbounded_frac"] == values["success_rate"]
    assert values["mre_below_0.9_frac"] < values["mre_unbounded_frac"]
    assert values["nmae_mean_parsed"] == pytest.approx(
        np.nanmean(scores["nmae_frac"].to_numpy(zero_copy_only=False).astype(float))
    )
    assert (
        values["mae_mean_parsed_low"] < values["mae_mean_parsed"] < values["mae_mean_parsed_high"]
    )


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_of_the_true_box(tables, run, name):
    edges = [0, *SIZES[name], 1.0000001]
    assert len(edges) - 1 == int(name.split()[0])
    scores = run.scores.filter(pc.equal(run.scores["task"], "detection"))
    frac, ious = column(scores, "box_to_image_frac"), column(scores, "iou")
    found = rows(tables[f"detection by size, {name}"])
    assert sum(row.n for row in found) == len(frac)
    for row in found:
        ends = row.name.rpartition(", ")[2].rstrip(" %").split("–")
        low, high = (float(end) / 100 for end in ends)
        here = (frac >= low) & ((frac < high) | (high == 1))
        assert row.n == here.sum()
        assert row.values["iou_mean_zero_filled"] == pytest.approx(ious[here].mean())


def test_a_runs_report_averages_as_its_own_protocol_says(run):
    def n_groups(**averages):
        protocol = jsonable(replace(MEDVISION, averages=Averages(**averages)))
        tables = average_tables([replace(run, manifest={**run.manifest, "protocol": protocol})])
        of_boxes = (table for table in tables if table.task is Task.DETECTION)
        return sum(record["n_groups"] for table in of_boxes for record in table.records)

    assert n_groups(min_samples=1) > n_groups(min_samples=50) == 0


def test_angles_and_distances_are_kept_apart(tables):
    assert tables["angle"].unit == "degrees, %"
    assert {row.over for row in rows(tables["angle"])} >= {"weighted, 2 groups", "all samples"}
    assert rows(tables["distance"])[0].n == 120


def test_published_rows_stand_beside_as_context(tables):
    first = rows(tables["tumour and lesion size"], is_published=True)[0]
    assert (first.name, first.over) == ("MedVision-V0 (7B)", "published")
    assert first.values["mae_mean_parsed"] == 10.5
    assert first.values["mre_mean_parsed"] == 0.26
    assert first.values["nmae_mean_parsed"] is None
    boxes = rows(tables["detection, healthy"], is_published=True)
    assert len(boxes) == 18
    assert boxes[0].values["iou_mean_zero_filled"] == 0.72
    assert "not comparable" in published()["about"]
    bins = rows(tables["detection by size, 19 bins of 5 %"], is_published=True)
    assert [bins[0].n, bins[-1].name] == [18179, "MedVision-V0 (7B), 45–50 %"]


def test_as_text_and_as_json(run):
    found = paper_tables([run])
    printed = tables_text(found)
    assert "tumour and lesion size (mm, %)" in printed
    assert "IoU≥0.5…0.95" in printed
    assert printed.rstrip().endswith("readers.")
    lines = printed.splitlines()
    ours = next(at for at, line in enumerate(lines) if line.startswith("clumsy, medvision"))
    assert "–" in lines[ours + 1]  # its intervals
    content = json.loads(json.dumps(tables_json(found)))
    assert {table["title"] for table in content} == {table.title for table in found}
    assert content[0]["rows"][0]["published"] is False
    assert Task.DETECTION in content[0]["title"]
