"""DICOM segmentations through highdicom: segments as masks on the voxels of their image.

A segmentation file stores only the frames that hold something, in an order and orientation of its
own, and its segments may overlap.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.extras import require
from medvision.frames import ijk_from_ras
from medvision.volumes.canonical import canonical_volume
from medvision.volumes.dicom import has_preamble
from medvision.volumes.errors import (
    AffineMismatchError,
    CorruptFileError,
    DimensionsError,
    LabelValuesError,
)
from medvision.volumes.grid import CORNER_TOLERANCE_VOXELS, corner_offset_voxels
from medvision.volumes.metaimage import LPS_TO_RAS
from medvision.volumes.stored import StoredImage
from medvision.volumes.volume import ORIENTATION_UNKNOWN, SpacingSource, Volume

EXTRA = "dicom"

_STORAGE_CLASSES = tuple(
    b"\x02\x00\x02\x00UI\x1c\x00" + uid  # MediaStorageSOPClassUID, 28 characters
    for uid in (b"1.2.840.10008.5.1.4.1.1.66.4", b"1.2.840.10008.5.1.4.1.1.66.7")
)
"""Segmentation and label map segmentation, as a file's meta information names them."""

_META_BYTES = 1024

# What highdicom, and pydicom below it, raise on files that break the standard: there is no class of
# errors for it, they fail where an attribute is missing or of another kind.
_FOREIGN_ERRORS = (ValueError, TypeError, AttributeError, KeyError, RuntimeError, EOFError)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """One segment of a DICOM segmentation.

    Attributes:
        number: From 1, in declared order.
        label: What the file calls it.
        mask: (I, J, K), on the voxels of the image it belongs to.
    """

    number: int
    label: str
    mask: npt.NDArray[np.bool_]


def segmentation_file(path: Path) -> Path | None:
    """The DICOM segmentation that a file is, or that a folder holds as its only file; else None."""
    if path.is_dir():
        files = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        return segmentation_file(files[0]) if len(files) == 1 and files[0].is_file() else None
    if not path.is_file() or not has_preamble(path):
        return None
    with path.open("rb") as file:
        head = file.read(_META_BYTES)
    return path if any(uid in head for uid in _STORAGE_CLASSES) else None


def read_segments(path: Path, image: Volume) -> Iterator[Segment]:
    """Segments in declared order, each alone: they may overlap.

    Args:
        path: A segmentation file with binary segments or a label map.
        image: The canonical volume whose voxels were segmented.

    Raises:
        MissingExtraError: highdicom is not installed.
        CorruptFileError: highdicom cannot read the file, or its frames form no volume.
        LabelValuesError: Segments are probabilities.
        DimensionsError: The image is no volume.
        AffineMismatchError: The frames do not lie on the image's voxels.
    """
    highdicom = require("highdicom", EXTRA, item=str(path))
    if image.is_native or ORIENTATION_UNKNOWN in image.flags:
        msg = f"{path}: a DICOM segmentation needs a volume of known orientation beside it"
        raise DimensionsError(msg)
    try:
        found = highdicom.seg.segread(path)
    except _FOREIGN_ERRORS as error:
        msg = f"{path}: highdicom cannot read this segmentation ({error})"
        raise CorruptFileError(msg) from error
    if found.segmentation_type is highdicom.seg.SegmentationTypeValues.FRACTIONAL:
        msg = f"{path}: expected binary segments, found fractions; threshold them first"
        raise LabelValuesError(msg)
    for number in found.segment_numbers:
        try:
            frames = found.get_volume(segment_numbers=[int(number)])
        except _FOREIGN_ERRORS as error:
            msg = f"{path}: the frames of segment {number} form no volume ({error})"
            raise CorruptFileError(msg) from error
        yield Segment(
            number=int(number),
            label=str(found.get_segment_description(number).segment_label),
            mask=_mask_on_image(frames, image, path),
        )


def _mask_on_image(volume: Any, image: Volume, path: Path) -> npt.NDArray[np.bool_]:
    """The voxels of a segment's frames at their place in an empty mask of the image's shape."""
    array = np.asarray(volume.array)[..., 0] != 0
    stored = StoredImage(
        path=path,
        shape=array.shape,
        affine=LPS_TO_RAS @ np.asarray(volume.affine, dtype=np.float64),
        spacing_source=SpacingSource.HEADER,
        load=lambda: array,
    )
    block = canonical_volume(stored)
    low = np.rint(ijk_from_ras(block.affine[:3, 3], image.affine)).astype(int)
    high = low + np.array(block.shape)
    on_grid = image.affine.copy()
    on_grid[:3, 3] += image.affine[:3, :3] @ low
    # Compared at all corners: frames that start on a voxel may still run off at an angle.
    offset = corner_offset_voxels(on_grid, block.affine, block.shape)
    if not offset <= CORNER_TOLERANCE_VOXELS or (low < 0).any() or (high > image.shape).any():
        msg = (
            f"{path}: its frames lie {offset:.3g} voxels off the image's (at most "
            f"{CORNER_TOLERANCE_VOXELS}) or beyond them: voxels {low.tolist()} to {high.tolist()} "
            f"of {list(image.shape)}; pair each image with its own segmentation"
        )
        raise AffineMismatchError(msg)
    mask = np.zeros(image.shape, dtype=np.bool_)
    mask[tuple(slice(start, stop) for start, stop in zip(low, high, strict=True))] = block.array
    return mask
