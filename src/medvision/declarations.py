"""Declarations: the content of TOML and JSON files as frozen dataclasses.

Catalogue entries, suites, label files, what to measure between landmarks, model profiles and
training runs are all read here. A dataclass's type hints say what its keys hold, and nothing is
guessed: "5" is no number, 1 is not true, 2.0 is no whole number (2 is one of the real numbers), a
key that no field is named after is a mistake. All mistakes of a file are told at once, a line each:

    kits.toml: labels.3.name: expected text, found 5
    kits.toml: unknown key 'licens'; did you mean 'licence'? known: access, anatomy, …

`__post_init__` may check more: a `UsageError` from there is told among the others, a line for each
of its lines, with the record's place.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, time
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import NoneType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NewType,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import Ge, Gt, MinLen

from medvision.errors import UsageError

if TYPE_CHECKING:
    # At run time pydantic is imported by the first declaration: `import medvision` and `--help`
    # would otherwise take half as long again.
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema, ErrorDetails

T = TypeVar("T")

Positive = Annotated[float, Gt(0)]
Count = Annotated[int, Ge(0)]
AtLeastOne = Annotated[int, Ge(1)]
NonEmpty = Annotated[tuple[T, ...], MinLen(1)]

SHOWN_CHARACTERS = 60
"""Most characters of a wrong value that a message repeats."""


MOST_KEY_PARTS = 100
_LONG_KEY = re.compile(
    rf"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{MOST_KEY_PARTS}}}"""
)


class DeclarationError(UsageError):
    """A file cannot be read, or says something that cannot be meant: a line for each mistake."""


