"""Files that a user has already: archives as downloaded, or folders as they were unpacked."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from medvision.catalog.source import Download
from medvision.fetch.records import FileFacts
from medvision.fetch.unpack_target import JUNK
from medvision.storage import sync


def fits(pattern: str, path: str) -> bool:
    """Whether a path below a folder fits a pattern: `*` within a name, `**` for any folders.

    Example:
        >>> fits("s*/segmentations/*.nii.gz", "s0001/segmentations/liver.nii.gz")
        True
        >>> fits("*.nii.gz", "s0001/ct.nii.gz"), fits("**/*.bmp", "RawImage/Test/001.bmp")
        (False, True)
    """
    escaped = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(escaped, path) is not None


def lacking(wanted: Download, paths: Iterable[str]) -> list[str]:
    """Patterns of what must be in an archive that none of its files fits."""
    listed = list(paths)
    return [p for p in wanted.holds if not any(fits(p, path) for path in listed)]


def given_files(wanted: Download, given: Path) -> dict[str, Path]:
    """The files below a folder that a download stands for, by their names.

    A file lies where the host has it, or anywhere, if only once; of a pattern, all that fit.
    """
    name = Path(wanted.name).name
    if "*" in wanted.name:
        # Files that are no archives lie in folders that tell them apart: see `given_unpacked`.
        found = sorted(given.rglob(name)) if wanted.unpack else []
        return {str(path.relative_to(given)): path for path in found if path.is_file()}
    for path in (given / wanted.into / name, given / wanted.name, given / name):
        if path.is_file():
            return {wanted.name: path}
    found = [path for path in given.rglob(name) if path.is_file()]
    return {wanted.name: found[0]} if len(found) == 1 else {}


def given_unpacked(wanted: Download, given: Path) -> dict[str, Path] | None:
    """Files of an archive that was unpacked below a folder; None where it was not.

    An archive may have been unpacked into the folder itself, or into one of its own name.

    Returns:
        Path as in the archive to the file.
    """
    if not wanted.holds:
        return None
    stem = re.sub(r"\.(zip|7z|rar|tgz|tar(\.\w+)?)$", "", Path(wanted.name).name)
    for base in (given, given / wanted.into, given / stem):
        if not base.is_dir():
            continue
        tops = {pattern.partition("/")[0] for pattern in wanted.holds}
        entries = [e for e in sorted(base.iterdir()) if any(fits(t, e.name) for t in tops)]
        below = (path for entry in entries for path in (entry, *sorted(entry.rglob("*"))))
        files = {str(path.relative_to(base)): path for path in below if path.is_file()}
        files = {name: path for name, path in files.items() if not JUNK.search(name)}
        if not wanted.unpack:
            files = {n: p for n, p in files.items() if any(fits(h, n) for h in wanted.holds)}
        # What lies beside it may be of another archive that has the same folders.
        if files and not lacking(wanted, files):
            return files
    return None


def adopt(files: dict[str, Path], folder: Path) -> dict[str, FileFacts]:
    """Put files of the user's where an archive's would go: as links to the same bytes if possible.

    Args:
        files: Path below `folder` to the file.
        folder: Where they go.
    """
    for name, path in files.items():
        place(path, folder / name)
    return {name: FileFacts(size_bytes=(folder / name).stat().st_size) for name in files}


def place(path: Path, target: Path) -> None:
    """Put a file that stays where it is in another place too, without a second copy if possible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        os.link(path.resolve(), draft)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(path, draft)
        sync(draft)
    draft.replace(target)
    draft.unlink(missing_ok=True)  # a rename onto another link to the same bytes does nothing
