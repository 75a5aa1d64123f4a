"""Slicer segmentations with headers written line by line, against what nibabel places."""

import nibabel as nib
import numpy as np
import pytest

from medvision.volumes import read_volume
from medvision.volumes.errors import (
    AffineMismatchError,
    BadHeaderError,
    DimensionsError,
    LabelValuesError,
)
from medvision.volumes.slicer_seg import (
    UnlistedVoxelsError,
    read_slicer_segments,
    slicer_segments,
)

SHAPE = (14, 18, 9)
SPACING = np.array([0.5, 0.75, 2.5])
ORIGIN_LPS = np.array([-31.0, 12.5, 40.0])
STRAIGHT = np.eye(3)
LPS_TO_RAS = np.diag([-1.0, -1, 1, 1])
TURN = np.radians(20)
DIRECTIONS = {
    "straight": np.eye(3),
    "oblique": np.array(
        [[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1.0]]
    ),
    "flipped": np.diag([-1.0, 1, -1]),
    "permuted": np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]]),
}
"""Columns: LPS directions of the stored axes."""


def affine_lps(directions):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = directions * SPACING, ORIGIN_LPS
    return affine


def segmentation(path, layers, segments, *, offset=(0, 0, 0), directions=STRAIGHT, more=""):
    """Write layers (list of arrays) whose first voxel is voxel `offset` of the image."""
    affine = affine_lps(directions)
    origin = nib.affines.apply_affine(affine, offset)
    rows = [f"({','.join(repr(float(v)) for v in column)})" for column in affine[:3, :3].T]
    several = len(layers) > 1
    sizes = [*([len(layers)] if several else []), *layers[0].shape]
    lines = ["NRRD0004", "type: unsigned char", f"dimension: {len(sizes)}"]
    lines += ["space: left-posterior-superior", f"sizes: {' '.join(map(str, sizes))}"]
    lines += [f"space directions: {' '.join([*(['none'] if several else []), *rows])}"]
    lines += [f"kinds: {'list ' if several else ''}domain domain domain", "encoding: raw"]
    lines += [f"space origin: ({','.join(repr(float(v)) for v in origin)})"]
    for rank, entries in enumerate(segments):
        lines += [f"Segment{rank}_ID:=Segment_{rank + 1}"]
        lines += [f"Segment{rank}_{key}:={value}" for key, value in entries.items()]
    lines += ["Segmentation_MasterRepresentation:=Binary labelmap", *more.splitlines()]
    lines += [f"Segmentation_ReferenceImageExtentOffset:={' '.join(map(str, offset))}"]
    voxels = np.stack(layers) if several else layers[0]
    path.write_bytes("\n".join([*lines, "", ""]).encode() + voxels.astype("u1").tobytes(order="F"))
    return path


def image_of(tmp_path, directions=STRAIGHT):
    noise = np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.int16)
    nib.save(nib.Nifti1Image(noise, LPS_TO_RAS @ affine_lps(directions)), tmp_path / "image.nii.gz")
    return read_volume(tmp_path / "image.nii.gz")


def canonical(mask, directions):
    whole = nib.Nifti1Image(mask.astype(np.uint8), LPS_TO_RAS @ affine_lps(directions))
    return nib.as_closest_canonical(whole).get_fdata() > 0


LABELS = np.zeros(SHAPE, np.uint8)
LABELS[3:9, 4:12, 2:6] = 1
LABELS[9:12, 5:8, 3:7] = 2
BLOCK = (slice(3, 12), slice(4, 12), slice(2, 7))
OFFSET = (3, 4, 2)
NAMED = [{"Name": "liver", "LabelValue": 1, "Layer": 0}, {"Name": "Größe (µ)", "LabelValue": 2}]


@pytest.mark.parametrize("name", DIRECTIONS)
@pytest.mark.parametrize("cut", [True, False])
def test_segments_lie_where_they_were_drawn(tmp_path, name, cut):
    directions = DIRECTIONS[name]
    block, offset = (LABELS[BLOCK], OFFSET) if cut else (LABELS, (0, 0, 0))
    segments = [NAMED[0], {**NAMED[1], "Layer": 0}]
    path = segmentation(
        tmp_path / "a.seg.nrrd", [block], segments, offset=offset, directions=directions
    )
    found = list(read_slicer_segments(path, image_of(tmp_path, directions)))
    assert [(one.number, one.label) for one in found] == [(1, "liver"), (2, "Größe (µ)")]
    for one in found:
        np.testing.assert_array_equal(one.mask, canonical(one.number == LABELS, directions))


