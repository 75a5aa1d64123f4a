"""Which cases and slices are drawn: every label and plane, and what looks odd."""

from collections.abc import Iterable

import pyarrow as pa

from medvision.analysis.order import digest, turn_by_turn
from medvision.analysis.quality.tile import Row

MAX_CASES = 16
LARGE_SIDE_PX = 10
"""Where the fit itself is short, ratios of smaller shapes say nothing."""

CaseKey = tuple[str, str]
"""Cohort and case."""


def case_key(row: Row) -> CaseKey:
    """The case of a row."""
    return row["cohort"], row["case_id"]


def chosen_cases(structures: pa.Table) -> list[CaseKey]:
    """Cases that together show every label, as far as `MAX_CASES` reach; the others by digest."""
    rows = structures.select(["cohort", "case_id", "label"]).to_pylist()
    labels_of: dict[CaseKey, set[str]] = {}
    for row in rows:
        labels_of.setdefault(case_key(row), set()).add(row["label"])
    ordered = sorted(labels_of, key=lambda key: digest(*key))
    chosen: list[CaseKey] = []
    seen: set[str] = set()
    for key in ordered:
        if labels_of[key] - seen:
            chosen.append(key)
            seen |= labels_of[key]
    chosen += [key for key in ordered if key not in chosen]
    return chosen[:MAX_CASES]


def label_picks(regions: Iterable[Row]) -> list[Row]:
    """Largest components, labels taking turns, each time on another plane, then another kind.

    The kinds, by pixels among all slices of a label and plane: the middle one, the largest, and
    the one that is larger than a tenth of the others.
    """
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in regions:
        if row["component"] == 0:
            groups.setdefault(row["label"], {}).setdefault(row["plane"], []).append(row)
    queues = []
    for start, (_, of_plane) in enumerate(sorted(groups.items())):
        planes = sorted(of_plane)
        turned = [planes[(start + turn) % len(planes)] for turn in range(len(planes))]
        kinds = {}
        for plane, rows in of_plane.items():
            ordered = sorted(rows, key=lambda row: (row["pixel_count"], digest(*case_key(row))))
            kinds[plane] = ordered[len(rows) // 2], ordered[-1], ordered[len(rows) // 10]
        queues.append([kinds[plane][kind] for kind in range(3) for plane in turned])
    return unique(turn_by_turn(queues))


def odd_picks(regions: Iterable[Row]) -> list[Row]:
    """The largest component of each status but `ok`; the fits that agree least with their area."""
    by_status: dict[str, list[Row]] = {}
    for row in regions:
        by_status.setdefault(row["ellipse_status"], []).append(row)
    ok = by_status.pop("ok", [])
    by_status.pop("not_target", None)
    picked = []
    for _, found in sorted(by_status.items()):
        rows = sorted(found, key=lambda row: -row["pixel_count"])
        planes = sorted({row["plane"] for row in rows})
        picked += [next(row for row in rows if row["plane"] == plane) for plane in planes]
    large = [row for row in ok if min(box_sides_px(row)) >= LARGE_SIDE_PX]
    ranked = sorted(large or ok, key=lambda row: row["ellipse_area_ratio"])
    return [*picked, *unique([*ranked[:3], *ranked[-3:]])]


def box_sides_px(row: Row) -> tuple[int, int]:
    """Width and height of a component's box."""
    return row["x1_px"] - row["x0_px"], row["y1_px"] - row["y0_px"]


def unique(rows: Iterable[Row]) -> list[Row]:
    """Each component once, in the order of first mention."""
    places = ("plane", "slice_index", "label_id", "component")
    return list({(*case_key(row), *(row[name] for name in places)): row for row in rows}.values())
