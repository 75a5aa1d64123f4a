"""Moments and Feret diameters of components, from their runs, in mm."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medvision.annotate.components import END, LINE, START, ComponentRuns
from medvision.annotate.ellipse import ends_in_order
from medvision.annotate.label_memory import AnyArray, kernel

FloatArray = npt.NDArray[np.float64]

TIE_RELATIVE = 1e-9
"""Lengths this close, relatively, are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Moment axes and Feret diameters of n components in the slice frame; NaN without runs."""

    moment_major_mm: FloatArray
    """4 times the root of the larger eigenvalue of the pixel centres' covariance."""
    moment_minor_mm: FloatArray
    feret_max_mm: FloatArray
    """Longest distance between two pixel centres."""
    feret_perp_mm: FloatArray
    """Extent of the pixel centres perpendicular to it; of tied longest pairs, the largest."""
    feret_ends_px: FloatArray
    """(n, 4): x0, y0, x1, y1 of the longest pair."""


def measure_shapes(runs: ComponentRuns, spacing_xy_mm: tuple[float, float]) -> Shapes:
    """Moments and Feret diameters of components.

    Where several longest pairs have the same perpendicular extent, the one with the smallest
    x0, then y0, then x1, then y1 is given.

    Args:
        runs: Pixels of n components.
        spacing_xy_mm: Pixel spacing along x and y.

    Example:
        Two pixels side by side, 2 mm apart:

        >>> runs = ComponentRuns(
        ...     runs=np.array([[0, 5, 7]], dtype=np.int32),
        ...     begin=np.array([0]),
        ...     end=np.array([1]),
        ...     along_y=False,
        ... )
        >>> shapes = measure_shapes(runs, (2.0, 1.0))
        >>> shapes.feret_max_mm.tolist(), shapes.moment_major_mm.tolist()
        ([2.0], [4.0])
    """
    x_mm, y_mm = float(spacing_xy_mm[0]), float(spacing_xy_mm[1])
    found = _measured(runs.runs, runs.begin, runs.end, (x_mm, y_mm), int(runs.along_y))
    return Shapes(
        moment_major_mm=found[:, 0],
        moment_minor_mm=found[:, 1],
        feret_max_mm=found[:, 2],
        feret_perp_mm=found[:, 3],
        feret_ends_px=ends_in_order(found[:, 4:], x_mm),
    )


@kernel
def _measured(
    runs: AnyArray,
    begin: AnyArray,
    end: AnyArray,
    spacing_xy_mm: tuple[float, float],
    along_y: int,
) -> AnyArray:
    """(n, 8): moments' major and minor, Feret longest and perpendicular, x0, y0, x1, y1."""
    x_mm, y_mm = spacing_xy_mm
    line_mm, position_mm = (x_mm, y_mm) if along_y else (y_mm, x_mm)
    found = np.full((len(begin), 8), np.nan)
    for index in range(len(begin)):
        if begin[index] < end[index]:
            own = runs[begin[index] : end[index]]
            found[index, 0], found[index, 1] = moment_axes_mm(own, line_mm, position_mm)
            corners = hull_corners(own)
            points_px = corners if along_y else corners[:, ::-1].copy()
            found[index, 2:] = feret_diameters(points_px, spacing_xy_mm)
    return found


@kernel
def moment_axes_mm(runs: AnyArray, line_mm: float, position_mm: float) -> tuple[float, float]:
    """Major and minor: 4 times the roots of the eigenvalues of the pixel centres' covariance.

    An ellipse of even density has a variance of a quarter of its squared semi-axis along each axis,
    so 4 √λ is the length of a full axis, as scikit-image has it.

    Args:
        runs: (r, 3) line, start, end of one component, lines in order.
        line_mm: Spacing between lines.
        position_mm: Spacing along lines.

    Example:
        Two pixels side by side at 1 mm:

        >>> moment_axes_mm(np.array([[0, 5, 7]]), 1.0, 1.0)
        (2.0, 0.0)
    """
    # Sums are exact integers, of twice the distances from the middle of the component's box, so the
    # result does not depend on where the component lies, nor on flips.
    twice_line = runs[0, LINE] + runs[-1, LINE]
    twice_position = runs[:, START].min() + runs[:, END].max() - 1
    count = sum_l = sum_p = sum_ll = sum_pp = sum_lp = np.int64(0)
    for run in runs:
        n = np.int64(run[END] - run[START])
        line = np.int64(2 * run[LINE] - twice_line)
        first = np.int64(2 * run[START] - twice_position)
        # A run's positions are first, first + 2, …: their sum and sum of squares in closed form.
        positions = n * (first + n - 1)
        count += n
        sum_l += n * line
        sum_p += positions
        sum_ll += n * line * line
        sum_pp += n * first * first + 2 * first * n * (n - 1) + 2 * (n - 1) * n * (2 * n - 1) // 3
        sum_lp += line * positions
    mean_l, mean_p = sum_l / count, sum_p / count
    a = (sum_ll / count - mean_l * mean_l) / 4 * (line_mm * line_mm)
    c = (sum_pp / count - mean_p * mean_p) / 4 * (position_mm * position_mm)
    b = (sum_lp / count - mean_l * mean_p) / 4 * (line_mm * position_mm)
    # Eigenvalues of the matrix a b, b c; of a line of pixels the smaller may round to below 0.
    spread = math.hypot((a - c) / 2, b)
    middle = (a + c) / 2
    return 4 * math.sqrt(middle + spread), 4 * math.sqrt(max(middle - spread, 0.0))


