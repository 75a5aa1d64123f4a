"""Estimates with intervals by subject, of anything that is a smooth function of sums.

Slices of one patient are no independent evidence: what is resampled is subjects. Every quantity
here (a mean, a difference of means, a slope, a weighted kappa) is worked out from sums over rows,
so that a resample is one product of how often each subject was drawn with each subject's sums. The
draws are those of all other intervals (`medvision.scoring.bootstrap`).

Percentiles of a bootstrap are too narrow where subjects are few. They are taken further out, as
far as Student's t lies beyond the normal distribution (Hesterberg 2015, "What teachers should know
about the bootstrap", section 5.2, the expanded percentile interval); `tests` measure the coverage.
Shares have Wilson's interval instead: resamples of what few subjects show mostly lack it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from medvision.scoring.aggregate import DEFAULT_RESAMPLES, DEFAULT_SEED
from medvision.scoring.bootstrap import LEVEL_FRAC, subject_counts, subject_draws
from medvision.scoring.columns import IndexArray
from medvision.scoring.grouping import dense
from medvision.scoring.metrics import FloatArray

LEVEL = 0.05
"""Under this a p value, adjusted for the number of groups, tells two things apart."""

OfSums = Callable[[FloatArray], FloatArray]
"""(…, terms) sums to (…) values; NaN where undefined."""

_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval by subject.

    Attributes:
        value: NaN where undefined.
        low: Of the interval; NaN with one subject only.
        high: The same.
        p: Two-sided, against 0: Student's t of the jackknife by subject.
        n: Rows with at least one term that is not 0.
        n_subjects: Subjects of those rows.
    """

    value: float
    low: float
    high: float
    p: float
    n: int
    n_subjects: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval, where there is one."""
        return None if math.isnan(self.low) else (self.low, self.high)


def mean(subject: IndexArray, values: FloatArray) -> Estimate:
    """Mean of the values that are not NaN."""
    has_value = ~np.isnan(values)
    terms = np.column_stack([np.where(has_value, values, 0.0), has_value])
    return of_sums(subject, terms, ratio_of_sums)


def share(subject: IndexArray, is_so: np.ndarray) -> Estimate:
    """Share of the rows that are so, with Wilson's interval for as many rows as are independent.

    So many rows would by themselves vary as much as the subjects do (Franco et al. 2019, Journal of
    Survey Statistics and Methodology 7:334). Where all rows are alike nothing tells
    whether a subject's rows are independent: as many as there are subjects.

    Example:
        >>> found = share(np.arange(20), np.arange(20) == 0)
        >>> found.value, round(found.low, 3), round(found.high, 3)
        (0.05, 0.008, 0.261)
    """
    _, subject = np.unique(subject, return_inverse=True)
    sums = np.column_stack([np.bincount(subject, is_so), np.bincount(subject)])
    n_subjects, n = len(sums), len(is_so)
    value = float(ratio_of_sums(sums.sum(axis=0)))
    low = high = p = math.nan
    if n_subjects > 1:
        off = sums[:, 0] - value * sums[:, 1]
        variance = n_subjects / (n_subjects - 1) * float(np.sum(off**2)) / n**2
        spread = value * (1 - value)
        n_alone = min(spread / variance, n) if variance > 0 and spread > 0 else n_subjects
        reach = float(stats.t.ppf((1 + LEVEL_FRAC) / 2, n_subjects - 1))
        per_row = reach**2 / n_alone
        middle = (value + per_row / 2) / (1 + per_row)
        half = reach * math.sqrt((spread + per_row / 4) / n_alone) / (1 + per_row)
        low = 0.0 if value == 0 else middle - half
        high = 1.0 if value == 1 else middle + half
        p = _p_value(value, ratio_of_sums(sums.sum(axis=0) - sums))
    return Estimate(value=value, low=low, high=high, p=p, n=n, n_subjects=n_subjects)


def difference(subject: IndexArray, values: FloatArray, is_first: np.ndarray) -> Estimate:
    """Mean of the values of the first kind of rows less the mean of the others'.

    Subjects that have both kinds pair them: a resample draws all of a subject or nothing.
    """
    has_value = ~np.isnan(values)
    filled = np.where(has_value, values, 0.0)
    kinds = [has_value & is_first, has_value & ~is_first]
    terms = np.column_stack([term for kind in kinds for term in (filled * kind, kind)])
    return of_sums(
        subject, terms, lambda sums: ratio_of_sums(sums[..., :2]) - ratio_of_sums(sums[..., 2:])
    )


def slope(subject: IndexArray, x: FloatArray, y: FloatArray) -> Estimate:
    """Least-squares slope of y on x, over rows that have both."""
    known = ~(np.isnan(x) | np.isnan(y))
    # Sums of squares of numbers far from 0 cancel: both are taken from their means first.
    x, y = (np.where(known, one - one[known].mean() if known.any() else 0.0, 0.0) for one in (x, y))
    return of_sums(subject, np.column_stack([known, x, y, x * x, x * y]), _slope_of_sums)


def _slope_of_sums(sums: FloatArray) -> FloatArray:
    n, x, y, xx, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((xy - x * y / n) / (xx - x * x / n))


def known_mean(values: FloatArray) -> float:
    """Mean of the values that are not NaN; NaN where there is none.

    Example:
        >>> known_mean(np.array([1.0, np.nan, 3.0])), known_mean(np.array([np.nan]))
        (2.0, nan)
    """
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def ratio_of_sums(sums: FloatArray) -> FloatArray:
    """First term over second; NaN where the second is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def of_sums(subject: IndexArray, terms: FloatArray, function: OfSums) -> Estimate:
    """Estimate of a function of the terms' sums.

    Args:
        subject: (n,) code of each row's subject.
        terms: (n, terms) numbers to be summed.
        function: Of the sums, for any leading shape.
    """
    in_use = np.any(terms != 0, axis=1)
    subject = subject[in_use]
    found, subject = dense(subject, int(subject.max()) + 1 if len(subject) else 0)
    rows = np.asarray(terms[in_use], dtype=np.float64)
    sums = np.zeros((len(found), rows.shape[1]))
    for at, term in enumerate(rows.T):
        sums[:, at] = np.bincount(subject, weights=term, minlength=len(found))
    return of_subject_sums(sums, function, n=len(rows))


