"""Process scores: where a chain of thought goes wrong, step by step.

Lengths, distances and angles are reached in three steps: points are located, their differences
turned into mm, and the result computed. Each step is measured against what the step before it
states, so that an early slip is counted once; the first against the truth.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from medvision.frames import relative_from_point_px
from medvision.pictures.perceived import point_on_slice_from_sent
from medvision.pictures.view import PictureFamily, SliceView
from medvision.replies.steps import read_steps, stated_points
from medvision.samples import Sample
from medvision.samples.crops import as_shown
from medvision.scoring.metrics import FloatArray
from medvision.tasks import MetricKind, Task

PROCESS_TASKS = frozenset({Task.TUMOR_LESION, Task.ANGLE_DISTANCE})
"""Tasks whose answer follows from points by computing."""

HIT_MM = 5.0
"""A point this near to the true one is a hit."""

PROCESS_METRICS = (
    "point_error_mm",
    "points_within_5_mm_frac",
    "points_relative_error",
    "conversion_relative_error",
    "result_relative_error",
    "answer_relative_error",
)

PROCESS_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("repeat", pa.int32()),
        ("task", pa.string()),
        ("unit", pa.string()),
        ("n_steps", pa.int32()),
        *((name, pa.float64()) for name in PROCESS_METRICS),
    ]
)
"""Columns of `process.parquet`: one row per reply to a question of `PROCESS_TASKS`; null where a
reply does not state the step, or the one before it.

