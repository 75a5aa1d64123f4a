"""A folder as the names of its files: walked once, read by all recognisers."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from medvision.errors import UsageError
from medvision.names import composed, existing_path
from medvision.table.cases import IMAGE_SUFFIXES, file_stem

JUNK_FOLDERS = frozenset({"__MACOSX", "__pycache__", "@eaDir"})
JUNK_FILES = frozenset({"Thumbs.db", "desktop.ini"})
"""What systems leave behind beside files whose names start with a dot."""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The files below a folder.

    Attributes:
        root: The folder.
        files: Paths relative to it, with `/`, composed, sorted; hidden files and what systems
            leave are not listed.
    """

    root: Path
    files: tuple[str, ...]

    @cached_property
    def folders(self) -> dict[str, tuple[str, ...]]:
        """Folder to the names of the files directly in it; "" is the root."""
        found: dict[str, list[str]] = {"": []}
        for file in self.files:
            path = PurePosixPath(file)
            folder = "" if str(path.parent) == "." else str(path.parent)
            found.setdefault(folder, []).append(path.name)
        return {folder: tuple(names) for folder, names in found.items()}

    @cached_property
    def images(self) -> dict[str, tuple[str, str]]:
        """Image file to its folder and its name without suffix."""
        found = {}
        for folder, names in self.folders.items():
            for name in names:
                stem = file_stem(Path(name), IMAGE_SUFFIXES)
                # Of a pair one file is the header that is opened; data files are no image alone.
                if stem is not None:
                    found[f"{folder}/{name}" if folder else name] = (folder, stem)
        return found

    @cached_property
    def images_of(self) -> dict[str, dict[str, str]]:
        """Folder to the image files directly in it, by their names without suffix.

        Of several files of one name the last is there; see `twins`.
        """
        found: dict[str, dict[str, str]] = {}
        for file, (folder, stem) in self.images.items():
            found.setdefault(folder, {})[stem] = file
        return found

    @cached_property
    def _by_place(self) -> dict[tuple[str, str], list[str]]:
        places: dict[tuple[str, str], list[str]] = {}
        for file, place in self.images.items():
            places.setdefault(place, []).append(file)
        return places

    def twins(self, file: str) -> list[str]:
        """An image file and those beside it of the same name without suffix."""
        return self._by_place[self.images[file]] if file in self.images else [file]

    def named(self, name: str) -> Iterator[str]:
        """Files of that name, whatever their folder."""
        return (file for file in self.files if PurePosixPath(file).name == name)

    def below(self, folder: str) -> tuple[str, ...]:
        """Files anywhere below a folder."""
        return tuple(file for file in self.files if file.startswith(f"{folder}/"))

    def path(self, file: str) -> Path:
        """Where a listed file is."""
        return existing_path(self.root / file)


def read_tree(root: Path) -> Tree:
    """The files below a folder; links to folders are followed, those in a circle once.

    Folders of tables, which may lie beside the files they are made of, are left out.

    Raises:
        UsageError: No such folder.
    """
    if not root.is_dir():
        msg = f"expected a folder, found none at {root}"
        raise UsageError(msg)
    files: set[str] = set()
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or "cases.parquet" in names:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(n for n in below if not n.startswith(".") and n not in JUNK_FOLDERS)
        at = Path(folder).relative_to(root)
        for name in sorted(names, key=lambda name: (name != composed(name), name)):
            if not name.startswith(".") and name not in JUNK_FILES:
                file = (at / name).as_posix()
                # Of two names that look the same, one stays as it is: neither is lost.
                files.add(file if composed(file) in files else composed(file))
    return Tree(root=root, files=tuple(sorted(files)))
