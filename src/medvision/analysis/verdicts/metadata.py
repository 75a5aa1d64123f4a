"""Groups of subjects: is the model worse for some age, sex, scanner or site?"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from medvision.analysis.verdicts.rows import RunRows, TaskRows
from medvision.analysis.verdicts.verdict import MIN_SUBJECTS, Verdict
from medvision.analysis.verdicts.worse_in import Group, worse_in
from medvision.scoring.metrics import FloatArray

PREFIX = "subject_"

NOT_METADATA = frozenset({"subject_id"})

_MOST_VALUES = 8
_N_TERTILES = 3


def metadata(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """For each further column of the subjects, each of its values against the others."""
    for run in runs:
        groups = [
            group
            for rows in run.tasks
            for column in run.run.scores.column_names
            if column.startswith(PREFIX) and column not in NOT_METADATA
            for group in _groups(rows, column)
        ]
        told = interaction(groups)
        for verdict in worse_in("metadata", groups):
            column = verdict.group.partition("=")[0]
            found = told.get((verdict.task, column))
            yield replace(verdict, details={**verdict.details, "interaction": found})


def interaction(groups: Iterable[Group]) -> dict[tuple[str, str], dict[str, Any]]:
    """Whether the measure depends on a column at all, by task and column.

    Kruskal and Wallis's test over the subjects' means: each subject is in one group, and its
    questions are no independent evidence.
    """
    samples: dict[tuple[str, str], list[FloatArray]] = {}
    for group in groups:
        known = group.members & ~np.isnan(group.rows.quality)
        _, subject = np.unique(group.rows.subject[known], return_inverse=True)
        if subject.size:
            means = np.bincount(subject, group.rows.quality[known]) / np.bincount(subject)
            key = group.rows.name, group.name.partition("=")[0]
            samples.setdefault(key, []).append(means)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for key, of_groups in samples.items():
        if len(of_groups) > 1 and np.ptp(np.concatenate(of_groups)) > 0:
            tested = stats.kruskal(*of_groups)
            found[key] = {
                "test": "Kruskal-Wallis over subjects' means",
                "statistic": float(tested.statistic),
                "p": float(tested.pvalue),
                "n_subjects": [len(one) for one in of_groups],
            }
    return found


def _groups(rows: TaskRows, column: str) -> Iterator[Group]:
    words = _kinds(rows, column)
    for value in sorted(set(words) - {""}):
        members = words == value
        n_subjects = [len(np.unique(rows.subject[of])) for of in (members, ~members)]
        if min(n_subjects) >= MIN_SUBJECTS:
            name = f"{column.removeprefix(PREFIX)}={value}"
            yield Group(rows=rows, name=name, members=members)


def _kinds(rows: TaskRows, column: str) -> np.ndarray:
    """Values as words; numbers of many values (an age) by thirds of the subjects."""
    kinds, words = rows.kinds(column), rows.text(column)
    if len(kinds.words) <= _MOST_VALUES:
        return words
    try:
        numbers = np.array([float(word) if word else np.nan for word in kinds.words])[kinds.code]
    except ValueError:
        return words  # a name for nearly every subject: no group will be large enough
    _, first = np.unique(rows.subject, return_index=True)
    cuts = np.nanquantile(numbers[first], np.arange(1, _N_TERTILES) / _N_TERTILES)
    low, high = (f"{cut:g}" for cut in cuts)
    names = np.array([f"under {low}", f"{low} to {high}", f"{high} and over"], object)
    thirds = np.searchsorted(cuts, np.nan_to_num(numbers), side="right")
    return np.where(np.isnan(numbers), "", names[thirds])
