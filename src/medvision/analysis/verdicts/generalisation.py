"""Planes and targets that were not trained on: is the model worse there?"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from medvision.analysis.run_scores import RunScores
from medvision.analysis.verdicts.rows import TaskRows, task_rows
from medvision.analysis.verdicts.verdict import MIN_ROWS, Verdict
from medvision.analysis.verdicts.worse_in import Group, worse_in


def generalisation(
    runs: Sequence[RunScores], *, seen: Mapping[str, Collection[str]] | None = None
) -> Iterator[Verdict]:
    """How much worse a model is where it was not trained.

    Args:
        runs: Models.
        seen: Planes and labels trained on, by column ("plane", "label"). Without them each plane
            is held against the others.
    """
    for run in runs:
        groups = [
            group
            for rows in task_rows(run)
            for group in (_unseen(rows, seen) if seen else _planes(rows))
            if min(group.members.sum(), (~group.members).sum()) >= MIN_ROWS
        ]
        yield from worse_in("generalisation", groups)


def _unseen(rows: TaskRows, seen: Mapping[str, Collection[str]]) -> Iterator[Group]:
    for column, known in seen.items():
        words = rows.text(column)
        members = (words != "") & ~np.isin(words, list(known))
        yield Group(rows=rows, name=f"{column} not trained on", members=members)


def _planes(rows: TaskRows) -> Iterator[Group]:
    words = rows.text("plane")
    for plane in sorted(set(words) - {""}):
        yield Group(rows=rows, name=f"plane={plane}", members=words == plane)
