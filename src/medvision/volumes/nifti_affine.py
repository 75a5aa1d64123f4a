"""Which affine of a NIfTI header to believe: sform, qform or pixdim."""

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np

from medvision.frames import FloatArray
from medvision.volumes.errors import AmbiguousSpacingError, BadHeaderError, InvalidSpacingError
from medvision.volumes.stored import SpacingFrom
from medvision.volumes.volume import SpacingSource

_QUATERNIONS: Any = nib.quaternions  # untyped

LENGTH_TOLERANCE = 1e-3
"""Largest relative difference between an sform column's length and its pixdim."""

QUATERNION_TOLERANCE = 3.6e-7
"""How far the sum of squares of three float32 quaternion terms may exceed 1, or fall short of it
and still mean a half turn: three roundings, 3 × 2⁻²³, as nibabel has it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AffineFields:
    """The geometry a NIfTI header states, raw, in the header's own length unit.

    Attributes:
        item: The file, for messages.
        n_axes: 2 or 3; only so many columns and pixdims count.
        pixdim: (3,), `pixdim[1:4]`; 1 beyond `n_axes`.
        qfac: −1 if `pixdim[0]` is negative, else 1.
        sform_code: As stored.
        sform: (4, 4).
        qform_code: As stored.
        quaternion_bcd: (3,).
        qoffset: (3,).
    """

    item: str
    n_axes: int
    pixdim: FloatArray
    qfac: float
    sform_code: int
    sform: FloatArray
    qform_code: int
    quaternion_bcd: FloatArray
    qoffset: FloatArray

    @property
    def sform_lengths(self) -> FloatArray:
        """Lengths of the sform's columns."""
        return np.asarray(np.linalg.norm(self.sform[:3, : self.n_axes], axis=0))

    @property
    def sform_agrees(self) -> bool:
        """Whether there is an sform whose column lengths equal pixdim."""
        return self.sform_code > 0 and _equal(self.sform_lengths, self.pixdim[: self.n_axes])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChosenAffine:
    """The affine to use, in the header's length unit, and why."""

    affine: FloatArray
    source: SpacingSource

    @property
    def orientation_known(self) -> bool:
        """False where the header gives lengths only."""
        return self.source is not SpacingSource.PIXDIM


def chosen_affine(fields: AffineFields, *, spacing_from: SpacingFrom | None = None) -> ChosenAffine:
    """The affine to believe.

    The sform, if its column lengths equal pixdim; else the whole qform; else, without a qform, the
    sform if pixdim is the placeholder 1, 1, 1, or its axes with pixdim's lengths if its columns
    are of unit length. Without either, pixdim alone.

    Args:
        fields: Of the raw header.
        spacing_from: The caller's decision, which wins.

    Raises:
        InvalidSpacingError: A pixdim is zero, negative or not finite.
        AmbiguousSpacingError: The header contradicts itself and no rule decides.
        BadHeaderError: The statement asked for is absent, or the quaternion is impossible.

    Example:
        The case of ACDC: a unit sform beside a qform and pixdim that hold the spacing.

        >>> fields = AffineFields(
        ...     item="patient001_frame01.nii",
        ...     n_axes=3,
        ...     pixdim=np.array([1.5, 1.5, 10.0]),
        ...     qfac=1.0,
        ...     sform_code=1,
        ...     sform=np.eye(4),
        ...     qform_code=1,
        ...     quaternion_bcd=np.zeros(3),
        ...     qoffset=np.zeros(3),
        ... )
        >>> choice = chosen_affine(fields)
        >>> choice.source.value, choice.affine.diagonal().tolist()
        ('qform', [1.5, 1.5, 10.0, 1.0])
    """
    pixdim = fields.pixdim[: fields.n_axes]
    if not np.isfinite(pixdim).all() or (pixdim <= 0).any():
        said = " or say them with --spacing-mm Y,X" if fields.n_axes == 2 else ""
        cure = f"repair the header{said}"
        msg = f"{fields.item}: expected positive finite voxel sizes, found pixdim {pixdim}; {cure}"
        raise InvalidSpacingError(msg)
    if spacing_from is not None:
        return _requested(fields, spacing_from)
    if fields.sform_agrees:
        return ChosenAffine(affine=fields.sform, source=SpacingSource.SFORM)
    # The qform takes its lengths from pixdim, so against the sform it is two statements to one.
    if fields.qform_code > 0:
        return ChosenAffine(affine=qform_affine(fields), source=SpacingSource.QFORM)
    if fields.sform_code <= 0:
        return _pixdim_only(fields)
    if (fields.pixdim == 1).all():
        return ChosenAffine(affine=fields.sform, source=SpacingSource.SFORM_OVER_UNIT_PIXDIM)
    if _equal(fields.sform_lengths, np.ones(fields.n_axes)):
        return _sform_axes(fields)
    msg = (
        f"{fields.item}: sform spacing {fields.sform_lengths} contradicts pixdim {pixdim} and "
        "there is no qform; say which is right with --spacing-from sform or --spacing-from pixdim"
    )
    raise AmbiguousSpacingError(msg)


