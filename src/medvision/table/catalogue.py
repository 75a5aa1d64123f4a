"""Datasets of the catalogue as build requests: fetched, and laid out below the data root."""

from dataclasses import replace
from pathlib import Path

from medvision.catalog.own import OwnCatalog
from medvision.fetch import fetch, raw_folder
from medvision.fetch.records import MANIFEST, read_records, unverified
from medvision.table.build import BuildRequest
from medvision.table.declared import declared_request, found_cases
from medvision.table.notes import excluded_note, file_notes, unverified_note
from medvision.table.subjects import read_subjects


def catalogue_request(
    name: str, root: Path, subjects: Path | None = None, catalog: Path | None = None
) -> BuildRequest:
    """The build request of a catalogued dataset, fetched first if need be.

    Files that a person has laid out below the raw folder, as the declaration names them, are used
    as they are.

    Args:
        name: Of the dataset.
        root: Data root.
        subjects: Table of subjects, if any.
        catalog: Folder with declarations of the user's own, if any.

    Raises:
        UsageError: No such dataset.
        FetchError: Its files cannot be obtained.
    """
    dataset = OwnCatalog.read(catalog).load(name)
    known = read_subjects(subjects) if subjects else None
    folder = raw_folder(root, name)
    raw = folder / dataset.root
    found = found_cases(dataset, raw, known)
    # Where archives were fetched, some may not have come yet: the cases of the others are not all.
    if dataset.cases or read_records(folder) or not found.listed:
        found = found_cases(dataset, fetch(dataset, root) / dataset.root, known)
    request = declared_request(dataset, found, root=root, subjects=known)
    # Of what is fetched, more is unpacked than is used.
    left = () if dataset.cases else file_notes(raw, {*found.used, folder / MANIFEST})
    doubts = unverified_note(unverified(read_records(folder)))
    return replace(request, notes=(*excluded_note(found.excluded), *left, *doubts))
