"""What was found, as a declaration: TOML text for the user to correct, and a table of subjects."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from medvision.catalog.cohort import MODALITIES
from medvision.describe.found import Found, FoundCase, FoundLabel
from medvision.describe.patterns import Patterns, common_patterns
from medvision.describe.recognise import Description

OPEN = "?"
"""Stands where a user has to say something; no declaration with it is taken."""


_MEASURE = (
    "# [biometrics.lines]",
    '# L1 = { name = "…", landmarks = ["…", "…"] }',
    "# [[biometrics.measure]]",
    '# kind = "distance"',
    '# key = "L1"',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A declaration as files.

    Attributes:
        text: Of the TOML file.
        subjects: Of the CSV file that it names; "" where there is none.
    """

    text: str
    subjects: str


def declaration(
    described: Description,
    *,
    name: str,
    root: str,
    subjects_file: str,
    biometrics_file: str = "",
) -> Declaration:
    """The declaration of a described folder.

    Args:
        described: The folder.
        name: Of the dataset.
        root: The folder as the declaration names it, seen from where it will lie.
        subjects_file: Name of the table of subjects beside it, should there be one.
        biometrics_file: What to measure between landmarks; "" to leave it to the user.
    """
    found = described.found
    table = subjects_table(found)
    lines = [f"# {found.layout} ({found.certainty}: {found.reason})"]
    lines += [f"# {note}" for note in found.notes]
    lines += [f"# left out: {item}: {why}" for item, why in found.ambiguous.items()]
    lines += [f"# cannot be read: {' '.join(why.split())}" for why in found.broken.values()]
    lines += [f"# to answer: {question}" for question in found.questions]
    lines += [f"name = {quoted(name)}", f"root = {quoted(root)}"]
    lines += [f"subjects = {quoted(subjects_file)}"] if table else []
    lines += [f"biometrics_file = {quoted(biometrics_file)}"] if biometrics_file else []
    lines += [f"ignore = {list(found.ignored)}"] if found.ignored else []
    lines += ["empty_masks = true"] if found.empty_masks else []
    colours = {label.found_as: label for label in found.labels if label.found_as.startswith("#")}
    if colours:
        entries = ", ".join(f"{quoted(c)} = {quoted(_name(one))}" for c, one in colours.items())
        lines.append(f"colours = {{ {entries} }}")
    if found.labels:
        targets = found.targets
        lines += ["", "[labels]"]
        lines += [_label_line(one, is_target=one in targets) for one in found.labels]
    patterns = common_patterns(
        found.cases,
        described.tree,
        {**found.lacking, **found.broken, **found.ambiguous}.keys(),
        is_named=found.is_named,
    )
    if patterns is None:
        lines += [""] if found.lacking else []
        lines += [f"# left out: {case}: {lack}" for case, lack in found.lacking.items()]
        for case in found.cases:
            lines += ["", *_case_lines(case, found)]
    else:
        lines += ["", *_cohort_lines(patterns, found)]
    if any(case.landmarks for case in found.cases) and not biometrics_file:
        lines += ["", "[biometrics.landmarks]"]
        lines += [f"{quoted(key)} = {quoted(key)}" for key in found.landmark_keys]
        lines += _MEASURE
    return Declaration(text="\n".join(lines) + "\n", subjects=table)


def subjects_table(found: Found) -> str:
    """Split and further columns of subjects as CSV; "" where no file says any."""
    if not found.split and not found.columns:
        return ""
    subjects = sorted({case.subject_id for case in found.cases})
    keys = found.column_names
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["subject", *(["split"] if found.split else []), *keys])
    for subject in subjects:
        row = found.columns.get(subject, {})
        side = [found.split.get(subject, "")] if found.split else []
        writer.writerow([subject, *side, *(row.get(key, "") for key in keys)])
    return text.getvalue()


def quoted(text: str) -> str:
    """A text as TOML writes it: JSON's strings are strings of TOML too."""
    return json.dumps(text, ensure_ascii=False)


def relative_root(folder: Path, beside: Path) -> str:
    """A folder as seen from another one, or whole where they share nothing but the root."""
    folder, beside = folder.resolve(), beside.resolve()
    if folder.is_relative_to(beside):
        return folder.relative_to(beside).as_posix() or "."
    return folder.as_posix()


def _name(label: FoundLabel) -> str:
    return label.name or OPEN


def _label_line(label: FoundLabel, *, is_target: bool) -> str:
    keys = [f"name = {quoted(_name(label))}"]
    if label.values and label.values != (label.label_id,):
        keys.append(f"values = {list(label.values)}")
    if label.found_as and not label.found_as.startswith("#") and label.found_as != label.name:
        keys.append(f"found_as = [{quoted(label.found_as)}]")
    if is_target:
        keys.append("target = true")
    value = quoted(_name(label)) if len(keys) == 1 else f"{{ {', '.join(keys)} }}"
    return f"{label.label_id} = {value}"


def _image(found: Found, image: str, files: str, *, optional: bool = False) -> str:
    keys = [] if image == "image" else [f"id = {quoted(image)}"]
    keys += [f"modality = {quoted(found.modalities.get(image, '') or OPEN)}"]
    keys += [f"files = {quoted(files)}"]
    keys += ["optional = true"] if optional else []
    return f"    {{ {', '.join(keys)} }},"


def _images(lines: Iterable[str], found: Found) -> list[str]:
    asked = not all(found.modalities.values())
    comment = f"  # modality: {', '.join(MODALITIES)}" if asked else ""
    return [f"images = [{comment}", *lines, "]"]


def _cohort_lines(patterns: Patterns, found: Found) -> list[str]:
    shown = [
        _image(found, image, files, optional=image in patterns.optional)
        for image, files in patterns.images.items()
    ]
    lines = ["[[cohorts]]", *_images(shown, found)]
    named = {"mask": patterns.mask, "boxes": patterns.boxes, "landmarks": patterns.landmarks}
    return lines + [f"{key} = {quoted(value)}" for key, value in named.items() if value]


def _case_lines(case: FoundCase, found: Found) -> list[str]:
    lines = ["[[cases]]", f"case_id = {quoted(case.case_id)}"]
    if case.subject_id != case.case_id:
        lines.append(f"subject = {quoted(case.subject_id)}")
    if list(case.images) == ["image"]:
        lines.append(f"image = {quoted(case.images['image'])}")
        lines.append(f"modality = {quoted(found.modalities['image'] or OPEN)}")
    else:
        lines += _images((_image(found, i, file) for i, file in case.images.items()), found)
    if case.more_masks:
        masks = ", ".join(quoted(mask) for mask in (case.mask, *case.more_masks))
        lines.append(f"masks = [{masks}]")
    named = {"mask": "" if case.more_masks else case.mask}
    named |= {"boxes": case.boxes, "landmarks": case.landmarks}
    return lines + [f"{key} = {quoted(value)}" for key, value in named.items() if value]
