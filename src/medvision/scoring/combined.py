"""Several replies to one question made one: the median or mean of what they state, as a run.

The run lies in a folder inside the one that was asked, under a model name of its own, so that
whatever takes runs compares both.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from medvision.errors import UsageError
from medvision.models.base import Reply, ResponseStatus
from medvision.models.run_folder import (
    read_samples,
    run_manifest,
    samples_path,
    store_path,
    write_parquet,
)
from medvision.models.store import RequestRow, ResponseStore
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.replies import AnswerStatus, Style
from medvision.scoring.score_run import score_run, scored
from medvision.storage import only_process
from medvision.table.manifest import MANIFEST, utc_now, write_manifest
from medvision.tasks import BOX_TASKS, TASKS, Task


class Combine(StrEnum):
    """How the numbers of several replies become one."""

    MEDIAN = "median"
    """Of each number by itself; the lower of two counts in the middle."""
    MEAN = "mean"
    """Of each number by itself; the nearest whole one of counts."""


NUMERIC_TASKS = frozenset(Task) - BOX_TASKS
"""A box between two boxes may hold neither's structure: boxes are left out."""


def combined_run(run: Path, how: Combine) -> Path:
    """Combine the repeats of a run's numeric questions, and score what comes out.

    A question counts as answered where at least half of its replies were read, and those alone are
    combined; else it keeps a reply that was not read. Made anew at each call.

    Args:
        run: Run folder of an evaluation with repeats.
        how: Median or mean.

    Returns:
        The run folder `RUN/median` or `RUN/mean`, with the combined answers as its replies.

    Raises:
        UsageError: A run without repeats or numeric questions, or one that is at work.
    """
    manifest = run_manifest(run)
    n_repeats = manifest.get("repeats", 1)
    if n_repeats < 2:
        msg = (
            f"{run}: expected several replies to each question, found {n_repeats}; ask with "
            "`medvision eval --repeats 8` to have their median"
        )
        raise UsageError(msg)
    scores = scored(run)
    numeric = pa.array([str(task) for task in NUMERIC_TASKS])
    scores = scores.filter(pc.is_in(scores["task"], numeric))
    if not scores.num_rows:
        msg = f"{run}: expected questions about numbers, found boxes alone: nothing to combine"
        raise UsageError(msg)
    folder = run / how
    model = f"{manifest['model']} ({how} of {n_repeats})"
    with only_process(folder, "combining"):
        (folder / MANIFEST).unlink(missing_ok=True)
        samples = read_samples(run)
        is_asked = pc.is_in(samples["sample_id"], scores["sample_id"].combine_chunks())
        write_parquet(samples_path(folder), samples.filter(is_asked))
        replies = _combined_replies(run, scores, how, Style(manifest["style"]))
        store_path(folder).unlink(missing_ok=True)
        with ResponseStore(store_path(folder)) as store:
            names = sorted(replies)
            store.set_requests(
                RequestRow(sample_id=name, repeat=0, key=str(place), prompt="")
                for place, name in enumerate(names)
            )
            store.put_many(
                ((str(place), replies[name]) for place, name in enumerate(names)), model=model
            )
        told = {"how": how, "repeats": n_repeats, "of": manifest["model"]}
        written = {"model": model, "repeats": 1, "combined": told, "finished_at": utc_now()}
        write_manifest(folder, {**manifest, **written})
        score_run(folder)
    return folder


def _combined_replies(
    run: Path, scores: pa.Table, how: Combine, style: Style
) -> Mapping[str, Reply]:
    """By sample id: the combined answer as a reply, or one of those that state none."""
    read: dict[str, list[tuple[float, ...]]] = {}
    unread: dict[str, list[int]] = {}
    tasks: dict[str, Task] = {}
    columns = ("sample_id", "task", "repeat", "status", "values")
    rows = zip(*(scores[name].to_pylist() for name in columns), strict=True)
    for name, task, repeat, status, values in rows:
        tasks[name] = Task(task)
        if status == AnswerStatus.OK:
            read.setdefault(name, []).append(tuple(values))
        else:
            unread.setdefault(name, []).append(repeat)
    replies = {}
    for name, task in tasks.items():
        stated = read.get(name, [])
        if len(stated) >= len(unread.get(name, [])):
            text = ANSWER_FORMATS[task].write(_combined(task, stated, how), style)
            replies[name] = Reply(status=ResponseStatus.OK, text=text)
    shown = {(name, min(unread[name])) for name in tasks if name not in replies}
    if shown:
        with ResponseStore(store_path(run), must_exist=True) as store:
            for found in store.current_replies():
                if (found.sample_id, found.repeat) in shown:
                    replies[found.sample_id] = found.reply
    return replies


def _combined(task: Task, answers: Sequence[tuple[float, ...]], how: Combine) -> tuple[float, ...]:
    middle: Callable[[Sequence[float]], float] = statistics.fmean
    if how is Combine.MEDIAN:
        middle = statistics.median_low if TASKS[task].is_whole else statistics.median
    values = [middle(column) for column in zip(*answers, strict=True)]
    return tuple(float(round(value)) if TASKS[task].is_whole else value for value in values)
