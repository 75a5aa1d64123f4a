"""Slices to 8-bit grey pictures, the same pixels on every machine."""

import hashlib
import io
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from medvision.catalog.anatomy import Window, ct_window
from medvision.frames import Plane
from medvision.samples import Sample
from medvision.volumes import Volume, read_volume, slice_pixels
from medvision.volumes.pictures import SUFFIXES as PICTURE_SUFFIXES

RENDERER = "grey-1"
"""Version of what this module draws; change it with the pixels."""

PERCENTILES = (0.5, 99.5)

Picture = npt.NDArray[np.uint8]
"""(height, width), grey, as displayed."""


def stretched(pixels: npt.NDArray[Any], low: float, high: float) -> Picture:
    """Grey levels 0–255 between two values, clipped beyond them; black where they are equal."""
    if not high > low:
        return np.zeros(pixels.shape, dtype=np.uint8)
    fractions = (np.clip(pixels.astype(np.float64), low, high) - low) / (high - low)
    return np.rint(255 * fractions).astype(np.uint8)


def windowed(pixels_hu: npt.NDArray[Any], window: Window) -> Picture:
    """A CT slice seen through a window, width and level in HU."""
    low = window.level_hu - window.width_hu / 2
    return stretched(pixels_hu, low, low + window.width_hu)


def percentile_stretched(pixels: npt.NDArray[Any]) -> Picture:
    """A slice from its 0.5th to its 99.5th percentile.

    A slice so empty that the two are equal is shown from its least to its greatest value; a
    constant slice is black.
    """
    low, high = np.percentile(pixels, PERCENTILES)
    if low == high:
        low, high = pixels.min(), pixels.max()
    return stretched(pixels, float(low), float(high))


def rendered(pixels: npt.NDArray[Any], *, modality: str, label: str) -> Picture:
    """A slice as it is shown to a model.

    Args:
        pixels: (height, width), in HU for CT.
        modality: CT, MRI, PET, US or XR.
        label: Structure asked for: its anatomy group chooses the CT window; groups without one,
            angles and distances are stretched by percentile like every other modality.
    """
    window = ct_window(label) if modality == "CT" else None
    return windowed(pixels, window) if window else percentile_stretched(pixels)


def png_bytes(picture: Picture) -> bytes:
    """PNG of an 8-bit grey (h, w) or RGB (h, w, 3) picture."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def pixel_sha256(picture: Picture) -> str:
    """Digest of a picture's decoded pixels and shape."""
    digest = hashlib.sha256(f"{picture.shape} {picture.dtype}".encode())
    digest.update(np.ascontiguousarray(picture).tobytes())
    return digest.hexdigest()


class SlicePictures:
    """Pictures of samples' slices; keeps the last few volumes read.

    Samples of one image should come one after another. Safe to call from several threads.
    """

    def __init__(self, *, n_volumes: int = 2) -> None:
        """Start with no volume read; keep at most `n_volumes`."""
        self._n_volumes = n_volumes
        self._volumes: OrderedDict[str, Volume] = OrderedDict()
        self._lock = Lock()

    def picture(self, sample: Sample) -> Picture:
        """The sample's slice as shown to a model, (height_px, width_px)."""
        volume = self._volume(sample)
        taken = slice_pixels(volume, Plane(sample.plane), sample.slice_index)
        label = "" if sample.label_id is None else sample.label
        return rendered(taken.pixels, modality=sample.modality, label=label)

    def _volume(self, sample: Sample) -> Volume:
        uri = sample.image_uri
        with self._lock:
            if uri not in self._volumes:
                self._volumes[uri] = _read(sample)
            self._volumes.move_to_end(uri)
            while len(self._volumes) > self._n_volumes:
                self._volumes.popitem(last=False)
            return self._volumes[uri]


def _read(sample: Sample) -> Volume:
    """The sample's image, read as its tables were built from it."""
    is_picture = sample.image_uri.lower().endswith(PICTURE_SUFFIXES)
    spacing_mm = (sample.spacing_y_mm, sample.spacing_x_mm) if is_picture else None
    spacing_from = sample.spacing_from or None
    return read_volume(
        Path(sample.image_uri),
        spacing_mm=spacing_mm,
        spacing_from=cast("Literal['sform', 'qform', 'pixdim'] | None", spacing_from),
    )
