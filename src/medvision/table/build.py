"""Cases to tables: regions, biometrics, structures, cases, and the manifest last.

Each case's rows are staged as soon as they are measured, so an interrupted build goes on where
it stopped; the staged cases are then merged into Hive partitions, one row group at a time.
"""

import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medvision.catalog.asked import AskedImages
from medvision.declarations import decoded
from medvision.errors import ItemError, UsageError
from medvision.storage import absolute, only_process, remove_tree, sync
from medvision.table.annotate_case import AnnotateOptions, Problem
from medvision.table.case_worker import annotate_case, warm_worker
from medvision.table.cases import CaseSource, Unpaired
from medvision.table.derived import DERIVED
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
from medvision.table.mask_layers import EmptyMaskError
from medvision.table.notes import LABEL_NOTES, Note, case_notes
from medvision.table.own_files import DamagedFileError
from medvision.table.parts import changed_parts, table_parts
from medvision.table.schema import CASE_SCHEMA, ROW_SCHEMAS, with_facts
from medvision.table.split import SPLIT_SEED, subject_splits
from medvision.table.staged import (
    is_staged,
    read_staged,
    stage_published,
    write_staged,
)
from medvision.table.subjects import Subjects
from medvision.table.wording import in_keys
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """All that determines a table folder.

    Attributes:
        cases: Complete cases.
        unpaired: Listed cases that lack a file; they count for the split and as problems.
        options: Dataset-wide choices.
        description: What the pictures are, as prompts say it.
        root: Data root below which the files lie, for `--root` to re-base; or None.
        asked: What images are called, and which one each label is asked on.
        subjects: Their splits, and what else is known of them.
        notes: What is to be told of its files, though nothing failed.
        is_declared: Whether settings are keys of a declaration, as messages then name them.
    """

    cases: Sequence[CaseSource]
    unpaired: Sequence[Unpaired]
    options: AnnotateOptions
    description: str
    root: Path | None = None
    asked: AskedImages = field(default_factory=AskedImages)
    subjects: Subjects = field(default_factory=Subjects)
    notes: tuple[Note, ...] = ()
    is_declared: bool = False


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
    notes: tuple[Note, ...] = ()

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
    # Cases that lack a file are listed too: when it turns up, nobody changes sides.
    subjects = [case.subject_id for case in request.cases]
    subjects += [case.subject_id for case in request.unpaired if case.subject_id]
    request.subjects.require_splits(subjects)
    if done is None:
        warm_worker()  # while the files are digested; of what is up to date nothing is read
    digests, unreadable = input_digests(request.cases)
    key = _key(
        request,
        digests,
        cases=request.cases,
        unpaired=request.unpaired,
        description=request.description,
        asked=request.asked,
        subjects=request.subjects,
    )
    is_whole = False
    try:
        is_whole = bool(done) and not changed_parts(out, done or {})
        if done and is_whole and done["key"] == key:
            summary = _told_again(done, request.notes, out)
            remove_tree(out / STAGING)  # left by a process that was killed in its last clean-up
            return summary
    except DamagedFileError as error:
        logger.warning("%s", error)
    problems = _listing_problems(request, unreadable)
    staged, told = _measured(request, digests, out, done if is_whole else None, on_progress)
    problems += [problem for own in told.values() for problem in own]
    on_progress(len(request.cases), len(request.cases), "")
    splits = request.subjects.splits or subject_splits(request.options.dataset, subjects)
    counts = _merge(staged, splits, request.subjects, out)
    # What the machine could not do today (an extra that is not installed, memory, a permission) it
    # may do tomorrow: such tables are used, and never called up to date. The cases that were
    # measured stay staged, so that the next run tries the others only.
    may_pass = any(map(_may_pass, problems))
    manifest = _manifest(request, "" if may_pass else key, digests, problems, counts)
    known = {name: own for name, own in told.items() if not any(map(_may_pass, own))}
    whole = (one.name for one in staged if one.name in known or one.name not in told)
    manifest |= {"measured": sorted(whole), "told": known}
    told_ids = {problem.case_id for problem in problems}
    notes = case_notes(request.cases, told_ids, out / STAGING / "merged")
    manifest["notes"] = [*notes, *request.notes]
    _publish(out, manifest)
    return _summary(jsonable(manifest), up_to_date=False)


