"""The quality page: its counts against plain loops, its drawings, its text in any case."""

import json
import re
import shutil

import nibabel as nib
import numpy as np
import pytest

from medvision.analysis.quality import sheets as quality_sheets
from medvision.analysis.quality.counts import quality_counts
from medvision.analysis.quality.measured import (
    ALONE,
    AMONG_OTHERS,
    NAMES_MM,
    NAMES_PX,
    OUTCOMES,
    MeasuredCounts,
)
from medvision.analysis.quality.page import quality_html, write_quality_page
from medvision.analysis.quality.sheets import contact_sheets
from medvision.annotate.regions import region_table
from medvision.cli import main
from medvision.table.read import read_regions, read_structures

PX_EDGES = (3, 5, 10, 20, 40, 80)
MM_EDGES = (2, 5, 10, 20, 50, 100)


def rows_of(tables):
    return read_regions(tables).to_pylist()


def outcome_of(row):
    if row["ellipse_status"] == "ok":
        return ALONE if row["n_components"] == 1 else AMONG_OTHERS
    return row["ellipse_status"]


def naive(rows, name_of):
    """Name to outcome to count, by a loop."""
    found = {}
    for row in rows:
        if row["ellipse_status"] != "not_target":
            counts = found.setdefault(name_of(row), dict.fromkeys(OUTCOMES, 0))
            counts[outcome_of(row)] += 1
    return found


def as_dicts(rows):
    return {row.name: dict(zip(OUTCOMES, row.counts, strict=True)) for row in rows}


def bin_of(value, edges, names):
    return names[sum(value >= edge for edge in edges)]


def longer_side_px(row):
    return max(row["x1_px"] - row["x0_px"], row["y1_px"] - row["y0_px"])


def check_outcomes(counts, rows):
    tables = counts.tables()
    assert as_dicts(tables["by plane"]) == naive(rows, lambda row: row["plane"])
    assert as_dicts(tables["by label"]) == naive(rows, lambda row: row["label"])
    assert as_dicts(tables["by size in px"]) == naive(
        rows, lambda row: bin_of(longer_side_px(row), PX_EDGES, NAMES_PX)
    )
    assert as_dicts(tables["by size in mm"]) == naive(
        rows, lambda row: bin_of(row["feret_max_mm"], MM_EDGES, NAMES_MM)
    )


def test_every_component_of_a_target_label_has_one_outcome(study_tables):
    counts = quality_counts(study_tables).measured
    rows = rows_of(study_tables)
    check_outcomes(counts, rows)
    assert counts.n == sum(row["ellipse_status"] != "not_target" for row in rows) > 0


def test_lesions_that_were_not_measured_are_counted_by_reason():
    """Specks, threads and discs, alone and together, of every size."""
    rng = np.random.default_rng(4)
    labels = np.zeros((60, 70, 50), np.uint8)
    for _ in range(60):
        center = rng.integers(0, labels.shape)
        grids = np.ogrid[tuple(slice(0, side) for side in labels.shape)]
        radii = rng.uniform(0.6, 9.0, 3)
        inside = sum(((g - c) / r) ** 2 for g, c, r in zip(grids, center, radii, strict=True))
        labels[inside <= 1] = rng.integers(1, 4)
    table = region_table(labels, (0.4, 0.9, 2.5), (1, 2))
    table = table.append_column("label", table["label_id"].cast("string"))
    counts = MeasuredCounts()
    for plane in ("axial", "coronal", "sagittal"):
        counts.add(table.filter([name == plane for name in table["plane"].to_pylist()]), plane)
    check_outcomes(counts, table.to_pylist())
    found = as_dicts(counts.tables()["by plane"])
    for outcome in (ALONE, AMONG_OTHERS, "too_thin", "below_floor"):
        assert sum(row[outcome] for row in found.values()) > 0, outcome


def test_recall_is_the_share_with_axis_lengths(study_tables):
    for rows in quality_counts(study_tables).measured.tables().values():
        for row in rows:
            named = dict(zip(OUTCOMES, row.counts, strict=True))
            assert row.recall_frac == (named[ALONE] + named[AMONG_OTHERS]) / row.n


