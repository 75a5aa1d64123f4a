"""nnU-Net raw datasets as declarations."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medvision.catalog.cohort import CaseFiles, Image, Modality
from medvision.catalog.dataset import Dataset, found_subject
from medvision.declarations import DeclarationError, NonEmpty, decoded, read_json
from medvision.errors import UsageError
from medvision.names import composed
from medvision.table.cases import IMAGE_SUFFIXES, Structure, Unpaired, file_stem
from medvision.table.folders import Folders, find_cases, left_notes
from medvision.table.labels import declared_labels, structures_from_labels, target_ids
from medvision.table.notes import Note, file_notes

CHANNEL_MODALITIES: Mapping[str, Modality] = {
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
"""Names of channels, in upper case, to our modalities."""


def nnunet_dataset(
    folder: Path,
    *,
    name: str = "",
    target_labels: str = "",
    modality: Modality | None = None,
    subject_pattern: str = "",
) -> tuple[Dataset, list[Unpaired]]:
    """An nnU-Net raw dataset as a declaration: `dataset.json`, and the files that it names.

    Args:
        folder: The `DatasetXXX_Name` folder, with `imagesTr` and `labelsTr`, or with a `dataset`
            in its dataset.json that says where the files of each case are.
        name: Of the dataset; "" for the folder's.
        target_labels: As `--target-labels`.
        modality: Used where `channel_names` says none of CT, MRI, PET, US, XR.
        subject_pattern: As `--subject-pattern`.

    Returns:
        The declaration, paths as given with the folder, and the cases that lack a file.

    Raises:
        DeclarationError: No dataset.json, or its labels or channels are none.
        UsageError: A channel's modality is unknown.
    """
    path = folder / "dataset.json"
    declared = nnunet_file(path, read_json(path))
    unpaired: list[Unpaired] = []
    if declared.named is not None:
        cases = _named_cases(declared.named, path, subject_pattern)
    else:
        cases, unpaired = find_cases(
            _training_folders(folder), modality=modality or "CT", subject_pattern=subject_pattern
        )
    names = declared.channels.values()
    if modality and names and all(one.upper() in CHANNEL_MODALITIES for one in names):
        msg = (
            f"--modality {modality}: {path} names that of every channel ({', '.join(names)}); "
            "leave out, or correct it there"
        )
        raise UsageError(msg)
    dataset = Dataset(
        name=name or folder.resolve().name,
        labels=declared_labels(declared.structures, target_ids(target_labels, declared.structures)),
        cases=tuple(
            replace(case, images=_named_images(case, declared.channels, modality)) for case in cases
        ),
    )
    return dataset, unpaired


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCase:
    """An entry of `dataset`: files of a case, seen from dataset.json, channels in order."""

    images: NonEmpty[str]
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NnunetFile:
    """What a dataset.json says.

    Attributes:
        channels: Number to name.
        structures: Of its labels.
        named: Case id to its files, where it names them; None where folders hold them.
        is_first_version: Whether it has the words of nnU-Net's first version.
    """

    channels: Mapping[int, str]
    structures: tuple[Structure, ...]
    named: Mapping[str, NamedCase] | None
    is_first_version: bool


def nnunet_file(path: Path, content: Any) -> NnunetFile:
    """The parsed content of a dataset.json, checked.

    Raises:
        DeclarationError: Its labels, channels or files are none.
    """
    declared = decoded(dict[str, Any], content, str(path))
    labels = decoded(dict[str, Any], declared.get("labels", {}), f"{path}: labels")
    is_first = "channel_names" not in declared
    word = "modality" if is_first else "channel_names"
    channels = decoded(dict[str, str], declared.get(word, {}), f"{path}: {word}")
    if odd := [key for key in channels if not re.fullmatch(r"[0-9]{1,9}", key)]:
        msg = f"{path}: {word}: expected numbers of channels from 0 as keys, found {odd[0]!r}"
        raise DeclarationError(msg)
    named = None
    if "dataset" in declared:
        named = decoded(dict[str, NamedCase], declared["dataset"], f"{path}: dataset")
    return NnunetFile(
        channels={int(number): name for number, name in channels.items()},
        structures=structures_from_labels(labels, f"{path}: labels"),
        named=named,
        is_first_version=is_first,
    )


def nnunet_notes(folder: Path, dataset: Dataset) -> list[Note]:
    """Files of an nnU-Net raw dataset that no case of its training set is made from."""
    path = folder / "dataset.json"
    if "dataset" not in read_json(path):
        return list(left_notes(_training_folders(folder)))
    used = {
        Path(file)
        for case in dataset.cases
        for file in (case.mask, *(i.files for i in case.images))
    }
    return list(file_notes(folder, {path, *used}))


def _training_folders(folder: Path) -> Folders:
    return Folders(
        images=folder / "imagesTr",
        masks=folder / "labelsTr",
        named=("imagesTr", "labelsTr", ""),
    )


def _named_cases(
    entries: Mapping[str, NamedCase], path: Path, subject_pattern: str
) -> tuple[CaseFiles, ...]:
    return tuple(
        CaseFiles(
            case_id=composed(case_id),
            subject=found_subject(subject_pattern, case_id, "--subject-pattern")
            if subject_pattern
            else "",
            # Their place in the list is the channel, whatever the files are called.
            images=tuple(
                Image(id=f"{number:04d}", modality="CT", files=str(path.parent / file))
                for number, file in enumerate(entry.images)
            ),
            mask=str(path.parent / entry.label),
        )
        for case_id, entry in entries.items()
    )


def _named_images(
    case: CaseFiles, channels: Mapping[int, str], modality: Modality | None
) -> tuple[Image, ...]:
    """A case's images, each with the name and the modality of its channel."""
    images = []
    for image in case.images:
        # By the channel's own number, not its rank: where one is missing, the others keep their
        # names. A file without a number is the one channel there is.
        number = image.id
        if number == "image":
            stem = str(file_stem(Path(image.files), IMAGE_SUFFIXES))
            number = stem.removeprefix(f"{case.case_id}_") if stem != case.case_id else "0"
        name = channels.get(int(number), "") if number.isdecimal() else ""
        found = CHANNEL_MODALITIES.get(name.upper()) or modality
        if not found:
            msg = f"channel {name!r} of dataset.json names no modality; add --modality"
            raise UsageError(msg)
        image_id = name or image.id
        if list(channels.values()).count(name) > 1:  # two of one name stay apart by number
            image_id = f"{name} {number}"
        if len(case.images) == 1 and len(channels) <= 1:
            image_id = "image"
        images.append(replace(image, id=image_id, modality=found))
    return tuple(images)
