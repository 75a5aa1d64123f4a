"""A table described once: what its columns are called, in which unit and how they are printed."""

import math
from dataclasses import dataclass

Interval = tuple[float, float]

MISSING = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        key: Its name in CSV, where numbers are unrounded and unscaled.
        title: Its head in print.
        note: Below the head: policy and unit.
        decimals: Printed after the point; None for words and whole numbers.
        scale: Printed number / number (100 for per cent).
        has_interval: Whether its values have 95 % intervals: `key_low` and `key_high` in CSV.
        is_number: Whether it is set to the right.
        only_data: Whether it stands in CSV alone, such as a task that the caption names.
    """

    key: str
    title: str
    note: str = ""
    decimals: int | None = None
    scale: float = 1.0
    has_interval: bool = False
    is_number: bool = False
    only_data: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One value of a row, None for none; and its interval."""

    value: str | float | int | None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTable:
    """A table for files.

    Attributes:
        name: Of its files, without ending.
        caption: What it shows, with what n and intervals are.
        columns: From left to right.
        rows: An entry for each column.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]

    @property
    def shown(self) -> list[int]:
        """Places of the columns that print shows: none that is empty or 0 in every row."""
        return [
            at
            for at, column in enumerate(self.columns)
            if not column.only_data and any(row[at].value not in (None, "", 0) for row in self.rows)
        ]


def printed(entry: Entry, column: Column) -> str:
    """A value as print has it.

    Example:
        >>> share = Column(key="success_rate", title="success", decimals=1, scale=100)
        >>> printed(Entry(value=0.9825), share), printed(Entry(value=None), share)
        ('98.2', '–')
    """
    if entry.value is None or entry.value == "":
        return MISSING
    if isinstance(entry.value, str) or column.decimals is None:
        return str(entry.value)
    return _number(entry.value, column) if math.isfinite(entry.value) else MISSING


def printed_interval(entry: Entry, column: Column) -> str:
    """Its interval as print has it; "" without one.

    Example:
        >>> share = Column(key="success_rate", title="success", decimals=1, scale=100)
        >>> printed_interval(Entry(value=0.98, interval=(0.9, 1.0)), share)
        '90.0 to 100.0'
    """
    if entry.interval is None:
        return ""
    low, high = (_number(end, column) for end in entry.interval)
    return f"{low} to {high}"


def _number(value: float, column: Column) -> str:
    return f"{value * column.scale:.{column.decimals or 0}f}"
