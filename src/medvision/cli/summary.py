"""Scores in a few lines, for the terminal."""

import math

import pyarrow as pa

from medvision.models.runner import StopReason
from medvision.scoring import aggregate
from medvision.tasks import TASKS, Task

WHAT_NOW = {
    None: "run it again to ask them",
    StopReason.INTERRUPTED: "interrupted; run it again to ask the rest",
    StopReason.TERMINATED: "terminated; run it again to ask the rest",
    StopReason.BUDGET: "the budget is spent; run it again with another to ask the rest",
    StopReason.BUDGET_UNKNOWN: "the server states no token counts, so the budget cannot be kept; "
    "run it again without --budget",
    StopReason.TIME_LIMIT: "the time is over; run it again to ask the rest",
    StopReason.BREAKER_OPEN: "the server does not answer; run it again to ask the rest",
}
"""Why a run ended before all was answered, if it was stopped, and what to do."""

COUNTS = ("n", "n_parsed", "n_refused", "n_truncated", "n_error")


def n_missing(scores: pa.Table) -> int:
    """Questions without an answer: the harness failed, not the model."""
    return int(scores["status"].to_pylist().count("error"))


def print_scores(scores: pa.Table, *, max_error_rate: float) -> None:
    """One block for each task and unit: counts, success rate, main metrics with intervals."""
    if not scores.num_rows:
        print("no question was asked: the model answers none of these tasks")
        return
    for row in aggregate(scores, by=[], max_error_rate=max_error_rate).to_pylist():
        absent = "withheld" if row["n_error"] > max_error_rate * row["n"] else "none"
        shown = {
            # Withheld: too many questions without an answer. None: nothing to average.
            name: absent if value is None or math.isnan(value) else f"{value:.4g}"
            for name, value in row.items()
            if isinstance(value, float | None)  # words and counts are shown as they are
        }
        counts = ", ".join(f"{name} {row[name]}" for name in COUNTS)
        print(f"{row['task']} ({row['unit']}): {counts}, success_rate {shown['success_rate']}")
        for name in TASKS[Task(row["task"])].short_metrics:
            low, high = (shown.get(f"{name}_{end}", absent) for end in ("low", "high"))
            print(f"  {name:<22} {shown[name]}  [{low}, {high}]")
