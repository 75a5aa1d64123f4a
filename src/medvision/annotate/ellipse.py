"""Ellipses fitted to the contours of components: the paper's tumour and lesion axes."""

import math
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from medvision.annotate.components import ComponentRuns, IntArray, component_mask

FloatArray = npt.NDArray[np.float64]


class EllipseStatus(StrEnum):
    """Why a component has no measurable ellipse, in the order of the checks; `OK` if it has one."""

    NOT_TARGET = "not_target"
    TOO_THIN = "too_thin"
    TOO_FEW_POINTS = "too_few_points"
    NON_FINITE = "non_finite"
    COLLAPSED = "collapsed"
    RUNAWAY = "runaway"
    BELOW_FLOOR = "below_floor"
    OK = "ok"


STATUSES = tuple(EllipseStatus)
"""Status of each code in `EllipseFits.status_code`."""

_CODE = {status: code for code, status in enumerate(STATUSES)}

MIN_SIDE_PX = 3

MIN_CONTOUR_POINTS = 5
"""A conic has five degrees of freedom, and `cv2.fitEllipse` refuses fewer points."""

RUNAWAY_RATIO = 1.5
"""Of a major axis to the diagonal of the box: straight contours fit ellipses of any length."""

FLOOR_MM = 2.0
FLOOR_PIXELS = 2.0

VERTICAL_MM = 1e-3
"""A line whose ends lie closer than this along x is ordered by y."""

