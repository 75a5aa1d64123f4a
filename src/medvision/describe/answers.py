"""Answers to what a folder leaves open, given beside it instead of in a declaration."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from medvision.catalog.cohort import MODALITIES, Modality
from medvision.catalog.dataset import found_subject
from medvision.declarations import DeclarationError
from medvision.describe.found import Found, FoundLabel
from medvision.describe.recognise import Description
from medvision.errors import UsageError
from medvision.table.subjects import Subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a user says of a folder.

    Attributes:
        modality: Of the images that no file states one of; None for no answer.
        names: Label id, as the description lists it, to name.
        subject_pattern: Regular expression whose first group is the subject in a case id.
        biometrics: File that says what to measure between landmarks.
    """

    modality: Modality | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    subject_pattern: str = ""
    biometrics: Path | None = None


def answered(described: Description, answers: Answers) -> Description:
    """A description with nothing left open.

    Raises:
        UsageError: Something is left open, with the option that answers it, or an answer is to
            what the folder itself says.
    """
    found = described.found
    unasked = {
        "--modality": answers.modality and all(found.modalities.values()),
        "--labels": answers.names and found.labels and all(one.name for one in found.labels),
        "--biometrics": answers.biometrics and not any(case.landmarks for case in found.cases),
        "--subject-pattern": answers.subject_pattern and (found.split or found.columns),
    }
    if given := [option for option, is_unasked in unasked.items() if is_unasked]:
        msg = (
            f"{described.tree.root}: {', '.join(given)}: {found.layout} says it itself; leave out, "
            f"or change it in what `medvision describe {described.tree.root} --out my.toml` writes"
        )
        raise UsageError(msg)
    known = {label.label_id for label in found.labels}
    further = [FoundLabel(label_id=n, name=name) for n, name in answers.names.items()]
    labels = [replace(x, name=x.name or answers.names.get(x.label_id, "")) for x in found.labels]
    cases = found.cases
    if pattern := answers.subject_pattern:
        cases = tuple(
            replace(case, subject_id=found_subject(pattern, case.case_id, "--subject-pattern"))
            for case in cases
        )
    found = replace(
        found,
        cases=cases,
        modalities={i: word or answers.modality or "" for i, word in found.modalities.items()},
        # Values that only later masks hold may be named, too: the first masks alone are looked at.
        labels=(*labels, *(one for one in further if one.label_id not in known)),
    )
    _refuse_open(found, described.tree.root, answers)
    return replace(described, found=found)


def _refuse_open(found: Found, root: Path, answers: Answers) -> None:
    unsaid = [repr(image) for image, word in found.modalities.items() if not word]
    unnamed = [str(label.label_id) for label in found.labels if not label.name]
    lacks = []
    if unsaid:
        lacks.append(f"the modality of {', '.join(unsaid)} (--modality {'|'.join(MODALITIES)})")
    if unnamed:
        example = "{" + f'"{unnamed[0]}": "liver"' + "}"
        lacks.append(f"the names of labels {', '.join(unnamed)} (--labels FILE with {example})")
    if any(case.landmarks for case in found.cases) and answers.biometrics is None:
        lacks.append("what to measure between the landmarks (--biometrics FILE)")
    if any(case.mask for case in found.cases) and not found.labels:
        why = "".join(f"\n{item}: {text}" for item, text in found.broken.items())
        msg = f"{root}: {found.layout}: none of the first masks can be read or holds a label{why}"
        raise DeclarationError(msg)
    if lacks:
        msg = (
            f"{root}: {found.layout} does not say {'; '.join(lacks)}; or answer in what "
            f"`medvision describe {root} --out my.toml` writes, and build that"
        )
        raise UsageError(msg)


def described_subjects(described: Description) -> Subjects:
    """Split and further columns of the subjects, as the table beside a declaration states them."""
    found = described.found
    return Subjects(
        source=str(described.tree.root),
        columns=found.column_names,
        splits=found.split,
        by_subject=found.columns,
    )
