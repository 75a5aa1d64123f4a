"""Truth and answer drawn over a slice, as SVG."""

import base64
from collections.abc import Iterable, Sequence
from typing import assert_never
from xml.sax.saxutils import escape, quoteattr

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

COLOURS: dict[Role, str] = {
    Role.TRUTH: "#3ddc97",
    Role.ANSWER: "#ffb02e",
    Role.RECOVERED: "#c9a6ff",
    Role.FURNITURE: "#ffffff",
}
"""Stroke and text colour of each role; told apart by every common kind of colour vision."""

DASHES: dict[Role, tuple[float, float]] = {Role.ANSWER: (7, 4), Role.RECOVERED: (2, 4)}
"""Drawn and left-out length of a role's lines, drawing units; a role not named has full lines."""

HALO = "#000000"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def overlay_svg(
    sample: Sample,
    values: Sequence[float] = (),
    *,
    picture_png: bytes | None = None,
    recovered_values: Sequence[float] = (),
    below: Sequence[Shape] = (),
) -> str:
    """A complete SVG drawing of a sample: picture, truth, answer, directions, scale bar.

    Millimetres are square: the picture is stretched to the slice's physical shape.

    Args:
        sample: The question with its truth.
        values: The answer as read, in the order and frame of `sample.truth`; empty if none.
        picture_png: The slice as PNG of any size; it fills the drawing. None leaves it out.
        recovered_values: The lenient reading, drawn apart from the answer; empty if none.
        below: More of the truth, such as a mask's outline, drawn before it.
    """
    canvas = canvas_of(sample)
    letters = edge_letters(sample.plane, modality=sample.modality, image_uri=sample.image_uri)
    parts = [
        svg_picture(canvas, picture_png) if picture_png is not None else "",
        svg_group(furniture_shapes(canvas, letters), Role.FURNITURE),
        svg_group([*below, *truth_shapes(sample)], Role.TRUTH),
        answer_svg(sample, values, recovered_values=recovered_values),
    ]
    return svg_document(parts, width=canvas.width, height=canvas.height, title=sample.name)


def svg_document(parts: Iterable[str], *, width: float, height: float, title: str) -> str:
    """Elements as one SVG drawing, sizes in drawing units."""
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.2f} {height:.2f}" '
        f'font-family="{FONT}" role="img" aria-label={quoteattr(_printable(title))}>'
    )
    return "".join([opening, *parts, "</svg>"])


def svg_picture(canvas: Canvas, picture_png: bytes) -> str:
    """The slice's picture, stretched to its physical shape."""
    data = base64.b64encode(picture_png).decode("ascii")
    return (
        f'<image x="0" y="0" width="{canvas.width:.2f}" height="{canvas.height:.2f}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
    )


def answer_svg(
    sample: Sample, values: Sequence[float], *, recovered_values: Sequence[float] = ()
) -> str:
    """The answer alone as an SVG group, to be put into a drawing of `overlay_svg`."""
    recovered = answer_shapes(sample, recovered_values, role=Role.RECOVERED)
    answer = answer_shapes(sample, values, role=Role.ANSWER)
    return svg_group([*recovered, *answer], Role.ANSWER)


def svg_group(shapes: Iterable[Shape], role: Role) -> str:
    """Shapes as one SVG group of the class `role`."""
    return f'<g class="{role}">' + "".join(map(_svg_shape, shapes)) + "</g>"


def line_width(shape: Line | Box | Ellipse | Outline) -> float:
    """Width of a shape's lines in drawing units: measured lines are thicker than fitted ones."""
    is_thin = isinstance(shape, Ellipse | Outline) or (isinstance(shape, Box) and shape.thin)
    return 1.2 if is_thin else 2.0


def shape_colour(shape: Shape) -> str:
    """A shape's own colour, else its role's."""
    return shape.colour or COLOURS[shape.role]


def svg_text(text: str, *, x: float, y: float, size: float) -> str:
    """Plain words on the ground beside pictures; `y` is their baseline, drawing units."""
    colour = COLOURS[Role.FURNITURE]
    return (
        f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:g}" fill="{colour}">'
        f"{escape(_printable(text))}</text>"
    )


def _printable(text: str) -> str:
    """Text without the control characters that XML forbids."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _svg_shape(shape: Shape) -> str:
    """One shape as SVG, with a dark halo so that it reads on light and dark tissue."""
    colour = shape_colour(shape)
    if isinstance(shape, Text):
        return (
            f'<text x="{shape.x:.2f}" y="{shape.y:.2f}" text-anchor="{shape.anchor}" '
            f'font-size="{shape.size:g}" font-weight="600" fill="{colour}" '
            f'stroke="{HALO}" stroke-width="3" stroke-linejoin="round" paint-order="stroke">'
            f"{escape(_printable(shape.text))}</text>"
        )
    if isinstance(shape, Dot):
        return (
            f'<circle cx="{shape.x:.2f}" cy="{shape.y:.2f}" r="4" fill="{colour}" '
            f'stroke="{HALO}" stroke-width="1.2"/>'
        )
    outline = _svg_outline(shape)
    dash = DASHES.get(shape.role)
    dashed = f' stroke-dasharray="{dash[0]:g} {dash[1]:g}"' if dash else ""
    width = line_width(shape)
    return (
        f'<{outline} fill="none" stroke="{HALO}" stroke-opacity="0.55" '
        f'stroke-width="{width + 2:g}"/>'
        f'<{outline} fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}/>'
    )


def _svg_outline(shape: Line | Box | Ellipse | Outline) -> str:
    """Element name and geometry of an outlined shape."""
    match shape:
        case Line():
            return (
                f'line x1="{shape.x0:.2f}" y1="{shape.y0:.2f}" '
                f'x2="{shape.x1:.2f}" y2="{shape.y1:.2f}"'
            )
        case Box():
            return (
                f'rect x="{shape.x0:.2f}" y="{shape.y0:.2f}" '
                f'width="{shape.x1 - shape.x0:.2f}" height="{shape.y1 - shape.y0:.2f}"'
            )
        case Ellipse():
            return (
                f'ellipse cx="{shape.x:.2f}" cy="{shape.y:.2f}" rx="{shape.radius_0:.2f}" '
                f'ry="{shape.radius_1:.2f}" '
                f'transform="rotate({shape.turn_deg:.3f} {shape.x:.2f} {shape.y:.2f})"'
            )
        case Outline():
            return f'path d="{_svg_path(shape)}" stroke-linecap="square"'
        case _:
            assert_never(shape)


def _svg_path(shape: Outline) -> str:
    """The stretches of an outline as SVG path commands, without needless digits."""
    steps = []
    for x0, y0, x1, y1 in shape.stretches:
        to = f"H{round(x1, 2):g}" if y0 == y1 else f"V{round(y1, 2):g}"
        steps.append(f"M{round(x0, 2):g} {round(y0, 2):g}{to}")
    return "".join(steps)
