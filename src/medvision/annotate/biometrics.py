"""Distances and angles between landmarks, in the plane of the slice they share."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from medvision.catalog.biometrics import (
    BiometricsSpec,
    BiometricsSpecError,
    LineSpec,
    MeasurementSpec,
    parse_biometrics_spec,
    read_biometrics_spec,
)
from medvision.frames import (
    SLICE_AXIS,
    VOLUME_PLANES,
    FloatArray,
    Plane,
    SliceGeometry,
    slice_geometry,
    slice_index_from_ijk,
    xy_from_ijk,
)
from medvision.geometry import (
    DegenerateSegmentError,
    acute_angle_deg,
    distance_mm,
    points_mm,
    vertex_angle_deg,
)
from medvision.names import composed
from medvision.tasks import MetricKind

__all__ = [
    "BiometricPoint",
    "BiometricProblem",
    "BiometricProblemReason",
    "BiometricRow",
    "Biometrics",
    "BiometricsSpec",
    "BiometricsSpecError",
    "biometric_rows",
    "parse_biometrics_spec",
    "read_biometrics_spec",
]

MIN_LINE_MM = 1e-6
"""A shorter line has no direction but that of rounding errors."""

UNITS: dict[MetricKind, str] = {MetricKind.DISTANCE: "mm", MetricKind.ANGLE: "deg"}


class BiometricProblemReason(StrEnum):
    """Why a measurement could not be made."""

    MISSING_LANDMARK = "missing_landmark"
    """The landmark file lacks a landmark the measurement needs."""
    OUTSIDE_VOLUME = "outside_volume"
    """A landmark lies outside the voxels."""
    NO_SUCH_PLANE = "no_such_plane"
    """The image has no slice on the plane the measurement names."""
    DIFFERENT_SLICES = "different_slices"
    """The landmarks share no slice on the plane, or on any plane."""
    DEGENERATE_LINE = "degenerate_line"
    """A line of an angle has no length in the plane, so no direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BiometricPoint:
    """A landmark on the displayed slice, pixel centres, top-left origin, unrounded."""

    key: str
    name: str
    x_px: float
    y_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BiometricRow:
    """One measurement on one slice; the columns of the biometrics table that need no case.

    Attributes:
        value: In-plane distance in mm, or acute angle in [0, 90] degrees.
        vertex_value_deg: Angle at the landmark its two lines share, in [0, 180]; None if none.
        points: Two for each line, in line order.
    """

    plane: Plane
    slice_index: int
    height_px: int
    width_px: int
    spacing_y_mm: float
    spacing_x_mm: float
    metric_kind: MetricKind
    metric_key: str
    name: str
    value: float
    unit: str
    vertex_value_deg: float | None
    points: tuple[BiometricPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BiometricProblem:
    """A measurement that could not be made.

    Attributes:
        message: Expected, found and which measurement, without the case.
    """

    metric_kind: MetricKind
    metric_key: str
    reason: BiometricProblemReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Biometrics:
    """All measurements of one image, and those that could not be made."""

    rows: tuple[BiometricRow, ...]
    problems: tuple[BiometricProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """The landmarks of one measurement as they lie on the slices of one plane."""

    plane: Plane
    geometry: SliceGeometry
    slice_indices: npt.NDArray[np.int64]
    points_xy: FloatArray

    @property
    def shares_slice(self) -> bool:
        return len(set(self.slice_indices.tolist())) == 1


def biometric_rows(
    spec: BiometricsSpec,
    landmarks: Mapping[str, npt.ArrayLike],
    *,
    shape: tuple[int, ...],
    spacing_mm: tuple[float, ...],
    native_plane: Plane = Plane.NATIVE,
) -> Biometrics:
    """Every measurement of a specification on one image.

    A landmark's slice is ⌊v + 0.5⌋ of its voxel coordinate; what it lies off that slice's centre
    plane is ignored, in-plane coordinates stay unrounded.

    Args:
        spec: What to measure.
        landmarks: Key to RAS+ voxel coordinates (3,), or to (x, y) of a 2D image. Keys the
            specification does not name are left out.
        shape: (I, J, K) of the RAS+ array, or (height, width) of a 2D image.
        spacing_mm: Voxel spacing along the axes of `shape`.
        native_plane: Projection of a 2D image, if its dataset names one.

    Returns:
        Rows in the order of `spec.measure`, planes of one measurement sagittal, coronal, axial.
        A measurement without any row has exactly one problem.

    Example:
        A line from pixel (0, 0) to (3, 4) of a picture with pixels of 2 × 2 mm is 10 mm long.

        >>> spec = parse_biometrics_spec(
        ...     {
        ...         "landmarks": {"a": "left end", "b": "right end"},
        ...         "lines": {"ab": {"landmarks": ["a", "b"]}},
        ...         "measure": [{"kind": "distance", "key": "ab"}],
        ...     },
        ...     "example",
        ... )
        >>> found = biometric_rows(
        ...     spec, {"a": (0, 0), "b": (3, 4)}, shape=(20, 20), spacing_mm=(2.0, 2.0)
        ... )
        >>> [(row.name, row.value, row.unit) for row in found.rows]
        [('distance between left end and right end', 10.0, 'mm')]
    """
    image = _Image(
        landmarks={
            composed(key): np.asarray(point, dtype=np.float64) for key, point in landmarks.items()
        },
        shape=tuple(shape),
        spacing_mm=tuple(spacing_mm),
        native_plane=native_plane,
    )
    rows: list[BiometricRow] = []
    problems: list[BiometricProblem] = []
    for measurement in spec.measure:
        try:
            rows += _measured(spec, measurement, image)
        except _NotMeasurableError as error:
            problems.append(
                BiometricProblem(
                    metric_kind=measurement.kind,
                    metric_key=measurement.key,
                    reason=error.reason,
                    message=f"{measurement.kind} '{measurement.key}': {error}",
                )
            )
    return Biometrics(rows=tuple(rows), problems=tuple(problems))


class _NotMeasurableError(Exception):
    """One measurement cannot be made; becomes a `BiometricProblem`."""

    def __init__(self, reason: BiometricProblemReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    """Landmarks and the image they lie in, a volume or a native 2D image."""

    landmarks: Mapping[str, FloatArray]
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    native_plane: Plane

    @property
    def is_native(self) -> bool:
        return len(self.shape) == 2

    def located(self, keys: tuple[str, ...]) -> FloatArray:
        """Coordinates of landmarks, all of them present and inside: (n, 3), or (n, 2) as x, y."""
        missing = [key for key in keys if key not in self.landmarks]
        if missing:
            msg = f"needs landmarks {', '.join(dict.fromkeys(missing))}, not in the landmark file"
            raise _NotMeasurableError(BiometricProblemReason.MISSING_LANDMARK, msg)
        # A picture's landmarks are (x, y), its shape is (height, width).
        extent = self.shape[::-1] if self.is_native else self.shape
        for key in keys:
            point = self.landmarks[key]
            # Points are pixel centres: the first pixel reaches from −0.5 to 0.5.
            if not np.all((point >= -0.5) & (point < np.array(extent) - 0.5)):
                at = ", ".join(f"{coordinate:.2f}" for coordinate in point)
                msg = f"landmark '{key}' at ({at}) lies outside the image of {extent} pixels"
                raise _NotMeasurableError(BiometricProblemReason.OUTSIDE_VOLUME, msg)
        return np.array([self.landmarks[key] for key in keys])

    def views(self, plane: Plane | None, points: FloatArray) -> list[_View]:
        """The points on one plane, or (None) on each plane the image has."""
        if self.is_native and plane in {None, Plane.NATIVE, self.native_plane}:
            geometry = SliceGeometry(
                height_px=self.shape[0],
                width_px=self.shape[1],
                spacing_y_mm=float(self.spacing_mm[0]),
                spacing_x_mm=float(self.spacing_mm[1]),
            )
            only = np.zeros(len(points), dtype=np.int64)  # a 2D image has slice 0
            view = _View(
                plane=self.native_plane, geometry=geometry, slice_indices=only, points_xy=points
            )
            return [view]
        planes = VOLUME_PLANES if plane is None else (plane,)
        known = [] if self.is_native else [one for one in planes if one in SLICE_AXIS]
        if not known:
            found = f"a 2D image ({self.native_plane})" if self.is_native else "a volume"
            msg = f"asks for a slice on plane {plane}, found {found}"
            raise _NotMeasurableError(BiometricProblemReason.NO_SUCH_PLANE, msg)
        return [
            _View(
                plane=one,
                geometry=slice_geometry(self.shape, self.spacing_mm, one),
                slice_indices=slice_index_from_ijk(points, one),
                points_xy=xy_from_ijk(points, self.shape, one),
            )
            for one in known
        ]


def _measured(
    spec: BiometricsSpec, measurement: MeasurementSpec, image: _Image
) -> list[BiometricRow]:
    """Rows of one measurement, at least one; planes where a line has no length give none."""
    lines = spec.metric_lines(measurement)
    keys = tuple(composed(key) for line in lines for key in line.landmarks)
    views = image.views(measurement.plane, image.located(keys))
    shared = [view for view in views if view.shares_slice]
    if not shared:
        slices = "; ".join(f"{view.plane} {view.slice_indices.tolist()}" for view in views)
        msg = f"needs landmarks {', '.join(keys)} on one slice, found them on slices {slices}"
        raise _NotMeasurableError(BiometricProblemReason.DIFFERENT_SLICES, msg)
    rows: list[BiometricRow] = []
    for view in shared:
        try:
            rows.append(_row(spec, measurement, view))
        except DegenerateSegmentError as error:
            degenerate = error
    if not rows:
        reason = BiometricProblemReason.DEGENERATE_LINE
        raise _NotMeasurableError(reason, str(degenerate)) from degenerate
    return rows


def _row(spec: BiometricsSpec, measurement: MeasurementSpec, view: _View) -> BiometricRow:
    lines = spec.metric_lines(measurement)
    geometry = view.geometry
    in_mm = points_mm(
        view.points_xy, spacing_x_mm=geometry.spacing_x_mm, spacing_y_mm=geometry.spacing_y_mm
    ).reshape(len(lines), 2, 2)
    value, vertex_value_deg = _values(lines, in_mm)
    keys = [key for line in lines for key in line.landmarks]
    return BiometricRow(
        plane=view.plane,
        slice_index=int(view.slice_indices[0]),
        height_px=geometry.height_px,
        width_px=geometry.width_px,
        spacing_y_mm=geometry.spacing_y_mm,
        spacing_x_mm=geometry.spacing_x_mm,
        metric_kind=measurement.kind,
        metric_key=measurement.key,
        name=spec.metric_name(measurement),
        value=value,
        unit=UNITS[measurement.kind],
        vertex_value_deg=vertex_value_deg,
        points=tuple(
            BiometricPoint(key=key, name=spec.landmarks[key], x_px=float(x), y_px=float(y))
            for key, (x, y) in zip(keys, view.points_xy, strict=True)
        ),
    )


def _values(lines: tuple[LineSpec, ...], in_mm: FloatArray) -> tuple[float, float | None]:
    """Value and vertex value of one (distance) or two (angle) lines, in_mm (lines, 2, 2)."""
    if len(lines) == 1:
        return distance_mm(in_mm[0, 0], in_mm[0, 1]), None
    first, second = in_mm
    for line, points in zip(lines, in_mm, strict=True):
        if distance_mm(points[0], points[1]) < MIN_LINE_MM:
            msg = f"the line from '{line.landmarks[0]}' to '{line.landmarks[1]}' has no length"
            raise DegenerateSegmentError(msg)
    value_deg = acute_angle_deg(first[1] - first[0], second[1] - second[0])
    # By key, not by place: two landmarks may lie on one point and still be no vertex.
    places: tuple[tuple[Literal[0, 1], Literal[0, 1]], ...] = ((0, 0), (0, 1), (1, 0), (1, 1))
    for place in places:
        if lines[0].landmarks[place[0]] == lines[1].landmarks[place[1]]:
            return value_deg, vertex_angle_deg(first, second, place)
    return value_deg, None