`n_steps`: steps in tags. `point_error_mm`: mean distance of the points from the true ones.
`points_relative_error`: error of what the points give. `conversion_…`: of the differences in mm
against those of the points. `result_…`: of the last step against what these differences give.
`answer_…`: of the answer against the last step, or else against what the points give.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What one reply's steps state and how far off they are; None where not stated.

    Attributes:
        n_steps: Steps in tags.
        implied: What follows from the points, in the answer's order and unit.
        distances_mm: Of each point from the true one; () without points.
        conversion_error: As a share of each line's length, the mean.
        result: What the last step states.
        result_error: As a share of what the step before gives, the mean.
    """

    n_steps: int
    implied: tuple[float, ...] | None = None
    distances_mm: tuple[float, ...] = ()
    conversion_error: float | None = None
    result: tuple[float, ...] | None = None
    result_error: float | None = None


def process_of(sample: Sample, text: str, view: SliceView) -> Process:
    """The steps of one reply.

    Args:
        sample: Of `PROCESS_TASKS`, with points.
        text: The reply.
        view: What the model saw of the slice.
    """
    steps = read_steps(text)
    named = list(dict.fromkeys((point.key, point.name) for point in sample.points))
    located = stated_points(text, len(named)) if named else None
    implied: tuple[float, ...] | None = None
    distances: tuple[float, ...] = ()
    vectors: FloatArray | None = None
    if located is not None:
        on = sample.geometry
        size_mm = np.array([on.width_px * on.spacing_x_mm, on.height_px * on.spacing_y_mm])
        on_slice = point_on_slice_from_sent(np.reshape(located, (-1, 2)), view.perceived)
        places = [named.index((point.key, point.name)) for point in sample.points]
        said_mm = on_slice[places] * size_mm
        true_px = [(point.x_px, point.y_px) for point in sample.points]
        true_mm = relative_from_point_px(true_px, on.height_px, on.width_px) * size_mm
        vectors = _vectors(sample, said_mm)
        implied, distances = _values(sample, vectors), _distances_mm(sample, said_mm, true_mm)
    n_lines, n_values = len(sample.points) // 2, len(sample.truth)
    converted = _step(steps.get(2), 2 * n_lines)
    result = _step(steps.get(3), n_values)
    conversion_error = result_error = None
    if converted is not None and n_lines:
        differences = np.reshape(converted, (-1, 2))
        if vectors is not None:
            # The sign of a difference is only a matter of which end comes first.
            off = np.linalg.norm(np.abs(differences) - np.abs(vectors), axis=1)
            conversion_error = _mean(off / np.maximum(np.linalg.norm(vectors, axis=1), _LEAST))
        if result is not None:
            result_error = relative_off(result, _values(sample, differences))
    return Process(
        n_steps=len(steps),
        implied=implied,
        distances_mm=distances,
        conversion_error=conversion_error,
        result=result,
        result_error=result_error,
    )


_LEAST = 1e-9


def relative_off(values: Sequence[float], reference: Sequence[float]) -> float:
    """Mean over the values of |value − reference| / reference.

    Example:
        >>> relative_off((11.0, 5.0), (10.0, 5.0))
        0.05
    """
    wanted = np.asarray(reference, dtype=np.float64)
    return _mean(np.abs(np.asarray(values) - wanted) / np.maximum(np.abs(wanted), _LEAST))


def process_scores(
    samples: Iterable[Sample],
    replies: Iterable[tuple[str, int, str]],
    answers: dict[tuple[str, int], tuple[float, ...]],
    family: PictureFamily,
) -> pa.Table:
    """Process scores of replies.

    Args:
        samples: Of the run.
        replies: (sample_id, repeat, text), in any order; those to other tasks are left out.
        answers: The answer as read, where one was.
        family: How the model saw the pictures.

    Returns:
        `PROCESS_SCHEMA`, in the order of the replies.
    """
    asked = {one.sample_id: as_shown(one) for one in samples if one.task in PROCESS_TASKS}
    rows = []
    for sample_id, repeat, text in replies:
        if sample_id not in asked:
            continue
        sample = asked[sample_id]
        found = process_of(sample, text, family.view(sample.geometry))
        answer = answers.get((sample_id, repeat))
        before = found.result if found.result is not None else found.implied
        distances = np.array(found.distances_mm)
        rows.append(
            {
                "sample_id": sample_id,
                "repeat": repeat,
                "task": str(sample.task),
                "unit": sample.unit,
                "n_steps": found.n_steps,
                "point_error_mm": _mean(distances) if len(distances) else None,
                "points_within_5_mm_frac": _mean(distances <= HIT_MM) if len(distances) else None,
                "points_relative_error": found.implied
                and relative_off(found.implied, sample.truth),
                "conversion_relative_error": found.conversion_error,
                "result_relative_error": found.result_error,
                "answer_relative_error": answer and before and relative_off(answer, before),
            }
        )
    return pa.Table.from_pylist(rows, PROCESS_SCHEMA)


def _step(numbers: tuple[float, ...] | None, n_wanted: int) -> tuple[float, ...] | None:
    return numbers if numbers is not None and len(numbers) == n_wanted else None


def _mean(numbers: FloatArray | np.ndarray) -> float:
    return float(np.mean(numbers))


def _vectors(sample: Sample, points_mm: FloatArray) -> FloatArray:
    """(lines, 2) displacements of points, two a line; from the landmark that lines share."""
    lines = points_mm.reshape(-1, 2, 2)
    vectors = lines[:, 1] - lines[:, 0]
    if sample.metric_kind == MetricKind.VERTEX_ANGLE:
        keys = [point.key for point in sample.points]
        shared = next((a, b) for a in (0, 1) for b in (0, 1) if keys[a] == keys[2 + b])
        vectors = vectors * (1 - 2 * np.array(shared))[:, None]
    return np.asarray(vectors)


def _values(sample: Sample, vectors: FloatArray) -> tuple[float, ...]:
    """The answer that displacements give; an angle with a line of no length is 0."""
    if sample.metric_kind in (MetricKind.ANGLE, MetricKind.VERTEX_ANGLE):
        (ax, ay), (bx, by) = vectors.tolist()
        cross, dot = abs(ax * by - ay * bx), ax * bx + ay * by
        along = dot if sample.metric_kind == MetricKind.VERTEX_ANGLE else abs(dot)
        return (math.degrees(math.atan2(cross, along)),)
    return tuple(np.hypot(*vectors.T).tolist())


def _distances_mm(sample: Sample, said: FloatArray, true: FloatArray) -> tuple[float, ...]:
    """Of each stated point from the true one; the two ends of an axis have no order."""
    if sample.task is not Task.TUMOR_LESION:
        return tuple(np.hypot(*(said - true).T).tolist())
    found: list[float] = []
    for line, other in zip(said.reshape(-1, 2, 2), true.reshape(-1, 2, 2), strict=True):
        orders = [np.hypot(*(line - ends).T) for ends in (other, other[::-1])]
        found += min(orders, key=lambda one: float(one.sum())).tolist()
    return tuple(found)
