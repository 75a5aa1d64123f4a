"""3D Slicer segmentations (.seg.nrrd): names, layers, and extents smaller than the image.

Slicer writes one label map, or a list of them where segments overlap, cut to what it holds. Names
and values stand as `Segment3_Name:=…` in the header.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medvision.errors import ItemError
from medvision.volumes.canonical import canonical_volume
from medvision.volumes.errors import BadHeaderError, DimensionsError, LabelValuesError
from medvision.volumes.labels import integer_labels
from medvision.volumes.nrrd_file import NrrdHeader, read_header, spatial_axes, voxel_files
from medvision.volumes.segment import Segment, check_oriented, placed_on_image
from medvision.volumes.stored import StoredImage
from medvision.volumes.suffixes import NRRD
from medvision.volumes.volume import SpacingSource, Volume, VoxelArray
from medvision.volumes.voxel_files import read_voxels

_SEGMENT_KEY = re.compile(r"Segment(\d{1,9})_(Name|LabelValue|Layer)")


class UnlistedVoxelsError(ItemError):
    """A segmentation holds values that none of its segments has."""

    reason = "unlisted_voxels"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSegment:
    """One segment as the header lists it.

    Attributes:
        rank: Its number in the header, from 0.
        name: What the user called it.
        value: Of its voxels.
        layer: Which of the file's label maps holds it, from 0.
    """

    rank: int
    name: str
    value: int
    layer: int


def slicer_segments(path: Path) -> tuple[ListedSegment, ...]:
    """Segments that a file lists; none where it is no Slicer segmentation.

    Raises:
        BadHeaderError: Segments without a name, or values and layers that are no numbers.
    """
    if not path.is_file() or not path.name.lower().endswith(NRRD):
        return ()
    return _listed(read_header(path))


def _listed(header: NrrdHeader) -> tuple[ListedSegment, ...]:
    found: dict[int, dict[str, str]] = {}
    for key, text in header.fields.items():
        if match := _SEGMENT_KEY.fullmatch(key):
            found.setdefault(int(match[1]), {})[match[2]] = text
    # Before there were layers each segment had a map of its own, with the value 1.
    has_layers = any("Layer" in entry for entry in found.values())
    segments = []
    for rank, entry in sorted(found.items()):
        value, layer = entry.get("LabelValue", "1"), entry.get("Layer", "0" if has_layers else rank)
        name = entry.get("Name", "").strip()
        if not name or not all(re.fullmatch(r"\d{1,9}", str(one)) for one in (value, layer)):
            msg = (
                f"{header.path}: expected a name, a value and a layer for segment {rank}, found "
                f"{entry}; save it again in Slicer"
            )
            raise BadHeaderError(msg)
        segments.append(ListedSegment(rank=rank, name=name, value=int(value), layer=int(layer)))
    return tuple(segments)


def read_slicer_segments(path: Path, image: Volume) -> Iterator[Segment]:
    """Segments of a Slicer segmentation as masks on the voxels of an image, in the file's order.

    Args:
        path: `.seg.nrrd`; its extent may be smaller than the image's.
        image: The canonical volume that was segmented.

    Returns:
        Segments numbered by their values; by 0 where two share a value, on different layers.

    Raises:
        DimensionsError: The image is no volume, or the file holds other layers than it lists.
        LabelValuesError: Voxels are fractions.
        UnlistedVoxelsError: Voxels with a value that no segment has.
        AffineMismatchError: The extent does not lie on the image's voxels.
        ItemError: Others of `medvision.volumes.errors`, by cause.
    """
    check_oriented(image, item=f"{path}: a Slicer segmentation")
    header = read_header(path)
    segments = _listed(header)
    kind = header.fields.get("Segmentation_SourceRepresentation") or header.fields.get(
        "Segmentation_MasterRepresentation", ""
    )
    if "ractional" in kind:
        msg = f"{path}: expected a binary label map, found '{kind}'; convert it in Slicer"
        raise LabelValuesError(msg)
    layers = _layers(header, image)
    if max(segment.layer for segment in segments) >= len(layers):
        msg = f"{path}: lists layer {max(s.layer for s in segments)}, holds {len(layers)} layers"
        raise DimensionsError(msg)
    for number, layer in enumerate(layers):
        listed = [segment.value for segment in segments if segment.layer == number]
        unlisted = sorted(set(np.unique(layer).tolist()) - {0, *listed})
        if unlisted:
            msg = f"{path}: voxels of layer {number} have values {unlisted} that no segment lists"
            raise UnlistedVoxelsError(msg)
    shared = Counter(segment.value for segment in segments)
    for segment in segments:
        yield Segment(
            number=segment.value if shared[segment.value] == 1 else 0,
            label=segment.name,
            mask=layers[segment.layer] == segment.value,
        )


def _layers(whole: NrrdHeader, image: Volume) -> list[VoxelArray]:
    """The file's label maps, each on the voxels of the image."""
    path, header, voxels = whole.path, whole.fields, voxel_files(whole)
    sizes = voxels.sizes
    directions = np.atleast_2d(np.asarray(header.get("space directions", np.eye(len(sizes)))))
    lists = [axis for axis, row in enumerate(directions) if not np.isfinite(row).all()]
    if len(sizes) == 4 and len(lists) == 1:
        [axis] = lists
        one = {**header, "dimension": 3, "sizes": np.delete(header["sizes"], axis)}
        one["space directions"] = np.delete(directions, axis, axis=0)
    else:
        axis, one = -1, header
    axes = spatial_axes(path, one)
    if not axes.oriented or len(axes.index) != 3:
        msg = f"{path}: expected a volume that states its space, found {header.get('space')}"
        raise DimensionsError(msg)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes.columns_mm, axes.origin_mm
    stored = integer_labels(read_voxels(voxels), item=str(path))
    maps = [stored] if axis < 0 else list(np.moveaxis(stored, axis, 0))
    layers = []
    for labels in maps:
        if not labels.any():  # of nothing Slicer writes one voxel, anywhere
            layers.append(np.zeros(image.shape, dtype=stored.dtype))
            continue
        block = StoredImage(
            path=path,
            shape=labels.shape,
            affine=affine,
            spacing_source=SpacingSource.HEADER,
            load=lambda labels=labels: labels,  # type: ignore[misc]
        )
        layers.append(placed_on_image(canonical_volume(block), image, item=str(path)))
    return layers
