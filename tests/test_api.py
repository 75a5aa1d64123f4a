"""The front door: its page and notebook run, its names are there, importing it costs nothing."""

import html
import json
import re
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pyarrow as pa
import pytest

import medvision as mv
from medvision.errors import UsageError
from medvision.protocols import load_protocol

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "examples" / "notebooks" / "first_steps.ipynb"
NAMES = (
    *("read_volume", "region_table", "build_tables", "read_tables", "select_samples"),
    *("perceived_size", "read_answer", "score", "evaluate", "score_run", "aggregate"),
    *("report", "fine_tune", "show"),
)


def blocks(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_page_leads_from_arrays_to_a_figure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("python.md"):
        exec(block, names)  # our own document
    assert names["tables"].problems == ()
    assert len(names["samples"].samples) == 40
    assert names["run"].summary.n_ok == 40
    assert sum(names["by_plane"].table["n"].to_pylist()) == 40
    assert names["answer"].values == (31.2, 18.0)
    assert (tmp_path / "case.png").read_bytes().startswith(b"\x89PNG")
    assert names["page"].path == Path("runs/noisy/report/report.html")
    assert "Not for clinical use" in names["page"].path.read_text(encoding="utf-8")


def test_notebook_runs_and_shows_pictures_and_tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, shown = {}, []
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            *lines, last = "".join(cell["source"]).rstrip().split("\n")
            exec("\n".join(lines), names)  # our own notebook
            try:
                value = eval(last, names)
            except SyntaxError:
                exec(last, names)
            else:
                shown.append(value)
    pages = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
    assert [page.count("<svg") for page in pages if "<svg" in page and "iframe" not in page]
    assert any("<table" in page and "relative error mean" in page for page in pages)
    assert any(page.startswith("<iframe") for page in pages)
    of_runs = [page for page in pages if "baseline/constant:20: 20.00, 20.00 mm" in page]
    assert [page.count("<figure") for page in of_runs] == [2]


def test_a_report_is_shown_in_a_frame_of_its_own_and_is_as_good_as_its_path(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<p title='a'>\"é\" & <b>", encoding="utf-8")
    page = mv.Report(path=path)
    shown = page._repr_html_()
    (frame,) = re.findall(r"<iframe ([^>]*)></iframe>", shown)
    assert 'sandbox="allow-scripts"' in frame
    assert html.unescape(re.search(r'srcdoc="([^"]*)"', frame)[1]) == path.read_text("utf-8")
    assert Path(page) == path
    with Path(page).open(encoding="utf-8") as opened:
        assert opened.read() == path.read_text("utf-8")
    assert str(page) == str(path)


def test_a_case_is_shown_with_the_answers_of_runs(study_tables, tmp_path):
    samples = mv.select_samples(study_tables, "tl", split="all", limit=6)
    runs = [
        mv.evaluate(samples, "baseline/constant:20", tmp_path / "a"),
        mv.evaluate(samples, "baseline/constant:30", tmp_path / "b"),
    ]
    shown = mv.show(samples.samples[2], runs=runs)
    assert [(one.name, one.values) for one in shown.answers] == [
        ("baseline/constant:20", (20.0, 20.0)),
        ("baseline/constant:30", (30.0, 30.0)),
    ]
    page = shown._repr_html_()
    assert page.count("<figure") == page.count("<svg") == 2
    assert "baseline/constant:30: 30.00, 30.00 mm" in page
    again = mv.evaluate(samples, "baseline/constant:20", tmp_path / "c")
    names = [one.name for one in mv.show(samples.samples[2], runs=[runs[0], again]).answers]
    assert names == ["baseline/constant:20 (a)", "baseline/constant:20 (c)"]
    assert len(mv.show(samples.samples[2], runs=str(tmp_path / "a")).answers) == 1
    other = mv.select_samples(study_tables, "detection", split="all", limit=2).samples[0]
    with pytest.raises(UsageError, match="was not asked"):
        mv.show(other, runs=runs)


def test_every_name_of_the_front_door_is_there():
    assert set(NAMES) <= set(mv.__all__) <= set(dir(mv))
    for name in mv.__all__:
        assert getattr(mv, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'measure'"):
        _ = mv.measure


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, medvision\n"
        "print(sorted({'numpy', 'pyarrow', 'numba', 'openai'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


AFFINE = np.array([[0, -0.9, 0, 3], [1.1, 0, 0, 0], [0, 0, -2.0, 7], [0, 0, 0, 1.0]])


def test_arrays_and_the_same_files_give_the_same_regions(tmp_path):
    """An affine that permutes and flips: arrays are placed as a file with that header would be."""
    labels = np.zeros((20, 30, 8), np.uint8)
    labels[3:12, 5:21, 2:6] = 1
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        nib.save(nib.Nifti1Image(labels.astype(np.int16), AFFINE), tmp_path / kind / "a.nii.gz")
    settings = {"name": "t", "modality": "CT"}
    of_files = mv.build_tables(
        tmp_path / "images", tmp_path / "masks", {"1": "liver"}, out=tmp_path / "files", **settings
    )
    of_arrays = mv.build_tables(
        {"a": labels.astype(np.int16)},
        {"a": labels},
        {"1": "liver"},
        affine=AFFINE,
        out=tmp_path / "arrays",
        **settings,
    )
    assert of_files.regions.num_rows == of_arrays.regions.num_rows > 20
    assert of_files.regions.equals(of_arrays.regions)
    assert mv.read_tables(tmp_path / "arrays").regions.equals(of_arrays.regions)


def test_doing_it_again_with_the_same_arrays_writes_nothing(tmp_path):
    labels = np.ones((12, 12, 4), np.uint8)
    arguments = ({"a": labels}, {"a": labels}, {"1": "liver"})
    settings = {"name": "t", "modality": "CT", "out": tmp_path, "spacing_mm": (1, 1, 2)}
    mv.build_tables(*arguments, **settings)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    mv.build_tables(*arguments, **settings)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "arrays have no header: expected spacing_mm"),
        ({"spacing_mm": (1, 1)}, "expected spacing_mm of three numbers"),
        ({"masks": "masks"}, "both as folders or both as arrays"),
        (
            {"images": {"../x": np.ones((4, 4, 4))}, "spacing_mm": (1, 1, 1)},
            "can be part of a path",
        ),
    ],
)
def test_arrays_that_cannot_be_placed_are_refused(tmp_path, changes, message):
    ones = {"a": np.ones((4, 4, 4), np.uint8)}
    arguments = {"images": ones, "masks": ones, "labels": {"1": "liver"}, "name": "t"}
    with pytest.raises(UsageError, match=message):
        mv.build_tables(**{**arguments, "modality": "CT", "out": tmp_path, **changes})


