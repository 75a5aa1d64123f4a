"""Table rows to candidate samples: the filters and the truths, whole columns at a time.

A candidate is a table row and an image of its case. Millions of them are held as arrays; the
columns of a sample are made for those that a draw has left.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medvision.catalog.dataset import DatasetTask, load_dataset
from medvision.frames import FloatArray, Plane, relative_from_box_px
from medvision.samples.case_images import BoolArray, CaseImages, IntArray, read_case_images
from medvision.samples.draw import drawn_places
from medvision.samples.sample import SAMPLE_SCHEMA
from medvision.samples.suite import TaskConfig
from medvision.table.read import read_biometrics, read_regions
from medvision.table.schema import POINT_TYPE
from medvision.tasks import MetricKind, Task

MIN_BOX_SIDE_PX = 10
"""Detection asks only for boxes with both sides at least this long, as the paper does."""

MIN_AREA_PX = 200
"""The area task asks only for labels with at least so many pixels on the slice."""

Split = Literal["train", "test", "all"]

Columns = dict[str, pa.Array | pa.ChunkedArray]

_ROWS_AT_A_TIME = 1_000_000

_SHARED = (
    *("dataset", "cohort", "case_id", "subject_id", "split", "plane", "slice_index"),
    *("height_px", "width_px", "spacing_y_mm", "spacing_x_mm"),
)
_BOX = ("x0_px", "y0_px", "x1_px", "y1_px")
_REGION = (*_SHARED, "label_id", "label", "component", "n_components", *_BOX)
_AXIS_ENDS = tuple((axis, end) for axis in ("major", "minor") for end in (0, 1))
_AXES = tuple(f"{axis}_{side}{end}_px" for axis, end in _AXIS_ENDS for side in ("x", "y"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Samples that could be asked for, in the order of their rows, then of their case's images.

    Attributes:
        config: The line of a suite that asks for them.
        cases: Of their table folder.
        rows: One table row each.
        case_numbers: (n,) case of each, in the order of `cases.parquet`.
        image_numbers: (n,) image of each, in `cases.images`.
        sample_ids: (n,).
    """

    config: TaskConfig
    cases: CaseImages
    rows: pa.Table
    case_numbers: IntArray
    image_numbers: IntArray
    sample_ids: pa.ChunkedArray

    def __len__(self) -> int:
        """How many."""
        return len(self.image_numbers)

    def take(self, places: npt.NDArray[np.integer]) -> "Candidates":
        """Those at some places."""
        return Candidates(
            config=self.config,
            cases=self.cases,
            rows=self.rows.take(places),
            case_numbers=self.case_numbers[places],
            image_numbers=self.image_numbers[places],
            sample_ids=self.sample_ids.take(places),
        )

    def table(self) -> pa.Table:
        """The samples, with columns as in `SAMPLE_SCHEMA`."""
        starts = range(0, len(self), _ROWS_AT_A_TIME)
        parts = [self._part(slice(start, start + _ROWS_AT_A_TIME)) for start in starts]
        return pa.concat_tables([SAMPLE_SCHEMA.empty_table(), *parts])

    def filter(self, mask: BoolArray) -> "Candidates":
        """Those where the mask (n,) is true."""
        return self if mask.all() else self.take(np.flatnonzero(mask))

    def _part(self, part: slice) -> pa.Table:
        rows = self.rows.slice(part.start, part.stop - part.start)
        images = self.cases.images.take(self.image_numbers[part])
        columns: Columns = {name: rows[name] for name in _SHARED}
        columns |= {name: images[name] for name in images.column_names}
        columns |= _KINDS[self.config.task].values(rows, self.config)
        columns["task"] = _constant(str(self.config.task), rows.num_rows)
        columns["sample_id"] = self.sample_ids.slice(part.start, part.stop - part.start)
        table = pa.table({name: columns[name] for name in SAMPLE_SCHEMA.names})
        return table.cast(SAMPLE_SCHEMA)


