"""Whole slices with the landmarks and lines measured on them."""

import logging
from pathlib import Path

from medvision.analysis.drawing.facts import case_slice
from medvision.analysis.drawing.shapes import canvas_of
from medvision.analysis.drawing.truth import landmark_shapes
from medvision.analysis.quality.tile import SIDE_PX, Row, Tile, case_name, tile_svg
from medvision.errors import ItemError
from medvision.pictures.render import SlicePictures
from medvision.samples import Point
from medvision.table.read import read_biometrics, read_cases

logger = logging.getLogger(__name__)

MAX_TILES = 24


def landmark_sheet(tables: Path, root: Path | None = None) -> tuple[Tile, ...]:
    """A drawing of each measured slice, the first `MAX_TILES` of them with an image that reads.

    Args:
        tables: Table folder.
        root: Data root that re-bases paths, or None.
    """
    cases = {(row["cohort"], row["case_id"]): row for row in read_cases(tables).to_pylist()}
    slices: dict[tuple[str, str, str, int], list[Row]] = {}
    for row in read_biometrics(tables).to_pylist():
        key = (row["cohort"], row["case_id"], row["plane"], row["slice_index"])
        slices.setdefault(key, []).append(row)
    pictures = SlicePictures(n_volumes=1)
    tiles = []
    for cohort, case_id, plane, index in sorted(slices)[:MAX_TILES]:
        rows = slices[cohort, case_id, plane, index]
        try:
            tiles.append(_tile(tables, cases[cohort, case_id], rows, pictures, root))
        except ItemError as error:
            logger.warning("%s: no drawing: %s", case_id, error)
    return tuple(tiles)


def _tile(
    tables: Path, case: Row, rows: list[Row], pictures: SlicePictures, root: Path | None
) -> Tile:
    """The drawing of one slice with all measurements in `rows`."""
    plane, index = rows[0]["plane"], rows[0]["slice_index"]
    ref, geometry = case_slice(tables, case, plane=plane, slice_index=index, root=root)
    canvas = canvas_of(geometry)
    shapes = [
        shape
        for row in rows
        for shape in landmark_shapes(
            canvas, [Point(**point) for point in row["points"]], named=False
        )
    ]
    name = case_name(case)
    shown = pictures.slice_image(ref).pixels
    return Tile(
        label="landmarks",
        plane=plane,
        caption=f"{name}, {plane} {index}",
        words="; ".join(f"{row['name']}: {row['value']:.1f} {row['unit']}" for row in rows),
        # Twice the size of a crop around one structure: it is a whole slice.
        svg=tile_svg(canvas, shown, shapes, side_px=2 * SIDE_PX, title=name),
    )
