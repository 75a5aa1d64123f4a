"""Flat folders: images in one, masks or landmarks of the same names in another beside it."""

from pathlib import Path, PurePosixPath

from medvision.describe.found import Certainty, Found, FoundCase
from medvision.describe.splits import split_word, two_sides
from medvision.describe.tree import Tree
from medvision.errors import UsageError
from medvision.names import composed
from medvision.table.folders import Folders, find_cases

IMAGES = ("image", "images", "img", "imgs", "imagestr", "scan", "scans", "volume", "volumes", "ct")
MASKS = (
    *("mask", "masks", "label", "labels", "labelstr", "seg", "segs", "segmentation"),
    *("segmentations", "gt", "groundtruth", "ground_truth", "annotation", "annotations"),
)
LANDMARKS = ("landmark", "landmarks", "points", "markups")
"""Names of folders, in lower case."""


def recognise(tree: Tree) -> Found | None:
    """Folders called images beside folders called masks, labels or landmarks."""
    sides = {"images": IMAGES, "masks": MASKS, "landmarks": LANDMARKS}
    tops: dict[str, dict[str, str]] = {}
    for folder in tree.folders:
        path = PurePosixPath(folder)
        for side, names in sides.items():
            if folder and path.name.lower() in names:
                top = "" if str(path.parent) == "." else str(path.parent)
                tops.setdefault(top, {}).setdefault(side, folder)
    pairs = {top: found for top, found in tops.items() if "images" in found and len(found) > 1}
    cases: list[FoundCase] = []
    lacking: dict[str, str] = {}
    ambiguous: dict[str, str] = {}
    words: dict[str, str] = {}
    for top, found in pairs.items():
        paths = {side: tree.path(folder) for side, folder in found.items()}
        where = Folders(
            images=paths["images"], masks=paths.get("masks"), landmarks=paths.get("landmarks")
        )
        try:  # of the modality nothing is taken over
            own, unpaired = find_cases(where, modality="CT")
        except UsageError:  # no file there that is read
            continue
        before = f"{top.replace('/', '_')}_" if len(pairs) > 1 and top else ""
        side = next((w for part in PurePosixPath(top).parts if (w := split_word(part))), "")
        for case in own:
            case_id = f"{before}{case.case_id}"
            cases.append(
                FoundCase(
                    case_id=case_id,
                    subject_id=case_id,
                    images={one.id: _relative(tree, one.files) for one in case.images},
                    mask=_relative(tree, case.mask) if case.mask else "",
                    landmarks=next((_relative(tree, one) for one in case.landmarks), ""),
                )
            )
            words[case_id] = side
        for one in unpaired:
            why = one.message.partition(": ")[2].partition(";")[0]
            told = ambiguous if one.reason == "ambiguous" else lacking
            told[f"{before}{one.case_id}"] = why
    if not cases and not lacking and not ambiguous:
        return None
    listed = ", ".join(folder for found in pairs.values() for folder in found.values())
    split, more = two_sides(words)
    notes = ["each case is taken for a subject of its own", *more]
    return Found(
        layout="folders of images and masks",
        certainty=Certainty.LIKELY,
        reason=f"folders {listed} with files of the same names",
        cases=tuple(cases),
        modalities=dict.fromkeys({i: "" for case in cases for i in case.images}, ""),
        lacking=lacking,
        ambiguous=ambiguous,
        split=split,
        notes=tuple(notes),
    )


def _relative(tree: Tree, path: str) -> str:
    return composed(Path(path).relative_to(tree.root).as_posix())
