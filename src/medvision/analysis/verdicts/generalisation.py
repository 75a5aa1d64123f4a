"""Planes and targets that were not trained on: is the model worse there?"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from medvision.analysis.verdicts.rows import RunRows
from medvision.analysis.verdicts.verdict import MIN_ROWS, Verdict
from medvision.analysis.verdicts.worse_in import Group, worse_in


def generalisation(
    runs: Sequence[RunRows], *, seen: Mapping[str, Collection[str]] | None = None
) -> Iterator[Verdict]:
    """How much worse a model is where it was not trained.

    Args:
        runs: Models.
        seen: Planes and labels trained on, by column ("plane", "label"). Without them each plane
            is held against the others.
    """
    for run in runs:
        groups = []
        for rows in run.tasks:
            planes = rows.kinds("plane").members()
            kinds = {f"plane={plane}": members for plane, members in planes}
            if seen:
                kinds = {
                    f"{column} not trained on": (rows.text(column) != "")
                    & ~np.isin(rows.text(column), list(known))
                    for column, known in seen.items()
                }
            groups += [
                Group(rows=rows, name=name, members=members)
                for name, members in kinds.items()
                if min(members.sum(), (~members).sum()) >= MIN_ROWS
            ]
        yield from worse_in("generalisation", groups)
