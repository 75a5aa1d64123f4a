"""Declared datasets as build requests: their files found, paired, and named."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medvision.catalog.asked import DESCRIPTIONS, asked_images
from medvision.catalog.biometrics import read_biometrics_spec
from medvision.catalog.check import refuse_mistakes
from medvision.catalog.cohort import LandmarkTable
from medvision.catalog.dataset import Dataset, read_dataset
from medvision.errors import ItemError, UsageError
from medvision.names import composed, existing_path
from medvision.table.annotate_case import AnnotateOptions
from medvision.table.build import BuildRequest
from medvision.table.cases import (
    IMAGE_SUFFIXES,
    CaseSource,
    LandmarkSource,
    Unpaired,
    case_names,
    file_stem,
)
from medvision.table.declared_cases import cohort_case, declared_structures, listed_case
from medvision.table.frame_cases import frame_cases
from medvision.table.inputs import case_inputs
from medvision.table.landmark_tables import table_points
from medvision.table.notes import Note, NoteKind, excluded_note, file_notes, note, row_notes
from medvision.table.pairing import PairedCase, paired_cases
from medvision.table.spacings import case_spacings
from medvision.table.subjects import Subjects, read_subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCases:
    """Cases whose files are there, those that lack one, and what the patterns found.

    Attributes:
        used: Every file and folder that a pattern found or a case names.
        excluded: Cases left out, each with the reason.
        rows_left: Names that no case has, in tables of landmarks and of spacings.
        named_only: Ids that the declaration says something of, and no case has.
        known: Ids and subjects of all cases, complete or not.
        file_names: What tables may call cases beside that.
    """

    cases: list[CaseSource] = field(default_factory=list)
    unpaired: list[Unpaired] = field(default_factory=list)
    used: set[Path] = field(default_factory=set)
    excluded: dict[str, str] = field(default_factory=dict)
    rows_left: dict[str, list[str]] = field(default_factory=dict)
    named_only: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    file_names: set[str] = field(default_factory=set)

    @property
    def listed(self) -> bool:
        """Whether any file of any case is there."""
        return bool(self.cases or self.unpaired)


def own_request(path: Path, subjects: Path | None = None) -> BuildRequest:
    """The build request of a declaration of the user's own.

    Args:
        path: TOML file; the paths in it are seen from its folder.
        subjects: Table of subjects, instead of the one that it names.

    Raises:
        DeclarationError: It cannot be read, or contradicts itself.
        UsageError: Its patterns find no file, or pair none.
    """
    dataset, here = read_dataset(path), path.parent
    table = subjects or file_beside(here, dataset.subjects)
    known = read_subjects(table) if table else Subjects()
    own = (path, *([table] if table else []))
    request = dataset_request(dataset, str(path), here=here, subjects=known, own=own)
    return replace(request, is_declared=True)


def dataset_request(
    dataset: Dataset,
    where: str,
    *,
    here: Path = Path(),
    subjects: Subjects,
    own: Collection[Path] = (),
) -> BuildRequest:
    """The build request of a dataset whose files lie below its root.

    Args:
        dataset: The declaration.
        where: What is named in errors: the file that declares it, or the folder.
        here: Folder that its paths are seen from.
        subjects: What is known of them.
        own: Files that say something of the dataset and belong to no case.

    Raises:
        DeclarationError: It contradicts itself.
        UsageError: Its patterns find no file, or pair none.
    """
    refuse_mistakes(dataset, where)
    root = here / dataset.root
    found = found_cases(dataset, root, subjects)
    if not found.listed:
        looked = [
            image.files for cohort in dataset.cohorts for way in cohort.ways for image in way.images
        ]
        msg = f"{where}: no file below {root} fits {', '.join(looked)}"
        raise UsageError(msg)
    measured = file_beside(here, dataset.biometrics_file)
    said = {*own, *([measured] if measured else [])}
    notes = (
        *excluded_note(found.excluded),
        *unmatched_notes(found, subjects),
        *file_notes(root, found.used | said),
    )
    request = declared_request(dataset, found, here=here, subjects=subjects)
    return replace(request, notes=notes)


def file_beside(here: Path, name: str) -> Path | None:
    """A file that a declaration names, seen from its folder; None where it names none."""
    return existing_path(here / name) if name else None


def unmatched_notes(found: FoundCases, subjects: Subjects) -> Iterator[Note]:
    """Names in a user's own tables and declaration that no case has."""
    known = found.known | {name for one in found.unpaired for name in (one.case_id, one.subject_id)}
    left = {
        table: _without(names, known | found.file_names) for table, names in found.rows_left.items()
    }
    left["the table of subjects"] = _without(subjects.by_case or subjects.by_subject, known)
    yield from row_notes(left)
    if found.named_only:
        words = "ids in excluded or placeholder_spacing that no case has"
        yield note(NoteKind.CASE_UNKNOWN, words, found.named_only)


