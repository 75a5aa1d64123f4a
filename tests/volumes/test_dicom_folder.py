"""Folders of DICOM files: nothing that could be a slice is left out without a word."""

import numpy as np
import pytest

from medvision.volumes import read_volume
from medvision.volumes.errors import (
    CorruptFileError,
    DimensionsError,
    EmptyFileError,
    MissingSlicesError,
    NonUniformSlicesError,
    NotAnImageError,
    SeveralSeriesError,
)
from tests.dicom_files import SIDE, STORED, UID, written

pytest.importorskip("SimpleITK", reason="extra formats is not installed")


def series(folder, n=5, **tags):
    folder.mkdir()
    for k in range(n):
        slice_at(folder / f"{k}.dcm", k, **tags)
    return folder


def slice_at(path, k, **tags):
    return written(path, STORED + k, **{"ImagePositionPatient": [0, 0, 2.5 * k], **tags})


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path):
    path.write_bytes(b"")


def replaced_by_a_page(path):
    path.write_text("<html>503 Service Unavailable</html>")


def half_downloaded(path):
    path.rename(path.with_name(path.name + ".part"))
    path.with_name(path.name + ".part").write_bytes(b"\0" * 300)


def without_pixels(path):
    pydicom = pytest.importorskip("pydicom")
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.save_as(path)


@pytest.mark.parametrize("name", ["4.dcm", "4", "1.2.840.4"])
@pytest.mark.parametrize("harm", [cut_short, emptied, without_pixels])
def test_the_last_slice_damaged_is_an_error_that_names_it(tmp_path, harm, name):
    # Without it the others are a whole stack: only its name tells that there was one more.
    folder = series(tmp_path / "s")
    last = (folder / "4.dcm").rename(folder / name)
    harm(last)
    with pytest.raises((CorruptFileError, EmptyFileError), match=rf"{name}: "):
        read_volume(folder)


@pytest.mark.parametrize("harm", [replaced_by_a_page, half_downloaded])
def test_the_last_slice_as_another_kind_of_file_is_an_error(tmp_path, harm):
    folder = series(tmp_path / "s")
    harm(folder / "4.dcm")
    with pytest.raises(NotAnImageError, match=r"4\.dcm.*not a DICOM image"):
        read_volume(folder)


def test_other_files_beside_a_series_are_no_slices(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    folder = series(tmp_path / "s")
    expected = read_volume(folder).array
    for name in ("notes.txt", "LICENSE", ".DS_Store", "._0.dcm", "s.json", "Thumbs.db"):
        (folder / name).write_bytes(b"Some words.\n")
    (folder / "Thumbs.db").write_bytes(b"\0" * 600)
    for name, kind in {
        "DICOMDIR": "1.2.840.10008.1.3.10",
        "report": "1.2.840.10008.5.1.4.1.1.88.11",
        "rtstruct.dcm": "1.2.840.10008.5.1.4.1.1.481.3",
        "seg.dcm": "1.2.840.10008.5.1.4.1.1.66.4",
        "view.dcm": "1.2.840.10008.5.1.4.1.1.11.1",
    }.items():
        written(folder / name, SOPClassUID=kind, SeriesInstanceUID=f"{UID}.2", PixelData=None)
        assert pydicom.dcmread(folder / name).SOPClassUID == kind
    np.testing.assert_array_equal(read_volume(folder).array, expected)


def test_a_second_series_is_an_error_that_counts_both(tmp_path):
    folder = series(tmp_path / "s")
    slice_at(folder / "scout.dcm", 9, SeriesInstanceUID=f"{UID}.2")
    with pytest.raises(SeveralSeriesError, match=r"found 2 \(5 files as 0.dcm, 1 files as scout"):
        read_volume(folder)


def test_slices_in_a_folder_below_are_an_error(tmp_path):
    folder = series(tmp_path / "s")
    (folder / "more").mkdir()
    (folder / "4.dcm").rename(folder / "more" / "4.dcm")
    with pytest.raises(SeveralSeriesError, match=r"files here and below.*4\.dcm"):
        read_volume(folder)
    with pytest.raises(SeveralSeriesError, match=r"its series only below, as .*0\.dcm"):
        read_volume(tmp_path)


def test_a_copy_of_a_slice_is_an_error_that_names_both(tmp_path):
    folder = series(tmp_path / "s")
    (folder / "2 (1).dcm").write_bytes((folder / "2.dcm").read_bytes())
    with pytest.raises(NonUniformSlicesError, match=r"one place \(2 \(1\)\.dcm and 2\.dcm\)"):
        read_volume(folder)


def test_a_second_acquisition_is_an_error(tmp_path):
    folder = series(tmp_path / "s", AcquisitionNumber=1)
    for k in range(5):
        slice_at(folder / f"b{k}.dcm", k, AcquisitionNumber=2)
    with pytest.raises(NonUniformSlicesError, match="several phases or repetitions"):
        read_volume(folder)


def test_a_gap_is_told_by_the_slices_around_it(tmp_path):
    folder = series(tmp_path / "s", 7)
    (folder / "3.dcm").unlink()
    with pytest.raises(MissingSlicesError, match=r"between 2\.dcm and 4\.dcm"):
        read_volume(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
        {"PixelSpacing": [1.6, 1.6]},
        {"Rows": SIDE // 2, "PixelData": bytes(SIDE * SIDE)},
    ],
    ids=["turned", "coarser", "smaller"],
)
def test_a_localizer_in_the_series_is_an_error_that_names_it(tmp_path, change):
    folder = series(tmp_path / "s")
    slice_at(folder / "scout.dcm", 7, **change)
    with pytest.raises(NonUniformSlicesError, match=r"scout\.dcm\); take localizers out"):
        read_volume(folder)


def test_a_slice_without_a_position_is_an_error_that_names_it(tmp_path):
    folder = series(tmp_path / "s")
    slice_at(folder / "3.dcm", 3, ImagePositionPatient=None)
    with pytest.raises(DimensionsError, match=r"1 of 5 files without, such as 3\.dcm"):
        read_volume(folder)


def test_slices_without_a_preamble_are_read(tmp_path):
    folder = series(tmp_path / "s")
    expected = read_volume(folder).array
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    np.testing.assert_array_equal(read_volume(folder).array, expected)
