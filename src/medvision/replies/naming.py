"""Whether a reply that names its values states them in the order asked for.

A reply may name its values (`x0=0.1`, "major axis 31.2 mm", a table header). Values are read by
place, so names in another order (y first, width and height, minor before major, upper left
corner) make the reply unreadable; the values are never sorted by name.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from medvision.replies.plain_text import LETTERS
from medvision.tasks import Task

Slots = frozenset[int]
"""Places among the asked values that a name can stand for; empty: none of them."""

_START = f"(?<![{LETTERS}0-9_])"
_END = f"(?![{LETTERS}0-9])"
_LOW = "min|left|bottom|start|lo|low|lower"
_HIGH = "max|right|top|end|hi|high|upper"
_WORD = "left|right|top|bottom|width|height"
_COORDINATE = re.compile(
    rf"""(?ix)
      {_START} (?:
        (?P<axis>[xy]) (?: [_ ]?(?:(?P<number>[012])|(?P<low>{_LOW})|(?P<high>{_HIGH})) )? {_END}
          (?![ -](?:axis|axes|direction|coord))
      | (?P<low2>min)_?(?P<axis2>[xy]){_END} | (?P<high2>max)_?(?P<axis3>[xy]){_END}
      | (?P<size>[wh]|c_?[xy]|[xy]_?c(?:enter|entre)?) {_END}
      | (?P<corner>(?:top|upper|bottom|lower)[-_ ]?(?:left|right))
          (?= (?:[ ]corner)? ["'*`]{{0,3}} \s{{0,3}} (?:[:=(\[]|is\b|at\b) )
      | (?P<word>{_WORD})
          (?= ["'*`]{{0,3}} \s{{0,3}} (?: [:=] | [,|] \s{{0,3}} ["'*`]{{0,3}} (?:{_WORD}|[wh]\b) ) )
      )""",
)
_WORD_SLOTS = {"left": {0}, "bottom": {1}, "right": {2}, "top": {3}}
_MAJOR = "major|long|longer|longest|largest|length|maximum|mayor|majeur|grand|hauptachse|lang|lange"
_MINOR = (
    "minor|short|shorter|shortest|smallest|width|perpendicular|menor|mineur|petit|nebenachse"
    "|kurz|kurze"
)
_AXIS = re.compile(
    rf"(?i:{_START}(?:(?P<major>{_MAJOR})|(?P<minor>{_MINOR}))(?![{LETTERS}0-9])"
    r"|(?P<major2>长轴|长径|最大径|最长径)|(?P<minor2>短轴|短径))"
)


def states_asked_order(task: Task, text: str, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether the names beside the values, if any, stand in the order asked for.

    Args:
        task: Only box coordinates and axes have names that order them.
        text: Plain text.
        spans: (start, end) of each value in it, as many as the task asks for.
    """
    if task is Task.DETECTION:
        named = _coordinate_names(text)
    elif task is Task.TUMOR_LESION:
        named = [(m.start(), _axis_slots(m)) for m in _AXIS.finditer(text)]
    else:
        return True
    if not named:
        return True
    return _gaps_fit(_names_by_gap(named, spans))


def _axis_slots(match: re.Match[str]) -> Slots:
    return frozenset({0} if match["major"] or match["major2"] else {1})


def _coordinate_names(text: str) -> list[tuple[int, Slots]]:
    matches = list(_COORDINATE.finditer(text))
    numbers = {match["number"] for match in matches} - {None}
    # x1, y1 are the second corner beside x0, y0 and the first beside x2, y2.
    first = {"0": 0, "1": 1} if "0" in numbers else {"1": 0, "2": 1} if "2" in numbers else {}
    words = {match["word"].lower() for match in matches if match["word"]}
    corners = {match["corner"].lower() for match in matches if match["corner"]}
    named: list[tuple[int, Slots]] = []
    for match in matches:
        if (match["word"] and len(words) < 2) or (match["corner"] and len(corners) < 2):
            continue
        named.append((match.start(), _coordinate_slots(match, first)))
    return named


def _coordinate_slots(match: re.Match[str], first: dict[str, int]) -> Slots:
    if match["word"]:
        return frozenset(_WORD_SLOTS.get(match["word"].lower(), ()))
    if match["corner"]:
        return _corner_slots(match["corner"].lower())
    if match["size"]:
        return frozenset()
    axis = (match["axis"] or match["axis2"] or match["axis3"]).lower()
    across = 0 if axis == "x" else 1
    if match["low"] or match["low2"]:
        return frozenset({across})
    if match["high"] or match["high2"]:
        return frozenset({across + 2})
    if match["number"] in first:
        return frozenset({across + 2 * first[match["number"]]})
    return frozenset({across, across + 2})


def _corner_slots(corner: str) -> Slots:
    if corner.startswith(("bottom", "lower")) and corner.endswith("left"):
        return frozenset({0})
    if corner.startswith(("top", "upper")) and corner.endswith("right"):
        return frozenset({2})
    return frozenset()


def _names_by_gap(
    named: list[tuple[int, Slots]], spans: Sequence[tuple[int, int]]
) -> list[list[Slots]]:
    """Names before, between and after the values, one list a gap; repeated names are one."""
    gaps: list[list[Slots]] = [[] for _ in range(len(spans) + 1)]
    for position, slots in named:
        gap = gaps[sum(start <= position for start, _ in spans)]
        if gap and gap[-1] & slots:
            gap[-1] &= slots
        else:
            gap.append(slots)
    return gaps


def _gaps_fit(gaps: list[list[Slots]]) -> bool:
    count = len(gaps) - 1
    opening, inner, closing = gaps[0], gaps[1:count], gaps[count]
    if opening and any(inner) and len(opening) >= count:
        # A header before values that are named again: both have to fit.
        rest = [[], *gaps[1:]]
        return _some_names_fit(opening, slice(0, count)) and _gaps_fit(rest)
    if opening:
        return _fits_before(gaps)
    if closing:
        return _fits_after(gaps)
    return _fits_before(gaps) or _fits_after(gaps)


def _fits_before(gaps: list[list[Slots]]) -> bool:
    """Whether each gap names the values that follow it."""
    count = len(gaps) - 1
    named = [index for index in range(count) if gaps[index]]
    for start, stop in pairwise([*named, count]):
        names = gaps[start] if start else gaps[0][-(stop - start) :]
        if not _some_names_fit(names, slice(start, stop)):
            return False
    return True


def _fits_after(gaps: list[list[Slots]]) -> bool:
    """Whether each gap names the values before it."""
    named = [index for index in range(1, len(gaps)) if gaps[index]]
    for start, stop in pairwise([0, *named]):
        values = slice(max(start, stop - len(gaps[stop])), stop)
        if not _some_names_fit(gaps[stop], values):
            return False
    return True


def _some_names_fit(names: list[Slots], values: slice) -> bool:
    """Whether some names in a row are those of the values, from the first value on."""
    places = range(values.start, values.stop)[: len(names)]
    return any(
        all(place in names[first + offset] for offset, place in enumerate(places))
        for first in range(len(names) - len(places) + 1)
    )
