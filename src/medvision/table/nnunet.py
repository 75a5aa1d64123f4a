"""Cases of an nnU-Net raw dataset."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from medvision.declarations import decoded, read_json
from medvision.errors import UsageError
from medvision.table.cases import (
    IMAGE_SUFFIXES,
    CaseSource,
    ImageSource,
    Unpaired,
    file_stem,
)
from medvision.table.folders import Folders, find_cases
from medvision.table.labels import structures_from_labels, target_ids

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


def find_nnunet_cases(
    folder: Path, *, target_labels: str = "", modality: str = "", subject_pattern: str = ""
) -> tuple[list[CaseSource], list[Unpaired]]:
    """Cases of an nnU-Net raw dataset: `dataset.json`, `imagesTr`, `labelsTr`.

    Args:
        folder: The `DatasetXXX_Name` folder.
        target_labels: As `--target-labels`.
        modality: Used where `channel_names` says none of CT, MRI, PET, US, XR.
        subject_pattern: As `--subject-pattern`.

    Raises:
        DeclarationError: No dataset.json, or its labels or channels are none.
        UsageError: A channel's modality is unknown.
    """
    path = folder / "dataset.json"
    declared = decoded(dict[str, Any], read_json(path), str(path))
    labels = decoded(dict[str, Any], declared.get("labels", {}), f"{path}: labels")
    structures = structures_from_labels(labels, f"{path}: labels")
    word = "channel_names" if "channel_names" in declared else "modality"  # the word of version 1
    channels = decoded(dict[str, str], declared.get(word, {}), f"{path}: {word}")
    folders = Folders(images=folder / "imagesTr", masks=folder / "labelsTr")
    cases, unpaired = find_cases(
        folders,
        modality=modality,
        structures=structures,
        target_labels=target_ids(target_labels, structures),
        subject_pattern=subject_pattern,
    )
    named = []
    for case in cases:
        images = []
        for image in case.images:
            # By the file's own number, not its rank: where one channel is missing, the others keep
            # their names. A file without a number is the one channel there is.
            stem = str(file_stem(image.path, IMAGE_SUFFIXES))
            number = stem.removeprefix(f"{case.case_id}_") if stem != case.case_id else "0"
            name = channels.get(str(int(number)), "") if number.isdecimal() else ""
            found = modality or _MODALITY_WORDS.get(name.upper(), "")
            if not found:
                msg = f"channel {name!r} of dataset.json names no modality; add --modality"
                raise UsageError(msg)
            image_id = name or image.image_id
            if list(channels.values()).count(name) > 1:  # two of one name stay apart by number
                image_id = f"{name} {number}"
            if len(case.images) == 1 and len(channels) <= 1:
                image_id = "image"
            images.append(ImageSource(image_id=image_id, modality=found, path=image.path))
        named.append(replace(case, images=tuple(images)))
    return named, unpaired
