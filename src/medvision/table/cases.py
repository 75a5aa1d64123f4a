"""What a case is: its files, what the values of its mask are called, and what is measured of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa

from medvision.catalog.biometrics import BiometricsSpec
from medvision.frames import Plane
from medvision.volumes.suffixes import LISTED_SUFFIXES

IMAGE_SUFFIXES = LISTED_SUFFIXES
"""Of the files in a folder, those that may be a case's image or mask."""

DESCRIPTIONS = {
    "CT": "computed tomography (CT) scan",
    "MRI": "magnetic resonance imaging (MRI) scan",
    "PET": "positron emission tomography (PET) scan",
    "US": "ultrasound image",
    "XR": "radiograph (X-ray image)",
}
"""What prompts say of a picture whose dataset says nothing better, by modality."""

MODALITIES = tuple(DESCRIPTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """One image of a case."""

    image_id: str
    modality: str
    path: Path


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
        landmarks: Landmark file, or None.
        structures: What the mask's values are called.
        target_labels: Label ids that get axis lengths.
        planes: The only planes to measure; empty for all.
        placeholder_spacing: Its header is known to carry a made-up spacing.
        more_masks: Further label maps of the image, joined with the mask.
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
    mask: Path | None
    landmarks: Path | None
    structures: tuple[Structure, ...]
    target_labels: tuple[int, ...]
    planes: tuple[Plane, ...] = ()
    placeholder_spacing: bool = False
    more_masks: tuple[Path, ...] = ()
    boxes: Path | None = None
    colours: Mapping[str, int] = field(default_factory=dict)
    colour_tolerance: int = 0
    points_at: Literal["centre", "corner"] = "centre"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaired:
    """A case that lacks a file, to be listed as a problem.

    Attributes:
        subject_id: It counts for the split, so that nobody changes sides when the file turns up;
            "" of a file that is no case, such as a mask that no image goes with.
        reason: The word under which summaries count it.
    """

    case_id: str
    subject_id: str
    message: str
    reason: str = "unpaired"


def plain_name(name: str) -> str:
    """A name as it is compared: case, outer spaces, and `_` for a space make no difference.

    Example:
        >>> plain_name(" Left_Lung ")
        'left lung'
    """
    return name.strip().casefold().replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something about one case that could not be used, and why."""

    case_id: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateOptions:
    """What building needs to know beside a case's files.

    Attributes:
        dataset: Dataset name.
        spacing_yx_mm: Pixel spacing of pictures whose files hold none.
        spacing_from: Which part of a contradictory NIfTI header to trust.
        native_plane: Plane of 2D images: their projection, or "native".
        biometrics: What to measure between landmarks.
    """

    dataset: str
    spacing_yx_mm: tuple[float, float] | None = None
    spacing_from: Literal["sform", "qform", "pixdim"] | None = None
    native_plane: Plane = Plane.NATIVE
    biometrics: BiometricsSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedCase:
    """Rows of one case, without `split`, which depends on all subjects of the dataset."""

    record: dict[str, Any]
    structures: pa.Table
    regions: pa.Table
    biometrics: pa.Table
    problems: tuple[Problem, ...]

    NO_SPLIT: ClassVar[str] = ""


def file_stem(path: Path, suffixes: tuple[str, ...]) -> str | None:
    """A file's name without its suffix; None of hidden files and of other suffixes.

    Example:
        >>> file_stem(Path("scans/p1_0000.nii.gz"), IMAGE_SUFFIXES)
        'p1_0000'
        >>> file_stem(Path("scans/notes.txt"), IMAGE_SUFFIXES) is None
        True
    """
    for suffix in suffixes:
        if path.name.lower().endswith(suffix) and not path.name.startswith("."):
            return path.name[: -len(suffix)]
    return None
