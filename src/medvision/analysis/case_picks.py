"""Which cases the viewer shows: every failure status, then worst, median and best of each model."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from medvision.analysis.order import digest, turn_by_turn
from medvision.analysis.outcomes import outcome
from medvision.analysis.run_scores import RunScores
from medvision.tasks import Task

PICK_COLUMNS = (
    "sample_id",
    "repeat",
    "task",
    "response_status",
    "status",
    "iou",
    "absolute_error",
    "relative_error",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePick:
    """One sample for the viewer and why it was picked."""

    sample_id: str
    task: Task
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    sample_id: str
    reason: str


def picked_cases(runs: Sequence[RunScores], *, per_task: int) -> list[CasePick]:
    """Up to `per_task` samples of each task, the same for all models.

    First one sample for each failure status that occurs, then in turn for each model its worst,
    median and best parsed answer and one of each of its failures, then the space between.
    Baselines choose only where there is no model. The draw is the same for the same scores.
    """
    rows_of: dict[Task, dict[str, list[dict[str, Any]]]] = {}
    for run in runs:
        for row in run.scores.select(list(PICK_COLUMNS)).to_pylist():
            rows_of.setdefault(Task(row["task"]), {}).setdefault(run.name, []).append(row)
    baselines = {run.name for run in runs if run.is_baseline}
    picks: list[CasePick] = []
    for task in Task:
        if task in rows_of:
            wishes = _wishes(rows_of[task], baselines)
            picks.extend(_granted(task, wishes, per_task))
    return picks


def answer_error(row: dict[str, Any]) -> float | None:
    """How far one answer is from the truth, larger is worse: 1 − IoU, else relative error.

    Example:
        >>> row = {"response_status": "ok", "status": "ok", "relative_error": None}
        >>> answer_error(row | {"iou": 0.75, "absolute_error": None})
        0.25
        >>> answer_error(row | {"iou": None, "absolute_error": 3.5})
        3.5
    """
    if outcome(row) != "ok":
        return None
    if row["iou"] is not None:
        return 1 - float(row["iou"])
    error = row["relative_error"] if row["relative_error"] is not None else row["absolute_error"]
    return None if error is None else float(error)


def _granted(task: Task, wishes: Iterable[_Wish], limit: int) -> list[CasePick]:
    """The first `limit` samples wished for; a sample wished for again gains that reason."""
    reasons: dict[str, list[str]] = {}
    for wish in wishes:
        if wish.sample_id in reasons:
            if wish.reason and wish.reason not in reasons[wish.sample_id]:
                reasons[wish.sample_id].append(wish.reason)
        elif len(reasons) < limit:
            reasons[wish.sample_id] = [wish.reason] if wish.reason else []
    return [
        CasePick(sample_id=sample_id, task=task, reasons=tuple(why))
        for sample_id, why in reasons.items()
    ]


def _wishes(rows_of: dict[str, list[dict[str, Any]]], baselines: set[str]) -> Iterator[_Wish]:
    """All wishes of one task in the order they are granted."""
    models = [name for name in rows_of if name not in baselines] or list(rows_of)
    failures = {name: _failures(name, rows) for name, rows in rows_of.items()}
    seen: set[str] = set()
    for wishes in failures.values():
        for status, wish in wishes.items():
            if status not in seen:
                seen.add(status)
                yield wish
    # Samples with a parsed answer, best first.
    ranked: dict[str, list[str]] = {}
    for name in models:
        errors = [(answer_error(row), row["sample_id"]) for row in rows_of[name]]
        scored = sorted((error, i) for error, i in errors if error is not None)
        ranked[name] = [sample_id for _, sample_id in scored]
    for word, part in (("worst", 1.0), ("median", 0.5), ("best", 0.0)):
        for name in models:
            if ranked[name]:
                place = int(part * (len(ranked[name]) - 1))
                yield _Wish(sample_id=ranked[name][place], reason=f"{word} of {name}")
    for name in models:
        yield from failures[name].values()
    unparsed = [
        {row["sample_id"] for row in rows_of[name] if outcome(row) != "ok"} for name in models
    ]
    for sample_id in (
        *turn_by_turn(_spread(ranked[name]) for name in models),
        *turn_by_turn(sorted(ids, key=digest) for ids in unparsed),
    ):
        yield _Wish(sample_id=sample_id, reason="")


def _failures(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, _Wish]:
    """For each failure status of a model the sample whose id comes first by digest."""
    found: dict[str, _Wish] = {}
    for row in sorted(rows, key=lambda row: digest(row["sample_id"])):
        status = outcome(row)
        if status != "ok" and status not in found:
            found[status] = _Wish(sample_id=row["sample_id"], reason=f"{status} of {name}")
    return found


def _spread(ranked: Sequence[str]) -> Iterator[str]:
    """The ranking by halves, quarters, eighths, so that any prefix is spread over it; then all."""
    for parts in (2, 4, 8, 16, 32, 64):
        for step in range(parts if ranked else 0):
            yield ranked[int((2 * step + 1) / (2 * parts) * len(ranked))]
    yield from ranked
