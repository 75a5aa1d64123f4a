"""Anatomy groups: which structures are averaged together, and through which CT window they show.

The facts are in `anatomy_groups.json`. Groups are the paper's, so that averages compare. Two things
are ours. A window may be given to one label where its group's would hide it (a muscle of the group
"Hip" in a bone window). A canonical name joins spellings of one structure, never two structures.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

FALLBACK_GROUP = "Others"
"""Group of every label without an entry; it has no CT window and no part in averages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """CT display window: HU from level − width/2 (black) to level + width/2 (white)."""

    width_hu: float
    level_hu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomyFacts:
    """The facts of `anatomy_groups.json`; labels are keyed as `label_key` writes them."""

    group_of_label: Mapping[str, str]
    canonical_of_label: Mapping[str, str]
    window_of_label: Mapping[str, Window]
    window_of_group: Mapping[str, Window]
    groups: frozenset[str]
    tumor_lesion_groups: frozenset[str]
    excluded_from_averages: frozenset[str]


def label_key(label: str) -> str:
    """A label as it is looked up: case, underscores and repeated blanks do not matter.

    Example:
        >>> label_key("Left_Kidney ")
        'left kidney'
    """
    return " ".join(label.replace("_", " ").casefold().split())


@cache
def anatomy_facts() -> AnatomyFacts:
    """The packaged facts, read once."""
    raw = json.loads(files("medvision.catalog").joinpath("anatomy_groups.json").read_text("utf-8"))
    windows = {name: Window(**fields) for name, fields in raw["ct_windows"].items()}
    return AnatomyFacts(
        group_of_label={
            label_key(label): group for group, labels in raw["groups"].items() for label in labels
        },
        canonical_of_label={
            label_key(label): name for label, name in raw["canonical_labels"].items()
        },
        window_of_label={
            label_key(label): windows[name] for label, name in raw["label_windows"].items()
        },
        window_of_group={group: windows[name] for group, name in raw["group_windows"].items()},
        groups=frozenset(raw["groups"]),
        tumor_lesion_groups=frozenset(raw["tumor_lesion_groups"]),
        excluded_from_averages=frozenset(raw["excluded_from_averages"]),
    )


def anatomy_group(label: str) -> str:
    """Group in which a label is averaged; "Others" for a label without an entry.

    Example:
        >>> anatomy_group("Right  Kidney")
        'Kidney'
        >>> anatomy_group("left shoe")
        'Others'
    """
    return anatomy_facts().group_of_label.get(label_key(label), FALLBACK_GROUP)


def averaging_group(name: str) -> str:
    """Group in which a name is averaged that may also be a group's own, or a canonical one.

    Published results name structures so. "Others" for any other name.

    Example:
        >>> averaging_group("kidney"), averaging_group("brain resection cavity")
        ('Kidney', 'Brain Tumor/Lesion')
    """
    facts, key = anatomy_facts(), label_key(name)
    if key in facts.group_of_label:
        return facts.group_of_label[key]
    for group in facts.groups:
        if label_key(group) == key:
            return group
    named = (label for label, one in facts.canonical_of_label.items() if label_key(one) == key)
    return next(map(anatomy_group, named), FALLBACK_GROUP)


def canonical_label(label: str) -> str:
    """One name for all spellings of a structure; a label with only one spelling stays as given.

    Example:
        >>> canonical_label("Liver tumour")
        'liver tumor'
    """
    facts, key = anatomy_facts(), label_key(label)
    if key in facts.canonical_of_label:
        return facts.canonical_of_label[key]
    return " ".join(label.split())


def is_tumor_lesion(group: str) -> bool:
    """Whether an anatomy group holds tumours or lesions rather than healthy structures.

    Example:
        >>> is_tumor_lesion(anatomy_group("liver")), is_tumor_lesion(anatomy_group("liver tumor"))
        (False, True)
    """
    return group in anatomy_facts().tumor_lesion_groups


def is_averaged(group: str) -> bool:
    """Whether an anatomy group takes part in averages over groups, as in the paper.

    Example:
        >>> is_averaged("Kidney"), is_averaged("Others")
        (True, False)
    """
    return group not in anatomy_facts().excluded_from_averages


def ct_window(label: str) -> Window | None:
    """Window that shows a structure on CT; None where the grey values decide (percentiles).

    Example:
        >>> ct_window("liver")
        Window(width_hu=400, level_hu=40)
    """
    facts = anatomy_facts()
    own = facts.window_of_label.get(label_key(label))
    return own or facts.window_of_group.get(anatomy_group(label))
