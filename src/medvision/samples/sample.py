"""A sample: one question about one slice, with the answer a perfect measurer would state."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from importlib import import_module
from operator import itemgetter
from types import NoneType
from typing import Any, get_args, get_type_hints

import pyarrow as pa

from medvision.frames import SliceGeometry, View
from medvision.table.schema import POINT_TYPE
from medvision.tasks import Task

_ROWS_AT_A_TIME = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A named point on a slice as shown, pixel centres, top-left origin."""

    key: str
    name: str
    x_px: float
    y_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One question. `truth` holds the numbers a perfect answer states, in their order and units.

    Attributes:
        sample_id: dataset/cohort/case/image/plane/slice/label_id.component or metric/task,
            each part percent-encoded.
        image_uri: Absolute path of the image the slice is taken from.
        image_sha256: Digest of that image file.
        geometry: Size and pixel spacing of the slice as stored, in the sample's view.
        label_id: Of the structure asked for; None for angle and distance.
        name: The structure or measurement asked for, as the prompt names it.
        metric_kind: A `MetricKind` for angle and distance, else "".
        metric_key: Key of the measurement in its biometrics file, else "".
        unit: Of `truth`: one of the task's units.
        truth: detection: relative lower-left x0, y0, x1, y1 of the slice as shown, instances: those
            of each box; tl: major, minor; ad, area, count: one number.
        box_px: Half-open pixel box x0, y0, x1, y1 on the slice as shown, around all components
            for area, count and instances; () for angle and distance.
        points: tl: end points major 0, major 1, minor 0, minor 1; ad: the measurement's points,
            two for each line; else ().
        description: What the image is, as prompts say it, such as "abdominal CT scan".
        spacing_from: Which part of a contradictory header the tables were told to trust, or "".
        min_px: count: components of at least so many pixels are counted; instances: boxes with both
            sides at least so long are asked for; else None.
        view: Which way up the slice is shown; geometry, truth, box and points are in this view.
        ct_window: Whether a CT window may apply to the image; see its declaration.
        crop_px: Half-open pixel box of the part of the slice that is asked about, in its view and
            less than all of it; () for the whole. The other fields stay those of the slice until
            `as_shown` turns them.
    """

    sample_id: str
    task: Task
    dataset: str
    cohort: str
    case_id: str
    subject_id: str
    split: str
    image_id: str
    modality: str
    image_uri: str
    image_sha256: str
    plane: str
    slice_index: int
    geometry: SliceGeometry
    label_id: int | None
    label: str
    component: int | None
    name: str
    metric_kind: str
    metric_key: str
    unit: str
    truth: tuple[float, ...]
    box_px: tuple[float, ...]
    points: tuple[Point, ...]
    description: str = ""
    spacing_from: str = ""
    min_px: int | None = None
    view: View = View.RADIOLOGICAL
    ct_window: bool = True
    crop_px: tuple[int, ...] = ()

    def _repr_html_(self) -> str:
        # How a sample is drawn is decided by a later stage, which is asked for by name: a notebook
        # shows whatever object it is given, and this stage must not depend on that one.
        drawn: str = import_module("medvision.analysis.notebook").sample_html(self)
        return drawn


_ARROW_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    Task: pa.string(),
    View: pa.string(),
    int: pa.int32(),
    float: pa.float64(),
    bool: pa.bool_(),
    Point: POINT_TYPE,
}


def _columns(record: type) -> list[tuple[str, pa.DataType]]:
    """A column for each field of a dataclass; those of a geometry stand in its place."""
    columns: list[tuple[str, pa.DataType]] = []
    for name, hint in get_type_hints(record).items():
        kinds = [kind for kind in get_args(hint) if kind not in (NoneType, Ellipsis)] or [hint]
        if kinds[0] is SliceGeometry:
            columns += _columns(SliceGeometry)
        elif Ellipsis in get_args(hint):
            columns.append((name, pa.list_(_ARROW_TYPES[kinds[0]])))
        else:
            columns.append((name, _ARROW_TYPES[kinds[0]]))
    return columns


SAMPLE_SCHEMA = pa.schema(_columns(Sample))
"""Columns of a run's frozen `samples.parquet`: the fields of `Sample`, in their order."""

GEOMETRY_COLUMNS = tuple(entry.name for entry in fields(SliceGeometry))
"""The columns that make a sample's `geometry`."""


_FIELDS = tuple(entry.name for entry in fields(Sample))
_GEOMETRY_OF_ROW = itemgetter(*GEOMETRY_COLUMNS)


# Long lists are of few sizes.
@lru_cache(maxsize=4096)
def known_geometry(
    height_px: int, width_px: int, spacing_y_mm: float, spacing_x_mm: float
) -> SliceGeometry:
    """The geometry of a row's `GEOMETRY_COLUMNS`, made once for all rows of one size."""
    return SliceGeometry(
        height_px=height_px,
        width_px=width_px,
        spacing_y_mm=spacing_y_mm,
        spacing_x_mm=spacing_x_mm,
    )


def sample_table(samples: Iterable[Sample]) -> pa.Table:
    """Samples as a table with columns as in `SAMPLE_SCHEMA`."""
    rows = [asdict(sample) for sample in samples]
    return pa.Table.from_pylist([row | row["geometry"] for row in rows], SAMPLE_SCHEMA)


def samples_from_table(table: pa.Table) -> list[Sample]:
    """The samples of a table, in its order; columns beside `SAMPLE_SCHEMA` are left out."""
    return list(each_sample(table))


def each_sample(table: pa.Table) -> Iterator[Sample]:
    """The samples of a table, made when it is their turn: a long table is never all objects."""
    known = table.select([name for name in SAMPLE_SCHEMA.names if name in table.column_names])
    names = known.column_names
    for start in range(0, known.num_rows, _ROWS_AT_A_TIME):
        # Column by column: Arrow takes twice as long to make rows.
        columns = (column.to_pylist() for column in known.slice(start, _ROWS_AT_A_TIME).columns)
        for values in zip(*columns, strict=True):
            yield sample_from_row(dict(zip(names, values, strict=True)))


def sample_from_row(row: Mapping[str, Any]) -> Sample:
    """The sample of one row of such a table; what else the row holds is left out."""
    values: dict[str, Any] = {name: row.get(name) for name in _FIELDS}
    values["task"] = Task(row["task"])
    values["view"] = View(row.get("view") or View.RADIOLOGICAL)  # older lists have no such column
    values["ct_window"] = row.get("ct_window") is not False
    values["geometry"] = known_geometry(*_GEOMETRY_OF_ROW(row))
    values["truth"] = tuple(row["truth"])
    values["box_px"] = tuple(row["box_px"] or ())
    values["crop_px"] = tuple(row.get("crop_px") or ())
    values["points"] = tuple(Point(**point) for point in row["points"] or ())
    return Sample(**values)
