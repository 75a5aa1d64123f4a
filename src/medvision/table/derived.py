"""Cases whose files must be joined or converted first: what comes of it is written beside tables.

Whatever reads tables later, to draw a slice or the border of a mask, then finds one file that is
read as it is.
"""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import nibabel as nib
import numpy as np
import numpy.typing as npt

from medvision.errors import ItemError
from medvision.frames import FloatArray
from medvision.storage import remove_tree, write_bytes
from medvision.table.annotate_case import AnnotatedCase, AnnotateOptions, annotate_case
from medvision.table.cases import CaseSource, ImageSource, MaskSource, Structure
from medvision.table.inputs import input_digest
from medvision.table.mask_layers import (
    EmptyMaskError,
    MaskLayer,
    holds_segments,
    layers_of_files,
    mask_layers,
)
from medvision.volumes import Volume
from medvision.volumes.canonical import canonical_geometry
from medvision.volumes.errors import DimensionsError
from medvision.volumes.guard import names_file
from medvision.volumes.read import open_stored
from medvision.volumes.stored import ReadOptions

DERIVED = "derived"
"""Folder of such files below a table folder."""


class OverlappingMasksError(ItemError):
    """Two label maps of one image give a voxel two labels."""

    reason = "overlapping_masks"


def needs_derived(case: CaseSource) -> bool:
    """Whether files of a case must be joined or converted before they are read."""
    return bool(case.masks or case.colours) or not all(image.is_plain for image in case.images)


def annotate_any(
    case: CaseSource, options: AnnotateOptions, digests: Mapping[Path, str], folder: Path
) -> AnnotatedCase:
    """A case's rows, from files of its own or from those that are made of them.

    Args:
        case: Files and names.
        options: Dataset-wide choices.
        digests: SHA-256 of each of the case's files.
        folder: What is made of them goes below.

    Raises:
        ItemError: The case cannot be used; the class tells why.
    """
    if needs_derived(case):
        case = plain_case(case, options, folder)
        made = [image.path for image in case.images if image.path not in digests]
        digests = {**digests, **{path: input_digest(path) for path in made}}
    return annotate_case(case, options, digests)


def plain_case(case: CaseSource, options: AnnotateOptions, folder: Path) -> CaseSource:
    """The same case with files that are read as they are; those that are not are written.

    Args:
        case: With several masks, say.
        options: Dataset-wide choices.
        folder: What is written goes below; the case's own folder there is emptied first.

    Raises:
        ItemError: A file cannot be read, lies elsewhere, or holds what nobody has declared.
    """
    own = folder / quote(case.cohort or "-", safe="") / quote(case.case_id, safe=" ()+,=@")
    remove_tree(own)
    own.mkdir(parents=True)
    reading = options.reading(case)
    images = tuple(_plain_image(image, reading, own) for image in case.images)
    if case.mask is None and not case.masks:
        return replace(case, images=images)
    image = options.image(case, images[0].path)
    if any(step.geometry for source in case.masks for step in source.steps):
        spacing_mm = image.spacing_mm if image.is_native else None
        like = open_stored(images[0].path, replace(reading, spacing_mm=spacing_mm))
        reading = replace(reading, like=like)
    if case.mask is not None:
        case = replace(case, masks=(MaskSource(path=case.mask),))
    joined = _joined(case, image, reading)
    if joined is not None:
        mask = _write_label_map(own / "mask", joined, image)
    else:
        mask = own / "masks"
        mask.mkdir()
        for structure in case.structures:
            inside = _union(case, structure, image, reading)
            if inside is not None:
                name = structure.name.replace("/", "_")
                _write_label_map(mask / name, inside.astype(np.uint8), image)
    plain = tuple(replace(one, values=(one.label_id,), found_as=()) for one in case.structures)
    return replace(
        case, images=images, mask=mask, masks=(), structures=plain, ignore=(), colours={}
    )


def _plain_image(image: ImageSource, reading: ReadOptions, folder: Path) -> ImageSource:
    """An image that is read as it is: converted and written below a folder if need be."""
    if image.is_plain:
        return image
    reading = replace(_reading_of(image, reading), transform=image.transform)
    with names_file(image.path):
        stored = open_stored(image.path, reading)
        source, voxels = canonical_geometry(stored), stored.load()
    path = folder / "images" / f"{quote(image.image_id, safe=' ')}.nii.gz"
    # As stored, not turned to RAS+: voxel landmarks count along the stored axes.
    _write_nifti(path, voxels, stored.affine, is_oriented=stored.orientation_known)
    return replace(image, path=path, steps=(), frame=None, source=source)


