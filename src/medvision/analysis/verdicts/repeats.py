"""Spread over repeats: does asking several times and taking the median help?"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow.compute as pc
from scipy import stats

from medvision.analysis.verdicts.estimates import is_worth, known_mean, mean
from medvision.analysis.verdicts.rows import ZERO_FILLED, RunRows, TaskRows, quality_of_answers
from medvision.analysis.verdicts.verdict import Found, Verdict, settled
from medvision.scoring.grouping import grouped
from medvision.scoring.metrics import FloatArray
from medvision.tasks import TASKS

_MOST_STEPS = 8
"""Medians of the first 2, 3, … are told up to so many."""


def repeats(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """The measure of the median answer of each question, less that of one answer."""
    for run in runs:
        for rows in run.tasks:
            if TASKS[rows.task].is_list:
                continue  # lists have no median
            if len(rows) and pc.max(rows.column("repeat")).as_py() > 0:
                yield _of_task(rows)


def _of_task(rows: TaskRows) -> Verdict:
    question = grouped(rows.columns(("sample_id",)), ("sample_id",)).code
    n_questions = int(question.max()) + 1
    first = np.full(n_questions, -1)
    first[question[::-1]] = np.arange(len(rows))[::-1]
    answers, truth = rows.answers(), rows.truth()[first]
    combined, spread = _medians(answers, question, n_questions)
    quality = quality_of_answers(rows.task, truth, combined)
    single = _mean_by(rows.quality, question, n_questions)
    gain = mean(rows.subject[first], quality - single)
    is_found = gain.low > 0 and is_worth(gain.value, abs(known_mean(single)))
    error = -single if TASKS[rows.task].headline_column not in ZERO_FILLED else 1 - single
    known = ~np.isnan(spread) & ~np.isnan(error)
    tells = (
        float(stats.spearmanr(spread[known], error[known]).statistic)
        if known.sum() > 2 and np.ptp(spread[known]) > 0 and np.ptp(error[known]) > 0
        else math.nan
    )
    return Verdict(
        name="repeats",
        model=rows.run.name,
        task=rows.name,
        verdict=settled(gain, found=is_found) if np.isfinite(gain.value) else Found.NOT_ENOUGH,
        value=None if math.isnan(gain.value) else gain.value,
        interval=gain.interval,
        n=gain.n,
        n_subjects=gain.n_subjects,
        quantity=f"{TASKS[rows.task].headline_column} better by the median of all repeats",
        words="The median of the repeats is better than one answer."
        if is_found
        else "The median of the repeats is no better than one answer.",
        details={
            "n_repeats": int(pc.max(rows.column("repeat")).as_py()) + 1,
            "measure_by_n": _by_n(rows, answers, truth, question),
            "identical_share": float(np.mean(spread[~np.isnan(spread)] == 0))
            if np.any(~np.isnan(spread))
            else None,
            "median_relative_spread": float(np.nanmedian(spread)) if known.any() else None,
            "spread_tells_error_rho": None if math.isnan(tells) else tells,
        },
    )


def _by_n(
    rows: TaskRows, answers: FloatArray, truth: FloatArray, question: np.ndarray
) -> list[float]:
    """The mean measure of one answer, of the median of the first 2, 3, …, and of all."""
    repeat = np.asarray(rows.column("repeat"), dtype=np.int64)
    n_repeats, n_questions = int(repeat.max()) + 1, len(truth)
    single = _mean_by(rows.quality, question, n_questions)
    by_n = [known_mean(single)]
    for n in sorted({*range(2, min(n_repeats, _MOST_STEPS)), n_repeats}):
        first = repeat < n
        medians, _ = _medians(answers[first], question[first], n_questions)
        by_n.append(known_mean(quality_of_answers(rows.task, truth, medians)))
    return by_n


def _medians(
    answers: FloatArray, question: np.ndarray, n_questions: int
) -> tuple[FloatArray, FloatArray]:
    """(questions, values) medians of what was read, and (questions,) relative spread."""
    medians = np.full((n_questions, answers.shape[1]), np.nan)
    spread = np.full(n_questions, np.nan)
    read = np.flatnonzero(~np.isnan(answers[:, 0]))
    order = read[np.argsort(question[read], kind="stable")]
    n_read = np.bincount(question[read], minlength=n_questions)
    start = np.cumsum(n_read) - n_read
    # All questions that were read the same number of times together.
    for times in np.unique(n_read[n_read > 0]):
        at = np.flatnonzero(n_read == times)
        found = answers[order[start[at][:, None] + np.arange(times)]]
        medians[at] = np.median(found, axis=1)
        if times > 1:
            scale = np.maximum(np.abs(medians[at]).mean(axis=1), 1e-12)
            spread[at] = found.std(axis=1).mean(axis=1) / scale
    return medians, spread


def _mean_by(values: FloatArray, question: np.ndarray, n_questions: int) -> FloatArray:
    known = ~np.isnan(values)
    sums = np.bincount(question[known], weights=values[known], minlength=n_questions)
    counts = np.bincount(question[known], minlength=n_questions)
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / counts)
