"""Masks of drawings: label maps, folders of files, and what does not agree with the tables."""

import json

import nibabel as nib
import numpy as np
import pytest

from medvision.analysis.drawing.masks import MaskOutlines
from medvision.cli import main
from medvision.table.read import read_regions

AFFINE = np.diag([1.0, 2.0, 3.0, 1.0])
SHAPE = (30, 24, 8)


def parts():
    """Two boxes that overlap in the third structure."""
    liver, tumor = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    liver[4:20, 5:15, 1:6] = 1
    tumor[8:12, 7:20, 2:5] = 1
    return liver, tumor


def build(tmp_path, labels, write_mask):
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    liver, tumor = parts()
    image = (liver * 100 + tumor * 50).astype(np.int16)
    nib.save(nib.Nifti1Image(image, AFFINE), tmp_path / "images" / "a.nii.gz")
    write_mask(tmp_path / "masks")
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    words = ["build", "--images", tmp_path / "images", "--masks", tmp_path / "masks"]
    words += ["--labels", tmp_path / "labels.json", "--name", "s", "--modality", "CT"]
    assert main([str(word) for word in [*words, "--out", tmp_path / "tables"]]) == 0
    return tmp_path / "tables"


def slices_of(tables):
    """Region rows by label and slice."""
    found = {}
    for row in read_regions(tables).to_pylist():
        found.setdefault((row["label"], row["plane"], row["slice_index"]), []).append(row)
    return found


def write_label_map(folder):
    liver, tumor = parts()
    nib.save(
        nib.Nifti1Image(np.where(tumor, 2, liver).astype(np.uint8), AFFINE), folder / "a.nii.gz"
    )


def write_files(folder):
    (folder / "a").mkdir()
    for name, array in zip(("liver", "liver_tumor"), parts(), strict=True):
        nib.save(nib.Nifti1Image(array, AFFINE), folder / "a" / f"{name}.nii.gz")


@pytest.mark.parametrize("write", [write_label_map, write_files])
def test_every_row_has_its_outline(tmp_path, write):
    tables = build(tmp_path, {"1": "liver", "2": "liver tumor"}, write)
    outlines, slices = MaskOutlines(tables), slices_of(tables)
    assert {label for label, _, _ in slices} == {"liver", "liver tumor"}
    for rows in slices.values():
        stretches = outlines.of_rows(rows)
        assert stretches[:, [0, 2]].min() == min(row["x0_px"] for row in rows)
        assert stretches[:, [1, 3]].max() == max(row["y1_px"] for row in rows)


def test_structures_of_several_values_have_no_wrong_outline(tmp_path, caplog):
    """Label 1 is the union of both values: the mask's value 1 alone is not drawn in its stead."""
    tables = build(tmp_path, {"background": 0, "whole": [1, 2], "tumor": [2]}, write_label_map)
    outlines = MaskOutlines(tables)
    drawn = {}
    for (label, plane, index), rows in slices_of(tables).items():
        stretches = outlines.of_rows(rows)
        drawn.setdefault(label, []).append((plane, index, stretches is not None))
    both = [has for plane, index, has in drawn["whole"] if plane == "axial" and 2 <= index < 5]
    assert both == [False] * 3
    assert all(has for *_, has in drawn["tumor"])
    assert "mask and table disagree" in caplog.text


def test_missing_mask_is_no_outline(tmp_path, caplog):
    tables = build(tmp_path, {"1": "liver", "2": "liver tumor"}, write_label_map)
    (tmp_path / "masks" / "a.nii.gz").unlink()
    outlines = MaskOutlines(tables)
    assert all(outlines.of_rows(rows) is None for rows in slices_of(tables).values())
    assert caplog.text.count("no outlines") == 1
