"""Closest-canonical RAS+: axes permuted and flipped, never resampled."""

from typing import Any

import nibabel as nib
import numpy as np

from medvision.frames import FloatArray
from medvision.volumes.errors import InvalidSpacingError, NonOrthogonalAxesError
from medvision.volumes.stored import StoredImage
from medvision.volumes.volume import (
    ORIENTATION_UNKNOWN,
    UNFLAGGED_SOURCES,
    Volume,
    VolumeGeometry,
)

_ORIENTATIONS: Any = nib.orientations  # untyped

ORTHOGONALITY_TOLERANCE = 1e-3
"""Largest cosine between two voxel axes, 0.06°: float32 and rounded decimals stay below, a gantry
tilt is above."""


SPACING_RANGE_MM = (1e-6, 1e4)
"""From the voxels of electron microscopes to a slice of ten metres: what lies beyond is a header
that was not filled in."""


def canonical_geometry(stored: StoredImage) -> VolumeGeometry:
    """Shape, affine and spacing that `canonical_volume` gives, without the voxels.

    Raises:
        InvalidSpacingError: A spacing is zero, absurd or not finite.
        NonOrthogonalAxesError: Two axes are off a right angle by more than a cosine of 1e-3.
    """
    affine = np.asarray(stored.affine, dtype=np.float64)
    check_axes(affine, item=str(stored.path))
    shape, native = stored.shape, len(stored.shape) == 2
    oriented = stored.orientation_known and not native
    if oriented:
        # Each row is a stored axis: the world axis it runs along, and its direction.
        ornt = _ORIENTATIONS.io_orientation(affine)
        shape = tuple(int(stored.shape[axis]) for axis in np.argsort(ornt[:, 0]))
        affine = affine @ _ORIENTATIONS.inv_ornt_aff(ornt, stored.shape)
    lengths_mm = tuple(float(s) for s in np.linalg.norm(affine[:3, :3], axis=0))
    flags = list(stored.flags)
    if not oriented and not native:
        flags.append(ORIENTATION_UNKNOWN)
    if stored.spacing_source not in UNFLAGGED_SOURCES:
        flags.append(f"spacing_from_{stored.spacing_source}")
    return VolumeGeometry(
        shape=shape,
        affine=affine,
        # A picture's affine maps (x, y, 0), its array is indexed [y, x].
        spacing_mm=(lengths_mm[1], lengths_mm[0]) if native else lengths_mm,
        orientation_as_stored=orientation_codes(stored.affine) if oriented else "",
        obliquity_deg=obliquity_deg(stored.affine) if oriented else 0.0,
        spacing_source=stored.spacing_source,
        flags=tuple(flags),
    )


def canonical_volume(stored: StoredImage) -> Volume:
    """A stored image with its voxels, in RAS+ (a 2D image as it is).

    Raises:
        InvalidSpacingError: A spacing is zero, absurd or not finite.
        NonOrthogonalAxesError: Two axes are off a right angle by more than a cosine of 1e-3.
    """
    geometry = canonical_geometry(stored)
    array = stored.load()
    if stored.orientation_known and array.ndim == 3:
        ornt = _ORIENTATIONS.io_orientation(stored.affine)
        array = _ORIENTATIONS.apply_orientation(array, ornt)  # a view: no voxel is copied
    return Volume(
        array=array,
        affine=geometry.affine,
        spacing_mm=geometry.spacing_mm,
        orientation_as_stored=geometry.orientation_as_stored,
        obliquity_deg=geometry.obliquity_deg,
        spacing_source=geometry.spacing_source,
        flags=geometry.flags,
    )


def orientation_codes(affine: FloatArray) -> str:
    """Where the voxel axes point, such as "LPS" for (I, J, K) towards left, posterior, superior.

    Example:
        >>> orientation_codes(np.diag([-0.8, -0.8, 5.0, 1.0]))
        'LPS'
    """
    return "".join(str(code) for code in _ORIENTATIONS.aff2axcodes(affine))


def obliquity_deg(affine: FloatArray) -> float:
    """Largest angle between a voxel axis and the world axis it is closest to, in degrees.

    By the arc tangent, which keeps small angles that an arc cosine of nearly 1 would lose.

    Example:
        An axis that rises one part in one:

        >>> turned = np.array([[1.0, -1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        >>> round(obliquity_deg(turned), 6)
        45.0
    """
    axes = np.sort(np.abs(affine[:3, :3]), axis=0)
    off_axis = np.hypot(axes[0], axes[1])
    return float(np.degrees(np.arctan2(off_axis, axes[2])).max())


def check_axes(affine: FloatArray, *, item: str) -> None:
    """Refuse an affine whose columns are not three orthogonal axes of a possible length."""
    columns = affine[:3, :3]
    lengths_mm = np.linalg.norm(columns, axis=0)
    least_mm, most_mm = SPACING_RANGE_MM
    # Negated, so that NaN is out of range too.
    if (
        not np.isfinite(affine).all()
        or not ((least_mm <= lengths_mm) & (lengths_mm <= most_mm)).all()
    ):
        msg = (
            f"{item}: expected finite axes of {least_mm:g} to {most_mm:g} mm a voxel, found "
            f"spacing {lengths_mm} mm; repair the header"
        )
        raise InvalidSpacingError(msg)
    directions = columns / lengths_mm
    cosine = float(np.abs(directions.T @ directions - np.eye(3)).max())
    if cosine > ORTHOGONALITY_TOLERANCE:
        msg = (
            f"{item}: expected voxel axes at right angles (cosine at most "
            f"{ORTHOGONALITY_TOLERANCE}), found a cosine of {cosine:.4f}; resample it first"
        )
        raise NonOrthogonalAxesError(msg)
