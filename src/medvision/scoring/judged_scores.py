"""What a judge read, as further columns of `scores.parquet`."""

import errno
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from medvision.models.base import ResponseStatus
from medvision.models.run_folder import (
    read_samples,
    run_family,
    run_manifest,
    scores_path,
    store_path,
    write_parquet,
)
from medvision.models.store import ResponseStore
from medvision.replies import Answer, AnswerStatus, Style, read_answer
from medvision.replies.stated import are_stated
from medvision.samples.crops import as_shown, part_of
from medvision.scoring.judge import (
    JUDGED_SCHEMA,
    judge_questions,
    judge_store_path,
    read_scores,
)
from medvision.scoring.score_run import ReplyReader, are_current, reading_of, scored
from medvision.scoring.score_table import ANSWER_SCHEMA, score_table
from medvision.storage import only_process
from medvision.table.own_files import DamagedFileError

logger = logging.getLogger(__name__)

MADE_UP = "made_up"

_SOURCES = ("status", "values", "iou", "absolute_error", "relative_error")
"""Columns of scores of the judge's replies, in the order of `JUDGED_SCHEMA`."""

JUDGE_KEY = b"medvision_judge_key"
"""Metadata of `scores.parquet`: which replies of a judge its columns were made from."""

RowKey = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSummary:
    """One task's replies that a judge re-read.

    Attributes:
        task: The task.
        n: Replies put to the judge.
        n_read: Of these, read.
        n_made_up: Of these, answered by the judge with a number that the reply does not hold.
        n_error: Of these, without the judge's answer.
        iou_mean_judged: Over those read; None where the task has none.
        relative_error_mean_judged: The same.
    """

    task: str
    n: int
    n_read: int
    n_made_up: int
    n_error: int
    iou_mean_judged: float | None
    relative_error_mean_judged: float | None


def add_judged(run: Path) -> pa.Table:
    """The scores of a run with the judge's columns, where a judge was asked; written back.

    Replies of a judge to other replies than the run's present ones are left out.

    Args:
        run: A scored run folder.

    Returns:
        The scores; unchanged without a judge.
    """
    with only_process(run, "scoring"):
        scores = read_scores(run)
        if judge_store_path(run).exists():
            scores = _with_judged(run, scores)
            write_parquet(scores_path(run), scores)
    return scores


def _with_judged(run: Path, scores: pa.Table) -> pa.Table:
    judged = _judged_rows(run, scores)
    keys = zip(*(scores[name].to_pylist() for name in ("sample_id", "repeat")), strict=True)
    rows = [judged.get(key, {}) for key in keys]
    plain = scores.select([name for name in scores.column_names if name not in JUDGED_SCHEMA.names])
    for field, source in zip(JUDGED_SCHEMA, _SOURCES, strict=True):
        column = pa.array([row.get(source) for row in rows], field.type)
        plain = plain.append_column(field, column)
    metadata = {**(scores.schema.metadata or {}), JUDGE_KEY: _judge_state(run)}
    return plain.replace_schema_metadata(metadata)


def _judge_state(run: Path) -> bytes:
    """Digest of a judge's replies; empty without a judge."""
    if not judge_store_path(run).exists():
        return b""
    with ResponseStore(judge_store_path(run), must_exist=True) as store:
        return store.state().encode()


def current_scores(run: Path) -> pa.Table:
    """The scores of a run; made again where they are of other replies, or of another version.

    A run whose replies are gone keeps the scores it has.

    Raises:
        UsageError: The folder holds no evaluated run.
    """
    run_manifest(run)
    path, reading = scores_path(run), None
    if path.exists():
        try:
            scores = read_scores(run)
        except DamagedFileError as error:
            if not store_path(run).exists():
                raise
            logger.warning("%s: scoring again", error)
        else:
            if not store_path(run).exists():
                logger.warning("%s: no replies to check the scores against; taken as they are", run)
                return scores
            judged_of = (scores.schema.metadata or {}).get(JUDGE_KEY, b"")
            if are_current(run, scores) and judged_of == _judge_state(run):
                return scores
            why = "the scores are not those of its present replies"
            logger.warning("%s: %s; scoring again", run, why)
            reading = reading_of(run, scores)
    with only_process(run, "scoring"):
        scores = scored(run, reading)
        if judge_store_path(run).exists():
            scores = _with_judged(run, scores)
        try:
            write_parquet(path, scores)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise
            logger.warning("%s: cannot be written; its scores are made for this once", run)
    return scores


