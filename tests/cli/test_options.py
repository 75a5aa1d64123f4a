"""Dataclasses as command lines."""

import argparse
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest

from medvision.cli.options import Argument, Group, Option, add_options, options_from


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    per_min: Annotated[float | None, Option("N", help="at most")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    names: Annotated[tuple[str, ...], Argument("NAME")] = ()
    out: Annotated[Path, Option("FILE")]
    limit: int | None = None
    verify: bool = False
    colour: Colour | None = None
    colours: tuple[Colour, ...] = (Colour.RED,)
    split: Literal["test", "train"] = "test"
    load_4bit: bool = False
    stop: Annotated[tuple[str, ...], Option("TEXT", repeated=True)] = ()
    unit: Annotated[str, Option(choices=("mm", "deg"))] = "mm"
    pace: Annotated[Pace, Group("how fast")]


def parser_of(options):
    parser = argparse.ArgumentParser(prog="p")
    add_options(parser, options)
    return parser


def parsed(*words, options=Everything):
    return options_from(options, parser_of(options).parse_args(words))


def test_what_is_not_given_has_its_default():
    assert parsed("--out", "a") == Everything(out=Path("a"), pace=Pace())


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOrTwo:
    a: Annotated[Path, Argument("A")]
    b: Annotated[Path | None, Argument("B")] = None
    c: Annotated[Path, Argument("C")] = Path("c")


def test_a_place_may_be_left_empty():
    assert parsed("1", options=OneOrTwo) == OneOrTwo(a=Path("1"))
    assert parsed("1", "2", options=OneOrTwo) == OneOrTwo(a=Path("1"), b=Path("2"))


def test_values_have_the_type_of_their_field():
    found = parsed(
        *["n1", "n2", "--out", "a/b", "--limit", "3", "--verify", "--colour", "blue"],
        *["--colours", "blue", "red", "--split", "train", "--load-4bit", "--unit", "deg"],
        *["--stop", "x", "--stop", "y z", "--per-min", "0.5"],
    )
    assert found == Everything(
        names=("n1", "n2"),
        out=Path("a/b"),
        limit=3,
        verify=True,
        colour=Colour.BLUE,
        colours=(Colour.BLUE, Colour.RED),
        split="train",
        load_4bit=True,
        stop=("x", "y z"),
        unit="deg",
        pace=Pace(per_min=0.5),
    )
    assert isinstance(found.colour, Colour)
    assert all(isinstance(colour, Colour) for colour in found.colours)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: --out"),
        (["--out", "a", "--limit", "x"], "argument --limit: expected a whole number, found 'x'"),
        (["--out", "a", "--colour", "green"], "argument --colour: invalid choice: 'green'"),
        (["--out", "a", "--colours", "red", "x"], "invalid choice: 'x' (choose from"),
        (["--out", "a", "--split", "all"], "argument --split: invalid choice: 'all'"),
        (["--out", "a", "--unit", "m"], "argument --unit: invalid choice: 'm'"),
        (["--out", "a", "--verify", "--nothing"], "unrecognized arguments: --nothing"),
    ],
)
def test_words_that_cannot_be_are_named(words, message, capsys):
    with pytest.raises(SystemExit):
        parsed(*words)
    assert message in capsys.readouterr().err


def test_help_has_groups_and_words():
    shown = parser_of(Everything).format_help()
    assert "\nhow fast:\n  --per-min N" in shown
    assert "--colour {red,blue}" in shown
    assert "[NAME ...]" in shown
    assert "==SUPPRESS==" not in shown


def test_an_argument_without_default_is_required(capsys):
    @dataclass(frozen=True, kw_only=True)
    class One:
        name: Annotated[str, Argument("NAME")]

    assert parsed("x", options=One) == One(name="x")
    with pytest.raises(SystemExit):
        parsed(options=One)
    assert "required: NAME" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [dict, object, int | str, tuple[dict, ...], tuple[bool, ...]])
def test_types_no_option_can_have_are_our_mistake(kind):
    @dataclass(frozen=True, kw_only=True)
    class Wrong:
        field: kind

    with pytest.raises(TypeError, match=r"Wrong.field: expected bool, str, int"):
        parser_of(Wrong)
