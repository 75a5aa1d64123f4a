"""Scores in a few lines, for the terminal."""

import math
from functools import partial

import pyarrow as pa

from medvision.scoring import aggregate
from medvision.tasks import TASKS, Task

COUNTS = ("n", "n_parsed", "n_refused", "n_truncated", "n_error")


def print_scores(scores: pa.Table, *, max_error_rate: float) -> None:
    """One block for each task and unit: counts, success rate, main metrics with intervals."""
    if not scores.num_rows:
        print("no question was asked: the model answers none of these tasks")
        return
    for row in aggregate(scores, by=[], max_error_rate=max_error_rate).to_pylist():
        absent = "withheld" if row["n_error"] > max_error_rate * row["n"] else "none"
        number = partial(_number, absent=absent)
        counts = ", ".join(f"{name} {row[name]}" for name in COUNTS)
        print(
            f"{row['task']} ({row['unit']}): {counts}, success_rate {number(row['success_rate'])}"
        )
        for name in TASKS[Task(row["task"])].short_metrics:
            low, high = number(row.get(f"{name}_low")), number(row.get(f"{name}_high"))
            print(f"  {name:<22} {number(row[name])}  [{low}, {high}]")


def _number(value: float | None, *, absent: str) -> str:
    """A number, or why there is none: too many errors, or nothing to average."""
    return absent if value is None or math.isnan(value) else f"{value:.4g}"


def print_rows(rows: dict[str, str]) -> None:
    """Names and words in two columns."""
    for name, words in rows.items():
        print(f"{name:<24}{words}")
