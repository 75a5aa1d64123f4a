"""A run's folder: the frozen sample list, and the manifest that identifies the run.

samples.parquet   the questions with their truths, frozen by the first evaluation
responses.sqlite  every reply
scores.parquet    one row per reply, made again by `medvision score`
manifest.json     model, settings, frames, versions; written last
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medvision.errors import UsageError
from medvision.pictures.render import renderer_versions
from medvision.samples import SAMPLE_SCHEMA, Sample, sample_table
from medvision.table.manifest import read_manifest

RUN_SAMPLE_SCHEMA = SAMPLE_SCHEMA.append(pa.field("pixel_sha256", pa.string())).append(
    pa.field("renderer", pa.string())
)
"""`pixel_sha256`: of the slice on its stored pixels, as `renderer` drew it; both null until it was
drawn."""


def samples_path(run: Path) -> Path:
    """The frozen sample list."""
    return run / "samples.parquet"


def store_path(run: Path) -> Path:
    """The replies."""
    return run / "responses.sqlite"


def scores_path(run: Path) -> Path:
    """The scores."""
    return run / "scores.parquet"


def run_manifest(run: Path) -> dict[str, Any]:
    """The manifest of an evaluated run.

    Raises:
        UsageError: The folder holds none.
    """
    manifest = read_manifest(run)
    if manifest is None or manifest.get("stage") != "eval":
        msg = f"{run}: expected a run folder with a manifest.json; run `medvision eval` first"
        raise UsageError(msg)
    return manifest


def freeze_samples(run: Path, samples: Sequence[Sample]) -> dict[str, str]:
    """Freeze the sample list of a run, or check that it is the one already frozen.

    Args:
        run: The run folder; made if it is not there.
        samples: The questions.

    Returns:
        Sample id to pixel digest, for samples rendered before from the same image file by the
        same renderer.

    Raises:
        UsageError: No sample at all, or the run has another sample list.
    """
    if not samples:
        msg = "no sample is left to ask; check --split, the task and the suite's filters"
        raise UsageError(msg)
    run.mkdir(parents=True, exist_ok=True)
    wanted = sample_table(samples)
    path = samples_path(run)
    if not path.exists():
        write_samples(run, samples, {})
        return {}
    frozen = pq.read_table(path, partitioning=None)
    if not _same_questions(frozen, wanted):
        msg = (
            f"{run} holds another sample list ({frozen.num_rows} samples, {wanted.num_rows} asked "
            "for now); use another --run folder"
        )
        raise UsageError(msg)
    return _known_digests(frozen, samples)


def _same_questions(frozen: pa.Table, wanted: pa.Table) -> bool:
    columns = ["sample_id", "truth"]
    return bool(frozen.select(columns).equals(wanted.select(columns)))


def _known_digests(frozen: pa.Table, samples: Sequence[Sample]) -> dict[str, str]:
    names = ["pixel_sha256", "renderer", "image_sha256"]
    rows = zip(*(frozen[name].to_pylist() for name in names), strict=True)
    now = renderer_versions(samples)
    return {
        sample.sample_id: digest
        for (digest, renderer, image_sha256), sample in zip(rows, samples, strict=True)
        if digest and renderer == now[sample.sample_id] and image_sha256 == sample.image_sha256
    }


def write_samples(run: Path, samples: Sequence[Sample], pixel_sha256: dict[str, str]) -> None:
    """Write the sample list with the pixel digests known, atomically."""
    digests = [pixel_sha256.get(sample.sample_id) for sample in samples]
    versions = renderer_versions(samples)
    renderers = [
        versions[sample.sample_id] if digest else None
        for sample, digest in zip(samples, digests, strict=True)
    ]
    table = sample_table(samples)
    table = table.append_column("pixel_sha256", pa.array(digests, pa.string()))
    table = table.append_column("renderer", pa.array(renderers, pa.string()))
    write_parquet(samples_path(run), table.cast(RUN_SAMPLE_SCHEMA))


def read_samples(run: Path) -> pa.Table:
    """The frozen sample list, with columns as in `RUN_SAMPLE_SCHEMA`.

    Raises:
        UsageError: The run has none.
    """
    path = samples_path(run)
    if not path.exists():
        msg = f"{run}: expected a run folder with samples.parquet; run `medvision eval` first"
        raise UsageError(msg)
    return pq.read_table(path, partitioning=None)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a Parquet file so that readers see the old or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    pq.write_table(table, draft, compression="zstd")
    draft.replace(path)
