"""Cases to tables: regions, biometrics, structures, cases, and the manifest last.

Each case's rows are staged as soon as they are measured, so an interrupted build goes on where
it stopped; the staged cases are then merged into Hive partitions, one row group at a time.
"""

import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medvision.declarations import decoded
from medvision.errors import ItemError, UsageError
from medvision.storage import absolute, naming, only_process, remove_tree, sync
from medvision.table.case_worker import annotate_case, warm_worker
from medvision.table.cases import AnnotateOptions, CaseSource, Problem, Unpaired
from medvision.table.inputs import case_inputs, in_text, input_digests
from medvision.table.manifest import (
    MANIFEST,
    TABLE_KEYS,
    content_key,
    jsonable,
    package_versions,
    read_manifest,
    write_manifest,
)
from medvision.table.own_files import DamagedFileError, read_record, wrong_columns
from medvision.table.parts import changed_parts, table_parts
from medvision.table.schema import CASE_SCHEMA, SCHEMAS
from medvision.table.split import SPLIT_SEED, subject_splits
from medvision.table.writer import TableWriter

logger = logging.getLogger(__name__)

STAGING = ".build"
QUALITY_PAGE = "quality.html"
"""Name of the page about a table folder; one of older tables goes when they are built anew."""

TABLES_FORMAT = 2
"""Counts what tables hold: those of another format are built anew."""

MAY_PASS = frozenset(
    {
        "missing_extra",
        "missing_file",
        "out_of_memory",
        "reader_died",
        "reader_failed",
        "reader_timeout",
        "unreadable_file",
    }
)
"""Reasons that may lie in the machine and not in the content of a file: they are tried again."""

