"""Run against run: the same questions, paired by sample, drawn by subject."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from medvision.analysis.verdicts.estimates import LEVEL, Estimate, holm, known_mean, mean
from medvision.analysis.verdicts.groups import groups_of
from medvision.analysis.verdicts.rows import ZERO_FILLED, RunRows, TaskRows, paired
from medvision.analysis.verdicts.verdict import Verdict, settled
from medvision.tasks import TASKS

EQUIVALENCE_SHARE = 0.1
"""Two models are equivalent where the whole interval is within this share of their mean measure."""

RIGHT_IS = {
    "iou": "IoU of at least 0.5",
    "f1": "F1 of at least 0.5",
    "exact": "the very number",
    "relative_error": "an error of at most 10 %",
    "absolute_error": "an error of at most 10 % of the truth",
}
"""When an answer is right, by headline measure."""

_RIGHT_IOU, _RIGHT_ERROR_FRAC = 0.5, 0.1
_MOST_CASES = 10


def is_right(rows: TaskRows) -> np.ndarray:
    """(n,) whether each answer is right, as `RIGHT_IS` says; an unread one is not."""
    column = TASKS[rows.task].headline_column
    if column in ZERO_FILLED:
        return np.asarray(rows.quality >= _RIGHT_IOU)
    scale = np.abs(rows.truth()[:, 0]) if column == "absolute_error" else 1.0
    return np.asarray(-rows.quality <= _RIGHT_ERROR_FRAC * scale)


def comparison(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """Each pair of models on the questions that both were asked; p values over all that is told."""
    for first, second in combinations(runs, 2):
        gaps = []
        for rows in first.tasks:
            other = second.of(rows.task, rows.unit)
            if other is None:
                continue
            ours, theirs = paired(rows, other)
            better = ours.quality - theirs.quality
            for group, members in groups_of(ours):
                found = mean(ours.subject[members], better[members])
                gaps.append(
                    _Gap(ours=ours, theirs=theirs, group=group, members=members, estimate=found)
                )
        adjusted = holm([gap.estimate.p for gap in gaps])
        yield from (_verdict(gap, p) for gap, p in zip(gaps, adjusted, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """Two models on one group of questions of one task."""

    ours: TaskRows
    theirs: TaskRows
    group: str
    members: np.ndarray
    estimate: Estimate


def _verdict(gap: _Gap, p: float) -> Verdict:
    ours, theirs, found = gap.ours, gap.theirs, gap.estimate
    better = ours.run.name if found.value > 0 else theirs.run.name
    return Verdict(
        name="comparison",
        model=f"{ours.run.name} against {theirs.run.name}",
        task=ours.name,
        group=gap.group,
        verdict=settled(found, found=p < LEVEL),
        value=None if np.isnan(found.value) else found.value,
        interval=found.interval,
        n=found.n,
        n_subjects=found.n_subjects,
        quantity=f"{TASKS[ours.task].headline_column} better for the first",
        words=f"{better} is better." if p < LEVEL else "They cannot be told apart.",
        details={"models": [ours.run.name, theirs.run.name], "p_holm": p, **_facts(gap)},
    )


def _facts(gap: _Gap) -> dict[str, Any]:
    ours, theirs, members = gap.ours, gap.theirs, gap.members
    gaps = ours.quality - theirs.quality
    of_both = np.concatenate([ours.quality[members], theirs.quality[members]])
    reach = EQUIVALENCE_SHARE * abs(known_mean(of_both))
    parsed = ours.is_parsed[members], theirs.is_parsed[members]
    right = [is_right(one.where(members)) for one in (ours, theirs)]
    facts: dict[str, Any] = {
        "wins": int(np.sum(gaps[members] > 0)),
        "losses": int(np.sum(gaps[members] < 0)),
        "only_first_right": int(np.sum(right[0] & ~right[1])),
        "only_second_right": int(np.sum(right[1] & ~right[0])),
        "right_is": RIGHT_IS[TASKS[ours.task].headline_column],
        "only_first_read": int(np.sum(parsed[0] & ~parsed[1])),
        "only_second_read": int(np.sum(parsed[1] & ~parsed[0])),
        "equivalent": bool(-reach < gap.estimate.low and gap.estimate.high < reach),
        "equivalence_margin": reach,
    }
    if members.all():
        known = np.flatnonzero(~np.isnan(gaps))
        order = known[np.argsort(-np.abs(gaps[known]), kind="stable")][:_MOST_CASES]
        ids = ours.where(order).column("sample_id").to_pylist()
        facts["cases"] = [
            {"sample_id": sample_id, "difference": float(gaps[at])}
            for sample_id, at in zip(ids, order, strict=True)
        ]
    return facts
