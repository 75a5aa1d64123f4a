"""Slices to pictures: grey levels, pixel grids, and what each model family sees of them."""

from medvision.pictures.perceived import PerceivedSize, perceived_size, stated_frame
from medvision.pictures.render import AS_STORED, PixelGrid, RenderedImage, SlicePictures

__all__ = [
    "AS_STORED",
    "PerceivedSize",
    "PixelGrid",
    "RenderedImage",
    "SlicePictures",
    "perceived_size",
    "stated_frame",
]
