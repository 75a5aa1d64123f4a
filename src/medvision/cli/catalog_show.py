"""All that the catalogue declares of one dataset."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.catalog.anatomy import anatomy_group
from medvision.catalog.cohort import Cohort, Label
from medvision.catalog.dataset import Dataset
from medvision.catalog.own import OwnCatalog
from medvision.cli.options import Argument, Option

WIDTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    """Options of `medvision catalog show`."""

    name: Annotated[str, Argument("NAME")]
    catalog: Annotated[Path | None, Option("DIR", help="declarations of your own too")] = None


def run(options: ShowOptions) -> int:
    """Print what the catalogue declares of one dataset."""
    dataset = OwnCatalog.read(options.catalog).load(options.name)
    print(f"{dataset.name}: {dataset.title}")
    _field("anatomy", dataset.anatomy)
    _field("modality", " ".join(dataset.modalities))
    _field("licence", dataset.licence)
    _field("terms", dataset.terms)
    size = f", about {dataset.size_mb:g} MB" if dataset.size_mb is not None else ""
    _field("access", f"{dataset.access}{size}")
    _field("homepage", dataset.homepage)
    _field("cite", dataset.citation)
    for paper in dataset.papers:
        _field("paper", paper)
    _field("to get it", dataset.how_to_get or f"medvision fetch {dataset.name}")
    for source in dataset.sources:
        address = f"package {source.package} {source.version}" if source.package else source.url
        parts = [f"{source.kind} ({source.role}, {source.access})", address or source.id]
        parts += [f"at {source.revision[:12]}"] if source.revision else []
        parts += [f"[{source.note}]"] if source.note else []
        _field("source", " ".join(filter(None, parts)))
        _field("", ", ".join(one.name for one in source.downloads))
    if dataset.cases:
        _field("cases", ", ".join(case.case_id for case in dataset.cases))
    else:
        examples = [f"{case} -> {subject}" for case, subject in dataset.subject_examples.items()]
        _field("split", f"7 : 3 by subject; subject in a case name: {dataset.subject_pattern}")
        _field("", "; ".join(examples))
    _show_cohorts(dataset)
    _show_tasks(dataset)
    for overlap in dataset.overlaps:
        _field("overlap", f"{overlap.dataset}: {overlap.note}")
    for quirk in dataset.quirks:
        _field("quirk", quirk)
    for doubt in dataset.unverified:
        _field("not sure", doubt)
    for change in dataset.changes:
        _field("changed", change)
    return 0


def _field(name: str, text: str) -> None:
    if text:
        print(
            textwrap.fill(text, WIDTH, initial_indent=f"  {name:<10}", subsequent_indent=" " * 12)
        )


def _show_cohorts(dataset: Dataset) -> None:
    for cohort in dataset.cohorts:
        _field("cohort", cohort.name or "(all)")
        for image in cohort.images:
            window = "" if image.modality != "CT" or image.ct_window else "; no CT window"
            _field("  image", f"{image.id}: {image.modality}, {image.description}{window}")
            _field("  files", image.files)
        _field("  mask", ", ".join(mask.files for mask in cohort.mask_files))
        _field("  points", ", ".join(cohort.landmarks))
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
