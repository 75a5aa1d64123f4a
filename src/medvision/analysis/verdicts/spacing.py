"""Is the stated pixel size used? The same questions, asked again with it scaled or withheld."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from medvision.analysis.verdicts.estimates import mean, of_sums, ratio_of_sums
from medvision.analysis.verdicts.rows import QUESTION, RunRows, TaskRows, paired, places_in
from medvision.analysis.verdicts.verdict import Verdict, settled
from medvision.samples.pixel_size import PIXEL_SIZE_POWERS
from medvision.scoring.metrics import FloatArray
from medvision.tasks import TASKS

LEAST_SLOPE_LOSS = 0.1
"""Answers that follow the pixel size with a power of 0.9 to 1.1 are said to use it."""


def spacing(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """Slope of the log answer on the log pixel size, over questions asked with several.

    An area counts by its square root, so that 1 is always "used" and 0 "ignored".
    """
    for run in runs:
        for rows in run.tasks:
            scaled: dict[float, TaskRows] = {}
            withheld = None
            for one in run.asked_again:
                again = one.of(rows.task, rows.unit)
                if again is not None and one.run.manifest["spacing_withheld"]:
                    withheld = again if withheld is None else withheld
                elif again is not None:
                    scaled[float(one.run.manifest["spacing_scale"])] = again
            if scaled or withheld is not None:
                yield _of_task(rows, scaled, withheld)


def _of_task(
    rows: TaskRows, scaled: Mapping[float, TaskRows], withheld: TaskRows | None
) -> Verdict:
    power, at_one = PIXEL_SIZE_POWERS[rows.unit], log_size(rows)
    logs, by_scale = [at_one], []
    for scale, again in scaled.items():
        places = places_in(again.columns(QUESTION), rows.columns(QUESTION))
        # A question that was not asked again is at place -1: the NaN appended.
        found = np.append(log_size(again), np.nan)[places]
        ratios = np.exp(power * (found - at_one)[~np.isnan(found - at_one)])
        logs.append(found)
        by_scale.append(
            {
                "scale": scale,
                "n": len(ratios),
                "median_ratio": float(np.median(ratios)) if len(ratios) else None,
                "expected_ratio": scale**power,
                "unread_share": float(np.mean(~again.is_parsed)),
            }
        )
    terms = _terms(np.column_stack(logs), np.log([1.0, *scaled]))
    follows = of_sums(rows.subject, terms, ratio_of_sums)
    is_sure = not follows.low <= 1 <= follows.high
    is_found = is_sure and abs(follows.value - 1) >= LEAST_SLOPE_LOSS
    return Verdict(
        name="spacing",
        model=rows.run.name,
        task=rows.name,
        verdict=settled(follows, found=is_found),
        value=None if np.isnan(follows.value) else follows.value,
        interval=follows.interval,
        n=follows.n,
        n_subjects=follows.n_subjects,
        quantity="slope of the log answer on the log pixel size; 1 is used, 0 is ignored",
        words="Nothing was asked with another pixel size."
        if np.isnan(follows.value)
        else f"With pixels said to be twice as large, answers are {2**follows.value:.2f} times as "
        "long (areas by their square root).",
        details={
            "by_scale": by_scale,
            "withheld": None if withheld is None else _without(rows, withheld),
        },
    )


def log_size(rows: TaskRows) -> FloatArray:
    """(n,) log of each answer as a length: the mean over its values; NaN if one is not above 0."""
    answers = rows.answers()
    logs = np.log(np.where(answers > 0, answers, np.nan)).mean(axis=1)
    return np.asarray(logs / PIXEL_SIZE_POWERS[rows.unit])


def _terms(logs: FloatArray, log_scales: FloatArray) -> FloatArray:
    """(n, 2) sums of xy and xx of each question, x and y taken from the question's own means.

    So a question whose answer is large counts no more than another, and one answered with a single
    pixel size says nothing: both its terms are 0.
    """
    known = ~np.isnan(logs)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    x = np.where(known, log_scales, 0.0)
    y = np.where(known, logs, 0.0)
    x, y = (np.where(known, one - one.sum(axis=1, keepdims=True) / count, 0.0) for one in (x, y))
    return np.column_stack([(x * y).sum(axis=1), (x * x).sum(axis=1)])


def _without(rows: TaskRows, withheld: TaskRows) -> dict[str, Any]:
    """How much better the measure is with the pixel size than without."""
    ours, theirs = paired(rows, withheld)
    gain = mean(ours.subject, ours.quality - theirs.quality)
    return {
        "measure": TASKS[rows.task].headline_column,
        "better_with": None if np.isnan(gain.value) else gain.value,
        "interval": gain.interval,
        "n": gain.n,
        "unread_share": float(np.mean(~withheld.is_parsed)),
    }
