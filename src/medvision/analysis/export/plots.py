"""The report's interactive plots as charts: the same points and bars, for paper."""

import math
from collections.abc import Mapping
from typing import Any

from medvision.analysis.drawing.chart import (
    SERIES,
    XY,
    Axis,
    Chart,
    Layer,
    LegendEntry,
    Mark,
    PlanePanel,
    Row,
    RowsPanel,
    Tone,
)

Plot = Mapping[str, Any]


def truth_chart(plot: Plot) -> Chart:
    """Answers against truths of one task and unit, a plane for each model.

    All planes have one scale; what lies beyond 1.5 times the largest truth is held at the edge.

    Args:
        plot: Of `plots.truth_plots`.
    """
    truths = [value for _, _, truth in plot["samples"] for value in truth] or [1.0]
    is_relative = plot["unit"] == "relative"
    top = 1.0 if is_relative else 1.08 * max(truths)
    highest = 1.0 if is_relative else 1.5 * max(truths)
    unit = "" if is_relative else f" ({plot['unit_text']})"
    n_shown, n_held = len(plot["samples"]), 0
    panels = []
    for model in plot["models"]:
        points: list[list[XY]] = [[] for _ in plot["components"]]
        for place, component, answer in model["points"]:
            held = min(max(answer, 0.0), highest)
            n_held += held != answer
            points[component].append((plot["samples"][place][2][component], held))
        often = ", ".join(f"{value:.3g}" for value in model["often"])
        said = f"; most often {often} ({model['n_often']} times)" if model["n_often"] > 1 else ""
        panels.append(
            PlanePanel(
                title=model["name"],
                x=Axis(title=f"truth{unit}", low=0.0, high=top),
                y=Axis(title=f"answer{unit}", low=0.0, high=highest),
                layers=(
                    Layer(points=((0.0, 0.0), (top, top)), sign="dashes", tone=Tone.GREY),
                    *(
                        Layer(points=tuple(sorted(own)), sign="dot", tone=tone)
                        for own, tone in zip(points, SERIES, strict=False)
                    ),
                ),
                note=f"{model['n_parsed']} of {model['n']} replies read{said}.",
            )
        )
    named = [name for name in plot["components"] if name]
    held_words = f" {n_held} answers beyond an edge are drawn on it." if n_held else ""
    return Chart(
        title=f"Truth against answer: {plot['title']}",
        panels=tuple(panels),
        legend=(
            *(
                LegendEntry(text=name, sign="dot", tone=tone)
                for name, tone in zip(named, SERIES, strict=False)
            ),
            LegendEntry(text="answer = truth", sign="dashes", tone=Tone.GREY),
        ),
        caption=f"{n_shown} of {plot['n_samples']} samples, the same for all models.{held_words}",
    )


def size_chart(plot: Plot) -> Chart:
    """The mean IoU by target size, models beside each other in each bin.

    Args:
        plot: Of `plots.size_plot`.
    """
    rows: list[Row] = []
    for size in plot["bins"]:
        rows.append(Row(label=f"target {size} of the image", is_head=True))
        for at, model in enumerate(plot["models"]):
            own = next((one for one in model["bins"] if one["bin"] == size), None)
            if own is not None:
                tone = Tone.GREY if model["is_baseline"] else SERIES[at % len(SERIES)]
                rows.append(
                    Row(label=model["name"], marks=(_marks(own, tone),), note=f"{own['n']}")
                )
    return Chart(
        title="Detection by target size",
        panels=(
            RowsPanel(
                title="Mean IoU with its 95 % interval",
                axes=(Axis(title="mean IoU, zero-filled (0–1)", low=0.0, high=1.0),),
                rows=tuple(rows),
                references=(None,),
                note_title="n",
            ),
        ),
        caption="Target size: area of the true box / area of the image. n: samples. Intervals are "
        "drawn by subject; baselines are grey.",
    )


def _marks(own: Plot, tone: Tone) -> tuple[Mark, ...]:
    if own["value"] is None:
        return ()
    ends = (own["low"], own["high"])
    known = all(end is not None and math.isfinite(end) for end in ends)
    return (Mark(value=own["value"], interval=ends if known else None, tone=tone),)
