"""Landmarks of all cases in one table: a row each, or a row for each case."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from medvision.catalog.cohort import LandmarkTable
from medvision.declarations import DeclarationError
from medvision.table.subjects import read_table

StatedPoints = tuple[tuple[str, tuple[str, ...]], ...]
"""Keys of landmarks and the text of their coordinates, in the order of the table."""


def table_points(path: Path, spec: LandmarkTable) -> Mapping[str, StatedPoints]:
    """The name of each case to its landmarks; one whose cells are all empty was not placed.

    Args:
        path: CSV or TSV.
        spec: How its columns are to be read.

    Raises:
        DeclarationError: No such file or columns, a row that names no case, a case on two rows of
            a wide table.
    """
    header, rows = read_table(path)
    columns, axes = dict(spec.columns), [spec.x, spec.y]
    needed = [name for names in columns.values() for name in names]
    if spec.form == "long":
        # A table of pictures has no z; a name of one's own is meant to be there.
        axes += [spec.z] if spec.z in header or spec.z not in ("", "z") else []
        needed = [spec.landmark, *axes]
    lacking = [name for name in (spec.case, *needed) if name not in header]
    if lacking:
        msg = f"{path}: expected the column {lacking[0]!r}, found {', '.join(header)}"
        raise DeclarationError(msg)
    points: dict[str, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
    for line, row in enumerate(rows, start=2):
        case = row[spec.case]
        if not case or (spec.form == "wide" and case in points):
            found = f"{case!r} again" if case else "none"
            msg = f"{path}: line {line}: expected the name of a case of its own, found {found}"
            raise DeclarationError(msg)
        of_row = columns or {row[spec.landmark]: tuple(axes)}
        placed = points[case]  # a case without any is in the table all the same
        for key, names in of_row.items():
            cells = tuple(row[name] for name in names)
            if any(cells):
                # Of pictures the third is empty; two of three left would change their axes.
                placed.append((key, cells if cells[-1] else cells[:2]))
    return {case: tuple(placed) for case, placed in points.items()}
