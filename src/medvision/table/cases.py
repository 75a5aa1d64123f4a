"""What a case is: its files, and what the values of its mask are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from medvision.catalog.cohort import LandmarkVoxels, SliceRange, Step
from medvision.frames import Plane
from medvision.names import composed
from medvision.volumes.suffixes import LISTED_SUFFIXES
from medvision.volumes.volume import VolumeGeometry

IMAGE_SUFFIXES = LISTED_SUFFIXES
"""Of the files in a folder, those that may be a case's image or mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """One image of a case.

    Attributes:
        steps: Conversions, in order.
        frame: Of a 4D file, the one that is meant; None where there is only one.
        transform: File by which a step resamples it.
        source: Of a converted file, what its source says of where voxels lie.
    """

    image_id: str
    modality: str
    path: Path
    steps: tuple[Step, ...] = ()
    frame: int | None = None
    transform: Path | None = None
    source: VolumeGeometry | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the file is read as it is."""
        return not self.steps and self.frame is None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskSource:
    """One of several masks of a case.

    Attributes:
        label_id: Of the structure that all voxels other than 0 belong to; None of a label map.
        steps: Conversions, in order.
        frame: Of a 4D file, the one that is meant; None where there is only one.
    """

    path: Path
    label_id: int | None = None
    steps: tuple[Step, ...] = ()
    frame: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkSource:
    """A file with landmarks of a case, or what a table of all cases says of it.

    Attributes:
        key: Of its one landmark, where the file's name says it; "" where the file does.
        stated: Keys and the text of coordinates, from a table; None of a file of the case alone.
        space: Of a table: what its coordinates are.
        lines: Keys of the lines of a text file, from the first on.
        voxels: Landmarks that are voxels of a label map.
    """

    path: Path
    key: str = ""
    stated: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    space: Literal["voxel", "RAS", "LPS"] = "voxel"
    lines: tuple[str, ...] = ()
    voxels: tuple[LandmarkVoxels, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """A named structure: the voxels of a mask that hold any of `values`.

    Attributes:
        asked: Whether it gets rows; a value without a meaning may be known and left out.
        found_as: What files call it, where that is not its name: a segment, a region, a file of a
            folder, a class of boxes; several are joined.
    """

    label_id: int
    name: str
    values: tuple[int, ...]
    asked: bool = True
    found_as: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What files call it."""
        return self.found_as or (self.name,)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSource:
    """The files and names of one case.

    Attributes:
        images: The case's images, which share one mask; the first is the reference.
        mask: Label map, DICOM segmentation, folder with one file per structure, or None.
        masks: Several masks, or one that must be converted first, instead.
        landmarks: Landmark files, which are read together.
        landmark_image: Image that the landmarks were set on; "" for the first.
        structures: What the mask's values are called.
        target_labels: Label ids that get axis lengths.
        ignore: Values of the mask that are left out like background.
        winner: Where structures of several files overlap, who keeps the voxel.
        planes: The only planes to measure; empty for all.
        slices: Plane to the slices to measure; planes without an entry are whole.
        spacing_yx_mm: Pixel spacing of its pictures, where a table of the dataset states it.
        placeholder_spacing: Its header is known to carry a made-up spacing.
        boxes: COCO or YOLO file of boxes, instead of a mask; or None.
        colours: Of a colour mask: colour to label id.
        colour_tolerance: Largest difference, in any channel, from a declared colour of the mask.
        points_at: Whether keypoints of a COCO file count from the centre of the first pixel or
            from the corner of the picture.
    """

    case_id: str
    cohort: str
    subject_id: str
    images: tuple[ImageSource, ...]
    mask: Path | None = None
    masks: tuple[MaskSource, ...] = ()
    landmarks: tuple[LandmarkSource, ...] = ()
    landmark_image: str = ""
    structures: tuple[Structure, ...] = ()
    target_labels: tuple[int, ...] = ()
    ignore: tuple[int, ...] = ()
    winner: Literal["first", "last"] | None = None
    planes: tuple[Plane, ...] = ()
    slices: Mapping[Plane, SliceRange] = field(default_factory=dict)
    spacing_yx_mm: tuple[float, float] | None = None
    placeholder_spacing: bool = False
    boxes: Path | None = None
    colours: Mapping[str, int] = field(default_factory=dict)
    colour_tolerance: int = 0
    points_at: Literal["centre", "corner"] = "centre"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaired:
    """A case that lacks a file, or has two for one place, to be listed as a problem.

    Attributes:
        subject_id: It counts for the split, so that nobody changes sides when the file turns up;
            "" of a file that is no case, such as a mask that no image goes with.
        reason: The word under which summaries count it.
    """

    case_id: str
    subject_id: str
    message: str
    reason: str = "unpaired"


def case_names(case: CaseSource) -> list[str]:
    """What tables may call a case: its id, or a file of its images with its suffix or without.

    Frames of one file are known by their ids alone.

    Example:
        >>> image = ImageSource(image_id="image", modality="CT", path=Path("scans/p1.nii.gz"))
        >>> case_names(CaseSource(case_id="1", cohort="", subject_id="1", images=(image,)))
        ['1', 'p1.nii.gz', 'p1']
    """
    paths = [image.path for image in case.images if image.frame is None]
    stems = [file_stem(path, IMAGE_SUFFIXES) for path in paths]
    names = [case.case_id, *(path.name for path in paths), *filter(None, stems)]
    return [composed(name) for name in names]


def file_stem(path: Path, suffixes: tuple[str, ...]) -> str | None:
    """A file's name without its suffix, composed; None of hidden files and of other suffixes.

    Example:
        >>> file_stem(Path("scans/p1_0000.nii.gz"), IMAGE_SUFFIXES)
        'p1_0000'
        >>> file_stem(Path("scans/notes.txt"), IMAGE_SUFFIXES) is None
        True
    """
    for suffix in suffixes:
        if path.name.lower().endswith(suffix) and not path.name.startswith("."):
            return composed(path.name[: -len(suffix)])
    return None
