"""DICOM slices stacked into a volume, or the reason why they must not be.

A slice says where it lies by ImagePositionPatient and ImageOrientationPatient (PS3.3, C.7.6.2.1.1).
InstanceNumber and SliceLocation are not looked at: the standard gives the one no geometric meaning
and the other no reference point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medvision.frames import FloatArray
from medvision.volumes.errors import (
    GantryTiltError,
    MissingSlicesError,
    MissingSpacingError,
    NonUniformSlicesError,
)

GAP_TOLERANCE_FRAC = 0.02
GAP_TOLERANCE_MM = 0.02
"""A gap may differ from the median gap by the larger of both: positions are written rounded."""

TILT_TOLERANCE = 1e-3
"""Largest sine between the stacking direction and the slices' normal."""

_ORIENTATION_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePlacement:
    """Where one slice lies.

    Attributes:
        position_lps: Centre of the first pixel, mm.
        orientation_lps: Direction of rising column index, then of rising row index.
        spacing_yx_mm: Distance between rows, between columns.
        size_xy_px: Columns, rows.
        slice_spacing_mm: As stated; used for a single slice only.
        name: Of its file, for messages.
    """

    position_lps: tuple[float, ...]
    orientation_lps: tuple[float, ...]
    spacing_yx_mm: tuple[float, float]
    size_xy_px: tuple[int, int]
    slice_spacing_mm: float | None
    name: str = ""

    @property
    def directions_lps(self) -> FloatArray:
        """(2, 3): unit directions of rising column and row index; as written they are rounded."""
        directions = np.reshape(self.orientation_lps, (2, 3))
        return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True))

    @property
    def normal_lps(self) -> FloatArray:
        """Unit direction across the slice, right-handed with its columns and rows."""
        normal = np.cross(self.orientation_lps[:3], self.orientation_lps[3:])
        return np.asarray(normal / np.linalg.norm(normal), dtype=np.float64)


def stacking_order(slices: Sequence[SlicePlacement]) -> list[int]:
    """Indices of the slices along the first one's normal.

    Example:
        >>> def at(z_mm):
        ...     return SlicePlacement(
        ...         position_lps=(0, 0, z_mm),
        ...         orientation_lps=(1, 0, 0, 0, 1, 0),
        ...         spacing_yx_mm=(0.5, 0.5),
        ...         size_xy_px=(512, 512),
        ...         slice_spacing_mm=None,
        ...     )
        >>> stacking_order([at(10), at(0), at(5)])
        [1, 2, 0]
    """
    along_mm = [float(np.dot(s.position_lps, slices[0].normal_lps)) for s in slices]
    return [int(n) for n in np.argsort(along_mm, kind="stable")]


def stack_affine(slices: Sequence[SlicePlacement], *, item: str) -> FloatArray:
    """(4, 4), voxel (column, row, slice) to LPS mm, of slices in stacking order.

    Args:
        slices: In stacking order.
        item: The series, for messages.

    Raises:
        NonUniformSlicesError: Turned or differently sized slices, or unequal gaps.
        MissingSlicesError: Gaps of two or more slice distances.
        GantryTiltError: Slices shifted sideways against each other.
        MissingSpacingError: A single slice without a stated thickness.

    Example:
        >>> slices = [
        ...     SlicePlacement(
        ...         position_lps=(-100, -90, z_mm),
        ...         orientation_lps=(1, 0, 0, 0, 1, 0),
        ...         spacing_yx_mm=(0.5, 0.75),
        ...         size_xy_px=(512, 512),
        ...         slice_spacing_mm=None,
        ...     )
        ...     for z_mm in (40, 45, 50)
        ... ]
        >>> stack_affine(slices, item="series")[:3].tolist()
        [[0.75, 0.0, 0.0, -100.0], [0.0, 0.5, 0.0, -90.0], [0.0, 0.0, 5.0, 40.0]]
    """
    first = slices[0]
    for other in slices[1:]:
        turned = np.subtract(other.orientation_lps, first.orientation_lps)
        if (
            np.abs(turned).max() > _ORIENTATION_TOLERANCE
            or other.size_xy_px != first.size_xy_px
            or not np.allclose(other.spacing_yx_mm, first.spacing_yx_mm, rtol=1e-4)
        ):
            msg = (
                f"{item}: expected slices of one orientation, size and pixel spacing, found "
                f"{first.orientation_lps}, {first.size_xy_px}, {first.spacing_yx_mm} and "
                f"{other.orientation_lps}, {other.size_xy_px}, {other.spacing_yx_mm} "
                f"({first.name} and {other.name}); take localizers out"
            )
            raise NonUniformSlicesError(msg)
    if len(slices) > 1:
        across = _checked_step(slices, item)
    elif first.slice_spacing_mm is None:
        msg = f"{item}: a single slice without SliceThickness has no third spacing; add it"
        raise MissingSpacingError(msg)
    else:
        across = first.normal_lps * first.slice_spacing_mm
    spacing_y_mm, spacing_x_mm = first.spacing_yx_mm
    affine = np.eye(4)
    along_row, along_column = first.directions_lps
    affine[:3, 0] = along_row * spacing_x_mm
    affine[:3, 1] = along_column * spacing_y_mm
    affine[:3, 2] = across
    affine[:3, 3] = first.position_lps
    return affine


