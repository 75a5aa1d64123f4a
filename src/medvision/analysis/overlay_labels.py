"""Where words go: beside points and beyond the ends of lines, on the canvas, not on each other."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from medvision.analysis.overlay_shapes import XY, Canvas, Role, Text


def named_places(canvas: Canvas, places: Sequence[tuple[XY, str]]) -> list[Text]:
    """Names beside points, moved up or down so that they hide neither points nor each other."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for (x, y), _ in places]
    texts: list[Text] = []
    for at, name in places:
        candidates = list(_beside(canvas, at, name))
        free = (text for text in candidates if not any(_overlap(_extent(text), t) for t in taken))
        text = next(free, candidates[0])
        taken.append(_extent(text))
        texts.append(text)
    return texts


def _beside(canvas: Canvas, at: XY, name: str) -> Iterator[Text]:
    """Places for a name, best first: on the side that has more room, then ever further off."""
    x, y = at
    at_right = x > 0.6 * canvas.width
    for down in (-6, 17, -21, 32, -36, 47, -51):
        for is_end in (at_right, not at_right):
            yield _inside(
                canvas,
                Text(
                    x=x - 8 if is_end else x + 8,
                    y=y + down,
                    text=name,
                    role=Role.TRUTH,
                    anchor="end" if is_end else "start",
                ),
            )


def beyond_line(canvas: Canvas, inner: XY, outer: XY, text: str) -> Text:
    """A label beyond the right end of a line, or beyond its left end where the slice ends."""
    length = math.dist(inner, outer) or 1.0
    step_x, step_y = ((outer[i] - inner[i]) / length * 12 for i in (0, 1))
    label = Text(x=outer[0] + step_x, y=outer[1] + step_y + 4, text=text, role=Role.TRUTH)
    if _extent(label)[2] > canvas.width - 4:
        x, y = inner[0] - step_x, inner[1] - step_y + 4
        label = Text(x=x, y=y, text=text, role=Role.TRUTH, anchor="end")
    return _inside(canvas, label)


def _extent(text: Text) -> tuple[float, float, float, float]:
    """About what a label covers, x0, y0, x1, y1: letters are 0.56 of their size wide."""
    width = 0.56 * text.size * len(text.text)
    x0 = text.x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
    return x0, text.y - 0.8 * text.size, x0 + width, text.y + 0.2 * text.size


def _overlap(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return (
        first[0] < second[2]
        and second[0] < first[2]
        and first[1] < second[3]
        and second[1] < first[3]
    )


def _inside(canvas: Canvas, text: Text) -> Text:
    """The label moved so that it lies on the canvas, as far as it fits."""
    x0, _, x1, _ = _extent(text)
    right = max(0.0, 4 - x0) or min(0.0, canvas.width - 4 - x1)
    return replace(text, x=text.x + right, y=min(max(text.y, 14.0), canvas.height - 6))
