"""Check that labels, groups, tasks, suites and landmarks of the catalogue fit together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.catalog.check import Finding, Mistake, check_dataset
from medvision.catalog.dataset import Dataset, dataset_names
from medvision.catalog.own import OwnCatalog
from medvision.cli.options import Option
from medvision.errors import UsageError
from medvision.phantoms import DEMO_DATASETS
from medvision.samples.suite import load_suite, suite_names
from medvision.samples.suite_check import check_suite


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """Options of `medvision catalog check`."""

    catalog: Annotated[Path | None, Option("DIR", help="declarations of your own too")] = None


def run(options: CheckOptions) -> int:
    """Print the mistakes; 1 if there are any."""
    own = OwnCatalog.read(options.catalog)
    findings = catalog_findings(own)
    for finding in findings:
        print(finding)
    unreadable = {one.where for one in findings if one.mistake == Mistake.INVALID_DECLARATION}
    names = own.names
    readable = [own.load(name) for name in names if name not in unreadable]
    labels = sum(len(labels) for one in readable for labels in one.label_sets().values())
    found = f"{len(findings)} mistakes" if findings else "consistent"
    print(f"{len(names)} datasets, {labels} labels: {found}")
    return 1 if findings else 0


def catalog_findings(catalog: OwnCatalog | None = None) -> list[Finding]:
    """Every mistake of every declaration and built-in suite."""
    catalog = catalog or OwnCatalog()
    found = []
    for name in catalog.names:
        try:
            dataset = catalog.load(name)
        except UsageError as error:
            lines = str(error).splitlines()
            found += [_finding(Mistake.INVALID_DECLARATION, name, line) for line in lines]
            continue
        found += dataset_findings(dataset, name, catalog.names)
    phantoms = [dataset.name for dataset in DEMO_DATASETS]
    for name in suite_names():
        try:
            found += check_suite(load_suite(name), dataset_names(), phantoms)
        except UsageError as error:
            found.append(_finding(Mistake.SUITE, f"suite {name}", str(error)))
    return found


def dataset_findings(dataset: Dataset, file_name: str, known: Sequence[str] = ()) -> list[Finding]:
    """Every mistake of one declaration.

    Args:
        dataset: The declaration.
        file_name: Name of its file, without suffix.
        known: Names of all datasets; none for those of the package.
    """
    found = check_dataset(dataset, known or dataset_names())
    if dataset.name != file_name:
        message = f"{file_name}.toml declares the name {dataset.name!r}"
        found.append(_finding(Mistake.NAME_MISMATCH, file_name, message))
    return found


def _finding(mistake: Mistake, where: str, message: str) -> Finding:
    return Finding(mistake=mistake, where=where, message=message)
