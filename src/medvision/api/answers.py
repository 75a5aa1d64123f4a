"""What runs answered to one question."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute as pc

from medvision.api.values import RunAnswer
from medvision.errors import UsageError
from medvision.samples import Sample


def answers_to(sample: Sample, runs: Sequence[Path]) -> tuple[RunAnswer, ...]:
    """The first answer of each run to a question, by the model's name.

    Raises:
        UsageError: A folder holds no evaluated run, or the run was not asked the question.
    """
    from medvision.models.run_folder import run_manifest
    from medvision.scoring.judged_scores import current_scores

    models = [str(run_manifest(run)["model"]) for run in runs]
    found = []
    for run, model in zip(runs, models, strict=True):
        rows = current_scores(run).filter(pc.field("sample_id") == sample.sample_id).to_pylist()
        if not rows:
            msg = f"{run}: was not asked {sample.sample_id}; show a sample of its own list"
            raise UsageError(msg)
        name = f"{model} ({run.name})" if models.count(model) > 1 else model
        values = tuple(rows[0]["values"] or ())
        found.append(RunAnswer(name=name, values=values, status=str(rows[0]["status"] or "error")))
    return tuple(found)
