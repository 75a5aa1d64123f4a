"""Groups of subjects: is the model worse for some age, sex, scanner or site?"""

from collections.abc import Iterator, Sequence

import numpy as np

from medvision.analysis.verdicts.rows import RunRows, TaskRows
from medvision.analysis.verdicts.verdict import MIN_SUBJECTS, Verdict
from medvision.analysis.verdicts.worse_in import Group, worse_in

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
        yield from worse_in("metadata", groups)


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