def candidates(
    config: TaskConfig,
    tables: Path,
    dropped: Counter[str],
    *,
    split: Split,
    root: Path | None = None,
    volume_planes: Collection[Plane] = (),
) -> Candidates:
    """What one line of a suite asks for in one table folder.

    Args:
        config: The line.
        tables: Table folder.
        dropped: Gets the number of rows left out, by reason.
        split: Which subjects.
        root: Data root that replaces the one the tables were built under.
        volume_planes: Slices of volumes on these planes only; empty for all. 2D images stay,
            whatever plane they are projected on.
    """
    kind = _KINDS[config.task]
    image_id = _declared_task(config).image if config.task_id else ""
    cases = read_case_images(tables, root=root, image_id=image_id)
    rows = kind.read(tables, _expression(config, split))
    numbers = cases.case_numbers(rows)
    if volume_planes:
        on_plane = pc.is_in(rows["plane"], pa.array([str(plane) for plane in volume_planes]))
        rows, numbers = _kept(rows, numbers, cases.is_picture[numbers] | np.asarray(on_plane))
    if config.task is not Task.DETECTION:
        trusted = ~cases.is_suspect[numbers]
        dropped["spacing_suspect"] += int((~trusted).sum())
        rows, numbers = _kept(rows, numbers, trusted)
    rows = kind.keep(rows, config, dropped)
    places, image_numbers = kind.images(cases, rows)
    rows = rows.take(places)
    return Candidates(
        config=config,
        cases=cases,
        rows=rows,
        case_numbers=cases.case_numbers(rows),
        image_numbers=image_numbers,
        sample_ids=_sample_ids(rows, cases.images["image_id"].take(image_numbers), config),
    )


def draw_candidates(found: Sequence[Candidates], count: int | None, salt: str) -> list[Candidates]:
    """At most `count` of all of them together, ranked by salt and id; None for all."""
    if count is None or sum(map(len, found)) <= count:
        return list(found)
    ids = pa.chunked_array([chunk for one in found for chunk in one.sample_ids.chunks])
    places = drawn_places(ids, count, salt)
    ends = np.cumsum([len(one) for one in found])
    starts = [0, *ends[:-1].tolist()]
    parts = np.split(places, np.searchsorted(places, ends[:-1]))
    return [one.take(part - start) for one, part, start in zip(found, parts, starts, strict=True)]


def candidate_table(found: Sequence[Candidates]) -> pa.Table:
    """The samples of all of them, one after the other; columns as in `SAMPLE_SCHEMA`."""
    return pa.concat_tables([SAMPLE_SCHEMA.empty_table(), *(one.table() for one in found)])


def _kept(rows: pa.Table, numbers: IntArray, mask: BoolArray) -> tuple[pa.Table, IntArray]:
    return (rows, numbers) if mask.all() else (rows.filter(pa.array(mask)), numbers[mask])


def _expression(config: TaskConfig, split: Split) -> pc.Expression | None:
    terms = _declared_terms(config)
    if split != "all":
        terms.append(pc.field("split") == split)
    if config.planes:
        terms.append(pc.field("plane").isin([str(plane) for plane in config.planes]))
    if config.labels and config.task is not Task.ANGLE_DISTANCE:
        terms.append(pc.field("label").isin(list(config.labels)))
    expression = None
    for term in terms:
        expression = term if expression is None else expression & term
    return expression


def _declared_terms(config: TaskConfig) -> list[pc.Expression]:
    """What a task of the catalogue leaves of the rows: its cohort, its labels."""
    terms = []
    if config.metric_kind and config.task is Task.ANGLE_DISTANCE:
        terms.append(pc.field("metric_kind") == config.metric_kind)
    if config.task_id:
        task = _declared_task(config)
        terms.append(pc.field("cohort") == task.cohort)
        if task.label is not None:
            terms.append(pc.field("label_id") == task.label)
    return terms


def _declared_task(config: TaskConfig) -> DatasetTask:
    return load_dataset(config.dataset).task(config.task, config.task_id)


def _sample_ids(rows: pa.Table, image_ids: pa.ChunkedArray, config: TaskConfig) -> pa.ChunkedArray:
    """dataset/cohort/case/image/plane/slice/what/task, each part percent-encoded."""
    is_region = config.task is not Task.ANGLE_DISTANCE
    parts = [_quoted(rows[name]) for name in ("dataset", "cohort", "case_id")]
    parts += [_quoted(image_ids), _quoted(rows["plane"]), _words(rows["slice_index"])]
    if is_region:
        labels, components = _words(rows["label_id"]), _words(rows["component"])
        parts.append(pc.binary_join_element_wise(labels, components, "."))
    else:
        parts.append(_quoted(rows["metric_key"]))
    task = "ad-vertex" if config.vertex_angles and not is_region else str(config.task)
    joined = pc.binary_join_element_wise(*parts, task, "/")
    return joined if isinstance(joined, pa.ChunkedArray) else pa.chunked_array([joined])


def _quoted(column: pa.ChunkedArray) -> pa.ChunkedArray:
    names = pc.unique(column)
    quoted = pa.array([quote(name, safe="") for name in names.to_pylist()], pa.string())
    return quoted.take(pc.index_in(column, names))


