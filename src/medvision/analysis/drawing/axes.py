"""Values to places along an axis, and the ticks that a reader expects there."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from medvision.analysis.drawing.chart import Axis

_ROOM_FRAC = 0.05
"""Left free at the ends of an axis whose limits are not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis with its limits, laid between two places of the drawing.

    Example:
        >>> Scale(low=1, high=100, start=0, end=200, is_log=True).at(10)
        100.0
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """The place of a value, held at the nearer end where it lies beyond."""
        low, high, value = (
            (math.log(max(one, 1e-300)) for one in (self.low, self.high, value))
            if self.is_log
            else (self.low, self.high, value)
        )
        frac = min(max((value - low) / (high - low), 0.0), 1.0)
        return self.start + frac * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values, about five of them."""
        return log_ticks(self.low, self.high) if self.is_log else ticks(self.low, self.high)


def scale_of(axis: Axis, values: Iterable[float], *, start: float, end: float) -> Scale:
    """The scale of an axis on which these values are drawn; those that are not finite are not."""
    known = [one for one in values if math.isfinite(one) and (one > 0 or not axis.is_log)]
    low, high = min(known, default=axis.low or 1.0), max(known, default=axis.high or 1.0)
    if axis.is_log:
        room = max((high / low) ** _ROOM_FRAC, 1.05)
        low, high = low / room, high * room
    else:
        room = _ROOM_FRAC * (high - low) or 0.1 * abs(high) or 1.0
        low, high = low - room, high + room
    low = low if axis.low is None else axis.low
    high = high if axis.high is None else axis.high
    return Scale(low=low, high=high, start=start, end=end, is_log=axis.is_log)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two values.

    Example:
        >>> ticks(-0.05, 1.05)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    power = 10 ** math.floor(math.log10((high - low) / most))
    step = next(one * power for one in (1, 2, 5, 10) if (high - low) / (one * power) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Powers of ten between two values, with 2 and 5 times them where there are few.

    Example:
        >>> log_ticks(0.9, 12)
        [1.0, 2.0, 5.0, 10.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1,)):
        found = [f * 10.0**power for power in powers for f in factors]
        found = [float(f"{one:.12g}") for one in found if low <= one * 1.000001 <= high * 1.000002]
        if len(found) <= most:
            break
    if len(found) > most:
        return found[:: math.ceil(len(found) / most)]
    return found if len(found) > 1 else ticks(low, high, 4)
