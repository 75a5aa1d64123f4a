"""A chart's SVG as PDF with words that can be found; why fpdf2: `docs/decisions/chart-pdf.md`."""

import re
from importlib import resources

from medvision.analysis.drawing.chart import Chart, Tone
from medvision.analysis.drawing.chart_svg import INK, MARGIN_X, MARGIN_Y, chart_svg
from medvision.analysis.drawing.raster import FONT_FILE
from medvision.analysis.drawing.svg import document_size
from medvision.extras import require

_FAMILY = "DejaVu"


def chart_pdf(chart: Chart) -> bytes:
    """The chart on white as a PDF of one page, a drawing unit a point; fonts are embedded.

    Letters of scripts that our font lacks (see `raster.needs_system_fonts`) are drawn as boxes.

    Raises:
        MissingExtraError: fpdf2, of the extra `figures`, is not installed.
    """
    fpdf = require("fpdf", "figures", item="figures as PDF")
    svg = require("fpdf.svg", "figures", item="figures as PDF")
    document = chart_svg(chart)
    width, height = document_size(document)
    # fpdf2 would print what is shown on hovering, and knows neither currentColor nor other fonts.
    document = re.sub("<title>.*?</title>", "", document, flags=re.DOTALL)
    document = re.sub('font-family="[^"]*"', f'font-family="{_FAMILY}"', document)
    document = document.replace(Tone.TEXT, INK).replace(' font-weight="600"', "")
    # Without a size of its own a drawing would fill the page, margins included.
    document = document.replace("<svg ", f'<svg width="{width}" height="{height}" ', 1)
    page = fpdf.FPDF(unit="pt", format=(width + 2 * MARGIN_X, height + 2 * MARGIN_Y))
    page.set_margin(0)
    page.set_auto_page_break(False)
    page.set_title(chart.title)
    page.add_page()
    with resources.as_file(
        resources.files("medvision.analysis.drawing") / "fonts" / FONT_FILE
    ) as font:
        page.add_font(_FAMILY, fname=font)
    page.set_font(_FAMILY, size=12)
    svg.SVGObject(document).draw_to_page(page, x=MARGIN_X, y=MARGIN_Y)
    return bytes(page.output())