SORT_KEYS = {
    "structures": ("label_id",),
    "regions": ("label_id", "slice_index", "component"),
    "biometrics": ("slice_index", "metric_kind", "metric_key"),
}
STAGED = {name: SCHEMAS[name] for name in SORT_KEYS}
"""Columns of a case's staged files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """All that determines a table folder.

    Attributes:
        cases: Complete cases.
        unpaired: Listed cases that lack a file; they count for the split and as problems.
        options: Dataset-wide choices.
        description: What the pictures are, as prompts say it.
        root: Data root below which the files lie, for `--root` to re-base; or None.
    """

    cases: Sequence[CaseSource]
    unpaired: Sequence[Unpaired]
    options: AnnotateOptions
    description: str
    root: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSummary:
    """What a build did."""

    n_cases: int
    n_built: int
    n_structures: int
    n_regions: int
    n_biometrics: int
    problems: tuple[Problem, ...]
    up_to_date: bool

    def dropped(self) -> dict[str, int]:
        """Number of problems by reason."""
        return dict(Counter(problem.reason for problem in self.problems))


Progress = Callable[[int, int, str], None]


def build_tables(
    request: BuildRequest, out: Path, on_progress: Progress = lambda *_: None
) -> BuildSummary:
    """Build a table folder; does nothing when it is up to date.

    Args:
        request: Cases and choices.
        out: Table folder.
        on_progress: Called with (cases done, cases in all, case id).

    Returns:
        Counts, and a problem for each case or measurement that could not be used.

    Raises:
        UsageError: `out` holds the tables of a dataset of another name.
    """
    cases, unpaired = in_text(request.cases, request.unpaired)
    with only_process(out, "building tables"):
        return _built(replace(request, cases=cases, unpaired=unpaired), out, on_progress)


def _built(request: BuildRequest, out: Path, on_progress: Progress) -> BuildSummary:
    done = known_manifest(out)
    if done and done["name"] != request.options.dataset:
        msg = (
            f"{out} holds the tables of {done['name']!r}, not of {request.options.dataset!r}; "
            "give each dataset an --out of its own"
        )
        raise UsageError(msg)
    if done is None:
        warm_worker()  # while the files are digested; of what is up to date nothing is read
    digests, unreadable = input_digests(request.cases)
    key = _key(
        request,
        digests,
        cases=request.cases,
        unpaired=request.unpaired,
        description=request.description,
    )
    try:
        if done and done["key"] == key and not changed_parts(out, done):
            summary = _summary(done, up_to_date=True)
            remove_tree(out / STAGING)  # left by a process that was killed in its last clean-up
            return summary
    except DamagedFileError as error:
        logger.warning("%s", error)
    staging = out / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    staged, problems = [], _listing_problems(request, unreadable)
    for rank, case in enumerate(request.cases):
        on_progress(rank, len(request.cases), case.case_id)
        if all(path in digests for path in case_inputs(case)):
            files = {path: digests[path] for path in case_inputs(case)}
            # Named by all that its rows depend on: what an interrupted run has measured is taken
            # over if it is still the same, and never if it is not.
            folder = staging / _key(request, files, case=case)
            problems += _stage(case, request.options, digests, folder)
            staged += [folder] if (folder / "case.json").exists() else []
    on_progress(len(request.cases), len(request.cases), "")
    # Cases that lack a file are listed too: when it turns up, nobody changes sides.
    subjects = [case.subject_id for case in request.cases]
    subjects += [case.subject_id for case in request.unpaired if case.subject_id]
    counts = _merge(staged, subject_splits(request.options.dataset, subjects), out)
    # What the machine could not do today (an extra that is not installed, memory, a permission) it
    # may do tomorrow: such tables are used, and never called up to date. The cases that were
    # measured stay staged, so that the next run tries the others only.
    may_pass = any(problem.reason in MAY_PASS for problem in problems)
    manifest = _manifest(request, "" if may_pass else key, digests, problems, counts)
    _publish(out, manifest)
    return _summary(jsonable(manifest), up_to_date=False)


def known_manifest(out: Path) -> dict[str, Any] | None:
    """Manifest of a folder that is to be built; None, too, of one that is damaged: all is built."""
    try:
        return read_manifest(out, TABLE_KEYS, "building anew")
    except DamagedFileError as error:
        logger.warning("%s", error)
        return None


def _key(request: BuildRequest, files: Mapping[Path, str], **content: object) -> str:
    """Digest of files and of all that is made of them."""
    return content_key(
        {
            **content,
            "options": request.options,
            "files": files,
            "format": TABLES_FORMAT,
            "versions": package_versions(),
        }
    )


def _listing_problems(request: BuildRequest, unreadable: dict[Path, OSError]) -> list[Problem]:
    """Cases that cannot be started: one file of two, or a file that cannot be read."""
    problems = [
        Problem(case_id=case.case_id, reason=case.reason, message=case.message)
        for case in request.unpaired
    ]
    for case in request.cases:
        for path in case_inputs(case):
            if path in unreadable:
                found = unreadable[path].strerror
                message = f"{path}: expected a readable file, found: {found}"
                problems.append(
                    Problem(case_id=case.case_id, reason="missing_file", message=message)
                )
    return problems


def _stage(
    case: CaseSource, options: AnnotateOptions, digests: dict[Path, str], folder: Path
) -> list[Problem]:
    """Measure one case into its staging folder, unless an earlier run has; its problems."""
    if not _is_staged(folder):
        try:
            annotated = annotate_case(case, options, digests)
        except ItemError as error:
            logger.info("%s: %s", case.case_id, error)  # the summary lists it
            return [Problem(case_id=case.case_id, reason=error.reason, message=str(error))]
        except MemoryError:
            message = f"{case.case_id}: expected to fit into memory, did not; free some, run again"
            return [Problem(case_id=case.case_id, reason="out_of_memory", message=message)]
        draft = folder.with_name(f"draft-{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        with naming(draft):
            for name in SORT_KEYS:
                pq.write_table(getattr(annotated, name), draft / f"{name}.parquet")
        staged = {
            "record": annotated.record,
            "problems": [asdict(problem) for problem in annotated.problems],
        }
        (draft / "case.json").write_text(json.dumps(staged), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    return list(
        decoded(tuple[Problem, ...], _staged(folder)["problems"], str(folder), DamagedFileError)
    )


def _is_staged(folder: Path) -> bool:
    """Whether an earlier run has measured a case into its folder, and left it whole."""
    try:
        _staged(folder)
        for name, schema in STAGED.items():
            footer = pq.read_metadata(folder / f"{name}.parquet")
            if wrong_columns(footer.schema.to_arrow_schema(), schema):
                return False
    except (DamagedFileError, pa.ArrowException, OSError):
        return False
    return True


def _staged(folder: Path) -> dict[str, Any]:
    keys = {"record": dict, "problems": list}
    return read_record(folder / "case.json", keys, "run the build again")


def _merge(staged: Iterable[Path], splits: dict[str, str], out: Path) -> dict[str, int]:
    """Merge staged cases into `<staging>/merged/`; number of rows by table."""

    def relative(uri: str | None) -> str | None:
        """A URI below the table folder from there, so that the folder can be moved."""
        if uri is None:
            return None
        path = Path(uri)
        # By its words, and by where its folder is: either may go through a link.
        by_place = (path.parent.resolve() / path.name, out.resolve())
        for place, folder in ((path, absolute(out)), by_place):
            if place.is_relative_to(folder):
                return str(place.relative_to(folder))
        return uri

    merged = out / STAGING / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    by_case = sorted(
        ((_staged(folder)["record"], folder) for folder in staged),
        key=lambda entry: (entry[0]["cohort"], entry[0]["case_id"]),
    )
    records = [
        {
            **record,
            "split": splits[record["subject_id"]],
            "images": [{**image, "uri": relative(image["uri"])} for image in record["images"]],
            "mask_uri": relative(record["mask_uri"]),
        }
        for record, _ in by_case
    ]
    pq.write_table(pa.Table.from_pylist(records, CASE_SCHEMA), merged / "cases.parquet")
    counts = {"cases": len(records)}
    for name, keys in SORT_KEYS.items():
        with TableWriter(merged, name, SCHEMAS[name]) as writer:
            for record, folder in by_case:
                rows = pq.read_table(folder / f"{name}.parquet", partitioning=None)
                ordered = rows.sort_by([(key, "ascending") for key in keys])
                writer.write(ordered, splits[record["subject_id"]])
        counts[name] = writer.n_rows
    return counts


def _manifest(
    request: BuildRequest,
    key: str,
    digests: dict[Path, str],
    problems: Iterable[Problem],
    counts: dict[str, int],
) -> dict[str, Any]:
    problems = list(problems)
    return {
        "stage": "build",
        "name": request.options.dataset,
        "description": request.description,
        "root": str(absolute(request.root)) if request.root else None,
        "key": key,
        "options": request.options,
        "seed": SPLIT_SEED,
        "versions": package_versions(),
        "inputs": digests,
        "counts": {
            "cases_in": len(request.cases) + len(request.unpaired),
            "cases_out": counts["cases"],
            "structures": counts["structures"],
            "regions": counts["regions"],
            "biometrics": counts["biometrics"],
            "dropped": dict(Counter(problem.reason for problem in problems)),
        },
        "problems": problems,
    }


def _publish(out: Path, manifest: dict[str, Any]) -> None:
    """Swap the merged tables in: the old manifest goes first, the new one comes last."""
    merged = out / STAGING / "merged"
    for path in merged.glob("**/*.parquet"):
        sync(path)
    for name in (MANIFEST, QUALITY_PAGE):
        (out / name).unlink(missing_ok=True)
    for entry in sorted(merged.iterdir()):
        target = out / entry.name
        if target.is_dir():
            remove_tree(target)
        entry.replace(target)
    write_manifest(out, manifest | {"parts": table_parts(out)})
    if manifest["key"]:
        remove_tree(out / STAGING)


def _summary(manifest: dict[str, Any], *, up_to_date: bool) -> BuildSummary:
    counts = manifest["counts"]
    return BuildSummary(
        n_cases=counts["cases_in"],
        n_built=counts["cases_out"],
        n_structures=counts["structures"],
        n_regions=counts["regions"],
        n_biometrics=counts["biometrics"],
        problems=decoded(
            tuple[Problem, ...], manifest["problems"], "problems of the manifest", DamagedFileError
        ),
        up_to_date=up_to_date,
    )
