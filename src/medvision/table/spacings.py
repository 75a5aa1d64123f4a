"""Pixel spacing of pictures from a file beside them: a table of all cases, or JSON of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medvision.catalog.cohort import SpacingTable
from medvision.declarations import DeclarationError, decoded, read_json
from medvision.names import composed, existing_path
from medvision.table.cases import CaseSource, case_names
from medvision.table.subjects import read_table

OF_EACH = "{case}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSpacings:
    """What the file says.

    Attributes:
        of_case: Case id to the spacing (y, x) in mm, of the cases that the file names.
        used: The table, or where the file of each case would be.
        rows_left: Names in a table that none of the cases has.
    """

    of_case: Mapping[str, tuple[float, float]]
    used: frozenset[Path]
    rows_left: tuple[str, ...] = ()


def case_spacings(spec: SpacingTable, root: Path, cases: Iterable[CaseSource]) -> CaseSpacings:
    """The spacing of the cases that a file names.

    Args:
        spec: Where it stands.
        root: Folder that its file is seen from.
        cases: A row may name the case, or the file of one of its images.

    Raises:
        DeclarationError: No such file or columns, numbers that are no spacing: a line for each.
    """
    cases = list(cases)
    if OF_EACH in spec.file:
        files = {
            case.case_id: existing_path(root / spec.file.replace(OF_EACH, case.case_id))
            for case in cases
        }
        used = frozenset(files.values())
        rows = {name: (path, read_json(path)) for name, path in files.items() if path.exists()}
    else:
        path = existing_path(root / spec.file)
        used = frozenset({path})
        stated = _rows(path, spec.case).items()
        rows = {composed(name): (path, row) for name, row in stated}
    found: dict[str, tuple[float, float]] = {}
    left = dict.fromkeys(rows)
    mistakes = []
    for case in cases:
        name = next((name for name in case_names(case) if name in rows), None)
        if name is None:
            continue
        left.pop(name, None)
        path, row = rows[name]
        try:
            y_mm, x_mm = (_number(row, column) for column in spec.columns_yx)
        except ValueError as error:
            mistakes.append(f"{path}: {name}: {error}")
        else:
            found[case.case_id] = (y_mm, x_mm)
    if mistakes:
        raise DeclarationError("\n".join(mistakes))
    return CaseSpacings(of_case=found, used=used, rows_left=tuple(left))


def _rows(path: Path, key: str) -> dict[str, Any]:
    """Name of the case to its row, of CSV, TSV, or JSON: a list of objects, or name to object."""
    if path.suffix.lower() != ".json":
        header, lines = read_table(path)
        if key not in header:
            msg = (
                f"{path}: expected a column {key!r} that names the case, found {', '.join(header)}"
            )
            raise DeclarationError(msg)
        return {line[key]: line for line in lines}
    content = read_json(path)
    if isinstance(content, dict):
        return content
    objects = decoded(tuple[dict[str, Any], ...], content, str(path))
    lacking = [rank for rank, one in enumerate(objects) if key not in one]
    if lacking:
        msg = f"{path}: [{lacking[0]}]: expected the key {key!r} that names the case, found none"
        raise DeclarationError(msg)
    return {str(one[key]): one for one in objects}


def _number(row: Any, column: str) -> float:
    """A spacing in a row; `a.b` is the key b of the object a.

    Raises:
        ValueError: No such column, or no positive number in it.
    """
    value = row
    for step in [column] if isinstance(row, Mapping) and column in row else column.split("."):
        if not isinstance(value, Mapping) or step not in value:
            msg = f"expected the column {column!r}, found none"
            raise ValueError(msg)
        value = value[step]
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < float("inf"):
        msg = f"{column}: expected a spacing in mm, found {value!r}"
        raise ValueError(msg)
    return number
