"""A drawing's SVG as PNG, by resvg; why resvg: `docs/decisions/svg-rasteriser.md`."""

import io
import re
from importlib import resources

import resvg_py
from PIL import Image

from medvision.analysis.drawing.svg import GROUND, document_size, placed_document

FONT_FILE = "DejaVuSansCondensed.ttf"
"""Narrow, as labels are placed for letters 0.56 of their size wide."""

FONT_STYLE = "text { font-family: 'DejaVu Sans'; font-stretch: condensed }"
"""Our own font before any of the system's: the same pixels on every machine."""

SHARP_STYLE = "rect, path { shape-rendering: crispEdges }"
"""Boxes and outlines of masks run along pixel edges: blended, their thin lines grow dim."""

_OTHER_SCRIPTS = re.compile("[\u0900-\u1cff\u2c00-\U0010ffff]")


def raster_png(document: str, *, zoom: float) -> bytes:
    """A drawing as PNG, 8-bit RGB; each pixel of its pictures is a rectangle of its own grey.

    Args:
        document: Of `svg_document`.
        zoom: Pixels for a drawing unit.
    """
    width, height = document_size(document)
    # An outer drawing of whole pixels: given the document alone, resvg rounds its size first and
    # stretches everything to it, by up to a pixel at the far edges.
    size = f'width="{max(1, round(width * zoom))}" height="{max(1, round(height * zoom))}"'
    inner = placed_document(document, x=0, y=0, width=width * zoom, height=height * zoom)
    fonts = resources.files("medvision.analysis.drawing") / "fonts" / FONT_FILE
    with resources.as_file(fonts) as font:
        drawn = resvg_py.svg_to_bytes(
            svg_string=f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{inner}</svg>',
            background=GROUND,
            # Below a pixel's width a sharp line would vanish in places.
            style_sheet=FONT_STYLE + (SHARP_STYLE if zoom >= 1 else ""),
            font_files=[str(font)],
            skip_system_fonts=not needs_system_fonts(document),
            image_rendering="optimize_speed",
        )
    written = io.BytesIO()
    Image.open(io.BytesIO(drawn)).convert("RGB").save(written, format="PNG")
    return written.getvalue()


def needs_system_fonts(text: str) -> bool:
    """Whether a text has letters of scripts that our font lacks; looking for others takes time.

    It holds Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic and mathematical signs: all below
    U+0900 and U+1D00 to U+2BFF.

    Example:
        >>> needs_system_fonts("Größe 3 × 4 mm², όργανο, орган")
        False
        >>> needs_system_fonts("肝")
        True
    """
    return _OTHER_SCRIPTS.search(text) is not None
