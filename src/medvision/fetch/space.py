"""What a fetch takes on the disk, before it begins."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from medvision.catalog.source import Source
from medvision.fetch.errors import DiskFullError
from medvision.fetch.records import plain_name
from medvision.fetch.settings import FetchSettings
from medvision.fetch.ways import Wanted

DOWNLOADS = ".downloads"
"""Folder below the raw folder in which archives lie until they are unpacked, or longer."""


def downloads_of(source: Source, folder: Path) -> Path:
    """Where a source's archives lie: two sources may give their files the same names."""
    return folder / DOWNLOADS / plain_name(source.name)


def needed_bytes(missing: Iterable[Wanted], folder: Path) -> tuple[int, int]:
    """What is still to be downloaded and what unpacking it takes, as far as sizes are known."""
    download = unpacked = 0
    for one in missing:
        for part in one.parts:
            path = downloads_of(one.source, folder) / part.name
            come = [p.stat().st_size for p in (path, Path(f"{path}.part")) if p.exists()]
            download += max(0, (part.size_bytes or 0) - sum(come))
        whole = one.size_bytes or 0
        unpacked += (one.declared.unpacked_bytes or whole) if one.declared.unpack else 0
    return download, unpacked


def refuse_what_does_not_fit(
    name: str, folder: Path, missing: list[Wanted], settings: FetchSettings
) -> None:
    """Refuse to begin what the disk has no space for.

    Raises:
        DiskFullError: It has less than the downloads and what is in them take.
    """
    download, unpacked = needed_bytes(missing, folder)
    if settings.given:
        download = 0
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if download + unpacked > free:
        msg = (
            f"{name}: needs {gigabytes(download)} to download and {gigabytes(unpacked)} to unpack, "
            f"{gigabytes(free)} are free at {folder}; nothing was begun: free some space, or take "
            "another disk with --root"
        )
        raise DiskFullError(msg)


def gigabytes(n_bytes: float) -> str:
    """A size in words.

    Example:
        >>> gigabytes(23_581_218_285), gigabytes(5_200_000)
        ('23.6 GB', '5.2 MB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
