"""Declared datasets as build requests: their files found, paired, and named."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medvision.catalog.asked import DESCRIPTIONS, asked_images
from medvision.catalog.biometrics import read_biometrics_spec
from medvision.catalog.check import refuse_mistakes
from medvision.catalog.cohort import CaseFiles, Label, LandmarkTable, MaskFiles
from medvision.catalog.dataset import Dataset, read_dataset
from medvision.errors import ItemError, UsageError
from medvision.table.annotate_case import AnnotateOptions
from medvision.table.build import BuildRequest
from medvision.table.cases import (
    CaseSource,
    ImageSource,
    LandmarkSource,
    MaskSource,
    Structure,
    Unpaired,
    case_names,
    plain_name,
)
from medvision.table.find_files import FoundFile
from medvision.table.frame_cases import frame_cases
from medvision.table.inputs import case_inputs
from medvision.table.landmark_tables import table_points
from medvision.table.notes import Note, NoteKind, excluded_note, file_notes, name_notes
from medvision.table.pairing import PairedCase, paired_cases, transform_patterns
from medvision.table.spacings import OF_EACH, case_spacings
from medvision.table.subjects import Subjects, read_subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCases:
    """Cases whose files are there, those that lack one, and what the patterns found.

    Attributes:
        used: Every file and folder that a pattern found or a case names.
        excluded: Cases left out, each with the reason.
        rows_left: Names in tables of landmarks that no case has.
        named_only: Ids that the declaration says something of, and no case has.
    """

    cases: list[CaseSource] = field(default_factory=list)
    unpaired: list[Unpaired] = field(default_factory=list)
    used: set[Path] = field(default_factory=set)
    excluded: dict[str, str] = field(default_factory=dict)
    rows_left: list[str] = field(default_factory=list)
    named_only: list[str] = field(default_factory=list)

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
    table = subjects or (here / dataset.subjects if dataset.subjects else None)
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
    said = {*own, *(here / name for name in (dataset.biometrics_file,) if name)}
    notes = (
        *excluded_note(found.excluded),
        *unmatched_notes(found),
        *file_notes(root, found.used | said),
    )
    request = declared_request(dataset, found, here=here, subjects=subjects)
    return replace(request, notes=notes)


def unmatched_notes(found: FoundCases) -> Iterator[Note]:
    """Names in a user's own tables and declaration that no case has."""
    yield from name_notes(NoteKind.ROW_UNMATCHED, found.rows_left)
    yield from name_notes(NoteKind.CASE_UNKNOWN, found.named_only)


def listed_request(
    dataset: Dataset,
    unpaired: Sequence[Unpaired] = (),
    *,
    root: Path | None = None,
    subjects: Subjects | None = None,
) -> BuildRequest:
    """The build request of a declaration that lists its cases, paths seen from here.

    Args:
        dataset: The declaration.
        unpaired: Cases that it could not list.
        root: As for `declared_request`.
        subjects: What is known of them.
    """
    found = found_cases(dataset, Path(), subjects)
    found.unpaired.extend(unpaired)
    return declared_request(dataset, found, root=root, subjects=subjects)


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
    biometrics = dataset.biometrics
    if dataset.biometrics_file:
        biometrics = read_biometrics_spec(here / dataset.biometrics_file)
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
        source = _listed_case(dataset, case, subject_id, root)
        found.used.update(case_inputs(source))
        if subject_id:
            found.cases.append(source)
    for declared in dataset.cohorts:
        cohort, n_before = dataset.cohort(declared.name), len(found.cases)
        pairing = paired_cases(cohort, root)
        known_names = {name for one in _structures(cohort.labels) for name in one.names}
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
        if table and (ours or (root / table.file).exists()):
            del found.cases[n_before:]
            _add_table_landmarks(table, root, ours, found)
    if dataset.spacing and found.cases:
        spacings = case_spacings(dataset.spacing, root, found.cases)
        file = dataset.spacing.file
        found.used.update(root / file.replace(OF_EACH, case.case_id) for case in found.cases)
        found.cases[:] = [
            replace(case, spacing_yx_mm=spacings.get(case.case_id)) for case in found.cases
        ]
    return found


def _add_table_landmarks(
    table: LandmarkTable, root: Path, cases: Iterable[CaseSource], found: FoundCases
) -> None:
    """Give cases the landmarks that a table has of them; those that it lacks are unpaired."""
    path = root / table.file
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
    found.rows_left.extend(left)


def _subject(
    dataset: Dataset, case_id: str, stated: str, known: Subjects, found: FoundCases
) -> str:
    """The subject of a case by the table, its files or the pattern; "" if none fits: unpaired."""
    try:
        return known.of_case.get(case_id) or stated or dataset.subject(case_id)
    except UsageError as error:
        unpaired = Unpaired(case_id=case_id, subject_id=case_id, message=str(error))
        found.unpaired.append(unpaired)
        return ""


