"""Finding cases: which image goes with which mask or landmark file, and what they are called."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medvision.errors import ItemError, UsageError
from medvision.frames import Plane

IMAGE_SUFFIXES = (
    ".nii.gz",
    ".nii",
    ".hdr",
    ".nrrd",
    ".nhdr",
    ".mha",
    ".mhd",
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".bmp",
    ".dcm",
)
LANDMARK_SUFFIXES = (".mrk.json", ".json.gz", ".json", ".fcsv", ".csv")

_CHANNEL = re.compile(r"_(\d{4})$")
_IMAGE_WORD = re.compile(r"[-_](image|img)$", re.IGNORECASE)
_MASK_WORD = re.compile(
    r"[-_](seg|segmentation|gtv|gt|mask|label|labels|dseg)$",
    re.IGNORECASE,
)
_LANDMARK_WORD = re.compile(r"[-_](landmarks?|points|markups)$", re.IGNORECASE)


class UnpairedError(ItemError):
    """A case has only one of the files it needs."""

    reason = "unpaired"


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
    """

    label_id: int
    name: str
    values: tuple[int, ...]
    asked: bool = True


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaired:
    """A case that lacks a file, to be listed as a problem."""

    case_id: str
    subject_id: str
    message: str


def structures_from_labels(labels: Mapping[str, Any], where: str) -> tuple[Structure, ...]:
    """Structures from a label declaration.

    Args:
        labels: Either id to name (`{"1": "liver"}`) or, as nnU-Net writes it, name to id or to a
            list of ids (`{"background": 0, "whole tumor": [1, 2]}`). With any list, structures may
            overlap and get label ids 1, 2, … in declared order.
        where: File named in errors.

    Raises:
        UsageError: Ids that are not positive integers, repeated names or ids.
    """
    if all(re.fullmatch(r"\d+", key) for key in labels):
        entries = [(str(name), [int(key)]) for key, name in labels.items()]
    else:
        entries = [(name, ids if isinstance(ids, list) else [ids]) for name, ids in labels.items()]
    if any(not isinstance(value, int) for _, values in entries for value in values):
        msg = f'{where}: expected labels as {{"1": "liver"}} or {{"liver": 1}}, found {labels}'
        raise UsageError(msg)
    entries = [(name, values) for name, values in entries if values != [0]]
    overlapping = any(len(values) > 1 for _, values in entries)
    structures = tuple(
        Structure(
            label_id=rank if overlapping else values[0], name=name.strip(), values=tuple(values)
        )
        for rank, (name, values) in enumerate(entries, start=1)
    )
    for what in ("label_id", "name"):
        seen = [getattr(structure, what) for structure in structures]
        if len(set(seen)) != len(seen):
            msg = f"{where}: expected each {what} once, found {sorted(seen)}"
            raise UsageError(msg)
    return structures


def read_labels(path: Path) -> tuple[Structure, ...]:
    """Structures of a `--labels` file.

    Raises:
        UsageError: Missing file, no JSON object.
    """
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f'{path}: expected a JSON object such as {{"1": "liver"}}, found: {error}'
        raise UsageError(msg) from error
    if not isinstance(labels, dict):
        msg = f'{path}: expected a JSON object such as {{"1": "liver"}}, found {type(labels)}'
        raise UsageError(msg)
    return structures_from_labels(labels, str(path))


def target_ids(words: str, structures: tuple[Structure, ...]) -> tuple[int, ...]:
    """Label ids of `--target-labels`, given as ids or names separated by commas.

    Raises:
        UsageError: A word that is neither.
    """
    by_word = {str(s.label_id): s.label_id for s in structures}
    by_word |= {s.name: s.label_id for s in structures}
    ids = []
    for word in filter(None, (part.strip() for part in words.split(","))):
        if word not in by_word:
            msg = f"--target-labels: no label {word!r}; known: {', '.join(by_word)}"
            raise UsageError(msg)
        ids.append(by_word[word])
    return tuple(ids)


