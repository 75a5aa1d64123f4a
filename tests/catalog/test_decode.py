from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import pytest

from medvision.catalog.decode import decoded
from medvision.errors import UsageError


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    title: str
    colour: Colour = Colour.RED
    size: Literal["s", "l"] = "s"
    pair: tuple[float, float] | None = None
    parts: tuple[Part, ...] = ()
    by_key: dict[str, Part] = field(default_factory=dict)
    count: int = 0


def test_nested_values_become_dataclasses():
    values = {"title": "t", "colour": "red", "pair": [1, 2.5], "by_key": {"1": "a"}}
    values["parts"] = [{"name": "b", "weight": 2}]
    found = decoded(Whole, values, "f")
    assert found == Whole(
        title="t",
        pair=(1.0, 2.5),
        parts=(Part(name="b", weight=2.0),),
        by_key={"1": Part(name="a")},
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, r"f: missing key \['title'\]"),
        ({"title": "t", "tittle": 1}, r"f: unknown key \['tittle'\]"),
        ({"title": 3}, "f: title: expected str, found 3"),
        ({"title": "t", "colour": "blue"}, "'blue' is not a valid Colour; known: red"),
        ({"title": "t", "size": "m"}, "'m' is not a valid word; known: s, l"),
        ({"title": "t", "pair": [1]}, "f: pair: expected 2 values, found 1"),
        ({"title": "t", "parts": {"name": "a"}}, "f: parts: expected list"),
        ({"title": "t", "parts": [{"name": 1}]}, r"f: parts\[0\]: name: expected str"),
        ({"title": "t", "by_key": {"1": {"names": "a"}}}, r"f: by_key.1: unknown key"),
        ({"title": "t", "count": True}, "f: count: expected int, found True"),
        ([], r"f: expected a table of keys, found \[\]"),
    ],
)
def test_wrong_values_are_named_with_their_place(values, words):
    with pytest.raises(UsageError, match=words):
        decoded(Whole, values, "f")
