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
    """What became of one score row: "error", or the status of its strict reading.

    Example:
        >>> outcome({"response_status": "ok", "status": "wrong_count"})
        'wrong_count'
        >>> outcome({"response_status": "error", "status": None})
        'error'
    """
    if str(row["response_status"] or "").startswith(ERROR) or not row["status"]:
        return ERROR
    return str(row["status"])


def outcome_tables(runs: Sequence[RunScores]) -> list[OutcomeTable]:
    """One table of counts per task that has samples."""
    columns = ["task", "response_status", "status", "recovered_status"]
    counts: dict[Task, dict[str, Counter[str]]] = {}
    recovered: Counter[tuple[Task, str]] = Counter()
    for run in runs:
        for row in run.scores.select(columns).to_pylist():
            task, word = Task(row["task"]), outcome(row)
            counts.setdefault(task, {}).setdefault(run.name, Counter())[word] += 1
            if word not in ("ok", ERROR) and row["recovered_status"] == "ok":
                recovered[task, run.name] += 1
    tables = []
    for task in (task for task in Task if task in counts):
        of_task = counts[task]
        seen = set().union(*of_task.values())
        # A word of another scorer is shown as well, after those we know.
        known = [word for word in OUTCOME_MEANING if word in seen]
        known += sorted(seen.difference(OUTCOME_MEANING))
        rows = [
            OutcomeRow(
                model=run.name,
                is_baseline=run.is_baseline,
                n=of_task[run.name].total(),
                counts=tuple(of_task[run.name][word] for word in known),
                n_recovered=recovered[task, run.name],
            )
            for run in runs
            if run.name in of_task
        ]
        tables.append(OutcomeTable(task=task, outcomes=tuple(known), rows=tuple(rows)))
    return tables
