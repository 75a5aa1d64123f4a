"""Each branch of the rule that chooses an affine, on hand-built headers."""

import nibabel as nib
import numpy as np
import pytest

from medvision.errors import ItemError
from medvision.volumes import SpacingSource, read_volume
from medvision.volumes.errors import (
    AmbiguousSpacingError,
    BadHeaderError,
    InvalidSpacingError,
    NonOrthogonalAxesError,
)

IDENTITY_QUATERNION = (0.0, 0.0, 0.0)
HALF_TURN_ABOUT_Z = (0.0, 0.0, 1.0)


def sform_of(x_mm, y_mm, z_mm, origin=(0.0, 0.0, 0.0)):
    affine = np.diag([x_mm, y_mm, z_mm, 1.0])
    affine[:3, 3] = origin
    return affine


def test_sform_that_agrees_with_pixdim_is_used_without_flags(write_nifti, voxels):
    path = write_nifti(
        voxels,
        pixdim=(0.5, 0.75, 2.0),
        sform=sform_of(0.5, 0.75, 2.0, (-3, 4, 5)),
        quaternion=HALF_TURN_ABOUT_Z,
    )
    volume = read_volume(path)
    assert volume.spacing_source is SpacingSource.SFORM
    assert volume.spacing_source == "sform"
    assert volume.flags == ()
    assert volume.spacing_mm == (0.5, 0.75, 2.0)
    np.testing.assert_array_equal(volume.affine, sform_of(0.5, 0.75, 2.0, (-3, 4, 5)))
    np.testing.assert_array_equal(volume.array, voxels)


def test_sform_within_a_thousandth_of_pixdim_agrees(write_nifti, voxels):
    path = write_nifti(
        voxels, pixdim=(1.0, 1.0, 2.0), sform=sform_of(1.0009, 1, 2), quaternion=HALF_TURN_ABOUT_Z
    )
    assert read_volume(path).spacing_source is SpacingSource.SFORM


def test_sform_beyond_a_thousandth_of_pixdim_gives_way_to_the_qform(write_nifti, voxels):
    path = write_nifti(
        voxels,
        pixdim=(1.0, 1.0, 2.0),
        sform=sform_of(1.0011, 1, 2),
        quaternion=IDENTITY_QUATERNION,
    )
    volume = read_volume(path)
    assert volume.spacing_source is SpacingSource.QFORM
    assert volume.spacing_mm == (1.0, 1.0, 2.0)


def test_acdc_like_unit_sform_gives_way_to_the_whole_qform(write_nifti, voxels):
    path = write_nifti(
        voxels,
        pixdim=(1.5625, 1.5625, 10.0),
        sform=np.eye(4),
        quaternion=HALF_TURN_ABOUT_Z,
        qoffset=(7.0, 8.0, 9.0),
    )
    volume = read_volume(path)
    assert volume.spacing_source is SpacingSource.QFORM
    assert volume.flags == ("spacing_from_qform",)
    assert volume.orientation_as_stored == "LPS"
    assert volume.spacing_mm == pytest.approx((1.5625, 1.5625, 10.0), abs=1e-12)
    np.testing.assert_array_equal(volume.array, voxels[::-1, ::-1])
    # stored voxel (3, 4, 0) is canonical (0, 0, 0): 7 - 3 * 1.5625, 8 - 4 * 1.5625, 9
    np.testing.assert_allclose(volume.affine[:3, 3], (2.3125, 1.75, 9.0), atol=1e-6)


def test_qform_alone_is_used_whole_with_its_handedness(write_nifti, voxels):
    path = write_nifti(
        voxels,
        pixdim=(0.5, 0.75, 2.0),
        qfac=-1.0,
        quaternion=IDENTITY_QUATERNION,
        qoffset=(1.0, 2.0, 30.0),
    )
    volume = read_volume(path)
    assert volume.orientation_as_stored == "RAI"
    np.testing.assert_array_equal(volume.array, voxels[:, :, ::-1])
    np.testing.assert_allclose(volume.affine, sform_of(0.5, 0.75, 2.0, (1, 2, 20)), atol=1e-6)


