"""The names and forms that users and other tools rely on, by position as documented."""

import nibabel as nib
import numpy as np
import pytest

from medvision.annotate import region_table
from medvision.prompts import perceived_size, read_answer
from medvision.scoring import score
from medvision.volumes import read_volume


def test_read_volume(tmp_path):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nib.save(nib.Nifti1Image(array, np.diag([-1.0, 2.0, 3.0, 1.0])), tmp_path / "a.nii.gz")
    volume = read_volume(tmp_path / "a.nii.gz")
    assert np.array_equal(volume.array, array[::-1])
    assert np.allclose(volume.affine[:3, :3], np.diag([1.0, 2.0, 3.0]))
    assert volume.spacing_mm == pytest.approx((1, 2, 3))


def test_region_table():
    label_map = np.zeros((5, 6, 7), np.uint8)
    label_map[1:4, 1:4, 1:4] = 2
    rows = region_table(label_map, (1.0, 1.0, 1.0), (2,))
    assert rows["plane"].unique().to_pylist() == ["axial", "coronal", "sagittal"]
    assert rows.num_rows == 9


def test_perceived_size():
    seen = perceived_size("llava_onevision", 160, 384)
    assert (seen.canvas_hw, seen.content_hw) == ((384, 384), (160, 384))
    assert seen.content_origin_yx == (112, 0)
    limits = {"long_edge_px": 1568, "max_tokens": 1568}
    assert perceived_size("claude", 100, 100, limits).canvas_hw == (84, 84)


def test_read_answer():
    answer = read_answer("tl", "31.2, 18.0")
    assert (answer.status, answer.values) == ("ok", (31.2, 18.0))
    answer = read_answer("ad", "<answer>12.5</answer>", "cot")
    assert (answer.status, answer.values) == ("ok", (12.5,))


def test_score():
    row = score("detection", (0, 0, 0.5, 0.5), read_answer("detection", "0, 0, 0.5, 0.25"))
    assert (row.status, row.iou, row.precision, row.recall) == ("ok", 0.5, 1.0, 0.5)
    assert row.absolute_error is None
    row = score("ad", 10, read_answer("ad", "12"))
    assert (row.absolute_error, row.relative_error) == (2.0, pytest.approx(0.2))
    assert row.iou is None
    row = score("area", 200.0, read_answer("area", "no idea"))
    assert (row.status, row.absolute_error) == ("no_number", None)
