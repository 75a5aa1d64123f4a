"""Cases of an nnU-Net raw dataset."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from medvision.declarations import decoded, read_json
from medvision.errors import UsageError
from medvision.table.cases import CaseSource, ImageSource, Unpaired
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
    folder: Path, *, target_labels: str = "", modality: str = ""
) -> tuple[list[CaseSource], list[Unpaired]]:
    """Cases of an nnU-Net raw dataset: `dataset.json`, `imagesTr`, `labelsTr`.

    Args:
        folder: The `DatasetXXX_Name` folder.
        target_labels: As `--target-labels`.
        modality: Used where `channel_names` says none of CT, MRI, PET, US, XR.

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
    )
    named = []
    for case in cases:
        images = []
        for rank, image in enumerate(case.images):
            name = channels.get(str(rank), "")
            found = modality or _MODALITY_WORDS.get(name.upper(), "")
            if not found:
                msg = f"channel {name!r} of dataset.json names no modality; add --modality"
                raise UsageError(msg)
            image_id = "image" if len(case.images) == 1 else name or image.image_id
            images.append(ImageSource(image_id=image_id, modality=found, path=image.path))
        named.append(replace(case, images=tuple(images)))
    return named, unpaired
