"""How many lesions got axis lengths, by size, and why the others did not."""

import itertools
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medvision.annotate.ellipse import EllipseStatus
from medvision.table.unscaled import SPACING_UNKNOWN

SIZE_BINS_PX = (3, 5, 10, 20, 40, 80)
"""Lower edges from the second bin on; of the longer side of the box."""

SIZE_BINS_MM = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Lower edges from the second bin on; of the longest distance between pixel centres."""

ALONE, AMONG_OTHERS = "measured", "measured, not alone"
OUTCOMES = (
    ALONE,
    AMONG_OTHERS,
    *(status for status in EllipseStatus if status not in ("not_target", "ok")),
)
"""What became of a component of a target label, best first."""

MEANINGS = {
    ALONE: "an ellipse was fitted, and the label has one component on the slice: a T/L sample",
    AMONG_OTHERS: "an ellipse was fitted, but the label has several components on the slice, so "
    "a question about “the” lesion has no single answer",
    "too_thin": "a side of the box is under 3 px",
    "too_few_points": "the contour has under 5 points",
    "non_finite": "the fit failed",
    "collapsed": "the fitted minor axis is shorter than the smaller pixel side",
    "runaway": "the fitted major axis is longer than 1.5 × the box diagonal",
    "below_floor": "the fitted major axis is under 2 mm, or under twice the larger pixel side",
}

NAMES_PX = (
    "1–2 px",
    *(f"{low}–{high - 1} px" for low, high in itertools.pairwise(SIZE_BINS_PX)),
    f"{SIZE_BINS_PX[-1]} px and more",
)
NAMES_MM = (
    f"under {SIZE_BINS_MM[0]:g} mm",
    *(f"{low:g} to under {high:g} mm" for low, high in itertools.pairwise(SIZE_BINS_MM)),
    f"{SIZE_BINS_MM[-1]:g} mm and more",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """Components of one kind by outcome, in the order of `OUTCOMES`."""

    name: str
    counts: tuple[int, ...]

    @property
    def n(self) -> int:
        """All of them."""
        return sum(self.counts)

    @property
    def recall_frac(self) -> float | None:
        """Share with axis lengths, alone or not; None of no component."""
        return sum(self.counts[:2]) / self.n if self.n else None


@dataclass(slots=True)
class MeasuredCounts:
    """Sums over planes; `add` once for each."""

    by_px: Counter[tuple[int, int]] = field(default_factory=Counter)
    by_mm: Counter[tuple[int, int]] = field(default_factory=Counter)
    by_plane: Counter[tuple[str, int]] = field(default_factory=Counter)
    by_label: Counter[tuple[str, int]] = field(default_factory=Counter)
    ratios: dict[int, list[npt.NDArray[np.float64]]] = field(default_factory=dict)
    short_px: dict[int, list[npt.NDArray[np.float64]]] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """All components of target labels."""
        return sum(self.by_px.values())

    def add(self, regions: pa.Table, plane: str) -> None:
        """Count the regions of one plane."""
        unmeasured = pa.array(["not_target", SPACING_UNKNOWN])
        targets = regions.filter(pc.invert(pc.is_in(regions["ellipse_status"], unmeasured)))
        if not targets.num_rows:
            return
        alone = _column(targets, "n_components") == 1
        # `ok` is the second outcome, or the first where the component is alone on its slice.
        place_of = {status: place for place, status in enumerate(OUTCOMES)} | {"ok": 1}
        places = np.array([place_of[status] for status in targets["ellipse_status"].to_pylist()])
        outcomes = np.where((places == 1) & alone, 0, places)
        x0, y0, x1, y1 = (_column(targets, f"{edge}_px") for edge in ("x0", "y0", "x1", "y1"))
        places_px = np.digitize(np.maximum(x1 - x0, y1 - y0), SIZE_BINS_PX)
        feret_mm = _column(targets, "feret_max_mm")
        is_sized = np.isfinite(feret_mm)  # not where the size of a pixel is unknown
        places_mm = np.digitize(feret_mm[is_sized], SIZE_BINS_MM)
        self.by_px.update(zip(places_px.tolist(), outcomes.tolist(), strict=True))
        self.by_mm.update(zip(places_mm.tolist(), outcomes[is_sized].tolist(), strict=True))
        self.by_plane.update((plane, outcome) for outcome in outcomes.tolist())
        self.by_label.update(zip(targets["label"].to_pylist(), outcomes.tolist(), strict=True))
        # How well fitted ellipses agree with the pixels.
        ratio = _column(targets, "ellipse_area_ratio")
        larger_mm = np.maximum(_column(targets, "spacing_y_mm"), _column(targets, "spacing_x_mm"))
        major_mm, moment_mm = (_column(targets, f"{m}_major_mm") for m in ("ellipse", "moment"))
        short = (moment_mm - major_mm) / larger_mm
        for place in np.unique(places_px):
            chosen = (places_px == place) & (outcomes < 2)
            self.ratios.setdefault(int(place), []).append(ratio[chosen])
            self.short_px.setdefault(int(place), []).append(short[chosen])

    def tables(self) -> dict[str, tuple[OutcomeRow, ...]]:
        """Rows by size in px and mm, by plane and by label."""
        return {
            "by size in px": _binned(self.by_px, NAMES_PX),
            "by size in mm": _binned(self.by_mm, NAMES_MM),
            "by plane": _named(self.by_plane),
            "by label": _named(self.by_label),
        }

    def quality_rows(self) -> tuple[tuple[str | int, ...], ...]:
        """By size in px: n, area ratio and shortness of the fit, 5th, 50th, 95th percentile."""
        rows = []
        for place, name in enumerate(NAMES_PX):
            ratio = np.concatenate(self.ratios.get(place) or [np.empty(0)])
            short = np.concatenate(self.short_px.get(place) or [np.empty(0)])
            if len(ratio):
                rows.append((name, len(ratio), _percentiles(ratio), _percentiles(short)))
        return tuple(rows)


def _percentiles(values: npt.NDArray[np.float64]) -> str:
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"{low:.2f} · {middle:.2f} · {high:.2f}".replace("-", "−")


def _column(regions: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """A column as floats, null as NaN."""
    return np.asarray(regions[name].to_numpy(), dtype=np.float64)


def _binned(counts: Counter[tuple[int, int]], names: tuple[str, ...]) -> tuple[OutcomeRow, ...]:
    rows = [
        OutcomeRow(name=name, counts=tuple(counts[place, o] for o in range(len(OUTCOMES))))
        for place, name in enumerate(names)
    ]
    return tuple(row for row in rows if row.n)


def _named(counts: Counter[tuple[str, int]]) -> tuple[OutcomeRow, ...]:
    names = sorted({name for name, _ in counts})
    return tuple(
        OutcomeRow(name=name, counts=tuple(counts[name, o] for o in range(len(OUTCOMES))))
        for name in names
    )