def _checked_step(slices: Sequence[SlicePlacement], item: str) -> FloatArray:
    """Displacement from slice to slice in LPS mm, after all gaps were found equal."""
    positions = np.array([s.position_lps for s in slices])
    names = [s.name for s in slices]
    _check_gaps(np.diff(positions @ slices[0].normal_lps), names, item)
    # Over the whole stack: rounding of the two end positions is shared by all steps.
    step = (positions[-1] - positions[0]) / (len(slices) - 1)
    sine = np.linalg.norm(np.cross(step, slices[0].normal_lps)) / np.linalg.norm(step)
    if sine > TILT_TOLERANCE:
        msg = (
            f"{item}: slices are stacked {np.degrees(np.arcsin(sine)):.2f}° off their normal "
            "(gantry tilt); resample the series to right angles first"
        )
        raise GantryTiltError(msg)
    # Equal gaps and a straight step leave zigzags, as of two interleaved stacks.
    drift_mm = np.abs(positions - positions[0] - np.outer(np.arange(len(slices)), step)).max()
    allowed_mm = max(GAP_TOLERANCE_MM, 0.1 * min(slices[0].spacing_yx_mm))
    if drift_mm > max(allowed_mm, 0.1 * np.linalg.norm(step)):
        msg = f"{item}: slice positions leave their line by {drift_mm:.3g} mm; not one stack"
        raise NonUniformSlicesError(msg)
    return np.asarray(step, dtype=np.float64)


def _check_gaps(gaps_mm: FloatArray, names: Sequence[str], item: str) -> None:
    """Refuse unequal gaps: (n,) between n + 1 named slices."""
    median_mm = float(np.median(gaps_mm))
    allowed_mm = max(GAP_TOLERANCE_MM, GAP_TOLERANCE_FRAC * median_mm)

    def around(place: Any) -> str:
        n = int(place)
        return f"{names[n]} and {names[n + 1]}"

    # Positions are stated to a micrometre at best: closer ones are the same place.
    if gaps_mm.min() <= 1e-3:
        msg = (
            f"{item}: two slices at one place ({around(gaps_mm.argmin())}); several phases "
            "or repetitions? one folder for each"
        )
        raise NonUniformSlicesError(msg)
    off_mm = np.abs(gaps_mm - median_mm)
    off = off_mm > allowed_mm
    if not off.any():
        return
    whole = np.rint(gaps_mm[off] / median_mm)
    # Only gaps of whole slice distances are missing files; any other is another series' distance.
    if ((whole >= 2) & (np.abs(gaps_mm[off] - whole * median_mm) <= allowed_mm * whole)).all():
        n_missing = int((whole - 1).sum())
        msg = (
            f"{item}: {n_missing} slices missing between {gaps_mm.size + 1} found, the first "
            f"between {around(off.argmax())}; fetch them"
        )
        raise MissingSlicesError(msg)
    msg = (
        f"{item}: expected equal slice distances, found {gaps_mm.min():.4g} to "
        f"{gaps_mm.max():.4g} mm, the oddest between {around(off_mm.argmax())}; "
        "resample the series first"
    )
    raise NonUniformSlicesError(msg)
