"""Planes and targets that were not trained on: is the model worse there?"""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from medvision.analysis.run_scores import RunScores
from medvision.analysis.verdicts.estimates import Estimate, difference, holm, is_worth
from medvision.analysis.verdicts.rows import TaskRows, task_rows
from medvision.analysis.verdicts.verdict import MIN_ROWS, Verdict, settled
from medvision.tasks import TASKS

COLUMNS = ("plane", "label")


def generalisation(
    runs: Sequence[RunScores], *, seen: dict[str, Collection[str]] | None = None
) -> Iterator[Verdict]:
    """How much worse a model is where it was not trained.

    Args:
        runs: Models.
        seen: Planes and labels trained on, by column ("plane", "label"). Without them each plane
            is held against the others.
    """
    seen = seen or {}
    for run in runs:
        for rows in task_rows(run):
            for column in COLUMNS:
                if column in seen:
                    yield from _against(rows, _unseen(rows, column, seen[column]))
            if not seen:
                yield from _against(rows, _each_value(rows, "plane"))


def _unseen(rows: TaskRows, column: str, seen: Collection[str]) -> dict[str, np.ndarray]:
    words = rows.text(column)
    known = words != ""
    return {f"{column} not trained on": known & ~np.isin(words, list(seen))}


def _each_value(rows: TaskRows, column: str) -> dict[str, np.ndarray]:
    words = rows.text(column)
    return {f"{column}={value}": words == value for value in sorted(set(words) - {""})}


def _against(rows: TaskRows, kinds: dict[str, np.ndarray]) -> Iterator[Verdict]:
    told: list[tuple[str, Estimate]] = []
    for group, members in kinds.items():
        if min(members.sum(), (~members).sum()) >= MIN_ROWS:
            told.append((group, difference(rows.subject, rows.quality, ~members)))
    adjusted = holm([estimate.p for _, estimate in told])
    for (group, drop), p in zip(told, adjusted, strict=True):
        scale = abs(float(np.nanmean(rows.quality)))
        is_found = drop.value > 0 and p < 0.05 and is_worth(drop.value, scale)
        yield Verdict(
            name="generalisation",
            model=rows.run.name,
            task=rows.name,
            group=group,
            verdict=settled(drop, found=is_found),
            value=drop.value,
            interval=drop.interval,
            n=drop.n,
            n_subjects=drop.n_subjects,
            quantity=f"{TASKS[rows.task].headline_column} better elsewhere",
            words=f"{group}: {'worse' if is_found else 'no worse'} than elsewhere.",
            details={"p_holm": p, "n_in_group": int(kinds[group].sum())},
        )
