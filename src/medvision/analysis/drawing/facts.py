"""All that the tables and the mask know of one slice."""

import math
from dataclasses import dataclass
from pathlib import Path

from medvision.analysis.drawing.masks import MaskOutlines, Row, rows_on_slice
from medvision.analysis.drawing.outline import Stretches
from medvision.errors import UsageError
from medvision.frames import VOLUME_PLANES, Plane, SliceGeometry, slice_geometry
from medvision.names import composed
from medvision.pictures.render import SliceRef
from medvision.samples import Point
from medvision.table.read import (
    image_path,
    read_biometrics,
    read_cases,
    read_regions,
    tables_manifest,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisPair:
    """Fitted axes of one component: ends of the major, then of the minor axis, or () if unknown."""

    points: tuple[Point, ...]
    major_mm: float
    minor_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceStructure:
    """One label on the slice.

    Attributes:
        boxes_px: x0, y0, x1, y1 of each component.
        axes: Of each component whose ellipse could be fitted.
        area_mm2: Of all components; NaN of boxes, and of pixels of unknown size.
        outline_px: Border of the mask; None where the mask could not be read.
    """

    label_id: int
    name: str
    boxes_px: tuple[tuple[float, ...], ...]
    axes: tuple[AxisPair, ...]
    area_mm2: float
    outline_px: Stretches | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceMeasurement:
    """One angle or distance on the slice; two points for each of its lines."""

    name: str
    value: float
    unit: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceFacts:
    """One slice with everything known of it."""

    ref: SliceRef
    geometry: SliceGeometry
    structures: tuple[SliceStructure, ...]
    measurements: tuple[SliceMeasurement, ...]


def slice_facts(
    tables: Path, outlines: MaskOutlines, ref: SliceRef, *, case: Row, geometry: SliceGeometry
) -> SliceFacts:
    """Everything that a table folder says of one slice.

    Args:
        tables: The folder.
        outlines: Of the same folder.
        ref: The slice.
        case: Row of `cases.parquet`.
        geometry: Size and spacing of the slice.
    """
    here = rows_on_slice({**case, "plane": ref.plane, "slice_index": ref.slice_index})
    of_label: dict[int, list[Row]] = {}
    for row in read_regions(tables, here).to_pylist():
        of_label.setdefault(row["label_id"], []).append(row)
    structures = [
        SliceStructure(
            label_id=label_id,
            name=rows[0]["label"],
            boxes_px=tuple(
                tuple(float(row[f"{side}_px"]) for side in ("x0", "y0", "x1", "y1")) for row in rows
            ),
            axes=tuple(
                AxisPair(
                    points=axis_ends(row),
                    major_mm=row["ellipse_major_mm"],
                    minor_mm=row["ellipse_minor_mm"],
                )
                for row in rows
                if row["ellipse_status"] == "ok"
            ),
            area_mm2=sum(math.nan if row["area_mm2"] is None else row["area_mm2"] for row in rows),
            outline_px=outlines.of_rows(rows),
        )
        for label_id, rows in sorted(of_label.items())
    ]
    measurements = [
        SliceMeasurement(
            name=row["name"],
            value=row["value"],
            unit=row["unit"],
            points=tuple(Point(**point) for point in row["points"]),
        )
        for row in read_biometrics(tables, here).to_pylist()
    ]
    return SliceFacts(
        ref=ref, geometry=geometry, structures=tuple(structures), measurements=tuple(measurements)
    )


def axis_ends(row: Row) -> tuple[Point, ...]:
    """Ends of the fitted axes of a region row; () of imported rows, which have lengths only."""
    if row["major_x0_px"] is None:
        return ()
    return tuple(
        Point(
            key=f"{axis} {end}",
            name=f"{axis} axis end {end}",
            x_px=row[f"{axis}_x{end}_px"],
            y_px=row[f"{axis}_y{end}_px"],
        )
        for axis in ("major", "minor")
        for end in (0, 1)
    )


def case_row(tables: Path, case_id: str) -> Row:
    """The row of one case.

    Raises:
        UsageError: The tables have no such case, or several cohorts have one.
    """
    rows: list[Row] = read_cases(tables).to_pylist()
    found = [row for row in rows if composed(row["case_id"]) == composed(case_id)]
    if len(found) != 1:
        names = ", ".join(sorted(row["case_id"] for row in rows)[:10])
        count = "none" if not found else f"{len(found)}, in several cohorts"
        msg = f"{tables}: expected one case {case_id!r}, found {count}; its cases: {names}"
        raise UsageError(msg)
    return found[0]


def case_slice(
    tables: Path, case: Row, *, plane: str, slice_index: int, root: Path | None = None
) -> tuple[SliceRef, SliceGeometry]:
    """Any slice of a case's first image, with its size and spacing.

    Raises:
        UsageError: The case has no such plane.
    """
    image = case["images"][0]
    shape = tuple(case["shape_ijk"])
    spacing_mm = tuple(math.nan if side is None else side for side in case["spacing_mm"])
    if len(shape) == 2:
        geometry = SliceGeometry(
            height_px=shape[1],
            width_px=shape[0],
            spacing_y_mm=spacing_mm[1],
            spacing_x_mm=spacing_mm[0],
        )
    elif plane in VOLUME_PLANES:
        geometry = slice_geometry(shape, spacing_mm, Plane(plane))
    else:
        planes = ", ".join(VOLUME_PLANES)
        msg = f"--plane: expected one of {planes} for case {case['case_id']!r}, found {plane!r}"
        raise UsageError(msg)
    ref = SliceRef(
        image_uri=str(image_path(image["uri"], tables, root)),
        modality=image["modality"],
        plane=plane,
        slice_index=slice_index,
        spacing_yx_mm=(geometry.spacing_y_mm, geometry.spacing_x_mm),
        spacing_from=tables_manifest(tables)["options"]["spacing_from"] or "",
    )
    return ref, geometry
