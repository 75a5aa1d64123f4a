"""Intervals by resampling subjects: slices of one patient are no independent evidence.

Every metric here is a ratio of sums, or a mean of such ratios over cells (regions). So a resample
needs only how often each subject was drawn and each subject's sums: one matrix product for all
metrics, whatever the number of rows.

The draws depend on the seed and the number of subjects only. A group's interval is therefore the
same in every table it appears in, whichever other groups are there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medvision.scoring.metrics import FloatArray

LEVEL_FRAC = 0.95
"""Probability an interval is meant to cover: percentiles 2.5 and 97.5 of the resamples."""

_DRAWS_AT_ONCE = 1 << 22
_GROUPS_AT_ONCE = 128
_DRAW_BITS = 32
_PRODUCTS_AT_ONCE = 250_000
_RESAMPLES_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Sums of one region of a group, by subject.

    Attributes:
        subject: (s,) positions in the group's subjects, 0 … n_subjects − 1, ascending.
        sums: (s, terms) each subject's sum of every term over its rows.
    """

    subject: npt.NDArray[np.int64]
    sums: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectGroup:
    """What a group's interval depends on. A plain group has one cell, an average one a region."""

    n_subjects: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioTerms:
    """Terms whose sums' ratio each metric is: (metrics,) positions among the terms.

    Attributes:
        weight: Position of the term by which cells weigh in a mean over them; None: all the same.
    """

    numerator: npt.NDArray[np.int64]
    denominator: npt.NDArray[np.int64]
    weight: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """(groups, metrics) ends of intervals; NaN for a metric without any."""

    low: FloatArray
    high: FloatArray


def subject_draws(n_subjects: int, resamples: range, *, seed: int) -> npt.NDArray[np.uint32]:
    """Uniform draws of (resamples, n_subjects), for at most so many subjects.

    Each resample has a stream of its own: its first draws are the same for any `n_subjects`, so
    groups of different size can share them.
    """
    top = 1 << _DRAW_BITS
    streams = (np.random.default_rng([seed, resample]) for resample in resamples)
    return np.stack([rng.integers(top, size=n_subjects, dtype=np.uint32) for rng in streams])


def subject_counts(draws: npt.NDArray[np.uint32], n_subjects: int) -> FloatArray:
    """How often each resample draws each subject: (resamples, n_subjects), rows sum to that.

    Args:
        draws: (resamples, at least n_subjects), see `subject_draws`.
        n_subjects: To draw from, with replacement, as often as there are subjects.
    """
    drawn = draws[:, :n_subjects].astype(np.int64)
    drawn *= n_subjects
    drawn >>= _DRAW_BITS
    drawn += np.arange(len(draws))[:, None] * n_subjects
    counts = np.bincount(drawn.ravel(), minlength=len(draws) * n_subjects)
    return counts.reshape(len(draws), n_subjects).astype(np.float64)


def ratio_means(sums: FloatArray, ratios: RatioTerms) -> FloatArray:
    """Mean over cells of each metric's ratio: (cells, …, terms) to (…, metrics).

    A cell without the denominator (say no parsed answer) has no ratio and is left out of the mean,
    with its weight; NaN where no cell has one.

    Example:
        Two cells of 3 samples with the metric 1/3 and of 1 sample with the metric 1:

        >>> sums = np.array([[1.0, 3.0], [1.0, 1.0]])
        >>> metric = {"numerator": np.array([0]), "denominator": np.array([1])}
        >>> ratio_means(sums, RatioTerms(**metric)).round(4).tolist()
        [0.6667]
        >>> ratio_means(sums, RatioTerms(**metric, weight=1)).tolist()
        [0.5]
    """
    numerator = sums[..., ratios.numerator]
    denominator = sums[..., ratios.denominator]
    has_ratio = denominator > 0
    ratio = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=has_ratio)
    weight = 1.0 if ratios.weight is None else sums[..., ratios.weight, None]
    total = (weight * has_ratio).sum(axis=0)
    mean = np.full(total.shape, np.nan)
    np.divide((weight * ratio).sum(axis=0), total, out=mean, where=total > 0)
    return mean


