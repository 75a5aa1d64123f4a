"""Pixel spacing on the command line."""

from medvision.errors import UsageError


def spacing_yx_mm(words: str) -> tuple[float, float]:
    """`--spacing-mm Y,X` as numbers.

    >>> spacing_yx_mm("0.5,0.4")
    (0.5, 0.4)

    Raises:
        UsageError: Not two numbers.
    """
    try:
        spacing_y_mm, spacing_x_mm = (float(word) for word in words.split(","))
    except ValueError as error:
        msg = f"--spacing-mm: expected Y,X in mm such as 0.5,0.4, found {words!r}"
        raise UsageError(msg) from error
    return spacing_y_mm, spacing_x_mm
