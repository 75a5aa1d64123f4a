"""DICOM files written tag by tag, by pydicom: what a reader makes of them is compared with that."""

from zlib import crc32

import numpy as np
import pytest

UID = "1.2.826.0.1.3680043.2.1125.1"
SIDE = 16
STORED = np.random.default_rng(7).integers(0, 4096, (SIDE, SIDE))
TOMOGRAM = {
    "ImagePositionPatient": [0, 0, 0],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "SliceThickness": 2.5,
    "PixelSpacing": [0.8, 0.8],
}


def written(path, stored=STORED, *, modality="CT", photometric="MONOCHROME2", **tags):
    """A DICOM file of 12-bit values, as pydicom writes it; a tag given as None is left out."""
    pydicom = pytest.importorskip("pydicom", reason="writes files tag by tag")
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = tags.pop("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2")
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = (
        f"{UID}.{crc32(path.stem.encode())}"
    )
    dataset.SeriesInstanceUID = dataset.StudyInstanceUID = UID
    dataset.Modality, dataset.PhotometricInterpretation = modality, photometric
    dataset.SamplesPerPixel = 1
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = stored.astype("<u2").tobytes()
    for name, value in {**(TOMOGRAM if modality in {"CT", "PT", "MR"} else {}), **tags}.items():
        if value is not None:
            setattr(dataset, name, value)
        elif name in dataset:
            delattr(dataset, name)
    dataset.save_as(path, enforce_file_format=True)
    return path
