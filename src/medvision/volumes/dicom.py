"""DICOM: one file, or a folder with one series, through SimpleITK."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medvision.extras import require
from medvision.volumes.dicom_folder import (
    has_modality_lut,
    has_preamble,
    lacks_pixel_bytes,
    slice_files,
    slices_below,
    storage_class,
)
from medvision.volumes.dicom_stack import SlicePlacement, stack_affine, stacking_order
from medvision.volumes.errors import (
    BadHeaderError,
    CorruptFileError,
    DimensionsError,
    EmptyFileError,
    MissingSpacingError,
    NotAnImageError,
    SeveralSeriesError,
    TruncatedFileError,
    UnsupportedPixelsError,
)
from medvision.volumes.metaimage import LPS_TO_RAS
from medvision.volumes.pictures import luminance
from medvision.volumes.stored import NativeSpacing, ReadOptions, StoredImage, native_spacing
from medvision.volumes.ultrasound import region_spacing_mm
from medvision.volumes.volume import SpacingSource, VoxelArray

_TOMOGRAPHIC = frozenset({"CT", "MR", "PT", "NM"})
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""Storage class of pictures of a screen, and stem of its multi-frame kinds."""

# Tags as SimpleITK's metadata dictionary spells them; names as in DICOM PS3.6.
_MODALITY = "0008|0060"
_SLICE_THICKNESS = "0018|0050"
_SPACING_BETWEEN_SLICES = "0018|0088"
_MAGNIFICATION = "0018|1114"
_DETECTOR_SPACING = "0018|1164"
_SCANNED_SPACING = "0018|2010"
_SERIES = "0020|000e"
_POSITION = "0020|0032"
_ORIENTATION = "0020|0037"
_SAMPLES = "0028|0002"
_PHOTOMETRIC = "0028|0004"
_FRAMES = "0028|0008"
_PIXEL_SPACING = "0028|0030"
_BITS_ALLOCATED = "0028|0100"
_BITS_STORED = "0028|0101"
_REPRESENTATION = "0028|0103"
_CALIBRATION = "0028|0a02"
_INTERCEPT = "0028|1052"
_SLOPE = "0028|1053"

