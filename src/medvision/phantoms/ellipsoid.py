"""Ellipsoids and their closed-form sections: the truth against which measurements are checked.

*Grid mm* is the frame of a phantom: along the axes of its RAS+ array, zero at the array's centre.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medvision.frames import SLICE_AXIS, X_AXIS, Y_AXIS, FloatArray, Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The voxels of a phantom.

    Attributes:
        shape_ijk: (I, J, K), RAS+.
        spacing_mm: Voxel spacing along i, j, k.
    """

    shape_ijk: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    def mm_from_ijk(self, points_ijk: npt.ArrayLike) -> FloatArray:
        """Grid mm of voxel coordinates: (..., 3) to (..., 3).

        Example:
            >>> Grid(shape_ijk=(5, 5, 3), spacing_mm=(1, 1, 4)).mm_from_ijk([2, 0, 2]).tolist()
            [0.0, -2.0, 4.0]
        """
        center = (np.array(self.shape_ijk) - 1) / 2
        points: FloatArray = (np.asarray(points_ijk) - center) * np.array(self.spacing_mm)
        return points

    def ijk_from_mm(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Voxel coordinates of grid mm: (..., 3) to (..., 3).

        Example:
            >>> Grid(shape_ijk=(5, 5, 3), spacing_mm=(1, 1, 4)).ijk_from_mm([0, -2, 4]).tolist()
            [2.0, 0.0, 2.0]
        """
        center = (np.array(self.shape_ijk) - 1) / 2
        points: FloatArray = np.asarray(points_mm) / np.array(self.spacing_mm) + center
        return points

    def axis_mm(self, axis: int) -> FloatArray:
        """Grid mm of the voxel centres along one axis, shaped to broadcast over the array.

        Example:
            >>> Grid(shape_ijk=(5, 5, 3), spacing_mm=(1, 1, 4)).axis_mm(2).tolist()
            [[[-4.0, 0.0, 4.0]]]
        """
        size = self.shape_ijk[axis]
        along = (np.arange(size, dtype=np.float64) - (size - 1) / 2) * self.spacing_mm[axis]
        return along.reshape([-1 if each == axis else 1 for each in range(3)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ellipsoid:
    """A solid ellipsoid in grid mm.

    Attributes:
        center_mm: (3,).
        semi_axes_mm: (3,), half lengths.
        rotation: (3, 3), orthonormal columns: directions of the three semi-axes.
    """

    center_mm: FloatArray
    semi_axes_mm: FloatArray
    rotation: FloatArray

    @property
    def matrix(self) -> FloatArray:
        """(3, 3) A with (p − c)ᵀ A (p − c) ≤ 1 inside, in 1/mm²."""
        return (self.rotation / self.semi_axes_mm**2) @ self.rotation.T

    @property
    def half_extent_mm(self) -> FloatArray:
        """(3,) half sides of the axis-aligned box around it.

        Example:
            >>> ellipsoid((0, 0, 0), (10, 20, 30), (0, 0, 90)).half_extent_mm.tolist()
            [20.0, 10.0, 30.0]
        """
        return np.sqrt((self.rotation**2) @ self.semi_axes_mm**2)

    def grown(self, by_mm: float) -> "Ellipsoid":
        """With all semi-axes longer; shorter by a negative number.

        Example:
            >>> ellipsoid((0, 0, 0), (10, 20, 30)).grown(-5).semi_axes_mm.tolist()
            [5.0, 15.0, 25.0]
        """
        return replace(self, semi_axes_mm=self.semi_axes_mm + by_mm)

    def level(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Squared distance from the centre in semi-axes, ≤ 1 inside: (..., 3) to (...).

        Example:
            >>> ellipsoid((0, 0, 0), (10, 20, 30)).level([[0, 20, 0], [0, 0, 15]]).tolist()
            [1.0, 0.25]
        """
        offset = (np.asarray(points_mm, dtype=np.float64) - self.center_mm) @ self.rotation
        level: FloatArray = np.sum((offset / self.semi_axes_mm) ** 2, axis=-1)
        return level

    def surface_mm(self, n_points: int) -> FloatArray:
        """(n, 3) points spread evenly over its surface.

        A Fibonacci lattice on the unit sphere, stretched: even for a sphere, closer together where
        the ellipsoid bends.
        """
        index = np.arange(n_points) + 0.5
        polar, azimuth = np.arccos(1 - 2 * index / n_points), np.pi * (1 + 5**0.5) * index
        directions = np.stack(
            [np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)],
            axis=-1,
        )
        return self.center_mm + (directions * self.semi_axes_mm) @ self.rotation.T


