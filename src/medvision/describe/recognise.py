"""Which layout a folder has: each recogniser looks, the first that knows it says what it holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from medvision.declarations import DeclarationError
from medvision.describe.found import Certainty, Found, FoundLabel
from medvision.describe.hints import SAMPLED_MASKS, empty_folders, is_hounsfield, mask_values
from medvision.describe.layouts import (
    beside,
    bids,
    coco,
    dicom,
    folders,
    labelme,
    nnunet,
    slicer,
    totalsegmentator,
    yolo,
)
from medvision.describe.tree import Tree
from medvision.errors import UsageError
from medvision.names import composed

Recogniser = Callable[[Tree], Found | None]

RECOGNISERS: dict[str, Recogniser] = {
    "nnU-Net raw": nnunet.recognise,
    "COCO": coco.recognise,
    "LabelMe": labelme.recognise,
    "YOLO": yolo.recognise,
    "TotalSegmentator": totalsegmentator.recognise,
    "BIDS derivatives": bids.recognise,
    "3D Slicer scenes": slicer.recognise,
    "DICOM series with segmentations": dicom.recognise,
    "masks beside their images": beside.recognise,
    "folders of images and masks": folders.recognise,
}
"""Layout to what knows it. Those that a file of their own proves come before those that only names
suggest, since files of the first kind lie in folders that look like the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a folder was taken for.

    Attributes:
        tree: The folder.
        found: As the layout that was taken sees it.
        others: Further layouts that would have fitted as well, for the user to know.
        left_over: Files that neither belong to a case nor were read for what they say.
    """

    tree: Tree
    found: Found
    others: tuple[str, ...]
    left_over: tuple[str, ...]


def describe(tree: Tree, layout: str = "") -> Description:
    """The layout of a folder, its cases and what is left over.

    Args:
        tree: The folder.
        layout: One of `RECOGNISERS` that it must have; "" for the one that fits best.

    Raises:
        UsageError: No layout that is known, another one than it must have, or several datasets.
    """
    looks = {name: found for name, recogniser in RECOGNISERS.items() if (found := recogniser(tree))}
    # Of equals the one that knows more cases; `max` keeps the first of those.
    ranked = {name: _rank(found) for name, found in looks.items() if found.cases}
    taken = max(ranked, key=lambda name: ranked[name], default=None)
    if taken is None:
        told = [
            f"{found.layout}: {why}"
            for found in looks.values()
            for why in (
                *found.broken.values(),
                *found.ambiguous.values(),
                *found.lacking.values(),
            )
        ]
        msg = (
            f"{tree.root}: no layout that is known ({', '.join(RECOGNISERS)}) in {len(tree.files)} "
            "files; write a declaration by hand"
        )
        raise UsageError("\n".join([msg, *told[:5]]))
    if layout and layout not in ranked:
        seen = looks[taken]
        msg = f"{tree.root}: expected {layout}, found {seen.layout} ({seen.reason})"
        raise UsageError(msg)
    taken = layout or taken
    found = _completed(_without_twins(looks[taken], tree), tree)
    used = {file for case in found.cases for file in case.files} | set(found.side_files)
    # What another layout of files of its own would have read is not lost because this one fits
    # better.
    broken = {
        item: why
        for other in looks.values()
        for item, why in other.broken.items()
        if other is looks[taken]
        or (
            other.certainty is Certainty.CERTAIN
            and item not in used
            and used.isdisjoint(_above(item))
        )
    }
    found = replace(found, broken=broken)
    used |= found.broken.keys()
    # What lies beside an image under its name, such as a JSON file of how it was scanned.
    used |= {f"{file.split('.')[0]}.json" for case in found.cases for file in case.images.values()}
    left_over = tuple(
        file for file in tree.files if file not in used and used.isdisjoint(_above(file))
    )
    others = tuple(
        name
        for name, other in looks.items()
        if name != taken and other.cases and other.certainty is found.certainty
    )
    return Description(tree=tree, found=found, others=others, left_over=left_over)


def _without_twins(found: Found, tree: Tree) -> Found:
    """Cases of one file for each place; `a.nii` beside `a.nii.gz` is one too many.

    They are no cases, whichever of the two a layout took; patterns say the same when tables are
    built, since they are written without the suffix then.

    Raises:
        DeclarationError: No other case is left.
    """
    kept, ambiguous = [], dict(found.ambiguous)
    for case in found.cases:
        twice = [file for file in case.files if len(tree.twins(file)) > 1]
        if not twice or found.is_named:
            kept.append(case)
            continue
        told = "; ".join(
            " and ".join(PurePosixPath(one).name for one in tree.twins(file))
            + (f" in {folder}" if (folder := tree.images[file][0]) else "")
            for file in twice
        )
        ambiguous[case.case_id] = f"{told} both name it, keep one"
    if not kept:
        lines = [f"{tree.root}: case {case_id}: {why}" for case_id, why in ambiguous.items()]
        raise DeclarationError("\n".join(lines))
    return replace(found, cases=tuple(kept), ambiguous=ambiguous)


def _rank(found: Found) -> tuple[int, int]:
    return (-list(Certainty).index(found.certainty), len(found.cases))


def _above(file: str) -> set[str]:
    """The folders above a file: a series or a folder of masks is used as a whole."""
    parts = file.split("/")
    return {"/".join(parts[:n]) for n in range(1, len(parts))}


def _completed(found: Found, tree: Tree) -> Found:
    """What names do not say, from the files themselves: values of masks, Hounsfield units."""
    notes = list(found.notes)
    modalities = dict(found.modalities)
    for image, modality in modalities.items():
        first = next((c.images[image] for c in found.cases if image in c.images), "")
        if not modality and first and is_hounsfield(tree.path(first)):
            modalities[image] = "CT"
            notes.append(f"image {image!r} is taken for CT: its values are Hounsfield units")
    labels = found.labels
    masks = [tree.path(case.mask) for case in found.cases if case.mask]
    if not labels and masks:
        values, colours = mask_values(masks)
        labels = tuple(FoundLabel(label_id=value, name="") for value in values)
        labels += tuple(
            FoundLabel(label_id=n, name="", found_as=colour)
            for n, colour in enumerate(colours, start=max(values, default=0) + 1)
        )
        notes.append(f"values of masks are those of the first {min(len(masks), SAMPLED_MASKS)}")
    empty = [folder.name for folder in empty_folders(masks)]
    if empty:
        named = ", ".join(empty)
        notes.append(f"masks in {named} are empty: such cases are kept, and nothing asked of them")
    return replace(
        found,
        modalities=modalities,
        labels=labels,
        notes=tuple(notes),
        empty_masks=bool(empty),
        split={composed(subject): side for subject, side in found.split.items()},
        columns={composed(subject): row for subject, row in found.columns.items()},
    )
