"""Pixel spacing on the command line."""

from dataclasses import dataclass
from typing import Annotated

from medvision.cli.options import Option
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SpacingOptions:
    """How lengths and areas are asked for again, to see whether the stated pixel size is used."""

    scale_spacing: Annotated[
        str | None, Option("F,F", help="ask again with the stated pixel size times each factor")
    ] = None
    withhold_spacing: Annotated[bool, Option(help="ask again without stating it")] = False

    def factors(self) -> tuple[float, ...]:
        """The factors of `--scale-spacing`.

        Raises:
            UsageError: Something that is no number.
        """
        words = self.scale_spacing
        try:
            return tuple(float(word) for word in words.split(",")) if words is not None else ()
        except ValueError as error:
            msg = f"--scale-spacing: expected factors such as 0.5,2, found {words!r}"
            raise UsageError(msg) from error
