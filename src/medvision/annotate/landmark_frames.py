"""Landmarks on their way into an image: from the coordinates of a file to those of its voxels."""

import numpy as np
import numpy.typing as npt

from medvision.annotate.landmarks import (
    AXIS_OF_LETTER,
    CANONICAL_LETTERS,
    LandmarkFrameError,
    Landmarks,
    LandmarkSpace,
)
from medvision.frames import FloatArray, ijk_from_ras, ras_from_lps


def canonical_ijk(
    landmarks: Landmarks,
    shape_ijk: tuple[int, ...],
    *,
    orientation_as_stored: str,
    affine: npt.ArrayLike,
) -> dict[str, FloatArray]:
    """Voxel coordinates of landmarks in the closest-canonical RAS+ array, unrounded.

    Args:
        landmarks: Three coordinates each.
        shape_ijk: (I, J, K) of the canonical array.
        orientation_as_stored: Letters towards which the stored axes run, such as "LPS"; "" where
            unknown, so that the array is as stored. Used for voxel landmarks.
        affine: (4, 4) canonical voxel to RAS mm; used for world landmarks.

    Returns:
        Key to (3,) coordinates; integers are voxel centres. They may lie outside the array.

    Raises:
        LandmarkFrameError: Landmarks of two coordinates, letters that are no orientation, or world
            landmarks for an image of unknown orientation.

    Example:
        >>> stored = Landmarks(source="x", space=LandmarkSpace.VOXEL, points={"a": (0, 2, 3)})
        >>> canonical_ijk(stored, (10, 10, 5), orientation_as_stored="LPS", affine=np.eye(4))
        {'a': array([9., 7., 3.])}
    """
    _check_dimension(landmarks, expected=3, image="a volume")
    if landmarks.space is not LandmarkSpace.VOXEL and not orientation_as_stored:
        msg = (
            f"{landmarks.source}: {landmarks.space} world landmarks need an image whose header "
            "states its orientation; this one does not, give voxel landmarks"
        )
        raise LandmarkFrameError(msg)
    coordinates = np.array(list(landmarks.points.values()), dtype=np.float64)
    match landmarks.space:
        case LandmarkSpace.VOXEL:
            letters = orientation_as_stored or CANONICAL_LETTERS
            coordinates = _canonical_from_stored(coordinates, shape_ijk, letters, landmarks.source)
        case LandmarkSpace.RAS:
            coordinates = ijk_from_ras(coordinates, affine)
        case LandmarkSpace.LPS:
            coordinates = ijk_from_ras(ras_from_lps(coordinates), affine)
    return dict(zip(landmarks.points, coordinates, strict=True))


def native_xy(
    landmarks: Landmarks, shape_yx: tuple[int, ...] | None = None
) -> dict[str, FloatArray]:
    """Pixel coordinates (column, row) of landmarks on a 2D image, unrounded.

    Args:
        landmarks: Two coordinates each.
        shape_yx: Of the image, to compare with the size that their file states, if it does.

    Raises:
        LandmarkFrameError: They have three coordinates, are world coordinates, or were set on a
            picture of another size.

    Example:
        >>> native_xy(Landmarks(source="x", space=LandmarkSpace.VOXEL, points={"a": (3.5, 2)}))
        {'a': array([3.5, 2. ])}
    """
    _check_dimension(landmarks, expected=2, image="a 2D image")
    if landmarks.space is not LandmarkSpace.VOXEL:
        msg = (
            f"{landmarks.source}: a 2D image takes pixel landmarks [column, row], found "
            f"{landmarks.space} world coordinates; convert them to pixels"
        )
        raise LandmarkFrameError(msg)
    if shape_yx is not None and landmarks.size_wh_px not in (None, shape_yx[::-1]):
        msg = (
            f"{landmarks.source}: set on a picture of {landmarks.size_wh_px} px (width, height), "
            f"this one has {shape_yx[::-1]}; was it resized?"
        )
        raise LandmarkFrameError(msg)
    return {key: np.array(point) for key, point in landmarks.points.items()}


def _canonical_from_stored(
    stored: FloatArray, shape_ijk: tuple[int, ...], letters: str, source: str
) -> FloatArray:
    """(n, 3) stored voxel coordinates to (n, 3) canonical ones; letters as "LPS"."""
    axes = [AXIS_OF_LETTER.get(letter, -1) for letter in letters]
    if sorted(axes) != [0, 1, 2]:
        msg = (
            f"{source}: voxel landmarks need the image's stored orientation as three letters "
            f"such as 'LPS', found '{letters}'"
        )
        raise LandmarkFrameError(msg)
    canonical = np.empty_like(stored)
    for along, axis, letter in zip(stored.T, axes, letters, strict=True):
        # A flipped axis counts from its other end: of n voxels, the first is the last, n − 1.
        is_flipped = letter not in CANONICAL_LETTERS
        canonical[:, axis] = shape_ijk[axis] - 1 - along if is_flipped else along
    return canonical


def _check_dimension(landmarks: Landmarks, *, expected: int, image: str) -> None:
    found = len(next(iter(landmarks.points.values())))
    if found != expected:
        msg = (
            f"{landmarks.source}: {image} takes landmarks of {expected} coordinates, found "
            f"{found}; is this the landmark file of another image?"
        )
        raise LandmarkFrameError(msg)
