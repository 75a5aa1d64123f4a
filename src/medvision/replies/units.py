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
    (_length(0), "milimetros millimetro millimetri мм миллиметр миллиметра миллиметров миллиметры"),
    (
        _length(0),
        "毫米 公厘 公釐 ミリメートル ミリ 밀리미터 밀리 مم ملم مليمتر ملليمتر ميليمتر ميلليمتر",
    ),
    (_length(0), "मिमी मि.मी. मि.मी मिलीमीटर मिलिमीटर"),
    (_length(1), "cm cms centimeter centimeters centimetre centimetres zentimeter zentimetern"),
    (
        _length(1),
        "centimetro centimetros centimetri см сантиметр сантиметра сантиметров сантиметры",
    ),
    (_length(1), "厘米 公分 センチメートル センチ センチメーター 센티미터 센티 سم سنتيمتر سنتمتر"),
    (_length(1), "सेमी से.मी. से.मी सेंटीमीटर सेन्टीमीटर सेंटिमीटर"),
    (_length(2), "dm decimeter decimeters decimetre decimetres dezimeter дм 分米"),
    (_length(3), "meter meters metre metres metern metro metros metri метр метра метров метры"),
    (_length(3), "米 公尺 メートル 미터 متر मीटर"),
    (_length(6), "km kilometer kilometers kilometre kilometres 公里 千米"),
    (_length(-3), "μm um micron microns micrometer micrometers micrometre micrometres mikrometer"),
    (_length(-3), "micrometro micrometros micrometri micras мкм микрометр микрометра микрометров"),
    (_length(-3), "微米 マイクロメートル ミクロン 마이크로미터 ميكرومتر ميكرون माइक्रोमीटर माइक्रोन"),
    (_length(-6), "nm nanometer nanometers nanometre nanometres 纳米 ナノメートル"),
    (_length(0, 25.4), "inch inches zoll pulgada pulgadas pouce pouces polegada polegadas pollice"),
    (
        _length(0, 25.4),
        "pollici дюйм дюйма дюймов дюймы 英寸 吋 インチ 인치 بوصة بوصات إنش इंच ′′ ''",
    ),
    (_DEGREE, "° deg degs degree degrees degre degres grado grados grad grau graus gradi градус"),
    (_DEGREE, "градуса градусов градусы град 度 도 درجة درجات डिग्री अंश"),
    (
        _RADIAN,
        "rad rads radian radians radianes radianen radiano radianos radiante radianti radiant",
    ),
    (_RADIAN, "bogenmaß радиан радиана радианов рад 弧度 ラジアン 라디안 راديان रेडियन"),
    (_PIXEL, "px pix pixel pixels pixeln pixeles pixeis vox voxel voxels пиксель пикселя пикселей"),
    (_PIXEL, "пикселям пикс 像素 画素 ピクセル 픽셀 بكسل بيكسل पिक्सेल पिक्सल"),
    (_length(0).squared, "quadratmillimeter quadratmillimetern 제곱밀리미터 qmm"),
    (_length(1).squared, "quadratzentimeter quadratzentimetern 제곱센티미터 qcm"),
    (_length(3).squared, "quadratmeter quadratmetern 제곱미터"),
    (OTHER_UNIT, "% ‰ percent hu ml cc kg mg μg g ft feet foot yd yard yards mile miles furlong"),
    (
        OTHER_UNIT,
        "furlongs mil mils thou pt pica gon gons gradian gradians arcmin arcsec turn turns",
    ),
    (OTHER_UNIT, "acre acres hectare hectares liter litre liters litres angstrom angstroms"),
    (
        OTHER_UNIT,
        "英尺 尺 寸 フィート 피트 قدم फुट फीट фут фута футов pied pieds pie pies piede piedi",
    ),
    (OTHER_UNIT, "立方毫米 立方厘米 毫升 ′"),
)
_ANY_CASE = {fold(name): unit for unit, names in _SPELLINGS for name in names.split()}
_COUNTED = ("image", "picture", "slice", "scan", "view", "plane", "landmark", "point", "line")
_AS_SPELLED = {"m": _length(3), "м": _length(3)} | dict.fromkeys(
    [noun + ending for noun in _COUNTED for ending in ("", "s")]
    + ["year", "years", "axis", "axes"],
    OTHER_UNIT,
)
INCH = _length(0, 25.4)
_INCH_FOLLOWS = re.compile(
    r"\.?(?:[^\S\n]{0,3}(?:\Z|[,;|)\]}×*`$\"'<]|\n|\.\s|(?:x|by|long|wide|across)(?![^\W\d_]))|\Z)"
)
"""What "in" stands before where it is inches: a preposition stands before a word."""

