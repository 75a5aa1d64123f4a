"""Where a dataset's files come from: registries, hosts and pages, pinned as far as they can be."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Access = Literal["open", "registration", "token"]
Role = Literal["original", "copy", "private"]


class SourceKind(StrEnum):
    """How a source's files are obtained."""

    PIP = "pip"
    """A file of the Python package index, through the user's own pip."""
    APT = "apt"
    """A Debian package, through the user's own apt-get."""
    HUGGINGFACE = "huggingface"
    ZENODO = "zenodo"
    SYNAPSE = "synapse"
    GOOGLE_DRIVE = "google-drive"
    GRAND_CHALLENGE = "grand-challenge"
    DIRECT = "direct"
    """A file behind a plain address."""
    OTHER = "other"
    """A page or tool of the data's owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place to get files from, pinned as far as it can be.

    Attributes:
        kind: How its files are obtained.
        package: Package name, as its registry spells it (pip, apt).
        version: Exact version (pip, apt).
        sha256: Digest of the archive (pip, apt).
        files: Paths inside the archive, each unpacked under its last component (pip, apt); else
            names of the files to download.
        sdist: Take the source archive, not the wheel (pip).
        build_requires: What pip needs beside it to read a source archive's metadata.
        id: Record or repository, as the host names it.
        url: Address of a page or file.
        revision: Commit of a repository; "" where none is known.
        role: Whether these are the owner's files, a copy of them, or a copy users make themselves.
        access: What it takes to download from here.
        note: Which part it is, and what to mind.
    """

    kind: SourceKind
    package: str = ""
    version: str = ""
    sha256: str = ""
    files: tuple[str, ...] = ()
    sdist: bool = False
    build_requires: tuple[str, ...] = ()
    id: str = ""
    url: str = ""
    revision: str = ""
    role: Role = "original"
    access: Access = "open"
    note: str = ""
