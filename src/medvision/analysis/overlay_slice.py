"""Everything known of one slice, drawn over it with a legend: SVG or PNG."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

from medvision.analysis.overlay import svg_document, svg_group, svg_picture
from medvision.analysis.overlay_furniture import edge_letters, furniture_shapes
from medvision.analysis.overlay_labels import named_places
from medvision.analysis.overlay_outline import outline_shape
from medvision.analysis.overlay_png import GROUND, drawing_png
from medvision.analysis.overlay_shapes import (
    Box,
    Canvas,
    Line,
    Role,
    Shape,
    Text,
    canvas_of,
)
from medvision.analysis.overlay_truth import axis_shapes, landmark_shapes
from medvision.analysis.slice_facts import SliceFacts, SliceMeasurement, SliceStructure

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceDrawing:
    """A slice's drawing: shapes on its canvas, and a legend to the right of it."""

    canvas: Canvas
    panel_width: float
    shapes: tuple[Shape, ...]
    title: str


def slice_drawing(facts: SliceFacts) -> SliceDrawing:
    """Outlines, boxes and axes of all structures, all measurements, and what they are called."""
    canvas = canvas_of(facts.geometry)
    letters = edge_letters(
        facts.ref.plane, modality=facts.ref.modality, image_uri=facts.ref.image_uri
    )
    colours = cycle(PALETTE)
    shapes: list[Shape] = furniture_shapes(canvas, letters)
    legend: list[tuple[str, str]] = []
    for structure in facts.structures:
        colour = next(colours)
        shapes += _structure_shapes(canvas, structure, colour)
        legend.append((colour, _structure_words(structure)))
    for measurement in facts.measurements:
        colour = next(colours)
        shapes += landmark_shapes(canvas, measurement.points, colour=colour, named=False)
        legend.append((colour, _measurement_words(measurement)))
    shapes += _landmark_names(canvas, facts.measurements)
    shapes += _legend_shapes(canvas, legend)
    beyond = {shape.x for shape in shapes if isinstance(shape, Text) and shape.x > canvas.width}
    return SliceDrawing(
        canvas=canvas,
        panel_width=len(beyond) * COLUMN_WIDTH,
        shapes=tuple(shapes),
        title=f"{facts.ref.plane} slice {facts.ref.slice_index}",
    )


def slice_svg(facts: SliceFacts, *, picture_png: bytes) -> str:
    """The drawing as SVG; the picture fills its canvas."""
    drawing = slice_drawing(facts)
    width, height = drawing.canvas.width + drawing.panel_width, drawing.canvas.height
    ground = f'<rect width="{width:.2f}" height="{height:.2f}" fill="{GROUND}"/>'
    picture = svg_picture(drawing.canvas, picture_png)
    parts = [ground, picture, svg_group(drawing.shapes, Role.TRUTH)]
    return svg_document(parts, width=width, height=height, title=drawing.title)


def slice_png(facts: SliceFacts, *, picture_png: bytes) -> bytes:
    """The drawing as PNG; the picture fills its canvas."""
    drawing = slice_drawing(facts)
    return drawing_png(
        drawing.canvas,
        drawing.shapes,
        picture_png=picture_png,
        panel_width=drawing.panel_width,
    )


def _structure_shapes(canvas: Canvas, structure: SliceStructure, colour: str) -> Iterator[Shape]:
    if structure.outline is not None:
        yield outline_shape(canvas, structure.outline, colour)
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


def _landmark_names(canvas: Canvas, measurements: tuple[SliceMeasurement, ...]) -> list[Shape]:
    """The name of each landmark, once, however many measurements use it."""
    places = {
        (point.key, canvas.point(point.x_px, point.y_px)): point.name or point.key
        for measurement in measurements
        for point in measurement.points
    }
    return [*named_places(canvas, [(at, name) for (_, at), name in places.items()])]


def _structure_words(structure: SliceStructure) -> str:
    words = f"{structure.label_id}  {structure.name}, {structure.area_mm2:.1f} mm²"
    if len(structure.boxes_px) > 1:
        words += f" in {len(structure.boxes_px)} parts"
    for axes in structure.axes:
        words += f", axes {axes.major_mm:.1f} × {axes.minor_mm:.1f} mm"
    return words


def _measurement_words(measurement: SliceMeasurement) -> str:
    unit = "°" if measurement.unit == "deg" else f" {measurement.unit}"
    return f"{measurement.name}: {measurement.value:.1f}{unit}"


def _legend_shapes(canvas: Canvas, entries: list[tuple[str, str]]) -> Iterator[Shape]:
    """A stroke of colour and words for each entry, in as many columns as they need."""
    x, y = canvas.width + MARGIN, MARGIN + LINE_HEIGHT / 2
    for colour, words in entries:
        lines = textwrap.wrap(words, LINE_SIGNS)
        if y + len(lines) * LINE_HEIGHT > canvas.height and y > 2 * LINE_HEIGHT:
            x, y = x + COLUMN_WIDTH, MARGIN + LINE_HEIGHT / 2
        yield Line(x0=x, y0=y, x1=x + 16, y1=y, role=Role.TRUTH, colour=colour)
        for line in lines:
            yield Text(x=x + 24, y=y + 4, text=line, role=Role.FURNITURE, size=12)
            y += LINE_HEIGHT
