"""Published benchmark plans: the structure of the original `benchmark_plan_*.json(.gz)` files.

A plan holds `dataset_info` and a list of `tasks`. A task names its images (`image_modality`,
`image_description`, folders, prefixes, suffixes), `labels_map` or `landmarks_map`, `lines_map`,
`angles_map`, `task_ID`, `task_type`, and `train_cases` and `test_cases`. A case has `case_ID`,
`image_file`, `mask_file` or `landmark_file`, `image_file_info` (`voxel_size` rounded to 3 decimals,
`affine`, `orientation`, `array_size`), and `slice_profiles_x`, `_y`, `_z`: lists of `slice_idx` and
`slice_profile`. What a profile holds tells the four kinds apart:

- boxes: `label` and `bboxes` with inclusive `min_coords` and `max_coords`;
- areas: `label`, `pixel_count` and `ROI_area` of all its parts;
- axes: for each measured ellipse a list of two distances, `L-1-2` and `L-3-4`;
- measurements: `metric_type`, `metric_key`, `metric_value`, `metric_unit`.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from medvision.errors import UsageError

PROFILES = {0: "slice_profiles_x", 1: "slice_profiles_y", 2: "slice_profiles_z"}
"""Array axis along which slices count, to the key of a case's slices."""

SPLITS = {"train": "train_cases", "test": "test_cases"}


class PlanError(UsageError):
    """The file is no benchmark plan, or lacks something a plan has."""


class PlanContent(StrEnum):
    """What a plan's slice profiles hold."""

    BOXES = "boxes"
    AREAS = "areas"
    AXES = "axes"
    MEASUREMENTS = "measurements"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTask:
    """One task of a plan.

    Attributes:
        task_id: Two digits, as configs are called by.
        content: What its slice profiles hold.
        fields: The task as parsed, for its maps and folders.
    """

    task_id: str
    content: PlanContent
    fields: Mapping[str, Any]

    def cases(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Split and case, in the order of the file."""
        for split, key in SPLITS.items():
            for case in self.fields.get(key, []):
                yield split, case


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A published plan.

    Attributes:
        dataset: As `dataset_info` names it; may be empty.
        sha256: Hex digest of the JSON text, packed or not: gzip writes the time of packing into
            its header, so packed files of one plan differ.
    """

    dataset: str
    sha256: str
    tasks: tuple[PlanTask, ...]


def read_plan(path: Path) -> Plan:
    """Read a plan file.

    Args:
        path: `.json` or `.json.gz`.

    Raises:
        PlanError: Missing, damaged, or without the parts that a plan has.
    """
    try:
        text = path.read_bytes()
        if path.name.endswith(".gz"):
            text = gzip.decompress(text)
        content = json.loads(text)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        msg = f"{path}: cannot read the benchmark plan: {error}"
        raise PlanError(msg) from error
    if not isinstance(content, dict) or not isinstance(content.get("tasks"), list):
        msg = f"{path}: expected a benchmark plan with a list of tasks, found none"
        raise PlanError(msg)
    tasks = []
    for rank, entry in enumerate(content["tasks"], start=1):
        where = f"{path}: task {rank}"
        if not isinstance(entry, dict) or not any(key in entry for key in SPLITS.values()):
            msg = f"{where}: expected train_cases or test_cases, found neither; is the plan "
            msg += "processed?"
            raise PlanError(msg)
        task_id = str(entry.get("task_ID", f"{rank:02d}"))
        tasks.append(PlanTask(task_id=task_id, content=_content(entry, where), fields=entry))
    return Plan(
        dataset=str(content.get("dataset_info", {}).get("dataset") or ""),
        sha256=hashlib.sha256(text).hexdigest(),
        tasks=tuple(tasks),
    )


def _content(task: Mapping[str, Any], where: str) -> PlanContent:
    """What the first non-empty slice profile looks like; else what the task says of itself."""
    profiles = (
        profile["slice_profile"]
        for split in SPLITS.values()
        for case in task.get(split, [])
        for key in PROFILES.values()
        for profile in case.get(key, [])
    )
    entry = next((profile[0] for profile in profiles if profile), None)
    if isinstance(entry, list):
        return PlanContent.AXES
    if entry is not None:
        for key, content in _TELLING_KEYS.items():
            if isinstance(entry, dict) and key in entry:
                return content
        known = ", ".join(_TELLING_KEYS)
        msg = f"{where}: expected one of {known} in a slice profile, found {entry!r}"
        raise PlanError(msg)
    by_type = {"detection": PlanContent.BOXES, "segmentation": PlanContent.AREAS}
    biometry = PlanContent.AXES if "target_label" in task else PlanContent.MEASUREMENTS
    return by_type.get(task.get("task_type", ""), biometry)


_TELLING_KEYS = {
    "bboxes": PlanContent.BOXES,
    "pixel_count": PlanContent.AREAS,
    "metric_key": PlanContent.MEASUREMENTS,
}
