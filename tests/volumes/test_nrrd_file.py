"""NRRD: spaces, detached data, and agreement with the same NIfTI."""

import nibabel as nib
import nrrd
import numpy as np
import pytest

from medvision.volumes import read_geometry, read_label_map, read_volume, volume_fingerprint
from medvision.volumes.errors import (
    BadHeaderError,
    CorruptFileError,
    DimensionsError,
    InvalidSpacingError,
    MissingFileError,
    MissingSpacingError,
    NonOrthogonalAxesError,
    NotAnImageError,
    TruncatedFileError,
)

COS, SIN = np.cos(np.deg2rad(15)), np.sin(np.deg2rad(15))
OBLIQUE_RAS = np.array(
    [
        [-0.5 * COS, 0.75 * SIN, 0, 10],
        [-0.5 * SIN, -0.75 * COS, 0, 20],
        [0, 0, 2, 30],
        [0, 0, 0, 1],
    ]
)
FROM_RAS = {
    "right-anterior-superior": (1, 1, 1),
    "RAS": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "LAS": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "LPS": (-1, -1, 1),
}


def save_nrrd(path, array, **header):
    nrrd.write(str(path), array, {"encoding": "gzip", **header}, index_order="F")
    return path


def save_oriented(path, array, affine, space="left-posterior-superior", **more):
    turned = np.asarray(FROM_RAS[space])[:, None] * affine[:3]
    header = {"space": space, "space directions": turned[:, :3].T, "space origin": turned[:, 3]}
    return save_nrrd(path, array, **header, **more)


@pytest.mark.parametrize("space", FROM_RAS)
@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_any_space_reads_like_the_same_nifti(tmp_path, voxels, space, encoding):
    path = save_oriented(tmp_path / "a.nrrd", voxels, OBLIQUE_RAS, space, encoding=encoding)
    nib.save(nib.Nifti1Image(voxels, OBLIQUE_RAS), tmp_path / "a.nii.gz")
    volume, twin = read_volume(path), read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(volume.array, twin.array)
    np.testing.assert_allclose(volume.affine, twin.affine, atol=1e-5)
    assert volume.array.dtype == twin.array.dtype
    assert volume.orientation_as_stored == twin.orientation_as_stored == "LPS"
    assert volume.spacing_source == "header"
    assert volume.flags == ()
    assert volume_fingerprint(volume.array) == volume_fingerprint(twin.array)


def test_lps_origin_and_directions_change_sign_of_x_and_y(tmp_path, voxels):
    path = save_nrrd(
        tmp_path / "a.nrrd",
        voxels,
        **{
            "space": "left-posterior-superior",
            "space directions": np.diag([0.5, 0.75, 2.0]),
            "space origin": [1.0, 2.0, 3.0],
        },
    )
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, voxels[::-1, ::-1])
    # stored voxel (3, 4, 0) lies at LPS (2.5, 5, 3), so RAS (-2.5, -5, 3)
    np.testing.assert_allclose(volume.affine[:3, 3], (-2.5, -5.0, 3.0))


def test_detached_header_finds_its_data(tmp_path, voxels):
    nrrd.write(
        str(tmp_path / "a.nhdr"),
        voxels,
        {"space": "RAS", "space directions": np.eye(3), "space origin": np.zeros(3)},
    )
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nhdr").array, voxels)


def test_detached_header_without_its_data_names_the_data_file(tmp_path, voxels):
    nrrd.write(str(tmp_path / "a.nhdr"), voxels, {"spacings": [1.0, 1.0, 1.0]})
    next(tmp_path.glob("a.raw*")).unlink()
    with pytest.raises(MissingFileError, match=r"a\.nhdr: its data file .*a\.raw.* is missing"):
        read_volume(tmp_path / "a.nhdr")


def test_spacings_without_space_leave_orientation_unknown(tmp_path, voxels):
    path = save_nrrd(tmp_path / "a.nrrd", voxels, spacings=[0.5, 0.75, 2.0])
    volume = read_volume(path)
    assert volume.flags == ("orientation_unknown",)
    assert volume.spacing_mm == (0.5, 0.75, 2.0)
    np.testing.assert_array_equal(volume.array, voxels)


def test_space_without_anatomy_leaves_orientation_unknown(tmp_path, voxels):
    path = save_nrrd(
        tmp_path / "a.nrrd",
        voxels,
        **{"space": "3D-right-handed", "space directions": np.diag([-0.5, 0.75, 2.0])},
    )
    volume = read_volume(path)
    assert volume.flags == ("orientation_unknown",)
    np.testing.assert_array_equal(volume.affine, np.diag([0.5, 0.75, 2.0, 1.0]))


def test_no_spacing_at_all_is_an_error(tmp_path, voxels):
    with pytest.raises(MissingSpacingError, match=r"a\.nrrd.*neither"):
        read_volume(save_nrrd(tmp_path / "a.nrrd", voxels))


@pytest.mark.parametrize("spacing", [0.0, -1.0])
def test_spacing_that_is_no_length_is_an_error(tmp_path, voxels, spacing):
    path = save_nrrd(tmp_path / "a.nrrd", voxels, spacings=[1.0, spacing, 1.0])
    with pytest.raises(InvalidSpacingError, match=r"a\.nrrd"):
        read_volume(path)


