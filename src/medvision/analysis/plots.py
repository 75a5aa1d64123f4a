"""Points and bars of the report's plots; nothing is computed but counts of what is drawn."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from medvision.analysis.order import digest
from medvision.analysis.outcomes import outcome
from medvision.analysis.run_scores import RunScores
from medvision.analysis.tables import MetricTable
from medvision.analysis.units import UNIT_TEXT
from medvision.tasks import TASKS, Task

PLOT_COLUMNS = (
    "sample_id",
    "repeat",
    "task",
    "unit",
    "name",
    "truth",
    "response_status",
    "status",
    "values",
)

SIZE_METRIC = "iou_mean_zero_filled"

Row = dict[str, Any]


def truth_plots(runs: Sequence[RunScores], *, max_points: int) -> list[dict[str, Any]]:
    """Truth and answer of every task and unit but lists of boxes, as JSON for the page.

    All models show the same samples: where a task has more than `max_points`, those whose ids
    come first by digest.

    Args:
        runs: In the order of the page.
        max_points: Most samples of one task and unit that are drawn.

    Returns:
        For each task and unit: its title, printed unit, component names, drawn samples (id, name,
        truth) and for each model its counts and `points`: sample place, component, answer.
    """
    grouped: dict[tuple[Task, str], dict[str, list[Row]]] = {}
    for run in runs:
        for row in run.scores.select(list(PLOT_COLUMNS)).to_pylist():
            key = (Task(row["task"]), row["unit"])
            grouped.setdefault(key, {}).setdefault(run.name, []).append(row)
    places = list(Task)
    # Which box of a list answers which true one, a plot of numbers cannot show.
    shown = [key for key in grouped if not TASKS[key[0]].is_list]
    keys = sorted(shown, key=lambda key: (places.index(key[0]), key[1]))
    return [_truth_plot(key, grouped[key], max_points) for key in keys]


def size_plot(table: MetricTable) -> dict[str, Any]:
    """A table by target size: value and interval of each model in each bin, as JSON."""
    models: dict[str, dict[str, Any]] = {}
    for row, record in zip(table.rows, table.records, strict=True):
        series = models.setdefault(
            row.model, {"name": row.model, "is_baseline": row.is_baseline, "bins": []}
        )
        series["bins"].append(
            {
                "bin": row.group[0],
                "n": record["n"],
                "value": record.get(SIZE_METRIC),
                "low": record.get(f"{SIZE_METRIC}_low"),
                "high": record.get(f"{SIZE_METRIC}_high"),
            }
        )
    bins = list(dict.fromkeys(row.group[0] for row in table.rows))
    return {"bins": bins, "models": list(models.values())}


def _truth_plot(
    key: tuple[Task, str], rows_of: dict[str, list[Row]], max_points: int
) -> dict[str, Any]:
    task, unit = key
    sample_of = {row["sample_id"]: row for rows in rows_of.values() for row in rows}
    drawn = sorted(sample_of, key=digest)[:max_points]
    place_of = {sample_id: place for place, sample_id in enumerate(drawn)}
    unit_text = UNIT_TEXT.get(unit, unit)
    return {
        "task": task.value,
        "unit": unit,
        "unit_text": unit_text,
        "title": f"{TASKS[task].title} ({unit_text})",
        "components": list(TASKS[task].shown_names),
        "samples": [[i, sample_of[i]["name"], _rounded(sample_of[i]["truth"])] for i in drawn],
        "n_samples": len(sample_of),
        "models": [_model_points(name, rows, place_of) for name, rows in rows_of.items()],
    }


def _model_points(name: str, rows: Sequence[Row], place_of: dict[str, int]) -> dict[str, Any]:
    parsed = [row for row in rows if outcome(row) == "ok"]
    points = [
        [place_of[row["sample_id"]], component, value]
        for row in parsed
        if row["sample_id"] in place_of
        for component, value in enumerate(_rounded(row["values"]))
    ]
    answers = Counter(tuple(row["values"]) for row in parsed)
    often = answers.most_common(1)[0] if answers else ((), 0)
    return {
        "name": name,
        "n": len(rows),
        "n_parsed": len(parsed),
        "n_distinct": len(answers),
        "often": list(often[0]),
        "n_often": often[1],
        "points": points,
    }


def _rounded(values: Sequence[float]) -> list[float]:
    """Numbers to six significant digits: enough to draw and to read."""
    return [float(f"{value:.6g}") for value in values]
