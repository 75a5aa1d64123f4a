"""Whether a mask lies on its image's voxels."""

import itertools

import numpy as np

from medvision.frames import FloatArray, ijk_from_ras, ras_from_ijk
from medvision.volumes.errors import AffineMismatchError, ShapeMismatchError
from medvision.volumes.volume import EXIF_IGNORED, ORIENTATION_UNKNOWN, Volume, VolumeGeometry

CORNER_TOLERANCE_VOXELS = 0.1
"""Files keep affines as float32 or rounded decimals; a tenth of a voxel moves no voxel's label."""

_Placed = Volume | VolumeGeometry


def check_same_grid(image: _Placed, mask: _Placed, *, item: str) -> None:
    """Refuse a mask that is not voxel for voxel on its image.

    Every corner voxel's centre must lie within 0.1 voxel of the same place under both affines.
    Where one file does not say which way its axes point, nothing shows that both store them in one
    order, so the pair passes only if reading moved no axis of the other one (it is stored RAS),
    and then spacing alone is compared. Where neither says, spacing is compared. Of two pictures
    either both or none ask viewers to turn them: on which pixels else was the mask drawn?

    Args:
        image: The image, canonical.
        mask: The mask, canonical.
        item: The case, for messages.

    Raises:
        ShapeMismatchError: Different numbers of voxels.
        AffineMismatchError: A corner lies elsewhere, orientations cannot be compared, or one
            picture alone has an EXIF orientation.
    """
    if image.shape != mask.shape:
        msg = (
            f"{item}: label map is {_by(mask.shape)}, image is {_by(image.shape)}; "
            "pair each image with the mask drawn on it"
        )
        raise ShapeMismatchError(msg)
    turned = [EXIF_IGNORED in placed.flags for placed in (image, mask)]
    if turned[0] != turned[1]:
        turns, stays = ("image", "label map") if turned[0] else ("label map", "image")
        msg = (
            f"{item}: the {turns} asks viewers to turn it (EXIF orientation) and the {stays} does "
            f"not, so nothing shows that they are aligned; save the {turns} as it is to be seen"
        )
        raise AffineMismatchError(msg)
    unknown = [ORIENTATION_UNKNOWN in placed.flags for placed in (image, mask)]
    if any(unknown):
        known, mute, other = (
            (mask, "image", "label map") if unknown[0] else (image, "label map", "image")
        )
        if not all(unknown) and known.orientation_as_stored != "RAS":
            msg = (
                f"{item}: the {mute} does not state its orientation and the {other} is stored "
                f"{known.orientation_as_stored}, so nothing shows that they are aligned; give the "
                f"{mute} the {other}'s affine"
            )
            raise AffineMismatchError(msg)
        offset = corner_offset_voxels(_lengths(image), _lengths(mask), image.shape)
    else:
        offset = corner_offset_voxels(image.affine, mask.affine, image.shape)
    if not offset <= CORNER_TOLERANCE_VOXELS:  # also for NaN
        msg = (
            f"{item}: a corner of the label map lies {offset:.3g} voxels off the image's "
            f"(at most {CORNER_TOLERANCE_VOXELS}); image spacing {image.spacing_mm} mm, label map "
            f"spacing {mask.spacing_mm} mm; resample the label map onto the image"
        )
        raise AffineMismatchError(msg)


def corner_offset_voxels(
    affine: FloatArray, other_affine: FloatArray, shape: tuple[int, ...]
) -> float:
    """Largest distance, in voxels of the first affine, between corner voxel centres.

    Args:
        affine: (4, 4), voxel to mm.
        other_affine: (4, 4), voxel to mm.
        shape: (I, J, K), or (Y, X) of a 2D image.

    Example:
        Two voxels of 2 mm along k, read as 2.5 mm: the far corner lies a quarter voxel off.

        >>> corner_offset_voxels(np.diag([1, 1, 2, 1]), np.diag([1, 1, 2.5, 1]), (3, 3, 2))
        0.25
    """
    ends = [(0, n - 1) for n in shape] if len(shape) == 3 else [(0, n - 1) for n in shape[::-1]]
    corners = np.array(list(itertools.product(*ends)), dtype=np.float64)
    corners = np.pad(corners, ((0, 0), (0, 3 - len(shape))))
    elsewhere = ijk_from_ras(ras_from_ijk(corners, other_affine), affine)
    return float(np.linalg.norm(elsewhere - corners, axis=1).max())


def _lengths(placed: _Placed) -> FloatArray:
    return np.diag([*np.linalg.norm(placed.affine[:3, :3], axis=0), 1.0])


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(str(n) for n in shape)
