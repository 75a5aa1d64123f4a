"""DICOM structure sets (RTSTRUCT): regions of interest drawn as closed contours on slices.

Contours are points in LPS mm (PS3.3, C.8.8.6); pydicom reads them, `polygons` turns them into
voxels of the image. Contours of one region on one slice count as drawn by even and odd: one inside
another is a hole. Where two of them overlap in part, the standard leaves open what is meant, and
so the region is refused, unless the file says CLOSEDPLANAR_XOR.
"""

import io
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.errors import ItemError
from medvision.extras import require
from medvision.frames import FloatArray, ijk_from_ras, ras_from_lps
from medvision.volumes.dicom_kind import STRUCTURE_SET, object_of_class
from medvision.volumes.errors import AffineMismatchError, CorruptFileError
from medvision.volumes.grid import CORNER_TOLERANCE_VOXELS
from medvision.volumes.polygons import polygon_mask
from medvision.volumes.segment import Segment, check_oriented
from medvision.volumes.volume import Volume

EXTRA = "dicom"

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
"""Kinds of contour that enclose something (PS3.3, C.8.8.6.3)."""

BEYOND_TOLERANCE_VOXELS = 1.0
"""How far beyond the outermost voxel centres a contour may run: outlines of the whole body end on
the edge of the picture."""

OVERLAP_TOLERANCE_FRAC = 0.1
"""Of the smaller of two contours on a slice: a hole may cross the outline around it by a little."""


class ContourError(ItemError):
    """Contours that enclose no definite set of voxels."""

    reason = "bad_contour"


class RoiNameError(ItemError):
    """Two regions of one name."""

    reason = "roi_name"


class FrameOfReferenceError(ItemError):
    """A structure set that was drawn in another frame of reference than its image's."""

    reason = "wrong_frame_of_reference"


def structure_set_file(path: Path) -> Path | None:
    """The structure set that a file is, or that a folder holds as its only file; else None."""
    return object_of_class(path, STRUCTURE_SET)


def roi_names(path: Path) -> tuple[str, ...]:
    """Names of the regions of a structure set, in its order, as the file writes them.

    Raises:
        MissingExtraError: pydicom is not installed.
        CorruptFileError: Not a structure set that pydicom can read.
    """
    return tuple(name for _, name, _ in _regions(_dataset(path), path))


def frame_of_reference(image: Path) -> str:
    """FrameOfReferenceUID of a DICOM image or of the first file of a series folder; "" if none.

    Raises:
        MissingExtraError: pydicom is not installed.
    """
    pydicom = require("pydicom", EXTRA, item=str(image))
    files = sorted(entry for entry in image.iterdir()) if image.is_dir() else [image]
    for file in files:
        try:
            content = io.BytesIO(file.read_bytes())
            found = pydicom.dcmread(content, specific_tags=["FrameOfReferenceUID"])
        except (pydicom.errors.InvalidDicomError, OSError):
            continue  # a note beside the slices, or a format that has no frame of reference
        return str(found.get("FrameOfReferenceUID", ""))
    return ""


def read_rois(
    path: Path,
    image: Volume,
    *,
    names: Collection[str] = (),
    frame_uid: str = "",
) -> Iterator[Segment]:
    """Regions of a structure set as masks on the voxels of an image, in the file's order.

    A voxel belongs to a region when its centre lies inside the contours or on one of them, to
    0.001 voxel in the plane they are drawn on.

    Args:
        path: The structure set.
        image: The canonical volume on whose slices it was drawn.
        names: Only these regions; all of them where there is none. Others are not looked at, so
            that a stray marker or couch does not stop a case.
        frame_uid: The image's frame of reference, where known, to compare.

    Raises:
        MissingExtraError: pydicom is not installed.
        CorruptFileError: pydicom cannot read the file, or it lacks what it must have.
        DimensionsError: The image is no volume of known orientation.
        FrameOfReferenceError: The region belongs to another frame of reference.
        RoiNameError: Two regions have one name.
        ContourError: Contours that are open, leave out every second slice, or overlap in part.
        AffineMismatchError: Contours that lie between the image's slices or beyond them.
    """
    check_oriented(image, item=f"{path}: a structure set")
    dataset = _dataset(path)
    regions = [region for region in _regions(dataset, path) if not names or region[1] in names]
    _check_names([name for _, name, _ in regions], path)
    drawn = {number: _contours(dataset, number, path) for number, _, _ in regions}
    for number, name, uid in regions:
        item = f"{path}: region {name!r}"
        if frame_uid and uid and uid != frame_uid:
            msg = (
                f"{item} is drawn in frame of reference {uid}, its image has {frame_uid}; pair "
                "each image with the structure set drawn on it"
            )
            raise FrameOfReferenceError(msg)
        yield Segment(number=number, label=name, mask=_mask(drawn[number], image, item))


def _dataset(path: Path) -> Any:
    pydicom = require("pydicom", EXTRA, item=str(path))
    try:
        # Of a stream in memory no more is taken than there is, whatever length an element states.
        return pydicom.dcmread(io.BytesIO(path.read_bytes()))
    except (pydicom.errors.InvalidDicomError, EOFError, ValueError, AttributeError) as error:
        msg = f"{path}: pydicom cannot read this structure set ({error})"
        raise CorruptFileError(msg) from error


def _regions(dataset: Any, path: Path) -> list[tuple[int, str, str]]:
    """(number, name, frame of reference) of each region."""
    try:
        return [
            (
                int(roi.ROINumber),
                str(roi.get("ROIName", "")).strip(),
                str(roi.get("ReferencedFrameOfReferenceUID", "")),
            )
            for roi in dataset.StructureSetROISequence
        ]
    except (AttributeError, ValueError, TypeError) as error:
        msg = f"{path}: expected a structure set with numbered regions, found none ({error})"
        raise CorruptFileError(msg) from error


