"""Two runs beside each other: the paired differences of `comparison`, as the page shows them."""

import math
from collections.abc import Sequence
from typing import Any

from medvision.analysis.run_scores import RunScores
from medvision.analysis.tables import SIZE_BIN_TEXT, group_title
from medvision.analysis.verdicts.figures.measured import by_task, measured, task_title
from medvision.analysis.verdicts.verdict import Verdict


def compared(runs: Sequence[RunScores], verdicts: Sequence[Verdict]) -> dict[str, Any] | None:
    """All pairs of runs, as JSON for the page; None where no two were asked the same questions.

    Args:
        runs: In the order of the page.
        verdicts: What `analyse` gives.

    Returns:
        `runs`: their names. `rows`: for each pair, task and group the places of both among the runs
        (`a`, `b`), `task` with its `measure` and unit, what it is grouped `by` and the `group` ("",
        "" for all), by how much the first is better (`value`, `low`, `high`, printed unit), `n`,
        `subjects`, `verdict`, and whether the two are `equivalent`.
    """
    labels = {label for run in runs for label in run.scores["label"].unique().to_pylist()}
    place_of = {run.name: at for at, run in enumerate(runs)}
    rows: list[dict[str, Any]] = []
    for task, own in by_task(one for one in verdicts if one.name == "comparison"):
        of = measured(task)
        for one in own:
            first, second = (place_of[name] for name in one.details["models"])
            column, _, value = one.group.partition("=")
            low, high = one.interval or (None, None)
            rows.append(
                {
                    "a": first,
                    "b": second,
                    "task": task_title(task),
                    "measure": of.better_by,
                    # What was asked of a structure is called by it, else by its measurement.
                    "by": group_title("label" if column == "name" and value in labels else column),
                    "group": SIZE_BIN_TEXT.get(value, value),
                    **{
                        key: float(f"{end * of.scale:.5g}")
                        if end is not None and math.isfinite(end)
                        else None
                        for key, end in (("value", one.value), ("low", low), ("high", high))
                    },
                    "n": one.n,
                    "subjects": one.n_subjects,
                    "verdict": str(one.verdict),
                    "equivalent": bool(one.details["equivalent"]),
                }
            )
    return {"runs": list(place_of), "rows": rows} if rows else None
