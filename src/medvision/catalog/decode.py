"""Parsed TOML to frozen dataclasses: types checked, unknown and missing keys named.

One decoder serves every declaration of the project. It knows text, numbers, booleans, enumerations,
literals, tuples, text-keyed tables, unions with None, and dataclasses of these.
"""

import types
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from medvision.errors import UsageError

T = TypeVar("T")


def decoded(cls: type[T], values: Any, where: str) -> T:
    """An instance of a dataclass from a parsed table.

    Args:
        cls: A dataclass; its type hints say what each key holds.
        values: The table.
        where: File or entry named in errors.

    Raises:
        UsageError: Unknown or missing keys, values of another type, words outside a closed set.

    Example:
        `decoded(Window, {"width_hu": 400.0, "level_hu": 40.0}, "w")` is
        `Window(width_hu=400.0, level_hu=40.0)`.
    """
    if not isinstance(values, dict):
        msg = f"{where}: expected a table of keys, found {values!r}"
        raise UsageError(msg)
    known = {entry.name: entry for entry in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        msg = f"{where}: unknown key {unknown}; known: {sorted(known)}"
        raise UsageError(msg)
    missing = [
        name
        for name, entry in known.items()
        if name not in values and entry.default is MISSING and entry.default_factory is MISSING
    ]
    if missing:
        msg = f"{where}: missing key {missing}"
        raise UsageError(msg)
    hints = get_type_hints(cls)
    return cls(**{key: _value(hints[key], item, f"{where}: {key}") for key, item in values.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _value(inner, value, where)
    if origin is Literal:
        return _one_of(list(arguments), value, "word", where)
    if origin is tuple:
        return _items(arguments, value, where)
    if origin is dict:
        table = _checked(dict, value, where)
        return {key: _value(arguments[1], item, f"{where}.{key}") for key, item in table.items()}
    if hint is Any:
        return value
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(_one_of([str(word) for word in hint], value, hint.__name__, where))
    if is_dataclass(hint):
        return _record(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _checked(hint, value, where)


def _record(hint: Any, value: Any, where: str) -> Any:
    """A dataclass; one whose other fields have defaults may be written as its first field."""
    if isinstance(value, str):
        return decoded(hint, {fields(hint)[0].name: value}, where)
    return decoded(hint, value, where)


def _items(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    items = _checked(list, value, where)
    if arguments[-1] is Ellipsis:
        return tuple(
            _value(arguments[0], item, f"{where}[{rank}]") for rank, item in enumerate(items)
        )
    if len(items) != len(arguments):
        msg = f"{where}: expected {len(arguments)} values, found {len(items)}"
        raise UsageError(msg)
    return tuple(_value(hint, item, where) for hint, item in zip(arguments, items, strict=True))


def _one_of(words: list[Any], value: Any, kind: str, where: str) -> Any:
    if value not in words:
        msg = f"{where}: {value!r} is not a valid {kind}; known: {', '.join(map(str, words))}"
        raise UsageError(msg)
    return value


def _checked(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        msg = f"{where}: expected {kind.__name__}, found {value!r}"
        raise UsageError(msg)
    return value
