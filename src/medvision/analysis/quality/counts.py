"""What a table folder holds and what it left out, as plain tables of counts.

Regions are read one plane at a time and only the columns that are counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medvision.analysis.quality.measured import MeasuredCounts
from medvision.analysis.units import plain_number
from medvision.samples.kinds import MIN_AREA_PX, MIN_BOX_SIDE_PX
from medvision.table.overlap import find_overlap
from medvision.table.read import (
    read_biometrics,
    read_cases,
    read_regions,
    read_structures,
    tables_manifest,
)

COLUMNS = (
    "plane",
    "label_id",
    "label",
    "component",
    "n_components",
    "label_pixel_count",
    "height_px",
    "width_px",
    "spacing_y_mm",
    "spacing_x_mm",
    "x0_px",
    "y0_px",
    "x1_px",
    "y1_px",
    "ellipse_status",
    "ellipse_major_mm",
    "ellipse_area_ratio",
    "moment_major_mm",
    "feret_max_mm",
)

PLANE_COUNTS = ("slices", "components")

OBLIQUITY_BINS_DEG = (0.01, 5.0, 15.0)
OBLIQUITY_WORDS = ("straight", "up to 5°", "5–15°", "15° and more")

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTable:
    """A table as it is printed: texts, or numbers."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityCounts:
    """Everything a quality page counts."""

    name: str
    description: str
    n_cases_in: int
    n_cases_out: int
    n_structures: int
    n_regions: int
    n_biometrics: int
    planes: tuple[str, ...]
    problems: tuple[tuple[str, str, str], ...]
    cases: tuple[PlainTable, ...]
    labels: PlainTable
    by_plane: PlainTable
    measured: MeasuredCounts
    biometrics: PlainTable


def quality_counts(tables: Path) -> QualityCounts:
    """Count a table folder.

    Raises:
        UsageError: The folder holds no complete tables.
    """
    manifest = tables_manifest(tables)
    counts = manifest["counts"]
    planes = sorted(
        folder.name.removeprefix("plane=") for folder in (tables / "regions").glob("plane=*")
    )
    by_label: Counter[tuple[str, str, str]] = Counter()
    measured = MeasuredCounts()
    by_plane: list[dict[str, Cell]] = []
    for plane in planes:
        regions = read_regions(tables, pc.field("plane") == plane, columns=COLUMNS)
        # A slice of a label is counted at its component 0.
        first = regions.filter(pc.equal(regions["component"], 0))
        for what, counted in zip(PLANE_COUNTS, (first, regions), strict=True):
            for entry in pc.value_counts(counted["label"]).to_pylist():
                by_label[entry["values"], plane, what] = entry["counts"]
        by_plane.append(_plane_counts(regions, plane))
        measured.add(regions, plane)
    return QualityCounts(
        name=manifest["name"],
        description=manifest["description"],
        n_cases_in=counts["cases_in"],
        n_cases_out=counts["cases_out"],
        n_structures=counts["structures"],
        n_regions=counts["regions"],
        n_biometrics=counts["biometrics"],
        planes=tuple(planes),
        problems=tuple((p["case_id"], p["reason"], p["message"]) for p in manifest["problems"]),
        cases=_case_tables(tables, counts["dropped"]),
        labels=_label_table(read_structures(tables), by_label, planes),
        by_plane=PlainTable(
            title="Slices and components",
            heads=tuple(by_plane[0]) if by_plane else (),
            rows=tuple(tuple(row.values()) for row in by_plane),
            note="Samples by the paper's filters, before any cap: detection one component and both "
            f"box sides ≥ {MIN_BOX_SIDE_PX} px; area ≥ {MIN_AREA_PX} px; T/L one component and "
            "a fitted ellipse. The last columns count components by box area / slice area.",
        ),
        measured=measured,
        biometrics=_biometric_table(tables),
    )


def _numbers(regions: pa.Table, name: str) -> npt.NDArray[Any]:
    return np.asarray(regions[name].to_numpy())


def _plane_counts(regions: pa.Table, plane: str) -> dict[str, Cell]:
    """One plane's row of the table by plane: head to value."""
    x0, y0, x1, y1 = (_numbers(regions, f"{edge}_px") for edge in ("x0", "y0", "x1", "y1"))
    alone = _numbers(regions, "n_components") == 1
    first = _numbers(regions, "component") == 0
    large = np.minimum(x1 - x0, y1 - y0) >= MIN_BOX_SIDE_PX
    ok = np.asarray(pc.equal(regions["ellipse_status"], "ok").to_numpy(zero_copy_only=False))
    # In 64 bits: box and slice areas of large X-rays pass 2³¹.
    area = _numbers(regions, "height_px").astype(np.int64) * _numbers(regions, "width_px")
    share = (x1 - x0).astype(np.int64) * (y1 - y0) / area
    enough = _numbers(regions, "label_pixel_count") >= MIN_AREA_PX
    spacing = np.concatenate([_numbers(regions, f"spacing_{axis}_mm") for axis in "yx"])
    return {
        "plane": plane,
        "label slices": int(first.sum()),
        "components": regions.num_rows,
        "alone on its slice, %": round(100 * float(alone.mean()), 1),
        "detection samples": int((alone & large).sum()),
        "area samples": int((first & enough).sum()),
        "T/L samples": int((alone & ok).sum()),
        "box < 5 % of slice": int((share < 0.05).sum()),
        "5–10 %": int(((share >= 0.05) & (share < 0.10)).sum()),
        "≥ 10 %": int((share >= 0.10).sum()),
        "pixel size, mm": span(spacing),
    }


