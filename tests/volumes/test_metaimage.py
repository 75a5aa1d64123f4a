"""MetaImage, checked against SimpleITK where the extra is installed."""

import gzip
import sys
import zlib

import numpy as np
import pytest

from medvision.volumes import companion_files, read_geometry, read_label_map, read_volume
from medvision.volumes.errors import (
    BadHeaderError,
    CorruptFileError,
    DimensionsError,
    InvalidSpacingError,
    MissingFileError,
    MissingSpacingError,
    NotAnImageError,
    OutOfMemoryError,
    TruncatedFileError,
    UnsupportedPixelsError,
)

LPS_DIRECTION = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 1 2 3
ElementSpacing = 0.5 0.75 2
DimSize = 4 5 6
ElementType = MET_SHORT
ElementDataFile = LOCAL
"""


@pytest.fixture
def sitk():
    return pytest.importorskip("SimpleITK", reason="extra formats is not installed")


def save(path, voxels, header=HEADER):
    path.write_bytes(header.encode() + voxels.astype("<i2").tobytes(order="F"))
    return path


def test_no_library_is_needed(tmp_path, voxels, monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    volume = read_volume(save(tmp_path / "a.mha", voxels))
    np.testing.assert_array_equal(volume.array, voxels[::-1, ::-1])


def test_hand_built_file_is_read_in_lps(tmp_path, voxels):
    volume = read_volume(save(tmp_path / "a.mha", voxels))
    assert volume.orientation_as_stored == "LPS"
    assert volume.spacing_mm == (0.5, 0.75, 2.0)
    np.testing.assert_array_equal(volume.array, voxels[::-1, ::-1])
    # stored voxel (3, 4, 0) lies at LPS (2.5, 5, 3), so RAS (-2.5, -5, 3)
    np.testing.assert_allclose(volume.affine[:3, 3], (-2.5, -5.0, 3.0))


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("compressed", [True, False])
def test_every_voxel_lies_where_itk_says(sitk, tmp_path, voxels, name, compressed):
    image = sitk.GetImageFromArray(voxels.T.copy())
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((1.0, 2.0, 3.0))
    image.SetDirection(LPS_DIRECTION.ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / name), compressed)
    volume = read_volume(tmp_path / name)
    for stored_ijk in [(0, 0, 0), (3, 1, 2), (1, 4, 5)]:
        (found_ijk,) = np.argwhere(volume.array == voxels[stored_ijk])
        lps = image.TransformIndexToPhysicalPoint(stored_ijk)
        ras = volume.affine[:3, :3] @ found_ijk + volume.affine[:3, 3]
        np.testing.assert_allclose(ras, np.multiply(lps, (-1, -1, 1)), atol=1e-9)


def test_itk_reads_a_nifti_of_ours_at_the_same_place(sitk, tmp_path, write_nifti, voxels):
    affine = np.diag([-0.5, 0.75, 2.0, 1.0])
    affine[:3, 3] = [5, 6, 7]
    path = write_nifti(
        voxels,
        sform=affine,
        pixdim=(0.5, 0.75, 2.0),
        quaternion=(0, 1, 0),
        qfac=-1.0,
        qoffset=(5, 6, 7),
    )
    sitk.WriteImage(sitk.ReadImage(str(path)), str(tmp_path / "a.mha"))
    volume, twin = read_volume(path), read_volume(tmp_path / "a.mha")
    np.testing.assert_array_equal(volume.array, twin.array)
    np.testing.assert_allclose(volume.affine, twin.affine, atol=1e-6)


def test_2d_file_is_native(sitk, tmp_path):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((0.5, 0.75))
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    volume = read_volume(tmp_path / "a.mha")
    assert volume.spacing_mm == (0.75, 0.5)
    np.testing.assert_array_equal(volume.array, pixels)


def test_label_map_keeps_its_labels(tmp_path, voxels):
    volume = read_label_map(save(tmp_path / "a.mha", voxels))
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, voxels[::-1, ::-1])


def test_singleton_fourth_axis_is_dropped(sitk, tmp_path, voxels):
    image = sitk.JoinSeries(sitk.GetImageFromArray(voxels.T.copy()))
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.mha").array, voxels[::-1, ::-1])


def test_four_dimensional_file_is_an_error(sitk, tmp_path, voxels):
    image = sitk.GetImageFromArray(voxels.T.copy())
    sitk.WriteImage(sitk.JoinSeries(image, image), str(tmp_path / "a.mha"))
    with pytest.raises(DimensionsError, match=r"a\.mha"):
        read_volume(tmp_path / "a.mha")


def test_vectors_are_an_error(sitk, tmp_path, voxels):
    image = sitk.GetImageFromArray(np.zeros((2, 3, 4, 3), np.uint8), isVector=True)
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    with pytest.raises(UnsupportedPixelsError, match="3 channels"):
        read_volume(tmp_path / "a.mha")


def test_absent_spacing_is_an_error_though_itk_assumes_one(sitk, tmp_path, voxels):
    header = HEADER.replace("ElementSpacing = 0.5 0.75 2\n", "")
    path = save(tmp_path / "a.mha", voxels, header)
    assert sitk.ReadImage(str(path)).GetSpacing() == (1.0, 1.0, 1.0)
    with pytest.raises(MissingSpacingError, match=r"a\.mha.*ElementSpacing"):
        read_volume(path)


@pytest.mark.parametrize("stated", ["0.5 0 2", "0.5 -1 2", "0.5 nan 2", "0.5 x 2", "0.5 2"])
def test_impossible_spacing_is_an_error(tmp_path, voxels, stated):
    header = HEADER.replace("0.5 0.75 2", stated)
    with pytest.raises(InvalidSpacingError, match=r"a\.mha.*ElementSpacing"):
        read_volume(save(tmp_path / "a.mha", voxels, header))


def test_truncated_data_is_an_error(tmp_path, voxels):
    path = save(tmp_path / "a.mha", voxels)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(TruncatedFileError, match=r"a\.mha"):
        read_volume(path)


def test_missing_data_file_is_named(tmp_path, voxels):
    (tmp_path / "a.mhd").write_text(HEADER.replace("LOCAL", "a.raw"))
    with pytest.raises(MissingFileError, match=r"a\.mhd: its data file 'a\.raw' is missing"):
        read_volume(tmp_path / "a.mhd")


def test_other_content_is_an_error(tmp_path):
    (tmp_path / "a.mha").write_bytes(b"no such thing")
    with pytest.raises(NotAnImageError, match=r"a\.mha: not a MetaImage"):
        read_volume(tmp_path / "a.mha")


TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("msb", [False, True])
def test_every_type_and_byte_order_reads_as_itk_does(sitk, tmp_path, voxels, kind, msb):
    stored = voxels.astype(TYPES[kind])
    header = HEADER.replace("MET_SHORT", kind).replace("OrderMSB = False", f"OrderMSB = {msb}")
    path = tmp_path / "a.mha"
    data = stored.astype(stored.dtype.newbyteorder(">" if msb else "<")).tobytes(order="F")
    path.write_bytes(header.encode() + data)
    volume = read_volume(path)
    assert volume.array.dtype == stored.dtype
    np.testing.assert_array_equal(volume.array, stored[::-1, ::-1])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T, stored)


MATRIX = "TransformMatrix = 1 0 0 0 1 0 0 0 1"


@pytest.mark.parametrize(
    "entries",
    [
        MATRIX.replace("1 0 0 0 1 0 0 0 1", "0 1 0 -1 0 0 0 0 1"),
        "Rotation = 0 0 1 0 -1 0 1 0 0",
        "Orientation = 0 0 1 1 0 0 0 1 0",
        "Rotation = 0 0 1 0 -1 0 1 0 0\n" + MATRIX,
        MATRIX + "\nOrigin = 7 8 9",
        MATRIX + "\nPosition = 7 8 9",
        MATRIX + "\nCenterOfRotation = 7 8 9",
        "Comment = no matrix",
    ],
)
def test_places_under_all_their_names_are_those_of_itk(sitk, tmp_path, voxels, entries):
    path = save(tmp_path / "a.mha", voxels, HEADER.replace(MATRIX, entries))
    volume, image = read_volume(path), sitk.ReadImage(str(path))
    for stored_ijk in [(0, 0, 0), (3, 1, 2), (1, 4, 5)]:
        (found_ijk,) = np.argwhere(volume.array == voxels[stored_ijk])
        lps = image.TransformIndexToPhysicalPoint(stored_ijk)
        ras = volume.affine[:3, :3] @ found_ijk + volume.affine[:3, 3]
        np.testing.assert_allclose(ras, np.multiply(lps, (-1, -1, 1)), atol=1e-9)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_a_stream_of_no_stated_size_is_read(tmp_path, voxels, pack):
    """ITK gives what was in memory before."""
    header = HEADER.replace("CompressedData = False", "CompressedData = True")
    data = voxels.astype("<i2").tobytes(order="F")
    (tmp_path / "a.mha").write_bytes(header.encode() + pack(data) + b"bytes after it")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.mha").array, voxels[::-1, ::-1])


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("place", [-1, -4, -20])
def test_one_changed_byte_of_a_stream_is_an_error(sitk, tmp_path, voxels, name, place):
    """The last four are the sum of all others (RFC 1950)."""
    sitk.WriteImage(
        sitk.GetImageFromArray(voxels.T.copy()), str(tmp_path / name), useCompression=True
    )
    (path,) = (file for file in tmp_path.iterdir() if file.suffix in (".mha", ".zraw"))
    content = bytearray(path.read_bytes())
    content[place] ^= 255
    path.write_bytes(content)
    with pytest.raises((CorruptFileError, TruncatedFileError), match="zlib stream"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize("n_lost", [1, 4, 50])
def test_a_cut_stream_is_an_error(sitk, tmp_path, voxels, n_lost):
    path = tmp_path / "a.mha"
    sitk.WriteImage(sitk.GetImageFromArray(voxels.T.copy()), str(path), useCompression=True)
    path.write_bytes(path.read_bytes()[:-n_lost])
    with pytest.raises(TruncatedFileError, match="the zlib stream ends too early"):
        read_volume(path)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("sizes", "error"), [("4 5 5", CorruptFileError), ("4 5 7", TruncatedFileError)]
)
def test_sizes_that_are_not_those_of_the_data_are_an_error(
    tmp_path, voxels, compressed, sizes, error
):
    header = HEADER.replace("4 5 6", sizes).replace("Data = False", f"Data = {compressed}")
    data = voxels.astype("<i2").tobytes(order="F")
    path = tmp_path / "a.mha"
    path.write_bytes(header.encode() + (zlib.compress(data) if compressed else data))
    with pytest.raises(error, match=r"a\.mha: expected"):
        read_volume(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_sizes_are_compared_with_the_file_before_memory_is_taken(
    tmp_path, voxels, compressed, monkeypatch
):
    monkeypatch.setattr(np, "empty", None)
    header = HEADER.replace("4 5 6", "90000 90000 90000")
    header = header.replace("Data = False", f"Data = {compressed}")
    with pytest.raises((TruncatedFileError, OutOfMemoryError), match=r"a\.mha"):
        read_volume(save(tmp_path / "a.mha", voxels, header))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("NDims = 3", "NDims = 0"),
        ("NDims = 3", "NDims = -1"),
        ("NDims = 3", "NDims = 999999999"),
        ("NDims = 3", "NDims = three"),
        ("NDims = 3", "NDims = 4"),
        ("4 5 6", "4 5"),
        ("4 5 6", "4 0 6"),
        ("4 5 6", "4 -5 6"),
        ("4 5 6", "4 5 6.5"),
        ("4 5 6", "4 5 " + "9" * 30),
        ("1 2 3", "1 2"),
        ("1 2 3", "1 nan 3"),
        ("1 0 0 0 1 0 0 0 1", "1 0 0 0 1"),
        ("LOCAL", ""),
        ("LOCAL", "LIST\nx.raw"),
        ("LOCAL", "s%d.raw 1 2 1"),
        ("LOCAL", "s%d.raw 1 6 0"),
        ("NDims", "HeaderSize = 10\nNDims"),
        ("NDims", "HeaderSize = -2\nNDims"),
        ("NDims", "DistanceUnits = furlong\nNDims"),
    ],
)
def test_a_header_that_cannot_be_followed_is_an_error(tmp_path, voxels, old, new):
    header = HEADER.replace(old, new)
    if "x.raw" in new:
        path = tmp_path / "a.mha"
        path.write_text(header)
    else:
        path = save(tmp_path / "a.mha", voxels, header)
    with pytest.raises(BadHeaderError, match=r"a\.mha: expected"):
        read_volume(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MET_SHORT", "MET_STRING"),
        ("MET_SHORT", "MET_SHORT_ARRAY"),
        ("NDims", "ElementNumberOfChannels = 3\nNDims"),
        ("NDims", "ElementToIntensityFunctionSlope = 2\nNDims"),
        ("NDims", "ElementToIntensityFunctionOffset = -1024\nNDims"),
    ],
)
def test_voxels_that_are_not_the_stored_numbers_are_an_error(tmp_path, voxels, old, new):
    with pytest.raises(UnsupportedPixelsError, match=r"a\.mha"):
        read_volume(save(tmp_path / "a.mha", voxels, HEADER.replace(old, new)))


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1), ("?", 1), ("um", 1e-3), ("cm", 10)])
def test_distance_units_become_millimetres(tmp_path, voxels, unit, scale):
    header = HEADER.replace("NDims", f"DistanceUnits = {unit}\nNDims")
    volume = read_volume(save(tmp_path / "a.mha", voxels, header))
    assert volume.spacing_mm == pytest.approx((0.5 * scale, 0.75 * scale, 2 * scale))
    np.testing.assert_allclose(volume.affine[:3, 3], np.multiply((-2.5, -5.0, 3.0), scale))
    assert volume.flags == (() if scale == 1 else ("units_converted",))


@pytest.mark.parametrize(
    ("last", "error"),
    [("99999", CorruptFileError), ("x", CorruptFileError), ("", TruncatedFileError)],
)
def test_text_is_read_if_all_of_it_are_numbers_of_the_type(tmp_path, voxels, last, error):
    header = HEADER.replace("BinaryData = True", "BinaryData = False")
    words = [str(v) for v in voxels.ravel(order="F")]
    path = tmp_path / "a.mha"
    path.write_text(header + " ".join(words))
    np.testing.assert_array_equal(read_volume(path).array, voxels[::-1, ::-1])
    path.write_text(header + " ".join([*words[:-1], last]))
    with pytest.raises(error, match=r"a\.mha: expected 120 numbers"):
        read_volume(path)


SLICED = {
    "list": ("LIST", ["front.raw", "b c.raw", "sub/d.raw", "e.raw", "f.raw", "g.raw"]),
    "list-2d": ("LIST 2D", [f"x{n}.raw" for n in range(6)]),
    "pattern": ("s%02d.raw 3 13 2", [f"s{n:02d}.raw" for n in range(3, 14, 2)]),
    "pattern-from": ("s%03d.raw 7", [f"s{n:03d}.raw" for n in range(7, 13)]),
    "pattern-alone": ("s%d.raw", [f"s{n}.raw" for n in range(1, 7)]),
}


@pytest.mark.parametrize("form", SLICED)
@pytest.mark.parametrize("compressed", [False, True])
def test_data_in_several_files_are_joined_as_itk_does(sitk, tmp_path, voxels, form, compressed):
    stated, names = SLICED[form]
    (tmp_path / "sub").mkdir()
    for k, name in enumerate(names):
        data = voxels[..., k].astype("<i2").tobytes(order="F")
        (tmp_path / name).write_bytes(zlib.compress(data) if compressed else data)
    rest = "".join(f"{name}\n" for name in names) if "LIST" in stated else ""
    header = HEADER.replace("LOCAL", stated).replace("Data = False", f"Data = {compressed}")
    path = tmp_path / "a.mhd"
    path.write_text(header + rest)
    np.testing.assert_array_equal(read_volume(path).array, voxels[::-1, ::-1])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T, voxels)
    assert [file.name for file in companion_files(path)] == [n.split("/")[-1] for n in names]


@pytest.mark.parametrize("skip", ["7", "-1"])
def test_a_header_size_skips_the_head_of_the_data_file(sitk, tmp_path, voxels, skip):
    (tmp_path / "a.raw").write_bytes(b"7 bytes" + voxels.astype("<i2").tobytes(order="F"))
    path = tmp_path / "a.mhd"
    header = HEADER.replace("NDims", f"HeaderSize = {skip}\nNDims")
    path.write_text(header.replace("LOCAL", "a.raw"))
    np.testing.assert_array_equal(read_volume(path).array, voxels[::-1, ::-1])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T, voxels)


def test_a_header_size_that_was_forgotten_is_an_error_though_itk_reads_on(sitk, tmp_path, voxels):
    (tmp_path / "a.raw").write_bytes(b"8 bytes!" + voxels.astype("<i2").tobytes(order="F"))
    path = tmp_path / "a.mhd"
    path.write_text(HEADER.replace("LOCAL", "a.raw"))
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0, 0, 0] != voxels[0, 0, 0]
    with pytest.raises(CorruptFileError, match=r"a\.raw: expected 240 bytes .* found 8 more"):
        read_volume(path)


def test_geometry_needs_no_data(tmp_path, voxels):
    path = save(tmp_path / "a.mha", voxels)
    affine = read_volume(path).affine
    path.write_bytes(path.read_bytes()[:-100])
    np.testing.assert_array_equal(read_geometry(path).affine, affine)
