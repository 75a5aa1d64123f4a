"""What a folder was taken for: its layout, how sure that is, its cases, and what nobody says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_LESION = re.compile(r"tumou?r|lesion|cancer|metasta|carcinoma|\bgtv", re.IGNORECASE)


class Certainty(StrEnum):
    """How sure a recogniser is."""

    CERTAIN = "certain"
    """A file of the layout's own says so."""
    LIKELY = "likely"
    """Names follow the layout's rule throughout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCase:
    """The files of one case, relative to the folder.

    Attributes:
        images: Image id to file, or to the folder of a DICOM series; the first is the reference.
        mask: Label map, segmentation, or folder with a file for each structure; "" for none.
        more_masks: Further masks of the same picture, drawn one object a file.
        landmarks: Landmark file; "" for none.
        boxes: COCO or YOLO file; "" for none.
    """

    case_id: str
    subject_id: str
    images: Mapping[str, str]
    mask: str = ""
    more_masks: tuple[str, ...] = ()
    landmarks: str = ""
    boxes: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """All files and folders of the case."""
        own = (self.mask, *self.more_masks, self.landmarks, self.boxes)
        return (*self.images.values(), *filter(None, own))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLabel:
    """A structure.

    Attributes:
        label_id: In the tables.
        name: "" where no file names it.
        found_as: What the mask calls it where that is no number: a region, a colour, a class.
        values: Values of the mask, where there are several or another than its id.
    """

    label_id: int
    name: str
    found_as: str = ""
    values: tuple[int, ...] = ()

    @property
    def is_target(self) -> bool:
        """Whether its name is that of a tumour or lesion.

        Example:
            >>> FoundLabel(label_id=1, name="kidney_tumor").is_target
            True
        """
        return bool(_LESION.search(self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A folder as one layout sees it.

    Attributes:
        layout: Its name.
        certainty: How sure that is.
        reason: What shows it.
        cases: In order of their ids.
        modalities: Image id to CT, MRI, PET, US or XR; "" where nothing says it.
        labels: Structures of the masks.
        lacking: Case id to what it lacks.
        broken: Case id, or file that lists cases, to why nothing can be read of it.
        ambiguous: Case id to two files that have one name but for their suffix.
        is_named: Whether a file names the images with their suffixes, so that none is ambiguous.
        side_files: Files that were read for what they say of the others.
        split: Subject to train or test, where a file says it.
        notes: What was decided and by what, one sentence each.
        columns: Subject to further columns of a table of subjects.
        landmark_keys: Names of landmarks.
        ignored: Values of masks that mean nothing and are left out.
        empty_masks: Whether some masks hold nothing, as those of normal cases.
    """

    layout: str
    certainty: Certainty
    reason: str
    cases: tuple[FoundCase, ...]
    modalities: Mapping[str, str]
    labels: tuple[FoundLabel, ...] = ()
    lacking: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    ambiguous: Mapping[str, str] = field(default_factory=dict)
    is_named: bool = False
    side_files: tuple[str, ...] = ()
    split: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    landmark_keys: tuple[str, ...] = ()
    ignored: tuple[int, ...] = ()
    empty_masks: bool = False

    @property
    def targets(self) -> tuple[FoundLabel, ...]:
        """Labels whose names are those of tumours or lesions, where masks show their shape."""
        has_masks = any(case.mask for case in self.cases)
        return tuple(label for label in self.labels if label.is_target and has_masks)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the further columns, but of the split, in the order in which they occur."""
        names = dict.fromkeys(name for row in self.columns.values() for name in row)
        return tuple(name for name in names if name != "split")

    @property
    def questions(self) -> tuple[str, ...]:
        """What a user must say before tables can be built, one sentence each."""
        asked = [
            f"modality of image {image!r}: CT, MRI, PET, US or XR?"
            for image, modality in self.modalities.items()
            if not modality
        ]
        unnamed = [str(label.label_id) for label in self.labels if not label.name]
        if unnamed:
            asked.append(f"names of the labels {', '.join(unnamed)}?")
        if any(case.landmarks for case in self.cases):
            keys = f" {', '.join(self.landmark_keys)}" if self.landmark_keys else ""
            asked.append(f"what to measure between the landmarks{keys}?")
        return tuple(asked)
