"""Score rows of one run, task and unit, as arrays that analyses work on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.analysis.run_scores import RunScores
from medvision.analysis.verdicts.verdict import task_name
from medvision.scoring.alignment import ERROR
from medvision.scoring.columns import IndexArray, NumberLists
from medvision.scoring.grouping import grouped
from medvision.scoring.metrics import FloatArray, measures
from medvision.scoring.subject_sums import SUBJECT_COLUMNS
from medvision.tasks import TASKS, Task

ZERO_FILLED = frozenset({"iou", "exact", "f1"})
"""Measures that an unread answer has at their worst, 0; an error of an unread answer is unknown."""

QUESTION = ("sample_id", "repeat")
"""Columns that tell rows of a run apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRows:
    """Questions of one task and unit that the model was asked and that came back.

    Attributes:
        run: Whose rows they are.
        task: Asked for.
        unit: Of the answers.
        places: (n,) their rows of the run's scores, of which columns are taken when they are asked
            for; errors of the harness are left out.
        subject: (n,) code of each row's subject.
        quality: (n,) the headline measure, larger is better: an error is negative. NaN where the
            answer was not read and the measure has no worst value.
    """

    run: RunScores
    task: Task
    unit: str
    places: IndexArray
    subject: IndexArray
    quality: FloatArray

    @property
    def name(self) -> str:
        """The task as its verdicts name it."""
        return task_name(self.task, self.unit)

    @property
    def is_parsed(self) -> np.ndarray:
        """(n,) whether the answer was read."""
        return np.asarray(pc.equal(self.column("status"), "ok").to_numpy())

    @property
    def n_values(self) -> int:
        """How many numbers an answer has."""
        return TASKS[self.task].n_values

    def column(self, name: str) -> pa.ChunkedArray:
        """(n,) a column of the scores."""
        return self.run.scores[name].take(pa.array(self.places))

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Several columns of the scores."""
        return pa.table({name: self.column(name) for name in names})

    def kinds(self, name: str) -> "Kinds":
        """A column of words as codes; "" where null."""
        return kinds_of(self.column(name))

    def text(self, name: str) -> np.ndarray:
        """(n,) a column of words; "" where null."""
        kinds = self.kinds(name)
        return np.array(kinds.words, object)[kinds.code]

    def numbers(self, name: str) -> FloatArray:
        """(n,) a column of numbers; NaN where null."""
        return np.asarray(self.column(name).cast(pa.float64()).to_numpy(), dtype=np.float64)

    def truth(self) -> FloatArray:
        """(n, values) true numbers; lists end in NaN where others are longer."""
        return NumberLists.of(self.column("truth")).of_task(self.task, np.arange(len(self)))

    def answers(self) -> FloatArray:
        """(n, values) numbers answered; NaN where none was read, and at the end of lists."""
        rows = np.flatnonzero(self.is_parsed)
        read = NumberLists.of(self.column("values")).of_task(self.task, rows)
        found = np.full((len(self), read.shape[1]), np.nan)
        found[rows] = read
        return found

    def where(self, rows: np.ndarray) -> "TaskRows":
        """Some of the rows, by a mask or by their places."""
        places = np.flatnonzero(rows) if rows.dtype == bool else rows
        return TaskRows(
            run=self.run,
            task=self.task,
            unit=self.unit,
            places=self.places[places],
            subject=self.subject[places],
            quality=self.quality[places],
        )

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """A column of words: what it says, and which rows say it.

    Attributes:
        words: Sorted, each once.
        code: (n,) place of each row's word among them.
    """

    words: tuple[str, ...]
    code: IndexArray

    def members(self) -> Iterator[tuple[str, np.ndarray]]:
        """Each word but "" with the rows that say it, a mask."""
        for at, word in enumerate(self.words):
            if word:
                yield word, self.code == at


def kinds_of(column: pa.ChunkedArray) -> Kinds:
    """A column of words as codes; "" where null.

    Example:
        >>> kinds = kinds_of(pa.chunked_array([["b", None, "a", "b"]]))
        >>> kinds.words, kinds.code.tolist()
        (('', 'a', 'b'), [2, 0, 1, 2])
    """
    text = pc.fill_null(column.cast(pa.string()), "")
    groups = grouped(pa.table({"word": text}), ("word",))
    return Kinds(words=tuple(groups.keys["word"].to_pylist()), code=groups.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRows:
    """A run as analyses get it: its rows are told apart by task once, for all of them.

    Attributes:
        run: Its scores, replies and manifest.
        tasks: Its rows by task and unit, in the order of the tasks.
        asked_again: The same of the runs inside it.
    """

    run: RunScores
    tasks: tuple[TaskRows, ...]
    asked_again: tuple["RunRows", ...]

    def of(self, task: Task, unit: str) -> TaskRows | None:
        """The rows of one task and unit; None where it was not asked."""
        return next((one for one in self.tasks if (one.task, one.unit) == (task, unit)), None)


def run_rows(run: RunScores) -> RunRows:
    """A run with its rows by task."""
    return RunRows(
        run=run,
        tasks=tuple(task_rows(run)),
        asked_again=tuple(map(run_rows, run.asked_again)),
    )


def reply_texts(rows: TaskRows) -> list[str]:
    """(n,) the reply of each row; "" where none came."""
    replies = rows.run.replies
    places = places_in(replies, rows.columns(QUESTION))
    text = replies["text"].take(pa.array(places, mask=places < 0))
    return pc.fill_null(text, "").to_pylist()  # type: ignore[no-any-return]


def task_rows(run: RunScores) -> list[TaskRows]:
    """The rows of a run, by task and unit, in the order of the tasks."""
    scores = run.scores
    is_kept = pc.fill_null(pc.not_equal(scores["status"], ERROR), False)  # noqa: FBT003
    subjects = grouped(scores, SUBJECT_COLUMNS).code
    found = []
    for task, record in TASKS.items():
        for unit in record.units:
            is_task = pc.and_(pc.equal(scores["task"], str(task)), pc.equal(scores["unit"], unit))
            places = np.flatnonzero(pc.and_(is_kept, is_task))
            if len(places):
                headline = scores[record.headline_column].take(pa.array(places))
                measured = np.asarray(headline.cast(pa.float64()).to_numpy(), dtype=np.float64)
                found.append(
                    TaskRows(
                        run=run,
                        task=task,
                        unit=unit,
                        places=places,
                        subject=subjects[places],
                        quality=measured_quality(measured, task),
                    )
                )
    return found


def quality_of_answers(task: Task, truth: FloatArray, answers: FloatArray) -> FloatArray:
    """(n,) as `TaskRows.quality`, of other (n, values) answers; NaN in one stands for unread."""
    column = TASKS[task].headline_column
    measured = np.full(len(truth), np.nan)
    read = ~np.isnan(answers[:, 0])
    measured[read] = getattr(measures(task, truth[read], answers[read]), column)
    return measured_quality(measured, task)


def measured_quality(measured: FloatArray, task: Task) -> FloatArray:
    """(n,) the headline measure, NaN where unread, as `TaskRows.quality` has it."""
    if TASKS[task].headline_column in ZERO_FILLED:
        return np.nan_to_num(measured, nan=0.0)
    return -measured


def paired(first: TaskRows, second: TaskRows) -> tuple[TaskRows, TaskRows]:
    """The rows of two runs that ask the same question the same time, in the same order."""
    places = places_in(second.columns(QUESTION), first.columns(QUESTION))
    is_shared = places >= 0
    return first.where(is_shared), second.where(places[is_shared])


def places_in(rows: pa.Table, asked: pa.Table) -> IndexArray:
    """(n asked,) the row of the same question and repeat as each row of `asked`; -1 without any.

    Args:
        rows: With columns sample_id and repeat, each pair once.
        asked: The same.

    Example:
        >>> rows = pa.table({"sample_id": ["a", "b", "b"], "repeat": [0, 0, 1]})
        >>> places_in(rows, pa.table({"sample_id": ["b", "c", "a"], "repeat": [1, 0, 0]})).tolist()
        [2, -1, 0]
    """
    ids = pc.unique(asked["sample_id"])
    n_repeats = 1 + max(int(pc.max(one["repeat"]).as_py() or 0) for one in (asked, rows))
    own, theirs = (
        np.asarray(pc.fill_null(pc.index_in(one["sample_id"], value_set=ids), -1), np.int64)
        * n_repeats
        + np.asarray(one["repeat"], np.int64)
        for one in (asked, rows)
    )
    place = np.full(len(ids) * n_repeats, -1, dtype=np.int64)
    is_known = theirs >= 0
    place[theirs[is_known]] = np.flatnonzero(is_known)
    return place[own]
