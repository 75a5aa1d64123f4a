"""Detection by target size: is a small target found as well as a large one?"""

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from medvision.analysis.verdicts.estimates import difference, mean, of_subject_sums
from medvision.analysis.verdicts.rows import RunRows, TaskRows
from medvision.analysis.verdicts.verdict import MIN_ROWS, Found, Verdict, is_enough
from medvision.scoring.grouping import dense
from medvision.scoring.metrics import FloatArray
from medvision.scoring.score_table import SIZE_BINS
from medvision.tasks import Task

LEAST_DROP_IOU = 0.1
"""A drop in mean IoU from large to small targets under this is none worth telling."""

_STEPS_FRAC = np.arange(0, 1.0001, 0.05)
_FOUND_IOU = 0.5
_LEAST_IN_BIN, _MOST_BINS = 30, 20


def size(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """How much lower the mean IoU is on targets under 5 % of the picture than over 10 %."""
    for run in runs:
        yield from (_by_size(rows) for rows in run.tasks if rows.task is Task.DETECTION)


def _by_size(rows: TaskRows) -> Verdict:
    bins = rows.text("size_bin")
    smallest, largest = (bins == name for name in (SIZE_BINS[0], SIZE_BINS[-1]))
    ends = rows.where(smallest | largest)
    drop = difference(ends.subject, ends.quality, largest[smallest | largest])
    is_told = min(smallest.sum(), largest.sum()) >= MIN_ROWS and is_enough(drop)
    verdict = Found.NOT_ENOUGH
    if is_told:
        is_found = drop.low > 0 and drop.value >= LEAST_DROP_IOU
        verdict = Found.FOUND if is_found else Found.NOT_FOUND
    small, large = (mean(rows.subject[of], rows.quality[of]) for of in (smallest, largest))
    frac = rows.numbers("box_to_image_frac")
    sides = ("height_px", "width_px", "spacing_y_mm", "spacing_x_mm")
    side_mm = np.sqrt(frac * np.prod([rows.numbers(name) for name in sides], axis=0))
    return Verdict(
        name="size",
        model=rows.run.name,
        task=rows.name,
        verdict=verdict,
        value=None if np.isnan(drop.value) else drop.value,
        interval=drop.interval,
        n=drop.n,
        n_subjects=drop.n_subjects,
        quantity=f"mean IoU of {SIZE_BINS[-1]} less that of {SIZE_BINS[0]}",
        words=f"Mean IoU {large.value:.2f} on large targets, {small.value:.2f} on small ones.",
        details={
            "by_bin": [_row(rows, bins == name, name) for name in SIZE_BINS],
            "by_frac": _curve(rows, frac, _STEPS_FRAC),
            "by_log_frac": _curve(rows, frac, np.geomspace(1e-4, 1, 13)),
            "by_side_mm": _curve(rows, side_mm, np.geomspace(1, 512, 10)),
            "crosses_0.5_at_frac": crosses_half(rows, frac),
            "crosses_0.5_at_mm": crosses_half(rows, side_mm),
        },
    )


def _row(rows: TaskRows, members: np.ndarray, name: str) -> dict[str, Any]:
    found = mean(rows.subject[members], rows.quality[members])
    value = None if np.isnan(found.value) else found.value
    return {"group": name, "iou_mean_zero_filled": value, "interval": found.interval, "n": found.n}


def _curve(rows: TaskRows, sizes: FloatArray, edges: FloatArray) -> list[dict[str, Any]]:
    curve = []
    for low, high in itertools.pairwise(edges):
        members = (sizes >= low) & (sizes < high)
        if members.any():
            row = _row(rows, members, f"{low:.4g}-{high:.4g}")
            curve.append({"from": float(low), "to": float(high), **row})
    return curve


def crosses_half(rows: TaskRows, sizes: FloatArray) -> dict[str, Any] | None:
    """The size under which the mean IoU is below 0.5, with its interval by subject.

    Questions are put into bins of equally many by size; between the largest bin whose mean is below
    0.5 and the next larger one the mean is taken as straight in the logarithm of the size.

    Returns:
        None where no bin is below 0.5; a "value" at the upper end means that all are.
    """
    known = np.flatnonzero(sizes > 0)
    n_bins = min(len(known) // _LEAST_IN_BIN, _MOST_BINS)
    if n_bins < 2:
        return None
    order = known[np.argsort(sizes[known], kind="stable")]
    bins = np.empty(len(rows), dtype=np.int64)
    bins[order] = np.arange(len(order)) * n_bins // len(order)
    logs = np.log(sizes[known])
    centres = np.bincount(bins[known], weights=logs) / np.bincount(bins[known])
    found, subject = dense(rows.subject[known], int(rows.subject.max()) + 1)
    cells = subject * n_bins + bins[known]
    summed = (
        np.bincount(cells, weights=terms, minlength=len(found) * n_bins).reshape(-1, n_bins)
        for terms in (rows.quality[known], np.ones(len(known)))
    )
    sums = np.hstack(list(summed)).astype(np.float64)
    crossing = of_subject_sums(sums, partial(_crossing, centres=centres), n=len(known))
    if crossing.value <= centres[0]:
        return None
    interval = crossing.interval and [math.exp(end) for end in crossing.interval]
    return {"value": math.exp(crossing.value), "interval": interval, "n": len(known)}


def _crossing(sums: FloatArray, centres: FloatArray) -> FloatArray:
    """(…,) log size at which the mean crosses 0.5; the first centre for never, the last for always.

    Args:
        sums: (…, 2 bins) sums of the measure of each bin, then counts.
        centres: (bins,) rising.
    """
    n_bins = len(centres)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.nan_to_num(sums[..., :n_bins] / sums[..., n_bins:], nan=_FOUND_IOU)
    is_below = means < _FOUND_IOU
    last = n_bins - 1 - np.argmax(is_below[..., ::-1], axis=-1)
    after = np.minimum(last + 1, n_bins - 1)
    low, high = (np.take_along_axis(means, at[..., None], -1)[..., 0] for at in (last, after))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(after > last, (_FOUND_IOU - low) / (high - low), 0.0)
    crossing = centres[last] + share * (centres[after] - centres[last])
    return np.asarray(np.where(is_below.any(axis=-1), crossing, centres[0]), dtype=np.float64)
