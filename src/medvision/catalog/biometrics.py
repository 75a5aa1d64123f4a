"""What to measure from landmarks: a table of a declaration, or the file behind `--biometrics`.

- `landmarks`: key to name.
- `lines`: key to `{name, landmarks: [a, b]}` (or `points: [a, b]`).
- `angles`: key to `{name, lines: [l1, l2]}`.
- `measure`: list of `{kind: distance | angle, key, plane, image}`, plane sagittal, coronal, axial,
  native or any (the default): a distance names a line, an angle an angle; the image it is asked on.

An empty or absent name is made from the names of the landmarks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from medvision.declarations import (
    DeclarationError,
    NoneAs,
    Renamed,
    decoded,
    meant,
    read_json,
    read_toml,
)
from medvision.frames import Plane
from medvision.names import Name
from medvision.tasks import MetricKind


class BiometricsSpecError(DeclarationError):
    """The biometrics file cannot be read, or contradicts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSpec:
    """A straight line through two landmarks.

    Attributes:
        name: Of the distance between its ends; "" makes one of the names of the landmarks.
        landmarks: Keys of its two ends, start first.
    """

    name: str = ""
    landmarks: tuple[Name, Name]


@dataclass(frozen=True, slots=True, kw_only=True)
class AngleSpec:
    """An angle between two lines.

    Attributes:
        name: As questions name it; "" makes one of the names of the lines.
        lines: Keys of the two lines.
    """

    name: str = ""
    lines: tuple[Name, Name]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSpec:
    """One thing to measure.

    Attributes:
        kind: The angle at a shared landmark is no kind of its own here: it is measured with every
            acute angle between lines that share one.
        key: Of a line for a distance, of an angle for an angle.
        plane: None for any plane on which all its landmarks share a slice.
        image: Id of the image that it is asked on; "" for the one the landmarks were set on.
    """

    kind: Literal[MetricKind.DISTANCE, MetricKind.ANGLE]
    key: Name
    plane: Annotated[Plane | None, NoneAs("any")] = None
    image: Name = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BiometricsSpec:
    """Landmarks, the lines and angles between them, and which of these to measure.

    One that names what it does not declare, or the same thing twice, cannot be made. A landmark
    without a name gets its key as name; lines and angles get theirs from the landmarks.

    Attributes:
        landmarks: Key to name.
        lines: Key to line; no key is also an angle's.
        angles: Key to angle.
        measure: In the order of the file.

    Example:
        >>> spec = BiometricsSpec(
        ...     landmarks={"P1": "sella", "P2": "nasion"},
        ...     lines={"SN": LineSpec(landmarks=("P1", "P2"))},
        ...     measure=(MeasurementSpec(kind=MetricKind.DISTANCE, key="SN"),),
        ... )
        >>> spec.metric_name(spec.measure[0])
        'distance between sella and nasion'
    """

    landmarks: Mapping[Name, str]
    lines: Mapping[Name, Annotated[LineSpec, Renamed(found="points", field="landmarks")]]
    angles: Mapping[Name, AngleSpec] = field(default_factory=dict)
    measure: tuple[MeasurementSpec, ...]

    def __post_init__(self) -> None:
        """Refuse contradictions, all of them at once, and name what has no name."""
        if mistakes := list(_contradictions(self)):
            raise BiometricsSpecError("\n".join(mistakes))
        names = {key: name or key for key, name in self.landmarks.items()}
        ends = {
            key: " and ".join(names[end] for end in line.landmarks)
            for key, line in self.lines.items()
        }
        # Angles are named first: they speak of a line, not of the distance between its ends.
        phrases = {
            key: line.name or f"the line through {ends[key]}" for key, line in self.lines.items()
        }
        angles = {
            key: replace(
                angle,
                name=angle.name
                or "angle between " + " and ".join(phrases[line] for line in angle.lines),
            )
            for key, angle in self.angles.items()
        }
        lines = {
            key: replace(line, name=line.name or f"distance between {ends[key]}")
            for key, line in self.lines.items()
        }
        # The way dataclasses know to set what is frozen; from here on nobody can change it.
        tables: Mapping[str, Mapping[str, object]]
        tables = {"landmarks": names, "lines": lines, "angles": angles}
        for attribute, table in tables.items():
            object.__setattr__(self, attribute, MappingProxyType(table))

    def metric_lines(self, measurement: MeasurementSpec) -> tuple[LineSpec, ...]:
        """The one line of a distance, the two of an angle."""
        if measurement.kind == MetricKind.DISTANCE:
            return (self.lines[measurement.key],)
        first, second = self.angles[measurement.key].lines
        return (self.lines[first], self.lines[second])

    def metric_name(self, measurement: MeasurementSpec) -> str:
        """What is measured, in words."""
        metrics: Mapping[str, LineSpec | AngleSpec] = (
            self.lines if measurement.kind == MetricKind.DISTANCE else self.angles
        )
        return metrics[measurement.key].name


