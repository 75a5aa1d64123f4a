"""Pictures whose colours are labels, as label maps."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from medvision.volumes.canonical import canonical_volume
from medvision.volumes.colours import colour_labels
from medvision.volumes.errors import UnsupportedPixelsError
from medvision.volumes.pictures import open_picture, rgba_pixels
from medvision.volumes.stored import ReadOptions
from medvision.volumes.suffixes import PICTURE
from medvision.volumes.volume import Volume


def read_colour_mask(
    path: Path | str,
    colours: Mapping[str, int],
    *,
    tolerance: int = 0,
    spacing_mm: tuple[float, float] | None = None,
) -> Volume:
    """A 2D label map from a PNG, TIFF, BMP or JPEG whose colours are labels.

    A palette picture is read by the colours of its palette, a grey one by its greys (`#808080`).

    Args:
        path: The picture.
        colours: As for `colour_labels`.
        tolerance: As for `colour_labels`.
        spacing_mm: (y, x) of a picture whose file has none.

    Raises:
        ItemError: One of `medvision.volumes.errors`, or `UnknownColourError`.
        UsageError: As for `colour_labels`.
    """
    path = Path(path)
    if not path.name.lower().endswith(PICTURE):
        msg = f"{path}: expected a picture with colours ({', '.join(PICTURE)})"
        raise UnsupportedPixelsError(msg)
    stored = open_picture(path, ReadOptions(spacing_mm=spacing_mm))
    labels = colour_labels(rgba_pixels(path), colours, tolerance=tolerance, item=str(path))
    return canonical_volume(replace(stored, load=lambda: labels))
