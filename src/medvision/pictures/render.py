"""Slices to 8-bit grey pictures with their pixel size, the same pixels on every machine."""

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from medvision import volumes
from medvision.catalog.anatomy import Window, ct_window
from medvision.catalog.dataset import declared_image
from medvision.errors import ItemError, UsageError
from medvision.frames import Plane, SliceGeometry, View, geometry_in_view, pixels_in_view
from medvision.pictures.grey_levels import Picture, percentile_stretched, stretched
from medvision.samples import Sample
from medvision.samples.crops import is_part
from medvision.table.unscaled import NOMINAL_YX_MM
from medvision.volumes.stored import SpacingFrom
from medvision.volumes.suffixes import PICTURE as PICTURE_SUFFIXES
from medvision.volumes.suv import SUV_WINDOW, image_suv_per_unit

RENDERER = "grey-2"
"""Version of what this module draws; change it with the pixels."""

MAX_SIDE_PX = 16384

_PNG_OPTIONS = (
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
)
"""Of the levels and strategies measured, the fastest that compresses; none changes a pixel."""


class PictureTooLargeError(ItemError):
    """Square pixels would make a picture of unreasonable size."""

    reason = "picture_too_large"


class PngError(ItemError):
    """Pixels that cannot be written as PNG."""

    reason = "png"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedImage:
    """A picture and the size of its pixels, which belong together.

    Attributes:
        pixels: (height, width), 8-bit grey, as displayed.
        spacing_y_mm: Distance between rows.
        spacing_x_mm: Distance between columns.
    """

    pixels: Picture
    spacing_y_mm: float
    spacing_x_mm: float

    @property
    def geometry(self) -> SliceGeometry:
        """Its size and pixel spacing."""
        height_px, width_px = self.pixels.shape
        return SliceGeometry(
            height_px=height_px,
            width_px=width_px,
            spacing_y_mm=self.spacing_y_mm,
            spacing_x_mm=self.spacing_x_mm,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelGrid:
    """On which pixels a slice is shown: as stored, square ones, or a fixed shape.

    Attributes:
        square: Pixels as wide as high, as small as the finer of the stored two.
        shape_hw: Height and width in pixels that every slice is stretched to.
        long_side_px: The longer side has at least so many pixels, the other in proportion.
    """

    square: bool = False
    shape_hw: tuple[int, int] | None = None
    long_side_px: int | None = None

    def __post_init__(self) -> None:
        """Refuse two shapes at once, and empty ones."""
        if self.square and self.shape_hw:
            msg = "expected square pixels or a fixed shape, found both; leave one out"
            raise UsageError(msg)
        if self.shape_hw and not all(1 <= side <= MAX_SIDE_PX for side in self.shape_hw):
            msg = f"expected sides of 1 to {MAX_SIDE_PX} px, found {self.shape_hw}"
            raise UsageError(msg)


AS_STORED = PixelGrid()


def shown_geometry(stored: SliceGeometry, grid: PixelGrid) -> SliceGeometry:
    """Size and pixel spacing of a slice on a grid; its extent in mm stays what it is.

    With square pixels a side is rounded to whole pixels, so the two spacings stated may differ
    by up to half a pixel over the whole side.

    Raises:
        PictureTooLargeError: Square pixels would need more than `MAX_SIDE_PX` on a side.

    Example:
        512×40 px of 1×5 mm: 512×200 px of 1×1 mm with square pixels.
    """
    height_mm = stored.height_px * stored.spacing_y_mm
    width_mm = stored.width_px * stored.spacing_x_mm
    height_px, width_px = grid.shape_hw or (stored.height_px, stored.width_px)
    if grid.square and math.isfinite(height_mm):
        side_mm = min(stored.spacing_y_mm, stored.spacing_x_mm)
        height_px, width_px = (max(1, round(mm / side_mm)) for mm in (height_mm, width_mm))
    if grid.long_side_px and grid.long_side_px > max(height_px, width_px):
        scale = grid.long_side_px / max(height_px, width_px)
        height_px, width_px = (max(1, round(side * scale)) for side in (height_px, width_px))
    if max(height_px, width_px) > MAX_SIDE_PX:
        msg = (
            f"square pixels of {min(stored.spacing_y_mm, stored.spacing_x_mm):g} mm make "
            f"{height_px}×{width_px} px of a slice of {stored.height_px}×{stored.width_px} px; "
            "show it as stored, or in a fixed shape"
        )
        raise PictureTooLargeError(msg)
    if (height_px, width_px) == (stored.height_px, stored.width_px):
        return stored
    return SliceGeometry(
        height_px=height_px,
        width_px=width_px,
        spacing_y_mm=height_mm / height_px,
        spacing_x_mm=width_mm / width_px,
    )


def on_grid(image: RenderedImage, grid: PixelGrid) -> RenderedImage:
    """A picture resampled to a grid, with the spacing that goes with it.

    Raises:
        PictureTooLargeError: As `shown_geometry` does.
    """
    return resampled(image, shown_geometry(image.geometry, grid))


def resampled(image: RenderedImage, shown: SliceGeometry) -> RenderedImage:
    """A picture resampled to the size of another geometry of the same slice.

    Bicubic, antialiased where it shrinks, in Pillow's integer arithmetic.
    """
    pixels = image.pixels
    if pixels.shape != (shown.height_px, shown.width_px):
        size = (shown.width_px, shown.height_px)
        resized = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
        pixels = np.asarray(resized, dtype=np.uint8)
    return RenderedImage(
        pixels=pixels, spacing_y_mm=shown.spacing_y_mm, spacing_x_mm=shown.spacing_x_mm
    )


def windowed(pixels_hu: npt.NDArray[Any], window: Window) -> Picture:
    """A CT slice seen through a window, width and level in HU."""
    low = window.level_hu - window.width_hu / 2
    return stretched(pixels_hu, low, low + window.width_hu)


def rendered(
    pixels: npt.NDArray[Any], *, modality: str, label: str, suv_per_unit: float | None = None
) -> Picture:
    """A slice as it is shown to a model.

    Args:
        pixels: (height, width), in HU for CT.
        modality: CT, MRI, PET, US or XR.
        label: Structure asked for: its anatomy group chooses the CT window; groups without one,
            angles and distances are stretched by percentile like every other modality.
        suv_per_unit: Of PET, where the header says: the slice is shown from SUV 0 to 10.
    """
    if modality == "PET" and suv_per_unit is not None:
        low, high = (value / suv_per_unit for value in SUV_WINDOW)
        return stretched(pixels, low, high)
    window = ct_window(label) if modality == "CT" else None
    return windowed(pixels, window) if window else percentile_stretched(pixels)


def png_bytes(picture: Picture) -> bytes:
    """PNG of an 8-bit grey (h, w) or RGB (h, w, 3) picture.

    Raises:
        PngError: Neither of the two.
    """
    if picture.dtype != np.uint8 or picture.ndim not in {2, 3} or not picture.size:
        msg = f"expected 8-bit grey or RGB pixels, found {picture.dtype} of {picture.shape}"
        raise PngError(msg)
    stored = np.ascontiguousarray(picture if picture.ndim == 2 else picture[..., ::-1])
    done, encoded = cv2.imencode(".png", stored, _PNG_OPTIONS)
    if not done:
        msg = f"a picture of {picture.shape} could not be written as PNG"
        raise PngError(msg)
    return encoded.tobytes()


def pixel_sha256(picture: Picture) -> str:
    """Digest of a picture's decoded pixels and shape."""
    digest = hashlib.sha256(f"{picture.shape} {picture.dtype}".encode())
    digest.update(np.ascontiguousarray(picture).data)
    return digest.hexdigest()


def renderer_version(modality: str, image_uri: str) -> str:
    """What, beside the image file, decides the pixels of its slices.

    Version of this module, and of PET the scale that the image's header allows.
    """
    if modality != "PET":
        return RENDERER
    try:
        scale = image_suv_per_unit(Path(image_uri))
    except ItemError:
        return f"{RENDERER} unreadable"
    return RENDERER if scale is None else f"{RENDERER} suv {scale!r}"


def slice_identity(sample: Sample) -> str:
    """Stands for the pixels of a sample's slice that is not drawn: same text, same pixels.

    It names the volume by its digest, the slice, and what decides how it is shown.
    """
    ref = sample_slice(sample)
    volume = sample.image_sha256 or sample.image_uri
    how = [RENDERER, ref.modality, ref.label, ref.spacing_from]
    how += [] if ref.view is View.RADIOLOGICAL else [str(ref.view)]
    how += [f"crop {ref.crop_px}"] if ref.crop_px else []
    return "/".join([volume, ref.plane, str(ref.slice_index), *how])


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReadImage:
    """A sample's image in memory."""

    volume: volumes.Volume
    suv_per_unit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceRef:
    """Which slice is shown, and what decides how.

    Attributes:
        image_uri: Path of the image.
        spacing_yx_mm: Of a 2D picture as stored, whose file may hold none.
        label: Structure that decides the window on CT, or "".
        spacing_from: Which part of a contradictory header the tables were told to trust, or "".
        view: Which way up.
        crop_px: Half-open pixel box of the part shown, in that view; () for the whole slice.
        window: Of CT, instead of the label's.
    """

    image_uri: str
    modality: str
    plane: str
    slice_index: int
    spacing_yx_mm: tuple[float, float]
    label: str = ""
    spacing_from: str = ""
    view: View = View.RADIOLOGICAL
    crop_px: tuple[int, ...] = ()
    window: Window | None = None


def sample_slice(sample: Sample) -> SliceRef:
    """The slice, or part of one, whose size and spacing a sample has as its geometry."""
    asked = "" if sample.label_id is None else sample.label
    # Turning a quarter is undone by turning a quarter: only height and width change places.
    stored = geometry_in_view(sample.geometry, sample.view)
    return SliceRef(
        image_uri=sample.image_uri,
        modality=sample.modality,
        plane=sample.plane,
        slice_index=sample.slice_index,
        spacing_yx_mm=(stored.spacing_y_mm, stored.spacing_x_mm),
        label=window_label(
            asked, sample.dataset, sample.cohort, sample.image_id, ct_window=sample.ct_window
        ),
        spacing_from=sample.spacing_from,
        view=sample.view,
        crop_px=sample.crop_px if is_part(sample) else (),
    )


def sample_window(sample: Sample) -> Window | None:
    """The CT window a sample's slice is shown through; None where there is none."""
    return ct_window(sample_slice(sample).label) if sample.modality == "CT" else None


def window_label(label: str, dataset: str, cohort: str, image_id: str, *, ct_window: bool) -> str:
    """The label that chooses a CT window; "" where no window applies.

    None does for angles and distances, whose label is "", nor for images that are declared not to
    be in Hounsfield units, or to be angiography.

    Args:
        label: That would choose it.
        dataset: Of the image.
        cohort: Of the image.
        image_id: Of the image.
        ct_window: Whether the tables let it have a window. Tables of earlier versions let every
            image; the catalogue is asked as well.
    """
    declared = declared_image(dataset, cohort, image_id)
    return label if ct_window and (declared is None or declared.ct_window) else ""


class SlicePictures:
    """Pictures of samples' slices; keeps the last few volumes read.

    Samples of one image should come one after another. Safe to call from several threads.
    """

    def __init__(self, *, n_volumes: int = 2) -> None:
        """Start with no volume read; keep at most `n_volumes`."""
        self._n_volumes = n_volumes
        self._images: OrderedDict[str, _ReadImage] = OrderedDict()
        self._lock = Lock()

    def picture(self, sample: Sample) -> Picture:
        """The sample's slice as shown to a model, on its stored pixels: (height_px, width_px)."""
        return self.image(sample).pixels

    def image(self, sample: Sample, grid: PixelGrid = AS_STORED) -> RenderedImage:
        """The sample's slice as shown to a model, on the pixels of `grid`.

        Raises:
            ItemError: The image cannot be read, or has no such slice.
        """
        return self.slice_image(sample_slice(sample), grid)

    def slice_image(self, ref: SliceRef, grid: PixelGrid = AS_STORED) -> RenderedImage:
        """Any slice as shown to a model, on the pixels of `grid`.

        Raises:
            ItemError: The image cannot be read, or has no such slice.
        """
        with self._lock:
            if ref.image_uri not in self._images:
                self._images[ref.image_uri] = _read(ref)
            self._images.move_to_end(ref.image_uri)
            while len(self._images) > self._n_volumes:
                self._images.popitem(last=False)
            found = self._images[ref.image_uri]
        taken = volumes.slice_pixels(found.volume, Plane(ref.plane), ref.slice_index)
        pixels = (
            windowed(taken.pixels, ref.window)
            if ref.window and ref.modality == "CT"
            else rendered(
                taken.pixels,
                modality=ref.modality,
                label=ref.label,
                suv_per_unit=found.suv_per_unit,
            )
        )
        displayed = RenderedImage(
            pixels=pixels, spacing_y_mm=taken.spacing_y_mm, spacing_x_mm=taken.spacing_x_mm
        )
        turned = geometry_in_view(displayed.geometry, ref.view)
        shown = pixels_in_view(pixels, ref.view, is_native=found.volume.is_native)
        if ref.crop_px:  # only now, so that a part has the grey levels that it has in the whole
            x0, y0, x1, y1 = ref.crop_px
            shown = shown[y0:y1, x0:x1]
        in_view = RenderedImage(
            pixels=np.ascontiguousarray(shown),
            spacing_y_mm=turned.spacing_y_mm,
            spacing_x_mm=turned.spacing_x_mm,
        )
        return on_grid(in_view, grid)


def _read(ref: SliceRef) -> _ReadImage:
    """The slice's image, read as its tables were built from it."""
    path = Path(ref.image_uri)
    is_picture = ref.image_uri.lower().endswith(PICTURE_SUFFIXES)
    spacing_mm = ref.spacing_yx_mm
    if math.isnan(spacing_mm[0]):  # nobody knows; no pixel depends on it
        spacing_mm = NOMINAL_YX_MM
    volume = volumes.read_volume(
        path,
        spacing_mm=spacing_mm if is_picture else None,
        spacing_from=cast("SpacingFrom | None", ref.spacing_from or None),
    )
    suv_per_unit = image_suv_per_unit(path) if ref.modality == "PET" else None
    return _ReadImage(volume=volume, suv_per_unit=suv_per_unit)
