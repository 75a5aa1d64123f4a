"""NRRD: spaces, detached data, and agreement with the same NIfTI."""

import bz2
import gzip
import zlib

import nibabel as nib
import nrrd
import numpy as np
import pytest

from medvision.volumes import (
    companion_files,
    read_geometry,
    read_label_map,
    read_volume,
    volume_fingerprint,
)
from medvision.volumes.errors import (
    BadHeaderError,
    CorruptFileError,
    DimensionsError,
    InvalidSpacingError,
    MissingFileError,
    MissingSpacingError,
    NonOrthogonalAxesError,
    NotAnImageError,
    OutOfMemoryError,
    TruncatedFileError,
    UnsupportedFormatError,
    UnsupportedPixelsError,
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


@pytest.mark.parametrize(
    ("unit", "scale"), [("mm", 1.0), ("m", 1000.0), ("um", 0.001), ("inch", 25.4)]
)
def test_space_units_become_millimetres(tmp_path, voxels, unit, scale):
    affine = np.diag([*(np.array([0.5, 0.75, 2.0]) / scale), 1.0])
    path = save_oriented(tmp_path / "a.nrrd", voxels, affine, "RAS", **{"space units": [unit] * 3})
    assert read_volume(path).spacing_mm == pytest.approx((0.5, 0.75, 2.0))


def test_unknown_space_unit_is_an_error(tmp_path, voxels):
    path = save_oriented(
        tmp_path / "a.nrrd", voxels, np.eye(4), "RAS", **{"space units": ["pixel"] * 3}
    )
    with pytest.raises(BadHeaderError, match=r"expected one unit of length of nm, um.*found pixel"):
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
    with pytest.raises(TruncatedFileError, match=r"a\.nrrd: .*fetch the file again"):
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


FIELDS = {
    "type": "int16",
    "dimension": "3",
    "space": "RAS",
    "sizes": "4 5 6",
    "space directions": "(0.5,0,0) (0,0.75,0) (0,0,2)",
    "endian": "little",
    "encoding": "raw",
}


def write_by_hand(path, data=b"", ending="\n", **changes):
    fields = FIELDS | {name.replace("_", " "): value for name, value in changes.items()}
    lines = ["NRRD0005", *(f"{name}: {value}" for name, value in fields.items() if value)]
    path.write_bytes(ending.join([*lines, "", ""]).encode() + data)
    return path


def packed(voxels, encoding, order="<"):
    data = voxels.astype(f"{order}i2").tobytes(order="F")
    text = " ".join(str(v) for v in voxels.ravel(order="F")).encode()
    packs = {"gzip": gzip.compress, "gz": gzip.compress, "bzip2": bz2.compress, "bz2": bz2.compress}
    return packs.get(encoding, lambda data: text if encoding in ("text", "ascii") else data)(data)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("encoding", ["raw", "gzip", "gz", "bzip2", "bz2", "text", "ascii"])
def test_every_encoding_gives_the_voxels_that_pynrrd_gives(
    tmp_path, voxels, encoding, order, ending
):
    data = packed(voxels, encoding, "<" if order == "little" else ">")
    path = write_by_hand(tmp_path / "a.nrrd", data, ending, encoding=encoding, endian=order)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, voxels)
    np.testing.assert_array_equal(nrrd.read(str(path), index_order="F")[0], voxels)
    assert volume.array.dtype == np.int16
    assert volume.spacing_mm == (0.5, 0.75, 2.0)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_lines_are_skipped_before_unpacking_and_bytes_after(tmp_path, voxels, encoding):
    inner = b"\x07" * 5 + voxels.astype("<i2").tobytes(order="F")
    pack = {"raw": bytes, "gzip": gzip.compress, "bzip2": bz2.compress}[encoding]
    (tmp_path / "a.img").write_bytes(b"one\ntwo\n" + pack(inner))
    header = {"line_skip": "2", "byte_skip": "5", "data_file": "a.img", "encoding": encoding}
    path = write_by_hand(tmp_path / "a.nhdr", **header)
    np.testing.assert_array_equal(read_volume(path).array, voxels)


