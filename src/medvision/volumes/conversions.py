"""Conversions that a declaration lists, of images as their files store them; no voxel is read yet.

`channel` is not among them: one frame of a 4D file is found by its reader.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medvision.catalog.cohort import Step
from medvision.extras import require
from medvision.volumes.errors import CorruptFileError, DimensionsError, ShapeMismatchError
from medvision.volumes.metaimage import LPS_TO_RAS
from medvision.volumes.stored import StoredImage
from medvision.volumes.volume import VoxelArray


def converted(
    stored: StoredImage,
    steps: Sequence[Step],
    like: StoredImage | None = None,
    transform: Path | None = None,
) -> StoredImage:
    """An image after some steps, in their order.

    Args:
        stored: As its reader hands it over.
        steps: Without `channel`.
        like: The image whose geometry a step takes.
        transform: The file by which a step resamples.

    Raises:
        DimensionsError: A picture, whose two axes cannot be put in an order of three.
        ShapeMismatchError: Another size than that of the image whose geometry is taken.
    """
    for step in steps:
        if step.transpose is not None:
            stored = transposed(stored, step.transpose)
        elif step.geometry is not None and like is not None:
            stored = placed_like(stored, like)
        elif step.transform is not None and transform is not None:
            stored = resampled(stored, transform)
    return stored


def resampled(stored: StoredImage, transform: Path) -> StoredImage:
    """The same grid, filled from where a transform takes each of its points; 0 outside.

    Linear between voxels, in the type of the voxels, as `SimpleITK.Resample` has it.

    Args:
        stored: A volume.
        transform: ITK transform file, of world points (LPS) of the grid to points of the image.

    Raises:
        DimensionsError: A picture.
        MissingExtraError: SimpleITK is not installed.
    """
    if len(stored.shape) != 3:
        msg = f"{stored.path}: transform is for volumes, found a picture of shape {stored.shape}"
        raise DimensionsError(msg)
    sitk = require("SimpleITK", "formats", item=str(transform))

    def load() -> VoxelArray:
        # ITK indexes arrays from their last axis.
        image = sitk.GetImageFromArray(np.ascontiguousarray(stored.load().T))
        axes = LPS_TO_RAS @ stored.affine
        spacing_mm = np.linalg.norm(axes[:3, :3], axis=0)
        image.SetSpacing(spacing_mm.tolist())
        image.SetOrigin(axes[:3, 3].tolist())
        image.SetDirection((axes[:3, :3] / spacing_mm).ravel().tolist())
        try:
            moved = sitk.Resample(image, image, sitk.ReadTransform(str(transform)), sitk.sitkLinear)
        except RuntimeError as error:
            msg = f"{transform}: expected an ITK transform of three dimensions, which ITK reads"
            raise CorruptFileError(msg) from error
        values: VoxelArray = sitk.GetArrayFromImage(moved).T
        return values

    return replace(stored, load=load)


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
