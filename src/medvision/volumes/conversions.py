"""Conversions that a declaration lists, of images as their files store them; no voxel is read yet.

`channel` is not among them: one frame of a 4D file is found by its reader.
"""

from collections.abc import Sequence
from dataclasses import replace

from medvision.catalog.cohort import Step
from medvision.volumes.errors import DimensionsError, ShapeMismatchError
from medvision.volumes.stored import StoredImage


def converted(
    stored: StoredImage, steps: Sequence[Step], like: StoredImage | None = None
) -> StoredImage:
    """An image after some steps, in their order.

    Args:
        stored: As its reader hands it over.
        steps: Without `channel`.
        like: The image whose geometry a step takes.

    Raises:
        DimensionsError: A picture, whose two axes cannot be put in an order of three.
        ShapeMismatchError: Another size than that of the image whose geometry is taken.
    """
    for step in steps:
        if step.transpose is not None:
            stored = transposed(stored, step.transpose)
        elif step.geometry is not None and like is not None:
            stored = placed_like(stored, like)
    return stored


def transposed(stored: StoredImage, axes: tuple[int, int, int]) -> StoredImage:
    """The same voxels with stored axes in another order, as `numpy.transpose` has it.

    The affine stays: a file whose header describes other axes than its voxels have is put right.

    Raises:
        DimensionsError: A picture.

    Example:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from medvision.volumes.volume import SpacingSource
        >>> stored = StoredImage(
        ...     path=Path("a.nii"),
        ...     shape=(1, 2, 3),
        ...     affine=np.diag([4.0, 5, 6, 1]),
        ...     spacing_source=SpacingSource.SFORM,
        ...     load=lambda: np.arange(6).reshape(1, 2, 3),
        ... )
        >>> turned = transposed(stored, (2, 0, 1))
        >>> turned.shape, turned.load()[:, 0, 1].tolist(), turned.affine.diagonal().tolist()
        ((3, 1, 2), [3, 4, 5], [4.0, 5.0, 6.0, 1.0])
    """
    if len(stored.shape) != 3:
        msg = f"{stored.path}: transpose is for volumes, found a picture of shape {stored.shape}"
        raise DimensionsError(msg)
    return replace(
        stored,
        shape=tuple(stored.shape[axis] for axis in axes),
        load=lambda: stored.load().transpose(axes),
    )


def placed_like(stored: StoredImage, image: StoredImage) -> StoredImage:
    """The same voxels, index for index where those of an image lie.

    Raises:
        ShapeMismatchError: They differ in number along an axis.
    """
    if stored.shape != image.shape:
        msg = (
            f"{stored.path}: expected the stored shape {image.shape} of {image.path.name}, whose "
            f"geometry it takes, found {stored.shape}; does it need a transpose first?"
        )
        raise ShapeMismatchError(msg)
    return replace(
        stored,
        affine=image.affine,
        spacing_source=image.spacing_source,
        orientation_known=image.orientation_known,
        flags=image.flags,
    )