def subject_intervals(
    groups: Sequence[SubjectGroup], ratios: RatioTerms, *, n_resamples: int, seed: int
) -> Intervals:
    """95 % percentile intervals of each group's metrics, resampled by subject.

    Resamples in which a metric is undefined are left out of its percentiles. A group of one
    subject has no interval: resampling it shows no spread.
    """
    shape = (len(groups), len(ratios.numerator))
    ends = Intervals(low=np.full(shape, np.nan), high=np.full(shape, np.nan))
    by_size = sorted(range(len(groups)), key=lambda at: groups[at].n_subjects)
    spread = [at for at in by_size if groups[at].n_subjects > 1] if n_resamples else []
    for start in range(0, len(spread), _GROUPS_AT_ONCE):
        batch = spread[start : start + _GROUPS_AT_ONCE]
        resampled = _resampled([groups[at] for at in batch], ratios, n_resamples, seed)
        for at, of_group in zip(batch, resampled, strict=True):
            ordered = np.sort(of_group, axis=-1)  # NaN last
            n_defined = np.sum(~np.isnan(ordered), axis=-1, keepdims=True)
            tail = (1 - LEVEL_FRAC) / 2
            ends.low[at] = _order_statistic(ordered, n_defined, tail)
            ends.high[at] = _order_statistic(ordered, n_defined, 1 - tail)
    return ends


def _resampled(
    groups: Sequence[SubjectGroup], ratios: RatioTerms, n_resamples: int, seed: int
) -> FloatArray:
    """(groups, metrics, resamples) of groups with at least one subject."""
    resampled = np.full((len(groups), len(ratios.numerator), n_resamples), np.nan)
    most_subjects = max(group.n_subjects for group in groups)
    at_once = max(1, _DRAWS_AT_ONCE // most_subjects)
    reduced = [_reduced(group, ratios) for group in groups]
    for start in range(0, n_resamples, at_once):
        block = range(start, min(start + at_once, n_resamples))
        draws = subject_draws(most_subjects, block, seed=seed)
        for at, one in enumerate(reduced):
            counts = subject_counts(draws, one.group.n_subjects)
            sums = np.stack([_resampled_sums(counts, cell) for cell in one.group.cells])
            resampled[at, one.metrics, block.start : block.stop] = ratio_means(sums, one.ratios).T
    return resampled


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reduced:
    """A group with only the metrics it has: a box has no relative error, a length no IoU."""

    metrics: npt.NDArray[np.int64]
    group: SubjectGroup
    ratios: RatioTerms


def _reduced(group: SubjectGroup, ratios: RatioTerms) -> _Reduced:
    totals = np.sum([cell.sums.sum(axis=0) for cell in group.cells], axis=0)
    metrics = np.flatnonzero(totals[ratios.denominator] > 0)
    weight = [] if ratios.weight is None else [ratios.weight]
    needed = np.concatenate([ratios.numerator[metrics], ratios.denominator[metrics], weight])
    terms, places = np.unique(needed.astype(np.int64), return_inverse=True)
    cells = tuple(Cell(subject=cell.subject, sums=cell.sums[:, terms]) for cell in group.cells)
    return _Reduced(
        metrics=metrics,
        group=SubjectGroup(n_subjects=group.n_subjects, cells=cells),
        ratios=RatioTerms(
            numerator=places[: len(metrics)],
            denominator=places[len(metrics) : 2 * len(metrics)],
            weight=int(places[-1]) if weight else None,
        ),
    )


def _resampled_sums(counts: FloatArray, cell: Cell) -> FloatArray:
    """(resamples, terms) sums of a cell; subjects are ascending, so all of them are in order.

    In blocks that stay in the cache and that the matrix library multiplies on one thread: handing
    products this small to several threads costs many times the product on a busy machine.
    """
    n_subjects, n_terms = cell.sums.shape
    is_whole = n_subjects == counts.shape[1]
    sums = np.zeros((len(counts), n_terms))
    n_rows = max(_RESAMPLES_AT_ONCE, _PRODUCTS_AT_ONCE // max(1, cell.sums.size))
    n_columns = max(1, _PRODUCTS_AT_ONCE // (n_rows * max(1, n_terms)))
    for start in range(0, n_subjects, n_columns):
        columns = slice(start, start + n_columns)
        of_cell = counts[:, columns] if is_whole else counts[:, cell.subject[columns]]
        for row in range(0, len(counts), n_rows):
            rows = slice(row, row + n_rows)
            sums[rows] += of_cell[rows] @ cell.sums[columns]
    return sums


def _order_statistic(
    ordered: FloatArray, n_defined: npt.NDArray[np.int64], quantile: float
) -> FloatArray:
    """Quantile along the last axis, NaN left out; linear between order statistics."""
    position = np.maximum(n_defined - 1, 0) * quantile
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(n_defined - 1, 0))
    low = np.take_along_axis(ordered, below, axis=-1)
    high = np.take_along_axis(ordered, above, axis=-1)
    return np.asarray((low + (high - low) * (position - below))[..., 0])
