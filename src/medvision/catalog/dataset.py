"""Declarations of datasets: what they hold, where the files come from, how cases are found.

One TOML file per dataset in `catalog/datasets/`, or a user's own anywhere; reading one does no
other I/O. A dataset either lists its cases one by one (small samples) or says, cohort by cohort,
how the files of a case are named. `docs/declaration.md` explains every key.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

from medvision.catalog.biometrics import BiometricsSpec
from medvision.catalog.cohort import CaseFiles, Cohort, Image, Label, SpacingTable
from medvision.catalog.published import PublishedCounts
from medvision.catalog.source import PACKAGES, Access, Source
from medvision.declarations import AtLeastOne, Positive, Short, decoded, parsed_toml, read_toml
from medvision.errors import UsageError
from medvision.frames import Plane
from medvision.names import Name, composed
from medvision.tasks import Task

SplitRule = Literal["subject-70-30"]
SpacingFrom = Literal["sform", "qform", "pixdim"]

EVERY_CASE = "^(.+)$"
"""The subject pattern of datasets whose cases are subjects of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetTask:
    """A question that can be asked of every case of a cohort.

    Attributes:
        id: Number within its kinds, as the original benchmark counts.
        asks: Kinds of question.
        cohort: Whose cases it is asked of.
        image: Image that is shown.
        label: The one label asked for ("tl"); None for all labels that are asked.
        was: How the original differs.
    """

    id: str
    asks: tuple[Task, ...]
    cohort: Name = ""
    image: Name = "image"
    label: AtLeastOne | None = None
    was: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Another dataset that holds some of the same scans.

    Attributes:
        dataset: Its name.
        note: Which scans.
    """

    dataset: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A declared dataset.

    Attributes:
        name: Name used on the command line and in tables.
        title: In a line, for lists.
        description: What the pictures are, as prompts say it where an image says nothing itself.
        licence: In words of the owner; "not stated" where the owner states none.
        terms: What a user accepts beyond the licence.
        homepage: Address of the owner's page.
        citation: Whom to cite.
        anatomy: Part of the body, for lists.
        papers: Addresses of the papers.
        access: The least it takes to get the files from any of the sources; None of own files.
        how_to_get: What a person must do to get the files; "" where `fetch` does it all.
        size_mb: On disk as fetched, where known.
        sources: Places to get the files from.
        split: How subjects are divided where no table says it.
        root: Folder below which the files lie, seen from the declaration; of the catalogue, from
            the raw folder.
        cohorts: Cases that share file patterns and labels.
        tasks: Numbered questions, as benchmarks count them.
        cases: Cases, one by one; empty where cohorts say how to find them.
        labels: Label id to label, for cases and cohorts that declare none of their own.
        ignore: Values of masks that are left out like background.
        empty_masks: Masks may hold background only: of such cases nothing is asked; or they are
            left out.
        colours: Of colour masks: colour to label name.
        label_group: Anatomy group of labels that state none and that the map does not list.
        biometrics: What to measure between landmarks; None where they are not to be measured.
        biometrics_file: The file that says it, instead.
        spacing_yx_mm: Pixel spacing of pictures whose files hold none.
        spacing: A file with the pixel spacing of each picture, instead.
        spacing_unknown: Pictures without a spacing are built for tasks that need none.
        spacing_from: Which part of a contradictory NIfTI header to trust.
        projection: Plane of 2D images.
        subject_pattern: Regular expression whose first group is the subject in a case id.
        subject_examples: Case id to its subject, to prove the pattern.
        subjects: CSV file with subjects, their split and further facts.
        quirks: What is odd about the files, one sentence each.
        unverified: Facts that no source settles, one sentence each.
        published: Counts of the original benchmark.
        planned: Kinds of question that the original asks of a dataset whose files nobody has
            described yet: it has neither cohorts nor cases.
        overlaps: Datasets that hold some of the same scans.
        changes: What differs from the original benchmark and why, one sentence each.
    """

    name: Name
    title: str = ""
    description: str = ""
    licence: str = ""
    homepage: str = ""
    citation: str = ""
    access: Access | None = None
    anatomy: str = ""
    terms: str = ""
    papers: tuple[str, ...] = ()
    how_to_get: str = ""
    size_mb: Positive | None = None
    root: str = "."
    split: SplitRule = "subject-70-30"
    subject_pattern: str = EVERY_CASE
    subject_examples: dict[str, str] = field(default_factory=dict)
    subjects: str = ""
    spacing_yx_mm: tuple[Positive, Positive] | None = None
    spacing: SpacingTable | None = None
    spacing_unknown: bool = False
    spacing_from: SpacingFrom | None = None
    projection: Plane = Plane.NATIVE
    quirks: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    published: PublishedCounts | None = None
    planned: tuple[Task, ...] = ()
    overlaps: tuple[Short[Overlap], ...] = ()
    changes: tuple[str, ...] = ()
    sources: tuple[Short[Source], ...] = ()
    labels: dict[str, Short[Label]] = field(default_factory=dict)
    ignore: tuple[AtLeastOne, ...] = ()
    empty_masks: bool | Literal["left_out"] = False
    colours: dict[str, Name] = field(default_factory=dict)
    label_group: str = ""
    cohorts: tuple[Cohort, ...] = ()
    cases: tuple[CaseFiles, ...] = ()
    tasks: tuple[DatasetTask, ...] = ()
    biometrics: BiometricsSpec | None = None
    biometrics_file: str = ""

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modality words of all images, sorted."""
        of_cohorts = {image.modality for cohort in self.cohorts for image in cohort.images}
        of_cases = {image.modality for case in self.cases for image in case.image_files}
        return tuple(sorted(of_cohorts | of_cases))

    @property
    def asks(self) -> tuple[str, ...]:
        """Kinds of question that can be asked, in the order of `Task`."""
        declared = {*self.planned, *(kind for task in self.tasks for kind in task.asks)}
        for case in self.cases:
            declared |= {Task.DETECTION, Task.AREA} if case.mask else set()
            declared |= {Task.TUMOR_LESION, Task.COUNT} if case.target_labels else set()
            declared |= {Task.ANGLE_DISTANCE} if case.landmarks else set()
        return tuple(task for task in Task if task in declared)

    @property
    def in_packages(self) -> bool:
        """Whether all its files are in packages of a registry."""
        return bool(self.sources) and all(source.kind in PACKAGES for source in self.sources)

    def subject(self, case_id: str) -> str:
        """The subject of a case: all its sequences and time points share it.

        Raises:
            UsageError: The pattern does not fit the case id.

        Example:
            >>> load_dataset("ACDC").subject("patient001_frame12")
            'patient001'
        """
        return found_subject(self.subject_pattern, case_id, f"{self.name}: subject_pattern")

    def label_sets(self) -> dict[str, dict[str, Label]]:
        """Labels of the dataset, its cohorts and its cases, by where they are declared."""
        sets = {"labels": self.labels}
        sets |= {f"cohort {cohort.name!r}": cohort.labels for cohort in self.cohorts}
        sets |= {f"case {case.case_id!r}": case.labels for case in self.cases}
        return {where: labels for where, labels in sets.items() if labels}

    def cohort(self, name: str) -> Cohort:
        """The cohort of that name, with its labels filled in.

        Raises:
            UsageError: No such cohort.
        """
        for cohort in self.cohorts:
            if cohort.name == name:
                return replace(
                    cohort,
                    labels=cohort.labels or self.labels,
                    ignore=cohort.ignore or self.ignore,
                    colours=cohort.colours or self.colours,
                )
        msg = f"{self.name}: no cohort {name!r}; known: {[c.name for c in self.cohorts]}"
        raise UsageError(msg)

    def task(self, kind: str, task_id: str) -> DatasetTask:
        """The task of that kind and number.

        Raises:
            UsageError: No such task.
        """
        return declared_task(self.tasks, kind, task_id, self.name)


def declared_task(
    tasks: Iterable[DatasetTask], kind: str, task_id: str, dataset: str
) -> DatasetTask:
    """The task of that kind and number among those of a dataset.

    Raises:
        UsageError: No such task.
    """
    # Declarations know one kind of boxes.
    asked = Task.DETECTION if kind == Task.INSTANCES else kind
    fitting = [task for task in tasks if asked in task.asks]
    for task in fitting:
        if task.id == task_id:
            return task
    known = ", ".join(task.id for task in fitting) or "none"
    msg = f"{dataset}: no {kind} task {task_id!r}; known: {known}"
    raise UsageError(msg)


def found_subject(pattern: str, case_id: str, where: str) -> str:
    r"""The subject that the first group of a regular expression finds in a case id.

    Args:
        pattern: The regular expression.
        case_id: The case.
        where: Key or option named in errors.

    Raises:
        UsageError: No regular expression, no group in it, or one that finds no text: a group that
            may be left out must not make one subject of all cases without it.

    Example:
        >>> found_subject(r"^(sub-\d+)_", "sub-01_ses-2", "--subject-pattern")
        'sub-01'
    """
    try:
        match = re.search(composed(pattern), composed(case_id))
    except re.error as error:
        msg = f"{where} {pattern!r}: expected a regular expression, found: {error}"
        raise UsageError(msg) from error
    if match is None or not match.re.groups or not match.group(1):
        msg = (
            f"{where} {pattern!r} finds no subject in case {case_id!r}: its first group, as in "
            r"'^(sub-\d+)', must match text there"
        )
        raise UsageError(msg)
    return match.group(1)


def parse_dataset(text: str, where: str) -> Dataset:
    """A dataset from the text of its TOML declaration.

    Raises:
        DeclarationError: Not TOML, unknown or missing keys, values of another type or outside a
            set, measurements that contradict each other.
    """
    return decoded(Dataset, parsed_toml(text, where), where)


def read_dataset(path: Path) -> Dataset:
    """A dataset from a declaration of the user's own.

    Raises:
        DeclarationError: As `parse_dataset`, or no file.
    """
    return decoded(Dataset, read_toml(path), str(path))


@cache
def dataset_names() -> tuple[str, ...]:
    """Names of all declared datasets, sorted without regard to case."""
    folder = resources.files("medvision.catalog") / "datasets"
    names = [entry.name for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return tuple(sorted((name.removesuffix(".toml") for name in names), key=str.casefold))


@cache
def load_dataset(name: str) -> Dataset:
    """The declared dataset of that name.

    Raises:
        UsageError: No such dataset; the message lists the known ones.
    """
    if name not in dataset_names():
        msg = f"no dataset {name!r} in the catalogue; known: {', '.join(dataset_names())}"
        raise UsageError(msg)
    entry = resources.files("medvision.catalog") / "datasets" / f"{name}.toml"
    return parse_dataset(entry.read_text(encoding="utf-8"), entry.name)


def declared_image(dataset: str, cohort: str, image_id: str) -> Image | None:
    """What the catalogue says of an image; None of images it does not declare.

    Example:
        >>> declared_image("CAMUS", "", "image").modality
        'US'
    """
    for entry in _declared_cohorts(dataset):
        for image in entry.images:
            if (entry.name, image.id) == (cohort, image_id):
                return image
    return None


def _declared_cohorts(dataset: str) -> tuple[Cohort, ...]:
    return load_dataset(dataset).cohorts if dataset in dataset_names() else ()
