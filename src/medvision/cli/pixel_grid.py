"""Picture sizes on the command line."""

from dataclasses import dataclass
from typing import Annotated

from medvision.cli.options import Option
from medvision.errors import UsageError
from medvision.pictures.render import PixelGrid


@dataclass(frozen=True, slots=True, kw_only=True)
class GridOptions:
    """Options for the pixels on which slices are shown."""

    square: Annotated[bool, Option(help="resample slices to square pixels")] = False
    resize: Annotated[str | None, Option("HxW", help="stretch slices to this height and width")] = (
        None
    )

    def pixel_grid(self) -> PixelGrid:
        """The pixels that `--square` and `--resize` ask for.

        Raises:
            UsageError: Both are given, or a size cannot be read.
        """
        shape_hw = size_hw(self.resize, "--resize") if self.resize else None
        return PixelGrid(square=self.square, shape_hw=shape_hw)


def size_hw(words: str, option: str) -> tuple[int, int]:
    """Height and width in pixels of text such as "160x384".

    >>> size_hw("160x384", "--size")
    (160, 384)

    Raises:
        UsageError: Not two whole numbers.
    """
    try:
        height_px, width_px = (int(word) for word in words.split("x"))
    except ValueError as error:
        msg = f"{option}: expected HxW in pixels such as 160x384, found {words!r}"
        raise UsageError(msg) from error
    return height_px, width_px
