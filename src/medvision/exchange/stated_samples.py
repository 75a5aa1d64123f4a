"""Entries of result files as samples: what is known of each, and nothing made up.

A slice whose size is not known is the unit square, on which relative boxes are as they are; a pixel
spacing that is not known is NaN, so that nothing in millimetres is made of it. A sample without an
image is a subject of its own.
"""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import quote

import numpy as np

from medvision.catalog.dataset import dataset_names, load_dataset
from medvision.errors import UsageError
from medvision.exchange.result_files import ResultEntryError, Stated, numbers_of
from medvision.frames import SLICE_AXIS, SliceGeometry, View, box_px_from_relative
from medvision.samples import Sample
from medvision.scoring.metrics import is_valid_truth, truth_rule
from medvision.tasks import TASKS, MetricKind, Task

TASK_OF_LENGTH = {
    TASKS[task].n_values: task for task in (Task.DETECTION, Task.TUMOR_LESION, Task.ANGLE_DISTANCE)
}
"""The original's tasks, told apart by how many numbers they ask for."""

MODALITIES = {"MR": "MRI", "X Ray": "XR", "ultrasound": "US"}
"""The original's words for ours."""

MOST = 2**31 - 1
"""Tables hold such numbers in 32 bits."""

PLANE_OF_AXIS: dict[int | None, str] = {axis: str(plane) for plane, axis in SLICE_AXIS.items()}


