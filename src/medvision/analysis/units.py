"""How units are printed."""

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
