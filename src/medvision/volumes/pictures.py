"""2D pictures: PNG, JPEG, TIFF and BMP, through Pillow."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from medvision.volumes.colours import grey_labels
from medvision.volumes.errors import (
    CorruptFileError,
    DimensionsError,
    NotAnImageError,
    TruncatedFileError,
    UnsupportedFormatError,
    UnsupportedPixelsError,
)
from medvision.volumes.stored import NativeSpacing, ReadOptions, StoredImage, native_spacing
from medvision.volumes.volume import SpacingSource, VoxelArray

_GREY_MODES = frozenset({"1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_COLOUR_MODES = frozenset({"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"})
# What Pillow's decoders raise on damaged files, beside OSError: there is no one class for it.
_DECODER_ERRORS = (SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error)
_EXIF_ORIENTATION = 0x0112
_TIFF_DESCRIPTION = 270
_TIFF_X_RESOLUTION = 282
_TIFF_Y_RESOLUTION = 283
_IMAGEJ_UNIT_MM = {"mm": 1.0, "cm": 10.0, "um": 1e-3, "micron": 1e-3, "\\u00B5m": 1e-3}


def open_picture(path: Path, options: ReadOptions) -> StoredImage:
    """A 2D picture, indexed [y, x] as stored: an EXIF rotation is flagged, not applied.

    Dots per inch say how large to print a picture, not how large the anatomy is, so only TIFFs
    that ImageJ calibrated in a length unit have a spacing of their own.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    with _opened(path) as picture:
        width_px, height_px = picture.size
        n_frames, mode = getattr(picture, "n_frames", 1), picture.mode
        if n_frames != 1:
            msg = f"{path}: expected one picture, found {n_frames} frames; split it first"
            raise DimensionsError(msg)
        if mode not in _GREY_MODES | _COLOUR_MODES:
            msg = f"{path}: expected grey or colour pixels, found Pillow mode {mode}"
            raise UnsupportedPixelsError(msg)
        spacing = native_spacing(path, options, _imagej_spacing(picture))
        tags = getattr(picture, "tag_v2", None)
        # Pillow turns some TIFFs that ask for it as it decodes them, and no JPEG.
        if tags is not None and tags.get(_EXIF_ORIENTATION, 1) != 1:
            msg = f"{path}: TIFF with orientation tag {tags[_EXIF_ORIENTATION]}; save it unturned"
            raise UnsupportedFormatError(msg)
        turned = picture.format == "JPEG" and picture.getexif().get(_EXIF_ORIENTATION, 1) != 1
    return StoredImage(
        path=path,
        shape=(height_px, width_px),
        affine=spacing.affine,
        spacing_source=spacing.source,
        flags=(*spacing.flags, *(("exif_orientation_ignored",) if turned else ())),
        load=lambda: _pixels(path, options),
    )


def luminance(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Grey values of 8-bit colour, by Pillow's rule (ITU-R 601-2): (y, x, 3) to (y, x).

    Example:
        0.299 of red, 0.587 of green, 0.114 of blue:

        >>> luminance(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)).tolist()
        [[76, 150, 29]]
    """
    return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L"))


def rgba_pixels(path: Path) -> npt.NDArray[np.uint8]:
    """Colours and opacity as the file means them: (y, x, 4), 8 bits a channel.

    Raises:
        UnsupportedPixelsError: More than 8 bits a channel, or colours of a press.
        ItemError: Others of `medvision.volumes.errors`, by cause.
    """
    with _opened(path) as picture:
        # Of 16-bit colour Pillow drops the low bytes without a word: the raw mode it decodes tells.
        raw = " ".join(str(tile.args) for tile in getattr(picture, "tile", []))
        if picture.mode not in {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"} or ";16" in raw:
            msg = (
                f"{path}: expected 8-bit grey, palette or RGB colours, found Pillow mode "
                f"{picture.mode} from {raw}; convert it"
            )
            raise UnsupportedPixelsError(msg)
        picture.load()
        return np.asarray(picture.convert("RGBA"))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An open picture; whatever its decoder raises becomes an error that names the file."""
    try:
        with Image.open(path) as picture:
            yield picture
    except UnidentifiedImageError as error:
        msg = f"{path}: not a picture Pillow can identify"
        raise NotAnImageError(msg) from error
    except Image.DecompressionBombError as error:
        msg = f"{path}: too many pixels for one picture ({error})"
        raise DimensionsError(msg) from error
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        msg = f"{path}: the picture ends too early or is damaged ({error}); fetch it again"
        raise TruncatedFileError(msg) from error
    except _DECODER_ERRORS as error:
        msg = f"{path}: the picture is damaged ({error}); fetch it again"
        raise CorruptFileError(msg) from error


def _pixels(path: Path, options: ReadOptions) -> VoxelArray:
    """Pixels [y, x]: grey as stored, colour as luminance.

    Of a label map a palette's indices, and of colour that is grey throughout its one channel.
    """
    with _opened(path) as picture:
        picture.load()
        if picture.mode == "1":
            return np.asarray(picture).astype(np.uint8)
        if picture.mode == "LA":
            return np.array(picture.getchannel("L"))
        if picture.mode in _COLOUR_MODES and options.purpose == "image":
            return luminance(np.asarray(picture.convert("RGB")))
        if picture.mode in _COLOUR_MODES - {"P"}:
            return grey_labels(rgba_pixels(path), item=str(path))
        pixels = np.array(picture)
    # "I;16B" comes as big-endian; compiled code takes the machine's order only.
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _imagej_spacing(picture: Image.Image) -> NativeSpacing | None:
    """Pixel size that ImageJ wrote: its description names the unit, the tags pixels per unit."""
    tags = getattr(picture, "tag_v2", None)
    if tags is None:
        return None
    description = str(tags.get(_TIFF_DESCRIPTION, ""))
    entries = dict(line.split("=", 1) for line in description.splitlines() if "=" in line)
    unit_mm = _IMAGEJ_UNIT_MM.get(entries.get("unit", "").strip())
    per_unit = [float(tags.get(tag, 0)) for tag in (_TIFF_Y_RESOLUTION, _TIFF_X_RESOLUTION)]
    if "ImageJ" not in entries or unit_mm is None or min(per_unit) <= 0:
        return None
    return NativeSpacing(
        spacing_y_mm=unit_mm / per_unit[0],
        spacing_x_mm=unit_mm / per_unit[1],
        source=SpacingSource.HEADER,
    )
