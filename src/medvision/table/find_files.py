"""Files that fit a pattern, found folder by folder; links are followed by their own names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medvision.catalog.patterns import FOLDERS, FilePattern
from medvision.names import composed
from medvision.table.cases import file_stem
from medvision.volumes import companion_files

HEADERS = (".hdr", ".nhdr", ".mhd")
"""Headers whose voxels are in other files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file or folder, and what the parts of its pattern stand for."""

    path: Path
    parts: Mapping[str, str]


def found_files(root: Path, pattern: FilePattern, suffixes: tuple[str, ...]) -> list[FoundFile]:
    """Files and folders below a root that fit a pattern, in the order of their names.

    Args:
        root: Where the pattern starts.
        pattern: Its last name, if it ends in no suffix, fits a file with any of the suffixes.
        suffixes: Those of files that may be meant.
    """
    found = {file.path: file for file in _found(root, pattern, suffixes, 0, {}, (root.resolve(),))}
    return [found[path] for path in sorted(found)]


def data_folders(folder: Path) -> set[Path]:
    """Folders below one that hold the voxels of its headers and nothing else: `raw/` of `a.mhd`.

    Such a folder is no series of slices and no folder of structures.
    """
    entries = list(folder.iterdir())
    headers = [entry for entry in entries if entry.suffix.lower() in HEADERS]
    data = {file.resolve() for header in headers for file in companion_files(header)}
    below: dict[Path, set[Path]] = {}
    for entry in entries if data else ():
        if entry.is_dir():
            below[entry] = {file.resolve() for file in entry.rglob("*") if not file.is_dir()}
    return {entry for entry, files in below.items() if files and files <= data}


def _found(
    folder: Path,
    pattern: FilePattern,
    suffixes: tuple[str, ...],
    place: int,
    known: Mapping[str, str],
    above: Sequence[Path],
) -> Iterator[FoundFile]:
    try:
        if not folder.is_dir():
            return
    except OSError:  # a declared name that is longer than names can be
        return
    is_last = place == len(pattern.names) - 1
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if pattern.names[place] == FOLDERS:
        yield from _found(folder, pattern, suffixes, place + 1, known, above)
        for entry in entries:
            # A link to a folder that it lies in would be followed for ever.
            if entry.is_dir() and (real := entry.resolve()) not in above:
                yield from _found(entry, pattern, suffixes, place, known, (*above, real))
        return
    expression = pattern.expression(place, known)
    no_case = data_folders(folder) if is_last else set()
    for entry in entries:
        name: str | None = entry.name
        if is_last and not pattern.is_whole and not entry.is_dir():
            name = file_stem(entry, suffixes)
        match = expression.fullmatch(composed(name)) if name else None
        if match is None:
            continue
        parts = {**known, **match.groupdict()}
        if is_last and entry not in no_case:
            yield FoundFile(path=entry, parts=parts)
        elif not is_last and entry.is_dir():
            yield from _found(entry, pattern, suffixes, place + 1, parts, (*above, entry.resolve()))
