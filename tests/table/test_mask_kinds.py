"""Kinds of mask through `medvision build`: the same tables as of plain label maps."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medvision.annotate import native_region_table
from medvision.catalog.biometrics import read_biometrics_spec
from medvision.cli import main
from medvision.frames import Plane
from medvision.table.annotate_case import AnnotateOptions
from medvision.table.build import BuildRequest, build_tables
from medvision.table.cases import CaseSource, ImageSource, LandmarkSource, MaskSource, Structure
from medvision.table.read import read_biometrics, read_regions, read_structures
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


def test_slicer_segments_numbered_the_other_way_round_go_by_their_names(tmp_path):
    folders(tmp_path, "images", "masks")
    nib.save(
        nib.Nifti1Image(NOISE[:14, :18, :9], SLICER_TO_RAS @ slicer_affine(np.eye(3))),
        tmp_path / "images" / "a.nii.gz",
    )
    listed = [{"Name": "liver tumor", "LabelValue": 1}, {"Name": "liver", "LabelValue": 2}]
    listed = [entry | {"Layer": 0} for entry in listed]
    segmentation(tmp_path / "masks" / "a.seg.nrrd", [LABELS], listed)
    assert build(tmp_path) == 0
    rows = read_structures(tmp_path / "masks-tables").to_pylist()
    assert {row["label"]: row["voxel_count"] for row in rows} == {
        "liver tumor": int((LABELS == 1).sum()),
        "liver": int((LABELS == 2).sum()),
    }


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


def request(case, biometrics=None):
    options = AnnotateOptions(dataset="s", spacing_yx_mm=(0.25, 0.2), biometrics=biometrics)
    return BuildRequest(cases=[case], unpaired=[], options=options, description="a picture")


COLOURS = {"#ff0000": 1, "#00ff00": 2}


def picture_case(folder, mask=None, **more):
    pixels = np.arange(30 * 47, dtype=np.uint8).reshape(30, 47)
    Image.fromarray(pixels).save(folder / "a.png")
    structures = (
        Structure(label_id=1, name="nodule", values=(), found_as=("0", "nodule")),
        Structure(label_id=2, name="mass", values=(), found_as=("1", "mass")),
    )
    return CaseSource(
        case_id="a",
        cohort="",
        subject_id="a",
        images=(ImageSource(image_id="image", modality="US", path=folder / "a.png"),),
        mask=mask,
        landmarks=more.pop("landmarks", ()),
        structures=structures,
        target_labels=(2,),
        **more,
    )


def built(folder, case, **options):
    summary = build_tables(request(case, **options), folder / "tables")
    return summary, read_regions(folder / "tables").to_pylist()


def test_colours_build_the_tables_of_the_label_map_they_were_painted_from(tmp_path):
    labels = np.zeros((30, 47), np.uint8)
    labels[5:15, 8:30], labels[20:24, 31:44] = 1, 2
    palette = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)
    Image.fromarray(palette[labels]).save(tmp_path / "mask.png")
    summary, rows = built(tmp_path, picture_case(tmp_path, tmp_path / "mask.png", colours=COLOURS))
    assert summary.problems == ()
    truth = native_region_table(labels, (0.25, 0.2), Plane.NATIVE, (2,)).to_pylist()
    assert [{name: row[name] for name in truth[0]} for row in rows] == truth
    assert [row["label"] for row in rows] == ["nodule", "mass"]


def test_a_colour_that_nobody_declared_is_a_problem(tmp_path):
    Image.fromarray(np.full((30, 47, 3), (0, 0, 255), np.uint8)).save(tmp_path / "mask.png")
    summary, _ = built(tmp_path, picture_case(tmp_path, tmp_path / "mask.png", colours=COLOURS))
    [problem] = summary.problems
    assert problem.reason == "unknown_colour"
    assert "#0000ff (1410 px)" in problem.message


def masks_of(folder, *names):
    return tuple(MaskSource(path=folder / f"{name}.png") for name in names)


def test_several_masks_of_one_picture_are_joined(tmp_path):
    first, second = np.zeros((2, 30, 47), np.uint8)
    first[5:15, 8:30], second[20:24, 31:44] = 255, 255
    Image.fromarray(first).save(tmp_path / "mask.png")
    Image.fromarray(second).save(tmp_path / "mask_1.png")
    case = picture_case(tmp_path, None, masks=masks_of(tmp_path, "mask", "mask_1"))
    lesion = Structure(label_id=1, name="lesion", values=(255,))
    _, rows = built(tmp_path, replace(case, structures=(lesion,)))
    assert [(row["n_components"], row["pixel_count"]) for row in rows] == [(2, 220), (2, 52)]


def test_masks_that_contradict_each_other_are_a_problem(tmp_path):
    for name, value in (("mask", 1), ("mask_1", 2)):
        Image.fromarray(np.full((30, 47), value, np.uint8)).save(tmp_path / f"{name}.png")
    case = picture_case(tmp_path, None, masks=masks_of(tmp_path, "mask", "mask_1"))
    known = tuple(replace(s, values=(s.label_id,), found_as=()) for s in case.structures)
    summary, _ = built(tmp_path, replace(case, structures=known))
    assert [problem.reason for problem in summary.problems] == ["overlapping_masks"]


def coco_json(folder, **annotation):
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 47, "height": 30}],
        "categories": [
            {"id": 5, "name": "Mass"},
            {"id": 6, "name": "head", "keypoints": ["ear", "nose"]},
        ],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 5} | annotation],
    }
    (folder / "coco.json").write_text(json.dumps(content))
    return folder / "coco.json"


@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_boxes_build_rows_without_a_shape(tmp_path, kind):
    path = tmp_path / "a.txt"
    path.write_text(f"1 {16 / 47:.6f} {10 / 30:.6f} {12 / 47:.6f} {8 / 30:.6f}\n")
    if kind == "coco":
        path = coco_json(tmp_path, bbox=[10, 6, 12, 8])
    summary, [row] = built(tmp_path, picture_case(tmp_path, boxes=path))
    assert summary.problems == ()
    assert (row["label"], row["label_id"], row["ellipse_status"]) == ("mass", 2, "not_target")
    assert [row[edge] for edge in ("x0_px", "y0_px", "x1_px", "y1_px")] == [10, 6, 22, 14]
    assert row["area_mm2"] is None


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"bbox": [40, 6, 12, 8]}, "bad_box"),
        ({"bbox": [1, 1, 4, 4], "category_id": 6}, "unknown_label"),
        ({"bbox": [1, 1, 4, 4], "iscrowd": 1}, "coco_bad_format"),
    ],
)
def test_boxes_that_cannot_be_are_problems(tmp_path, annotation, reason):
    case = picture_case(tmp_path, boxes=coco_json(tmp_path, **annotation))
    summary, _ = built(tmp_path, case)
    assert [problem.reason for problem in summary.problems] == [reason]


SPAN = {
    "landmarks": {"ear": "ear", "nose": "nose"},
    "lines": {"L": {"name": "span", "landmarks": ["ear", "nose"]}},
    "measure": [{"kind": "distance", "key": "L"}],
}


@pytest.mark.parametrize("kind", ["coco", "labelme"])
def test_landmarks_of_pictures_are_measured(tmp_path, kind):
    path = coco_json(tmp_path, category_id=6, keypoints=[10, 5, 2, 34, 15, 1])
    if kind == "labelme":
        path = tmp_path / "a.json"
        shapes = [
            {"label": label, "shape_type": "point", "points": [xy]}
            for label, xy in (("ear", [10.5, 5.5]), ("nose", [34.5, 15.5]))
        ]
        content = {"shapes": shapes, "imagePath": "a.png", "imageHeight": 30, "imageWidth": 47}
        path.write_text(json.dumps(content))
    (tmp_path / "b.json").write_text(json.dumps(SPAN))
    spec = read_biometrics_spec(tmp_path / "b.json")
    summary, _ = built(
        tmp_path, picture_case(tmp_path, landmarks=(LandmarkSource(path=path),)), biometrics=spec
    )
    assert summary.problems == ()
    [row] = read_biometrics(tmp_path / "tables").to_pylist()
    assert row["value"] == pytest.approx(np.hypot(24 * 0.2, 10 * 0.25))


def test_files_of_one_structure_are_joined_where_it_is_found_as_several(tmp_path):
    folders(tmp_path, "masks")
    first, second = np.zeros((2, 30, 47), np.uint8)
    first[5:15, 8:30], second[10:24, 20:44] = 1, 1
    for name, mask in (("left", first), ("Right", second), ("other", second)):
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
    case = picture_case(tmp_path, tmp_path / "masks")
    lung = Structure(label_id=1, name="lung", values=(1,), found_as=("left", "right"))
    _, [row] = built(tmp_path, replace(case, structures=(lung,)))
    assert row["pixel_count"] == ((first + second) > 0).sum()
