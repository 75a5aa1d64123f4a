"""One scan stored in any axis order, flip or obliquity reads as the same canonical volume."""

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.affines import apply_affine
from nibabel.orientations import axcodes2ornt, inv_ornt_aff

from medvision.volumes import read_volume, volume_fingerprint
from medvision.volumes.canonical import canonical_geometry, obliquity_deg
from medvision.volumes.errors import InvalidSpacingError
from medvision.volumes.stored import StoredImage
from medvision.volumes.volume import SpacingSource

ORIENTATIONS = [
    "".join(codes)
    for codes in itertools.product("RLAPSI", repeat=3)
    if sorted({"L": "R", "P": "A", "I": "S"}.get(c, c) for c in codes) == ["A", "R", "S"]
]

ONE_FILE_AGAIN_AND_AGAIN = [
    *settings.default.suppress_health_check,
    HealthCheck.function_scoped_fixture,
]


def turn(axis: int, angle_deg: float) -> np.ndarray:
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    turned = np.eye(4)
    first, second = [n for n in range(3) if n != axis]
    turned[[first, first, second, second], [first, second, first, second]] = [cos, -sin, sin, cos]
    return turned


def restored(array, affine, codes):
    """The same scan with its axes stored towards `codes`."""
    ornt = nib.orientations.ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    stored = nib.orientations.apply_orientation(array, ornt)
    return stored, affine @ inv_ornt_aff(ornt, array.shape)


def saved(path, stored, affine):
    image = nib.Nifti1Image(np.ascontiguousarray(stored), affine)
    image.set_sform(affine, 1)
    image.set_qform(None, 0)
    nib.save(image, path)
    return path


def test_there_are_48_ways_to_store_a_volume():
    assert len(ORIENTATIONS) == 48


@pytest.mark.parametrize("codes", ORIENTATIONS)
@pytest.mark.parametrize("angle_deg", [0.0, 12.0])
def test_every_storage_order_reads_as_one_volume(tmp_path, voxels, codes, angle_deg):
    affine = turn(2, angle_deg) @ turn(0, angle_deg / 2) @ np.diag([0.5, 0.75, 2.0, 1.0])
    affine[:3, 3] = [-10.0, 20.0, 30.0]
    stored, stored_affine = restored(voxels, affine, codes)
    volume = read_volume(saved(tmp_path / "a.nii", stored, stored_affine))
    assert volume.orientation_as_stored == codes
    np.testing.assert_array_equal(volume.array, voxels)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-5)
    assert volume.spacing_mm == pytest.approx((0.5, 0.75, 2.0), rel=1e-6)
    assert volume_fingerprint(volume.array) == volume_fingerprint(voxels)


@given(
    codes=st.sampled_from(ORIENTATIONS),
    spacing=st.tuples(*[st.floats(0.1, 10.0)] * 3),
    angles=st.tuples(*[st.floats(-180.0, 180.0)] * 3),
    shape=st.tuples(*[st.integers(1, 5)] * 3),
)
@settings(max_examples=60, suppress_health_check=ONE_FILE_AGAIN_AND_AGAIN)
def test_any_orthogonal_affine_reads_as_nibabel_orders_it(tmp_path, codes, spacing, angles, shape):
    array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    affine = turn(0, angles[0]) @ turn(1, angles[1]) @ turn(2, angles[2]) @ np.diag([*spacing, 1])
    stored, stored_affine = restored(array, affine, codes)
    path = saved(tmp_path / "a.nii", stored, stored_affine)
    volume = read_volume(path)
    oracle = nib.as_closest_canonical(nib.load(path))
    np.testing.assert_array_equal(volume.array, np.asarray(oracle.dataobj))
    np.testing.assert_allclose(volume.affine, oracle.affine, rtol=0, atol=1e-9)
    np.testing.assert_allclose(volume.spacing_mm, nib.affines.voxel_sizes(oracle.affine))
    turned_back = np.eye(4)  # nibabel's angles are of the world axes, ours of the array axes
    turned_back[:3, :3] = (stored_affine[:3, :3] / np.linalg.norm(stored_affine[:3, :3], axis=0)).T
    expected_deg = np.rad2deg(nib.affines.obliquity(turned_back)).max()
    assert volume.obliquity_deg == pytest.approx(expected_deg, abs=1e-3)


@given(codes=st.sampled_from(ORIENTATIONS), angle=st.floats(-40, 40), data=st.data())
@settings(max_examples=40, suppress_health_check=ONE_FILE_AGAIN_AND_AGAIN)
def test_every_voxel_keeps_its_place_in_the_world(tmp_path, voxels, codes, angle, data):
    affine = turn(1, angle) @ np.diag([0.5, 0.75, 2.0, 1.0])
    stored, stored_affine = restored(voxels, affine, codes)
    volume = read_volume(saved(tmp_path / "a.nii", stored, stored_affine))
    value = data.draw(st.integers(0, voxels.size - 1))
    (stored_ijk,) = np.argwhere(stored == value)
    (found_ijk,) = np.argwhere(volume.array == value)
    np.testing.assert_allclose(
        apply_affine(volume.affine, found_ijk),
        apply_affine(stored_affine, stored_ijk),
        atol=1e-4,
    )


def test_storage_order_leaves_spacing_equal_to_the_last_bit(tmp_path, voxels):
    affine = turn(2, 17.0) @ turn(0, 9.0) @ np.diag([0.48828125, 0.9765625, 3.3, 1.0])
    spacings = set()
    for codes in ORIENTATIONS:
        stored, stored_affine = restored(voxels, affine, codes)
        spacings.add(read_volume(saved(tmp_path / "a.nii", stored, stored_affine)).spacing_mm)
    assert len(spacings) == 1


@pytest.mark.parametrize("angle_deg", [0.0, 1e-4, 5.0, 44.0])
def test_obliquity_is_the_angle_of_a_plain_turn(angle_deg):
    affine = turn(1, angle_deg) @ np.diag([0.5, -0.75, 2.0, 1.0])
    assert obliquity_deg(affine) == pytest.approx(angle_deg, abs=1e-9)


def test_orientation_codes_of_the_file_are_those_of_nibabel(tmp_path, voxels):
    path = saved(tmp_path / "a.nii", voxels, np.diag([-1.0, -1.0, 1.0, 1.0]))
    codes = nib.aff2axcodes(nib.load(path).affine)
    assert read_volume(path).orientation_as_stored == "".join(codes) == "LPS"


@pytest.mark.parametrize("spacing_mm", [0.0, 1e-30, 1e38, np.inf, np.nan])
@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 2)])
def test_spacings_that_no_image_has_are_an_error(spacing_mm, shape):
    affine = np.diag([1.0, spacing_mm, 1.0, 1.0])
    stored = StoredImage(
        path=Path("a.nii"),
        shape=shape,
        affine=affine,
        spacing_source=SpacingSource.HEADER,
        load=lambda: np.zeros(shape),
    )
    with pytest.raises(InvalidSpacingError, match="expected finite axes of 1e-06 to 10000"):
        canonical_geometry(stored)
