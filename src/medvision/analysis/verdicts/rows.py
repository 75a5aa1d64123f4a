"""Score rows of one run, task and unit, as arrays that analyses work on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.analysis.run_scores import RunScores
from medvision.scoring.alignment import ERROR
from medvision.scoring.columns import IndexArray, NumberLists, one_chunk
from medvision.scoring.grouping import grouped
from medvision.scoring.metrics import FloatArray
from medvision.scoring.subject_sums import SUBJECT_COLUMNS
from medvision.tasks import TASKS, Task

ZERO_FILLED = frozenset({"iou", "exact"})
"""Measures that an unread answer has at their worst, 0; an error of an unread answer is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRows:
    """Questions of one task and unit that the model was asked and that came back.

    Attributes:
        run: Whose rows they are.
        task: Asked for.
        unit: Of the answers.
        table: The score rows; errors of the harness are left out.
        subject: (n,) code of each row's subject.
        quality: (n,) the headline measure, larger is better: an error is negative. NaN where the
            answer was not read and the measure has no worst value.
    """

    run: RunScores
    task: Task
    unit: str
    table: pa.Table
    subject: IndexArray
    quality: FloatArray

    @property
    def name(self) -> str:
        """The task, with the unit where the task has several."""
        return f"{self.task} ({self.unit})" if len(TASKS[self.task].units) > 1 else str(self.task)

    @property
    def is_parsed(self) -> np.ndarray:
        """(n,) whether the answer was read."""
        return np.asarray(pc.equal(self.table["status"], "ok").to_numpy())

    @property
    def n_values(self) -> int:
        """How many numbers an answer has."""
        return TASKS[self.task].n_values

    def text(self, name: str) -> np.ndarray:
        """(n,) a column of words; "" where null."""
        return np.array(pc.fill_null(self.table[name].cast(pa.string()), "").to_pylist(), object)

    def numbers(self, name: str) -> FloatArray:
        """(n,) a column of numbers; NaN where null."""
        return np.asarray(self.table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)

    def truth(self) -> FloatArray:
        """(n, values) true numbers."""
        return NumberLists.of(self.table["truth"]).matrix(np.arange(len(self)), self.n_values)

    def answers(self) -> FloatArray:
        """(n, values) numbers answered; NaN where none was read."""
        found = np.full((len(self), self.n_values), np.nan)
        rows = np.flatnonzero(self.is_parsed)
        found[rows] = NumberLists.of(self.table["values"]).matrix(rows, self.n_values)
        return found

    def where(self, rows: np.ndarray) -> "TaskRows":
        """Some of the rows, by a mask or by their places."""
        places = np.flatnonzero(rows) if rows.dtype == bool else rows
        return TaskRows(
            run=self.run,
            task=self.task,
            unit=self.unit,
            table=self.table.take(pa.array(places)),
            subject=self.subject[places],
            quality=self.quality[places],
        )

    def __len__(self) -> int:
        return int(self.table.num_rows)


def each_task(runs: Iterable[RunScores]) -> Iterator[TaskRows]:
    """The rows of several runs, run by run and task by task."""
    for run in runs:
        yield from task_rows(run)


def reply_texts(run: RunScores) -> dict[tuple[str, int], str]:
    """Replies by sample id and repeat; "" where none came."""
    names = ("sample_id", "repeat", "text")
    columns = (run.replies[name].to_pylist() for name in names)
    return {(name, repeat): text or "" for name, repeat, text in zip(*columns, strict=True)}


def task_rows(run: RunScores) -> list[TaskRows]:
    """The rows of a run, by task and unit, in the order of the tasks."""
    kept = run.scores.filter(pc.not_equal(run.scores["status"], ERROR))
    subjects = grouped(kept, SUBJECT_COLUMNS).code
    tasks, units = (one_chunk(kept[name]) for name in ("task", "unit"))
    found = []
    for task, record in TASKS.items():
        for unit in record.units:
            is_in = pc.and_(pc.equal(tasks, str(task)), pc.equal(units, unit)).to_numpy(
                zero_copy_only=False
            )
            if is_in.any():
                table = kept.filter(pa.array(is_in))
                found.append(
                    TaskRows(
                        run=run,
                        task=task,
                        unit=unit,
                        table=table,
                        subject=subjects[is_in],
                        quality=measured_quality(table, task),
                    )
                )
    return found


def measured_quality(table: pa.Table, task: Task) -> FloatArray:
    """(n,) the headline measure of score rows as `TaskRows.quality` has it."""
    column = TASKS[task].headline_column
    measured = np.asarray(table[column].cast(pa.float64()).to_numpy(), dtype=np.float64)
    if column in ZERO_FILLED:
        return np.nan_to_num(measured, nan=0.0)
    return -measured


def paired(first: TaskRows, second: TaskRows) -> tuple[TaskRows, TaskRows]:
    """The rows of two runs that ask the same question the same time, in the same order."""
    places = places_in(second, first)
    is_shared = places >= 0
    return first.where(is_shared), second.where(places[is_shared])


def places_in(rows: TaskRows, asked: TaskRows) -> IndexArray:
    """(n asked,) the row that asks the same question the same time as each of `asked`; else -1."""
    ids = pc.unique(asked.table["sample_id"])
    n_repeats = 1 + max(int(pc.max(one.table["repeat"]).as_py() or 0) for one in (asked, rows))
    own, theirs = (
        np.asarray(pc.fill_null(pc.index_in(one.table["sample_id"], value_set=ids), -1), np.int64)
        * n_repeats
        + np.asarray(one.table["repeat"], np.int64)
        for one in (asked, rows)
    )
    place = np.full(len(ids) * n_repeats, -1, dtype=np.int64)
    is_known = theirs >= 0
    place[theirs[is_known]] = np.flatnonzero(is_known)
    return place[own]
