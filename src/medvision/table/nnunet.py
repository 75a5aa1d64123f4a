"""Cases of an nnU-Net raw dataset."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

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
