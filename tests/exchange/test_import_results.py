"""Results of our own making in each layout of the original: metrics equal to plain NumPy ones."""

import json

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.exchange.result_files import model_of, numbers_of, result_files
from medvision.scoring import aggregate, group_averages

N = 60


def text(values):
    return "[" + ", ".join(f"{value:.6g}" for value in values) + "]"


def lengths(rng, n=N):
    """Targets and responses of T/L; each seventh response is empty."""
    truth = rng.uniform(5, 60, (n, 2)).round(4)
    answer = (truth * rng.lognormal(0, 0.4, (n, 2))).round(3)
    return truth, [None if at % 7 == 3 else row for at, row in enumerate(answer)]


def boxes(rng, n=N):
    """Targets and responses of detection: corners in any order, each ninth empty."""
    low, side = rng.uniform(0, 0.5, (n, 2)), rng.uniform(0.05, 0.45, (n, 2))
    truth = np.hstack([low, low + side]).round(4)
    moved = truth + rng.normal(0, 0.05, (n, 4))
    swapped = moved[:, [2, 1, 0, 3]]
    answer = np.where(np.arange(n)[:, None] % 2, moved, swapped).round(4)
    return truth, [None if at % 9 == 5 else row for at, row in enumerate(answer)]


def said(answer):
    return "" if answer is None else ",".join(f"{value:.6g}" for value in answer)


def meta(at, **more):
    return {
        "image_file": f"/data/Datasets/KiTS23/Images/case_{at % 11:05d}.nii.gz",
        "slice_dim": at % 3,
        "slice_idx": 40 + at,
        "image_size_2d": [512, 400],
        "taskID": "01",
        "label": 2,
        "scale_mode": None,
        "pixel_size_scale": None,
        **more,
    }


def nmae(at):
    return {"NMAE": 0.01 + at / 1000, "success": True}


def by_numpy(truth, answers):
    """Mean errors over what was answered, and shares over all."""
    read = [at for at, answer in enumerate(answers) if answer is not None]
    errors = np.abs(np.array([answers[at] for at in read]) - truth[read])
    relative = (errors / truth[read]).mean(axis=1)
    return {
        "success_rate": len(read) / len(truth),
        "mae_mean_parsed": errors.mean(axis=1).mean(),
        "mre_mean_parsed": relative.mean(),
        "mre_below_0.1_frac": (relative < 0.1).sum() / len(truth),
        "mre_below_0.5_frac": (relative < 0.5).sum() / len(truth),
    }


def overlap(truth, answer):
    if answer is None:
        return 0.0
    (x0, x1), (y0, y1) = sorted(answer[::2]), sorted(answer[1::2])
    width = max(0.0, min(x1, truth[2]) - max(x0, truth[0]))
    height = max(0.0, min(y1, truth[3]) - max(y0, truth[1]))
    areas = (x1 - x0) * (y1 - y0) + (truth[2] - truth[0]) * (truth[3] - truth[1])
    return width * height / (areas - width * height)


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "MedVision-TL" / "Model-7B" / "parsed"
    found.mkdir(parents=True)
    return found


@pytest.fixture
def imported(tmp_path, capsys):
    def run(*paths, status=0, words=()):
        capsys.readouterr()
        named = [str(path) for path in paths]
        assert main(["import", "results", *named, "--out", str(tmp_path / "run"), *words]) == status
        return pq.read_table(tmp_path / "run" / "scores.parquet", partitioning=None)

    return run


def one_row(scores):
    (row,) = aggregate(scores, n_resamples=0).to_pylist()
    return row


def test_lengths_by_group(folder, imported, tmp_path):
    rng = np.random.default_rng(1)
    truth, answers = lengths(rng)
    groups = {}
    for name, rows in (
        ("kidney tumor @ CT (A)", range(40)),
        ("brain tumor @ MR (C)", range(40, N)),
    ):
        groups[name] = {
            "targets": [text(truth[at]) for at in rows],
            "responses": [said(answers[at]) for at in rows],
            "doc_metas": [meta(at, nmae_precomputed=nmae(at)) for at in rows],
        }
    (folder / "summary_values_TL_Task.json").write_text(json.dumps(groups))
    scores = imported(folder.parent)
    row = one_row(scores)
    assert {name: row[name] for name in by_numpy(truth, answers)} == pytest.approx(
        by_numpy(truth, answers)
    )
    known = [nmae(at)["NMAE"] for at, answer in enumerate(answers) if answer is not None]
    assert row["nmae_mean_parsed"] == pytest.approx(np.mean(known))
    first = scores.slice(0, 1).to_pylist()[0]
    assert (first["dataset"], first["case_id"], first["slice_index"]) == (
        "KiTS23",
        "case_00000",
        40,
    )
    assert (first["label"], first["modality"], first["plane"]) == ("kidney tumor", "CT", "sagittal")
    assert (first["height_px"], first["width_px"]) == (512, 400)
    assert set(scores["protocol"].to_pylist()) == {"paper"}
    assert set(scores["anatomy_group"].to_pylist()) == {"Kidney Tumor/Lesion", "Brain Tumor/Lesion"}
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))
    assert (manifest["model"], manifest["style"]) == ("imported/Model-7B", "direct")


