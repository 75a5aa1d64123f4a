"""DICOM segmentations written by highdicom, against the arrays they were written from."""

import json
import sys
import warnings

import nibabel as nib
import numpy as np
import pytest

from medvision.cli import main
from medvision.errors import MissingExtraError
from medvision.table.read import read_regions, read_structures
from medvision.volumes import read_volume
from medvision.volumes.dicom_seg import read_segments, segmentation_file
from medvision.volumes.errors import (
    AffineMismatchError,
    CorruptFileError,
    DimensionsError,
    LabelValuesError,
)

hd = pytest.importorskip("highdicom", reason="extra dicom is not installed")
pydicom = pytest.importorskip("pydicom", reason="extra dicom is not installed")
pytest.importorskip("SimpleITK", reason="extra formats is not installed")

UID = "1.2.826.0.1.3680043.2.1125.7"
SHAPE = (14, 18, 9)  # columns, rows, slices
SPACING = (0.5, 0.75, 2.5)  # along columns, rows, slices
CODE = hd.sr.CodedConcept("1", "99TEST", "something")

AXIAL = np.eye(3)
TURN = np.radians(20)
OBLIQUE = np.array([[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1.0]])
CORONAL = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])  # rows run down to the feet
ORIENTATIONS = {"axial": AXIAL, "oblique": OBLIQUE, "coronal": CORONAL}
"""Columns: LPS directions of rising column, row and slice."""

ORIGIN_LPS = np.array([-31.0, 12.5, 40.0])


def lps_affine(directions):
    """(4, 4): voxel (column, row, slice) to LPS mm."""
    affine = np.eye(4)
    affine[:3, :3] = directions * SPACING
    affine[:3, 3] = ORIGIN_LPS
    return affine


def ct_slice(pixels_rc, number, directions):
    slice_ = pydicom.Dataset()
    slice_.file_meta = pydicom.dataset.FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    slice_.SOPClassUID = slice_.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    slice_.SOPInstanceUID = f"{UID}.1.{number + 1}"
    slice_.file_meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID
    slice_.StudyInstanceUID, slice_.SeriesInstanceUID = f"{UID}.2", f"{UID}.3"
    slice_.FrameOfReferenceUID, slice_.PositionReferenceIndicator = f"{UID}.4", ""
    slice_.PatientName, slice_.PatientID = "Phantom^", "phantom"
    for empty in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
        setattr(slice_, empty, "")
    slice_.AccessionNumber = slice_.ReferringPhysicianName = slice_.StudyID = ""
    slice_.Modality, slice_.SeriesNumber, slice_.InstanceNumber = "CT", 1, number + 1
    position = ORIGIN_LPS + number * SPACING[2] * directions[:, 2]
    slice_.ImagePositionPatient = [round(float(v), 9) for v in position]
    slice_.ImageOrientationPatient = [round(float(v), 9) for v in directions[:, :2].T.ravel()]
    slice_.PixelSpacing, slice_.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]
    slice_.Rows, slice_.Columns = pixels_rc.shape
    slice_.BitsAllocated = slice_.BitsStored = 16
    slice_.HighBit, slice_.PixelRepresentation, slice_.SamplesPerPixel = 15, 1, 1
    slice_.PhotometricInterpretation, slice_.RescaleSlope = "MONOCHROME2", 1
    slice_.RescaleIntercept = 0
    slice_.PixelData = pixels_rc.astype("<i2").tobytes()
    return slice_


def write_series(folder, directions=AXIAL):
    """A CT series of noise; its datasets and its voxels [column, row, slice]."""
    folder.mkdir(parents=True)
    voxels = np.random.default_rng(3).integers(-200, 900, SHAPE).astype(np.int16)
    slices = [ct_slice(voxels[:, :, n].T, n, directions) for n in range(SHAPE[2])]
    for number, dataset in enumerate(slices):
        dataset.save_as(folder / f"{(number * 5) % 9}.dcm", enforce_file_format=True)
    return slices, voxels


def masks():
    """Two overlapping structures and a distant one, [column, row, slice]; most slices are empty."""
    c, r, s = np.indices(SHAPE)
    liver = ((c - 6) / 4) ** 2 + ((r - 8) / 6) ** 2 + ((s - 4) / 2.2) ** 2 <= 1
    tumor = ((c - 7) / 2) ** 2 + ((r - 9) / 3) ** 2 + ((s - 4) / 1.2) ** 2 <= 1
    spleen = (c == 12) & (r > 13) & (s == 8)
    return {"liver": liver, "liver tumor": tumor, "spleen": spleen}