UNIT_WORDS = frozenset(_ANY_CASE) | {name for name in _AS_SPELLED if len(name) == 1}
"""Spellings, in lower case, of units that a label may state."""


def words_of(dimension: Dimension) -> frozenset[str]:
    """Spellings, in lower case, of all units of one kind but single Latin letters."""
    return frozenset(name for name, unit in _ANY_CASE.items() if unit.dimension is dimension)


_SIGNS = sorted(
    (name for name in _ANY_CASE if not re.match(f"[{LETTERS}]", name)), key=len, reverse=True
)
UNIT_SIGNS = (
    f"(?:(?=[{re.escape(''.join(sorted({name[0] for name in _SIGNS})))}])"
    f"(?:{'|'.join(map(re.escape, _SIGNS))}))"
)
"""Spellings that need no word boundary, longest first, as a regex."""

_WORD = rf"[{LETTERS}]{{1,20}}(?![{LETTERS}])"
SQUARE = (
    rf"(?:[Ss]q(?:uare\s|\.\s?|\s)|кв(?:\.\s?|\s)|квадратн[а-я]{{1,3}}\s|平方|{fold('제곱')}\s?"
    rf"|{fold('वर्ग')}\s)"
)
"""Words that make an area of the unit after them, as a regex."""

_UNIT = re.compile(
    rf"(?P<square>{SQUARE})?"
    rf"(?:(?P<word>{_WORD})|(?P<sign>{UNIT_SIGNS}|per\scent))"
    rf"(?P<power>\}}?\s?(?:\^|\*\*)\s?\{{?[23]\}}?|(?<![xX])[23](?![{LETTERS}0-9])"
    rf"|\.?\s(?i:(?:au|al|ao|im|zum|в)\s)?(?i:squared?|cubed|cubes?|cub[oi]s?|cubic[oi]s?|кубе|kubik"
    rf"|cuadrad[oa]s?|carres?|quadrad[oa]s?|quadrat[oi]?|квадрате|مربعه?ة?|مكعبه?ة?)(?![^\W\d_]))?"
    rf"(?P<per>\s?/\s?[{LETTERS}]+|(?<=°)[CF](?![{LETTERS}]))?"
)
_DIGIT_NEXT = re.compile("[0-9]")
_CUBE = re.compile("(?i)3|cub|куб|kub|مكعب")


def unit_at(text: str, position: int) -> tuple[Unit, int] | None:
    """The unit that begins at a position of a plain text, and where it ends.

    Example:
        unit_at("31.2 cm^2", 5) is the area unit of shift 2, and 9.
    """
    match = _UNIT.match(text, position)
    if match is None:
        return None
    end, word = match.end(), match["word"] or match["sign"]
    power, square = match["power"], match["square"]
    if power is None and word[-1] in "xX" and _DIGIT_NEXT.match(text, end):
        word, end = word[:-1], end - 1  # "31.2mmx18.0mm"
    elif power is None and match["word"] and _DIGIT_NEXT.match(text, end):
        return None
    unit = _AS_SPELLED.get(word) or _ANY_CASE.get(word.lower())
    if word in {"in", "IN", "In"} and (power or square or _INCH_FOLLOWS.match(text, end)):
        unit = INCH
    if unit is None:
        return (OTHER_UNIT, end) if match["sign"] else None
    if match["per"] or (power and _CUBE.search(power)):
        return OTHER_UNIT, end
    return (unit.squared if power or square else unit), end


def is_whole_spelling(name: str) -> bool:
    """Whether no longer spelling makes another unit of it, as "mm" does of "m".

    Example:
        >>> is_whole_spelling("cm"), is_whole_spelling("m")
        (True, False)
    """
    unit, lower = _AS_SPELLED.get(name) or _ANY_CASE.get(name.lower()), name.lower()
    longer = (other for spelling, other in _ANY_CASE.items() if spelling.startswith(lower))
    return unit is not None and all(other == unit for other in longer)
