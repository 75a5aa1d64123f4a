"""Datasets of the catalogue as build requests: fetched, and laid out below the data root."""

from dataclasses import replace
from pathlib import Path

from medvision.catalog.check import refuse_mistakes
from medvision.catalog.own import OwnCatalog
from medvision.fetch import FetchSettings, fetch, raw_folder
from medvision.fetch.records import MANIFEST, read_records, unverified, was_begun
from medvision.table.build import BuildRequest
from medvision.table.declared import (
    FoundCases,
    declared_request,
    file_beside,
    found_cases,
    unmatched_notes,
)
from medvision.table.notes import excluded_note, file_notes, unverified_note
from medvision.table.subjects import Subjects, read_subjects


def catalogue_request(
    name: str,
    root: Path,
    subjects: Path | None = None,
    catalog: Path | None = None,
    *,
    settings: FetchSettings | None = None,
) -> BuildRequest:
    """The build request of a catalogued dataset, fetched first if need be.

    Files that a person has laid out below the raw folder, as the declaration names them, are used
    as they are.

    Args:
        name: Of the dataset.
        root: Data root.
        subjects: Table of subjects, instead of the one that a declaration names.
        catalog: Folder with declarations of the user's own, if any.
        settings: How files are obtained.

    Raises:
        DeclarationError: A declaration of the user's own contradicts itself.
        UsageError: No such dataset.
        FetchError: Its files cannot be obtained.
    """
    own = OwnCatalog.read(catalog)
    dataset, path = own.load(name), own.paths.get(name)
    here = path.parent if path else Path()
    if path:
        refuse_mistakes(dataset, str(path))
    table = subjects or file_beside(here, dataset.subjects)
    known = read_subjects(table) if table else Subjects()
    folder = raw_folder(root, name)
    # What is fetched may be a part of the archives still, and so of the cases: asked for again.
    found = FoundCases()
    if not dataset.cases and not was_begun(folder):
        found = found_cases(dataset, folder / dataset.root, known)
    if not found.listed:
        found = found_cases(dataset, fetch(dataset, root, settings=settings) / dataset.root, known)
    request = declared_request(dataset, found, here=here, root=root, subjects=known)
    # Of what is fetched, more is unpacked than is used.
    biometrics = file_beside(here, dataset.biometrics_file)
    said = {folder / MANIFEST, *(file for file in (path, table, biometrics) if file)}
    left = () if dataset.cases else file_notes(folder / dataset.root, found.used | said)
    if not path:  # what the catalogue itself says of cases is true of the whole dataset
        found.named_only.clear()
    unmatched = unmatched_notes(found, known)
    doubts = unverified_note(unverified(read_records(folder)))
    notes = (*excluded_note(found.excluded), *unmatched, *left, *doubts)
    return replace(request, notes=notes, is_declared=True)