def write_segmentation(path, slices, found, kind="BINARY", labels=None):
    pixels = np.stack([mask.transpose(2, 1, 0) for mask in found], axis=-1)
    if kind == "FRACTIONAL":
        pixels = pixels.astype(np.float32) * 0.5
    described = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=CODE,
            segmented_property_type=CODE,
            algorithm_type="MANUAL",
        )
        for number, label in enumerate(labels or [f"segment {n}" for n in range(len(found))], 1)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = hd.seg.Segmentation(
            source_images=slices,
            pixel_array=pixels if kind == "FRACTIONAL" else pixels.astype(np.uint8),
            segmentation_type=kind,
            segment_descriptions=described,
            series_instance_uid=f"{UID}.5",
            series_number=2,
            sop_instance_uid=f"{UID}.6",
            instance_number=1,
            manufacturer="m",
            manufacturer_model_name="m",
            software_versions="1",
            device_serial_number="1",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    written.save_as(path)
    return path


def canonical(voxels, directions):
    """Voxels [column, row, slice] in closest RAS+, by nibabel."""
    affine = np.diag([-1.0, -1, 1, 1]) @ lps_affine(directions)
    stored = nib.Nifti1Image(voxels.astype(np.int16), affine)
    return np.asarray(nib.as_closest_canonical(stored).dataobj)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_segments_lie_where_they_were_written(tmp_path, name):
    directions = ORIENTATIONS[name]
    slices, voxels = write_series(tmp_path / "ct", directions)
    path = write_segmentation(tmp_path / "seg.dcm", slices, list(masks().values()))
    image = read_volume(tmp_path / "ct")
    np.testing.assert_array_equal(image.array, canonical(voxels, directions))
    segments = list(read_segments(path, image))
    assert [segment.number for segment in segments] == [1, 2, 3]
    for segment, mask in zip(segments, masks().values(), strict=True):
        np.testing.assert_array_equal(segment.mask, canonical(mask, directions) > 0)


def test_label_map_segmentations_read_alike(tmp_path):
    slices, _ = write_series(tmp_path / "ct")
    found = masks()
    apart = [found["liver"] & ~found["liver tumor"], found["liver tumor"], found["spleen"]]
    label_map = sum(mask.transpose(2, 1, 0) * n for n, mask in enumerate(apart, 1))
    described = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=str(number),
            segmented_property_category=CODE,
            segmented_property_type=CODE,
            algorithm_type="MANUAL",
        )
        for number in (1, 2, 3)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = hd.seg.Segmentation(
            slices,
            label_map.astype(np.uint8),
            "LABELMAP",
            described,
            f"{UID}.5",
            2,
            f"{UID}.6",
            1,
            "m",
            "m",
            "1",
            "1",
        )
    written.save_as(tmp_path / "seg.dcm")
    image = read_volume(tmp_path / "ct")
    for segment, mask in zip(read_segments(tmp_path / "seg.dcm", image), apart, strict=True):
        np.testing.assert_array_equal(segment.mask, canonical(mask, AXIAL) > 0)


def test_one_stored_frame_finds_its_slice(tmp_path):
    slices, _ = write_series(tmp_path / "ct")
    spleen = masks()["spleen"]
    path = write_segmentation(tmp_path / "seg.dcm", slices, [spleen])
    assert int(pydicom.dcmread(path).NumberOfFrames) == 1
    (segment,) = read_segments(path, read_volume(tmp_path / "ct"))
    np.testing.assert_array_equal(segment.mask, canonical(spleen, AXIAL) > 0)


@pytest.mark.parametrize("slices_with_voxels", [(2, 3, 7, 8), (2, 4, 6), (0, 8), (5,)])
def test_frames_that_are_not_stored_are_empty_slices(tmp_path, slices_with_voxels):
    slices, _ = write_series(tmp_path / "ct", OBLIQUE)
    mask = np.zeros(SHAPE, bool)
    mask[4:9, 5:11, slices_with_voxels] = True
    path = write_segmentation(tmp_path / "seg.dcm", slices, [mask])
    [found] = read_segments(path, read_volume(tmp_path / "ct"))
    drawn = nib.Nifti1Image(mask.astype(np.uint8), np.diag([-1.0, -1, 1, 1]) @ lps_affine(OBLIQUE))
    np.testing.assert_array_equal(found.mask, nib.as_closest_canonical(drawn).get_fdata() > 0)


def build(folder, images, masks_folder, out, name="s"):
    words = ["build", "--images", folder / images, "--masks", folder / masks_folder]
    words += ["--labels", folder / "labels.json", "--name", name, "--modality", "CT"]
    words += ["--target-labels", "2", "--out", folder / out]
    return main([str(word) for word in words])


LABELS = {"1": "liver", "2": "liver tumor", "3": "spleen"}


@pytest.fixture
def study(tmp_path):
    """One oblique case: as a DICOM series with a segmentation, and as NIfTI files."""
    slices, voxels = write_series(tmp_path / "series" / "a", OBLIQUE)
    affine = np.diag([-1.0, -1, 1, 1]) @ lps_affine(OBLIQUE)
    (tmp_path / "nifti").mkdir()
    nib.save(nib.Nifti1Image(voxels, affine), tmp_path / "nifti" / "a.nii.gz")
    (tmp_path / "files" / "a").mkdir(parents=True)
    for name, mask in masks().items():
        stored = nib.Nifti1Image(mask.astype(np.uint8), affine)
        nib.save(stored, tmp_path / "files" / "a" / f"{name}.nii.gz")
    (tmp_path / "labels.json").write_text(json.dumps(LABELS))
    return tmp_path, slices


