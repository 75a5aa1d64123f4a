"""Whether mask and image lie on one grid."""

import numpy as np
import pytest

from medvision.volumes import Volume, check_same_grid
from medvision.volumes.errors import AffineMismatchError, ShapeMismatchError
from medvision.volumes.grid import corner_offset_voxels

SHAPE = (11, 21, 31)


def volume_of(affine=None, shape=SHAPE, **fields):
    affine = np.diag([0.5, 0.75, 2.0, 1.0]) if affine is None else affine
    lengths = tuple(float(n) for n in np.linalg.norm(affine[:3, :3], axis=0))
    return Volume(
        array=np.zeros(shape, np.uint8),
        affine=affine,
        spacing_mm=lengths[: len(shape)],
        **{"orientation_as_stored": "RAS", **fields},
    )


def unknown(**fields):
    return volume_of(orientation_as_stored="", flags=("orientation_unknown",), **fields)


def test_equal_grids_pass():
    assert check_same_grid(volume_of(), volume_of(), item="case") is None


def test_other_shape_is_an_error_that_names_both():
    with pytest.raises(
        ShapeMismatchError, match="case 3: label map is 11×21×30, image is 11×21×31"
    ):
        check_same_grid(volume_of(), volume_of(shape=(11, 21, 30)), item="case 3")


@pytest.mark.parametrize(("shift_voxels", "passes"), [(0.099, True), (0.101, False)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shift_is_judged_in_voxels(axis, shift_voxels, passes):
    moved = np.diag([0.5, 0.75, 2.0, 1.0])
    moved[axis, 3] = shift_voxels * moved[axis, axis]
    if passes:
        assert check_same_grid(volume_of(), volume_of(moved), item="case") is None
    else:
        with pytest.raises(AffineMismatchError, match="case: a corner"):
            check_same_grid(volume_of(), volume_of(moved), item="case")


@pytest.mark.parametrize(("stretch", "passes"), [(1 + 0.09 / 30, True), (1 + 0.11 / 30, False)])
def test_stretch_is_judged_at_the_far_corner(stretch, passes):
    stretched = np.diag([0.5, 0.75, 2.0 * stretch, 1.0])
    if passes:
        assert check_same_grid(volume_of(), volume_of(stretched), item="case") is None
    else:
        with pytest.raises(AffineMismatchError, match="resample"):
            check_same_grid(volume_of(), volume_of(stretched), item="case")


def test_offset_of_a_turned_grid_is_the_chord_at_its_far_corner():
    angle = 0.01
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    expected = np.hypot(10, 20) * 2 * np.sin(angle / 2)
    assert corner_offset_voxels(np.eye(4), turned, SHAPE) == pytest.approx(expected)


def test_mirrored_grid_is_an_error_though_lengths_agree():
    with pytest.raises(AffineMismatchError, match="corner"):
        check_same_grid(volume_of(), volume_of(np.diag([-0.5, 0.75, 2.0, 1.0])), item="case")


def test_non_finite_affine_never_passes():
    broken = np.diag([0.5, 0.75, 2.0, 1.0])
    broken[0, 3] = np.nan
    with pytest.raises(AffineMismatchError, match="nan"):
        check_same_grid(volume_of(), volume_of(broken), item="case")


def test_two_unknown_orientations_compare_spacing_only():
    moved = np.diag([0.5, 0.75, 2.0, 1.0])
    moved[:3, 3] = 100
    assert check_same_grid(unknown(), unknown(affine=moved), item="case") is None
    with pytest.raises(AffineMismatchError, match="corner"):
        check_same_grid(unknown(), unknown(affine=np.diag([0.6, 0.75, 2, 1])), item="case")


@pytest.mark.parametrize("unknown_first", [True, False])
def test_one_unknown_orientation_passes_only_beside_ras_storage(unknown_first):
    def check(known):
        pair = (unknown(), known) if unknown_first else (known, unknown())
        check_same_grid(*pair, item="case")

    assert check(volume_of()) is None
    with pytest.raises(AffineMismatchError, match="stored LPS, so nothing shows"):
        check(volume_of(orientation_as_stored="LPS"))


def test_2d_images_compare_shape_and_spacing():
    def image(x_mm, shape=(40, 30)):
        return Volume(
            array=np.zeros(shape), affine=np.diag([x_mm, 0.2, 1, 1]), spacing_mm=(0.2, x_mm)
        )

    assert check_same_grid(image(0.1), image(0.1), item="case") is None
    with pytest.raises(AffineMismatchError, match=r"2\.9 voxels"):
        check_same_grid(image(0.1), image(0.11), item="case")
    with pytest.raises(ShapeMismatchError, match="label map is 30×40, image is 40×30"):
        check_same_grid(image(0.1), image(0.1, (30, 40)), item="case")
