"""List the datasets of the catalogue, show one, or prove the catalogue consistent."""

import argparse
import textwrap

from medvision.catalog.anatomy import anatomy_group
from medvision.catalog.dataset import Cohort, Dataset, Label, dataset_names, load_dataset
from medvision.cli.check_catalog import catalog_findings

WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision catalog`."""
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="one line per dataset")
    actions.add_parser("show", help="all about one dataset").add_argument("name", metavar="NAME")
    actions.add_parser("check", help="labels, groups, tasks, suites and landmarks fit together")


def run(args: argparse.Namespace) -> int:
    """Print what the catalogue declares; 1 when a check finds a mistake."""
    if args.action == "check":
        return _check()
    if args.action == "show":
        _show(load_dataset(args.name))
    else:
        _list([load_dataset(name) for name in dataset_names()])
    return 0


def _check() -> int:
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


def _list(datasets: list[Dataset]) -> None:
    header = ("name", "modality", "tasks", "access", "licence")
    groups = {
        "Fetched by `medvision fetch`": [d for d in datasets if d.cases],
        "Obtained by you (`medvision catalog show NAME` says how)": [
            d for d in datasets if not d.cases
        ],
    }
    for title, members in groups.items():
        rows = [header, *(_row(dataset) for dataset in members)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
        print(f"{title}\n")
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  " + "  ".join(cells).rstrip())
        print()


def _row(dataset: Dataset) -> tuple[str, ...]:
    tasks = " ".join(dataset.asks)
    modalities = " ".join(dataset.modalities)
    return dataset.name, modalities, tasks, dataset.access, dataset.licence


def _field(name: str, text: str) -> None:
    if text:
        print(
            textwrap.fill(text, WIDTH, initial_indent=f"  {name:<10}", subsequent_indent=" " * 12)
        )


def _show(dataset: Dataset) -> None:
    print(f"{dataset.name}: {dataset.title}")
    _field("anatomy", dataset.anatomy)
    _field("modality", " ".join(dataset.modalities))
    _field("licence", dataset.licence)
    _field("terms", dataset.terms)
    size = f", about {dataset.size_mb:g} MB" if dataset.size_mb is not None else ""
    _field("access", dataset.access + size)
    _field("homepage", dataset.homepage)
    _field("cite", dataset.citation)
    for paper in dataset.papers:
        _field("paper", paper)
    _field("to get it", dataset.how_to_get or f"medvision fetch {dataset.name}")
    _show_sources(dataset)
    _show_subjects(dataset)
    _show_cohorts(dataset)
    _show_tasks(dataset)
    for overlap in dataset.overlaps:
        _field("overlap", f"{overlap.dataset}: {overlap.note}")
    for change in dataset.changes:
        _field("changed", change)


def _show_sources(dataset: Dataset) -> None:
    for source in dataset.sources:
        address = f"package {source.package} {source.version}" if source.package else source.url
        parts = [f"{source.kind} ({source.role}, {source.access})", address or source.id]
        parts += [f"at {source.revision[:12]}"] if source.revision else []
        parts += [f"[{source.note}]"] if source.note else []
        _field("source", " ".join(filter(None, parts)))


def _show_subjects(dataset: Dataset) -> None:
    if dataset.cases:
        _field("cases", ", ".join(case.case_id for case in dataset.cases))
        return
    examples = [f"{case} -> {subject}" for case, subject in dataset.subject_examples.items()]
    _field("split", f"7 : 3 by subject; subject in a case name: {dataset.subject_pattern}")
    _field("", "; ".join(examples))


def _show_cohorts(dataset: Dataset) -> None:
    for cohort in dataset.cohorts:
        _field("cohort", cohort.name or "(all)")
        for image in cohort.images:
            window = "" if image.modality != "CT" or image.ct_window else "; no CT window"
            _field("  image", f"{image.id}: {image.modality}, {image.description}{window}")
            _field("  files", image.files)
        _field("  mask", cohort.mask)
        _field("  points", cohort.landmarks)
        _field("  planes", " ".join(cohort.planes))
        _field("  without", "; ".join(f"{case}: {why}" for case, why in cohort.excluded.items()))
        _field("  1,1,1 mm", " ".join(cohort.placeholder_spacing))
        _show_labels(cohort.labels)
    _show_labels(dataset.labels)
    for case in dataset.cases:
        _show_labels(case.labels)


def _show_labels(labels: dict[str, Label]) -> None:
    for label_id, label in labels.items():
        notes = [f"was {label.was!r}"] if label.was else []
        notes += [label.note] if label.note else []
        notes += ["not asked"] if not label.asked else []
        group = label.group or anatomy_group(label.name)
        tail = f" ({'; '.join(notes)})" if notes else ""
        _field("label", f"{label_id} {label.name} [{group}]{tail}")


def _show_tasks(dataset: Dataset) -> None:
    cohorts: dict[str, Cohort] = {c.name: dataset.cohort(c.name) for c in dataset.cohorts}
    measured = dataset.biometrics.measure if dataset.biometrics else ()
    for task in dataset.tasks:
        what = "all labels"
        if task.label is not None:
            what = cohorts[task.cohort].labels[str(task.label)].name
        if "ad" in task.asks:
            what = f"{len(measured)} measurements"
        was = f" (was {task.was})" if task.was else ""
        place = " ".join(filter(None, [task.cohort, task.image]))
        _field("task", f"{'/'.join(task.asks)} {task.id}: {what} on {place}{was}")
    for measurement in measured:
        plane = measurement.plane or "any"
        _field("measures", f"{measurement.kind} {measurement.key} ({plane})")
