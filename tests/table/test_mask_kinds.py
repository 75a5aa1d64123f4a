"""Kinds of mask through `medvision build`: the same tables as of plain label maps."""

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medvision.cli import main
from medvision.table.read import read_regions, read_structures
from tests.volumes.test_rtstruct import (
    OBLIQUE,
    SHAPE,
    SLICES,
    ellipse,
    inside,
    saved,
    structure_set,
)
from tests.volumes.test_slicer_seg import BLOCK, DIRECTIONS, LABELS, OFFSET, segmentation
from tests.volumes.test_slicer_seg import LPS_TO_RAS as SLICER_TO_RAS
from tests.volumes.test_slicer_seg import affine_lps as slicer_affine

NOISE = np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.int16)


def build(folder, masks="masks", labels=None, *more):
    (folder / "labels.json").write_text(json.dumps(labels or {"1": "liver", "2": "liver tumor"}))
    words = ["build", "--images", folder / "images", "--masks", folder / masks]
    words += ["--labels", folder / "labels.json", "--name", "s", "--modality", "CT"]
    words += ["--target-labels", "2", "--out", folder / f"{masks}-tables", *more]
    return main([str(word) for word in words])


def same_tables(folder, one, other):
    for read in (read_regions, read_structures):
        found, truth = (read(folder / f"{masks}-tables") for masks in (one, other))
        assert found.num_rows == truth.num_rows > 0
        assert found.equals(truth)


def folders(tmp_path, *names):
    for name in names:
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize("stored", ["as_drawn", "permuted_and_flipped"])
def test_a_structure_set_builds_the_tables_of_its_label_map(tmp_path, stored):
    folders(tmp_path, "images", "masks", "truth")
    saved(tmp_path / "images" / "a.nii.gz", NOISE, OBLIQUE, stored)
    structure_set(
        tmp_path / "masks" / "a.dcm",
        [
            ("couch", [("POINT", np.zeros((1, 3)))]),
            ("Liver_Tumor", [ellipse(k, 0.4) for k in (4, 5)]),
            ("LIVER", [ellipse(k, s) for k in SLICES for s in ((1, 0.4) if k in (4, 5) else (1,))]),
        ],
        OBLIQUE,
    )
    tumor = inside(0.4, slices=(4, 5))
    truth = np.where(tumor, 2, inside()).astype(np.uint8)
    saved(tmp_path / "truth" / "a.nii.gz", truth, OBLIQUE, stored)
    assert build(tmp_path) == build(tmp_path, "truth") == 0
    same_tables(tmp_path, "masks", "truth")


def test_a_structure_set_without_any_declared_region_is_a_problem(tmp_path, capsys):
    folders(tmp_path, "images", "masks")
    saved(tmp_path / "images" / "a.nii.gz", NOISE)
    structure_set(tmp_path / "masks" / "a.dcm", [("spleen", [ellipse(4)])])
    assert build(tmp_path) == 1
    assert "empty_mask" in capsys.readouterr().err


@pytest.mark.parametrize("name", DIRECTIONS)
def test_a_cut_slicer_segmentation_builds_the_tables_of_its_label_map(tmp_path, name):
    folders(tmp_path, "images", "masks", "truth")
    affine = SLICER_TO_RAS @ slicer_affine(DIRECTIONS[name])
    noise = NOISE[: LABELS.shape[0], : LABELS.shape[1], : LABELS.shape[2]]
    nib.save(nib.Nifti1Image(noise, affine), tmp_path / "images" / "a.nii.gz")
    nib.save(nib.Nifti1Image(LABELS, affine), tmp_path / "truth" / "a.nii.gz")
    listed = [{"Name": "liver", "LabelValue": 1, "Layer": 0}]
    listed += [{"Name": "Liver tumor", "LabelValue": 2, "Layer": 0}]
    segmentation(
        tmp_path / "masks" / "a.seg.nrrd",
        [LABELS[BLOCK]],
        listed,
        offset=OFFSET,
        directions=DIRECTIONS[name],
    )
    assert build(tmp_path) == build(tmp_path, "truth") == 0
    same_tables(tmp_path, "masks", "truth")


def test_slicer_names_that_contradict_the_labels_are_a_problem(tmp_path, capsys):
    folders(tmp_path, "images", "masks")
    nib.save(
        nib.Nifti1Image(NOISE[:14, :18, :9], SLICER_TO_RAS @ slicer_affine(np.eye(3))),
        tmp_path / "images" / "a.nii.gz",
    )
    listed = [{"Name": "liver tumor", "LabelValue": 1}, {"Name": "liver", "LabelValue": 2}]
    listed = [entry | {"Layer": 0} for entry in listed]
    segmentation(tmp_path / "masks" / "a.seg.nrrd", [LABELS], listed)
    assert build(tmp_path) == 1
    assert "segment 1 calls itself 'liver tumor'" in capsys.readouterr().err


def calibrated(path, pixels):
    """A TIFF with 5 pixels a mm along x and 4 along y, as ImageJ writes it."""
    Image.fromarray(pixels).save(
        path,
        description="ImageJ=1.54f\nunit=mm\n",
        x_resolution=5.0,
        y_resolution=4.0,
    )


def test_a_mask_without_spacing_inherits_that_of_its_image(tmp_path):
    folders(tmp_path, "images", "masks")
    mask = np.zeros((30, 47), np.uint8)
    mask[5:15, 8:30] = 1
    calibrated(tmp_path / "images" / "a.tif", mask * 100)
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    assert build(tmp_path) == 0
    [row] = read_regions(tmp_path / "masks-tables").to_pylist()
    assert (row["spacing_y_mm"], row["spacing_x_mm"]) == pytest.approx((0.25, 0.2))
    assert row["area_mm2"] == pytest.approx(10 * 22 * 0.25 * 0.2)


def test_a_mask_without_spacing_of_another_size_inherits_nothing(tmp_path, capsys):
    folders(tmp_path, "images", "masks")
    calibrated(tmp_path / "images" / "a.tif", np.ones((30, 47), np.uint8))
    Image.fromarray(np.ones((47, 30), np.uint8)).save(tmp_path / "masks" / "a.png")
    assert build(tmp_path) == 1
    assert "shape_mismatch" in capsys.readouterr().err


def test_a_label_map_in_rgb_that_is_grey_builds(tmp_path):
    folders(tmp_path, "images", "masks")
    mask = np.zeros((30, 47), np.uint8)
    mask[5:15, 8:30] = 2
    calibrated(tmp_path / "images" / "a.tif", mask * 100)
    Image.fromarray(np.dstack([mask] * 3)).save(tmp_path / "masks" / "a.png")
    assert build(tmp_path) == 0
    [row] = read_regions(tmp_path / "masks-tables").to_pylist()
    assert (row["label"], row["pixel_count"]) == ("liver tumor", 220)
