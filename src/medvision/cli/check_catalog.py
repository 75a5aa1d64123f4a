"""Check that labels, groups, tasks, suites and landmarks of the catalogue fit together."""

from dataclasses import dataclass

from medvision.catalog.check import Finding, Mistake, check_dataset
from medvision.catalog.dataset import Dataset, dataset_names, load_dataset
from medvision.errors import UsageError
from medvision.phantoms import DEMO_DATASETS
from medvision.samples.suite import load_suite, suite_names
from medvision.samples.suite_check import check_suite


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """`medvision catalog check` has none."""


def run(_options: CheckOptions) -> int:
    """Print the mistakes; 1 if there are any."""
    findings = catalog_findings()
    for finding in findings:
        print(finding)
    names = dataset_names()
    labels = sum(
        len(labels) for name in names for labels in load_dataset(name).label_sets().values()
    )
    found = f"{len(findings)} mistakes" if findings else "consistent"
    print(f"{len(names)} datasets, {labels} labels: {found}")
    return 1 if findings else 0


def catalog_findings() -> list[Finding]:
    """Every mistake of every declaration and built-in suite."""
    found = []
    for name in dataset_names():
        try:
            dataset = load_dataset(name)
        except UsageError as error:
            lines = str(error).splitlines()
            found += [_finding(Mistake.INVALID_DECLARATION, name, line) for line in lines]
            continue
        found += dataset_findings(dataset, name)
    phantoms = [dataset.name for dataset in DEMO_DATASETS]
    for name in suite_names():
        try:
            found += check_suite(load_suite(name), dataset_names(), phantoms)
        except UsageError as error:
            found.append(_finding(Mistake.SUITE, f"suite {name}", str(error)))
    return found


def dataset_findings(dataset: Dataset, file_name: str) -> list[Finding]:
    """Every mistake of one declaration.

    Args:
        dataset: The declaration.
        file_name: Name of its file, without suffix.
    """
    found = check_dataset(dataset, dataset_names())
    if dataset.name != file_name:
        message = f"{file_name}.toml declares the name {dataset.name!r}"
        found.append(_finding(Mistake.NAME_MISMATCH, file_name, message))
    return found


def _finding(mistake: Mistake, where: str, message: str) -> Finding:
    return Finding(mistake=mistake, where=where, message=message)
