"""Published results as a run: entries become samples, their replies the store of a run."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from medvision.declarations import read_json
from medvision.errors import UsageError
from medvision.exchange.result_files import (
    ResultEntryError,
    Stated,
    model_of,
    result_files,
    stated_results,
)
from medvision.exchange.stated_samples import stated_nmae_frac, stated_sample
from medvision.models.base import Reply, ResponseStatus
from medvision.models.run_folder import (
    RUN_KEYS,
    RUN_SAMPLE_SCHEMA,
    STATED_NMAE,
    samples_path,
    store_path,
    write_parquet,
)
from medvision.models.store import RequestRow, ResponseStore
from medvision.pictures.view import UNDECLARED, PictureFamily
from medvision.protocols import Protocol
from medvision.replies import Style
from medvision.samples import Sample, sample_table
from medvision.storage import only_process, sha256_file, write_text
from medvision.table.manifest import (
    jsonable,
    package_versions,
    read_manifest,
    utc_now,
    write_manifest,
)

SOURCE = "imported.json"
"""What a run was imported from; written first, so that an import cut off is begun anew."""

IMPORTER = "1"
"""Version of how result files are understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedResults:
    """A run made from result files.

    Attributes:
        model: As the run names it.
        n_samples: Entries taken over.
        problems: Why others were not.
        up_to_date: Nothing was left to do.
    """

    model: str
    n_samples: int
    problems: tuple[str, ...]
    up_to_date: bool = False


def import_results(
    paths: Sequence[Path], run: Path, *, protocol: Protocol, model: str = ""
) -> ImportedResults:
    """Turn result files of one model into a run that is scored and reported like any other.

    Args:
        paths: Files, or folders below which they lie.
        run: Run folder to make.
        protocol: How the replies came about and are to be read.
        model: Its name; by default that of the folder that holds the files.

    Raises:
        UsageError: No results; those of several models, or whole replies beside extracts; a folder
            that holds another run.
        DeclarationError: A file that is damaged.
    """
    files = result_files(paths)
    names = sorted({model} if model else {model_of(path) for path in files})
    if len(names) > 1:
        msg = f"expected the results of one model, found {', '.join(names)}; name one folder"
        raise UsageError(msg)
    source = {
        "importer": IMPORTER,
        "model": f"imported/{names[0]}",
        "protocol": jsonable(protocol),
        "files": {str(path): sha256_file(path) for path in files},
    }
    with only_process(run, "importing"):
        before = read_manifest(run, RUN_KEYS, "remove it and import the results again")
        begun = read_json(run / SOURCE) if (run / SOURCE).exists() else None
        if begun != source and any(run.iterdir()):
            msg = f"{run}: holds another run, or other files; choose another --out"
            raise UsageError(msg)
        if before is not None:
            n_samples, problems = before["counts"]["samples"], tuple(before["problems"])
            return ImportedResults(
                model=source["model"], n_samples=n_samples, problems=problems, up_to_date=True
            )
        write_text(run / SOURCE, json.dumps(source, indent=1) + "\n")
        return _imported(files, run, protocol, source)


def _imported(
    files: Sequence[Path], run: Path, protocol: Protocol, source: dict[str, Any]
) -> ImportedResults:
    problems: list[str] = []
    pairs: list[tuple[Stated, Sample]] = []
    given: Counter[str] = Counter()
    for entry in (entry for path in files for entry in stated_results(path)):
        try:
            if isinstance(entry, ResultEntryError):
                raise entry
            pairs.append((entry, stated_sample(entry, given)))
        except ResultEntryError as error:
            problems.append(str(error))
    is_whole = {entry.is_whole for entry, _ in pairs}
    if len(is_whole) != 1:
        found = "both; import logs with resps apart from the others" if is_whole else "no entry"
        msg = f"{files[0]}: expected whole replies, or what was taken from them, found {found}"
        raise UsageError(msg)
    samples = sample_table(sample for _, sample in pairs)
    for column in RUN_SAMPLE_SCHEMA.names[len(samples.column_names) :]:
        samples = samples.append_column(column, pa.nulls(len(pairs), pa.string()))
    nmae_frac = pa.array([stated_nmae_frac(entry) for entry, _ in pairs], pa.float64())
    write_parquet(samples_path(run), samples.append_column(STATED_NMAE, nmae_frac))
    store_path(run).unlink(missing_ok=True)
    with ResponseStore(store_path(run)) as store:
        rows = [
            RequestRow(sample_id=sample.sample_id, repeat=0, key=str(place), prompt="")
            for place, (_, sample) in enumerate(pairs)
        ]
        store.set_requests(rows)
        store.put_many(
            (
                (str(place), Reply(status=ResponseStatus.OK, text=entry.reply))
                for place, (entry, _) in enumerate(pairs)
            ),
            model=source["model"],
        )
    write_manifest(
        run,
        {
            "stage": "eval",
            "model": source["model"],
            "revision": "",
            # Whole replies hold the tags that were asked for; extracts are the bare values.
            "style": str(Style.COT if is_whole == {True} else Style.DIRECT),
            "protocol": protocol,
            "family": PictureFamily(name=UNDECLARED),
            "repeats": 1,
            "imported": source,
            "counts": {"samples": len(pairs), "left_out": len(problems)},
            "problems": problems,
            "versions": package_versions(),
            "finished_at": utc_now(),
        },
    )
    return ImportedResults(model=source["model"], n_samples=len(pairs), problems=tuple(problems))
