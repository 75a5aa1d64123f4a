"""The numbers of a chain of thought: of its tagged steps, or of the points its prose names."""

import re
from collections.abc import Mapping

from medvision.replies.segments import visible

_TAG = re.compile(r"<\s*(/?)\s*step[-_ ]?(\d{1,2})[-_ ]?answer\s*>", re.IGNORECASE)
_OTHER_TAG = re.compile(r"<[^<>\d]{0,40}>")
_NUMBER = re.compile(r"(?<![\w.])[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,3})?(?![\w.]*\d)")
"""No digit of a name, as in x0."""
_POINT = re.compile(r"\(\s*(-?\d*\.\d+|[01])\s*,\s*(-?\d*\.\d+|[01])\s*\)")

_LONGEST = 100_000
_MOST_CHARACTERS = 2_000
"""Of one step: what is longer is no list of a few numbers."""

Numbers = tuple[float, ...]


def read_steps(text: str) -> Mapping[int, Numbers]:
    """The numbers of each step in tags, by its number; of several with one number the last.

    A tag that is never closed, or that another step's tag interrupts, states nothing. Tags inside
    a step are passed over, as is closed thinking at the head of a reply.

    Example:
        >>> reply = "At (0.1, 0.2). <step-1-answer>0.1, 0.2</step-1-answer> <step-2-answer>12.5 mm"
        >>> read_steps(reply)
        {1: (0.1, 0.2)}
    """
    text = text[visible(text).start :][:_LONGEST]
    found: dict[int, Numbers] = {}
    opened: tuple[int, int] | None = None
    for tag in _TAG.finditer(text):
        number = int(tag[2])
        if not tag[1]:
            opened = (number, tag.end())
            continue
        inside = text[opened[1] : tag.start()] if opened and opened[0] == number else None
        opened = None
        if inside is not None and len(inside) <= _MOST_CHARACTERS:
            stated = _NUMBER.findall(_OTHER_TAG.sub(" ", inside))
            found[number] = tuple(map(float, stated))
    return found


def stated_points(text: str, n_points: int) -> Numbers | None:
    """X and y of each point that a reply locates, 2 · `n_points` numbers; None without all.

    Those of the first tagged step, or, in a reply without it, the first pairs in brackets.

    Example:
        >>> stated_points("From (0.1, 0.2) to (0.5, 0.6). <answer>12</answer>", 2)
        (0.1, 0.2, 0.5, 0.6)
    """
    steps = read_steps(text)
    if 1 in steps:
        return steps[1] if len(steps[1]) == 2 * n_points else None
    pairs = _POINT.findall(text.partition("<answer>")[0])[:n_points]
    return tuple(float(part) for pair in pairs for part in pair) if len(pairs) == n_points else None
