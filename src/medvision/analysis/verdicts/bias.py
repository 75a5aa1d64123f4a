"""Bias: answers too large or too small, or drawn towards the middle."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from medvision.analysis.verdicts.estimates import mean, slope
from medvision.analysis.verdicts.rows import RunRows, TaskRows
from medvision.analysis.verdicts.verdict import Found, Verdict, settled
from medvision.scoring.columns import NumberLists
from medvision.scoring.metrics import FloatArray
from medvision.tasks import TASKS

LEAST_BIAS_FRAC = 0.03
"""A mean error under this share of the mean truth is not told as bias."""

LEAST_SLOPE_LOSS = 0.1
"""Answers that rise by 0.9 or more for each 1 of the truth are not drawn to the middle."""


_BOX_NUMBERS = 4

_MOST_DRAWN = 400
"""Questions of one value whose answers a chart shows."""


def bias(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """Mean signed error, and the slope of answers on truths, value by value."""
    for run in runs:
        for rows in run.tasks:
            if not TASKS[rows.task].is_box:
                read = rows.where(rows.is_parsed)
                for at, value_name in enumerate(TASKS[rows.task].names):
                    prefix = f"{value_name} " if rows.n_values > 1 else ""
                    truth, answers = read.truth()[:, at], read.answers()[:, at]
                    yield _signed(read, truth, answers, f"{prefix}signed error")
                    yield _regression(read, truth, answers, f"{prefix}slope")


def _signed(rows: TaskRows, truth: FloatArray, answers: FloatArray, group: str) -> Verdict:
    scale = float(truth.mean()) if len(truth) else math.nan
    error = mean(rows.subject, (answers - truth) / scale)
    is_found = abs(error.value) >= LEAST_BIAS_FRAC and not error.low <= 0 <= error.high
    which = "larger" if error.value > 0 else "smaller"
    return Verdict(
        name="bias",
        model=rows.run.name,
        task=rows.name,
        group=group,
        verdict=settled(error, found=is_found),
        value=None if math.isnan(error.value) else error.value,
        interval=error.interval,
        n=error.n,
        n_subjects=error.n_subjects,
        quantity="mean signed error as a share of the mean truth",
        words=f"On average {abs(error.value):.1%} {which} than true.",
        drawn=_drawn(truth, answers),
        details={
            "mean_error": None if math.isnan(error.value) else error.value * scale,
            "unit": rows.unit,
            "limits_of_agreement": _limits(rows, answers - truth),
            "error_against": {
                name: _slope_details(rows, against, answers - truth)
                for name, against in _against(rows, truth).items()
            },
        },
    )


def _drawn(truth: FloatArray, answers: FloatArray) -> tuple[tuple[float, float], ...]:
    """Mean of answer and truth, and their difference, of questions chosen evenly."""
    at = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), _MOST_DRAWN)).astype(np.int64))
    means, gaps = (truth[at] + answers[at]) / 2, answers[at] - truth[at]
    return tuple(zip(means.tolist(), gaps.tolist(), strict=True))


def _regression(rows: TaskRows, truth: FloatArray, answers: FloatArray, group: str) -> Verdict:
    follows = slope(rows.subject, truth, answers)
    is_found = follows.high < 1 and follows.value < 1 - LEAST_SLOPE_LOSS
    return Verdict(
        name="bias",
        model=rows.run.name,
        task=rows.name,
        group=group,
        verdict=settled(follows, found=is_found)
        if np.isfinite(follows.value)
        else Found.NOT_ENOUGH,
        value=None if math.isnan(follows.value) else follows.value,
        interval=follows.interval,
        n=follows.n,
        n_subjects=follows.n_subjects,
        quantity="slope of the answer on the truth",
        words=f"Answers rise by {follows.value:.2f} for each 1 of the truth"
        + (": drawn towards the middle." if is_found else "."),
    )


def _limits(rows: TaskRows, errors: FloatArray) -> dict[str, Any] | None:
    """Bland and Altman's limits with several questions a subject (2007, unequal numbers).

    The spread is that within subjects and that between their means together.
    """
    codes, subject = np.unique(rows.subject, return_inverse=True)
    counts = np.bincount(subject)
    n, n_subjects = len(errors), len(codes)
    if n_subjects < 2 or n <= n_subjects:
        return None
    means = np.bincount(subject, weights=errors) / counts
    within = float(np.sum((errors - means[subject]) ** 2)) / (n - n_subjects)
    between_squares = float(np.sum(counts * (means - errors.mean()) ** 2)) / (n_subjects - 1)
    per_subject = (n - float(np.sum(counts**2)) / n) / (n_subjects - 1)
    between = max(0.0, (between_squares - within) / per_subject)
    reach = 1.96 * math.sqrt(within + between)
    centre = float(errors.mean())
    return {"low": centre - reach, "high": centre + reach, "unit": rows.unit}


def _against(rows: TaskRows, truth: FloatArray) -> dict[str, FloatArray]:
    y_mm, x_mm = rows.numbers("spacing_y_mm"), rows.numbers("spacing_x_mm")
    return {
        "truth": truth,
        "spacing_mm": np.sqrt(y_mm * x_mm),
        "anisotropy": np.maximum(y_mm, x_mm) / np.minimum(y_mm, x_mm),
        "size_frac": rows.numbers("box_to_image_frac"),
        "slice_index": rows.numbers("slice_index"),
        "off_centre_frac": off_centre_frac(rows),
    }


def off_centre_frac(rows: TaskRows) -> FloatArray:
    """(n,) how far the target's centre is from the picture's, as a share of half its diagonal.

    NaN where the sample has no box.
    """
    samples = rows.run.samples
    places = pc.index_in(rows.column("sample_id"), value_set=samples["sample_id"].combine_chunks())
    asked = samples.select(["box_px", "height_px", "width_px"]).take(places)
    boxes = NumberLists.of(asked["box_px"])
    at = np.flatnonzero(boxes.length == _BOX_NUMBERS)
    box = boxes.matrix(at, _BOX_NUMBERS)
    sides = np.column_stack([np.asarray(asked[name])[at] for name in ("width_px", "height_px")])
    off_px = (box[:, :2] + box[:, 2:]) / 2 - sides / 2
    found = np.full(len(rows), np.nan)
    found[at] = np.hypot(*off_px.T) / (np.hypot(*sides.T) / 2)
    return found


def _slope_details(rows: TaskRows, x: FloatArray, y: FloatArray) -> dict[str, Any] | None:
    if np.all(np.isnan(x)) or np.nanmax(x) == np.nanmin(x):
        return None
    found = slope(rows.subject, x, y)
    return {"slope": found.value, "interval": found.interval}
