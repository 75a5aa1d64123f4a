"""Words beside the numbers that make them something else than the asked answer.

Two numbers are axes and four are a box only if nothing in the text says otherwise: a range, a
tolerance, an alternative, a bound, a count of things, the number of a slice, a unit that is not
known. Each number is judged by the words that touch it, in a closed world (`words`); what is found
here leaves a reply unread, and nothing is converted on a guess.
"""

import re
from collections.abc import Sequence

from medvision.replies.axes import both_are_named
from medvision.replies.plain_text import fold
from medvision.replies.quantities import Quantity
from medvision.replies.words import (
    ABOUT,
    WORD,
    WORDS,
    introduces,
    is_joint,
    is_known_after,
    is_known_aside,
    kinds_named,
    labels,
)
from medvision.tasks import Task

_NEAR = 48
"""Characters before a number, and after it, in which words are looked for."""

_NOISE = " \t\u2009*_`$~([{\"'<>}])-+"
_CLAUSE = re.compile(r"[^,;:.!?\n|]*\Z")
_SENTENCE = re.compile("[.;!?。]")
_SENTENCE_LENGTH = 300
_WORD_AFTER = re.compile(rf"[^\S\n]{{0,8}}[*_`$\"')\]}}{{]{{0,4}}[^\S\n]{{0,8}}-?({WORD}{{1,40}})")
_ASIDE = re.compile(
    rf"[^\S\n]{{0,4}}[\[(][^\S\n]{{0,4}}({WORD}{{1,40}})\.?[^\S\n]{{0,4}}(?:[\])]|\Z)"
)
_BOUND_SIGNS = tuple("#§<>≤≥")


_UNSPACED_BOUND = re.compile(
    fold(
        r"(?:最大(?![长長径徑直])|最小(?![长長径徑直])|最多|最少|最高|最低|不是|不为|未満|不足|至少|至多"
        r"|少なくとも|최대(?!\s?(?:직경|길이|장경))|최소)[^\d]{0,4}\Z"
    )
)
_UNSPACED_OTHER = re.compile(
    fold(
        r"(?:切片|层|層|步骤|步驟|步|图|圖|図|表|第|置信度|层厚|層厚|切片厚度|分辨率|像素|スライス"
        r"|ステップ|信頼度|スライス厚さ?"
        r"|解像度|ピクセル|画素|あたり|每|毎|슬라이스|단계|그림|신뢰도|해상도|픽셀|당)"
        r"[^\d]{0,2}\Z"
    )
)
_OR_MORE = (
    r"(?:or|oder|ou|или|o|(?:and|und|et|y|e|и)\s(?:above|below|up|over|more|less|mehr|darüber|plus"
    r"|más|mais|più|более|больше|выше|ниже)|at (?:the )?(?:most|least)|max(?:imum|imal)?"
    r"|min(?:imum|imal)?|tops|upwards?|höchstens|mindestens|plus|minus|máximo|mínimo|massimo|minimo"
    r"|minimal|максимум|минимум|au (?:plus|moins|maximum|minimum)|(?:como|no) (?:máximo|mínimo)"
    r"|al (?:massimo|minimo))(?![^\W\d_])"
)
_RATE = (
    r"(?:per|pro|par|por|each|every|на|в|/)\s?(?:each )?(?:(?:pixel|px|voxel|slice|mm|cm|s|bild"
    r"|schicht|coupe|corte|píxel|image|side|row|column)(?![^\W\d_])|пиксел|воксел)"
)
_OF_SOMETHING = (  # "5 mm slices", "0.5 mm accuracy"
    r"[-\s](?:slices?|sections?|thick(?:ness)?|spacing|resolution|error|margin|tolerance"
    r"|uncertainty|scale|bar|ruler|grid|pixels?|voxels?|accuracy|precision|intervals?)(?![^\W\d_])"
)
_SIGN = r"\+(?!\s?[\d/-])|[<>≤≥±^%‰]|'(?!\w)"
_POSTPOSED = (
    r"से|तक|या|प्रति|أو|على|كحد|لكل|فأكثر|فأقل|以上|以下|以内|未満|不到|多|余|이상|이하|이내|미만"
    r"|초과|または|或|か|또는"
)
_AFTER_VALUE = re.compile(
    fold(
        rf"[\s*_`$)\]}}\"]{{0,6}}(?:[,(]\s?)?"
        rf"(?:{_OR_MORE}|{_RATE}|{_OF_SOMETHING}|{_SIGN}|{_POSTPOSED})"
    ),
    re.IGNORECASE,
)
"""What makes a bound, an alternative or a rate of the value before it."""

_OTHER_AXES = re.compile(
    r"(?i)\b(?:w|width|h|height|ap|tr|cc|depth|d)\s?[x×]\s?[a-z]{1,6}\b|\([xyz]\)"
)
"""Axes of the picture or the body before two lengths: "W x L", "(x)"."""
_TIMES = re.compile(fold(r"(?i:[x×*]|\b(?:by|mal|sur|por|per|на)\b|乘|かける|곱하기|गुणा)"))
_FROM = re.compile(r"\s(?:from|away|deep|above|below|behind|off)\b")
_OPEN, _CLOSE = "[(", "])"
_JOINT_SIGNS = re.compile(r"[\s,;.x×*_`$|&()\[\]{}\"'~≈\u2009-]*\Z")


