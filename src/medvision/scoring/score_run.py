"""Stored replies to scores: read each reply, map its frame to the slice, score. Asks no model."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.models.evaluate import PictureFamily
from medvision.models.run_folder import (
    read_samples,
    run_manifest,
    scores_path,
    store_path,
    write_parquet,
)
from medvision.models.store import ResponseStore
from medvision.prompts.answers import Answer, AnswerStatus, Style, read_answer
from medvision.prompts.perceived import PerceivedSize, box_on_slice_from_sent, perceived_size
from medvision.prompts.recovered import read_recovered
from medvision.samples import Task
from medvision.scoring.score_table import ANSWER_SCHEMA, score_table


def score_run(run: Path) -> pa.Table:
    """Score the current replies of a run and write `scores.parquet`.

    Args:
        run: Run folder with samples, replies and manifest.

    Returns:
        The scores: a row for each question the model was asked.

    Raises:
        UsageError: The folder holds no evaluated run.
    """
    manifest = run_manifest(run)
    samples = read_samples(run)
    reader = ReplyReader(style=Style(manifest["style"]), family=PictureFamily(**manifest["family"]))
    with ResponseStore(store_path(run), must_exist=True) as store:
        answers = read_replies(store.current_texts(), samples, reader)
    asked = pc.is_in(samples["sample_id"], answers["sample_id"].combine_chunks())
    scores = score_table(samples.filter(asked), answers)
    write_parquet(scores_path(run), scores)
    return scores


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyReader:
    """Reads replies of one run, in the frame of the slice.

    Attributes:
        style: Answer style that was asked for.
        family: How the model saw the pictures.
    """

    style: Style
    family: PictureFamily

    def strict(self, task: Task, text: str, height_px: int, width_px: int) -> Answer:
        """The answer that is scored."""
        seen = self._seen(height_px, width_px)
        answer = read_answer(task, text, self.style, frame_hw=seen.canvas_hw)
        return _on_slice(answer, task, seen)

    def recovered(self, task: Task, text: str, height_px: int, width_px: int) -> Answer:
        """The lenient reading, reported beside it."""
        seen = self._seen(height_px, width_px)
        answer = read_recovered(task, text, frame_hw=seen.canvas_hw)
        return _on_slice(answer, task, seen)

    def _seen(self, height_px: int, width_px: int) -> PerceivedSize:
        limits = tuple(sorted((self.family.limits or {}).items()))
        return _perceived(self.family.name, height_px, width_px, limits)


@lru_cache(maxsize=65536)
def _perceived(
    family: str, height_px: int, width_px: int, limits: tuple[tuple[str, int], ...]
) -> PerceivedSize:
    return perceived_size(family, height_px, width_px, dict(limits) or None)


def _on_slice(answer: Answer, task: Task, seen: PerceivedSize) -> Answer:
    """The answer with a box turned from the frame of the picture sent to that of the slice."""
    if task is not Task.DETECTION or not answer.values or seen.content_hw == seen.canvas_hw:
        return answer
    box = box_on_slice_from_sent(answer.values, seen)
    return Answer(status=answer.status, values=tuple(box.tolist()))


@dataclass(slots=True)
class _Readings:
    """One kind of reading of many replies, column by column."""

    statuses: list[str] = field(default_factory=list)
    flat_values: list[float] = field(default_factory=list)
    offsets: list[int] = field(default_factory=lambda: [0])

    def add(self, answer: Answer) -> None:
        self.statuses.append(str(answer.status))
        self.flat_values.extend(answer.values)
        self.offsets.append(len(self.flat_values))

    def columns(self) -> tuple[pa.Array, pa.Array]:
        values = pa.array(np.array(self.flat_values, dtype=np.float64))
        offsets = pa.array(np.array(self.offsets, dtype=np.int32))
        return pa.array(self.statuses, pa.string()), pa.ListArray.from_arrays(offsets, values)


def read_replies(
    replies: Iterable[tuple[str, int, str, str]], samples: pa.Table, reader: ReplyReader
) -> pa.Table:
    """Answers of stored replies.

    Args:
        replies: (sample_id, repeat, response status, text), as the store gives them.
        samples: The run's samples.
        reader: Style and frame.

    Returns:
        `ANSWER_SCHEMA`, in the order of the replies.
    """
    rows = {sample_id: row for row, sample_id in enumerate(samples["sample_id"].to_pylist())}
    tasks = [Task(task) for task in samples["task"].to_pylist()]
    heights, widths = (samples[name].to_pylist() for name in ("height_px", "width_px"))
    ids: list[str] = []
    repeats: list[int] = []
    statuses: list[str] = []
    strict, recovered = _Readings(), _Readings()
    for sample_id, repeat, status, text in replies:
        row = rows[sample_id]
        question = (tasks[row], text, heights[row], widths[row])
        answer = reader.strict(*question)
        strict.add(answer)
        is_read = answer.status is AnswerStatus.OK
        recovered.add(answer if is_read else reader.recovered(*question))
        ids.append(sample_id)
        repeats.append(repeat)
        statuses.append(status)
    columns = [pa.array(ids, pa.string()), pa.array(repeats, pa.int32())]
    columns += [pa.array(statuses, pa.string()), *strict.columns(), *recovered.columns()]
    names = ["sample_id", "repeat", "response_status", "status", "values"]
    names += ["recovered_status", "recovered_values"]
    return pa.Table.from_arrays(columns, names=names).cast(ANSWER_SCHEMA)
