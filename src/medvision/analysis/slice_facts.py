"""All that the tables and the mask know of one slice."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from medvision.analysis.overlay_outline import outline_px
from medvision.errors import ItemError, UsageError
from medvision.frames import VOLUME_PLANES, Plane, SliceGeometry, slice_geometry
from medvision.prompts.render import SliceRef
from medvision.samples import Point, Sample, Task
from medvision.table.read import (
    image_path,
    read_biometrics,
    read_cases,
    read_regions,
    tables_manifest,
)
from medvision.volumes import Volume, read_label_map, slice_pixels
from medvision.volumes.pictures import SUFFIXES as PICTURE_SUFFIXES
from medvision.volumes.stored import SpacingFrom

logger = logging.getLogger(__name__)

Row = dict[str, Any]
Stretches = npt.NDArray[np.int64]
"""(n, 4), as `outline_px` returns them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisPair:
    """Fitted axes of one component: ends of the major, then of the minor axis."""

    points: tuple[Point, ...]
    major_mm: float
    minor_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceStructure:
    """One label on the slice.

    Attributes:
        boxes_px: x0, y0, x1, y1 of each component.
        axes: Of each component whose ellipse could be fitted.
        area_mm2: Of all components.
        outline: Border of the mask; None where the mask could not be read.
    """

    label_id: int
    name: str
    boxes_px: tuple[tuple[float, ...], ...]
    axes: tuple[AxisPair, ...]
    area_mm2: float
    outline: Stretches | None


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


class MaskOutlines:
    """Borders of labels on slices of the cases of one table folder; keeps the last mask read.

    A label's border is given only where its pixels agree with the tables. They do not where the
    tables' structures are made of several values of the mask: which ones, tables do not tell.
    """

    def __init__(self, tables: Path, root: Path | None = None) -> None:
        """Outlines for a table folder; `root` re-bases its paths."""
        self._tables, self._root = tables, root
        rows = read_cases(tables).to_pylist()
        self._cases = {(row["cohort"], row["case_id"]): row for row in rows}
        self._spacing_from = tables_manifest(tables)["options"]["spacing_from"] or None
        self._last: tuple[str, Volume | None] = ("", None)

    def of_sample(self, sample: Sample) -> Stretches | None:
        """Border of the structure a sample asks for; None where there is none to be had."""
        if sample.task is Task.ANGLE_DISTANCE or sample.label_id is None:
            return None
        case = self._cases[sample.cohort, sample.case_id]
        mask = self.on_slice(case, sample.plane, sample.slice_index, sample.label_id)
        return _checked(mask, sample.box_px, sample.sample_id)

    def on_slice(
        self, case: Row, plane: str, slice_index: int, label_id: int
    ) -> npt.NDArray[np.bool_] | None:
        """(height, width), where a label is; None where the mask cannot be read."""
        labels = self._labels(case)
        if labels is None:
            return None
        taken = slice_pixels(labels, Plane(plane), slice_index)
        return np.equal(taken.pixels, label_id)

    def _labels(self, case: Row) -> Volume | None:
        uri = case["mask_uri"]
        if uri is None:
            return None
        if self._last[0] != uri:
            self._last = (uri, self._read(case))
        return self._last[1]

    def _read(self, case: Row) -> Volume | None:
        path = image_path(case["mask_uri"], self._tables, self._root)
        is_picture = path.name.lower().endswith(PICTURE_SUFFIXES)
        spacing_mm = tuple(case["spacing_mm"][1::-1]) if is_picture else None
        try:
            return read_label_map(
                path,
                spacing_mm=cast("tuple[float, float] | None", spacing_mm),
                spacing_from=cast("SpacingFrom | None", self._spacing_from),
            )
        except ItemError as error:
            logger.warning("%s: no outline: %s", case["case_id"], error)
            return None


def _checked(
    mask: npt.NDArray[np.bool_] | None, box_px: tuple[float, ...], item: str
) -> Stretches | None:
    """The border of a mask that fills a box exactly; None of any other."""
    if mask is None:
        return None
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    found: tuple[float, ...] = ()
    if rows.size:
        found = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    if found != tuple(box_px):
        logger.warning("%s: no outline: mask and table disagree on this label", item)
        return None
    return outline_px(mask)


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
    here = (
        (pc.field("cohort") == case["cohort"])
        & (pc.field("case_id") == case["case_id"])
        & (pc.field("plane") == ref.plane)
        & (pc.field("slice_index") == ref.slice_index)
    )
    of_label: dict[int, list[Row]] = {}
    for row in read_regions(tables, here).to_pylist():
        of_label.setdefault(row["label_id"], []).append(row)
    return SliceFacts(
        ref=ref,
        geometry=geometry,
        structures=tuple(
            _structure(rows, outlines, case, ref) for _, rows in sorted(of_label.items())
        ),
        measurements=tuple(
            SliceMeasurement(
                name=row["name"],
                value=row["value"],
                unit=row["unit"],
                points=tuple(Point(**point) for point in row["points"]),
            )
            for row in read_biometrics(tables, here).to_pylist()
        ),
    )


def _structure(rows: list[Row], outlines: MaskOutlines, case: Row, ref: SliceRef) -> SliceStructure:
    first = rows[0]
    boxes = tuple(tuple(float(row[f"{s}_px"]) for s in ("x0", "y0", "x1", "y1")) for row in rows)
    edges = list(zip(*boxes, strict=True))
    around = (min(edges[0]), min(edges[1]), max(edges[2]), max(edges[3]))
    mask = outlines.on_slice(case, ref.plane, ref.slice_index, first["label_id"])
    return SliceStructure(
        label_id=first["label_id"],
        name=first["label"],
        boxes_px=boxes,
        axes=tuple(_axes(row) for row in rows if row["ellipse_status"] == "ok"),
        area_mm2=sum(row["area_mm2"] for row in rows),
        outline=_checked(mask, around, f"{case['case_id']}: {first['label']}"),
    )


def _axes(row: Row) -> AxisPair:
    points = tuple(
        Point(
            key=f"{axis} {end}",
            name=f"{axis} axis end {end}",
            x_px=row[f"{axis}_x{end}_px"],
            y_px=row[f"{axis}_y{end}_px"],
        )
        for axis in ("major", "minor")
        for end in (0, 1)
    )
    return AxisPair(
        points=points, major_mm=row["ellipse_major_mm"], minor_mm=row["ellipse_minor_mm"]
    )


def case_row(tables: Path, case_id: str) -> Row:
    """The row of one case.

    Raises:
        UsageError: The tables have no such case, or several cohorts have one.
    """
    rows: list[Row] = read_cases(tables).to_pylist()
    found = [row for row in rows if row["case_id"] == case_id]
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
    shape, spacing_mm = tuple(case["shape_ijk"]), tuple(case["spacing_mm"])
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
