"""3D Slicer scenes: a volume, its segmentation `*.seg.nrrd`, and perhaps markups and `*.mrml`.

Each folder with a segmentation is a case; the volume is the one image in it that is no
segmentation, or the one that the segmentation is named after.
"""

import re
from pathlib import PurePosixPath

from medvision.describe.found import Certainty, Found, FoundCase, FoundLabel
from medvision.describe.tree import Tree
from medvision.errors import ItemError
from medvision.names import plain_name
from medvision.volumes.guard import names_file
from medvision.volumes.slicer_seg import ListedSegment, slicer_segments
from medvision.volumes.suffixes import NRRD, ending

_SEGMENTATION = re.compile(r"[-_.](seg|segmentation)$", re.IGNORECASE)


def recognise(tree: Tree) -> Found | None:
    """Folders that hold segmentations which Slicer has written."""
    listed, broken = _read(tree)
    if not listed and not broken:
        return None
    cases, lacking = [], {}
    for file in listed:
        folder, stem = tree.images[file]
        alone = [f for f in listed if tree.images[f][0] == folder] == [file]
        plain = _SEGMENTATION.sub("", stem)
        case_id = PurePosixPath(folder).name if alone and folder else plain
        volumes = {
            other: name
            for other, (where, name) in tree.images.items()
            if where == folder and other not in listed
        }
        named = [other for other, name in volumes.items() if name == plain]
        chosen = named or (list(volumes) if alone else [])
        if len(chosen) != 1:
            lacking[case_id] = f"{len(chosen)} volumes fit {file}, expected one"
            continue
        marks = [
            f"{folder}/{name}" if folder else name
            for name in tree.folders[folder]
            if name.endswith((".mrk.json", ".fcsv"))
        ]
        cases.append(
            FoundCase(
                case_id=case_id,
                subject_id=case_id,
                images={"image": chosen[0]},
                mask=file,
                landmarks=marks[0] if len(marks) == 1 else "",
            )
        )
    held = {tree.images[file][0] for file in listed}
    for file, (folder, stem) in tree.images.items():
        case_id = PurePosixPath(folder).name or stem
        if folder not in held and case_id not in broken:
            lacking[case_id] = f"no segmentation for {file}"
    scenes = [file for file in tree.files if file.endswith(".mrml")]
    labels, notes = _labels(listed)
    return Found(
        layout="3D Slicer scenes",
        certainty=Certainty.CERTAIN,
        reason=f"segmentations that list their segments: {len(listed)}",
        cases=tuple(cases),
        modalities={"image": ""},
        labels=labels,
        lacking=lacking,
        broken=broken,
        side_files=tuple(scenes),
        notes=("each scene is taken for a subject of its own", *notes),
    )


def _read(tree: Tree) -> tuple[dict[str, tuple[ListedSegment, ...]], dict[str, str]]:
    """Segmentations with their segments; cases of those that cannot be read, and why."""
    listed: dict[str, tuple[ListedSegment, ...]] = {}
    broken: dict[str, str] = {}
    for file, (folder, stem) in tree.images.items():
        if ending(file, NRRD) is None:
            continue
        path = tree.path(file)
        try:
            with names_file(path):
                segments = slicer_segments(path)
        except ItemError as error:
            if _SEGMENTATION.search(stem):  # by its name; others may be volumes, or of no scene
                broken[PurePosixPath(folder).name or _SEGMENTATION.sub("", stem)] = str(error)
        else:
            if segments:
                listed[file] = segments
    return listed, broken


def _labels(
    listed: dict[str, tuple[ListedSegment, ...]],
) -> tuple[tuple[FoundLabel, ...], list[str]]:
    """Structures by name over all files, numbered as they first come."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for segments in listed.values():
        for segment in segments:
            names.setdefault(plain_name(segment.name), segment.name)
            counts[plain_name(segment.name)] = counts.get(plain_name(segment.name), 0) + 1
    rare = [f"{names[n]} ({c} of {len(listed)})" for n, c in counts.items() if c < len(listed)]
    notes = [f"segments that not every file has: {', '.join(rare)}"] if rare else []
    labels = tuple(
        FoundLabel(label_id=n, name=name, found_as=name)
        for n, name in enumerate(names.values(), start=1)
    )
    return labels, notes
