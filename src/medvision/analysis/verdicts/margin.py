"""Does it beat a constant? Its measure less that of the best answer that looks at nothing."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from medvision.analysis.verdicts.estimates import mean
from medvision.analysis.verdicts.groups import groups_of
from medvision.analysis.verdicts.rows import RunRows, TaskRows, paired, quality_of_answers
from medvision.analysis.verdicts.verdict import Verdict, settled
from medvision.best_constant import best_constant
from medvision.models.baselines import RandomBox, TrainBest, TrainMean, TrainMedian
from medvision.scoring.columns import IndexArray
from medvision.scoring.grouping import grouped
from medvision.scoring.metrics import FloatArray
from medvision.tasks import TASKS

TRAINED = TrainBest.model_id

OTHERS = (TrainMean.model_id, TrainMedian.model_id, RandomBox.model_id)
"""Opponents told beside it, where their runs are given."""

_ALIKE = (("dataset", "cohort", "label", "metric_key", "plane"), ("label", "metric_key"), ())
"""Columns by which questions are alike, the closest first: a constant for each."""

_MIN_ALIKE, _MOST_FOLDS, _ENOUGH_ALIKE = 5, 10, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Opponent:
    """Who is to be beaten, on the same questions in the same order.

    Attributes:
        name: As shown.
        rows: The model's questions that it answered too.
        quality: (n,) its measure of each, larger is better.
    """

    name: str
    rows: TaskRows
    quality: FloatArray


def margin(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """The margin of each model over the best constant, in all and in its groups."""
    for run in runs:
        if run.run.model != TRAINED:
            for rows in run.tasks:
                if not TASKS[rows.task].is_list:  # no constant answers lists of any length
                    yield from _margins(rows, opponents(rows, runs))


def opponents(rows: TaskRows, runs: Sequence[RunRows]) -> list[Opponent]:
    """The best constant of the training split, else that of the other subjects; then others."""
    found = []
    for name in (TRAINED, *OTHERS):
        if name == rows.run.model:
            continue
        for run in runs:
            other = run.of(rows.task, rows.unit)
            if run.run.model == name and other is not None:
                ours, theirs = paired(rows, other)
                if len(ours) == len(rows):
                    found.append(Opponent(name=name, rows=ours, quality=theirs.quality))
    if not found or found[0].name != TRAINED:
        quality = quality_of_constants(rows)
        found.insert(
            0, Opponent(name="the best constant of other subjects", rows=rows, quality=quality)
        )
    return found


def quality_of_constants(rows: TaskRows) -> FloatArray:
    """(n,) measure of the constant that is best on the questions alike of all other subjects.

    It stands in for `baseline/train-best` where no run of that is given. It knows the test split
    (of others), so it is, if anything, harder to beat.
    """
    truth = rows.truth()
    answers = np.full_like(truth, np.nan)
    # The closest likeness that leaves enough questions of other subjects decides.
    for columns in _ALIKE:
        kinds = np.zeros(len(rows), dtype=np.int64)
        if columns:
            kinds = grouped(rows.columns(columns), columns).code
        order = np.argsort(kinds, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(kinds[order])) + 1):
            _answer_by_others(rows, truth, members, answers)
    # A question without any alike is not lost by the constant: it is left out.
    known = ~np.isnan(answers[:, 0])
    return np.where(known, quality_of_answers(rows.task, truth, answers), np.nan)


def _answer_by_others(
    rows: TaskRows, truth: FloatArray, members: IndexArray, answers: FloatArray
) -> None:
    """Set the answers to `members` that have none, for each subject from the others' truths."""
    column = TASKS[rows.task].headline_column
    # One fold a subject, or ten of many subjects, each of whole subjects. Of many questions so few
    # folds that enough are left: a constant is not better for more.
    to_spare = max(len(members) - _ENOUGH_ALIKE, 1)
    n_folds = min(max(math.ceil(len(members) / to_spare), 2), _MOST_FOLDS)
    folds = np.unique(rows.subject[members], return_inverse=True)[1] % n_folds
    for fold in np.unique(folds):
        ours, theirs = members[folds == fold], members[folds != fold]
        unanswered = ours[np.isnan(answers[ours, 0])]
        if len(theirs) >= _MIN_ALIKE and len(unanswered):
            answers[unanswered] = best_constant(column, truth[theirs])


def _margins(rows: TaskRows, against: Sequence[Opponent]) -> Iterator[Verdict]:
    best = against[0]
    for group, members in groups_of(best.rows):
        subject, quality = best.rows.subject[members], best.rows.quality[members]
        estimate = mean(subject, quality - best.quality[members])
        found = settled(estimate, found=estimate.low > 0)
        others = {
            one.name: mean(subject, quality - one.quality[members]).value for one in against[1:]
        }
        beats = {"found": "beats", "not_found": "does not beat"}.get(found, "cannot be told from")
        yield Verdict(
            name="margin",
            model=rows.run.name,
            task=rows.name,
            group=group,
            verdict=found,
            value=estimate.value,
            interval=estimate.interval,
            n=estimate.n,
            n_subjects=estimate.n_subjects,
            quantity=f"{TASKS[rows.task].headline_column} better than {best.name}",
            words=f"{rows.run.name} {beats} {best.name}.",
            details={"against": best.name, "over": others},
        )