def test_boxes_by_group_without_any_facts(folder, imported):
    truth, answers = boxes(np.random.default_rng(2))
    group = {
        "targets": [text(row) for row in truth],
        "responses": [said(answer) for answer in answers],
    }
    path = folder / "summary_values_detect_Task.json"
    path.write_text(json.dumps({"Kidney @ CT (A)": group}))
    scores = imported(path)
    ious = np.array([overlap(*pair) for pair in zip(truth, answers, strict=True)])
    row = one_row(scores)
    assert row["iou_mean_zero_filled"] == pytest.approx(ious.mean())
    assert row["success_rate"] == pytest.approx(np.mean([one is not None for one in answers]))
    for limit in ("0.5", "0.75"):
        assert row[f"iou_at_{limit}_frac"] == pytest.approx((ious >= float(limit)).mean())
    areas = (truth[:, 2:] - truth[:, :2]).prod(axis=1)
    assert scores["box_to_image_frac"].to_pylist() == pytest.approx(areas)
    (average,) = group_averages(scores, n_resamples=0).to_pylist()
    assert (average["n_groups"], average["is_tumor_lesion"]) == (1, False)
    assert average["iou_mean_zero_filled_sample_weighted"] == pytest.approx(ious.mean())


def test_measurements_in_a_list(folder, imported):
    rng = np.random.default_rng(3)
    truth = rng.uniform(5, 80, (N, 1)).round(4)
    truth[5] = 0.05
    answers = [None if at % 8 == 2 else row for at, row in enumerate((truth * 1.1 + 1).round(3))]
    rows = [
        {
            "label": f"FeTA24_distance_L-{at % 3}-10"
            if at < 40
            else "Ceph-Biometrics-400_angle_A-1",
            "targets": f"{truth[at, 0]:.6g}",
            "responses": [said(answers[at])],
            "doc_meta": meta(at, metric_type="distance" if at < 40 else "angle"),
        }
        for at in range(N)
    ]
    path = folder / "summary_values_AD_Task_limit100.json"
    path.write_text(json.dumps(rows))
    scores = imported(path)
    for unit, places in (("mm", range(40)), ("deg", range(40, N))):
        kept = [at for at in places if truth[at, 0] >= 0.1]
        row = one_row(scores.filter(pc.equal(scores["unit"], unit)))
        of_all = by_numpy(truth[places], [answers[at] for at in places])
        of_kept = by_numpy(truth[kept], [answers[at] for at in kept])
        assert row["mae_mean_parsed"] == pytest.approx(of_all["mae_mean_parsed"])
        assert row["mre_mean_parsed"] == pytest.approx(of_kept["mre_mean_parsed"])
    first = scores.slice(0, 1).to_pylist()[0]
    assert (first["dataset"], first["metric_key"], first["metric_kind"]) == (
        "FeTA24",
        "L-0-10",
        "distance",
    )


def log_row(at, truth, answer, *, whole):
    doc = {
        "dataset_name": "KiTS23",
        "taskID": "01",
        "image_file": f"/x/case_{at % 7}.nii.gz",
        "slice_dim": 2,
        "slice_idx": at,
        "label": 2,
        "image_size_2d": [400, 300],
        "pixel_size": [0.5, 0.75],
    }
    tagged = f"<think>1, 2</think><answer>{said(answer)}</answer><answer>9, 9</answer>"
    replies = {"resps": [[tagged]]} if whole else {"filtered_resps": [said(answer)]}
    return {"doc_id": at, "doc": doc, "target": text(truth), **replies}


@pytest.mark.parametrize("whole", [True, False])
def test_logs_of_replies(folder, imported, whole, tmp_path):
    truth, answers = lengths(np.random.default_rng(4))
    lines = [json.dumps(log_row(at, truth[at], answers[at], whole=whole)) for at in range(N)]
    name = "20260101_000000_samples_KiTS23_TumorLesionSize_Task01_Axial.jsonl"
    (folder / name).write_text("\n".join(lines) + "\n")
    (folder.parent / name).write_text("\n".join(lines) + "\n")  # the same before it was read
    scores = imported(folder.parent)
    assert scores.num_rows == N
    row = one_row(scores)
    expected = by_numpy(truth, answers)
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    diagonal = np.hypot(400 * 0.5, 300 * 0.75)
    assert row["nmae_mean_parsed"] == pytest.approx(expected["mae_mean_parsed"] / diagonal)
    first = scores.slice(0, 1).to_pylist()[0]
    assert (first["label_id"], first["modality"]) == (2, "CT")
    assert (first["spacing_y_mm"], first["spacing_x_mm"]) == (0.5, 0.75)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))
    assert manifest["style"] == ("cot" if whole else "direct")
    assert main(["score", str(tmp_path / "run"), "--reading", "strict"]) == 0


