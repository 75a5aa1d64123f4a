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
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from medvision.errors import UsageError

PROFILES = {0: "slice_profiles_x", 1: "slice_profiles_y", 2: "slice_profiles_z"}
"""Array axis along which slices count, to the key of a case's slices."""

_MAPS = ("labels_map", "landmarks_map", "lines_map", "angles_map")

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
        if re.search(rb"\\u[dD][89a-fA-F]", text):  # half a character alone is no text
            json.dumps(content, ensure_ascii=False).encode()
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        msg = f"{path}: cannot read the benchmark plan: {error}"
        raise PlanError(msg) from error
    if not isinstance(content, dict) or not isinstance(content.get("tasks"), list):
        msg = f"{path}: expected a benchmark plan with a list of tasks, found none"
        raise PlanError(msg)
    tasks: list[PlanTask] = []
    for rank, entry in enumerate(content["tasks"], start=1):
        where = f"{path}: task {rank}"
        if not isinstance(entry, dict) or not any(key in entry for key in SPLITS.values()):
            msg = f"{where}: expected train_cases or test_cases, found neither; is the plan "
            msg += "processed?"
            raise PlanError(msg)
        _require_shape(entry, where)
        task_id = str(entry.get("task_ID", f"{rank:02d}"))
        task = PlanTask(task_id=task_id, content=_content(entry, where), fields=entry)
        if (task_id, task.content) in [(other.task_id, other.content) for other in tasks]:
            msg = f"{where}: expected a task_ID of its own, found {task_id!r} again"
            raise PlanError(msg)
        tasks.append(task)
    info = content.get("dataset_info", {})
    return Plan(
        dataset=str((info.get("dataset") if isinstance(info, dict) else "") or ""),
        sha256=hashlib.sha256(text).hexdigest(),
        tasks=tuple(tasks),
    )


def _require_shape(task: Mapping[str, Any], where: str) -> None:
    """Refuse a task whose parts are not of the types that a plan has."""
    kinds: dict[str, type] = dict.fromkeys(_MAPS, dict) | dict.fromkeys(SPLITS.values(), list)
    kinds |= dict.fromkeys(("image_modality", "image_description", "task_type"), str)
    for key, kind in kinds.items():
        if key in task and not isinstance(task[key], kind):
            word = {"dict": "an object", "list": "a list", "str": "text"}[kind.__name__]
            msg = f"{where}: {key}: expected {word}, found {json.dumps(task[key])[:60]}"
            raise PlanError(msg)
    for key in SPLITS.values():
        for place, case in enumerate(task.get(key, [])):
            if not isinstance(case, dict) or not isinstance(case.get("case_ID", ""), str | int):
                msg = f"{where}: {key}[{place}]: expected an object with a case_ID, found "
                raise PlanError(msg + json.dumps(case)[:60])


def _content(task: Mapping[str, Any], where: str) -> PlanContent:
    """What the first non-empty slice profile looks like; else what the task says of itself."""
    # What is odd here is told of its case, when that is read.
    slices = (
        on
        for split in SPLITS.values()
        for case in task.get(split, [])
        for key in PROFILES.values()
        for on in (case.get(key) if isinstance(case.get(key), list) else [])
    )
    profiles = (on.get("slice_profile") for on in slices if isinstance(on, dict))
    entry = next((one[0] for one in profiles if one and isinstance(one, list)), None)
    if isinstance(entry, list):
        return PlanContent.AXES
    if entry is not None:
        for key, content in _TELLING_KEYS.items():
            if isinstance(entry, dict) and key in entry:
                return content
        known = ", ".join(_TELLING_KEYS)
        msg = f"{where}: expected one of {known} in a slice profile, found {json.dumps(entry)[:60]}"
        raise PlanError(msg)
    by_type = {"detection": PlanContent.BOXES, "segmentation": PlanContent.AREAS}
    biometry = PlanContent.AXES if "target_label" in task else PlanContent.MEASUREMENTS
    return by_type.get(task.get("task_type", ""), biometry)


_TELLING_KEYS = {
    "bboxes": PlanContent.BOXES,
    "pixel_count": PlanContent.AREAS,
    "metric_key": PlanContent.MEASUREMENTS,
}
