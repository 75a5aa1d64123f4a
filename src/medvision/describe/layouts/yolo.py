"""YOLO: `images/…/a.png` with `labels/…/a.txt`, or both in one folder, and names in a YAML file."""

from pathlib import PurePosixPath

from medvision.annotate.yolo import read_yolo_boxes, yolo_classes
from medvision.describe.found import Certainty, Found, FoundCase, FoundLabel
from medvision.describe.side_files import side_text
from medvision.describe.splits import split_word, two_sides
from medvision.describe.tree import Tree
from medvision.errors import ItemError

_CLASS_FILES = ("classes.txt", "obj.names", "data.yaml", "dataset.yaml", "data.yml")


def recognise(tree: Tree) -> Found | None:
    """Pictures with a text file of boxes each."""
    cases, lacking, broken, words = [], {}, {}, {}
    classes: set[str] = set()
    for file, (_, stem) in tree.images.items():
        text = _label_file(file, tree)
        if not text:
            lacking[stem] = f"no label file for {file}"
            continue
        try:  # sizes do not matter here: only whether these are boxes, and of which classes
            classes |= {box.label for box in read_yolo_boxes(tree.path(text), (1, 1))}
        except ItemError as error:
            broken[stem] = str(error)
            continue
        cases.append(FoundCase(case_id=stem, subject_id=stem, images={"image": file}, boxes=text))
        parts = PurePosixPath(file).parts[:-1]
        words[stem] = next((word for part in parts if (word := split_word(part))), "")
    # Texts beside pictures that are mostly no boxes are reports.
    if not classes or len(broken) > len(cases):
        return None
    named = [f for f in tree.files if PurePosixPath(f).name in _CLASS_FILES]
    names = {k: v for f in named for k, v in yolo_classes(side_text(tree.path(f))).items()}
    numbers = sorted(classes | set(names), key=int)
    split, more = two_sides(words)
    notes = ["each picture is taken for a subject of its own", *more]
    return Found(
        layout="YOLO",
        certainty=Certainty.CERTAIN if names else Certainty.LIKELY,
        reason="a text file of boxes for each picture"
        + (f", names in {named[0]}" if names else ""),
        cases=tuple(sorted(cases, key=lambda case: case.case_id)),
        modalities={"image": ""},
        labels=tuple(
            # Classes count from 0, which is the background of every table.
            FoundLabel(label_id=int(number) + 1, name=names.get(number, ""), found_as=number)
            for number in numbers
        ),
        lacking=lacking,
        broken=broken,
        side_files=tuple(named),
        split=split,
        notes=tuple(notes),
    )


def _label_file(image: str, tree: Tree) -> str:
    """The text file of an image: `labels` for the last `images` of its path, or beside it."""
    path = PurePosixPath(image).with_suffix(".txt")
    parts = list(path.parts)
    at = [n for n, part in enumerate(parts[:-1]) if part == "images"]
    if at:
        parts[at[-1]] = "labels"
    fits = (str(PurePosixPath(*parts)), str(path))
    return next((file for file in fits if file in tree.files), "")