def _check_names(names: Sequence[str], path: Path) -> None:
    folded = [name.casefold() for name in names]
    for name in names:
        if folded.count(name.casefold()) > 1:
            msg = f"{path}: two regions are called {name!r}; rename or remove one"
            raise RoiNameError(msg)


def _contours(dataset: Any, number: int, path: Path) -> list[tuple[str, FloatArray]]:
    """(kind, (n, 3) corners in RAS mm) of a region's contours; a region may have none."""
    try:
        drawn = [
            (str(contour.ContourGeometricType), np.array(contour.ContourData, dtype=np.float64))
            for roi in dataset.get("ROIContourSequence", [])
            if int(roi.ReferencedROINumber) == number
            for contour in roi.get("ContourSequence", [])
        ]
        return [(kind, ras_from_lps(data.reshape(-1, 3))) for kind, data in drawn]
    except (AttributeError, ValueError, TypeError) as error:
        msg = f"{path}: the contours of region {number} are not points of three numbers ({error})"
        raise CorruptFileError(msg) from error


def _mask(
    contours: list[tuple[str, FloatArray]], image: Volume, item: str
) -> npt.NDArray[np.bool_]:
    mask = np.zeros(image.shape, dtype=np.bool_)
    open_kinds = {kind for kind, _ in contours} - set(CLOSED)
    if open_kinds:
        msg = (
            f"{item}: expected closed contours, found {', '.join(sorted(open_kinds))}; leave the "
            "region out, or take points as landmarks"
        )
        raise ContourError(msg)
    # Of one or two corners a contour encloses nothing; planning systems leave such ones behind.
    drawn = [(kind, ijk_from_ras(corners, image.affine)) for kind, corners in contours]
    drawn = [(kind, corners) for kind, corners in drawn if len(corners) >= 3]
    if not drawn:
        return mask
    axis = _slice_axis([corners for _, corners in drawn], image, item)
    by_slice: dict[int, list[tuple[str, FloatArray]]] = defaultdict(list)
    for kind, corners in drawn:
        xy = np.delete(corners, axis, axis=1)[:, ::-1]
        by_slice[round(float(corners[:, axis].mean()))].append((kind, xy))
    _check_gaps(sorted(by_slice), item)
    slices = np.moveaxis(mask, axis, 0)
    for index, on_slice in by_slice.items():
        shape_yx = slices[index].shape
        polygons = [xy for _, xy in on_slice]
        if {kind for kind, _ in on_slice} != {"CLOSEDPLANAR_XOR"}:
            _check_overlaps(polygons, shape_yx, f"{item}, slice {index} of axis {axis}")
        slices[index] = polygon_mask(polygons, shape_yx)
    return mask


def _slice_axis(drawn: list[FloatArray], image: Volume, item: str) -> int:
    """Axis of the image along which no contour extends, once all lie on slices of it."""
    extents = np.max([np.ptp(corners, axis=0) for corners in drawn], axis=0)
    axis = int(extents.argmin())
    along = np.concatenate([corners[:, axis] for corners in drawn])
    off = max(float(extents[axis]), float(np.abs(along - np.rint(along)).max()))
    if not off <= CORNER_TOLERANCE_VOXELS:
        msg = (
            f"{item}: contours lie up to {off:.3g} slice distances off the image's slices (at most "
            f"{CORNER_TOLERANCE_VOXELS}); pair each image with the structure set drawn on it"
        )
        raise AffineMismatchError(msg)
    low = np.min([corners.min(axis=0) for corners in drawn], axis=0)
    high = np.max([corners.max(axis=0) for corners in drawn], axis=0)
    allowed = np.full(3, BEYOND_TOLERANCE_VOXELS)
    allowed[axis] = CORNER_TOLERANCE_VOXELS
    if (low < -allowed).any() or (high > np.array(image.shape) - 1 + allowed).any():
        msg = (
            f"{item}: contours reach from voxel {np.round(low, 1).tolist()} to "
            f"{np.round(high, 1).tolist()}, beyond the image of {list(image.shape)}; pair each "
            "image with the structure set drawn on it, or leave the region out"
        )
        raise AffineMismatchError(msg)
    return axis


def _check_gaps(slices: Sequence[int], item: str) -> None:
    gaps = set(np.diff(slices).tolist())
    if len(slices) > 2 and len(gaps) == 1 and gaps != {1}:
        msg = (
            f"{item}: contours on every {gaps.pop()}. slice only, {slices[0]} to {slices[-1]}; "
            "interpolate the slices between first"
        )
        raise ContourError(msg)


def _check_overlaps(polygons: Sequence[FloatArray], shape_yx: tuple[int, ...], item: str) -> None:
    """Refuse contours that are neither apart nor one inside the other."""
    if len(polygons) < 2:
        return
    height_px, width_px = shape_yx
    masks = [polygon_mask([polygon], (height_px, width_px)) for polygon in polygons]
    for one, other in combinations(masks, 2):
        smaller = min(int(one.sum()), int(other.sum()))
        common = int((one & other).sum())
        allowed = OVERLAP_TOLERANCE_FRAC * smaller
        if allowed < common < smaller - allowed or (common and (one == other).all()):
            msg = (
                f"{item}: two contours share {common} of {smaller} pixels, so it is open what they "
                "enclose together; join them, or take one away"
            )
            raise ContourError(msg)
