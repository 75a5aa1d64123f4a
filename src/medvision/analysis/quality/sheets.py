"""Slices for the eye: crops around structures with box, fitted ellipse, Feret line and outline."""

import itertools
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.compute as pc

from medvision.analysis.drawing.facts import axis_ends, case_slice
from medvision.analysis.drawing.masks import MaskOutlines
from medvision.analysis.drawing.outline import outline_px, outline_shape
from medvision.analysis.drawing.shapes import Box, Canvas, Line, Role, Shape, canvas_of
from medvision.analysis.drawing.truth import axis_shapes
from medvision.analysis.quality.picks import (
    box_sides_px,
    case_key,
    chosen_cases,
    label_picks,
    odd_picks,
)
from medvision.analysis.quality.tile import SIDE_PX, Row, Tile, case_name, tile_svg
from medvision.analysis.units import plain_number
from medvision.errors import ItemError
from medvision.frames import SliceGeometry
from medvision.pictures.render import SlicePictures, window_label
from medvision.samples.case_images import tables_asked
from medvision.table.read import read_cases, read_regions, read_structures, tables_manifest
from medvision.table.unscaled import NOMINAL_YX_MM

logger = logging.getLogger(__name__)

MAX_TILES = 150
BUDGET_BYTES = 6_000_000
CONTEXT = 2.2
"""A crop is so many times as long as the structure's box."""
MIN_CROP_PX = 24

BOX_COLOUR, ELLIPSE_COLOUR = "#3ddc97", "#ffb02e"
FERET_COLOUR, OUTLINE_COLOUR = "#ff7aa8", "#6cb8ff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheets:
    """Drawings for the page.

    Attributes:
        by_label: Drawings of each label.
        odd: Components that were not measured, and ellipses that agree least with their pixels.
        n_cases: Number of cases they were taken from.
        left_out: Label and plane of which none is shown.
        failed: Why drawings are missing.
    """

    by_label: Mapping[str, tuple[Tile, ...]]
    odd: tuple[Tile, ...]
    n_cases: int
    left_out: tuple[str, ...]
    failed: tuple[str, ...]


