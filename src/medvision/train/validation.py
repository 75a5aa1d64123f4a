"""Validation by the benchmark's own questions, reading and metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from medvision.models.base import ALL_TASKS, Json, Question, Reply
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.models.generation import Generation
from medvision.models.in_process.chat import Chat
from medvision.models.in_process.generate import LoadedModel, picture_of
from medvision.pictures.view import PictureFamily
from medvision.protocols import MEDVISION, Protocol
from medvision.replies import Style
from medvision.samples import Sample, sample_table
from medvision.scoring import aggregate
from medvision.scoring.judge import read_scores
from medvision.scoring.score_run import score_run
from medvision.tasks import TASKS, Task

SCORE = "validation_score"
"""Name of the one number by which checkpoints are kept."""

SHOWN = (
    "success_rate",
    "iou_mean_zero_filled",
    "iou_at_0.5_frac",
    "mae_mean_parsed",
    "mre_mean_parsed",
    "mre_below_0.1_frac",
)
"""Metrics in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Which part of the questions this process asks."""

    rank: int = 0
    n_ranks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInTraining:
    """Weights that are still changing as a model that the run loop can ask.

    What fails in evaluation for one question stops training: processes that share weights must make
    the same calls, so none may go on with fewer questions, or with half a batch, by itself.

    Attributes:
        loaded: The model as it is now, in evaluation mode.
        model_id: How reports name it.
        generation: Greedy, as checkpoints are compared.
        batch_size: Questions generated at once.
    """

    loaded: LoadedModel
    model_id: str
    generation: Generation
    batch_size: int
    revision: str = ""
    tasks: frozenset[Task] = ALL_TASKS

    @property
    def settings(self) -> Json:
        """Generation settings as they enter a key."""
        return self.generation.as_key()

    @property
    def window_size(self) -> int:
        """Questions to sort by length: none, so that a batch never depends on the others."""
        return self.batch_size

    def key_inputs(self, question: Question) -> Json:  # noqa: ARG002
        """How a prompt starts, as of the model that comes out."""
        return self.loaded.chat.beginning.key_inputs

    def replies(self, questions: Sequence[Question]) -> list[Reply]:
        """Replies in the order of the questions."""
        pictures = [picture_of(question) for question in questions]
        return self.loaded.replies(questions, pictures, self.generation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """Asks a model in training the validation questions.

    Attributes:
        samples: The questions.
        style: Of prompt and answer.
        family: How the model sees pictures.
        chat: The model's conversation form.
        system_text: The system message; none when empty.
        max_new_tokens: Of a reply.
        batch_size: Replies generated at a time.
        protocol: Of the questions.
    """

    samples: Sequence[Sample]
    style: Style
    family: PictureFamily
    chat: Chat
    system_text: str
    max_new_tokens: int
    batch_size: int
    protocol: Protocol = MEDVISION

    def ask(self, model: Any, run: Path, *, model_id: str, shard: Shard) -> pa.Table:
        """Ask a shard of the questions and score the replies, into a run folder of its own.

        Args:
            model: Ready to generate.
            run: Run folder; `medvision report` reads it like any other.
            model_id: How the report names the model.
            shard: Which questions.

        Returns:
            Score rows.
        """
        own = self.samples[shard.rank :: shard.n_ranks]
        folder = run if shard.n_ranks == 1 else run / f"part-{shard.rank}"
        request = EvalRequest(
            samples=sample_table(own),
            model=ModelInTraining(
                loaded=LoadedModel(model=model, chat=self.chat),
                model_id=model_id,
                generation=Generation(max_tokens=self.max_new_tokens),
                batch_size=self.batch_size,
            ),
            family=self.family,
            style=self.style,
            system_text=self.system_text,
            selection={"suite": "validation", "split": "train"},
            protocol=self.protocol,
        )
        evaluate(request, folder)
        return score_run(folder)


def gathered_scores(run: Path, shard: Shard) -> pa.Table:
    """The score rows of all shards of a run, once each of them has asked."""
    if shard.n_ranks == 1:
        return read_scores(run)
    parts = [run / f"part-{rank}" for rank in range(shard.n_ranks)]
    return pa.concat_tables([read_scores(part) for part in parts if part.exists()])


def flat_metrics(scores: pa.Table) -> dict[str, float]:
    """Metrics by name, one number each, and the score of the whole.

    Example:
        {"detection_iou_mean_zero_filled": 0.31, …, "validation_score": 0.31}
    """
    flat: dict[str, float] = {}
    headlines = []
    for row in aggregate(scores, by=[], n_resamples=0).to_pylist():
        name = row["task"] if row["task"] != Task.ANGLE_DISTANCE else f"{row['task']}_{row['unit']}"
        for metric in SHOWN:
            if row.get(metric) is not None:
                flat[f"{name}_{metric}"] = float(row[metric])
        headlines.append(float(row[TASKS[Task(row["task"])].validation_metric] or 0.0))
    flat[SCORE] = sum(headlines) / len(headlines) if headlines else 0.0
    return flat
