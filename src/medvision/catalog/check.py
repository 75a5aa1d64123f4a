"""Whether a declaration is consistent: labels, groups, cohorts, tasks, subjects, access, overlaps.

Each kind of mistake has a name of its own, so that a list of findings can be counted and tested.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from medvision.catalog.anatomy import anatomy_facts, canonical_label, is_tumor_lesion, label_key
from medvision.catalog.dataset import CASE, Cohort, Dataset, DatasetTask
from medvision.errors import UsageError


class Mistake(StrEnum):
    """Kinds of mistakes that `medvision catalog check` finds."""

    INVALID_DECLARATION = "invalid_declaration"
    NAME_MISMATCH = "name_mismatch"
    LABEL_ID_INVALID = "label_id_invalid"
    LABEL_REPEATED = "label_repeated"
    LABEL_WITHOUT_GROUP = "label_without_group"
    UNKNOWN_GROUP = "unknown_group"
    GROUP_MISMATCH = "group_mismatch"
    NAME_NOT_CANONICAL = "name_not_canonical"
    MISSING_DESCRIPTION = "missing_description"
    MISSING_TERMS = "missing_terms"
    SOURCE_WITHOUT_ADDRESS = "source_without_address"
    PATTERN_WITHOUT_CASE = "pattern_without_case"
    COHORT_REPEATED = "cohort_repeated"
    IMAGE_REPEATED = "image_repeated"
    COHORT_WITHOUT_TRUTH = "cohort_without_truth"
    COHORT_WITHOUT_TASK = "cohort_without_task"
    SUBJECT_RULE = "subject_rule"
    TASK_REPEATED = "task_repeated"
    UNKNOWN_COHORT = "unknown_cohort"
    UNKNOWN_IMAGE = "unknown_image"
    UNKNOWN_LABEL = "unknown_label"
    TASK_WITHOUT_MASK = "task_without_mask"
    TASK_WITHOUT_LANDMARKS = "task_without_landmarks"
    NOT_A_LESION = "not_a_lesion"
    LABEL_MEASURED_TWICE = "label_measured_twice"
    UNKNOWN_OVERLAP = "unknown_overlap"
    SUITE = "suite"
    UNKNOWN_DATASET = "unknown_dataset"
    UNKNOWN_TASK = "unknown_task"
    PLANE_NOT_MEASURED = "plane_not_measured"
    CONFIG_REPEATED = "config_repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake: its kind, the file it is in, and what to do."""

    mistake: Mistake
    where: str
    message: str

    def __str__(self) -> str:
        """The finding as one line."""
        return f"{self.where}: {self.mistake}: {self.message}"


Found = Iterator[tuple[Mistake, str]]


def check_dataset(dataset: Dataset, known: Collection[str]) -> list[Finding]:
    """All mistakes of one declaration.

    Args:
        dataset: The declaration.
        known: Names of all datasets of the catalogue.
    """
    return [
        Finding(mistake=mistake, where=dataset.name, message=message)
        for check in CHECKS
        for mistake, message in check(dataset)
    ] + [
        Finding(
            mistake=Mistake.UNKNOWN_OVERLAP,
            where=dataset.name,
            message=f"overlaps names {overlap.dataset!r}, which is not in the catalogue",
        )
        for overlap in dataset.overlaps
        if overlap.dataset not in known or overlap.dataset == dataset.name
    ]


def label_mistakes(dataset: Dataset) -> Found:
    """Ids, names and groups of all labels, wherever they are declared."""
    facts = anatomy_facts()
    for where, labels in dataset.label_sets().items():
        repeated = [n for n, k in Counter(label.name for label in labels.values()).items() if k > 1]
        if repeated:
            yield Mistake.LABEL_REPEATED, f"{where} gives the name {repeated[0]!r} to two ids"
        for label_id, label in labels.items():
            name, mapped = label.name, facts.group_of_label.get(label_key(label.name))
            group = label.group or mapped or dataset.label_group
            # 0 is background everywhere, and "01" would be looked up as "1".
            if not re.fullmatch(r"[1-9]\d*", label_id):
                yield Mistake.LABEL_ID_INVALID, f"{where} has the id {label_id!r}; ids count from 1"
            if canonical_label(name) != name:
                yield (
                    Mistake.NAME_NOT_CANONICAL,
                    f"label {name!r} is called {canonical_label(name)!r} everywhere else; use that "
                    "name and keep this one as `was`",
                )
            if not group:
                yield (
                    Mistake.LABEL_WITHOUT_GROUP,
                    f"label {name!r} has no anatomy group; add it to anatomy_groups.json",
                )
            elif group not in facts.groups:
                yield Mistake.UNKNOWN_GROUP, f"label {name!r}: no anatomy group {group!r}"
            elif label.group and mapped != label.group:
                yield (
                    Mistake.GROUP_MISMATCH,
                    f"label {name!r} is declared in group {label.group!r} and listed in "
                    f"anatomy_groups.json under {mapped or 'none'!r}; scores use the latter",
                )


