"""All answers of a run scored at once: the table behind `scores.parquet`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.catalog import is_tumor_lesion
from medvision.catalog.anatomy import averaging_group
from medvision.replies import AnswerStatus
from medvision.samples import SAMPLE_SCHEMA
from medvision.scoring.alignment import (
    ANSWER_SCHEMA,
    ERROR,
    RESPONSE_OK,
    aligned,
    require_columns,
)
from medvision.scoring.columns import IndexArray, NumberLists, one_chunk
from medvision.scoring.errors import InvalidAnswerError, InvalidTruthError
from medvision.scoring.metrics import (
    METRICS,
    BoolArray,
    FloatArray,
    answer_rule,
    image_diagonal_mm,
    is_valid_answer,
    is_valid_truth,
    measures,
    truth_rule,
)
from medvision.table.schema import fact_columns, with_facts
from medvision.tasks import TASKS, Task, known_task

__all__ = ["ANSWER_SCHEMA", "SCORE_SCHEMA", "SIZE_BINS", "effective_status", "score_table"]

REAL, TEXT = pa.float64(), pa.string()
NUMBERS = pa.list_(REAL)

CARRIED_COLUMNS = (
    "sample_id",
    "task",
    "dataset",
    "cohort",
    "case_id",
    "subject_id",
    "split",
    "image_id",
    "modality",
    "plane",
    "slice_index",
    "height_px",
    "width_px",
    "spacing_y_mm",
    "spacing_x_mm",
    "label_id",
    "label",
    "component",
    "name",
    "metric_kind",
    "metric_key",
    "unit",
    "truth",
)
"""Columns of the samples that score rows repeat."""

_READ_SCHEMA = pa.schema([SAMPLE_SCHEMA.field(name) for name in [*CARRIED_COLUMNS, "box_px"]])

RECOVERED_METRICS = ("iou", "absolute_error", "relative_error")

SCORE_SCHEMA = pa.schema(
    [
        ("sample_id", TEXT),
        ("repeat", pa.int32()),
        *[SAMPLE_SCHEMA.field(name) for name in CARRIED_COLUMNS if name != "sample_id"],
        ("anatomy_group", TEXT),
        ("is_tumor_lesion", pa.bool_()),
        ("box_to_image_frac", REAL),
        ("size_bin", TEXT),
        ("response_status", TEXT),
        ("status", TEXT),
        ("values", NUMBERS),
        ("recovered_status", TEXT),
        ("recovered_values", NUMBERS),
        *[(name, REAL) for name in METRICS],
        ("absolute_errors", NUMBERS),
        ("nmae_frac", REAL),
        *[(f"{name}_recovered", REAL) for name in RECOVERED_METRICS],
    ]
)
"""Columns of `scores.parquet`: one row per sample and repeat; null where undefined or not scored.

