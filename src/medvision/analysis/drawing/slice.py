"""Everything known of one slice, drawn over it with a legend."""

import math
import textwrap
from collections.abc import Iterator
from itertools import cycle

from medvision.analysis.drawing.facts import SliceFacts, SliceStructure
from medvision.analysis.drawing.furniture import edge_letters, furniture_shapes
from medvision.analysis.drawing.labels import named_places
from medvision.analysis.drawing.outline import outline_shape
from medvision.analysis.drawing.picture import for_raster, svg_picture
from medvision.analysis.drawing.raster import raster_png
from medvision.analysis.drawing.shapes import Box, Canvas, Line, Role, Shape, Text, canvas_of
from medvision.analysis.drawing.svg import svg_document, svg_ground, svg_group
from medvision.analysis.drawing.truth import axis_shapes, landmark_shapes
from medvision.analysis.units import with_unit

PALETTE = (
    "#3ddc97",
    "#ffb02e",
    "#6cb8ff",
    "#ff7aa8",
    "#c9a6ff",
    "#f4ef6a",
    "#5fe3e8",
    "#ff8c5a",
    "#a5e06b",
    "#e3b8a0",
)
"""Colours of structures and measurements, taken in turn."""

COLUMN_WIDTH, LINE_HEIGHT, MARGIN = 270.0, 18.0, 14.0
"""Of the legend, drawing units."""

LINE_SIGNS = 36


def slice_svg(facts: SliceFacts, *, picture_png: bytes) -> str:
    """Outlines, boxes and axes of all structures, all measurements, and what they are called.

    Args:
        facts: The slice.
        picture_png: The slice as PNG of any size; it fills the canvas, left of the legend.
    """
    canvas = canvas_of(facts.geometry)
    ref = facts.ref
    letters = edge_letters(ref.plane, modality=ref.modality, image_uri=ref.image_uri)
    shapes = furniture_shapes(canvas, letters)
    legend: list[tuple[str, str]] = []
    colours = cycle(PALETTE)
    for structure, colour in zip(facts.structures, colours, strict=False):
        shapes += _structure_shapes(canvas, structure, colour)
        legend.append((colour, _structure_words(structure)))
    for measurement, colour in zip(facts.measurements, colours, strict=False):
        shapes += landmark_shapes(canvas, measurement.points, colour=colour, named=False)
        value = with_unit(f"{measurement.value:.1f}", measurement.unit)
        legend.append((colour, f"{measurement.name}: {value}"))
    # The name of each landmark once, however many measurements use it.
    names = {
        (point.key, canvas.point(point.x_px, point.y_px)): point.name or point.key
        for measurement in facts.measurements
        for point in measurement.points
    }
    shapes += named_places(canvas, [(at, name) for (_, at), name in names.items()])
    beside, panel_width = _legend(canvas, legend)
    width = canvas.width + panel_width
    parts = [
        svg_ground(width, canvas.height),
        svg_picture(canvas, picture_png),
        svg_group([*shapes, *beside], Role.TRUTH),
    ]
    title = f"{ref.plane} slice {ref.slice_index}"
    return svg_document(parts, width=width, height=canvas.height, title=title)


def slice_png(facts: SliceFacts, *, picture_png: bytes) -> bytes:
    """The drawing of `slice_svg` as PNG; each pixel of the picture keeps its grey."""
    picture_png, zoom = for_raster(picture_png, canvas_of(facts.geometry))
    return raster_png(slice_svg(facts, picture_png=picture_png), zoom=zoom)


def _structure_shapes(canvas: Canvas, structure: SliceStructure, colour: str) -> Iterator[Shape]:
    """Outline, boxes and axes of one label, and its number at its first box."""
    if structure.outline_px is not None:
        yield outline_shape(canvas, structure.outline_px, colour)
    for box_px in structure.boxes_px:
        x0, y0, x1, y1 = canvas.edges(box_px)
        yield Box(x0=x0, y0=y0, x1=x1, y1=y1, role=Role.TRUTH, colour=colour, thin=True)
    for axes in structure.axes:
        yield from axis_shapes(canvas, axes.points, (), colour=colour)
    x0, y0, _, _ = canvas.edges(structure.boxes_px[0])
    yield Text(
        x=max(x0 + 2, 2.0),
        y=max(y0 - 3, 11.0),
        text=str(structure.label_id),
        role=Role.TRUTH,
        colour=colour,
        size=11,
    )


def _structure_words(structure: SliceStructure) -> str:
    """What the legend says of one label."""
    words = f"{structure.label_id}  {structure.name}"
    if not math.isnan(structure.area_mm2):
        words += f", {structure.area_mm2:.1f} mm²"
    if len(structure.boxes_px) > 1:
        words += f" in {len(structure.boxes_px)} parts"
    for axes in structure.axes:
        words += f", axes {axes.major_mm:.1f} × {axes.minor_mm:.1f} mm"
    return words


def _legend(canvas: Canvas, entries: list[tuple[str, str]]) -> tuple[list[Shape], float]:
    """A stroke of colour and words for each entry, in as many columns as they need; their width."""
    shapes: list[Shape] = []
    x, y = canvas.width + MARGIN, MARGIN + LINE_HEIGHT / 2
    for colour, words in entries:
        lines = textwrap.wrap(words, LINE_SIGNS)
        if y + len(lines) * LINE_HEIGHT > canvas.height and y > 2 * LINE_HEIGHT:
            x, y = x + COLUMN_WIDTH, MARGIN + LINE_HEIGHT / 2
        shapes.append(Line.between((x, y), (x + 16, y), role=Role.TRUTH, colour=colour))
        for line in lines:
            shapes.append(Text(x=x + 24, y=y + 4, text=line, role=Role.FURNITURE, size=12))
            y += LINE_HEIGHT
    return shapes, x - MARGIN - canvas.width + COLUMN_WIDTH if entries else 0.0
