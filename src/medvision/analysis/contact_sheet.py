"""Contact sheets: many samples of a table at a glance, over labels, planes and tasks."""

import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from medvision.analysis.overlay import overlay_svg, svg_document, svg_text
from medvision.analysis.overlay_png import GROUND, NOT_IN_FONT, image_png, overlay_png
from medvision.analysis.overlay_shapes import CANVAS_SIDE, Shape, canvas_of
from medvision.samples import Sample

CELL_PX = 480
"""Longest side of a drawing in a PNG sheet."""

GAP, CAPTION_HEIGHT, CAPTION_SIZE = 20.0, 52.0, 17.0
"""Between cells and below each drawing, drawing units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetCell:
    """One sample with its picture, shapes to draw below its truth, and an answer above it."""

    sample: Sample
    picture_png: bytes
    below: tuple[Shape, ...] = ()
    answer: tuple[float, ...] = ()

    @property
    def captions(self) -> tuple[str, str]:
        """What is asked, and where."""
        sample = self.sample
        truth = ", ".join(f"{value:.4g}" for value in sample.truth)
        unit = {"relative": "", "deg": "°", "mm2": " mm²"}.get(sample.unit, f" {sample.unit}")
        what = f"{sample.task}: {sample.name}"
        if sample.unit != "relative":
            what += f", {truth}{unit}"
        return what, f"{sample.case_id}, {sample.plane} {sample.slice_index}"


def sheet_samples(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Samples for a sheet: structures take turns, each time on another plane or task.

    Which of the samples of one structure, plane and task: chosen by its id alone.

    Args:
        samples: All there are.
        count: At most so many are taken.
    """
    groups: dict[str, dict[tuple[str, str], list[Sample]]] = {}
    for sample in sorted(samples, key=_rank):
        of_name = groups.setdefault(sample.name, {})
        of_name.setdefault((sample.task, sample.plane), []).append(sample)
    queues = [_in_turn(of_name, start) for start, of_name in enumerate(groups.values())]
    turns = max(map(len, queues), default=0)
    picked = [queue[turn] for turn in range(turns) for queue in queues if turn < len(queue)]
    return picked[:count]


def _rank(sample: Sample) -> str:
    return hashlib.sha256(sample.sample_id.encode()).hexdigest()


def _in_turn(of_name: dict[tuple[str, str], list[Sample]], start: int) -> list[Sample]:
    """One structure's samples, its planes and tasks taking turns from the `start`-th on."""
    keys = sorted(of_name)
    first = start % len(keys)
    lists = [of_name[key] for key in (*keys[first:], *keys[:first])]
    turns = max(map(len, lists))
    return [samples[turn] for turn in range(turns) for samples in lists if turn < len(samples)]


def sheet_svg(cells: Sequence[SheetCell]) -> str:
    """A sheet as one SVG; drawings keep their shape in cells of equal size."""
    columns = _columns(cells)
    pitch_y = CANVAS_SIDE + CAPTION_HEIGHT + GAP
    width = columns * (CANVAS_SIDE + GAP) + GAP
    height = math.ceil(len(cells) / columns) * pitch_y + GAP
    parts = [f'<rect width="{width:.2f}" height="{height:.2f}" fill="{GROUND}"/>']
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        x, y = GAP + column * (CANVAS_SIDE + GAP), GAP + row * pitch_y
        drawing = overlay_svg(
            cell.sample, cell.answer, picture_png=cell.picture_png, below=cell.below
        )
        frame = f'x="{x:.2f}" y="{y:.2f}" width="{CANVAS_SIDE:g}" height="{CANVAS_SIDE:g}"'
        parts.append(drawing.replace("<svg ", f"<svg {frame} ", 1))
        for line, words in enumerate(cell.captions):
            below = y + CANVAS_SIDE + (line + 1) * 1.3 * CAPTION_SIZE
            parts.append(svg_text(words, x=x, y=below, size=CAPTION_SIZE))
    return svg_document(parts, width=width, height=height, title="contact sheet")


def sheet_png(cells: Sequence[SheetCell]) -> bytes:
    """A sheet as PNG."""
    columns, scale = _columns(cells), CELL_PX / CANVAS_SIDE
    gap, caption = round(GAP * scale), round(CAPTION_HEIGHT * scale)
    pitch_x, pitch_y = CELL_PX + gap, CELL_PX + caption + gap
    rows = math.ceil(len(cells) / columns)
    sheet = Image.new("RGB", (columns * pitch_x + gap, rows * pitch_y + gap), GROUND)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=CAPTION_SIZE * scale)
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        x, y = gap + column * pitch_x, gap + row * pitch_y
        drawing = _cell_image(cell)
        at = (x + (CELL_PX - drawing.width) // 2, y + (CELL_PX - drawing.height) // 2)
        sheet.paste(drawing, at)
        for line, words in enumerate(cell.captions):
            top = y + CELL_PX + round((line * 1.3 + 0.3) * CAPTION_SIZE * scale)
            pen.text((x, top), words.translate(NOT_IN_FONT), fill="#ffffff", font=font)
    return image_png(sheet)


def _cell_image(cell: SheetCell) -> Image.Image:
    canvas = canvas_of(cell.sample)
    drawn = overlay_png(cell.sample, cell.answer, picture_png=cell.picture_png, below=cell.below)
    scale = CELL_PX / CANVAS_SIDE
    size = (max(1, round(canvas.width * scale)), max(1, round(canvas.height * scale)))
    return Image.open(io.BytesIO(drawn)).resize(size, Image.Resampling.LANCZOS)


def _columns(cells: Sequence[SheetCell]) -> int:
    """As many as make a sheet about four thirds as wide as high."""
    return max(1, round(math.sqrt(len(cells) * 4 / 3)))
