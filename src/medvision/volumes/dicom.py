"""DICOM: one file, or a folder with one series, through SimpleITK."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medvision.extras import require
from medvision.volumes.dicom_stack import SlicePlacement, stack_affine, stacking_order
from medvision.volumes.errors import (
    CorruptFileError,
    DimensionsError,
    MissingSpacingError,
    NotAnImageError,
    SeveralSeriesError,
    UnsupportedPixelsError,
)
from medvision.volumes.metaimage import LPS_TO_RAS
from medvision.volumes.pictures import luminance
from medvision.volumes.stored import NativeSpacing, ReadOptions, StoredImage, native_spacing
from medvision.volumes.volume import SpacingSource, VoxelArray

_PREAMBLE_BYTES = 128
"""DICOM PS3.10, 7.1: 128 free bytes, then DICM."""

_TOMOGRAPHIC = frozenset({"CT", "MR", "PT", "NM"})

# Tags as SimpleITK's metadata dictionary spells them; names as in DICOM PS3.6.
_MODALITY = "0008|0060"
_SLICE_THICKNESS = "0018|0050"
_SPACING_BETWEEN_SLICES = "0018|0088"
_DETECTOR_SPACING = "0018|1164"
_POSITION = "0020|0032"
_ORIENTATION = "0020|0037"
_PHOTOMETRIC = "0028|0004"
_FRAMES = "0028|0008"
_PIXEL_SPACING = "0028|0030"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """What one file's header says. Missing numbers are ()."""

    path: Path
    width_px: int
    height_px: int
    n_components: int
    modality: str
    photometric: str
    n_frames: int
    position_lps: tuple[float, ...]
    orientation_lps: tuple[float, ...]
    pixel_spacing_mm: tuple[float, ...]
    detector_spacing_mm: tuple[float, ...]
    slice_spacing_mm: tuple[float, ...]

    @property
    def is_placed(self) -> bool:
        """Whether this is a slice of a patient, not a projection or a picture."""
        # The modality too: some secondary captures keep the position of the slice they picture.
        return (
            self.modality in _TOMOGRAPHIC
            and len(self.position_lps) == 3
            and len(self.orientation_lps) == 6
        )


def has_preamble(path: Path) -> bool:
    """Whether the file says it is DICOM, whatever its name."""
    with path.open("rb") as file:
        return file.read(_PREAMBLE_BYTES + 4)[_PREAMBLE_BYTES:] == b"DICM"


def open_dicom_file(path: Path, options: ReadOptions) -> StoredImage:
    """One DICOM file: a projection or ultrasound picture (native 2D), or one slice (K = 1).

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    require("SimpleITK", "formats", item=str(path))
    found = _read_slice(path)
    _check_pixels(found, options)
    return _stack(path, [found]) if found.is_placed else _open_2d(found, options)


def open_dicom_series(path: Path, options: ReadOptions) -> StoredImage:
    """A folder with one DICOM series, as a volume, or as a 2D image if it is a single one.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    sitk = require("SimpleITK", "formats", item=str(path))
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(path))
    if not series:
        msg = f"{path}: a folder without DICOM files; name an image file or a DICOM folder"
        raise NotAnImageError(msg)
    if len(series) > 1:
        msg = f"{path}: expected one DICOM series, found {len(series)}; one folder for each"
        raise SeveralSeriesError(msg)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path), series[0])
    slices = [_read_slice(Path(name)) for name in names]
    for found in slices:
        _check_pixels(found, options)
    if len(slices) == 1 and not slices[0].is_placed:
        return _open_2d(slices[0], options)
    unplaced = [found.path.name for found in slices if not found.is_placed]
    if unplaced:
        msg = (
            f"{path}: expected CT, MR, PT or NM slices with position and orientation, found "
            f"{len(unplaced)} of {len(slices)} files without, such as {unplaced[0]}"
        )
        raise DimensionsError(msg)
    return _stack(path, slices)


def _stack(path: Path, slices: list[_Slice]) -> StoredImage:
    """Slices of a patient as one volume, in the order of their positions, not of their names."""
    placements = []
    for found in slices:
        if len(found.pixel_spacing_mm) != 2:
            msg = f"{found.path}: the slice states no PixelSpacing; repair the file"
            raise MissingSpacingError(msg)
        spacing_y_mm, spacing_x_mm = found.pixel_spacing_mm  # rows first: PS3.3, 10.7.1.3
        placement = SlicePlacement(
            position_lps=found.position_lps,
            orientation_lps=found.orientation_lps,
            spacing_yx_mm=(spacing_y_mm, spacing_x_mm),
            size_xy_px=(found.width_px, found.height_px),
            slice_spacing_mm=found.slice_spacing_mm[0] if found.slice_spacing_mm else None,
        )
        placements.append(placement)
    order = stacking_order(placements)
    ordered = [slices[n] for n in order]
    affine = stack_affine([placements[n] for n in order], item=str(path))
    return StoredImage(
        path=path,
        shape=(ordered[0].width_px, ordered[0].height_px, len(ordered)),
        affine=LPS_TO_RAS @ affine,
        spacing_source=SpacingSource.HEADER,
        load=lambda: np.stack([_pixels(found).T for found in ordered], axis=2),
    )