@dataclass(frozen=True, slots=True, kw_only=True)
class EllipseSection:
    """An ellipse in a plane with two orthonormal axes, in mm along them.

    Attributes:
        center_x_mm: Along the plane's first axis, from its origin.
        center_y_mm: Along its second axis.
        major_mm: Full length of the longer axis.
        minor_mm: Full length of the shorter axis.
        angle_deg: Direction of the longer axis, from the first axis towards the second, [0, 180).
    """

    center_x_mm: float
    center_y_mm: float
    major_mm: float
    minor_mm: float
    angle_deg: float

    @property
    def area_mm2(self) -> float:
        """Area of the ellipse."""
        return float(np.pi / 4 * self.major_mm * self.minor_mm)

    def end_points_mm(self) -> FloatArray:
        """(2, 2, 2): of the major and the minor axis, two ends each, as x, y.

        Example:
            >>> section = EllipseSection(
            ...     center_x_mm=1, center_y_mm=2, major_mm=8, minor_mm=6, angle_deg=0
            ... )
            >>> section.end_points_mm().tolist()
            [[[-3.0, 2.0], [5.0, 2.0]], [[1.0, -1.0], [1.0, 5.0]]]
        """
        angle = np.radians(self.angle_deg)
        along = np.array([np.cos(angle), np.sin(angle)]) * self.major_mm / 2
        across = np.array([-np.sin(angle), np.cos(angle)]) * self.minor_mm / 2
        center = np.array([self.center_x_mm, self.center_y_mm])
        ends: FloatArray = center + np.array([[-along, along], [-across, across]])
        return ends


def plane_section(
    ellipsoid: Ellipsoid, origin_mm: npt.ArrayLike, *, axes: npt.ArrayLike
) -> EllipseSection | None:
    """The ellipse in which a plane cuts an ellipsoid; None if it misses it.

    Args:
        ellipsoid: In grid mm.
        origin_mm: (3,) point of the plane.
        axes: (2, 3) orthonormal directions in the plane.

    Example:
        A sphere of radius 5 cut 3 mm from its centre gives a circle of diameter 8:

        >>> sphere = ellipsoid((0, 0, 0), (5, 5, 5))
        >>> section = plane_section(sphere, (0, 0, 3), axes=[[1, 0, 0], [0, 1, 0]])
        >>> round(section.major_mm, 9), round(section.minor_mm, 9)
        (8.0, 8.0)
        >>> plane_section(sphere, (0, 0, 6), axes=[[1, 0, 0], [0, 1, 0]]) is None
        True
    """
    # With p = origin + directionsᵀ u, (p − c)ᵀ A (p − c) ≤ 1 is a quadratic form in u: completing
    # the square gives the centre, what is left of 1 there the size, its eigenvectors the axes.
    directions = np.asarray(axes, dtype=np.float64)
    offset = np.asarray(origin_mm, dtype=np.float64) - ellipsoid.center_mm
    in_plane = directions @ ellipsoid.matrix @ directions.T
    linear = directions @ ellipsoid.matrix @ offset
    center = -np.linalg.solve(in_plane, linear)
    room = 1 - offset @ ellipsoid.matrix @ offset - linear @ center
    if room <= 0:
        return None
    eigenvalues, vectors = np.linalg.eigh(in_plane)
    major_mm, minor_mm = 2 * np.sqrt(room / eigenvalues)
    x, y = vectors[:, 0]
    return EllipseSection(
        center_x_mm=float(center[0]),
        center_y_mm=float(center[1]),
        major_mm=float(major_mm),
        minor_mm=float(minor_mm),
        angle_deg=float(np.degrees(np.arctan2(y, x)) % 180),
    )


