"""Stacks of DICOM slices: those that are volumes, and those that are not."""

import dataclasses

import numpy as np
import pytest

from medvision.volumes.dicom_stack import SlicePlacement, stack_affine, stacking_order
from medvision.volumes.errors import (
    GantryTiltError,
    MissingSlicesError,
    MissingSpacingError,
    NonUniformSlicesError,
)


def slices_at(positions, orientation=(1, 0, 0, 0, 1, 0)):
    return [
        SlicePlacement(
            position_lps=tuple(position),
            orientation_lps=orientation,
            spacing_yx_mm=(0.75, 0.5),
            size_xy_px=(40, 30),
            slice_spacing_mm=2.5,
        )
        for position in positions
    ]


def axial(*z_mm):
    return slices_at([(1.0, 2.0, z) for z in z_mm])


def test_axial_stack_has_columns_rows_and_slices_as_its_axes():
    affine = stack_affine(axial(10, 12, 14), item="series")
    np.testing.assert_allclose(
        affine, [[0.5, 0, 0, 1], [0, 0.75, 0, 2], [0, 0, 2, 10], [0, 0, 0, 1]]
    )


def test_slices_are_ordered_along_their_normal():
    assert stacking_order(axial(14, 10, 12)) == [1, 2, 0]
    coronal = slices_at([(0, y, 0) for y in (3, 1, 2)], orientation=(1, 0, 0, 0, 0, -1))
    assert stacking_order(coronal) == [1, 2, 0]


def test_oblique_stack_follows_its_positions():
    cos, sin = np.cos(0.3), np.sin(0.3)
    normal = np.array([0, -sin, cos])
    positions = [np.array([5, 6, 7]) + n * 3.0 * normal for n in range(4)]
    affine = stack_affine(slices_at(positions, orientation=(1, 0, 0, 0, cos, sin)), item="series")
    np.testing.assert_allclose(affine[:3, 2], 3.0 * normal, atol=1e-12)
    np.testing.assert_allclose(affine[:3, 1], [0, 0.75 * cos, 0.75 * sin], atol=1e-12)


def test_rounded_directions_leave_spacing_exact():
    orientation = (0.999, 0.0, 0.04471, 0.0, 1.0, 0.0)
    affine = stack_affine(slices_at([(0, 0, 0)], orientation=orientation), item="series")
    np.testing.assert_allclose(np.linalg.norm(affine[:3, :3], axis=0), (0.5, 0.75, 2.5), rtol=1e-12)


def test_single_slice_takes_its_stated_thickness():
    np.testing.assert_allclose(stack_affine(axial(10), item="series")[:3, 2], [0, 0, 2.5])


def test_single_slice_without_thickness_is_an_error():
    only = dataclasses.replace(axial(10)[0], slice_spacing_mm=None)
    with pytest.raises(MissingSpacingError, match="series"):
        stack_affine([only], item="series")


def test_positions_rounded_to_hundredths_are_uniform():
    positions = np.round(np.arange(50) * 0.625, 2)
    affine = stack_affine(axial(*positions), item="series")
    assert affine[2, 2] == pytest.approx(0.625, rel=1e-3)


@pytest.mark.parametrize("z_mm", [(0, 2, 4, 6.5), (0, 2, 4, 5, 7), (0, 1, 3, 6)])
def test_unequal_distances_are_an_error(z_mm):
    with pytest.raises(NonUniformSlicesError, match="equal slice distances"):
        stack_affine(axial(*z_mm), item="series")


@pytest.mark.parametrize(("z_mm", "n_missing"), [((0, 2, 4, 8), 1), ((0, 2, 4, 6, 12, 14, 18), 3)])
def test_missing_slices_are_an_error_that_counts_them(z_mm, n_missing):
    with pytest.raises(MissingSlicesError, match=f"{n_missing} slices missing"):
        stack_affine(axial(*z_mm), item="series")


def test_two_slices_at_one_place_are_an_error():
    with pytest.raises(NonUniformSlicesError, match="at one place"):
        stack_affine(axial(0, 2, 2, 4), item="series")


def test_gantry_tilt_is_an_error_that_states_the_angle():
    tilt = np.deg2rad(15)
    positions = [(0, n * 2 * np.sin(tilt), n * 2 * np.cos(tilt)) for n in range(4)]
    with pytest.raises(GantryTiltError, match=r"15\.00°"):
        stack_affine(slices_at(positions), item="series")


def test_sideways_jump_and_back_is_an_error():
    positions = [(0, 0, 0), (0, 3, 2), (0, 0, 4)]
    with pytest.raises(NonUniformSlicesError, match="leave their line"):
        stack_affine(slices_at(positions), item="series")


@pytest.mark.parametrize(
    "change",
    [
        {"orientation_lps": (0, 1, 0, 0, 0, -1)},
        {"size_xy_px": (40, 31)},
        {"spacing_yx_mm": (0.75, 0.6)},
    ],
)
def test_slices_that_differ_are_an_error(change):
    slices = axial(0, 2, 4)
    slices[2] = dataclasses.replace(slices[2], **change)
    with pytest.raises(NonUniformSlicesError, match="one orientation, size and pixel spacing"):
        stack_affine(slices, item="series")
