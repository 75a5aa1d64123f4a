"""Charts of answers themselves: curves, histograms, differences, classes."""

import math
from collections.abc import Sequence
from typing import Any

from medvision.analysis.drawing.chart import (
    SERIES,
    Axis,
    CellsPanel,
    Chart,
    Layer,
    LegendEntry,
    PlanePanel,
    Rule,
    Sign,
    Tone,
)
from medvision.analysis.units import UNIT_TEXT
from medvision.analysis.verdicts.figures.measured import (
    MOST_PANELS,
    by_task,
    counts,
    side_by_side,
    task_title,
)
from medvision.analysis.verdicts.verdict import Verdict

_SERIES_SIGNS: tuple[Sign, ...] = ("dot", "square", "diamond", "ring", "cross", "dot")


def size_chart(verdicts: Sequence[Verdict]) -> Chart:
    """Mean IoU along the size of the target: in % in even steps and on a log scale, and in mm."""
    told = [one for one in verdicts if one.task][: len(SERIES)]
    of_picture = "target size (% of the picture)"
    curves = {
        "by_frac": ("steps of 5 %", Axis(title=of_picture, low=0)),
        "by_log_frac": ("log scale", Axis(title=of_picture, is_log=True)),
        "by_side_mm": ("in mm", Axis(title="side of the target's square (mm)", is_log=True)),
    }
    panels = []
    for key, (words, axis) in curves.items():
        crossings = _crossings(told, key)
        curve_of = [_curve(one, key, place, axis) for place, one in enumerate(told)]
        panels.append(
            PlanePanel(
                title=words,
                x=axis,
                y=Axis(title="mean IoU, unread as 0 (0–1)", low=0, high=1),
                layers=(*curve_of, *(interval for _, interval in crossings)),
                rules=(
                    Rule(axis="y", value=0.5, is_dashed=False),
                    *(rule for rule, _ in crossings),
                ),
            )
        )
    return Chart(
        title="Are small targets found?",
        panels=tuple(panels) if told else (),
        legend=tuple(
            LegendEntry(text=one.model, sign=_SERIES_SIGNS[place], tone=SERIES[place])
            for place, one in enumerate(told)
        ),
        caption=" ".join(filter(None, map(_crossing_words, told)))
        + " Upright dashed lines: where the mean IoU crosses 0.5; the interval is drawn at the "
        "foot. " + counts(verdicts, len(told)),
    )


def _printed_scale(key: str) -> float:
    """Printed number / stored number of a curve's sizes."""
    return 1.0 if key == "by_side_mm" else 100.0


def _curve(one: Verdict, key: str, place: int, axis: Axis) -> Layer:
    bins = [row for row in one.details[key] if row["iou_mean_zero_filled"] is not None]
    scale = _printed_scale(key)
    middles = [
        math.sqrt(max(row["from"], 1e-6) * row["to"])
        if axis.is_log
        else (row["from"] + row["to"]) / 2
        for row in bins
    ]
    return Layer(
        points=tuple(
            (scale * middle, row["iou_mean_zero_filled"])
            for middle, row in zip(middles, bins, strict=True)
        ),
        intervals=tuple(row["interval"] for row in bins),
        sign=_SERIES_SIGNS[place],
        tone=SERIES[place],
        is_joined=True,
    )


def _crossings(told: Sequence[Verdict], key: str) -> list[tuple[Rule, Layer]]:
    """Where each model crosses 0.5, and the interval of that near the foot."""
    scale = _printed_scale(key)
    name = "crosses_0.5_at_mm" if key == "by_side_mm" else "crosses_0.5_at_frac"
    found_of = []
    for place, one in enumerate(told):
        if found := one.details.get(name):
            low, high = found["interval"] or (found["value"], found["value"])
            tone, y = SERIES[place], 0.03 + 0.04 * place
            ends = ((scale * low, y), (scale * high, y))
            rule = Rule(axis="x", value=scale * found["value"], tone=tone)
            found_of.append((rule, Layer(points=ends, sign="line", tone=tone)))
    return found_of


def _crossing_words(one: Verdict) -> str:
    frac, side = (one.details.get(f"crosses_0.5_at_{name}") for name in ("frac", "mm"))
    if not frac or not frac["interval"]:
        return ""
    low, high = frac["interval"]
    words = (
        f"{one.model} is under 0.5 below {100 * frac['value']:.1f} % of the picture "
        f"({100 * low:.1f} to {100 * high:.1f})"
    )
    return words + (f", {side['value']:.0f} mm." if side else ".")


