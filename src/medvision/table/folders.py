"""Cases of a user's own folders: files that pair by case name."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medvision.catalog.cohort import MODALITIES, CaseFiles, Image, Modality
from medvision.catalog.dataset import found_subject
from medvision.errors import UsageError
from medvision.names import composed
from medvision.table.cases import IMAGE_SUFFIXES, Unpaired, file_stem
from medvision.table.find_files import data_folders
from medvision.table.notes import Note, file_notes
from medvision.table.pairing import LANDMARK_SUFFIXES

# What nnU-Net and other tools append to case names: channels of an image, words for what it is.
CHANNEL = re.compile(r"_(\d{4})$")
"""The channel's number at the end of an image's name, as nnU-Net writes it."""

MASK_WORDS = "seg|segmentation|gtv|gt|mask|label|labels|dseg"
"""Words at the end of a mask's name, as part of a regular expression; in any case."""

_IMAGE_WORD = re.compile(r"[-_](image|img)$", re.IGNORECASE)
_MASK_WORD = re.compile(rf"[-_.]({MASK_WORDS})$", re.IGNORECASE)
_LANDMARK_WORD = re.compile(r"[-_](landmarks?|points|markups)$", re.IGNORECASE)


def _listed(
    folder: Path | None, suffixes: tuple[str, ...], named: str, *, folders: bool = False
) -> dict[str, list[Path]]:
    """Stem to files, of a folder's files with one of the suffixes; its folders too if wanted.

    Stems are in Unicode's composed form.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        msg = f"{named}: expected a folder, found none at {folder}"
        raise UsageError(msg)
    found: dict[str, list[Path]] = {}
    no_case = data_folders(folder)
    for path in sorted(folder.iterdir()):
        is_folder = folders and path.is_dir() and not path.name.startswith(".")
        stem = composed(path.name) if is_folder else file_stem(path, suffixes)
        if path not in no_case and stem is not None:
            found.setdefault(stem, []).append(path)
    if not found:
        msg = f"{named}: no file in {folder} ends in one of {', '.join(suffixes)}"
        raise UsageError(msg)
    return found


def _names(stem: str, word: re.Pattern[str]) -> tuple[str, str]:
    """The cases that a stem may be of: as it stands, and without its last word (`_seg`)."""
    return stem, word.sub("", stem)


def _images_by_case(
    images: Mapping[str, Sequence[Path]], partners: Collection[str]
) -> dict[str, dict[str, list[Path]]]:
    """Case id to its images by channel; "image" where the name states no channel.

    Args:
        images: Stem to files.
        partners: Every case that a mask or a landmark file may be of.
    """
    by_case: dict[str, dict[str, list[Path]]] = {}
    for stem, paths in images.items():
        names = _names(stem, _IMAGE_WORD)
        channel = CHANNEL.search(stem)
        base = stem[: channel.start()] if channel else stem
        # A whole name that fits comes first: `pancreas_0001` is a case as often as a channel.
        whole = next((name for name in names if name in partners), None)
        if whole is None and channel and base in partners:
            by_case.setdefault(base, {}).setdefault(channel.group(1), []).extend(paths)
        else:
            by_case.setdefault(whole or names[-1], {}).setdefault("image", []).extend(paths)
    return by_case


def _by_case(
    stems: Mapping[str, Sequence[Path]], cases: Collection[str], word: re.Pattern[str]
) -> dict[str, list[Path]]:
    """Case id to mask or landmark files: the whole name first, then without its last word."""
    by_case: dict[str, list[Path]] = {}
    for stem, paths in stems.items():
        names = _names(stem, word)
        case_id = next((name for name in names if name in cases), names[-1])
        by_case.setdefault(case_id, []).extend(paths)
    return by_case


def checked_modality(word: str) -> Modality:
    """A modality, as the catalogue writes it.

    Raises:
        UsageError: Another word.

    Example:
        >>> checked_modality("MRI")
        'MRI'
    """
    for known in MODALITIES:
        if word == known:
            return known
    msg = f"modality: expected one of {', '.join(MODALITIES)}, found {word!r}"
    raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Folders of a user's own dataset; at least one of masks and landmarks.

    Attributes:
        named: What messages call the three: the options that gave them, or folders of a layout.
    """

    images: Path
    masks: Path | None = None
    landmarks: Path | None = None
    named: tuple[str, str, str] = ("--images", "--masks", "--landmarks")


