"""The paper's protocol from image to report: drawn in its view, asked, read and scored as there."""

import json
import re

import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from medvision.analysis.drawing import MaskOutlines
from medvision.cli import main
from medvision.frames import View
from medvision.phantoms.xray import BIOMETRICS, XRAY_SPACING_YX_MM, xray_phantom
from medvision.pictures.render import SlicePictures, slice_identity
from medvision.pictures.view import PictureFamily
from medvision.prompts.messages import prompt_text
from medvision.prompts.targets import target_text
from medvision.protocols import MEDVISION, load_protocol
from medvision.replies import Style
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.scoring.process import PROCESS_METRICS
from medvision.tasks import Task
from tests.model_server import say

PAPER = load_protocol("paper")

SHAPE = (64, 48, 5)
SPACING_MM = np.array([0.5, 1.5, 4.0])
SLICE = 2
ROWS, COLUMNS = (8, 24), (6, 20)
"""Of the box, in the paper's picture of an axial slice: rows along i, columns along j."""
CENTRE, SEMI_AXES_MM = (44.0, 30.0), (9.0, 12.0)
"""Of the ellipse, row and column, and its semi-axes along rows and columns."""
DOT = (5, 40)


def drawn():
    """Image and labels as the paper's code holds them: RAS+, indexed [row, column, slice]."""
    i, j, _ = np.indices(SHAPE)
    labels = np.zeros(SHAPE, np.uint8)
    labels[slice(*ROWS), slice(*COLUMNS), SLICE] = 1
    offsets_mm = [(i - CENTRE[0]) * SPACING_MM[0], (j - CENTRE[1]) * SPACING_MM[1]]
    inside = sum((way / semi) ** 2 for way, semi in zip(offsets_mm, SEMI_AXES_MM, strict=True)) <= 1
    labels[..., SLICE][inside[..., SLICE]] = 2
    image = np.random.default_rng(5).integers(0, 60, SHAPE).astype(np.int16)
    image += (labels * 80).astype(np.int16)
    image[(*DOT, SLICE)] = 500
    return image, labels


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Tables of ten such cases, stored with flipped and permuted axes."""
    folder = tmp_path_factory.mktemp("drawn")
    ras = np.diag([*SPACING_MM, 1.0])
    image, labels = drawn()
    for number in range(10):
        for kind, array in (("images", image + number), ("masks", labels)):
            (folder / kind).mkdir(exist_ok=True)
            as_ras = nib.Nifti1Image(array, ras)
            order = ("LPS", "SLA", "RAS")[number % 3]
            axes = nib.orientations.axcodes2ornt(tuple(order))
            stored = as_ras.as_reoriented(
                nib.orientations.ornt_transform(nib.io_orientation(ras), axes)
            )
            nib.save(stored, folder / kind / f"c{number}.nii.gz")
    (folder / "labels.json").write_text(json.dumps({"1": "liver", "2": "liver tumor"}))
    words = ["build", "--images", folder / "images", "--masks", folder / "masks"]
    words += ["--labels", folder / "labels.json", "--name", "drawn", "--modality", "MRI"]
    words += ["--target-labels", "2", "--out", folder / "tables"]
    assert main([str(word) for word in words]) == 0
    return folder / "tables"


def selected(tables, task, protocol):
    config = TaskConfig(task=task, planes=("axial",))
    suite = Suite(name="drawn", configs=(config,), cap_per_config=None)
    return select_samples(suite, table_folders([tables]), split="all", protocol=protocol).samples


def box_of(samples, label):
    return next(one for one in samples if one.label == label)


def test_a_box_is_stated_as_the_paper_states_it(tables):
    sample = box_of(selected(tables, Task.DETECTION, PAPER), "liver")
    height, width = SHAPE[:2]
    assert (sample.geometry.height_px, sample.geometry.width_px) == (height, width)
    lower_left = (COLUMNS[0] / width, 1 - ROWS[1] / height)
    upper_right = (COLUMNS[1] / width, 1 - ROWS[0] / height)
    assert sample.truth == pytest.approx((*lower_left, *upper_right))


def test_an_anisotropic_ellipse_keeps_its_axes_and_says_where_they_are(tables):
    (sample,) = selected(tables, Task.TUMOR_LESION, PAPER)[:1]
    # The contour runs through pixel centres: it reads a pixel short along each axis.
    whole_mm = 2 * np.array(SEMI_AXES_MM) - SPACING_MM[:2]
    assert sample.truth == pytest.approx(whole_mm[::-1].tolist(), abs=0.5)
    centre = np.mean([[point.y_px, point.x_px] for point in sample.points], axis=0)
    assert centre == pytest.approx(CENTRE, abs=0.5)
    ends = [np.array([point.y_px, point.x_px]) for point in sample.points]
    major, minor = (np.abs(ends[at + 1] - ends[at]) for at in (0, 2))
    assert major[1] > 10 * major[0]  # along the columns
    assert minor[0] > 10 * minor[1]
    frame = PictureFamily(name="as_sent").view(sample.geometry).stated
    prompt = prompt_text(sample, Style.COT, frame, PAPER.prompt)
    assert "48 pixels wide and 64 pixels high; each pixel is 1.5 mm wide and 0.5 mm high" in prompt
    assert "axial" not in prompt
    target = target_text(sample, Style.COT, PictureFamily(name="as_sent").view(sample.geometry))
    points = re.findall(r"\((0\.\d{4}), (0\.\d{4})\)", target)[:4]
    stated = np.array(points, dtype=float).mean(axis=0)
    # Relative, from the lower left: x along the columns, y from the last row up.
    expected = ((CENTRE[1] + 0.5) / 48, 1 - (CENTRE[0] + 0.5) / 64)
    assert stated == pytest.approx(expected, abs=0.005)


def test_the_picture_is_the_plain_slice_and_the_dot_is_where_it_was_set(tables):
    samples = selected(tables, Task.DETECTION, PAPER)
    image, _ = drawn()
    plain = image[..., SLICE].astype(float)
    for sample in samples[:6]:
        shown = SlicePictures().picture(sample)
        assert shown.shape == plain.shape
        assert np.unravel_index(shown.argmax(), shown.shape) == DOT
        # Grey levels are stretched, never turned: their order is that of the array.
        steps = np.corrcoef(shown.ravel(), np.clip(plain, 0, 220).ravel())[0, 1]
        assert steps > 0.97


def test_both_views_differ_by_transpose_and_flip_only(tables):
    ours, theirs = (selected(tables, Task.DETECTION, one)[0] for one in (MEDVISION, PAPER))
    assert ours.sample_id == theirs.sample_id
    pictures = SlicePictures()
    turned = pictures.picture(ours)[::-1, ::-1].T
    np.testing.assert_array_equal(pictures.picture(theirs), turned)
    x0, y0, x1, y1 = ours.truth
    assert theirs.truth == pytest.approx((y0, x0, y1, x1))
    assert slice_identity(theirs) == f"{slice_identity(ours)}/original"
    assert (ours.view, theirs.view) == (View.RADIOLOGICAL, View.ORIGINAL)


def test_the_outline_of_the_mask_is_turned_with_the_picture(tables):
    outlines = MaskOutlines(tables)
    ours, theirs = (
        box_of(selected(tables, Task.DETECTION, one), "liver") for one in (MEDVISION, PAPER)
    )
    for sample in (ours, theirs):
        ends = np.array(outlines.of_sample(sample)).reshape(-1, 2)
        x0, y0, x1, y1 = sample.box_px
        assert ends.min(axis=0).tolist() == [x0, y0]
        assert ends.max(axis=0).tolist() == [x1, y1]


def evaluated(tables, run, *words, task="detection"):
    asked = ["eval", "--tables", tables, "--task", task, "--split", "all", "--run", run, *words]
    assert main([str(word) for word in asked]) == 0
    return pq.read_table(run / "scores.parquet", partitioning=None)


@pytest.mark.parametrize("task", ["detection", "tl", "area"])
@pytest.mark.parametrize("words", [(), ("--style", "direct"), ("--view", "radiological")])
def test_the_oracle_is_perfect_under_the_papers_protocol(tables, tmp_path, task, words):
    asked = ("--protocol", "paper", "--model", "baseline/oracle", *words)
    scores = evaluated(tables, tmp_path / "run", *asked, task=task)
    assert set(scores["status"].to_pylist()) == {"ok"}
    if task == "detection":
        assert min(scores["iou"].to_pylist()) > 0.999
    else:
        assert max(scores["relative_error"].to_pylist()) < 1e-3
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))
    assert manifest["protocol"]["reading"] == "first_block"
    name = "paper, view radiological" if "--view" in words else "paper"
    assert set(scores["protocol"].to_pylist()) == {manifest["protocol"]["name"]} == {name}
    assert manifest["style"] == ("direct" if "--style" in words else "cot")


BY_THE_PAPER = [0.1, 0.6, 0.4, 0.9]
TWO_BLOCKS = "<answer>0.1, 0.6, 0.4, 0.9</answer> no: <answer>0.6, 0.6, 0.9, 0.9</answer>"
EXTRA = "<answer>box 1: 0.1, 0.6, 0.4, 0.9</answer>"
SWAPPED = "<answer>0.4, 0.9, 0.1, 0.6</answer>"


@pytest.mark.parametrize(
    ("text", "status", "values"),
    [
        (TWO_BLOCKS, "ok", [0.6, 0.6, 0.9, 0.9]),
        (EXTRA, "wrong_count", []),
        (SWAPPED, "inverted_box", []),
    ],
    ids=["two blocks", "extra numbers", "swapped corners"],
)
def test_replies_score_as_the_original_would_and_otherwise_under_ours(
    tables, tmp_path, serve, capsys, text, status, values
):
    server, run = serve(lambda *_: say(text)), tmp_path / "run"
    words = ("--protocol", "paper", "--model", "openai/m", "--base-url", server.base_url)
    scores = evaluated(tables, run, *words, "--family", "64x64")
    assert set(scores["status"].to_pylist()) == {"ok"}
    assert set(map(tuple, scores["values"].to_pylist())) == {tuple(BY_THE_PAPER)}

    capsys.readouterr()
    assert main(["report", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"][0]["protocol"] == "paper"
    rows = [row for table in found["tables"] for row in table["rows"]]
    read = {row["model"]: row for row in rows if row["model"].startswith("openai/m, ")}
    assert set(read) == {"openai/m, paper", "openai/m, read strictly"}
    assert read["openai/m, paper"]["success_rate"] == 1
    strictly = read["openai/m, read strictly"]
    assert strictly["success_rate"] == (status == "ok")
    assert strictly["iou_mean_zero_filled"] != read["openai/m, paper"]["iou_mean_zero_filled"]
    page = tmp_path / "report.html"
    assert main(["report", str(run), "--out", str(page)]) == 0
    html = page.read_text("utf-8")
    assert f"By reading ({scores.num_rows} of {scores.num_rows} replies read differently)" in html

    assert main(["score", str(run), "--protocol", "medvision"]) == 0
    ours = pq.read_table(run / "scores.parquet", partitioning=None)
    assert set(ours["status"].to_pylist()) == {status}
    assert set(map(tuple, ours["values"].to_pylist())) == {tuple(values)}
    assert set(ours["protocol"].to_pylist()) == {"paper, reading strict"}


def test_scores_stay_as_they_were_read_until_replies_change(tables, tmp_path, capsys):
    run = tmp_path / "run"
    evaluated(tables, run, "--model", "baseline/oracle")
    assert main(["score", str(run), "--protocol", "paper"]) == 0
    capsys.readouterr()
    assert main(["report", str(run), "--json"]) == 0
    assert '"protocol": "medvision, reading first_block"' in capsys.readouterr().out
    assert main(["report", str(run), "--json", "--reading", "strict"]) == 0
    assert '"protocol": "medvision"' in capsys.readouterr().out
    stored = pq.read_table(run / "scores.parquet", partitioning=None)
    assert set(stored["protocol"].to_pylist()) == {"medvision, reading first_block"}


def test_one_run_is_one_view(tables, tmp_path, capsys):
    run = tmp_path / "run"
    evaluated(tables, run, "--model", "baseline/oracle", task="tl")
    words = ["eval", "--tables", tables, "--task", "tl", "--split", "all", "--run", run]
    words += ["--model", "baseline/oracle", "--view", "original"]
    assert main([str(word) for word in words]) == 2
    assert "holds another sample list" in capsys.readouterr().err


def test_runs_of_different_protocols_are_named_and_not_compared(tables, tmp_path, capsys):
    runs = []
    for protocol in ("medvision", "paper"):
        runs.append(tmp_path / protocol)
        words = ("--protocol", protocol, "--model", "baseline/center")
        evaluated(tables, runs[-1], *words)
    page = tmp_path / "report.html"
    assert main(["report", *map(str, runs), "--out", str(page)]) == 0
    html = page.read_text("utf-8")
    assert "The runs are of different protocols" in html
    assert "baseline/center [paper]" in html
    assert "baseline/center [medvision]" in html


def test_questions_about_suspect_spacing_are_asked_as_the_paper_does(tmp_path):
    folder = tmp_path / "suspect"
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    labels = np.zeros((256, 256, 2), np.uint8)
    labels[40:90, 60:160, 1] = 1
    for number in range(4):
        for kind, array in (("images", labels * 100), ("masks", labels)):
            image = nib.Nifti1Image(array.astype(np.int16), np.eye(4))
            nib.save(image, folder / kind / f"c{number}.nii.gz")
    (folder / "labels.json").write_text('{"1": "liver"}')
    words = ["build", "--images", folder / "images", "--masks", folder / "masks"]
    words += ["--labels", folder / "labels.json", "--name", "suspect", "--modality", "CT"]
    assert main([str(word) for word in [*words, "--out", folder / "tables"]]) == 0
    assert selected(folder / "tables", Task.AREA, MEDVISION) == []
    assert len(selected(folder / "tables", Task.AREA, PAPER)) == 4


STEPS = """The ends are plain to see.
<step-1-answer>0.25, 0.5, 0.75, 0.5, 0.5, 0.25, 0.5, 0.75</step-1-answer>
<step-2-answer>36, 0, 0, 17.6</step-2-answer>
<step-3-answer>36, 20</step-3-answer>
<answer>36, 25</answer>"""
"""Of 72 mm by 32 mm: 36 and 16 mm by the points, 17.6 by the second step, and so on."""


def test_steps_are_asked_for_in_tags_and_scored_one_by_one(tables, tmp_path, serve, capsys):
    server, run = serve(lambda *_: say(STEPS)), tmp_path / "run"
    words = ("--protocol", "paper", "--model", "openai/m", "--base-url", server.base_url)
    scores = evaluated(tables, run, *words, "--family", "64x64", task="tl")
    asked = json.dumps(server.requests[0].body)
    for step in (1, 2, 3):
        assert f"<step-{step}-answer>" in asked
    process = pq.read_table(run / "process.parquet")
    assert process["sample_id"].to_pylist() == sorted(scores["sample_id"].to_pylist())
    assert set(process["n_steps"].to_pylist()) == {3}
    truth = dict(zip(*(scores[name].to_pylist() for name in ("sample_id", "truth")), strict=True))
    for row in process.to_pylist():
        major, minor = truth[row["sample_id"]]
        by_points = (abs(36 - major) / major + abs(16 - minor) / minor) / 2
        assert row["points_relative_error"] == pytest.approx(by_points)
        assert row["conversion_relative_error"] == pytest.approx(0.05)  # none, and a tenth
        assert row["result_relative_error"] == pytest.approx((20 / 17.6 - 1) / 2)
        assert row["answer_relative_error"] == pytest.approx(0.125)

    capsys.readouterr()
    assert main(["report", str(run), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["process"]
    assert (told["n"], told["n_tagged"]) == (len(process), len(process))
    assert told["scores"]["answer_relative_error"]["mean"] == pytest.approx(0.125)
    page = tmp_path / "report.html"
    assert main(["report", str(run), "--out", str(page)]) == 0
    html = page.read_text("utf-8")
    assert "Steps of the chain of thought" in html
    assert '<td class="num">12.5</td>' in html


def test_without_tags_no_steps_are_asked_for_and_none_are_told(tables, tmp_path, serve):
    server, run = serve(lambda *_: say("<answer>36, 25</answer>")), tmp_path / "run"
    words = ("--style", "cot", "--model", "openai/m", "--base-url", server.base_url)
    evaluated(tables, run, *words, "--family", "64x64", task="tl")
    assert "step-1-answer" not in json.dumps(server.requests[0].body)
    rows = pq.read_table(run / "process.parquet").to_pylist()
    assert {row["n_steps"] for row in rows} == {0}
    assert {row[name] for row in rows for name in PROCESS_METRICS} == {None}


def test_parts_are_taken_alone_and_the_run_says_so(tables, tmp_path):
    run = tmp_path / "run"
    words = ("--filters", "paper", "--averages", "paper", "--model", "baseline/oracle")
    scores = evaluated(tables, run, *words, task="tl")
    name = "medvision, filters of paper, averages of paper"
    assert set(scores["protocol"].to_pylist()) == {name}
    kept = json.loads((run / "manifest.json").read_text("utf-8"))["protocol"]
    assert (kept["view"], kept["filters"]["several_pieces"]) == ("radiological", "listed")
    assert kept["averages"]["miscellaneous_in"] == ["tl"]


@pytest.fixture(scope="module")
def xray_tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("xray")
    for part in ("images", "landmarks"):
        (folder / part).mkdir()
    for number in range(2):
        phantom = xray_phantom(np.random.default_rng(number))
        Image.fromarray(phantom.pixels).save(folder / "images" / f"{number}.png")
        points = {key: list(point) for key, point in phantom.landmarks_xy.items()}
        text = json.dumps(points)
        (folder / "landmarks" / f"{number}.json").write_text(text, encoding="utf-8")
    (folder / "spec.json").write_text(json.dumps(BIOMETRICS), encoding="utf-8")
    spacing = ",".join(map(str, XRAY_SPACING_YX_MM))
    words = ["build", "--images", folder / "images", "--landmarks", folder / "landmarks"]
    words += ["--biometrics", folder / "spec.json", "--name", "xray", "--modality", "XR"]
    words += ["--spacing-mm", spacing, "--out", folder / "tables"]
    assert main([str(word) for word in words]) == 0
    return folder / "tables"


@pytest.mark.parametrize("style", ["cot", "direct"])
def test_angles_and_distances_are_asked_and_scored_under_the_papers_protocol(
    xray_tables, tmp_path, style
):
    words = ("--protocol", "paper", "--style", style, "--model", "baseline/oracle")
    scores = evaluated(xray_tables, tmp_path / "run", *words, task="ad")
    assert set(scores["status"].to_pylist()) == {"ok"}
    assert set(scores["unit"].to_pylist()) == {"mm", "deg"}
    assert max(scores["absolute_error"].to_pylist()) <= 0.005 + 1e-9
    assert not (tmp_path / "run" / "in_pieces.parquet").exists()
