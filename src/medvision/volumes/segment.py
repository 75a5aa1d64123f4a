"""Segments: structures that a file keeps apart and names, each on the voxels of its image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.frames import ijk_from_ras
from medvision.volumes.errors import AffineMismatchError, DimensionsError
from medvision.volumes.grid import CORNER_TOLERANCE_VOXELS, corner_offset_voxels
from medvision.volumes.volume import ORIENTATION_UNKNOWN, Volume


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """One structure of a file that names its structures; they may overlap.

    Attributes:
        number: The file's own number for it.
        label: What the file calls it.
        mask: (I, J, K), on the voxels of the image it belongs to.
    """

    number: int
    label: str
    mask: npt.NDArray[np.bool_]


def check_oriented(image: Volume, *, item: str) -> None:
    """Refuse an image in whose world nothing can be placed.

    Args:
        image: Canonical.
        item: What would be placed, for the message.

    Raises:
        DimensionsError: A 2D image, or a volume of unknown orientation.
    """
    if image.is_native or ORIENTATION_UNKNOWN in image.flags:
        msg = f"{item} needs a volume of known orientation beside it"
        raise DimensionsError(msg)


def placed_on_image(block: Volume, image: Volume, *, item: str) -> npt.NDArray[Any]:
    """A part of an image's voxels at its place in an empty array of the image's shape.

    Args:
        block: Canonical; voxel for voxel on the image, but it may cover less of it.
        image: Canonical.
        item: The file, for messages.

    Returns:
        (I, J, K) of the block's dtype; 0 beyond the block.

    Raises:
        AffineMismatchError: The block lies between the image's voxels, at an angle, or beyond them.
    """
    low = np.rint(ijk_from_ras(block.affine[:3, 3], image.affine)).astype(int)
    high = low + np.array(block.shape)
    on_grid = image.affine.copy()
    on_grid[:3, 3] += image.affine[:3, :3] @ low
    # Compared at all corners: frames that start on a voxel may still run off at an angle.
    offset = corner_offset_voxels(on_grid, block.affine, block.shape)
    if not offset <= CORNER_TOLERANCE_VOXELS or (low < 0).any() or (high > image.shape).any():
        msg = (
            f"{item}: its frames lie {offset:.3g} voxels off the image's (at most "
            f"{CORNER_TOLERANCE_VOXELS}) or beyond them: voxels {low.tolist()} to {high.tolist()} "
            f"of {list(image.shape)}; pair each image with its own segmentation"
        )
        raise AffineMismatchError(msg)
    placed = np.zeros(image.shape, dtype=block.array.dtype)
    placed[tuple(slice(start, stop) for start, stop in zip(low, high, strict=True))] = block.array
    return placed
