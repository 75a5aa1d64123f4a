"""nnU-Net raw datasets of both versions, and those of the Medical Segmentation Decathlon.

Version 2: `Dataset001_Name/` with `dataset.json` (channel_names, labels as name to value, or
`dataset` with a path for each file), `imagesTr/case_0000.nii.gz`, `labelsTr/case.nii.gz`. Version
1: `Task001_Name/` with modality and labels as value to name. The Decathlon's files have no channel
number: channels lie in one 4D file.
"""

from pathlib import PurePosixPath

from medvision.declarations import DeclarationError, read_json
from medvision.describe.found import Certainty, Found, FoundCase, FoundLabel
from medvision.describe.hints import modality_of_word
from medvision.describe.tree import Tree
from medvision.errors import UsageError
from medvision.table.folders import CHANNEL
from medvision.table.nnunet import NnunetFile, nnunet_file


def recognise(tree: Tree) -> Found | None:
    """The dataset, if one `dataset.json` stands beside `imagesTr` and `labelsTr`.

    Raises:
        UsageError: Several datasets, such as in `nnUNet_raw`.
        DeclarationError: dataset.json is damaged, or lacks what describes a dataset.
    """
    tops = {
        file.removesuffix("dataset.json"): declared
        for file in tree.named("dataset.json")
        if (declared := _declared(tree, file))
    }
    if not tops:
        return None
    if len(tops) > 1:
        several = ", ".join(top.rstrip("/") for top in tops)
        msg = f"{tree.root} holds {len(tops)} nnU-Net datasets; name one: {several}"
        raise UsageError(msg)
    [(top, declared)] = tops.items()
    channels, structures = declared.channels, declared.structures
    found, lacking = _cases(tree, top, declared)
    names = list(channels.values())
    # By number: two channels of one name are two images all the same.
    shown = {
        number: f"{name} {number:04d}" if names.count(name) > 1 else name
        for number, name in channels.items()
    }
    cases, in_one_file = [], False
    for case_id, (files, mask) in found.items():
        images = {
            "image" if len(channels) <= 1 else shown.get(n, f"{n:04d}"): file
            for n, file in files.items()
        }
        in_one_file = in_one_file or (len(files) == 1 < len(channels))
        cases.append(FoundCase(case_id=case_id, subject_id=case_id, images=images, mask=mask))
    names = names if len(channels) > 1 else [channels.get(0, "")]
    ids = list(shown.values()) if len(channels) > 1 else ["image"]
    notes = ["each case is taken for a subject of its own"]
    if in_one_file:
        notes.append(f"{len(channels)} channels are declared, files without a number may be 4D")
    return Found(
        layout=f"nnU-Net raw, version {1 if declared.is_first_version else 2}",
        certainty=Certainty.CERTAIN,
        reason=f"{top}dataset.json beside imagesTr and labelsTr",
        cases=tuple(cases),
        modalities={i: modality_of_word(name) for i, name in zip(ids, names, strict=True)},
        labels=tuple(
            FoundLabel(label_id=s.label_id, name=s.name, values=s.values)
            for s in structures
            if s.asked
        ),
        ignored=tuple(value for s in structures if not s.asked for value in s.values),
        lacking=lacking,
        is_named=declared.named is not None,
        side_files=(f"{top}dataset.json",),
        notes=tuple(notes),
    )


def _declared(tree: Tree, file: str) -> NnunetFile | None:
    """What a dataset.json of nnU-Net says; None of any other."""
    path = tree.path(file)
    content = read_json(path)
    keys = content.keys() if isinstance(content, dict) else set()
    if "labels" in keys and not keys.isdisjoint(("channel_names", "modality")):
        return nnunet_file(path, content)
    top = file.removesuffix("dataset.json")
    if {f"{top}imagesTr", f"{top}labelsTr"} <= tree.folders.keys():
        msg = (
            f"{path}: expected the keys channel_names and labels, found {', '.join(keys) or 'none'}"
        )
        raise DeclarationError(msg)
    return None


_Files = dict[str, tuple[dict[int, str], str]]


def _cases(tree: Tree, top: str, declared: NnunetFile) -> tuple[_Files, dict[str, str]]:
    """Case id to (channel number to image, mask), and what other cases lack."""
    found: _Files = {}
    lacking: dict[str, str] = {}
    if declared.named is not None:  # paths of files that lie anywhere
        for case_id, entry in sorted(declared.named.items()):
            files = {n: f"{top}{PurePosixPath(file)}" for n, file in enumerate(entry.images)}
            mask = f"{top}{PurePosixPath(entry.label)}"
            absent = [file for file in (*files.values(), mask) if file not in tree.files]
            if absent:
                lacking[case_id] = f"no file {', '.join(absent)}"
            else:
                found[case_id] = (files, mask)
        return found, lacking
    masks = tree.images_of.get(f"{top}labelsTr", {})
    images: dict[str, dict[int, str]] = {}
    for file, (folder, stem) in tree.images.items():
        if folder == f"{top}imagesTr":
            channel = None if stem in masks else CHANNEL.search(stem)
            case_id = stem[: channel.start()] if channel else stem
            images.setdefault(case_id, {})[int(channel[1]) if channel else 0] = file
    for case_id in sorted({*masks, *images}):
        if case_id in masks and case_id in images:
            found[case_id] = (images[case_id], masks[case_id])
        else:
            lacking[case_id] = (
                "no mask in labelsTr" if case_id in images else "no image in imagesTr"
            )
    return found, lacking
