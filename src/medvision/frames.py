"""Frames: every conversion between voxel, world, slice and relative coordinates, both ways.

Words used here and everywhere:

- *voxel* `ijk`: index into a closest-canonical RAS+ array (I, J, K); integers are voxel centres.
- *world* `ras`: millimetres; +x is the patient's right, +y anterior, +z superior.
- *slice* `xy`: pixels of the displayed slice, top-left origin, x right, y down; integers are pixel
  centres for points, pixel edges for boxes (`xyxy`, half-open).
- *relative*: fractions of the displayed slice with a lower-left origin, as prompts state them.

A 2D image is *native*: x = column, y = row, no flip.

Everything is measured and kept on the displayed slice, the radiological *view*. A picture may show
the slice in another view: then pixels, points and boxes are turned together, here.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class Plane(StrEnum):
    """Anatomical plane of a slice; `NATIVE` for a 2D image without a named projection."""

    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    AXIAL = "axial"
    NATIVE = "native"


class View(StrEnum):
    """Which way up a slice is shown."""

    RADIOLOGICAL = "radiological"
    """The displayed slice: the patient's right on the left, anterior or superior up."""
    ORIGINAL = "original"
    """As the paper's code shows it: of a volume the RAS+ array, its first in-plane axis along the
    rows, its second along the columns, no turn or flip. A 2D image is stored there with its axes
    swapped, from the bottom up, so it shows turned by a quarter clockwise."""


VOLUME_PLANES = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)

SLICE_AXIS: dict[Plane, int] = {Plane.SAGITTAL: 0, Plane.CORONAL: 1, Plane.AXIAL: 2}
"""Axis of the RAS+ array along which `slice_index` counts."""

X_AXIS: dict[Plane, int] = {Plane.SAGITTAL: 1, Plane.CORONAL: 0, Plane.AXIAL: 0}
"""Axis of the RAS+ array that runs along the displayed slice's x, in the opposite direction."""

