"""The order in which a reply states the two axes, by what it calls them."""

import re
from collections.abc import Sequence

from medvision.replies.naming import Slots, gaps_fit, names_by_gap
from medvision.replies.plain_text import fold
from medvision.replies.words import (
    MAJOR,
    MAJOR_UNSPACED,
    MINOR,
    MINOR_UNSPACED,
    SIZE_WORDS,
    WORDS,
    is_joint,
)

_UNSPACED = re.compile(
    f"(?P<major>{'|'.join(MAJOR_UNSPACED)})|(?P<minor>{'|'.join(MINOR_UNSPACED)})"
)
_IN_DIMENSIONS = re.compile(r"(?i)\bin (?:its |the )?[a-z]+ (?:dimensions?|diameters?|extents?)\b")
"""Names no value: "31.2 x 18.0 mm in greatest dimension" is how reports end."""
_TURNED = re.compile(
    fold(
        r"(?i:\brevers(?:e|ed|al)\b|\binver(?:se|ted|so|sa|tid[oa]|tit[oa]|s[ée]s?)\b|\bswapped\b"
        r"|umgekehrt|vertauscht|обратн|наоборот|逆|反[向过過転]|倒|역순|거꾸로|عكس|उल्ट)"
    )
)
"""Says that the order is another one, and not which."""
_UNKNOWN_PAIR = re.compile(
    r"(?i)(?<![^\W_])(?!l\s?[x×]\s?[wb](?![^\W_]))[^\W\d_]{1,20}\s?[x×]\s?[^\W\d_]{1,20}\s{0,3}[:=)]"
)
"""Two names before two values, "CC x TR:", of which neither is known for an axis."""
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？]")
_LISTED = (
    MAJOR
    | MINOR
    | frozenset(
        {
            *(
                "axis",
                "axes",
                "diameter",
                "diameters",
                "lengths",
                "dimension",
                "dimensions",
                "mm",
                "cm",
            ),
            *(
                "in",
                "the",
                "a",
                "an",
                "of",
                "is",
                "are",
                "respectively",
                "then",
                "order",
                "as",
                "for",
            ),
            *("achse", "achsen", "axe", "eje", "ejes", "eixo", "asse", "assi", "ось"),
        }
    )
)
"""Words that go on with a list of two names."""
_MAJOR, _MINOR = frozenset({0}), frozenset({1})

Spans = Sequence[tuple[int, int]]


def _named(text: str) -> list[tuple[int, Slots]]:
    if len(_IN_DIMENSIONS.findall(text)) == 1:
        text = _IN_DIMENSIONS.sub(lambda phrase: " " * len(phrase.group()), text)
    words = [(word.start(), word.group().lower()) for word in WORDS.finditer(text)]
    names = [(at, word) for at, word in words if word in MAJOR or word in MINOR]
    proper = {word in MAJOR for _, word in names if word not in SIZE_WORDS}
    if proper == {True, False}:  # beside "major" and "minor", "length" is any length
        names = [(at, word) for at, word in names if word not in SIZE_WORDS]
    named: list[tuple[int, Slots]] = [
        (at, _MAJOR if word in MAJOR else _MINOR) for at, word in names
    ]
    if not text.isascii():
        named += [(m.start(), _MAJOR if m["major"] else _MINOR) for m in _UNSPACED.finditer(text)]
        named.sort(key=lambda name: name[0])
    return named


def axes_order(text: str, spans: Spans) -> tuple[int, int] | None:
    r"""Which value is the major axis and which the minor one.

    Args:
        text: Plain text.
        spans: (start, end) of the two values in it.

    Returns:
        Their places: (0, 1) as asked for, also where nothing is named; (1, 0) where each value has
        one name of an axis, or both are listed before or after the two, and the minor one stands
        first; None where the names fit neither.

    Example:
        >>> axes_order("minor: 18.0, major: 31.2", [(7, 11), (20, 24)])
        (1, 0)
        >>> axes_order("| axis | minor | major |\n| mm | 18.0 | 31.2 |", [(31, 35), (38, 42)])
        (1, 0)
    """
    named = _named(text)
    if _TURNED.search(text):
        return None
    if not named:
        return None if _UNKNOWN_PAIR.search(text[: spans[0][0]]) else (0, 1)
    gaps = names_by_gap(named, spans)
    if gaps_fit(gaps):
        return 0, 1
    # Width and length say nothing of which is longer, so they are never turned around.
    words = {word.lower() for word in WORDS.findall(text)}
    is_size = not words.isdisjoint(SIZE_WORDS) and words.isdisjoint((MAJOR | MINOR) - SIZE_WORDS)
    each_named = ([_MINOR], [_MAJOR])
    beside = (gaps[:2] == [*each_named] and not gaps[2]) or (
        gaps[1:] == [*each_named] and not gaps[0]
    )
    is_turned = beside or _are_listed(text, named, gaps, spans)
    return (1, 0) if is_turned and not is_size else None


def _are_listed(
    text: str, named: list[tuple[int, Slots]], gaps: list[list[Slots]], spans: Spans
) -> bool:
    """Whether the names stand in one list, minor and major, before both values or after both."""
    first, last = named[0][0], named[-1][0]
    names = WORDS.findall(text[first:last].lower())
    if not all(word in _LISTED or is_joint(word) or not word.isascii() for word in names):
        return False
    if gaps == [[_MINOR, _MAJOR], [], []]:  # the values are those of the list's own sentence
        return _SENTENCE_END.search(text, last, spans[0][0]) is None
    between = WORDS.findall(text[spans[1][1] : first].lower())
    return gaps == [[], [], [_MINOR, _MAJOR]] and _LISTED.issuperset(between)


def both_are_named(text: str, spans: Spans) -> bool:
    """Whether each of two values has the name of an axis before it, or each has one after it."""
    before, between, after = (
        {place for slots in gap for place in slots} for gap in names_by_gap(_named(text), spans)
    )
    beside = before or after
    return len(beside) == 1 and bool(between - beside)
