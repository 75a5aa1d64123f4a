"""Any supported image file, as a canonical volume."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from medvision.errors import ItemError
from medvision.volumes import dicom, dicom_folder, metaimage, nifti, nrrd_file, pictures, suffixes
from medvision.volumes.canonical import canonical_geometry, canonical_volume
from medvision.volumes.conversions import converted
from medvision.volumes.errors import (
    DimensionsError,
    EmptyFileError,
    InvalidSpacingError,
    MissingFileError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from medvision.volumes.guard import names_file
from medvision.volumes.labels import integer_labels
from medvision.volumes.stored import ReadOptions, SpacingFrom, StoredImage
from medvision.volumes.volume import Volume, VolumeGeometry

_Opener = Callable[[Path, ReadOptions], StoredImage]

OPENERS: dict[str, _Opener] = {
    **dict.fromkeys(suffixes.NIFTI, nifti.open_nifti),
    **dict.fromkeys(suffixes.NRRD, nrrd_file.open_nrrd),
    **dict.fromkeys(suffixes.PICTURE, pictures.open_picture),
    **dict.fromkeys(suffixes.METAIMAGE, metaimage.open_metaimage),
    **dict.fromkeys(suffixes.DICOM, dicom.open_dicom_file),
}
"""What opens a file, by the end of its name in lower case."""

_COMPANIONS: dict[str, Callable[[Path], tuple[Path, ...]]] = {
    **dict.fromkeys(suffixes.NIFTI_PAIR, nifti.pair_files),
    **dict.fromkeys(suffixes.NRRD, nrrd_file.data_files),
    **dict.fromkeys(suffixes.METAIMAGE, metaimage.data_files),
}
"""What finds the other files that are read with a file, by the end of its name."""


def read_volume(
    path: Path | str,
    *,
    spacing_mm: tuple[float, float] | None = None,
    spacing_from: SpacingFrom | None = None,
) -> Volume:
    """An image as a canonical RAS+ volume, or as a native 2D image.

    Args:
        path: NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF, BMP or DICOM file, or a folder with one
            DICOM series.
        spacing_mm: (y, x) of a 2D image, where its file has no reliable one; wins over the file.
        spacing_from: NIfTI: which statement to believe where the header contradicts itself.

    Returns:
        Voxels in the stored dtype, or float32 or float64 where the file has a slope; colour as
        8-bit luminance.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
        UsageError: `spacing_mm` is not two positive numbers.

    Example:
        A scan stored from right to left, from anterior to posterior, and up:

        >>> import nibabel, numpy
        >>> voxels = numpy.arange(24, dtype=numpy.int16).reshape(2, 3, 4)
        >>> nibabel.save(nibabel.Nifti1Image(voxels, numpy.diag([-1, -1, 2, 1])), "scan.nii.gz")
        >>> volume = read_volume("scan.nii.gz")
        >>> volume.orientation_as_stored, volume.spacing_mm
        ('LPS', (1.0, 1.0, 2.0))
        >>> volume.array[0, 0].tolist() == voxels[-1, -1].tolist()
        True
    """
    options = ReadOptions(spacing_mm=spacing_mm, spacing_from=spacing_from)
    with names_file(Path(path)):
        return canonical_volume(open_stored(Path(path), options))


def read_label_map(
    path: Path | str,
    *,
    spacing_mm: tuple[float, float] | None = None,
    spacing_from: SpacingFrom | None = None,
) -> Volume:
    """A label map as a canonical RAS+ volume of integers, or as a native 2D one.

    Args:
        path: As for `read_volume`.
        spacing_mm: As for `read_volume`.
        spacing_from: As for `read_volume`.

    Returns:
        Labels as uint8, int8, uint16, int16 or int32.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
        UsageError: `spacing_mm` is not two positive numbers.
    """
    return label_map(Path(path), ReadOptions(spacing_mm=spacing_mm, spacing_from=spacing_from))


def label_map(path: Path, options: ReadOptions) -> Volume:
    """As `read_label_map`, of a file that may have to be converted.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    with names_file(path):
        stored = open_stored(path, dataclasses.replace(options, purpose="label_map"))
        volume = canonical_volume(stored)
        labels = integer_labels(volume.array, item=str(path), scaled=stored.scaled)
        return dataclasses.replace(volume, array=labels)


def read_geometry(
    path: Path | str,
    *,
    spacing_mm: tuple[float, float] | None = None,
    spacing_from: SpacingFrom | None = None,
) -> VolumeGeometry:
    """Shape, affine and spacing that `read_volume` would give, from the header alone.

    Args:
        path: As for `read_volume`.
        spacing_mm: As for `read_volume`.
        spacing_from: As for `read_volume`.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
        UsageError: `spacing_mm` is not two positive numbers.
    """
    options = ReadOptions(spacing_mm=spacing_mm, spacing_from=spacing_from)
    with names_file(Path(path)):
        return canonical_geometry(open_stored(Path(path), options))


def companion_files(path: Path | str) -> tuple[Path, ...]:
    """Other files that are read with a file: its voxels, or the other half of a pair.

    Args:
        path: As for `read_volume`.

    Returns:
        In the order of the header; none where the header cannot be understood or names files that
        cannot be read, which reading will say.
    """
    suffix = _suffix(Path(path))
    if suffix not in _COMPANIONS:
        return ()
    try:
        with names_file(Path(path)):
            return _COMPANIONS[suffix](Path(path))
    except ItemError:
        return ()


def _suffix(path: Path) -> str | None:
    # Of the name as given: a link to a blob says by its own name what it is.
    return suffixes.ending(path.name, OPENERS)


def open_stored(path: Path, options: ReadOptions) -> StoredImage:
    """A file as it stores its image, converted as the options say; its voxels are not read yet.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    if options.frame is not None and _suffix(path) not in suffixes.NIFTI:
        msg = f"{path}: channels and frames are picked from NIfTI files only; convert it first"
        raise DimensionsError(msg)
    if not path.exists():
        msg = f"{path}: no such file; check the path"
        raise MissingFileError(msg)
    if path.is_dir():
        stored = dicom.open_dicom_series(path, options)
    elif not path.is_file():
        msg = f"{path}: expected a file or a DICOM folder, found a pipe or a device"
        raise UnreadableFileError(msg)
    elif path.stat().st_size == 0:
        msg = f"{path}: the file is empty; fetch it again"
        raise EmptyFileError(msg)
    else:
        suffix = _suffix(path)
        if suffix is None and not dicom_folder.has_preamble(path):
            known = ", ".join(OPENERS)
            msg = f"{path}: not a kind of file read here; expected DICOM or one of {known}"
            raise UnsupportedFormatError(msg)
        opener = dicom.open_dicom_file if suffix is None else OPENERS[suffix]
        stored = opener(path, options)
    if options.spacing_mm is not None and len(stored.shape) == 3:
        msg = (
            f"{path}: --spacing-mm is for 2D images, this is a volume of shape {stored.shape} "
            "with a spacing of its own; leave it out"
        )
        raise InvalidSpacingError(msg)
    return converted(stored, options.steps, options.like, options.transform)
