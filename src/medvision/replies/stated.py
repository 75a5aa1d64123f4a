"""Whether numbers stand in a reply at all: what keeps a judge from making an answer up.

Not a reading: a number of a range, a slice or another structure stands in the reply too. It only
says that whoever gives these numbers copied them.
"""

import re
from collections.abc import Sequence
from itertools import islice

from medvision.replies.plain_text import plain_text
from medvision.replies.reading import DIMENSIONS
from medvision.replies.segments import visible
from medvision.replies.units import UNIT_SIGNS, UNIT_WORDS, Dimension, Unit, unit_at
from medvision.tasks import TASKS, Task

_MOST = 2_000
"""Numbers of a reply that are looked at."""
_LONGEST = 50_000
_NUMBER = re.compile(
    r"(?<![0-9])(?:[0-9]{1,30}(?:[.,'\u2009][0-9]{1,30}){0,4}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?"
)
_NOISE = re.compile(r"[\s*`$_)\]}({\[\"']{0,8}")
_WORD = re.compile(rf"[^\W\d_]+|{UNIT_SIGNS}")


def are_stated(task: Task, values: Sequence[float], text: str, unit: str = "") -> bool:
    """Whether each value is a number of its own in a reply, perhaps in another unit.

    A number with a unit of its own is what it is in that unit: 25 is not stated by "25 cm" where mm
    were asked for, nor by "25°".

    Args:
        task: What was asked: says with how many decimals the values are written.
        values: In mm, degrees, mm² or relative coordinates.
        text: The reply; its closed thinking is left out.
        unit: What the value was asked in; "" takes any unit of the task.

    Example:
        >>> are_stated(Task.TUMOR_LESION, (31.2, 18.0), "some 3.12 cm, and 18 mm or so across")
        True
        >>> are_stated(Task.TUMOR_LESION, (25.0, 20.0), "some 3.12 cm, and 18 mm or so across")
        False
    """
    shown = visible(text)
    plain = plain_text(text[shown.start :][:_LONGEST])
    units = {
        found[0]
        for word in _WORD.finditer(plain)
        if word.group().lower() in UNIT_WORDS and (found := unit_at(plain, word.start()))
    }
    kinds = DIMENSIONS[task, unit]
    numbers = islice(_NUMBER.finditer(plain), _MOST)
    free = [_readings(plain, number, units, kinds) for number in numbers]
    near = 0.5 * 10 ** -TASKS[task].decimals + 1e-9
    for value in values:
        at = next(
            (i for i, ones in enumerate(free) if any(abs(one - value) <= near for one in ones)),
            None,
        )
        if at is None:
            return False
        free.pop(at)
    return True


def _readings(
    plain: str, number: re.Match[str], units: set[Unit], kinds: frozenset[Dimension]
) -> set[float]:
    """What a number may be: its comma a point or a group, its unit its own or one named apart."""
    written = number.group()
    texts = {re.sub(r"[,'\u2009]", "", written), written.replace(",", ".")}
    texts |= set(re.split(r"[,'\u2009]", written))
    noise = _NOISE.match(plain, number.end())
    own = unit_at(plain, noise.end() if noise else number.end())
    stated = {own[0]} if own else {unit for unit in units if unit.dimension in kinds}
    if own and kinds and own[0].dimension not in kinds:
        return set()
    is_bare = not (own and kinds)
    found: set[float] = set()
    for text in texts:
        digits, _, exponent = text.lower().partition("e")
        if digits.count(".") <= 1 and digits.strip("."):
            shift = int(exponent or 0)
            found |= {unit.value(digits, shift) for unit in stated}
            if is_bare:
                found.add(float(f"{digits}e{shift}"))
    return found
