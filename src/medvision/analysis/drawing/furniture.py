"""What is drawn at the edges of every slice: the patient's directions and a scale bar."""

import math

from medvision.analysis.drawing.shapes import Anchor, Canvas, Line, Role, Shape, Text
from medvision.frames import VOLUME_PLANES, Plane, View
from medvision.prompts.messages import PROJECTED_MODALITIES
from medvision.volumes.suffixes import PICTURE as PICTURE_SUFFIXES

EDGE_LETTERS: dict[Plane, tuple[str, str, str, str]] = {
    Plane.AXIAL: ("R", "L", "A", "P"),
    Plane.CORONAL: ("R", "L", "S", "I"),
    Plane.SAGITTAL: ("A", "P", "S", "I"),
}
"""Patient direction at the left, right, upper and lower edge of a displayed slice of a volume."""


def edge_letters(
    plane: str, *, modality: str, image_uri: str, view: View = View.RADIOLOGICAL
) -> tuple[str, ...]:
    """Patient directions at the left, right, upper and lower edge; () where they are not known.

    Example:
        >>> edge_letters("sagittal", modality="CT", image_uri="case_01.nii.gz")
        ('A', 'P', 'S', 'I')
        >>> edge_letters("axial", modality="CT", image_uri="a.nii.gz", view=View.ORIGINAL)
        ('P', 'A', 'L', 'R')
        >>> edge_letters("sagittal", modality="XR", image_uri="skull.dcm")
        ()
    """
    is_picture = image_uri.lower().endswith(PICTURE_SUFFIXES)
    if plane not in VOLUME_PLANES or modality in PROJECTED_MODALITIES or is_picture:
        return ()
    left, right, upper, lower = EDGE_LETTERS[Plane(plane)]
    if view is View.ORIGINAL:
        return lower, upper, right, left
    return left, right, upper, lower


def furniture_shapes(canvas: Canvas, letters: tuple[str, ...]) -> list[Shape]:
    """The directions at the edges, where they are known, and a scale bar at the lower left."""
    across, down = canvas.width / 2, canvas.height / 2
    places: list[tuple[float, float, Anchor]] = [
        (8, down + 6, "start"),
        (canvas.width - 8, down + 6, "end"),
        (across, 20, "middle"),
        (across, canvas.height - 8, "middle"),
    ]
    shapes: list[Shape] = [
        Text(x=x, y=y, text=letter, role=Role.FURNITURE, anchor=anchor, size=17)
        for (x, y, anchor), letter in zip(places, letters, strict=False)
    ]
    if math.isnan(canvas.units_per_mm):
        return shapes
    length_mm = scale_bar_mm(canvas.width / canvas.units_per_mm)
    y = canvas.height - 12
    start, end = (12.0, y), (12.0 + length_mm * canvas.units_per_mm, y)
    shapes.append(Line.between(start, end, role=Role.FURNITURE))
    shapes += [Line.between((x, y - 4), (x, y + 4), role=Role.FURNITURE) for x, _ in (start, end)]
    words = f"{length_mm:g} mm"
    return [*shapes, Text(x=12.0, y=y - 8, text=words, role=Role.FURNITURE, size=12)]


def scale_bar_mm(width_mm: float) -> float:
    """Length of the scale bar: the largest 1, 2 or 5 × 10ⁿ mm within a quarter of the width.

    Example:
        >>> scale_bar_mm(320)
        50.0
    """
    limit_mm = width_mm / 4
    decade = 10.0 ** math.floor(math.log10(limit_mm))
    return max(step * decade for step in (1.0, 2.0, 5.0) if step * decade <= limit_mm)