def test_a_model_whose_view_is_unknown_is_refused_for_millimetres(study_tables, tmp_path):
    samples = mv.select_samples(study_tables, "tl", split="all", limit=3)
    with pytest.raises(UsageError, match=r"no profile knows 'openai/mine'"):
        mv.evaluate(samples, "openai/mine", tmp_path, base_url="http://127.0.0.1:9/v1")
    with pytest.raises(UsageError, match="expected baseline/NAME, openai/NAME or hf/NAME"):
        mv.evaluate(samples, "mine", tmp_path, family="448x448")


def test_a_task_is_asked_of_the_tables_and_a_suite_by_its_file(study_tables, tmp_path):
    assert {s.task for s in mv.select_samples(study_tables, "area", limit=5).samples} == {"area"}
    suite = tmp_path / "mine.toml"
    suite.write_text('name = "mine"\n[[configs]]\ntask = "count"\n', encoding="utf-8")
    found = mv.select_samples([study_tables], str(suite), split="all")
    assert {s.task for s in found.samples} == {"count"}
    with pytest.raises(UsageError, match="no suite 'volume'"):
        mv.select_samples(study_tables, "volume")


def test_hostile_names_are_only_text_in_a_notebook(study_tables):
    import dataclasses

    sample = mv.select_samples(study_tables, "detection", split="all", limit=1).samples[0]
    evil = dataclasses.replace(sample, name="<script>alert(1)</script>")
    assert "<script" not in evil._repr_html_()


def test_a_protocol_goes_from_the_selection_to_the_report(study_tables, tmp_path):
    by_paper = mv.select_samples(study_tables, "tl", split="all", limit=12, protocol="paper")
    assert {sample.view for sample in by_paper.samples} == {"original"}
    run = mv.evaluate(by_paper, "baseline/oracle", tmp_path / "paper")
    manifest = json.loads((run.path / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["protocol"]["name"], manifest["style"]) == ("paper", "cot")
    scores = mv.score_run(run)
    assert scores.table["protocol"].unique().to_pylist() == ["paper"]
    strictly = mv.score_run(run, protocol="medvision").table
    assert strictly["protocol"].unique().to_pylist() == ["paper, reading strict"]
    page = mv.report(run, protocol=load_protocol("paper")).path.read_text(encoding="utf-8")
    assert "paper" in page

    ours = mv.select_samples(study_tables, "tl", split="all", limit=12)
    again = mv.evaluate(ours, "baseline/oracle", tmp_path / "ours")
    assert mv.score_run(again).table["protocol"].unique().to_pylist() == ["medvision"]
    both = pa.concat_tables([scores.table, mv.score_run(again).table])
    with pytest.raises(UsageError, match="never averaged together"):
        mv.aggregate(both)
    with pytest.raises(UsageError, match="samples in the view of protocol 'paper'"):
        mv.evaluate(ours, "baseline/oracle", tmp_path / "mixed", protocol="paper")
    with pytest.raises(UsageError, match="no protocol 'papers'"):
        mv.select_samples(study_tables, "tl", protocol="papers")