def _reading_of(file: ImageSource | MaskSource, reading: ReadOptions) -> ReadOptions:
    """How a file with a frame or with conversions of its own is read."""
    frame, steps = file.frame, file.steps
    if steps and steps[0].channel is not None:
        frame, steps = steps[0].channel, steps[1:]
    like = reading.like if any(step.geometry for step in steps) else None
    return replace(reading, frame=frame, steps=steps, like=like)


def _joined(case: CaseSource, image: Volume, options: ReadOptions) -> npt.NDArray[Any] | None:
    """All masks as one label map, on the image's voxels; None where structures overlap.

    Files of one structure each, and segments, may; a label map has one label a voxel.
    """
    apart = any(source.label_id or holds_segments(source.path) for source in case.masks)
    apart = apart or len(case.masks) == 1  # in one file, only declared regions overlap
    largest = max(structure.label_id for structure in case.structures)
    joined = np.zeros(image.shape, np.uint8 if largest < 256 else np.int32)
    # Background comes last: any structure may take its voxels.
    ranks = np.full(largest + 1, len(case.structures))
    for rank, structure in enumerate(case.structures):
        ranks[structure.label_id] = rank if case.winner != "last" else -rank
    ranks[0] = len(case.structures)
    for source in case.masks:
        for layer in _layers(case, source, image, options):
            for structure in layer.structures:
                inside = layer.labels.array == structure.label_id
                others = inside & (joined != 0) & (joined != structure.label_id)
                if others.any():
                    if case.winner is None and apart:
                        return None
                    if case.winner is None:
                        msg = (
                            f"{source.path}: {others.sum()} voxels have another label in another "
                            "mask of the case; say `winner` in the declaration"
                        )
                        raise OverlappingMasksError(msg)
                    inside &= ranks[joined] >= ranks[structure.label_id]
                joined[inside] = structure.label_id
    if not joined.any():
        names = ", ".join(source.path.name for source in case.masks)
        msg = f"{case.case_id}: expected labelled voxels in {names}, found background only"
        raise EmptyMaskError(msg)
    return joined


def _union(
    case: CaseSource, structure: Structure, image: Volume, options: ReadOptions
) -> npt.NDArray[np.bool_] | None:
    """One structure in all masks that may hold it; None where it has no voxel."""
    inside: npt.NDArray[np.bool_] | None = None
    for source in case.masks:
        if source.label_id not in (None, structure.label_id):
            continue
        for layer in _layers(case, source, image, options):
            if structure.label_id in {one.label_id for one in layer.structures}:
                here = layer.labels.array == structure.label_id
                inside = here if inside is None else inside | here
    return inside if inside is not None and inside.any() else None


def _layers(
    case: CaseSource, source: MaskSource, image: Volume, options: ReadOptions
) -> Iterator[MaskLayer]:
    """Layers of one of several masks; none of an empty one.

    Raises:
        DimensionsError: Conversions of a file that is no label map.
    """
    if (source.steps or source.frame is not None) and holds_segments(source.path):
        msg = f"{source.path}: conversions and frames are for label maps; this file names segments"
        raise DimensionsError(msg)
    options = _reading_of(source, options)
    try:
        if source.label_id is not None:
            yield from layers_of_files(case, {source.label_id: [source.path]}, image, options)
        else:
            alone = replace(case, mask=source.path, masks=())
            yield from mask_layers(alone, image, options)
    except EmptyMaskError:
        return


def _write_label_map(path: Path, labels: npt.NDArray[Any], image: Volume) -> Path:
    """Write labels on an image's voxels: NIfTI of a volume, PNG of a picture; the file."""
    if image.is_native:
        path = path.with_name(f"{path.name}.png")
        stored = labels if labels.dtype == np.uint8 else labels.astype(np.uint16)
        write_bytes(path, cv2.imencode(".png", stored)[1].tobytes())
        return path
    path = path.with_name(f"{path.name}.nii.gz")
    _write_nifti(path, labels, image.affine)
    return path


def _write_nifti(
    path: Path, voxels: npt.NDArray[Any], affine: FloatArray, *, is_oriented: bool = True
) -> None:
    """Write voxels of a type that NIfTI has, where an affine puts them."""
    if voxels.dtype == np.float16:
        voxels = voxels.astype(np.float32)
    made: Any = nib.Nifti1Image(voxels, affine, dtype=voxels.dtype)  # type: ignore[no-untyped-call]
    # Both forms, so that either can be asked for; neither where nobody knows which way is up.
    made.set_qform(affine, code=2 if is_oriented else 0)
    made.set_sform(affine if is_oriented else None, code=2 if is_oriented else 0)
    path.parent.mkdir(exist_ok=True)
    write_bytes(path, gzip.compress(made.to_bytes(), compresslevel=1, mtime=0))
