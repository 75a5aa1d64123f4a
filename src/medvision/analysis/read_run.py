"""A run folder as the report reads it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from medvision.analysis.merged_runs import merged_runs
from medvision.analysis.run_scores import RunNamesError, RunScores
from medvision.models.asked_again import folders_asked_again
from medvision.models.run_folder import read_samples, run_manifest, store_path
from medvision.models.store import ResponseStore
from medvision.pictures.render import SlicePictures
from medvision.protocols import MEDVISION, Reading, protocol_from
from medvision.samples import Sample, sample_from_row
from medvision.scoring.judged_scores import current_scores
from medvision.scoring.score_run import reading_of, scored, scored_steps
from medvision.table.inputs import moved_input

_REPLY_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("repeat", pa.int32()),
        ("prompt", pa.string()),
        ("text", pa.string()),
        ("message", pa.string()),
    ]
)


def read_run(run: Path, name: str = "", reading: Reading | None = None) -> RunScores:
    """Scores, samples and replies of a run, scored first if that was not done.

    Args:
        run: Run folder.
        name: As shown; by default the model's name.
        reading: How replies are read; by default as they were scored.

    Raises:
        UsageError: The folder holds no evaluated run.
    """
    manifest = run_manifest(run)
    scores = current_scores(run)
    if reading and reading is not reading_of(run, scores):
        scores = scored(run, reading)
    is_strict = reading_of(run, scores) is MEDVISION.reading
    model = manifest["model"]
    with ResponseStore(store_path(run), must_exist=True) as store:
        messages = store.notes.messages()
        replies = [
            {
                "sample_id": stored.sample_id,
                "repeat": stored.repeat,
                "prompt": stored.prompt,
                # What came with an error is no reply.
                "text": stored.reply.text if stored.reply.is_answer else None,
                "message": None if stored.reply.is_answer else messages.get(stored.key),
            }
            for stored in store.current_replies()
        ]
    return RunScores(
        name=name or model,
        model=model,
        is_baseline=model.startswith("baseline/"),
        scores=scores,
        samples=read_samples(run),
        replies=pa.Table.from_pylist(replies, _REPLY_SCHEMA),
        manifest=manifest,
        folders=dict.fromkeys(sorted(scores["task"].unique().to_pylist()), run),
        strict_scores=None if is_strict else scored(run, MEDVISION.reading),
        process=scored_steps(run, scores),
    )


def read_runs(
    runs: Sequence[Path],
    reading: Reading | None = None,
    *,
    names: Mapping[Path, str] = MappingProxyType({}),
) -> list[RunScores]:
    """Several runs, each with those inside its folder, as rows of a report.

    Each is called as `names` says, else by its model, and its protocol where these differ. Runs of
    one name whose tasks differ are one; those of one model that share a task are told apart by
    their folders.

    Args:
        runs: Run folders.
        reading: How replies are read; by default as they were scored.
        names: Of some of the runs, by folder.

    Raises:
        UsageError: A folder holds no evaluated run, a name is of none of them, or runs of one name
            cannot be one.
    """
    return merged_runs(read_apart(runs, reading, names=names), names)


def read_apart(
    runs: Sequence[Path],
    reading: Reading | None = None,
    *,
    names: Mapping[Path, str] = MappingProxyType({}),
) -> list[RunScores]:
    """As `read_runs`, but one for each folder: several may have one name."""
    if unknown := sorted(str(one) for one in set(names) - set(runs)):
        msg = f"--name: {', '.join(unknown)}: not among the runs {', '.join(map(str, runs))}"
        raise RunNamesError(msg)
    manifests = [run_manifest(run) for run in runs]
    protocols = [protocol_from(manifest).name for manifest in manifests]
    several = len(set(protocols)) > 1
    found = []
    for run, manifest, protocol in zip(runs, manifests, protocols, strict=True):
        by_model = f"{manifest['model']} [{protocol}]" if several else str(manifest["model"])
        outer = read_run(run, names.get(run, by_model), reading)
        found.append(with_asked_again(outer, run, reading))
    return found


def with_asked_again(run: RunScores, folder: Path, reading: Reading | None = None) -> RunScores:
    """A run with those inside its folder, whose pixel size was scaled or withheld.

    Args:
        run: The run itself.
        folder: Where it lies.
        reading: How replies of those inside are read; by default as they were scored.

    Raises:
        UsageError: A folder inside holds no evaluated run.
    """
    inside = (read_run(one, reading=reading) for one in folders_asked_again(folder))
    return replace(run, asked_again=tuple(inside))


def row_pictures(
    root: Path | None = None,
) -> Callable[[dict[str, Any]], npt.NDArray[np.uint8]]:
    """The picture of a row of `samples.parquet`, as shown to the model.

    Args:
        root: Stands for a folder above images that are no longer where the run found them.
    """
    pictures, sample_of = SlicePictures(), row_samples(root)
    return lambda row: pictures.picture(sample_of(row))


def row_samples(root: Path | None = None) -> Callable[[dict[str, Any]], Sample]:
    """The sample of a row of `samples.parquet`, with its image where it lies now.

    Args:
        root: Stands for a folder above images that are no longer where the run found them.
    """
    moved: dict[str, str] = {}

    def sample_of(row: dict[str, Any]) -> Sample:
        sample = sample_from_row(row)
        uri = sample.image_uri
        if root is not None and uri not in moved:  # a volume is digested once for all its slices
            moved[uri] = str(moved_input(Path(uri), root, sample.image_sha256))
        return replace(sample, image_uri=moved.get(uri, uri))

    return sample_of
