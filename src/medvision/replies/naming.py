"""Names that stand beside values: which name belongs to which value.

A reply may name its values (`x0=0.1`, "major axis 31.2 mm", a table header). Values are read by
place; names say whether the places are those asked for, and, where each value has exactly one name,
which value is which.
"""

from collections.abc import Sequence
from itertools import pairwise

Slots = frozenset[int]
"""Places among the asked values that a name can stand for; empty: none of them."""


def names_by_gap(
    named: list[tuple[int, Slots]], spans: Sequence[tuple[int, int]]
) -> list[list[Slots]]:
    """Names before, between and after the values, one list a gap; repeated names are one."""
    gaps: list[list[Slots]] = [[] for _ in range(len(spans) + 1)]
    for position, slots in named:
        gap = gaps[sum(start <= position for start, _ in spans)]
        if gap and gap[-1] & slots:
            gap[-1] &= slots
        else:
            gap.append(slots)
    return gaps


def gaps_fit(gaps: list[list[Slots]]) -> bool:
    """Whether the names, wherever they stand, are those of the values in the order asked for."""
    count = len(gaps) - 1
    opening, inner, closing = gaps[0], gaps[1:count], gaps[count]
    if opening and any(inner) and len(opening) >= count:
        # A header before values that are named again: both have to fit.
        rest = [[], *gaps[1:]]
        return _some_names_fit(opening, slice(0, count)) and gaps_fit(rest)
    if opening:
        return _fits_before(gaps)
    if closing:
        return _fits_after(gaps)
    return _fits_before(gaps) or _fits_after(gaps)


def _fits_before(gaps: list[list[Slots]]) -> bool:
    """Whether each gap names the values that follow it."""
    count = len(gaps) - 1
    named = [index for index in range(count) if gaps[index]]
    for start, stop in pairwise([*named, count]):
        names = gaps[start] if start else gaps[0][-(stop - start) :]
        if not _some_names_fit(names, slice(start, stop)):
            return False
    return True


def _fits_after(gaps: list[list[Slots]]) -> bool:
    """Whether each gap names the values before it."""
    named = [index for index in range(1, len(gaps)) if gaps[index]]
    for start, stop in pairwise([0, *named]):
        values = slice(max(start, stop - len(gaps[stop])), stop)
        if not _some_names_fit(gaps[stop], values):
            return False
    return True


def _some_names_fit(names: list[Slots], values: slice) -> bool:
    """Whether some names in a row are those of the values, from the first value on."""
    places = range(values.start, values.stop)[: len(names)]
    return any(
        all(place in names[first + offset] for offset, place in enumerate(places))
        for first in range(len(names) - len(places) + 1)
    )
