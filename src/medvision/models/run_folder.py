"""A run's folder: the frozen sample list, and the manifest that identifies the run.

samples.parquet   the questions with their truths, frozen by the first evaluation
in_pieces.parquet  beside it, where the protocol lists them: structures in several pieces, not asked
responses.sqlite  every reply
scores.parquet    one row per reply, made again by `medvision score`
process.parquet   beside it where steps were asked for: how far off each step is
manifest.json     model, settings, frames, versions; written last
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from medvision.declarations import decoded
from medvision.errors import UsageError
from medvision.frames import View
from medvision.pictures.render import renderer_version
from medvision.pictures.view import PictureFamily
from medvision.samples import SAMPLE_SCHEMA
from medvision.storage import draft_of
from medvision.table.manifest import MANIFEST, read_manifest
from medvision.table.own_files import DamagedFileError, Keys, read_rows
from medvision.table.schema import with_facts

logger = logging.getLogger(__name__)

RUN_SAMPLE_SCHEMA = SAMPLE_SCHEMA.append(pa.field("pixel_sha256", pa.string())).append(
    pa.field("renderer", pa.string())
)
"""`pixel_sha256`: of the slice on its stored pixels, as `renderer` drew it; both null until it was
drawn."""

STATED_NMAE = "stated_nmae_frac"
"""Column of an imported sample list: error / diagonal as its source gives it; for samples whose
pixel spacing is not known here."""


ASK_AGAIN = "run `medvision eval` as before to make it again; stored replies are kept"
"""The end of a message about a damaged file of a run."""

RUN_KEYS: Keys = {
    "model": str,
    "revision": (str, type(None)),
    "style": str,
    "family": dict,
}
"""What manifests of runs have, of this and earlier versions."""


def samples_path(run: Path) -> Path:
    """The frozen sample list."""
    return run / "samples.parquet"


def store_path(run: Path) -> Path:
    """The replies."""
    return run / "responses.sqlite"


def scores_path(run: Path) -> Path:
    """The scores."""
    return run / "scores.parquet"


def in_pieces_path(run: Path) -> Path:
    """The list of structures in several pieces that were left out."""
    return run / "in_pieces.parquet"


def process_path(run: Path) -> Path:
    """The process scores."""
    return run / "process.parquet"


def run_manifest(run: Path) -> dict[str, Any]:
    """The manifest of an evaluated run.

    Raises:
        UsageError: The folder holds none.
    """
    manifest = read_manifest(run, RUN_KEYS, ASK_AGAIN)
    if manifest is None or manifest["stage"] != "eval":
        msg = f"{run}: expected a run folder with a manifest.json; run `medvision eval` first"
        raise UsageError(msg)
    return manifest


def run_family(run: Path, manifest: Mapping[str, Any]) -> PictureFamily:
    """How the model of an evaluated run saw the pictures.

    Raises:
        DamagedFileError: The manifest says something else.
    """
    where = f"{run / MANIFEST}: damaged: family"
    return decoded(PictureFamily, manifest["family"], where, DamagedFileError)


def freeze_samples(run: Path, samples: pa.Table) -> dict[str, str]:
    """Freeze the sample list of a run, or check that it is the one already frozen.

    Args:
        run: The run folder; made if it is not there.
        samples: The questions, columns as in `SAMPLE_SCHEMA`.

    Returns:
        Sample id to pixel digest, for samples drawn before from the same image file by the same
        renderer.

    Raises:
        UsageError: No sample at all, or the run has another sample list.
    """
    if not samples.num_rows:
        msg = (
            "no sample is left to ask; check --split, the task and the suite's filters (axis "
            "lengths and counts are asked of labels declared a tumour or lesion: `target = true`, "
            "or --target-labels)"
        )
        raise UsageError(msg)
    run.mkdir(parents=True, exist_ok=True)
    path = samples_path(run)
    if not path.exists():
        write_samples(run, samples, {})
        return {}
    try:
        frozen = read_samples(run)
    except DamagedFileError as error:
        # What is asked now is the list: replies are found by all that they depend on.
        logger.warning("%s", error)
        write_samples(run, samples, {})
        return {}
    is_same = _questions(frozen).equals(_questions(samples))
    if not is_same or _crops(frozen) != _crops(samples):
        msg = (
            f"{run} holds another sample list ({frozen.num_rows} samples, {samples.num_rows} asked "
            "for now); use another --run folder"
        )
        raise UsageError(msg)
    same_image = pc.equal(frozen["image_sha256"], samples["image_sha256"])
    same_renderer = pc.equal(frozen["renderer"], _renderers(samples))
    same_picture = pc.and_(same_image, same_renderer)
    # Pictures of older lists, which do not say it, were drawn with a window.
    is_stated = "ct_window" in frozen.column_names
    windowed = frozen["ct_window"] if is_stated else pa.scalar(value=True)
    same_picture = pc.and_(same_picture, pc.equal(windowed, samples["ct_window"]))
    trusted = frozen.filter(same_picture)
    pairs = zip(*(trusted[name].to_pylist() for name in ("sample_id", "pixel_sha256")), strict=True)
    return {sample_id: digest for sample_id, digest in pairs if digest}


def _questions(samples: pa.Table) -> pa.Table:
    """What makes a sample list another one; lists older than views are of the first."""
    questions = samples.select(["sample_id", "truth"])
    if "view" in samples.column_names:
        return questions.append_column("view", samples["view"])
    views = pa.repeat(pa.scalar(str(View.RADIOLOGICAL)), samples.num_rows)
    return questions.append_column("view", views)


def _crops(samples: pa.Table) -> list[tuple[int, ...]]:
    """The part asked about of each slice; lists older than crops ask about whole ones."""
    if "crop_px" not in samples.column_names:
        return [()] * samples.num_rows
    return [tuple(crop or ()) for crop in samples["crop_px"].to_pylist()]


def _renderers(samples: pa.Table) -> pa.Array:
    """Version of what draws each sample's slice; of PET it depends on the image's header."""
    modalities, uris = (samples[name].to_pylist() for name in ("modality", "image_uri"))
    images = list(zip(modalities, uris, strict=True))
    versions = {image: renderer_version(*image) for image in set(images)}
    return pa.array([versions[image] for image in images], pa.string())


def write_samples(run: Path, samples: pa.Table, pixel_sha256: Mapping[str, str]) -> None:
    """Write the sample list with the pixel digests known, atomically."""
    digests = pa.array(map(pixel_sha256.get, samples["sample_id"].to_pylist()), pa.string())
    nothing = pa.scalar(None, pa.string())
    renderers = pc.if_else(pc.is_valid(digests), _renderers(samples), nothing)
    table = samples.append_column("pixel_sha256", digests).append_column("renderer", renderers)
    schema = with_facts(RUN_SAMPLE_SCHEMA, table.column_names)
    write_parquet(samples_path(run), table.select(schema.names).cast(schema))


def require_samples(run: Path) -> Path:
    """The file of the frozen sample list.

    Raises:
        UsageError: The run has none.
    """
    path = samples_path(run)
    if not path.exists():
        msg = f"{run}: expected a run folder with samples.parquet; run `medvision eval` first"
        raise UsageError(msg)
    return path


def read_samples(run: Path) -> pa.Table:
    """The frozen sample list, with columns as in `RUN_SAMPLE_SCHEMA`.

    Raises:
        UsageError: The run has none, or the file is damaged.
    """
    # Versions before counted no pixels and knew one view; only imported runs have the last.
    schema = RUN_SAMPLE_SCHEMA.append(pa.field(STATED_NMAE, pa.float64()))
    optional = ["min_px", "view", "ct_window", "crop_px", STATED_NMAE]
    return read_rows(require_samples(run), schema, ASK_AGAIN, optional=optional)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a Parquet file so that readers see the old or the new one."""
    with draft_of(path) as draft:
        pq.write_table(table, draft, compression="zstd", write_page_checksum=True)
