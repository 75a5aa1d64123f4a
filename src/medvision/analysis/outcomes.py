"""What became of each question: read, refused, cut short, unreadable, or our own error."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medvision.analysis.run_scores import RunScores
from medvision.tasks import Task

ERROR = "error"

OUTCOME_MEANING: dict[str, str] = {
    "ok": "an answer of the asked form was read and scored",
    "no_number": "the place for the answer holds no number, or the asked tags are missing",
    "wrong_count": "more or fewer numbers than asked for",
    "out_of_range": "numbers outside what the question allows",
    "pixel_coordinates": "a box in pixels where fractions were asked for",
    "per_mille_coordinates": "a box in thousandths where fractions were asked for",
    "inverted_box": "a box whose second corner is not beyond its first",
    "refused": "the model or its provider declined to answer",
    "truncated": "the reply ended before its answer was complete",
    "empty": "the reply holds no text",
    ERROR: "the server or the network failed: no reply, never scored as wrong",
}
"""Every outcome with its meaning, in the order of the tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """One model's outcomes in one task; `counts` follows the table's outcomes."""

    model: str
    is_baseline: bool
    n: int
    counts: tuple[int, ...]
    n_recovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTable:
    """Outcomes of one task; only those that occur."""

    task: Task
    outcomes: tuple[str, ...]
    rows: tuple[OutcomeRow, ...]


def outcome(row: Mapping[str, Any]) -> str:
    """What became of one score row: "error", or the status of its strict reading."""
    if str(row["response_status"] or "").startswith(ERROR) or not row["status"]:
        return ERROR
    return str(row["status"])


def outcome_tables(runs: Sequence[RunScores]) -> list[OutcomeTable]:
    """One table of counts per task that has samples."""
    counted = {run.name: _counts(run) for run in runs}
    tables = []
    for task in Task:
        of_task = {name: counts.get(task) for name, counts in counted.items()}
        seen = {word for counts in of_task.values() if counts for word in counts.outcomes}
        if seen:
            order = list(OUTCOME_MEANING)
            known = [word for word in order if word in seen] + sorted(seen.difference(order))
            rows = [_row(run, counts, known) for run in runs if (counts := of_task[run.name])]
            tables.append(OutcomeTable(task=task, outcomes=tuple(known), rows=tuple(rows)))
    return tables


@dataclass(frozen=True, slots=True, kw_only=True)
class _TaskCounts:
    outcomes: Counter[str]
    recovered: Counter[str]


def _counts(run: RunScores) -> dict[Task, _TaskCounts]:
    columns = ["task", "response_status", "status", "recovered_status"]
    counts: dict[Task, _TaskCounts] = {}
    for row in run.scores.select(columns).to_pylist():
        task = Task(row["task"])
        of_task = counts.setdefault(task, _TaskCounts(outcomes=Counter(), recovered=Counter()))
        word = outcome(row)
        of_task.outcomes[word] += 1
        if word not in ("ok", ERROR) and row["recovered_status"] == "ok":
            of_task.recovered[word] += 1
    return counts


def _row(run: RunScores, counts: _TaskCounts, outcomes: Sequence[str]) -> OutcomeRow:
    return OutcomeRow(
        model=run.name,
        is_baseline=run.is_baseline,
        n=counts.outcomes.total(),
        counts=tuple(counts.outcomes[word] for word in outcomes),
        n_recovered=counts.recovered.total(),
    )
