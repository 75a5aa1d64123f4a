import gzip
import json
import shutil
import signal
import subprocess
import sys

import nibabel as nib
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.table.read import read_cases, read_regions, read_structures
from medvision.table.schema import REGION_SCHEMA
from tests.files import nothing_written


def build_words(study, out, *more, name="s"):
    words = ["build", "--images", study / "images", "--masks", study / "masks"]
    words += ["--labels", study / "labels.json", "--name", name, "--modality", "CT"]
    words += ["--target-labels", "2", "--out", out, *more]
    return [str(word) for word in words]


def build(study, out, *more, name="s"):
    return main(build_words(study, out, *more, name=name))


def rewrite(path, change):
    """Store a NIfTI again with its array or affine changed."""
    image = nib.load(path)
    array, affine = change(np.asarray(image.dataobj), image.affine.copy())
    nib.save(nib.Nifti1Image(array, affine), path)


def flipped_view(array, affine):
    """The same volume stored with axes permuted (k, i, j) and k and i reversed."""
    order = [2, 0, 1]
    moved = affine.copy()
    moved[:, :3] = affine[:, order]
    stored = array.transpose(order)
    for axis in (0, 1):
        moved[:3, 3] += moved[:3, axis] * (stored.shape[axis] - 1)
        moved[:, axis] *= -1
        stored = np.flip(stored, axis)
    return np.ascontiguousarray(stored), moved


MEASURED = [name for name in REGION_SCHEMA.names if name not in ("case_id", "subject_id", "split")]


def regions_of(out, case):
    return read_regions(out, pc.field("case_id") == case).select(MEASURED)


def test_tables_have_the_documented_columns_and_partitions(study, tmp_path, capsys):
    assert build(study, tmp_path / "t") == 0
    assert "3 of 3 cases" in capsys.readouterr().out
    rows = read_regions(tmp_path / "t")
    assert rows.schema == REGION_SCHEMA
    paths = {str(p.relative_to(tmp_path / "t")) for p in (tmp_path / "t").rglob("*.parquet")}
    planes = ("axial", "coronal", "sagittal")
    for split in ("train", "test"):
        wanted = {f"regions/plane={plane}/split={split}/part-0.parquet" for plane in planes}
        assert wanted <= paths
    assert not list((tmp_path / "t").glob(".*"))


def test_tables_read_without_our_code(study, tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="dev extra")
    build(study, tmp_path / "t")
    n = read_regions(tmp_path / "t").num_rows
    folder = str(tmp_path / "t" / "regions")
    assert pq.read_table(folder).num_rows == n
    dataset = pads.dataset(folder, partitioning="hive")
    assert dataset.count_rows(filter=pc.field("plane") == "axial") > 0
    query = f"SELECT plane, count(*) FROM '{folder}/**/*.parquet' GROUP BY plane"
    assert sum(count for _, count in duckdb.sql(query).fetchall()) == n


def test_rows_are_sorted_by_case_label_slice_in_each_file(study, tmp_path):
    build(study, tmp_path / "t")
    for path in (tmp_path / "t" / "regions").rglob("*.parquet"):
        rows = pq.read_table(path, partitioning=None)
        keys = [rows[k].to_pylist() for k in ("case_id", "label_id", "slice_index", "component")]
        assert list(zip(*keys, strict=True)) == sorted(zip(*keys, strict=True))


def test_boxes_are_those_of_the_arrays(study, tmp_path):
    build(study, tmp_path / "t")
    where = (pc.field("label_id") == 1) & (pc.field("case_id") == "a")
    rows = read_regions(tmp_path / "t", where).to_pylist()
    axial = next(r for r in rows if r["plane"] == "axial" and r["slice_index"] == 4)
    # i 2..7 of 20 and j 3..14 of 30, seen from below with anterior up: x = 19 − i, y = 29 − j
    box = {"x0_px": 12, "x1_px": 18, "y0_px": 15, "y1_px": 27}
    assert {k: axial[k] for k in box} == box
    assert (axial["spacing_x_mm"], axial["spacing_y_mm"]) == (1.0, 2.0)
    assert axial["area_mm2"] == 6 * 12 * 2.0
    coronal = next(r for r in rows if r["plane"] == "coronal" and r["slice_index"] == 4)
    box = {"x0_px": 12, "x1_px": 18, "y0_px": 3, "y1_px": 10}
    assert {k: coronal[k] for k in box} == box
    assert (coronal["spacing_x_mm"], coronal["spacing_y_mm"]) == (1.0, 3.0)