def judged_summaries(scores: pa.Table) -> list[JudgedSummary]:
    """Counts and means of the judge's readings by task; none where no judge was asked."""
    if "judged_status" not in scores.column_names:
        return []
    asked = scores.filter(pc.is_valid(scores["judged_status"]))
    summaries = []
    for task in sorted(set(asked["task"].to_pylist())):
        rows = asked.filter(pc.equal(asked["task"], task))
        statuses = rows["judged_status"].to_pylist()
        summaries.append(
            JudgedSummary(
                task=task,
                n=len(statuses),
                n_read=statuses.count("ok"),
                n_made_up=statuses.count(MADE_UP),
                n_error=statuses.count("error"),
                iou_mean_judged=pc.mean(rows["iou_judged"]).as_py(),
                relative_error_mean_judged=pc.mean(rows["relative_error_judged"]).as_py(),
            )
        )
    return summaries


def _judged_rows(run: Path, scores: pa.Table) -> Mapping[RowKey, dict[str, object]]:
    """Scores of the judge's replies by sample and repeat."""
    # A judge's reply counts only while the run's reply that it was shown is still the present one.
    samples = read_samples(run)
    questions = {(q.sample.sample_id, q.repeat): q for q in judge_questions(run, scores, samples)}
    with ResponseStore(judge_store_path(run), must_exist=True) as store:
        stored_replies = {(one.sample_id, one.repeat): one for one in store.current_replies()}
    replies = {
        key: one
        for key, one in stored_replies.items()
        if key in questions and questions[key].prompt_text == one.prompt
    }
    if not replies:
        return {}
    reader = ReplyReader(style=Style.DIRECT, family=run_family(run, run_manifest(run)))
    with ResponseStore(store_path(run), must_exist=True) as store:
        shown = {(one.sample_id, one.repeat): one.reply.text for one in store.current_replies()}
    answers, made_up = [], set()
    for key, stored in replies.items():
        sample = questions[key].sample
        seen = reader.family.view(as_shown(sample).geometry).perceived
        is_cut = stored.reply.status is ResponseStatus.TRUNCATED
        answer, _ = reader.readings(
            sample.task,
            stored.reply.text,
            seen,
            unit=sample.unit,
            is_cut=is_cut,
            part=part_of(sample),
        )
        # As the judge wrote them: a box is not yet mapped to the slice.
        copied = read_answer(sample.task, stored.reply.text, unit=sample.unit).values
        if answer.values and not are_stated(sample.task, copied, shown[key], sample.unit):
            answer = Answer(AnswerStatus.NO_NUMBER)
            made_up.add(key)
        reading = [str(answer.status), list(answer.values)]
        row = [stored.sample_id, stored.repeat, str(stored.reply.status), *reading, *reading]
        answers.append(dict(zip(ANSWER_SCHEMA.names, row, strict=True)))
    table = pa.Table.from_pylist(answers, ANSWER_SCHEMA)
    asked = pc.is_in(samples["sample_id"], table["sample_id"].combine_chunks())
    scored = score_table(samples.filter(asked), table)
    columns = scored.select(["sample_id", "repeat", *_SOURCES]).to_pylist()
    rows = {(row["sample_id"], row["repeat"]): row for row in columns}
    for key in made_up:
        rows[key]["status"] = MADE_UP
    return {key: row for key, row in rows.items() if key in replies}
