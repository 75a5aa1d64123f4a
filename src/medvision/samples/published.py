"""A built dataset beside the counts that the original publishes, and which filter tells them apart.

Each row of the tables is tried against every filter: those that we apply and those that the
original applies or applied (`docs/catalogue.md` says which). So the count under any choice of them
is known, and a published number that one of these choices gives is explained by it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.catalog.dataset import Dataset
from medvision.frames import Plane
from medvision.protocols import MEDVISION
from medvision.samples.case_images import BoolArray, CaseImages, IntArray, read_case_images
from medvision.samples.kinds import AXIS_END_COLUMNS, BOX_COLUMNS, table_numbers
from medvision.table.read import read_biometrics, read_cases, read_regions, tables_manifest
from medvision.table.unscaled import SPACING_UNKNOWN

MOST_CHANGES = 3
"""So many filters at once may explain a difference; more would explain anything."""

OLD_CLUSTER_PX = 200
"""Version 1.0.0 sized tumours of at least so many pixels."""

GATE = (0.9, 1.1)
"""Version 1.0.0 wanted the ends of both axes between the box scaled by these, about its centre."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a row may fail.

    Attributes:
        name: In words.
        ours: Whether we leave out what fails.
        fails: (n,) of each row.
    """

    name: str
    ours: bool
    fails: BoolArray


class Tally:
    """Rows counted by the filters that they fail: the count under any choice of filters."""

    def __init__(self) -> None:
        self.names: dict[str, bool] = {}
        self._counts: Counter[int] = Counter()

    def add(self, filters: Iterable[Filter], weights: IntArray) -> None:
        """Count rows, each as often as its weight says."""
        codes = np.zeros(len(weights), dtype=np.int64)
        for one in filters:
            self.names.setdefault(one.name, one.ours)
            codes |= one.fails.astype(np.int64) << list(self.names).index(one.name)
        different, which = np.unique(codes, return_inverse=True)
        counts = np.bincount(which, weights=weights, minlength=len(different))
        self._counts.update(dict(zip(different.tolist(), map(int, counts), strict=True)))

    @property
    def ours(self) -> frozenset[str]:
        """The filters that we apply."""
        return frozenset(name for name, is_ours in self.names.items() if is_ours)

    def count(self, applied: Iterable[str]) -> int:
        """Rows that pass all of these filters."""
        bits = sum(1 << list(self.names).index(name) for name in applied)
        return sum(n for code, n in self._counts.items() if not code & bits)

    def removed(self) -> dict[str, int]:
        """Rows that our filters remove, one after the other, each counted once."""
        counts: dict[str, int] = {}
        applied: list[str] = []
        for name in self.names:
            if name in self.ours:
                before = self.count(applied)
                applied.append(name)
                counts[name] = before - self.count(applied)
        return counts

    def would_remove(self) -> dict[str, int]:
        """Of the rows that are left, those that each of the other filters would remove alone."""
        others = (name for name in self.names if name not in self.ours)
        return {n: self.count(self.ours) - self.count({*self.ours, n}) for n in others}

    def explanation(self, published: int) -> tuple[str, ...] | None:
        """The fewest changes of filters that give a published number; None where none does.

        Filters that remove nothing of what is there explain nothing and are not named.
        """
        if self.count(self.ours) == published:
            return ()
        for n_changes in range(1, MOST_CHANGES + 1):
            for changed in combinations(self.names, n_changes):
                if self.count(self.ours ^ set(changed)) == published:
                    return tuple(
                        f"without: {name}" if name in self.ours else f"with: {name}"
                        for name in changed
                    )
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountDiff:
    """One count.

    Attributes:
        published: By the original.
        built: Of our tables, with our filters.
        removed: Rows that our filters leave out, one after the other.
        would_remove: Rows that filters of the original, or a part of the planes or subjects, would
            leave out of ours.
        explained_by: Filters that give the published count; None where none of them does.
    """

    published: int
    built: int
    removed: Mapping[str, int] = field(default_factory=dict)
    would_remove: Mapping[str, int] = field(default_factory=dict)
    explained_by: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedDiff:
    """A built dataset beside its published counts.

    Attributes:
        source: Where they stand.
        counts: What is counted to how it differs; what nobody publishes is not among them.
        cases: Cases built and not built, by reason.
        excluded: Cases that the declaration leaves out, each with its reason.
        planes_left_out: Planes that are not measured here, by cohort.
    """

    source: str
    counts: Mapping[str, CountDiff]
    cases: Mapping[str, int]
    excluded: Mapping[str, str]
    planes_left_out: Mapping[str, tuple[str, ...]]

    @property
    def equal(self) -> bool:
        """Whether all counts are as published."""
        return all(one.built == one.published for one in self.counts.values())


def published_diff(tables: Path, dataset: Dataset) -> PublishedDiff | None:
    """Compare tables with the published counts of their dataset; None where there are none.

    Args:
        tables: Table folder.
        dataset: The declaration that has the counts.

    Raises:
        UsageError: The folder holds no complete tables.
    """
    published = dataset.published
    if published is None:
        return None
    images = read_case_images(tables)
    tallies = _tallies(tables, images)
    counts = {}
    for name, tally in tallies.items():
        number = getattr(published, name)
        if number is not None:
            counts[name] = CountDiff(
                published=number,
                built=tally.count(tally.ours),
                removed=tally.removed(),
                would_remove=tally.would_remove(),
                explained_by=tally.explanation(number),
            )
    told = tables_manifest(tables)["counts"]
    return PublishedDiff(
        source=published.source,
        counts=counts,
        cases={"listed": told["cases_in"], "built": told["cases_out"], **told["dropped"]},
        excluded={
            case_id: reason
            for cohort in dataset.cohorts
            for case_id, reason in cohort.excluded.items()
        },
        planes_left_out={
            cohort.name: tuple(
                str(plane)
                for plane in Plane
                if plane is not Plane.NATIVE and plane not in cohort.planes
            )
            for cohort in dataset.cohorts
            if cohort.planes
        },
    )


def _tallies(tables: Path, images: CaseImages) -> dict[str, Tally]:
    """A tally of each field of `PublishedCounts`; plane by plane, so that memory is bounded."""
    names = ("images", "masks", "slices", "slice_label_pairs", "single_instance_samples")
    found = {name: Tally() for name in (*names, "measurements", "tl_single", "tl_multi")}
    cases = read_cases(tables)
    found["images"].add(_parts(cases), images.count)
    has_mask = np.asarray(pc.is_valid(cases["mask_uri"])).astype(np.int64)
    found["masks"].add(_parts(cases), has_mask)
    columns = (
        *("cohort", "case_id", "split", "plane", "slice_index", "label_id", "component"),
        *("n_components", "pixel_count", "spacing_y_mm", "spacing_x_mm"),
        *("ellipse_status", "ellipse_major_mm", *BOX_COLUMNS, *AXIS_END_COLUMNS),
    )
    for plane in Plane:
        where = pc.field("plane") == str(plane)
        rows = read_regions(tables, where, columns=columns)
        if rows.num_rows:
            _add_regions(found, rows, images)
        measured = read_biometrics(tables, where)
        kinds = [
            Filter(name=f"{kind}s only", ours=False, fails=~_is(measured, "metric_kind", kind))
            for kind in ("distance", "angle")
        ]
        found["measurements"].add([*_parts(measured), *kinds], _ones(measured))
    return found


def _add_regions(found: Mapping[str, Tally], rows: pa.Table, images: CaseImages) -> None:
    """Count the rows of one plane."""
    targets = rows.filter(pc.not_equal(rows["ellipse_status"], "not_target"))
    rows = rows.filter(pc.equal(rows["component"], 0))
    numbers = images.case_numbers(rows)
    places, _ = images.detected_images(numbers, rows)
    n_images = np.bincount(places, minlength=rows.num_rows)
    several = Filter(name="single instance", ours=True, fails=~_is(rows, "n_components", 1))
    single = [several, _small_box(rows, ours=True), *_parts(rows)]
    _add_by_image(found["slice_label_pairs"], _parts(rows), n_images)
    _add_by_image(found["single_instance_samples"], single, n_images)
    # A slice counts once, whatever number of labels is on it.
    keys = rows.select(["cohort", "case_id", "slice_index"])
    keyed = keys.append_column("row", pa.array(np.arange(rows.num_rows)))
    first = keyed.group_by(keys.column_names).aggregate([("row", "min")])["row_min"]
    _add_by_image(found["slices"], _parts(rows.take(first)), n_images[np.asarray(first)])
    numbers = images.case_numbers(targets)
    with_image, _ = images.one_image(numbers, targets)
    targets, numbers = targets.take(pa.array(with_image)), numbers[with_image]
    sized = [*_ellipse_filters(targets, images, numbers), *_parts(targets)]
    is_alone = _is(targets, "n_components", 1)
    alone = Filter(name="single instance", ours=True, fails=~is_alone)
    found["tl_single"].add([alone, *sized], _ones(targets))
    parts = Filter(name="several instances only", ours=False, fails=is_alone)
    found["tl_multi"].add([parts, *sized], _ones(targets))


def _add_by_image(tally: Tally, filters: list[Filter], n_images: IntArray) -> None:
    """Count rows once for each image, telling the first image of a case from the others."""
    for is_first, weights in ((True, np.minimum(n_images, 1)), (False, n_images - 1)):
        fails = np.full(len(n_images), not is_first)
        first = Filter(name="one image of a case", ours=False, fails=fails)
        tally.add([*filters, first], np.maximum(weights, 0))


def _parts(rows: pa.Table) -> list[Filter]:
    """A part of the subjects, or of the planes where rows have any."""
    filters = [
        Filter(name=f"{split} split only", ours=False, fails=~_is(rows, "split", split))
        for split in ("train", "test")
    ]
    if "plane" in rows.column_names:
        filters += [
            Filter(name=f"{plane} only", ours=False, fails=~_is(rows, "plane", str(plane)))
            for plane in Plane
            if plane is not Plane.NATIVE
        ]
    return filters


def _ellipse_filters(rows: pa.Table, images: CaseImages, numbers: IntArray) -> list[Filter]:
    """What an ellipse may fail: ours, then those of version 1.0.0 and of detection."""
    limits = MEDVISION.filters
    coarser_mm = np.nanmax(table_numbers(rows, ("spacing_y_mm", "spacing_x_mm")), axis=1, initial=0)
    floor_mm = np.maximum(coarser_mm * limits.tl_floor_px, limits.tl_floor_mm)
    (major_mm,) = table_numbers(rows, ("ellipse_major_mm",)).T
    statuses = ("too_thin", "too_few_points", "non_finite", "collapsed", "runaway")
    ours = {f"ellipse {one}": _is(rows, "ellipse_status", one) for one in statuses}
    ours["T/L floor"] = _is(rows, "ellipse_status", "below_floor") | (major_mm < floor_mm)
    ours["known pixel size"] = _is(rows, "ellipse_status", SPACING_UNKNOWN)
    ours["no placeholder of a pixel size"] = images.is_suspect[numbers]
    (pixels,) = table_numbers(rows, ("pixel_count",)).T
    theirs = {
        "end-point gate (1.0.0)": _outside_gate(rows),
        f"{OLD_CLUSTER_PX} px or more (1.0.0)": pixels < OLD_CLUSTER_PX,
    }
    return [
        *(Filter(name=name, ours=True, fails=fails) for name, fails in ours.items()),
        *(Filter(name=name, ours=False, fails=fails) for name, fails in theirs.items()),
        _small_box(rows, ours=False),
    ]


def _small_box(rows: pa.Table, *, ours: bool) -> Filter:
    x0, y0, x1, y1 = table_numbers(rows, BOX_COLUMNS).T
    side_px = MEDVISION.filters.min_box_side_px
    is_large = np.minimum(x1 - x0, y1 - y0) >= side_px  # imported rows may lack the box
    return Filter(name=f"box sides of {side_px} px", ours=ours, fails=~is_large)


def _outside_gate(rows: pa.Table) -> BoolArray:
    """Whether an end of an axis lies inside the smaller box, or outside the larger one."""
    x0, y0, x1, y1 = table_numbers(rows, BOX_COLUMNS).T
    # From the centre of the first pixel to that of the last one, as the ends are.
    half = np.stack([x1 - x0 - 1, y1 - y0 - 1], axis=-1)[:, None] / 2
    centre = np.stack([x0 + x1 - 1, y0 + y1 - 1], axis=-1)[:, None] / 2
    ends = table_numbers(rows, AXIS_END_COLUMNS).reshape(-1, 4, 2)
    offset = np.abs(ends - centre)
    inner, outer = (half * scale for scale in GATE)
    fails = np.all(offset < inner, axis=2) | np.any(offset > outer, axis=2)
    return np.asarray(np.any(fails, axis=1))


def _is(rows: pa.Table, column: str, value: Any) -> BoolArray:
    """(n,) whether a column has a value."""
    return np.asarray(pc.fill_null(pc.equal(rows[column], value), fill_value=False))


def _ones(rows: pa.Table) -> IntArray:
    return np.ones(rows.num_rows, dtype=np.int64)
