"""Cases of a user's own folders: files that pair by case name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medvision.errors import UsageError
from medvision.table.cases import (
    IMAGE_SUFFIXES,
    CaseSource,
    ImageSource,
    Structure,
    Unpaired,
    file_stem,
)

LANDMARK_SUFFIXES = (".mrk.json", ".json.gz", ".json", ".fcsv", ".csv")

# What nnU-Net and other tools append to case names: channels of an image, words for what it is.
_CHANNEL = re.compile(r"_(\d{4})$")
_IMAGE_WORD = re.compile(r"[-_](image|img)$", re.IGNORECASE)
_MASK_WORD = re.compile(
    r"[-_](seg|segmentation|gtv|gt|mask|label|labels|dseg)$",
    re.IGNORECASE,
)
_LANDMARK_WORD = re.compile(r"[-_](landmarks?|points|markups)$", re.IGNORECASE)


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
    folder: Path | None, *, suffixes: tuple[str, ...], word: re.Pattern[str], option: str
) -> dict[str, Path]:
    """Case id to file, or to a folder of masks. A stem's last word (such as `_seg`) is dropped."""
    by_case: dict[str, Path] = {}
    if folder is None:
        return by_case
    folders = suffixes == IMAGE_SUFFIXES  # masks may be one; a landmark file never is
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
    masks = _by_case(folders.masks, suffixes=IMAGE_SUFFIXES, word=_MASK_WORD, option="--masks")
    landmarks = _by_case(
        folders.landmarks, suffixes=LANDMARK_SUFFIXES, word=_LANDMARK_WORD, option="--landmarks"
    )
    sides: list[tuple[str, Path | None, Mapping[str, object]]] = [
        ("image", folders.images, images),
        ("mask", folders.masks, masks),
        ("landmark file", folders.landmarks, landmarks),
    ]
    cases, unpaired = [], []
    for case_id in sorted({*images, *masks, *landmarks}):
        subject_id = _subject(case_id, subject_pattern)
        lacks = [
            f"no {what} in {folder}"
            for what, folder, found in sides
            if folder and case_id not in found
        ]
        if lacks:
            message = f"case {case_id}: {', '.join(lacks)}; files pair by case name"
            unpaired.append(Unpaired(case_id=case_id, subject_id=subject_id, message=message))
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


def _subject(case_id: str, pattern: str) -> str:
    if not pattern:
        return case_id
    match = re.search(pattern, case_id)
    if match is None or not match.groups():
        msg = f"--subject-pattern {pattern!r}: no group matches in case {case_id!r}"
        raise UsageError(msg)
    return match.group(1)
