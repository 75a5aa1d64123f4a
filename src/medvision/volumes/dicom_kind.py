"""What kind of object a DICOM file is, by the class that its meta information names."""

from collections.abc import Collection
from pathlib import Path

from medvision.volumes.dicom_folder import has_preamble, storage_class

SEGMENTATION = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage, Label Map Segmentation Storage."""

STRUCTURE_SET = ("1.2.840.10008.5.1.4.1.1.481.3",)
"""RT Structure Set Storage."""


def object_of_class(path: Path, classes: Collection[str]) -> Path | None:
    """A DICOM file of one of the classes, or such a file that a folder holds as its only one.

    Args:
        path: File or folder.
        classes: Unique identifiers of storage classes.
    """
    if path.is_dir():
        files = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        alone = len(files) == 1 and files[0].is_file()
        return object_of_class(files[0], classes) if alone else None
    if not path.is_file() or not has_preamble(path):
        return None
    return path if storage_class(path) in classes else None
