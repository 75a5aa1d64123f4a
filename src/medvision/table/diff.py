"""Two table folders compared measurement by measurement: added, dropped, changed, by reason.

Rows are matched by what they are about (case, plane, label, slice, component; or case, plane,
metric, slice), never by their place in a file. A value that one side does not have at all, as
imported plans lack most columns, is unknown and no difference; it is counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medvision.errors import UsageError
from medvision.frames import Plane
from medvision.table.plan import PlanContent
from medvision.table.read import read_biometrics, read_cases, read_regions, tables_manifest

MAX_EXAMPLES = 5
"""Examples kept of each reason."""

CASE_KEYS = ("cohort", "case_id")
REGION_KEYS = (*CASE_KEYS, "plane", "label_id", "slice_index", "component")
BIOMETRIC_KEYS = (*CASE_KEYS, "plane", "metric_kind", "metric_key", "slice_index")

CASE_REASONS = {
    "subject": ("subject_id",),
    "split": ("split",),
    "shape": ("shape_ijk",),
    "spacing": ("spacing_mm",),
}
SLICE_REASONS = {
    "subject": ("subject_id",),
    "split": ("split",),
    "slice_size": ("height_px", "width_px"),
    "spacing": ("spacing_y_mm", "spacing_x_mm"),
}
REGION_REASONS = {
    **SLICE_REASONS,
    "label": ("label",),
    "components": ("n_components",),
    "pixels": ("pixel_count", "label_pixel_count"),
    "box": ("x0_px", "y0_px", "x1_px", "y1_px"),
    "area": ("area_mm2",),
    "ellipse_status": ("ellipse_status",),
    "ellipse": ("ellipse_major_mm", "ellipse_minor_mm"),
    "moments": ("moment_major_mm", "moment_minor_mm"),
    "feret": ("feret_max_mm", "feret_perp_mm"),
}
BIOMETRIC_REASONS = {
    **SLICE_REASONS,
    "name": ("name",),
    "unit": ("unit",),
    "value": ("value",),
    "vertex": ("vertex_value_deg",),
}
"""Why a matched row counts as changed, to the columns compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Numbers are the same when they differ by no more than `absolute` + `relative` × |a|."""

    absolute: float = 0.01
    relative: float = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row that differs: what it is about, and what A and B say."""

    key: tuple[Any, ...]
    a: str = ""
    b: str = ""


@dataclass(slots=True, kw_only=True)
class TableDiff:
    """How one table of A differs from that of B.

    Attributes:
        added: Rows that only B has, by reason.
        dropped: Rows that only A has, by reason.
        changed: Matched rows that differ, by reason; a row may count under several.
        unknown: Matched values that only one side has, by column.
        examples: Some rows of each kind of difference, by "kind: reason".
    """

    n_a: int = 0
    n_b: int = 0
    n_matched: int = 0
    added: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether no row was added, dropped or changed."""
        return not (self.added or self.dropped or self.changed)

    def note(self, kind: str, reason: str, example: Example) -> None:
        """Keep an example, unless there are enough."""
        kept = self.examples.setdefault(f"{kind}: {reason}", [])
        if len(kept) < MAX_EXAMPLES:
            kept.append(example)


REGION_CONTENTS = (PlanContent.BOXES, PlanContent.AREAS, PlanContent.AXES)


def diff_tables(a: Path, b: Path, tolerance: Tolerance) -> dict[str, TableDiff]:
    """Compare two table folders.

    Where one was imported from a plan that holds boxes, areas, axes or measurements only, the
    other is compared in these only.

    Args:
        a: Table folder.
        b: Table folder; rows it has more are "added".
        tolerance: Of numbers.

    Returns:
        Differences of `cases`, `regions` and `biometrics`.

    Raises:
        UsageError: A folder holds no tables, or tables of another dataset.
    """
    names = [tables_manifest(folder)["name"] for folder in (a, b)]
    if names[0] != names[1]:
        msg = f"expected tables of one dataset, found {names[0]!r} in {a} and {names[1]!r} in {b}"
        raise UsageError(msg)
    # What imported tables hold; None of tables that were built, which hold everything.
    imported = [tables_manifest(folder).get("imported") for folder in (a, b)]
    contents = [PlanContent(one["content"]) if one else None for one in imported]
    found = {"cases": TableDiff(), "regions": TableDiff(), "biometrics": TableDiff()}
    cases = [read_cases(folder) for folder in (a, b)]
    known = {"cases_a": _distinct(cases[0], CASE_KEYS), "cases_b": _distinct(cases[1], CASE_KEYS)}
    _compare(_Sides(a=cases[0], b=cases[1], **known), CASES, tolerance, found["cases"])
    for plane in Plane:
        where = pc.field("plane") == str(plane)
        if all(content is None or content in REGION_CONTENTS for content in contents):
            rows = _comparable([read_regions(folder, where) for folder in (a, b)], contents)
            _compare(_Sides(a=rows[0], b=rows[1], **known), REGIONS, tolerance, found["regions"])
        if all(content in (None, PlanContent.MEASUREMENTS) for content in contents):
            rows = [read_biometrics(folder, where) for folder in (a, b)]
            sides = _Sides(a=rows[0], b=rows[1], **known)
            _compare(sides, BIOMETRICS, tolerance, found["biometrics"])
    return found


def _comparable(rows: list[pa.Table], contents: Sequence[PlanContent | None]) -> list[pa.Table]:
    """Rows of both sides that an imported side could have."""
    if PlanContent.AREAS in contents:
        rows = [table.filter(pc.equal(table["component"], 0)) for table in rows]
    if PlanContent.AXES in contents:
        imported = rows[contents.index(PlanContent.AXES)]
        targets = pc.unique(imported["label_id"].combine_chunks())
        measured = [table.filter(pc.equal(table["ellipse_status"], "ok")) for table in rows]
        rows = [table.filter(pc.is_in(table["label_id"], targets)) for table in measured]
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """How the rows of one table are matched and compared.

    Attributes:
        keys: Columns that say what a row is about, the widest first.
        absent: Name of the reason when the other side lacks a row: one for each key, "" for keys
            that count together with the next one.
        reasons: Why a matched row counts as changed, to the columns compared.
    """

    keys: tuple[str, ...]
    absent: tuple[str, ...]
    reasons: Mapping[str, tuple[str, ...]]


CASES = _Comparison(keys=CASE_KEYS, absent=("", "case_absent"), reasons=CASE_REASONS)
REGIONS = _Comparison(
    keys=REGION_KEYS,
    absent=("", "case_absent", "plane_absent", "label_absent", "slice_absent", "component_absent"),
    reasons=REGION_REASONS,
)
BIOMETRICS = _Comparison(
    keys=BIOMETRIC_KEYS,
    absent=("", "case_absent", "plane_absent", "", "metric_absent", "slice_absent"),
    reasons=BIOMETRIC_REASONS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """Rows of both folders, and the keys of their cases."""

    a: pa.Table
    b: pa.Table
    cases_a: pa.Table
    cases_b: pa.Table


def _compare(sides: _Sides, comparison: _Comparison, tolerance: Tolerance, diff: TableDiff) -> None:
    """Add the differences of some rows to a table's."""
    columns = [name for names in comparison.reasons.values() for name in names]
    a, b = (_flat(rows.select([*comparison.keys, *columns])) for rows in (sides.a, sides.b))
    diff.n_a, diff.n_b = diff.n_a + a.num_rows, diff.n_b + b.num_rows
    _count_absent("dropped", (a, b, sides.cases_b), comparison, diff)
    _count_absent("added", (b, a, sides.cases_a), comparison, diff)
    matched = a.join(b, list(comparison.keys), join_type="inner", right_suffix=" of b")
    diff.n_matched += matched.num_rows
    for reason, names in comparison.reasons.items():
        flat = [n for n in a.column_names if n.split(".")[0] in names and n in b.column_names]
        _count_changed(reason, matched, flat, (comparison, tolerance, diff))