def qform_affine(fields: AffineFields) -> FloatArray:
    """The affine of the quaternion, pixdim and offset: method 2 of `nifti1.h`.

    Raises:
        BadHeaderError: The quaternion is longer than 1 or not finite.

    Example:
        Half a turn about z, (a, b, c, d) = (0, 0, 0, 1): stored as LPS.

        >>> fields = AffineFields(
        ...     item="scan.nii",
        ...     n_axes=3,
        ...     pixdim=np.array([0.5, 0.5, 2.0]),
        ...     qfac=1.0,
        ...     sform_code=0,
        ...     sform=np.eye(4),
        ...     qform_code=1,
        ...     quaternion_bcd=np.array([0.0, 0.0, 1.0]),
        ...     qoffset=np.zeros(3),
        ... )
        >>> qform_affine(fields).diagonal().tolist()
        [-0.5, -0.5, 2.0, 1.0]
    """
    quaternion = fields.quaternion_bcd
    if not float(quaternion @ quaternion) <= 1 + QUATERNION_TOLERANCE:
        msg = (
            f"{fields.item}: the qform's quaternion {quaternion} is no rotation; repair the header"
        )
        raise BadHeaderError(msg)
    unit = _QUATERNIONS.fillpositive(quaternion, w2_thresh=QUATERNION_TOLERANCE)
    rotation = _QUATERNIONS.quat2mat(unit.astype(np.float64))
    affine = np.eye(4)
    affine[:3, :3] = rotation * (fields.pixdim * (1, 1, fields.qfac))
    affine[:3, 3] = fields.qoffset
    return affine


def _requested(fields: AffineFields, spacing_from: SpacingFrom) -> ChosenAffine:
    stated = {"sform": fields.sform_code, "qform": fields.qform_code, "pixdim": 1}
    if stated[spacing_from] <= 0:
        msg = (
            f"{fields.item}: --spacing-from {spacing_from}, but {spacing_from}_code is "
            f"{stated[spacing_from]}; choose another"
        )
        raise BadHeaderError(msg)
    if spacing_from == "qform":
        return ChosenAffine(affine=qform_affine(fields), source=SpacingSource.QFORM)
    if fields.sform_agrees:
        return ChosenAffine(affine=fields.sform, source=SpacingSource.SFORM)
    if spacing_from == "sform":
        return ChosenAffine(affine=fields.sform, source=SpacingSource.SFORM_REQUESTED)
    if fields.qform_code > 0:
        return ChosenAffine(affine=qform_affine(fields), source=SpacingSource.QFORM)
    return _sform_axes(fields) if fields.sform_code > 0 else _pixdim_only(fields)


def _sform_axes(fields: AffineFields) -> ChosenAffine:
    lengths = np.linalg.norm(fields.sform[:3, :3], axis=0)
    if not np.isfinite(lengths).all() or (lengths[: fields.n_axes] <= 0).any():
        msg = f"{fields.item}: sform columns of length {lengths} give no axes; repair the header"
        raise InvalidSpacingError(msg)
    affine = fields.sform.copy()
    affine[:3, :3] *= fields.pixdim / np.where(lengths > 0, lengths, 1.0)
    return ChosenAffine(affine=affine, source=SpacingSource.SFORM_AXES_PIXDIM)


def _pixdim_only(fields: AffineFields) -> ChosenAffine:
    return ChosenAffine(affine=np.diag([*fields.pixdim, 1.0]), source=SpacingSource.PIXDIM)


def _equal(lengths: FloatArray, expected: FloatArray) -> bool:
    """Whether lengths equal those expected within the tolerance; false for NaN."""
    return bool((np.abs(lengths - expected) <= LENGTH_TOLERANCE * expected).all())