@dataclass(frozen=True, slots=True)
class FirstField:
    """Marks a record that may be written as the text of its first field alone."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        from pydantic_core.core_schema import no_info_before_validator_function

        name = fields(source)[0].name
        return no_info_before_validator_function(
            lambda value: {name: value} if isinstance(value, str) else value, handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


Short = Annotated[T, FirstField()]
"""`Short[Label]` is a `Label` that may be written as its name: `1 = "liver"`."""


@dataclass(frozen=True, slots=True)
class OneAsList:
    """Marks a list that may be written as its one text."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        from pydantic_core.core_schema import no_info_before_validator_function

        return no_info_before_validator_function(
            lambda value: [value] if isinstance(value, str) else value, handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


OneOrMore = Annotated[tuple[T, ...], OneAsList()]
"""`OneOrMore[str]` is a tuple of texts; one alone may be written without its brackets."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """Marks a record that files may give one key of by another name."""

    found: str
    field: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        from pydantic_core.core_schema import no_info_before_validator_function

        def renamed(value: Any) -> Any:
            if not isinstance(value, dict) or self.field in value:
                return value
            return {self.field if key == self.found else key: one for key, one in value.items()}

        return no_info_before_validator_function(renamed, handler(source))


@dataclass(frozen=True, slots=True)
class NoneAs:
    """Marks an optional value whose None is written as a word: neither TOML nor a reader has it."""

    word: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        from pydantic_core.core_schema import no_info_wrap_validator_function

        return no_info_wrap_validator_function(
            lambda value, inner: None if value == self.word else inner(value),
            handler.generate_schema(_plain(source)),
        )

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        return {"anyOf": [{"const": self.word}, handler(schema)]}


def read_toml(path: Path, error: type[DeclarationError] = DeclarationError) -> dict[str, Any]:
    """The content of a TOML file; see `parsed_toml`."""
    return parsed_toml(_text(path, "TOML", error), str(path), error)


def read_json(path: Path, error: type[DeclarationError] = DeclarationError) -> Any:
    """The content of a JSON file; see `parsed_json`."""
    return parsed_json(_text(path, "JSON", error), str(path), error)


def _text(path: Path, form: str, error: type[DeclarationError]) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # editors on Windows write the mark
    except (OSError, UnicodeDecodeError) as found:
        cure = "; save it as UTF-8" if isinstance(found, UnicodeDecodeError) else ""
        msg = f"{path}: expected a {form} file, found: {found}{cure}"
        raise error(msg) from found


def parsed_toml(
    text: str, where: str, error: type[DeclarationError] = DeclarationError
) -> dict[str, Any]:
    """The table that a TOML text writes.

    Args:
        text: The text.
        where: File named in errors.
        error: Class of the error.

    Raises:
        DeclarationError: No TOML, with the line; a key given twice.

    Example:
        >>> parsed_toml('1 = "liver"', "labels.toml")
        {'1': 'liver'}
    """
    # The parser takes time with the square of the parts of a key: minutes for a hundred thousand.
    if _LONG_KEY.search(text):
        msg = f"{where}: expected TOML, found a key of more than {MOST_KEY_PARTS} parts"
        raise error(msg)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as found:
        msg = f"{where}: expected TOML, found: {found}"
        raise error(msg) from found


def parsed_json(text: str, where: str, error: type[DeclarationError] = DeclarationError) -> Any:
    """The value that a JSON text writes.

    Args:
        text: The text.
        where: File named in errors.
        error: Class of the error.

    Raises:
        DeclarationError: No JSON, with the line; a key given twice in one object.

    Example:
        >>> parsed_json('{"1": "liver", "1": "spleen"}', "labels.json")
        Traceback (most recent call last):
        medvision.declarations.DeclarationError: labels.json: key '1' is given twice; keep one
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated = next(key for key in keys if keys.count(key) > 1)
            msg = f"{where}: key '{repeated}' is given twice; keep one"
            raise error(msg)
        return table

    try:
        content = json.loads(text, object_pairs_hook=unique)
        json.dumps(content, ensure_ascii=False).encode()  # half a character, "\\ud800", is no text
    except DeclarationError:
        raise
    except RecursionError as found:
        msg = f"{where}: expected JSON, found lists or tables in each other too deep to read"
        raise error(msg) from found
    except ValueError as found:
        msg = f"{where}: expected JSON, found: {found}"
        raise error(msg) from found
    return content


def decoded(
    kind: type[T], content: Any, where: str, error: type[DeclarationError] = DeclarationError
) -> T:
    """A value of a type from the parsed content of a file.

    Args:
        kind: Mostly a dataclass; its type hints say what each key holds. They may name text,
            numbers, booleans, enumerations, literals, tuples, tables, optional values, and
            dataclasses of these.
        content: What `parsed_toml` or `parsed_json` gives.
        where: File or entry named in errors.
        error: Class of the error.

    Raises:
        DeclarationError: Unknown or missing keys, values of another type, out of range or outside
            a closed set: one line for each.

    Example:
        >>> decoded(tuple[float, float], [1, 2.5], "spacing")
        (1.0, 2.5)
        >>> decoded(tuple[float, float], [True], "spacing")
        Traceback (most recent call last):
        medvision.declarations.DeclarationError: spacing: [0]: expected a number, found true
        spacing: expected 2 values, found 1
    """
    from pydantic import ValidationError

    try:
        value: T = _adapter(kind).validate_python(content)  # type: ignore[arg-type]
    except ValidationError as found:
        mistakes = found.errors()
        places = {mistake["loc"][:-1] for mistake in mistakes}
        lines = dict.fromkeys(
            line
            for mistake in mistakes
            # A list whose only value is wrong would be told as empty, too.
            if mistake["type"] != "too_short" or mistake["loc"] not in places
            for line in _lines(mistake, kind)
        )
        raise error("\n".join(f"{where}: {line}" for line in lines)) from found
    return value


def json_schema(kind: type) -> dict[str, Any]:
    """What files of a type look like, as a JSON schema that editors know how to use.

    Example:
        >>> json_schema(dict[str, bool])
        {'additionalProperties': {'type': 'boolean'}, 'type': 'object'}
    """
    return _adapter(kind).json_schema()


@cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import ConfigDict, TypeAdapter
    from pydantic_core import CoreConfig, SchemaValidator

    # A dataclass cannot be given a configuration from outside, and ours know nothing of pydantic;
    # dataclasses below another type take the configuration of that type.
    declared: Any = NewType("Declared", kind)  # type: ignore[misc]
    adapter = TypeAdapter(declared, config=ConfigDict(extra="forbid", allow_inf_nan=False))
    schema = _ours(adapter.core_schema)
    adapter.validator = SchemaValidator(schema, CoreConfig(allow_inf_nan=False))
    return adapter


def _ours(schema: Any) -> Any:
    """A pydantic schema, changed in two ways.

    It takes no text for a number and no number for a boolean. `strict` of a configuration would be
    too much: no list for a tuple either, no table for a dataclass, no text for a word of an
    enumeration, and files have nothing else. And a `UsageError` out of `__post_init__` is one of
    the mistakes that are collected; of itself pydantic collects `ValueError` only.
    """
    from pydantic_core.core_schema import no_info_wrap_validator_function

    if isinstance(schema, list):
        return [_ours(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _ours(part) for key, part in schema.items()}
    match schema.get("type"):
        case "int" | "float" | "bool":
            return changed | {"strict": True}
        case "dataclass":
            reference = {"ref": changed.pop("ref")} if "ref" in changed else {}
            return no_info_wrap_validator_function(_collected, changed) | reference
    return changed


def _collected(value: Any, record: Callable[[Any], Any]) -> Any:
    try:
        return record(value)
    except UsageError as found:
        raise ValueError(str(found)) from found


def _lines(mistake: "ErrorDetails", kind: Any) -> list[str]:
    """What pydantic has found wrong with a value of a kind: place, expected, found.

    One line, or those of an error from `__post_init__`.
    """
    place, value = list(mistake["loc"]), mistake["input"]
    match mistake["type"]:
        case "unexpected_keyword_argument":
            key = place.pop()
            known = sorted(entry.name for entry in fields(_plain(_at(kind, place))))
            text = f"unknown key '{key}'{meant(key, known) or ';'} known: {', '.join(known)}"
        case "missing" if isinstance(place[-1], str):
            key = place.pop()
            text = f"missing key '{key}'"
        case "missing" | "too_long":  # fewer or more values than a tuple of fixed length has
            place = place[:-1] if mistake["type"] == "missing" else place
            length = len(get_args(_plain(_at(kind, place))))
            text = f"expected {length} values, found {len(value)}"
        case "too_short":
            bounds = mistake["ctx"]
            text = f"expected {bounds['min_length']} or more, found {bounds['actual_length']}"
        case "value_error":
            text = str(mistake["ctx"]["error"])
        case problem:
            declared = _at(kind, place)
            text = mistake["msg"].replace("Input should be a ", "expected a ")
            text = text.replace("Input should be ", "expected a value ")
            if problem.endswith("_type") or problem in {"enum", "literal_error"}:
                text = f"expected {_expected(declared)}"
            text += f", found {_shown(value)}{meant(value, _words(declared))}"
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    before = f"{path.removeprefix('.')}: " if place else ""
    return [f"{before}{line}" for line in text.splitlines()]


def _at(kind: Any, place: Sequence[str | int]) -> Any:
    """The type that the hints of a kind declare at a place inside it, with its marks."""
    for step in place:
        plain = _plain(kind)
        if is_dataclass(plain):
            kind = get_type_hints(plain, include_extras=True).get(str(step), Any)
        else:
            kind = next((one for one in reversed(get_args(plain)) if one is not Ellipsis), Any)
    return kind


def _plain(kind: Any) -> Any:
    """A type without its marks, and without None."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    inner = [one for one in get_args(kind) if one is not NoneType]
    return _plain(inner[0]) if len(inner) < len(get_args(kind)) else kind


def _words(kind: Any) -> list[str]:
    """The words of a closed set; none of other types."""
    plain = _plain(kind)
    listed = get_args(plain) if get_origin(plain) is Literal else ()
    listed = tuple(plain) if isinstance(plain, type) and issubclass(plain, StrEnum) else listed
    return [*map(str, listed), *(mark.word for mark in _marks(kind, NoneAs) if listed)]


def _marks(kind: Any, of: type[T]) -> list[T]:
    return [mark for mark in getattr(kind, "__metadata__", ()) if isinstance(mark, of)]


_NAMES: Mapping[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list",
}


def _expected(kind: Any) -> str:
    """What a file must say for a type."""
    plain = _plain(kind)
    if words := _words(kind):
        return f"one of {', '.join(words)}"
    name = _NAMES.get(get_origin(plain) or plain, "a table of keys")
    first = "text or " if _marks(kind, FirstField) + _marks(kind, OneAsList) else ""
    return first + name + "".join(f' or "{mark.word}"' for mark in _marks(kind, NoneAs))


def _shown(value: Any) -> str:
    """A value as a file writes it, cut where it is long."""
    if isinstance(value, date | time):  # TOML's own, which stand without quotes
        return str(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def meant(word: object, known: Iterable[str]) -> str:
    """What to say of a word that nobody knows: the known one that is most like it, if one is.

    Example:
        >>> meant("licens", ["licence", "title"])
        "; did you mean 'licence'?"
        >>> meant("x", ["licence", "title"])
        ''
    """
    from difflib import get_close_matches

    close = get_close_matches(str(word), list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
