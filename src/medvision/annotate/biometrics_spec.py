"""What to measure from landmarks: the file behind `--biometrics`, JSON or TOML.

- `landmarks`: key to name.
- `lines`: key to `{name, landmarks: [a, b]}` (or `points: [a, b]`).
- `angles`: key to `{name, lines: [l1, l2]}`.
- `measure`: list of `{kind: distance | angle, key, plane}`, plane sagittal, coronal, axial, native
  or any (the default): a distance names a line, an angle an angle.

An empty or absent name is made from the names of the landmarks.
"""

import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medvision.errors import UsageError
from medvision.frames import Plane


class BiometricsSpecError(UsageError):
    """The biometrics file cannot be read, or contradicts itself."""


class MetricKind(StrEnum):
    """What a measurement is."""

    DISTANCE = "distance"
    ANGLE = "angle"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSpec:
    """A straight line through two landmarks, given by key, start first."""

    name: str
    landmarks: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AngleSpec:
    """An angle between two lines, given by key."""

    name: str
    lines: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSpec:
    """One thing to measure.

    Attributes:
        key: Of a line for a distance, of an angle for an angle.
        plane: None for any plane on which all its landmarks share a slice.
    """

    kind: MetricKind
    key: str
    plane: Plane | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BiometricsSpec:
    """Landmarks, the lines and angles between them, and which of these to measure.

    Attributes:
        landmarks: Key to name.
        lines: Key to line; no key is also an angle's.
        angles: Key to angle.
        measure: In the order of the file.
    """

    landmarks: Mapping[str, str]
    lines: Mapping[str, LineSpec]
    angles: Mapping[str, AngleSpec]
    measure: tuple[MeasurementSpec, ...]

    def metric_lines(self, measurement: MeasurementSpec) -> tuple[LineSpec, ...]:
        """The one line of a distance, the two of an angle."""
        if measurement.kind is MetricKind.DISTANCE:
            return (self.lines[measurement.key],)
        first, second = self.angles[measurement.key].lines
        return (self.lines[first], self.lines[second])

    def metric_name(self, measurement: MeasurementSpec) -> str:
        """What is measured, in words."""
        metrics: Mapping[str, LineSpec | AngleSpec] = (
            self.lines if measurement.kind is MetricKind.DISTANCE else self.angles
        )
        return metrics[measurement.key].name


