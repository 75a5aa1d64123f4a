"""Landmarks of LabelMe files: the shapes of type `point`, by label.

LabelMe counts from the upper left corner of the picture, so that the first pixel spans 0 to 1 and
its centre is at 0.5, 0.5; landmarks here are whole numbers at pixel centres, half a pixel less.
"""

from typing import Any

from medvision.annotate.coco import CORNER_PX
from medvision.annotate.landmarks import (
    LandmarkFormatError,
    Landmarks,
    LandmarkSpace,
    checked_landmarks,
)


def is_labelme(content: object) -> bool:
    """Whether parsed JSON has the shapes and the picture's name that LabelMe writes."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("shapes"), list)
        and "imagePath" in content
    )


def labelme_landmarks(content: dict[str, Any], source: str) -> Landmarks:
    """Landmarks of a LabelMe file; shapes of other types are no landmarks and are left out.

    Args:
        content: Parsed JSON.
        source: The file, for messages.

    Raises:
        LandmarkFormatError: Shapes that are no objects, or a point that is not one place.
        DuplicateLandmarkError: Two points with one label.
        EmptyLandmarksError: No point among the shapes.

    Example:
        >>> nose = {"label": "nose", "shape_type": "point", "points": [[10.5, 4.0]]}
        >>> labelme_landmarks({"shapes": [nose], "imagePath": "a.png"}, "a.json").points["nose"]
        (10.0, 3.5)
    """
    entries = []
    for shape in content["shapes"]:
        if not isinstance(shape, dict):
            msg = f"{source}: expected shapes with label, type and points, found {shape!r}"
            raise LandmarkFormatError(msg)
        if shape.get("shape_type") != "point":
            continue
        places, label = shape.get("points"), str(shape.get("label", ""))
        if not isinstance(places, list) or len(places) != 1 or not isinstance(places[0], list):
            msg = f"{source}: point '{label}' needs one place [x, y], found {places!r}"
            raise LandmarkFormatError(msg)
        is_number = [isinstance(v, int | float) and not isinstance(v, bool) for v in places[0]]
        shifted = [v - CORNER_PX if n else v for v, n in zip(places[0], is_number, strict=True)]
        entries.append((label, shifted))
    width_px, height_px = content.get("imageWidth"), content.get("imageHeight")
    size = None
    if isinstance(width_px, int) and isinstance(height_px, int):
        size = (width_px, height_px)
    return checked_landmarks(source, LandmarkSpace.VOXEL, entries, size_wh_px=size)
