"""Images and label maps of any supported format, as canonical RAS+ volumes.

What reads is loaded when it is first used: most commands look at tables and replies only.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medvision.volumes.canonical import canonical_volume as canonical_volume
    from medvision.volumes.fingerprint import volume_fingerprint as volume_fingerprint
    from medvision.volumes.grid import check_same_grid as check_same_grid
    from medvision.volumes.read import companion_files as companion_files
    from medvision.volumes.read import read_geometry as read_geometry
    from medvision.volumes.read import read_label_map as read_label_map
    from medvision.volumes.read import read_volume as read_volume
    from medvision.volumes.suffixes import IMAGE_SUFFIXES as IMAGE_SUFFIXES
    from medvision.volumes.volume import Slice2D as Slice2D
    from medvision.volumes.volume import SpacingSource as SpacingSource
    from medvision.volumes.volume import Volume as Volume
    from medvision.volumes.volume import VolumeGeometry as VolumeGeometry
    from medvision.volumes.volume import slice_pixels as slice_pixels
    from medvision.volumes.volume import spacing_suspect as spacing_suspect

_HOME_OF = {
    "IMAGE_SUFFIXES": "suffixes",
    "Slice2D": "volume",
    "SpacingSource": "volume",
    "Volume": "volume",
    "VolumeGeometry": "volume",
    "canonical_volume": "canonical",
    "check_same_grid": "grid",
    "read_geometry": "read",
    "read_label_map": "read",
    "read_volume": "read",
    "companion_files": "read",
    "slice_pixels": "volume",
    "spacing_suspect": "volume",
    "volume_fingerprint": "fingerprint",
}

__all__ = [
    "IMAGE_SUFFIXES",
    "Slice2D",
    "SpacingSource",
    "Volume",
    "VolumeGeometry",
    "canonical_volume",
    "check_same_grid",
    "companion_files",
    "read_geometry",
    "read_label_map",
    "read_volume",
    "slice_pixels",
    "spacing_suspect",
    "volume_fingerprint",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        msg = f"module 'medvision.volumes' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"medvision.volumes.{_HOME_OF[name]}"), name)