def test_plane_counts_are_those_of_the_papers_filters(study_tables):
    rows = rows_of(study_tables)
    for found in quality_counts(study_tables).by_plane.rows:
        own = [row for row in rows if row["plane"] == found[0]]
        first = [row for row in own if row["component"] == 0]
        alone = [row for row in own if row["n_components"] == 1]
        sides = [(r["x1_px"] - r["x0_px"], r["y1_px"] - r["y0_px"], r) for r in own]
        shares = [w * h / (r["height_px"] * r["width_px"]) for w, h, r in sides]
        assert found[1:3] == (len(first), len(own))
        assert found[3] == pytest.approx(100 * len(alone) / len(own), abs=0.06)
        assert found[4] == sum(min(w, h) >= 10 and r["n_components"] == 1 for w, h, r in sides)
        assert found[5] == sum(row["label_pixel_count"] >= 200 for row in first)
        assert found[6] == sum(row["ellipse_status"] == "ok" for row in alone)
        assert found[7] == sum(share < 0.05 for share in shares)
        assert found[8] == sum(0.05 <= share < 0.10 for share in shares)
        assert found[9] == sum(share >= 0.10 for share in shares)


def test_label_counts_are_those_of_a_loop(study_tables):
    table = quality_counts(study_tables).labels
    rows, structures = rows_of(study_tables), read_structures(study_tables).to_pylist()
    for found in table.rows:
        named = dict(zip(table.heads, found, strict=True))
        assert named["cases"] == sum(row["label"] == named["label"] for row in structures)
        for plane in ("axial", "coronal", "sagittal"):
            own = [r for r in rows if (r["label"], r["plane"]) == (named["label"], plane)]
            assert named[f"{plane} components"] == len(own)
            places = {(row["case_id"], row["slice_index"]) for row in own}
            assert named[f"{plane} slices"] == len(places)


@pytest.fixture
def own_study(tmp_path):
    """Three small cases, one without a mask, one repeated; returns the folder and a builder."""
    shape = (24, 30, 14)
    i, j, k = np.indices(shape)
    labels = np.zeros(shape, np.uint8)
    labels[3:9, 3:15, 2:9] = 1
    labels[((i - 14) / 5) ** 2 + ((j - 21) / 6) ** 2 + ((k - 6) / 4) ** 2 <= 1] = 2
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    image = np.random.default_rng(1).integers(0, 400, shape).astype(np.int16)
    affine = np.diag([1.0, 1.2, 2.0, 1.0])
    for case in ("a", "b", "<c>"):
        nib.save(nib.Nifti1Image(image, affine), tmp_path / "images" / f"{case}.nii.gz")
        nib.save(nib.Nifti1Image(labels, affine), tmp_path / "masks" / f"{case}.nii.gz")
    (tmp_path / "masks" / "b.nii.gz").unlink()
    name = "<script>alert(1)</script>"
    (tmp_path / "labels.json").write_text(json.dumps({"1": "liver", "2": name}))

    def build(*more):
        words = ["build", "--images", tmp_path / "images", "--masks", tmp_path / "masks"]
        words += ["--labels", tmp_path / "labels.json", "--name", "q", "--modality", "CT"]
        words += ["--target-labels", "2", "--out", tmp_path / "t", *more]
        return main([str(word) for word in words])

    return tmp_path, build


def test_build_writes_the_page_also_when_tables_are_up_to_date(own_study, capsys):
    folder, build = own_study
    page = folder / "t" / "quality.html"
    assert build() == 1
    assert not page.exists()
    assert build("--report") == 1
    assert "already up to date" in capsys.readouterr().out
    assert page.exists()


def test_a_page_of_older_tables_goes_when_they_are_built_anew(own_study):
    folder, build = own_study
    build("--report")
    (folder / "labels.json").write_text('{"1": "liver", "2": "tumor"}')
    build()
    assert not (folder / "t" / "quality.html").exists()


