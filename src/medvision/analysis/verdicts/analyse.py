"""All analyses of one or more runs."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medvision.analysis.drawing.chart import Chart
from medvision.analysis.run_scores import RunScores, models_before_baselines
from medvision.analysis.verdicts.bias import bias
from medvision.analysis.verdicts.clinical import clinical, read_decisions
from medvision.analysis.verdicts.collapse import collapse
from medvision.analysis.verdicts.comparison import comparison
from medvision.analysis.verdicts.figures import planes
from medvision.analysis.verdicts.figures import rows as of_rows
from medvision.analysis.verdicts.generalisation import generalisation
from medvision.analysis.verdicts.instructions import instructions
from medvision.analysis.verdicts.margin import margin
from medvision.analysis.verdicts.metadata import metadata
from medvision.analysis.verdicts.repeats import repeats
from medvision.analysis.verdicts.rows import RunRows, run_rows
from medvision.analysis.verdicts.size import size
from medvision.analysis.verdicts.spacing import spacing
from medvision.analysis.verdicts.steps import steps
from medvision.analysis.verdicts.verdict import Found, Verdict

Put = Callable[[Sequence[RunRows]], Iterable[Verdict]]
"""A question put to runs."""

Draw = Callable[[Sequence[Verdict]], Chart]
"""A chart of one analysis' verdicts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """One analysis.

    Attributes:
        put: Answers it.
        asks: The question.
        yes: How a sentence begins that says yes to it.
        draw: Its figure.
        needs: What an analysis that has nothing to say would have needed.
    """

    put: Put
    asks: str
    yes: str
    draw: Draw
    needs: str


ANALYSES: Mapping[str, Analysis] = MappingProxyType(
    {
        "margin": Analysis(
            put=margin,
            draw=of_rows.margin_chart,
            asks="Does it beat a constant?",
            yes="It does",
            needs="a model beside baseline/train-best",
        ),
        "size": Analysis(
            put=size,
            draw=planes.size_chart,
            asks="Are small targets missed?",
            yes="They are",
            needs="the task detection",
        ),
        "generalisation": Analysis(
            put=generalisation,
            draw=of_rows.generalisation_chart,
            asks="Is it worse where it was not trained, or on some plane?",
            yes="It is",
            needs="questions on several planes",
        ),
        "instructions": Analysis(
            put=instructions,
            draw=of_rows.instructions_chart,
            asks="Does it leave the form asked for?",
            yes="It does",
            needs="replies",
        ),
        "collapse": Analysis(
            put=collapse,
            draw=planes.collapse_chart,
            asks="Does it say the same few numbers?",
            yes="It does",
            needs="a task of continuous numbers",
        ),
        "bias": Analysis(
            put=bias,
            draw=planes.bias_chart,
            asks="Are answers too large, too small, or drawn to the middle?",
            yes="They are",
            needs="a task other than detection",
        ),
        "spacing": Analysis(
            put=spacing,
            draw=planes.spacing_chart,
            asks="Is the stated pixel size left unused?",
            yes="It is",
            needs="a run with --scale-spacing, of lengths or areas",
        ),
        "clinical": Analysis(
            put=clinical,
            draw=planes.clinical_chart,
            asks="Would a clinical decision be another?",
            yes="Often",
            needs="questions that a clinical decision is about",
        ),
        "steps": Analysis(
            put=steps,
            draw=of_rows.steps_chart,
            asks="Do its reasoning steps go wrong?",
            yes="They do",
            needs="a run with --style cot, of T/L or A/D",
        ),
        "comparison": Analysis(
            put=comparison,
            draw=of_rows.comparison_chart,
            asks="Which models can be told apart?",
            yes="Different",
            needs="two runs that were asked the same questions",
        ),
        "repeats": Analysis(
            put=repeats,
            draw=of_rows.repeats_chart,
            asks="Does the median of repeats help?",
            yes="It does",
            needs="a run with --repeats of at least 2",
        ),
        "metadata": Analysis(
            put=metadata,
            draw=of_rows.metadata_chart,
            asks="Is it worse for some subjects?",
            yes="It is",
            needs="further columns of the subjects (subjects.csv)",
        ),
    }
)
"""In the order in which reports tell them."""


def analyse(
    runs: Sequence[RunScores],
    *,
    seen: Mapping[str, Collection[str]] | None = None,
    cutoffs: Path | None = None,
) -> list[Verdict]:
    """Put every analysis to scored runs.

    Args:
        runs: Models and baselines; a run of `baseline/train-best` among them is what the others
            have to beat.
        seen: Planes and labels that the models were trained on, by column ("plane", "label").
        cutoffs: A file of clinical decisions, instead of the package's.

    Returns:
        The verdicts, analysis by analysis.
    """
    ordered = models_before_baselines(runs)
    own: dict[str, Put] = {
        "generalisation": partial(generalisation, seen=dict(seen or {})),
        "clinical": partial(clinical, decisions=read_decisions(cutoffs) if cutoffs else None),
    }
    rows = list(map(run_rows, ordered))
    verdicts: list[Verdict] = []
    for name, analysis in ANALYSES.items():
        found = list(own.get(name, analysis.put)(rows))
        verdicts += found or [
            Verdict(
                name=name,
                model=", ".join(run.name for run in ordered),
                task="",
                verdict=Found.NOT_ENOUGH,
                words=f"Needs {analysis.needs}.",
            )
        ]
    return verdicts


def verdicts_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The verdicts as JSON types: {"analyses": [{"name", "model", "task", "group", ...}]}."""
    rows = [asdict(verdict) for verdict in verdicts]
    for row in rows:
        del row["drawn"]
    return {"analyses": _finite(rows)}


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null in their place."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
