"""Published plans as table folders, one per task, with the published split."""

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medvision.errors import UsageError
from medvision.storage import checked_name, only_process, remove_tree, sync
from medvision.table.annotate_case import Problem
from medvision.table.manifest import (
    TABLE_KEYS,
    content_key,
    package_versions,
    read_manifest,
    write_manifest,
)
from medvision.table.parts import missing_parts, table_parts
from medvision.table.plan import PlanContent, read_plan
from medvision.table.plan_cases import PlanContext, plan_case, plan_context
from medvision.table.plan_rows import PlanCaseError
from medvision.table.schema import BIOMETRIC_SCHEMA, CASE_SCHEMA, REGION_SCHEMA, STRUCTURE_SCHEMA
from medvision.table.split import SPLIT_SEED
from medvision.table.writer import TableWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTask:
    """One table folder made from one task of a plan."""

    folder: Path
    task_id: str
    content: PlanContent
    n_cases: int
    n_rows: int
    problems: tuple[Problem, ...]
    up_to_date: bool = False


def import_plan(
    path: Path, out: Path, *, name: str = "", data: Path | None = None
) -> list[ImportedTask]:
    """Turn a plan into table folders `<out>/<kind>-Task<NN>`, one per task.

    Labels, values and splits are the plan's; subjects, cohorts and known faults (as flags) are the
    catalogue's where it knows the dataset.

    Args:
        path: `benchmark_plan_*.json` or `.json.gz`.
        out: Folder for the table folders.
        name: Dataset name; by default what the plan says.
        data: Folder below which the plan's image files lie; by default the plan's own.

    Raises:
        PlanError: The file is no plan.
        UsageError: No dataset name; or other tables in a folder to be written.
    """
    plan = read_plan(path)
    dataset = name or plan.dataset
    if not dataset:
        msg = f"{path}: the plan names no dataset; add --name"
        raise UsageError(msg)
    inputs = {str(path): plan.sha256}
    with only_process(out, "importing a plan"):
        return [
            _import_task(inputs, out, plan_context(task, dataset, data or path.parent))
            for task in plan.tasks
        ]


def _import_task(inputs: Mapping[str, str], out: Path, context: PlanContext) -> ImportedTask:
    task_id = checked_name(context.task.task_id, "task_ID of the plan")
    folder = out / f"{checked_name(context.kind, 'kind of task')}-Task{task_id}"
    (sha256,) = inputs.values()
    key = content_key({"plan": sha256, "name": context.name, "data": context.data})
    done = read_manifest(folder, TABLE_KEYS, "remove the folder and import the plan again")
    if folder.exists() and (done is None or "imported" not in done):
        msg = f"{folder} holds something that no import wrote; give another --out, or remove it"
        raise UsageError(msg)
    if done and done["key"] == key and not missing_parts(folder, done):
        return _imported(folder, context, done, up_to_date=True)
    draft = out / f".draft-{folder.name}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    counts, problems = _write(draft, context)
    manifest = {
        "stage": "build",
        "name": context.name,
        "description": str(context.task.fields.get("image_description", "")).strip(),
        "root": None,
        "key": key,
        "options": {"dataset": context.name, "spacing_from": None},
        "seed": SPLIT_SEED,
        "versions": package_versions(),
        "inputs": inputs,
        "counts": {**counts, "dropped": dict(Counter(problem.reason for problem in problems))},
        "problems": [asdict(problem) for problem in problems],
        "imported": {"task_id": context.task.task_id, "content": str(context.task.content)},
    }
    for part in draft.rglob("*.parquet"):
        sync(part)
    write_manifest(draft, manifest | {"parts": table_parts(draft)})
    remove_tree(folder)
    draft.rename(folder)
    return _imported(folder, context, manifest, up_to_date=False)


def _imported(
    folder: Path, context: PlanContext, manifest: Mapping[str, Any], *, up_to_date: bool
) -> ImportedTask:
    counts = manifest["counts"]
    return ImportedTask(
        folder=folder,
        task_id=context.task.task_id,
        content=context.task.content,
        n_cases=counts["cases_out"],
        n_rows=counts["regions"] + counts["biometrics"],
        problems=tuple(Problem(**entry) for entry in manifest["problems"]),
        up_to_date=up_to_date,
    )


def _write(draft: Path, context: PlanContext) -> tuple[dict[str, int], list[Problem]]:
    """Write the tables of one task; counts, and cases that could not be used."""
    records, problems = [], []
    measures = context.task.content is PlanContent.MEASUREMENTS
    with (
        TableWriter(draft, "structures", STRUCTURE_SCHEMA),
        TableWriter(draft, "regions", REGION_SCHEMA) as regions,
        TableWriter(draft, "biometrics", BIOMETRIC_SCHEMA) as biometrics,
    ):
        ordered = sorted(context.task.cases(), key=lambda entry: str(entry[1].get("case_ID")))
        for split, case in ordered:
            case_id = str(case.get("case_ID"))
            try:
                record, rows = plan_case(context, case, split)
            except PlanCaseError as error:
                problem = Problem(case_id=case_id, reason=error.reason, message=str(error))
                problems.append(problem)
                continue
            records.append(record)
            (biometrics if measures else regions).write(rows, split)
    pq.write_table(pa.Table.from_pylist(records, CASE_SCHEMA), draft / "cases.parquet")
    counts = {"cases_in": len(ordered), "cases_out": len(records), "structures": 0}
    return counts | {"regions": regions.n_rows, "biometrics": biometrics.n_rows}, problems