def stated_sample(stated: Stated, given: Counter[str]) -> Sample:
    """The sample of an entry.

    Args:
        stated: The entry.
        given: Ids of the samples before; this one's is added.

    Raises:
        ResultEntryError: A target that is none of the original's tasks, or facts that cannot be.
    """
    task = TASK_OF_LENGTH.get(len(stated.truth))
    if task is None:
        msg = f"{stated.where}: expected 4, 2 or 1 numbers in the target, found {stated.truth}"
        raise ResultEntryError(msg)
    truth = stated.truth
    if task is Task.DETECTION:
        (x0, x1), (y0, y1) = sorted(truth[::2]), sorted(truth[1::2])
        truth = (x0, y0, x1, y1)
    if not is_valid_truth(task, np.array([truth]))[0]:
        msg = f"{stated.where}: expected a target of {truth_rule(task)}, found {stated.truth}"
        raise ResultEntryError(msg)
    known = _Known.of(stated, task)
    sides = (known.geometry.height_px, known.geometry.width_px)
    box = box_px_from_relative(truth, *sides).tolist() if task is Task.DETECTION else ()
    what = known.metric_key or known.label
    parts = [known.dataset, known.task_id, known.case_id, known.plane, str(known.slice_index), what]
    sample_id = "/".join(quote(part, safe="") for part in [*parts, str(task)])
    given[sample_id] += 1
    if given[sample_id] > 1:
        sample_id = f"{sample_id}/{given[sample_id]}"
    return Sample(
        sample_id=sample_id,
        task=task,
        dataset=known.dataset,
        cohort="",
        case_id=known.case_id,
        subject_id=known.case_id or sample_id,
        split="test",
        image_id="",
        modality=known.modality,
        image_uri=known.image_file,
        image_sha256="",
        plane=known.plane,
        slice_index=known.slice_index,
        geometry=known.geometry,
        label_id=known.label_id,
        label=known.label,
        component=None,
        name=known.label,
        metric_kind=known.metric_kind,
        metric_key=known.metric_key,
        unit="deg" if known.metric_kind == MetricKind.ANGLE else TASKS[task].units[0],
        truth=truth,
        box_px=tuple(box),
        points=(),
        view=View.ORIGINAL,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What an entry's facts come to, in our words; "" and 0 for what they do not say."""

    dataset: str
    task_id: str
    image_file: str
    case_id: str
    plane: str
    slice_index: int
    geometry: SliceGeometry
    label_id: int | None
    label: str
    modality: str
    metric_kind: str
    metric_key: str

    @classmethod
    def of(cls, stated: Stated, task: Task) -> "_Known":
        facts = stated.facts
        image = PurePath(str(facts.get("image_file") or ""))
        parts = [str(facts.get("dataset_name") or ""), *image.parts]
        dataset = next((part for part in parts if part in dataset_names()), parts[0])
        kind = key = ""
        if task is Task.ANGLE_DISTANCE:
            dataset, kind, key = _measurement(stated, dataset)
        task_id = str(facts.get("taskID") or "")
        axis = _whole(stated, "slice_dim")
        label_id = None if task is Task.ANGLE_DISTANCE else _whole(stated, "label")
        label, modality = stated.region or key, stated.modality
        if not label:
            label, modality = _structure(dataset, task, task_id, stated)
        return cls(
            dataset=dataset,
            task_id=task_id,
            image_file=str(image) if image.name else "",
            case_id=image.name.partition(".")[0],
            plane=PLANE_OF_AXIS.get(axis, stated.plane),
            slice_index=_whole(stated, "slice_idx") or 0,
            geometry=_geometry(stated),
            label_id=label_id,
            label=label,
            modality=MODALITIES.get(modality, modality),
            metric_kind=kind,
            metric_key=key,
        )


def _whole(stated: Stated, name: str) -> int | None:
    """A fact that is a whole number, or the text of one; None for anything else."""
    value = stated.facts.get(name)
    text = "" if isinstance(value, bool) else str(value)
    if not text.isdecimal():
        return None
    if len(text) > len(str(MOST)) or int(text) > MOST:
        msg = f"{stated.where}: {name}: expected at most {MOST}, found {text[:60]}"
        raise ResultEntryError(msg)
    return int(text)


def _measurement(stated: Stated, dataset: str) -> tuple[str, str, str]:
    """Dataset, kind and key of an angle or distance, from its label or its facts."""
    profile = stated.facts.get("biometric_profile") or {}
    kind = str(stated.facts.get("metric_type") or profile.get("metric_type") or "")
    key = str(profile.get("metric_key") or "")
    for word in (MetricKind.ANGLE, MetricKind.DISTANCE):
        before, found, after = stated.measurement.partition(f"_{word}_")
        if found:
            dataset, kind, key = before, kind or word, after
    if kind not in {MetricKind.ANGLE, MetricKind.DISTANCE}:
        msg = f"{stated.where}: expected metric_type angle or distance, found {kind!r}"
        raise ResultEntryError(msg)
    return dataset, kind, key or stated.measurement


def _structure(dataset: str, task: Task, task_id: str, stated: Stated) -> tuple[str, str]:
    """Name of a label and modality, as the catalogue declares them; else what the entry says."""
    label_id = _whole(stated, "label")
    if label_id is None:
        return str(stated.facts.get("label") or ""), ""
    try:
        declared = load_dataset(dataset)
        asked = declared.task(task, task_id)
        cohort = declared.cohort(asked.cohort)
    except UsageError:
        return f"label {label_id}", ""
    name = cohort.labels[str(label_id)].name if str(label_id) in cohort.labels else ""
    images = [image for image in cohort.images if asked.image in ("", image.id)]
    return name or f"label {label_id}", images[0].modality if images else ""


def _geometry(stated: Stated) -> SliceGeometry:
    """Size and pixel spacing of the slice, in the original's order: rows, then columns."""
    height_px, width_px = _pair(stated, "image_size_2d", 1.0)
    if (largest := max(height_px, width_px)) > MOST:
        msg = f"{stated.where}: image_size_2d: expected at most {MOST}, found {largest}"
        raise ResultEntryError(msg)
    spacing_y_mm, spacing_x_mm = _pair(stated, "pixel_size", math.nan)
    return SliceGeometry(
        height_px=int(height_px),
        width_px=int(width_px),
        spacing_y_mm=spacing_y_mm,
        spacing_x_mm=spacing_x_mm,
    )


def _pair(stated: Stated, name: str, unknown: float) -> tuple[float, ...]:
    """A fact that is two numbers above 0; `unknown` twice where it is not given."""
    value = stated.facts.get(name)
    if value is None:
        return unknown, unknown
    try:
        numbers = numbers_of(value)
    except ResultEntryError:
        numbers = ()
    if len(numbers) != 2 or min(numbers) <= 0:
        msg = f"{stated.where}: {name}: expected two numbers above 0, found {str(value)[:60]}"
        raise ResultEntryError(msg)
    return numbers


def stated_nmae_frac(stated: Stated) -> float | None:
    """The error / diagonal that the file gives for its own reading; None where it gives none."""
    value = stated.facts.get("nmae_precomputed")
    value = value.get("NMAE") if isinstance(value, dict) else value
    try:
        (number,) = numbers_of(value)
    except (ResultEntryError, ValueError):
        return None
    return number