def test_a_byte_skip_of_minus_one_means_the_last_bytes(tmp_path, voxels):
    (tmp_path / "a.img").write_bytes(b"any header\n" + packed(voxels, "raw"))
    header = {"line_skip": "1", "byte_skip": "-1", "data_file": "a.img"}
    path = write_by_hand(tmp_path / "a.nhdr", **header)
    np.testing.assert_array_equal(read_volume(path).array, voxels)


@pytest.mark.parametrize(
    "header",
    [
        {"line_skip": "-1"},
        {"byte_skip": "-2"},
        {"byte_skip": "-1", "encoding": "gzip"},
        {"endian": ""},
        {"endian": "middle"},
        {"sizes": "4 5 99999999999999999999999"},
    ],
)
def test_a_header_that_cannot_be_followed_is_an_error(tmp_path, voxels, header):
    data = packed(voxels, header.get("encoding", "raw"))
    with pytest.raises(BadHeaderError, match=r"a\.nrrd"):
        read_volume(write_by_hand(tmp_path / "a.nrrd", data, **header))


def test_more_lines_to_skip_than_there_are_end_soon(tmp_path, voxels):
    path = write_by_hand(tmp_path / "a.nrrd", packed(voxels, "raw"), line_skip="999999999")
    with pytest.raises(TruncatedFileError, match=r"a\.nrrd: expected 999999999 lines"):
        read_volume(path)


def test_what_is_not_read_is_not_called_damaged(tmp_path, voxels):
    path = write_by_hand(tmp_path / "a.nrrd", encoding="hex")
    with pytest.raises(UnsupportedFormatError, match="'hex', which is not read here"):
        read_volume(path)
    path = write_by_hand(tmp_path / "a.nrrd", type="block")
    with pytest.raises(UnsupportedPixelsError, match="expected one integer or float"):
        read_volume(path)


SLICED = {
    "list": ("LIST", ["front.raw", "b c.raw", "sub/d.raw", "e.raw", "f.raw", "g.raw"]),
    "list-of-slabs": ("LIST 3", ["front.raw", "back.raw"]),
    "pattern": ("s%02d.raw 3 13 2", [f"s{n:02d}.raw" for n in range(3, 14, 2)]),
    "pattern-backwards": ("s%d.raw 6 1 -1", [f"s{n}.raw" for n in range(6, 0, -1)]),
}


@pytest.mark.parametrize("form", SLICED)
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_data_in_several_files_are_joined(tmp_path, voxels, form, encoding):
    stated, names = SLICED[form]
    (tmp_path / "sub").mkdir()
    for name, part in zip(names, np.split(voxels, len(names), axis=2), strict=True):
        (tmp_path / name).write_bytes(packed(part, encoding))
    path = write_by_hand(tmp_path / "a.nhdr", encoding=encoding)
    rest = "".join(f"{name}\n" for name in names) if "LIST" in stated else "\n"
    path.write_text(path.read_text("utf-8").rstrip("\n") + f"\ndata file: {stated}\n{rest}")
    np.testing.assert_array_equal(read_volume(path).array, voxels)
    assert [file.name for file in companion_files(path)] == [n.split("/")[-1] for n in names]


def test_a_range_without_end_is_an_error(tmp_path):
    path = write_by_hand(tmp_path / "a.nhdr", data_file="s%d.raw 1 999999999 1")
    with pytest.raises(BadHeaderError, match="expected 1 to 100000 data files"):
        read_volume(path)


def test_files_that_do_not_share_the_voxels_alike_are_an_error(tmp_path, voxels):
    for name in ("s1.raw", "s2.raw", "s3.raw", "s4.raw", "s5.raw", "s6.raw", "s7.raw"):
        (tmp_path / name).write_bytes(packed(voxels, "raw"))
    path = write_by_hand(tmp_path / "a.nhdr", data_file="s%d.raw 1 7 1")
    with pytest.raises(BadHeaderError, match="120 voxels do not divide among 7 data files"):
        read_volume(path)


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