def test_sheared_directions_are_an_error(tmp_path, voxels):
    sheared = np.eye(4)
    sheared[0, 1] = 0.1
    path = save_oriented(tmp_path / "a.nrrd", voxels, sheared)
    with pytest.raises(NonOrthogonalAxesError, match=r"a\.nrrd"):
        read_volume(path)


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1.0), ("m", 1000.0), ("um", 0.001)])
def test_space_units_become_millimetres(tmp_path, voxels, unit, scale):
    affine = np.diag([*(np.array([0.5, 0.75, 2.0]) / scale), 1.0])
    path = save_oriented(tmp_path / "a.nrrd", voxels, affine, "RAS", **{"space units": [unit] * 3})
    assert read_volume(path).spacing_mm == pytest.approx((0.5, 0.75, 2.0))


def test_unknown_space_unit_is_an_error(tmp_path, voxels):
    path = save_oriented(
        tmp_path / "a.nrrd", voxels, np.eye(4), "RAS", **{"space units": ["inch"] * 3}
    )
    with pytest.raises(BadHeaderError, match="inch"):
        read_volume(path)


@pytest.mark.parametrize("axis", [0, 3])
def test_singleton_list_axis_is_dropped(tmp_path, voxels, axis):
    directions = np.insert(np.diag([0.5, 0.75, 2.0]), axis, np.nan, axis=0)
    path = save_nrrd(
        tmp_path / "a.nrrd",
        np.expand_dims(voxels, axis),
        **{"space": "RAS", "space directions": directions},
    )
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, voxels)
    assert volume.spacing_mm == (0.5, 0.75, 2.0)


def test_layers_are_an_error(tmp_path, voxels):
    directions = np.insert(np.eye(3), 0, np.nan, axis=0)
    path = save_nrrd(
        tmp_path / "a.nrrd",
        np.stack([voxels, voxels]),
        **{"space": "RAS", "space directions": directions},
    )
    with pytest.raises(DimensionsError, match=r"a\.nrrd.*2, 4, 5, 6"):
        read_volume(path)


def test_2d_file_is_native(tmp_path):
    stored = np.arange(6, dtype=np.uint8).reshape(3, 2)
    volume = read_volume(save_nrrd(tmp_path / "a.nrrd", stored, spacings=[0.5, 0.75]))
    assert volume.is_native
    assert volume.spacing_mm == (0.75, 0.5)
    np.testing.assert_array_equal(volume.array, stored.T)


def test_2d_file_without_spacing_takes_the_stated_one(tmp_path):
    path = save_nrrd(tmp_path / "a.nrrd", np.ones((3, 2), np.uint8))
    assert read_volume(path, spacing_mm=(0.2, 0.1)).spacing_mm == (0.2, 0.1)
    with pytest.raises(MissingSpacingError, match="--spacing-mm"):
        read_volume(path)


def test_label_map_keeps_its_labels(tmp_path):
    labels = np.arange(8, dtype=np.uint16).reshape(2, 2, 2)
    path = save_oriented(tmp_path / "a.nrrd", labels, np.eye(4), "RAS")
    volume = read_label_map(path)
    assert volume.array.dtype == np.uint16
    np.testing.assert_array_equal(volume.array, labels)


def test_geometry_needs_no_data(tmp_path, voxels):
    path = save_oriented(tmp_path / "a.nrrd", voxels, OBLIQUE_RAS, encoding="raw")
    volume = read_volume(path)
    path.write_bytes(path.read_bytes()[:-100])
    np.testing.assert_array_equal(read_geometry(path).affine, volume.affine)


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_truncated_data_is_an_error(tmp_path, voxels, encoding):
    path = save_oriented(tmp_path / "a.nrrd", voxels, np.eye(4), encoding=encoding)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(TruncatedFileError, match=r"a\.nrrd: expected \(4, 5, 6\) of"):
        read_volume(path)


def test_damaged_data_is_an_error(tmp_path, voxels):
    path = save_oriented(tmp_path / "a.nrrd", voxels, np.eye(4), encoding="gzip")
    content = bytearray(path.read_bytes())
    content[-60:-20] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises((CorruptFileError, TruncatedFileError), match=r"a\.nrrd"):
        read_volume(path)


def test_other_content_is_an_error(tmp_path):
    (tmp_path / "a.nrrd").write_bytes(b"no such thing\n" * 20)
    with pytest.raises(NotAnImageError, match=r"a\.nrrd: not an NRRD file"):
        read_volume(tmp_path / "a.nrrd")


@pytest.mark.parametrize(
    "content",
    [
        b"NRRD0099\n\n",
        b"NRRD0004\nthis is no field\n\n",
        b"NRRD0004\ntype: short\ndimension: 3\n\n",
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 1 2\nencoding: raw\n\n",
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 1 -2 2\nencoding: raw\n\n",
        b"NRRD0004\ntype: short\ndimension: x\nsizes: 1 2 2\nencoding: raw\n\n",
    ],
)
def test_broken_header_is_an_error(tmp_path, content):
    (tmp_path / "a.nrrd").write_bytes(content)
    with pytest.raises(BadHeaderError, match=r"a\.nrrd"):
        read_volume(tmp_path / "a.nrrd")
