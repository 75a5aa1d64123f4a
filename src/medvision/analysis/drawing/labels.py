"""Where words go: beside points and beyond the ends of lines, on the canvas, not on each other."""

import math
from collections.abc import Sequence
from dataclasses import replace

from medvision.analysis.drawing.shapes import XY, Canvas, Role, Text

RISES = (-6, 17, -21, 32, -36, 47, -51)
"""How far below its point a name's baseline may lie, best first, drawing units."""

Extent = tuple[float, float, float, float]
"""x0, y0, x1, y1, drawing units."""


def named_places(canvas: Canvas, places: Sequence[tuple[XY, str]]) -> list[Text]:
    """Names beside points, moved up or down so that they hide neither points nor each other."""
    taken: list[Extent] = [(x - 6, y - 6, x + 6, y + 6) for (x, y), _ in places]
    texts: list[Text] = []
    for (x, y), name in places:
        # A name at the right of the slice has more room on its point's left.
        at_right = x > 0.6 * canvas.width
        candidates = [
            _inside(
                canvas,
                Text(
                    x=x - 8 if is_end else x + 8,
                    y=y + rise,
                    text=name,
                    role=Role.TRUTH,
                    anchor="end" if is_end else "start",
                ),
            )
            for rise in RISES
            for is_end in (at_right, not at_right)
        ]
        free = (text for text in candidates if not _hides_any(text, taken))
        text = next(free, candidates[0])
        taken.append(_extent(text))
        texts.append(text)
    return texts


def beyond_line(canvas: Canvas, inner: XY, outer: XY, text: str) -> Text:
    """A label beyond the right end of a line, or beyond its left end where the slice ends."""
    length = math.dist(inner, outer) or 1.0
    step_x, step_y = ((outer[i] - inner[i]) / length * 12 for i in (0, 1))
    label = Text(x=outer[0] + step_x, y=outer[1] + step_y + 4, text=text, role=Role.TRUTH)
    if _extent(label)[2] > canvas.width - 4:
        x, y = inner[0] - step_x, inner[1] - step_y + 4
        label = Text(x=x, y=y, text=text, role=Role.TRUTH, anchor="end")
    return _inside(canvas, label)


def _extent(text: Text) -> Extent:
    """About what a label covers: letters are 0.56 of their size wide, whatever the font."""
    width = 0.56 * text.size * len(text.text)
    x0 = text.x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
    return x0, text.y - 0.8 * text.size, x0 + width, text.y + 0.2 * text.size


def _hides_any(text: Text, taken: Sequence[Extent]) -> bool:
    """Whether a label covers part of what is there."""
    x0, y0, x1, y1 = _extent(text)
    return any(x0 < t[2] and t[0] < x1 and y0 < t[3] and t[1] < y1 for t in taken)


def _inside(canvas: Canvas, text: Text) -> Text:
    """The label moved so that it lies on the canvas, as far as it fits."""
    x0, _, x1, _ = _extent(text)
    right = max(0.0, 4 - x0) or min(0.0, canvas.width - 4 - x1)
    return replace(text, x=text.x + right, y=min(max(text.y, 14.0), canvas.height - 6))