`anatomy_group` and `is_tumor_lesion` are null without a label, `box_to_image_frac` (box area /
image area) and `size_bin` without a box, `nmae_frac` (absolute error / image diagonal) unless the
unit is mm.
"""

SIZE_BINS = ("<5%", "5-10%", ">10%")
"""Names of the box-to-image bins [0, .05), [.05, .10), [.10, 1]."""

SIZE_BIN_EDGES_FRAC = (0.05, 0.10)


def score_table(samples: pa.Table, answers: pa.Table) -> pa.Table:
    """Score every answer of a run.

    Args:
        samples: `medvision.samples.SAMPLE_SCHEMA`, each sample once; of further columns those that
            say more of subjects are repeated in the scores.
        answers: `ANSWER_SCHEMA`, each sample and repeat at most once, in any order.

    Returns:
        `SCORE_SCHEMA`: a row for each sample and repeat, in the order of the samples. A sample
        without an answer is an error of the harness; errors have no values and no metric.

    Raises:
        ScoreInputError: The tables lack columns, repeat a row or do not belong together.
        InvalidTruthError: A truth is not valid, see `score`.
        InvalidAnswerError: Values of an ok answer are not complete.
    """
    require_columns(samples, _READ_SCHEMA.names, "samples")
    require_columns(answers, ANSWER_SCHEMA.names, "answers")
    read = with_facts(_READ_SCHEMA, samples.column_names)
    samples, answers = aligned(samples.select(read.names).cast(read), answers)
    truth = _Truth.of(samples)
    strict = _reading(truth, answers, "")
    recovered = _reading(truth, answers, "recovered_")
    columns = {
        **{name: samples[name] for name in (*CARRIED_COLUMNS, *fact_columns(read.names))},
        "repeat": answers["repeat"],
        "response_status": answers["response_status"],
        **_label_columns(samples),
        **_size_columns(samples),
        "status": strict.status,
        "values": strict.values,
        "recovered_status": recovered.status,
        "recovered_values": recovered.values,
        **{name: _nullable(strict.metrics[name]) for name in METRICS},
        "absolute_errors": strict.absolute_errors,
        "nmae_frac": _nullable(_nmae_frac(samples, strict.metrics["absolute_error"])),
        **{f"{name}_recovered": _nullable(recovered.metrics[name]) for name in RECOVERED_METRICS},
    }
    schema = with_facts(SCORE_SCHEMA, read.names)
    return pa.table([columns[name] for name in schema.names], schema=schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Truth:
    """Valid truths, and the rows of each task."""

    rows_of_task: dict[Task, IndexArray]
    lists: NumberLists
    sample_ids: pa.ChunkedArray

    @classmethod
    def of(cls, samples: pa.Table) -> "_Truth":
        encoded = one_chunk(samples["task"]).dictionary_encode()
        tasks = [known_task(name) for name in encoded.dictionary.to_pylist()]
        codes = encoded.indices.to_numpy()
        truth = cls(
            rows_of_task={task: np.flatnonzero(codes == at) for at, task in enumerate(tasks)},
            lists=NumberLists.of(samples["truth"]),
            sample_ids=samples["sample_id"],
        )
        for task, rows in truth.rows_of_task.items():
            truth.refuse_invalid(task, rows)
        return truth

    def refuse_invalid(self, task: Task, rows: IndexArray) -> None:
        valid = self.lists.may_be_of(task, rows)
        if valid.all():
            valid = is_valid_truth(task, self.lists.of_task(task, rows))
        if not valid.all():
            fault = _fault(self.sample_ids, self.lists, rows[~valid], truth_rule(task))
            msg = f"truth of {fault}"
            raise InvalidTruthError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One reading of every reply, scored: effective status, values, metrics."""

    status: pa.Array
    values: pa.Array
    metrics: dict[str, FloatArray]
    absolute_errors: pa.Array


def _reading(truth: _Truth, answers: pa.Table, prefix: str) -> _Reading:
    response = one_chunk(answers["response_status"])
    status = effective_status(response, one_chunk(answers[f"{prefix}status"]))
    ok = pc.equal(status, AnswerStatus.OK).to_numpy(zero_copy_only=False)
    lists = NumberLists.of(answers[f"{prefix}values"])
    metrics = {name: np.full(len(ok), np.nan) for name in METRICS}
    errors = np.full((len(ok), 2), np.nan)
    for task, of_task in truth.rows_of_task.items():
        rows = of_task[ok[of_task]]
        values = _valid_values(truth, task, rows, lists)
        measured = measures(task, truth.lists.of_task(task, rows), values)
        for name in METRICS:
            metrics[name][rows] = getattr(measured, name)
        errors[rows, : measured.absolute_errors.shape[1]] = measured.absolute_errors
    n_errors = np.sum(~np.isnan(errors), axis=1)
    return _Reading(
        status=status,
        values=_lists(lists.flat, lists.start, np.where(ok, lists.length, 0), null=None),
        metrics=metrics,
        absolute_errors=_lists(
            errors.ravel(), np.arange(len(errors)) * 2, n_errors, null=n_errors == 0
        ),
    )


