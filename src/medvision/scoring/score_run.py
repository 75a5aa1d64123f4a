"""Stored replies to scores: read each reply, map its frame to the slice, score. Asks no model."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.declarations import decoded
from medvision.models.base import ResponseStatus
from medvision.models.run_folder import (
    STATED_NMAE,
    process_path,
    read_samples,
    require_samples,
    run_family,
    run_manifest,
    scores_path,
    store_path,
    write_parquet,
)
from medvision.models.store import ResponseStore
from medvision.pictures.perceived import PerceivedSize, box_on_slice_from_sent
from medvision.pictures.view import PictureFamily
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.protocols import MEDVISION, Reading, protocol_from
from medvision.replies import Answer, AnswerStatus, Style
from medvision.replies.cut import ended_before_cut
from medvision.replies.first_block import read_first_block
from medvision.replies.recovered import read_recovered
from medvision.samples import each_sample
from medvision.samples.crops import Part, geometries_shown, parts_of
from medvision.scoring.aggregate import PROTOCOL_COLUMN
from medvision.scoring.alignment import ERROR
from medvision.scoring.process import PROCESS_TASKS, process_scores
from medvision.scoring.score_table import ANSWER_SCHEMA, score_table
from medvision.storage import only_process, sha256_file
from medvision.table.manifest import content_key
from medvision.table.own_files import DamagedFileError
from medvision.tasks import BOX_TASKS, TASKS, Task

SCORER = "3"
"""Version of reading and scoring: scores of another one are made again. Change it with numbers."""

SCORES_KEY = b"medvision_scores_key"
"""Metadata of `scores.parquet`: what the scores were made from."""

READING_KEY = b"medvision_reading"
"""Metadata of `scores.parquet`: how the replies were read."""

_BATCH = 20_000

_MANY = 200_000
"""From so many samples on, reading is worth starting further processes."""


def score_run(run: Path, reading: Reading | None = None) -> pa.Table:
    """Score the current replies of a run and write `scores.parquet`.

    Args:
        run: Run folder with samples, replies and manifest.
        reading: How replies are read; by default as the run's protocol says.

    Returns:
        The scores: a row for each question the model was asked.

    Raises:
        UsageError: The folder holds no evaluated run, what it holds is damaged, or another process
            is at work in it.
    """
    run_manifest(run)  # no lock is taken in a folder that is no run
    with only_process(run, "scoring"):
        scores = scored(run, reading)
        write_parquet(scores_path(run), scores)
        process = scored_steps(run, scores)
        if process is not None:
            write_parquet(process_path(run), process)
    return scores


def scored_steps(run: Path, scores: pa.Table) -> pa.Table | None:
    """Process scores of a run's current replies; None where no steps were asked for.

    Args:
        run: Run folder.
        scores: Of these replies, for the answers that were read.

    Returns:
        `PROCESS_SCHEMA`.
    """
    manifest = run_manifest(run)
    is_asked = pc.is_in(scores["task"], pa.array([str(task) for task in PROCESS_TASKS]))
    if manifest["style"] != Style.COT or not pc.any(is_asked).as_py():
        return None
    samples = read_samples(run)
    own = samples.filter(pc.is_in(samples["sample_id"], scores.filter(is_asked)["sample_id"]))
    read = scores.filter(pc.and_(is_asked, pc.equal(scores["status"], AnswerStatus.OK)))
    answers = {
        (row["sample_id"], row["repeat"]): tuple(row["values"])
        for row in read.select(["sample_id", "repeat", "values"]).to_pylist()
    }
    with ResponseStore(store_path(run), must_exist=True) as store:
        replies = [
            (sample_id, repeat, text)
            for sample_id, repeat, status, text in store.current_texts()
            if status != ERROR
        ]
    return process_scores(each_sample(own), sorted(replies), answers, run_family(run, manifest))


def scored(run: Path, reading: Reading | None = None) -> pa.Table:
    """The scores of a run's current replies, with the name of their protocol; nothing is written.

    Raises:
        UsageError: The folder holds no evaluated run, or what it holds is damaged.
    """
    manifest = run_manifest(run)
    protocol = protocol_from(manifest).with_parts(reading=reading)
    samples = read_samples(run)
    key = scores_key(run, protocol.reading)
    style = decoded(Style, manifest["style"], f"{run}: style", DamagedFileError)
    reader = ReplyReader(style=style, family=run_family(run, manifest), reading=protocol.reading)
    with ResponseStore(store_path(run), must_exist=True) as store:
        answers = read_replies(store.current_texts(), samples, reader)
    asked = pc.is_in(samples["sample_id"], answers["sample_id"].combine_chunks())
    scores = score_table(samples.filter(asked), answers)
    if STATED_NMAE in samples.column_names:
        scores = _with_stated_nmae(scores, samples)
    names = pa.repeat(pa.scalar(protocol.name), scores.num_rows)
    return scores.append_column(PROTOCOL_COLUMN, names).replace_schema_metadata(
        {SCORES_KEY: key, READING_KEY: protocol.reading}
    )


def _with_stated_nmae(scores: pa.Table, samples: pa.Table) -> pa.Table:
    """Scores of an imported run, the error / diagonal its source's where none can be computed."""
    place = pc.index_in(scores["sample_id"], samples["sample_id"].combine_chunks())
    stated = samples[STATED_NMAE].take(place)
    is_scored = pc.is_valid(scores["absolute_error"])
    nothing = pa.scalar(None, pa.float64())
    filled = pc.coalesce(scores["nmae_frac"], pc.if_else(is_scored, stated, nothing))
    return scores.set_column(scores.column_names.index("nmae_frac"), "nmae_frac", filled)