def file_stem(path: Path, suffixes: tuple[str, ...]) -> str | None:
    """A file's name without its suffix; None of hidden files and of other suffixes."""
    for suffix in suffixes:
        if path.name.lower().endswith(suffix) and not path.name.startswith("."):
            return path.name[: -len(suffix)]
    return None


def _listed(
    folder: Path, suffixes: tuple[str, ...], option: str, *, folders: bool = False
) -> dict[Path, str]:
    """Files of a folder with one of the suffixes, and their stems; its folders too if wanted."""
    if not folder.is_dir():
        msg = f"{option}: expected a folder, found none at {folder}"
        raise UsageError(msg)
    stems = {
        path: path.name
        if folders and path.is_dir() and not path.name.startswith(".")
        else file_stem(path, suffixes)
        for path in sorted(folder.iterdir())
    }
    found = {path: stem for path, stem in stems.items() if stem is not None}
    if not found:
        msg = f"{option}: no file in {folder} ends in one of {', '.join(suffixes)}"
        raise UsageError(msg)
    return found


def _images_by_case(folder: Path, modality: str) -> dict[str, tuple[ImageSource, ...]]:
    channels: dict[str, list[tuple[str, Path]]] = {}
    for path, stem in _listed(folder, IMAGE_SUFFIXES, "--images", folders=True).items():
        match = _CHANNEL.search(stem)
        case_id = stem[: match.start()] if match else _IMAGE_WORD.sub("", stem)
        channels.setdefault(case_id, []).append((match.group(1) if match else "image", path))
    return {
        case_id: tuple(
            ImageSource(
                image_id="image" if len(files) == 1 else channel, modality=modality, path=path
            )
            for channel, path in files
        )
        for case_id, files in channels.items()
    }


def _by_case(
    folder: Path, *, suffixes: tuple[str, ...], word: re.Pattern[str], option: str
) -> dict[str, Path]:
    """Case id to file, or to a folder of masks. A stem's last word (such as `_seg`) is dropped."""
    by_case: dict[str, Path] = {}
    folders = suffixes is IMAGE_SUFFIXES
    for path, stem in _listed(folder, suffixes, option, folders=folders).items():
        case_id = word.sub("", stem)
        if case_id in by_case:
            msg = f"{option}: {path.name} and {by_case[case_id].name} both name case {case_id!r}"
            raise UsageError(msg)
        by_case[case_id] = path
    return by_case


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Folders of a user's own dataset; at least one of masks and landmarks."""

    images: Path
    masks: Path | None = None
    landmarks: Path | None = None


def find_cases(
    folders: Folders,
    *,
    modality: str,
    structures: tuple[Structure, ...] = (),
    target_labels: tuple[int, ...] = (),
    subject_pattern: str = "",
) -> tuple[list[CaseSource], list[Unpaired]]:
    """Pair the files of a user's folders by case name.

    Understood: nnU-Net's `_0000` channels, `_image` on images, `-seg`, `_gtv`, `_mask`, `_label`
    and the like on masks. Below the image folder a folder is a DICOM series; below the mask folder
    it is a case with one file per structure, or with one DICOM segmentation.

    Args:
        folders: Where the files are.
        modality: CT, MRI, PET, US or XR.
        structures: Of the masks.
        target_labels: Label ids that get axis lengths.
        subject_pattern: Regular expression whose first group is the subject in a case id; by
            default each case is a subject of its own.

    Returns:
        The complete cases in order of their ids, and those that lack a file.

    Raises:
        UsageError: A folder is missing or has no file, or two files name one case.
    """
    images = _images_by_case(folders.images, modality)
    masks = (
        _by_case(folders.masks, suffixes=IMAGE_SUFFIXES, word=_MASK_WORD, option="--masks")
        if folders.masks
        else {}
    )
    landmarks = (
        _by_case(
            folders.landmarks, suffixes=LANDMARK_SUFFIXES, word=_LANDMARK_WORD, option="--landmarks"
        )
        if folders.landmarks
        else {}
    )
    cases, unpaired = [], []
    for case_id in sorted({*images, *masks, *landmarks}):
        subject_id = _subject(case_id, subject_pattern)
        missing = _missing(case_id, folders, images=images, masks=masks, landmarks=landmarks)
        if missing:
            unpaired.append(Unpaired(case_id=case_id, subject_id=subject_id, message=missing))
            continue
        cases.append(
            CaseSource(
                case_id=case_id,
                cohort="",
                subject_id=subject_id,
                images=images[case_id],
                mask=masks.get(case_id),
                landmarks=landmarks.get(case_id),
                structures=structures,
                target_labels=target_labels,
            )
        )
    return cases, unpaired


