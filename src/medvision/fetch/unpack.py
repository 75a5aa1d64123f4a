"""Archives unpacked into a folder: all of it or nothing, nothing outside, no more than declared."""

import lzma
import re
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from medvision.errors import MissingExtraError
from medvision.fetch.archives import unpacker_of
from medvision.fetch.errors import (
    DamagedArchiveError,
    FetchError,
    MissingFilesError,
    disk_full,
    is_disk_full,
)
from medvision.fetch.records import FileFacts
from medvision.fetch.unpack_target import Limits, Target
from medvision.storage import sync

SCRATCH = ".unpack-"
"""Files come out of an archive in a folder of this prefix, beside where they belong."""

PART = re.compile(r"(?P<whole>.+?)(?:\.(?P<number>\d{3})|\.part(?P<rar>\d{1,5})(?P<suffix>\.rar))$")


def unpack(
    volumes: Sequence[Path], folder: Path, limits: Limits | None = None
) -> dict[str, FileFacts]:
    """Unpack an archive into a folder.

    Files that are there already are replaced; others stay. Until the last member is out and found
    whole, nothing is in the folder.

    Args:
        volumes: The archive's files in their order, most often one.
        folder: Where its members go; made if it is not there.
        limits: Most that it may hold.

    Returns:
        Path below the folder to size and digest of each file.

    Raises:
        UnsafeArchiveError: It would write elsewhere, or more than it may.
        DamagedArchiveError: It is no archive, or cannot be read to its end.
        DiskFullError: Its files do not fit.
        MissingExtraError: A library that reads such archives is not installed.
        FetchError: A program that reads such archives is not installed.
    """
    name = volumes[0].name
    folder.mkdir(parents=True, exist_ok=True)
    archive_bytes = sum(volume.stat().st_size for volume in volumes)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
        target = Target(Path(scratch), archive_bytes, limits or Limits())
        try:
            unpacker_of(volumes[0])(volumes, target)
        except MissingExtraError:
            raise
        except FetchError as error:
            msg = f"{name}: {str(error).removeprefix(f'{name}: ')}"
            raise type(error)(msg) from error
        except OSError as error:
            if is_disk_full(error):
                raise disk_full(folder, f"unpacking {name}") from error
            raise _damaged(name, error) from error
        except Exception as error:
            if not isinstance(error, BROKEN) and not type(error).__module__.startswith(READERS):
                raise
            raise _damaged(name, error) from error
        for path in target.files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            sync(target.folder / path)
            (target.folder / path).replace(folder / path)
    return target.files


BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,  # how zipfile says that a member is encrypted
    NotImplementedError,
    UnicodeDecodeError,
)
READERS = ("py7zr", "rarfile", "isal", "igzip_lib", "backports.zstd", "compression.zstd")
"""Libraries whose own errors say that an archive is broken."""


def _damaged(name: str, error: Exception) -> DamagedArchiveError:
    found = str(error) or type(error).__name__
    return DamagedArchiveError(
        f"{name}: cannot be unpacked, it may be damaged or cut off: {found}; if another program "
        "can, unpack it with that and give the folder with --from"
    )


def remove_scratch(folder: Path) -> None:
    """Remove what a killed process was unpacking into a folder."""
    for left in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)


def joined_volumes(names: Sequence[str]) -> dict[str, list[str]]:
    """Archive to its files in order: parts of one archive come together, others stand alone.

    Raises:
        MissingFilesError: A part between others is not there.

    Example:
        >>> joined_volumes(["b.7z.002", "a.zip", "b.7z.001"])
        {'b.7z': ['b.7z.001', 'b.7z.002'], 'a.zip': ['a.zip']}
    """
    numbered: dict[str, dict[int, str]] = {}
    for name in names:
        found = PART.fullmatch(name)
        whole = found["whole"] + (found["suffix"] or "") if found else name
        number = int(found["number"] or found["rar"]) if found else 1
        numbered.setdefault(whole, {})[number] = name
    for whole, parts in numbered.items():
        if absent := sorted(set(range(1, max(parts) + 1)) - set(parts)):
            msg = f"{whole}: part {absent[0]} of {max(parts)} is missing"
            raise MissingFilesError(msg)
    return {whole: [parts[at] for at in sorted(parts)] for whole, parts in numbered.items()}
