"""TOML tables to frozen dataclasses: every key known, every value of the declared type."""

import dataclasses
import types
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from medvision.train.errors import ConfigError

_Config = TypeVar("_Config")


def config_from_table(cls: type[_Config], values: Mapping[str, Any], where: str) -> _Config:
    """A dataclass from a TOML table, nested tables included.

    Args:
        cls: Frozen dataclass whose fields are plain values, enumerations, tuples or dataclasses.
        values: The table.
        where: File and table, for messages.

    Raises:
        ConfigError: A key is unknown or missing, or a value has another type.
    """
    hints = get_type_hints(cls)
    entries = {entry.name: entry for entry in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(values) - set(entries)):
        msg = f"{where}: unknown key {', '.join(unknown)}; known: {', '.join(sorted(entries))}"
        raise ConfigError(msg)
    if missing := sorted(name for name, entry in entries.items() if _is_missing(entry, values)):
        msg = f"{where}: missing key {', '.join(missing)}"
        raise ConfigError(msg)
    return cls(**{name: _value(hints[name], v, f"{where}: {name}") for name, v in values.items()})


def _is_missing(entry: "dataclasses.Field[Any]", values: Mapping[str, Any]) -> bool:
    has_default = (
        entry.default is not dataclasses.MISSING or entry.default_factory is not dataclasses.MISSING
    )
    return entry.name not in values and not has_default


def _value(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        (kind,) = (part for part in get_args(kind) if part is not type(None))
        return _value(kind, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            _refuse("a list", value, where)
        return tuple(_value(get_args(kind)[0], item, where) for item in value)
    if origin is Literal:
        return _one_of(get_args(kind), value, where)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(get_args(kind)[1], value, where)
    return _plain(kind, value, where)


def _plain(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            _refuse("a table", value, where)
        return config_from_table(kind, value, where)
    if issubclass(kind, StrEnum):
        return kind(_one_of(tuple(kind), value, where))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        _refuse(kind.__name__, value, where)
    return value


def _one_of(allowed: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in allowed:
        _refuse(f"one of {', '.join(map(str, allowed))}", value, where)
    return value


def _mapping(kind: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse("a table", value, where)
    return {key: _value(kind, item, f"{where}.{key}") for key, item in value.items()}


def _refuse(expected: str, value: Any, where: str) -> NoReturn:
    msg = f"{where}: expected {expected}, found {value!r}"
    raise ConfigError(msg)
