"""Orders for draws: by nothing about the things drawn, and turn by turn."""

import hashlib
from collections.abc import Iterable
from itertools import zip_longest
from typing import TypeVar

Thing = TypeVar("Thing")


def digest(*words: object) -> str:
    """Sort key of a thing by the words that name it: the same order on every machine.

    Example:
        >>> sorted(["liver", "kidney", "spleen"], key=digest)
        ['kidney', 'spleen', 'liver']
    """
    return hashlib.sha256("/".join(map(str, words)).encode()).hexdigest()


def turn_by_turn(queues: Iterable[Iterable[Thing]]) -> list[Thing]:
    """The first of each queue, then the second of each, and so on; what is None is left out.

    Example:
        >>> turn_by_turn(["abc", "", "xy"])
        ['a', 'x', 'b', 'y', 'c']
    """
    return [thing for turn in zip_longest(*queues) for thing in turn if thing is not None]
