"""Units a reply may state, and how each becomes mm, degrees or mm²."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from medvision.prompts.plain_text import LETTERS


class Dimension(StrEnum):
    """What a unit measures, as far as reading an answer needs it."""

    LENGTH = "length"
    ANGLE = "angle"
    AREA = "area"
    PIXEL = "pixel"
    OTHER = "other"
    """Percent, volumes, counts of things: never what an answer is stated in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit and its conversion to mm, degrees or mm².

    Attributes:
        dimension: What it measures.
        shift: Power of ten to mm or mm²: 1 for cm, 2 for cm².
        factor: Further factor after the shift; 1 for every decimal unit.
    """

    dimension: Dimension
    shift: int = 0
    factor: float = 1.0

    @property
    def is_asked_unit(self) -> bool:
        """Whether a number in it is already in mm, degrees or mm²."""
        return self.shift == 0 and self.factor == 1.0

    def value(self, digits: str, exponent: int) -> float:
        """The number `digits`e`exponent` of this unit in mm, degrees or mm²; may overflow to inf.

        Example:
            The unit cm gives 31.2 for value("3.12", 0), exactly as "31.2" would read.
        """
        number = float(f"{digits}e{exponent + self.shift}")
        if self.factor == 1.0 or not math.isfinite(number):
            return number
        return float(Decimal(repr(number)) * Decimal(repr(self.factor)))


_INCH_MM = 25.4
_LENGTHS: dict[str, tuple[int, float]] = {
    r"mms?|millimet(?:er|re)[ns]?|milimetros?|millimetr[io]|мм|毫米|公厘|ミリ(?:メートル)?": (
        0,
        1.0,
    ),
    r"cms?|centimet(?:er|re)s?|zentimetern?|centimetr[io]|centimetros?|см|厘米|公分|センチ": (
        1,
        1.0,
    ),
    r"dm": (2, 1.0),
    r"(?-i:m)|met(?:er|re)s?|metern|metros?|米": (3, 1.0),
    r"km": (6, 1.0),
    r"[μu]m|microns?|micromet(?:er|re)s?|微米": (-3, 1.0),
    r"nm": (-6, 1.0),
    r"inch(?:es)?|zoll|pulgadas?|pouces?|英寸": (0, _INCH_MM),
}
_ANGLES: dict[str, float] = {
    r"°|deg(?:ree|re)?s?|grados?|grad|度": 1.0,
    r"rads?|radian(?:e?s|en)?|弧度": math.degrees(1.0),
}
_PIXEL = r"px|pix|pixel[ns]?|pixeles|vox|voxels?|像素|画素|ピクセル"
_COUNTED = "image|picture|slice|scan|view|plane|landmark|point|line|structure|lesion|year|axis|axes"
_OTHER = r"%|‰|per\s?cent|hu|ml|cc|cm3|mm3|[kmμ]?g|ft|feet|foot"
_OTHER += f"|(?-i:(?:{_COUNTED})s?)"
_SQUARE = r"(?:square|sq\.?|quadrat|平方)\s?"
_SQUARED = r"(?:\}?\s?(?:\^|\*\*)\s?\{?2\}?|2|\s(?:squared|cuadrad[oa]s?|carres?))"
_CUBED = r"(?:\}?\s?(?:\^|\*\*)\s?\{?3\}?|3|\scubed)"


def _folded(pattern: str) -> str:
    # Text is folded before it is matched; kana lose their voicing marks there, as must the table.
    return pattern.replace("ピ", "ヒ")


_LENGTH = "|".join(f"(?P<length{index}>{_folded(names)})" for index, names in enumerate(_LENGTHS))
_ANGLE = "|".join(f"(?P<angle{index}>{names})" for index, names in enumerate(_ANGLES))
_END = rf"(?:(?<=[^{LETTERS}0-9])|(?![{LETTERS}0-9])|(?=[xX]\.?[0-9]))"
UNIT_PATTERN = (
    rf"(?i:(?P<square>{_SQUARE})?"
    rf"(?:(?:{_LENGTH}|(?P<pixel>{_folded(_PIXEL)})|(?P<inch2>in(?={_SQUARED})))"
    rf"(?:(?P<squared>{_SQUARED})|(?P<cubed>{_CUBED}))?(?P<per>/(?:{_PIXEL}))?"
    rf"|{_ANGLE}|(?P<other>{_OTHER})){_END})"
)
"""One unit, spelled any way we know; `unit_spelled` says which."""


_UNIT = re.compile(UNIT_PATTERN)


@lru_cache(maxsize=4096)
def unit_spelled(text: str) -> Unit:
    """The unit that `UNIT_PATTERN` found as this text.

    Example:
        unit_spelled("cm^2") has dimension area and shift 2.
    """
    match = _UNIT.fullmatch(text)
    if match is None:
        msg = f"expected a unit as UNIT_PATTERN matches it, found {text!r}"
        raise ValueError(msg)
    found = {name for name, part in match.groupdict().items() if part is not None}
    if found & {"other", "cubed", "per"}:
        return Unit(dimension=Dimension.OTHER)
    if "pixel" in found:
        return Unit(dimension=Dimension.PIXEL)
    for index, factor in enumerate(_ANGLES.values()):
        if f"angle{index}" in found:
            return Unit(dimension=Dimension.ANGLE, factor=factor)
    sizes = (size for index, size in enumerate(_LENGTHS.values()) if f"length{index}" in found)
    shift, factor = next(sizes, (0, _INCH_MM))
    if found & {"square", "squared"}:
        square = float(Decimal(repr(factor)) ** 2)
        return Unit(dimension=Dimension.AREA, shift=2 * shift, factor=square)
    return Unit(dimension=Dimension.LENGTH, shift=shift, factor=factor)
