"""Masks beside their images: `a.png` and `a_mask.png`, or a folder for each case.

In one folder, as in breast ultrasound sets: `benign (1).png`, `benign (1)_mask.png`, and
`benign (1)_mask_1.png` for a second structure. A folder for each case, as in brain tumour sets:
`case/case-t1c.nii.gz`, `case/case-t2w.nii.gz`, `case/case-seg.nii.gz`, or `case/ct.nii.gz` with
`case/seg.nii.gz`.
"""

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from medvision.describe.found import Certainty, Found, FoundCase
from medvision.describe.hints import modality_of_word
from medvision.describe.layouts.folders import MASKS
from medvision.describe.tree import Tree
from medvision.table.cases import IMAGE_SUFFIXES, file_stem
from medvision.table.folders import MASK_WORDS

_MASK = re.compile(
    rf"^(?P<base>.*?)(?:^|[-_. ])(?:{MASK_WORDS})(?:[-_](?P<more>\d+))?$",
    re.IGNORECASE,
)


def recognise(tree: Tree) -> Found | None:
    """Images whose masks lie in the same folder."""
    cases: list[FoundCase] = []
    lacking: dict[str, str] = {}
    used: set[str] = set()
    for folder, stems in sorted(tree.images_of.items()):
        if PurePosixPath(folder).name.lower() in MASKS:  # its images lie in another folder
            continue
        masks: dict[str, list[str]] = {}
        for stem in sorted(stems, key=lambda stem: (len(stem), stem)):
            if match := _MASK.match(stem):
                masks.setdefault(match["base"], []).append(stem)
        taken = {stem for group in masks.values() for stem in group}
        images = {stem: file for stem, file in stems.items() if stem not in taken}
        for base, group in masks.items():
            case_id = base or PurePosixPath(folder).name
            own = _images_of(base, images, n_masks=len(masks))
            if not own:
                lacking[case_id] = f"no image for {stems[group[0]]}"
                continue
            used.update(own.values())
            mask, *more = [stems[stem] for stem in group]
            cases.append(
                FoundCase(
                    case_id=case_id,
                    subject_id=case_id,
                    images=own,
                    mask=mask,
                    more_masks=tuple(more),
                )
            )
        if masks:
            lacking |= {s: f"no mask for {file}" for s, file in images.items() if file not in used}
    if not cases:
        return None
    cases = _told_apart(cases)
    names = sorted({image for case in cases for image in case.images})
    several = sum(bool(case.more_masks) for case in cases)
    notes = []
    if all(case.subject_id == case.case_id for case in cases):
        notes.append("each case is taken for a subject of its own")
    if several:
        notes.append(f"{several} images have several masks, which are joined into one")
    return Found(
        layout="masks beside their images",
        certainty=Certainty.LIKELY,
        reason="names that end in mask, seg, gt or label, and images named alike without it",
        cases=tuple(sorted(cases, key=lambda case: case.case_id)),
        modalities={name: modality_of_word(_said_of(name, cases)) for name in names},
        lacking=lacking,
        notes=tuple(notes),
    )


def _told_apart(cases: list[FoundCase]) -> list[FoundCase]:
    """Cases of one name in several folders, named by the folders in which their paths differ.

    The first of these is the subject: `p1/day1` and `p1/day2` are two cases of subject `p1`.
    """
    if len({case.case_id for case in cases}) == len(cases):
        return cases
    folders = [PurePosixPath(case.mask).parent.parts for case in cases]
    n_parts = min(map(len, folders))
    varying = [at for at in range(n_parts) if len({parts[at] for parts in folders}) > 1]
    named = []
    for case, parts in zip(cases, folders, strict=True):
        own = [parts[at] for at in varying] + list(parts[n_parts:])
        # A case named by its folder is of the subject that the folders name first. Files of other
        # names in one folder (`benign/1.png`) are no visits of it.
        own += [] if case.case_id in parts else [case.case_id]
        name = "_".join(own)
        subject = own[0] if case.case_id in parts else name
        named.append(replace(case, case_id=name, subject_id=subject))
    return named


def _said_of(image: str, cases: list[FoundCase]) -> str:
    """What names an image: its id, or the name that the only image of each case has."""
    stems = {file_stem(Path(c.images[image]), IMAGE_SUFFIXES) for c in cases if image in c.images}
    return (stems.pop() or image) if image == "image" and len(stems) == 1 else image


def _images_of(base: str, images: dict[str, str], *, n_masks: int) -> dict[str, str]:
    """Image id to file of the images that a mask's base belongs to."""
    if base in images:
        return {"image": images[base]}
    started = {
        stem[len(base) :].strip("-_. "): file
        for stem, file in images.items()
        if base and re.match(re.escape(base) + r"[-_. ]", stem)
    }
    if started:
        return started if len(started) > 1 else {"image": next(iter(started.values()))}
    if n_masks > 1 or not images:  # in a folder of several cases a name must say which
        return {}
    return dict(images) if len(images) > 1 else {"image": next(iter(images.values()))}
