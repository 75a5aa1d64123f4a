"""Which cases the viewer shows: every failure status, then worst, median and best of each model."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

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
    """How far one answer is from the truth, larger is worse: 1 − IoU, else relative error."""
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
    ranked = {name: _ranked(rows) for name, rows in rows_of.items()}
    for word, place in (("worst", -1.0), ("median", 0.5), ("best", 0.0)):
        yield from (
            _Wish(sample_id=_at(ranked[name], place), reason=f"{word} of {name}")
            for name in models
            if ranked[name]
        )
    for name in models:
        yield from failures[name].values()
    yield from _turn_by_turn([_spread(ranked[name]) for name in models])
    yield from _turn_by_turn([_unparsed(rows_of[name]) for name in models])


def _failures(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, _Wish]:
    """For each failure status of a model the sample whose id comes first by digest."""
    found: dict[str, _Wish] = {}
    for row in sorted(rows, key=lambda row: _digest(row["sample_id"])):
        status = outcome(row)
        if status != "ok" and status not in found:
            found[status] = _Wish(sample_id=row["sample_id"], reason=f"{status} of {name}")
    return found


def _ranked(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Samples with a parsed answer, best first."""
    scored = [(error, row["sample_id"]) for row in rows if (error := answer_error(row)) is not None]
    return [sample_id for _, sample_id in sorted(scored)]


def _at(ranked: Sequence[str], place: float) -> str:
    """The sample at a place of the ranking: 0 best, 0.5 median, −1 worst."""
    return ranked[-1] if place < 0 else ranked[int(place * (len(ranked) - 1))]


def _spread(ranked: Sequence[str]) -> list[_Wish]:
    """The ranking from both ends and its quarters inwards, so that any prefix is spread over it."""
    halved = [
        ranked[int((2 * step + 1) / (2 * parts) * len(ranked))]
        for parts in (2, 4, 8, 16, 32, 64)
        for step in range(parts)
        if ranked
    ]
    return [_Wish(sample_id=sample_id, reason="") for sample_id in [*halved, *ranked]]


def _unparsed(rows: Sequence[dict[str, Any]]) -> list[_Wish]:
    ids = sorted({row["sample_id"] for row in rows if outcome(row) != "ok"}, key=_digest)
    return [_Wish(sample_id=sample_id, reason="") for sample_id in ids]


def _turn_by_turn(lists: Sequence[Sequence[_Wish]]) -> Iterator[_Wish]:
    for turn in zip_longest(*lists):
        yield from (wish for wish in turn if wish is not None)


def _digest(sample_id: str) -> str:
    return hashlib.sha256(sample_id.encode()).hexdigest()