@pytest.mark.parametrize("encoding", ["gzip", "bzip2"])
@pytest.mark.parametrize("place", [-2, -6, -30])
def test_one_changed_byte_of_a_stream_is_an_error(tmp_path, voxels, encoding, place):
    """Checksums are the last bytes of gzip, and in each block of bzip2."""
    path = write_by_hand(
        tmp_path / "a.nrrd", flipped(packed(voxels, encoding), place), encoding=encoding
    )
    with pytest.raises((CorruptFileError, TruncatedFileError), match=r"a\.nrrd"):
        read_volume(path)


@pytest.mark.parametrize("encoding", ["gzip", "bzip2"])
def test_members_of_a_stream_are_joined_and_bytes_after_it_ignored(tmp_path, voxels, encoding):
    halves = [packed(part, encoding) for part in np.split(voxels, 2, axis=2)]
    path = write_by_hand(tmp_path / "a.nrrd", b"".join([*halves, bytes(512)]), encoding=encoding)
    np.testing.assert_array_equal(read_volume(path).array, voxels)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "text"])
def test_more_voxels_than_the_header_says_are_an_error(tmp_path, voxels, encoding):
    """Something is stated wrongly, and the voxels would lie elsewhere."""
    path = write_by_hand(
        tmp_path / "a.nrrd", packed(voxels, encoding), encoding=encoding, sizes="4 5 5"
    )
    with pytest.raises(CorruptFileError, match=r"a\.nrrd: expected"):
        read_volume(path)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "text"])
def test_sizes_are_compared_with_the_file_before_memory_is_taken(tmp_path, encoding, monkeypatch):
    monkeypatch.setattr(np, "empty", None)
    path = write_by_hand(
        tmp_path / "a.nrrd", zlib.compress(b""), encoding=encoding, sizes="90000 90000 90000"
    )
    with pytest.raises((TruncatedFileError, OutOfMemoryError), match=r"a\.nrrd"):
        read_volume(path)


@pytest.mark.parametrize(
    ("word", "encoding"),
    [
        ("µm", "utf-8"),
        ("µm", "latin-1"),
        ("\u03bcm", "utf-8"),
        *((word, "ascii") for word in ("um", "micron", "Microns", "micrometers")),
    ],
)
def test_microns_are_understood_however_they_are_written(tmp_path, voxels, word, encoding):
    path = write_by_hand(tmp_path / "a.nrrd", space_units=" ".join([f'"{word}"'] * 3))
    header = path.read_text("utf-8").replace("0.5,0,0", "500,0,0").replace("0,0.75,0", "0,750,0")
    path.write_bytes(header.replace("0,0,2", "0,0,2000").encode(encoding) + packed(voxels, "raw"))
    volume = read_volume(path)
    assert volume.spacing_mm == pytest.approx((0.5, 0.75, 2.0))
    assert volume.flags == ("units_converted",)


def test_spacings_have_units_of_their_own(tmp_path, voxels):
    """A time axis has another unit, which is none of length."""
    path = save_nrrd(
        tmp_path / "a.nrrd",
        voxels[..., None],
        spacings=[50.0, 75.0, 200.0, 3.0],
        units=["um", "um", "um", "s"],
    )
    assert read_volume(path).spacing_mm == pytest.approx((0.05, 0.075, 0.2))


@pytest.mark.parametrize("words", [["mm", "um", "mm"], ["\u00e6m"] * 3, ["furlong"] * 3])
def test_units_that_are_not_one_length_are_named(tmp_path, words):
    path = write_by_hand(tmp_path / "a.nrrd", space_units=" ".join(f'"{word}"' for word in words))
    with pytest.raises(BadHeaderError, match=f"found {', '.join(sorted(set(words)))}"):
        read_volume(path)
