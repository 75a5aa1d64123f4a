"""One case of a published plan to rows of our tables.

A plan's arrays are indexed as the file was stored when the plan was made, RAS+ by then as a rule;
`orientation` says. Its boxes include both ends and count from the lowest index, ours are half-open
on the displayed slice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medvision.annotate.landmarks import AXIS_OF_LETTER, CANONICAL_LETTERS
from medvision.errors import ItemError
from medvision.frames import (
    SLICE_AXIS,
    VOLUME_PLANES,
    FloatArray,
    Plane,
    SliceGeometry,
    slice_geometry,
    xy_from_ijk,
)
from medvision.table.plan import PROFILES, PlanContent, PlanTask
from medvision.table.schema import BIOMETRIC_SCHEMA, REGION_SCHEMA
from medvision.tasks import MetricKind

KINDS = {"distance": MetricKind.DISTANCE, "angle": MetricKind.ANGLE}
UNITS = {"degree": "deg", "deg": "deg", "mm": "mm"}
MAJOR, MINOR = "L-1-2", "L-3-4"


class PlanCaseError(ItemError):
    """A case of a plan lacks what a case has, or contradicts itself."""

    reason = "plan_case"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanGrid:
    """Voxels of a case, as the plan knows them, turned to RAS+.

    Attributes:
        shape_ijk: (I, J, K), RAS+.
        spacing_mm: Along i, j, k; the plan rounds to 3 decimals.
        affine: (4, 4), RAS+ voxel to mm.
        axes: Of each stored axis: the RAS+ axis it runs along, and whether in the other direction.
        orientation: Letters of the stored axes; "RAS" after the original's own reorientation.
    """

    shape_ijk: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    affine: FloatArray
    axes: tuple[tuple[int, bool], ...]
    orientation: str

    def ijk(self, stored: Sequence[float]) -> FloatArray:
        """RAS+ voxel of a stored one."""
        point = np.empty(3)
        for (axis, flipped), value in zip(self.axes, stored, strict=True):
            point[axis] = self.shape_ijk[axis] - 1 - value if flipped else value
        return point


def plan_grid(info: Mapping[str, Any], item: str) -> PlanGrid:
    """The grid that `image_file_info` describes.

    Raises:
        PlanCaseError: Not three axes, or letters that are no orientation.
    """
    letters = "".join(info.get("orientation") or CANONICAL_LETTERS)
    stored_shape, stored_spacing = info["array_size"], info["voxel_size"]
    axes = [AXIS_OF_LETTER.get(letter, -1) for letter in letters]
    if sorted(axes) != [0, 1, 2] or len(stored_shape) != 3 or len(stored_spacing) != 3:
        msg = (
            f"{item}: expected three axes with an orientation such as RAS, found {letters!r}, size "
            f"{stored_shape}, spacing {stored_spacing}"
        )
        raise PlanCaseError(msg)
    shape, spacing = [0, 0, 0], [0.0, 0.0, 0.0]
    # RAS+ voxel to stored voxel, so that the stored affine after it goes from RAS+ voxel to mm.
    to_stored = np.zeros((4, 4))
    to_stored[3, 3] = 1
    placed = []
    for stored_axis, axis in enumerate(axes):
        flipped = letters[stored_axis] not in CANONICAL_LETTERS
        shape[axis] = int(stored_shape[stored_axis])
        spacing[axis] = float(stored_spacing[stored_axis])
        to_stored[stored_axis, axis] = -1 if flipped else 1
        to_stored[stored_axis, 3] = shape[axis] - 1 if flipped else 0
        placed.append((axis, flipped))
    affine = np.asarray(info["affine"], dtype=np.float64) @ to_stored
    if not (np.isfinite(affine).all() and np.isfinite(spacing).all() and min(shape) > 0):
        msg = f"{item}: expected sizes above 0 and finite numbers, found {stored_shape}, {spacing}"
        raise PlanCaseError(msg)
    return PlanGrid(
        shape_ijk=tuple(shape),
        spacing_mm=tuple(spacing),
        affine=affine,
        axes=tuple(placed),
        orientation=letters,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSlice:
    """One slice of a case that a plan has something on."""

    plane: Plane
    slice_index: int
    stored_axis: int
    stored_index: int
    geometry: SliceGeometry
    profile: Sequence[Any]

    def columns(self) -> dict[str, Any]:
        """The columns of our tables that say which slice a row is about."""
        return {
            "plane": str(self.plane),
            "slice_index": self.slice_index,
            "height_px": self.geometry.height_px,
            "width_px": self.geometry.width_px,
            "spacing_y_mm": self.geometry.spacing_y_mm,
            "spacing_x_mm": self.geometry.spacing_x_mm,
        }


def plan_slices(case: Mapping[str, Any], grid: PlanGrid) -> Iterator[PlanSlice]:
    """All slices of a case, by RAS+ plane."""
    plane_of_axis = {SLICE_AXIS[plane]: plane for plane in VOLUME_PLANES}
    for stored_axis, key in PROFILES.items():
        axis, flipped = grid.axes[stored_axis]
        plane = plane_of_axis[axis]
        geometry = slice_geometry(grid.shape_ijk, grid.spacing_mm, plane)
        for entry in case.get(key, []):
            stored_index = int(entry["slice_idx"])
            yield PlanSlice(
                plane=plane,
                slice_index=grid.shape_ijk[axis] - 1 - stored_index if flipped else stored_index,
                stored_axis=stored_axis,
                stored_index=stored_index,
                geometry=geometry,
                profile=entry["slice_profile"],
            )


def region_dicts(
    task: PlanTask, case: Mapping[str, Any], grid: PlanGrid
) -> Iterator[dict[str, Any]]:
    """Region rows of a case, without the columns that name it; what a plan lacks is null."""
    names = task.fields.get("labels_map", {})
    for on in plan_slices(case, grid):
        for label_id, row in REGION_BUILDERS[task.content](on, task, grid):
            label = str(names.get(str(label_id), label_id)).strip()
            found = {**on.columns(), "label_id": label_id, "label": label, **row}
            yield {name: found.get(name) for name in REGION_SCHEMA.names}


LabelledRow = tuple[int, dict[str, Any]]


def box_rows(on: PlanSlice, _task: PlanTask, grid: PlanGrid) -> Iterator[LabelledRow]:
    """Components of a slice of boxes, the largest first, as in tables that we build."""
    for entry in on.profile:
        boxes = [_box(box, on, grid) for box in entry["bboxes"]]
        boxes.sort(key=lambda box: (-(box["pixel_count"] or 0), box["y0_px"], box["x0_px"]))
        counts = [box["pixel_count"] for box in boxes]
        of_label = {
            "n_components": len(boxes),
            "label_pixel_count": None if None in counts else sum(counts),
        }
        for component, box in enumerate(boxes):
            yield int(entry["label"]), {**box, "component": component, **of_label}


def _box(box: Mapping[str, Any], on: PlanSlice, grid: PlanGrid) -> dict[str, Any]:
    corners_ijk = []
    for key in ("min_coords", "max_coords"):
        stored = list(box[key])  # the two indices on the slice
        stored.insert(on.stored_axis, on.stored_index)
        corners_ijk.append(grid.ijk(stored))
    # A flipped axis swaps the corners. The plan's far corner is a pixel of the box; ours is not.
    corners = xy_from_ijk(corners_ijk, grid.shape_ijk, on.plane)
    if not np.isfinite(corners).all():  # they would become some whole number
        msg = f"expected finite coordinates, found {box}"
        raise ValueError(msg)
    corners_xy = corners.astype(int)
    x0, y0 = corners_xy.min(axis=0).tolist()
    x1, y1 = (corners_xy.max(axis=0) + 1).tolist()
    height, width = on.geometry.height_px, on.geometry.width_px
    ratio = box.get("mask_image_ratio")
    count = None if ratio is None else round(ratio * height * width)
    pixel_mm2 = on.geometry.spacing_y_mm * on.geometry.spacing_x_mm
    return {
        "x0_px": x0,
        "y0_px": y0,
        "x1_px": x1,
        "y1_px": y1,
        "touches_border": x0 == 0 or y0 == 0 or x1 == width or y1 == height,
        "pixel_count": count,
        "area_mm2": None if count is None else count * pixel_mm2,
    }


def area_rows(on: PlanSlice, _task: PlanTask, _grid: PlanGrid) -> Iterator[LabelledRow]:
    """Total sizes of a slice of areas, as if each label were one component."""
    for entry in on.profile:
        yield int(entry["label"]), {"component": 0, "label_pixel_count": int(entry["pixel_count"])}


def axis_rows(on: PlanSlice, task: PlanTask, _grid: PlanGrid) -> Iterator[LabelledRow]:
    """Ellipses of a slice of axes, in the order of the plan."""
    for component, ellipse in enumerate(on.profile):
        lengths_mm = {axis["metric_key"]: float(axis["metric_value"]) for axis in ellipse}
        yield (
            int(task.fields["target_label"]),
            {
                "component": component,
                "n_components": len(on.profile),
                "ellipse_status": "ok",
                "ellipse_major_mm": lengths_mm[MAJOR],
                "ellipse_minor_mm": lengths_mm[MINOR],
            },
        )


REGION_BUILDERS = {
    PlanContent.BOXES: box_rows,
    PlanContent.AREAS: area_rows,
    PlanContent.AXES: axis_rows,
}


def biometric_dicts(
    task: PlanTask, case: Mapping[str, Any], grid: PlanGrid
) -> Iterator[dict[str, Any]]:
    """Biometric rows of a case, without the columns that name it; points have names only."""
    names = task.fields["landmarks_map"]
    for on in plan_slices(case, grid):
        for entry in on.profile:
            key, kind = entry["metric_key"], KINDS[entry["metric_type"]]
            metric = task.fields[entry["metric_map_name"]][key]
            line_keys = metric["element_keys"] if kind == MetricKind.ANGLE else [key]
            lines = [
                [
                    # A plan knows what a point is called, not where it is.
                    {"key": point, "name": names[point].strip(), "x_px": None, "y_px": None}
                    for point in task.fields["lines_map"][line]["element_keys"]
                ]
                for line in line_keys
            ]
            ends = [" and ".join(point["name"] for point in line) for line in lines]
            name = f"distance between {ends[0]}"
            if kind == MetricKind.ANGLE:
                name = f"angle between the line through {ends[0]} and the line through {ends[1]}"
            found = {
                **on.columns(),
                "metric_kind": str(kind),
                "metric_key": key,
                "name": str(metric.get("name", "").strip() or name),
                "value": float(entry["metric_value"]),
                "unit": UNITS[entry["metric_unit"]],
                "points": [point for line in lines for point in line],
            }
            yield {name: found.get(name) for name in BIOMETRIC_SCHEMA.names}