def read_biometrics_spec(path: Path | str) -> BiometricsSpec:
    """The specification in a JSON or TOML file.

    Raises:
        BiometricsSpecError: Unreadable; unknown, missing or repeated keys; dangling references.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        match path.suffix.lower():
            case ".json":
                content = json.loads(text, object_pairs_hook=_without_repeats)
            case ".toml":
                content = tomllib.loads(text)
            case suffix:
                msg = f"{path}: expected a .json or .toml biometrics file, found '{suffix}'"
                raise BiometricsSpecError(msg)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        msg = f"{path}: cannot read the biometrics file: {error}"
        raise BiometricsSpecError(msg) from error
    return parse_biometrics_spec(content, str(path))


def parse_biometrics_spec(content: Any, source: str) -> BiometricsSpec:
    """The specification in the parsed content of a file.

    Args:
        content: A mapping with the keys landmarks, lines, measure and, if any, angles.
        source: Where it comes from, for messages.

    Raises:
        BiometricsSpecError: Unknown, missing or repeated keys; dangling references.
    """
    table = _table(content, source)
    _check_keys(
        table, required={"landmarks", "lines", "measure"}, optional={"angles"}, source=source
    )
    landmarks = _table(table["landmarks"], f"{source}: landmarks")
    for key, name in landmarks.items():
        if not isinstance(name, str):
            msg = f"{source}: landmark '{key}' needs a name, found {name!r}"
            raise BiometricsSpecError(msg)
    names = {key: name or key for key, name in landmarks.items()}
    lines = {
        key: _line(entry, f"{source}: line '{key}'", names)
        for key, entry in _table(table["lines"], f"{source}: lines").items()
    }
    angles = {
        key: _angle(entry, f"{source}: angle '{key}'", lines=lines, names=names)
        for key, entry in _table(table.get("angles", {}), f"{source}: angles").items()
    }
    shared = sorted(set(lines) & set(angles))
    if shared:
        msg = f"{source}: expected each key for a line or an angle, found both for {shared}"
        raise BiometricsSpecError(msg)
    return BiometricsSpec(
        landmarks=MappingProxyType(names),
        lines=MappingProxyType({key: _named_line(line, names) for key, line in lines.items()}),
        angles=MappingProxyType(angles),
        measure=_measure(table["measure"], source, lines=lines, angles=angles),
    )


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = sorted(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
    if repeated:
        msg = f"expected each key once, found {repeated} more than once"
        raise ValueError(msg)
    return dict(pairs)


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        msg = f"{where}: expected a table of keys, found {type(value).__name__}"
        raise BiometricsSpecError(msg)
    return value


def _check_keys(
    table: Mapping[str, Any], *, required: set[str], optional: set[str], source: str
) -> None:
    known = required | optional
    for problem, keys in {
        "unknown": sorted(set(table) - known),
        "missing": sorted(required - set(table)),
    }.items():
        if keys:
            msg = f"{source}: {problem} key {', '.join(keys)}; known: {', '.join(sorted(known))}"
            raise BiometricsSpecError(msg)


def _pair(value: Any, where: str, known: Mapping[str, Any]) -> tuple[str, str]:
    """Two different known keys."""
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    if not is_pair or not all(isinstance(key, str) for key in value):
        msg = f"{where}: expected two keys, found {value!r}"
        raise BiometricsSpecError(msg)
    first, second = value
    for key in (first, second):
        if key not in known:
            msg = f"{where}: unknown key '{key}'; known: {', '.join(known) or 'none'}"
            raise BiometricsSpecError(msg)
    if first == second:
        msg = f"{where}: expected two different keys, found '{first}' twice"
        raise BiometricsSpecError(msg)
    return first, second


def _text(entry: Mapping[str, Any], where: str) -> str:
    name = entry.get("name", "")
    if not isinstance(name, str):
        msg = f"{where}: expected a text as name, found {name!r}"
        raise BiometricsSpecError(msg)
    return name


def _line(value: Any, where: str, names: Mapping[str, str]) -> LineSpec:
    entry = _table(value, where)
    word = "points" if "points" in entry else "landmarks"
    _check_keys(entry, required={word}, optional={"name"}, source=where)
    return LineSpec(name=_text(entry, where), landmarks=_pair(entry[word], where, names))


def _angle(
    value: Any, where: str, *, lines: Mapping[str, LineSpec], names: Mapping[str, str]
) -> AngleSpec:
    entry = _table(value, where)
    _check_keys(entry, required={"lines"}, optional={"name"}, source=where)
    first, second = _pair(entry["lines"], where, lines)
    if set(lines[first].landmarks) == set(lines[second].landmarks):
        msg = f"{where}: expected two different lines, '{first}' and '{second}' are one line"
        raise BiometricsSpecError(msg)
    name = _text(entry, where)
    if not name:
        of_lines = [_line_phrase(lines[key], names) for key in (first, second)]
        name = f"angle between {of_lines[0]} and {of_lines[1]}"
    return AngleSpec(name=name, lines=(first, second))


def _line_phrase(line: LineSpec, names: Mapping[str, str]) -> str:
    first, second = (names[key] for key in line.landmarks)
    return line.name or f"the line through {first} and {second}"


def _named_line(line: LineSpec, names: Mapping[str, str]) -> LineSpec:
    first, second = (names[key] for key in line.landmarks)
    name = line.name or f"distance between {first} and {second}"
    return LineSpec(name=name, landmarks=line.landmarks)


def _measure(
    value: Any, source: str, *, lines: Mapping[str, LineSpec], angles: Mapping[str, AngleSpec]
) -> tuple[MeasurementSpec, ...]:
    if not isinstance(value, list | tuple) or not value:
        msg = f"{source}: expected 'measure' to list at least one measurement, found {value!r}"
        raise BiometricsSpecError(msg)
    metrics: dict[MetricKind, Mapping[str, Any]] = {
        MetricKind.DISTANCE: lines,
        MetricKind.ANGLE: angles,
    }
    measure = tuple(
        _measurement(entry, f"{source}: measure[{position}]", metrics)
        for position, entry in enumerate(value)
    )
    for position, measurement in enumerate(measure):
        _check_not_repeated(measurement, measure[:position], source)
    return measure


def _measurement(
    value: Any, where: str, metrics: Mapping[MetricKind, Mapping[str, Any]]
) -> MeasurementSpec:
    entry = _table(value, where)
    _check_keys(entry, required={"kind", "key"}, optional={"plane"}, source=where)
    kind = _choice(entry["kind"], [str(kind) for kind in MetricKind], f"{where}: kind")
    plane = _choice(entry.get("plane", "any"), [*map(str, Plane), "any"], f"{where}: plane")
    known = metrics[MetricKind(kind)]
    key = _choice(entry["key"], list(known), f"{where}: key of a {_REFERENCE[MetricKind(kind)]}")
    return MeasurementSpec(
        kind=MetricKind(kind), key=key, plane=None if plane == "any" else Plane(plane)
    )


_REFERENCE = {MetricKind.DISTANCE: "line", MetricKind.ANGLE: "angle"}
"""The table in which a measurement of each kind looks up its key."""


def _choice(value: Any, known: list[str], where: str) -> str:
    if value not in known:
        msg = f"{where}: unknown {value!r}; known: {', '.join(known) or 'none'}"
        raise BiometricsSpecError(msg)
    return str(value)


def _check_not_repeated(
    measurement: MeasurementSpec, earlier: tuple[MeasurementSpec, ...], source: str
) -> None:
    """Refuse a measurement that would give the row of an earlier one again."""
    for other in earlier:
        same_metric = (other.kind, other.key) == (measurement.kind, measurement.key)
        if same_metric and (
            other.plane == measurement.plane or None in {other.plane, measurement.plane}
        ):
            planes = [str(plane or "any") for plane in (other.plane, measurement.plane)]
            msg = (
                f"{source}: {measurement.kind} '{measurement.key}' is measured twice, on planes "
                f"{' and '.join(planes)}; keep one"
            )
            raise BiometricsSpecError(msg)
