"""Slices as pictures for the eye: truth, answers and all that is known, as SVG or PNG.

A drawing is described once, as SVG; its PNG is that SVG, rasterised (`drawing.raster`). How a
task's samples are drawn stands in `drawing.kinds.DRAWN`.
"""

from medvision.analysis.drawing.facts import SliceFacts, case_row, case_slice, slice_facts
from medvision.analysis.drawing.kinds import DRAWN, Drawn
from medvision.analysis.drawing.masks import MaskOutlines
from medvision.analysis.drawing.overlay import answer_svg, overlay_png, overlay_svg
from medvision.analysis.drawing.sheet import SheetCell, sheet_png, sheet_samples, sheet_svg
from medvision.analysis.drawing.slice import slice_png, slice_svg

__all__ = [
    "DRAWN",
    "Drawn",
    "MaskOutlines",
    "SheetCell",
    "SliceFacts",
    "answer_svg",
    "case_row",
    "case_slice",
    "overlay_png",
    "overlay_svg",
    "sheet_png",
    "sheet_samples",
    "sheet_svg",
    "slice_facts",
    "slice_png",
    "slice_svg",
]
