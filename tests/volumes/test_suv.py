"""PET scale by hand-made headers with known answers."""

import json

import nibabel as nib
import numpy as np
import pytest

from medvision.volumes.errors import CorruptFileError
from medvision.volumes.suv import (
    PetHeaderError,
    header_from_fields,
    image_suv_per_unit,
    suv_per_unit,
)

INJECTED = {
    "Units": "Bq/mL",
    "PatientWeight": 74.0,
    "InjectedRadioactivity": 370.0,
    "InjectedRadioactivityUnits": "MBq",
}
TO_INJECTION = {"ImageDecayCorrected": True, "ImageDecayCorrectionTime": 0, "InjectionStart": 0}


def scale(**fields):
    return suv_per_unit(header_from_fields(fields))


@pytest.mark.parametrize("units", ["SUV", "suvbw", "g/mL", "GML"])
def test_values_said_to_be_suv_are_taken_as_they_are(units):
    assert scale(Units=units) == 1.0


def test_5000_bq_per_ml_of_370_mbq_in_74_kg_is_suv_1():
    assert 5000 * scale(**INJECTED, **TO_INJECTION) == pytest.approx(1.0)


def test_activity_is_taken_at_the_time_the_image_is_corrected_to():
    """One half-life after the injection half of the activity is left: twice the SUV."""
    later = {**TO_INJECTION, "ImageDecayCorrectionTime": 6586.2, "RadionuclideHalfLife": 6586.2}
    assert 5000 * scale(**INJECTED, **later) == pytest.approx(2.0)


def test_dicom_converters_fields_are_understood():
    fields = {"Units": "BQML", "PatientWeight": 74, "RadionuclideTotalDose": 3.7e8}
    assert 5000 * scale(**fields, DecayCorrection="ADMIN") == pytest.approx(1.0)
    assert scale(**fields, DecayCorrection="START") is None


@pytest.mark.parametrize(
    "changed",
    [
        {"Units": "CNTS"},
        {"Units": ""},
        {"PatientWeight": 0},
        {"PatientWeight": "74"},
        {"InjectedRadioactivityUnits": "mCi"},
        {"InjectedRadioactivity": float("nan")},
        {"ImageDecayCorrected": False},
        {"InjectionStart": None},
        {"ImageDecayCorrectionTime": 3600},
        {"Units": "g/mL", "SUVType": "LBM"},
    ],
)
def test_a_header_that_lacks_something_gives_no_scale(changed):
    assert scale(**{**INJECTED, **TO_INJECTION, **changed}) is None


@pytest.mark.parametrize("name", ["case.nii.gz", "case.nrrd", "case.hdr.gz", "case.img.gz"])
def test_sidecar_of_the_image_wins_over_the_folders(tmp_path, name):
    image = tmp_path / name
    assert image_suv_per_unit(image) is None
    (tmp_path / "pet.json").write_text(json.dumps({"Units": "SUV"}))
    assert image_suv_per_unit(image) == 1.0
    (tmp_path / "case.json").write_text(json.dumps({"Units": "CNTS"}))
    assert image_suv_per_unit(image) is None


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_damaged_sidecar_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / "case.json").write_text(text)
    with pytest.raises(PetHeaderError, match=r"case\.json: expected a JSON object"):
        image_suv_per_unit(tmp_path / "case.nii")


@pytest.mark.parametrize(
    ("units", "suv_type", "expected"),
    [("GML", None, 1.0), ("GML", "LBM", None), ("BQML", None, None)],
)
def test_dicom_units_decide(tmp_path, units, suv_type, expected):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("SimpleITK")
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.128"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    file = pydicom.dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    file.Modality, file.Units = "PT", units
    file.Rows = file.Columns = 4
    file.BitsAllocated = file.BitsStored = 16
    file.HighBit, file.PixelRepresentation, file.SamplesPerPixel = 15, 1, 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.PixelData = np.zeros((4, 4), np.int16).tobytes()
    if suv_type:
        file.SUVType = suv_type
    file.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert image_suv_per_unit(tmp_path / "a.dcm") == expected
    (tmp_path / "a.dcm").rename(tmp_path / "IM1")  # known by its content
    (tmp_path / "pet.json").write_text(json.dumps({"Units": "SUV"}))
    assert image_suv_per_unit(tmp_path / "IM1") == expected


def test_damaged_dicom_is_an_error_that_names_it(tmp_path):
    pytest.importorskip("SimpleITK")
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 30)
    for image in (tmp_path / "a.dcm", tmp_path):
        with pytest.raises(CorruptFileError, match=r"a\.dcm: "):
            image_suv_per_unit(image)


def test_pet_slices_are_shown_from_suv_0_to_10(tmp_path):
    from medvision.pictures.render import SlicePictures, SliceRef, rendered

    values = np.zeros((8, 8, 2), np.float32)
    values[0, 0], values[1, 1], values[2, 2] = 50_000, 100_000, 25_000  # Bq/mL: SUV 10, 20, 5
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "p.nii")
    ref = SliceRef(
        image_uri=str(tmp_path / "p.nii"),
        modality="PET",
        plane="axial",
        slice_index=0,
        spacing_yx_mm=(1.0, 1.0),
    )
    stretched = SlicePictures().slice_image(ref).pixels
    assert np.array_equal(stretched, rendered(values[::-1, ::-1, 0].T, modality="PET", label=""))
    (tmp_path / "p.json").write_text(json.dumps({**INJECTED, **TO_INJECTION}))
    shown = SlicePictures().slice_image(ref).pixels[::-1, ::-1]
    assert (shown[0, 0], shown[1, 1], shown[2, 2], shown[3, 3]) == (255, 255, 128, 0)
