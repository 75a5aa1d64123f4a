"""Declarations of datasets: where the files come from, what they hold, how cases are found.

One TOML file per dataset in `catalog/datasets/`; reading one does no other I/O.
"""

import tomllib
from dataclasses import dataclass, field, fields
from enum import StrEnum
from importlib import resources
from typing import Any

from medvision.errors import UsageError


class SourceKind(StrEnum):
    """How a source's files are obtained."""

    PIP = "pip"
    """A file of the Python package index, through the user's own pip."""
    APT = "apt"
    """A Debian package, through the user's own apt-get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One pinned archive and the files wanted from it.

    Attributes:
        package: Package name, as its registry spells it.
        version: Exact version.
        sha256: Digest of the archive.
        files: Paths inside the archive; each is unpacked under its last component.
        sdist: Take the source archive, not the wheel (pip).
        build_requires: What pip needs beside it to read a source archive's metadata.
    """

    kind: SourceKind
    package: str
    version: str
    sha256: str
    files: tuple[str, ...]
    sdist: bool = False
    build_requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFiles:
    """One case of a dataset: file names below its raw folder.

    Attributes:
        mask_from_probabilities: Label id to probability map: a voxel takes the label of its
            largest map where that is at least 0.5. Used where a source has maps, not a mask.
    """

    case_id: str
    modality: str
    image: str
    cohort: str = ""
    mask: str = ""
    landmarks: str = ""
    mask_from_probabilities: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    target_labels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A declared dataset.

    Attributes:
        name: Name used on the command line and in tables.
        description: What the pictures are, as prompts say it (follows "This is a slice of a").
        access: "open", "registration" or "token".
        labels: Label id to name, for cases that declare none of their own.
        biometrics: The biometrics specification (landmarks, lines, angles, measure), or empty.
    """

    name: str
    title: str
    description: str
    licence: str
    homepage: str
    citation: str
    access: str
    size_mb: float
    sources: tuple[Source, ...]
    cases: tuple[CaseFiles, ...]
    labels: dict[str, str] = field(default_factory=dict)
    biometrics: dict[str, Any] = field(default_factory=dict)


def _checked(cls: type, values: dict[str, Any], where: str) -> dict[str, Any]:
    """The values, when each key is a field of the class and none without default is missing."""
    known = {entry.name for entry in fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        msg = f"{where}: unknown key {unknown}; known: {sorted(known)}"
        raise UsageError(msg)
    return values


def _source(values: dict[str, Any], where: str) -> Source:
    checked = dict(_checked(Source, values, where))
    checked["kind"] = SourceKind(checked["kind"])
    checked["files"] = tuple(checked["files"])
    checked["build_requires"] = tuple(checked.get("build_requires", ()))
    return Source(**checked)


def _case(values: dict[str, Any], where: str) -> CaseFiles:
    checked = dict(_checked(CaseFiles, values, where))
    checked["target_labels"] = tuple(checked.get("target_labels", ()))
    return CaseFiles(**checked)


def parse_dataset(text: str, where: str) -> Dataset:
    """A dataset from the text of its TOML declaration.

    Raises:
        UsageError: Unknown keys.
    """
    values = dict(_checked(Dataset, tomllib.loads(text), where))
    values["sources"] = tuple(_source(entry, where) for entry in values["sources"])
    values["cases"] = tuple(_case(entry, where) for entry in values["cases"])
    return Dataset(**values)


def dataset_names() -> list[str]:
    """Names of all declared datasets, sorted."""
    folder = resources.files("medvision.catalog") / "datasets"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load_dataset(name: str) -> Dataset:
    """The declared dataset of that name.

    Raises:
        UsageError: No such dataset; the message lists the known ones.
    """
    if name not in dataset_names():
        msg = f"no dataset {name!r} in the catalogue; known: {', '.join(dataset_names())}"
        raise UsageError(msg)
    entry = resources.files("medvision.catalog") / "datasets" / f"{name}.toml"
    return parse_dataset(entry.read_text(encoding="utf-8"), entry.name)
