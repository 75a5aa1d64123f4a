"""COCO: one JSON file for many pictures, or one for each of train, val and test."""

import re
from pathlib import PurePosixPath

from medvision.annotate.coco import CocoFile, is_coco, read_coco
from medvision.describe.found import Certainty, Found, FoundCase, FoundLabel
from medvision.describe.side_files import json_files
from medvision.describe.splits import split_word, two_sides
from medvision.describe.tree import Tree
from medvision.errors import ItemError


def recognise(tree: Tree) -> Found | None:
    """Pictures that JSON files with images, annotations and categories list."""
    files, broken = _read(tree)
    if not files and not broken:
        return None
    by_name: dict[str, list[str]] = {}
    for file in tree.images:
        by_name.setdefault(PurePosixPath(file).name, []).append(file)
    cases, lacking, words = [], {}, {}
    keys: dict[str, None] = {}
    stems = [PurePosixPath(name).stem for coco in files.values() for name in coco.images]
    is_unique = len(set(stems)) == len(stems)
    for file, coco in files.items():
        parts = re.split(r"[^a-z]+", PurePosixPath(file).stem.lower())
        side = next((word for part in parts if (word := split_word(part))), "")
        for name, image in coco.images.items():
            listed = PurePosixPath(name.replace("\\", "/"))
            fits = [f for f in by_name.get(listed.name, []) if _ends(f, listed)]
            case_id = listed.stem if is_unique else str(listed.with_suffix("")).replace("/", "_")
            own = coco.annotations.get(image.image_id, ())
            if len(fits) != 1:
                lacking[case_id] = f"{len(fits)} files fit {name} of {file}, expected one"
                continue
            has_points = any(one.keypoints for one in own)
            keys |= dict.fromkeys(key for one in own for key in one.keypoints)
            cases.append(
                FoundCase(
                    case_id=case_id,
                    subject_id=case_id,
                    images={"image": fits[0]},
                    boxes=file if _has_boxes(coco) else "",
                    landmarks=file if has_points else "",
                )
            )
            words[case_id] = side
    split, notes = two_sides(words) if len(set(words.values())) > 1 else ({}, [])
    categories = {n: name for coco in files.values() for n, name in coco.categories.items()}
    has_zero = 0 in categories
    return Found(
        layout="COCO",
        certainty=Certainty.CERTAIN,
        reason=f"lists of images, annotations and categories in {', '.join(files)}",
        cases=tuple(sorted(cases, key=lambda case: case.case_id)),
        modalities={"image": ""},
        labels=tuple(
            FoundLabel(label_id=number + has_zero, name=name, found_as=name)
            for number, name in sorted(categories.items())
        )
        if any(_has_boxes(coco) for coco in files.values())
        else (),
        lacking=lacking,
        is_named=True,
        broken=broken,
        side_files=tuple(files),
        split=split,
        landmark_keys=tuple(keys),
        notes=("each picture is taken for a subject of its own", *notes),
    )


def _read(tree: Tree) -> tuple[dict[str, CocoFile], dict[str, str]]:
    """The COCO files of a tree, and those that cannot be read, with what is wrong."""
    whole, broken = json_files(tree, is_coco, ("images", "annotations", "categories"))
    files: dict[str, CocoFile] = {}
    for file in whole:
        try:
            files[file] = read_coco(tree.path(file))
        except ItemError as error:
            broken[file] = str(error)
    return files, broken


def _has_boxes(coco: CocoFile) -> bool:
    return any(one.box_xywh_px for own in coco.annotations.values() for one in own)


def _ends(file: str, listed: PurePosixPath) -> bool:
    return PurePosixPath(file).parts[-len(listed.parts) :] == listed.parts
