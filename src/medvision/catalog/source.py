"""Where a dataset's files come from: registries, hosts and pages, pinned as far as they can be."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, get_args

from annotated_types import Ge

from medvision.declarations import Short

Access = Literal["open", "registration", "token"]
Role = Literal["original", "copy", "private"]
ROLES: tuple[Role, ...] = get_args(Role)
Bytes = Annotated[int, Ge(0)]


class SourceKind(StrEnum):
    """How a source's files are obtained."""

    PIP = "pip"
    """A file of the Python package index, through the user's own pip."""
    APT = "apt"
    """A Debian package, through the user's own apt-get."""
    HUGGINGFACE = "huggingface"
    """Files of a dataset repository, through huggingface_hub."""
    ZENODO = "zenodo"
    FIGSHARE = "figshare"
    """All files of an article as one archive."""
    S3 = "s3"
    """Files below the address of a public bucket, by plain HTTP."""
    DIRECT = "direct"
    """A file behind a plain address."""
    SYNAPSE = "synapse"
    """Files of a Synapse project, through synapseclient."""
    GOOGLE_DRIVE = "google-drive"
    """Files below a shared folder, through gdown."""
    KAGGLE = "kaggle"
    """Files of a Kaggle dataset."""
    OWNER_TOOL = "owner-tool"
    """A program of the data's owner that a person runs."""
    GRAND_CHALLENGE = "grand-challenge"
    """A page of a challenge that a person joins."""
    OTHER = "other"
    """A page of the data's owner."""


BY_HAND = (SourceKind.OWNER_TOOL, SourceKind.GRAND_CHALLENGE, SourceKind.OTHER)
"""Kinds that a person has to go through."""

PACKAGES = (SourceKind.PIP, SourceKind.APT)
"""Kinds whose files are in packages of a registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One file to download, most often an archive.

    Attributes:
        name: As the host has it, with its folders. Of Hugging Face also a pattern with `*`, for all
            files that fit.
        sha256: Digest, where known.
        md5: Digest that the host states instead.
        size_bytes: Size, where known.
        unpacked_bytes: Size of what it holds, where known.
        id: What the host calls it, where that is not its name (Synapse, Google Drive).
        unpack: Whether it is an archive; other files are kept as they are.
        into: Folder below the raw folder that it goes to.
        holds: Patterns of what must be in it, seen from `into`: `*` within a name, `**` for any
            folders. They tell an unpacked folder too.
        inner: Patterns of archives in it that are unpacked too, where they lie.
    """

    name: str
    sha256: str = ""
    md5: str = ""
    size_bytes: Bytes | None = None
    unpacked_bytes: Bytes | None = None
    id: str = ""
    unpack: bool = True
    into: str = ""
    holds: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place to get files from, pinned as far as it can be.

    Attributes:
        kind: How its files are obtained.
        package: Package name, as its registry spells it (pip, apt).
        version: Exact version (pip, apt).
        sha256: Digest of the package (pip, apt).
        files: Paths inside the package, each unpacked under its last component (pip, apt).
        sdist: Take the source archive, not the wheel (pip).
        build_requires: What pip needs beside it to read a source archive's metadata.
        id: Record or repository, as the host names it.
        url: Address of a page, of a file, or of what lies below it (s3).
        downloads: Files to download; empty where nobody says what they are called.
        steps: What a person does to get them, one step each (by hand, owner's tool).
        revision: Commit of a repository; "" where none is known.
        role: Whether these are the owner's files, a copy of them, or a copy users make themselves.
        on_request: Whether it is taken only where a user asks for its role: a copy that lacks a
            part, or that the licence may not allow.
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
    downloads: tuple[Short[Download], ...] = ()
    steps: tuple[str, ...] = ()
    revision: str = ""
    role: Role = "original"
    on_request: bool = False
    access: Access = "open"
    note: str = ""

    @property
    def by_program(self) -> bool:
        """Whether a program can download it, if with a token."""
        if self.kind in PACKAGES:
            return True
        return self.kind not in BY_HAND and bool(self.downloads and (self.id or self.url))

    @property
    def name(self) -> str:
        """Kind and id, as records of what was fetched call it."""
        return f"{self.kind}:{self.id or self.url or self.package}"
