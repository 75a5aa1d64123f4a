"""A sample: one question about one slice, with the answer a perfect measurer would state."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from medvision.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A named point on a slice, pixel centres, top-left origin."""

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
        label_id: Of the structure asked for; None for angle and distance.
        name: The structure or measurement asked for, as the prompt names it.
        metric_kind: "distance", "angle" (acute, between lines) or "vertex_angle" (at the landmark
            that two lines share) for angle and distance, else "".
        metric_key: Key of the measurement in its biometrics file, else "".
        unit: Of `truth`: "relative", "mm", "deg" or "mm2".
        truth: detection: relative lower-left x0, y0, x1, y1 of the slice; tl: major, minor;
            ad, area: one number.
        box_px: Half-open pixel box x0, y0, x1, y1 on the slice (area: around all components);
            () for angle and distance.
        points: tl: end points major 0, major 1, minor 0, minor 1; ad: the measurement's points,
            two for each line; else ().
        description: What the image is, as prompts say it, such as "abdominal CT scan".
        spacing_from: Which part of a contradictory header the tables were told to trust, or "".
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
    height_px: int
    width_px: int
    spacing_y_mm: float
    spacing_x_mm: float
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


POINT_TYPE = pa.struct(
    [("key", pa.string()), ("name", pa.string()), ("x_px", pa.float64()), ("y_px", pa.float64())]
)
"""Arrow type of a `Point`."""

SAMPLE_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("task", pa.string()),
        ("dataset", pa.string()),
        ("cohort", pa.string()),
        ("case_id", pa.string()),
        ("subject_id", pa.string()),
        ("split", pa.string()),
        ("image_id", pa.string()),
        ("modality", pa.string()),
        ("image_uri", pa.string()),
        ("image_sha256", pa.string()),
        ("plane", pa.string()),
        ("slice_index", pa.int32()),
        ("height_px", pa.int32()),
        ("width_px", pa.int32()),
        ("spacing_y_mm", pa.float64()),
        ("spacing_x_mm", pa.float64()),
        ("label_id", pa.int32()),
        ("label", pa.string()),
        ("component", pa.int32()),
        ("name", pa.string()),
        ("metric_kind", pa.string()),
        ("metric_key", pa.string()),
        ("unit", pa.string()),
        ("truth", pa.list_(pa.float64())),
        ("box_px", pa.list_(pa.float64())),
        ("points", pa.list_(POINT_TYPE)),
        ("description", pa.string()),
        ("spacing_from", pa.string()),
    ]
)
"""Columns of a run's frozen `samples.parquet`, in the order of `Sample`'s fields."""


def sample_table(samples: Iterable[Sample]) -> pa.Table:
    """Samples as a table with columns as in `SAMPLE_SCHEMA`."""
    return pa.Table.from_pylist([asdict(sample) for sample in samples], SAMPLE_SCHEMA)


def samples_from_table(table: pa.Table) -> list[Sample]:
    """The samples of a table, in its order; columns beside `SAMPLE_SCHEMA` are left out."""
    return [sample_from_row(row) for row in table.select(SAMPLE_SCHEMA.names).to_pylist()]


def sample_from_row(row: Mapping[str, Any]) -> Sample:
    """The sample of one row of such a table; what else the row holds is left out."""
    values: dict[str, Any] = {name: row.get(name) for name in SAMPLE_SCHEMA.names}
    values["task"] = Task(row["task"])
    values["truth"] = tuple(row["truth"])
    values["box_px"] = tuple(row["box_px"] or ())
    values["points"] = tuple(Point(**point) for point in row["points"] or ())
    return Sample(**values)
