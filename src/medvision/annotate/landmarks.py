"""Landmark files: named points in voxel or world coordinates.

Formats, by file name:

- `.json`, `.json.gz`: `{key: [i, j, k]}`, or `{"space": "voxel" | "RAS" | "LPS", "landmarks": …}`;
  LabelMe's files, whose points they are.
- `.csv`: columns `key, x, y[, z]` or `key, i, j[, k]`; an optional `space` column, the same on
  every row.
- `.fcsv`: 3D Slicer fiducials; `.mrk.json`: 3D Slicer markups; both name their world frame.

Voxel coordinates are zero-based, integers at voxel centres, in the file's stored axis order (for a
picture: column, row) and are the default where a file of ours names no space. World coordinates are
RAS or LPS millimetres.
"""

import csv
import gzip
import io
import json
import math
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unicodedata import category

from medvision.declarations import SHOWN_CHARACTERS
from medvision.errors import ItemError
from medvision.names import composed

AXIS_OF_LETTER: dict[str, int] = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
"""Axis of the RAS+ array along which a stored axis with this letter runs."""

CANONICAL_LETTERS = "RAS"


class UnreadableLandmarksError(ItemError):
    """The file is missing, truncated or not text of its format."""

    reason = "landmarks_unreadable"


class LandmarkFormatError(ItemError):
    """The file reads as text but lacks the structure of its format, or names an unknown space."""

    reason = "landmarks_bad_format"


class LandmarkValueError(ItemError):
    """A landmark's coordinates are not two or three finite numbers."""

    reason = "landmarks_bad_value"


class DuplicateLandmarkError(ItemError):
    """The file gives one landmark key twice."""

    reason = "landmarks_duplicate"


class EmptyLandmarksError(ItemError):
    """The file holds no landmark."""

    reason = "landmarks_empty"


class LandmarkFrameError(ItemError):
    """The coordinates cannot be placed in the image: wrong dimension, space or orientation."""

    reason = "landmarks_wrong_frame"