def test_storage_order_flips_and_type_do_not_change_the_table(study, tmp_path):
    for kind in ("images", "masks"):
        rewrite(study / kind / "b.nii.gz", flipped_view)
        rewrite(study / kind / "c.nii.gz", lambda a, m: (a.astype(np.float32), m))
    assert build(study, tmp_path / "t") == 0
    assert regions_of(tmp_path / "t", "a").equals(regions_of(tmp_path / "t", "b"))
    assert regions_of(tmp_path / "t", "a").equals(regions_of(tmp_path / "t", "c"))
    cases = {row["case_id"]: row for row in read_cases(tmp_path / "t").to_pylist()}
    assert cases["a"]["volume_fingerprint"] == cases["b"]["volume_fingerprint"]
    assert cases["b"]["orientation_as_stored"] == "ILA"


def test_second_build_does_nothing_and_changed_input_builds_again(study, tmp_path, capsys):
    build(study, tmp_path / "t")
    with nothing_written(tmp_path / "t" / "manifest.json"):
        assert build(study, tmp_path / "t") == 0
    assert "already up to date" in capsys.readouterr().out
    rewrite(study / "masks" / "a.nii.gz", lambda a, m: (np.where(a == 1, 0, a), m))
    assert build(study, tmp_path / "t") == 0
    assert "liver" not in regions_of(tmp_path / "t", "a")["label"].to_pylist()


def test_two_names_in_one_folder_are_refused(study, tmp_path, capsys):
    build(study, tmp_path / "t")
    assert build(study, tmp_path / "t", name="other") == 2
    assert "holds the tables of 's'" in capsys.readouterr().err


def damage_missing(study):
    (study / "masks" / "b.nii.gz").unlink()


def damage_truncated(study):
    path = study / "images" / "b.nii.gz"
    path.write_bytes(path.read_bytes()[:-2000])


def damage_not_an_image(study):
    (study / "masks" / "b.nii.gz").write_bytes(gzip.compress(b"hello" * 100))


def damage_shape(study):
    rewrite(study / "masks" / "b.nii.gz", lambda a, m: (a[:-1], m))


def damage_affine(study):
    def moved(array, affine):
        affine[0, 3] += 1.0
        return array, affine

    rewrite(study / "masks" / "b.nii.gz", moved)


def damage_labels(study):
    rewrite(study / "masks" / "b.nii.gz", lambda a, m: (np.where(a == 1, 9, a), m))


def damage_empty(study):
    rewrite(study / "masks" / "b.nii.gz", lambda a, m: (np.zeros_like(a), m))


def damage_4d(study):
    rewrite(study / "images" / "b.nii.gz", lambda a, m: (np.stack([a, a], -1), m))


def damage_spacing(value):
    def damage(study):
        path = study / "images" / "b.nii.gz"
        raw = bytearray(gzip.decompress(path.read_bytes()))
        raw[80:84] = np.float32(value).tobytes()  # pixdim[1]
        path.write_bytes(gzip.compress(bytes(raw)))

    return damage


