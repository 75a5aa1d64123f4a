"""One run as the report reads it: its scores, samples, replies and manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from medvision.errors import UsageError
from medvision.protocols import protocol_from
from medvision.scoring.aggregate import PROTOCOL_COLUMN

SCORE_COLUMNS = (
    "sample_id",
    "repeat",
    "task",
    "dataset",
    "subject_id",
    "plane",
    "label_id",
    "label",
    "name",
    "unit",
    "truth",
    "anatomy_group",
    "size_bin",
    "response_status",
    "status",
    "values",
    "recovered_status",
    "recovered_values",
    "iou",
    "precision",
    "recall",
    "f1",
    "absolute_error",
    "relative_error",
    "nmae_frac",
)
"""Columns of `scores` that the report reads."""

REPLY_COLUMNS = ("sample_id", "repeat", "prompt", "text")


class RunColumnsError(UsageError):
    """A run's table lacks columns that the report reads."""


class RunNamesError(UsageError):
    """No run, or two runs of one name: the report could not tell their rows apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScores:
    """One model's scored run.

    Attributes:
        name: As shown; one name for each run of a report.
        model: Model id, such as "openai/qwen2.5-vl-7b" or "baseline/center".
        is_baseline: Whether the model is a baseline, shown apart from the models.
        scores: One row per sample and repeat, columns of the scoring stage.
        samples: The run's frozen samples, `medvision.samples.SAMPLE_SCHEMA`.
        replies: sample_id, repeat, prompt (text as asked), text (raw reply, null for an error);
            where it is known, message (what the server said instead, null for a reply).
        manifest: The run's manifest, JSON types only.
        strict_scores: The same replies under this project's reading, where `scores` are under
            another one.
        process: Process scores, `medvision.scoring.process.PROCESS_SCHEMA`, where steps were asked
            for.
        folders: Where each of its tasks lies, as folders were named; none of a run in memory.
        asked_again: The same questions with another pixel size stated, or none: runs inside the
            run's folder.
    """

    name: str
    model: str
    is_baseline: bool
    scores: pa.Table
    samples: pa.Table
    replies: pa.Table
    manifest: Mapping[str, Any]
    strict_scores: pa.Table | None = None
    process: pa.Table | None = None
    folders: Mapping[str, Path] = field(default_factory=dict)
    asked_again: tuple["RunScores", ...] = ()

    @property
    def protocol(self) -> str:
        """Name of the protocol of its scores."""
        if PROTOCOL_COLUMN in self.scores.column_names and self.scores.num_rows:
            return str(self.scores[PROTOCOL_COLUMN][0].as_py())
        return protocol_from(self.manifest).name

    def __post_init__(self) -> None:
        _require(self.scores, SCORE_COLUMNS, f"scores of run {self.name!r}")
        _require(self.replies, REPLY_COLUMNS, f"replies of run {self.name!r}")


def models_before_baselines(runs: Sequence[RunScores]) -> list[RunScores]:
    """Runs in the report's order: models as given, then baselines as given.

    Raises:
        RunNamesError: There is no run, or two have one name.
    """
    names = [run.name for run in runs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not names:
        msg = "a report needs at least one run, got none; name a run folder"
        raise RunNamesError(msg)
    if repeated:
        msg = (
            f"a report needs one name per run, got {repeated} more than once; "
            "give them names of their own: --name RUN=NAME"
        )
        raise RunNamesError(msg)
    return sorted(runs, key=lambda run: run.is_baseline)


def _require(table: pa.Table, columns: Sequence[str], what: str) -> None:
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        msg = f"{what}: expected the columns {missing}, found {table.column_names}; score it again"
        raise RunColumnsError(msg)