_NOISE_SEED = -1
"""OpenCV's own initial state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EllipseFits:
    """Fitted ellipses of n components, in the slice frame; NaN unless the status is `ok`."""

    status_code: npt.NDArray[np.int8]
    """(n,): index into `STATUSES`."""
    major_mm: FloatArray
    minor_mm: FloatArray
    major_ends_px: FloatArray
    """(n, 4): x0, y0, x1, y1 of the major axis, pixel centres, not clipped to the slice."""
    minor_ends_px: FloatArray


def fit_ellipses(
    runs: ComponentRuns, box_xyxy_px: IntArray, spacing_xy_mm: tuple[float, float]
) -> EllipseFits:
    """Fit an ellipse to the outer contour of each component, in mm.

    The contour runs through pixel centres, so axes read about 0.6 to 0.9 px short. A component
    gives the same ellipse at any place, on any thread: the random generator of OpenCV, which
    singular fits draw from, is set back before each fit.

    Args:
        runs: Pixels of n components; a component without runs is `not_target`.
        box_xyxy_px: (n, 4) half-open boxes.
        spacing_xy_mm: Pixel spacing along x and y.

    Example:
        A square of 3×3 px at 10 mm: the contour of its outer pixel centres has corners 14.1 mm and
        edges 10 mm from the middle, and the circle that fits all eight lies between.

        >>> runs = ComponentRuns(
        ...     runs=np.array([[0, 0, 3], [1, 0, 3], [2, 0, 3]], dtype=np.int32),
        ...     begin=np.array([0]),
        ...     end=np.array([3]),
        ...     along_y=False,
        ... )
        >>> fits = fit_ellipses(runs, np.array([[0, 0, 3, 3]], dtype=np.int32), (10.0, 10.0))
        >>> bool(20 < fits.minor_mm[0] <= fits.major_mm[0] < 28.3)
        True
    """
    scale = np.array(spacing_xy_mm, dtype=np.float64)
    x0, y0, x1, y1 = box_xyxy_px.T
    status_code = np.full(len(box_xyxy_px), _CODE[EllipseStatus.OK], dtype=np.int8)
    status_code[np.minimum(x1 - x0, y1 - y0) < MIN_SIDE_PX] = _CODE[EllipseStatus.TOO_THIN]
    status_code[runs.begin == runs.end] = _CODE[EllipseStatus.NOT_TARGET]
    fitted, raw, along_y = [], [], int(runs.along_y)
    for index in np.flatnonzero(status_code == _CODE[EllipseStatus.OK]).tolist():
        own = runs.runs[runs.begin[index] : runs.end[index]]
        mask = component_mask(own, box_xyxy_px[index], along_y)
        # One component, so one outer contour; all its points, or straight edges would weigh little.
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if len(contours[0]) < MIN_CONTOUR_POINTS:
            status_code[index] = _CODE[EllipseStatus.TOO_FEW_POINTS]
            continue
        # Where a fit is singular OpenCV moves the points at random, anew on each call.
        cv2.setRNGSeed(_NOISE_SEED)
        try:
            center, axes_mm, angle = cv2.fitEllipse((contours[0] * scale).astype(np.float32))
        except cv2.error:
            center, axes_mm, angle = (math.nan,) * 2, (math.nan,) * 2, math.nan
        fitted.append(index)
        raw += [*center, *axes_mm, angle]
    codes, found = measured_fits(np.reshape(raw, (-1, 5)), box_xyxy_px[fitted], scale)
    axes = np.full((len(box_xyxy_px), 10), np.nan)
    status_code[fitted], axes[fitted] = codes, found
    return EllipseFits(
        status_code=status_code,
        major_mm=axes[:, 0],
        minor_mm=axes[:, 1],
        major_ends_px=axes[:, 2:6],
        minor_ends_px=axes[:, 6:10],
    )


def measured_fits(
    raw: FloatArray, box_xyxy_px: IntArray, scale: FloatArray
) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Statuses of fits, the first that applies, and axes of those that can be used.

    Args:
        raw: (m, 5) as OpenCV gives them: centre x and y from the box's first pixel, axis, other
            axis in mm, angle of the first axis in degrees.
        box_xyxy_px: (m, 4) half-open boxes.
        scale: (2,) pixel spacing along x and y, mm.

    Returns:
        (m,) indices into `STATUSES`; (m, 10) major and minor in mm, ends of the major and of the
        minor axis in slice pixels, NaN unless the status is `ok`.

    Example:
        4 mm along x, 8 mm along y at 0.5 and 1 mm, in a box that starts at (10, 20):

        >>> raw, box_xyxy_px = np.array([[2.0, 4, 4, 8, 0]]), np.array([[10, 20, 19, 29]])
        >>> codes, axes = measured_fits(raw, box_xyxy_px, np.array([0.5, 1.0]))
        >>> STATUSES[codes[0]].value, axes.round(9).tolist()
        ('ok', [[8.0, 4.0, 14.0, 20.0, 14.0, 28.0, 10.0, 24.0, 18.0, 24.0]])
    """
    x0, y0, x1, y1 = box_xyxy_px.T
    diagonal_mm = np.hypot((x1 - x0) * scale[0], (y1 - y0) * scale[1])
    major_mm, minor_mm = np.maximum(raw[:, 2], raw[:, 3]), np.minimum(raw[:, 2], raw[:, 3])
    checks = {
        EllipseStatus.NON_FINITE: ~np.isfinite(raw).all(axis=1),
        EllipseStatus.COLLAPSED: minor_mm < scale.min(),
        EllipseStatus.RUNAWAY: major_mm > RUNAWAY_RATIO * diagonal_mm,
        EllipseStatus.BELOW_FLOOR: major_mm < max(FLOOR_MM, FLOOR_PIXELS * float(scale.max())),
    }
    codes = np.full(len(raw), _CODE[EllipseStatus.OK], dtype=np.int8)
    for status, applies in reversed(checks.items()):  # the first that applies is written last
        codes[applies] = _CODE[status]
    usable = codes == _CODE[EllipseStatus.OK]
    raw, corner_px = raw[usable], box_xyxy_px[usable, :2]
    major_mm, minor_mm = major_mm[usable], minor_mm[usable]
    # OpenCV's angle turns its first axis from x towards y; which axis is longer is not promised.
    swapped = raw[:, 2] < raw[:, 3]
    angle_rad = np.radians(raw[:, 4] + np.where(swapped, 90.0, 0.0))
    along = np.stack([np.cos(angle_rad), np.sin(angle_rad)], axis=1)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    axes = [major_mm[:, None], minor_mm[:, None]]
    for direction, length_mm in ((along, major_mm), (across, minor_mm)):
        half_mm = direction * length_mm[:, None] / 2
        ends = [(raw[:, :2] + sign * half_mm) / scale + corner_px for sign in (-1, 1)]
        axes.append(ends_in_order(np.concatenate(ends, axis=1), float(scale[0])))
    found = np.full((len(codes), 10), np.nan)
    found[usable] = np.concatenate(axes, axis=1)
    return codes, found


def ends_in_order(ends_px: FloatArray, spacing_x_mm: float) -> FloatArray:
    """Order the ends of lines: end 0 has the smaller x, or the smaller y on vertical lines.

    Args:
        ends_px: (n, 4) x0, y0, x1, y1.
        spacing_x_mm: Pixel spacing along x; closer than 1e-3 mm along x is vertical.

    Example:
        >>> ends_in_order(np.array([[5.0, 2, 1, 7], [3, 9, 3, 4]]), 1.0).tolist()
        [[1.0, 7.0, 5.0, 2.0], [3.0, 4.0, 3.0, 9.0]]
    """
    x0, y0, x1, y1 = ends_px.T
    vertical = np.abs(x1 - x0) * spacing_x_mm < VERTICAL_MM
    swap = np.where(vertical, y1 < y0, x1 < x0)
    return np.where(swap[:, None], ends_px[:, [2, 3, 0, 1]], ends_px)
