"""Any supported file by its name."""

import nibabel as nib
import numpy as np
import pytest

from medvision import volumes
from medvision.table.cases import IMAGE_SUFFIXES, file_stem
from medvision.volumes.errors import EmptyFileError, UnsupportedFormatError
from medvision.volumes.read import OPENERS, companion_files
from medvision.volumes.suffixes import LISTED_SUFFIXES


def test_what_opens_is_what_is_named():
    assert set(OPENERS) == set(volumes.IMAGE_SUFFIXES)
    assert not any(a != b and a.endswith(b) for a in OPENERS for b in OPENERS)


def test_folders_list_all_that_opens_but_the_second_half_of_a_pair():
    assert IMAGE_SUFFIXES is LISTED_SUFFIXES
    assert set(OPENERS) - set(LISTED_SUFFIXES) == {".img", ".img.gz"}


@pytest.mark.parametrize("suffix", LISTED_SUFFIXES)
def test_a_name_loses_its_whole_suffix(tmp_path, suffix):
    assert file_stem(tmp_path / f"scan.v2{suffix.upper()}", LISTED_SUFFIXES) == "scan.v2"


@pytest.mark.parametrize("suffix", volumes.IMAGE_SUFFIXES)
def test_an_empty_file_says_so_and_has_no_companions(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.touch()
    with pytest.raises(EmptyFileError, match="the file is empty"):
        volumes.read_volume(path)
    assert companion_files(path) == ()


def test_a_gzipped_pair_is_read_and_named(tmp_path):
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nib.save(nib.Nifti1Pair(voxels, np.eye(4)), tmp_path / "a.img.gz")
    for name, other in (("a.hdr.gz", "a.img.gz"), ("a.img.gz", "a.hdr.gz")):
        np.testing.assert_array_equal(volumes.read_volume(tmp_path / name).array, voxels)
        assert companion_files(tmp_path / name) == (tmp_path / other,)


def test_the_name_of_a_link_decides_and_not_that_of_its_file(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), tmp_path / "a.nii.gz")
    (tmp_path / "a.nii.gz").rename(tmp_path / "SHA256E-s99--3f.png")
    (tmp_path / "b.nii.gz").symlink_to("SHA256E-s99--3f.png")
    assert volumes.read_volume(tmp_path / "b.nii.gz").shape == (2, 2, 2)
    (tmp_path / "b.txt").symlink_to("SHA256E-s99--3f.png")
    with pytest.raises(UnsupportedFormatError, match=r"b\.txt: not a kind of file read here"):
        volumes.read_volume(tmp_path / "b.txt")
