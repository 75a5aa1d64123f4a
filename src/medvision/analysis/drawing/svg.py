"""Shapes and words as SVG: the one place where a drawing's look is decided.

Everything drawn is SVG. Pages hold it as it is, `drawing.raster` turns it into PNG.
"""

from collections.abc import Iterable
from typing import assert_never
from xml.sax.saxutils import escape, quoteattr

from medvision.analysis.drawing.shapes import (
    Box,
    Dot,
    Ellipse,
    Line,
    Outline,
    Role,
    Shape,
    Text,
)

COLOURS: dict[Role, str] = {
    Role.TRUTH: "#3ddc97",
    Role.ANSWER: "#ffb02e",
    Role.RECOVERED: "#c9a6ff",
    Role.FURNITURE: "#ffffff",
}
"""Stroke and text colour of each role; told apart by every common kind of colour vision."""

DASHES: dict[Role, str] = {Role.ANSWER: "7 4", Role.RECOVERED: "2 4"}
"""Drawn and left-out length of a role's lines, drawing units; a role not named has full lines."""

HALO = "#000000"
GROUND = "#14181c"
"""What lies beside slices."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def svg_document(parts: Iterable[str], *, width: float, height: float, title: str) -> str:
    """Elements as one SVG drawing, sizes in drawing units."""
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.2f} {height:.2f}" '
        f'font-family="{FONT}" role="img" aria-label={quoteattr(printable(title))}>'
    )
    return "".join([opening, *parts, "</svg>"])


def document_size(document: str) -> tuple[float, float]:
    """Width and height of a drawing of `svg_document`, drawing units.

    Example:
        >>> document_size(svg_document([], width=640, height=480, title="empty"))
        (640.0, 480.0)
    """
    view_box = document.split('viewBox="', 1)[1].split('"', 1)[0]
    _, _, width, height = map(float, view_box.split())
    return width, height


def placed_document(document: str, *, x: float, y: float, width: float, height: float) -> str:
    """A drawing of `svg_document` as an element of another, fitted into a frame, in its middle."""
    frame = f'x="{x:.4f}" y="{y:.4f}" width="{width:.4f}" height="{height:.4f}"'
    return document.replace("<svg ", f"<svg {frame} ", 1)


def svg_ground(width: float, height: float) -> str:
    """Plain ground below everything."""
    return f'<rect width="{width:.2f}" height="{height:.2f}" fill="{GROUND}"/>'


def svg_text(text: str, *, x: float, y: float, size: float) -> str:
    """Plain words on the ground beside pictures; `y` is their baseline, drawing units.

    Example:
        >>> svg_text("1 < 2", x=0, y=12, size=10)
        '<text x="0.00" y="12.00" font-size="10" fill="#ffffff">1 &lt; 2</text>'
    """
    colour = COLOURS[Role.FURNITURE]
    return (
        f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:g}" fill="{colour}">'
        f"{escape(printable(text))}</text>"
    )


def svg_group(shapes: Iterable[Shape], role: Role) -> str:
    """Shapes as one SVG group of the class `role`."""
    return f'<g class="{role}">' + "".join(svg_shape(shape) for shape in shapes) + "</g>"


def svg_shape(shape: Shape) -> str:
    """One shape with a dark halo, so that it reads on light and dark tissue."""
    colour = shape.colour or COLOURS[shape.role]
    match shape:
        case Text():
            # paint-order puts the halo behind the letters instead of over their edges.
            return (
                f'<text x="{shape.x:.2f}" y="{shape.y:.2f}" text-anchor="{shape.anchor}" '
                f'font-size="{shape.size:g}" font-weight="600" fill="{colour}" '
                f'stroke="{HALO}" stroke-width="3" stroke-linejoin="round" paint-order="stroke">'
                f"{escape(printable(shape.text))}</text>"
            )
        case Dot():
            return (
                f'<circle cx="{shape.x:.2f}" cy="{shape.y:.2f}" r="4" fill="{colour}" '
                f'stroke="{HALO}" stroke-width="1.2"/>'
            )
        case Line():
            element = (
                f'line x1="{shape.x0:.2f}" y1="{shape.y0:.2f}" '
                f'x2="{shape.x1:.2f}" y2="{shape.y1:.2f}"'
            )
        case Box():
            element = (
                f'rect x="{shape.x0:.2f}" y="{shape.y0:.2f}" '
                f'width="{shape.x1 - shape.x0:.2f}" height="{shape.y1 - shape.y0:.2f}"'
            )
        case Ellipse():
            element = (
                f'ellipse cx="{shape.x:.2f}" cy="{shape.y:.2f}" rx="{shape.radius_0:.2f}" '
                f'ry="{shape.radius_1:.2f}" '
                f'transform="rotate({shape.turn_deg:.3f} {shape.x:.2f} {shape.y:.2f})"'
            )
        case Outline():
            # Square ends close the corners where two stretches meet.
            element = f'path d="{outline_path(shape)}" stroke-linecap="square"'
        case _:
            assert_never(shape)
    # What was measured is thicker than what was fitted or stands back.
    is_thin = isinstance(shape, Ellipse | Outline) or (isinstance(shape, Box) and shape.thin)
    width = 1.2 if is_thin else 2.0
    dashed = f' stroke-dasharray="{DASHES[shape.role]}"' if shape.role in DASHES else ""
    return (
        f'<{element} fill="none" stroke="{HALO}" stroke-opacity="0.55" '
        f'stroke-width="{width + 2:g}"/>'
        f'<{element} fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}/>'
    )


def outline_path(shape: Outline) -> str:
    """The border as SVG path data; stretches are level or upright, so one coordinate ends them."""
    return "".join(
        f"M{round(x0, 2):g} {round(y0, 2):g}"
        + (f"H{round(x1, 2):g}" if y0 == y1 else f"V{round(y1, 2):g}")
        for x0, y0, x1, y1 in shape.stretches
    )


def printable(text: str) -> str:
    """Text without the control characters that XML forbids."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
