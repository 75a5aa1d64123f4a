"""Measurement in millimetres: pure functions of points, no image, no file."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from medvision.errors import ItemError


class DegenerateSegmentError(ItemError):
    """A line's two points coincide, so it has no direction."""

    reason = "degenerate_line"


def points_mm(
    points_xy: npt.ArrayLike, *, spacing_x_mm: float, spacing_y_mm: float
) -> npt.NDArray[np.float64]:
    """In-plane positions in mm of slice points in pixels: (..., 2) to (..., 2), as x, y.

    Example:
        >>> points_mm([[2, 3], [4, 0]], spacing_x_mm=0.5, spacing_y_mm=2.0).tolist()
        [[1.0, 6.0], [2.0, 0.0]]
    """
    points: npt.NDArray[np.float64] = np.asarray(points_xy, dtype=np.float64)
    in_mm: npt.NDArray[np.float64] = points * (spacing_x_mm, spacing_y_mm)
    return in_mm


def distance_mm(start_mm: npt.ArrayLike, end_mm: npt.ArrayLike) -> float:
    """Euclidean distance between two points given in mm, of any dimension.

    Example:
        >>> distance_mm([0, 0], [3, 4])
        5.0
    """
    return float(np.linalg.norm(np.subtract(end_mm, start_mm, dtype=np.float64)))


def directed_angle_deg(u_mm: npt.ArrayLike, v_mm: npt.ArrayLike) -> float:
    """Unsigned angle between two displacements in the plane.

    Args:
        u_mm: (2,) displacement in mm. Not px: unequal spacing bends angles.
        v_mm: (2,) displacement in the same frame.

    Returns:
        Degrees in [0, 180].

    Raises:
        DegenerateSegmentError: Either displacement is zero.

    Example:
        >>> directed_angle_deg([2, 0], [-1, 1])
        135.0
    """
    u, v = np.asarray(u_mm, dtype=np.float64), np.asarray(v_mm, dtype=np.float64)
    lengths_mm = float(np.linalg.norm(u)), float(np.linalg.norm(v))
    if min(lengths_mm) == 0:
        msg = f"an angle needs two lines of non-zero length, found {lengths_mm} mm"
        raise DegenerateSegmentError(msg)
    # The arc tangent of both products: an arc cosine loses half of its digits near 0 and 180°
    # (Kahan, "How futile are mindless assessments of roundoff in floating-point computation?", 12).
    cross = u[0] * v[1] - u[1] * v[0]
    return float(np.degrees(np.arctan2(abs(cross), u @ v)))


def acute_angle_deg(u_mm: npt.ArrayLike, v_mm: npt.ArrayLike) -> float:
    """Angle between two undirected lines, folded to [0, 90] degrees, as the paper measures it.

    Example:
        >>> acute_angle_deg([2, 0], [-1, 1])
        45.0
    """
    angle = directed_angle_deg(u_mm, v_mm)
    return min(angle, 180.0 - angle)


Line = npt.NDArray[np.float64]
"""(2, 2): start and end point, in mm."""


def vertex_angle_deg(
    line_a_mm: Line, line_b_mm: Line, shared: tuple[Literal[0, 1], Literal[0, 1]]
) -> float:
    """Angle at the landmark that two lines share, not folded.

    Args:
        line_a_mm: (2, 2) points of the first line.
        line_b_mm: (2, 2) points of the second line.
        shared: Which point (0 or 1) of the first and of the second line is the vertex.

    Returns:
        Degrees in [0, 180].

    Raises:
        DegenerateSegmentError: Either line has no length.

    Example:
        Lines from (0, 0) to (3, 0) and from (0, 5) to (0, 0) meet in (0, 0): the start of the first
        and the end of the second.

        >>> line_a_mm, line_b_mm = np.array([[0, 0], [3, 0]]), np.array([[0, 5], [0, 0]])
        >>> vertex_angle_deg(line_a_mm, line_b_mm, (0, 1))
        90.0
    """
    at_a, at_b = shared
    return directed_angle_deg(
        line_a_mm[1 - at_a] - line_a_mm[at_a], line_b_mm[1 - at_b] - line_b_mm[at_b]
    )
