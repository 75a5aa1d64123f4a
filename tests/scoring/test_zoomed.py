"""Two looks at a structure: coarse boxes, crops around them, answers scored on whole slices."""

import json

import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.models.run_folder import read_samples
from medvision.samples import samples_from_table
from tests.model_server import Respond, say


def scores_of(run):
    return pq.read_table(run / "scores.parquet", partitioning=None)


def zoom_facts(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["zoom"]


@pytest.fixture
def ask(study_tables, tmp_path):
    """`medvision eval` on the study; its exit code."""

    def asked(*more, task="detection", model="baseline/oracle", limit=12):
        words = ["eval", "--tables", study_tables, "--task", task, "--split", "all"]
        words += ["--model", model, "--run", tmp_path / "run", "--limit", limit, *more]
        return main([str(word) for word in words])

    return asked


@pytest.mark.parametrize(
    ("task", "who"),
    [
        ("detection", "model"),
        ("tl", "model"),
        ("tl", "oracle"),
        ("area", "model"),
        ("instances", "model"),
        ("instances", "oracle"),
    ],
)
def test_the_truth_survives_both_looks(ask, tmp_path, capsys, task, who):
    assert ask("--refine", who, task=task, limit=40) == 0
    folder = tmp_path / "run" / {"model": "zoom", "oracle": "zoom-oracle"}[who]
    facts = zoom_facts(folder)
    assert facts["n_crops"] > 0
    assert facts["structure_frac"] == facts["center_frac"] == 1.0
    assert facts["area_frac"] < 1
    assert f"{facts['n_crops']} crops" in capsys.readouterr().out
    has_coarse = who == "model" and task != "detection"
    assert (tmp_path / "run" / "coarse").exists() == has_coarse
    plain, zoomed = scores_of(tmp_path / "run"), scores_of(folder)
    for same in ("sample_id", "truth", "box_to_image_frac", "height_px"):
        assert plain[same].equals(zoomed[same])
    if task in ("tl", "area"):
        assert max(zoomed["absolute_error"].to_pylist()) <= 0.005 + 1e-9
    else:
        assert min(zoomed["f1"].to_pylist()) > 0.995


def test_plain_refine_is_by_the_model_and_its_name_says_so(ask, tmp_path):
    assert ask("--refine") == 0
    run = tmp_path / "run"
    manifest = json.loads((run / "zoom" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model"] == "baseline/oracle (zoom)"
    assert main(["report", str(run), str(run / "zoom")]) == 0
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    assert "baseline/oracle (zoom)" in page


BRIGHT = 127


def bright_box(request):
    """Where the dot of a picture is, relative, lower-left origin; None of mere noise."""
    picture = np.asarray(request.picture, dtype=float)
    picture = picture.mean(axis=2) if picture.ndim == 3 else picture
    rows, columns = np.nonzero(picture > BRIGHT)
    if len(rows) > 0.1 * picture.size:
        return None
    height, width = picture.shape
    return (
        columns.min() / width,
        1 - (rows.max() + 1) / height,
        (columns.max() + 1) / width,
        1 - rows.min() / height,
    )


ORIENTATIONS = {
    "plain": np.diag([1.0, 2.0, 3.0, 1.0]),
    "flipped": np.diag([-1.0, 2.0, -3.0, 1.0]),
    "permuted": np.array([[0, 0, 3.0, 5], [1.5, 0, 0, -7], [0, -2.0, 0, 9], [0, 0, 0, 1]]),
    "oblique": None,
}


def oblique():
    angle = np.radians(12)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-0.8, 1.7, 2.4])
    return affine


@pytest.fixture(params=ORIENTATIONS)
def dots(request, tmp_path):
    """Tables of one volume with two bright dots, a structure each; and its canonical array."""
    # Noise, so that no two pictures are alike: those would be asked about once.
    stored = np.random.default_rng(3).integers(0, 20, (50, 44, 40)).astype(np.int16)
    masks = np.zeros(stored.shape, np.uint8)
    for label, (i, j, k) in enumerate([(9, 7, 8), (30, 26, 23)], start=1):
        masks[i : i + 16, j : j + 15, k : k + 15] = label
        # The dot is in a corner of its structure: a mirrored crop would show it elsewhere.
        stored[i : i + 4, j : j + 4, k : k + 4] = 1000
    affine = ORIENTATIONS[request.param]
    affine = oblique() if affine is None else affine
    for kind, array in (("images", stored), ("masks", masks)):
        (tmp_path / kind).mkdir()
        nib.save(nib.Nifti1Image(array, affine), tmp_path / kind / "c0.nii.gz")
    (tmp_path / "labels.json").write_text('{"1": "one", "2": "two"}', encoding="utf-8")
    words = ["build", "--images", tmp_path / "images", "--masks", tmp_path / "masks"]
    words += ["--labels", tmp_path / "labels.json", "--name", "dots", "--modality", "MRI"]
    words += ["--out", tmp_path / "tables"]
    assert main([str(word) for word in words]) == 0
    canonical = nib.as_closest_canonical(nib.Nifti1Image(stored, affine))
    return tmp_path / "tables", np.asarray(canonical.dataobj)


def displayed(array, sample):
    """A slice as radiologists see it, by indexing alone: no code of ours."""
    at = sample.slice_index
    axis = ["sagittal", "coronal", "axial"].index(sample.plane)
    return array.take(at, axis).T[::-1, ::-1]


def test_dots_lie_where_they_are_in_the_array(dots, serve, tmp_path):
    tables, array = dots
    server = serve(lambda request, index: say("0.1, 0.2, 0.3, 0.5"))
    words = ["eval", "--tables", tables, "--task", "area", "--split", "all", "--refine", "oracle"]
    words += ["--model", "openai/m", "--base-url", server.base_url, "--family", "as_sent"]
    words += ["--refine-margin", 0.2, "--refine-px", 96, "--run", tmp_path / "run"]
    words += ["--concurrency", 1, "--limit", 40]
    assert main([str(word) for word in words]) == 0
    samples = samples_from_table(read_samples(tmp_path / "run" / "zoom-oracle"))
    asked = server.requests[len(samples) :]
    n_dots = 0
    for sample, request in zip(samples, asked, strict=True):
        picture = np.asarray(request.picture)
        assert max(picture.shape[:2]) == 96
        x0, y0, x1, y1 = sample.crop_px
        crop = displayed(array, sample)[y0:y1, x0:x1]
        rows, columns = np.nonzero(crop == 1000)
        if len(rows) != 16:
            continue
        n_dots += 1
        # The dot's corners on the enlarged picture, and its pixel size in the prompt.
        scale_y, scale_x = np.divide(picture.shape[:2], crop.shape)
        corners = columns.min() * scale_x, rows.min() * scale_y
        ends = (columns.max() + 1) * scale_x, (rows.max() + 1) * scale_y
        seen = picture if picture.ndim == 2 else picture[..., 0]
        found_y, found_x = np.nonzero(seen > BRIGHT)
        found = (found_x.min(), found_y.min()), (found_x.max() + 1, found_y.max() + 1)
        assert np.abs(np.subtract(found, (corners, ends))).max() <= 1.5
        on = sample.geometry
        said = request.text.partition("each pixel is ")[2].split()
        assert float(said[0]) == pytest.approx(on.spacing_x_mm / scale_x, rel=1e-5)
        assert float(said[4]) == pytest.approx(on.spacing_y_mm / scale_y, rel=1e-5)
    assert n_dots >= 4


def test_a_served_model_that_finds_is_mapped_back_to_the_slice(dots, serve, tmp_path):
    tables, array = dots

    def stub(request, index):  # sees a dot; on whole slices and crops alike
        box = bright_box(request)
        return say(", ".join(f"{edge:.4f}" for edge in box) if box else "I see none.")

    server = serve(stub)
    words = ["eval", "--tables", tables, "--task", "detection", "--split", "all", "--refine"]
    words += ["--model", "openai/m", "--base-url", server.base_url, "--family", "as_sent"]
    words += ["--resize", "200x200", "--run", tmp_path / "run", "--limit", 60]
    assert main([str(word) for word in words]) == 0
    rows = {row["sample_id"]: row for row in scores_of(tmp_path / "run" / "zoom").to_pylist()}
    n_seen = n_whole = 0
    for sample in samples_from_table(read_samples(tmp_path / "run" / "zoom")):
        row = rows[sample.sample_id]
        whole = displayed(array, sample)
        if row["status"] != "ok":
            assert not sample.crop_px
            n_whole += 1
            continue
        ys, xs = np.nonzero(whole == 1000)
        truth = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
        left, low, right, high = row["values"]
        height, width = whole.shape
        found = left * width, (1 - high) * height, right * width, (1 - low) * height
        assert np.abs(np.subtract(found, truth)).max() < 0.5
        n_seen += 1
    assert n_seen >= 4
    assert n_whole >= 4
    facts = zoom_facts(tmp_path / "run" / "zoom")
    assert facts["n_crops"] == n_seen
    assert facts["n_whole"] == n_whole
    n_requests = len(server.requests)
    assert main([str(word) for word in words]) == 0  # nothing is asked twice
    assert len(server.requests) == n_requests


def test_a_crop_that_misses_earns_nothing(ask, tmp_path, serve):
    """A model that points at the corner and, there, at the whole crop."""
    server = serve(lambda request, index: say("0, 0.8, 0.2, 1" if index < 12 else "0, 0, 1, 1"))
    options = ["--base-url", server.base_url, "--family", "as_sent", "--concurrency", 1]
    assert ask("--refine", *options, model="openai/m") == 0
    zoom = tmp_path / "run" / "zoom"
    facts, rows = zoom_facts(zoom), scores_of(zoom).to_pylist()
    assert facts["structure_frac"] < 0.5
    for sample, row in zip(samples_from_table(read_samples(zoom)), rows, strict=True):
        on, (x0, y0, x1, y1) = sample.geometry, sample.crop_px
        crop = [x0 / on.width_px, 1 - y1 / on.height_px, x1 / on.width_px, 1 - y0 / on.height_px]
        assert row["values"] == pytest.approx(crop, abs=1e-9)
        left, top, right, bottom = sample.box_px
        wide, high = min(right, x1) - max(left, x0), min(bottom, y1) - max(top, y0)
        shared = max(wide, 0) * max(high, 0)
        both = (right - left) * (bottom - top) + (x1 - x0) * (y1 - y0) - shared
        assert row["iou"] == pytest.approx(shared / both, abs=1e-9)


def test_other_coarse_boxes_make_other_crops(ask, tmp_path, serve):
    said = ["0, 0.8, 0.2, 1"]
    server = serve(lambda request, index: say(said[0]))
    options = ["--refine", "--base-url", server.base_url, "--family", "as_sent"]
    assert ask(*options, model="openai/m") == 0
    first = read_samples(tmp_path / "run" / "zoom")["crop_px"].to_pylist()
    assert ask(*options, "--refine-margin", "1", model="openai/m") == 0
    second = read_samples(tmp_path / "run" / "zoom")["crop_px"].to_pylist()
    assert all(a[2] - a[0] < b[2] - b[0] for a, b in zip(first, second, strict=True))


def test_a_question_whose_coarse_box_failed_waits_until_it_is_there(ask, tmp_path, serve):
    is_ill = [True]

    def stub(request, index):
        return Respond(code=400) if is_ill[0] and index == 3 else say("0.2, 0.4, 0.5, 0.7")

    server = serve(stub)
    options = ["--refine", "--base-url", server.base_url, "--family", "as_sent"]
    options += ["--concurrency", 1]
    assert ask(*options, model="openai/m") == 1
    assert len(server.requests) == 12 + 11
    assert read_samples(tmp_path / "run" / "zoom").num_rows == 11
    is_ill[0] = False
    assert ask(*options, model="openai/m") == 0
    assert len(server.requests) == 12 + 11 + 2
    assert scores_of(tmp_path / "run" / "zoom")["status"].to_pylist() == ["ok"] * 12


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--refine-margin", "1"], "--refine-margin: only with --refine"),
        (["--refine", "--refine-margin", "-1"], "at least 0"),
        (["--refine", "--model", "baseline/train-mean"], "the same whatever is shown"),
        (["--refine", "--task", "tl", "--model", "baseline/constant:5"], "--refine oracle"),
    ],
)
def test_what_cannot_be_refined_is_refused_first(ask, words, said, capsys, tmp_path):
    try:
        code = ask(*words)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
