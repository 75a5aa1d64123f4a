"""File patterns of cases that were found one by one, if some give exactly those cases."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from medvision.describe.found import FoundCase
from medvision.describe.tree import Tree
from medvision.table.cases import IMAGE_SUFFIXES, file_stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """What the files of all cases are called.

    Attributes:
        images: Image id to pattern.
        mask: "" where cases have none, as of the others.
        optional: Images that some cases lack.
    """

    images: Mapping[str, str]
    mask: str
    landmarks: str
    boxes: str
    optional: tuple[str, ...]


def common_patterns(
    cases: Sequence[FoundCase],
    tree: Tree,
    lacking: Collection[str] = (),
    *,
    is_named: bool = False,
) -> Patterns | None:
    """Patterns of all cases; None where names follow no rule, or fit further files.

    Tried are `{case}` for the id, and `{subject}` and `{session}` for ids joined of both.

    Args:
        cases: As found.
        tree: Where.
        lacking: Cases that lack a file, or have two for one place: patterns may fit what they have,
            but not one file for each place.
        is_named: Whether a file names the others with their suffixes.
    """
    if any(case.more_masks for case in cases):
        return None
    for parts in (("case",), ("subject", "session"), ("subject",)):
        found = _patterns(cases, tree, parts, set(lacking), is_named=is_named)
        if found:
            return found
    return None


def _patterns(
    cases: Sequence[FoundCase],
    tree: Tree,
    parts: tuple[str, ...],
    lacking: set[str],
    *,
    is_named: bool,
) -> Patterns | None:
    names = [dict(zip(parts, _split(case, parts), strict=True)) for case in cases]
    if not all(all(one.values()) for one in names):
        return None
    ids = list(dict.fromkeys(image for case in cases for image in case.images))
    roles = {f"image {image}": [case.images.get(image, "") for case in cases] for image in ids}
    roles |= {
        "mask": [case.mask for case in cases],
        "landmarks": [case.landmarks for case in cases],
        "boxes": [case.boxes for case in cases],
    }
    patterns = {}
    complete: set[str] | None = None
    for role, files in roles.items():
        if not any(files):
            patterns[role] = ""
            continue
        if not role.startswith("image") and not all(files):
            return None
        shared = set(files) - {""}
        # One COCO file may be for all.
        if len(shared) == 1 and len(cases) > 1 and role in ("boxes", "landmarks"):
            patterns[role] = shared.pop()
            continue
        made = {_pattern(f, one) for f, one in zip(files, names, strict=True) if f}
        if len(made) > 1:
            made = {_without_suffix(pattern) for pattern in made}
        pattern = made.pop() if len(made) == 1 else ""
        fits = _fits(pattern, tree)
        if not is_named and any(len(tree.twins(file)) > 1 for file in fits):
            pattern = _without_suffix(pattern)
            fits = _fits(pattern, tree)
        own = {file for file in files if file}
        others = Counter(fits[f] for f in fits.keys() - own)
        if not own <= fits.keys() or others.keys() - lacking:
            return None
        if all(files):  # of a case with two files for one place, a build says so
            single = {case_id for case_id, count in others.items() if count == 1}
            complete = single if complete is None else complete & single
        patterns[role] = pattern
    if complete:  # a case that was left out for what its files are, not for want of one
        return None
    return Patterns(
        images={image: patterns[f"image {image}"] for image in ids},
        mask=patterns["mask"],
        landmarks=patterns["landmarks"],
        boxes=patterns["boxes"],
        optional=tuple(i for i in ids if not all(roles[f"image {i}"])),
    )


def _split(case: FoundCase, parts: tuple[str, ...]) -> tuple[str, ...]:
    """The case id as the text of each part; empty texts where it is not made of them."""
    if parts == ("case",):  # alone, it says that each case is a subject of its own
        return (case.case_id if case.subject_id == case.case_id else "",)
    if parts == ("subject",):
        return (case.subject_id if case.subject_id == case.case_id else "",)
    before = f"{case.subject_id}_"
    rest = case.case_id.removeprefix(before) if case.case_id.startswith(before) else ""
    return (case.subject_id if rest else "", rest)


def _pattern(file: str, texts: Mapping[str, str]) -> str:
    """A path with each text replaced by its part; "" where none of a part stands in it."""
    for part, text in texts.items():
        # Not inside a longer word: case "1" must not stand for the 1 of "T1w".
        edge = rf"(?<![A-Za-z0-9]){re.escape(text)}(?![A-Za-z0-9])"
        file, count = re.subn(edge, lambda _, part=part: f"{{{part}}}", file)  # type: ignore[misc]
        if not count:
            return ""
    return file


def _without_suffix(pattern: str) -> str:
    path = PurePosixPath(pattern)
    stem = file_stem(path, IMAGE_SUFFIXES)  # type: ignore[arg-type]
    return str(path.with_name(stem)) if stem else pattern


def _fits(pattern: str, tree: Tree) -> dict[str, str]:
    """Files and folders that a pattern fits, to the case that each would be of."""
    if not pattern or "*" in pattern:
        return {}
    seen: list[str] = []
    regex = ""
    for piece in re.split(r"(\{\w+\})", pattern):
        if piece.startswith("{"):
            name = piece[1:-1]
            regex += f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+)"
            seen.append(name)
        else:
            regex += re.escape(piece)
    suffixes = "|".join(re.escape(suffix) for suffix in IMAGE_SUFFIXES)
    has_suffix = re.search(rf"({suffixes}|\.\w+)$", pattern, re.IGNORECASE)
    whole = re.compile(regex if has_suffix else f"{regex}({suffixes})?")
    found = {place: whole.fullmatch(place) for place in (*tree.files, *tree.folders)}
    names = list(dict.fromkeys(seen))
    return {place: "_".join(match[n] for n in names) for place, match in found.items() if match}