def contact_sheets(tables: Path, root: Path | None = None) -> Sheets:
    """Draw a few slices of each label and plane, capped in cases, number and bytes.

    Args:
        tables: Table folder.
        root: Data root that re-bases paths, or None.
    """
    cases = chosen_cases(read_structures(tables))
    case_ids = sorted({case_id for _, case_id in cases})
    regions = read_regions(tables, pc.field("case_id").isin(case_ids)).to_pylist()
    # Cohorts may share case ids: the filter above lets both through.
    regions = [row for row in regions if case_key(row) in set(cases)]
    wanted = label_picks(regions)
    odd = odd_picks(regions)
    drawer = _Drawer(tables, root)
    tiles = drawer.tiles([*odd, *wanted][:MAX_TILES])
    used = itertools.accumulate(len(tile.svg) for tile in tiles.values())
    kept = {
        place: tile
        for (place, tile), n_bytes in zip(tiles.items(), used, strict=True)
        if n_bytes <= BUDGET_BYTES
    }
    by_label: dict[str, list[Tile]] = {}
    for place, tile in kept.items():
        if place >= len(odd):
            by_label.setdefault(tile.label, []).append(tile)
    shown = {(tile.label, tile.plane) for tile in kept.values()}
    everything = {(row["label"], row["plane"]) for row in wanted}
    return Sheets(
        by_label={label: tuple(found) for label, found in sorted(by_label.items())},
        odd=tuple(tile for place, tile in kept.items() if place < len(odd)),
        n_cases=len(cases),
        left_out=tuple(f"{label}, {plane}" for label, plane in sorted(everything - shown)),
        failed=tuple(drawer.failed.values()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crop:
    """Part of a slice, on pixel edges."""

    x0_px: int
    y0_px: int
    x1_px: int
    y1_px: int

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns of it."""
        return slice(self.y0_px, self.y1_px), slice(self.x0_px, self.x1_px)


class _Drawer:
    """Draws rows of `regions`."""

    def __init__(self, tables: Path, root: Path | None) -> None:
        self.failed: dict[tuple[str, str], str] = {}
        self._tables, self._root = tables, root
        self._asked = tables_asked(tables_manifest(tables))
        self._cases = {case_key(row): row for row in read_cases(tables).to_pylist()}
        self._pictures = SlicePictures(n_volumes=1)
        self._outlines = MaskOutlines(tables, root)

    def tiles(self, rows: Sequence[Row]) -> dict[int, Tile]:
        """Drawings by place in `rows`, in their order; those that fail are absent."""
        drawn: dict[int, Tile] = {}
        # By case, so that each image is read once, though one alone is kept.
        for place, row in sorted(enumerate(rows), key=lambda entry: case_key(entry[1])):
            if case_key(row) in self.failed:
                continue
            try:
                drawn[place] = self._tile(row)
            except ItemError as error:
                logger.warning("%s: no drawing: %s", row["case_id"], error)
                self.failed[case_key(row)] = f"{row['case_id']}: {error.reason}: {error}"
        return dict(sorted(drawn.items()))

    def _tile(self, row: Row) -> Tile:
        """The drawing of one component, with the border of all of its label as the mask has it.

        Raises:
            ItemError: The image cannot be read.
        """
        case = self._cases[case_key(row)]
        plane, index = row["plane"], row["slice_index"]
        ref, geometry = case_slice(
            self._tables, case, plane=plane, slice_index=index, root=self._root
        )
        image_id = case["images"][0]["image_id"]
        has_window = self._asked.has_window(case["cohort"], image_id)
        label = window_label(
            row["label"], case["dataset"], case["cohort"], image_id, ct_window=has_window
        )
        shown = self._pictures.slice_image(replace(ref, label=label)).pixels
        crop = _crop(row, geometry)
        canvas = canvas_of(
            replace(
                geometry,
                height_px=crop.y1_px - crop.y0_px,
                width_px=crop.x1_px - crop.x0_px,
            )
        )
        shapes: list[Shape] = []
        mask = self._outlines.on_slice(case, plane, index, row["label_id"])
        if mask is not None and mask.any():
            shapes.append(outline_shape(canvas, outline_px(mask[crop.part]), OUTLINE_COLOUR))
        shapes += _shapes(row, crop, canvas)
        svg = tile_svg(canvas, shown[crop.part], shapes, side_px=SIDE_PX, title=row["label"])
        return Tile(
            label=row["label"],
            plane=plane,
            caption=f"{case_name(row)}, {plane} {index}",
            words=_words(row),
            svg=svg,
        )


def _crop(row: Row, geometry: SliceGeometry) -> _Crop:
    """A window around the box, square in mm as far as the slice reaches."""
    x0, y0, x1, y1 = (row[f"{edge}_px"] for edge in ("x0", "y0", "x1", "y1"))
    spacing_x_mm, spacing_y_mm = geometry.spacing_x_mm, geometry.spacing_y_mm
    if math.isnan(spacing_x_mm):  # of unknown size, and taken for square
        spacing_y_mm, spacing_x_mm = NOMINAL_YX_MM
    side_mm = CONTEXT * max((x1 - x0) * spacing_x_mm, (y1 - y0) * spacing_y_mm)
    side_mm = max(side_mm, MIN_CROP_PX * min(spacing_x_mm, spacing_y_mm))
    half_x, half_y = side_mm / spacing_x_mm / 2, side_mm / spacing_y_mm / 2
    return _Crop(
        x0_px=max(0, int((x0 + x1) / 2 - half_x)),
        y0_px=max(0, int((y0 + y1) / 2 - half_y)),
        x1_px=min(geometry.width_px, int((x0 + x1) / 2 + half_x) + 1),
        y1_px=min(geometry.height_px, int((y0 + y1) / 2 + half_y) + 1),
    )


def _shapes(row: Row, crop: _Crop, canvas: Canvas) -> Iterator[Shape]:
    """Box, and of target labels the fitted axes with their ellipse and the Feret line."""
    dx, dy = crop.x0_px, crop.y0_px
    x0, y0, x1, y1 = canvas.edges(
        (row["x0_px"] - dx, row["y0_px"] - dy, row["x1_px"] - dx, row["y1_px"] - dy)
    )
    yield Box(x0=x0, y0=y0, x1=x1, y1=y1, role=Role.TRUTH, colour=BOX_COLOUR, thin=True)
    if row["feret_x0_px"] is not None:
        start, end = (
            canvas.point(row[f"feret_x{end}_px"] - dx, row[f"feret_y{end}_px"] - dy)
            for end in (0, 1)
        )
        yield Line.between(start, end, role=Role.TRUTH, colour=FERET_COLOUR)
    if row["ellipse_status"] == "ok":
        ends = [
            replace(point, x_px=point.x_px - dx, y_px=point.y_px - dy) for point in axis_ends(row)
        ]
        yield from axis_shapes(canvas, ends, (), colour=ELLIPSE_COLOUR)


def _words(row: Row) -> str:
    """What was measured, for the caption."""
    size = "{} × {} px".format(*box_sides_px(row))
    if row["n_components"] > 1:
        size += f", {row['component'] + 1} of {row['n_components']}"
    if row["ellipse_status"] == "ok":
        axes = f"{row['ellipse_major_mm']:.1f} × {row['ellipse_minor_mm']:.1f} mm"
        return f"{size}; {axes}, area ratio {row['ellipse_area_ratio']:.2f}"
    if row["area_mm2"] is None:  # boxes without a shape, pixels of unknown size
        return size
    if row["ellipse_status"] == "not_target":
        return f"{size}; {plain_number(row['area_mm2'], 4)} mm²"
    return f"{size}; {row['ellipse_status']}, Feret {row['feret_max_mm']:.1f} mm"
