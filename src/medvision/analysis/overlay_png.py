"""Truth and answer drawn over a slice, as PNG: the drawing of `overlay`, in pixels."""

import io
import itertools
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from medvision.analysis.overlay import DASHES, HALO, line_width, shape_colour
from medvision.analysis.overlay_answer import answer_shapes
from medvision.analysis.overlay_furniture import edge_letters, furniture_shapes
from medvision.analysis.overlay_shapes import (
    Box,
    Canvas,
    Dot,
    Ellipse,
    Line,
    Outline,
    Role,
    Shape,
    Text,
    canvas_of,
)
from medvision.analysis.overlay_truth import truth_shapes
from medvision.samples import Sample

LONGEST_SIDE_PX = 2048
"""A drawing keeps the resolution of its picture up to this side."""

GROUND = "#14181c"
"""What lies beside the slice."""

NOT_IN_FONT = str.maketrans({"×": "x", "²": "2", "–": "-", "−": "-", "…": "..."})
"""Signs that Pillow's own font lacks, and what is drawn instead."""

Path = list[tuple[float, float]]


def overlay_png(
    sample: Sample,
    values: Sequence[float] = (),
    *,
    picture_png: bytes,
    recovered_values: Sequence[float] = (),
    below: Sequence[Shape] = (),
) -> bytes:
    """A PNG drawing of a sample: picture, truth, answer, directions, scale bar.

    Millimetres are square: the picture is stretched to the slice's physical shape.

    Args:
        sample: The question with its truth.
        values: The answer as read, in the order and frame of `sample.truth`; empty if none.
        picture_png: The slice as PNG of any size.
        recovered_values: The lenient reading, drawn apart from the answer; empty if none.
        below: More of the truth, such as a mask's outline, drawn before it.
    """
    canvas = canvas_of(sample)
    letters = edge_letters(sample.plane, modality=sample.modality, image_uri=sample.image_uri)
    shapes = [
        *furniture_shapes(canvas, letters),
        *below,
        *truth_shapes(sample),
        *answer_shapes(sample, recovered_values, role=Role.RECOVERED),
        *answer_shapes(sample, values, role=Role.ANSWER),
    ]
    return drawing_png(canvas, shapes, picture_png=picture_png)


def drawing_png(
    canvas: Canvas, shapes: Sequence[Shape], *, picture_png: bytes, panel_width: float = 0.0
) -> bytes:
    """A PNG of shapes over a picture that fills the canvas.

    Args:
        canvas: Of the slice.
        shapes: In the order in which they are drawn.
        picture_png: The slice as PNG of any size.
        panel_width: Drawing units of plain ground right of the canvas.
    """
    picture = Image.open(io.BytesIO(picture_png)).convert("RGB")
    side = max(canvas.width, canvas.height)
    scale = min(max(1.0, max(picture.size) / side), LONGEST_SIDE_PX / side)
    size = (max(1, round(canvas.width * scale)), max(1, round(canvas.height * scale)))
    page = Image.new("RGB", (size[0] + round(panel_width * scale), size[1]), GROUND)
    page.paste(picture.resize(size, Image.Resampling.BILINEAR))
    pen = ImageDraw.Draw(page)
    for shape in shapes:
        _draw(pen, shape, scale)
    return image_png(page)


def image_png(image: Image.Image) -> bytes:
    """A drawn image as PNG."""
    written = io.BytesIO()
    image.save(written, format="PNG")
    return written.getvalue()


def _draw(pen: ImageDraw.ImageDraw, shape: Shape, scale: float) -> None:
    """Draw one shape with its dark halo; `scale` is pixels for a drawing unit."""
    colour = shape_colour(shape)
    if isinstance(shape, Text):
        _draw_text(pen, shape, scale)
    elif isinstance(shape, Dot):
        at = (shape.x * scale, shape.y * scale)
        pen.circle(at, 5 * scale, fill=HALO)
        pen.circle(at, 4 * scale, fill=colour)
    elif isinstance(shape, Outline):
        _draw_outline(pen, shape, scale)
    else:
        width = line_width(shape) * scale
        path = [(x * scale, y * scale) for x, y in _path(shape)]
        pen.line(path, fill=HALO, width=round(width + 2 * scale), joint="curve")
        dash = DASHES.get(shape.role)
        strokes = _dashes(path, (dash[0] * scale, dash[1] * scale)) if dash else [path]
        for stroke in strokes:
            pen.line(stroke, fill=colour, width=max(1, round(width)))


def _draw_outline(pen: ImageDraw.ImageDraw, shape: Outline, scale: float) -> None:
    """Draw a mask's border: all of its halo first, so that no stretch dims its neighbour."""
    width = line_width(shape) * scale
    for ink, wide in ((HALO, width + 1.2 * scale), (shape_colour(shape), width)):
        half = max(1, round(wide)) / 2
        for x0, y0, x1, y1 in shape.stretches:
            low = (x0 * scale - half, y0 * scale - half)
            high = (x1 * scale + half - 1, y1 * scale + half - 1)
            pen.rectangle((*low, *high), fill=ink)


def _draw_text(pen: ImageDraw.ImageDraw, shape: Text, scale: float) -> None:
    """Draw a label on its baseline."""
    pen.text(
        (shape.x * scale, shape.y * scale),
        shape.text.translate(NOT_IN_FONT),
        fill=shape_colour(shape),
        font=ImageFont.load_default(size=shape.size * scale),
        anchor={"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor],
        stroke_width=max(1, round(1.5 * scale)),
        stroke_fill=HALO,
    )


def _path(shape: Line | Box | Ellipse) -> Path:
    """The outline of a shape as connected points, drawing units."""
    if isinstance(shape, Line):
        return [(shape.x0, shape.y0), (shape.x1, shape.y1)]
    if isinstance(shape, Box):
        x0, y0, x1, y1 = shape.x0, shape.y0, shape.x1, shape.y1
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    turn = math.radians(shape.turn_deg)
    points: Path = []
    for step in range(97):
        angle = step / 96 * math.tau
        along, across = shape.radius_0 * math.cos(angle), shape.radius_1 * math.sin(angle)
        points.append(
            (
                shape.x + along * math.cos(turn) - across * math.sin(turn),
                shape.y + along * math.sin(turn) + across * math.cos(turn),
            )
        )
    return points


def _dashes(path: Path, dash: tuple[float, float]) -> list[Path]:
    """The drawn stretches of a dashed path: each side starts with a full stroke."""
    drawn, period = dash[0], sum(dash)
    strokes: list[Path] = []
    for (x0, y0), (x1, y1) in itertools.pairwise(path):
        length = math.dist((x0, y0), (x1, y1))
        for number in range(math.ceil(length / period)):
            start = number * period / length
            end = min(1.0, start + drawn / length)
            strokes.append(
                [
                    (x0 + (x1 - x0) * start, y0 + (y1 - y0) * start),
                    (x0 + (x1 - x0) * end, y0 + (y1 - y0) * end),
                ]
            )
    return strokes