def span(values: npt.NDArray[np.float64] | Sequence[float]) -> str:
    """Least to greatest, as printed; one number where they are equal.

    Example:
        >>> span([2.5, 0.7813]), span([5, 5])
        ('0.781–2.5', '5')
        >>> span([12.5, 1213.4])
        '12.5–1210'
    """
    low, high = plain_number(float(np.min(values))), plain_number(float(np.max(values)))
    return low if low == high else f"{low}–{high}"


def _label_table(
    structures: pa.Table, by_label: Counter[tuple[str, str, str]], planes: Sequence[str]
) -> PlainTable:
    """Structures of each label over cases, and its slices and components on each plane."""
    of_label: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in structures.to_pylist():
        of_label.setdefault((row["label_id"], row["label"]), []).append(row)
    rows = []
    for (label_id, label), found in sorted(of_label.items()):
        volumes_ml = [row["volume_mm3"] / 1000 for row in found if row["volume_mm3"] is not None]
        n_cut = sum(row["touches_border"] for row in found)
        counts = [by_label[label, plane, what] for plane in planes for what in PLANE_COUNTS]
        median = plain_number(float(np.median(volumes_ml))) if volumes_ml else ""
        ends = span(volumes_ml) if volumes_ml else ""
        rows.append((label_id, label, len(found), n_cut, median, ends, *counts))
    volume_heads = ("median volume, mL", "least–greatest, mL")
    heads = [f"{plane} {what}" for plane in planes for what in PLANE_COUNTS]
    return PlainTable(
        title="Structures by label and plane",
        heads=("id", "label", "cases", "touch a face", *volume_heads, *heads),
        rows=tuple(rows),
        note="Volumes are voxel counts × |det| of the affine; a structure that touches a face of "
        "its volume may be cut.",
    )


def _case_tables(tables: Path, dropped: dict[str, int]) -> tuple[PlainTable, ...]:
    """What the cases are: a small table for each of their properties."""
    rows = read_cases(tables).to_pylist()
    modalities = Counter(
        ", ".join(sorted({image["modality"] for image in row["images"]})) for row in rows
    )
    flags = Counter(flag for row in rows for flag in row["flags"])
    repeated = find_overlap([tables]).scans
    named = "; ".join(" = ".join(use.case_id for use in scan.uses) for scan in repeated[:5])
    shapes = np.array([(*row["shape_ijk"], 1)[:3] for row in rows]).reshape(-1, 3)
    spacings = [tuple(row["spacing_mm"]) for row in rows if None not in row["spacing_mm"]]
    off_axes = np.digitize([row["obliquity_deg"] for row in rows], OBLIQUITY_BINS_DEG)
    obliquity = Counter(OBLIQUITY_WORDS[place] for place in sorted(off_axes))
    ranges = [
        ("voxels", " × ".join(span(axis) for axis in shapes.T) if rows else ""),
        ("spacing, mm", " × ".join(span(axis) for axis in zip(*spacings, strict=False))),
        ("repeated scans", f"{len(repeated)} ({named})" if repeated else "0"),
    ]
    return (
        _counter("Dropped, by reason", "reason", dropped),
        _counter("Split", "split", Counter(row["split"] for row in rows)),
        _counter("Modality", "modality", modalities),
        _counter("Flags", "flag", flags),
        _counter("Spacing from", "source", Counter(row["spacing_source"] for row in rows)),
        _counter("Stored as", "axes", Counter(row["orientation_as_stored"] or "–" for row in rows)),
        _counter("Obliquity", "off the closest axes", obliquity),
        PlainTable(title="Ranges", heads=("of", "least–greatest"), rows=tuple(ranges)),
    )


def _counter(title: str, head: str, counts: Mapping[str, int]) -> PlainTable:
    """Counts as a table, most first."""
    rows = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return PlainTable(title=title, heads=(head, "n"), rows=tuple(rows))


def _biometric_table(tables: Path) -> PlainTable:
    """Each measurement on each plane with its spread."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in read_biometrics(tables).to_pylist():
        key = (row["metric_kind"], row["metric_key"], row["name"], row["plane"], row["unit"])
        groups.setdefault(key, []).append(row["value"])
    rows: list[tuple[Cell, ...]] = [
        (*key, len(values), round(float(np.median(values)), 2), span(values))
        for key, values in sorted(groups.items())
    ]
    heads = ("kind", "key", "name", "plane", "unit", "n", "median", "least–greatest")
    return PlainTable(title="Landmark measurements", heads=heads, rows=tuple(rows))