class LandmarkSpace(StrEnum):
    """What a file's coordinates count."""

    VOXEL = "voxel"
    """Stored voxel indices; pixel column, row for a picture."""
    RAS = "RAS"
    """World mm, +x to the patient's right, +y anterior, +z superior."""
    LPS = "LPS"
    """World mm, +x to the patient's left, +y posterior, +z superior."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmarks:
    """Named points as a file gives them.

    Attributes:
        source: Where they come from, for messages.
        points: Key to coordinates, three of them, or two for a picture; all of one length.
        size_wh_px: Width and height of the picture they were set on, where the file says it.
    """

    source: str
    space: LandmarkSpace
    points: Mapping[str, tuple[float, ...]]
    size_wh_px: tuple[int, int] | None = None


def read_landmarks(path: Path | str) -> Landmarks:
    """Landmarks of one file, in the space it states.

    Args:
        path: `.json`, `.json.gz`, `.csv`, `.fcsv` or `.mrk.json`.

    Raises:
        UnreadableLandmarksError: Missing, truncated or not of its format.
        LandmarkFormatError: Unknown suffix or space, missing columns or fields.
        LandmarkValueError: Not two or three finite numbers, or of different lengths.
        DuplicateLandmarkError: One key twice.
        EmptyLandmarksError: No landmark.
    """
    path = Path(path)
    name = path.name.lower()
    for suffix, reader in READERS.items():
        if name.endswith(suffix):
            return reader(_text(path), str(path))
    msg = f"{path}: expected a landmark file ({', '.join(READERS)}), found '{path.name}'"
    raise LandmarkFormatError(msg)


def read_landmark_lines(path: Path, keys: Sequence[str]) -> Landmarks:
    """Landmarks of a text file whose first lines state one each, as `x,y`; later lines are left.

    Args:
        path: The file.
        keys: Of the first line, the second, …

    Raises:
        UnreadableLandmarksError: Missing or not text.
        LandmarkFormatError: Fewer lines than keys.
        LandmarkValueError: A line that is not two or three finite numbers.
    """
    lines = _text(path).splitlines()
    if len(lines) < len(keys):
        msg = f"{path}: expected a line for each of {len(keys)} landmarks, found {len(lines)} lines"
        raise LandmarkFormatError(msg)
    entries = [
        (key, [stated_number(text.strip()) for text in line.split(",")])
        for key, line in zip(keys, lines, strict=False)
    ]
    return checked_landmarks(str(path), LandmarkSpace.VOXEL, entries)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path}: expected a landmark file in UTF-8, found {error}; save it as UTF-8"
        raise UnreadableLandmarksError(msg) from error
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: cannot read a landmark file: {error}"
        raise UnreadableLandmarksError(msg) from error


def checked_landmarks(
    source: str,
    space: LandmarkSpace,
    entries: Iterable[tuple[str, Any]],
    *,
    size_wh_px: tuple[int, int] | None = None,
) -> Landmarks:
    """Landmarks of (key, coordinates) pairs, once all of them are different finite points.

    Keys are in Unicode's composed form.
    """
    points: dict[str, tuple[float, ...]] = {}
    for found, value in entries:
        key = composed(found)
        if not key:
            msg = f"{source}: a landmark has no key; expected a name for {value!r}"
            raise LandmarkFormatError(msg)
        if any(category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in key):
            msg = f"{source}: expected a key of printed characters, found {_cut(key)}"
            raise LandmarkFormatError(msg)
        if key in points:
            msg = f"{source}: landmark '{key}' is given twice; keep one"
            raise DuplicateLandmarkError(msg)
        points[key] = _coordinates(source, key, value)
    if not points:
        msg = f"{source}: expected at least one landmark, found none"
        raise EmptyLandmarksError(msg)
    lengths = {len(point) for point in points.values()}
    if len(lengths) > 1:
        msg = f"{source}: expected landmarks of one dimension, found some of 2 and some of 3"
        raise LandmarkValueError(msg)
    if space is not LandmarkSpace.VOXEL and lengths != {3}:
        msg = f"{source}: {space} world landmarks need three coordinates, found two"
        raise LandmarkValueError(msg)
    return Landmarks(
        source=source, space=space, points=MappingProxyType(points), size_wh_px=size_wh_px
    )


def _coordinates(source: str, key: str, value: Any) -> tuple[float, ...]:
    wanted = f"{source}: landmark '{key}' needs two or three finite numbers, found {_cut(value)}"
    if not isinstance(value, list | tuple) or len(value) not in {2, 3}:
        raise LandmarkValueError(wanted)
    if not all(isinstance(number, int | float) for number in value):
        raise LandmarkValueError(wanted)
    # True is an int to Python, and JSON writes whole numbers that no float holds.
    if any(isinstance(number, bool) or abs(number) > sys.float_info.max for number in value):
        raise LandmarkValueError(wanted)
    point = tuple(float(number) for number in value)
    if not all(math.isfinite(number) for number in point):
        raise LandmarkValueError(wanted)
    return point


def _cut(value: Any) -> str:
    """A value as a message repeats it."""
    shown = repr(value)
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[: SHOWN_CHARACTERS - 1]}…"


def stated_number(text: str | None) -> float | str | None:
    """The number a CSV field states; any other text as it is, for the message.

    Example:
        >>> stated_number("-1.5e1"), stated_number("1_000")
        (-15.0, '1_000')
    """
    # Python alone would take 1_000 and digits of any script.
    written = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text or "", re.ASCII)
    return float(written[0]) if written else text


def _rows(
    text: str, source: str, columns: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Rows of a table as column to field, each with its line; without columns its first row's.

    Raises:
        LandmarkFormatError: More fields than columns, a column twice, a field without an end.
    """
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        named = [name.strip() for name in columns or next(reader, [])]
        if len(set(named)) < len(named):
            msg = f"{source}: expected each column once, found {', '.join(named)}"
            raise LandmarkFormatError(msg)
        yield reader.line_num, dict.fromkeys(named)
        for row in filter(None, reader):
            if any(field.strip() for field in row[len(named) :]):
                msg = (
                    f"{source}: expected {len(named)} fields on line {reader.line_num}, found "
                    f"{len(row)}; fields are separated by commas, decimals by points"
                )
                raise LandmarkFormatError(msg)
            yield reader.line_num, dict(zip_longest(named, row[: len(named)]))
    except csv.Error as error:
        msg = f"{source}: line {reader.line_num} of the table cannot be read ({error}); a quote?"
        raise LandmarkFormatError(msg) from error