def says_otherwise(task: Task, plain: str, found: Sequence[Quantity], unit: str = "") -> bool:
    """Whether a text says of its numbers that they are not the asked answer.

    Args:
        task: What was asked.
        plain: Plain text.
        found: Its numbers, as many as the task asks for.
        unit: What the value was asked in; "" is any unit of the task.
    """
    if task is Task.DETECTION or any(one.digits == "nan" for one in found):
        return False  # `boxes` reads the words of a box; what is no number has a status of its own
    if "√" in plain or "π" in plain:
        return True  # a fraction or a root, never evaluated
    if task is Task.COUNT:
        return any(_is_bounded(plain, one) for one in found)
    if task is Task.ANGLE_DISTANCE and unit and _is_of_other_kind(plain, found[0], unit):
        return True
    is_axis = task is Task.TUMOR_LESION
    joined = is_axis and _are_joined(plain, found)
    spans = [(one.start, one.end) for one in found]
    if is_axis and not joined and not both_are_named(plain, spans):
        return True
    if is_axis and _OTHER_AXES.search(plain):
        return True
    # In "3.1 x 1.8 cm" the unit is that of both.
    has_unit = any(one.unit is not None for one in found)
    # What joins two numbers has been looked at: the words before both, and after both, are left.
    introduced, ending = (found[:1], found[-1:]) if joined else (found, found)
    return (
        any(_is_bounded(plain, one) for one in found)
        or not all(
            _is_introduced(plain, one, has_unit=has_unit, is_axis=is_axis) for one in introduced
        )
        or not all(_ends(plain, one) for one in ending)
    )


def _are_joined(plain: str, found: Sequence[Quantity]) -> bool:
    """Whether nothing but signs and words of joining stands between two numbers."""
    first, second = found
    gap = plain[first.end : second.start]
    words = [word.lower() for word in WORDS.findall(gap)]
    if not all(map(is_joint, words)) or not _JOINT_SIGNS.match(WORDS.sub("", gap)):
        return False
    if not _TIMES.search(gap):
        # A comma or "and" also goes on to another thing: another unit, another estimate, a place.
        is_restated = "," in gap and not ABOUT.isdisjoint(words) and not _is_about(plain, first)
        is_counted = bool(words) and first.unit is not None and second.unit is None
        if is_restated or is_counted or _FROM.match(plain, second.end):
            return False
    alone = [
        plain[one.start - 1 : one.start] in {*_OPEN} and plain[one.end : one.end + 1] in {*_CLOSE}
        for one in found
    ]
    return alone[0] == alone[1]  # "[1] 31.2 mm" cites, "31.2 (18.0)" restates


def _is_about(plain: str, one: Quantity) -> bool:
    words = WORDS.findall(plain[max(0, one.start - _NEAR) : one.start].lower())
    return bool(words) and words[-1] in ABOUT


def _is_bounded(plain: str, one: Quantity) -> bool:
    """Whether signs or words beside a number make a bound of it, or the number of something."""
    before = plain[max(0, one.start - _NEAR) : one.start]
    return (
        before.rstrip(" $").endswith(_BOUND_SIGNS)
        or (not before.isascii() and _UNSPACED_BOUND.search(before) is not None)
        or (not before.isascii() and _UNSPACED_OTHER.search(before) is not None)
        or _AFTER_VALUE.match(plain, one.end) is not None
    )


def _is_introduced(plain: str, one: Quantity, *, has_unit: bool, is_axis: bool) -> bool:
    """Whether the words right before a number, if any, leave it an answer."""
    before = plain[max(0, one.start - _NEAR) : one.start].rstrip(_NOISE)
    is_label = before[-1:] in {":", "=", "≈", "."}
    if is_label:
        before = before[:-1].rstrip(_NOISE)
    clause = _CLAUSE.search(before.lower())
    words = WORDS.findall(clause.group()) if clause else []
    if not words or not before.lower().endswith(words[-1]):
        return True
    if is_label:
        return labels(words, is_axis=is_axis)
    return introduces(words, has_unit=has_unit, is_axis=is_axis)


def _is_of_other_kind(plain: str, one: Quantity, unit: str) -> bool:
    """Whether a number without a unit is called an angle and a distance was asked for, or so."""
    if one.unit is not None:
        return False  # which says more than a name
    before = _SENTENCE.split(plain[max(0, one.start - _SENTENCE_LENGTH) : one.start])[-1]
    after = _SENTENCE.split(plain[one.end : one.end + _NEAR], maxsplit=1)[0]
    kinds = kinds_named(WORDS.findall(before.lower())) or kinds_named(WORDS.findall(after.lower()))
    return bool(kinds) and unit not in kinds


def _ends(plain: str, one: Quantity) -> bool:
    """Whether the word right after a number and its unit leaves it an answer."""
    aside = _ASIDE.match(plain, one.end)
    if aside is not None and not is_known_aside(aside[1]):
        return False
    word = _WORD_AFTER.match(plain, one.end)
    return word is None or is_known_after(word[1], has_unit=one.unit is not None)