def find_cases(
    folders: Folders, *, modality: Modality, subject_pattern: str = ""
) -> tuple[tuple[CaseFiles, ...], list[Unpaired]]:
    """Pair the files of a user's folders by case name.

    Names that are equal pair first. Else these are understood: nnU-Net's `_0000` channels, `_image`
    on images, `-seg`, `.seg`, `_gtv`, `_mask`, `_label` and the like on masks. Below the image
    folder a folder is a DICOM series; below the mask folder it is a case with one file per
    structure, or with one DICOM segmentation.

    Args:
        folders: Where the files are.
        modality: CT, MRI, PET, US or XR.
        subject_pattern: Regular expression whose first group is the subject in a case id; by
            default each case is a subject of its own.

    Returns:
        The complete cases in order of their ids, as a declaration lists them, and those that lack
        a file, or have two for one place.

    Raises:
        UsageError: A folder is missing or has no file, or the pattern finds no subject in a case.
    """
    of_images, of_masks, of_landmarks = folders.named
    images = _listed(folders.images, IMAGE_SUFFIXES, of_images, folders=True)
    masks = _listed(folders.masks, IMAGE_SUFFIXES, of_masks, folders=True)
    landmarks = _listed(folders.landmarks, LANDMARK_SUFFIXES, of_landmarks)
    partners = {name for stem in masks for name in _names(stem, _MASK_WORD)}
    partners |= {name for stem in landmarks for name in _names(stem, _LANDMARK_WORD)}
    channels = _images_by_case(images, partners)
    masks = _by_case(masks, channels, _MASK_WORD)
    landmarks = _by_case(landmarks, channels, _LANDMARK_WORD)
    sides: list[tuple[str, Path | None, Collection[str]]] = [
        ("image", folders.images, channels),
        ("mask", folders.masks, masks),
        ("landmark file", folders.landmarks, landmarks),
    ]
    cases, unpaired = [], []
    for case_id in sorted({*channels, *masks, *landmarks}):
        lacks = [
            f"no {what} in {folder}"
            for what, folder, found in sides
            if folder and case_id not in found
        ]
        # Without an image it may be no case at all, but a file by another name: no subject then.
        subject_id = case_id if case_id in channels else ""
        if subject_pattern and subject_id:
            subject_id = found_subject(subject_pattern, case_id, "--subject-pattern")
        files = channels.get(case_id, {})
        of_case = [*files.values(), masks.get(case_id, []), landmarks.get(case_id, [])]
        twice = [
            f"{' and '.join(path.name for path in paths)} both name it, keep one"
            for paths in of_case
            if len(paths) > 1
        ]
        if lacks or twice:
            rule = ["files pair by case name"] if lacks else []
            unpaired.append(
                Unpaired(
                    case_id=case_id,
                    subject_id=subject_id,
                    message=f"case {case_id}: {'; '.join([', '.join([*lacks, *twice]), *rule])}",
                    reason="unpaired" if lacks else "ambiguous",
                )
            )
            continue
        cases.append(
            CaseFiles(
                case_id=case_id,
                subject=subject_id,
                images=tuple(
                    Image(
                        id="image" if len(files) == 1 else channel,
                        modality=modality,
                        files=str(path),
                    )
                    for channel, [path] in files.items()
                ),
                mask=next((str(path) for path in masks.get(case_id, ())), ""),
                landmarks=tuple(map(str, landmarks.get(case_id, ()))),
            )
        )
    return tuple(cases), unpaired


def left_notes(folders: Folders) -> Iterator[Note]:
    """Files below a user's folders that cannot be a case's: of other suffixes, or in folders."""
    sides = [
        (folders.images, IMAGE_SUFFIXES),
        (folders.masks, IMAGE_SUFFIXES),
        (folders.landmarks, LANDMARK_SUFFIXES),
    ]
    used: dict[Path, set[Path]] = {}
    for folder, suffixes in sides:
        if folder is not None:
            listed = _listed(folder, suffixes, "", folders=suffixes == IMAGE_SUFFIXES)
            used.setdefault(folder, set()).update(*listed.values())
    for folder, paths in used.items():
        yield from file_notes(folder, paths)
