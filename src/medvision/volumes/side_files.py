"""Files that a header names: where they are, and whether they may be read."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from medvision.storage import absolute
from medvision.volumes.errors import (
    BadHeaderError,
    MissingFileError,
    OutsideFolderError,
    UnreadableFileError,
)

DATA_FOLDERS = "MEDVISION_DATA_FOLDERS"
"""Environment variable: further folders that headers may name files of, parted as in PATH."""

_MAX_FILES = 100_000
"""Of one image: a range in a header may count to any number."""

_PATTERN = re.compile(r"[^%]*%0?\d{0,2}d[^%]*")
"""A name with a place for one number, as C's printf has it: `slice%03d.raw`."""


def named_file(header: Path, name: str) -> Path:
    """The data file that a header names, beside the header or in folders below.

    Archives (git-annex, DVC, a hub's cache) keep files as links to blobs of other names: data lie
    beside the link, or else beside what it points to.

    Args:
        header: As the caller names it.
        name: As the header writes it: a name, a relative path or an absolute one.

    Raises:
        OutsideFolderError: It is neither below the header's folder nor below one of
            `$MEDVISION_DATA_FOLDERS`: a header from elsewhere could name any file of this machine.
        MissingFileError: It is not there.
        UnreadableFileError: It is a pipe, a device or a folder.
    """
    if "\0" in name:
        msg = f"{header}: expected the name of a data file, found {name[:80]!r}; repair the header"
        raise BadHeaderError(msg)
    folders = dict.fromkeys(absolute(place).parent for place in (header, header.resolve()))
    # By the words of the path alone: a link in the folder was put there by who has the folder.
    places = [Path(os.path.normpath(folder / name)) for folder in folders]
    further = [
        absolute(Path(word)) for word in os.environ.get(DATA_FOLDERS, "").split(os.pathsep) if word
    ]
    allowed = [
        place
        for place in places
        if any(place.is_relative_to(folder) for folder in (*folders, *further))
    ]
    if not allowed:
        msg = (
            f"{header}: its data file {name[:200]!r} lies outside the header's folder and is not "
            f"read; move it there, or allow its folder with {DATA_FOLDERS}={places[0].parent}"
        )
        raise OutsideFolderError(msg)
    found = next((place for place in allowed if place.exists()), None)
    if found is None:
        msg = f"{header}: its data file {name[:200]!r} is missing; keep header and data together"
        raise MissingFileError(msg)
    if not found.is_file():
        msg = f"{header}: expected a file of voxels, found a pipe, device or folder {found}"
        raise UnreadableFileError(msg)
    return found


def named_files(header: Path, names: Sequence[str]) -> tuple[Path, ...]:
    """The data files that a header names, in its order; errors as of `named_file`."""
    return tuple(named_file(header, name) for name in names)


def is_pattern(name: str) -> bool:
    """Whether a name has a place for one number.

    Example:
        >>> is_pattern("slice%03d.raw"), is_pattern("100%.raw")
        (True, False)
    """
    return _PATTERN.fullmatch(name) is not None


def numbered_names(pattern: str, numbers: range, header: Path) -> tuple[str, ...]:
    """Names by a pattern, one a number.

    Raises:
        BadHeaderError: Too many numbers, or none.

    Example:
        >>> numbered_names("s%02d.raw", range(9, 12), Path("a.mhd"))
        ('s09.raw', 's10.raw', 's11.raw')
    """
    if not 1 <= len(numbers) <= _MAX_FILES:
        msg = (
            f"{header}: expected 1 to {_MAX_FILES} data files {pattern}, found numbers from "
            f"{numbers.start} to {numbers.stop}; repair the header"
        )
        raise BadHeaderError(msg)
    return tuple(pattern % number for number in numbers)
