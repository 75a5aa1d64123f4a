"""A case's mask as label maps in which no two structures overlap: layers.

A label map file is one layer, or one for each structure where declared structures share values. A
folder with one file per structure, and files that name their structures (DICOM segmentations and
structure sets, Slicer segmentations), have one layer per structure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.annotate.extents import LabelExtents, label_extents
from medvision.errors import ItemError
from medvision.names import plain_name
from medvision.table.cases import (
    IMAGE_SUFFIXES,
    CaseSource,
    Structure,
    file_stem,
)
from medvision.table.segment_names import (
    NamedSegment,
    UnknownLabelError,
    check_name,
    segments_of_structures,
)
from medvision.volumes import Volume, check_same_grid
from medvision.volumes.colour_mask import read_colour_mask
from medvision.volumes.dicom_seg import read_segments, segmentation_file
from medvision.volumes.errors import MissingSpacingError
from medvision.volumes.guard import names_file
from medvision.volumes.read import label_map
from medvision.volumes.rtstruct import (
    frame_of_reference,
    read_rois,
    roi_names,
    structure_set_file,
)
from medvision.volumes.segment import Segment
from medvision.volumes.slicer_seg import read_slicer_segments, slicer_segments
from medvision.volumes.stated_names import stated_names
from medvision.volumes.stored import ReadOptions


class EmptyMaskError(ItemError):
    """A mask holds background only."""

    reason = "empty_mask"


class StructureFileError(ItemError):
    """A mask folder has no file, or several, for the structures that the label file names."""

    reason = "structure_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskLayer:
    """Structures that do not overlap.

    Attributes:
        labels: On the image's grid, label ids as values.
        structures: Each with its label id as its only value.
        extents: Of the values of `labels`.
    """

    labels: Volume
    structures: tuple[Structure, ...]
    extents: LabelExtents


def mask_layers(case: CaseSource, image: Volume, options: ReadOptions) -> Iterator[MaskLayer]:
    """Layers of a case's mask, on the grid of its image, structures in declared order.

    Args:
        case: With a mask: a label map, a Slicer segmentation, a DICOM segmentation or structure
            set (also alone in a folder), or a folder of files `<structure>.nii.gz` that are zero
            outside their structure.
        image: The case's first image.
        options: How to read NIfTI headers and 2D pictures.

    Raises:
        ItemError: The mask cannot be read, lies elsewhere, holds nothing, or holds something that
            the label file does not name.
    """
    if case.mask is None:
        return
    with names_file(case.mask):
        yield from _layers_of_any(case, case.mask, image, options)


def _layers_of_any(
    case: CaseSource, mask: Path, image: Volume, options: ReadOptions
) -> Iterator[MaskLayer]:
    if segmentation := segmentation_file(mask):
        segments = list(read_segments(segmentation, image))
        yield from _layers_of_segments(case, segments, segmentation, image)
    elif structure_set := structure_set_file(mask):
        yield from _layers_of_regions(case, structure_set, image)
    elif slicer_segments(mask):
        segments = list(read_slicer_segments(mask, image))
        yield from _layers_of_segments(case, segments, mask, image)
    elif mask.is_dir():
        files = structure_files(mask, case.structures)
        yield from layers_of_files(case, files, image, options)
    else:
        yield from _layers_of_label_map(case, mask, image, options)


def mask_extents(labels: Volume) -> LabelExtents:
    """Counts and boxes of a label map; of a 2D one i is x and j is y."""
    array = labels.array.T[:, :, np.newaxis] if labels.is_native else labels.array
    return label_extents(array)


def holds_segments(path: Path) -> bool:
    """Whether a mask keeps its structures apart and names them; a label map does not."""
    return bool(
        path.is_dir()
        or segmentation_file(path)
        or structure_set_file(path)
        or slicer_segments(path)
    )


def _layers_of_label_map(
    case: CaseSource, path: Path, image: Volume, options: ReadOptions
) -> Iterator[MaskLayer]:
    labels = _label_map(case, path, image, options)
    extents = mask_extents(labels)
    if case.colours:
        alone = tuple(replace(one, values=(one.label_id,)) for one in case.structures)
        if not extents.label_id.size:
            raise _empty(path)
        yield MaskLayer(labels=labels, structures=alone, extents=extents)
        return
    known = {value for structure in case.structures for value in structure.values}
    _check_values(extents.label_id.tolist(), known, path)
    _check_stated_names(path, extents.label_id.tolist(), case.structures)
    if all(structure.values == (structure.label_id,) for structure in case.structures):
        yield MaskLayer(labels=labels, structures=case.structures, extents=extents)
        return
    for structure in case.structures:
        yield _layer_of(structure, np.isin(labels.array, structure.values), image=labels)


def layers_of_files(
    case: CaseSource, files: Mapping[int, Sequence[Path]], image: Volume, options: ReadOptions
) -> Iterator[MaskLayer]:
    """A layer for each structure that has files, which are zero outside it.

    Raises:
        ItemError: As for `mask_layers`.
    """
    n_voxels = 0
    for structure in case.structures:
        inside = np.zeros(image.shape, dtype=np.bool_)
        for path in files.get(structure.label_id, []):
            labels = _label_map(case, path, image, options)
            extents = mask_extents(labels)
            if len(extents.label_id) > 1:
                msg = (
                    f"{path}: expected one structure, found the values "
                    f"{extents.label_id.tolist()}; give each structure a file of its own"
                )
                raise UnknownLabelError(msg)
            _check_stated_names(path, extents.label_id.tolist(), case.structures, of=structure)
            inside |= labels.array != 0
        n_voxels += int(inside.sum())
        if structure.label_id in files:
            yield _layer_of(structure, inside, image=image)
    if not n_voxels:
        first, *others = [path for some in files.values() for path in some]
        raise _empty(first.parent if others else first)


def _layers_of_segments(
    case: CaseSource, segments: list[Segment], path: Path, image: Volume
) -> Iterator[MaskLayer]:
    named = [
        NamedSegment(number=one.number, name=one.label, is_empty=not one.mask.any())
        for one in segments
    ]
    places = segments_of_structures(case.structures, named, path)
    if all(one.is_empty for one in named):
        raise _empty(path)
    for structure in case.structures:
        if found := [segments[place].mask for place in places.get(structure.label_id, [])]:
            yield _layer_of(structure, np.logical_or.reduce(found), image=image)


def _layers_of_regions(case: CaseSource, path: Path, image: Volume) -> Iterator[MaskLayer]:
    """One region after the other: a plan has dozens, most of which nobody declared."""
    names = roi_names(path)
    named = [NamedSegment(number=0, name=name) for name in names]
    places = segments_of_structures(case.structures, named, path, all_known=False)
    frame_uid = frame_of_reference(case.images[0].path)
    n_voxels = 0
    for structure in case.structures:
        wanted = [names[place] for place in places.get(structure.label_id, [])]
        for region in read_rois(path, image, names=wanted, frame_uid=frame_uid) if wanted else ():
            n_voxels += int(region.mask.sum())
            yield _layer_of(structure, region.mask, image=image)
    if not n_voxels:
        raise _empty(path)


def structure_files(folder: Path, structures: tuple[Structure, ...]) -> dict[int, list[Path]]:
    """Label id to files of a mask folder, `<structure>.nii.gz`; spaces may be written as `_`.

    Structures without a file are left out; files that no structure is named after are not read.

    Raises:
        StructureFileError: No structure has a file, or two files have one name.
    """
    called = {one.label_id: {plain_name(name) for name in one.names} for one in structures}
    seen: dict[str, Path] = {}
    found: dict[int, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        name = plain_name(file_stem(path, IMAGE_SUFFIXES) or "")
        owners = [label_id for label_id, names in called.items() if name in names]
        if owners and name in seen:
            msg = f"{folder}: {path.name} and {seen[name].name} both hold one structure"
            raise StructureFileError(msg)
        seen[name] = path
        for label_id in owners:
            found.setdefault(label_id, []).append(path)
    if not found:
        msg = (
            f"{folder}: expected files named after structures, such as "
            f"{structures[0].name.replace(' ', '_')}.nii.gz, or one DICOM segmentation; found none"
        )
        raise StructureFileError(msg)
    return found


def _label_map(case: CaseSource, path: Path, image: Volume, options: ReadOptions) -> Volume:
    spacing = options.spacing_mm
    yx_mm = (spacing[0], spacing[1]) if spacing else None

    def read(spacing_mm: tuple[float, float] | None) -> Volume:
        if case.colours:
            return read_colour_mask(
                path, case.colours, tolerance=case.colour_tolerance, spacing_mm=spacing_mm
            )
        return label_map(path, replace(options, spacing_mm=spacing_mm))

    try:
        labels = read(yx_mm)
    except MissingSpacingError:
        if not image.is_native:
            raise
        # A picture without a spacing of its own is drawn on its image, if it has the same size.
        labels = read((image.spacing_mm[0], image.spacing_mm[1]))
    check_same_grid(image, labels, item=f"{case.case_id}: mask {path.name}")
    if case.ignore:
        ignored = np.isin(labels.array, case.ignore)
        labels = replace(labels, array=np.where(ignored, labels.array.dtype.type(0), labels.array))
    return labels


def _layer_of(structure: Structure, inside: npt.NDArray[np.bool_], *, image: Volume) -> MaskLayer:
    """A layer of one structure."""
    kind: type[Any] = np.uint8 if structure.label_id < 256 else np.int32  # a byte a voxel mostly
    array = inside.astype(kind)
    array *= kind(structure.label_id)
    labels = replace(image, array=array)
    alone = replace(structure, values=(structure.label_id,))
    return MaskLayer(labels=labels, structures=(alone,), extents=mask_extents(labels))


def _check_stated_names(
    path: Path, found: list[int], structures: Sequence[Structure], of: Structure | None = None
) -> None:
    """Refuse a label map whose header calls a value otherwise than the label file does.

    Args:
        path: The label map.
        found: Its values.
        structures: As declared.
        of: The one that all values of the file belong to, if they do.
    """
    stated = stated_names(path)
    for value in found:
        owners = [of] if of else [one for one in structures if one.values == (value,)]
        for structure in owners if value in stated else ():
            check_name(stated[value], structure, structures, f"{path}: value {value}")


def _check_values(found: list[int], known: set[int], path: Path) -> None:
    if not found:
        raise _empty(path)
    if set(found) - known:
        msg = (
            f"{path}: expected only label values {sorted(known)}, found also "
            f"{sorted(set(found) - known)}; name them in your labels"
        )
        raise UnknownLabelError(msg)


def _empty(path: Path) -> EmptyMaskError:
    return EmptyMaskError(
        f"{path}: expected labelled voxels, found background only; check the mask"
    )
