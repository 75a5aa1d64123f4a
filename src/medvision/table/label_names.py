"""Whether a mask's own names for its values contradict those of the user's labels.

People rename structures: to English, to longer names, to a spelling of their own. So a name that
merely differs is no contradiction. One is: the name of another label, the other side of the body,
other numbers, or a structure that the catalogue knows where the label is another one it knows.
"""

import re
from collections.abc import Collection
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cache
from unicodedata import normalize

from medvision.catalog.anatomy import anatomy_facts

SPELLING_SIMILARITY = 0.85
"""From here on two names are one in two spellings: tumour and tumor are 0.91 alike."""

_SYNONYMS = {
    "l": "left",
    "lt": "left",
    "r": "right",
    "rt": "right",
    **dict.fromkeys(
        (
            *("tumour", "lesion", "mass", "neoplasm", "cancer", "carcinoma", "nodule", "gtv"),
            *("metastasis", "metastase"),
        ),
        "tumor",
    ),
}
_SIDES = frozenset({"left", "right"})
_SAYS_NOTHING = frozenset(
    (
        *("segment", "segmentation", "seg", "label", "mask", "roi", "structure", "region", "class"),
        *("object", "foreground", "untitled", "unknown", "new", "value"),
    )
)
"""Words of names that a program gave: `Segment_1`, `Label 2`."""


class Agreement(StrEnum):
    """What the two names of one value have to do with each other."""

    SAME = "same"
    """One name in two forms, or no name at all."""
    RENAMED = "renamed"
    """Other words, which may mean the same."""
    CONTRADICTORY = "contradictory"
    """Words that mean something else."""


def agreement(stated: str, label: str, other_labels: Collection[str] = ()) -> Agreement:
    """How a file's name for a value goes with the user's.

    Args:
        stated: By the file.
        label: By the user.
        other_labels: Names of the user's other labels.

    Example:
        >>> labels = ["liver", "spleen"]
        >>> agreement("Liver_", "liver"), agreement("Segment_1", "liver")
        (<Agreement.SAME: 'same'>, <Agreement.SAME: 'same'>)
        >>> agreement("Leber", "liver")
        <Agreement.RENAMED: 'renamed'>
        >>> agreement("Spleen", "liver"), agreement("kidney L", "right kidney")
        (<Agreement.CONTRADICTORY: 'contradictory'>, <Agreement.CONTRADICTORY: 'contradictory'>)
    """
    theirs, ours = _words(stated), _words(label)
    if all(word in _SAYS_NOTHING or word.isdigit() for word in theirs) or theirs == ours:
        return Agreement.SAME
    # Before anything else: `liver tumor` has the words of `liver`, and may be another label's.
    if any(theirs == _words(other) for other in other_labels):
        return Agreement.CONTRADICTORY
    for kind in (_SIDES, {word for word in theirs | ours if word.isdigit()}):
        if theirs & kind and ours & kind and theirs & kind != ours & kind:
            return Agreement.CONTRADICTORY
    # A number that only one of them has counts pieces of one thing: `GTV 1`.
    theirs, ours = (frozenset(w for w in words if not w.isdigit()) for words in (theirs, ours))
    texts = [" ".join(sorted(words)) for words in (theirs, ours)]
    alike = SequenceMatcher(None, texts[0], texts[1]).ratio()
    if theirs <= ours or ours <= theirs or alike >= SPELLING_SIMILARITY:
        return Agreement.SAME
    known = _known_names()
    return Agreement.CONTRADICTORY if {theirs, ours} <= known else Agreement.RENAMED


def _words(name: str) -> frozenset[str]:
    """The words of a name, in any order: no case, no plural, synonyms as one."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", normalize("NFKC", name)).casefold()
    words = re.findall(r"[^\W\d_]+|\d+", parted)
    singular = (word if len(word) < 4 else word.removesuffix("s") for word in words)
    return frozenset(_SYNONYMS.get(word, word) for word in singular)


@cache
def _known_names() -> frozenset[frozenset[str]]:
    return frozenset(_words(name) for name in anatomy_facts().group_of_label)