def _words(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(column, pa.string())


def _keep(rows: pa.Table, mask: pa.ChunkedArray, reason: str, dropped: Counter[str]) -> pa.Table:
    kept = rows.filter(mask)
    dropped[reason] += rows.num_rows - kept.num_rows
    return kept


def _constant(value: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)


def _lists(values: FloatArray, there: BoolArray) -> pa.ListArray:
    """(n, k) numbers as n lists: of k where they are there, else empty."""
    flat = pa.array(values[there].ravel(), pa.float64())
    return pa.ListArray.from_arrays(_offsets(there, values.shape[1]), flat)


def _offsets(there: BoolArray, length: int) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(there * length)]), pa.int32())


def _numbers(rows: pa.Table, names: Sequence[str]) -> FloatArray:
    """(n, len(names)), NaN where null."""
    return np.stack([np.asarray(rows[name], dtype=np.float64) for name in names], axis=-1)


def _is_complete(values: FloatArray) -> BoolArray:
    return np.asarray(np.isfinite(values).all(axis=1))


def _all(count: int) -> BoolArray:
    return np.ones(count, dtype=bool)


def _region_values(rows: pa.Table, unit: str, truth: pa.Array, points: pa.Array) -> Columns:
    """Columns of samples about a structure; imported rows may lack the box."""
    boxes = _numbers(rows, _BOX)
    nothing = _constant("", rows.num_rows)
    return {
        "label_id": rows["label_id"],
        "label": rows["label"],
        "component": rows["component"],
        "name": rows["label"],
        "metric_kind": nothing,
        "metric_key": nothing,
        "unit": _constant(unit, rows.num_rows),
        "truth": truth,
        "box_px": _lists(boxes, _is_complete(boxes)),
        "points": points,
    }


def _no_points(count: int) -> pa.Array:
    return pa.ListArray.from_arrays(
        pa.array(np.zeros(count + 1, np.int32)), pa.array([], POINT_TYPE)
    )


def _keep_detection(rows: pa.Table, _config: TaskConfig, dropped: Counter[str]) -> pa.Table:
    rows = _keep(rows, pc.equal(rows["n_components"], 1), "several_components", dropped)
    rows = _keep(rows, pc.is_valid(rows["x0_px"]), "no_box", dropped)
    width = pc.subtract(rows["x1_px"], rows["x0_px"])
    height = pc.subtract(rows["y1_px"], rows["y0_px"])
    large = pc.greater_equal(pc.min_element_wise(width, height), MIN_BOX_SIDE_PX)
    return _keep(rows, large, "box_side_below_10_px", dropped)


def _detection_values(rows: pa.Table, _config: TaskConfig) -> Columns:
    height_px, width_px = np.asarray(rows["height_px"]), np.asarray(rows["width_px"])
    relative = relative_from_box_px(_numbers(rows, _BOX), height_px, width_px)
    truth = _lists(relative, _all(rows.num_rows))
    return _region_values(rows, "relative", truth, _no_points(rows.num_rows))


def _keep_tumor_lesion(rows: pa.Table, _config: TaskConfig, dropped: Counter[str]) -> pa.Table:
    rows = rows.filter(pc.not_equal(rows["ellipse_status"], "not_target"))
    rows = _keep(rows, pc.equal(rows["n_components"], 1), "several_components", dropped)
    for status in rows["ellipse_status"].unique().to_pylist():
        if status != "ok":
            other = pc.not_equal(rows["ellipse_status"], status)
            rows = _keep(rows, other, f"ellipse_{status}", dropped)
    return rows


def _tumor_lesion_values(rows: pa.Table, _config: TaskConfig) -> Columns:
    lengths_mm = _numbers(rows, ("ellipse_major_mm", "ellipse_minor_mm"))
    truth = _lists(lengths_mm, _all(rows.num_rows))
    return _region_values(rows, "mm", truth, _axis_end_lists(rows))


def _axis_end_lists(rows: pa.Table) -> pa.ListArray:
    """The end points of the axes; empty of imported rows, which have lengths only."""
    ends = _numbers(rows, _AXES)
    there = _is_complete(ends)
    count = int(there.sum())
    xy = ends[there].reshape(-1, 2)
    keys = [f"{axis} {end}" for axis, end in _AXIS_ENDS]
    names = [f"{axis} axis end {end}" for axis, end in _AXIS_ENDS]
    turn = pa.array(np.tile(np.arange(len(keys)), count))
    points = pa.StructArray.from_arrays(
        [pa.array(keys).take(turn), pa.array(names).take(turn), xy[:, 0], xy[:, 1]],
        fields=list(POINT_TYPE),
    )
    return pa.ListArray.from_arrays(_offsets(there, len(keys)), points)