def fact_mistakes(dataset: Dataset) -> Found:
    """What prompts and people need to be told: descriptions, terms, addresses."""
    descriptions = {"the dataset": dataset.description}
    for cohort in dataset.cohorts:
        descriptions |= {
            f"image {i.id!r} of {_named(cohort)}": i.description for i in cohort.images
        }
    for where, text in descriptions.items():
        if not text.strip():
            yield Mistake.MISSING_DESCRIPTION, f"{where} has no description for prompts"
    for what in ("licence", "homepage", "citation"):
        if not getattr(dataset, what).strip():
            yield Mistake.MISSING_TERMS, f"{what} is empty; write 'not stated' where nobody says"
    by_itself = all(source.kind in ("pip", "apt") for source in dataset.sources)
    if not by_itself and not dataset.how_to_get.strip():
        yield Mistake.MISSING_TERMS, "how_to_get is empty: say what a person must do"
    for rank, source in enumerate(dataset.sources, start=1):
        pinned = bool(source.package and source.version and source.sha256)
        addressed = pinned if source.kind in ("pip", "apt") else bool(source.id or source.url)
        if not addressed and source.role != "private":
            yield Mistake.SOURCE_WITHOUT_ADDRESS, f"source {rank} ({source.kind}) has no address"


def _named(cohort: Cohort) -> str:
    return f"cohort {cohort.name!r}"


def cohort_mistakes(dataset: Dataset) -> Found:
    """Names, images, file patterns and truth of the cohorts."""
    names = [cohort.name for cohort in dataset.cohorts]
    if len(set(names)) != len(names):
        yield Mistake.COHORT_REPEATED, f"cohort names repeat: {names}"
    asked = {task.cohort for task in dataset.tasks}
    for cohort in dataset.cohorts:
        where = _named(cohort)
        ids = [image.id for image in cohort.images]
        if len(set(ids)) != len(ids):
            yield Mistake.IMAGE_REPEATED, f"{where}: image ids repeat: {ids}"
        patterns = [*(image.files for image in cohort.images), cohort.mask, cohort.landmarks]
        for pattern in filter(None, patterns):
            if pattern.count(CASE) != 1:
                yield Mistake.PATTERN_WITHOUT_CASE, f"{where}: {pattern!r} needs one {CASE}"
        if not cohort.mask and not cohort.landmarks:
            yield Mistake.COHORT_WITHOUT_TRUTH, f"{where} has neither masks nor landmarks"
        if cohort.name not in asked:
            yield Mistake.COHORT_WITHOUT_TASK, f"{where} has no task"


def subject_mistakes(dataset: Dataset) -> Found:
    """Whether the pattern finds the subjects that the examples name."""
    try:
        for case_id, subject in dataset.subject_examples.items():
            if dataset.subject(case_id) != subject:
                yield (
                    Mistake.SUBJECT_RULE,
                    f"case {case_id!r} is of subject {subject!r}, but subject_pattern finds "
                    f"{dataset.subject(case_id)!r}",
                )
    except (re.error, UsageError) as error:
        yield Mistake.SUBJECT_RULE, str(error)
    if dataset.cohorts and not dataset.subject_examples:
        yield Mistake.SUBJECT_RULE, "subject_examples is empty: give a case name and its subject"


def task_mistakes(dataset: Dataset) -> Found:
    """Whether tasks ask for what cohorts have, each thing once."""
    keys = Counter((kind, task.id) for task in dataset.tasks for kind in task.asks)
    for (kind, task_id), count in keys.items():
        if count > 1:
            yield Mistake.TASK_REPEATED, f"{kind} task {task_id!r} is declared {count} times"
    known = {cohort.name: dataset.cohort(cohort.name) for cohort in dataset.cohorts}
    for task in dataset.tasks:
        if task.cohort not in known:
            yield Mistake.UNKNOWN_COHORT, f"task {task.id!r}: no cohort {task.cohort!r}"
        else:
            yield from _task(task, known[task.cohort], dataset)
    measured = Counter((task.cohort, task.label) for task in dataset.tasks if "tl" in task.asks)
    for (cohort_name, label), count in measured.items():
        if count > 1:
            yield (
                Mistake.LABEL_MEASURED_TWICE,
                f"label {label} of cohort {cohort_name!r} has {count} images; choose one",
            )


def _task(task: DatasetTask, cohort: Cohort, dataset: Dataset) -> Found:
    where = f"task {task.id!r}"
    if task.image not in [image.id for image in cohort.images]:
        yield Mistake.UNKNOWN_IMAGE, f"{where}: no image {task.image!r} in {_named(cohort)}"
    if "ad" in task.asks:
        if not cohort.landmarks or not dataset.biometrics:
            yield Mistake.TASK_WITHOUT_LANDMARKS, f"{where} asks ad without landmarks to measure"
    elif not cohort.mask:
        yield Mistake.TASK_WITHOUT_MASK, f"{where} asks {', '.join(task.asks)} without a mask"
    if "tl" not in task.asks:
        return
    label = cohort.labels.get(str(task.label))
    if label is None:
        yield Mistake.UNKNOWN_LABEL, f"{where}: no label {task.label} in {_named(cohort)}"
    elif not is_tumor_lesion(anatomy_facts().group_of_label.get(label_key(label.name), "")):
        yield Mistake.NOT_A_LESION, f"{where} sizes {label.name!r}, which is no tumour or lesion"


CHECKS = (label_mistakes, fact_mistakes, cohort_mistakes, subject_mistakes, task_mistakes)
"""Every check of one declaration; which datasets overlap needs the whole catalogue."""
