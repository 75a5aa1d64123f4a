"""Is a model worse in some group of questions than elsewhere? What several analyses ask."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from medvision.analysis.verdicts.estimates import LEVEL, difference, holm, is_worth, known_mean
from medvision.analysis.verdicts.rows import TaskRows
from medvision.analysis.verdicts.verdict import Verdict, settled
from medvision.tasks import TASKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some of a model's questions.

    Attributes:
        rows: All of them, of one task.
        name: As shown.
        members: (n,) those in the group.
    """

    rows: TaskRows
    name: str
    members: np.ndarray


def worse_in(name: str, groups: Iterable[Group]) -> Iterator[Verdict]:
    """A verdict for each group, p values adjusted over all of them.

    Args:
        name: Of the analysis.
        groups: Of one run, all tasks together.
    """
    told = [
        (group, difference(group.rows.subject, group.rows.quality, ~group.members))
        for group in groups
    ]
    adjusted = holm([drop.p for _, drop in told])
    for (group, drop), p in zip(told, adjusted, strict=True):
        rows = group.rows
        scale = abs(known_mean(rows.quality))
        is_found = p < LEVEL and drop.value > 0 and is_worth(drop.value, scale)
        yield Verdict(
            name=name,
            model=rows.run.name,
            task=rows.name,
            group=group.name,
            verdict=settled(drop, found=is_found),
            value=None if np.isnan(drop.value) else drop.value,
            interval=drop.interval,
            n=drop.n,
            n_subjects=drop.n_subjects,
            quantity=f"{TASKS[rows.task].headline_column} better elsewhere",
            words=f"{group.name}: {'worse' if is_found else 'no worse'} than elsewhere.",
            details={
                "p_holm": p,
                "n_in_group": int(group.members.sum()),
                "in_group": known_mean(rows.quality[group.members]),
                "elsewhere": known_mean(rows.quality[~group.members]),
            },
        )