@pytest.mark.parametrize("place", ["segs/a.dcm", "segs/a/anything.dcm"])
def test_series_and_segmentation_build_the_tables_of_nifti_truth(study, place):
    folder, slices = study
    write_segmentation(folder / place, slices, list(masks().values()), labels=list(masks()))
    assert build(folder, "series", "segs", "from-dicom") == 0
    assert build(folder, "nifti", "files", "from-nifti") == 0
    for read in (read_regions, read_structures):
        dicom, nifti = (read(folder / out) for out in ("from-dicom", "from-nifti"))
        assert dicom.num_rows == nifti.num_rows >= 3
        for name in nifti.column_names:
            found, truth = dicom[name].to_pylist(), nifti[name].to_pylist()
            if nifti.schema.field(name).type == "double":  # NIfTI holds its affine in float32
                found, truth = (np.array(column, dtype=float) for column in (found, truth))
                np.testing.assert_allclose(found, truth, rtol=1e-4, atol=1e-4, err_msg=name)
            else:
                assert found == truth


def test_segments_numbered_in_another_order_go_by_their_names(study):
    folder, slices = study
    labels = ["liver tumor", "liver", "spleen"]
    write_segmentation(folder / "segs/a.dcm", slices, list(masks().values()), labels=labels)
    assert build(folder, "series", "segs", "out") == 0
    rows = read_structures(folder / "out").to_pylist()
    assert {row["label"]: row["voxel_count"] for row in rows} == {
        label: int(mask.sum()) for label, mask in zip(labels, masks().values(), strict=True)
    }


def test_an_undeclared_segment_is_named(study, capsys):
    folder, slices = study
    (folder / "labels.json").write_text('{"1": "liver", "2": "liver tumor"}')
    write_segmentation(folder / "segs/a.dcm", slices, list(masks().values()))
    assert build(folder, "series", "segs", "out") == 1
    assert "found also 3 'segment 2'" in capsys.readouterr().err


def test_a_segmentation_of_another_scan_is_refused(tmp_path):
    slices, _ = write_series(tmp_path / "ct")
    write_series(tmp_path / "other", OBLIQUE)
    path = write_segmentation(tmp_path / "seg.dcm", slices, [masks()["liver"]])
    with pytest.raises(AffineMismatchError, match=r"seg\.dcm: its frames lie"):
        list(read_segments(path, read_volume(tmp_path / "other")))


def test_frames_beyond_the_image_are_refused(tmp_path):
    slices, voxels = write_series(tmp_path / "ct")
    path = write_segmentation(tmp_path / "seg.dcm", slices, [masks()["liver"]])
    affine = np.diag([-1.0, -1, 1, 1]) @ lps_affine(AXIAL)
    nib.save(nib.Nifti1Image(voxels[:, :, :5], affine), tmp_path / "part.nii")
    with pytest.raises(AffineMismatchError, match="or beyond them"):
        list(read_segments(path, read_volume(tmp_path / "part.nii")))


def test_fractions_are_refused(tmp_path):
    slices, _ = write_series(tmp_path / "ct")
    path = write_segmentation(tmp_path / "seg.dcm", slices, [masks()["liver"]], kind="FRACTIONAL")
    with pytest.raises(LabelValuesError, match="found fractions"):
        list(read_segments(path, read_volume(tmp_path / "ct")))


def test_a_picture_has_no_segmentation(tmp_path):
    from PIL import Image

    slices, _ = write_series(tmp_path / "ct")
    path = write_segmentation(tmp_path / "seg.dcm", slices, [masks()["liver"]])
    Image.fromarray(np.zeros((18, 14), np.uint8)).save(tmp_path / "a.png")
    image = read_volume(tmp_path / "a.png", spacing_mm=(1.0, 1.0))
    with pytest.raises(DimensionsError, match="needs a volume"):
        list(read_segments(path, image))


def test_a_truncated_segmentation_is_named(tmp_path):
    slices, _ = write_series(tmp_path / "ct")
    path = write_segmentation(tmp_path / "seg.dcm", slices, [masks()["liver"]])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptFileError, match=r"seg\.dcm"):
        list(read_segments(path, read_volume(tmp_path / "ct")))


def test_only_segmentations_are_taken_for_some(tmp_path):
    slices, _ = write_series(tmp_path / "ct")
    path = write_segmentation(tmp_path / "seg" / "x", slices, [masks()["liver"]])
    assert segmentation_file(path) == path
    assert segmentation_file(tmp_path / "seg") == path
    assert segmentation_file(tmp_path / "ct") is None
    assert segmentation_file(next((tmp_path / "ct").iterdir())) is None
    assert segmentation_file(tmp_path / "absent") is None


def test_without_the_extra_the_error_says_what_to_install(tmp_path, monkeypatch):
    slices, _ = write_series(tmp_path / "ct")
    path = write_segmentation(tmp_path / "seg.dcm", slices, [masks()["liver"]])
    image = read_volume(tmp_path / "ct")
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(MissingExtraError, match=r"medvision\[dicom\]"):
        list(read_segments(path, image))
