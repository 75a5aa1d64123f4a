"""Run against run: the same questions, paired by sample, drawn by subject."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from medvision.analysis.run_scores import RunScores
from medvision.analysis.verdicts.estimates import Estimate, holm, mean
from medvision.analysis.verdicts.groups import groups_of
from medvision.analysis.verdicts.rows import TaskRows, paired, task_rows
from medvision.analysis.verdicts.verdict import Verdict, settled
from medvision.scoring.metrics import FloatArray
from medvision.tasks import TASKS

EQUIVALENCE_SHARE = 0.1
"""Two models are equivalent where the whole interval is within this share of their mean measure."""

_MOST_CASES = 10


def comparison(runs: Sequence[RunScores]) -> Iterator[Verdict]:
    """Each pair of models on the questions that both were asked."""
    for first, second in combinations(runs, 2):
        others = {(rows.task, rows.unit): rows for rows in task_rows(second)}
        for rows in task_rows(first):
            if (rows.task, rows.unit) in others:
                yield from _compared(*paired(rows, others[rows.task, rows.unit]))


def _compared(ours: TaskRows, theirs: TaskRows) -> Iterator[Verdict]:
    gaps = ours.quality - theirs.quality
    told: list[tuple[str, np.ndarray, Estimate]] = []
    for group, members in groups_of(ours):
        told.append((group, members, mean(ours.subject[members], gaps[members])))
    adjusted = holm([estimate.p for _, _, estimate in told])
    names = f"{ours.run.name} against {theirs.run.name}"
    for (group, members, gap), p in zip(told, adjusted, strict=True):
        better = ours.run.name if gap.value > 0 else theirs.run.name
        verdict = settled(gap, found=p < 0.05)
        yield Verdict(
            name="comparison",
            model=names,
            task=ours.name,
            group=group,
            verdict=verdict,
            value=None if np.isnan(gap.value) else gap.value,
            interval=gap.interval,
            n=gap.n,
            n_subjects=gap.n_subjects,
            quantity=f"{TASKS[ours.task].headline_column} better for the first",
            words=f"{better} is better." if p < 0.05 else "They cannot be told apart.",
            details={"p_holm": p, **_facts(ours, theirs, members, gap, gaps)},
        )


def _facts(
    ours: TaskRows, theirs: TaskRows, members: np.ndarray, gap: Estimate, gaps: FloatArray
) -> dict[str, Any]:
    of_both = np.concatenate([ours.quality[members], theirs.quality[members]])
    reach = EQUIVALENCE_SHARE * abs(float(np.nanmean(of_both))) if len(of_both) else 0.0
    parsed = ours.is_parsed[members], theirs.is_parsed[members]
    facts: dict[str, Any] = {
        "wins": int(np.sum(gaps[members] > 0)),
        "losses": int(np.sum(gaps[members] < 0)),
        "only_first_read": int(np.sum(parsed[0] & ~parsed[1])),
        "only_second_read": int(np.sum(parsed[1] & ~parsed[0])),
        "equivalent": bool(-reach < gap.low and gap.high < reach),
        "equivalence_margin": reach,
    }
    if members.all():
        known = np.flatnonzero(~np.isnan(gaps))
        order = known[np.argsort(-np.abs(gaps[known]), kind="stable")][:_MOST_CASES]
        ids = ours.table["sample_id"].to_pylist()
        facts["cases"] = [{"sample_id": ids[at], "difference": float(gaps[at])} for at in order]
    return facts
