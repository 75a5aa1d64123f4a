"""What a format reader hands over: geometry now, voxels on demand, as the file stores them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from medvision.catalog.cohort import Step
from medvision.errors import UsageError
from medvision.frames import FloatArray
from medvision.volumes.errors import InvalidSpacingError, MissingSpacingError
from medvision.volumes.volume import SpacingSource, VoxelArray

SpacingFrom = Literal["sform", "qform", "pixdim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How to read one file.

    Attributes:
        spacing_mm: (y, x) of a 2D image; wins over what its file says.
        spacing_from: NIfTI: which statement of the header to believe.
        purpose: Colour becomes luminance in an image and is an error in a label map.
        frame: Of a 4D file, the one that is meant.
        steps: Conversions after that, in order.
        like: The image that a step takes the geometry of; the file's own need not be sound then.
        transform: The file by which a step resamples.
    """

    spacing_mm: Sequence[float] | None = None
    spacing_from: SpacingFrom | None = None
    purpose: Literal["image", "label_map"] = "image"
    frame: int | None = None
    steps: tuple[Step, ...] = ()
    like: "StoredImage | None" = None
    transform: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a spacing that no image can have."""
        spacing_mm = self.spacing_mm
        if spacing_mm is None:
            return
        if len(spacing_mm) != 2 or not all(np.isfinite(s) and s > 0 for s in spacing_mm):
            msg = f"--spacing-mm wants two positive numbers Y,X in mm, found {spacing_mm}"
            raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredImage:
    """An image as its file stores it.

    Attributes:
        path: The file, for messages.
        shape: (I, J, K) in stored order, or (Y, X) of a native 2D image.
        affine: (4, 4), stored voxel to RAS+ mm; of a 2D image, (x, y, 0) to mm.
        orientation_known: False if the file does not say which way the axes point.
        spacing_source: Which statement of the file decided.
        flags: What to tell beyond the source.
        scaled: Voxels went through a slope and intercept, so integers may be off by rounding.
        load: Reads the voxels, of `shape`.
    """

    path: Path
    shape: tuple[int, ...]
    affine: FloatArray
    spacing_source: SpacingSource
    load: Callable[[], VoxelArray]
    orientation_known: bool = True
    flags: tuple[str, ...] = ()
    scaled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeSpacing:
    """Pixel size of a 2D image and where it comes from."""

    spacing_y_mm: float
    spacing_x_mm: float
    source: SpacingSource
    flags: tuple[str, ...] = ()

    @property
    def affine(self) -> FloatArray:
        """(4, 4), picture (x, y, 0) to mm."""
        return np.diag([self.spacing_x_mm, self.spacing_y_mm, 1.0, 1.0])


def native_spacing(
    path: Path, options: ReadOptions, found: NativeSpacing | None = None
) -> NativeSpacing:
    """Pixel size of a 2D image: the caller's, else the file's.

    Args:
        path: The image, for messages.
        options: With the caller's spacing, if any.
        found: What the file says, if it says anything reliable.

    Raises:
        MissingSpacingError: Neither says anything.
        InvalidSpacingError: The file's spacing is zero, negative or not finite.
    """
    if options.spacing_mm is not None:
        spacing_y_mm, spacing_x_mm = (float(s) for s in options.spacing_mm)
        # Files and people round spacing to three or four digits: that is no contradiction.
        differs = found is not None and not np.allclose(
            options.spacing_mm, (found.spacing_y_mm, found.spacing_x_mm), rtol=1e-3
        )
        return NativeSpacing(
            spacing_y_mm=spacing_y_mm,
            spacing_x_mm=spacing_x_mm,
            source=SpacingSource.ARGUMENT,
            flags=("spacing_overridden",) if differs else (),
        )
    if found is None:
        msg = f"{path}: the file states no pixel size in mm; say it with --spacing-mm Y,X"
        raise MissingSpacingError(msg)
    sizes_mm = (found.spacing_y_mm, found.spacing_x_mm)
    if not all(np.isfinite(s) and s > 0 for s in sizes_mm):
        msg = (
            f"{path}: expected positive pixel sizes in mm, found {sizes_mm}; say them with "
            "--spacing-mm Y,X"
        )
        raise InvalidSpacingError(msg)
    return found
