"""All analyses of one or more runs."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medvision.analysis.run_scores import RunScores, models_before_baselines
from medvision.analysis.verdicts.bias import bias
from medvision.analysis.verdicts.clinical import clinical, read_decisions
from medvision.analysis.verdicts.collapse import collapse
from medvision.analysis.verdicts.comparison import comparison
from medvision.analysis.verdicts.generalisation import generalisation
from medvision.analysis.verdicts.instructions import instructions
from medvision.analysis.verdicts.margin import margin
from medvision.analysis.verdicts.metadata import metadata
from medvision.analysis.verdicts.repeats import repeats
from medvision.analysis.verdicts.size import size
from medvision.analysis.verdicts.spacing import spacing
from medvision.analysis.verdicts.steps import steps
from medvision.analysis.verdicts.verdict import Found, Verdict

Put = Callable[[Sequence[RunScores]], Iterable[Verdict]]
"""A question put to runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """One analysis.

    Attributes:
        put: Answers it.
        asks: The question.
        yes: How a sentence begins that says yes to it.
        needs: What an analysis that has nothing to say would have needed.
    """

    put: Put
    asks: str
    yes: str
    needs: str


ANALYSES: Mapping[str, Analysis] = MappingProxyType(
    {
        "margin": Analysis(
            put=margin,
            asks="Does it beat a constant?",
            yes="It does",
            needs="a model beside baseline/train-best",
        ),
        "size": Analysis(
            put=size,
            asks="Are small targets missed?",
            yes="They are",
            needs="the task detection",
        ),
        "generalisation": Analysis(
            put=generalisation,
            asks="Is it worse where it was not trained, or on some plane?",
            yes="It is",
            needs="questions on several planes",
        ),
        "instructions": Analysis(
            put=instructions,
            asks="Does it leave the form asked for?",
            yes="It does",
            needs="replies",
        ),
        "collapse": Analysis(
            put=collapse,
            asks="Does it say the same few numbers?",
            yes="It does",
            needs="a task of continuous numbers",
        ),
        "bias": Analysis(
            put=bias,
            asks="Are answers too large, too small, or drawn to the middle?",
            yes="They are",
            needs="a task other than detection",
        ),
        "spacing": Analysis(
            put=spacing,
            asks="Is the stated pixel size left unused?",
            yes="It is",
            needs="a run with --scale-spacing, of lengths or areas",
        ),
        "clinical": Analysis(
            put=clinical,
            asks="Would a clinical decision be another?",
            yes="Often",
            needs="questions that a clinical decision is about",
        ),
        "steps": Analysis(
            put=steps,
            asks="Do its reasoning steps go wrong?",
            yes="They do",
            needs="a run with --style cot, of T/L or A/D",
        ),
        "comparison": Analysis(
            put=comparison,
            asks="Which models can be told apart?",
            yes="Different",
            needs="two runs that were asked the same questions",
        ),
        "repeats": Analysis(
            put=repeats,
            asks="Does the median of repeats help?",
            yes="It does",
            needs="a run with --repeats of at least 2",
        ),
        "metadata": Analysis(
            put=metadata,
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
        "clinical": partial(clinical, decisions=read_decisions(cutoffs)),
    }
    verdicts: list[Verdict] = []
    for name, analysis in ANALYSES.items():
        found = list(own.get(name, analysis.put)(ordered))
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
    return {"analyses": [_without_nan(asdict(verdict)) for verdict in verdicts]}


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: null in its place."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and value != value else value
