"""Values of a slice to 8-bit grey levels: a window, or percentiles; the same on every machine.

Every step is a comparison, a single float64 operation or a table look-up: no sum whose order, and
no library routine whose precision, could differ from one machine or dtype to another.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""(height, width), grey, as displayed."""

Values = npt.NDArray[Any]
"""(height, width) of any real dtype."""

LOW_PER_MILLE, HIGH_PER_MILLE = 5, 995
"""The percentiles 0.5 and 99.5, as whole numbers so that ranks come out exactly."""


def stretched(values: Values, low: float, high: float) -> Picture:
    """Grey levels 0–255 between two values, clipped beyond them; black where they are equal.

    A value that is not a number is black.
    """
    if not high > low:
        return np.zeros(values.shape, dtype=np.uint8)
    is_small_integer = values.dtype.kind in "iu" and values.dtype.itemsize <= 2
    if is_small_integer and values.size >= 2 ** (8 * values.dtype.itemsize):
        return _looked_up(values, low, high)
    return _levels(values.astype(np.float64), low, high)


def percentile_stretched(values: Values) -> Picture:
    """A slice from its 0.5th to its 99.5th percentile, values that are no numbers left out.

    A slice so empty that the two are equal is shown from its least to its greatest value; a
    constant slice is black.
    """
    low, high = percentile_range(values)
    return stretched(values, low, high)


def percentile_range(values: Values) -> tuple[float, float]:
    """Values shown as black and as white by `percentile_stretched`; (0, 0) of no number at all.

    A percentile between two ranks is their linear interpolation in float64, whatever the dtype.
    """
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    is_finite = np.isfinite(values) if values.dtype.kind == "f" else np.True_
    found = values.ravel() if is_finite.all() else values[is_finite]
    if not found.size:
        return 0.0, 0.0
    last = found.size - 1
    positions = [per_mille * last for per_mille in (LOW_PER_MILLE, HIGH_PER_MILLE)]
    ranks = {rank for p in positions for rank in (p // 1000, min(p // 1000 + 1, last))}
    ordered = np.partition(found, sorted(ranks))
    low, high = (_between(ordered, *divmod(position, 1000)) for position in positions)
    if low == high:
        return float(found.min()), float(found.max())
    return low, high


def _between(ordered: Values, rank: int, per_mille: int) -> float:
    """The value so many thousandths of the way from one rank to the next."""
    below = float(ordered[rank])
    if per_mille == 0:
        return below
    return below + (float(ordered[rank + 1]) - below) * (per_mille / 1000)


def _levels(values: npt.NDArray[np.float64], low: float, high: float) -> Picture:
    """Grey levels of float64 values, which are overwritten."""
    np.clip(values, low, high, out=values)
    values -= low
    values /= high - low
    values *= 255
    np.rint(values, out=values)
    np.nan_to_num(values, copy=False, nan=0.0)
    return values.astype(np.uint8)


def _looked_up(values: Values, low: float, high: float) -> Picture:
    """Grey levels of integers of up to 16 bits: computed once for each value there can be."""
    native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    unsigned = native.view(f"u{native.dtype.itemsize}")
    return np.take(_table(native.dtype.str, low, high), unsigned, mode="clip")


@lru_cache(maxsize=16)
def _table(dtype: str, low: float, high: float) -> Picture:
    """Grey level of each value of an integer dtype, by its bits read as an unsigned number."""
    bits = np.dtype(dtype).itemsize * 8
    every = np.arange(2**bits, dtype=f"u{bits // 8}").view(dtype)
    return _levels(every.astype(np.float64), low, high)
