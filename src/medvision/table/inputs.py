"""What a case is made from, byte for byte: files, series folders, headers with their data files."""

import errno
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from medvision.storage import absolute, sha256_file
from medvision.table.cases import CaseSource, Unpaired
from medvision.table.manifest import content_key
from medvision.volumes import companion_files


def case_inputs(case: CaseSource) -> list[Path]:
    """Files and folders of a case, each once: images, masks, landmarks, boxes, transforms."""
    alone = [path for path in (case.mask, case.boxes) if path is not None]
    masks = [*alone, *(mask.path for mask in case.masks)]
    # Of a table of all cases, the case holds what is said of it: other rows do not matter.
    points = [one.path for one in case.landmarks if one.stated is None]
    moved = [image.transform for image in case.images if image.transform is not None]
    return list(dict.fromkeys([*(image.path for image in case.images), *masks, *points, *moved]))


def in_text(
    cases: Iterable[CaseSource], unpaired: Iterable[Unpaired]
) -> tuple[list[CaseSource], list[Unpaired]]:
    """Cases whose names and paths tables can hold, and all others with their bytes spelled out.

    File names are bytes; Python carries those that are not UTF-8 as lone surrogates, which no file
    of ours can hold.
    """
    sound, others = [], list(unpaired)
    for case in cases:
        names = [
            case.case_id,
            case.subject_id,
            *(str(absolute(path)) for path in case_inputs(case)),
        ]
        odd = next((name for name in names if _spelled_out(name) != name), None)
        if odd is None:
            sound.append(case)
            continue
        message = f"{_spelled_out(odd)}: expected a name in UTF-8, found other bytes; rename it"
        others.append(
            Unpaired(case_id=case.case_id, subject_id="", message=message, reason="unsafe_name")
        )
    return sound, [
        replace(
            one,
            case_id=_spelled_out(one.case_id),
            subject_id=_spelled_out(one.subject_id),
            message=_spelled_out(one.message),
        )
        for one in others
    ]


def _spelled_out(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def input_digests(cases: Iterable[CaseSource]) -> tuple[dict[Path, str], dict[Path, OSError]]:
    """Digest of every input of the cases that can be read, and why the others cannot."""
    digests: dict[Path, str] = {}
    unreadable: dict[Path, OSError] = {}
    # One COCO file may hold the boxes or the landmarks of all cases.
    for path in dict.fromkeys(path for case in cases for path in case_inputs(case)):
        try:
            digests[path] = input_digest(path)
        except OSError as error:
            unreadable[path] = error
    return digests, unreadable


def moved_input(path: Path, root: Path, digest: str) -> Path:
    """Where a file is that was moved with the folders around it.

    Args:
        path: Where it was.
        root: Stands for one of the folders above it.
        digest: As of `input_digest`; "" takes any file of that place.

    Returns:
        The path itself where it is still there, or where the root has no such file.
    """
    if path.exists():
        return path
    # The longest way first: `a/images/1.png` is not the `1.png` that may lie in the root.
    places = (root.joinpath(*path.parts[n:]) for n in range(1, len(path.parts)))
    found = (place for place in places if place.exists())
    return next((place for place in found if digest in ("", input_digest(place))), path)


def input_digest(path: Path) -> str:
    """SHA-256 of a file; with those that are read with it, or of a folder, of all their digests.

    Raises:
        OSError: A file cannot be read, or is a pipe or a device.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        digests = {str(file.relative_to(path.parent)): sha256_file(file) for file in files}
        for file in files:
            for data in companion_files(file):
                if not data.is_relative_to(absolute(path)):  # the others are among the files
                    digests[f"{file.name}: {data.name}"] = sha256_file(data)
        return content_key(digests)
    if path.exists() and not path.is_file():  # opening a pipe would wait for its other end
        raise OSError(errno.EINVAL, "a pipe or a device")
    others = companion_files(path)
    if not others:
        return sha256_file(path)
    return content_key({"files": [sha256_file(file) for file in (path, *others)]})
