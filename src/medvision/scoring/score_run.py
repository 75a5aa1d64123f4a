"""Stored replies to scores: read each reply, map its frame to the slice, score. Asks no model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from medvision.models.store import ResponseStore, StoredReply
from medvision.prompts.answers import Answer, Style, read_answer
from medvision.prompts.perceived import PerceivedSize, box_on_slice_from_sent
from medvision.prompts.recovered import read_recovered
from medvision.samples import Sample, Task, samples_from_table
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
    by_id = {sample.sample_id: sample for sample in samples_from_table(samples)}
    with ResponseStore(store_path(run), must_exist=True) as store:
        answers = pa.Table.from_pylist(
            list(_answer_rows(store.current_replies(), by_id, manifest)), ANSWER_SCHEMA
        )
    asked = pc.is_in(samples["sample_id"], answers["sample_id"].combine_chunks())
    scores = score_table(samples.filter(asked), answers)
    write_parquet(scores_path(run), scores)
    return scores


def _answer_rows(
    replies: Iterator[StoredReply], by_id: dict[str, Sample], manifest: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    style, family = Style(manifest["style"]), PictureFamily(**manifest["family"])
    for stored in replies:
        sample = by_id[stored.sample_id]
        seen = family.perceived(sample)
        strict, recovered = _readings(stored, sample, style, seen)
        yield {
            "sample_id": stored.sample_id,
            "repeat": stored.repeat,
            "response_status": str(stored.reply.status),
            "status": str(strict.status),
            "values": list(strict.values),
            "recovered_status": str(recovered.status),
            "recovered_values": list(recovered.values),
        }


def _readings(
    stored: StoredReply, sample: Sample, style: Style, seen: PerceivedSize
) -> tuple[Answer, Answer]:
    """The strict and the lenient reading of a reply, both in the frame of the slice."""
    text = stored.reply.text
    strict = read_answer(sample.task, text, style, frame_hw=seen.canvas_hw)
    recovered = read_recovered(sample.task, text, frame_hw=seen.canvas_hw)
    return _on_slice(strict, sample.task, seen), _on_slice(recovered, sample.task, seen)


def _on_slice(answer: Answer, task: Task, seen: PerceivedSize) -> Answer:
    if task is not Task.DETECTION or not answer.values:
        return answer
    box = box_on_slice_from_sent(answer.values, seen)
    return Answer(status=answer.status, values=tuple(box.tolist()))
