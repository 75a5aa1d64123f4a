"""The border of a mask on one slice, along the edges of its pixels."""

import numpy as np
import numpy.typing as npt

from medvision.analysis.drawing.shapes import Canvas, Outline, Role

Stretches = npt.NDArray[np.int64]
"""(n, 4), as `outline_px` returns them."""


def outline_px(mask: npt.NDArray[np.bool_]) -> Stretches:
    """Where a mask meets what is not in it, or the slice's end: level stretches, then upright ones.

    Args:
        mask: (height, width), as displayed.

    Returns:
        (n, 4), x0, y0, x1, y1 on pixel edges; a stretch is as long as it can be.

    Example:
        One pixel in the top-left corner has four stretches:

        >>> outline_px(np.array([[True, False], [False, False]])).tolist()
        [[0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 0, 1], [1, 0, 1, 1]]
    """
    y, x0, x1 = _level_border(mask)
    level = np.stack([x0, y, x1, y], axis=-1)
    x, y0, y1 = _level_border(mask.T)
    upright = np.stack([x, y0, x, y1], axis=-1)
    return np.concatenate([level, upright])


def _level_border(
    mask: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row, first column and end column of each level stretch of the border."""
    padded = np.pad(mask, ((1, 1), (0, 0)))
    border = np.not_equal(padded[1:], padded[:-1])
    # With a column of no border at either end, each run of border has one rise and one fall, and
    # both come in the order of the runs.
    changes = np.diff(np.pad(border, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, first = np.nonzero(changes == 1)
    _, end = np.nonzero(changes == -1)
    return row, first, end


def outline_shape(canvas: Canvas, stretches_px: Stretches, colour: str) -> Outline:
    """The border as it is drawn.

    Args:
        canvas: Of the slice.
        stretches_px: As `outline_px` returns them.
        colour: "#rrggbb", or "" for the truth's.
    """
    scale = [canvas.units_per_px_x, canvas.units_per_px_y] * 2
    drawn = (stretches_px * np.array(scale)).tolist()
    return Outline(stretches=tuple(map(tuple, drawn)), role=Role.TRUTH, colour=colour)
