"""A case of a published plan with its names: dataset, cohort, subject, images, and flags.

Where the catalogue knows the dataset, it says which cohort and subject a case is of, and what is
known to be wrong with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from medvision.catalog.cohort import Cohort
from medvision.catalog.dataset import Dataset, DatasetTask, dataset_names, load_dataset
from medvision.errors import UsageError
from medvision.frames import SLICE_AXIS, VOLUME_PLANES
from medvision.storage import absolute
from medvision.table.plan import PlanContent, PlanTask
from medvision.table.plan_rows import (
    PlanCaseError,
    PlanGrid,
    biometric_dicts,
    plan_grid,
    region_dicts,
)
from medvision.table.schema import BIOMETRIC_SCHEMA, CASE_SCHEMA, REGION_SCHEMA
from medvision.tasks import Task
from medvision.volumes.volume import SUSPECT_MIN_SIDE_PX

ASKS = {
    PlanContent.BOXES: Task.DETECTION,
    PlanContent.AREAS: Task.AREA,
    PlanContent.AXES: Task.TUMOR_LESION,
    PlanContent.MEASUREMENTS: Task.ANGLE_DISTANCE,
}
"""What a plan holds, to the kind of question of the catalogue's tasks."""

MODALITIES = {"X Ray": "XR", "ultrasound": "US", "": "MRI"}
"""Modality words of the original, to ours; the empty one is that of fetal biometry."""

IMPORTED = "imported_plan"
SPACING_TOLERANCE_MM = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContext:
    """What naming a task's rows needs.

    Attributes:
        data: Folder below which the plan's files lie.
        declared: What the catalogue says of the dataset.
        subjects_on_both_sides: Subjects with cases in the plan's training and test set.
    """

    name: str
    task: PlanTask
    data: Path
    declared: Dataset | None
    subjects_on_both_sides: frozenset[str]

    @property
    def kind(self) -> Task:
        """The catalogue's kind of question."""
        return ASKS[self.task.content]

    def declared_task(self) -> DatasetTask | None:
        """The catalogue's task of that kind and number, if it has one."""
        tasks = self.declared.tasks if self.declared else ()
        fitting = (t for t in tasks if t.id == self.task.task_id and self.kind in t.asks)
        return next(fitting, None)

    def cohort(self) -> Cohort | None:
        """The catalogue's cohort of the task, if it has one."""
        task = self.declared_task()
        return self.declared.cohort(task.cohort) if self.declared and task else None

    def subject(self, case_id: str) -> str:
        """The subject of a case."""
        return _subject(self.declared, case_id)


def plan_context(task: PlanTask, name: str, data: Path) -> PlanContext:
    """Look up what the catalogue knows of a plan's task."""
    declared = load_dataset(name) if name in dataset_names() else None
    sides: dict[str, set[str]] = {}
    for split, case in task.cases():
        sides.setdefault(_subject(declared, str(case.get("case_ID"))), set()).add(split)
    both = frozenset(subject for subject, splits in sides.items() if len(splits) > 1)
    return PlanContext(
        name=name, task=task, data=data, declared=declared, subjects_on_both_sides=both
    )


def _subject(declared: Dataset | None, case_id: str) -> str:
    """The catalogue's subject of a case, or the case itself."""
    if declared is None:
        return case_id
    try:
        return declared.subject(case_id)
    except UsageError:
        return case_id


_ODD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, pa.ArrowException)
"""What Python, NumPy and Arrow raise for a case that is not of a plan's shape."""