@kernel
def hull_corners(runs: AnyArray) -> AnyArray:
    """Corners of the convex hull of pixel centres, (h, 2) as line, position.

    Lines are in order and each is met, so the hull is a chain through the lines' first pixels
    and a chain through their last pixels (Andrew's monotone chain, without the sort; Inf. Process.
    Lett. 9(5), 1979): the last corner is dropped while it lies on or inside the line from the one
    before it to the next pixel. In whole numbers, so no corner is lost or gained by rounding.

    Args:
        runs: (r, 3) line, start, end of one component, lines in order.

    Example:
        A cross of five pixels has four corners, each chain ending on both outer lines:

        >>> hull_corners(np.array([[0, 1, 2], [1, 0, 3], [2, 1, 2]])).tolist()
        [[0, 1], [1, 0], [2, 1], [0, 1], [1, 2], [2, 1]]
    """
    line0 = runs[0, LINE]
    n_lines = runs[-1, LINE] - line0 + 1
    extents = np.empty((n_lines, 2), dtype=np.int64)
    extents[:, 0], extents[:, 1] = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    for run in runs:
        row = extents[run[LINE] - line0]
        row[0], row[1] = min(row[0], run[START]), max(row[1], run[END] - 1)
    corners = np.empty((2 * n_lines, 2), dtype=np.int64)
    n_corners = 0
    for side in range(2):
        outward = 2 * side - 1
        base = n_corners
        for line in range(n_lines):
            position = extents[line, side]
            while n_corners - base >= 2:
                before, last = corners[n_corners - 2], corners[n_corners - 1]
                turn = (last[1] - before[1]) * (line - before[0])
                turn -= (position - before[1]) * (last[0] - before[0])
                if turn * outward > 0:
                    break
                n_corners -= 1
            corners[n_corners, 0], corners[n_corners, 1] = line, position
            n_corners += 1
    corners[:, 0] += line0
    return corners[:n_corners]


@kernel
def feret_diameters(points_px: AnyArray, spacing_xy_mm: tuple[float, float]) -> AnyArray:
    """(6,): longest, perpendicular, x0, y0, x1, y1; no tie depends on the order of the points.

    All pairs are compared, three times: a hull has some dozen corners, and unlike rotating calipers
    this finds all tied pairs. Lengths are equal within `TIE_RELATIVE`, since flips and turns of a
    component change the last digits.

    Args:
        points_px: (h, 2) x, y: corners of a convex hull.
        spacing_xy_mm: Pixel spacing along x and y.

    Example:
        A row of four pixels beside a row of one, at 1 mm: √(3² + 1²) and, across it, 3 / √10.

        >>> feret_diameters(np.array([[0, 0], [3, 0], [0, 1]]), (1.0, 1.0)).round(3).tolist()
        [3.162, 0.949, 0.0, 1.0, 3.0, 0.0]
    """
    longest_mm, widest_mm = 0.0, 0.0
    for a in points_px:
        for b in points_px:
            longest_mm = max(longest_mm, _length_mm(a, b, spacing_xy_mm))
    long_mm = longest_mm * (1 - TIE_RELATIVE)
    for a in points_px:
        for b in points_px:
            if _comes_first(a, b) and _length_mm(a, b, spacing_xy_mm) >= long_mm:
                extent_mm = _perpendicular_extent_mm(points_px, a, b, spacing_xy_mm)
                widest_mm = max(widest_mm, extent_mm)
    wide_mm = widest_mm * (1 - TIE_RELATIVE)
    start, end = points_px[0], points_px[0]
    found = False
    for a in points_px:
        for b in points_px:
            if not (_comes_first(a, b) and _length_mm(a, b, spacing_xy_mm) >= long_mm):
                continue
            earlier = not found or (a[0], a[1], b[0], b[1]) < (start[0], start[1], end[0], end[1])
            if earlier and _perpendicular_extent_mm(points_px, a, b, spacing_xy_mm) >= wide_mm:
                start, end, found = a, b, True
    return np.array([longest_mm, widest_mm, start[0], start[1], end[0], end[1]])


@kernel
def _comes_first(a_px: AnyArray, b_px: AnyArray) -> bool:
    return bool(a_px[0] < b_px[0] or (a_px[0] == b_px[0] and a_px[1] <= b_px[1]))


@kernel
def _length_mm(a_px: AnyArray, b_px: AnyArray, spacing_xy_mm: tuple[float, float]) -> float:
    x_mm = (b_px[0] - a_px[0]) * spacing_xy_mm[0]
    y_mm = (b_px[1] - a_px[1]) * spacing_xy_mm[1]
    return math.sqrt(x_mm * x_mm + y_mm * y_mm)


@kernel
def _perpendicular_extent_mm(
    points_px: AnyArray, a_px: AnyArray, b_px: AnyArray, spacing_xy_mm: tuple[float, float]
) -> float:
    length_mm = _length_mm(a_px, b_px, spacing_xy_mm)
    if length_mm == 0:
        return 0.0
    x_mm = (b_px[0] - a_px[0]) * spacing_xy_mm[0]
    y_mm = (b_px[1] - a_px[1]) * spacing_xy_mm[1]
    low = high = 0.0
    for point in points_px:
        from_x_mm = (point[0] - a_px[0]) * spacing_xy_mm[0]
        from_y_mm = (point[1] - a_px[1]) * spacing_xy_mm[1]
        across_mm = (from_y_mm * x_mm - from_x_mm * y_mm) / length_mm
        low, high = min(low, across_mm), max(high, across_mm)
    return high - low
