"""Declared datasets as build requests: fetched, and laid out below the data root."""

from collections.abc import Mapping
from pathlib import Path

from medvision.annotate.biometrics_spec import BiometricsSpec, parse_biometrics_spec
from medvision.catalog.dataset import Dataset, Label, load_dataset
from medvision.fetch import fetch
from medvision.table.annotate_case import AnnotateOptions
from medvision.table.build import BuildRequest
from medvision.table.cases import CaseSource, ImageSource, Structure, structures_from_labels


def tables_folder(root: Path, dataset: str) -> Path:
    """Where a dataset's tables lie below the data root."""
    return root / "tables" / dataset


def catalogue_request(name: str, root: Path) -> BuildRequest:
    """The build request of a catalogued dataset, fetched first if need be.

    Raises:
        UsageError: No such dataset.
        FetchError: Its files cannot be obtained.
    """
    dataset = load_dataset(name)
    raw = fetch(dataset, root)
    biometrics: BiometricsSpec | None = None
    if dataset.biometrics:
        biometrics = parse_biometrics_spec(dataset.biometrics, f"{name}.toml")
    return BuildRequest(
        cases=catalogue_cases(dataset, raw),
        unpaired=(),
        options=AnnotateOptions(dataset=name, biometrics=biometrics),
        description=dataset.description,
        root=root,
    )


def catalogue_cases(dataset: Dataset, raw: Path) -> list[CaseSource]:
    """Cases of a declared dataset whose files lie in `raw`."""
    return [
        CaseSource(
            case_id=case.case_id,
            cohort=case.cohort,
            subject_id=case.case_id,
            images=(ImageSource(image_id="image", modality=case.modality, path=raw / case.image),),
            mask=raw / case.mask if case.mask else None,
            landmarks=raw / case.landmarks if case.landmarks else None,
            structures=_structures(case.labels or dataset.labels, dataset.name),
            target_labels=case.target_labels,
        )
        for case in dataset.cases
    ]


def _structures(labels: Mapping[str, Label], where: str) -> tuple[Structure, ...]:
    return structures_from_labels({key: label.name for key, label in labels.items()}, where)
