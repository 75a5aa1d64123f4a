"""How numbers and units are printed."""

import numpy as np

UNIT_TEXT: dict[str, str] = {
    "relative": "relative",
    "mm": "mm",
    "deg": "°",
    "mm2": "mm²",
    "count": "regions",
}
"""Printed form of a sample's unit; one not named is printed as it is."""


def with_unit(number: str, unit: str) -> str:
    """A printed number with its unit; relative numbers have none.

    Example:
        >>> with_unit("31.2", "mm"), with_unit("40", "deg"), with_unit("0.25", "relative")
        ('31.2 mm', '40°', '0.25')
    """
    text = UNIT_TEXT.get(unit, unit)
    if unit in ("", "relative"):
        return number
    return f"{number}{text}" if text == "°" else f"{number} {text}"


def plain_number(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, never with an exponent.

    Example:
        >>> plain_number(1213.4), plain_number(0.000251), plain_number(5)
        ('1210', '0.000251', '5')
    """
    return np.format_float_positional(float(f"{value:.{digits}g}"), trim="-")
