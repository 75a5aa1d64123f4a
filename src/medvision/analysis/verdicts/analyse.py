"""All analyses of one or more runs."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
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

Analysis = Callable[[Sequence[RunScores]], Iterable[Verdict]]

ANALYSES: Mapping[str, Analysis] = MappingProxyType(
    {
        "margin": margin,
        "size": size,
        "generalisation": generalisation,
        "instructions": instructions,
        "collapse": collapse,
        "bias": bias,
        "spacing": spacing,
        "clinical": clinical,
        "steps": steps,
        "comparison": comparison,
        "repeats": repeats,
        "metadata": metadata,
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
    own: dict[str, Analysis] = {
        "generalisation": partial(generalisation, seen=dict(seen or {})),
        "clinical": partial(clinical, decisions=read_decisions(cutoffs)),
    }
    verdicts: list[Verdict] = []
    for name, analysis in ANALYSES.items():
        found = list(own.get(name, analysis)(ordered))
        verdicts += found or [
            Verdict(
                name=name,
                model=", ".join(run.name for run in ordered),
                task="",
                verdict=Found.NOT_ENOUGH,
                words=f"Needs {NEEDS[name]}.",
            )
        ]
    return verdicts


NEEDS: Mapping[str, str] = MappingProxyType(
    {
        "margin": "a model beside baseline/train-best",
        "size": "the task detection",
        "generalisation": "questions on several planes",
        "instructions": "replies",
        "collapse": "a task of continuous numbers",
        "bias": "a task other than detection",
        "spacing": "a run with --scale-spacing, of lengths or areas",
        "clinical": "questions that a clinical decision is about",
        "steps": "a run with --style cot, of T/L or A/D",
        "comparison": "two runs that were asked the same questions",
        "repeats": "a run with --repeats of at least 2",
        "metadata": "further columns of the subjects (subjects.csv)",
    }
)
"""What an analysis that has nothing to say would have needed."""


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
