"""Options from dataclasses: the fields of a class are a command line, and what was given its value.

A field is an option, `base_url` is `--base-url`; its type says what is read, its default what is
taken else, a note beside the type (`Annotated`) the rest:

    name: Annotated[str, Argument("NAME", help="dataset")]            NAME
    limit: Annotated[int | None, Option("N", help="at most")] = None  --limit N
    verify: Annotated[bool, Option(help="check digests")] = False     --verify
    tables: Annotated[tuple[Path, ...], Option("T")] = ()             --tables T T ...
    split: Literal["test", "train", "all"] = "test"                   --split {test,train,all}
    task: Task | None = None                                          --task, a choice of the enum
    pace: Annotated[PaceOptions, Group("pace")]                       the options of that class

So a type checker sees every option, and options that several commands share are one class.
"""

import argparse
import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, MISSING, dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from medvision.storage import local_path

Options = TypeVar("Options")

READ_FROM_TEXT = (str, int, float, Path)


@dataclass(frozen=True, slots=True)
class Option:
    """What type and default of a field do not say of its option.

    Attributes:
        metavar: What stands for the value in the help.
        help: What it is for.
        choices: The words there are, where the type does not say it.
        repeated: The option is given again for each further value, instead of once for all.
        at_least: Of a number.
        at_most: Of a number.
        alone: What the option means without a value.
    """

    metavar: str | None = None
    _: KW_ONLY
    help: str | None = None
    choices: Sequence[str] = ()
    repeated: bool = False
    at_least: float = -math.inf
    at_most: float = math.inf
    alone: str | None = None


@dataclass(frozen=True, slots=True)
class Argument(Option):
    """A value that goes by its place, without `--name`."""


@dataclass(frozen=True, slots=True)
class Group:
    """The heading over the options of a field that is a class of options itself."""

    title: str


def add_options(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, options: type[Any]
) -> None:
    """Add an option to the parser for each field of a class, and of the classes it holds.

    Raises:
        TypeError: A field of a type that no option can have.
    """
    for field in _fields(options):
        if field.is_nested:
            # Without a title of its own it adds to the group around it: argparse nests none.
            below = parser.add_argument_group(field.title) if field.title else parser
            add_options(below, field.kind)
            continue
        keywords = field.keywords()
        if isinstance(field.option, Argument):
            if not field.is_required:
                keywords["nargs"] = "*" if field.is_many else "?"
                # argparse reads the word for "no default" as if a user had written it.
                keywords |= {} if field.is_many else {"default": None}
            parser.add_argument(field.name, **keywords)
        else:
            # `from_` is `--from`: a field cannot be called as a word of the language is.
            name = f"--{field.name.rstrip('_').replace('_', '-')}"
            parser.add_argument(name, dest=field.name, required=field.is_required, **keywords)


def options_from(options: type[Options], given: argparse.Namespace) -> Options:
    """The options with the values that a parser of `add_options` found, else their defaults."""
    values: dict[str, Any] = {}
    for field in _fields(options):
        if field.is_nested:
            values[field.name] = options_from(field.kind, given)
        elif hasattr(given, field.name):
            found = getattr(given, field.name)
            if found is None:
                continue
            if field.is_many:
                values[field.name] = tuple(map(field.typed, found))
            else:
                values[field.name] = field.typed(found)
    return options(**values)


def given_options(options: Any) -> list[str]:
    """The options of a class whose values are not their defaults, as they are written."""
    return [
        f"--{entry.name.replace('_', '-')}"
        for entry in dataclasses.fields(options)
        if getattr(options, entry.name) != entry.default
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One field of a class of options.

    Attributes:
        owner: Name of the class.
        kind: Type of the value, or of each of many.
        is_required: Whether it has no default.
        title: Of the group, where the field holds further options.
    """

    owner: str
    name: str
    kind: Any
    is_many: bool
    is_required: bool
    option: Option
    title: str

    @property
    def is_nested(self) -> bool:
        """Whether it holds further options."""
        return dataclasses.is_dataclass(self.kind)

    def typed(self, found: Any) -> Any:
        """A value that argparse has read. It leaves the words of enums as text."""
        is_enum = isinstance(self.kind, type) and issubclass(self.kind, Enum)
        return self.kind(found) if is_enum else found

    def keywords(self) -> dict[str, Any]:
        """What argparse is to know: how often a value comes, its type, its choices, its help.

        Raises:
            TypeError: A type that no option can have.
        """
        # What is not given stays out of the namespace: defaults stand in the class alone.
        common: dict[str, Any] = {"default": argparse.SUPPRESS, "help": self.option.help}
        if self.kind is bool and not self.is_many:
            return common | {"action": "store_true"}
        common |= {"metavar": self.option.metavar}
        if self.option.alone is not None:
            common |= {"nargs": "?", "const": str(self.option.alone)}
        if self.is_many:
            common |= {"action": "append"} if self.option.repeated else {"nargs": "+"}
        if isinstance(self.kind, type) and issubclass(self.kind, Enum):
            # As text: of a type that refuses a word argparse would not name the choices.
            return common | {"choices": [str(one) for one in self.kind]}
        if get_origin(self.kind) is Literal:
            return common | {"choices": get_args(self.kind)}
        if self.kind in (int, float):
            return common | {"type": partial(_number, self.kind, self.option)}
        if self.kind in READ_FROM_TEXT:
            kind = local_path if self.kind is Path else self.kind
            return common | {"type": kind, "choices": self.option.choices or None}
        msg = (
            f"{self.owner}.{self.name}: expected bool, str, int, float, Path, Literal, an enum of "
            f"words or a tuple of those, found {self.kind}"
        )
        raise TypeError(msg)


def _number(kind: type[float], option: Option, text: str) -> float:
    """A number that the option may have; NaN and infinity are none."""
    words = "a whole number" if kind is int else "a number"
    words += f" of at least {option.at_least:g}" if option.at_least > -math.inf else ""
    words += f" and at most {option.at_most:g}" if option.at_most < math.inf else ""
    try:
        value = kind(text)
    except (ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value) or not option.at_least <= value <= option.at_most:
        msg = f"expected {words}, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _fields(options: type[Any]) -> Iterator[_Field]:
    hints = get_type_hints(options, include_extras=True)
    for field in dataclasses.fields(options):
        kind = hints[field.name]
        notes: tuple[object, ...] = ()
        if get_origin(kind) is Annotated:
            kind, notes = kind.__origin__, kind.__metadata__
        if get_origin(kind) in (Union, UnionType):  # `Optional[X]` and `X | None`
            kinds = [part for part in get_args(kind) if part is not NoneType]
            kind = kinds[0] if len(kinds) == 1 else kind
        is_many = get_origin(kind) is tuple
        yield _Field(
            owner=options.__name__,
            name=field.name,
            kind=get_args(kind)[0] if is_many else kind,
            is_many=is_many,
            is_required=field.default is MISSING and field.default_factory is MISSING,
            option=next((note for note in notes if isinstance(note, Option)), Option()),
            title=next((note.title for note in notes if isinstance(note, Group)), ""),
        )