def _title(one: Verdict, value_name: str = "") -> str:
    return " · ".join(filter(None, (one.model, task_title(one.task), value_name)))


def _signed(value: float) -> str:
    """With its sign, without an exponent.

    Example:
        >>> _signed(1264.0), _signed(-0.0312)
        ('+1264', '-0.0312')
    """
    return f"{value:+.0f}" if abs(value) >= 1000 else f"{value:+.3g}"


def _number(value: float) -> str:
    """To two decimals, without the sign of a 0."""
    return f"{round(value, 2) + 0.0:.2f}"


def collapse_chart(verdicts: Sequence[Verdict]) -> Chart:
    """Histograms of answers over those of the truths."""
    told = side_by_side([one for one in verdicts if one.details.get("histogram")])
    return Chart(
        title="Does it say the same few numbers?",
        panels=tuple(_histogram(one, one.details["histogram"]) for one in told),
        legend=(
            LegendEntry(text="truths", sign="bar", tone=Tone.GREY),
            LegendEntry(text="answers", sign="line", tone=Tone.ORANGE),
        ),
        caption="What lies beyond the axis is counted in its last bars. "
        + counts(verdicts, len(told)),
    )


def _histogram(one: Verdict, histogram: dict[str, Any]) -> PlanePanel:
    edges, unit = histogram["edges"], UNIT_TEXT.get(histogram["unit"], histogram["unit"])
    shares = {
        name: [100 * count / max(1, sum(histogram[name])) for count in histogram[name]]
        for name in ("truths", "answers")
    }
    steps = [(edges[0], 0.0)]
    for at, share in enumerate(shares["answers"]):
        steps += [(edges[at], share), (edges[at + 1], share)]
    truths = tuple(zip(edges, [*shares["truths"], 0.0], strict=True))
    return PlanePanel(
        title=_title(one, one.group),
        x=Axis(title=f"answer, truth ({unit})", low=edges[0], high=edges[-1]),
        y=Axis(title="share (%)", low=0),
        layers=(
            Layer(points=truths, sign="bar", tone=Tone.GREY),
            Layer(points=(*steps, (edges[-1], 0.0)), sign="line", tone=Tone.ORANGE),
        ),
        note=f"{one.words} n = {one.n} ({one.n_subjects} subjects)"
        + (f", {one.details['decoding']}." if one.details.get("decoding") else "."),
    )


def bias_chart(verdicts: Sequence[Verdict]) -> Chart:
    """Bland and Altman's plot of each value: difference against mean, with limits of agreement."""
    slopes: dict[tuple[str, str, str], Verdict] = {
        (one.model, one.task, one.group.removesuffix("slope")): one
        for one in verdicts
        if one.group.endswith("slope")
    }
    panels = []
    for one in side_by_side([one for one in verdicts if one.drawn]):
        value_name = one.group.removesuffix("signed error")
        unit = UNIT_TEXT.get(one.details["unit"], one.details["unit"])
        panels.append(
            PlanePanel(
                title=_title(one, value_name.strip()),
                x=Axis(title=f"mean of answer and truth ({unit})"),
                y=Axis(title=f"answer − truth ({unit})"),
                layers=(Layer(points=one.drawn, tone=Tone.BLUE),),
                rules=_limits(one),
                note=_bias_words(one, slopes.get((one.model, one.task, value_name))),
            )
        )
    return Chart(
        title="Are answers too large, too small, or drawn to the middle?",
        panels=tuple(panels),
        legend=(
            LegendEntry(text="one answer", sign="dot", tone=Tone.BLUE),
            LegendEntry(text="no error", sign="line", tone=Tone.TEXT),
            LegendEntry(text="mean error", sign="dashes", tone=Tone.ORANGE),
            LegendEntry(
                text="95 % limits of agreement, by subject", sign="dashes", tone=Tone.GREEN
            ),
        ),
        caption="At most 400 answers of each are drawn, evenly chosen. Answers drawn to the middle "
        "fall from left to right. "
        + counts([one for one in verdicts if one.group.endswith("error")], len(panels)),
    )


def _limits(one: Verdict) -> tuple[Rule, ...]:
    centre, limits = one.details.get("mean_error"), one.details.get("limits_of_agreement") or {}
    rules = [Rule(axis="y", value=0.0, tone=Tone.TEXT, is_dashed=False)]
    if centre is not None:
        rules.append(Rule(axis="y", value=centre, tone=Tone.ORANGE, words=_signed(centre)))
    ends = [limits[end] for end in ("low", "high") if end in limits]
    rules += [Rule(axis="y", value=end, tone=Tone.GREEN, words=_signed(end)) for end in ends]
    return tuple(rules)