def test_imported_runs_are_reported_like_any_other(folder, imported, tmp_path, capsys):
    truth, answers = lengths(np.random.default_rng(5))
    group = {
        "targets": [text(row) for row in truth],
        "responses": [said(answer) for answer in answers],
        "doc_metas": [meta(at, slice_dim=2) for at in range(N)],
    }
    path = folder / "summary_values_TL_Task.json"
    path.write_text(json.dumps({"liver tumor @ CT (A)": group}))
    imported(path, words=("--name", "Ours"))
    page = tmp_path / "report.html"
    capsys.readouterr()
    assert main(["report", str(tmp_path / "run"), "--out", str(page)]) == 0
    html = page.read_text("utf-8")
    assert "imported/Ours" in html
    assert "size not known" in html
    assert "averaged over groups" in html


def test_importing_again_does_nothing_and_other_files_are_refused(folder, imported, capsys):
    truth, answers = lengths(np.random.default_rng(6), 3)
    path = folder / "summary_values_TL_Task.json"
    rows = {"targets": [text(row) for row in truth], "responses": [said(one) for one in answers]}
    path.write_text(json.dumps({"liver tumor @ CT (A)": rows}))
    imported(path)
    imported(path)
    assert "already up to date; 3 replies of imported/Model-7B" in capsys.readouterr().out
    rows["responses"][0] = "1, 1"
    path.write_text(json.dumps({"liver tumor @ CT (A)": rows}))
    imported(path, status=2)
    assert "holds another run" in capsys.readouterr().err


def test_an_import_cut_off_is_begun_anew(folder, imported, tmp_path):
    truth, answers = lengths(np.random.default_rng(6), 3)
    path = folder / "summary_values_TL_Task.json"
    rows = {"targets": [text(row) for row in truth], "responses": [said(one) for one in answers]}
    path.write_text(json.dumps({"liver tumor @ CT (A)": rows}))
    columns = ["sample_id", "status", "values", "absolute_error", "protocol"]
    before = imported(path).select(columns)
    (tmp_path / "run" / "manifest.json").unlink()
    (tmp_path / "run" / "samples.parquet").write_bytes(b"cut")
    assert imported(path).select(columns).equals(before)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("[1, __import__('os')]", "expected numbers, found"),
        ("[1, 2, 3]", "expected 4, 2 or 1 numbers in the target"),
        ("[nan, 2]", "expected numbers"),
        ("[-1, 2]", "expected a target of 2 finite number(s) ≥ 0"),
        ("[[1, 2], 3]", "expected numbers"),
        ("", "expected numbers"),
    ],
)
def test_entries_that_cannot_be_used_are_named_and_the_others_kept(
    folder, imported, capsys, target, told
):
    rows = {"targets": ["[10, 5]", target], "responses": ["9, 4", "1, 1"]}
    path = folder / "summary_values_TL_Task.json"
    path.write_text(json.dumps({"liver tumor @ CT (A)": rows}))
    assert imported(path, status=1).num_rows == 1
    error = capsys.readouterr().err
    assert told in error
    assert "liver tumor @ CT (A) [1]" in error


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[1]", "expected label, targets and responses"),
        ('{"a": {"targets": [], "responses": ["1"]}}', "lists targets and responses of one length"),
        ('{"a": {"MAE": 1.0, "n": 60}}', "found MAE, n; metrics alone cannot be scored: name the"),
        ('{"a": {}}', "expected targets and responses, found none"),
        ('{"a": 1}', "expected groups of targets and responses"),
        ("{", "expected JSON"),
    ],
)
def test_files_of_no_layout_are_refused(folder, imported_error, content, told):
    path = folder / "summary_values_TL_Task.json"
    path.write_text(content)
    assert told in imported_error(path)


@pytest.fixture
def imported_error(tmp_path, capsys):
    def run(*paths):
        words = ["import", "results", *map(str, paths), "--out", str(tmp_path / "run")]
        assert main(words) == 2
        return capsys.readouterr().err

    return run


def test_models_are_imported_one_by_one(folder, imported_error, tmp_path):
    other = tmp_path / "MedVision-TL" / "Other" / "parsed"
    other.mkdir(parents=True)
    for one in (folder, other):
        (one / "summary_values_TL_Task.json").write_text("{}")
    told = imported_error(tmp_path / "MedVision-TL")
    assert "expected the results of one model, found Model-7B, Other" in told
    assert "found nothing there" in imported_error(tmp_path / "nowhere")


def test_values_by_size_are_not_read_twice(folder):
    for name in (
        "summary_values_detect_Task.json",
        "summary_values_per_boxImgRatio_detect_Task.json",
    ):
        (folder / name).write_text("{}")
    assert result_files([folder.parent]) == [folder / "summary_values_detect_Task.json"]
    assert model_of(folder / "x.json") == "Model-7B"


@pytest.mark.parametrize("value", ["(1, 2)", "[1.0, 2e0]", " 1,2 ", [1, 2], ["1", 2]])
def test_lists_of_numbers(value):
    assert numbers_of(value) == (1.0, 2.0)