def test_qfac_zero_means_one(write_nifti, voxels):
    path = write_nifti(voxels, pixdim=(1, 1, 2), qfac=0.0, quaternion=IDENTITY_QUATERNION)
    assert read_volume(path).orientation_as_stored == "RAS"


def test_oblique_qform_turns_by_its_quaternion(write_nifti, voxels):
    angle = np.deg2rad(20.0)
    path = write_nifti(
        voxels, pixdim=(0.5, 0.75, 2.0), quaternion=(0.0, 0.0, float(np.sin(angle / 2)))
    )
    volume = read_volume(path)
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) * (0.5, 0.75, 2.0)
    np.testing.assert_allclose(volume.affine[:3, :3], turned, atol=1e-6)
    assert volume.obliquity_deg == pytest.approx(20.0, abs=1e-4)


def test_placeholder_pixdim_without_qform_believes_the_sform(write_nifti, voxels):
    path = write_nifti(voxels, pixdim=(1, 1, 1), sform=sform_of(-0.8, -0.8, 2.5))
    volume = read_volume(path)
    assert volume.spacing_source is SpacingSource.SFORM_OVER_UNIT_PIXDIM
    assert volume.flags == ("spacing_from_sform_over_unit_pixdim",)
    assert volume.spacing_mm == pytest.approx((0.8, 0.8, 2.5), rel=1e-6)
    assert volume.orientation_as_stored == "LPS"


def test_placeholder_pixdim_with_a_qform_believes_the_qform(write_nifti, voxels):
    path = write_nifti(
        voxels, pixdim=(1, 1, 1), sform=sform_of(0.8, 0.8, 2.5), quaternion=IDENTITY_QUATERNION
    )
    assert read_volume(path).spacing_mm == (1.0, 1.0, 1.0)


def test_unit_sform_without_qform_lends_its_axes_to_pixdim(write_nifti, voxels):
    unit = np.array([[0, -1, 0, 11], [1, 0, 0, 12], [0, 0, 1, 13], [0, 0, 0, 1]])
    path = write_nifti(voxels, pixdim=(0.5, 0.75, 2.0), sform=unit)
    volume = read_volume(path)
    assert volume.spacing_source is SpacingSource.SFORM_AXES_PIXDIM
    assert volume.flags == ("spacing_from_sform_axes_pixdim",)
    assert volume.orientation_as_stored == "ALS"
    assert volume.spacing_mm == (0.75, 0.5, 2.0)
    np.testing.assert_array_equal(volume.array, voxels.transpose(1, 0, 2)[::-1])
    np.testing.assert_allclose(volume.affine[:3, 3], (11 - 4 * 0.75, 12, 13))


def test_contradiction_without_qform_asks_which_to_believe(write_nifti, voxels):
    path = write_nifti(voxels, pixdim=(0.5, 0.5, 3.0), sform=sform_of(0.8, 0.8, 2.5))
    with pytest.raises(AmbiguousSpacingError, match=r"image\.nii.*--spacing-from"):
        read_volume(path)


@pytest.mark.parametrize(
    ("spacing_from", "expected_mm", "source"),
    [
        ("sform", (0.8, 0.8, 2.5), "sform_requested"),
        ("pixdim", (0.5, 0.5, 3.0), "sform_axes_pixdim"),
    ],
)
def test_the_callers_decision_settles_a_contradiction(
    write_nifti, voxels, spacing_from, expected_mm, source
):
    path = write_nifti(voxels, pixdim=(0.5, 0.5, 3.0), sform=sform_of(-0.8, -0.8, 2.5))
    volume = read_volume(path, spacing_from=spacing_from)
    assert volume.spacing_mm == pytest.approx(expected_mm, rel=1e-6)
    assert volume.spacing_source == source
    assert volume.orientation_as_stored == "LPS"


def test_asking_for_a_statement_the_header_lacks_is_an_error(write_nifti, voxels):
    path = write_nifti(voxels, pixdim=(0.5, 0.5, 3.0), sform=sform_of(0.8, 0.8, 2.5))
    with pytest.raises(BadHeaderError, match="qform_code is 0"):
        read_volume(path, spacing_from="qform")


