"""Closed contours as pixels: a pixel is inside when its centre is.

OpenCV fills a polygon with all pixels that its outline touches, up to a pixel too much; near the
outline each pixel's centre is therefore tested by itself.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from medvision.frames import FloatArray

ON_LINE_PX = 1e-3
"""A centre this close to a contour lies on it and is part of the structure: tools that trace masks
run their contours through the centres of border pixels, and files round coordinates."""

_SHIFT = 4  # OpenCV takes 28 bits before the point and 4 after it, as whole numbers
_SQUARE = np.ones((3, 3), np.uint8)


def polygon_mask(
    polygons_xy: Sequence[FloatArray], shape_yx: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Pixels whose centres an odd number of polygons encloses, or that lie on an outline.

    An outline inside another one is a hole; so is the inner turn of a keyhole, a single outline
    that reaches its hole through a channel of no width.

    Args:
        polygons_xy: (n, 2) corners each, x and y in px, whole numbers at pixel centres; closed by
            themselves. Fewer than three corners enclose nothing.
        shape_yx: Of the mask; what lies beyond is cut off.

    Returns:
        (y, x). Right to 0.001 px: no centre farther than that from an outline is on its wrong side.

    Example:
        >>> square = np.array([[1, 1], [3, 1], [3, 2], [1, 2]])
        >>> polygon_mask([square], (4, 5)).astype(int)
        array([[0, 0, 0, 0, 0],
               [0, 1, 1, 1, 0],
               [0, 1, 1, 1, 0],
               [0, 0, 0, 0, 0]])
    """
    inside = np.zeros(shape_yx, dtype=np.bool_)
    on_line = np.zeros(shape_yx, dtype=np.bool_)
    for polygon in polygons_xy:
        if len(polygon) < 3:
            continue
        low = np.maximum(np.floor(polygon.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int) + 2, shape_yx[::-1])
        if (low >= high).any():
            continue
        width_px, height_px = (high - low).tolist()
        corners = np.ascontiguousarray(polygon - low, dtype=np.float32)
        fixed = [np.rint(corners * (1 << _SHIFT)).astype(np.int32)]
        filled = np.zeros((height_px, width_px), np.uint8)
        cv2.fillPoly(filled, fixed, 1, cv2.LINE_8, _SHIFT)
        near = np.zeros_like(filled)
        cv2.polylines(near, fixed, True, 1, 1, cv2.LINE_8, _SHIFT)  # noqa: FBT003 - foreign
        ys, xs = np.nonzero(cv2.dilate(near, _SQUARE))
        # Positive inside, by the parity of crossings.
        depth_px = np.array(
            [
                cv2.pointPolygonTest(corners, (float(x), float(y)), True)  # noqa: FBT003 - foreign
                for x, y in zip(xs.tolist(), ys.tolist(), strict=True)
            ]
        )
        filled[ys, xs] = depth_px > ON_LINE_PX
        place = (slice(low[1], high[1]), slice(low[0], high[0]))
        inside[place] ^= filled != 0
        on_line[place][ys, xs] |= np.abs(depth_px) <= ON_LINE_PX
    return np.asarray(inside | on_line)