Y_AXIS: dict[Plane, int] = {Plane.SAGITTAL: 2, Plane.CORONAL: 2, Plane.AXIAL: 1}
"""Axis of the RAS+ array that runs along the displayed slice's y, in the opposite direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceGeometry:
    """Size and pixel spacing of a displayed slice."""

    height_px: int
    width_px: int
    spacing_y_mm: float
    spacing_x_mm: float


def slice_geometry(
    shape_ijk: tuple[int, ...], spacing_mm: tuple[float, ...], plane: Plane
) -> SliceGeometry:
    """Size and spacing of any slice of a RAS+ volume on one plane.

    Args:
        shape_ijk: (I, J, K) of the volume.
        spacing_mm: Voxel spacing along i, j, k.
        plane: Sagittal, coronal or axial.

    Example:
        >>> geometry = slice_geometry((512, 400, 90), (0.7, 0.8, 5.0), Plane.SAGITTAL)
        >>> geometry.width_px, geometry.height_px, geometry.spacing_x_mm, geometry.spacing_y_mm
        (400, 90, 0.8, 5.0)
    """
    x_axis, y_axis = X_AXIS[plane], Y_AXIS[plane]
    return SliceGeometry(
        height_px=shape_ijk[y_axis],
        width_px=shape_ijk[x_axis],
        spacing_y_mm=float(spacing_mm[y_axis]),
        spacing_x_mm=float(spacing_mm[x_axis]),
    )


def display_view(array: npt.NDArray[np.generic], plane: Plane) -> npt.NDArray[np.generic]:
    """A RAS+ volume seen slice by slice as displayed: a view indexed [slice, y, x].

    The patient's right is on the left; anterior (axial) or superior is up; sagittal faces left.

    Args:
        array: (I, J, K), RAS+.
        plane: Sagittal, coronal or axial.

    Example:
        The voxel farthest to the right and anterior is the first pixel:

        >>> array = np.arange(6).reshape(3, 2, 1)
        >>> display_view(array, Plane.AXIAL)[0]
        array([[5, 3, 1],
               [4, 2, 0]])
    """
    # x and y run against their axes on every plane, since RAS+ rises to the right, anterior and
    # superior and a radiologist looks from the feet, from the front, from the left.
    order = (SLICE_AXIS[plane], Y_AXIS[plane], X_AXIS[plane])
    return array.transpose(order)[:, ::-1, ::-1]


def xy_from_ijk(points_ijk: npt.ArrayLike, shape_ijk: tuple[int, ...], plane: Plane) -> FloatArray:
    """Slice coordinates of voxel coordinates: (..., 3) to (..., 2), as x, y in pixels.

    Example:
        >>> xy_from_ijk([0, 10, 5], (512, 400, 90), Plane.AXIAL).tolist()
        [511.0, 389.0]
    """
    points = np.asarray(points_ijk, dtype=np.float64)
    x_axis, y_axis = X_AXIS[plane], Y_AXIS[plane]
    x = shape_ijk[x_axis] - 1 - points[..., x_axis]
    y = shape_ijk[y_axis] - 1 - points[..., y_axis]
    return np.stack([x, y], axis=-1)


def ijk_from_xy(
    points_xy: npt.ArrayLike, slice_index: int, shape_ijk: tuple[int, ...], plane: Plane
) -> FloatArray:
    """Voxel coordinates of points on one slice: (..., 2) to (..., 3).

    Example:
        >>> ijk_from_xy([511, 389], 5, (512, 400, 90), Plane.AXIAL).tolist()
        [0.0, 10.0, 5.0]
    """
    points = np.asarray(points_xy, dtype=np.float64)
    x_axis, y_axis = X_AXIS[plane], Y_AXIS[plane]
    ijk = np.empty((*points.shape[:-1], 3), dtype=np.float64)
    ijk[..., SLICE_AXIS[plane]] = slice_index
    ijk[..., x_axis] = shape_ijk[x_axis] - 1 - points[..., 0]
    ijk[..., y_axis] = shape_ijk[y_axis] - 1 - points[..., 1]
    return ijk


def slice_index_from_ijk(points_ijk: npt.ArrayLike, plane: Plane) -> npt.NDArray[np.int64]:
    """The slice on which voxel coordinates lie, ⌊v + 0.5⌋: (..., 3) to (...).

    Not `np.rint`, which takes halves to the even neighbour: 0.5 to 0 and 1.5 to 2.

    Example:
        >>> slice_index_from_ijk([[0, 0, 0.5], [0, 0, 1.5], [0, 0, 2.4]], Plane.AXIAL).tolist()
        [1, 2, 2]
    """
    points = np.asarray(points_ijk, dtype=np.float64)
    return np.floor(points[..., SLICE_AXIS[plane]] + 0.5).astype(np.int64)


def ras_from_ijk(points_ijk: npt.ArrayLike, affine: npt.ArrayLike) -> FloatArray:
    """World coordinates in mm of voxel coordinates: (..., 3) to (..., 3).

    Example:
        >>> affine = [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
        >>> ras_from_ijk([45, 63, 36], affine).tolist()
        [0.0, 0.0, 0.0]
    """
    matrix = np.asarray(affine, dtype=np.float64)
    # Points are rows, so the matrix stands right of them and is transposed.
    return np.asarray(points_ijk, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def ijk_from_ras(points_ras: npt.ArrayLike, affine: npt.ArrayLike) -> FloatArray:
    """Voxel coordinates of world coordinates in mm: (..., 3) to (..., 3).

    Example:
        >>> ijk_from_ras([10, 0, 4], np.diag([2.0, 2, 4, 1])).tolist()
        [5.0, 0.0, 1.0]
    """
    return ras_from_ijk(points_ras, np.linalg.inv(np.asarray(affine, dtype=np.float64)))


def ras_from_lps(points_lps: npt.ArrayLike) -> FloatArray:
    """World coordinates RAS from LPS (the map is its own inverse): (..., 3) to (..., 3).

    Example:
        >>> ras_from_lps([10, -20, 30]).tolist()
        [-10.0, 20.0, 30.0]
    """
    turned: FloatArray = np.asarray(points_lps, dtype=np.float64) * (-1.0, -1.0, 1.0)
    return turned


def relative_from_box_px(
    box_xyxy_px: npt.ArrayLike,
    height_px: int | npt.NDArray[np.integer],
    width_px: int | npt.NDArray[np.integer],
) -> FloatArray:
    """Relative lower-left box (x0, y0, x1, y1) of a half-open pixel box: (..., 4) to (..., 4).

    Sizes are one for all boxes or (...,), one for each.

    Example:
        The upper left quarter of a picture:

        >>> relative_from_box_px([0, 0, 200, 100], 200, 400).tolist()
        [0.0, 0.5, 0.5, 1.0]
    """
    x0, y0, x1, y1 = np.moveaxis(np.asarray(box_xyxy_px, dtype=np.float64), -1, 0)
    # The lower edge of the box is the larger y in px and the smaller one from below.
    return np.stack([x0 / width_px, 1 - y1 / height_px, x1 / width_px, 1 - y0 / height_px], axis=-1)


def box_px_from_relative(
    box_relative: npt.ArrayLike,
    height_px: int | npt.NDArray[np.integer],
    width_px: int | npt.NDArray[np.integer],
) -> FloatArray:
    """Half-open pixel box (x0, y0, x1, y1) of a relative lower-left box: (..., 4) to (..., 4).

    Sizes are one for all boxes or (...,), one for each.

    Example:
        >>> box_px_from_relative([0, 0.5, 0.5, 1], 200, 400).tolist()
        [0.0, 0.0, 200.0, 100.0]
    """
    x0, y0, x1, y1 = np.moveaxis(np.asarray(box_relative, dtype=np.float64), -1, 0)
    return np.stack(
        [x0 * width_px, (1 - y1) * height_px, x1 * width_px, (1 - y0) * height_px], axis=-1
    )


def relative_from_point_px(points_xy: npt.ArrayLike, height_px: int, width_px: int) -> FloatArray:
    """Relative lower-left point of a pixel-centre point: (..., 2) to (..., 2).

    The half pixel: the centre of pixel x lies x + 0.5 px from the slice's left edge.

    Example:
        The first pixel of a picture of 2×4 px:

        >>> relative_from_point_px([0, 0], 2, 4).tolist()
        [0.125, 0.75]
    """
    x, y = np.moveaxis(np.asarray(points_xy, dtype=np.float64), -1, 0)
    return np.stack([(x + 0.5) / width_px, 1 - (y + 0.5) / height_px], axis=-1)


def point_px_from_relative(
    points_relative: npt.ArrayLike, height_px: int, width_px: int
) -> FloatArray:
    """Pixel-centre point of a relative lower-left point: (..., 2) to (..., 2).

    Example:
        >>> point_px_from_relative([0.125, 0.75], 2, 4).tolist()
        [0.0, 0.0]
    """
    x, y = np.moveaxis(np.asarray(points_relative, dtype=np.float64), -1, 0)
    return np.stack([x * width_px - 0.5, (1 - y) * height_px - 0.5], axis=-1)


def resized_point_px(
    points_xy: npt.ArrayLike, *, from_hw: tuple[int, int], to_hw: tuple[int, int]
) -> FloatArray:
    """Where a pixel-centre point lands when its image is resized: (..., 2) to (..., 2).

    Edges stay on edges, as Pillow and OpenCV resize: the centre of the first of two pixels becomes
    the border between the first two of four.

    Example:
        >>> resized_point_px([0, 0], from_hw=(2, 2), to_hw=(4, 4)).tolist()
        [0.5, 0.5]
    """
    scale_xy = (to_hw[1] / from_hw[1], to_hw[0] / from_hw[0])
    resized: FloatArray = (np.asarray(points_xy, dtype=np.float64) + 0.5) * scale_xy - 0.5
    return resized


def drawn_from_point_px(points_xy: npt.ArrayLike) -> FloatArray:
    """Where to draw a pixel-centre point on a canvas measured from the image's top-left edge.

    Example:
        >>> drawn_from_point_px([0, 7]).tolist()
        [0.5, 7.5]
    """
    return np.asarray(points_xy, dtype=np.float64) + 0.5


def geometry_in_view(displayed: SliceGeometry, view: View) -> SliceGeometry:
    """Size and pixel spacing of a slice in a view.

    Example:
        >>> slice_ = SliceGeometry(height_px=40, width_px=30, spacing_y_mm=2.0, spacing_x_mm=1.0)
        >>> turned = geometry_in_view(slice_, View.ORIGINAL)
        >>> turned.height_px, turned.width_px, turned.spacing_y_mm
        (30, 40, 1.0)
    """
    if view is View.RADIOLOGICAL:
        return displayed
    return SliceGeometry(
        height_px=displayed.width_px,
        width_px=displayed.height_px,
        spacing_y_mm=displayed.spacing_x_mm,
        spacing_x_mm=displayed.spacing_y_mm,
    )


def pixels_in_view(
    pixels: npt.NDArray[Any], view: View, *, is_native: bool = False
) -> npt.NDArray[Any]:
    """A displayed slice as a view shows it: (y, x) to (y, x), no copy.

    Args:
        pixels: As displayed.
        view: To show.
        is_native: Whether the slice is a 2D image.

    Example:
        >>> displayed = np.array([[5, 3, 1], [4, 2, 0]])  # of array[i, j] = 2 i + j
        >>> pixels_in_view(displayed, View.ORIGINAL)
        array([[0, 1],
               [2, 3],
               [4, 5]])
        >>> pixels_in_view(displayed, View.ORIGINAL, is_native=True)
        array([[4, 5],
               [2, 3],
               [0, 1]])
    """
    if view is View.RADIOLOGICAL:
        return pixels
    return pixels[::-1].T if is_native else pixels[::-1, ::-1].T


def box_px_in_view(
    box_xyxy_px: npt.ArrayLike,
    height_px: int | npt.NDArray[np.integer],
    width_px: int | npt.NDArray[np.integer],
    view: View,
    *,
    is_native: bool | npt.NDArray[np.bool_] = False,
) -> FloatArray:
    """Half-open pixel box in a view of one on the displayed slice: (..., 4) to (..., 4).

    Args:
        box_xyxy_px: On the displayed slice.
        height_px: Of the displayed slice; one for all boxes or (...,), as are the following.
        width_px: Of the displayed slice.
        view: To show.
        is_native: Whether the slice is a 2D image.

    Example:
        The upper left pixel lies at the lower right:

        >>> box_px_in_view([0, 0, 1, 1], 40, 30, View.ORIGINAL).tolist()
        [39.0, 29.0, 40.0, 30.0]
    """
    box = np.asarray(box_xyxy_px, dtype=np.float64)
    if view is View.RADIOLOGICAL:
        return box
    x0, y0, x1, y1 = np.moveaxis(box, -1, 0)
    turned = [
        height_px - y1,
        np.where(is_native, x0, width_px - x1),
        height_px - y0,
        np.where(is_native, x1, width_px - x0),
    ]
    return np.stack(turned, axis=-1)


def point_px_in_view(
    points_xy: npt.ArrayLike,
    height_px: int | npt.NDArray[np.integer],
    width_px: int | npt.NDArray[np.integer],
    view: View,
    *,
    is_native: bool | npt.NDArray[np.bool_] = False,
) -> FloatArray:
    """Pixel-centre point in a view of one on the displayed slice: (..., 2) to (..., 2).

    Args:
        points_xy: On the displayed slice.
        height_px: Of the displayed slice; one for all points or (...,), as are the following.
        width_px: Of the displayed slice.
        view: To show.
        is_native: Whether the slice is a 2D image.

    Example:
        >>> point_px_in_view([0, 0], 40, 30, View.ORIGINAL).tolist()
        [39.0, 29.0]
        >>> point_px_in_view([0, 0], 40, 30, View.ORIGINAL, is_native=True).tolist()
        [39.0, 0.0]
    """
    points = np.asarray(points_xy, dtype=np.float64)
    if view is View.RADIOLOGICAL:
        return points
    x, y = np.moveaxis(points, -1, 0)
    return np.stack([height_px - 1 - y, np.where(is_native, x, width_px - 1 - x)], axis=-1)


def displayed_point_px(
    points_xy: npt.ArrayLike,
    height_px: int,
    width_px: int,
    view: View,
    *,
    is_native: bool = False,
) -> FloatArray:
    """Point on the displayed slice of one in a view, the inverse of `point_px_in_view`.

    Args:
        points_xy: (..., 2) in the view.
        height_px: Of the displayed slice.
        width_px: Of the displayed slice.
        view: That the points are in.
        is_native: Whether the slice is a 2D image.

    Example:
        >>> displayed_point_px([39, 0], 40, 30, View.ORIGINAL, is_native=True).tolist()
        [0.0, 0.0]
    """
    points = np.asarray(points_xy, dtype=np.float64)
    if view is View.RADIOLOGICAL:
        return points
    x, y = np.moveaxis(points, -1, 0)
    return np.stack([y if is_native else width_px - 1 - y, height_px - 1 - x], axis=-1)
