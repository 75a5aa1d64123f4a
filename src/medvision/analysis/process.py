"""Process scores of a report: how far off each step of a chain of thought is, by run and task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pyarrow.compute as pc

from medvision.analysis.run_scores import RunScores
from medvision.scoring.process import PROCESS_METRICS
from medvision.tasks import TASKS, Task

PROCESS_TITLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "point_error_mm": (
            "points off, mm",
            "Mean distance of the points that replies state from the true ones.",
        ),
        "points_within_5_mm_frac": ("points within 5 mm, %", "Share of these points."),
        "points_relative_error": (
            "what points give, %",
            "Relative error of what follows from the points, against the truth.",
        ),
        "conversion_relative_error": (
            "differences in mm, %",
            "Error of the second step's differences in mm, against those of the points stated.",
        ),
        "result_relative_error": (
            "result, %",
            "Error of the third step's result, against what the second step gives.",
        ),
        "answer_relative_error": (
            "answer, %",
            "Error of the answer, against the third step or else what the points give.",
        ),
    }
)
"""Head and meaning of each process score; shares and relative errors are printed in per cent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """Process scores of one run, task and unit.

    Attributes:
        n: Replies.
        n_tagged: Of these, with a step in tags.
        means: (score, replies that have it, mean over these), in the order of `PROCESS_METRICS`;
            None without any.
    """

    model: str
    task: Task
    unit: str
    n: int
    n_tagged: int
    means: tuple[tuple[str, int, float | None], ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """As printed."""
        return tuple(
            "–" if mean is None else f"{mean:.2f}" if name.endswith("_mm") else f"{100 * mean:.1f}"
            for name, _, mean in self.means
        )

    def as_json(self) -> dict[str, Any]:
        """As JSON types: unrounded."""
        return {
            "task": self.task.value,
            "unit": self.unit,
            "model": self.model,
            "n": self.n,
            "n_tagged": self.n_tagged,
            "scores": {name: {"n": n, "mean": mean} for name, n, mean in self.means},
        }


def process_rows(runs: Sequence[RunScores]) -> list[ProcessRow]:
    """A row for each run, task and unit whose replies were asked for steps."""
    rows = []
    for run in runs:
        if run.process is None:
            continue
        for task, record in TASKS.items():
            for unit in record.units:
                is_own = pc.and_(
                    pc.equal(run.process["task"], str(task)), pc.equal(run.process["unit"], unit)
                )
                own = run.process.filter(is_own)
                if not own.num_rows:
                    continue
                means = tuple(
                    (name, own.num_rows - own[name].null_count, pc.mean(own[name]).as_py())
                    for name in PROCESS_METRICS
                )
                n_tagged = pc.sum(pc.greater(own["n_steps"], 0)).as_py()
                rows.append(
                    ProcessRow(
                        model=run.name,
                        task=task,
                        unit=unit,
                        n=own.num_rows,
                        n_tagged=n_tagged,
                        means=means,
                    )
                )
    return rows
