"""Data files of headers: where they are looked for, and what is not followed."""

import os

import nrrd
import numpy as np
import pytest

from medvision.volumes import companion_files, read_volume
from medvision.volumes.errors import (
    BadHeaderError,
    MissingFileError,
    OutsideFolderError,
    UnreadableFileError,
)
from medvision.volumes.side_files import named_file

METAIMAGE = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
ElementSpacing = 0.5 0.75 2
DimSize = 4 5 6
ElementType = MET_SHORT
ElementDataFile = {}
"""
NRRD = """NRRD0005
type: int16
dimension: 3
space: LPS
sizes: 4 5 6
space directions: (0.5,0,0) (0,0.75,0) (0,0,2)
endian: little
encoding: raw
data file: {}
"""
FORMS = {"a.mhd": METAIMAGE, "a.nhdr": NRRD}


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


def write(folder, form, voxels, name, stated=None):
    """A header in a folder and its voxels under a name from there."""
    header = folder / form
    header.parent.mkdir(parents=True, exist_ok=True)
    header.write_text(FORMS[form].format(stated or name))
    data = folder / name
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_bytes(voxels.astype("<i2").tobytes(order="F"))
    return header


@pytest.mark.parametrize("name", ["other.raw", "raw/a.raw", "raw/deep/er/a b.raw"])
def test_data_lie_beside_the_header_or_below(tmp_path, voxels, form, name):
    header = write(tmp_path, form, voxels, name)
    np.testing.assert_array_equal(read_volume(header).array, voxels[::-1, ::-1])
    assert companion_files(header) == (tmp_path / name,)


@pytest.mark.parametrize("stated", ["./other.raw", "raw/../other.raw", "{folder}/other.raw"])
def test_a_name_may_take_a_turn_that_ends_in_the_folder(tmp_path, voxels, form, stated):
    header = write(tmp_path, form, voxels, "other.raw", stated.format(folder=tmp_path))
    np.testing.assert_array_equal(read_volume(header).array, voxels[::-1, ::-1])


@pytest.mark.parametrize(
    "stated", ["/etc/passwd", "../../etc/passwd", "../other/a.raw", "x/../../a.raw"]
)
def test_nothing_outside_the_folder_is_read(tmp_path, voxels, form, stated):
    write(tmp_path / "other", form, voxels, "a.raw")
    (tmp_path / "a.raw").write_bytes(voxels.tobytes())
    header = write(tmp_path / "case", form, voxels, "b.raw", stated)
    with pytest.raises(OutsideFolderError, match=rf"{form}: its data file .* outside"):
        read_volume(header)
    assert companion_files(header) == ()


def test_a_folder_that_the_user_names_is_allowed(tmp_path, voxels, form, monkeypatch):
    header = write(tmp_path / "case", form, voxels, "../raw/a.raw")
    with pytest.raises(OutsideFolderError, match=f"MEDVISION_DATA_FOLDERS={tmp_path / 'raw'}"):
        read_volume(header)
    monkeypatch.setenv("MEDVISION_DATA_FOLDERS", f"/elsewhere{os.pathsep}{tmp_path / 'raw'}")
    np.testing.assert_array_equal(read_volume(header).array, voxels[::-1, ::-1])
    assert companion_files(header) == (tmp_path / "raw" / "a.raw",)


def test_the_allowed_folder_may_be_relative(tmp_path, voxels, form, monkeypatch):
    header = write(tmp_path / "case", form, voxels, "../raw/a.raw")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDVISION_DATA_FOLDERS", "raw")
    assert read_volume(header).shape == (4, 5, 6)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_opened(tmp_path, voxels, form, kind):
    header = write(tmp_path, form, voxels, "b.raw", "a.raw")
    make = {
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "folder": lambda path: path.mkdir(),
    }
    make[kind](tmp_path / "a.raw")
    with pytest.raises(UnreadableFileError, match="expected a file of voxels, found a pipe"):
        read_volume(header)


def test_a_pipe_as_the_image_itself_is_not_opened(tmp_path, form):
    os.mkfifo(tmp_path / form)
    with pytest.raises(UnreadableFileError, match="found a pipe or a device"):
        read_volume(tmp_path / form)


def test_links_to_blobs_keep_their_names(tmp_path, voxels, form):
    """As a hub's cache has them: the header's and the data's blob in one folder, under digests."""
    header = write(tmp_path / "snapshot", form, voxels, "a.raw")
    (tmp_path / "blobs").mkdir()
    for path, blob in ((header, "3f1c"), (header.with_name("a.raw"), "99ab")):
        path.rename(tmp_path / "blobs" / blob)
        path.symlink_to(f"../blobs/{blob}")
    np.testing.assert_array_equal(read_volume(header).array, voxels[::-1, ::-1])
    assert companion_files(header) == (tmp_path / "snapshot" / "a.raw",)


def test_data_beside_what_a_link_points_to_are_found(tmp_path, voxels, form):
    header = write(tmp_path / "store", form, voxels, "raw/a.raw")
    link = tmp_path / "images" / f"case7{header.suffix}"
    link.parent.mkdir()
    link.symlink_to(f"../store/{form}")
    np.testing.assert_array_equal(read_volume(link).array, voxels[::-1, ::-1])


def test_data_beside_the_link_come_first(tmp_path, voxels, form):
    header = write(tmp_path / "store", form, voxels + 1, "a.raw")
    write(tmp_path / "images", form, voxels, "a.raw")
    (tmp_path / "images" / form).unlink()
    (tmp_path / "images" / form).symlink_to(header)
    np.testing.assert_array_equal(read_volume(tmp_path / "images" / form).array, voxels[::-1, ::-1])


@pytest.mark.parametrize("suffix", [".hdr", ".img"])
def test_halves_of_a_pair_are_found_through_links(tmp_path, voxels, suffix):
    import nibabel as nib

    (tmp_path / "store").mkdir()
    nib.save(nib.Nifti1Pair(voxels, np.eye(4)), tmp_path / "store" / "scan.img")
    link = tmp_path / f"case7{suffix}"
    link.symlink_to(f"store/scan{suffix}")
    np.testing.assert_array_equal(read_volume(link).array, voxels)
    assert [path.stem for path in companion_files(link)] == ["scan"]


def test_a_name_that_is_no_name_is_an_error(tmp_path):
    with pytest.raises(BadHeaderError, match="expected the name of a data file"):
        named_file(tmp_path / "a.mhd", "a\0.raw")
    with pytest.raises(MissingFileError, match=r"a\.mhd: its data file 'b\.raw' is missing"):
        named_file(tmp_path / "a.mhd", "b.raw")


def test_a_missing_data_file_of_several_is_named(tmp_path, voxels):
    (tmp_path / "a.mhd").write_text(METAIMAGE.format("s%d.raw 1 6 1"))
    for n in (1, 2, 4, 5, 6):
        (tmp_path / f"s{n}.raw").write_bytes(bytes(40))
    with pytest.raises(MissingFileError, match=r"'s3\.raw' is missing"):
        read_volume(tmp_path / "a.mhd")


def test_whole_files_need_no_other(tmp_path, voxels):
    nrrd.write(str(tmp_path / "a.nrrd"), voxels, {"spacings": [1.0, 1.0, 1.0]})
    assert companion_files(tmp_path / "a.nrrd") == ()
    assert companion_files(tmp_path / "a.nii.gz") == ()