def scores_key(run: Path, reading: Reading) -> str:
    """Digest of all that a run's scores depend on: questions, replies, how they are read, by what.

    Raises:
        UsageError: The folder holds no evaluated run.
    """
    manifest = run_manifest(run)
    with ResponseStore(store_path(run), must_exist=True) as store:
        replies = store.state()
    names = ("model", "revision", "style", "family", "repeats")
    asked = {name: manifest.get(name) for name in names}
    if reading is not MEDVISION.reading:
        asked["reading"] = reading
    # Of the file: a score depends on truth and size of a slice, its grouping on nearly all else.
    samples = sha256_file(require_samples(run))
    return content_key({"scorer": SCORER, "samples": samples, "replies": replies, **asked})


def reading_of(run: Path, scores: pa.Table) -> Reading:
    """How the replies behind scores were read; scores that do not say it are as the run's."""
    found = (scores.schema.metadata or {}).get(READING_KEY, b"").decode()
    return Reading(found) if found else protocol_from(run_manifest(run)).reading


def are_current(run: Path, scores: pa.Table) -> bool:
    """Whether scores were made from a run's present questions and replies, by this version."""
    found = (scores.schema.metadata or {}).get(SCORES_KEY, b"")
    return bool(found == scores_key(run, reading_of(run, scores)).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyReader:
    """Reads replies of one run, in the frame of the slice.

    Attributes:
        style: Answer style that was asked for.
        family: How the model saw the pictures.
        reading: How replies are read for the score.
    """

    style: Style
    family: PictureFamily
    reading: Reading = MEDVISION.reading

    def readings(
        self,
        task: Task,
        text: str,
        seen: PerceivedSize,
        *,
        unit: str = "",
        is_cut: bool = False,
        part: Part | None = None,
    ) -> tuple[Answer, Answer]:
        """The answer that is scored, and the lenient reading that is reported beside it.

        Args:
            task: What was asked.
            text: The reply.
            seen: What the model saw of the picture.
            unit: What the value was asked in; "" takes any unit of the task. The original's reading
                looks at no unit.
            is_cut: Whether the server stopped the reply at a limit: it then states an answer only
                where it provably did before the cut. The original's reading knows no such rule.
            part: Of the slice, where a crop was shown: a box read is one of the whole slice.
        """
        # A closed tag is proof; anywhere else the last number may have been cut in two.
        # A list without it may have gone on.
        is_whole = not is_cut or (
            "</answer>" in text if TASKS[task].is_list else ended_before_cut(text)
        )
        if self.reading is Reading.FIRST_BLOCK:
            strict, counts = read_first_block(task, text, self.style), True
        else:
            strict = ANSWER_FORMATS[task].read(text, self.style, seen.canvas_hw, unit)
            counts = is_whole or self.style is Style.COT
        if strict.status is AnswerStatus.OK and counts:
            strict = _on_slice(strict, task, seen, part)
            return strict, strict
        if not is_whole:
            return Answer(AnswerStatus.TRUNCATED), Answer(AnswerStatus.TRUNCATED)
        recovered = read_recovered(task, text, seen.canvas_hw, unit)
        return strict, _on_slice(recovered, task, seen, part)

    def perceived(self, samples: pa.Table) -> list[PerceivedSize]:
        """What the model saw of the samples' slices; each shape is worked out once."""
        shapes = geometries_shown(samples)
        seen = {shape: self.family.view(shape).perceived for shape in dict.fromkeys(shapes)}
        return [seen[shape] for shape in shapes]


def _on_slice(answer: Answer, task: Task, seen: PerceivedSize, part: Part | None) -> Answer:
    """The answer with a box turned from the frame of the picture sent to that of the slice."""
    height_px, width_px = seen.canvas_hw
    is_filled = seen.content_box_px == (0, 0, width_px, height_px)
    if task not in BOX_TASKS or not answer.values or (is_filled and part is None):
        return answer
    boxes = box_on_slice_from_sent(np.reshape(answer.values, (-1, 4)), seen)
    if part is not None:
        boxes = part.on_slice(boxes)
    return Answer(status=answer.status, values=tuple(boxes.ravel().tolist()))


def _columns(answers: list[Answer]) -> list[pa.Array]:
    """Status and values of answers, as two columns."""
    lengths = [len(answer.values) for answer in answers]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    flat = np.fromiter(chain.from_iterable(a.values for a in answers), dtype=np.float64)
    values = pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
    return [pa.array([answer.status.value for answer in answers], pa.string()), values]


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
    tasks = [Task(task) for task in samples["task"].to_pylist()]
    parts = parts_of(samples)
    asked = zip(tasks, samples["unit"].to_pylist(), reader.perceived(samples), parts, strict=True)
    ids = samples["sample_id"].to_pylist()
    batches = _batches(replies, dict(zip(ids, asked, strict=True)))
    tables = list(_mapped(partial(_read_batch, reader), batches, parallel=len(ids) >= _MANY))
    return pa.concat_tables(tables) if tables else ANSWER_SCHEMA.empty_table()


_Question = tuple[Task, str, PerceivedSize, Part | None]
"""What was asked, in which unit, about which picture, of which part of the slice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Replies and the questions they answer, column by column."""

    ids: tuple[str, ...]
    repeats: tuple[int, ...]
    statuses: tuple[str, ...]
    texts: tuple[str, ...]
    questions: list[_Question]


def _batches(
    replies: Iterable[tuple[str, int, str, str]],
    questions: Mapping[str, _Question],
) -> Iterator[_Batch]:
    replies = iter(replies)
    while rows := list(islice(replies, _BATCH)):
        ids, repeats, statuses, texts = zip(*rows, strict=True)
        yield _Batch(
            ids=ids,
            repeats=repeats,
            statuses=statuses,
            texts=texts,
            questions=[questions[sample_id] for sample_id in ids],
        )


def _read_batch(reader: ReplyReader, batch: _Batch) -> pa.Table:
    pairs = [
        reader.readings(
            task, text, seen, unit=unit, is_cut=status == ResponseStatus.TRUNCATED, part=part
        )
        for (task, unit, seen, part), text, status in zip(
            batch.questions, batch.texts, batch.statuses, strict=True
        )
    ]
    columns = [pa.array(batch.ids, pa.string()), pa.array(batch.repeats, pa.int32())]
    columns += [pa.array(batch.statuses, pa.string())]
    columns += _columns([strict for strict, _ in pairs])
    columns += _columns([recovered for _, recovered in pairs])
    return pa.Table.from_arrays(columns, schema=ANSWER_SCHEMA)


def _mapped(
    function: Callable[[_Batch], pa.Table], batches: Iterator[_Batch], *, parallel: bool
) -> Iterator[pa.Table]:
    """Tables of batches in their order; many are read by several processes, few in this one."""
    n_processes = min(4, os.cpu_count() or 1)
    if not parallel or n_processes == 1:
        yield from map(function, batches)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_processes, mp_context=context) as pool:
        waiting = deque(pool.submit(function, batch) for batch in islice(batches, 2 * n_processes))
        while waiting:
            table = waiting.popleft().result()
            waiting.extend(pool.submit(function, batch) for batch in islice(batches, 1))
            yield table