def effective_status(response_status: pa.Array, status: pa.Array) -> pa.Array:
    """Status of a score row: "error", else "ok", else refused or truncated as the response says.

    A complete answer wins over a length stop; without one, what the server said is the reason.

    Raises:
        InvalidAnswerError: A reply that came has no status.
    """
    failed = pc.equal(response_status, ERROR)
    unread = pc.and_(pc.invert(failed), pc.is_null(status))
    if pc.any(unread).as_py():
        msg = f"expected a status for each reply, found none for {pc.sum(unread).as_py()}"
        raise InvalidAnswerError(msg)
    read = pc.equal(pc.fill_null(status, ""), AnswerStatus.OK)
    stopped = pc.and_not(pc.not_equal(response_status, RESPONSE_OK), read)
    return pc.if_else(pc.or_(failed, stopped), response_status, status)


def _valid_values(truth: _Truth, task: Task, rows: IndexArray, lists: NumberLists) -> FloatArray:
    valid = lists.may_be_of(task, rows)
    if valid.all():
        values = lists.of_task(task, rows)
        valid = is_valid_answer(task, values)
        if valid.all():
            return values
    fault = _fault(truth.sample_ids, lists, rows[~valid], answer_rule(task))
    msg = f"ok answer to {fault}"
    raise InvalidAnswerError(msg)


def _fault(ids: pa.ChunkedArray, lists: NumberLists, rows: IndexArray, rule: str) -> str:
    row = int(rows[0])
    found = lists.flat[lists.start[row] : lists.start[row] + lists.length[row]].tolist()
    more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    return f"{ids[row].as_py()}{more}: expected {rule}; found {found}"


def _lists(
    flat: FloatArray, start: IndexArray, length: IndexArray, *, null: BoolArray | None
) -> pa.Array:
    """List column of the stretches start … start + length of `flat`."""
    ends = np.cumsum(length)
    shift = np.repeat(start - (ends - length), length)
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    mask = None if null is None else pa.array(null)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(flat[np.arange(len(shift)) + shift]), mask=mask
    )


def _nullable(column: FloatArray) -> pa.Array:
    return pa.array(column, mask=np.isnan(column))


def _label_columns(samples: pa.Table) -> dict[str, pa.Array]:
    """Anatomy group and kind of each label; null for a measurement without a label."""
    encoded = one_chunk(samples["label"]).dictionary_encode()
    labels = encoded.dictionary.to_pylist()
    groups = [averaging_group(label) if label else None for label in labels]
    kinds = [None if group is None else is_tumor_lesion(group) for group in groups]
    return {
        "anatomy_group": pa.array(groups, type=TEXT).take(encoded.indices),
        "is_tumor_lesion": pa.array(kinds, type=pa.bool_()).take(encoded.indices),
    }


def _size_columns(samples: pa.Table) -> dict[str, pa.Array]:
    """Box area as a share of the image, and its bin; null without a box."""
    boxes = NumberLists.of(samples["box_px"])
    rows = np.flatnonzero(boxes.length == TASKS[Task.DETECTION].n_values)
    box = boxes.matrix(rows, TASKS[Task.DETECTION].n_values)
    image_px2 = np.multiply(*_numbers(samples, ("height_px", "width_px")))
    frac = np.full(samples.num_rows, np.nan)
    frac[rows] = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) / image_px2[rows]
    bins = np.searchsorted(SIZE_BIN_EDGES_FRAC, frac, side="right")
    size_bin = pa.array(SIZE_BINS, type=TEXT).take(pa.array(bins, mask=np.isnan(frac)))
    return {"box_to_image_frac": _nullable(frac), "size_bin": size_bin}


def _nmae_frac(samples: pa.Table, absolute_error: FloatArray) -> FloatArray:
    """Absolute error as a share of the image's physical diagonal; NaN unless the unit is mm."""
    names = ("height_px", "width_px", "spacing_y_mm", "spacing_x_mm")
    height_px, width_px, spacing_y_mm, spacing_x_mm = _numbers(samples, names)
    diagonal = image_diagonal_mm(
        height_px=height_px,
        width_px=width_px,
        spacing_y_mm=spacing_y_mm,
        spacing_x_mm=spacing_x_mm,
    )
    is_length = pc.equal(samples["unit"], "mm").to_numpy()
    return np.where(is_length, absolute_error / diagonal, np.nan)


def _numbers(samples: pa.Table, names: Sequence[str]) -> list[FloatArray]:
    return [samples[name].to_numpy().astype(np.float64) for name in names]