def of_subject_sums(sums: FloatArray, function: OfSums, *, n: int) -> Estimate:
    """Estimate of a function of sums over rows.

    Args:
        sums: (subjects, terms) of each subject's rows.
        function: Of the sums of all, for any leading shape.
        n: Rows that were summed.
    """
    n_subjects, total = len(sums), sums.sum(axis=0)
    value = float(function(total))
    low = high = p = math.nan
    if n_subjects > 1:
        resampled = _resampled(sums, function)
        tail = _tail_frac(n_subjects)
        if len(resampled):
            low, high = np.quantile(resampled, [tail, 1 - tail]).tolist()
        p = _p_value(value, function(total - sums))
    return Estimate(value=value, low=low, high=high, p=p, n=n, n_subjects=n_subjects)


def _resampled(sums: FloatArray, function: OfSums) -> FloatArray:
    n_subjects = len(sums)
    at_once = max(1, _AT_ONCE // _at_most(n_subjects))
    blocks = [
        range(start, min(start + at_once, DEFAULT_RESAMPLES))
        for start in range(0, DEFAULT_RESAMPLES, at_once)
    ]
    found = np.concatenate([function(_counts(n_subjects, block) @ sums) for block in blocks])
    return np.asarray(found[np.isfinite(found)])


# Groups of one run mostly have all its subjects: 32 MB at most for each number of them.
@lru_cache(maxsize=8)
def _counts(n_subjects: int, block: range) -> FloatArray:
    return subject_counts(_draws(_at_most(n_subjects), block), n_subjects)


# The first draws are the same for any number of subjects: drawn once for all up to a power of two.
@lru_cache(maxsize=16)
def _draws(at_most: int, block: range) -> npt.NDArray[np.uint32]:
    return subject_draws(at_most, block, seed=DEFAULT_SEED)


def _at_most(n_subjects: int) -> int:
    return max(64, 1 << (n_subjects - 1).bit_length())


def _tail_frac(n_subjects: int) -> float:
    """How much of the resamples lies outside either end."""
    reach = stats.t.ppf((1 + LEVEL_FRAC) / 2, n_subjects - 1)
    return float(stats.norm.cdf(-reach * math.sqrt(n_subjects / (n_subjects - 1))))


def _p_value(value: float, without_one: FloatArray) -> float:
    """Of 0, by the values without each subject in turn."""
    n_subjects = len(without_one)
    if not np.all(np.isfinite(without_one)):
        return math.nan
    spread = without_one - without_one.mean()
    error = math.sqrt((n_subjects - 1) / n_subjects * float(np.sum(spread**2)))
    if not (math.isfinite(value) and math.isfinite(error)):
        return math.nan
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stats.t.sf(abs(value) / error, n_subjects - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number, in their order (Holm 1979); NaN stays NaN.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    known = sorted((p, at) for at, p in enumerate(p_values) if not math.isnan(p))
    adjusted, largest = list(p_values), 0.0
    for rank, (p, at) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[at] = largest
    return adjusted


LEAST_SHARE = 0.1
"""A difference under a tenth of the measure itself is not told as a failure."""


def is_worth(value: float, scale: float) -> bool:
    """Whether a difference in a measure is large enough to matter, however sure it is."""
    return abs(value) >= LEAST_SHARE * scale