def _distinct(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    return rows.group_by(list(keys)).aggregate([])


def _flat(rows: pa.Table) -> pa.Table:
    """List columns as one column per item, which can be joined."""
    for name in rows.column_names:
        if pa.types.is_list(rows[name].type):
            values = rows[name].to_pylist()
            rows = rows.drop_columns([name])
            for place in range(max(map(len, values), default=0)):
                items = [float(v[place]) if len(v) > place else None for v in values]
                rows = rows.append_column(f"{name}.{place}", pa.array(items, pa.float64()))
    return rows


def _count_absent(
    kind: str,
    rows: tuple[pa.Table, pa.Table, pa.Table],
    comparison: _Comparison,
    diff: TableDiff,
) -> None:
    """Count rows of the first table that the second lacks, by the widest key it lacks.

    The third table has the second folder's cases: a case may be there without rows on a plane.
    """
    left, other, cases = rows[0].select(list(comparison.keys)), rows[1], rows[2]
    counter = diff.added if kind == "added" else diff.dropped
    for rank, reason in enumerate(comparison.absent, start=1):
        if not reason:
            continue
        keys = list(comparison.keys[:rank])
        known = cases if tuple(keys) == CASE_KEYS else _distinct(other, keys)
        absent = left.join(known, keys, join_type="left anti")
        if absent.num_rows:
            counter[reason] += absent.num_rows
            for row in absent.slice(0, MAX_EXAMPLES).to_pylist():
                diff.note(kind, reason, Example(key=tuple(row[k] for k in comparison.keys)))
            # A row that lacks its case lacks its plane and slice, too: it is counted once.
            left = left.join(known, keys, join_type="left semi")


def _count_changed(
    reason: str,
    matched: pa.Table,
    names: list[str],
    given: tuple[_Comparison, Tolerance, TableDiff],
) -> None:
    comparison, tolerance, diff = given
    changed = np.zeros(matched.num_rows, dtype=bool)
    for name in names:
        differs, unknown = _differs(matched[name], matched[f"{name} of b"], tolerance)
        changed |= differs
        if unknown.any():
            diff.unknown[name] += int(unknown.sum())
    if not changed.any():
        return
    diff.changed[reason] += int(changed.sum())
    for row in matched.take(np.flatnonzero(changed)[:MAX_EXAMPLES]).to_pylist():
        a, b = ([_text(row[f"{name}{side}"]) for name in names] for side in ("", " of b"))
        key = tuple(row[k] for k in comparison.keys)
        diff.note("changed", reason, Example(key=key, a=", ".join(a), b=", ".join(b)))


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


Mask = npt.NDArray[np.bool_]


def _differs(a: pa.ChunkedArray, b: pa.ChunkedArray, tolerance: Tolerance) -> tuple[Mask, Mask]:
    """Where two columns differ, and where only one of them has a value."""
    has_a, has_b = (_mask(pc.is_valid(column)) for column in (a, b))
    if pa.types.is_floating(a.type):
        number_a, number_b = (c.to_numpy().astype(np.float64) for c in (a, b))
        margin = tolerance.absolute + tolerance.relative * np.abs(number_a)
        with np.errstate(invalid="ignore"):
            unequal = np.abs(number_a - number_b) > margin
    else:
        unequal = _mask(pc.fill_null(pc.not_equal(a, b), fill_value=False))
    return unequal & has_a & has_b, has_a != has_b


def _mask(column: pa.ChunkedArray) -> Mask:
    return np.asarray(column.to_numpy(), dtype=bool)
