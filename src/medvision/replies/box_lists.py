"""A list of boxes taken apart: each part is then read as one box."""

import re

NO_BOXES = "none"
"""How an answer says that there is no box."""

_NOTHING = re.compile(
    r"(?i)[\W_]*(?:none|\[\s*\]|no (?:box(?:es)?|regions?|instances?|lesions?))[\W_]*"
)
_BRACKETED = re.compile(r"[(\[{][^()\[\]{}]*[)\]}]")
_NUMBER = re.compile(r"(?<![\w.])[+-]?(?:\d+\.?\d*|\.\d+)")
"""No digit of a name, as in x0."""
_NUMBERED = re.compile(
    r"(?i)^\s*(?:[-*•]\s+)?"
    r"(?:\W*(?:(?:box|region|instance|lesion)\s*#?\d{1,4}\s*(?:[:.)=-]|$)"
    r"|#?\d{1,4}(?:[:)]|\.\s|$)))?"
)
"""What counts the boxes before one: "2." or "Box 2:"."""


def listed_boxes(text: str) -> list[str] | None:
    """The parts of a text that state a box each, in its order.

    Boxes stand in brackets of their own, else on lines of their own or between semicolons. What
    is said before the first, such as the order of the numbers, is said of each.

    Returns:
        [] where the text says that there is none; None where no part holds a number.

    Example:
        >>> listed_boxes("0.1, 0.2, 0.3, 0.4; 0.5, 0.6, 0.7, 0.8")
        ['0.1, 0.2, 0.3, 0.4', '0.5, 0.6, 0.7, 0.8']
        >>> listed_boxes("Box 1: [0.1, 0.2, 0.3, 0.4], Box 2: [0.5, 0.6, 0.7, 0.8]")
        ['[0.1, 0.2, 0.3, 0.4]', '[0.5, 0.6, 0.7, 0.8]']
        >>> listed_boxes("none"), listed_boxes("I cannot see it")
        ([], None)
    """
    if _NOTHING.fullmatch(text):
        return []
    groups = [one for one in _BRACKETED.finditer(text) if len(_NUMBER.findall(one.group())) == 4]
    if groups:
        ends = [0, *(one.end() for one in groups)]
        between = [text[end : one.start()] for end, one in zip(ends, groups, strict=False)] + [
            text[ends[-1] :]
        ]
        words = [_NUMBERED.sub("", part) for part in between]
        if not any(map(_NUMBER.search, words)):
            return [f"{words[0]} {one.group()}".strip() for one in groups]
    lines = [_NUMBERED.sub("", line).strip(" ,") for line in re.split(r"[;\n]", text)]
    first = next((at for at, line in enumerate(lines) if _NUMBER.search(line)), None)
    if first is None:
        return None
    before = " ".join(lines[:first])
    return [f"{before} {line}".strip() for line in lines[first:] if _NUMBER.search(line)]
