"""A description as lines of text."""

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from medvision.describe.recognise import Description

EXAMPLES = 3
"""Cases, and folders of files left over, that are shown."""


def description_lines(described: Description) -> Iterator[str]:
    """What the folder is taken for, what pairs with what, what is left over, what is to answer."""
    found, tree = described.found, described.tree
    yield f"{tree.root}: {found.layout} ({found.certainty}: {found.reason})"
    for other in described.others:
        yield f"  it could also be: {other}"
    subjects = {case.subject_id for case in found.cases}
    yield f"  {_count(len(found.cases), 'case')} of {_count(len(subjects), 'subject')}"
    for case in found.cases[:EXAMPLES]:
        images = ", ".join(
            file if image == "image" else f"{image}: {file}" for image, file in case.images.items()
        )
        drawn = [case.mask, *case.more_masks, case.boxes, case.landmarks]
        yield f"    {case.case_id}: {images} with {', '.join(filter(None, drawn))}"
    if len(found.cases) > EXAMPLES:
        yield f"    and {len(found.cases) - EXAMPLES} more"
    shown = [f"{image} {modality or '(modality?)'}" for image, modality in found.modalities.items()]
    yield f"  images: {', '.join(shown)}"
    if found.labels:
        names = [
            f"{one.label_id} {one.name or '(name?)'}"
            + (f" ({one.found_as})" if one.found_as not in ("", one.name) else "")
            for one in found.labels
        ]
        rest = len(names) - 12
        more = f" and {rest} more" if rest > 0 else ""
        yield f"  labels: {', '.join(names[:12])}{more}"
    if found.targets:
        yield f"  tumours and lesions, by name: {', '.join(one.name for one in found.targets)}"
    if found.ignored:
        yield f"  values left out: {', '.join(map(str, found.ignored))}"
    if found.split:
        sides = Counter(found.split.get(subject, "?") for subject in subjects)
        counts = ", ".join(f"{count} {side}" for side, count in sorted(sides.items()))
        yield f"  subjects by split: {counts}"
    for note in found.notes:
        yield f"  {note}"
    if found.lacking:
        yield f"  {_count(len(found.lacking), 'case')} without all files:"
        for case_id, lack in list(found.lacking.items())[:EXAMPLES]:
            yield f"    {case_id}: {lack}"
        if len(found.lacking) > EXAMPLES:
            yield f"    and {len(found.lacking) - EXAMPLES} more"
    if found.ambiguous:
        yield f"  {_count(len(found.ambiguous), 'case')} with two files of one name:"
        for item, why in found.ambiguous.items():
            yield f"    {item}: {why}"
    if found.broken:
        yield f"  {_count(len(found.broken), 'file')} that cannot be read:"
        for item, why in found.broken.items():
            yield f"    {item}: {why}"
    if described.left_over:
        yield f"  {_count(len(described.left_over), 'file')} left over:"
        by_folder = Counter(str(PurePosixPath(file).parent) for file in described.left_over)
        for folder, count in by_folder.most_common(EXAMPLES):
            example = next(f for f in described.left_over if str(PurePosixPath(f).parent) == folder)
            yield f"    {count} in {folder}, such as {PurePosixPath(example).name}"
    for question in found.questions:
        yield f"  to answer: {question}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
