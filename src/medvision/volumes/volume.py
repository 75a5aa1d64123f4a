"""Volumes, 2D images and their slices, with geometry in RAS+ millimetres."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.frames import SLICE_AXIS, FloatArray, Plane, display_view, slice_geometry
from medvision.volumes.errors import SliceIndexError

VoxelArray = npt.NDArray[Any]
"""Voxels of any real dtype."""

SUSPECT_MIN_SIDE_PX = 256
"""Of both sides of a slice: smaller ones may be crops that were resampled to 1 mm on purpose."""


class SpacingSource(StrEnum):
    """Which statement of a file decided spacing and axes."""

    SFORM = "sform"
    """NIfTI: the sform, in agreement with pixdim."""
    QFORM = "qform"
    """NIfTI: the whole qform; the sform is absent or contradicts pixdim."""
    SFORM_OVER_UNIT_PIXDIM = "sform_over_unit_pixdim"
    """NIfTI: the sform; pixdim is the placeholder 1, 1, 1 and there is no qform."""
    SFORM_AXES_PIXDIM = "sform_axes_pixdim"
    """NIfTI: directions and origin of the sform, lengths of pixdim."""
    SFORM_REQUESTED = "sform_requested"
    """NIfTI: the sform against pixdim, as the caller asked."""
    PIXDIM = "pixdim"
    """NIfTI: pixdim alone; orientation unknown."""
    HEADER = "header"
    """The one statement of a format that has only one."""
    DETECTOR = "detector"
    """DICOM radiograph: pixel pitch at the detector, larger than at the patient."""
    ARGUMENT = "argument"
    """A 2D image: the caller."""
    UNKNOWN = "unknown"
    """A 2D image whose pixel size nobody knows: nothing in mm is measured on it."""


UNFLAGGED_SOURCES = frozenset({SpacingSource.SFORM, SpacingSource.HEADER, SpacingSource.ARGUMENT})
"""Sources that need no attention; every other one also shows in `flags`."""

ORIENTATION_UNKNOWN = "orientation_unknown"
EXIF_IGNORED = "exif_orientation_ignored"
"""Flag of a picture that asks viewers to turn it, read as it is stored."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """Where voxels lie.

    Attributes:
        affine: (4, 4) float64, voxel (i, j, k) to RAS+ mm; of a native 2D image, (x, y, 0) to mm
            along x and y of the picture.
        spacing_mm: Voxel spacing along each array axis: (i, j, k), or (y, x) of a 2D image.
        orientation_as_stored: Axis codes before reorientation, such as "LPS"; "" if unknown or 2D.
        obliquity_deg: Largest angle between an array axis and the world axis it is closest to.
        spacing_source: Which statement of the file decided.
        flags: What a reader of the data should know, such as "orientation_unknown".
    """

    affine: FloatArray
    spacing_mm: tuple[float, ...]
    orientation_as_stored: str = ""
    obliquity_deg: float = 0.0
    spacing_source: SpacingSource = SpacingSource.SFORM
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume(Placement):
    """Voxels and where they lie.

    Attributes:
        array: (I, J, K) in closest-canonical RAS+, or (Y, X) of a native 2D image.
    """

    array: VoxelArray

    @property
    def is_native(self) -> bool:
        """Whether this is a 2D image, indexed [y, x] as stored."""
        return self.array.ndim == 2

    @property
    def shape(self) -> tuple[int, ...]:
        """(I, J, K), or (Y, X) of a 2D image."""
        return self.array.shape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VolumeGeometry(Placement):
    """What `Volume` says, without its voxels.

    Attributes:
        shape: (I, J, K) in closest-canonical RAS+, or (Y, X) of a native 2D image.
    """

    shape: tuple[int, ...]

    @property
    def is_native(self) -> bool:
        """Whether this is a 2D image."""
        return len(self.shape) == 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice2D:
    """One slice as displayed: the patient's right on the left, anterior or superior up.

    Attributes:
        pixels: (height, width), indexed [y, x].
        spacing_y_mm: Distance between rows.
        spacing_x_mm: Distance between columns.
    """

    pixels: VoxelArray
    spacing_y_mm: float
    spacing_x_mm: float


def slice_pixels(volume: Volume, plane: Plane, slice_index: int) -> Slice2D:
    """One displayed slice of a volume; of a 2D image, the image as it is.

    Args:
        volume: RAS+ volume, or native 2D image.
        plane: Of a 2D image any plane: its projection is named elsewhere.
        slice_index: Along the plane's axis of the RAS+ array; 0 for a 2D image.

    Raises:
        SliceIndexError: No such plane, or no such slice.

    Example:
        The voxel at the lower end of all axes is shown at the lower right.

        >>> volume = Volume(
        ...     array=np.arange(8).reshape(2, 2, 2), affine=np.eye(4), spacing_mm=(1, 1, 3)
        ... )
        >>> slice_pixels(volume, Plane.AXIAL, 0).pixels
        array([[6, 2],
               [4, 0]])
        >>> slice_pixels(volume, Plane.CORONAL, 0).spacing_y_mm
        3.0
    """
    shape = volume.shape
    if not volume.is_native and plane is Plane.NATIVE:
        msg = f"a volume of shape {shape} has sagittal, coronal and axial slices, asked for native"
        raise SliceIndexError(msg)
    n_slices = 1 if volume.is_native else shape[SLICE_AXIS[plane]]
    if not 0 <= slice_index < n_slices:
        msg = (
            f"slice {slice_index} is not on the {plane} plane: shape {shape} has slices "
            f"0 to {n_slices - 1} there"
        )
        raise SliceIndexError(msg)
    if volume.is_native:
        spacing_y_mm, spacing_x_mm = volume.spacing_mm
        return Slice2D(pixels=volume.array, spacing_y_mm=spacing_y_mm, spacing_x_mm=spacing_x_mm)
    geometry = slice_geometry(shape, volume.spacing_mm, plane)
    return Slice2D(
        pixels=display_view(volume.array, plane)[slice_index],
        spacing_y_mm=geometry.spacing_y_mm,
        spacing_x_mm=geometry.spacing_x_mm,
    )


def spacing_suspect(volume: Volume | VolumeGeometry, modality: str) -> bool:
    """Whether spacing looks like a placeholder: CT of at least 256² with exactly 1, 1, 1 mm.

    Args:
        volume: With spacing to judge.
        modality: As the catalogue writes it; only "CT" can be suspect.

    Example:
        >>> placed = VolumeGeometry(shape=(512, 512, 90), affine=np.eye(4), spacing_mm=(1, 1, 1))
        >>> spacing_suspect(placed, "CT"), spacing_suspect(placed, "MRI")
        (True, False)
    """
    sides_px = sorted(volume.shape)[-2:]
    return (
        modality.strip().upper() == "CT"
        and min(sides_px) >= SUSPECT_MIN_SIDE_PX
        and bool(np.allclose(volume.spacing_mm, 1.0, rtol=0, atol=1e-6))
    )