def slice_section(
    ellipsoid: Ellipsoid, plane: Plane, slice_index: int, *, grid: Grid
) -> EllipseSection | None:
    """The ellipse in which a displayed slice cuts an ellipsoid; None if it misses it.

    Returns:
        In mm along the displayed slice's x (right) and y (down) from the centre of its top-left
        pixel: divide by the pixel spacing for pixel-centre coordinates.

    Example:
        A sphere in the middle of 11×11×3 voxels, on its middle slice:

        >>> grid = Grid(shape_ijk=(11, 11, 3), spacing_mm=(1, 1, 5))
        >>> section = slice_section(ellipsoid((0, 0, 0), (4, 4, 4)), Plane.AXIAL, 1, grid=grid)
        >>> section.center_x_mm, section.center_y_mm, round(section.major_mm, 9)
        (5.0, 5.0, 8.0)
    """
    corner_ijk = np.array(grid.shape_ijk) - 1
    corner_ijk[SLICE_AXIS[plane]] = slice_index
    axes = -np.eye(3)[[X_AXIS[plane], Y_AXIS[plane]]]
    return plane_section(ellipsoid, grid.mm_from_ijk(corner_ijk), axes=axes)


def ellipse_mask(
    section: EllipseSection, shape_hw: tuple[int, int], *, spacing_yx_mm: tuple[float, float]
) -> npt.NDArray[np.bool_]:
    """Pixels whose centres lie in an ellipse: (height, width).

    Args:
        section: In mm along x and y from the centre of the top-left pixel.
        shape_hw: Height and width in pixels.
        spacing_yx_mm: Distance between rows, between columns.

    Example:
        >>> section = EllipseSection(
        ...     center_x_mm=2, center_y_mm=1, major_mm=4, minor_mm=2, angle_deg=0
        ... )
        >>> ellipse_mask(section, (3, 5), spacing_yx_mm=(1, 1)).astype(int)
        array([[0, 0, 1, 0, 0],
               [1, 1, 1, 1, 1],
               [0, 0, 1, 0, 0]])
    """
    y = np.arange(shape_hw[0])[:, None] * spacing_yx_mm[0] - section.center_y_mm
    x = np.arange(shape_hw[1])[None, :] * spacing_yx_mm[1] - section.center_x_mm
    angle = np.radians(section.angle_deg)
    along = (x * np.cos(angle) + y * np.sin(angle)) / (section.major_mm / 2)
    across = (y * np.cos(angle) - x * np.sin(angle)) / (section.minor_mm / 2)
    inside: npt.NDArray[np.bool_] = along**2 + across**2 <= 1
    return inside


def rotation_from_angles_deg(x_deg: float, y_deg: float, z_deg: float) -> FloatArray:
    """(3, 3) rotation about x, then y, then z.

    Example:
        A quarter turn about z takes x to y:

        >>> (rotation_from_angles_deg(0, 0, 90) @ [1, 0, 0]).round(9).tolist()
        [0.0, 1.0, 0.0]
    """
    cx, cy, cz = np.cos(np.radians([x_deg, y_deg, z_deg]))
    sx, sy, sz = np.sin(np.radians([x_deg, y_deg, z_deg]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    rotation: FloatArray = about_z @ about_y @ about_x
    return rotation


def ellipsoid(
    center_mm: tuple[float, float, float],
    semi_axes_mm: tuple[float, float, float],
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Ellipsoid:
    """An ellipsoid turned about x, then y, then z, in grid mm and degrees.

    Example:
        >>> ellipsoid((1, 2, 3), (10, 20, 30)).center_mm.tolist()
        [1.0, 2.0, 3.0]
    """
    return Ellipsoid(
        center_mm=np.array(center_mm, dtype=np.float64),
        semi_axes_mm=np.array(semi_axes_mm, dtype=np.float64),
        rotation=rotation_from_angles_deg(*rotation_deg),
    )