def _open_2d(found: _Slice, options: ReadOptions) -> StoredImage:
    """A projection or picture: PixelSpacing, else the pitch at the detector, which is larger."""
    stated = found.pixel_spacing_mm or found.detector_spacing_mm
    source = SpacingSource.HEADER if found.pixel_spacing_mm else SpacingSource.DETECTOR
    size = None
    if len(stated) == 2:
        size = NativeSpacing(spacing_y_mm=stated[0], spacing_x_mm=stated[1], source=source)
    spacing = native_spacing(found.path, options, size)
    # MONOCHROME1 shows its least value as white (PS3.3, C.7.6.3.1.2): stored values are kept.
    inverted = ("monochrome1",) if found.photometric == "MONOCHROME1" else ()
    return StoredImage(
        path=found.path,
        shape=(found.height_px, found.width_px),
        affine=spacing.affine,
        spacing_source=spacing.source,
        flags=(*spacing.flags, *inverted),
        load=lambda: _pixels(found),
    )


def _check_pixels(found: _Slice, options: ReadOptions) -> None:
    if found.n_frames != 1:
        msg = f"{found.path}: expected one frame, found {found.n_frames}; convert it to NIfTI first"
        raise DimensionsError(msg)
    colour = found.n_components == 3 and options.purpose == "image" and not found.is_placed
    if found.n_components != 1 and not colour:
        msg = f"{found.path}: expected one number a pixel, found {found.n_components}"
        raise UnsupportedPixelsError(msg)


def _reader(path: Path) -> Any:
    sitk = require("SimpleITK", "formats", item=str(path))
    # ITK writes its warnings past Python's logging, straight to standard error.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # noqa: FBT003 - a foreign signature
    reader = sitk.ImageFileReader()
    # Named, since ITK chooses by the file's name otherwise and DICOM files often have no suffix.
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    return reader


def _read_slice(path: Path) -> _Slice:
    reader = _reader(path)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        msg = f"{path}: not a DICOM image that GDCM can read"
        raise NotAnImageError(msg) from error
    width_px, height_px, *_ = reader.GetSize()
    # The thickness may be less or more than the distance, so it comes second.
    between = _numbers(reader, _SPACING_BETWEEN_SLICES)
    return _Slice(
        path=path,
        width_px=width_px,
        height_px=height_px,
        n_components=reader.GetNumberOfComponents(),
        modality=_text(reader, _MODALITY),
        photometric=_text(reader, _PHOTOMETRIC),
        n_frames=int((_numbers(reader, _FRAMES) or (1.0,))[0]),
        position_lps=_numbers(reader, _POSITION),
        orientation_lps=_numbers(reader, _ORIENTATION),
        pixel_spacing_mm=_numbers(reader, _PIXEL_SPACING),
        detector_spacing_mm=_numbers(reader, _DETECTOR_SPACING),
        slice_spacing_mm=between or _numbers(reader, _SLICE_THICKNESS),
    )


def _text(reader: Any, tag: str) -> str:
    return str(reader.GetMetaData(tag)).strip() if reader.HasMetaDataKey(tag) else ""


def _numbers(reader: Any, tag: str) -> tuple[float, ...]:
    try:
        # Decimal strings hold several values between backslashes (PS3.5, 6.2).
        return tuple(float(word) for word in _text(reader, tag).split("\\") if word.strip())
    except ValueError:
        return ()


def _pixels(found: _Slice) -> VoxelArray:
    """Pixels [y, x], rescaled by GDCM as the file says; colour as luminance."""
    sitk = require("SimpleITK", "formats", item=str(found.path))
    try:
        array: VoxelArray = sitk.GetArrayFromImage(_reader(found.path).Execute())
    except RuntimeError as error:
        msg = f"{found.path}: the pixels cannot be decoded; fetch the file again"
        raise CorruptFileError(msg) from error
    if found.n_components == 3:
        return luminance(array.reshape(found.height_px, found.width_px, 3))
    return array.reshape(found.height_px, found.width_px)
