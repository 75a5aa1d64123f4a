"""Groups of subjects: is the model worse for some age, sex, scanner or site?"""

from collections.abc import Iterator, Sequence

import numpy as np

from medvision.analysis.run_scores import RunScores
from medvision.analysis.verdicts.estimates import Estimate, difference, holm, is_worth
from medvision.analysis.verdicts.rows import TaskRows, task_rows
from medvision.analysis.verdicts.verdict import MIN_SUBJECTS, Verdict, settled
from medvision.tasks import TASKS

PREFIX = "subject_"

NOT_METADATA = frozenset({"subject_id"})

_MOST_VALUES = 8
_N_TERTILES = 3


def metadata(runs: Sequence[RunScores]) -> Iterator[Verdict]:
    """For each further column of the subjects, each of its values against the others."""
    for run in runs:
        for rows in task_rows(run):
            for column in rows.table.column_names:
                if column.startswith(PREFIX) and column not in NOT_METADATA:
                    yield from _by_column(rows, column)


def _by_column(rows: TaskRows, column: str) -> Iterator[Verdict]:
    words = _kinds(rows, column)
    told: list[tuple[str, Estimate]] = []
    for value in sorted(set(words) - {""}):
        members = words == value
        n_subjects = [len(np.unique(rows.subject[of])) for of in (members, ~members)]
        if min(n_subjects) >= MIN_SUBJECTS:
            told.append((value, difference(rows.subject, rows.quality, ~members)))
    adjusted = holm([estimate.p for _, estimate in told])
    scale = abs(float(np.nanmean(rows.quality)))
    for (value, drop), p in zip(told, adjusted, strict=True):
        is_found = p < 0.05 and drop.value > 0 and is_worth(drop.value, scale)
        yield Verdict(
            name="metadata",
            model=rows.run.name,
            task=rows.name,
            group=f"{column.removeprefix(PREFIX)}={value}",
            verdict=settled(drop, found=is_found),
            value=drop.value,
            interval=drop.interval,
            n=drop.n,
            n_subjects=drop.n_subjects,
            quantity=f"{TASKS[rows.task].headline_column} better for the others",
            words=f"{'Worse' if is_found else 'No worse'} than for the other subjects.",
            details={"p_holm": p, "n_in_group": int((words == value).sum())},
        )


def _kinds(rows: TaskRows, column: str) -> np.ndarray:
    """Values as words; numbers of many values (an age) by thirds of the subjects."""
    words = rows.text(column)
    if len(set(words)) <= _MOST_VALUES:
        return words
    try:
        numbers = np.array([float(word) if word else np.nan for word in words])
    except ValueError:
        return words  # a name for nearly every subject: no group will be large enough
    _, first = np.unique(rows.subject, return_index=True)
    cuts = np.nanquantile(numbers[first], np.arange(1, _N_TERTILES) / _N_TERTILES)
    low, high = (f"{cut:g}" for cut in cuts)
    names = np.array([f"under {low}", f"{low} to {high}", f"{high} and over"], object)
    thirds = np.searchsorted(cuts, np.nan_to_num(numbers), side="right")
    return np.where(np.isnan(numbers), "", names[thirds])
