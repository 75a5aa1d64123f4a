"""What each task asks of the tables: which rows are kept, of which images, with which truth.

One `Kind` a task, whole columns at a time; `KINDS` is the table. Rows that a filter leaves out are
counted by reason.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.frames import FloatArray, relative_from_box_px
from medvision.protocols import MEDVISION, Filters
from medvision.samples.case_images import BoolArray, CaseImages, IntArray
from medvision.samples.sample import GEOMETRY_COLUMNS
from medvision.samples.suite import TaskConfig
from medvision.table.read import read_biometrics, read_regions
from medvision.table.schema import POINT_TYPE
from medvision.tasks import TASKS, MetricKind, Task

MIN_BOX_SIDE_PX = MEDVISION.filters.min_box_side_px
"""Detection asks only for boxes with both sides at least this long, as the paper does."""

MIN_AREA_PX = 200
"""The area task asks only for labels with at least so many pixels on the slice."""

Columns = dict[str, pa.Array | pa.ChunkedArray]

SHARED = (
    *("dataset", "cohort", "case_id", "subject_id", "split", "plane", "slice_index"),
    *GEOMETRY_COLUMNS,
)
"""Columns that a sample takes from its row, whatever the task."""

BOX_COLUMNS = ("x0_px", "y0_px", "x1_px", "y1_px")
_REGION = (*SHARED, "label_id", "label", "component", "n_components", *BOX_COLUMNS)
_SLICE_LABEL = ("cohort", "case_id", "plane", "slice_index", "label_id")
_AXIS_ENDS = tuple((axis, end) for axis in ("major", "minor") for end in (0, 1))
AXIS_END_COLUMNS = tuple(
    f"{axis}_{side}{end}_px" for axis, end in _AXIS_ENDS for side in ("x", "y")
)


def _kept(rows: pa.Table, mask: pa.ChunkedArray, reason: str, dropped: Counter[str]) -> pa.Table:
    kept = rows.filter(mask)
    dropped[reason] += rows.num_rows - kept.num_rows
    return kept


def _constant(value: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)


def table_numbers(rows: pa.Table, names: Sequence[str]) -> FloatArray:
    """(n, len(names)) numbers of some columns, NaN where null."""
    return np.stack([np.asarray(rows[name], dtype=np.float64) for name in names], axis=-1)


def _is_complete(values: FloatArray) -> BoolArray:
    return np.asarray(np.isfinite(values).all(axis=1))


def _offsets(is_there: BoolArray, length: int) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(is_there * length)]), pa.int32())


def _lists(values: FloatArray, is_there: BoolArray | None = None) -> pa.ListArray:
    """(n, k) numbers as n lists: of k where they are there, else empty."""
    is_there = np.ones(len(values), dtype=bool) if is_there is None else is_there
    flat = pa.array(values[is_there].ravel(), pa.float64())
    return pa.ListArray.from_arrays(_offsets(is_there, values.shape[1]), flat)


def _region_values(rows: pa.Table, task: Task, truth: FloatArray) -> Columns:
    """Columns of samples about a structure; imported rows may lack the box."""
    boxes = table_numbers(rows, BOX_COLUMNS)
    nothing = _constant("", rows.num_rows)
    no_offsets = pa.array(np.zeros(rows.num_rows + 1, np.int32))
    return {
        "label_id": rows["label_id"],
        "label": rows["label"],
        "component": rows["component"],
        "name": rows["label"],
        "metric_kind": nothing,
        "metric_key": nothing,
        "unit": _constant(TASKS[task].units[0], rows.num_rows),
        "truth": _lists(truth),
        "box_px": _lists(boxes, _is_complete(boxes)),
        "points": pa.ListArray.from_arrays(no_offsets, pa.array([], POINT_TYPE)),
        "min_px": pa.nulls(rows.num_rows, pa.int32()),
    }


def _largest_components(rows: pa.Table) -> pa.Table:
    """Rows of the largest components, with the box around all components of their label."""
    extremes = [("x0_px", "min"), ("y0_px", "min"), ("x1_px", "max"), ("y1_px", "max")]
    around = rows.group_by(list(_SLICE_LABEL)).aggregate(extremes)
    around = around.rename_columns({f"{name}_{how}": name for name, how in extremes})
    return _joined_in_order(
        rows.filter(pc.equal(rows["component"], 0)).drop_columns(list(BOX_COLUMNS)), around
    )


def _largest_of_several(rows: pa.Table) -> pa.Table:
    is_first = pc.equal(rows["component"], 0)
    return rows.filter(pc.and_(is_first, pc.greater(rows["n_components"], 1)))


def _joined_in_order(rows: pa.Table, others: pa.Table) -> pa.Table:
    """An inner join by slice and label; Arrow's own leaves the order of the rows open."""
    numbered = rows.append_column("row", pa.array(np.arange(rows.num_rows)))
    joined = numbered.join(others, list(_SLICE_LABEL), join_type="inner")
    return joined.sort_by("row").drop_columns("row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows are asked about: the line of a suite, and what the protocol leaves out."""

    config: TaskConfig
    filters: Filters = MEDVISION.filters


class Kind(ABC):
    """How the candidates of one task come about."""

    columns: ClassVar[Sequence[str]] = ()
    """Columns of `regions` that its rows need beside those of every structure."""

    def read(self, tables: Path, where: pc.Expression | None) -> pa.Table:
        """The rows of a table folder under an expression."""
        return read_regions(tables, where, columns=(*_REGION, *self.columns))

    @abstractmethod
    def keep(self, rows: pa.Table, wanted: Wanted, dropped: Counter[str]) -> pa.Table:
        """Of those, the rows to ask about; counts what it leaves out, by reason."""

    def images(self, cases: CaseImages, rows: pa.Table) -> tuple[IntArray, IntArray]:
        """(places of rows, image of each): on which images a row is asked about."""
        return cases.one_image(cases.case_numbers(rows), rows)

    def in_pieces(self, rows: pa.Table) -> pa.Table | None:  # noqa: ARG002
        """Of the rows read, those of structures in several pieces that it leaves out for that.

        One row a label and slice, that of its largest component; None where it leaves out none.
        """
        return None

    @abstractmethod
    def values(self, rows: pa.Table, config: TaskConfig) -> Columns:
        """The columns of a sample that differ between tasks."""


class Detection(Kind):
    """One box a structure: a single component, both sides long enough."""

    def keep(self, rows: pa.Table, wanted: Wanted, dropped: Counter[str]) -> pa.Table:
        """Single components with a box of at least so many pixels both ways."""
        rows = _kept(rows, pc.equal(rows["n_components"], 1), "several_components", dropped)
        rows = _kept(rows, pc.is_valid(rows["x0_px"]), "no_box", dropped)
        width = pc.subtract(rows["x1_px"], rows["x0_px"])
        height = pc.subtract(rows["y1_px"], rows["y0_px"])
        side_px = wanted.filters.min_box_side_px
        is_large = pc.greater_equal(pc.min_element_wise(width, height), side_px)
        return _kept(rows, is_large, f"box_side_below_{side_px}_px", dropped)

    def in_pieces(self, rows: pa.Table) -> pa.Table:
        """The largest components of several."""
        return _largest_of_several(rows)

    def images(self, cases: CaseImages, rows: pa.Table) -> tuple[IntArray, IntArray]:
        """All images of a case, or the one that its label declares."""
        return cases.detected_images(cases.case_numbers(rows), rows)

    def values(self, rows: pa.Table, config: TaskConfig) -> Columns:  # noqa: ARG002
        """Truth: the relative box."""
        height_px, width_px = np.asarray(rows["height_px"]), np.asarray(rows["width_px"])
        relative = relative_from_box_px(table_numbers(rows, BOX_COLUMNS), height_px, width_px)
        return _region_values(rows, Task.DETECTION, relative)


class Instances(Detection):
    """Every box of a structure in several pieces."""

    def in_pieces(self, rows: pa.Table) -> None:
        """None: they are what is asked about."""

    def keep(self, rows: pa.Table, wanted: Wanted, dropped: Counter[str]) -> pa.Table:
        """Labels with several boxes of at least so many pixels both ways, one row each.

        The columns `x0_px_list` and so on hold the edges of these boxes, the largest component
        first, and `least_px` how long their sides are at least.
        """
        one_piece = pc.equal(rows["n_components"], 1)
        rows = _kept(rows, pc.invert(one_piece), "one_component", dropped)
        side_px = wanted.filters.min_box_side_px
        width = pc.subtract(rows["x1_px"], rows["x0_px"])
        height = pc.subtract(rows["y1_px"], rows["y0_px"])
        is_large = pc.greater_equal(pc.min_element_wise(width, height), side_px)
        large = rows.filter(is_large).sort_by("component")
        # Threads would leave the order within a label open.
        lists = large.group_by(list(_SLICE_LABEL), use_threads=False).aggregate(
            [(name, "list") for name in BOX_COLUMNS]
        )
        is_many = pc.greater(pc.list_value_length(lists["x0_px_list"]), 1)
        lists = lists.filter(is_many)
        # Arrow joins no lists: a number stands for them.
        numbers = lists.select(list(_SLICE_LABEL)).append_column(
            "at", pa.array(np.arange(lists.num_rows))
        )
        largest = _largest_components(rows)
        kept = _joined_in_order(largest, numbers)
        dropped[f"fewer_than_2_boxes_of_{side_px}_px"] += largest.num_rows - kept.num_rows
        for name in BOX_COLUMNS:
            kept = kept.append_column(f"{name}_list", lists[f"{name}_list"].take(kept["at"]))
        return kept.append_column(
            "least_px", pa.repeat(pa.scalar(side_px, pa.int32()), kept.num_rows)
        )

    def values(self, rows: pa.Table, config: TaskConfig) -> Columns:  # noqa: ARG002
        """Truth: the relative boxes, one after the other."""
        edges = [rows[f"{name}_list"].combine_chunks() for name in BOX_COLUMNS]
        n_boxes = np.asarray(pc.list_value_length(edges[0]), dtype=np.int64)
        boxes = np.stack([np.asarray(pc.list_flatten(edge), np.float64) for edge in edges], axis=1)
        sides = (np.asarray(rows[name]).repeat(n_boxes) for name in ("height_px", "width_px"))
        relative = relative_from_box_px(boxes, *sides)
        offsets = pa.array(np.concatenate([[0], np.cumsum(4 * n_boxes)]), pa.int32())
        shared = _region_values(rows, Task.INSTANCES, np.empty((rows.num_rows, 0)))
        return shared | {
            "truth": pa.ListArray.from_arrays(offsets, pa.array(relative.ravel())),
            "min_px": rows["least_px"],
        }


class TumorLesion(Kind):
    """Axes of the ellipse fitted to a tumour or lesion in one piece."""

    columns = ("ellipse_status", "ellipse_major_mm", "ellipse_minor_mm", *AXIS_END_COLUMNS)

    def keep(self, rows: pa.Table, wanted: Wanted, dropped: Counter[str]) -> pa.Table:
        """Single components of target labels whose ellipse is ok."""
        rows = rows.filter(pc.not_equal(rows["ellipse_status"], "not_target"))
        rows = _kept(rows, pc.equal(rows["n_components"], 1), "several_components", dropped)
        for status in rows["ellipse_status"].unique().to_pylist():
            if status != "ok":
                is_other = pc.not_equal(rows["ellipse_status"], status)
                rows = _kept(rows, is_other, f"ellipse_{status}", dropped)
        coarser_mm = pc.max_element_wise(rows["spacing_y_mm"], rows["spacing_x_mm"])
        floor_mm = pc.max_element_wise(
            pc.multiply(coarser_mm, wanted.filters.tl_floor_px), wanted.filters.tl_floor_mm
        )
        is_long = pc.greater_equal(rows["ellipse_major_mm"], floor_mm)
        return _kept(rows, pc.fill_null(is_long, fill_value=True), "below_floor", dropped)

    def in_pieces(self, rows: pa.Table) -> pa.Table:
        """The largest components of several, of target labels."""
        is_target = pc.not_equal(rows["ellipse_status"], "not_target")
        return _largest_of_several(rows.filter(is_target))

    def values(self, rows: pa.Table, config: TaskConfig) -> Columns:  # noqa: ARG002
        """Truth: both lengths. Points: the ends of the axes, none where imported rows lack them."""
        ends = table_numbers(rows, AXIS_END_COLUMNS)
        is_there = _is_complete(ends)
        xy = ends[is_there].reshape(-1, 2)
        keys = [f"{axis} {end}" for axis, end in _AXIS_ENDS]
        names = [f"{axis} axis end {end}" for axis, end in _AXIS_ENDS]
        turn = pa.array(np.tile(np.arange(len(keys)), int(is_there.sum())))
        flat = pa.StructArray.from_arrays(
            [pa.array(keys).take(turn), pa.array(names).take(turn), xy[:, 0], xy[:, 1]],
            fields=list(POINT_TYPE),
        )
        points = pa.ListArray.from_arrays(_offsets(is_there, len(keys)), flat)
        lengths_mm = table_numbers(rows, ("ellipse_major_mm", "ellipse_minor_mm"))
        return _region_values(rows, Task.TUMOR_LESION, lengths_mm) | {"points": points}


class AngleDistance(Kind):
    """A measurement between landmarks, on the image that it names."""

    def read(self, tables: Path, where: pc.Expression | None) -> pa.Table:
        """Rows of `biometrics`."""
        return read_biometrics(tables, where)

    def keep(self, rows: pa.Table, wanted: Wanted, dropped: Counter[str]) -> pa.Table:  # noqa: ARG002
        """All; where angles at a landmark are asked for, those."""
        is_there = pc.is_valid(rows["vertex_value_deg"])
        return rows.filter(is_there) if wanted.config.vertex_angles else rows

    def images(self, cases: CaseImages, rows: pa.Table) -> tuple[IntArray, IntArray]:
        """The image on which the landmarks were set."""
        return cases.own_image(rows)

    def values(self, rows: pa.Table, config: TaskConfig) -> Columns:
        """Truth: the distance or the angle. Points: its landmarks."""
        count, is_vertex = rows.num_rows, config.vertex_angles
        vertex = _constant(MetricKind.VERTEX_ANGLE, count)
        nothing = pa.nulls(count, pa.int32())
        return {
            "label_id": nothing,
            "label": rows["name"],
            "component": nothing,
            "name": rows["name"],
            "metric_kind": vertex if is_vertex else rows["metric_kind"],
            "metric_key": rows["metric_key"],
            "unit": rows["unit"],
            "truth": _lists(table_numbers(rows, ("vertex_value_deg" if is_vertex else "value",))),
            "box_px": _lists(np.empty((count, 0))),
            "points": rows["points"],
            "min_px": nothing,
        }


class Area(Kind):
    """All of a structure on the slice, whatever its components."""

    columns = ("label_pixel_count",)

    def keep(self, rows: pa.Table, wanted: Wanted, dropped: Counter[str]) -> pa.Table:  # noqa: ARG002
        """Labels of at least 200 px."""
        rows = _largest_components(rows)
        is_large = pc.greater_equal(rows["label_pixel_count"], MIN_AREA_PX)
        return _kept(rows, is_large, "label_below_200_px", dropped)

    def values(self, rows: pa.Table, config: TaskConfig) -> Columns:  # noqa: ARG002
        """Truth: pixels × their size, multiplied in this order on every machine."""
        factors = table_numbers(rows, ("label_pixel_count", "spacing_y_mm", "spacing_x_mm"))
        return _region_values(rows, Task.AREA, factors[:, :1] * factors[:, 1:2] * factors[:, 2:])


class Count(Kind):
    """How many components of a tumour or lesion label are large enough to count."""

    columns = ("ellipse_status", "pixel_count")

    def keep(self, rows: pa.Table, wanted: Wanted, dropped: Counter[str]) -> pa.Table:
        """Target labels with such a component; the column `n_counted` says how many there are.

        Components come largest first, so a label whose largest is too small has none.
        """
        rows = rows.filter(pc.not_equal(rows["ellipse_status"], "not_target"))
        counted = rows.filter(pc.greater_equal(rows["pixel_count"], wanted.config.min_px))
        numbers = counted.group_by(list(_SLICE_LABEL)).aggregate([("pixel_count", "count")])
        numbers = numbers.rename_columns({"pixel_count_count": "n_counted"})
        largest = _largest_components(rows)
        is_large = pc.greater_equal(largest["pixel_count"], wanted.config.min_px)
        reason = f"components_below_{wanted.config.min_px}_px"
        return _joined_in_order(_kept(largest, is_large, reason, dropped), numbers)

    def values(self, rows: pa.Table, config: TaskConfig) -> Columns:
        """Truth: their number."""
        least = pa.repeat(pa.scalar(config.min_px, pa.int32()), rows.num_rows)
        return _region_values(rows, Task.COUNT, table_numbers(rows, ("n_counted",))) | {
            "min_px": least
        }


KINDS: Mapping[Task, Kind] = {
    Task.DETECTION: Detection(),
    Task.TUMOR_LESION: TumorLesion(),
    Task.ANGLE_DISTANCE: AngleDistance(),
    Task.AREA: Area(),
    Task.COUNT: Count(),
    Task.INSTANCES: Instances(),
}
"""The behaviour of this stage for every task."""
