"""Slices for the eye: crops around structures with box, fitted ellipse, Feret line and outline."""

import hashlib
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from medvision.analysis.mask_outlines import MaskOutlines
from medvision.analysis.overlay import svg_document, svg_group, svg_picture
from medvision.analysis.overlay_outline import outline_px, outline_shape
from medvision.analysis.overlay_shapes import Box, Canvas, Line, Role, Shape, canvas_of
from medvision.analysis.overlay_truth import axis_shapes
from medvision.analysis.pictures import png_bytes
from medvision.analysis.slice_facts import case_slice
from medvision.errors import ItemError
from medvision.frames import SliceGeometry
from medvision.pictures.render import SlicePictures, SliceRef, window_label
from medvision.samples import Point
from medvision.table.read import read_cases, read_regions, read_structures

logger = logging.getLogger(__name__)

Row = dict[str, Any]

MAX_CASES = 16
MAX_TILES = 150
BUDGET_BYTES = 6_000_000
SIDE_PX = 224
CONTEXT = 2.2
"""A crop is so many times as long as the structure's box."""
MIN_CROP_PX = 24
LARGE_SIDE_PX = 10
"""Where the fit itself is short, ratios of smaller shapes say nothing."""

BOX_COLOUR, ELLIPSE_COLOUR = "#3ddc97", "#ffb02e"
FERET_COLOUR, OUTLINE_COLOUR = "#ff7aa8", "#6cb8ff"

KINDS = ("middle", "largest", "small")
"""Which slices of a label and plane are taken in turn: by its pixels there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One drawing with its captions."""

    label: str
    plane: str
    caption: str
    words: str
    svg: str


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

    by_label: dict[str, tuple[Tile, ...]]
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
    cases = _chosen_cases(read_structures(tables))
    regions = _regions_of(tables, cases)
    wanted = _label_picks(regions)
    odd = _odd_picks(regions)
    rows = [*odd, *wanted][:MAX_TILES]
    drawer = _Drawer(tables, root)
    tiles = drawer.tiles(rows)
    kept = _within_budget(tiles)
    by_label: dict[str, list[Tile]] = {}
    for place in kept:
        if place >= len(odd):
            by_label.setdefault(tiles[place].label, []).append(tiles[place])
    shown = {(tiles[place].label, tiles[place].plane) for place in kept}
    everything = {(row["label"], row["plane"]) for row in wanted}
    return Sheets(
        by_label={label: tuple(by_label[label]) for label in sorted(by_label)},
        odd=tuple(tiles[place] for place in kept if place < len(odd)),
        n_cases=len(cases),
        left_out=tuple(f"{label}, {plane}" for label, plane in sorted(everything - shown)),
        failed=tuple(drawer.failed.values()),
    )


def _within_budget(tiles: dict[int, Tile]) -> list[int]:
    """Places of the first tiles that fit into `BUDGET_BYTES`."""
    used = itertools.accumulate(len(tiles[place].svg) for place in sorted(tiles))
    return [
        place for place, n_bytes in zip(sorted(tiles), used, strict=True) if n_bytes <= BUDGET_BYTES
    ]


def _case_key(row: Row) -> tuple[str, str]:
    return row["cohort"], row["case_id"]


def _digest(*words: object) -> str:
    return hashlib.sha256("/".join(map(str, words)).encode()).hexdigest()


def _chosen_cases(structures: pa.Table) -> list[tuple[str, str]]:
    """Cases that together show every label, as far as `MAX_CASES` reach; the others by digest."""
    rows = structures.select(["cohort", "case_id", "label"]).to_pylist()
    labels_of: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        labels_of.setdefault(_case_key(row), set()).add(row["label"])
    ordered = sorted(labels_of, key=lambda key: _digest(*key))
    chosen: list[tuple[str, str]] = []
    seen: set[str] = set()
    for key in ordered:
        if labels_of[key] - seen:
            chosen.append(key)
            seen |= labels_of[key]
    chosen += [key for key in ordered if key not in chosen]
    return chosen[:MAX_CASES]


