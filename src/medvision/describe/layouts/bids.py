"""BIDS derivatives: masks in `derivatives/<name>/sub-01/…`, images beside or in the raw tree.

Masks end in `_dseg`, `_mask` or `_roi`, or in the words that came before those (`_seg`,
`_seg-manual`, `_msk`); entities such as `ses-1`, `run-2`, `space-orig` stand in the name. A mask
belongs to the image that has the same subject, session and run, and the sequence the mask names,
if it names one. Labels come from a `_dseg.tsv` with the columns index and name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from medvision.describe.found import Certainty, Found, FoundCase, FoundLabel
from medvision.describe.hints import modality_of_word
from medvision.describe.side_files import side_table
from medvision.describe.tree import Tree

_MASK = re.compile(r"^(dseg|mask|roi|msk|seg|lesion|label)(-\w+)?$")
_NOT_IMAGES = {"probseg", "bvec", "bval"}
_PLACED = ("sub", "ses", "run", "space", "echo")
"""Entities in which a mask and its image must agree where both have them."""

_FOLDERS = {"pet": "PET", "ct": "CT", "us": "US"}


@dataclass(frozen=True, slots=True)
class _Name:
    """A file name taken apart: `sub-01_ses-1_T2w_label-lesion_mask`."""

    file: str
    entities: Mapping[str, str]
    suffix: str
    sequence: str

    @property
    def is_mask(self) -> bool:
        return bool(_MASK.match(self.suffix))


def recognise(tree: Tree) -> Found | None:
    """Images and masks of subjects in folders `sub-…`."""
    names = [n for file, (_, stem) in tree.images.items() if (n := _taken_apart(file, stem))]
    masks = [name for name in names if name.is_mask]
    images = [n for n in names if not n.is_mask and n.suffix not in _NOT_IMAGES]
    if not masks or not images:
        return None
    described = [file for file in tree.files if file.endswith("dataset_description.json")]
    cases, lacking = [], {}
    kinds = {_kind(mask) for mask in masks}
    for mask in sorted(masks, key=lambda name: name.file):
        case_id = _case_id(mask, with_kind=len(kinds) > 1)
        fits = _images_of(mask, images)
        if not fits:
            lacking[case_id] = f"no image for {mask.file}"
            continue
        shown = {image.suffix: image.file for image in fits}
        if len(shown) < len(fits):
            listed = ", ".join(image.file for image in fits)
            lacking[case_id] = f"several images fit {mask.file}: {listed}"
            continue
        if len(shown) == 1:
            shown = {"image": fits[0].file}
        subject = f"sub-{mask.entities['sub']}"
        cases.append(FoundCase(case_id=case_id, subject_id=subject, images=shown, mask=mask.file))
    sequences = {i: _modality(f) for case in cases for i, f in case.images.items()}
    used = {file for case in cases for file in case.images.values()}
    for image in images:
        if image.file not in used:
            case_id = _case_id(image, with_kind=False)
            is_taken = case_id in {case.case_id for case in cases}
            lacking.setdefault(_case_id(image, with_kind=is_taken), f"no mask for {image.file}")
    labels, label_files = _labels(tree, masks)
    columns, people = _participants(tree)
    return Found(
        layout="BIDS derivatives",
        certainty=Certainty.CERTAIN if described else Certainty.LIKELY,
        reason=described[0] if described else "names with sub-… and masks named dseg or mask",
        cases=tuple(cases),
        modalities=sequences or {"image": ""},
        labels=labels,
        lacking=lacking,
        side_files=(*described, *label_files, *people),
        columns=columns,
        notes=("sessions of one subject stay on one side of the split",),
    )


def _taken_apart(file: str, stem: str) -> _Name | None:
    parts = stem.split("_")
    entities = dict(part.split("-", 1) for part in parts if "-" in part and part[:3] != "seg")
    words = [part for part in parts if "-" not in part or part[:3] == "seg"]
    if "sub" not in entities or not words or not PurePosixPath(file).name.startswith("sub-"):
        return None
    sequence = words[0] if len(words) > 1 else ""
    return _Name(file, entities, words[-1], sequence)


def _kind(name: _Name) -> tuple[str, ...]:
    """What tells masks of one image apart."""
    return (name.suffix, name.entities.get("label", ""), name.entities.get("desc", ""))


def _case_id(name: _Name, *, with_kind: bool) -> str:
    parts = [f"{key}-{name.entities[key]}" for key in ("sub", "ses", "run") if key in name.entities]
    if with_kind:
        parts += [name.sequence, *_kind(name)]
    return "_".join(filter(None, parts))


def _images_of(mask: _Name, images: list[_Name]) -> list[_Name]:
    fits = [
        image
        for image in images
        if all(
            image.entities.get(key) == mask.entities.get(key)
            for key in _PLACED
            if key in ("sub", "ses", "run") or (key in image.entities and key in mask.entities)
        )
        and (not mask.sequence or image.suffix == mask.sequence)
    ]
    # A pipeline that writes its own image beside the mask drew the mask on that one.
    folder = PurePosixPath(mask.file).parent
    own = [image for image in fits if PurePosixPath(image.file).parent == folder]
    return own or fits


def _modality(file: str) -> str:
    path = PurePosixPath(file)
    suffix = path.name.split(".")[0].split("_")[-1]
    found = modality_of_word(suffix)
    by_folder = _FOLDERS.get(path.parent.name, "")
    in_mri_folder = "MRI" if path.parent.name in ("anat", "dwi", "func", "fmap") else ""
    return found or by_folder or in_mri_folder


def _labels(tree: Tree, masks: list[_Name]) -> tuple[tuple[FoundLabel, ...], list[str]]:
    """Labels of all `*dseg.tsv` files of the tree, where these agree."""
    found: dict[int, str] = {}
    files = [file for file in tree.files if file.endswith("dseg.tsv")]
    for file in files:
        for row in side_table(tree.path(file), "index", "name"):
            index, name = row["index"], row["name"]
            if re.fullmatch(r"\d{1,9}", index) and int(index) > 0:
                same = found.setdefault(int(index), name) == name
                found[int(index)] = name if same else ""
    labels = tuple(FoundLabel(label_id=n, name=name) for n, name in sorted(found.items()))
    words = {mask.entities.get("label", "") for mask in masks}
    if not labels and len(words) == 1 and "" not in words:
        labels = (FoundLabel(label_id=1, name=words.pop()),)
    return labels, files


def _participants(tree: Tree) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Columns of participants.tsv by subject."""
    files = [file for file in ("participants.tsv",) if file in tree.files]
    columns: dict[str, dict[str, str]] = {}
    for file in files:
        for row in side_table(tree.path(file), "participant_id"):
            if subject := row.pop("participant_id"):
                columns[subject] = row
    return columns, files
