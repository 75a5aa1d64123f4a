"""Declared datasets as build requests: fetched, and laid out below the data root."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from medvision.catalog.dataset import CASE, Cohort, Dataset, Label, load_dataset
from medvision.errors import UsageError
from medvision.fetch import fetch, raw_folder
from medvision.table.build import BuildRequest
from medvision.table.cases import AnnotateOptions, CaseSource, ImageSource, Structure, Unpaired


def catalogue_request(name: str, root: Path) -> BuildRequest:
    """The build request of a catalogued dataset, fetched first if need be.

    Files that a person has laid out below the raw folder, as the declaration names them, are used
    as they are.

    Raises:
        UsageError: No such dataset.
        FetchError: Its files cannot be obtained.
    """
    dataset = load_dataset(name)
    raw = raw_folder(root, name)
    found = cohort_cases(dataset, raw)
    if not found.listed:
        raw = fetch(dataset, root)
        found = FoundCases(cases=catalogue_cases(dataset, raw))
    return dataset_request(dataset, found.cases, found.unpaired, root=root)


def dataset_request(
    dataset: Dataset,
    cases: list[CaseSource],
    unpaired: list[Unpaired],
    *,
    root: Path | None = None,
) -> BuildRequest:
    """The build request of a declaration's cases."""
    return BuildRequest(
        cases=cases,
        unpaired=unpaired,
        options=AnnotateOptions(
            dataset=dataset.name,
            spacing_yx_mm=dataset.spacing_yx_mm,
            native_plane=dataset.projection,
            biometrics=dataset.biometrics,
        ),
        description=dataset.description,
        root=root,
    )


def catalogue_cases(dataset: Dataset, raw: Path) -> list[CaseSource]:
    """Cases of a dataset that lists them, whose files lie in `raw`."""
    return [
        CaseSource(
            case_id=case.case_id,
            cohort=case.cohort,
            subject_id=case.case_id,
            images=(ImageSource(image_id="image", modality=case.modality, path=raw / case.image),),
            mask=raw / case.mask if case.mask else None,
            landmarks=raw / case.landmarks if case.landmarks else None,
            structures=_structures(case.labels or dataset.labels),
            target_labels=case.target_labels,
        )
        for case in dataset.cases
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCases:
    """Cases whose files are there, and those that lack one."""

    cases: list[CaseSource] = field(default_factory=list)
    unpaired: list[Unpaired] = field(default_factory=list)

    @property
    def listed(self) -> bool:
        """Whether any file of any case is there."""
        return bool(self.cases or self.unpaired)


def cohort_cases(dataset: Dataset, raw: Path) -> FoundCases:
    """Cases of a dataset whose cohorts say how files are named below `raw`."""
    found = FoundCases()
    for declared in dataset.cohorts:
        cohort = dataset.cohort(declared.name)
        patterns = [*(image.files for image in cohort.images), cohort.mask, cohort.landmarks]
        files = {pattern: _files(raw, pattern) for pattern in patterns if pattern}
        listed = sorted({case_id for by_case in files.values() for case_id in by_case})
        for case_id in listed:
            if case_id in cohort.excluded:
                continue
            missing = [pattern for pattern, by_case in files.items() if case_id not in by_case]
            try:
                subject = dataset.subject(case_id)
            except UsageError as error:
                found.unpaired.append(_unpaired(case_id, case_id, str(error)))
                continue
            if missing:
                lacks = f"case {case_id}: no file {', '.join(missing)} in {raw}"
                found.unpaired.append(_unpaired(case_id, subject, lacks))
            else:
                at = {pattern: by_case[case_id] for pattern, by_case in files.items()}
                found.cases.append(_case(dataset, cohort, case_id, at))
    return found


def _unpaired(case_id: str, subject_id: str, message: str) -> Unpaired:
    return Unpaired(case_id=case_id, subject_id=subject_id, message=message)


def _files(raw: Path, pattern: str) -> dict[str, Path]:
    """Case id to file, of the files that fit a pattern such as `Masks/{case}_gt.nii.gz`."""
    path = PurePosixPath(pattern)
    before, after = path.name.split(CASE)
    # No glob of the pattern itself: names of files may hold what glob takes for one, as [ and ].
    listed = sorted((raw / path.parent).glob("*")) if (raw / path.parent).is_dir() else []
    return {
        entry.name[len(before) : len(entry.name) - len(after)]: entry
        for entry in listed
        if entry.name.startswith(before)
        and entry.name.endswith(after)
        and not entry.name.startswith(".")
        and len(entry.name) > len(before) + len(after)
    }


def _case(dataset: Dataset, cohort: Cohort, case_id: str, at: Mapping[str, Path]) -> CaseSource:
    targets = [t.label for t in dataset.tasks if "tl" in t.asks and t.cohort == cohort.name]
    return CaseSource(
        case_id=case_id,
        cohort=cohort.name,
        subject_id=dataset.subject(case_id),
        images=tuple(
            ImageSource(image_id=image.id, modality=image.modality, path=at[image.files])
            for image in cohort.images
        ),
        mask=at[cohort.mask] if cohort.mask else None,
        landmarks=at[cohort.landmarks] if cohort.landmarks else None,
        structures=_structures(cohort.labels),
        target_labels=tuple(sorted(label for label in targets if label is not None)),
        planes=cohort.planes,
        placeholder_spacing=case_id in cohort.placeholder_spacing,
    )


def _structures(labels: Mapping[str, Label]) -> tuple[Structure, ...]:
    return tuple(
        Structure(
            label_id=int(label_id), name=label.name, values=(int(label_id),), asked=label.asked
        )
        for label_id, label in labels.items()
    )
