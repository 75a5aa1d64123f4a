"""Ellipses fitted to the contours of components: the paper's tumour and lesion axes."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from medvision.annotate.components import ComponentRuns, IntArray
from medvision.annotate.label_memory import AnyArray, kernel

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
RUNAWAY_RATIO = 1.5
FLOOR_MM = 2.0
FLOOR_PIXELS = 2.0

VERTICAL_MM = 1e-3
"""A line whose ends lie closer than this along x is ordered by y."""

_NOISE_SEED = -1
"""OpenCV's own initial state."""

_MASK_BLOCK_BYTES = 1 << 24


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
    """
    scale = np.array(spacing_xy_mm, dtype=np.float64)
    status_code = _codes_before_fit(runs, box_xyxy_px)
    candidates = np.flatnonzero(status_code == _CODE[EllipseStatus.OK])
    raw = np.full((len(candidates), 5), np.nan)
    for row, mask in enumerate(_masks(runs, box_xyxy_px, candidates)):
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if len(contours[0]) < MIN_CONTOUR_POINTS:
            status_code[candidates[row]] = _CODE[EllipseStatus.TOO_FEW_POINTS]
            continue
        with contextlib.suppress(cv2.error):
            # Where a fit is singular OpenCV moves the points at random, anew on each call.
            cv2.setRNGSeed(_NOISE_SEED)
            center, axes_mm, angle = cv2.fitEllipse((contours[0] * scale).astype(np.float32))
            raw[row] = (*center, *axes_mm, angle)
    return _measured_fits(raw, status_code, candidates, box_xyxy_px, scale)


def _measured_fits(
    raw: FloatArray,
    status_code: npt.NDArray[np.int8],
    candidates: npt.NDArray[np.intp],
    box_xyxy_px: IntArray,
    scale: FloatArray,
) -> EllipseFits:
    """Axes of the fits that can be used; (m, 5) centre x, y, axis a, axis b in mm, angle in deg."""
    fitted = status_code[candidates] == _CODE[EllipseStatus.OK]
    raw, candidates = raw[fitted], candidates[fitted]
    status_code[candidates] = _codes_of_fits(raw, box_xyxy_px[candidates], scale)
    usable = status_code[candidates] == _CODE[EllipseStatus.OK]
    axes = np.full((len(box_xyxy_px), 10), np.nan)
    measured = candidates[usable]
    axes[measured] = _axes(raw[usable], box_xyxy_px[measured, :2], scale)
    return EllipseFits(
        status_code=status_code,
        major_mm=axes[:, 0],
        minor_mm=axes[:, 1],
        major_ends_px=axes[:, 2:6],
        minor_ends_px=axes[:, 6:10],
    )


def ends_in_order(ends_px: FloatArray, spacing_x_mm: float) -> FloatArray:
    """Order the ends of lines: end 0 has the smaller x, or the smaller y on vertical lines.

    Args:
        ends_px: (n, 4) x0, y0, x1, y1.
        spacing_x_mm: Pixel spacing along x; closer than 1e-3 mm along x is vertical.
    """
    x0, y0, x1, y1 = ends_px.T
    vertical = np.abs(x1 - x0) * spacing_x_mm < VERTICAL_MM
    swap = np.where(vertical, y1 < y0, x1 < x0)
    return np.where(swap[:, None], ends_px[:, [2, 3, 0, 1]], ends_px)


def _codes_before_fit(runs: ComponentRuns, box_xyxy_px: IntArray) -> npt.NDArray[np.int8]:
    x0, y0, x1, y1 = box_xyxy_px.T
    codes = np.full(len(box_xyxy_px), _CODE[EllipseStatus.OK], dtype=np.int8)
    codes[np.minimum(x1 - x0, y1 - y0) < MIN_SIDE_PX] = _CODE[EllipseStatus.TOO_THIN]
    codes[runs.begin == runs.end] = _CODE[EllipseStatus.NOT_TARGET]
    return codes


def _masks(
    runs: ComponentRuns, box_xyxy_px: IntArray, candidates: npt.NDArray[np.intp]
) -> Iterator[npt.NDArray[np.uint8]]:
    """Each candidate alone, cropped to its box; painted many at a time in bounded memory."""
    x0, y0, x1, y1 = box_xyxy_px[candidates].astype(np.int64).T
    heights, widths = y1 - y0, x1 - x0
    ends = np.cumsum(heights * widths)
    begin = 0
    while begin < len(candidates):
        painted = int(ends[begin - 1]) if begin else 0
        stop = max(begin + 1, int(np.searchsorted(ends, painted + _MASK_BLOCK_BYTES)))
        chosen = candidates[begin:stop]
        starts = np.concatenate([[0], ends[begin : stop - 1] - painted])
        block = np.zeros(int(ends[stop - 1]) - painted, dtype=np.uint8)
        _paint(
            runs.runs,
            runs.begin[chosen],
            runs.end[chosen],
            int(runs.along_y),
            box_xyxy_px[chosen],
            starts,
            block,
        )
        for start, height, width in zip(
            starts.tolist(), heights[begin:stop].tolist(), widths[begin:stop].tolist(), strict=True
        ):
            yield block[start : start + height * width].reshape(height, width)
        begin = stop


@kernel
def _paint(
    runs: AnyArray,
    begin: AnyArray,
    end: AnyArray,
    along_y: int,
    box: AnyArray,
    starts: AnyArray,
    block: AnyArray,
) -> None:
    for index in range(len(begin)):
        x0, y0, width = box[index, 0], box[index, 1], box[index, 2] - box[index, 0]
        for run in range(begin[index], end[index]):
            line, first, last = runs[run, 0], runs[run, 1], runs[run, 2]
            if along_y:
                at, step = starts[index] + (first - y0) * width + line - x0, width
            else:
                at, step = starts[index] + (line - y0) * width + first - x0, 1
            for pixel in range(last - first):
                block[at + pixel * step] = 1


def _codes_of_fits(
    raw: FloatArray, box_xyxy_px: IntArray, scale: FloatArray
) -> npt.NDArray[np.int8]:
    """Statuses of fits, the first that applies."""
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
    for status, applies in reversed(checks.items()):
        codes[applies] = _CODE[status]
    return codes


def _axes(raw: FloatArray, corners_px: IntArray, scale: FloatArray) -> FloatArray:
    """(m, 10): major and minor in mm, ends of the major and of the minor axis in slice pixels."""
    swapped = raw[:, 2] < raw[:, 3]
    angle_rad = np.radians(raw[:, 4] + np.where(swapped, 90.0, 0.0))
    major_mm, minor_mm = np.maximum(raw[:, 2], raw[:, 3]), np.minimum(raw[:, 2], raw[:, 3])
    along = np.stack([np.cos(angle_rad), np.sin(angle_rad)], axis=1)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    axes = [major_mm[:, None], minor_mm[:, None]]
    for direction, length_mm in ((along, major_mm), (across, minor_mm)):
        half_mm = direction * length_mm[:, None] / 2
        ends = [(raw[:, :2] + sign * half_mm) / scale + corners_px for sign in (-1, 1)]
        axes.append(ends_in_order(np.concatenate(ends, axis=1), float(scale[0])))
    return np.concatenate(axes, axis=1)
