"""Planes and slices that a declaration leaves, against slices counted by nibabel and NumPy."""

import json

import nibabel as nib
import numpy as np
import pytest

from medvision.table.read import read_biometrics, read_regions, read_structures
from tests.table.conftest import phantom, write_nifti
from tests.table.test_conversions import placed
from tests.table.test_declared import LIVER, build, declare

AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}


def built(folder, affine, more, labels=LIVER):
    image, mask = phantom()
    write_nifti(folder / "a.nii.gz", image, affine=affine)
    write_nifti(folder / "a_m.nii.gz", mask, affine=affine)
    text = f"""{labels}
[[cohorts]]
images = [{{ modality = "CT", files = "{{case}}.nii.gz" }}]
mask = "{{case}}_m.nii.gz"
{more}
"""
    assert build(declare(folder, text), folder / "t") == 0
    found = {}
    for row in read_regions(folder / "t").to_pylist():
        key = (row["plane"], row["label"])
        found.setdefault(key, {})[row["slice_index"]] = row["label_pixel_count"]
    return found


def counted(folder, keep):
    """(plane, label) → slice → pixels, of the slices that are kept."""
    mask = np.asarray(nib.as_closest_canonical(nib.load(folder / "a_m.nii.gz")).dataobj)
    found = {}
    for plane, axis in AXIS.items():
        for value, label in ((1, "liver"), (2, "liver tumor")):
            counts = (np.moveaxis(mask, axis, 0) == value).sum(axis=(1, 2))
            tumor = (np.moveaxis(mask, axis, 0) == 2).any(axis=(1, 2))
            kept = {int(k): int(n) for k, n in enumerate(counts) if n and keep(plane, k, tumor[k])}
            found |= {(plane, label): kept} if kept else {}
    return found


@placed
@pytest.mark.parametrize(
    ("slices", "keep"),
    [
        ("{ axial = { first = 4 } }", lambda p, k, _: p != "axial" or k >= 4),
        (
            "{ coronal = { first = 6, last = 11 } }",
            lambda p, k, _: p != "coronal" or 6 <= k <= 11,
        ),
        (
            "{ axial = { first = 3, every = 2 }, sagittal = { last = 15, every = 3 } }",
            lambda p, k, _: {
                "axial": k >= 3 and (k - 3) % 2 == 0,
                "sagittal": k <= 15 and k % 3 == 0,
                "coronal": True,
            }[p],
        ),
        (
            '{ coronal = { with_label = "liver tumor" } }',
            lambda p, _, has: p != "coronal" or has,
        ),
        (
            '{ axial = { with_label = "liver tumor", first = 2, every = 2 } }',
            lambda p, k, has: p != "axial" or (has and k >= 2 and k % 2 == 0),
        ),
    ],
)
def test_slices_of_a_plane(tmp_path, affine, slices, keep):
    found = built(tmp_path, affine, f"slices = {slices}")
    assert found == counted(tmp_path, keep)
    # Structures are measured as a whole: which slices are asked about makes none smaller.
    _, mask = phantom()
    whole = {r["label"]: r["voxel_count"] for r in read_structures(tmp_path / "t").to_pylist()}
    assert whole == {"liver": (mask == 1).sum(), "liver tumor": (mask == 2).sum()}


@placed
def test_planes(tmp_path, affine):
    found = built(tmp_path, affine, 'planes = ["axial", "sagittal"]')
    assert found == counted(tmp_path, lambda plane, _k, _has: plane != "coronal")


def test_a_label_that_nobody_asks_for_may_choose_the_slices(tmp_path):
    labels = LIVER.replace("target = true", "asked = false")
    more = 'slices = { axial = { with_label = "liver tumor" } }'
    found = built(tmp_path, np.eye(4), more, labels)
    expected = counted(tmp_path, lambda plane, _k, has: plane != "axial" or has)
    assert found == {key: some for key, some in expected.items() if key[1] == "liver"}


def test_a_structure_of_another_file_may_choose_the_slices(tmp_path):
    """Structures that overlap are measured apart, and still share slices."""
    image, _ = phantom()
    liver, tumor = np.zeros_like(image, np.uint8), np.zeros_like(image, np.uint8)
    liver[2:14, 2:14, 2:8], tumor[10:18, 4:10, 3:6] = 1, 1
    write_nifti(tmp_path / "a.nii.gz", image)
    for name, mask in (("liver", liver), ("liver_tumor", tumor)):
        write_nifti(tmp_path / f"a_{name}.nii.gz", mask)
    text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "{{case}}.nii.gz" }}]
mask = "{{case}}_{{structure}}.nii.gz"
planes = ["axial"]
slices = {{ axial = {{ with_label = "liver tumor" }} }}
"""
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    rows = read_regions(tmp_path / "t").to_pylist()
    assert sorted(r["slice_index"] for r in rows if r["label"] == "liver") == [3, 4, 5]


@pytest.mark.parametrize(
    ("slices", "n_rows"), [("{ axial = { last = 4 } }", 0), ("{ axial = { last = 5 } }", 1)]
)
def test_measurements_are_on_the_slices_that_are_left(tmp_path, slices, n_rows):
    (tmp_path / "a.json").write_text(json.dumps({"p": [3, 4, 5], "q": [9, 4, 5]}))
    image, _ = phantom()
    write_nifti(tmp_path / "a.nii.gz", image)
    text = f"""
name = "own"
[biometrics]
landmarks = {{ p = "left", q = "right" }}
lines = {{ pq = {{ landmarks = ["p", "q"] }} }}
measure = [{{ kind = "distance", key = "pq", plane = "axial" }}]

[[cohorts]]
images = [{{ modality = "CT", files = "{{case}}.nii.gz" }}]
landmarks = "{{case}}.json"
slices = {slices}
"""
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    assert read_biometrics(tmp_path / "t").num_rows == n_rows


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        ('{ axial = { with_label = "spleen" } }', "slices.axial: no label 'spleen'"),
        ("{ axial = { first = 5, last = 4 } }", "last: expected 5 or more, as first says, found 4"),
        ("{ coronal = { every = 2 } }", "slices.coronal: planes leave this one out"),
    ],
)
def test_slices_that_cannot_be_meant_are_refused(tmp_path, capsys, slices, message):
    text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "{{case}}.nii.gz" }}]
mask = "{{case}}_m.nii.gz"
planes = ["axial"]
slices = {slices}
"""
    assert build(declare(tmp_path, text), tmp_path / "t") == 2
    assert message in capsys.readouterr().err