def plan_case(
    context: PlanContext, case: Mapping[str, Any], split: str
) -> tuple[dict[str, Any], pa.Table]:
    """The case's row of `cases.parquet`, and its rows.

    Raises:
        PlanCaseError: The case is not as the original writes it.
    """
    item = f"{context.name}/{case.get('case_ID')}"
    measures = context.task.content is PlanContent.MEASUREMENTS
    schema = BIOMETRIC_SCHEMA if measures else REGION_SCHEMA
    keys = ["slice_index", "metric_kind", "metric_key"]
    try:
        grid = plan_grid(case["image_file_info"], item)
        record = _record(context, case, grid, split)
        rows = (biometric_dicts if measures else region_dicts)(context.task, case, grid)
        named = {name: record[name] for name in ("dataset", "cohort", "case_id", "subject_id")}
        named |= {"split": split} | (
            {"image_id": record["images"][0]["image_id"]} if measures else {}
        )
        table = pa.Table.from_pylist([{**row, **named} for row in rows], schema)
        pa.Table.from_pylist([record], CASE_SCHEMA)  # it is written with all others, at the end
    except _ODD as error:
        msg = f"{item}: expected a case as the original writes it, found {error!r}"
        raise PlanCaseError(msg) from error
    if not measures:
        keys = ["label_id", "slice_index", "component"]
    return record, table.sort_by([(key, "ascending") for key in keys])


def _record(
    context: PlanContext, case: Mapping[str, Any], grid: PlanGrid, split: str
) -> dict[str, Any]:
    case_id, cohort = str(case["case_ID"]), context.cohort()
    word = str(context.task.fields.get("image_modality", ""))
    mask, file = case.get("mask_file"), PurePosixPath(str(case["image_file"]))
    images = cohort.images if cohort else ()
    fitting = (i.id for i in images if PurePosixPath(i.files.replace("{case}", case_id)) == file)
    return {
        "dataset": context.name,
        "cohort": cohort.name if cohort else "",
        "case_id": case_id,
        "subject_id": context.subject(case_id),
        "split": split,
        "images": [
            {
                "image_id": next(fitting, "image"),
                "modality": MODALITIES.get(word, word),
                "uri": str(absolute(context.data / case["image_file"])),
                "sha256": "",
            }
        ],
        "mask_uri": str(absolute(context.data / mask)) if mask else None,
        "shape_ijk": list(grid.shape_ijk),
        "spacing_mm": list(grid.spacing_mm),
        "affine": grid.affine.ravel().tolist(),
        "orientation_as_stored": grid.orientation,
        "obliquity_deg": None,
        "spacing_source": "plan",
        "flags": list(_flags(context, case, grid)),
        "volume_fingerprint": "",
    }


def _flags(context: PlanContext, case: Mapping[str, Any], grid: PlanGrid) -> list[str]:
    """What is known to be wrong or different with an imported case."""
    cohort, case_id = context.cohort(), str(case["case_ID"])
    norms_mm = np.linalg.norm(grid.affine[:3, :3], axis=0)
    is_ct = context.task.fields.get("image_modality") == "CT"
    unit = np.allclose(grid.spacing_mm, 1.0, rtol=0, atol=1e-6)
    large = sorted(grid.shape_ijk)[-2] >= SUSPECT_MIN_SIDE_PX
    planes = {axis for axis, key in enumerate("xyz") if case.get(f"slice_profiles_{key}")}
    allowed = {SLICE_AXIS[plane] for plane in (cohort and cohort.planes) or VOLUME_PLANES}
    image, mask = case["image_file_info"], case.get("mask_file_info")
    mask_differs = mask is not None and (
        list(image["array_size"]) != list(mask["array_size"])
        or not np.allclose(image["affine"], mask["affine"], rtol=1e-3, atol=1e-3)
    )
    found = {
        IMPORTED: True,
        "orientation_not_ras": grid.orientation != "RAS",
        "spacing_suspect": bool(is_ct and unit and large)
        or bool(cohort and case_id in cohort.placeholder_spacing),
        "spacing_contradicts_affine": not np.allclose(
            norms_mm, grid.spacing_mm, rtol=0, atol=SPACING_TOLERANCE_MM
        ),
        "mask_grid_differs": mask_differs,
        "mixed_planes": bool(planes - allowed),
        "excluded": bool(cohort and case_id in cohort.excluded),
        "subject_on_both_sides": context.subject(case_id) in context.subjects_on_both_sides,
    }
    return [flag for flag, holds in found.items() if holds]