@pytest.mark.parametrize("name", DIRECTIONS)
def test_layers_may_overlap_and_share_values(tmp_path, name):
    directions = DIRECTIONS[name]
    organ, tumor = LABELS > 0, LABELS == 2
    segments = [
        {"Name": "organ", "LabelValue": 1, "Layer": 0},
        {"Name": "tumor", "LabelValue": 1, "Layer": 1},
        {"Name": "part", "LabelValue": 2, "Layer": 1},
    ]
    second = tumor[BLOCK] * 1
    second[0, 0, 0] = 2
    part = np.zeros(SHAPE, bool)
    part[OFFSET] = True
    path = segmentation(
        tmp_path / "a.seg.nrrd",
        [organ[BLOCK], second],
        segments,
        offset=OFFSET,
        directions=directions,
    )
    found = list(read_slicer_segments(path, image_of(tmp_path, directions)))
    assert [(one.number, one.label) for one in found] == [(0, "organ"), (0, "tumor"), (2, "part")]
    for one, truth in zip(found, (organ, tumor, part), strict=True):
        np.testing.assert_array_equal(one.mask, canonical(truth, directions))


def test_files_from_before_layers_have_a_map_for_each_segment(tmp_path):
    path = segmentation(
        tmp_path / "a.seg.nrrd", [LABELS > 0, LABELS == 2], [{"Name": "organ"}, {"Name": "tumor"}]
    )
    found = list(read_slicer_segments(path, image_of(tmp_path)))
    assert [one.label for one in found] == ["organ", "tumor"]
    np.testing.assert_array_equal(found[1].mask, canonical(LABELS == 2, np.eye(3)))


def test_an_empty_segmentation_is_empty_wherever_it_says_it_lies(tmp_path):
    path = segmentation(
        tmp_path / "a.seg.nrrd", [np.zeros((1, 1, 1))], NAMED[:1], offset=(99, 99, 99)
    )
    [found] = read_slicer_segments(path, image_of(tmp_path))
    assert found.mask.shape == image_of(tmp_path).shape
    assert not found.mask.any()


def test_a_segmentation_of_another_image_is_refused(tmp_path):
    for offset in [(3.5, 4, 2), (9, 4, 2)]:
        path = segmentation(tmp_path / "a.seg.nrrd", [LABELS[BLOCK]], NAMED, offset=offset)
        with pytest.raises(AffineMismatchError, match=r"a\.seg\.nrrd"):
            list(read_slicer_segments(path, image_of(tmp_path)))


def test_values_that_no_segment_lists_are_named(tmp_path):
    path = segmentation(tmp_path / "a.seg.nrrd", [LABELS], NAMED[:1])
    with pytest.raises(UnlistedVoxelsError, match=r"layer 0 have values \[2\]"):
        list(read_slicer_segments(path, image_of(tmp_path)))


def test_a_layer_that_is_not_there_is_named(tmp_path):
    path = segmentation(tmp_path / "a.seg.nrrd", [LABELS], [{**NAMED[0], "Layer": 1}])
    with pytest.raises(DimensionsError, match=r"lists layer 1, holds 1"):
        list(read_slicer_segments(path, image_of(tmp_path)))


def test_fractions_are_refused(tmp_path):
    path = segmentation(tmp_path / "a.seg.nrrd", [LABELS], NAMED)
    path.write_bytes(path.read_bytes().replace(b"=Binary", b"=Fractional"))
    with pytest.raises(LabelValuesError, match="Fractional labelmap"):
        list(read_slicer_segments(path, image_of(tmp_path)))


@pytest.mark.parametrize("entry", [{"LabelValue": 1}, {"Name": "a", "LabelValue": "x"}])
def test_segments_without_name_or_value_are_refused(tmp_path, entry):
    path = segmentation(tmp_path / "a.seg.nrrd", [LABELS], [entry])
    with pytest.raises(BadHeaderError, match="segment 0"):
        slicer_segments(path)


def test_a_plain_nrrd_and_other_files_list_no_segments(tmp_path):
    path = segmentation(tmp_path / "a.nrrd", [LABELS], [])
    assert slicer_segments(path) == ()
    (tmp_path / "a.txt").write_text("Segment0_Name:=liver")
    assert slicer_segments(tmp_path / "a.txt") == ()


def test_a_flat_image_has_no_segmentation(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((4, 4), np.int16), np.eye(4)), tmp_path / "flat.nii")
    path = segmentation(tmp_path / "a.seg.nrrd", [LABELS], NAMED)
    with pytest.raises(DimensionsError, match="volume of known orientation"):
        list(read_slicer_segments(path, read_volume(tmp_path / "flat.nii")))
