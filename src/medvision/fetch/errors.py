"""What can go wrong while files are fetched; each class has a reason that summaries count."""

import errno
import shutil
from pathlib import Path

from medvision.errors import ItemError


class FetchError(ItemError):
    """A source could not be obtained."""

    reason = "fetch_failed"


class ChecksumError(FetchError):
    """What was obtained is not what the catalogue pins."""

    reason = "checksum_mismatch"


class NotFetchableError(FetchError):
    """A person has to get the files: an account, terms to accept, or a host without a client."""

    reason = "not_fetchable"


class LicenceNotAcceptedError(FetchError):
    """Licence and terms have not been accepted yet."""

    reason = "licence_not_accepted"


class MissingTokenError(FetchError):
    """A host wants to know who asks, and no token was found."""

    reason = "token_missing"


class MissingFilesError(FetchError):
    """Files that were given, or an archive, lack what the catalogue declares."""

    reason = "files_missing"


class UnsafeArchiveError(FetchError):
    """An archive would write where it must not, or more than it says."""

    reason = "unsafe_archive"


class DamagedArchiveError(FetchError):
    """An archive cannot be read to its end, or is none."""

    reason = "damaged_archive"


class DiskFullError(FetchError):
    """The files do not fit on the disk."""

    reason = "disk_full"


def is_disk_full(error: OSError) -> bool:
    """Whether a write failed for want of space, of the disk's or of the user's share."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def disk_full(folder: Path, doing: str) -> DiskFullError:
    """The error of a write that found no space.

    Args:
        folder: Where it was written.
        doing: In words: "unpacking a.zip".
    """
    return DiskFullError(
        f"{folder}: the disk is full while {doing}; nothing half written is left in place: "
        "free some space and run it again"
    )


def refuse_without_space(folder: Path, n_bytes: int, doing: str) -> None:
    """Refuse to begin what the disk has no space for.

    Args:
        folder: Where it would be written.
        n_bytes: What it takes.
        doing: In words: "unpacking a.zip".

    Raises:
        DiskFullError: Fewer bytes are free.
    """
    free_bytes = shutil.disk_usage(folder).free
    if n_bytes > free_bytes:
        msg = (
            f"{folder}: {doing} needs {n_bytes:,} bytes, {free_bytes:,} are free; free some space "
            "and run it again"
        )
        raise DiskFullError(msg)
