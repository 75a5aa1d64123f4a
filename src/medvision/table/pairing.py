"""Cases of a cohort: files that its patterns find, paired by the named parts they share."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medvision.catalog.cohort import Cohort
from medvision.catalog.patterns import CASE_PARTS, FilePattern
from medvision.errors import UsageError
from medvision.names import plain_name
from medvision.table.case_boxes import is_coco_file
from medvision.table.cases import IMAGE_SUFFIXES
from medvision.table.find_files import FoundFile, found_files

LANDMARK_SUFFIXES = (".mrk.json", ".json.gz", ".json", ".fcsv", ".csv")
TRANSFORM_SUFFIXES = (".txt", ".tfm")
BOX_SUFFIXES = (".txt", ".json")

Parts = tuple[tuple[str, str], ...]
"""Named parts and their texts, in the order of case ids: what a case is known by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCase:
    """The files of one case, as found.

    Attributes:
        cohort: As the layout has it that the files lie in.
        case_id: Made of its parts.
        parts: What they stand for.
        images: Image id to file; images that it lacks are not there.
        masks: For each entry of `mask_files`, the files found.
        landmarks: Of all patterns.
        boxes: None where there are none.
        transforms: Image id to the transform file of its steps.
        lacks: What is missing or there twice, in words; empty of complete cases.
        is_twice: Whether something is there twice.
        is_unlabelled: Whether no file says anything of it but its images.
    """

    cohort: Cohort
    case_id: str
    parts: Mapping[str, str]
    images: Mapping[str, Path]
    masks: tuple[tuple[FoundFile, ...], ...] = ()
    landmarks: tuple[FoundFile, ...] = ()
    boxes: Path | None = None
    transforms: Mapping[str, Path] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    is_twice: bool = False
    is_unlabelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What the patterns of a cohort found.

    Attributes:
        cases: In the order of their ids.
        orphans: Files that no image goes with, by the case id that they would have.
        used: Every file and folder that a pattern found.
    """

    cases: tuple[PairedCase, ...]
    orphans: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    used: frozenset[Path] = frozenset()

    def structures_beside(self, names: Iterable[str]) -> set[Path]:
        """Files of structures of other names."""
        known = {plain_name(name) for name in names}
        return {
            file.path
            for case in self.cases
            for files in case.masks
            for file in files
            if "structure" in file.parts and plain_name(file.parts["structure"]) not in known
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Role:
    """Files of one pattern, by the parts that they share with the images.

    Attributes:
        is_needed: Whether a case without one is incomplete.
        may_repeat: Whether a case may have several.
    """

    pattern: FilePattern
    shared: tuple[str, ...]
    files: Mapping[Parts, Sequence[FoundFile]]
    is_needed: bool
    may_repeat: bool

    def of(self, parts: Mapping[str, str]) -> tuple[FoundFile, ...]:
        """Those of one case."""
        return tuple(self.files.get(_key(parts, self.shared), ()))

    def same_place(self, parts: Mapping[str, str]) -> Iterator[Sequence[FoundFile]]:
        """Files of one case that must be one: they differ in no part that may differ."""
        free = [part for part in ("structure", "landmark") if part in self.pattern.parts]
        places: dict[Parts, list[FoundFile]] = defaultdict(list)
        for file in () if self.may_repeat else self.of(parts):
            places[_key(file.parts, free)].append(file)
        yield from (found for found in places.values() if len(found) > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Roles:
    """All roles of a cohort, in declared order."""

    images: tuple[_Role, ...]
    masks: tuple[_Role, ...]
    landmarks: tuple[_Role, ...]
    boxes: tuple[_Role, ...]
    transforms: tuple[_Role, ...]

    @property
    def truth(self) -> tuple[_Role, ...]:
        """Those that say what is on the images."""
        return (*self.masks, *self.landmarks, *self.boxes)

    @property
    def every(self) -> tuple[_Role, ...]:
        """One after the other."""
        return (*self.images, *self.truth, *self.transforms)


def paired_cases(cohort: Cohort, root: Path) -> Pairing:
    """Find and pair the files of a cohort, in each of its layouts.

    Args:
        cohort: Its patterns start at `root`.
        root: Folder.

    Raises:
        UsageError: A pattern cannot be one, images share no case, two cases have one id.
    """
    pairings = [_paired_in(way, root) for way in cohort.ways]
    cases: dict[str, PairedCase] = {}
    orphans: dict[str, Sequence[Path]] = {}
    for pairing in reversed(pairings):
        for case in pairing.cases:
            # A case that lacks something does not hide a whole one.
            if not case.lacks or cases.get(case.case_id, case).lacks:
                cases[case.case_id] = case
        orphans |= pairing.orphans
    return Pairing(
        cases=tuple(
            cases[case_id] for case_id in sorted(cases) if _is_numbered(case_id, cohort.numbers)
        ),
        orphans={case_id: orphans[case_id] for case_id in sorted(orphans)},
        used=frozenset(path for pairing in pairings for path in pairing.used),
    )


def _is_numbered(case_id: str, numbers: tuple[int, int] | None) -> bool:
    """Whether the number that a case id ends in lies between two, both counted.

    Example:
        >>> [_is_numbered(case_id, (0, 506)) for case_id in ("amos_0506", "amos_0507", "amos")]
        [True, False, False]
    """
    if numbers is None:
        return True
    found = re.search(r"(\d+)\D*$", case_id)
    return found is not None and numbers[0] <= int(found[1]) <= numbers[1]


def _paired_in(cohort: Cohort, root: Path) -> Pairing:
    """Find and pair the files of a cohort in one layout."""
    case_parts = shared_parts(cohort)
    roles = _roles(cohort, root, case_parts)
    for file in (file for role in roles.landmarks if not role.shared for file in role.of({})):
        if not is_coco_file(file.path):
            msg = (
                f"cohort {cohort.name!r}: {file.path} would be the landmarks of every case; "
                "expected a COCO file with the keypoints of all pictures, or {case} in its name"
            )
            raise UsageError(msg)
    keys = {key for role in roles.images if role.shared == case_parts for key in role.files}
    by_id: dict[str, PairedCase] = {}
    for key in sorted(keys):
        case = _paired(cohort, dict(key), roles)
        if case.case_id in by_id:
            msg = (
                f"cohort {cohort.name!r}: {case.parts} and {by_id[case.case_id].parts} make the "
                f"case id {case.case_id!r}; name more parts in case_id"
            )
            raise UsageError(msg)
        by_id[case.case_id] = case
    orphans: dict[str, list[Path]] = defaultdict(list)
    for role in roles.every:
        known = {_key(dict(key), role.shared) for key in keys}
        for key in role.files.keys() - known:
            orphans[_case_id(cohort, dict(key))] += [file.path for file in role.files[key]]
    return Pairing(
        cases=tuple(by_id[case_id] for case_id in sorted(by_id)),
        orphans={case_id: sorted(orphans[case_id]) for case_id in sorted(orphans)},
        used=frozenset(
            file.path for role in roles.every for files in role.files.values() for file in files
        ),
    )


def image_patterns(cohort: Cohort) -> list[FilePattern]:
    """Patterns of the images, each with what `{image}` stands for."""
    return [
        FilePattern(text=image.files, image=image.id if image.number is None else image.number)
        for image in cohort.images
    ]


def shared_parts(cohort: Cohort) -> tuple[str, ...]:
    """The parts that a case of the cohort is known by: all that its images name.

    Raises:
        UsageError: No image names them all, or a pattern cannot be one.
    """
    patterns = image_patterns(cohort)
    named = {part for pattern in patterns for part in pattern.case_parts}
    if not named or not any(set(pattern.case_parts) == named for pattern in patterns):
        wanted = [f"{{{part}}}" for part in CASE_PARTS if part in (named or {"case"})]
        msg = (
            f"cohort {cohort.name!r}: expected an image whose files name {' and '.join(wanted)}, "
            f"found {', '.join(repr(pattern.text) for pattern in patterns)}"
        )
        raise UsageError(msg)
    return tuple(part for part in CASE_PARTS if part in named)


def _roles(cohort: Cohort, root: Path, case_parts: tuple[str, ...]) -> _Roles:
    """Find the files of every pattern; one that fits several is of those that say most of it."""
    found: dict[FilePattern, list[FoundFile]] = {}
    says: dict[Path, int] = {}

    def look(pattern: FilePattern, suffixes: tuple[str, ...]) -> FilePattern:
        if pattern not in found:
            found[pattern] = found_files(root, pattern, suffixes)
        for file in found[pattern]:
            says[file.path] = max(says.get(file.path, 0), pattern.n_fixed)
        return pattern

    def role(pattern: FilePattern, *, is_needed: bool = True, is_image: bool = False) -> _Role:
        shared = tuple(part for part in case_parts if part in pattern.parts)
        files: dict[Parts, list[FoundFile]] = defaultdict(list)
        for file in found[pattern]:
            if pattern.n_fixed == says[file.path]:
                files[_key(file.parts, shared)].append(file)
        may_repeat = not is_image and "*" in pattern.names[-1]
        return _Role(
            pattern=pattern, shared=shared, files=files, is_needed=is_needed, may_repeat=may_repeat
        )

    images = [look(pattern, IMAGE_SUFFIXES) for pattern in image_patterns(cohort)]
    masks = [look(FilePattern(text=one.files), IMAGE_SUFFIXES) for one in cohort.mask_files]
    kinds = IMAGE_SUFFIXES if cohort.landmark_voxels else LANDMARK_SUFFIXES
    landmarks = [look(FilePattern(text=one), kinds) for one in cohort.landmarks]
    transforms = [
        look(FilePattern(text=text), TRANSFORM_SUFFIXES)
        for image in cohort.images
        for text in image.transforms
    ]
    boxes = [look(FilePattern(text=one), BOX_SUFFIXES) for one in filter(None, [cohort.boxes])]
    # Only now is it known which pattern says most of each file's name.
    return _Roles(
        images=tuple(
            role(pattern, is_needed=not image.optional, is_image=True)
            for image, pattern in zip(cohort.images, images, strict=True)
        ),
        masks=tuple(
            role(pattern, is_needed=not mask.optional)
            for mask, pattern in zip(cohort.mask_files, masks, strict=True)
        ),
        landmarks=tuple(map(role, landmarks)),
        boxes=tuple(map(role, boxes)),
        transforms=tuple(role(pattern, is_image=True) for pattern in transforms),
    )


def _paired(cohort: Cohort, parts: Mapping[str, str], roles: _Roles) -> PairedCase:
    """The case of some parts, with what it lacks."""
    lacks = [
        f"no file {role.pattern.text}"
        for role in roles.every
        if role.is_needed and not role.of(parts)
    ]
    for what, some in (("images", roles.images), ("masks", roles.masks)):
        if some and not lacks and not any(role.of(parts) for role in some):
            lacks.append(f"none of its {what}")
    twice = [
        f"{' and '.join(file.path.name for file in files)} fit {role.pattern.text}, which is one"
        for role in roles.every
        for files in role.same_place(parts)
    ]
    at = {image.id: role.of(parts) for image, role in zip(cohort.images, roles.images, strict=True)}
    resampled = [image.id for image in cohort.images for _ in image.transforms]
    return PairedCase(
        cohort=cohort,
        case_id=_case_id(cohort, parts),
        parts=parts,
        images={image_id: files[0].path for image_id, files in at.items() if files},
        masks=tuple(role.of(parts) for role in roles.masks),
        landmarks=tuple(file for role in roles.landmarks for file in role.of(parts)),
        boxes=next((file.path for role in roles.boxes for file in role.of(parts)), None),
        transforms={
            image_id: role.of(parts)[0].path
            for image_id, role in zip(resampled, roles.transforms, strict=True)
            if role.of(parts)
        },
        lacks=(*lacks, *twice),
        is_twice=bool(twice),
        is_unlabelled=bool(roles.truth) and not any(role.of(parts) for role in roles.truth),
    )


def _case_id(cohort: Cohort, parts: Mapping[str, str]) -> str:
    """The id that some parts make; those that a file does not name are left out."""
    if not cohort.case_id:
        return "_".join(parts[name] for name in CASE_PARTS if name in parts)
    made = cohort.case_id
    for name in CASE_PARTS:
        made = made.replace(f"{{{name}}}", parts.get(name, ""))
    return made


def _key(parts: Mapping[str, str], names: Iterable[str]) -> Parts:
    return tuple((name, parts[name]) for name in names)