def _space(source: str, word: Any) -> LandmarkSpace:
    for space in LandmarkSpace:
        if isinstance(word, str) and word.strip().lower() == space.lower():
            return space
    msg = f"{source}: expected space {', '.join(LandmarkSpace)}, found {word!r}"
    raise LandmarkFormatError(msg)


def _world_space(source: str, word: Any) -> LandmarkSpace:
    """RAS or LPS of a Slicer file; versions before 4.11 write these as 0 and 1."""
    codes = {"0": LandmarkSpace.RAS, "1": LandmarkSpace.LPS}
    space = codes.get(str(word).strip()) or _space(source, word)
    if space is LandmarkSpace.VOXEL:
        msg = f"{source}: expected coordinate system RAS or LPS, found {word!r}"
        raise LandmarkFormatError(msg)
    return space


def _one_space(source: str, spaces: set[LandmarkSpace]) -> LandmarkSpace:
    if len(spaces) > 1:
        msg = f"{source}: expected one space for all landmarks, found {', '.join(sorted(spaces))}"
        raise LandmarkFormatError(msg)
    return next(iter(spaces), LandmarkSpace.VOXEL)


def _json_object(text: str, source: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # Decoders keep the last of repeated keys, silently: a landmark would be lost.
        table = dict(pairs)
        if len(table) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated = next(key for key in keys if keys.count(key) > 1)
            msg = f"{source}: '{repeated}' is given twice; keep one"
            raise DuplicateLandmarkError(msg)
        return table

    try:
        content = json.loads(text, object_pairs_hook=unique)
    except RecursionError as error:
        msg = f"{source}: expected JSON of landmarks, found lists in lists too deep to read"
        raise UnreadableLandmarksError(msg) from error
    except ValueError as error:
        msg = f"{source}: expected JSON, found a text that breaks off or is none: {error}"
        raise UnreadableLandmarksError(msg) from error
    if not isinstance(content, dict):
        msg = f"{source}: expected a JSON object of landmarks, found {type(content).__name__}"
        raise LandmarkFormatError(msg)
    return content


def from_json(text: str, source: str) -> Landmarks:
    """Landmarks of a file of ours or of LabelMe.

    Ours has keys and coordinates, alone or beside the space they are in.
    """
    from medvision.annotate.labelme import (
        is_labelme,
        labelme_landmarks,
    )  # which imports this module

    content = _json_object(text, source)
    if is_labelme(content):
        return labelme_landmarks(content, source)
    inner = content.get("landmarks")
    if not isinstance(inner, dict):
        return checked_landmarks(source, LandmarkSpace.VOXEL, content.items())
    unknown = sorted(set(content) - {"space", "landmarks"})
    if unknown:
        msg = f"{source}: expected the keys space, landmarks; found also {', '.join(unknown)}"
        raise LandmarkFormatError(msg)
    space = _space(source, content.get("space", LandmarkSpace.VOXEL.value))
    return checked_landmarks(source, space, inner.items())


def from_markups(text: str, source: str) -> Landmarks:
    """Landmarks of 3D Slicer markups; control points that were never placed count as absent."""
    markups = _json_object(text, source).get("markups")
    if not isinstance(markups, list) or not all(isinstance(markup, dict) for markup in markups):
        msg = f"{source}: expected 3D Slicer markups (a list 'markups'), found none"
        raise LandmarkFormatError(msg)
    spaces: set[LandmarkSpace] = set()
    entries: list[tuple[str, Any]] = []
    for markup in markups:
        if markup.get("coordinateUnits", "mm") not in ("mm", "millimeter"):
            msg = f"{source}: expected coordinates in mm, found {_cut(markup['coordinateUnits'])}"
            raise LandmarkFormatError(msg)
        points = markup.get("controlPoints", [])
        if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
            msg = f"{source}: expected 'controlPoints' to be a list of objects"
            raise LandmarkFormatError(msg)
        spaces.add(_world_space(source, markup.get("coordinateSystem")))
        entries += [
            (str(point.get("label") or point.get("id", "")), point.get("position"))
            for point in points
            if point.get("positionStatus", "defined") == "defined"
        ]
    return checked_landmarks(source, _one_space(source, spaces), entries)


_FCSV_COLUMNS = ("id", "x", "y", "z", "ow", "ox", "oy", "oz", "vis", "sel", "lock", "label")
"""Columns of a Slicer 4 or 5 file whose header does not name them."""


def from_fcsv(text: str, source: str) -> Landmarks:
    """Landmarks of 3D Slicer fiducials; header lines say frame and columns."""
    columns: Sequence[str] = _FCSV_COLUMNS
    words: set[str] = set()
    lines: list[str] = []
    for line in text.splitlines():
        name, _, value = line.lstrip("# ").partition("=")
        if not line.startswith("#"):
            lines += [line] if line.strip() else []
        elif name.strip() == "CoordinateSystem":
            words.add(value.strip())
        elif name.strip() == "columns":
            columns = value.split(",")
    if len(words) != 1:
        found = " and ".join(sorted(words)) or "none"
        msg = f"{source}: expected one header line '# CoordinateSystem = RAS' or LPS, found {found}"
        raise LandmarkFormatError(msg)
    _, *rows = _rows("\n".join(lines), source, columns)
    entries = [
        (row.get("label") or row.get("id") or "", [stated_number(row.get(axis)) for axis in "xyz"])
        for _, row in rows
    ]
    return checked_landmarks(source, _world_space(source, words.pop()), entries)


def from_csv(text: str, source: str) -> Landmarks:
    """Landmarks of a table with a key and two or three coordinates, nothing else, on each row."""
    rows = _rows(text, source)
    columns = list(next(rows)[1])
    names = sorted(set(columns) - {"space"})
    axes = next((a for a in ("xyz", "xy", "ijk", "ij") if sorted({"key", *a}) == names), "")
    if not axes:
        found = _cut(", ".join(columns)) if columns else "an empty file"
        msg = (
            f"{source}: expected the columns key, x, y[, z] or key, i, j[, k], with an optional "
            f"space, separated by commas; found {found}"
        )
        raise LandmarkFormatError(msg)
    spaces: set[LandmarkSpace] = set()
    entries: list[tuple[str, Any]] = []
    for line, row in rows:
        fields = [field.strip() for field in row.values() if field is not None]
        if len(fields) < len(columns):
            msg = f"{source}: expected {len(columns)} fields on line {line}, found {len(fields)}"
            raise LandmarkFormatError(msg)
        stated = dict(zip(columns, fields, strict=True))
        spaces.add(_space(source, stated.get("space", LandmarkSpace.VOXEL.value)))
        # Only the third may be empty, of a picture: two of three left would change their axes.
        given = axes[:2] if not stated[axes[-1]] else axes
        entries.append((stated["key"], [stated_number(stated[axis]) for axis in given]))
    space = _one_space(source, spaces)
    if "i" in axes and space is not LandmarkSpace.VOXEL:
        msg = (
            f"{source}: columns i, j, k hold voxel landmarks, found space {space}; "
            "name them x, y, z"
        )
        raise LandmarkFormatError(msg)
    return checked_landmarks(source, space, entries)


READERS = {
    ".mrk.json": from_markups,
    ".json": from_json,
    ".json.gz": from_json,
    ".fcsv": from_fcsv,
    ".csv": from_csv,
}
"""Reader by the end of the file name, the longer end first."""
