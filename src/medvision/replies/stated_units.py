"""The unit of each value: its own, or one that the text states for it."""

import re
from dataclasses import dataclass

from medvision.replies.plain_text import LETTERS
from medvision.replies.quantities import Quantity
from medvision.replies.units import INCH, SQUARE, UNIT_SIGNS, UNIT_WORDS, Dimension, Unit, unit_at

_WORD = re.compile(rf"{SQUARE}?(?P<name>[{LETTERS}]+|{UNIT_SIGNS})")
_NAME = re.compile(rf"[{LETTERS}]+|{UNIT_SIGNS}")
_BEFORE_LABEL = re.compile(
    rf"(?i:[(\[]\s{{0,3}}(?:in\s{{1,3}})?|_|(?<![{LETTERS}0-9_])in\s{{1,3}}"
    rf"|(?<![{LETTERS}0-9_])units?[\"'\s:=]{{1,6}}(?:(?:is|are)\s)?[\"']?)\Z"
)
_UNIT_KEY = re.compile(
    rf"(?i:(?<![{LETTERS}0-9])units?[\"']?\s{{0,3}}[:=]\s{{0,3}}[\"']?)(?=[^\W\d_])"
)
_INCH_LABEL = re.compile(r"[(_\[](?:sq\.?\s)?in[)\]\"':=\s]")
_AFTER_LABEL = re.compile(r"[\"'*]{0,3}\s{0,2}[:=]")
_PREFIX_LENGTH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mention:
    """A unit named apart from the numbers.

    Attributes:
        start: Where it is in the plain text.
        unit: The unit.
        labels: Whether it is stated for values: "(cm)", "in cm", `major_cm`, `"unit": "cm"`.
    """

    start: int
    unit: Unit
    labels: bool


def units_in_force(
    plain: str, found: list[Quantity], strange: frozenset[Dimension] = frozenset()
) -> list[Unit | None] | None:
    """The unit of each value: its own, else one stated for it; None inside when it has none.

    A value without a unit takes the last unit labelled before it ("(cm)", "in cm", `major_cm`),
    else that of the next value that has one ("3.1 x 1.8 cm"), else one labelled after it. Labels of
    different units belong to their values only where each value has one, all before or all after.

    Args:
        plain: Plain text.
        found: Its numbers.
        strange: Kinds of unit that a bare value is not in.

    Returns:
        None when the unit of a value is open: an earlier value's may go on ("3.1 cm x 1.8"), one
        that converts, or is strange, is named somewhere else ("3.1, 1.8 (both cm)"), or one stated
        is not known.
    """
    own = [one.unit for one in found]
    if None not in own:
        return own
    if any(unit_at(plain, key.end()) is None for key in _UNIT_KEY.finditer(plain)):
        return None
    mentions = _mentions(plain, found)
    labels = [mention for mention in mentions if mention.labels]
    if len({label.unit for label in labels}) > 1:
        return _one_each(labels, found) if own == [None] * len(own) else None
    units = list(own)
    for index in reversed(range(len(found))):
        if units[index] is None:
            following = units[index + 1] if index + 1 < len(found) else None
            units[index] = _labelled(labels, found, index) or following
        if units[index] is None and any(unit and not unit.is_asked_unit for unit in own[:index]):
            return None
    if None in units and any(
        _may_convert(one.unit) or one.unit.dimension in strange for one in mentions
    ):
        return None
    return units


def _one_each(labels: list[_Mention], found: list[Quantity]) -> list[Unit | None] | None:
    """The units of labels of which each value has exactly one before it, or one after it."""
    places = [sum(one.start < label.start for one in found) for label in labels]
    before = list(range(len(found)))
    if places in (before, [place + 1 for place in before]):
        return [label.unit for label in labels]
    return None


def _labelled(labels: list[_Mention], found: list[Quantity], index: int) -> Unit | None:
    """The last label before a value; for the last value, else the first label after it."""
    before = [label.unit for label in labels if label.start < found[index].start]
    if before:
        return before[-1]
    if index == len(found) - 1:
        return next((label.unit for label in labels if label.start >= found[index].end), None)
    return None


def _may_convert(unit: Unit) -> bool:
    # Pixels are spoken of beside mm: "by the pixel size, 31.2 and 18.0".
    return unit.dimension is not Dimension.PIXEL and not unit.is_asked_unit


def _mentions(plain: str, found: list[Quantity]) -> list[_Mention]:
    if UNIT_WORDS.isdisjoint(_NAME.findall(plain.lower())) and not _INCH_LABEL.search(plain):
        return []
    mentions: list[_Mention] = []
    for word in _WORD.finditer(plain):
        name = word["name"]
        if name != "in" and name.lower() not in UNIT_WORDS:
            continue
        if name == "in" and not _INCH_LABEL.match(plain, max(0, word.start() - 1)):
            continue
        unit = unit_at(plain, word.start()) or ((INCH, word.end()) if name == "in" else None)
        inside = any(one.start <= word.start() < one.end for one in found)
        if unit is None or inside:
            continue
        before = plain[max(0, word.start() - _PREFIX_LENGTH) : word.start()]
        labels = _BEFORE_LABEL.search(before) is not None
        if unit[0].dimension is Dimension.OTHER:
            if not labels:
                continue
        elif name not in {"m", "м", "in"}:
            labels = labels or _AFTER_LABEL.match(plain, unit[1]) is not None
        elif not labels:
            continue  # a lone m may be any letter
        mentions.append(_Mention(start=word.start(), unit=unit[0], labels=labels))
    return mentions