CALIBRATION_TOLERANCE = 1e-3
"""Relative difference up to which two pixel spacings are one, written with more or fewer digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelForm:
    """How a file's stored values are written and what they mean."""

    n_components: int
    n_samples: int
    bits_allocated: int
    bits_stored: int
    is_signed: bool
    photometric: str
    slope: float
    intercept: float

    @property
    def bits_per_pixel(self) -> int:
        """Of uncompressed pixels; of 4:2:2 colour, two of the three samples are shared by two."""
        shared = 2 if self.photometric.endswith("_422") else self.n_samples
        return shared * self.bits_allocated


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """What one file's header says. Missing numbers are ()."""

    path: Path
    width_px: int
    height_px: int
    pixels: PixelForm
    series: str
    modality: str
    n_frames: int
    position_lps: tuple[float, ...]
    orientation_lps: tuple[float, ...]
    pixel_spacing_mm: tuple[float, ...]
    detector_spacing_mm: tuple[float, ...]
    is_calibrated: bool
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

    @property
    def is_measured(self) -> bool:
        """Whether values are a quantity (HU, counts, activity), not grey levels to be shown."""
        captured = storage_class(self.path).startswith(_SECONDARY_CAPTURE)
        return self.modality in _TOMOGRAPHIC and not captured


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
    require("SimpleITK", "formats", item=str(path))
    files, below = slice_files(path), slices_below(path)
    if below is not None:
        found = "files here and" if files else "its series only"
        msg = f"{path}: expected one DICOM series, found {found} below, as {below}; name one folder"
        raise SeveralSeriesError(msg)
    if not files:
        msg = f"{path}: a folder without DICOM files; name an image file or a DICOM folder"
        raise NotAnImageError(msg)
    slices = [_read_slice(file) for file in files]
    by_series: dict[str, list[str]] = {}
    for found_slice in slices:
        by_series.setdefault(found_slice.series, []).append(found_slice.path.name)
    if len(by_series) > 1:
        listed = ", ".join(f"{len(names)} files as {names[0]}" for names in by_series.values())
        msg = (
            f"{path}: expected one DICOM series, found {len(by_series)} ({listed}); give each a "
            "folder of its own"
        )
        raise SeveralSeriesError(msg)
    for found_slice in slices:
        _check_pixels(found_slice, options)
    if len(slices) == 1 and not slices[0].is_placed:
        return _open_2d(slices[0], options)
    unplaced = [found_slice.path.name for found_slice in slices if not found_slice.is_placed]
    if unplaced:
        msg = (
            f"{path}: expected CT, MR, PT or NM slices with position and orientation, found "
            f"{len(unplaced)} of {len(slices)} files without, such as {', '.join(unplaced[:3])}"
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
            name=found.path.name,
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
    """A projection or picture, as a viewer shows it.

    GDCM inverts MONOCHROME1, whose least value is shown white (PS3.3, C.7.6.3.1.2): bone is bright
    either way.
    """
    # PS3.3, 10.7.1.3: PixelSpacing that repeats the detector's (or the film's) was not calibrated,
    # unless the file names how it was. Rays diverge, so pixels at the patient are smaller.
    stated_mm, detector_mm = found.pixel_spacing_mm, found.detector_spacing_mm
    source = SpacingSource.HEADER
    if found.modality == "US" and options.spacing_mm is None:
        stated_mm = region_spacing_mm(found.path, stated_mm) or stated_mm
    if not stated_mm or (
        len(detector_mm) == len(stated_mm)
        and not found.is_calibrated
        and np.allclose(stated_mm, detector_mm, rtol=CALIBRATION_TOLERANCE, atol=0)
    ):
        stated_mm, source = detector_mm, SpacingSource.DETECTOR
    size = None
    if len(stated_mm) == 2:
        size = NativeSpacing(spacing_y_mm=stated_mm[0], spacing_x_mm=stated_mm[1], source=source)
    spacing = native_spacing(found.path, options, size)
    inverted = found.pixels.photometric == "MONOCHROME1" and not found.is_measured
    return StoredImage(
        path=found.path,
        shape=(found.height_px, found.width_px),
        affine=spacing.affine,
        spacing_source=spacing.source,
        flags=(*spacing.flags, *(("monochrome1",) if inverted else ())),
        load=lambda: _pixels(found),
    )


def _check_pixels(found: _Slice, options: ReadOptions) -> None:
    """Refuse pixels that are not one number each, or that GDCM would read as something else."""
    pixels = found.pixels
    if found.n_frames != 1:
        msg = f"{found.path}: expected one frame, found {found.n_frames}; convert it to NIfTI first"
        raise DimensionsError(msg)
    colour = pixels.n_components == 3 and options.purpose == "image" and not found.is_placed
    if pixels.n_components != 1 and not colour:
        msg = f"{found.path}: expected one number a pixel, found {pixels.n_components}"
        raise UnsupportedPixelsError(msg)
    if colour and pixels.bits_allocated != 8:  # GDCM mixes up palettes of more than 256 colours
        msg = f"{found.path}: expected 8-bit colour, found {pixels.bits_allocated} bits a sample"
        raise UnsupportedPixelsError(msg)
    narrow = pixels.is_signed and pixels.bits_stored != pixels.bits_allocated
    if narrow and pixels.photometric == "MONOCHROME1":
        msg = (
            f"{found.path}: GDCM does not read MONOCHROME1 of {pixels.bits_stored} signed bits; "
            "convert the file to NIfTI first"
        )
        raise UnsupportedPixelsError(msg)
    if has_modality_lut(found.path):
        msg = (
            f"{found.path}: values are stored through a table (Modality LUT Sequence), which GDCM "
            "does not apply; convert the file to NIfTI first"
        )
        raise UnsupportedPixelsError(msg)
    if pixels.slope == 0 or not np.isfinite((pixels.slope, pixels.intercept)).all():
        msg = (
            f"{found.path}: expected a RescaleSlope that is not 0, found {pixels.slope:g} with "
            f"intercept {pixels.intercept:g}; repair the file"
        )
        raise BadHeaderError(msg)


def _reader(path: Path) -> Any:
    sitk = require("SimpleITK", "formats", item=str(path))
    # ITK writes its warnings past Python's logging, straight to standard error.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # noqa: FBT003 - a foreign signature
    reader = sitk.ImageFileReader()
    # Named, since ITK chooses by the file's name otherwise and DICOM files often have no suffix.
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    return reader


def header_texts(path: Path, *tags: str) -> tuple[str, ...]:
    """Values of plain elements of a file, such as "0054|1001"; "" for those it lacks.

    Raises:
        ItemError: Not a DICOM image, or damaged.
        MissingExtraError: The DICOM reader is not installed.
    """
    reader = _informed(path)
    return tuple(_text(reader, tag) for tag in tags)


def _informed(path: Path) -> Any:
    """A reader that has read a file's header."""
    reader = _reader(path)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if path.stat().st_size == 0:
            msg = f"{path}: the file is empty; fetch it again"
            raise EmptyFileError(msg) from error
        if has_preamble(path):
            msg = f"{path}: DICOM that GDCM cannot read: cut short or damaged, or without an image"
            raise CorruptFileError(msg) from error
        msg = f"{path}: not a DICOM image that GDCM can read"
        raise NotAnImageError(msg) from error
    return reader


def _read_slice(path: Path) -> _Slice:
    reader = _informed(path)
    width_px, height_px, *_ = reader.GetSize()

    def first(tag: str, otherwise: float) -> float:
        return (_numbers(reader, tag) or (otherwise,))[0]

    pixels = PixelForm(
        n_components=reader.GetNumberOfComponents(),
        n_samples=int(first(_SAMPLES, 1)),
        bits_allocated=int(first(_BITS_ALLOCATED, 16)),
        bits_stored=int(first(_BITS_STORED, 16)),
        is_signed=first(_REPRESENTATION, 0) == 1,
        photometric=_text(reader, _PHOTOMETRIC),
        slope=first(_SLOPE, 1),
        intercept=first(_INTERCEPT, 0),
    )
    detector_mm = _numbers(reader, _DETECTOR_SPACING) or _numbers(reader, _SCANNED_SPACING)
    return _Slice(
        path=path,
        width_px=width_px,
        height_px=height_px,
        pixels=pixels,
        series=_text(reader, _SERIES),
        modality=_text(reader, _MODALITY),
        n_frames=int(first(_FRAMES, 1)),
        position_lps=_numbers(reader, _POSITION),
        orientation_lps=_numbers(reader, _ORIENTATION),
        pixel_spacing_mm=_numbers(reader, _PIXEL_SPACING),
        detector_spacing_mm=detector_mm,
        # Calibrated for a magnification, the spacing would not be the detector's.
        is_calibrated=bool(_text(reader, _CALIBRATION)) and first(_MAGNIFICATION, 1) == 1,
        # The thickness may be less or more than the distance, so it comes second.
        slice_spacing_mm=_numbers(reader, _SPACING_BETWEEN_SLICES)
        or _numbers(reader, _SLICE_THICKNESS),
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
    """Pixels [y, x], rescaled by GDCM as the file says; colour as luminance.

    Raises:
        TruncatedFileError: Fewer bytes than rows × columns; GDCM would not say so.
        CorruptFileError: GDCM cannot decode them.
    """
    sitk = require("SimpleITK", "formats", item=str(found.path))
    pixels, shape_yx = found.pixels, (found.height_px, found.width_px)
    n_bytes = (found.height_px * found.width_px * pixels.bits_per_pixel + 7) // 8
    if lacks_pixel_bytes(found.path, n_bytes):
        msg = f"{found.path}: expected {n_bytes} bytes of pixel data, found fewer; fetch it again"
        raise TruncatedFileError(msg)
    try:
        array: VoxelArray = sitk.GetArrayFromImage(_reader(found.path).Execute())
    except RuntimeError as error:
        msg = (
            f"{found.path}: GDCM cannot decode the pixels ({pixels.photometric}, "
            f"{pixels.bits_stored} of {pixels.bits_allocated} bits): damaged, or of a kind it does "
            "not read; fetch it again or convert it to NIfTI first"
        )
        raise CorruptFileError(msg) from error
    if pixels.n_components == 3:
        return luminance(array.reshape(*shape_yx, 3))
    array = array.reshape(shape_yx)
    if pixels.bits_allocated == 1:  # GDCM makes 255 of each 1, to be seen
        return np.asarray(array != 0, dtype=np.uint8)
    if pixels.photometric == "MONOCHROME1" and found.is_measured:
        return uninverted(array, pixels)
    return array


def uninverted(array: VoxelArray, pixels: PixelForm) -> VoxelArray:
    """Stored value × slope + intercept, from what GDCM makes of MONOCHROME1.

    GDCM takes each stored value from the largest one (of signed values, from −1) and rescales the
    difference: right for a picture, wrong for HU. Its numbers' type holds both.

    Example:
        Of 12 bits, 1064 is stored for 40 HU; GDCM gives 4095 − 1064 − 1024:

        >>> form = PixelForm(
        ...     n_components=1,
        ...     n_samples=1,
        ...     bits_allocated=16,
        ...     bits_stored=12,
        ...     is_signed=False,
        ...     photometric="MONOCHROME1",
        ...     slope=1.0,
        ...     intercept=-1024.0,
        ... )
        >>> uninverted(np.array([2007], dtype=np.int16), form)
        array([40], dtype=int16)
    """
    largest = -1 if pixels.is_signed else 2**pixels.bits_stored - 1
    ends_sum = largest * pixels.slope + 2 * pixels.intercept
    if array.dtype.kind == "f":
        return np.asarray(ends_sum - array, dtype=array.dtype)
    return np.asarray(round(ends_sum) - array.astype(np.int64), dtype=array.dtype)
