"""Words beside the numbers that make them something else than the asked answer.

Two numbers are axes and four are a box only if nothing in the text says otherwise: another layout,
a range, a tolerance, an alternative, a bound, a count of things, the number of a slice, a unit that
is not known. What is found here leaves a reply unread; nothing is converted on a guess.

Patterns are looked for in the text as it was written, before markup is taken off, and each is
linear: a number of bounded length, a few signs, a word.
"""

import re

from medvision.tasks import TASKS, Task

_NUMBER = r"(?<![0-9.,])[0-9][0-9.,]{0,15}"
_UNIT = r"\s?(?:[a-zа-яµ°²]{1,12}\s)?"

_LAYOUTS = (
    r"\b(?:xywh|cxcywh|cxywh|yxyx|yxhw|xyhw|ltwh|tlwh|ltrb_top|xxyy)\b",
    r"\bx\s?,\s?y\s?,\s?(?:w|width)\b",
    r"\b(?:y0\s?,\s?x0|y1\s?,\s?x1\s?,\s?y2|ymin\s?,\s?xmin|y_min\s?,\s?x_min)\b",
    r"\bcent(?:er|re|roid)\s{0,2}[:(=\[]?\s{0,2}[0-9.(\[]",
    r"\b(?:size|extent|dimensions?)\s{0,2}[:(=\[]",
    r"\borigin\b[^.\n]{0,40}\b(?:top|upper)\b",
    r"\b(?:top|upper)[- ]left\b[^.\n]{0,20}\borigin\b",
    r"<\s?(?:ymin|y_min|y0|y1|top)\s?>[^<]{1,40}</[^>]{1,12}>\s{0,4}<\s?(?:xmin|x_min|x0|x1|left)\b",
)
"""Of a box: another order, another meaning of the four, another origin."""

_RANGE_START = "от|from|between|von|zwischen|de|entre|da|tra|desde"
_RANGE_END = "до|to|and|bis|und|à|et|a|y|e|hasta"
_ABOUT = r"(?:(?:about|around|approximately|roughly|etwa|ca\.?|environ|около|circa)\s)?"
_NOT_ONE_VALUE = (
    rf"\b(?:{_RANGE_START})\s{_ABOUT}{_NUMBER}{_UNIT}\s?(?:{_RANGE_END})\s{_ABOUT}[0-9]",
    rf"{_NUMBER}{_UNIT}\s?(?:{_RANGE_END})\s(?:about|around|approximately|roughly|etwa|environ)\s[0-9]",
    r"\b(?:plus|más|più|плюс)[ -]?(?:or|and|ou|oder|o|/)?[ -]?"
    r"(?:minus|moins|menos|meno|минус)\b",
    r"\b(?:possibly|perhaps|maybe|alternatively|vielleicht|möglicherweise|peut-être|quizás|talvez"
    r"|forse|возможно)\b",
    r"可能|或许|かもしれ|아마",
    r"\b(?:slice|frame|step|figure|fig\.?|table|coupe|schicht|schnitt|corte|срез)\s?"
    r"(?:no\.?|nr\.?|number|#)?\s?[0-9]",
    r"(?<![\w.,-])[0-9]{1,3}\s(?:tumou?rs?|lesions?|mass(?:es)?|nodules?|cysts?|structures?|findings?|regions?"
    r"|tumore?n?|läsionen|tumeurs?|lésions?|tumores|lesiones|опухол\w{0,4})\b",
    r"\b(?:under|below|over|above|beyond|unter|über|unterhalb|sous|menos de|más de|moins de|plus de"
    r"|sotto|oltre|меньше|больше|менее|более|свыше|at least|at most|minimum of|maximum of"
    r"|mindestens|höchstens|au moins|au plus|al menos)\s(?:than\s)?[0-9]",
    r"(?:小于|大于|超过|不到|至少|至多)\s?[0-9]",
    r"[0-9]\s?\+(?!\s?[0-9/-])",
    r"\bper\s(?:pixel|px|voxel)\b",
    r"\\(?:d|t)?frac\b",
)
"""Of any other task: several values for one, or numbers that count or name something else."""

_UNKNOWN_UNITS = (
    r"\\(?:SI|qty|SIrange|num)\b",
    r"[0-9]\s?[\"″“”]",
    r"[0-9]\s?(?:sq\.?\s?in\b|дюйм|сантиметр|футов)",
    r"[0-9]\s?(?:इंच|सेंटीमीटर|सेमी|بوصة|سم|インチ|센티미터|인치|英寸)",
    r"\bunit\s?=\s?[\"'](?!mm[\"'²2^]|deg|°|relative)",
    r"<\s?[a-z]{1,12}_(?:cm|m|in|inch|inches|px|pixels?)\s?>",
    r"<\s?minor\b[^>]{0,20}>[^<]{1,40}</[^>]{1,12}>\s{0,4}<\s?major\b",
)
"""Units, and names in markup, that are not read as what they say."""


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_DOUBTS = {
    task: _any(*_LAYOUTS)
    if record.n_values == 4
    else _any(*_UNKNOWN_UNITS)
    if record.is_whole
    else _any(*_NOT_ONE_VALUE, *_UNKNOWN_UNITS)
    for task, record in TASKS.items()
}

_GROUPED_LIKE = re.compile(r"(?<![0-9.])([1-9][0-9]{1,4}),(?=[0-9])")


def says_otherwise(task: Task, text: str) -> bool:
    """Whether a text says of its numbers that they are not the asked answer.

    Example:
        >>> says_otherwise(Task.TUMOR_LESION, "I see 1 tumor of about 31.2 mm")
        True
        >>> says_otherwise(Task.TUMOR_LESION, "31.2 mm by 18.0 mm")
        False
    """
    return _DOUBTS[task].search(text) is not None


def without_groups(text: str) -> str:
    """A box's text with its commas between numbers: no coordinate has thousands.

    Example:
        >>> without_groups("(588,499),(725,789)")
        '(588, 499),(725, 789)'
    """
    return _GROUPED_LIKE.sub(r"\1, ", text)
