"""Images and label maps of any supported format, as canonical RAS+ volumes."""

from medvision.volumes.canonical import canonical_volume
from medvision.volumes.fingerprint import volume_fingerprint
from medvision.volumes.grid import check_same_grid
from medvision.volumes.read import IMAGE_SUFFIXES, read_geometry, read_label_map, read_volume
from medvision.volumes.volume import (
    Slice2D,
    SpacingSource,
    Volume,
    VolumeGeometry,
    slice_pixels,
    spacing_suspect,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "Slice2D",
    "SpacingSource",
    "Volume",
    "VolumeGeometry",
    "canonical_volume",
    "check_same_grid",
    "read_geometry",
    "read_label_map",
    "read_volume",
    "slice_pixels",
    "spacing_suspect",
    "volume_fingerprint",
]
