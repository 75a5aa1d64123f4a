"""LabelMe: a JSON file of shapes for each picture, which it names; points are landmarks."""

from pathlib import PurePosixPath
from typing import Any

from medvision.annotate.labelme import is_labelme
from medvision.describe.found import Certainty, Found, FoundCase
from medvision.describe.side_files import json_files
from medvision.describe.tree import Tree
from medvision.names import composed


def recognise(tree: Tree) -> Found | None:
    """Pictures whose JSON files of shapes hold points."""
    read, wrong = json_files(tree, is_labelme, ("shapes", "imagePath"))
    if not read and not wrong:
        return None
    cases, lacking = [], {}
    kinds: set[str] = set()
    keys: dict[str, None] = {}
    for file, content in read.items():
        shapes = [str(s.get("shape_type", "")) for s in content["shapes"] if isinstance(s, dict)]
        kinds |= set(shapes)
        points = [s for s in content["shapes"] if isinstance(s, dict) and _is_point(s)]
        keys |= dict.fromkeys(str(point.get("label", "")) for point in points)
        stem = PurePosixPath(file).stem
        image = _image(tree, file, composed(str(content["imagePath"])))
        if not image:
            lacking[stem] = f"no picture {content['imagePath']} for {file}"
        elif "point" not in shapes:
            lacking[stem] = f"no point among the shapes of {file}"
        else:
            cases.append(
                FoundCase(case_id=stem, subject_id=stem, images={"image": image}, landmarks=file)
            )
    other = sorted(kinds - {"point", ""})
    notes = ["each picture is taken for a subject of its own"]
    if other:
        notes.append(f"shapes of other kinds are not read: {', '.join(other)}")
    return Found(
        layout="LabelMe",
        certainty=Certainty.CERTAIN,
        reason=f"JSON files with shapes and the name of their picture: {len(read)}",
        cases=tuple(cases),
        modalities={"image": ""},
        lacking=lacking,
        is_named=True,
        broken={PurePosixPath(file).stem: why for file, why in wrong.items()},
        landmark_keys=tuple(keys),
        notes=tuple(notes),
    )


def _is_point(shape: dict[str, Any]) -> bool:
    return shape.get("shape_type") == "point"


def _image(tree: Tree, file: str, named: str) -> str:
    """The picture that a file names, relative to itself, or the one of its own name."""
    folder = PurePosixPath(file).parent
    name = PurePosixPath(named.replace("\\", "/")).name
    by_name = [image for image in tree.images if PurePosixPath(image).name == name]
    beside = [image for image in by_name if PurePosixPath(image).parent == folder]
    fits = beside or by_name
    return fits[0] if len(fits) == 1 else ""
