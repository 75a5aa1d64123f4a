"""The score of one answer."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.replies import Answer, AnswerStatus
from medvision.scoring.errors import InvalidAnswerError, InvalidTruthError
from medvision.scoring.metrics import (
    METRICS,
    FloatArray,
    answer_rule,
    is_valid_answer,
    is_valid_truth,
    measures,
    truth_rule,
)
from medvision.tasks import TASKS, Task, known_task


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """Score of one answer; None where a metric is undefined for the task, truth or status.

    Attributes:
        status: Of the answer; every metric is None unless it is "ok".
        iou: Intersection / union of the boxes, 0 to 1, like the three below; detection only.
        precision: Intersection / area of the answered box.
        recall: Intersection / area of the true box.
        f1: 2 · intersection / sum of both areas.
        absolute_error: Mean over the values of |answer − truth|, in the task's unit; not for
            detection.
        relative_error: Mean over the values of |answer − truth| / truth; None for an angle or
            distance under 0.1 and for a truth of 0.
        exact: 1.0 where a whole number is the truth, else 0.0; counts only.
        absolute_errors: |answer − truth| of each value; () for detection and unless ok.
    """

    status: str
    iou: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    absolute_error: float | None = None
    relative_error: float | None = None
    exact: float | None = None
    absolute_errors: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The row for JSON."""
        return asdict(self)


def score(task: Task | str, truth: npt.ArrayLike, answer: Answer) -> ScoreRow:
    """Score one answer against its truth.

    Args:
        task: A name out of `Task`.
        truth: The numbers a perfect answer states, in the order and frame of `answer.values`:
            relative lower-left x0, y0, x1, y1; major, minor mm; one angle, distance or area.
            A bare number will do for ad, area and count.
        answer: As read from the reply.

    Raises:
        UnknownTaskError: There is no such task.
        InvalidTruthError: The truth has the wrong number of values, a value that is not finite, or
            a box without area or outside [0, 1]; or a negative length, angle or area.
        InvalidAnswerError: The status is ok but the values are no complete answer of the task.

    Example:
        >>> row = score("ad", 40.0, Answer(status=AnswerStatus.OK, values=(30.0,)))
        >>> row.absolute_error, row.relative_error
        (10.0, 0.25)
    """
    task = known_task(task)
    n_values = TASKS[task].n_values
    truth_row = _row(truth, accepts_number=n_values == 1)
    if (
        truth_row is None
        or not TASKS[task].has_length(truth_row.shape[1])
        or not is_valid_truth(task, truth_row)[0]
    ):
        msg = f"truth of task {task}: expected {truth_rule(task)}; found {truth!r}"
        raise InvalidTruthError(msg)
    status = str(answer.status)
    if status != AnswerStatus.OK:
        return ScoreRow(status=status)
    row = _row(answer.values, accepts_number=False)
    if row is None or not TASKS[task].has_length(row.shape[1]) or not is_valid_answer(task, row)[0]:
        msg = f"ok answer of task {task}: expected {answer_rule(task)}; found {answer.values!r}"
        raise InvalidAnswerError(msg)
    measured = measures(task, truth_row, row)
    numbers = {name: float(getattr(measured, name)[0]) for name in METRICS}
    return ScoreRow(
        status=status,
        **{name: None if np.isnan(value) else value for name, value in numbers.items()},
        absolute_errors=tuple(measured.absolute_errors[0].tolist()),
    )


def _row(numbers: npt.ArrayLike, *, accepts_number: bool) -> FloatArray | None:
    """Numbers as (1, n); None where they are not a flat list of numbers."""
    try:
        array = np.asarray(numbers, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if array.ndim == 1 or (array.ndim == 0 and accepts_number):
        return array.reshape(1, -1)
    return None
