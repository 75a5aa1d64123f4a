"""Picture sizes on the command line."""

import argparse

from medvision.errors import UsageError
from medvision.pictures.render import PixelGrid


def add_grid(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Options for the pixels on which slices are shown."""
    parser.add_argument("--square", action="store_true", help="resample slices to square pixels")
    parser.add_argument("--resize", metavar="HxW", help="stretch slices to this height and width")


def grid_from(args: argparse.Namespace) -> PixelGrid:
    """The pixels that `--square` and `--resize` ask for.

    Raises:
        UsageError: Both are given, or a size cannot be read.
    """
    shape_hw = size_hw(args.resize, "--resize") if args.resize else None
    return PixelGrid(square=args.square, shape_hw=shape_hw)


def size_hw(words: str, option: str) -> tuple[int, int]:
    """Height and width in pixels of text such as "160x384".

    Raises:
        UsageError: Not two whole numbers.
    """
    try:
        height_px, width_px = (int(word) for word in words.split("x"))
    except ValueError as error:
        msg = f"{option}: expected HxW in pixels such as 160x384, found {words!r}"
        raise UsageError(msg) from error
    return height_px, width_px