def _missing(
    case_id: str,
    folders: Folders,
    *,
    images: Mapping[str, object],
    masks: Mapping[str, object],
    landmarks: Mapping[str, object],
) -> str:
    """What a case lacks, in words, or ''."""
    wanted: list[tuple[str, Mapping[str, object], Path | None]] = [
        ("image", images, folders.images),
        ("mask", masks, folders.masks),
        ("landmark file", landmarks, folders.landmarks),
    ]
    lacks = [
        f"no {what} in {folder}"
        for what, found, folder in wanted
        if folder and case_id not in found
    ]
    return f"case {case_id}: {', '.join(lacks)}; files pair by case name" if lacks else ""


def _subject(case_id: str, pattern: str) -> str:
    if not pattern:
        return case_id
    match = re.search(pattern, case_id)
    if match is None or not match.groups():
        msg = f"--subject-pattern {pattern!r}: no group matches in case {case_id!r}"
        raise UsageError(msg)
    return match.group(1)


def find_nnunet_cases(
    folder: Path, *, target_labels: str = "", modality: str = ""
) -> tuple[list[CaseSource], list[Unpaired]]:
    """Cases of an nnU-Net raw dataset: `dataset.json`, `imagesTr`, `labelsTr`.

    Args:
        folder: The `DatasetXXX_Name` folder.
        target_labels: As `--target-labels`.
        modality: Used where `channel_names` says none of CT, MRI, PET, US, XR.

    Raises:
        UsageError: No dataset.json, or it lacks labels; a channel's modality is unknown.
    """
    path = folder / "dataset.json"
    try:
        declared = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: expected nnU-Net's dataset.json, found: {error}"
        raise UsageError(msg) from error
    structures = structures_from_labels(declared.get("labels", {}), str(path))
    channels = declared.get("channel_names", declared.get("modality", {}))
    folders = Folders(images=folder / "imagesTr", masks=folder / "labelsTr")
    cases, unpaired = find_cases(
        folders,
        modality=modality,
        structures=structures,
        target_labels=target_ids(target_labels, structures),
    )
    return [_with_channel_names(case, channels, modality) for case in cases], unpaired


DESCRIPTIONS = {
    "CT": "computed tomography (CT) scan",
    "MRI": "magnetic resonance imaging (MRI) scan",
    "PET": "positron emission tomography (PET) scan",
    "US": "ultrasound image",
    "XR": "radiograph (X-ray image)",
}
"""What prompts say of a picture whose dataset says nothing better, by modality."""

MODALITIES = tuple(DESCRIPTIONS)
_MODALITY_WORDS = {
    "CT": "CT",
    "PET": "PET",
    "US": "US",
    "XR": "XR",
    "MRI": "MRI",
    "MR": "MRI",
    "T1": "MRI",
    "T1W": "MRI",
    "T1CE": "MRI",
    "T1GD": "MRI",
    "T2": "MRI",
    "T2W": "MRI",
    "FLAIR": "MRI",
    "ADC": "MRI",
    "DWI": "MRI",
}


def _with_channel_names(case: CaseSource, channels: Mapping[str, str], modality: str) -> CaseSource:
    images = []
    for rank, image in enumerate(case.images):
        name = str(channels.get(str(rank), ""))
        found = modality or _MODALITY_WORDS.get(name.upper(), "")
        if not found:
            msg = f"channel {name!r} of dataset.json names no modality; add --modality"
            raise UsageError(msg)
        image_id = "image" if len(case.images) == 1 else name or image.image_id
        images.append(ImageSource(image_id=image_id, modality=found, path=image.path))
    return replace(case, images=tuple(images))
