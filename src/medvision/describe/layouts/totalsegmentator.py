"""TotalSegmentator: its training set, and what the tool writes.

Training: `s0011/ct.nii.gz` (or `mri.nii.gz`) with `s0011/segmentations/<structure>.nii.gz`, and
`meta.csv` with split, age and more by subject. Output: a folder of `<structure>.nii.gz` for each
scan, named after the scan or `segmentations`, beside the scan or in a folder of its own; or, with
`--ml`, one label map `segmentations.nii` whose header names its values.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath

from medvision.catalog.dataset import load_dataset
from medvision.describe.found import Certainty, Found, FoundCase, FoundLabel
from medvision.describe.side_files import side_table
from medvision.describe.splits import two_sides
from medvision.describe.tree import Tree
from medvision.volumes.stated_names import stated_names

SEGMENTATIONS = "segmentations"
FEWEST_KNOWN = 3
"""Structures of the tool's that a folder must hold to be taken for its output."""

_SCANS = {"ct": "CT", "mri": "MRI"}
_SUFFIX = ".nii.gz"


def recognise(tree: Tree) -> Found | None:
    """Scans with a folder of one file for each structure."""
    known = _names_by_words()
    masks = {
        folder: stems
        for folder, names in tree.folders.items()
        if folder
        and (stems := [n.removesuffix(_SUFFIX) for n in names if n.endswith(_SUFFIX)])
        and _is_output(folder, [_words(stem) in known for stem in stems])
        and not set(stems) & set(_SCANS)
    }
    if not masks:
        return _in_one_file(tree)
    by_stem: dict[str, list[str]] = {}
    for file, (_, stem) in tree.images.items():
        by_stem.setdefault(stem, []).append(file)
    cases, lacking, modality, is_training = [], {}, "", True
    for folder in sorted(masks):
        path = PurePosixPath(folder)
        own = path.parent if path.name == SEGMENTATIONS else path
        case_id = own.name or tree.root.resolve().name
        scan = _scan(tree, path, case_id, by_stem)
        if not scan:
            lacking[case_id] = f"no scan beside {folder}"
            continue
        stem = PurePosixPath(scan).name.removesuffix(_SUFFIX)
        is_training = is_training and path.name == SEGMENTATIONS and stem in _SCANS
        modality = modality or _SCANS.get(stem, "")
        cases.append(
            FoundCase(case_id=case_id, subject_id=case_id, images={"image": scan}, mask=folder)
        )
    stems = sorted({stem for names in masks.values() for stem in names})
    columns, tables = _meta(tree)
    split, more = two_sides({subject: row.get("split", "") for subject, row in columns.items()})
    notes = ["each scan is taken for a subject of its own", *more]
    return Found(
        layout=f"TotalSegmentator, {'training set' if is_training else 'output'}",
        certainty=Certainty.CERTAIN if split else Certainty.LIKELY,
        reason=f"folders of files named after the tool's structures: {len(masks)}",
        cases=tuple(cases),
        modalities={"image": modality},
        labels=tuple(
            FoundLabel(
                label_id=number,
                name=known.get(_words(stem), stem.replace("_", " ")),
                found_as=stem,
            )
            for number, stem in enumerate(stems, start=1)
        ),
        lacking=lacking,
        side_files=tables,
        split=split,
        columns=columns,
        notes=tuple(notes),
    )


def _is_output(folder: str, is_known: Sequence[bool]) -> bool:
    """Whether so many of a folder's files are called like structures; few must be all of them."""
    in_own_folder = PurePosixPath(folder).name == SEGMENTATIONS
    return sum(is_known) >= FEWEST_KNOWN or (all(is_known) and (in_own_folder or len(is_known) > 1))


def _in_one_file(tree: Tree) -> Found | None:
    """What `--ml` writes: a label map whose header names its values, beside its scan."""
    known, cases = _names_by_words(), []
    names: dict[int, str] = {}
    for file, (folder, stem) in sorted(tree.images.items()):
        stated = stated_names(tree.path(file)) if stem.startswith("segmentation") else {}
        if not stated or not all(_words(name) in known for name in stated.values()):
            continue
        others = [one for one in tree.images_of[folder].values() if one != file]
        scans = [one for one in others if tree.images[one][1] in _SCANS] or others
        if len(scans) == 1:
            names |= {value: known[_words(name)] for value, name in stated.items()}
            case_id = PurePosixPath(folder).name or tree.root.resolve().name
            images = {"image": scans[0]}
            cases.append(FoundCase(case_id=case_id, subject_id=case_id, images=images, mask=file))
    if not cases:
        return None
    scan = tree.images[cases[0].images["image"]][1]
    return Found(
        layout="TotalSegmentator, output in one file",
        certainty=Certainty.CERTAIN,
        reason="label maps whose headers name the tool's structures",
        cases=tuple(cases),
        modalities={"image": _SCANS.get(scan, "")},
        labels=tuple(FoundLabel(label_id=n, name=name) for n, name in sorted(names.items())),
        notes=("each scan is taken for a subject of its own",),
    )


@cache
def _names_by_words() -> dict[frozenset[str], str]:
    """The words of a structure's name, in any order, to the name as the catalogue writes it."""
    dataset = load_dataset("TotalSegmentator")
    labels = [label for cohort in dataset.cohorts for label in cohort.labels.values()]
    return {
        _words(name): label.name for label in labels for name in (label.was, label.name) if name
    }


def _words(name: str) -> frozenset[str]:
    plain = name.casefold().replace("vertebrae", "vertebra").replace("_", " ")
    return frozenset(plain.split())


def _scan(
    tree: Tree, masks: PurePosixPath, case_id: str, by_stem: Mapping[str, Sequence[str]]
) -> str:
    """The scan that a folder of masks was made of; "" where none or several are."""
    own = "" if str(masks.parent) == "." else str(masks.parent)
    if masks.name == SEGMENTATIONS:
        beside = tree.images_of.get(own, {})
        fits = [beside[stem] for stem in (*_SCANS, case_id) if stem in beside]
        return fits[0] if fits else (next(iter(beside.values())) if len(beside) == 1 else "")
    for stem in (case_id, case_id.removesuffix("_seg"), case_id.removesuffix("_segmentations")):
        found = by_stem.get(stem, ())
        if len({tree.images[file] for file in found}) == 1:
            return found[0]
    return ""


def _meta(tree: Tree) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """Split and further columns by subject, of the meta.csv that comes with the training set."""
    tables = tuple(tree.named("meta.csv"))
    if len(tables) != 1:
        return {}, ()
    rows = side_table(tree.path(tables[0]), "image_id")
    columns = {subject: row for row in rows if (subject := row.pop("image_id"))}
    return columns, tables if columns else ()