def _without(names: Iterable[str], known: Collection[str]) -> list[str]:
    return [name for name in names if name not in known]


def listed_request(
    dataset: Dataset,
    unpaired: Sequence[Unpaired] = (),
    *,
    root: Path | None = None,
    subjects: Subjects | None = None,
    notes: Iterable[Note] = (),
) -> BuildRequest:
    """The build request of a declaration that lists its cases, paths seen from here.

    Args:
        dataset: The declaration.
        unpaired: Cases that it could not list.
        root: As for `declared_request`.
        subjects: What is known of them.
        notes: What is to be told of the folders that the cases were found in.
    """
    found = found_cases(dataset, Path(), subjects)
    found.unpaired.extend(unpaired)
    request = declared_request(dataset, found, root=root, subjects=subjects)
    return replace(request, notes=(*unmatched_notes(found, subjects or Subjects()), *notes))


def declared_request(
    dataset: Dataset,
    found: FoundCases,
    *,
    here: Path = Path(),
    root: Path | None = None,
    subjects: Subjects | None = None,
) -> BuildRequest:
    """The build request of a declaration's cases.

    Args:
        dataset: The declaration.
        found: Its cases.
        here: Folder that the paths of further files are seen from.
        root: Data root that tables may be re-based from.
        subjects: What is known of them.
    """
    file = file_beside(here, dataset.biometrics_file)
    biometrics = read_biometrics_spec(file) if file else dataset.biometrics
    modalities = dataset.modalities
    alone = DESCRIPTIONS[modalities[0]] if len(modalities) == 1 else "scan"
    return BuildRequest(
        cases=found.cases,
        unpaired=found.unpaired,
        options=AnnotateOptions(
            dataset=dataset.name,
            spacing_yx_mm=dataset.spacing_yx_mm,
            spacing_from=dataset.spacing_from,
            spacing_unknown=dataset.spacing_unknown,
            native_plane=dataset.projection,
            biometrics=biometrics,
            empty_masks=dataset.empty_masks,
        ),
        description=dataset.description or alone,
        root=root,
        asked=asked_images(dataset),
        subjects=subjects or Subjects(),
    )


def found_cases(dataset: Dataset, root: Path, subjects: Subjects | None = None) -> FoundCases:
    """Cases of a dataset whose files lie below `root`, listed or found by patterns."""
    known = subjects or Subjects()
    found = FoundCases()
    for case in dataset.cases:
        subject_id = _subject(dataset, case.case_id, case.subject, known, found)
        source = listed_case(dataset, case, subject_id, root)
        found.used.update(case_inputs(source))
        if subject_id:
            found.cases.append(source)
    for declared in dataset.cohorts:
        cohort, n_before = dataset.cohort(declared.name), len(found.cases)
        pairing = paired_cases(cohort, root)
        known_names = {name for one in declared_structures(cohort.labels) for name in one.names}
        found.used.update(pairing.used - pairing.structures_beside(known_names))
        for paired in pairing.cases:
            _add_case(dataset, paired, known, found)
        for case_id, paths in pairing.orphans.items():
            names = ", ".join(str(path.relative_to(root)) for path in paths[:3])
            message = f"case {case_id}: no image goes with {names}"
            # Without an image it may be no case at all, but a file by another name: no subject.
            found.unpaired.append(Unpaired(case_id=case_id, subject_id="", message=message))
        there = {case.case_id for case in found.cases[n_before:]}
        there |= {one.case_id for one in found.unpaired} | found.excluded.keys()
        named = (*cohort.excluded, *cohort.placeholder_spacing)
        found.named_only.extend(name for name in named if name not in there)
        table, ours = cohort.landmark_table, found.cases[n_before:]
        # Of a dataset that is still to be fetched, neither cases nor table are there.
        if table and (ours or existing_path(root / table.file).exists()):
            del found.cases[n_before:]
            _add_table_landmarks(table, root, ours, found)
    if dataset.spacing and found.cases:
        spacings = case_spacings(dataset.spacing, root, found.cases)
        found.rows_left["the table of spacings"] = list(spacings.rows_left)
        found.used.update(spacings.used)
        found.cases[:] = [
            replace(case, spacing_yx_mm=spacings.of_case.get(case.case_id)) for case in found.cases
        ]
    return found