def test_page_holds_problems_repeats_and_no_script(own_study):
    folder, build = own_study
    build("--report")
    page = (folder / "t" / "quality.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "2 of 3" in page
    assert re.search(r"unpaired.*?no mask in", page, re.DOTALL)
    assert "1 (&lt;c&gt; = a)" in page  # one scan in two cases
    assert "script-src" not in re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert not re.search(r'(src|href)="(?!#|data:)', page)


def test_tiles_show_box_ellipse_feret_and_the_masks_outline(study_tables):
    sheets = contact_sheets(study_tables)
    assert set(sheets.by_label) == {"liver", "liver tumor", "kidney"}
    planes = {tile.plane for tile in sheets.by_label["liver tumor"]}
    assert planes == {"axial", "coronal", "sagittal"}
    tile = next(t for t in sheets.by_label["liver tumor"] if " mm, area ratio" in t.words)
    assert tile.svg.count("<image") == 1
    assert tile.svg.count("<rect") == 2  # with its halo
    assert tile.svg.count("<ellipse") == 2
    assert tile.svg.count("<line") == 2 * 3  # two axes, one Feret line
    assert tile.svg.count("<path") == 2
    plain = sheets.by_label["liver"][0]
    assert "<ellipse" not in plain.svg
    assert not sheets.left_out
    assert not sheets.failed


def test_odd_tiles_come_first_and_name_their_reason(study_tables):
    reasons = {row["ellipse_status"] for row in rows_of(study_tables)} - {"ok", "not_target"}
    odd = contact_sheets(study_tables).odd
    assert reasons
    for reason in reasons:
        assert any(f"; {reason}, Feret" in tile.words for tile in odd)


def test_sheets_are_capped_and_say_what_they_leave_out(study_tables, monkeypatch):
    monkeypatch.setattr(quality_sheets, "MAX_TILES", 12)
    sheets = contact_sheets(study_tables)
    shown = [tile for tiles in sheets.by_label.values() for tile in tiles]
    assert len(shown) + len(sheets.odd) == 12
    pairs = {(tile.label, tile.plane) for tile in (*shown, *sheets.odd)}
    everything = {(row["label"], row["plane"]) for row in rows_of(study_tables)}
    assert set(sheets.left_out) == {f"{a}, {b}" for a, b in everything - pairs}


def test_sheets_keep_to_their_budget_of_bytes(study_tables, monkeypatch):
    monkeypatch.setattr(quality_sheets, "BUDGET_BYTES", 60_000)
    sheets = contact_sheets(study_tables)
    tiles = [*sheets.odd, *(tile for of in sheets.by_label.values() for tile in of)]
    assert 0 < sum(len(tile.svg) for tile in tiles) <= 60_000


def test_missing_images_leave_the_counts_and_are_named(own_study):
    folder, build = own_study
    build()
    shutil.rmtree(folder / "images")
    page = write_quality_page(folder / "t").read_text(encoding="utf-8")
    assert "missing_file" in page
    assert "components on slices" in page


def test_landmark_tables_without_masks_have_a_page(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "landmarks").mkdir()
    image = nib.Nifti1Image(np.zeros((20, 24, 8), np.int16), np.diag([1.0, 1.0, 2.0, 1.0]))
    nib.save(image, tmp_path / "images" / "a.nii.gz")
    points = {"p": [2, 3, 4], "q": [14, 19, 4]}
    (tmp_path / "landmarks" / "a.json").write_text(json.dumps(points))
    spec = {
        "landmarks": {"p": "P", "q": "Q"},
        "lines": {"pq": {"name": "width", "landmarks": ["p", "q"]}},
        "angles": {},
        "measure": [{"kind": "distance", "key": "pq", "plane": "axial"}],
    }
    (tmp_path / "b.json").write_text(json.dumps(spec))
    words = ["build", "--images", tmp_path / "images", "--landmarks", tmp_path / "landmarks"]
    words += ["--biometrics", tmp_path / "b.json", "--name", "l", "--modality", "MRI"]
    assert main([str(word) for word in [*words, "--out", tmp_path / "t", "--report"]]) == 0
    page = (tmp_path / "t" / "quality.html").read_text(encoding="utf-8")
    assert "Landmark measurements" in page
    assert '<td class="num">20.0</td>' in page  # √(12² + 16²) mm
    assert "Slices for the eye" not in page


def test_page_of_no_case_is_still_a_page(own_study):
    folder, build = own_study
    for path in (folder / "masks").iterdir():
        path.write_bytes(b"no image")
    build("--report")
    counts = quality_counts(folder / "t")
    assert counts.n_cases_out == 0
    assert "0 of 3" in quality_html(counts, contact_sheets(folder / "t"))