def _add_case(dataset: Dataset, paired: PairedCase, known: Subjects, found: FoundCases) -> None:
    """Put a paired case where it belongs: complete, unpaired, or left out."""
    case_id, cohort = paired.case_id, paired.cohort
    if case_id in cohort.excluded:
        found.excluded[case_id] = cohort.excluded[case_id]
        return
    if cohort.unlabelled and paired.is_unlabelled:
        found.excluded[case_id] = "nothing says what is on it"
        return
    subject_id = _subject(dataset, case_id, paired.parts.get("subject", ""), known, found)
    if not subject_id:
        return
    source = _cohort_case(dataset, paired, subject_id)
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


def _cohort_case(dataset: Dataset, paired: PairedCase, subject_id: str) -> CaseSource:
    """A complete case."""
    cohort = paired.cohort
    structures = _structures(cohort.labels)
    mask, masks = _masks(cohort.mask_files, paired.masks, structures)
    measured = [t.label for t in dataset.tasks if "tl" in t.asks and t.cohort == cohort.name]
    targets = {label for label in measured if label is not None}
    targets |= {int(label_id) for label_id, label in cohort.labels.items() if label.target}
    return CaseSource(
        case_id=paired.case_id,
        cohort=cohort.name,
        subject_id=subject_id,
        images=tuple(
            ImageSource(
                image_id=image.id,
                modality=image.modality,
                path=paired.images[image.id],
                steps=image.steps,
                transform=paired.transforms.get(image.id),
            )
            for image in cohort.images
            if image.id in paired.images
        ),
        mask=mask,
        masks=masks,
        landmarks=tuple(
            LandmarkSource(
                path=file.path,
                key=file.parts.get("landmark", ""),
                lines=cohort.landmark_lines,
                voxels=cohort.landmark_voxels,
            )
            for file in paired.landmarks
        ),
        landmark_image=cohort.landmark_image,
        structures=structures,
        target_labels=tuple(sorted(targets)),
        ignore=cohort.ignore,
        colours=_colours(cohort.colours, structures),
        colour_tolerance=cohort.colour_tolerance,
        points_at=cohort.points_at,
        winner=cohort.winner,
        boxes=paired.boxes,
        planes=cohort.planes,
        slices=cohort.slices,
        placeholder_spacing=paired.case_id in cohort.placeholder_spacing,
    )


def _masks(
    declared: Sequence[MaskFiles],
    found: Sequence[Sequence[FoundFile]],
    structures: Sequence[Structure],
) -> tuple[Path | None, tuple[MaskSource, ...]]:
    """The one mask that can be read as it is, or the several that are joined."""
    if len(declared) == 1 and len(found[0]) == 1:
        (alone,), (file,) = declared, found[0]
        if not alone.label and not alone.steps and "structure" not in file.parts:
            return file.path, ()
    id_of = {structure.name: structure.label_id for structure in structures}
    called: dict[str, list[int | None]] = defaultdict(list)
    for structure in structures:
        for name in structure.names:
            called[plain_name(name)].append(structure.label_id)
    sources: list[MaskSource] = []
    for mask, files in zip(declared, found, strict=True):
        for file in files:
            label_ids = [id_of[mask.label] if mask.label else None]
            if "structure" in file.parts:  # files of structures that nobody has declared: none
                label_ids = called[plain_name(file.parts["structure"])]
            sources += [
                MaskSource(path=file.path, label_id=label_id, steps=mask.steps)
                for label_id in label_ids
            ]
    return None, tuple(sources)


def _listed_case(dataset: Dataset, case: CaseFiles, subject_id: str, root: Path) -> CaseSource:
    """A case whose files are named one by one."""
    labels = case.labels or dataset.labels
    targets = {*case.target_labels}
    targets |= {int(label_id) for label_id, label in labels.items() if label.target}
    structures = _structures(labels)
    found = [(FoundFile(path=root / one.files, parts={}),) for one in case.mask_files]
    mask, masks = _masks(case.mask_files, found, structures)
    return CaseSource(
        case_id=case.case_id,
        cohort=case.cohort,
        subject_id=subject_id,
        images=tuple(
            ImageSource(
                image_id=image.id,
                modality=image.modality,
                path=root / image.files,
                steps=image.steps,
                transform=next((root / text for text in transform_patterns(image)), None),
            )
            for image in case.image_files
        ),
        mask=mask,
        masks=masks,
        landmarks=tuple(LandmarkSource(path=root / path) for path in case.landmarks),
        structures=structures,
        target_labels=tuple(sorted(targets)),
        ignore=dataset.ignore,
        colours=_colours(dataset.colours, structures),
        boxes=root / case.boxes if case.boxes else None,
    )


def _colours(colours: Mapping[str, str], structures: Sequence[Structure]) -> dict[str, int]:
    """Colour to label id."""
    id_of = {structure.name: structure.label_id for structure in structures}
    return {colour: id_of[name] for colour, name in colours.items()}


def _structures(labels: Mapping[str, Label]) -> tuple[Structure, ...]:
    return tuple(
        Structure(
            label_id=int(label_id),
            name=label.name,
            values=label.values or (int(label_id),),
            asked=label.asked,
            found_as=label.found_as,
        )
        for label_id, label in labels.items()
    )
