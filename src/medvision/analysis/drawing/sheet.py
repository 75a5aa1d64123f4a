"""Contact sheets: many samples of a table at a glance, over labels, planes and tasks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from medvision.analysis.drawing.chart_parts import text_width
from medvision.analysis.drawing.outline import Stretches
from medvision.analysis.drawing.overlay import overlay_svg
from medvision.analysis.drawing.picture import resampled_png
from medvision.analysis.drawing.raster import raster_png
from medvision.analysis.drawing.shapes import CANVAS_SIDE, canvas_of
from medvision.analysis.drawing.svg import placed_document, svg_document, svg_ground, svg_text
from medvision.analysis.order import digest, turn_by_turn
from medvision.analysis.units import plain_number, with_unit
from medvision.samples import Sample

CELL_PX = 480
"""Longest side of a drawing in a PNG sheet."""

GAP, CAPTION_HEIGHT, CAPTION_SIZE = 20.0, 52.0, 17.0
"""Between cells and below each drawing, drawing units."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SheetCell:
    """One sample with its picture, its structure's outline, and an answer drawn above its truth."""

    sample: Sample
    picture_png: bytes
    outline_px: Stretches | None = None
    answer: tuple[float, ...] = ()

    @property
    def captions(self) -> tuple[str, str]:
        """What is asked, and where."""
        sample = self.sample
        what = f"{sample.task}: {sample.name}"
        if sample.unit != "relative":
            truth = ", ".join(plain_number(value, 4) for value in sample.truth)
            what += f", {with_unit(truth, sample.unit)}"
        return what, f"{sample.case_id}, {sample.plane} {sample.slice_index}"


def sheet_samples(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Samples for a sheet: structures take turns, each time on another plane or task.

    Which of the samples of one structure, plane and task: chosen by its id alone.

    Args:
        samples: All there are.
        count: At most so many are taken.
    """
    ranked = sorted(samples, key=lambda sample: digest(sample.sample_id))
    groups: dict[str, dict[tuple[str, str], list[Sample]]] = {}
    for sample in ranked:
        of_name = groups.setdefault(sample.name, {})
        of_name.setdefault((sample.task, sample.plane), []).append(sample)
    queues = []
    for start, of_name in enumerate(groups.values()):
        keys = sorted(of_name)
        # Each structure starts with another plane, or all would show their first one.
        first = start % len(keys)
        queues.append(turn_by_turn([of_name[key] for key in (*keys[first:], *keys[:first])]))
    return turn_by_turn(queues)[:count]


def within(words: str, width: float) -> str:
    """A caption cut where its cell ends, for beyond it stands the next one.

    Example:
        >>> within("liver", 640), within("left upper lobe of the lung", 150)
        ('liver', 'left upper lob…')
    """
    if text_width(words, CAPTION_SIZE) <= width:
        return words
    while words and text_width(words + "…", CAPTION_SIZE) > width:
        words = words[:-1]
    return f"{words.rstrip()}…"


def sheet_svg(cells: Sequence[SheetCell]) -> str:
    """A sheet as one SVG; drawings keep their shape in cells of equal size."""
    # As many columns as make a sheet about four thirds as wide as high.
    columns = max(1, round(math.sqrt(len(cells) * 4 / 3)))
    pitch_y = CANVAS_SIDE + CAPTION_HEIGHT + GAP
    width = columns * (CANVAS_SIDE + GAP) + GAP
    height = math.ceil(len(cells) / columns) * pitch_y + GAP
    parts = [svg_ground(width, height)]
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        x, y = GAP + column * (CANVAS_SIDE + GAP), GAP + row * pitch_y
        drawing = overlay_svg(
            cell.sample, cell.answer, picture_png=cell.picture_png, outline_px=cell.outline_px
        )
        parts.append(placed_document(drawing, x=x, y=y, width=CANVAS_SIDE, height=CANVAS_SIDE))
        for line, words in enumerate(cell.captions):
            below = y + CANVAS_SIDE + (line + 1) * 1.3 * CAPTION_SIZE
            parts.append(svg_text(within(words, CANVAS_SIDE), x=x, y=below, size=CAPTION_SIZE))
    return svg_document(parts, width=width, height=height, title="contact sheet")


def sheet_png(cells: Sequence[SheetCell]) -> bytes:
    """The sheet of `sheet_svg` as PNG, `CELL_PX` for each drawing."""
    zoom = CELL_PX / CANVAS_SIDE
    # Blended: a sheet is seen from afar, and its zoom is no whole number of pixels for a pixel.
    fitted = [
        replace(
            cell, picture_png=resampled_png(cell.picture_png, canvas_of(cell.sample.geometry), zoom)
        )
        for cell in cells
    ]
    return raster_png(sheet_svg(fitted), zoom=zoom)