def test_without_both_codes_pixdim_gives_lengths_and_orientation_is_unknown(write_nifti, voxels):
    path = write_nifti(voxels, pixdim=(0.5, 0.75, 2.0))
    volume = read_volume(path)
    assert volume.spacing_source is SpacingSource.PIXDIM
    assert "orientation_unknown" in volume.flags
    assert volume.orientation_as_stored == ""
    assert volume.obliquity_deg == 0.0
    np.testing.assert_array_equal(volume.affine, sform_of(0.5, 0.75, 2.0))
    np.testing.assert_array_equal(volume.array, voxels)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pixdim_that_is_no_length_is_an_error_even_beside_a_good_sform(
    write_nifti, voxels, bad, axis
):
    pixdim = [1.0, 1.0, 1.0]
    pixdim[axis] = bad
    path = write_nifti(voxels, pixdim=pixdim, sform=np.eye(4))
    with pytest.raises(InvalidSpacingError, match=r"image\.nii.*pixdim"):
        read_volume(path)


@pytest.mark.parametrize(("shear", "accepted"), [(0.0009, True), (0.0011, False)])
def test_axes_off_a_right_angle_by_more_than_a_thousandth_are_refused(
    write_nifti, voxels, shear, accepted
):
    sheared = np.eye(4)
    sheared[0, 1] = shear
    path = write_nifti(voxels, pixdim=(1, 1, 1), sform=sheared)
    if accepted:
        assert read_volume(path).spacing_source is SpacingSource.SFORM
    else:
        with pytest.raises(NonOrthogonalAxesError, match=r"image\.nii.*right angles"):
            read_volume(path)


def test_singular_sform_over_placeholder_pixdim_is_an_error(write_nifti, voxels):
    path = write_nifti(voxels, pixdim=(1, 1, 1), sform=sform_of(0.8, 0.0, 2.5))
    with pytest.raises(InvalidSpacingError, match=r"image\.nii"):
        read_volume(path)


def test_non_finite_sform_over_placeholder_pixdim_is_an_error(write_nifti, voxels):
    path = write_nifti(voxels, pixdim=(1, 1, 1), sform=sform_of(np.nan, 1.0, 2.5))
    with pytest.raises(ItemError, match=r"image\.nii"):
        read_volume(path)


def test_impossible_quaternion_is_an_error(write_nifti, voxels):
    path = write_nifti(voxels, pixdim=(1, 1, 2), quaternion=(0.9, 0.9, 0.0))
    with pytest.raises(BadHeaderError, match="no rotation"):
        read_volume(path)


@pytest.mark.parametrize(("code", "unit_mm"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)])
@pytest.mark.parametrize("with_sform", [True, False])
def test_length_units_become_millimetres(write_nifti, voxels, code, unit_mm, with_sform):
    raw = np.array([0.5, 0.75, 2.0]) / unit_mm
    path = write_nifti(
        voxels,
        pixdim=tuple(raw),
        sform=sform_of(*raw, origin=10 / unit_mm * np.ones(3)) if with_sform else None,
        quaternion=IDENTITY_QUATERNION,
        qoffset=tuple(10 / unit_mm * np.ones(3)),
        xyzt_units=code | 8,  # seconds
    )
    volume = read_volume(path)
    assert volume.spacing_mm == pytest.approx((0.5, 0.75, 2.0), rel=1e-6)
    np.testing.assert_allclose(volume.affine[:3, 3], 10.0, rtol=1e-6)
    assert ("units_converted" in volume.flags) == (unit_mm != 1.0)


def test_library_defaults_do_not_leak_in(write_nifti, voxels):
    """Nibabel reads this header as spacing 1: the raw zero must be refused instead."""
    path = write_nifti(voxels, pixdim=(0.0, 1.0, 1.0), quaternion=IDENTITY_QUATERNION)
    assert nib.load(path).header.get_zooms() == (1.0, 1.0, 1.0)
    with pytest.raises(InvalidSpacingError, match="repair the header"):
        read_volume(path)
