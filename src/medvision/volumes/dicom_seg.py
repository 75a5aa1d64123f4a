"""DICOM segmentations through highdicom: segments as masks on the voxels of their image.

A segmentation file stores only the frames that hold something, in an order and orientation of its
own, and its segments may overlap.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.extras import require
from medvision.volumes.canonical import canonical_volume
from medvision.volumes.dicom_kind import SEGMENTATION, object_of_class
from medvision.volumes.errors import CorruptFileError, LabelValuesError
from medvision.volumes.metaimage import LPS_TO_RAS
from medvision.volumes.segment import Segment, check_oriented, placed_on_image
from medvision.volumes.stored import StoredImage
from medvision.volumes.volume import SpacingSource, Volume

EXTRA = "dicom"

# What highdicom, and pydicom below it, raise on files that break the standard: there is no class of
# errors for it, they fail where an attribute is missing or of another kind.
_FOREIGN_ERRORS = (ValueError, TypeError, AttributeError, KeyError, RuntimeError, EOFError)


def segmentation_file(path: Path) -> Path | None:
    """The DICOM segmentation that a file is, or that a folder holds as its only file; else None."""
    return object_of_class(path, SEGMENTATION)


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
    check_oriented(image, item=f"{path}: a DICOM segmentation")
    try:
        # Of a stream in memory no more is taken than there is, whatever length an element states.
        found = _checked(highdicom.seg, io.BytesIO(path.read_bytes()), path)
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


def _checked(seg: Any, content: io.BytesIO, path: Path) -> Any:
    """The segmentation, once it is known to list as many frames as it says it has."""
    from pydicom import dcmread

    dataset = dcmread(content)
    # highdicom makes lists of as many as the file says, before it looks at one.
    n_listed, n_frames = len(dataset.PerFrameFunctionalGroupsSequence), int(dataset.NumberOfFrames)
    if n_listed != n_frames:
        msg = f"{path}: expected {n_frames} frames, found {n_listed}; write the segmentation anew"
        raise CorruptFileError(msg)
    return seg.Segmentation.from_dataset(dataset, copy=False)


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
    return placed_on_image(canonical_volume(stored), image, item=str(path))
