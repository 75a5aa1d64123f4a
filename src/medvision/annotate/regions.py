"""Region rows of label maps: one per connected component of one label on one slice."""

import math
import operator
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from medvision.annotate.columns import REGION_COLUMNS
from medvision.annotate.components import SliceComponents, label_components
from medvision.annotate.ellipse import STATUSES, EllipseStatus, fit_ellipses
from medvision.annotate.label_memory import (
    DenseLabels,
    LabelArray,
    dense_labels,
    slices_per_block,
)
from medvision.annotate.shape import measure_shapes
from medvision.errors import ItemError, UsageError
from medvision.frames import VOLUME_PLANES, Plane, SliceGeometry, display_view, slice_geometry

_SCHEMA = pa.schema(REGION_COLUMNS)
_MAX_LABEL, _MIN_LABEL = np.iinfo(np.int32).max, np.iinfo(np.int32).min
_MIN_VOXELS_FOR_THREADS = 1 << 20


class LabelMapShapeError(ItemError):
    """A label map has the wrong number of axes."""

    reason = "label_map_shape"


class LabelTypeError(ItemError):
    """A label map holds something else than integers."""

    reason = "labels_not_integer"


class LabelRangeError(ItemError):
    """A label does not fit the table's 32 bits."""

    reason = "label_out_of_range"


class SpacingError(ItemError):
    """Spacing is not finite and positive, or has the wrong number of values."""

    reason = "bad_spacing"


_Block = tuple[Plane, SliceGeometry, LabelArray, int]
"""Slices of one plane, and the index of the first of them."""


def region_table(
    label_map: npt.NDArray[Any],
    spacing_mm: Sequence[float],
    target_labels: Iterable[int] = (),
) -> pa.Table:
    """Connected components of every label on every slice of the three planes.

    Args:
        label_map: (I, J, K), RAS+. Integers, bool, or floats that hold integers; 0 is background.
        spacing_mm: Voxel spacing along i, j, k.
        target_labels: Labels whose components also get ellipse, moments and Feret diameters.

    Returns:
        `REGION_COLUMNS`, sorted by plane, slice_index, label_id, component.

    Raises:
        LabelMapShapeError: The label map does not have three axes.
        LabelTypeError: It holds something else than integers.
        LabelRangeError: A label needs more than 32 bits.
        SpacingError: Spacing is not three finite positive numbers.
        UsageError: A target label is not an integer.

    Example:
        One voxel of label 5, seen once on each plane:

        >>> label_map = np.zeros((4, 4, 4), dtype=np.uint8)
        >>> label_map[0, 1, 2] = 5
        >>> table = region_table(label_map, (1.0, 2.0, 3.0))
        >>> table.select(["plane", "slice_index", "x0_px", "y0_px", "area_mm2"]).to_pylist()[0]
        {'plane': 'axial', 'slice_index': 2, 'x0_px': 3, 'y0_px': 2, 'area_mm2': 2.0}
    """
    labels = _checked_labels(label_map, "[i, j, k]")
    spacing = _checked_spacing(spacing_mm, "i, j, k")
    blocks: list[_Block] = []
    for plane in sorted(VOLUME_PLANES):
        geometry = slice_geometry(labels.array.shape, spacing, plane)
        stack = cast("LabelArray", display_view(labels.array, plane))
        if stack.size:
            step = slices_per_block(stack)
            starts = range(0, len(stack), step)
            blocks += [(plane, geometry, stack[at : at + step], at) for at in starts]
    return _table(labels, blocks, _target_ids(target_labels))


def native_region_table(
    label_map_yx: npt.NDArray[Any],
    spacing_yx_mm: Sequence[float],
    plane: Plane,
    target_labels: Iterable[int] = (),
) -> pa.Table:
    """Connected components of every label of a 2D mask, shown as it is stored.

    Args:
        label_map_yx: (height, width): row, column. Values as for `region_table`.
        spacing_yx_mm: Pixel spacing along y and x.
        plane: The plane to name in the table: the projection, or native.
        target_labels: Labels whose components also get ellipse, moments and Feret diameters.

    Returns:
        `REGION_COLUMNS`, sorted by label_id, component; slice_index is 0.

    Raises:
        LabelMapShapeError, LabelTypeError, LabelRangeError, SpacingError, UsageError:
            As for `region_table`.

    Example:
        >>> mask = np.array([[0, 1, 1], [0, 0, 1], [1, 0, 0]])
        >>> table = native_region_table(mask, (0.5, 0.5), Plane.NATIVE)
        >>> table.select(["component", "pixel_count", "area_mm2"]).to_pydict()
        {'component': [0, 1], 'pixel_count': [3, 1], 'area_mm2': [0.75, 0.25]}
    """
    labels = _checked_labels(label_map_yx, "[y, x]")
    spacing_y_mm, spacing_x_mm = _checked_spacing(spacing_yx_mm, "y, x")
    height_px, width_px = labels.array.shape
    geometry = SliceGeometry(
        height_px=height_px,
        width_px=width_px,
        spacing_y_mm=spacing_y_mm,
        spacing_x_mm=spacing_x_mm,
    )
    blocks = [(plane, geometry, labels.array[np.newaxis], 0)] if labels.array.size else []
    return _table(labels, blocks, _target_ids(target_labels))


