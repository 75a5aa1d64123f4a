"""NIfTI files: storage variants, dtypes, scaling, pairs, and bad input."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from medvision.errors import MissingExtraError
from medvision.volumes import read_geometry, read_label_map, read_volume
from medvision.volumes.errors import (
    BadHeaderError,
    CorruptFileError,
    DimensionsError,
    EmptyFileError,
    InvalidSpacingError,
    LabelValuesError,
    MissingFileError,
    NotAnImageError,
    TruncatedFileError,
    UnsupportedFormatError,
    UnsupportedPixelsError,
)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_unscaled_voxels_keep_value_and_dtype(write_nifti, voxels, name, dtype, byte_order):
    path = write_nifti(voxels.astype(dtype), name, sform=np.eye(4), byte_order=byte_order)
    volume = read_volume(path)
    assert volume.array.dtype == np.dtype(dtype)
    assert volume.array.dtype.isnative
    np.testing.assert_array_equal(volume.array, voxels.astype(dtype))


@pytest.mark.parametrize(("dtype", "expected"), [("i2", "f4"), ("f4", "f4"), ("i4", "f8")])
def test_slope_and_intercept_are_applied(write_nifti, voxels, dtype, expected):
    path = write_nifti(voxels.astype(dtype), sform=np.eye(4), slope=0.5, inter=-1024.0)
    volume = read_volume(path)
    assert volume.array.dtype == np.dtype(expected)
    np.testing.assert_allclose(volume.array, voxels * 0.5 - 1024)


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf, 1.0])
def test_slope_that_means_nothing_leaves_voxels_as_stored(write_nifti, voxels, slope):
    path = write_nifti(voxels, sform=np.eye(4), slope=slope, inter=0.0)
    assert read_volume(path).array.dtype == np.int16


@pytest.mark.parametrize("inter", [0.0, 5.0, -1024.0])
@pytest.mark.parametrize("slope", [0.0, np.nan, 1.0, -1.0, 2.0, 1e-3])
def test_scaling_is_nibabels(write_nifti, voxels, slope, inter):
    path = write_nifti(voxels, sform=np.eye(4), slope=slope, inter=inter)
    found, expected = read_volume(path).array, nib.load(path).get_fdata()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("code", [3, 5, 24, 1002, 1005, 1007, 2003])
def test_intent_changes_no_voxel(write_nifti, voxels, code):
    # z-scores, label maps, vectors: of a volume with one value a voxel it is a name only.
    path = write_nifti(voxels, sform=np.eye(4))
    content = bytearray(path.read_bytes())
    content[68:70] = code.to_bytes(2, "little")
    path.write_bytes(content)
    np.testing.assert_array_equal(read_volume(path).array, voxels)


@pytest.mark.parametrize("tail", [b"\0" * 512, b"garbage"])
def test_bytes_after_a_gzip_stream_or_the_voxels_are_no_voxels(write_nifti, voxels, tail):
    for name in ("a.nii", "a.nii.gz"):
        path = write_nifti(voxels, name, sform=np.eye(4))
        path.write_bytes(path.read_bytes() + tail)
        np.testing.assert_array_equal(read_volume(path).array, voxels)


def test_a_gzip_file_of_several_streams_is_one(write_nifti, voxels):
    path = write_nifti(voxels, "a.nii.gz", sform=np.eye(4))
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:200]) + gzip.compress(content[200:]))
    np.testing.assert_array_equal(read_volume(path).array, voxels)


def test_voxels_that_are_no_number_stay_in_images_and_are_no_label(write_nifti, voxels):
    values = voxels.astype(np.float32)
    values[0, 0, 0], values[1, 1, 1] = np.nan, np.inf
    path = write_nifti(values, sform=np.eye(4))
    np.testing.assert_array_equal(read_volume(path).array, values)
    with pytest.raises(LabelValuesError, match=r"image\.nii: .*1 more such"):
        read_label_map(path)


@pytest.mark.parametrize("value", [0.9999, np.float32(0.9999999), -1.0, 2.0**31, 1e300])
def test_labels_that_are_nearly_or_far_from_integers_are_an_error(write_nifti, value):
    with pytest.raises(LabelValuesError, match=r"image\.nii"):
        read_label_map(write_nifti(np.array([[[0, value]]], np.float64), sform=np.eye(4)))


@pytest.mark.parametrize(("code", "n_bytes"), [(1, 1), (32, 8), (128, 3), (1536, 16), (2304, 4)])
def test_voxels_of_several_numbers_are_an_error(write_nifti, voxels, code, n_bytes):
    path = write_nifti(voxels, sform=np.eye(4))
    content = bytearray(path.read_bytes()) + bytes(voxels.size * n_bytes)
    content[70:74] = code.to_bytes(2, "little") + (8 * n_bytes).to_bytes(2, "little")
    path.write_bytes(content)
    for read in (read_volume, read_label_map):
        with pytest.raises(UnsupportedPixelsError, match=rf"datatype code {code}"):
            read(path)


def test_non_finite_intercept_is_an_error(write_nifti, voxels):
    path = write_nifti(voxels, sform=np.eye(4), slope=2.0, inter=np.nan)
    with pytest.raises(BadHeaderError, match="scl_inter"):
        read_volume(path)


def test_scaled_label_map_returns_to_its_integers(write_nifti):
    labels = np.arange(0, 250, 50, dtype=np.uint8).reshape(1, 1, 5)
    path = write_nifti(labels, sform=np.eye(4), slope=0.02, inter=0.0)
    volume = read_label_map(path)
    assert volume.array.dtype == np.int32
    np.testing.assert_array_equal(volume.array.ravel(), [0, 1, 2, 3, 4])


@pytest.mark.parametrize("name", ["b.nii", "b.nii.gz"])
def test_nifti_2_reads_like_nifti_1(tmp_path, voxels, name):
    affine = np.diag([-0.5, 0.75, 2.0, 1.0])
    nib.save(nib.Nifti2Image(voxels, affine), tmp_path / name)
    volume = read_volume(tmp_path / name)
    assert volume.orientation_as_stored == "LAS"
    assert volume.spacing_mm == (0.5, 0.75, 2.0)
    np.testing.assert_array_equal(volume.array, voxels[::-1])


@pytest.mark.parametrize("named", ["p.hdr", "p.img"])
def test_header_and_data_pair_reads_from_either_name(tmp_path, voxels, named):
    nib.save(nib.Nifti1Pair(voxels, np.diag([0.5, 0.75, 2.0, 1.0])), tmp_path / "p.img")
    np.testing.assert_array_equal(read_volume(tmp_path / named).array, voxels)


def test_pair_of_gzipped_files_is_read(tmp_path, voxels):
    nib.save(nib.Nifti1Pair(voxels, np.eye(4)), tmp_path / "p.img.gz")
    np.testing.assert_array_equal(read_volume(tmp_path / "p.hdr.gz").array, voxels)


def test_half_of_a_pair_names_the_missing_half(tmp_path, voxels):
    nib.save(nib.Nifti1Pair(voxels, np.eye(4)), tmp_path / "p.img")
    (tmp_path / "p.hdr").unlink()
    with pytest.raises(MissingFileError, match=r"p\.img.*p\.hdr"):
        read_volume(tmp_path / "p.img")


def test_two_data_files_of_one_header_are_an_error(tmp_path, voxels):
    nib.save(nib.Nifti1Pair(voxels, np.eye(4)), tmp_path / "p.hdr")
    (tmp_path / "p.img.gz").write_bytes(gzip.compress((tmp_path / "p.img").read_bytes()))
    with pytest.raises(UnsupportedFormatError, match=r"expected one \.img .*p\.img and a \.gz"):
        read_volume(tmp_path / "p.hdr")
    assert read_volume(tmp_path / "p.img.gz").shape == voxels.shape  # it was named


def test_analyze_file_is_refused_for_its_unknown_orientation(tmp_path, voxels):
    nib.save(nib.AnalyzeImage(voxels, np.eye(4)), tmp_path / "p.img")
    with pytest.raises(UnsupportedFormatError, match="ANALYZE"):
        read_volume(tmp_path / "p.hdr")


def test_header_extensions_before_the_voxels_are_skipped(tmp_path, voxels):
    image = nib.Nifti1Image(voxels, np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 1000))
    nib.save(image, tmp_path / "e.nii.gz")
    np.testing.assert_array_equal(read_volume(tmp_path / "e.nii.gz").array, voxels)


@pytest.mark.parametrize("n_dropped", [1, 4])
def test_singleton_axes_beyond_the_third_are_dropped(write_nifti, voxels, n_dropped):
    dim = (3 + n_dropped, *voxels.shape, *(1,) * n_dropped)
    path = write_nifti(voxels, sform=np.eye(4), dim=dim)
    np.testing.assert_array_equal(read_volume(path).array, voxels)


def test_volume_of_one_slice_stays_a_volume(write_nifti):
    path = write_nifti(np.ones((4, 5, 1), np.uint8), sform=np.eye(4))
    volume = read_volume(path)
    assert volume.array.shape == (4, 5, 1)
    assert not volume.is_native


def test_2d_image_is_native_with_columns_first_in_the_file(write_nifti):
    stored = np.arange(6, dtype=np.uint8).reshape(3, 2)  # x = 3 columns, y = 2 rows
    path = write_nifti(stored, sform=np.diag([0.5, 0.75, 1, 1]), pixdim=(0.5, 0.75))
    volume = read_volume(path)
    assert volume.is_native
    assert volume.array.shape == (2, 3)
    np.testing.assert_array_equal(volume.array, stored.T)
    assert volume.spacing_mm == (0.75, 0.5)
    np.testing.assert_array_equal(volume.affine, np.diag([0.5, 0.75, 1.0, 1.0]))
    assert volume.flags == ()


def test_2d_image_with_flipped_axes_is_shown_as_stored(write_nifti):
    stored = np.arange(6, dtype=np.uint8).reshape(3, 2)
    path = write_nifti(stored, sform=np.diag([-0.5, -0.75, 1, 1]), pixdim=(0.5, 0.75, 0.0))
    np.testing.assert_array_equal(read_volume(path).array, stored.T)


def test_stated_spacing_of_a_2d_image_wins_and_shows(write_nifti):
    path = write_nifti(np.ones((3, 2), np.uint8), sform=np.eye(4), pixdim=(1, 1))
    volume = read_volume(path, spacing_mm=(0.2, 0.1))
    assert volume.spacing_mm == (0.2, 0.1)
    assert volume.spacing_source == "argument"
    assert volume.flags == ("spacing_overridden",)


def test_unusable_spacing_of_a_2d_image_asks_for_one_and_takes_it(write_nifti):
    path = write_nifti(np.ones((3, 2), np.uint8), sform=np.eye(4), pixdim=(0, 1))
    with pytest.raises(InvalidSpacingError, match="--spacing-mm Y,X"):
        read_volume(path)
    assert read_volume(path, spacing_mm=(0.2, 0.1)).spacing_mm == (0.2, 0.1)


def test_stated_spacing_of_a_volume_is_refused(write_nifti, voxels):
    path = write_nifti(voxels, sform=np.eye(4))
    with pytest.raises(InvalidSpacingError, match="--spacing-mm is for 2D images"):
        read_volume(path, spacing_mm=(0.2, 0.1))


def test_geometry_equals_that_of_the_volume_without_its_voxels(write_nifti, voxels):
    path = write_nifti(
        voxels, pixdim=(0.5, 0.75, 2.0), quaternion=(0.1, 0.6, 0.2), qoffset=(1, 2, 3)
    )
    volume = read_volume(path)
    path.write_bytes(path.read_bytes()[:352])
    geometry = read_geometry(path)
    np.testing.assert_array_equal(geometry.affine, volume.affine)
    assert geometry.shape == volume.array.shape
    assert geometry.spacing_mm == volume.spacing_mm
    assert geometry.flags == volume.flags


class TestBadInput:
    def test_missing_file(self, tmp_path):
        with pytest.raises(MissingFileError, match=r"none\.nii.*no such file"):
            read_volume(tmp_path / "none.nii")

    def test_empty_file(self, tmp_path):
        (tmp_path / "a.nii.gz").write_bytes(b"")
        with pytest.raises(EmptyFileError, match=r"a\.nii\.gz.*empty"):
            read_volume(tmp_path / "a.nii.gz")

    @pytest.mark.parametrize("content", [b"not an image at all", b"\0" * 1000, b"ab"])
    @pytest.mark.parametrize("packed", [True, False])
    def test_other_content(self, tmp_path, content, packed):
        (tmp_path / "a.nii.gz").write_bytes(gzip.compress(content) if packed else content)
        with pytest.raises(NotAnImageError, match=r"a\.nii\.gz.*not a NIfTI file"):
            read_volume(tmp_path / "a.nii.gz")

    def test_unknown_suffix(self, tmp_path):
        (tmp_path / "a.docx").write_bytes(b"x" * 200)
        with pytest.raises(UnsupportedFormatError, match=r"a\.docx.*\.nii\.gz"):
            read_volume(tmp_path / "a.docx")

    @pytest.mark.parametrize("n_lost", [1, 100, 240, 300])
    def test_truncated_plain_file(self, write_nifti, voxels, n_lost):
        path = write_nifti(voxels, sform=np.eye(4))
        path.write_bytes(path.read_bytes()[:-n_lost])
        with pytest.raises(TruncatedFileError, match=r"image\.nii.*expected"):
            read_volume(path)

    def test_truncated_header(self, write_nifti, voxels):
        path = write_nifti(voxels, sform=np.eye(4))
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(TruncatedFileError, match="348"):
            read_volume(path)

    def test_every_truncation_of_a_gzipped_file(self, write_nifti, voxels):
        path = write_nifti(voxels, "a.nii.gz", sform=np.eye(4))
        content = path.read_bytes()
        for n_kept in range(2, len(content), 7):
            path.write_bytes(content[:n_kept])
            with pytest.raises((TruncatedFileError, NotAnImageError), match=r"a\.nii\.gz"):
                read_volume(path)

    def test_damaged_gzip_stream(self, write_nifti, voxels):
        path = write_nifti(voxels, "a.nii.gz", sform=np.eye(4))
        content = bytearray(path.read_bytes())
        content[-6] ^= 0xFF  # inside the checksum
        path.write_bytes(content)
        with pytest.raises(CorruptFileError, match=r"a\.nii\.gz.*damaged"):
            read_volume(path)

    @pytest.mark.parametrize("dim", [(4, 4, 5, 3, 2), (5, 4, 5, 3, 1, 2), (4, 4, 5, 1, 6)])
    def test_four_dimensional_volume(self, write_nifti, voxels, dim):
        path = write_nifti(voxels, sform=np.eye(4), dim=dim)
        with pytest.raises(DimensionsError, match="expected a 2D image or a 3D volume"):
            read_volume(path)

    @pytest.mark.parametrize("dim", [(3, 4, 0, 6), (0, 1, 1, 1), (9, 1, 1, 1), (3, 4, -5, 6)])
    def test_impossible_sizes(self, write_nifti, voxels, dim):
        with pytest.raises(BadHeaderError, match=r"image\.nii"):
            read_volume(write_nifti(voxels, sform=np.eye(4), dim=dim))

    def test_one_axis(self, write_nifti, voxels):
        with pytest.raises(DimensionsError, match=r"image\.nii"):
            read_volume(write_nifti(voxels, sform=np.eye(4), dim=(1, 120)))

    def test_complex_voxels(self, write_nifti):
        path = write_nifti(np.ones((2, 2, 2), np.complex64), sform=np.eye(4))
        with pytest.raises(UnsupportedPixelsError, match="datatype code 32"):
            read_volume(path)

    def test_sizes_far_beyond_the_file(self, write_nifti, voxels):
        path = write_nifti(voxels, "a.nii.gz", sform=np.eye(4), dim=(3, 32767, 32767, 32767))
        with pytest.raises(TruncatedFileError, match=r"a\.nii\.gz"):
            read_volume(path)

    def test_pair_magic_in_a_single_file(self, write_nifti, voxels):
        with pytest.raises(NotAnImageError, match=r"\.hdr/\.img"):
            read_volume(write_nifti(voxels, sform=np.eye(4), magic=b"ni1\0"))

    @pytest.mark.parametrize("offset", [10.0, -5.0, np.nan])
    def test_voxels_said_to_start_inside_the_header(self, write_nifti, voxels, offset):
        with pytest.raises(BadHeaderError, match="vox_offset"):
            read_volume(write_nifti(voxels, sform=np.eye(4), vox_offset=offset))

    def test_folder_is_no_nifti(self, tmp_path):
        (tmp_path / "a.nii").mkdir()
        with pytest.raises((NotAnImageError, MissingExtraError), match=r"a\.nii"):
            read_volume(tmp_path / "a.nii")