def damage_fractions(study):
    rewrite(study / "masks" / "b.nii.gz", lambda a, m: (a.astype(np.float32) * 0.5, m))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damage_missing, "unpaired"),
        (damage_truncated, "truncated_file"),
        (damage_not_an_image, "not_an_image"),
        (damage_shape, "shape_mismatch"),
        (damage_affine, "affine_mismatch"),
        (damage_labels, "unknown_label"),
        (damage_empty, "empty_mask"),
        (damage_4d, "not_2d_or_3d"),
        (damage_spacing(0.0), "invalid_spacing"),
        (damage_spacing(np.nan), "invalid_spacing"),
        (damage_fractions, "bad_label_values"),
    ],
)
def test_a_bad_case_is_named_and_the_others_go_on(study, tmp_path, capsys, damage, reason):
    damage(study)
    assert build(study, tmp_path / "t") == 1
    out, err = capsys.readouterr()
    (line,) = (line for line in err.splitlines() if line.startswith("b: "))
    assert line.startswith(f"b: {reason}: ")
    assert "b" in line.split(": ", 2)[2]
    assert "2 of 3 cases" in out
    assert f"1 {reason}" in out
    assert set(read_cases(tmp_path / "t")["case_id"].to_pylist()) == {"a", "c"}
    manifest = json.loads((tmp_path / "t" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["dropped"] == {reason: 1}
    assert not list((tmp_path / "t").glob(".*"))


def test_a_failed_subject_still_counts_for_the_split(study, tmp_path):
    build(study, tmp_path / "all")
    shutil.rmtree(tmp_path / "all")
    build(study, tmp_path / "all")
    whole = {r["case_id"]: r["split"] for r in read_cases(tmp_path / "all").to_pylist()}
    damage_truncated(study)
    build(study, tmp_path / "part")
    part = {r["case_id"]: r["split"] for r in read_cases(tmp_path / "part").to_pylist()}
    assert part == {case: whole[case] for case in ("a", "c")}


KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
import pyarrow.parquet as pq
from medvision.cli import main

write, n_left = pq.write_table, int(sys.argv[1])

def write_or_die(table, path):
    global n_left
    n_left -= 1
    write(table, path)
    if not n_left:
        whole = Path(path).read_bytes()
        Path(path).write_bytes(whole[: len(whole) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

pq.write_table = write_or_die
main(sys.argv[2:])
"""
"""Of each case three files are written, then one of all."""


@pytest.mark.parametrize(("n_files", "n_staged"), [(1, 0), (3 * 4 + 2, 4), (3 * 8 + 1, 8)])
def test_kill_in_the_middle_leaves_nothing_half_written(study, tmp_path, n_files, n_staged):
    for kind in ("images", "masks"):
        for number in range(5):
            shutil.copy(study / kind / "a.nii.gz", study / kind / f"n{number}.nii.gz")
    out = tmp_path / "t"
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(n_files), *build_words(study, out)]
    killed = subprocess.run(command, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "manifest.json").exists()
    assert len(list(out.glob(".build/*/case.json"))) == n_staged
    assert build(study, out) == 0
    assert read_cases(out).num_rows == 8
    assert build(study, tmp_path / "whole") == 0
    for read in (read_regions, read_structures):
        assert read(out).equals(read(tmp_path / "whole"))


def test_overlapping_structures_are_measured_one_by_one(study, tmp_path):
    (study / "labels.json").write_text('{"whole": [1, 2], "tumor": [2]}')
    assert build(study, tmp_path / "t") == 0
    rows = regions_of(tmp_path / "t", "a")
    axial = rows.filter(pc.equal(rows["plane"], "axial"))
    counts = {
        label: pc.sum(axial.filter(pc.equal(axial["label"], label))["pixel_count"]).as_py()
        for label in ("whole", "tumor")
    }
    labels = np.asarray(nib.load(study / "masks" / "a.nii.gz").dataobj)
    assert counts == {"whole": int((labels > 0).sum()), "tumor": int((labels == 2).sum())}


def test_plain_pictures_need_spacing(tmp_path, capsys):
    from PIL import Image

    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 20:50] = 1
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        Image.fromarray(mask * (200 if kind == "images" else 1)).save(tmp_path / kind / "a.png")
    (tmp_path / "labels.json").write_text('{"1": "heart"}')
    assert build(tmp_path, tmp_path / "t", "--target-labels", "1") == 1
    assert "--spacing-mm" in capsys.readouterr().err
    assert build(tmp_path, tmp_path / "t2", "--spacing-mm", "0.5,0.25") == 2
    capsys.readouterr()
    words = ["build", "--images", tmp_path / "images", "--masks", tmp_path / "masks", "--name", "p"]
    words += ["--labels", tmp_path / "labels.json", "--modality", "US", "--out", tmp_path / "t3"]
    words += ["--spacing-mm", "0.5,0.25"]
    assert main([str(word) for word in words]) == 0
    (row,) = read_regions(tmp_path / "t3").to_pylist()
    assert (row["plane"], row["slice_index"]) == ("native", 0)
    assert [row[k] for k in ("x0_px", "y0_px", "x1_px", "y1_px")] == [20, 10, 50, 30]
    assert (row["height_px"], row["width_px"]) == (40, 60)
    assert row["area_mm2"] == 30 * 20 * 0.5 * 0.25


def test_uris_are_relative_below_the_table_folder(study):
    build(study, study)
    row = read_cases(study).to_pylist()[0]
    assert row["images"][0]["uri"] == "images/a.nii.gz"
    assert row["mask_uri"] == "masks/a.nii.gz"
    assert isinstance(read_cases(study), pa.Table)
