"""Whether a reply that its server cut at a length limit had stated its numbers whole."""

import re

from medvision.replies.plain_text import plain_text
from medvision.replies.units import is_whole_spelling, unit_at

_LOOKED_AT = 2_000
_LAST_DIGIT = re.compile(r"(?<![A-Za-z])\d\D*(?:(?<=[A-Za-z])\d\D*)*\Z")
"""From the last digit of a number on; the 2 of mm2 is none."""

_BEFORE_UNIT = re.compile(r"[\s\"'*_`$()\[\]{}]*")
_WORD_ONLY = re.compile(r"[^\W\d_]*\Z")
_POWER = re.compile(r"[\s^*{}]*[23]?\}?\Z")
_KEY_BEGUN = re.compile(r"[^\w}]{1,8}\w{0,16}[^\w}]{0,8}\w{0,16}\Z")
"""At most one more key and its value: `, "unit": "c` is the head of a unit."""
_PROOF = re.compile(r"[^\s\\.,'\u066b\u066c…~≈<>/:=+±×·^eE-]")
"""A sign that goes on with no number: no point, comma or space that a digit could follow, no joint
of a range."""


def ended_before_cut(text: str) -> bool:
    r"""Whether text after the last number proves that number and unit were written to their end.

    Args:
        text: A reply that stopped because it was too long.

    Returns:
        False where more of the last number, or of its unit, may have been to come; True without
        a number.

    Example:
        >>> ended_before_cut("31.20, 18.0"), ended_before_cut("[31.20, 18.0]")
        (False, True)
        >>> ended_before_cut("0.2 m"), ended_before_cut("The angle is 23.1 degrees, as")
        (False, True)
    """
    last = _LAST_DIGIT.search(text)
    if last is None:
        return True
    if "</" in last.group():
        return True  # tags close after values
    rest = plain_text(last.group()[1:_LOOKED_AT])
    noise = _BEFORE_UNIT.match(rest)
    word = rest[noise.end() if noise else 0 :]
    unit = unit_at(word, 0)
    if unit is not None:
        # "0.2 m" may be the head of "0.2 mm"; nothing goes on from "0.2 cm" to another length.
        *_, spelled = _POWER.sub("", word).split()
        return unit[1] < len(word) or is_whole_spelling(spelled)
    if _WORD_ONLY.match(word) and not set(rest) & set(")]}"):
        return False
    if '"' in rest and _KEY_BEGUN.match(rest):
        return False
    return _PROOF.search(rest) is not None
