"""Detection by target size: is a small target found as well as a large one?"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from medvision.analysis.run_scores import RunScores
from medvision.analysis.verdicts.estimates import difference, mean
from medvision.analysis.verdicts.rows import TaskRows, each_task
from medvision.analysis.verdicts.verdict import MIN_ROWS, Found, Verdict, is_enough
from medvision.scoring.metrics import FloatArray
from medvision.scoring.score_table import SIZE_BINS
from medvision.tasks import Task

LEAST_DROP_IOU = 0.1
"""A drop in mean IoU from large to small targets under this is none worth telling."""

_STEPS_FRAC = np.arange(0, 1.0001, 0.05)
_FOUND_IOU = 0.5
_LEAST_IN_BIN, _MOST_BINS = 50, 100


def size(runs: Sequence[RunScores]) -> Iterator[Verdict]:
    """How much lower the mean IoU is on targets under 5 % of the picture than over 10 %."""
    for rows in each_task(runs):
        if rows.task is Task.DETECTION:
            yield _by_size(rows)


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
            "falls_below_0.5_at_frac": _falls_below(rows, frac),
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


def _falls_below(rows: TaskRows, frac: FloatArray) -> dict[str, Any] | None:
    """The size under which the mean IoU is below 0.5, from bins of equally many questions."""
    known = np.flatnonzero(~np.isnan(frac))
    n_bins = min(max(1, len(known) // _LEAST_IN_BIN), _MOST_BINS)
    bins = np.array_split(known[np.argsort(frac[known], kind="stable")], n_bins)
    sure_from = None
    for members in reversed(bins):  # from the largest targets down
        found = mean(rows.subject[members], rows.quality[members])
        if found.low > _FOUND_IOU:
            sure_from = float(frac[members].min())
        elif found.value < _FOUND_IOU:
            below = float(frac[members].max())
            return {"below": below, "above_0.5_from": sure_from, "n": len(members)}
    return None
