"""Ellipses fitted to the contours of components: the paper's tumour and lesion axes."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from medvision.annotate.components import AnyArray, ComponentRuns, IntArray, kernel

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

    The contour runs through pixel centres, so axes read about 0.6 to 0.9 px short.

    Args:
        runs: Pixels of n components; a component without runs is `not_target`.
        box_xyxy_px: (n, 4) half-open boxes.
        spacing_xy_mm: Pixel spacing along x and y.
    """
    raw = np.full((len(box_xyxy_px), 5), np.nan)
    status_code = _codes_before_fit(runs, box_xyxy_px)
    candidates = np.flatnonzero(status_code == _CODE[EllipseStatus.OK])
    scale = np.array(spacing_xy_mm, dtype=np.float64)
    for index, mask in _masks(runs, box_xyxy_px, candidates):
        points, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if len(points[0]) < MIN_CONTOUR_POINTS:
            status_code[index] = _CODE[EllipseStatus.TOO_FEW_POINTS]
            continue
        try:
            center, axes, angle = cv2.fitEllipse((points[0] * scale).astype(np.float32))
        except cv2.error:
            continue
        raw[index] = (*center, *axes, angle)
    return _checked_fits(raw, status_code, box_xyxy_px, scale)


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
    sides_px = box_xyxy_px[:, 2:] - box_xyxy_px[:, :2]
    codes = np.select(
        [runs.begin == runs.end, sides_px.min(axis=1, initial=MIN_SIDE_PX) < MIN_SIDE_PX],
        [_CODE[EllipseStatus.NOT_TARGET], _CODE[EllipseStatus.TOO_THIN]],
        default=_CODE[EllipseStatus.OK],
    )
    return codes.astype(np.int8)


def _masks(
    runs: ComponentRuns, box_xyxy_px: IntArray, candidates: npt.NDArray[np.intp]
) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
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
        shapes = zip(
            starts.tolist(), heights[begin:stop].tolist(), widths[begin:stop].tolist(), strict=True
        )
        for index, (start, height, width) in zip(chosen.tolist(), shapes, strict=True):
            yield index, block[start : start + height * width].reshape(height, width)
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


def _checked_fits(
    raw: FloatArray, status_code: npt.NDArray[np.int8], box_xyxy_px: IntArray, scale: FloatArray
) -> EllipseFits:
    """Statuses and axes of raw fits: (n, 5) centre x, y, axis a, axis b in mm, angle in degrees."""
    axes_mm, angle_rad = raw[:, 2:4], np.radians(raw[:, 4])
    along_a = np.stack([np.cos(angle_rad), np.sin(angle_rad)], axis=1)
    along_b = np.stack([-along_a[:, 1], along_a[:, 0]], axis=1)
    a_is_major = (axes_mm[:, 0] >= axes_mm[:, 1])[:, None]
    major_mm, minor_mm = axes_mm.max(axis=1, initial=-np.inf), axes_mm.min(axis=1, initial=np.inf)
    fitted = status_code == _CODE[EllipseStatus.OK]
    status_code = np.where(fitted, _codes_of_fits(raw, box_xyxy_px, scale), status_code)
    unusable = status_code != _CODE[EllipseStatus.OK]
    major_mm, minor_mm = (np.where(unusable, np.nan, length) for length in (major_mm, minor_mm))
    corners_px, centers_mm = box_xyxy_px[:, :2], raw[:, :2]

    def ends_px(direction: FloatArray, length_mm: FloatArray) -> FloatArray:
        half_mm = direction * length_mm[:, None] / 2
        ends = [(centers_mm + sign * half_mm) / scale + corners_px for sign in (-1, 1)]
        return ends_in_order(np.concatenate(ends, axis=1), float(scale[0]))

    return EllipseFits(
        status_code=status_code.astype(np.int8),
        major_mm=major_mm,
        minor_mm=minor_mm,
        major_ends_px=ends_px(np.where(a_is_major, along_a, along_b), major_mm),
        minor_ends_px=ends_px(np.where(a_is_major, along_b, along_a), minor_mm),
    )


def _codes_of_fits(
    raw: FloatArray, box_xyxy_px: IntArray, scale: FloatArray
) -> npt.NDArray[np.intp]:
    sides_mm = (box_xyxy_px[:, 2:] - box_xyxy_px[:, :2]) * scale
    major_mm, minor_mm = (
        raw[:, 2:4].max(axis=1, initial=-np.inf),
        raw[:, 2:4].min(axis=1, initial=np.inf),
    )
    checks = {
        EllipseStatus.NON_FINITE: ~np.isfinite(raw).all(axis=1),
        EllipseStatus.COLLAPSED: minor_mm < scale.min(),
        EllipseStatus.RUNAWAY: major_mm > RUNAWAY_RATIO * np.hypot(sides_mm[:, 0], sides_mm[:, 1]),
        EllipseStatus.BELOW_FLOOR: major_mm < max(FLOOR_MM, FLOOR_PIXELS * float(scale.max())),
    }
    return np.select(
        list(checks.values()), [_CODE[status] for status in checks], default=_CODE[EllipseStatus.OK]
    )