def _measured(
    request: BuildRequest,
    digests: Mapping[Path, str],
    out: Path,
    done: Mapping[str, Any] | None,
    on_progress: Progress,
) -> tuple[list[Path], dict[str, list[Problem]]]:
    """Folders of the staged cases, and the problems of each case that has any, by its key."""
    done = done or {}
    published, told_before = set(done.get("measured", ())), done.get("told", {})
    (out / STAGING).mkdir(parents=True, exist_ok=True)
    staged: list[Path] = []
    told: dict[str, list[Problem]] = {}
    for rank, case in enumerate(request.cases):
        on_progress(rank, len(request.cases), case.case_id)
        if not all(path in digests for path in case_inputs(case)):
            continue
        files = {path: digests[path] for path in case_inputs(case)}
        folder = out / STAGING / _key(request, files, case=case)
        before = _problems(told_before.get(folder.name, []), "manifest: told")
        if folder.name in published and not is_staged(folder):
            stage_published(folder, out, case, [asdict(problem) for problem in before])
        # A file that is wrong stays wrong until it is another one.
        is_known = bool(before) and not is_staged(folder)
        own = before if is_known else _stage(case, request.options, digests, folder, out)
        staged += [folder] if is_staged(folder) else []
        if own:
            told[folder.name] = own
    return staged, told


def _may_pass(problem: Problem) -> bool:
    return problem.reason in MAY_PASS


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
    case: CaseSource,
    options: AnnotateOptions,
    digests: Mapping[Path, str],
    folder: Path,
    out: Path,
) -> list[Problem]:
    """Measure one case into its staging folder, unless an earlier run has; its problems.

    A case that is left out for its empty mask is not staged, and is no problem.
    """
    derived = out / DERIVED
    if not is_staged(folder):
        try:
            try:
                annotated = annotate_case(case, options, digests, derived)
            except EmptyMaskError:
                if options.empty_masks == "left_out":
                    return []
                if not options.empty_masks:
                    raise
                bare = replace(case, mask=None, masks=(), colours={})
                annotated = annotate_case(bare, options, digests, derived)
        except ItemError as error:
            logger.info("%s: %s", case.case_id, error)  # the summary lists it
            return [Problem(case_id=case.case_id, reason=error.reason, message=str(error))]
        except MemoryError:
            message = f"{case.case_id}: expected to fit into memory, did not; free some, run again"
            return [Problem(case_id=case.case_id, reason="out_of_memory", message=message)]
        tables = {name: getattr(annotated, name) for name in ROW_SCHEMAS}
        problems = [asdict(problem) for problem in annotated.problems]
        write_staged(folder, tables, annotated.record, problems)
    return _problems(read_staged(folder)["problems"], str(folder))


def _problems(content: Any, where: str) -> list[Problem]:
    return list(decoded(tuple[Problem, ...], content, where, DamagedFileError))


def _merge(
    staged: Iterable[Path], splits: Mapping[str, str], subjects: Subjects, out: Path
) -> dict[str, int]:
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
        ((read_staged(folder)["record"], folder) for folder in staged),
        key=lambda entry: (entry[0]["cohort"], entry[0]["case_id"]),
    )
    records = [
        {
            **record,
            "split": splits[record["subject_id"]],
            "images": [{**image, "uri": relative(image["uri"])} for image in record["images"]],
            "mask_uri": relative(record["mask_uri"]),
            **subjects.facts(record["case_id"], record["subject_id"]),
        }
        for record, _ in by_case
    ]
    schema = with_facts(CASE_SCHEMA, subjects.fact_names)
    pq.write_table(pa.Table.from_pylist(records, schema), merged / "cases.parquet")
    counts = {"cases": len(records)}
    for name, keys in SORT_KEYS.items():
        with TableWriter(merged, name, ROW_SCHEMAS[name]) as writer:
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
    if request.is_declared:
        problems = [replace(one, message=in_keys(one.message)) for one in problems]
    folders = {str(absolute(path).parent) for path in digests}
    return {
        "stage": "build",
        "name": request.options.dataset,
        "description": request.description,
        "asked": request.asked,
        "root": str(absolute(request.root)) if request.root else None,
        # What `--root` stands for where the files are a user's own, and have moved.
        "files_root": None if request.root or not folders else os.path.commonpath(folders),
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


def _told_again(manifest: dict[str, Any], notes: Sequence[Note], out: Path) -> BuildSummary:
    """What tables that need no building hold, and what lies beside their files today."""
    told = decoded(tuple[Note, ...], manifest.get("notes", []), "manifest: notes", DamagedFileError)
    again = [*(one for one in told if one.kind in LABEL_NOTES), *notes]
    if again != list(told):
        manifest["notes"] = again
        write_manifest(out, manifest)
    return _summary(jsonable(manifest), up_to_date=True)


def _summary(manifest: dict[str, Any], *, up_to_date: bool) -> BuildSummary:
    counts = manifest["counts"]
    told = decoded(tuple[Note, ...], manifest.get("notes", []), "manifest: notes", DamagedFileError)
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
        notes=told,
    )
