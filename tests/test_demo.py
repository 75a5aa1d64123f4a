"""The demo: every arrow of the flow on phantoms, against their closed-form truth."""

import re
from pathlib import Path

import numpy as np
import pytest

from medvision.cli import main
from medvision.demo import BASELINES, DETECTION_DATASETS, real_tables, run_demo
from medvision.fetch import FetchError
from medvision.table.read import read_biometrics, read_cases, read_regions
from medvision.tasks import Task
from tests.files import nothing_written


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    steps = []
    return run_demo(out, steps.append, real=False), out, steps


def column(table, name, task=None):
    rows = table.to_pylist()
    return np.array([row[name] for row in rows if task is None or row["task"] == task], dtype=float)


def test_every_task_and_baseline_is_in_the_report(demo):
    result, _, _ = demo
    assert set(result.scores) == set(BASELINES)
    asked = {str(task) for task in Task} - {str(Task.INSTANCES)}  # an option of detection
    assert set(result.scores["oracle"]["task"].to_pylist()) == asked
    html = result.report.read_text(encoding="utf-8")
    assert all(f"baseline/{name}" in html for name in BASELINES)
    assert "not for clinical use" in html.lower()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert "default-src 'none'" in policy[1].replace("&#39;", "'")
    assert not re.search(r'<(script|img|link)[^>]*(src|href)="http', html)


def test_no_case_of_the_phantoms_is_lost(demo):
    result, _, steps = demo
    assert {read_cases(tables).num_rows for tables in result.tables.values()} == {10}
    assert not [step for step in steps if ": " in step]


def test_oracle_is_right_and_baselines_stand_in_order(demo):
    scores = demo[0].scores
    assert column(scores["oracle"], "iou", "detection").min() >= 0.98
    assert column(scores["oracle"], "absolute_error", "tl").max() <= 0.005 + 1e-9
    assert column(scores["oracle"], "absolute_error", "ad").max() <= 0.005 + 1e-9
    ious = {
        name: column(scores[name], "iou", "detection").mean()
        for name in ("oracle", "noisy-oracle:0.1", "train-mean", "center", "random-box")
    }
    assert list(ious.values()) == sorted(ious.values(), reverse=True)
    errors = {
        name: column(scores[name], "relative_error", "tl").mean()
        for name in ("oracle", "noisy-oracle:0.1", "train-mean", "constant:25")
    }
    assert list(errors.values()) == sorted(errors.values())


def test_second_run_does_nothing_new(demo):
    result, out, _ = demo
    tables = [path for path in out.rglob("manifest.json") if "tables" in path.parts]
    stores = {p: p.stat().st_size for p in out.rglob("responses.sqlite")}
    with nothing_written(*tables):
        again = run_demo(out, lambda _: None, real=False)
    assert len(tables) == len(result.tables)
    assert {p: p.stat().st_size for p in out.rglob("responses.sqlite")} == stores
    for name in BASELINES:
        assert again.scores[name].equals(result.scores[name])


def test_lesions_differ_in_orientation_but_not_in_frame(demo):
    """Cases are stored in turn as LPS, RAS, PSR, …: the liver is on the left of every picture."""
    tables = demo[0].tables["phantom-abdomen"]
    orientations = set(read_cases(tables)["orientation_as_stored"].to_pylist())
    assert len(orientations) >= 4
    for row in read_regions(tables).to_pylist():
        if row["plane"] == "axial" and row["component"] == 0 and row["pixel_count"] > 200:
            middle = (row["x0_px"] + row["x1_px"]) / 2 / row["width_px"]
            if row["label"] in ("liver", "right kidney"):
                assert middle < 0.5
            if row["label"] in ("spleen", "left kidney"):
                assert middle > 0.5


def test_landmark_phantoms_give_distances_and_angles(demo):
    rows = read_biometrics(demo[0].tables["phantom-xray"]).to_pylist()
    kinds = {(row["metric_kind"], row["unit"]) for row in rows}
    assert kinds == {("distance", "mm"), ("angle", "deg")}
    assert {row["plane"] for row in rows} == {"sagittal"}


@pytest.mark.registry
def test_real_demo(real_root, tmp_path, capsys):
    """On the files that other tests have fetched: the root is linked, nothing is fetched again."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "raw").symlink_to(real_root / "raw")
    assert main(["demo", "--real", "--out", str(tmp_path / "real")]) == 0
    shown = capsys.readouterr().out
    report = shown.strip().rsplit("report: ", 1)[1]
    html = Path(report).read_text(encoding="utf-8")
    assert "pyradiomics-tumors" in html
    assert "afids-mni" in html
    assert any(name in html for name in DETECTION_DATASETS)
    assert shown.count("baseline/") == len(BASELINES)


def test_a_dataset_that_cannot_be_fetched_is_stood_in_for(tmp_path, monkeypatch):
    first, second = DETECTION_DATASETS

    def built(name, out, on_step):
        if name == first:
            msg = "no such package here"
            raise FetchError(msg)
        return out / name

    monkeypatch.setattr("medvision.demo._built", built)
    steps = []
    tables = dict(real_tables(tmp_path, steps.append))
    assert list(tables) == [second, "pyradiomics-tumors", "afids-mni"]
    assert steps == [
        f"{first} cannot be fetched here, taking {second} instead: no such package here"
    ]
