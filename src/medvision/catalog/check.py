"""Whether a declaration is consistent: labels, groups, cohorts, tasks, subjects, access, overlaps.

Each kind of mistake has a name of its own, so that a list of findings can be counted and tested.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from unicodedata import normalize

from medvision.catalog.anatomy import anatomy_facts, canonical_label, is_tumor_lesion, label_key
from medvision.catalog.cohort import Cohort, Image, MaskFiles
from medvision.catalog.dataset import Dataset, DatasetTask
from medvision.catalog.mask_keys import idle_mask_keys
from medvision.catalog.patterns import CASE_PARTS, FilePattern
from medvision.catalog.source import PACKAGES
from medvision.declarations import DeclarationError, meant
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
    PATTERN_INVALID = "pattern_invalid"
    PATTERN_WITHOUT_CASE = "pattern_without_case"
    COHORT_REPEATED = "cohort_repeated"
    IMAGE_REPEATED = "image_repeated"
    COHORT_WITHOUT_TRUTH = "cohort_without_truth"
    COHORT_WITHOUT_TASK = "cohort_without_task"
    STATED_TWICE = "stated_twice"
    NO_CASES = "no_cases"
    SUBJECT_RULE = "subject_rule"
    NO_EFFECT = "no_effect"
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
    """Ids and names of all labels, wherever they are declared."""
    for where, labels in dataset.label_sets().items():
        for mistake in name_mistakes(label.name for label in labels.values()):
            yield Mistake.LABEL_REPEATED, f"{where}: {mistake}"
        for label_id in labels:
            # 0 is background everywhere, and "01" would be looked up as "1".
            if not re.fullmatch(r"[1-9]\d{0,9}", label_id):
                yield Mistake.LABEL_ID_INVALID, f"{where} has the id {label_id!r}; ids count from 1"


def name_mistakes(names: Iterable[str]) -> list[str]:
    """What is wrong with the names of labels that stand side by side, a sentence each.

    Two names that only differ in how Unicode writes their characters look the same to everyone.

    Example:
        >>> name_mistakes(["liver", "?", "e\u0301", "\u00e9"])  # doctest: +NORMALIZE_WHITESPACE
        ["the name of a label is still '?': say what it is",
         "two labels have the name 'é'; names must differ"]
    """
    names = list(names)
    mistakes = []
    for name in names:
        if not name.strip():
            mistakes.append("a label has an empty name")
        elif not name.strip().isprintable():  # line breaks, and marks that turn a line around
            mistakes.append(f"label {name!r}: expected a name of one line, without control marks")
        elif name.strip() == "?":
            mistakes.append("the name of a label is still '?': say what it is")
    counts = Counter(normalize("NFKC", name).strip() for name in names)
    for name, count in counts.items():
        if count > 1 and name.strip(" ?"):
            mistakes.append(f"two labels have the name {name!r}; names must differ")
    return mistakes


def group_mistakes(dataset: Dataset) -> Found:
    """Names and anatomy groups of all labels, as the other datasets have them."""
    facts = anatomy_facts()
    for labels in dataset.label_sets().values():
        for label in labels.values():
            name, mapped = label.name, facts.group_of_label.get(label_key(label.name))
            group = label.group or mapped or dataset.label_group
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
    if dataset.cohorts and not dataset.subject_examples:
        yield Mistake.SUBJECT_RULE, "subject_examples is empty: give a case name and its subject"
    for where, text in descriptions.items():
        if not text.strip():
            yield Mistake.MISSING_DESCRIPTION, f"{where} has no description for prompts"
    for what in ("title", "licence", "homepage", "citation", "access"):
        if not str(getattr(dataset, what) or "").strip():
            yield Mistake.MISSING_TERMS, f"{what} is empty; write 'not stated' where nobody says"
    by_itself = all(source.kind in PACKAGES for source in dataset.sources)
    if not by_itself and not dataset.how_to_get.strip():
        yield Mistake.MISSING_TERMS, "how_to_get is empty: say what a person must do"
    for rank, source in enumerate(dataset.sources, start=1):
        pinned = bool(source.package and source.version and source.sha256)
        addressed = pinned if source.kind in PACKAGES else bool(source.id or source.url)
        if not addressed and source.role != "private":
            yield Mistake.SOURCE_WITHOUT_ADDRESS, f"source {rank} ({source.kind}) has no address"


def _named(cohort: Cohort) -> str:
    return f"cohort {cohort.name!r}"


def cohort_mistakes(dataset: Dataset) -> Found:
    """Names, images, file patterns and truth of the cohorts."""
    names = [cohort.name for cohort in dataset.cohorts]
    if len(set(names)) != len(names):
        yield Mistake.COHORT_REPEATED, f"cohort names repeat: {names}"
    for cohort in dataset.cohorts:
        where = _named(cohort)
        ids = [image.id for image in cohort.images]
        if len(set(ids)) != len(ids):
            yield Mistake.IMAGE_REPEATED, f"{where}: image ids repeat: {ids}"
        for way in cohort.ways:
            yield from _pattern_mistakes(way)
        if not cohort.has_structures and not cohort.has_landmarks:
            yield Mistake.COHORT_WITHOUT_TRUTH, f"{where} has neither masks nor landmarks"
        if sum(map(bool, (cohort.mask, cohort.masks, cohort.boxes))) > 1:
            yield Mistake.STATED_TWICE, f"{where}: expected one of mask, masks and boxes"
        if cohort.landmarks and cohort.landmark_table:
            yield Mistake.STATED_TWICE, f"{where}: expected landmarks or landmark_table, not both"


def _pattern_mistakes(cohort: Cohort) -> Found:
    patterns = [(image.files, "image") for image in cohort.images]
    patterns += [(text, "landmark") for text in cohort.landmarks]
    patterns += [(mask.files, "structure") for mask in cohort.mask_files]
    patterns += [(cohort.boxes, "")] if cohort.boxes else []
    patterns += [(text, "") for image in cohort.images for text in image.transforms]
    known: set[str] = set()
    for text, own_part in patterns:
        try:
            pattern = FilePattern(text=text)
        except UsageError as error:
            yield Mistake.PATTERN_INVALID, f"{_named(cohort)}: {error}"
            continue
        known.update(pattern.case_parts)
        # One COCO file holds the boxes, or the keypoints, of all cases.
        of_all = text == cohort.boxes or (own_part == "landmark" and text.endswith(".json"))
        if not pattern.case_parts and not of_all:
            parts = " or ".join(f"{{{part}}}" for part in CASE_PARTS)
            yield Mistake.PATTERN_WITHOUT_CASE, f"{_named(cohort)}: {text!r} needs {parts}"
        for part in {*pattern.parts} - {*CASE_PARTS, own_part}:
            yield Mistake.NO_EFFECT, f"{_named(cohort)}: {text!r}: {{{part}}} is not for such files"
    for part in re.findall(r"\{([^{}]*)\}", cohort.case_id):
        if part not in known:
            yield Mistake.NO_EFFECT, f"{_named(cohort)}: case_id: no pattern has {{{part}}}"


def effect_mistakes(dataset: Dataset) -> Found:
    """Keys that would change nothing where they stand."""
    files: list[tuple[str, Image | MaskFiles, bool]] = []
    landmarks = [cohort.has_landmarks for cohort in dataset.cohorts]
    landmarks += [bool(case.landmarks) for case in dataset.cases]
    if (dataset.biometrics or dataset.biometrics_file) and not any(landmarks):
        yield Mistake.NO_EFFECT, "biometrics go with landmarks"
    if dataset.spacing_unknown and dataset.spacing_yx_mm:
        yield Mistake.NO_EFFECT, "spacing_unknown goes without spacing_yx_mm"
    yield from ((Mistake.NO_EFFECT, text) for text in idle_mask_keys(dataset))
    for case in dataset.cases:
        where, coloured = f"case {case.case_id!r}", bool(dataset.colours)
        files += [(where, image, coloured) for image in case.image_files]
        files += [(where, mask, coloured) for mask in case.masks]
    for declared in dataset.cohorts:
        cohort, where = dataset.cohort(declared.name), _named(declared)
        coloured = bool(cohort.colours)
        for way in cohort.ways:
            files += [(where, image, coloured) for image in way.images]
            files += [(where, mask, coloured) for mask in way.masks]
            if (way.landmark_lines or way.landmark_voxels) and not way.landmarks:
                yield Mistake.NO_EFFECT, f"{where}: landmark_lines and _voxels go with landmarks"
        if cohort.frames and (cohort.boxes or cohort.landmarks):
            yield Mistake.NO_EFFECT, f"{where}: frames: boxes and landmark files are of whole files"
        if cohort.colour_tolerance and not coloured:
            yield Mistake.NO_EFFECT, f"{where}: colour_tolerance goes with colours"
        for plane, wanted in cohort.slices.items():
            if cohort.planes and plane not in cohort.planes:
                yield Mistake.NO_EFFECT, f"{where}: slices.{plane}: planes leave this one out"
            if wanted.with_label and not cohort.has_structures:
                yield Mistake.NO_EFFECT, f"{where}: slices.{plane}: with_label goes with masks"
        if cohort.points_at != "centre" and not cohort.landmarks:
            yield Mistake.NO_EFFECT, f"{where}: points_at goes with landmarks of COCO files"
        for label in cohort.labels.values() if coloured else ():
            if label.values:
                yield (
                    Mistake.NO_EFFECT,
                    f"{where}: label {label.name!r}: values or colours, not both",
                )
        if cohort.winner and not cohort.mask_files:
            yield Mistake.NO_EFFECT, f"{where}: winner goes with masks"
        if cohort.landmark_image and not cohort.has_landmarks:
            yield Mistake.NO_EFFECT, f"{where}: landmark_image goes with landmarks"
    for where, file, coloured in files:
        where = f"{where}: steps of {file.files!r}"
        if any(step.channel is not None for step in file.steps[1:]):
            yield Mistake.NO_EFFECT, f"{where}: channel comes first, and once"
        if isinstance(file, Image) and any(step.geometry for step in file.steps):
            yield Mistake.NO_EFFECT, f"{where}: geometry is for masks, found on an image"
        moved = sum(step.transform is not None for step in file.steps)
        if moved > 1 or (moved and isinstance(file, MaskFiles)):
            yield Mistake.NO_EFFECT, f"{where}: transform is for images, once"
        if isinstance(file, MaskFiles) and file.steps and coloured:
            yield Mistake.NO_EFFECT, f"{where}: none are known for colour masks"
        if isinstance(file, Image) and file.number is not None and "{image}" not in file.files:
            yield (
                Mistake.NO_EFFECT,
                f"{file.files!r}: number stands for {{image}}, which is not there",
            )
        if isinstance(file, MaskFiles) and file.label and "{structure}" in file.files:
            yield Mistake.NO_EFFECT, f"{file.files!r}: expected label or {{structure}}, not both"


def reference_mistakes(dataset: Dataset) -> Found:
    """Names of labels and images that nothing declares, wherever a declaration uses one."""
    image_ids: set[str] = set()
    for declared in dataset.cohorts:
        cohort, where = dataset.cohort(declared.name), _named(declared)
        known = [image.id for image in cohort.images]
        image_ids.update(known)
        named = {f"label {label.name!r}": label.image for label in cohort.labels.values()}
        named["landmark_image"] = cohort.landmark_image
        for what, image_id in named.items():
            if image_id and image_id not in known:
                words = _unknown("image", image_id, known)
                yield Mistake.UNKNOWN_IMAGE, f"{where}: {what}: {words}"
        names = [label.name for label in cohort.labels.values()]
        used = {f"masks {mask.files!r}": mask.label for mask in cohort.masks}
        used |= {f"colours {colour!r}": name for colour, name in cohort.colours.items()}
        used |= {f"slices.{plane}": some.with_label for plane, some in cohort.slices.items()}
        for what, name in used.items():
            if name and name not in names:
                yield Mistake.UNKNOWN_LABEL, f"{where}: {what}: {_unknown('label', name, names)}"
        if cohort.has_structures and not cohort.labels:
            yield Mistake.UNKNOWN_LABEL, f"{where} has masks and no labels"
        if cohort.has_landmarks and not (dataset.biometrics or dataset.biometrics_file):
            yield Mistake.TASK_WITHOUT_LANDMARKS, f"{where} has landmarks and no biometrics"
    image_ids |= {image.id for case in dataset.cases for image in case.image_files}
    for measurement in dataset.biometrics.measure if dataset.biometrics else ():
        if measurement.image and measurement.image not in image_ids:
            words = _unknown("image", measurement.image, image_ids)
            yield Mistake.UNKNOWN_IMAGE, f"measure {measurement.key!r}: {words}"


def _unknown(what: str, word: str, known: Collection[str]) -> str:
    guess = meant(word, known) or ";"
    return f"no {what} {word!r}{guess} known: {', '.join(sorted(known)) or 'none'}"


def case_mistakes(dataset: Dataset) -> Found:
    """Whether cases are listed or found by patterns, each once."""
    if bool(dataset.cases) == bool(dataset.cohorts) and (dataset.cases or not dataset.planned):
        yield Mistake.NO_CASES, "expected cohorts with file patterns, or a list of cases"
    repeated = Counter((case.cohort, case.case_id) for case in dataset.cases)
    for (cohort, case_id), count in repeated.items():
        if count > 1:
            yield Mistake.STATED_TWICE, f"case {case_id!r} of cohort {cohort!r} is listed twice"
    pairs = [
        ("biometrics and biometrics_file", dataset.biometrics and dataset.biometrics_file),
        ("spacing_yx_mm and spacing", dataset.spacing_yx_mm and dataset.spacing),
    ]
    for two, both in pairs:
        if both:
            yield Mistake.STATED_TWICE, f"expected one of {two}, found both"
    for case in dataset.cases:
        where = f"case {case.case_id!r}"
        labels = case.labels or dataset.labels
        has_mask = bool(case.mask or case.masks or case.boxes)
        if not has_mask and not case.landmarks:
            yield Mistake.COHORT_WITHOUT_TRUTH, f"{where} has neither masks nor landmarks"
        names = [label.name for label in labels.values()]
        for name in (*dataset.colours.values(), *filter(None, (mask.label for mask in case.masks))):
            if name not in names:
                yield Mistake.UNKNOWN_LABEL, f"{where}: {_unknown('label', name, names)}"
        if has_mask and not labels:
            yield Mistake.UNKNOWN_LABEL, f"{where} has a mask and no labels"


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
        if re.compile(dataset.subject_pattern).groups == 0:
            yield Mistake.SUBJECT_RULE, f"subject_pattern {dataset.subject_pattern!r} has no group"
    except (re.error, UsageError) as error:
        yield Mistake.SUBJECT_RULE, str(error)


def task_mistakes(dataset: Dataset) -> Found:
    """Whether tasks ask for what cohorts have, each thing once."""
    keys = Counter((kind, task.id) for task in dataset.tasks for kind in task.asks)
    for (kind, task_id), count in keys.items():
        if count > 1:
            yield Mistake.TASK_REPEATED, f"{kind} task {task_id!r} is declared {count} times"
    known = {cohort.name: dataset.cohort(cohort.name) for cohort in dataset.cohorts}
    for name in known.keys() - {task.cohort for task in dataset.tasks}:
        yield Mistake.COHORT_WITHOUT_TASK, f"cohort {name!r} has no task"
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
        if not cohort.has_landmarks or not (dataset.biometrics or dataset.biometrics_file):
            yield Mistake.TASK_WITHOUT_LANDMARKS, f"{where} asks ad without landmarks to measure"
    elif not cohort.has_structures:
        yield Mistake.TASK_WITHOUT_MASK, f"{where} asks {', '.join(task.asks)} without a mask"
    if "tl" not in task.asks:
        return
    label = cohort.labels.get(str(task.label))
    if label is None:
        yield Mistake.UNKNOWN_LABEL, f"{where}: no label {task.label} in {_named(cohort)}"
    elif not is_tumor_lesion(anatomy_facts().group_of_label.get(label_key(label.name), "")):
        yield Mistake.NOT_A_LESION, f"{where} sizes {label.name!r}, which is no tumour or lesion"


OWN_CHECKS = (
    label_mistakes,
    cohort_mistakes,
    effect_mistakes,
    reference_mistakes,
    case_mistakes,
    subject_mistakes,
)
"""Checks of any declaration, whoever wrote it."""

CHECKS = (*OWN_CHECKS, group_mistakes, fact_mistakes, task_mistakes)
"""Every check of one declaration of the catalogue; which datasets overlap needs all of it."""


def refuse_mistakes(dataset: Dataset, where: str) -> None:
    """Refuse a declaration of a user's own that contradicts itself.

    Raises:
        DeclarationError: A line for each mistake.
    """
    checks = (*OWN_CHECKS, task_mistakes) if dataset.tasks else OWN_CHECKS
    if mistakes := [text for check in checks for _, text in check(dataset)]:
        raise DeclarationError("\n".join(f"{where}: {text}" for text in mistakes))
