"""Whole numbers answered against true ones: how often each for each, the large ones together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from medvision.analysis.outcomes import ERROR, outcome
from medvision.analysis.run_scores import RunScores
from medvision.tasks import TASKS, Task

TRUE_BINS = ("1", "2", "3", "4+")
ANSWERED_BINS = ("0", *TRUE_BINS, "unread")

_FROM = 4
"""Numbers from here on are one bin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """One model's answers to one task.

    Attributes:
        model: Who answered.
        rows: Samples for each of `TRUE_BINS`, by `ANSWERED_BINS`; errors of the harness left out.
    """

    model: str
    rows: tuple[tuple[int, ...], ...]

    @property
    def by_truth(self) -> list[tuple[str, tuple[int, ...]]]:
        """Each true number with its row."""
        return list(zip(TRUE_BINS, self.rows, strict=True))


def number_bin(value: float) -> str:
    """The bin of a whole number.

    Example:
        >>> number_bin(3.0), number_bin(11.0)
        ('3', '4+')
    """
    return "4+" if value >= _FROM else str(int(value))


def confusions(runs: Sequence[RunScores], task: Task) -> tuple[Confusion, ...]:
    """One for each run that asked a task of whole numbers; none for other tasks."""
    if not TASKS[task].is_whole:
        return ()
    found = []
    for run in runs:
        asked = run.scores.filter(pc.equal(run.scores["task"], str(task)))
        counts: Counter[tuple[str, str]] = Counter()
        for row in asked.select(["truth", "values", "response_status", "status"]).to_pylist():
            word = outcome(row)
            if word != ERROR:
                answered = number_bin(row["values"][0]) if word == "ok" else "unread"
                counts[number_bin(row["truth"][0]), answered] += 1
        if counts:
            rows = tuple(tuple(counts[true, said] for said in ANSWERED_BINS) for true in TRUE_BINS)
            found.append(Confusion(model=run.name, rows=rows))
    return tuple(found)
