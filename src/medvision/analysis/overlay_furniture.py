"""What is drawn at the edges of every slice: the patient's directions and a scale bar."""

import math

from medvision.analysis.overlay_shapes import Anchor, Canvas, Line, Role, Shape, Text
from medvision.frames import VOLUME_PLANES, Plane
from medvision.prompts.messages import PROJECTED_MODALITIES
from medvision.volumes.pictures import SUFFIXES as PICTURE_SUFFIXES

EDGE_LETTERS: dict[Plane, tuple[str, str, str, str]] = {
    Plane.AXIAL: ("R", "L", "A", "P"),
    Plane.CORONAL: ("R", "L", "S", "I"),
    Plane.SAGITTAL: ("A", "P", "S", "I"),
}
"""Patient direction at the left, right, upper and lower edge of a displayed slice of a volume."""


def edge_letters(plane: str, *, modality: str, image_uri: str) -> tuple[str, ...]:
    """Patient directions at the left, right, upper and lower edge; () where they are not known."""
    is_picture = image_uri.lower().endswith(PICTURE_SUFFIXES)
    if plane not in VOLUME_PLANES or modality in PROJECTED_MODALITIES or is_picture:
        return ()
    return EDGE_LETTERS[Plane(plane)]


def furniture_shapes(canvas: Canvas, letters: tuple[str, ...]) -> list[Shape]:
    """The scale bar, and the directions at the edges, where they are known."""
    return [*_direction_letters(canvas, letters), *_scale_bar(canvas)]


def scale_bar_mm(width_mm: float) -> float:
    """Length of the scale bar: the largest 1, 2 or 5 × 10ⁿ mm within a quarter of the width."""
    limit_mm = width_mm / 4
    decade = 10.0 ** math.floor(math.log10(limit_mm))
    return max(step * decade for step in (1.0, 2.0, 5.0) if step * decade <= limit_mm)


def _direction_letters(canvas: Canvas, letters: tuple[str, ...]) -> list[Shape]:
    across, down = canvas.width / 2, canvas.height / 2
    places: list[tuple[float, float, Anchor]] = [
        (8, down + 6, "start"),
        (canvas.width - 8, down + 6, "end"),
        (across, 20, "middle"),
        (across, canvas.height - 8, "middle"),
    ]
    return [
        Text(x=x, y=y, text=letter, role=Role.FURNITURE, anchor=anchor, size=17)
        for (x, y, anchor), letter in zip(places, letters, strict=False)
    ]


def _scale_bar(canvas: Canvas) -> list[Shape]:
    """A bar of a round number of mm at the lower left, with a tick at each end."""
    length_mm = scale_bar_mm(canvas.width / canvas.units_per_mm)
    x0, y = 12.0, canvas.height - 12
    x1 = x0 + length_mm * canvas.units_per_mm
    return [
        Line(x0=x0, y0=y, x1=x1, y1=y, role=Role.FURNITURE),
        Line(x0=x0, y0=y - 4, x1=x0, y1=y + 4, role=Role.FURNITURE),
        Line(x0=x1, y0=y - 4, x1=x1, y1=y + 4, role=Role.FURNITURE),
        Text(x=x0, y=y - 8, text=f"{length_mm:g} mm", role=Role.FURNITURE, size=12),
    ]
