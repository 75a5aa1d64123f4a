"""Units a reply may state, and how each becomes mm, degrees or mm²."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from medvision.replies.plain_text import LETTERS, fold


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

    @property
    def squared(self) -> "Unit":
        """The unit of areas of this length; pixels stay pixels."""
        if self.dimension is not Dimension.LENGTH:
            return self if self.dimension is Dimension.PIXEL else OTHER_UNIT
        factor = float(Decimal(repr(self.factor)) ** 2)
        return Unit(dimension=Dimension.AREA, shift=2 * self.shift, factor=factor)

    def value(self, digits: str, exponent: int) -> float:
        """The number `digits`e`exponent` of this unit in mm, degrees or mm²; may overflow to inf.

        Example:
            The unit cm gives 31.2 for value("3.12", 0), exactly as "31.2" would read.
        """
        number = float(f"{digits}e{exponent + self.shift}")
        if self.factor == 1.0 or not math.isfinite(number):
            return number
        return float(Decimal(repr(number)) * Decimal(repr(self.factor)))


def _length(shift: int, factor: float = 1.0) -> Unit:
    return Unit(dimension=Dimension.LENGTH, shift=shift, factor=factor)


OTHER_UNIT = Unit(dimension=Dimension.OTHER)
_PIXEL = Unit(dimension=Dimension.PIXEL)
_DEGREE = Unit(dimension=Dimension.ANGLE)
_RADIAN = Unit(dimension=Dimension.ANGLE, factor=math.degrees(1.0))

_SPELLINGS: tuple[tuple[Unit, str], ...] = (
    (_length(0), "mm mms millimeter millimeters millimetre millimetres millimetern milimetro"),
    (_length(0), "milimetros millimetro millimetri мм 毫米 公厘 ミリメートル ミリ"),
    (_length(1), "cm cms centimeter centimeters centimetre centimetres zentimeter zentimetern"),
    (_length(1), "centimetro centimetros centimetri см 厘米 公分 センチメートル センチ"),
    (_length(2), "dm"),
    (_length(3), "meter meters metre metres metern metro metros 米"),
    (_length(6), "km"),
    (_length(-3), "μm um micron microns micrometer micrometers micrometre micrometres 微米"),
    (_length(-6), "nm"),
    (_length(0, 25.4), "inch inches zoll pulgada pulgadas pouce pouces 英寸"),
    (_DEGREE, "° deg degs degree degrees degre degres grado grados grad 度"),
    (_RADIAN, "rad rads radian radians radianes radianen 弧度"),
    (_PIXEL, "px pix pixel pixels pixeln pixeles vox voxel voxels 像素 画素 ピクセル"),
    (_length(0).squared, "quadratmillimeter quadratmillimetern"),
    (_length(1).squared, "quadratzentimeter quadratzentimetern"),
    (_length(3).squared, "quadratmeter quadratmetern"),
    (OTHER_UNIT, "% ‰ percent hu ml cc kg mg μg g ft feet foot"),
)
_ANY_CASE = {fold(name): unit for unit, names in _SPELLINGS for name in names.split()}
_COUNTED = ("image", "picture", "slice", "scan", "view", "plane", "landmark", "point", "line")
_AS_SPELLED = {"m": _length(3)} | dict.fromkeys(
    [noun + ending for noun in _COUNTED for ending in ("", "s")]
    + ["structure", "structures", "lesion", "lesions", "year", "years", "axis", "axes"],
    OTHER_UNIT,
)
_SQUARED_ONLY = {"in": _length(0, 25.4)}
"""Bare "in" is a preposition; in² is a unit."""

UNIT_WORDS = frozenset(
    name
    for name, unit in (_ANY_CASE | _AS_SPELLED).items()
    if unit.dimension is not Dimension.OTHER
)
"""Spellings, in lower case, of the units in which sizes may be stated."""

UNIT_SIGNS = "|".join(
    re.escape(name)
    for name in sorted(_ANY_CASE, key=len, reverse=True)
    if not re.match(f"[{LETTERS}]", name)
)
"""Spellings that need no word boundary, longest first, as a regex alternation."""

_WORD = rf"[{LETTERS}]{{1,20}}(?![{LETTERS}])"
_UNIT = re.compile(
    rf"(?P<square>(?:[Ss]q(?:uare\s|\.\s?|\s)|平方))?"
    rf"(?:(?P<word>{_WORD})|(?P<sign>{UNIT_SIGNS}|per\scent))"
    rf"(?P<power>\}}?\s?(?:\^|\*\*)\s?\{{?[23]\}}?|(?<![xX])[23](?![{LETTERS}0-9])"
    rf"|\s(?:squared|cubed|cuadrad[oa]s?|carres?)(?![{LETTERS}]))?"
    rf"(?P<per>/(?:px|pixel|voxel)s?)?"
)
_DIGIT_NEXT = re.compile("[0-9]")


def unit_at(text: str, position: int) -> tuple[Unit, int] | None:
    """The unit that begins at a position of a plain text, and where it ends.

    Example:
        unit_at("31.2 cm^2", 5) is the area unit of shift 2, and 9.
    """
    match = _UNIT.match(text, position)
    if match is None:
        return None
    end, word = match.end(), match["word"] or match["sign"]
    power = match["power"]
    if power is None and word[-1] in "xX" and _DIGIT_NEXT.match(text, end):
        word, end = word[:-1], end - 1  # "31.2mmx18.0mm"
    elif power is None and match["word"] and _DIGIT_NEXT.match(text, end):
        return None
    unit = _AS_SPELLED.get(word) or _ANY_CASE.get(word.lower())
    if unit is None and power is not None:
        unit = _SQUARED_ONLY.get(word.lower())
    if unit is None:
        return (OTHER_UNIT, end) if match["sign"] else None
    if match["per"] or (power and ("3" in power or "cubed" in power)):
        return OTHER_UNIT, end
    return (unit.squared if power or match["square"] else unit), end


def is_whole_spelling(name: str) -> bool:
    """Whether no longer spelling makes another unit of it, as "mm" does of "m".

    Example:
        >>> is_whole_spelling("cm"), is_whole_spelling("m")
        (True, False)
    """
    unit, lower = _AS_SPELLED.get(name) or _ANY_CASE.get(name.lower()), name.lower()
    return all(
        other == unit
        for spelling, other in _ANY_CASE.items()
        if spelling.startswith(lower) and unit is not None
    )
