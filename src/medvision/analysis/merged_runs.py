"""One row a model: runs of one model that asked different tasks, as one run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from medvision.analysis.run_scores import RunNamesError, RunScores

Parts = Sequence[RunScores]


def merged_runs(runs: Parts, given: Mapping[Path, str]) -> list[RunScores]:
    """Runs with one name each; those of one name whose tasks differ are one.

    Args:
        runs: Read from folders. Those without a name given are called by their model.
        given: Names by folder, as users gave them.

    Returns:
        One run for each name, in the order in which names first occur. Runs of one model that
        share a task stay apart, with their folders in their names.

    Raises:
        RunNamesError: Runs that were given one name share a task, or are of different models,
            protocols, styles or readings.
    """
    of_name: dict[str, list[RunScores]] = {}
    for run in runs:
        of_name.setdefault(run.name, []).append(run)
    found: list[RunScores] = []
    for name, parts in of_name.items():
        reason = _conflict(parts)
        if not reason:
            found.append(_merged(parts) if len(parts) > 1 else parts[0])
        elif any(folder in given for part in parts for folder in part.folders.values()):
            folders = ", ".join(str(_folder(part)) for part in parts)
            msg = (
                f"--name: {folders} are all called {name!r}, and {reason}: runs of one name are "
                "shown as one row; give each a name of its own"
            )
            raise RunNamesError(msg)
        else:
            found += told_apart(parts)
    return found


def told_apart(runs: Parts) -> list[RunScores]:
    """The same runs, with their folders in the names that several have."""
    names = [run.name for run in runs]
    return [
        replace(run, name=f"{run.name} ({_folder(run).name})") if names.count(run.name) > 1 else run
        for run in runs
    ]


def _folder(run: RunScores) -> Path:
    # A run without a question has no task that would lie anywhere.
    return next(iter(run.folders.values()), Path("no questions"))


def _conflict(parts: Parts) -> str:
    """Why runs are not one; "" where they can be."""
    tasks = [task for part in parts for task in part.folders]
    if repeated := sorted({task for task in tasks if tasks.count(task) > 1}):
        return f"more than one of them holds {', '.join(repeated)}"
    for what, alike in (
        ("models", [part.model for part in parts]),
        ("protocols", [part.protocol for part in parts]),
        ("styles", [part.manifest.get("style") for part in parts]),
        ("readings", [part.strict_scores is None for part in parts]),
    ):
        if any(one != alike[0] for one in alike):
            return f"they are of different {what}"
    return ""


def _merged(parts: Parts) -> RunScores:
    first = parts[0]
    strict = [part.strict_scores for part in parts if part.strict_scores is not None]
    steps = [part.process for part in parts if part.process is not None]
    return replace(
        first,
        scores=_together([part.scores for part in parts]),
        samples=_together([part.samples for part in parts]),
        replies=_together([part.replies for part in parts]),
        manifest=_manifest([part.manifest for part in parts]),
        strict_scores=_together(strict) if strict else None,
        process=_together(steps) if steps else None,
        folders={task: folder for part in parts for task, folder in part.folders.items()},
        asked_again=tuple(again for part in parts for again in part.asked_again),
    )


def _together(tables: Sequence[pa.Table]) -> pa.Table:
    # What is known of subjects may differ from run to run: null where it is not.
    return pa.concat_tables(tables, promote_options="default")


def _manifest(manifests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The first one's, with every name that servers gave the model, and the others below it."""
    served = dict.fromkeys(name for one in manifests for name in one.get("served_models") or [])
    return {**manifests[0], "served_models": list(served), "merged_with": list(manifests[1:])}
