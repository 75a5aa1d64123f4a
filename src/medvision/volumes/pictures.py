"""2D pictures: PNG, JPEG, TIFF and BMP, through Pillow.

Pillow decodes for the eye: it stretches grey of 2 and 4 bits to 0 to 255 and inverts some TIFFs
whose least value is white. An image is read as a viewer shows it, a label map as its file stores
it.
"""

import io
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

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
from medvision.volumes.volume import EXIF_IGNORED, SpacingSource, VoxelArray
from medvision.volumes.whole_pictures import check_whole

_GREY_MODES = frozenset({"1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_COLOUR_MODES = frozenset({"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"})
# What Pillow's decoders raise on damaged files, beside OSError: there is no one class for it.
_DECODER_ERRORS = (SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error)
_EXIF_ORIENTATION = 0x0112
_LOSSY_FORMATS = frozenset({"JPEG", "MPO", "JPEG2000", "WEBP"})

# Numbers of TIFF tags, and values of two of them.
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_DESCRIPTION = 258, 262, 270
_TIFF_X_RESOLUTION, _TIFF_Y_RESOLUTION = 282, 283
_TIFF_SAMPLE_FORMAT, _TIFF_DEPTH = 339, 32997
_MIN_IS_WHITE, _SIGNED = 0, 2
MOST_PACKED = 1032
"""Bytes that a byte of a deflate stream can stand for; a PNG's pixel has at least a bit."""

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_IMAGEJ_UNIT_MM = {
    **dict.fromkeys(("um", "micron", "microns", "µm", "\\u00B5m"), 1e-3),
    **{"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4},
}


def open_picture(path: Path, options: ReadOptions) -> StoredImage:
    """A 2D picture, indexed [y, x] as stored: an EXIF rotation is flagged, not applied.

    Dots per inch say how large to print a picture, not how large the anatomy is, so only TIFFs
    that ImageJ calibrated in a length unit have a spacing of their own.

    Raises:
        ItemError: One of `medvision.volumes.errors`, by cause.
    """
    with _opened(path) as (picture, content):
        width_px, height_px = picture.size
        tags = getattr(picture, "tag_v2", {})
        _check_form(path, picture, tags, options)
        check_whole(path, picture, content)
        spacing = native_spacing(path, options, imagej_spacing(tags))
        turned = picture.getexif().get(_EXIF_ORIENTATION, 1)
        # Pillow turns some TIFFs that ask for it as it decodes them, and no other format.
        if turned != 1 and tags:
            msg = f"{path}: TIFF with orientation tag {turned}; save it unturned"
            raise UnsupportedFormatError(msg)
    return StoredImage(
        path=path,
        shape=(height_px, width_px),
        affine=spacing.affine,
        spacing_source=spacing.source,
        flags=(*spacing.flags, *((EXIF_IGNORED,) if turned != 1 else ())),
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
    with _opened(path) as (picture, content):
        check_whole(path, picture, content)
        return _rgba(path, picture)


def _rgba(path: Path, picture: Image.Image) -> npt.NDArray[np.uint8]:
    """As `rgba_pixels`, of an open picture that is not decoded yet."""
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


def label_numbers(pixels: VoxelArray, raw_mode: str) -> VoxelArray:
    """Numbers as stored, of grey that Pillow has inverted or stretched from 2 or 4 bits.

    Args:
        pixels: As Pillow decodes them.
        raw_mode: How Pillow calls what the file stores.

    Example:
        Of 2 bits, and of 8 whose least value is white:

        >>> label_numbers(np.array([0, 85, 255], dtype=np.uint8), "L;2").tolist()
        [0, 1, 3]
        >>> label_numbers(np.array([255, 254], dtype=np.uint8), "L;I").tolist()
        [0, 1]
    """
    changed = re.fullmatch(r"L;(?P<bits>[24])?(?P<inverted>I)?R?", raw_mode)
    if changed is None:
        return pixels
    shown: VoxelArray = 255 - pixels if changed["inverted"] else pixels
    return np.asarray(shown // (255 // (2 ** int(changed["bits"] or 8) - 1)))


def imagej_spacing(tags: Mapping[int, Any]) -> NativeSpacing | None:
    r"""Pixel size that ImageJ wrote: its description names the unit, the tags pixels per unit.

    Example:
        >>> tags = {270: "ImageJ=1.53\nunit=cm\n", 282: 20.0, 283: 10.0}
        >>> found = imagej_spacing(tags)
        >>> found.spacing_y_mm, found.spacing_x_mm
        (1.0, 0.5)
    """
    entries = _imagej_entries(tags)
    unit_x = entries.get("unit", "").strip()
    units_mm = [
        _IMAGEJ_UNIT_MM.get(unit) for unit in (entries.get("yunit", unit_x).strip(), unit_x)
    ]
    per_unit = [float(tags.get(tag, 0)) for tag in (_TIFF_Y_RESOLUTION, _TIFF_X_RESOLUTION)]
    if units_mm[0] is None or units_mm[1] is None or min(per_unit) <= 0:
        return None
    return NativeSpacing(
        spacing_y_mm=units_mm[0] / per_unit[0],
        spacing_x_mm=units_mm[1] / per_unit[1],
        source=SpacingSource.HEADER,
    )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Image.Image, bytes]]:
    """An open picture and its file's content; what its decoder raises names the file."""
    try:
        # Of a stream in memory no more is taken than there is, whatever length a chunk states.
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            # More pixels than deflate packs are not in the file, and memory for all is taken
            # before the first is decoded.
            n_pixels = picture.width * picture.height
            if picture.format == "PNG" and n_pixels > 8 * MOST_PACKED * len(content):
                msg = (
                    f"{path}: {len(content)} bytes cannot hold {picture.width}×{picture.height} "
                    "pixels; the picture is damaged or cut short, fetch it again"
                )
                raise TruncatedFileError(msg)
            yield picture, content
    except UnidentifiedImageError as error:
        if _is_tiff_of_other_pixels(path):
            msg = (
                f"{path}: TIFF pixels of a kind Pillow does not read (numbers of 64 bits, half "
                "floats, complex ones, many channels); save integers of 8 or 16 bits, or 32-bit "
                "floats"
            )
            raise UnsupportedPixelsError(msg) from error
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


def _is_tiff_of_other_pixels(path: Path) -> bool:
    """Whether Pillow knows the file as TIFF and only its pixels not."""
    with path.open("rb") as file:
        if file.read(4) not in _TIFF_MAGIC:
            return False
        file.seek(0)
        try:
            TiffImagePlugin.TiffImageFile(file)
        except SyntaxError as error:  # Image.open tells no cause; the plugin itself does
            return "pixel mode" in str(error)
        except (OSError, *_DECODER_ERRORS):
            return False
    return False


def _check_form(
    path: Path, picture: Image.Image, tags: Mapping[int, Any], options: ReadOptions
) -> None:
    """Refuse several pictures in one, and pixels that are not what they seem."""
    mode = picture.mode
    n_frames = max(getattr(picture, "n_frames", 1), int(tags.get(_TIFF_DEPTH, 1)))
    # ImageJ writes a large stack as one picture with the others behind it.
    n_frames = max(n_frames, int(_imagej_entries(tags).get("images", "1").strip() or 1))
    if n_frames != 1:
        msg = f"{path}: expected one picture, found {n_frames} frames; split it first"
        raise DimensionsError(msg)
    if mode not in _GREY_MODES | _COLOUR_MODES:
        msg = f"{path}: expected grey or colour pixels, found Pillow mode {mode}"
        raise UnsupportedPixelsError(msg)
    if options.purpose == "image":
        if mode in {"I", "F"} and tags.get(_TIFF_PHOTOMETRIC) == _MIN_IS_WHITE:
            msg = f"{path}: TIFF whose least value is white, of 32 bits; save it as MinIsBlack"
            raise UnsupportedPixelsError(msg)
        return
    if picture.format in _LOSSY_FORMATS or picture.info.get("compression") == "jpeg":
        msg = (
            f"{path}: a {picture.format} label map with lossy compression, which makes new numbers "
            "along edges; save the label map as a single-channel PNG"
        )
        raise UnsupportedPixelsError(msg)


def _pixels(path: Path, options: ReadOptions) -> VoxelArray:
    """Pixels [y, x]: grey as a viewer shows it, colour as luminance; label numbers as stored.

    Of a label map a palette's indices, and of colour that is grey throughout its one channel. Of
    one bit, it too is read as shown: 1 is white, whatever its TIFF says white is.
    """
    is_label_map = options.purpose == "label_map"
    with _opened(path) as (picture, _):
        if is_label_map and picture.mode in _COLOUR_MODES - {"P"}:
            return grey_labels(_rgba(path, picture), item=str(path))
        tags, tiles = getattr(picture, "tag_v2", {}), getattr(picture, "tile", ())
        # How Pillow calls what the file stores, such as "L;4I": alone, or before other arguments.
        told = tiles[0][3] if tiles else ""
        raw_mode = str(told[0]) if isinstance(told, tuple) and told else str(told)
        picture.load()
        if picture.mode == "1":
            return np.asarray(picture).astype(np.uint8)
        if picture.mode == "LA":
            return np.array(picture.getchannel("L"))
        if picture.mode in _COLOUR_MODES and not is_label_map:
            return luminance(np.asarray(picture.convert("RGB")))
        pixels = np.array(picture)
    # "I;16B" comes as big-endian; compiled code takes the machine's order only.
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    # Pillow takes 8 bits for unsigned and 32 for signed.
    if tags and pixels.dtype in (np.uint8, np.int32):
        signed = tags.get(_TIFF_SAMPLE_FORMAT, (1,))[0] == _SIGNED
        if tags.get(_TIFF_BITS, (1,))[0] == 8 * pixels.itemsize:
            pixels = pixels.view(f"{'i' if signed else 'u'}{pixels.itemsize}")
    if is_label_map:
        return label_numbers(pixels, raw_mode)
    if pixels.dtype == np.uint16 and tags.get(_TIFF_PHOTOMETRIC) == _MIN_IS_WHITE:
        return np.asarray(2 ** tags[_TIFF_BITS][0] - 1 - pixels, dtype=np.uint16)
    return pixels


def _imagej_entries(tags: Mapping[int, Any]) -> dict[str, str]:
    """Lines `key=value` of a TIFF's description, if ImageJ wrote it."""
    lines = str(tags.get(_TIFF_DESCRIPTION, "")).splitlines()
    entries = dict(line.split("=", 1) for line in lines if "=" in line)
    return entries if "ImageJ" in entries else {}