def _table(labels: DenseLabels, blocks: list[_Block], targets: npt.NDArray[np.int64]) -> pa.Table:
    def batch(block: _Block) -> pa.RecordBatch:
        plane, geometry, stack, first_slice = block
        components = label_components(labels, stack, first_slice, targets)
        return _region_batch(components, plane, geometry)

    # Kernels and OpenCV run without the interpreter's lock. Two threads: cases are spread over
    # processes already, and memory, not arithmetic, is what a scan waits for.
    workers = min(2, len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else 2
    if workers == 1 or labels.array.size < _MIN_VOXELS_FOR_THREADS:
        batches = [batch(block) for block in blocks]
    else:
        with ThreadPoolExecutor(workers) as executor:
            batches = list(executor.map(batch, blocks))
    return pa.Table.from_batches(batches, schema=_SCHEMA).combine_chunks()


def _region_batch(
    components: SliceComponents, plane: Plane, geometry: SliceGeometry
) -> pa.RecordBatch:
    """Rows of `REGION_COLUMNS`: components measured, null where a measurement has no value."""
    spacing_xy_mm = (geometry.spacing_x_mm, geometry.spacing_y_mm)
    fits = fit_ellipses(components.runs, components.box_xyxy_px, spacing_xy_mm)
    shapes = measure_shapes(components.runs, spacing_xy_mm)
    pixel_mm2 = np.float64(geometry.spacing_x_mm * geometry.spacing_y_mm)
    area_mm2 = components.pixel_count.astype(np.float64) * pixel_mm2
    words = pa.array([str(status) for status in STATUSES])
    status = pa.DictionaryArray.from_arrays(pa.array(fits.status_code), words).dictionary_decode()
    n_rows, fitted = len(components.label_id), fits.status_code == STATUSES.index(EllipseStatus.OK)
    same_for_all = [
        (geometry.height_px, pa.int32()),
        (geometry.width_px, pa.int32()),
        (geometry.spacing_y_mm, pa.float64()),
        (geometry.spacing_x_mm, pa.float64()),
    ]
    of_fits = [
        fits.major_mm,
        fits.minor_mm,
        *fits.major_ends_px.T,
        *fits.minor_ends_px.T,
        math.pi / 4 * fits.major_mm * fits.minor_mm / area_mm2,
    ]
    of_shapes = [
        shapes.moment_major_mm,
        shapes.moment_minor_mm,
        shapes.feret_max_mm,
        shapes.feret_perp_mm,
        *shapes.feret_ends_px.T,
    ]
    arrays = [
        pa.repeat(pa.scalar(str(plane)), n_rows),
        components.slice_index,
        *(pa.repeat(pa.scalar(value, type=kind), n_rows) for value, kind in same_for_all),
        components.label_id,
        components.component,
        components.n_components,
        components.label_pixel_count,
        components.touches_border,
        *components.box_xyxy_px.T,
        components.pixel_count,
        area_mm2,
        status,
        *(pa.array(column, mask=~fitted) for column in of_fits),
        *(pa.array(column, mask=np.isnan(shapes.feret_max_mm)) for column in of_shapes),
    ]
    return pa.RecordBatch.from_arrays([pa.array(array) for array in arrays], schema=_SCHEMA)


def _checked_labels(label_map: npt.NDArray[Any], axes: str) -> DenseLabels:
    """Dense labels of at most 32 bits, in the order of memory of those given."""
    labels = np.asarray(label_map)
    if labels.ndim != axes.count(",") + 1:
        msg = f"expected a label map {axes}, found shape {labels.shape}; pass one volume or picture"
        raise LabelMapShapeError(msg)
    if labels.dtype.kind not in "biuf":
        msg = f"expected a label map of integers, found {labels.dtype}; convert it"
        raise LabelTypeError(msg)
    if labels.dtype.kind == "f" or labels.dtype.itemsize == 8 or labels.dtype == np.uint32:
        low, high = (labels.min().item(), labels.max().item()) if labels.size else (0, 0)
        if not (math.isfinite(low) and math.isfinite(high)):
            msg = f"expected integers in the label map, found {low} to {high}; replace those voxels"
            raise LabelTypeError(msg)
        if low < _MIN_LABEL or high > _MAX_LABEL:
            msg = (
                f"expected labels from {_MIN_LABEL} to {_MAX_LABEL}, found {low} to {high}; "
                "renumber"
            )
            raise LabelRangeError(msg)
        narrow = labels.astype(np.uint8 if low >= 0 and high <= 255 else np.int32, order="K")
        if labels.dtype.kind == "f" and not np.array_equal(narrow, labels):
            found = labels[narrow != labels].flat[0]
            msg = f"expected integers in the label map, found {found}; is it an image, not a mask?"
            raise LabelTypeError(msg)
        labels = narrow
    if labels.dtype.kind == "b":
        labels = labels.view(np.uint8)
    # The kernels know the machine's byte order only.
    return dense_labels(labels.astype(labels.dtype.newbyteorder("="), copy=False))


def _checked_spacing(spacing_mm: Sequence[float], axes: str) -> tuple[float, ...]:
    spacing = tuple(float(value) for value in spacing_mm)
    usable = all(math.isfinite(value) and value > 0 for value in spacing)
    if len(spacing) != axes.count(",") + 1 or not usable:
        msg = f"expected finite positive spacing in mm along {axes}, found {spacing}"
        raise SpacingError(msg)
    return spacing


def _target_ids(target_labels: Iterable[int]) -> npt.NDArray[np.int64]:
    targets = tuple(target_labels)
    try:
        return np.array(sorted({operator.index(label) for label in targets}), dtype=np.int64)
    except (TypeError, OverflowError) as error:
        msg = f"expected target labels to be integers, found {targets!r}"
        raise UsageError(msg) from error