def _bias_words(one: Verdict, slope: Verdict | None) -> str:
    words = f"{one.words} n = {one.n} ({one.n_subjects} subjects)."
    if slope is None or slope.value is None or slope.interval is None:
        return words
    low, high = map(_number, slope.interval)
    return f"{words} Slope {_number(slope.value)} ({low} to {high})."


def spacing_chart(verdicts: Sequence[Verdict]) -> Chart:
    """Ratio of answers against the factor of the pixel size, between used and ignored."""
    panels: list[PlanePanel] = []
    for _, own in by_task(verdicts):
        for one in own[: MOST_PANELS - len(panels)]:
            rows = [row for row in one.details.get("by_scale", ()) if row["median_ratio"]]
            if rows and one.value is not None:
                panels.append(_ratios(one, rows))
    return Chart(
        title="Is the stated pixel size used?",
        panels=tuple(panels),
        legend=(
            LegendEntry(text="median of the answers", sign="dot", tone=Tone.BLUE),
            LegendEntry(text="slope with interval", sign="band", tone=Tone.BLUE),
            LegendEntry(text="used: slope 1", sign="dashes", tone=Tone.GREEN),
            LegendEntry(text="ignored: slope 0", sign="dashes", tone=Tone.ORANGE),
        ),
        caption="Both axes are logarithmic; areas by their square root. " + counts(verdicts),
    )


def _ratios(one: Verdict, rows: Sequence[dict[str, Any]]) -> PlanePanel:
    # A length to the power that the task's unit has: areas are told by their square root.
    powers = [row["expected_ratio"] for row in rows]
    lengths = [
        row["median_ratio"] if abs(expected - row["scale"]) < 1e-9 else row["median_ratio"] ** 0.5
        for row, expected in zip(rows, powers, strict=True)
    ]
    points = sorted(
        [(1.0, 1.0), *((row["scale"], y) for row, y in zip(rows, lengths, strict=True))]
    )
    ends = min(p[0] for p in points) / 1.1, max(p[0] for p in points) * 1.1
    low, high = one.interval or (one.value or 0.0, one.value or 0.0)
    wedge = (
        (ends[0], ends[0] ** low), (1.0, 1.0), (ends[1], ends[1] ** low),
        (ends[1], ends[1] ** high), (1.0, 1.0), (ends[0], ends[0] ** high),
    )  # fmt: skip
    return PlanePanel(
        title=_title(one),
        x=Axis(title="factor of the stated pixel size", is_log=True),
        y=Axis(title="factor of the answers", is_log=True),
        layers=(
            Layer(points=tuple((end, end) for end in ends), sign="dashes", tone=Tone.GREEN),
            Layer(points=tuple((end, 1.0) for end in ends), sign="dashes", tone=Tone.ORANGE),
            Layer(points=wedge, sign="band", tone=Tone.BLUE),
            Layer(points=tuple(points), tone=Tone.BLUE, is_joined=True),
        ),
        note=f"Slope {_number(one.value or 0.0)} ({_number(low)} to {_number(high)}), n = {one.n} "
        f"({one.n_subjects} subjects).",
    )


def clinical_chart(verdicts: Sequence[Verdict]) -> Chart:
    """True class against answered class of each decision."""
    told = [one for one in verdicts if one.details.get("classes")][:MOST_PANELS]
    panels = []
    for one in told:
        details = one.details
        kappa = details["weighted_kappa"]
        flips = "" if one.value is None else f"{one.value:.0%} differ"
        if one.interval:
            flips += f" ({one.interval[0]:.0%} to {one.interval[1]:.0%})"
        panels.append(
            CellsPanel(
                title=f"{one.model} · {one.group}",
                classes=tuple(details["classes"]),
                counts=tuple(tuple(row) for row in details["confusion"]),
                note=flips
                + ("" if kappa is None else f", weighted kappa {kappa:.2f}")
                + f", n = {one.n} ({one.n_subjects} subjects). {details['source']}.",
            )
        )
    return Chart(
        title="Would a clinical decision be another?",
        panels=tuple(panels),
        legend=(
            LegendEntry(text="the same class", sign="bar", tone=Tone.BLUE),
            LegendEntry(text="another class", sign="bar", tone=Tone.ORANGE),
        ),
        caption="Counts; the fuller the colour, the larger the share of the true class. Research "
        "only. " + counts(verdicts, len(told)),
    )