def _add_table_landmarks(
    table: LandmarkTable, root: Path, cases: Iterable[CaseSource], found: FoundCases
) -> None:
    """Give cases the landmarks that a table has of them; those that it lacks are unpaired."""
    path = existing_path(root / table.file)
    points = table_points(path, table)
    found.used.add(path)
    left = dict.fromkeys(points)
    for case in cases:
        name = next((name for name in case_names(case) if name in points), None)
        if name is not None and name in left:
            del left[name]
            source = LandmarkSource(path=path, stated=points[name], space=table.space)
            found.cases.append(replace(case, landmarks=(source,)))
            continue
        what = "no row" if name is None else f"the row {name!r}, which is another case's too,"
        found.unpaired.append(
            Unpaired(
                case_id=case.case_id,
                subject_id=case.subject_id,
                message=f"case {case.case_id}: {what} in {table.file}",
                reason="unpaired" if name is None else "ambiguous",
            )
        )
    found.rows_left.setdefault("landmark tables", []).extend(left)


def _subject(
    dataset: Dataset, case_id: str, stated: str, known: Subjects, found: FoundCases
) -> str:
    """The subject of a case by the table, its files or the pattern; "" if none fits: unpaired."""
    try:
        subject_id = known.of_case.get(case_id) or stated or dataset.subject(case_id)
    except UsageError as error:
        unpaired = Unpaired(case_id=case_id, subject_id=case_id, message=str(error))
        found.unpaired.append(unpaired)
        return ""
    found.known.update((case_id, subject_id))
    return subject_id


def _add_case(dataset: Dataset, paired: PairedCase, known: Subjects, found: FoundCases) -> None:
    """Put a paired case where it belongs: complete, unpaired, or left out."""
    case_id, cohort = paired.case_id, paired.cohort
    paths = paired.images.values()
    found.file_names.update(composed(path.name) for path in paths)
    found.file_names.update(filter(None, (file_stem(path, IMAGE_SUFFIXES) for path in paths)))
    if case_id in cohort.excluded:
        found.excluded[case_id] = cohort.excluded[case_id]
        # Whose case it is stands in tables all the same.
        _subject(
            dataset, case_id, paired.parts.get("subject", ""), known, FoundCases(known=found.known)
        )
        return
    if cohort.unlabelled and paired.is_unlabelled:
        found.excluded[case_id] = "nothing says what is on it"
        return
    subject_id = _subject(dataset, case_id, paired.parts.get("subject", ""), known, found)
    if not subject_id:
        return
    source = cohort_case(dataset, paired, subject_id)
    lacks = list(paired.lacks)
    if cohort.mask_files and source.mask is None and not source.masks and not lacks:
        lacks.append("no file of a declared structure")
    if lacks:
        found.unpaired.append(
            Unpaired(
                case_id=case_id,
                subject_id=subject_id,
                message=f"case {case_id}: {'; '.join(lacks)}",
                reason="ambiguous" if paired.is_twice else "unpaired",
            )
        )
        return
    try:
        cases = frame_cases(source) if cohort.frames else [source]
    except ItemError as error:
        message, reason = f"case {case_id}: {error}", error.reason
        found.unpaired.append(
            Unpaired(case_id=case_id, subject_id=subject_id, message=message, reason=reason)
        )
        return
    for case in cases:
        if case.case_id in cohort.excluded:
            found.excluded[case.case_id] = cohort.excluded[case.case_id]
        else:
            found.cases.append(case)