def read_biometrics_spec(path: Path | str) -> BiometricsSpec:
    """The specification in a JSON or TOML file.

    Raises:
        BiometricsSpecError: Unreadable; unknown, missing or repeated keys; dangling references.
    """
    path = Path(path)
    match path.suffix.lower():
        case ".json":
            content = read_json(path, BiometricsSpecError)
        case ".toml":
            content = read_toml(path, BiometricsSpecError)
        case suffix:
            msg = f"{path}: expected a .json or .toml biometrics file, found '{suffix}'"
            raise BiometricsSpecError(msg)
    return parse_biometrics_spec(content, str(path))


def parse_biometrics_spec(content: Any, source: str) -> BiometricsSpec:
    """The specification in the parsed content of a file.

    Args:
        content: A mapping with the keys landmarks, lines, measure and, if any, angles.
        source: Where it comes from, for messages.

    Raises:
        BiometricsSpecError: Unknown or missing keys; dangling references.
    """
    return decoded(BiometricsSpec, content, source, BiometricsSpecError)


def _contradictions(spec: BiometricsSpec) -> Iterator[str]:
    """What a specification says that cannot be meant, each with its place."""
    for key, line in spec.lines.items():
        yield from _pair_mistakes(f"lines.{key}", "landmark", line.landmarks, spec.landmarks)
    for key, angle in spec.angles.items():
        found = [*_pair_mistakes(f"angles.{key}", "line", angle.lines, spec.lines)]
        yield from found
        if not found and len({frozenset(spec.lines[line].landmarks) for line in angle.lines}) == 1:
            both = "' and '".join(angle.lines)
            yield f"angles.{key}: expected two different lines, '{both}' are one line"
    if shared := sorted(set(spec.lines) & set(spec.angles)):
        yield f"expected each key for a line or an angle, found both for {', '.join(shared)}"
    if not spec.measure:
        yield "measure: expected at least one measurement, found none"
    for rank, measurement in enumerate(spec.measure):
        is_distance = measurement.kind == MetricKind.DISTANCE
        what, known = ("line", spec.lines) if is_distance else ("angle", spec.angles)
        if measurement.key not in known:
            words = f"unknown {what} '{measurement.key}'{_known(measurement.key, known)}"
            yield f"measure[{rank}].key: {words}"
    # "any" includes each plane: measured on both, a slice would have the same row twice.
    for first, second in combinations(spec.measure, 2):
        planes = {first.plane, second.plane}
        is_same = (first.kind, first.key) == (second.kind, second.key)
        if is_same and (len(planes) == 1 or None in planes):
            words = " and ".join(str(one.plane or "any") for one in (first, second))
            yield (
                f"measure: {first.kind} '{first.key}' is measured twice, on planes {words}; "
                "keep one"
            )


def _pair_mistakes(
    where: str, what: str, keys: tuple[str, str], known: Mapping[str, object]
) -> Iterator[str]:
    """What is wrong with two keys that should be different and known."""
    for key in dict.fromkeys(keys):
        if key not in known:
            yield f"{where}: unknown {what} '{key}'{_known(key, known)}"
    if keys[0] == keys[1]:
        yield f"{where}: expected two different {what}s, found '{keys[0]}' twice"


def _known(key: str, known: Mapping[str, object]) -> str:
    return f"{meant(key, known) or ';'} known: {', '.join(known) or 'none'}"