def _regions_of(tables: Path, cases: Sequence[tuple[str, str]]) -> list[Row]:
    names = sorted({case_id for _, case_id in cases})
    rows = read_regions(tables, pc.field("case_id").isin(names)).to_pylist()
    wanted = set(cases)
    return [row for row in rows if _case_key(row) in wanted]


def _label_picks(regions: Iterable[Row]) -> list[Row]:
    """Largest components, labels taking turns, each time on another plane, then another kind."""
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in regions:
        if row["component"] == 0:
            groups.setdefault(row["label"], {}).setdefault(row["plane"], []).append(row)
    queues = []
    for start, of_plane in enumerate(groups[label] for label in sorted(groups)):
        planes = sorted(of_plane)
        turned = [planes[(start + turn) % len(planes)] for turn in range(len(planes))]
        queues.append([_of_kind(of_plane[plane], kind) for kind in KINDS for plane in turned])
    turns = max(map(len, queues), default=0)
    picked = [queue[turn] for turn in range(turns) for queue in queues if turn < len(queue)]
    return _unique(picked)


def _of_kind(rows: list[Row], kind: str) -> Row:
    """The middle or largest one by pixels, or the one larger than a tenth of the others."""
    ordered = sorted(rows, key=lambda row: (row["pixel_count"], _digest(*_case_key(row))))
    place = {"middle": len(rows) // 2, "largest": len(rows) - 1, "small": len(rows) // 10}
    return ordered[place[kind]]


def _odd_picks(regions: Iterable[Row]) -> list[Row]:
    """The largest component of each status but `ok`; the fits that agree least with their area."""
    by_status: dict[str, list[Row]] = {}
    for row in regions:
        by_status.setdefault(row["ellipse_status"], []).append(row)
    ok = by_status.pop("ok", [])
    by_status.pop("not_target", None)
    picked = []
    for status in sorted(by_status):
        rows = sorted(by_status[status], key=lambda row: -row["pixel_count"])
        picked += [next(r for r in rows if r["plane"] == p) for p in sorted(_planes(rows))]
    large = [row for row in ok if _shorter_side_px(row) >= LARGE_SIDE_PX]
    ranked = sorted(large or ok, key=lambda row: row["ellipse_area_ratio"])
    return [*picked, *_unique([*ranked[:3], *ranked[-3:]])]


def _shorter_side_px(row: Row) -> int:
    return int(min(row["x1_px"] - row["x0_px"], row["y1_px"] - row["y0_px"]))


def _unique(rows: Iterable[Row]) -> list[Row]:
    """Each component once, in the order of first mention."""
    places = ("plane", "slice_index", "label_id", "component")
    return list({(*_case_key(row), *(row[name] for name in places)): row for row in rows}.values())


def _planes(rows: Iterable[Row]) -> set[str]:
    return {row["plane"] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crop:
    """Part of a slice, on pixel edges."""

    x0_px: int
    y0_px: int
    x1_px: int
    y1_px: int


class _Drawer:
    """Draws rows of `regions`."""

    def __init__(self, tables: Path, root: Path | None) -> None:
        self.failed: dict[tuple[str, str], str] = {}
        self._tables, self._root = tables, root
        self._cases = {_case_key(row): row for row in read_cases(tables).to_pylist()}
        self._pictures = SlicePictures(n_volumes=1)
        self._outlines = MaskOutlines(tables, root)

    def tiles(self, rows: Sequence[Row]) -> dict[int, Tile]:
        """Drawings by place in `rows`, each case's image read once; those that fail are absent."""
        drawn = {}
        for place in sorted(range(len(rows)), key=lambda place: _case_key(rows[place])):
            tile = None if _case_key(rows[place]) in self.failed else self._tile(rows[place])
            if tile is not None:
                drawn[place] = tile
        return drawn

    def _tile(self, row: Row) -> Tile | None:
        """The drawing of one component, or None if its image cannot be read."""
        case = self._cases[_case_key(row)]
        plane, index = row["plane"], row["slice_index"]
        try:
            ref, geometry = case_slice(
                self._tables, case, plane=plane, slice_index=index, root=self._root
            )
            svg = self._svg(row, case, ref, geometry=geometry)
        except ItemError as error:
            logger.warning("%s: no drawing: %s", row["case_id"], error)
            self.failed[_case_key(row)] = f"{row['case_id']}: {error.reason}: {error}"
            return None
        name = "/".join(filter(None, _case_key(row)))
        return Tile(
            label=row["label"],
            plane=plane,
            caption=f"{name}, {plane} {index}",
            words=_words(row),
            svg=svg,
        )

    def _svg(self, row: Row, case: Row, ref: SliceRef, *, geometry: SliceGeometry) -> str:
        image_id = case["images"][0]["image_id"]
        label = window_label(row["label"], case["dataset"], case["cohort"], image_id)
        shown = self._pictures.slice_image(replace(ref, label=label)).pixels
        crop = _crop(row, geometry)
        canvas = canvas_of(
            SliceGeometry(
                height_px=crop.y1_px - crop.y0_px,
                width_px=crop.x1_px - crop.x0_px,
                spacing_y_mm=geometry.spacing_y_mm,
                spacing_x_mm=geometry.spacing_x_mm,
            )
        )
        picture = shown[crop.y0_px : crop.y1_px, crop.x0_px : crop.x1_px]
        shapes = [*self._outline(row, case, crop, canvas), *_shapes(row, crop, canvas)]
        parts = [
            svg_picture(canvas, png_bytes(picture, side_px=SIDE_PX)),
            svg_group(shapes, Role.TRUTH),
        ]
        return svg_document(parts, width=canvas.width, height=canvas.height, title=row["label"])

    def _outline(self, row: Row, case: Row, crop: _Crop, canvas: Canvas) -> Iterator[Shape]:
        """The border of all of the label, as the mask file has it."""
        mask = self._outlines.on_slice(case, row["plane"], row["slice_index"], row["label_id"])
        if mask is not None and mask.any():
            part = mask[crop.y0_px : crop.y1_px, crop.x0_px : crop.x1_px]
            yield outline_shape(canvas, outline_px(part), OUTLINE_COLOUR)


def _crop(row: Row, geometry: SliceGeometry) -> _Crop:
    """A window around the box, square in mm as far as the slice reaches."""
    x0, y0, x1, y1 = (row[f"{edge}_px"] for edge in ("x0", "y0", "x1", "y1"))
    spacing_x_mm, spacing_y_mm = geometry.spacing_x_mm, geometry.spacing_y_mm
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
        ends = [
            canvas.point(row[f"feret_x{end}_px"] - dx, row[f"feret_y{end}_px"] - dy)
            for end in (0, 1)
        ]
        (x0, y0), (x1, y1) = ends
        yield Line(x0=x0, y0=y0, x1=x1, y1=y1, role=Role.TRUTH, colour=FERET_COLOUR)
    if row["ellipse_status"] == "ok":
        points = [
            Point(
                key=axis,
                name=axis,
                x_px=row[f"{axis}_x{end}_px"] - dx,
                y_px=row[f"{axis}_y{end}_px"] - dy,
            )
            for axis in ("major", "minor")
            for end in (0, 1)
        ]
        yield from axis_shapes(canvas, points, (), colour=ELLIPSE_COLOUR)


def _words(row: Row) -> str:
    """What was measured, for the caption."""
    size = f"{row['x1_px'] - row['x0_px']} × {row['y1_px'] - row['y0_px']} px"
    if row["n_components"] > 1:
        size += f", {row['component'] + 1} of {row['n_components']}"
    if row["ellipse_status"] == "ok":
        axes = f"{row['ellipse_major_mm']:.1f} × {row['ellipse_minor_mm']:.1f} mm"
        return f"{size}; {axes}, area ratio {row['ellipse_area_ratio']:.2f}"
    if row["ellipse_status"] == "not_target":
        return f"{size}; {row['area_mm2']:.4g} mm²"
    return f"{size}; {row['ellipse_status']}, Feret {row['feret_max_mm']:.1f} mm"