def _keep_area(rows: pa.Table, _config: TaskConfig, dropped: Counter[str]) -> pa.Table:
    """Largest components, with the box around all of their label's."""
    boxes = _boxes_around_all_components(rows)
    rows = rows.filter(pc.equal(rows["component"], 0))
    large = pc.greater_equal(rows["label_pixel_count"], MIN_AREA_PX)
    rows = _keep(rows, large, "label_below_200_px", dropped)
    numbered = rows.drop_columns(list(_BOX)).append_column(
        "row", pa.array(np.arange(rows.num_rows))
    )
    return numbered.join(boxes, list(_SLICE_LABEL), join_type="inner").sort_by("row")


_SLICE_LABEL = ("cohort", "case_id", "plane", "slice_index", "label_id")


def _boxes_around_all_components(rows: pa.Table) -> pa.Table:
    extremes = [("x0_px", "min"), ("y0_px", "min"), ("x1_px", "max"), ("y1_px", "max")]
    found = rows.group_by(list(_SLICE_LABEL)).aggregate(extremes)
    return found.rename_columns({f"{name}_{how}": name for name, how in extremes})


def _area_values(rows: pa.Table, _config: TaskConfig) -> Columns:
    factors = _numbers(rows, ("label_pixel_count", "spacing_y_mm", "spacing_x_mm"))
    area_mm2 = (factors[:, 0] * factors[:, 1] * factors[:, 2])[:, None]
    truth = _lists(area_mm2, _all(rows.num_rows))
    return _region_values(rows, "mm2", truth, _no_points(rows.num_rows))


def _keep_angle_distance(rows: pa.Table, config: TaskConfig, _dropped: Counter[str]) -> pa.Table:
    return rows.filter(pc.is_valid(rows["vertex_value_deg"])) if config.vertex_angles else rows


def _angle_distance_values(rows: pa.Table, config: TaskConfig) -> Columns:
    count = rows.num_rows
    vertex = config.vertex_angles
    nothing = pa.nulls(count, pa.int32())
    return {
        "label_id": nothing,
        "label": rows["name"],
        "component": nothing,
        "name": rows["name"],
        "metric_kind": _constant(MetricKind.VERTEX_ANGLE, count) if vertex else rows["metric_kind"],
        "metric_key": rows["metric_key"],
        "unit": rows["unit"],
        "truth": _lists(_numbers(rows, ("vertex_value_deg" if vertex else "value",)), _all(count)),
        "box_px": _lists(np.empty((count, 0)), _all(count)),
        "points": rows["points"],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How the candidates of one task come about.

    Attributes:
        read: The rows of a table folder under an expression.
        keep: Of those, the rows to ask about; counts what it leaves out.
        images: Places of rows, and the image of each.
        values: The columns of a sample that differ between tasks.
    """

    read: Callable[[Path, pc.Expression | None], pa.Table]
    keep: Callable[[pa.Table, TaskConfig, Counter[str]], pa.Table]
    images: Callable[[CaseImages, pa.Table], tuple[IntArray, IntArray]]
    values: Callable[[pa.Table, TaskConfig], Columns]


def _every_image(cases: CaseImages, rows: pa.Table) -> tuple[IntArray, IntArray]:
    return cases.every_image(cases.case_numbers(rows))


def _one_image(cases: CaseImages, rows: pa.Table) -> tuple[IntArray, IntArray]:
    return cases.one_image(cases.case_numbers(rows), rows)


def _own_image(cases: CaseImages, rows: pa.Table) -> tuple[IntArray, IntArray]:
    return cases.own_image(rows)


def _regions_reader(*names: str) -> Callable[[Path, pc.Expression | None], pa.Table]:
    columns = (*_REGION, *names)
    return lambda tables, where: read_regions(tables, where, columns=columns)


_KINDS: Mapping[Task, _Kind] = {
    Task.DETECTION: _Kind(
        read=_regions_reader(),
        keep=_keep_detection,
        images=_every_image,
        values=_detection_values,
    ),
    Task.TUMOR_LESION: _Kind(
        read=_regions_reader("ellipse_status", "ellipse_major_mm", "ellipse_minor_mm", *_AXES),
        keep=_keep_tumor_lesion,
        images=_one_image,
        values=_tumor_lesion_values,
    ),
    Task.ANGLE_DISTANCE: _Kind(
        read=read_biometrics,
        keep=_keep_angle_distance,
        images=_own_image,
        values=_angle_distance_values,
    ),
    Task.AREA: _Kind(
        read=_regions_reader("label_pixel_count"),
        keep=_keep_area,
        images=_one_image,
        values=_area_values,
    ),
}
